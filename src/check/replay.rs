//! Replay: a node that restarts reads back everything durable, and nothing that it did not write.
//!
//! Write-ahead logging as in Mohan et al., "ARIES: a transaction recovery method", 1992: what was
//! forced to the log before a crash is redone after it. At every start from a write-ahead log, what
//! the node says it read is compared with the account that its disk kept:
//!
//! - the records are those that were written, in order and without a gap from the first on: those
//!   that a checkpoint covers, then those of the log;
//! - every record that a completed sync covered is among them, even if the disk lied about the
//!   sync;
//! - if every written record was read, the node stores what it stored before, so a checkpoint is
//!   equivalent to the records that it covers (where the protocol says that its log alone decides
//!   what it stores).
//!
//! Records that no sync covered may be missing at the end. A node that refuses to start from a
//! damaged log reads nothing back and breaks nothing.

use crate::metrics::Recovery;

use super::{Evidence, Finding, Witness, words};

pub(super) fn check(evidence: &Evidence<'_>) -> Finding {
    let mut broken = evidence.recoveries.iter().filter_map(|recovery| {
        let what = fault(recovery)?;
        Some((recovery, what))
    });
    let first = broken.next();
    let count = u64::from(first.is_some()) + broken.count() as u64;
    let witness = first.map(|(recovery, what)| Witness {
        summary: format!(
            "{} started at {} s {what}{}",
            recovery.node,
            recovery.at,
            words::in_all(count, "such starts")
        ),
        count,
        nodes: vec![recovery.node],
        ..Witness::default()
    });
    let from_checkpoints = evidence.recoveries.iter().filter(|recovery| recovery.covers > 0);
    let figures = vec![
        ("recoveries", evidence.recoveries.len() as u64),
        ("from_checkpoints", from_checkpoints.count() as u64),
    ];
    Finding::of(witness, figures)
}

/// What is wrong with a start, to follow "n1 started at 2 s".
fn fault(recovery: &Recovery) -> Option<String> {
    let Recovery { covers, records, last, synced, written, .. } = *recovery;
    let first = last + 1 - records;
    if first > covers + 1 {
        let missing = span(covers + 1, first - 1);
        return Some(format!("without {missing} of its log, which goes on up to record {last}"));
    }
    if last < synced {
        let missing = span(last + 1, synced);
        return Some(format!("without {missing} of its log, which its disk had called durable"));
    }
    if last > written {
        let surplus = span(written + 1, last);
        return Some(format!("with {surplus} of its log, which it never wrote"));
    }
    if !recovery.same_records {
        return Some(format!("with other records up to {last} than it had written"));
    }
    if recovery.same_data == Some(false) {
        return Some(format!("with all {written} records of its log, and stored something else"));
    }
    None
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("record {first}") } else { format!("records {first} to {last}") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, ms};
    use super::*;
    use crate::id::NodeId;
    use crate::property::Property::Replay;

    /// A checkpoint up to 4, records 3 to 9, of which 1 to 8 were durable and 1 to 10 written.
    const FINE: Recovery = Recovery {
        node: NodeId(1),
        at: ms(500),
        covers: 4,
        records: 7,
        last: 9,
        synced: 8,
        written: 10,
        same_records: true,
        same_data: None,
    };

    #[test]
    fn the_synced_records_and_any_that_follow_them_are_right() {
        let rights = [
            FINE,
            Recovery { last: 8, records: 4, ..FINE },
            Recovery { last: 10, records: 10, covers: 0, same_data: Some(true), ..FINE },
            Recovery { last: 10, records: 0, covers: 10, ..FINE },
        ];
        let mut story = Story::new(2);
        for recovery in rights {
            story.recovers(recovery).assert_valid(Replay);
        }
        story.assert_figures(Replay, &[("recoveries", 4), ("from_checkpoints", 3)]);
    }

    #[test]
    fn what_is_missing_too_much_or_something_else_is_wrong() {
        let wrongs = [
            (
                Recovery { records: 4, ..FINE },
                "without record 5 of its log, which goes on up to record 9",
            ),
            (
                Recovery { covers: 0, records: 0, last: 0, ..FINE },
                "without records 1 to 8 of its log, which its disk had called durable",
            ),
            (
                Recovery { last: 7, records: 5, ..FINE },
                "without record 8 of its log, which its disk had called durable",
            ),
            (
                Recovery { last: 11, records: 11, ..FINE },
                "with record 11 of its log, which it never wrote",
            ),
            (
                Recovery { same_records: false, ..FINE },
                "with other records up to 9 than it had written",
            ),
            (
                Recovery { last: 10, same_data: Some(false), ..FINE },
                "with all 10 records of its log, and stored something else",
            ),
        ];
        for (recovery, what) in wrongs {
            let witness = Story::new(2).recovers(FINE).recovers(recovery).witness(Replay);
            assert_eq!(witness.summary, format!("n2 started at 0.500000000 s {what}"));
            assert_eq!((witness.count, witness.nodes), (1, vec![NodeId(1)]));
        }
        let twice = Recovery { last: 0, records: 0, covers: 0, ..FINE };
        let witness = Story::new(2).recovers(twice).recovers(twice).witness(Replay);
        assert!(witness.summary.ends_with("durable (2 such starts in all)"), "{witness:?}");
    }
}

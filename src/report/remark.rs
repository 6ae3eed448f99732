//! Remarks beside a verdict, on what it does not say.

use std::fmt::Write as _;

use crate::check::CheckReport;
use crate::report::layout::{counted, grouped};

/// From this many acknowledged writes for each key, the remark says that losses are hidden.
const OFTEN: u64 = 10;

/// How many acknowledged writes were gone before their keys were written again; `None` if none
/// were. The verdict on durability does not say it.
pub(crate) fn discarded(report: &CheckReport) -> Option<String> {
    let figure = |wanted: &str| {
        let named = report.figures.iter().find(|(name, _)| *name == wanted);
        named.map(|(_, figure)| *figure)
    };
    let discarded = figure("discarded_writes").filter(|discarded| *discarded > 0)?;
    let (acknowledged, keys) = (figure("acknowledged_writes")?, figure("written_keys")?);
    let (were, that) =
        if discarded == 1 { ("was", "its key was") } else { ("were", "their keys were") };
    let mut remark = format!(
        "{} of {} {were} discarded: {that} written again by a node that did not have {}",
        grouped(discarded),
        counted(acknowledged, "acknowledged write"),
        if discarded == 1 { "it" } else { "them" },
    );
    if acknowledged >= OFTEN * keys {
        let _ = write!(
            remark,
            "; {} were written {} times each on average, so what is lost on the way hardly ever \
             shows at the end",
            counted(keys, "key"),
            grouped(acknowledged / keys.max(1)),
        );
    }
    Some(remark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::config::ExpectedVerdict;
    use crate::property::{Promise, Property};

    fn remark(figures: &[(&'static str, u64)]) -> Option<String> {
        discarded(&CheckReport {
            property: Property::Durability,
            verdict: Verdict::Valid,
            promise: Promise::Never { why: "" },
            voided_by: Vec::new(),
            judged: ExpectedVerdict::Valid,
            demands: Vec::new(),
            figures: figures.to_vec(),
            mechanism: None,
        })
    }

    #[test]
    fn what_was_thrown_away_is_said_and_why_it_does_not_show() {
        let of = |discarded| {
            [("acknowledged_writes", 40), ("discarded_writes", discarded), ("written_keys", 2)]
        };
        assert_eq!(remark(&of(0)), None);
        assert_eq!(remark(&[("acknowledged_writes", 40)]), None);
        assert_eq!(
            remark(&of(1)).as_deref(),
            Some(
                "1 of 40 acknowledged writes was discarded: its key was written again by a node \
                 that did not have it; 2 keys were written 20 times each on average, so what is \
                 lost on the way hardly ever shows at the end"
            )
        );
        let rare = [("acknowledged_writes", 9), ("discarded_writes", 2), ("written_keys", 3)];
        assert_eq!(
            remark(&rare).as_deref(),
            Some(
                "2 of 9 acknowledged writes were discarded: their keys were written again by a \
                 node that did not have them"
            )
        );
    }
}

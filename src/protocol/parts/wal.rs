//! The write-ahead log as its writer sees it. How records are framed: [`super::frame`].
//!
//! A log does not grow for ever: once a checkpoint has what its first records brought about,
//! [`Wal::rewrite`] puts those that the checkpoint lacks in the place of all. A rewritten log is
//! there whole or not at all, so its first header after that vouches for all of it.

use std::collections::VecDeque;

use crate::id::Term;
use crate::protocol::{Context, DiskImage, File, Observation, Protocol, Ticket};
use crate::time::Span;

use super::frame::{Corruption, Header, Replay, replay, salvage};

/// When what is written to a log is made durable, and what waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Policy {
    /// Nothing is written.
    Off,
    /// Nothing waits; a sync follows a while after a write.
    Buffered {
        /// The longest that a write is left unsynced, but for the time that a sync takes.
        sync_every: Span,
    },
    /// Each write waits for a sync of its own.
    Fsync,
    /// Each write waits for a sync that it shares with all that arrive while another is under way.
    GroupCommit,
}

impl Policy {
    /// The name in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Mistakes of real systems in opening a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalDefects {
    /// Corruption is cut off like a torn tail, without a word (nodedb #164).
    pub truncates_corruption: bool,
    /// A torn tail is left where it is, and what is appended behind it is never read again (cqlite
    /// #1390).
    pub keeps_torn_tail: bool,
    /// Records that are missing between a checkpoint and the log are not missed.
    pub ignores_gaps: bool,
}

/// Why a log cannot be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// What had been durable is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The log starts behind the end of the checkpoint.
    #[error("the log starts at record {first}, and the checkpoint ends with record {covers}")]
    Gap {
        /// The first record of the log.
        first: u64,
        /// The last record that the checkpoint covers; 0 for none.
        covers: u64,
    },
    /// The checkpoint is damaged.
    #[error("the checkpoint is damaged")]
    DamagedCheckpoint,
}

/// A log in a file, as the process that writes it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wal {
    file: File,
    /// Bytes, and the sequence of the last record.
    written: Extent,
    /// The last sequence for which a sync was requested.
    requested: u64,
    /// Up to where it is known to be durable.
    durable: Extent,
    /// Syncs under way, the oldest first, and what each makes durable.
    syncs: VecDeque<(Ticket, Extent)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    bytes: u64,
    sequence: u64,
}

impl Wal {
    /// The log in `file` with its records, after a start: a torn tail is cut off. What is read back
    /// is written, and durable only after a [`Wal::sync`]. Records up to the sequence `covers` are
    /// in a checkpoint, and left out; 0 where there is none.
    ///
    /// # Errors
    ///
    /// When the log is corrupt, or does not join on to the checkpoint: the node must not serve.
    pub fn open<P: Protocol>(
        file: File,
        covers: u64,
        defects: WalDefects,
        disk: &DiskImage,
        cx: &mut Context<'_, P>,
    ) -> Result<(Self, Vec<P::Record>), Unusable> {
        let bytes = disk.bytes(file);
        let mut replayed =
            if defects.truncates_corruption { salvage(bytes) } else { replay(bytes)? };
        let mut written = Extent { bytes: replayed.length, sequence: replayed.sequence };
        if defects.keeps_torn_tail {
            written.bytes += replayed.torn;
        } else if replayed.torn > 0 {
            cx.truncate_suffix(file, replayed.length);
        }
        if replayed.sequence < covers {
            // The checkpoint was durable before the records it covers were. It has all that is left
            // here, and what comes next belongs behind it.
            if written.bytes > 0 {
                cx.truncate_suffix(file, 0);
            }
            written = Extent { bytes: 0, sequence: covers };
            replayed = Replay { sequence: covers, ..salvage(&[]) };
        }
        let (records, last) = (replayed.records.len() as u64, replayed.sequence);
        let first = last + 1 - records;
        if first > covers + 1 && !defects.ignores_gaps {
            return Err(Unusable::Gap { first, covers });
        }
        cx.observe(Observation::Replay { file, covers, records, last, digest: replayed.digest });
        let known = usize::try_from((covers + 1).saturating_sub(first)).expect("records in memory");
        let beyond = replayed.records.split_off(known.min(replayed.records.len()));
        let (requested, durable) = (0, Extent::default());
        Ok((Self { file, written, requested, durable, syncs: VecDeque::new() }, beyond))
    }

    /// Writes a record; its sequence.
    pub fn append<P: Protocol>(
        &mut self,
        term: Term,
        record: &P::Record,
        cx: &mut Context<'_, P>,
    ) -> u64 {
        self.written.sequence += 1;
        let sequence = self.written.sequence;
        debug_assert!(self.durable.bytes <= self.written.bytes, "what is durable is written");
        let stamp = Header { term: term.0.into(), sequence, durable: self.durable.bytes };
        self.written.bytes += cx.append_stamped(self.file, stamp, record);
        sequence
    }

    /// Requests a sync of everything written, unless that is under way already.
    pub fn sync<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        if self.requested != self.written.sequence {
            self.requested = self.written.sequence;
            self.syncs.push_back((cx.sync(self.file), self.written));
        }
    }

    /// Puts `rest`, the last records written with their terms, in the place of all: a checkpoint
    /// has what is before them. Whole or not at all, and durable like after a [`Wal::sync`]; the
    /// ticket of that.
    ///
    /// The disk must not be full.
    pub fn rewrite<P: Protocol>(
        &mut self,
        rest: &[(Term, P::Record)],
        cx: &mut Context<'_, P>,
    ) -> Ticket {
        let last = self.written.sequence;
        let (ticket, bytes) = cx.replace_stamped(self.file, last, rest);
        self.written.bytes = bytes;
        self.requested = last;
        // Who reads a header behind the rewritten part has that part. Of the log before nothing is
        // left to measure.
        self.durable.bytes = bytes;
        for (_, extent) in &mut self.syncs {
            extent.bytes = bytes;
        }
        self.syncs.push_back((ticket, self.written));
        ticket
    }

    /// A ticket came back from the disk.
    pub fn persisted(&mut self, ticket: Ticket) {
        // A disk completes syncs in order.
        while let Some((_, extent)) = self.syncs.pop_front_if(|(sync, _)| *sync <= ticket) {
            self.durable = extent;
        }
    }

    /// Whether a sync is under way.
    #[must_use]
    pub fn is_syncing(&self) -> bool {
        !self.syncs.is_empty()
    }

    /// The sequence of the last record written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written.sequence
    }

    /// The sequence of the last record known to be durable.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.durable.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::id::NodeId;
    use crate::property::Promises;
    use crate::protocol::effect::{DiskOperation, Effect, Effects};
    use crate::protocol::parts::frame::encode;
    use crate::protocol::{DiskOrigin, Input, NoMessage, NoTimer, NodeSnapshot, Role};
    use crate::rng::{CausalId, Draws, Root};
    use crate::time::{Time, Wall};

    /// A protocol that is only a name: the tests write its log.
    #[derive(Debug)]
    struct Writer;

    impl Protocol for Writer {
        type Config = ();
        type Message = NoMessage;
        type Record = u64;
        type Timer = NoTimer;

        fn recover((): &(), _: &DiskImage, _: &mut Context<'_, Self>) -> Self {
            Self
        }

        fn handle(&mut self, _: Input<Self>, _: &mut Context<'_, Self>) {}

        fn snapshot(&self) -> NodeSnapshot {
            NodeSnapshot::new(NodeId(0), Role::Follower)
        }

        fn promises((): &(), _: &Config) -> Promises {
            Promises::default()
        }
    }

    const FILE: File = File(0);

    /// What `act` comes to, and the effects that it had.
    fn effects<T>(act: impl FnOnce(&mut Context<'_, Writer>) -> T) -> (T, Effects<Writer>) {
        let (draws, mut next_ticket, mut effects) = (Draws::new(0), 0, Effects::new());
        let done = act(&mut Context {
            node: NodeId(0),
            nodes: 1,
            initial_leader: None,
            wall: Wall(0),
            monotonic: Time::ZERO,
            cause: CausalId::root(Root::Boot, 0, 0),
            draws: &draws,
            drawn: 0,
            next_ticket: &mut next_ticket,
            observed: true,
            keeps_log: false,
            disk_is_full: false,
            batches: &crate::operation::Batches::default(),
            effects: &mut effects,
        });
        (done, effects)
    }

    /// A log of these records, whose numbers are their sequences.
    fn log(sequences: std::ops::RangeInclusive<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for sequence in sequences {
            encode(Header { term: 1, sequence, durable: 0 }, &sequence, &mut bytes);
        }
        bytes
    }

    type Opened = Result<(Wal, Vec<u64>), Unusable>;

    fn open(bytes: Vec<u8>, covers: u64, defects: WalDefects) -> (Opened, Effects<Writer>) {
        let disk = DiskImage::new(DiskOrigin::Kept, [(FILE, bytes)].into());
        effects(|cx| Wal::open(FILE, covers, defects, &disk, cx))
    }

    /// The operations that the disk was given.
    fn operations(effects: &Effects<Writer>) -> impl Iterator<Item = &DiskOperation> {
        effects.list.iter().filter_map(|effect| {
            let Effect::Disk { operation, .. } = effect else { return None };
            Some(operation)
        })
    }

    /// The lengths to which files were cut.
    fn cuts(effects: &Effects<Writer>) -> Vec<u64> {
        let cut = |operation: &DiskOperation| {
            let DiskOperation::TruncateSuffix { length } = operation else { return None };
            Some(*length)
        };
        operations(effects).filter_map(cut).collect()
    }

    /// Records 3 to 5 are left of the log. Which are beyond the checkpoint, and from where on some
    /// are missing.
    #[test]
    fn a_log_goes_on_where_its_checkpoint_ends() {
        let beyond = |covers| {
            let (opened, effects) = open(log(3..=5), covers, WalDefects::default());
            (opened.map(|(wal, records)| (wal.written(), records)), cuts(&effects))
        };
        let gap = |covers| (Err(Unusable::Gap { first: 3, covers }), vec![]);
        assert_eq!(beyond(0), gap(0));
        assert_eq!(beyond(1), gap(1));
        assert_eq!(beyond(2), (Ok((5, vec![3, 4, 5])), vec![]));
        assert_eq!(beyond(4), (Ok((5, vec![5])), vec![]));
        assert_eq!(beyond(5), (Ok((5, vec![])), vec![]));
        // What is missing the checkpoint has: the log starts empty behind it.
        assert_eq!(beyond(7), (Ok((7, vec![])), vec![0]));
    }

    #[test]
    fn a_torn_tail_is_cut_off() {
        let (whole, mut torn) = (log(1..=2), log(1..=3));
        torn.pop();
        let (opened, effects) = open(torn.clone(), 0, WalDefects::default());
        let (wal, records) = opened.expect("a torn tail is no damage");
        assert_eq!((wal.written(), records), (2, vec![1, 2]));
        assert_eq!(cuts(&effects), [whole.len() as u64]);
        let careless = WalDefects { keeps_torn_tail: true, ..WalDefects::default() };
        assert!(cuts(&open(torn, 0, careless).1).is_empty());
    }

    fn syncs(effects: &Effects<Writer>) -> usize {
        operations(effects).filter(|operation| matches!(operation, DiskOperation::Sync)).count()
    }

    /// What is read back was written, and nobody knows whether it was synced.
    #[test]
    fn each_record_is_synced_once_and_durable_after_that() {
        let mut wal = open(log(1..=2), 0, WalDefects::default()).0.expect("it is whole").0;
        assert_eq!((wal.written(), wal.durable(), wal.is_syncing()), (2, 0, false));
        let ((), asked) = effects(|cx| {
            wal.sync(cx);
            wal.sync(cx);
            wal.append(Term(1), &3, cx);
            wal.sync(cx);
            wal.append(Term(1), &4, cx);
        });
        assert_eq!((syncs(&asked), wal.is_syncing()), (2, true));
        let tickets: Vec<Ticket> = wal.syncs.iter().map(|(ticket, _)| *ticket).collect();
        wal.persisted(tickets[0]);
        assert_eq!((wal.written(), wal.durable(), wal.is_syncing()), (4, 2, true));
        wal.persisted(tickets[1]);
        assert_eq!((wal.written(), wal.durable(), wal.is_syncing()), (4, 3, false));
    }

    /// A header vouches for what was durable when its record was written, and for nothing that a
    /// loss of power may still tear.
    #[test]
    fn no_header_vouches_for_what_is_only_written() {
        let mut wal = open(Vec::new(), 0, WalDefects::default()).0.expect("it is empty").0;
        let ((), mut written) = effects(|cx| {
            for record in 1..=3 {
                wal.append(Term(1), &record, cx);
            }
        });
        written.bytes[0] ^= 1;
        let (opened, _) = open(written.bytes, 0, WalDefects::default());
        assert_eq!(opened.map(|(_, records)| records), Ok(vec![]));
    }

    #[test]
    fn a_rewritten_log_is_synced_by_being_rewritten() {
        let mut wal = open(log(1..=3), 0, WalDefects::default()).0.expect("it is whole").0;
        let (ticket, asked) = effects(|cx| {
            let ticket = wal.rewrite(&[(Term(1), 3)], cx);
            wal.sync(cx);
            ticket
        });
        assert_eq!((syncs(&asked), wal.written(), wal.durable()), (0, 3, 0));
        wal.persisted(ticket);
        assert_eq!(wal.durable(), 3);
    }
}

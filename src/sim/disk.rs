//! A node's disk.
//!
//! Fault model: what is written is seen by the process at once and survives its crash. A sync makes durable all
//! that was written to its file before it was asked for, when it completes; syncs of one disk complete in the
//! order in which they were asked for. A power loss keeps what was synced and, of the bytes appended since, a
//! drawn prefix that may end in the middle of a record (a torn tail). A truncation or a replacement that was not
//! yet durable happened or did not, as a draw decides.

use std::collections::BTreeMap;

use crate::protocol::{DiskImage, DiskOperation, File, Ticket};
use crate::rng::{CausalId, Draws, Purpose};
use crate::sampler::Distribution;
use crate::time::Time;

/// The disk of one node.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<File, Contents>,
    /// When the last sync that was asked for completes.
    busy_until: Time,
    syncs: Vec<Sync>,
}

#[derive(Debug, Default)]
struct Contents {
    /// As the process sees it.
    written: Vec<u8>,
    /// How much of that is durable, provided that the truncation or replacement that made it is.
    synced: usize,
    /// What is durable otherwise: the content before a truncation or replacement that no sync covers yet.
    before: Option<Vec<u8>>,
}

/// A sync under way.
#[derive(Debug)]
struct Sync {
    ticket: Ticket,
    file: File,
    /// How long the prefix is that it makes durable.
    covers: usize,
    /// Whether it was asked for after the last truncation or replacement, and so makes that durable too.
    settles: bool,
}

impl Disk {
    /// Does what a protocol asks; when the operation completes, where that is announced.
    pub(crate) fn perform(
        &mut self,
        (ticket, file): (Ticket, File),
        operation: &DiskOperation,
        bytes: &[u8],
        (now, id): (Time, CausalId),
        (draws, latency): (&Draws, &Distribution),
    ) -> Option<Time> {
        let contents = self.files.entry(file).or_default();
        match *operation {
            DiskOperation::Append { start, end } => {
                contents.written.extend_from_slice(&bytes[start..end]);
                return None;
            }
            DiskOperation::TruncateSuffix { length } => {
                let length = usize::try_from(length).map_or(usize::MAX, |length| length);
                contents.truncate(length);
                self.outdate(file, length);
                return None;
            }
            DiskOperation::Replace { start, end } => {
                contents.remember();
                contents.written.clear();
                contents.written.extend_from_slice(&bytes[start..end]);
                contents.synced = contents.written.len();
                self.outdate(file, 0);
            }
            DiskOperation::Sync => {}
        }
        let covers = self.files[&file].written.len();
        self.syncs.push(Sync { ticket, file, covers, settles: true });
        let takes = latency.sample(|index| draws.draw(Purpose::Sync, id, index));
        self.busy_until = self.busy_until.max(now) + takes;
        Some(self.busy_until)
    }

    /// A sync completes, whether or not the process that asked for it still lives.
    pub(crate) fn complete(&mut self, ticket: Ticket) {
        // A power loss forgets the syncs under way, and their completions come all the same.
        let Some(at) = self.syncs.iter().position(|sync| sync.ticket == ticket) else { return };
        let Sync { file, covers, settles, .. } = self.syncs.remove(at);
        let contents = self.files.entry(file).or_default();
        contents.synced = contents.synced.max(covers);
        if settles {
            contents.before = None;
        }
    }

    /// Takes from the syncs under way what a truncation to `length` leaves them nothing to make durable of.
    fn outdate(&mut self, file: File, length: usize) {
        for sync in self.syncs.iter_mut().filter(|sync| sync.file == file) {
            sync.covers = sync.covers.min(length);
            sync.settles = false;
        }
    }

    /// The machine dies: what was not durable is gone, but for what the draws of `id` leave.
    pub(crate) fn lose_power(&mut self, draws: &Draws, id: CausalId) {
        self.syncs.clear();
        self.busy_until = Time::ZERO;
        for (index, contents) in (0..).zip(self.files.values_mut()) {
            let old_survives = draws.draw(Purpose::PowerLoss, id, 2 * index) >> 63 == 0;
            match contents.before.take() {
                Some(before) if old_survives => contents.written = before,
                _ => {
                    let unsynced = (contents.written.len() - contents.synced) as u64;
                    let kept = draws.below(Purpose::PowerLoss, id, 2 * index + 1, unsynced + 1);
                    let kept = usize::try_from(kept).expect("at most what was written");
                    contents.written.truncate(contents.synced + kept);
                }
            }
            // What is read back after a power loss is on the platter.
            contents.synced = contents.written.len();
        }
    }

    /// Puts an empty disk in its place.
    pub(crate) fn wipe(&mut self) {
        *self = Self::default();
    }

    /// What a restarted process reads.
    pub(crate) fn image(&self) -> DiskImage {
        let files = self.files.iter();
        DiskImage::new(files.map(|(file, contents)| (*file, contents.written.clone())).collect())
    }
}

impl Contents {
    fn truncate(&mut self, length: usize) {
        if length < self.written.len() {
            self.remember();
            self.written.truncate(length);
            self.synced = self.synced.min(length);
        }
    }

    /// Keeps the durable content, which is about to be replaced by something not yet durable.
    fn remember(&mut self) {
        if self.before.is_none() {
            self.before = Some(self.written[..self.synced].to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Root;
    use crate::time::Span;

    const FILE: File = File(1);

    /// A disk, and the calls of a protocol on it, with syncs of one millisecond.
    struct Bench {
        disk: Disk,
        next: u64,
        draws: Draws,
    }

    impl Bench {
        fn new() -> Self {
            Self { disk: Disk::default(), next: 0, draws: Draws::new(7) }
        }

        fn perform(&mut self, operation: &DiskOperation, bytes: &[u8]) -> (Ticket, Option<Time>) {
            let ticket = Ticket(self.next);
            self.next += 1;
            let latency = Distribution::Constant(Span::from_millis(1));
            let at = (Time::ZERO, CausalId::root(Root::Run, 0, 0));
            let done =
                self.disk.perform((ticket, FILE), operation, bytes, at, (&self.draws, &latency));
            (ticket, done)
        }

        fn append(&mut self, bytes: &[u8]) {
            assert_eq!(self.perform(&DiskOperation::Append { start: 0, end: bytes.len() }, bytes).1, None);
        }

        fn after_power_loss(&mut self, event: u64) -> Vec<u8> {
            self.disk.lose_power(&self.draws, CausalId::root(Root::Run, event, 0));
            self.disk.image().bytes(FILE).to_vec()
        }
    }

    #[test]
    fn a_crash_of_the_process_keeps_what_was_written() {
        let mut bench = Bench::new();
        bench.append(b"abc");
        assert_eq!(bench.disk.image().bytes(FILE), b"abc");
        assert_eq!(bench.disk.image().bytes(File(2)), b"");
    }

    #[test]
    fn a_power_loss_keeps_the_synced_prefix_and_tears_the_rest_anywhere() {
        let mut lengths = [0; 4];
        for event in 0..400 {
            let mut bench = Bench::new();
            bench.append(b"abc");
            let (ticket, done) = bench.perform(&DiskOperation::Sync, b"");
            assert_eq!(done, Some(Time::ZERO + Span::from_millis(1)));
            bench.append(b"def");
            bench.disk.complete(ticket);
            let left = bench.after_power_loss(event);
            assert!(b"abcdef".starts_with(&left) && left.len() >= 3, "{left:?}");
            lengths[left.len() - 3] += 1;
        }
        assert!(lengths.iter().all(|count| (60..140).contains(count)), "{lengths:?}");
    }

    #[test]
    fn syncs_complete_in_order_and_cover_what_was_written_before_them() {
        let mut bench = Bench::new();
        bench.append(b"a");
        let (first, first_done) = bench.perform(&DiskOperation::Sync, b"");
        bench.append(b"b");
        let (second, second_done) = bench.perform(&DiskOperation::Sync, b"");
        assert!(first_done < second_done);
        bench.disk.complete(first);
        assert_eq!(bench.disk.files[&FILE].synced, 1);
        bench.disk.complete(second);
        assert_eq!(bench.disk.files[&FILE].synced, 2);
    }

    #[test]
    fn a_replacement_is_whole_or_not_at_all() {
        let mut seen = [false; 2];
        for event in 0..50 {
            let mut bench = Bench::new();
            bench.append(b"old");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.disk.complete(ticket);
            let (ticket, _) = bench.perform(&DiskOperation::Replace { start: 0, end: 6 }, b"newest");
            if event % 2 == 0 {
                bench.disk.complete(ticket);
                assert_eq!(bench.after_power_loss(event), b"newest");
            } else {
                let left = bench.after_power_loss(event);
                seen[usize::from(left == b"old")] = true;
            }
        }
        assert_eq!(seen, [true, true]);
    }

    #[test]
    fn a_truncation_that_is_not_durable_may_come_back() {
        let mut seen = [false; 2];
        for event in 0..50 {
            let mut bench = Bench::new();
            bench.append(b"abcdef");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.disk.complete(ticket);
            bench.perform(&DiskOperation::TruncateSuffix { length: 2 }, b"");
            assert_eq!(bench.disk.image().bytes(FILE), b"ab");
            let left = bench.after_power_loss(event);
            seen[usize::from(left == b"abcdef")] = true;
        }
        assert_eq!(seen, [true, true]);
    }
}

//! A node's disk.
//!
//! Fault model: what is written is seen by the process at once and survives its crash. A sync makes durable all
//! that was written to its file before it was asked for, when it completes; syncs of one disk complete in the
//! order in which they were asked for. A power loss keeps what was synced and, of the bytes appended since, a
//! drawn prefix that may end in the middle of a record (a torn tail). A truncation or a replacement that was not
//! yet durable happened or did not, as a draw decides; if it did not, what was synced before is there, even when the
//! sync completed after it.

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

/// A file: what it holds, and what else it may hold after a power loss.
#[derive(Debug)]
struct Contents {
    /// What the process sees is the last. Before it, what the file held before each truncation or replacement that
    /// is not durable yet: the first is the latest that is. Never empty.
    generations: Vec<Generation>,
}

/// What a file holds between two truncations or replacements.
#[derive(Debug, Default)]
struct Generation {
    number: u64,
    written: Vec<u8>,
    /// How much of that is durable, provided that the truncation or replacement that began it is.
    synced: usize,
    /// How many bytes at its beginning are those of the generation before.
    shared: usize,
}

/// A sync under way.
#[derive(Debug)]
struct Sync {
    ticket: Ticket,
    file: File,
    /// Which generation of the file it makes durable.
    generation: u64,
    /// How long the prefix of that is.
    covers: usize,
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
                contents.last_mut().written.extend_from_slice(&bytes[start..end]);
                return None;
            }
            DiskOperation::TruncateSuffix { length } => {
                contents.truncate(usize::try_from(length).unwrap_or(usize::MAX));
                return None;
            }
            DiskOperation::Replace { start, end } => contents.replace(&bytes[start..end]),
            DiskOperation::Sync => {}
        }
        let Generation { number, ref written, .. } = *contents.last();
        let sync = Sync { ticket, file, generation: number, covers: written.len() };
        self.syncs.push(sync);
        let takes = latency.sample(|index| draws.draw(Purpose::Sync, id, index));
        self.busy_until = self.busy_until.max(now) + takes;
        Some(self.busy_until)
    }

    /// A sync completes, whether or not the process that asked for it still lives.
    pub(crate) fn complete(&mut self, ticket: Ticket) {
        // A power loss forgets the syncs under way, and their completions come all the same.
        let Some(at) = self.syncs.iter().position(|sync| sync.ticket == ticket) else { return };
        let Sync { file, generation, covers, .. } = self.syncs.remove(at);
        self.files.entry(file).or_default().settle(generation, covers);
    }

    /// The machine dies: what was not durable is gone, but for what the draws of `id` leave.
    pub(crate) fn lose_power(&mut self, draws: &Draws, id: CausalId) {
        self.syncs.clear();
        self.busy_until = Time::ZERO;
        for (index, contents) in (0..).zip(self.files.values_mut()) {
            let generations = contents.generations.len() as u64;
            let survives = draws.below(Purpose::PowerLoss, id, 2 * index, generations);
            let survives = usize::try_from(survives).expect("below the number of generations");
            let mut survivor = contents.generations.swap_remove(survives);
            let unsynced = (survivor.written.len() - survivor.synced) as u64;
            let kept = draws.below(Purpose::PowerLoss, id, 2 * index + 1, unsynced + 1);
            let kept = usize::try_from(kept).expect("at most what was written");
            survivor.written.truncate(survivor.synced + kept);
            // What is read back after a power loss is on the platter.
            survivor.synced = survivor.written.len();
            contents.generations = vec![survivor];
        }
    }

    /// Puts an empty disk in its place.
    pub(crate) fn wipe(&mut self) {
        *self = Self::default();
    }

    /// What a restarted process reads.
    pub(crate) fn image(&self) -> DiskImage {
        let files = self.files.iter();
        DiskImage::new(
            files.map(|(file, contents)| (*file, contents.last().written.clone())).collect(),
        )
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self { generations: vec![Generation::default()] }
    }
}

impl Contents {
    fn last(&self) -> &Generation {
        self.generations.last().expect("a file has a content, if an empty one")
    }

    fn last_mut(&mut self) -> &mut Generation {
        self.generations.last_mut().expect("a file has a content, if an empty one")
    }

    fn truncate(&mut self, length: usize) {
        let Generation { number, written, synced, .. } = self.last();
        if length < written.len() {
            let (number, synced) = (number + 1, length.min(*synced));
            let written = written[..length].to_vec();
            self.generations.push(Generation { number, written, synced, shared: length });
        }
    }

    /// A replacement is written beside the file and synced before it takes the file's place.
    fn replace(&mut self, bytes: &[u8]) {
        let number = self.last().number + 1;
        let (written, synced) = (bytes.to_vec(), bytes.len());
        self.generations.push(Generation { number, written, synced, shared: 0 });
    }

    /// The first `covers` bytes of a generation are durable, and that it took the place of those before it.
    fn settle(&mut self, generation: u64, covers: usize) {
        // None: a later sync has made a later one durable.
        let is_meant = |other: &Generation| other.number == generation;
        let Some(place) = self.generations.iter().position(is_meant) else { return };
        self.generations.drain(..place);
        let mut durable = covers;
        for generation in &mut self.generations {
            if !is_meant(generation) {
                durable = durable.min(generation.shared);
            }
            generation.synced = generation.synced.max(durable);
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
            assert_eq!(
                self.perform(&DiskOperation::Append { start: 0, end: bytes.len() }, bytes).1,
                None
            );
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
        assert_eq!(bench.disk.files[&FILE].last().synced, 1);
        bench.disk.complete(second);
        assert_eq!(bench.disk.files[&FILE].last().synced, 2);
    }

    #[test]
    fn a_replacement_is_whole_or_not_at_all() {
        let mut seen = [false; 2];
        for event in 0..50 {
            let mut bench = Bench::new();
            bench.append(b"old");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.disk.complete(ticket);
            let (ticket, _) =
                bench.perform(&DiskOperation::Replace { start: 0, end: 6 }, b"newest");
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

    /// A log was replaced while a sync of it was under way. The sync completed, its record was acknowledged, and a
    /// power loss before the replacement was durable brought the old log back without that record.
    #[test]
    fn what_a_sync_made_durable_survives_a_replacement_or_truncation_that_does_not() {
        let operations = [
            (DiskOperation::Replace { start: 0, end: 3 }, &b"new"[..]),
            (DiskOperation::TruncateSuffix { length: 4 }, b""),
        ];
        for (operation, new) in &operations {
            let mut seen = [false; 2];
            for event in 0..50 {
                let mut bench = Bench::new();
                bench.append(b"abc");
                let (first, _) = bench.perform(&DiskOperation::Sync, b"");
                bench.append(b"def");
                let (second, _) = bench.perform(&DiskOperation::Sync, b"");
                bench.perform(operation, new);
                bench.disk.complete(first);
                bench.disk.complete(second);
                let left = bench.after_power_loss(event);
                let after = if new.is_empty() { &b"abcd"[..] } else { new };
                assert!(left == b"abcdef" || left == after, "{left:?}");
                seen[usize::from(left == after)] = true;
            }
            assert_eq!(seen, [true, true]);
        }
    }

    /// Of several truncations and replacements in a row any number happened, in order.
    #[test]
    fn a_power_loss_leaves_any_state_since_the_last_durable_one() {
        let mut seen = std::collections::BTreeSet::new();
        for event in 0..100 {
            let mut bench = Bench::new();
            bench.append(b"lost");
            bench.perform(&DiskOperation::Replace { start: 0, end: 6 }, b"abcdef");
            let (durable, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.perform(&DiskOperation::TruncateSuffix { length: 4 }, b"");
            bench.perform(&DiskOperation::TruncateSuffix { length: 2 }, b"");
            bench.disk.complete(durable);
            seen.insert(String::from_utf8(bench.after_power_loss(event)).unwrap());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["ab", "abcd", "abcdef"]);
    }
}

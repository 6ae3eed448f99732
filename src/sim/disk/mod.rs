//! A node's disk.
//!
//! Fault model: what is written is seen by the process at once and survives its crash. A sync makes durable all
//! that was written to its file before it was asked for, when it completes; syncs of one disk complete in the
//! order in which they were asked for. A power loss keeps what was synced and, of the bytes appended since, a
//! drawn prefix that may end in the middle of a record (a torn tail). Truncations and replacements that were not
//! yet durable happened up to one that a draw chooses, and what a sync before them made durable stays durable.
//!
//! Faults ([`DiskFault`]): a full disk takes no append and no replacement, and says so; a lying one completes syncs
//! that make nothing durable; a torn write leaves a hole of zeros in what a power loss found unsynced, and all the
//! rest of it; a bit flips in what was written; a disk that cannot be read fails those that start from it. What a slow
//! disk still holds back when the fault ends completes then, or when it would have without the fault, if that is later.

use crate::config::DiskFault;
use crate::protocol::{DiskError, DiskImage, DiskOperation, DiskOrigin, File, Ticket, wal};
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::sampler::Distribution;
use crate::time::{Span, Time};

use super::queue::Handle;
use ledger::Ledger;

/// The longest hole of a torn write, in bytes.
const SECTOR: u64 = 512;

/// The room that a file is given with its first record, in bytes.
const FIRST_ROOM: usize = 4096;

/// The disk of one node.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    origin: DiskOrigin,
    /// By file. A node has one or two: looking through them beats any map.
    files: Vec<(File, Contents)>,
    /// When the last sync that was asked for completes.
    busy_until: Time,
    syncs: Vec<Sync>,
    /// What is wrong with it: the index of each fault, its name, and what it does.
    faults: Vec<(u32, CausalId, DiskFault)>,
}

/// The end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) at: Time,
    pub(crate) result: Result<(), DiskError>,
    /// Whether a fault makes it longer: it may complete sooner when that ends.
    pub(crate) is_slowed: bool,
}

#[derive(Debug, Default)]
struct Contents {
    /// As the process sees it.
    now: Edition,
    /// What it was before each truncation or replacement that is not yet durable, the oldest first.
    before: Vec<Edition>,
    /// What a numbered log in it ought to have.
    ledger: Ledger,
    /// How many records were appended to it, and how many of these are no longer to become durable: they have, or
    /// a power loss decided over them.
    appended: u64,
    decided: u64,
}

/// A file between two truncations or replacements.
#[derive(Debug, Default)]
struct Edition {
    number: u64,
    written: Vec<u8>,
    /// How much of that is durable, provided that the truncation or replacement that made it is.
    synced: usize,
    /// How long the prefix is that it shares with the edition before it.
    shared: usize,
}

/// A sync under way.
#[derive(Debug)]
struct Sync {
    ticket: Ticket,
    file: File,
    /// The edition of the file that it makes durable, and how much of it.
    edition: u64,
    covers: usize,
    /// The last record of a numbered log that it makes durable.
    sequence: u64,
    /// How many records had been appended when it was asked for.
    appended: u64,
    pace: Pace,
}

/// How a sync under way gets on.
#[derive(Debug)]
struct Pace {
    asked_at: Time,
    /// When the disk had done with the sync before it.
    starts_at: Time,
    takes: Span,
    ends_at: Time,
    /// What faults add to that, where there are any.
    slowed: Option<Box<Slowed>>,
}

/// What holds a sync back.
#[derive(Debug)]
struct Slowed {
    /// What each fault of a slow disk, by its index, adds.
    by: Vec<(u32, Span)>,
    /// The event of its completion.
    event: Option<Handle>,
}

impl Pace {
    /// When it ends if nothing else holds it back.
    fn ends(&self) -> Time {
        let ends = self.starts_at.later(self.takes);
        let by = self.slowed.iter().flat_map(|slowed| &slowed.by);
        by.fold(ends, |ends, (_, longer)| ends.later(*longer))
    }
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
    ) -> Option<Done> {
        let writes =
            matches!(operation, DiskOperation::Append { .. } | DiskOperation::Replace { .. });
        if writes && self.is_full() {
            return Some(Done { at: now, result: Err(DiskError::Full), is_slowed: false });
        }
        let contents = contents_of(&mut self.files, file);
        match *operation {
            DiskOperation::Append { start, end, sequence } => {
                if contents.now.written.capacity() == 0 {
                    // A file that is written to is written to often: its first doublings would only be moved about.
                    contents.now.written.reserve(FIRST_ROOM);
                }
                contents.now.written.extend_from_slice(&bytes[start..end]);
                contents.appended += 1;
                if sequence > 0 {
                    contents.ledger.append(sequence, wal::checksum(&bytes[start..end]));
                }
                return None;
            }
            DiskOperation::TruncateSuffix { length } => {
                let length = usize::try_from(length).map_or(usize::MAX, |length| length);
                if length < contents.now.written.len() {
                    let kept = contents.now.written[..length].to_vec();
                    contents.edit(kept, length);
                }
                return None;
            }
            DiskOperation::Replace { start, end } => {
                contents.edit(bytes[start..end].to_vec(), 0);
                // Whole or not at all: its bytes are on the platter before the name is.
                contents.now.synced = contents.now.written.len();
            }
            DiskOperation::Sync => {}
        }
        let (edition, covers) = (contents.now.number, contents.now.written.len());
        let (sequence, appended) = (contents.ledger.written(), contents.appended);
        let takes = latency.sample(|index| draws.draw(Purpose::Sync, id, index));
        let slowed = if self.faults.is_empty() { None } else { self.slowed(id, draws) };
        let is_slowed = slowed.is_some();
        let (starts_at, ends_at) = (self.busy_until.max(now), Time::ZERO);
        let mut pace = Pace { asked_at: now, starts_at, takes, ends_at, slowed };
        pace.ends_at = pace.ends();
        self.busy_until = pace.ends_at;
        self.syncs.push(Sync { ticket, file, edition, covers, sequence, appended, pace });
        Some(Done { at: self.busy_until, result: Ok(()), is_slowed })
    }

    /// By how much each fault makes this sync longer.
    #[cold]
    fn slowed(&self, id: CausalId, draws: &Draws) -> Option<Box<Slowed>> {
        let longer = |(index, fault, what): &(u32, CausalId, DiskFault)| {
            let DiskFault::Slow(longer) = what else { return None };
            let id = id.child(Cause::Fault, fault.get(), 0);
            Some((*index, longer.sample(|index| draws.draw(Purpose::FaultDelay, id, index))))
        };
        let by: Vec<_> = self.faults.iter().filter_map(longer).collect();
        (!by.is_empty()).then(|| Box::new(Slowed { by, event: None }))
    }

    /// Notes the event of the completion of a sync that a fault makes longer.
    pub(crate) fn completes_by(&mut self, ticket: Ticket, event: Handle) {
        let mut slowed = self.syncs.iter_mut().filter(|sync| sync.ticket == ticket);
        if let Some(slowed) = slowed.find_map(|sync| sync.pace.slowed.as_mut()) {
            slowed.event = Some(event);
        }
    }

    /// A fault starts.
    pub(crate) fn begin(&mut self, index: u32, name: CausalId, fault: DiskFault) {
        self.faults.push((index, name, fault));
    }

    /// The fault of this index is over. The syncs that complete sooner for it: which, by which event until now, and
    /// when.
    pub(crate) fn end(&mut self, index: u32, now: Time) -> Vec<(Ticket, Handle, Time)> {
        self.faults.retain(|(other, ..)| *other != index);
        let mut sooner = Vec::new();
        let mut before: Option<Time> = None;
        for Sync { ticket, pace, .. } in &mut self.syncs {
            if let Some(slowed) = &mut pace.slowed {
                slowed.by.retain(|(other, _)| *other != index);
            }
            if let Some(before) = before {
                pace.starts_at = before.max(pace.asked_at);
            }
            let ends = pace.ends();
            before = Some(ends);
            let at = ends.max(now);
            if let Some(event) = pace.slowed.as_ref().and_then(|slowed| slowed.event)
                && at < pace.ends_at
            {
                pace.ends_at = at;
                sooner.push((*ticket, event, at));
            }
        }
        self.busy_until = before.unwrap_or(self.busy_until);
        sooner
    }

    /// Whether a sync of this ticket is under way.
    pub(crate) fn is_syncing(&self, ticket: Ticket) -> bool {
        self.syncs.iter().any(|sync| sync.ticket == ticket)
    }

    fn has(&self, fault: &DiskFault) -> bool {
        self.faults.iter().any(|(.., other)| other == fault)
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        !self.faults.is_empty() && self.has(&DiskFault::Full)
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        self.has(&DiskFault::ReadError)
    }

    /// Flips a drawn bit of this byte, or of a drawn one, counted through all files; which one it was.
    pub(crate) fn flip_bit(
        &mut self,
        byte: Option<u64>,
        draws: &Draws,
        id: CausalId,
    ) -> Option<(u64, u64)> {
        let bytes = self.files.iter_mut().flat_map(|(_, file)| &mut file.now.written);
        let mut bytes: Vec<&mut u8> = bytes.collect();
        let drawn = draws.below(Purpose::DiskFault, id, 0, bytes.len() as u64);
        let (at, bit) = (byte.unwrap_or(drawn), draws.below(Purpose::DiskFault, id, 1, 8));
        **bytes.get_mut(usize::try_from(at).ok()?)? ^= 1 << bit;
        Some((at, bit))
    }

    /// A sync completes, whether or not the process that asked for it still lives.
    pub(crate) fn complete(&mut self, ticket: Ticket) {
        // A power loss forgets the syncs under way, and their completions come all the same.
        let Some(at) = self.syncs.iter().position(|sync| sync.ticket == ticket) else { return };
        let Sync { file, edition, covers, sequence, appended, .. } = self.syncs.remove(at);
        let lies = self.has(&DiskFault::LostWrite);
        let contents = contents_of(&mut self.files, file);
        contents.ledger.sync(sequence);
        contents.decided = contents.decided.max(appended);
        if !lies {
            contents.settle(edition, covers);
        }
    }

    /// How many records become durable when this sync completes, as far as the disk says: one that lies counts.
    pub(crate) fn records_of(&self, ticket: Ticket) -> u64 {
        let Some(sync) = self.syncs.iter().find(|sync| sync.ticket == ticket) else { return 0 };
        let of_file = self.files.iter().find(|(file, _)| *file == sync.file);
        let decided = of_file.map_or(0, |(_, contents)| contents.decided);
        sync.appended.saturating_sub(decided)
    }

    /// Whether anything on it would not surely survive a power loss.
    pub(crate) fn has_unsynced(&self) -> bool {
        let is_durable = |(_, file): &(File, Contents)| {
            file.before.is_empty() && file.now.synced == file.now.written.len()
        };
        !self.files.iter().all(is_durable)
    }

    /// What the numbered log in `file` ought to have, as its node starts from it.
    pub(crate) fn ledger(&mut self, file: File) -> &mut Ledger {
        &mut contents_of(&mut self.files, file).ledger
    }

    /// Whether any numbered log on it had records.
    pub(crate) fn had_records(&self) -> bool {
        self.files.iter().any(|(_, file)| file.ledger.written() > 0)
    }

    /// The machine dies: what was not durable is gone, but for what the draws of `id` leave.
    pub(crate) fn lose_power(&mut self, draws: &Draws, id: CausalId) {
        self.syncs.clear();
        self.busy_until = Time::ZERO;
        let torn = self.has(&DiskFault::TornWrite);
        for (index, (_, contents)) in (0..).zip(&mut self.files) {
            // Every edition since the last one that is durable may be the one that the platter has.
            let editions = contents.before.len() as u64 + 1;
            let chosen = draws.below(Purpose::PowerLoss, id, 2 * index, editions);
            let chosen = usize::try_from(chosen).expect("one of the editions");
            let number = contents.now.number;
            if chosen < contents.before.len() {
                contents.now = contents.before.swap_remove(chosen);
            }
            contents.before.clear();
            let Edition { written, synced, .. } = &mut contents.now;
            let unsynced = (written.len() - *synced) as u64;
            if torn {
                let draw = |i, below| {
                    let drawn = draws.below(Purpose::DiskFault, id, 2 * index + i, below);
                    usize::try_from(drawn).expect("at most what was written")
                };
                let start = *synced + draw(0, unsynced);
                let end = start + 1 + draw(1, SECTOR);
                let end = end.min(written.len());
                written[start.min(end)..end].fill(0);
            } else {
                let kept = draws.below(Purpose::PowerLoss, id, 2 * index + 1, unsynced + 1);
                written
                    .truncate(*synced + usize::try_from(kept).expect("at most what was written"));
            }
            // What is read back after a power loss is on the platter.
            *synced = written.len();
            contents.decided = contents.appended;
            contents.now.number = number + 1;
        }
    }

    /// Puts an empty disk in its place.
    pub(crate) fn wipe(&mut self) {
        *self = Self { origin: DiskOrigin::Replaced, ..Self::default() };
    }

    /// A node has started with it: the next start is one with a disk that the node had before.
    pub(crate) fn is_taken(&mut self) {
        self.origin = DiskOrigin::Kept;
    }

    /// What a restarted process reads.
    pub(crate) fn image(&self) -> DiskImage {
        let files = self.files.iter();
        DiskImage::new(
            self.origin,
            files.map(|(file, contents)| (*file, contents.now.written.clone())).collect(),
        )
    }
}

/// What is in a file; an empty one is made when it is first asked for.
#[inline]
fn contents_of(files: &mut Vec<(File, Contents)>, file: File) -> &mut Contents {
    let place = match files.iter().position(|(other, _)| *other >= file) {
        Some(place) if files[place].0 == file => place,
        place => {
            let place = place.unwrap_or(files.len());
            files.insert(place, (file, Contents::default()));
            place
        }
    };
    &mut files[place].1
}

impl Contents {
    /// Puts `written`, which has the first `shared` bytes of the content so far, in that one's place.
    fn edit(&mut self, written: Vec<u8>, shared: usize) {
        let synced = self.now.synced.min(shared);
        let edition = Edition { number: self.now.number + 1, written, synced, shared };
        self.before.push(std::mem::replace(&mut self.now, edition));
    }

    /// Makes the first `covers` bytes of the edition `number` durable: no earlier edition comes back, and what later
    /// ones share of these bytes is durable in them too.
    fn settle(&mut self, number: u64, covers: usize) {
        self.before.retain(|edition| edition.number >= number);
        let mut durable = covers;
        for edition in self.before.iter_mut().chain([&mut self.now]) {
            if edition.number > number {
                durable = durable.min(edition.shared);
            }
            edition.synced = edition.synced.max(durable);
        }
    }
}

pub(super) mod ledger;
#[cfg(test)]
mod twin;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Root;

    const FILE: File = File(1);

    const fn appends(bytes: &[u8]) -> DiskOperation {
        DiskOperation::Append { start: 0, end: bytes.len(), sequence: 0 }
    }

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
            assert!(done.is_none_or(|done| done.result == Ok(())));
            (ticket, done.map(|done| done.at))
        }

        fn has(&mut self, fault: DiskFault) {
            self.disk.begin(0, CausalId::root(Root::Fault, 0, 0), fault);
        }

        fn append(&mut self, bytes: &[u8]) {
            assert_eq!(self.perform(&appends(bytes), bytes).1, None);
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
        assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 1);
        bench.disk.complete(second);
        assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 2);
    }

    #[test]
    fn a_sync_is_told_of_the_records_that_it_makes_durable() {
        let mut bench = Bench::new();
        assert!(!bench.disk.has_unsynced());
        bench.append(b"a");
        bench.append(b"b");
        let (first, _) = bench.perform(&DiskOperation::Sync, b"");
        bench.append(b"c");
        let (second, _) = bench.perform(&DiskOperation::Sync, b"");
        let records = |bench: &Bench| [first, second].map(|sync| bench.disk.records_of(sync));
        assert_eq!(records(&bench), [2, 3]);
        bench.disk.complete(first);
        assert_eq!((records(&bench), bench.disk.has_unsynced()), ([0, 1], true));
        bench.disk.complete(second);
        assert_eq!((records(&bench), bench.disk.has_unsynced()), ([0, 0], false));
        // A power loss decides over what was not synced: the next sync makes only what is new durable.
        bench.append(b"d");
        let _ = bench.after_power_loss(1);
        assert!(!bench.disk.has_unsynced());
        bench.append(b"e");
        let (third, _) = bench.perform(&DiskOperation::Sync, b"");
        assert_eq!(bench.disk.records_of(third), 1);
        // What was cut off may come back until that is synced.
        bench.disk.complete(third);
        assert_eq!(bench.perform(&DiskOperation::TruncateSuffix { length: 1 }, b"").1, None);
        assert!(bench.disk.has_unsynced());
    }

    #[test]
    fn a_torn_write_is_a_hole_in_what_was_not_synced() {
        let mut seen = std::collections::BTreeSet::new();
        for event in 0..200 {
            let mut bench = Bench::new();
            bench.append(b"ab");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.disk.complete(ticket);
            bench.append(b"cde");
            bench.has(DiskFault::TornWrite);
            seen.insert(bench.after_power_loss(event));
        }
        // A hole of one byte is one draw of 512, so most reach the end.
        assert!(seen.contains(&b"ab\0\0\0"[..]) && seen.contains(&b"abc\0\0"[..]), "{seen:?}");
        assert!(seen.iter().all(|left| left.len() == 5 && left.starts_with(b"ab")), "{seen:?}");
    }

    #[test]
    fn a_sync_that_lied_is_made_good_by_an_honest_one() {
        let mut bench = Bench::new();
        bench.append(b"ab");
        bench.has(DiskFault::LostWrite);
        let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
        bench.disk.complete(ticket);
        assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 0);
        assert_eq!(bench.disk.end(0, Time::ZERO), []);
        let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
        bench.disk.complete(ticket);
        assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 2);
    }

    #[test]
    fn a_full_disk_takes_nothing_and_says_so_until_it_has_room() {
        let mut bench = Bench::new();
        bench.append(b"ab");
        bench.has(DiskFault::Full);
        let latency = Distribution::Constant(Span::from_millis(1));
        let (at, id) = (Time::ZERO, CausalId::root(Root::Run, 0, 0));
        for operation in [appends(b"x"), DiskOperation::Replace { start: 0, end: 1 }] {
            let named = (Ticket(7), FILE);
            let done =
                bench.disk.perform(named, &operation, b"x", (at, id), (&bench.draws, &latency));
            let full = Done { at, result: Err(DiskError::Full), is_slowed: false };
            assert_eq!(done, Some(full));
        }
        assert_eq!(bench.disk.image().bytes(FILE), b"ab");
        assert_eq!(bench.disk.end(0, Time::ZERO), []);
        bench.append(b"c");
        assert_eq!(bench.disk.image().bytes(FILE), b"abc");
    }

    #[test]
    fn a_slow_disk_takes_longer() {
        let mut bench = Bench::new();
        bench.has(DiskFault::Slow(Distribution::Constant(Span::from_millis(9))));
        let (_, done) = bench.perform(&DiskOperation::Sync, b"");
        assert_eq!(done, Some(Time::ZERO + Span::from_millis(10)));
    }

    #[test]
    fn one_bit_of_the_byte_named_flips() {
        let mut bench = Bench::new();
        bench.append(b"abc");
        let id = CausalId::root(Root::Fault, 0, 0);
        let (at, bit) = bench.disk.flip_bit(Some(1), &bench.draws, id).expect("it is there");
        let expected = [b'a', b'b' ^ 1 << bit, b'c'];
        assert_eq!((at, bench.disk.image().bytes(FILE)), (1, &expected[..]));
        assert_eq!(bench.disk.flip_bit(Some(3), &bench.draws, id), None);
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

    /// Records were synced and, before that completed, a conflicting suffix was cut: the power loss that followed
    /// used to bring back the file as it was durable when the cut was made, without what the sync had promised.
    #[test]
    fn what_a_sync_made_durable_survives_a_later_truncation_that_does_not() {
        let mut seen = std::collections::BTreeSet::new();
        for event in 0..60 {
            let mut bench = Bench::new();
            bench.append(b"abcdef");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.perform(&DiskOperation::TruncateSuffix { length: 2 }, b"");
            bench.append(b"XY");
            bench.disk.complete(ticket);
            seen.insert(bench.after_power_loss(event));
        }
        let outcomes = [&b"ab"[..], b"abX", b"abXY", b"abcdef"];
        assert!(seen.iter().map(Vec::as_slice).eq(outcomes), "{seen:?}");
    }

    /// A sync that covers one truncation used to settle nothing when another followed before it completed.
    #[test]
    fn a_sync_settles_the_truncations_before_it_whatever_follows() {
        let mut seen = std::collections::BTreeSet::new();
        for event in 0..60 {
            let mut bench = Bench::new();
            bench.append(b"abcdef");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.disk.complete(ticket);
            bench.perform(&DiskOperation::TruncateSuffix { length: 4 }, b"");
            let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
            bench.perform(&DiskOperation::TruncateSuffix { length: 1 }, b"");
            bench.disk.complete(ticket);
            seen.insert(bench.after_power_loss(event));
        }
        let outcomes = [&b"a"[..], b"abcd"];
        assert!(seen.iter().map(Vec::as_slice).eq(outcomes), "{seen:?}");
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

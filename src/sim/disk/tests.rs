//! What a process, a power loss and each fault of a disk leave of what was written.

use std::collections::BTreeSet;

use super::*;
use crate::rng::Root;
use crate::sampler::Distribution;

const FILE: File = File(1);

const fn appends(bytes: &[u8]) -> DiskOperation {
    DiskOperation::Append { start: 0, end: bytes.len(), sequence: 0 }
}

const MILLISECOND: Disk = Disk { sync: Distribution::Constant(Span::from_millis(1)), rate: None };

/// A call at the beginning of time, on a disk whose syncs take a millisecond.
fn call(ticket: Ticket, draws: &Draws) -> DiskCall<'_> {
    let (at, id) = (Time::ZERO, CausalId::root(Root::Run, 0, 0));
    DiskCall { ticket, file: FILE, at, id, draws, settings: &MILLISECOND }
}

/// A disk, and the calls of a protocol on it.
struct Bench {
    disk: NodeDisk,
    next: u64,
    draws: Draws,
}

impl Bench {
    fn new() -> Self {
        Self { disk: NodeDisk::default(), next: 0, draws: Draws::new(7) }
    }

    fn perform(&mut self, operation: &DiskOperation, bytes: &[u8]) -> (Ticket, Option<Time>) {
        let ticket = Ticket(self.next);
        self.next += 1;
        let done = self.disk.perform(&call(ticket, &self.draws), operation, bytes);
        assert!(done.is_none_or(|done| done.result == Ok(())));
        (ticket, done.map(|done| done.at))
    }

    fn has(&mut self, fault: DiskFault) {
        self.disk.begin(0, CausalId::root(Root::Fault, 0, 0), fault);
    }

    fn append(&mut self, bytes: &[u8]) {
        assert_eq!(self.perform(&appends(bytes), bytes).1, None);
    }

    fn sync(&mut self) {
        let (ticket, _) = self.perform(&DiskOperation::Sync, b"");
        self.disk.complete(ticket);
    }

    fn after_power_loss(&mut self, event: u64) -> Vec<u8> {
        self.disk.lose_power(&self.draws, CausalId::root(Root::Run, event, 0));
        self.disk.image().bytes(FILE).to_vec()
    }
}

/// What a power loss leaves of what `write` does to a new disk, in all that many runs.
fn left_by_power_losses(runs: u64, write: impl Fn(&mut Bench)) -> BTreeSet<Vec<u8>> {
    let after = |event| {
        let mut bench = Bench::new();
        write(&mut bench);
        bench.after_power_loss(event)
    };
    (0..runs).map(after).collect()
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

/// The files of a node share its disk: each sync waits for the one before it, and writes what is
/// new in its own file.
#[test]
fn a_sync_takes_longer_by_what_it_has_to_write() {
    let (mut disk, draws) = (NodeDisk::default(), Draws::new(7));
    let settings = Disk { rate: Some(1_000), ..MILLISECOND };
    let mut done_at = |ticket, file, operation: &DiskOperation, bytes: &[u8]| {
        let call = DiskCall { file, settings: &settings, ..call(Ticket(ticket), &draws) };
        let done = disk.perform(&call, operation, bytes);
        done.map_or(0, |done| done.at.nanos() / 1_000_000)
    };
    let other = File(2);
    let replace = DiskOperation::Replace { start: 0, end: 20 };
    done_at(0, FILE, &appends(b"abcdef"), b"abcdef");
    assert_eq!(done_at(1, FILE, &DiskOperation::Sync, b""), 1 + 6);
    assert_eq!(done_at(2, FILE, &DiskOperation::Sync, b""), 7 + 1);
    done_at(3, FILE, &appends(b"gh"), b"gh");
    assert_eq!(done_at(4, other, &DiskOperation::Sync, b""), 8 + 1);
    assert_eq!(done_at(5, other, &replace, &[0; 20]), 9 + 21);
    // Half of what is new is cut off before it is written.
    done_at(6, FILE, &DiskOperation::TruncateSuffix { length: 7 }, b"");
    assert_eq!(done_at(7, FILE, &DiskOperation::Sync, b""), 30 + 2);
}

#[test]
fn a_disk_that_writes_for_ever_is_never_done() {
    assert_eq!(plus_writing(Span::from_millis(1), usize::MAX, 1), Span::MAX);
    assert_eq!(plus_writing(Span::from_millis(1), 2, 3).nanos(), 1_000_000 + 666_666_666);
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
    let seen = left_by_power_losses(200, |bench| {
        bench.append(b"ab");
        bench.sync();
        bench.append(b"cde");
        bench.has(DiskFault::TornWrite);
    });
    // A hole of one byte is one draw of 512, so most reach the end.
    assert!(seen.contains(&b"ab\0\0\0"[..]) && seen.contains(&b"abc\0\0"[..]), "{seen:?}");
    assert!(seen.iter().all(|left| left.len() == 5 && left.starts_with(b"ab")), "{seen:?}");
}

#[test]
fn a_sync_that_lied_is_made_good_by_an_honest_one() {
    let mut bench = Bench::new();
    bench.append(b"ab");
    bench.has(DiskFault::LostWrite);
    bench.sync();
    assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 0);
    assert_eq!(bench.disk.end(0, Time::ZERO), []);
    bench.sync();
    assert_eq!(contents_of(&mut bench.disk.files, FILE).now.synced, 2);
}

#[test]
fn a_full_disk_takes_nothing_and_says_so_until_it_has_room() {
    let mut bench = Bench::new();
    bench.append(b"ab");
    bench.has(DiskFault::Full);
    let at = Time::ZERO;
    for operation in [appends(b"x"), DiskOperation::Replace { start: 0, end: 1 }] {
        let done = bench.disk.perform(&call(Ticket(7), &bench.draws), &operation, b"x");
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
        bench.sync();
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

/// Records were synced and, before that completed, a conflicting suffix was cut: the power loss
/// that followed used to bring back the file as it was durable when the cut was made, without what
/// the sync had promised.
#[test]
fn what_a_sync_made_durable_survives_a_later_truncation_that_does_not() {
    let seen = left_by_power_losses(60, |bench| {
        bench.append(b"abcdef");
        let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
        bench.perform(&DiskOperation::TruncateSuffix { length: 2 }, b"");
        bench.append(b"XY");
        bench.disk.complete(ticket);
    });
    let outcomes = [&b"ab"[..], b"abX", b"abXY", b"abcdef"];
    assert!(seen.iter().map(Vec::as_slice).eq(outcomes), "{seen:?}");
}

/// A sync that covers one truncation used to settle nothing when another followed before it
/// completed.
#[test]
fn a_sync_settles_the_truncations_before_it_whatever_follows() {
    let seen = left_by_power_losses(60, |bench| {
        bench.append(b"abcdef");
        bench.sync();
        bench.perform(&DiskOperation::TruncateSuffix { length: 4 }, b"");
        let (ticket, _) = bench.perform(&DiskOperation::Sync, b"");
        bench.perform(&DiskOperation::TruncateSuffix { length: 1 }, b"");
        bench.disk.complete(ticket);
    });
    let outcomes = [&b"a"[..], b"abcd"];
    assert!(seen.iter().map(Vec::as_slice).eq(outcomes), "{seen:?}");
}

#[test]
fn a_truncation_that_is_not_durable_may_come_back() {
    let seen = left_by_power_losses(50, |bench| {
        bench.append(b"abcdef");
        bench.sync();
        bench.perform(&DiskOperation::TruncateSuffix { length: 2 }, b"");
        assert_eq!(bench.disk.image().bytes(FILE), b"ab");
    });
    let outcomes = [&b"ab"[..], b"abcdef"];
    assert!(seen.iter().map(Vec::as_slice).eq(outcomes), "{seen:?}");
}

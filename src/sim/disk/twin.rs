//! The disk against a dumb twin, which remembers every operation, lists all states that a power
//! loss may leave, and marks every byte that a sync has begun to write.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rng::Root;
use crate::sampler::Distribution;

const FILE: File = File(1);
const LATENCY: Span = Span::from_millis(1);
/// Bytes a second; no whole number of nanoseconds a byte.
const RATE: u64 = 300_000_000;

/// A change to the file.
#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Truncate(usize),
    Replace(Vec<u8>),
}

/// Something that happens to the disk.
#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    Sync,
    /// The oldest sync under way completes.
    Complete,
    PowerLoss,
}

#[derive(Debug, Default)]
struct Twin {
    changes: Vec<Change>,
    /// How many of them are durable.
    durable: usize,
    /// Syncs under way, and how many changes each covers.
    syncs: Vec<(Ticket, usize)>,
    /// Of every byte of the file, whether a sync has begun to write it.
    begun: Vec<bool>,
    /// When the last sync completes.
    busy_until: Time,
}

impl Twin {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Append(bytes) => self.begun.extend(bytes.iter().map(|_| false)),
            Change::Truncate(length) => self.begun.truncate(*length),
            Change::Replace(bytes) => self.begun = vec![false; bytes.len()],
        }
        self.changes.push(change);
    }

    /// A sync is asked for, at the beginning of time; when it completes.
    fn sync(&mut self, ticket: Ticket) -> Time {
        self.syncs.push((ticket, self.changes.len()));
        let bytes = self.begun.iter().filter(|begun| !**begun).count() as u64;
        self.begun.fill(true);
        self.busy_until += LATENCY + Span::from_nanos(bytes * 1_000_000_000 / RATE);
        self.busy_until
    }

    fn lose_power(&mut self, left: Vec<u8>) {
        self.begun = vec![true; left.len()];
        (self.changes, self.durable) = (vec![Change::Replace(left)], 1);
        self.busy_until = Time::ZERO;
    }

    /// The file after so many changes.
    fn content(&self, changes: usize) -> Vec<u8> {
        let mut content = Vec::new();
        for change in &self.changes[..changes] {
            match change {
                Change::Append(bytes) => content.extend(bytes),
                Change::Truncate(length) => content.truncate(*length),
                Change::Replace(bytes) => content.clone_from(bytes),
            }
        }
        content
    }

    /// Every state that a power loss may leave: the changes since the last durable one, up to any
    /// of the truncations and replacements among them, and a prefix of the bytes appended after
    /// that.
    fn survivors(&self) -> BTreeSet<Vec<u8>> {
        let mut states = BTreeSet::new();
        let mut kept = self.content(self.durable).len();
        for until in self.durable..=self.changes.len() {
            let edit = self.changes.get(until).filter(|change| match change {
                Change::Append(_) => false,
                Change::Truncate(length) => *length < self.content(until).len(),
                Change::Replace(_) => true,
            });
            if edit.is_none() && until < self.changes.len() {
                continue;
            }
            let content = self.content(until);
            states.extend((kept..=content.len()).map(|length| content[..length].to_vec()));
            kept = match edit {
                Some(Change::Truncate(length)) => kept.min(*length),
                Some(Change::Replace(bytes)) => bytes.len(),
                Some(Change::Append(_)) | None => kept,
            };
        }
        states
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..6);
    let step = prop_oneof![
        4 => bytes().prop_map(|bytes| Step::Change(Change::Append(bytes))),
        2 => (0..12_usize).prop_map(|length| Step::Change(Change::Truncate(length))),
        1 => bytes().prop_map(|bytes| Step::Change(Change::Replace(bytes))),
        3 => Just(Step::Sync),
        3 => Just(Step::Complete),
        1 => Just(Step::PowerLoss),
    ];
    proptest::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_does_what_its_twin_does(steps in steps(), seed in any::<u64>()) {
        let (mut disk, mut twin) = (NodeDisk::default(), Twin::default());
        let draws = Draws::new(seed);
        let settings = Disk { sync: Distribution::Constant(LATENCY), rate: Some(RATE) };
        for (number, step) in (0..).zip(steps) {
            let (ticket, id) = (Ticket(number), CausalId::root(Root::Run, number, 0));
            let mut perform = |operation: DiskOperation, bytes: &[u8]| {
                let (at, draws, settings) = (Time::ZERO, &draws, &settings);
                let call = DiskCall { ticket, file: FILE, at, id, draws, settings };
                disk.perform(&call, &operation, bytes).map(|done| done.at)
            };
            match step {
                Step::Change(change) => {
                    let done = match &change {
                        Change::Append(bytes) => {
                            let end = bytes.len();
                            perform(DiskOperation::Append { start: 0, end, sequence: 0 }, bytes)
                        }
                        Change::Truncate(length) => {
                            let length = *length as u64;
                            perform(DiskOperation::TruncateSuffix { length }, &[])
                        }
                        Change::Replace(bytes) => {
                            perform(DiskOperation::Replace { start: 0, end: bytes.len() }, bytes)
                        }
                    };
                    let replaces = matches!(change, Change::Replace(_));
                    twin.change(change);
                    prop_assert_eq!(done, replaces.then(|| twin.sync(ticket)));
                }
                Step::Sync => {
                    prop_assert_eq!(perform(DiskOperation::Sync, &[]), Some(twin.sync(ticket)));
                }
                Step::Complete if twin.syncs.is_empty() => {}
                Step::Complete => {
                    let (ticket, covers) = twin.syncs.remove(0);
                    disk.complete(ticket);
                    twin.durable = twin.durable.max(covers);
                }
                Step::PowerLoss => {
                    disk.lose_power(&draws, id);
                    let left = disk.image().bytes(FILE).to_vec();
                    let survivors = twin.survivors();
                    prop_assert!(survivors.contains(&left), "{left:?} is none of {survivors:?}");
                    for (ticket, _) in twin.syncs.drain(..) {
                        // The completion of a sync that the power loss cut short changes nothing.
                        disk.complete(ticket);
                    }
                    twin.lose_power(left);
                }
            }
            // What a process reads, whether it lives or has just started again.
            let image = disk.image();
            prop_assert_eq!(image.bytes(FILE), &twin.content(twin.changes.len())[..]);
        }
    }
}

//! The disk against a dumb twin, which remembers every operation and lists all states that a power
//! loss may leave.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rng::Root;

const FILE: File = File(1);

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
}

impl Twin {
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
        let latency = Distribution::Constant(Span::from_millis(1));
        for (number, step) in (0..).zip(steps) {
            let (ticket, id) = (Ticket(number), CausalId::root(Root::Run, number, 0));
            let mut perform = |operation: DiskOperation, bytes: &[u8]| {
                let (at, draws, latency) = (Time::ZERO, &draws, &latency);
                let call = DiskCall { ticket, file: FILE, at, id, draws, latency };
                disk.perform(&call, &operation, bytes)
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
                    twin.changes.push(change);
                    if done.is_some() {
                        twin.syncs.push((ticket, twin.changes.len()));
                    }
                }
                Step::Sync => {
                    prop_assert!(perform(DiskOperation::Sync, &[]).is_some());
                    twin.syncs.push((ticket, twin.changes.len()));
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
                    (twin.changes, twin.durable) = (vec![Change::Replace(left)], 1);
                }
            }
            // What a process reads, whether it lives or has just started again.
            let image = disk.image();
            prop_assert_eq!(image.bytes(FILE), &twin.content(twin.changes.len())[..]);
        }
    }
}

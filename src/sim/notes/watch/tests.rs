//! What is taken for a write that is followed, and what is not.

use super::*;
use crate::protocol::{Over, RequestId};

const KEY: KeyId = KeyId(0);
const OTHER: KeyId = KeyId(1);
const N1: NodeId = NodeId(0);
const N2: NodeId = NodeId(1);
const VERSION: Version = Version { timestamp: 7, node: N1, sequence: 1 };

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn target(op: u32, invoked: u64, effect: WatchedEffect) -> WatchedWrite {
    let op = Some((OpId(op), at(invoked)));
    WatchedWrite { op, key: KEY, versions: vec![VERSION], effect, reads: Vec::new() }
}

/// The text of an operation, as that operation writes it.
fn text(op: u32) -> Value {
    Value::text(op as usize).written_by(OpId(op))
}

fn stored(value: Option<Value>) -> Stored {
    Stored { value, version: VERSION }
}

fn accept(op: u32) -> Observation {
    let request = RequestId::new(OpId(op), 0);
    Observation::Accept { request, key: KEY, version: VERSION, over: Over::Unsaid }
}

fn apply(value: Option<Value>) -> Observation {
    Observation::Apply { key: KEY, stored: stored(value) }
}

fn dropped(value: Option<Value>) -> Observation {
    let reason = DiscardReason::SameVersion;
    Observation::Discard { key: KEY, stored: stored(value), reason }
}

/// When something was seen of each of the followed writes, and where.
fn seen(
    targets: Vec<WatchedWrite>,
    said: &[(u64, NodeId, Observation)],
) -> Vec<Vec<(u64, NodeId)>> {
    let mut by_write = vec![Vec::new(); targets.len()];
    let mut watch = Watch::of(targets).expect("there is something to follow");
    for (when, node, observation) in said {
        watch.observed(at(*when), *node, *observation);
    }
    for WriteEvent { at, node, write, .. } in watch.into_write_events() {
        by_write[write as usize].push((at.nanos(), node));
    }
    by_write
}

#[test]
fn two_writes_of_one_version_are_told_apart_by_who_wrote_them() {
    let puts = [0, 1].map(|op| target(op, 5 * u64::from(op), WatchedEffect::Put(text(op))));
    let (first, second) = (Some(text(0)), Some(text(1)));
    let seen = seen(
        puts.to_vec(),
        &[
            (1, N1, accept(0)),
            (1, N1, apply(first)),
            (2, N2, apply(first)),
            (6, N1, accept(1)),
            (6, N1, apply(second)),
            (7, N2, dropped(second)),
            (8, N2, apply(first)),
        ],
    );
    let told = |of: &[(u64, NodeId)]| of.to_vec();
    // At 6 the second takes the place of the first on n1.
    assert_eq!(seen[0], told(&[(1, N1), (1, N1), (2, N2), (6, N1), (8, N2)]));
    assert_eq!(seen[1], told(&[(6, N1), (6, N1), (7, N2)]));
}

#[test]
fn two_operations_that_write_one_text_as_one_version_are_told_apart_too() {
    let same = |op| Value::text(3).written_by(OpId(op));
    let puts = [0, 1].map(|op| target(op, 5 * u64::from(op), WatchedEffect::Put(same(op))));
    let said = [(1, N1, accept(0)), (2, N2, apply(Some(same(0)))), (6, N1, accept(1))];
    assert_eq!(seen(puts.to_vec(), &said), [vec![(1, N1), (2, N2)], vec![(6, N1)]]);
}

#[test]
fn what_a_disk_gave_back_is_told_by_its_text_and_never_before_it_was_asked_for() {
    let read_back = |text: usize| apply(Some(Value::text(text)));
    let put = || vec![target(1, 5, WatchedEffect::Put(text(1)))];
    assert_eq!(seen(put(), &[(6, N1, accept(1)), (7, N2, read_back(1))])[0], [(6, N1), (7, N2)]);
    // Another text of this version, and the text before its operation was there.
    assert_eq!(seen(put(), &[(6, N1, accept(1)), (7, N2, read_back(0))])[0], [(6, N1)]);
    assert_eq!(seen(put(), &[(4, N2, read_back(1)), (6, N1, accept(1))])[0], [(6, N1)]);
}

#[test]
fn a_removal_and_a_bare_version_mean_the_write_that_was_accepted_last() {
    let removals = [0, 1].map(|op| target(op, 5 * u64::from(op), WatchedEffect::Remove));
    let said = [
        (1, N1, accept(0)),
        (2, N2, apply(None)),
        (6, N1, accept(1)),
        (7, N2, apply(None)),
        (8, N2, apply(Some(text(9)))),
    ];
    let seen = seen(removals.to_vec(), &said);
    // At 7 and 8 what n2 had is no longer what it shows.
    assert_eq!(seen[0], [(1, N1), (2, N2), (7, N2), (8, N2)]);
    assert_eq!(seen[1], [(6, N1), (7, N2), (8, N2)]);

    let mut watch = Watch::of(removals.to_vec()).expect("there is something to follow");
    assert_eq!(watch.write_of_version(at(2), VERSION), Some(0));
    watch.observed(at(1), N1, accept(0));
    assert_eq!(watch.write_of_version(at(9), VERSION), Some(0));
    watch.observed(at(9), N1, accept(1));
    assert_eq!(watch.write_of_version(at(9), VERSION), Some(1));
    watch.observed(at(10), N1, accept(2));
    assert_eq!(watch.write_of_version(at(10), VERSION), None, "of a write that is not followed");
}

#[test]
fn a_write_is_on_its_key_alone() {
    let put = vec![target(0, 0, WatchedEffect::Put(text(0)))];
    let on_another = Observation::Apply { key: OTHER, stored: stored(Some(text(0))) };
    assert_eq!(seen(put, &[(1, N1, on_another)])[0], []);
}

#[test]
fn a_node_shows_a_write_only_if_it_is_that_write_or_a_later_one() {
    let put = target(0, 0, WatchedEffect::Put(text(0)));
    let (held, down, purged) = (NodeSet::EMPTY, NodeSet::EMPTY, NodeSet::EMPTY);
    let followed = WriteTrack { target: put, held, down, purged };
    let shows = |data: Option<Stored>| {
        let mut snapshot = NodeSnapshot::new(N1, crate::protocol::Role::Follower);
        snapshot.data.extend(data.map(|stored| (KEY, stored)));
        followed.is_in(&snapshot)
    };
    let later = Stored { value: None, version: Version { timestamp: 8, ..VERSION } };
    assert!(shows(Some(stored(Some(text(0))))) && shows(Some(later)));
    assert!(shows(Some(stored(Some(Value::text(0))))), "read back from its disk");
    assert!(!shows(Some(stored(Some(text(1))))) && !shows(None), "another of its version");
}

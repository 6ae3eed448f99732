//! The classifier on lives written by hand.

use super::*;
use crate::id::{KeyId, OpId, Term, Value, Version};
use crate::protocol::{Over, RequestId, Role, Stored};
use crate::sim::WatchedEffect;

const KEY: KeyId = KeyId(0);
const N1: NodeId = NodeId(0);
const N2: NodeId = NodeId(1);
const N3: NodeId = NodeId(2);

fn version(timestamp: i64) -> Version {
    Version { timestamp, node: N1, sequence: 0 }
}

fn stored(timestamp: i64) -> Stored {
    Stored { value: Some(Value::text(0)), version: version(timestamp) }
}

/// The write of version 10, on three nodes.
#[derive(Default)]
struct WriteStory {
    write_events: Vec<WriteEvent>,
    removes: bool,
    /// What live nodes hold at the end: a version.
    held: BTreeMap<NodeId, i64>,
    /// What they hold there, if it is not what the write wrote.
    value: Option<Value>,
    down: Vec<NodeId>,
    leaderships: Vec<Leadership>,
}

impl WriteStory {
    fn accepted() -> Self {
        Self::accepted_by(N1)
    }

    fn accepted_by(node: NodeId) -> Self {
        let mut life = Self::default();
        let request = RequestId::new(OpId(0), 0);
        life.see(
            0,
            node,
            WriteEventKind::Observed(Observation::Accept {
                request,
                key: KEY,
                version: version(10),
                over: Over::Unsaid,
            }),
        );
        life.applied(0, node)
    }

    fn see(&mut self, at: u64, node: NodeId, what: WriteEventKind) {
        let at = Time::from_nanos(at);
        self.write_events.push(WriteEvent { at, node, write: 0, from: None, what });
    }

    fn then(mut self, at: u64, node: NodeId, what: WriteEventKind) -> Self {
        self.see(at, node, what);
        self
    }

    fn applied(self, at: u64, node: NodeId) -> Self {
        let apply = Observation::Apply { key: KEY, stored: stored(10) };
        self.then(at, node, WriteEventKind::Observed(apply))
    }

    fn dropped(self, at: u64, node: NodeId, reason: DiscardReason) -> Self {
        let dropped = Observation::Discard { key: KEY, stored: stored(10), reason };
        self.then(at, node, WriteEventKind::Observed(dropped))
    }

    /// The process dies; what was logged stays.
    fn crashed(self, at: u64, node: NodeId, logged: bool) -> Self {
        let crash = Crash { power: false, tail: false, logged, cut: false };
        self.then(at, node, WriteEventKind::Crashed(crash))
    }

    fn lost_power(self, at: u64, node: NodeId, tail: bool) -> Self {
        let crash = Crash { power: true, tail, logged: true, cut: false };
        self.then(at, node, WriteEventKind::Crashed(crash))
    }

    fn started(self, at: u64, node: NodeId, has_it: bool) -> Self {
        self.then(at, node, WriteEventKind::Started { has_it, up: true })
    }

    /// Drops it at the message of another.
    fn told_to_drop(mut self, at: u64, node: NodeId, by: NodeId, reason: DiscardReason) -> Self {
        self = self.dropped(at, node, reason);
        self.write_events.last_mut().unwrap().from = Some(by);
        self
    }

    fn led(mut self, node: NodeId, from: u64, until: u64) -> Self {
        let [from, until] = [from, until].map(Time::from_nanos);
        self.leaderships.push(Leadership { term: Term(1), node, from, until: Some(until) });
        self
    }

    fn holds(mut self, node: NodeId, timestamp: i64) -> Self {
        self.held.insert(node, timestamp);
        self
    }

    fn down(mut self, node: NodeId) -> Self {
        self.down.push(node);
        self
    }

    fn target(&self) -> WatchedWrite {
        let effect = match self.removes {
            true => WatchedEffect::Remove,
            false => WatchedEffect::Put(Value::text(0)),
        };
        let op = Some((OpId(0), Time::ZERO));
        WatchedWrite { op, key: KEY, versions: vec![version(10)], effect, reads: Vec::new() }
    }

    fn cause(&self) -> LossCause {
        let snapshot = |node: NodeId| {
            let mut snapshot = NodeSnapshot::new(node, Role::Follower);
            snapshot.up = !self.down.contains(&node);
            if let Some(timestamp) = self.held.get(&node) {
                let value = self.value.or(stored(*timestamp).value);
                snapshot.data.insert(KEY, Stored { value, version: version(*timestamp) });
            }
            snapshot
        };
        let finals: Vec<NodeSnapshot> = NodeId::all(3).map(snapshot).collect();
        let target = self.target();
        let subject =
            WriteContext { write: &target, finals: &finals, leaderships: &self.leaderships };
        classify(&self.write_events, subject)
    }

    #[track_caller]
    fn was_lost(&self, mechanism: Mechanism, node: NodeId, at: u64) {
        let decisive = Some((node, Time::from_nanos(at)));
        assert_eq!(self.cause(), LossCause { mechanism, decisive });
    }
}

#[test]
fn what_nobody_else_had_was_never_shipped() {
    WriteStory::accepted().crashed(5, N1, false).started(9, N1, false).was_lost(
        Mechanism::NeverShipped,
        N1,
        5,
    );
    // Its log may have it, and never comes back.
    WriteStory::accepted().crashed(5, N1, true).down(N1).was_lost(Mechanism::NeverShipped, N1, 5);
}

#[test]
fn what_died_with_its_leader_was_never_shipped_even_if_it_comes_back() {
    let life = |led_from, led_until| {
        WriteStory::accepted()
            .crashed(5, N1, true)
            .led(N2, led_from, led_until)
            .started(9, N1, true)
            .dropped(11, N1, DiscardReason::Truncated)
    };
    life(7, 20).was_lost(Mechanism::NeverShipped, N1, 5);
    // Led before it, and after it.
    life(2, 4).was_lost(Mechanism::Truncated, N1, 11);
    life(10, 20).was_lost(Mechanism::Truncated, N1, 11);
    // It was shipped in time.
    let life = life(7, 20).applied(8, N2).dropped(10, N2, DiscardReason::Older);
    life.was_lost(Mechanism::Truncated, N1, 11);
}

#[test]
fn what_the_leader_lost_from_its_disk_is_not_put_down_to_those_who_follow_it() {
    let life = |by, tail| {
        WriteStory::accepted()
            .applied(2, N2)
            .lost_power(4, N2, tail)
            .started(5, N2, false)
            .told_to_drop(8, N1, by, DiscardReason::Replaced)
    };
    life(N2, true).was_lost(Mechanism::UnsyncedTailLost, N2, 4);
    life(N2, false).was_lost(Mechanism::LogDamage, N2, 4);
    // The third never had it, and needed the vote of one who had.
    life(N3, true).was_lost(Mechanism::UnsyncedTailLost, N2, 4);
    // Without a log nothing was promised.
    WriteStory::accepted()
        .applied(2, N2)
        .crashed(4, N2, false)
        .started(5, N2, false)
        .told_to_drop(8, N1, N2, DiscardReason::Replaced)
        .was_lost(Mechanism::FullStateOverwrite, N1, 8);
}

#[test]
fn a_write_goes_with_the_later_one_that_had_replaced_it() {
    WriteStory::accepted()
        .applied(2, N2)
        .then(3, N1, WriteEventKind::Superseded { by: stored(20) })
        .crashed(4, N1, false)
        .then(5, N2, WriteEventKind::Superseded { by: stored(20) })
        .then(6, N2, WriteEventKind::Superseded { by: stored(1) })
        .then(6, N2, WriteEventKind::Uncovered { reason: DiscardReason::Replaced })
        .was_lost(Mechanism::FullStateOverwrite, N2, 6);
}

#[test]
fn a_log_that_was_cut_too_early_is_no_mere_memory() {
    let crash = Crash { power: false, tail: false, logged: false, cut: true };
    WriteStory::accepted()
        .then(5, N1, WriteEventKind::Crashed(crash))
        .started(6, N1, false)
        .was_lost(Mechanism::LogCut, N1, 5);
}

#[test]
fn copies_without_a_log_are_lost_with_the_last_memory() {
    let life = WriteStory::accepted().applied(2, N2).crashed(5, N1, false).crashed(7, N2, false);
    life.was_lost(Mechanism::MemoryLost, N2, 7);
}

#[test]
fn a_tail_counts_as_lost_only_where_the_write_was_in_it() {
    let alone = |tail| WriteStory::accepted().lost_power(5, N1, tail).started(9, N1, false);
    alone(true).was_lost(Mechanism::UnsyncedTailLost, N1, 5);
    alone(false).was_lost(Mechanism::LogDamage, N1, 5);
    // The process died first, and then the machine.
    WriteStory::accepted()
        .crashed(5, N1, true)
        .then(6, N1, WriteEventKind::PowerCut { tail: true })
        .started(9, N1, false)
        .was_lost(Mechanism::UnsyncedTailLost, N1, 5);
}

#[test]
fn of_ends_at_one_instant_the_accepting_nodes_counts() {
    for (acceptor, other) in [(N1, N2), (N2, N1)] {
        WriteStory::accepted_by(acceptor)
            .applied(2, other)
            .lost_power(5, acceptor, true)
            .lost_power(5, other, false)
            .started(9, acceptor, false)
            .started(9, other, false)
            .was_lost(Mechanism::UnsyncedTailLost, acceptor, 5);
    }
}

#[test]
fn a_restart_with_the_write_undoes_the_crash() {
    WriteStory::accepted()
        .crashed(5, N1, true)
        .started(6, N1, true)
        .dropped(8, N1, DiscardReason::Truncated)
        .was_lost(Mechanism::Truncated, N1, 8);
}

#[test]
fn a_replaced_disk_is_named_over_the_crash_before_it() {
    WriteStory::accepted()
        .crashed(5, N1, true)
        .then(7, N1, WriteEventKind::DiskReplaced)
        .started(7, N1, false)
        .was_lost(Mechanism::DiskReplaced, N1, 5);
}

/// A store without a log was said to have lost its writes with a disk that never had them.
#[test]
fn a_replaced_disk_is_no_reason_where_nothing_was_on_it() {
    let replaced = WriteEventKind::DiskReplaced;
    let life = WriteStory::accepted().applied(3, N2).crashed(5, N1, false).crashed(9, N2, false);
    let life = life.then(10, N2, replaced).started(12, N2, false).started(12, N1, false);
    life.was_lost(Mechanism::MemoryLost, N2, 9);
}

/// A node that was deposed, crashed and came back with its write before it heard of the next
/// leader: the crash had nothing to do with it.
#[test]
fn a_crash_after_another_leads_is_not_how_a_write_was_lost() {
    let life = WriteStory::accepted().led(N2, 4, 30).crashed(9, N1, true).started(10, N1, true);
    let life = life.told_to_drop(14, N1, N2, DiscardReason::Replaced);
    life.was_lost(Mechanism::FullStateOverwrite, N1, 14);
}

#[test]
fn a_drop_is_named_by_its_reason() {
    let rows = [
        (DiscardReason::Older, Mechanism::OlderTimestamp),
        (DiscardReason::Cleared, Mechanism::Cleared),
        (DiscardReason::Replaced, Mechanism::FullStateOverwrite),
        (DiscardReason::Overwritten, Mechanism::OverwrittenByOlder),
        (DiscardReason::Truncated, Mechanism::Truncated),
    ];
    for (reason, mechanism) in rows {
        WriteStory::accepted()
            .applied(2, N2)
            .crashed(3, N1, false)
            .dropped(6, N2, reason)
            .was_lost(mechanism, N2, 6);
    }
}

/// A node that had cut a write off its log crashed later, and its disk was blamed for what it had
/// rightly dropped.
#[test]
fn a_crash_takes_nothing_that_was_dropped_before() {
    let life = WriteStory::accepted().dropped(5, N1, DiscardReason::Truncated);
    let life = life.crashed(9, N1, true).started(12, N1, false).led(N2, 4, 20);
    life.was_lost(Mechanism::Truncated, N1, 5);
}

#[test]
fn a_drop_on_arrival_decides_where_only_the_acceptor_ever_had_it() {
    let life = WriteStory::accepted().dropped(2, N2, DiscardReason::Older).crashed(5, N1, false);
    life.was_lost(Mechanism::OlderTimestamp, N2, 2);
    // A third node took it: then its end is what counts.
    let life = WriteStory::accepted()
        .dropped(2, N2, DiscardReason::Older)
        .applied(3, N3)
        .crashed(5, N1, false)
        .crashed(6, N3, false);
    life.was_lost(Mechanism::MemoryLost, N3, 6);
}

#[test]
fn a_live_copy_is_beaten_by_a_higher_version_alone() {
    let life =
        WriteStory::accepted().dropped(2, N2, DiscardReason::Older).holds(N1, 10).holds(N2, 99);
    life.was_lost(Mechanism::OlderTimestamp, N2, 2);
    let unexplained = WriteStory::accepted().holds(N1, 10).cause();
    assert_eq!(unexplained.mechanism, Mechanism::Unexplained);
}

#[test]
fn an_older_write_in_its_place_is_told_from_a_newer_one() {
    let superseded = |by| {
        let by = WriteEventKind::Superseded { by: stored(by) };
        WriteStory::accepted().then(4, N1, by).crashed(8, N1, false)
    };
    superseded(99).was_lost(Mechanism::NeverShipped, N1, 8);
    let mut replaced = WriteStory::accepted()
        .then(4, N1, WriteEventKind::Superseded { by: stored(1) })
        .holds(N1, 1);
    replaced.was_lost(Mechanism::OverwrittenByOlder, N1, 4);
    replaced.removes = true;
    replaced.was_lost(Mechanism::Resurrected, N1, 4);
}

#[test]
fn a_write_that_others_take_for_another_of_its_version_is_lost_by_that() {
    let mistaken = WriteStory::accepted().dropped(3, N2, DiscardReason::SameVersion);
    mistaken.crashed(6, N1, false).down(N1).was_lost(Mechanism::VersionReused, N2, 3);
    // The node that has it is up, and yet what is shown is the other.
    let mut shown = WriteStory::accepted().dropped(3, N2, DiscardReason::SameVersion).holds(N1, 10);
    shown.value = Some(Value::text(1));
    shown.was_lost(Mechanism::VersionReused, N1, 3);
    let replaced = WriteEventKind::Superseded { by: stored(10) };
    let replaced = WriteStory::accepted().then(4, N1, replaced);
    replaced.was_lost(Mechanism::VersionReused, N1, 4);
}

#[test]
fn a_copy_on_a_node_that_stays_down_was_left_behind() {
    let life = WriteStory::accepted()
        .applied(2, N2)
        .crashed(3, N1, false)
        .started(4, N1, false)
        .crashed(6, N2, true)
        .then(7, N2, WriteEventKind::Started { has_it: false, up: false })
        .down(N2);
    life.was_lost(Mechanism::LeftBehind, N2, 6);
}

#[test]
fn silence_is_unexplained() {
    let cause = WriteStory::default().cause();
    assert_eq!(cause, LossCause { mechanism: Mechanism::Unexplained, decisive: None });
}

/// How `node` came to lack the write of a life.
fn lacked(life: &WriteStory, node: NodeId) -> Option<Mechanism> {
    let target = life.target();
    let subject = WriteContext { write: &target, finals: &[], leaderships: &[] };
    lacking(&life.write_events, subject, node)
}

#[test]
fn a_replica_lacks_what_never_arrived_what_it_refused_and_what_it_forgot() {
    let brought = WriteEventKind::Delivered { from: N1, relation: Relation::Carries };
    let confirmed = WriteEventKind::Delivered { from: N1, relation: Relation::Acknowledges };
    let life = WriteStory::accepted()
        .then(2, N2, confirmed)
        .then(3, N3, brought)
        .applied(3, N3)
        .crashed(6, N3, false)
        .started(7, N3, false);
    assert_eq!(lacked(&life, N1), None, "it has the write");
    assert_eq!(lacked(&life, N2), Some(Mechanism::NeverArrived));
    assert_eq!(lacked(&life, N3), Some(Mechanism::MemoryLost));

    let refusing = WriteStory::accepted().then(3, N2, brought).dropped(3, N2, DiscardReason::Older);
    assert_eq!(lacked(&refusing, N2), Some(Mechanism::OlderTimestamp));
    let silent = WriteStory::accepted().then(3, N2, brought);
    assert_eq!(lacked(&silent, N2), None, "it got the write, and says no more");
}

#[test]
fn what_came_back_after_a_purge_came_back_because_of_it() {
    let mut purged = WriteStory::accepted().applied(2, N2).dropped(9, N2, DiscardReason::Purged);
    purged.removes = true;
    assert_eq!(came_back(&purged.write_events, Mechanism::Resurrected), Mechanism::TombstonePurged);
    let erased = WriteStory::accepted();
    assert_eq!(came_back(&erased.write_events, Mechanism::Resurrected), Mechanism::Resurrected);
}

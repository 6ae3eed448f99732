//! What is promised of linearizability, setting by setting.

use splitbrain::property::{Hazard, Promise, Property, Whose};

use super::{is_never, promise, scenario, with};

const LEADER: &str = r#"
duration = "3s"
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
on-ack-timeout = "fail"
wal.policy = "fsync"
[workload]
mix = { put = 1, get = 1, delete = 1 }
"#;

#[test]
fn one_leader_that_everybody_asks_is_one_copy() {
    assert!(matches!(
        promise(&scenario(LEADER), Property::Linearizability),
        Promise::Unless { .. }
    ));
    for set in [
        "protocol.leader-follower.ties=keep-existing",
        "workload.retries=1",
        "workload.read-from=any",
        "protocol.leader-follower.failover.election=lowest-id",
    ] {
        assert!(is_never(&with(LEADER, &[set]), Property::Linearizability), "{set}");
    }
}

#[test]
fn a_clear_of_a_follower_empties_no_copy() {
    let clear = |of: &str| {
        let text = format!("{LEADER}[[operation]]\nat = '1s'\nclient = 'c'\nclear = {{ {of} }}\n");
        is_never(&scenario(&text), Property::Linearizability)
    };
    assert!(!clear(""));
    assert!(!clear("from = 'n1'"));
    assert!(clear("from = 'n2'"));
}

/// A read meets every acknowledged write where R + W > N, and what a read before it answered where
/// 2R > N; that is written back before the answer.
#[test]
fn quorums_that_overlap_in_both_ways_are_one_copy() {
    const QUORUM: [&str; 3] =
        ["workload.read-from=any", "workload.read-quorum=2", "workload.read-repair=true"];
    let never = |more: &[&str]| {
        is_never(&with(LEADER, &[&QUORUM[..], more].concat()), Property::Linearizability)
    };
    assert!(!never(&[]));
    assert!(never(&["workload.read-repair=false"]));
    assert!(never(&["workload.read-quorum=1"]));
    assert!(never(&["protocol.leader-follower.mode=async"]));
    // Every node has the write, but a read of one may go back behind another.
    assert!(never(&["protocol.leader-follower.mode=sync", "workload.read-quorum=1"]));
    assert!(never(&["protocol.leader-follower.tombstone-grace=1s"]));
}

#[test]
fn what_the_promise_rests_on_is_what_it_names() {
    let hazards = |sets: &[&str]| {
        let Promise::Unless { hazards, .. } =
            promise(&with(LEADER, sets), Property::Linearizability)
        else {
            panic!("promised unless something happens: {sets:?}");
        };
        hazards.conditions().map(|one| (one.whose, one.hazards().collect())).collect::<Vec<_>>()
    };
    let fsync = [
        Hazard::PowerLoss,
        Hazard::EmptyDisk,
        Hazard::ClockSkew,
        Hazard::StayedDown,
        Hazard::LostWrite,
        Hazard::BitRot,
    ];
    assert_eq!(hazards(&[]), [(Whose::Leader, fsync.to_vec())]);
    let hybrid = hazards(&["protocol.leader-follower.timestamps=hybrid"]);
    assert!(!hybrid[0].1.contains(&Hazard::ClockSkew));
    let in_memory = hazards(&["protocol.leader-follower.wal.policy=off"]);
    assert!(in_memory[0].1.contains(&Hazard::Crash));
}

//! A harness plays what a simulation plays: the same events in the same order leave the same nodes.

use splitbrain::id::NodeId;
use splitbrain::protocol::NodeSnapshot;
use splitbrain::protocol::harness::{Harness, StepError, Unsynced};
use splitbrain::protocol::leader_follower::LeaderFollower;
use splitbrain::run::RunOptions;
use splitbrain::time::{Span, Time};

use crate::support::story;

/// Two writes, one of them while a follower is down that comes back, one on a machine that loses
/// power later.
const STORY: &str = r#"
duration = "6s"

protocol.leader-follower.mode = "semi-sync"
protocol.leader-follower.write-quorum = 1
protocol.leader-follower.wal = { policy = "fsync", checkpoint-every = 2 }
protocol.leader-follower.failover = { heartbeat = "100ms", catch-up = "log" }

[[operation]]
at = "1s"
client = "a"
put = { key = "city", value = "Raleigh" }

[[fault]]
at = "2s"
for = "2s"
crash = "n3"

[[operation]]
at = "3s"
client = "a"
put = { key = "state", value = "NC" }

[[operation]]
at = "3500ms"
client = "a"
delete = { key = "city" }

[[fault]]
at = "5s"
for = "500ms"
power-loss = "n2"
"#;

#[test]
fn a_harness_and_a_simulation_agree() -> Result<(), StepError> {
    let scenario = story::scenario(STORY);
    let simulated = scenario.run(1, RunOptions::default());

    let settings = scenario.settings::<LeaderFollower>().expect("the protocol of the story");
    let mut harness = Harness::<LeaderFollower>::new(3, *settings);
    let [n1, n2, n3] = [0, 1, 2].map(NodeId);
    harness.start_all()?;
    harness.settle()?;
    let until = |harness: &mut Harness<_>, ms| play_until(harness, Span::from_millis(ms));
    until(&mut harness, 1000)?;
    let put = harness.put("city", "Raleigh");
    harness.request(n1, put)?;
    until(&mut harness, 2000)?;
    harness.crash(n3)?;
    until(&mut harness, 3000)?;
    let put = harness.put("state", "NC");
    harness.request(n1, put)?;
    until(&mut harness, 3500)?;
    let key = harness.key("city");
    harness.request(n1, splitbrain::operation::Operation::Delete { key, quorum: None })?;
    until(&mut harness, 4000)?;
    harness.start(n3)?;
    until(&mut harness, 5000)?;
    harness.lose_power(n2, Unsynced::Lost)?;
    until(&mut harness, 5500)?;
    harness.start(n2)?;
    until(&mut harness, 6000)?;

    let played: Vec<NodeSnapshot> =
        [n1, n2, n3].into_iter().filter_map(|node| harness.snapshot(node)).collect();
    assert_eq!(played, simulated.finals);
    assert_eq!(played[0].data.len(), 2, "both keys were written");
    let answered = |request: u32| simulated.history.entries()[request as usize].is_ok();
    assert!((0..3).all(answered) && harness.replies().len() == 3);
    Ok(())
}

/// Plays all that is under way, and every timer that is due until then in the order in which they
/// are due.
fn play_until(harness: &mut Harness<LeaderFollower>, at: Span) -> Result<(), StepError> {
    let at = Time::ZERO + at;
    loop {
        harness.settle()?;
        let timers = NodeId::all(3)
            .flat_map(|node| harness.timers(node).map(move |(timer, due)| (due, node, timer)));
        let next = timers.min_by_key(|(due, node, _)| (*due, *node));
        match next {
            Some((due, node, timer)) if due <= at => harness.timer(node, timer)?,
            Some(_) | None => break,
        }
    }
    harness.advance(at - harness.now());
    Ok(())
}

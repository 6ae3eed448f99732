//! What a node tells of itself, and what is left when a leader has forgotten everything.

use splitbrain::config::ExpectedVerdict;
use splitbrain::history::Entry;
use splitbrain::id::{NodeId, Term};
use splitbrain::property::Property;
use splitbrain::protocol::Role;

use crate::support::result::judged;
use crate::support::story::play;

#[test]
fn a_node_tells_its_status() {
    let result = play(
        "who it is, whom it follows, and how",
        r#"
cluster = { nodes = 3, initial-leader = "n2" }
protocol.leader-follower = { mode = "semi-sync", write-quorum = 1 }
operation = [{ at = "1s", client = "u", put = { key = "a", value = "x" } }]
fault = [{ at = "2s", forever = true, crash = "n3" }]
expect.state = [
    { at = "0s", node = "n2", role = "leader", term = 1, leader = "n2" },
    { at = "0s", node = "n1", role = "follower", term = 1, leader = "n2" },
    { at = "3s", node = "n3", role = "down" },
]
"#,
    );
    let [n1, n2, n3] = &result.finals[..] else { panic!("three nodes") };
    assert_eq!((n1.node, n1.up, n1.role, n1.term), (NodeId(0), true, Role::Follower, Term(1)));
    assert_eq!((n1.leader, n1.mode), (Some(NodeId(1)), "semi-sync"));
    assert_eq!((n2.role, n2.leader), (Role::Leader, Some(NodeId(1))));
    assert_eq!(n2.peers, [NodeId(0), NodeId(2)]);
    assert_eq!((&n2.blocked[..], &n2.pending[..]), (&[][..], &[][..]));
    assert_eq!((n1.data.len(), &n1.data), (1, &n2.data));
    assert_eq!((n3.node, n3.up, n3.data.len()), (NodeId(2), false, 0));
    let put: &Entry = &result.history.entries()[0];
    assert_eq!((put.node, put.acknowledgements, put.followers), (Some(NodeId(1)), 1, 2));
    let leaders: Vec<_> = result.leaderships.iter().map(|l| (l.term, l.node, l.until)).collect();
    assert_eq!(leaders, [(Term(1), NodeId(1), None)]);
    assert_eq!(judged(&result, Property::SingleLeader), ExpectedVerdict::Valid);
}

#[test]
fn an_empty_leader_that_starts_again_leaves_its_followers_nothing() {
    play(
        "what a leader counted before it crashed is not later than what it counts anew",
        r#"
duration = "1s"
settle = "1s"
protocol.leader-follower.failover = { election = "none", catch-up = "full-state",
    heartbeat = "50ms" }

[[operation]]
at = "10ms"
client = "writer"
put = { key = "a", value = "1" }

[[operation]]
at = "20ms"
client = "writer"
put = { key = "b", value = "2" }

[[expect.state]]
at = "90ms"
node = "n3"
key = "b"
value = "2"

[[fault]]
at = "100ms"
for = "20ms"
crash = "n1"

[[expect.state]]
at = "200ms"
node = "n3"
leader = "n1"
key = "b"
absent = true

[expect]
durability = "allowed"
convergence = "valid"
"#,
    );
}

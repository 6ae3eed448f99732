//! How far followers are from the leader when the last write is answered.
//!
//! No file has what the nodes hold during a run, unless the scenario expects a state then. So the
//! scenario is run once more with a state expected of every node at the moments that count;
//! expectations do not change a run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::availability::is_generated;
use super::claims::{Claims, span};
use super::ending::shown;
use super::files::{Files, Line, Node, Op};
use super::leaders::{Led, leaderships};

pub(crate) fn last_write(files: &Files, claims: &mut Claims) {
    let said = &files.report["last_write"];
    let Some(at) = last_answer(files) else {
        return claims.say("/last_write", Json::Null);
    };
    // A client's turn at the instant at which the fault phase ends leaves no line: until then an
    // operation was still to come.
    let end = span(files, "duration");
    let at = if at < end && said["answered_at_ns"] == end { end } else { at };
    // Of several leaders the one of the highest term counts. At the instant of a change it may be
    // either.
    let all = leaderships(files);
    let leader_at = |at: u64| {
        let open = all.iter().filter(|led| led.from_ns <= at && led.until(files) > at);
        let last = open.max_by_key(|led| (led.term, led.from_ns));
        last.map(|led| led.node.clone())
    };
    let leaders = [at.saturating_sub(1), at].map(leader_at);
    let written = files.ops.iter().any(|op| op.is_ok() && op.is_write());
    if said.is_null() {
        let at_the_end = [end.saturating_sub(1), end].map(leader_at);
        let no_leader = leaders.contains(&None) || at < end && at_the_end.contains(&None);
        let is = if !written || no_leader { Json::Null } else { json!({ "answered_at_ns": at }) };
        return claims.say("/last_write", is);
    }
    claims.say("/last_write/answered_at_ns", at);
    let leader = said["leader"].as_str().unwrap_or_default().to_owned();
    // At the instant of a change it may be any node that led during it.
    let changes_now = all.iter().any(|led| led.from_ns == at || led.until_ns == Some(at));
    let touches = |led: &Led| led.node == leader && led.from_ns <= at && led.until(files) >= at;
    let may_lead = changes_now && all.iter().any(touches);
    let leads = written && (may_lead || leaders.contains(&Some(leader.clone())));
    claims.say("/last_write/leader", if leads { leader.clone().into() } else { Json::Null });

    let agreed_at = said["agreed_after_ns"].as_u64().map(|after| at + after);
    let until = agreed_at.unwrap_or_else(|| files.ended_ns());
    let mut moments: BTreeSet<u64> =
        [at, until].into_iter().flat_map(|at| [at.saturating_sub(1), at]).collect();
    // Moments between: some of those at which nodes apply or lose something.
    let turns: BTreeSet<u64> = files
        .trace()
        .filter(changes)
        .map(|line| line.at_ns)
        .filter(|t| (at..until).contains(t))
        .collect();
    moments.extend(turns.iter().step_by(turns.len() / MOST_MOMENTS + 1));
    let seen = Seen::of(files, &moments);
    // Within one instant there may have been more states than those before and after it.
    let is_busy = |moment: u64| files.trace().filter(changes).any(|line| line.at_ns == moment);

    let keys = ["followers", "replica_keys", "differing"];
    let figures = keys.map(|key| said[key].as_u64().unwrap_or(u64::MAX));
    let then = [at.saturating_sub(1), at].map(|at| seen.differences(at, &leader));
    let fits = then.contains(&Some(figures)) || is_busy(at);
    for (key, figure) in
        keys.into_iter().zip(if fits { figures } else { then[1].unwrap_or(figures) })
    {
        claims.say(format!("/last_write/{key}"), figure);
    }

    // While leaders change it cannot be told; the end is a moment at which all followers agree with
    // the leader.
    let agrees = |moment: u64| {
        let [_, _, differing] = seen.differences(moment, &leader_at(moment)?)?;
        Some(differing == 0)
    };
    let too_late = moments
        .iter()
        .filter(|t| (at..until).contains(t) && !is_busy(at))
        .any(|t| agrees(*t) == Some(true));
    let at_last = match agreed_at {
        Some(_) => is_busy(until) || agrees(until) != Some(false),
        None => agrees(until) != Some(true),
    };
    let after = &said["agreed_after_ns"];
    let is = if at_last && !too_late { after.clone() } else { "another time".into() };
    claims.say("/last_write/agreed_after_ns", is);
}

/// How many moments between are looked at.
const MOST_MOMENTS: usize = 30;

/// Whether what a node has, or which nodes there are, may change with this line.
fn changes(line: &Line<'_>) -> bool {
    matches!(line.what, ". apply" | ". discard" | ". act" | ". stop" | ". role")
}

/// When no write is pending and none is to come: at the answer to the workload's last operation, if
/// the workload writes, and to the script's last write. `None` if that never happens.
fn last_answer(files: &Files) -> Option<u64> {
    let mix = files.set("workload.mix");
    let weight = |f: &str| mix.and_then(|mix| mix.get(f)).is_some();
    let may_write = ["put", "delete", "append"].into_iter().any(weight);
    let counts = |op: &&Op| if is_generated(op) { may_write } else { op.is_write() };
    let last = files.ops.iter().filter(counts).max_by_key(|op| op.completed);
    let is_write = |table: &&toml::Value| {
        ["put", "delete", "append", "clear"].iter().any(|f| table.get(f).is_some())
    };
    let scripted = files.tables("operation").iter().filter(is_write).count();
    let invoked = files.ops.iter().filter(|op| !is_generated(op) && op.is_write()).count();
    let never_invoked = invoked < scripted;
    let last = last.filter(|last| !never_invoked && last.error.as_deref() != Some("unfinished"))?;
    Some(last.completed_ns)
}

/// The nodes at some moments.
struct Seen {
    moments: Vec<u64>,
    nodes: usize,
    states: Vec<Node>,
}

impl Seen {
    fn of(files: &Files, moments: &BTreeSet<u64>) -> Self {
        let mut text = files.text.clone();
        for at in moments {
            for node in &files.nodes {
                writeln!(
                    text,
                    "[[expect.state]]\nat = \"{at}ns\"\nnode = \"{}\"\nrole = \"leader\"",
                    node.name
                )
                .expect("a string takes text");
            }
        }
        let seed = files.number("/seed").expect("a seed");
        let again = Files::of("oracle", &text, seed).expect("a scenario as before");
        assert_eq!(again.report["digest"], files.report["digest"], "who looks on changes nothing");
        let before = files.states.len();
        let nodes = files.nodes.len();
        Self {
            moments: moments.iter().copied().collect(),
            nodes,
            states: again.states[before..].to_vec(),
        }
    }

    /// How many followers are up, on how many keys they could differ from the leader, and on how
    /// many they differ.
    fn differences(&self, at: u64, leader: &str) -> Option<[u64; 3]> {
        let place = self.moments.iter().position(|moment| *moment == at)?;
        let nodes = &self.states[place * self.nodes..(place + 1) * self.nodes];
        let leader = nodes.iter().find(|node| node.name == leader)?;
        let followers: Vec<&Node> =
            nodes.iter().filter(|node| node.up && node.name != leader.name).collect();
        let all = followers.iter().copied().chain([leader]);
        let keys: BTreeSet<&str> = all
            .flat_map(|node| node.data.iter())
            .filter(|(_, held)| held.value.is_some())
            .map(|(key, _)| key.as_str())
            .collect();
        let differs = |(node, key): &(&Node, &str)| shown(node, key) != shown(leader, key);
        let pairs = followers.iter().flat_map(|node| keys.iter().map(|key| (*node, *key)));
        let differing = pairs.filter(differs).count();
        Some([followers.len() as u64, (followers.len() * keys.len()) as u64, differing as u64])
    }
}

//! The outcome of a run: what the nemesis did, how the run ended, what was expected, and the
//! overall verdict.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::claims::{Claims, span};
use super::ending::differing;
use super::files::{Files, Node, Status, length};
use super::leaders::leaderships;

/// What the nemesis did, by the history.
pub(crate) fn faults(files: &Files, claims: &mut Claims) {
    let acts = files.acts.iter().map(|act| {
        let event = if act.starts { "start" } else { "end" };
        json!({ "fault": act.fault, "event": event, "at_ns": act.at_ns, "what": act.what })
    });
    claims.say("/faults", acts.collect::<Json>());
}

/// How the run ended, and what the cluster still waited for.
pub(crate) fn settled(files: &Files, claims: &mut Claims) {
    let last = files.trace().last().expect("a run does something").at_ns;
    claims.say("/virtual_time_ns", last);
    for key in ["stuck_at_ns", "stuck_events", "stuck_pending"] {
        claims.say(format!("/settled/{key}"), Json::Null);
    }
    let waiting = waiting_for(files);
    let outcome = if waiting.is_empty() { "settled" } else { "unsettled" };
    claims.say("/settled/outcome", outcome);
    let after = waiting.is_empty().then(|| last - span(files, "duration"));
    claims.say("/settled/after_ns", after);
    claims.say("/settled/waiting_for", waiting);
}

/// What the cluster waits for at the end. No file says which node a client asks and how many
/// messages are in flight, so these are taken from the report.
fn waiting_for(files: &Files) -> Vec<String> {
    let said: Vec<&str> = files.report["settled"]["waiting_for"]
        .as_array()
        .map_or(Vec::new(), |all| all.iter().filter_map(Json::as_str).collect());
    let mut waiting = Vec::new();
    for client in clients(files) {
        let mut asked = files.ops.iter().filter(|op| op.client == client);
        let begins = format!("{client} waits for n");
        if asked.clone().any(|op| op.error.as_deref() == Some("unfinished")) {
            let told = said.iter().find(|line| line.starts_with(&begins));
            waiting.push(told.map_or(begins, |line| (*line).to_owned()));
        } else if let Some(next) = script_of(files, client).get(asked.by_ref().count()) {
            let id = files.tables("operation")[*next]["id"].as_str().expect("an id");
            waiting.push(format!("scripted operation {id} is due"));
        }
    }
    for node in files.nodes.iter().filter(|node| !node.up && !is_down_for_good(files, node)) {
        waiting.push(format!("{} is down", node.name));
    }
    // A message that is resent until it is acknowledged is resent for ever to a node that stays
    // down.
    let is_for_nobody = |what: &&String| {
        files
            .nodes
            .iter()
            .any(|node| !node.up && what.ends_with(&format!(" to be sent to {} again", node.name)))
    };
    for node in &files.nodes {
        let pending = node.pending.iter().filter(|what| !is_for_nobody(what));
        waiting.extend(pending.map(|what| format!("{}: {what}", node.name)));
    }
    let messages = |line: &&&str| line.ends_with("is on its way") || line.ends_with("on their way");
    waiting.extend(said.iter().filter(messages).map(|line| (*line).to_owned()));
    let leads = |node: &&Node| node.up && node.leads();
    // Of several of one term, whichever.
    let leader = files.nodes.iter().filter(leads).rev().max_by_key(|node| node.term);
    let up = files.live().count();
    let stands = |node: &Node| node.role.as_deref() == Some("candidate");
    let has_leaders = !leaderships(files).is_empty() || files.live().any(stands);
    if leader.is_none() && 2 * up > files.nodes.len() && has_leaders {
        waiting.push("somebody to lead".to_owned());
    }
    if let Some(leader) = leader {
        let leader = &leader.name;
        for node in files.live() {
            let Some(taken) = node.leader.as_ref().filter(|taken| *taken != leader) else {
                continue;
            };
            let whom = if *taken == node.name { "itself" } else { taken };
            let node = &node.name;
            waiting.push(format!("{node} takes {whom} for the leader, and {leader} leads"));
        }
    }
    if !differing(files).is_empty() {
        let differ = said.iter().find(|line| line.contains(" differ: "));
        waiting.push(differ.map_or("replicas differ", |line| line).to_owned());
    }
    waiting
}

/// The clients of the workload, then those of the script, in the order of the file.
fn clients(files: &Files) -> Vec<&str> {
    let scripted = files.tables("operation").iter().filter_map(|one| one.get("client")?.as_str());
    let mut generated: Vec<&str> = files.ops.iter().map(|op| &op.client[..]).collect();
    generated.retain(|client| client.strip_prefix('c').is_some_and(|n| n.parse::<u32>().is_ok()));
    generated.sort_unstable();
    let mut all: Vec<&str> = Vec::new();
    for client in generated.into_iter().chain(scripted) {
        if !all.contains(&client) {
            all.push(client);
        }
    }
    all
}

/// The positions of a client's operations in the script, by their times and then by the file.
fn script_of(files: &Files, client: &str) -> Vec<usize> {
    let at = |table: &toml::Value| length(table["at"].as_str().expect("a time"));
    let script = files.tables("operation").iter().enumerate();
    let mut places: Vec<(u64, usize)> = script
        .filter(|(_, table)| table["client"].as_str() == Some(client))
        .map(|(place, table)| (at(table), place))
        .collect();
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}

/// Whether a fault without end took it down, or it gave up because of its disk.
fn is_down_for_good(files: &Files, node: &Node) -> bool {
    let forever: BTreeSet<&str> = files
        .tables("fault")
        .iter()
        .filter(|fault| fault.get("forever").is_some())
        .filter_map(|fault| fault.get("id")?.as_str())
        .collect();
    let impacts = files.acts.iter().filter(|act| {
        act.starts && act.fault.as_deref().is_some_and(|fault| forever.contains(fault))
    });
    let gave_up = files.acts.iter().any(|act| {
        let why = act.what.strip_prefix(&format!("{} stops: ", node.name));
        why.is_some_and(|why| why != "its disk cannot be read")
    });
    let mut struck = impacts.flat_map(|act| act.what.split([' ', ',']));
    gave_up || struck.any(|word| word == node.name)
}

/// The expectations of `[expect]`, property by property, and the verdict that follows.
pub(crate) fn verdict(files: &Files, claims: &mut Claims) {
    let checks = files.report["checks"].as_object().expect("checks");
    let mut expectations: Vec<(Option<String>, bool)> = Vec::new();
    let of = |property: &str| files.set(&format!("expect.{property}"))?.as_str();
    let named = files.set("expect").and_then(toml::Value::as_table);
    for (property, wanted) in named.into_iter().flatten() {
        let Some(wanted) = wanted.as_str() else { continue };
        let met = checks[property]["verdict"] == wanted;
        expectations.push((Some(format!("{property} = {wanted}")), met));
    }
    for (property, check) in checks {
        claims.say(format!("/checks/{property}/expected"), of(property));
        if of(property).is_none() {
            expectations.extend(demands(files, property, check));
        }
    }
    for (expected, found) in files.tables("expect.state").iter().zip(&files.states) {
        expectations.extend(state(expected, found).into_iter().map(|met| (None, met)));
    }
    for (place, scripted) in files.tables("operation").iter().enumerate() {
        expectations.extend(answers(files, place, scripted).into_iter().map(|met| (None, met)));
    }
    if expectations.is_empty() {
        claims.say("/expectations", Json::Array(Vec::new()));
    }
    let said = files.report["expectations"].as_array().map_or(0, Vec::len);
    for place in 0..said.max(expectations.len()) {
        let Some((name, met)) = expectations.get(place) else {
            claims.say(format!("/expectations/{place}"), Json::Null);
            continue;
        };
        claims.say(format!("/expectations/{place}/met"), *met);
        if let Some(name) = name {
            claims.say(format!("/expectations/{place}/name"), name.clone());
        }
    }

    let unexpected = |word: &str| {
        let found = |(property, check): (&String, &Json)| {
            check["verdict"] == word && of(property) != Some(word)
        };
        checks.iter().any(found)
    };
    let stuck = files.report["settled"]["outcome"] == "stuck";
    let verdict = if unexpected("violation") || expectations.iter().any(|(_, met)| !met) {
        "fail"
    } else if unexpected("unknown") || stuck {
        "unknown"
    } else {
        "pass"
    };
    claims.say("/verdict", verdict);
}

/// The bounds of a property without an expectation: each must be kept.
fn demands(files: &Files, property: &str, check: &Json) -> Vec<(Option<String>, bool)> {
    let figure = |name: &str| check["figures"][name].as_u64();
    let bounded = |key: &str, is_met: &dyn Fn(&toml::Value) -> Option<bool>| {
        let bound = files.set(&format!("check.{key}"))?;
        let text = bound.as_str().unwrap_or_default();
        Some((Some(format!("{key} = {text}")), is_met(bound)?))
    };
    let longest = |name: &'static str| {
        move |bound: &toml::Value| Some(figure(name)? <= length(bound.as_str()?))
    };
    let all = match property {
        "availability" => vec![
            bounded("availability-bound", &|bound| {
                let share = bound.as_str()?.strip_suffix('%')?.parse::<f64>().ok()? / 100.0;
                let (answered, operations) = (figure("answered")?, figure("operations")?);
                Some(answered as f64 >= share * operations as f64)
            }),
            bounded("recovery-bound", &longest("longest_recovery_ns")),
        ],
        "liveness" => vec![bounded("leaderless-bound", &longest("longest_leaderless_ns"))],
        "replication-lag" => vec![bounded("replication-lag-bound", &longest("max_lag_ns"))],
        "staleness" => vec![bounded("staleness-bound", &|_| Some(check["witness"].is_null()))],
        _ => Vec::new(),
    };
    all.into_iter().flatten().collect()
}

/// The parts of a state expected of a node, in the order key, role, term, leader.
fn state(expected: &toml::Value, found: &Node) -> Vec<bool> {
    let mut met = Vec::new();
    if let Some(key) = expected.get("key").and_then(toml::Value::as_str) {
        let value = found.data.get(key).and_then(|held| held.value.as_deref());
        met.push(value == expected.get("value").and_then(toml::Value::as_str));
    }
    if let Some(role) = expected.get("role").and_then(toml::Value::as_str) {
        met.push(found.role.as_deref().unwrap_or("down") == role);
    }
    if let Some(term) = expected.get("term").and_then(toml::Value::as_integer) {
        met.push(found.term == term.unsigned_abs());
    }
    if let Some(leader) = expected.get("leader").and_then(toml::Value::as_str) {
        met.push(found.leader.as_deref().unwrap_or("none") == leader);
    }
    met
}

/// The parts of what a scripted client must be answered.
fn answers(files: &Files, place: usize, scripted: &toml::Value) -> Vec<bool> {
    let Some(expected) = scripted.get("expect") else { return Vec::new() };
    let client = scripted["client"].as_str().expect("a client");
    let nth = script_of(files, client).iter().position(|other| *other == place);
    let nth = nth.expect("it is its client's");
    let Some(op) = files.ops.iter().filter(|op| op.client == client).nth(nth) else {
        return vec![false];
    };
    let text = |key: &str| expected.get(key).and_then(toml::Value::as_str);
    let took = (op.status != Status::Pending).then(|| op.completed_ns - op.due_ns);
    let mut met = Vec::new();
    if let Some(status) = text("status") {
        met.push(match op.status {
            Status::Ok => status == "ok",
            Status::Fail => status == "fail",
            Status::Info => status == "info",
            Status::Pending => false,
        });
    }
    if let Some(degraded) = expected.get("degraded").and_then(toml::Value::as_bool) {
        met.push(op.degraded == degraded);
    }
    if let Some(error) = text("error") {
        met.push(op.error.as_deref() == Some(error));
    }
    if let Some(leader) = text("leader") {
        met.push(op.leader.as_deref() == Some(leader));
    }
    met.extend(text("within").map(|most| took.is_some_and(|took| took <= length(most))));
    met.extend(text("after").map(|least| took.is_some_and(|took| took >= length(least))));
    met
}

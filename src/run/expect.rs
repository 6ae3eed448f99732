//! What a scenario expects of a run, held against what was found.

use crate::check::{CheckReport, Demand};
use crate::config::{
    Answer, Config, ExpectedRole, ExpectedState, ExpectedVerdict, ScriptedOperation,
};
use crate::history::{Entry, Function, History, Item};
use crate::id::{NodeId, OpId, Value};
use crate::metrics::Settlement;
use crate::named::Named;
use crate::names::Names;
use crate::protocol::NodeSnapshot;
use crate::sim::Finished;
use crate::time::Span;

use super::result::{Expectation, RunVerdict};

/// Whether a property was broken that should have held: it was promised and the scenario does not
/// expect it to be broken, or the scenario expects it to hold or sets a bound that was missed.
#[must_use]
pub fn is_unexpected(config: &Config, report: &CheckReport) -> bool {
    let mut expected = config.expect.checks.iter().filter(|(p, _)| *p == report.property);
    let expected = expected.next().map(|(_, verdict)| *verdict);
    match report.judged {
        ExpectedVerdict::Violation => expected != Some(ExpectedVerdict::Violation),
        ExpectedVerdict::Allowed => {
            expected == Some(ExpectedVerdict::Valid)
                || (report.misses_a_bound() && config.expect.demands(report.property))
        }
        ExpectedVerdict::Valid | ExpectedVerdict::Unknown | ExpectedVerdict::Unchecked => false,
    }
}

/// A run fails when a promised property was broken and the scenario does not expect that, or when
/// an expectation was not met. It is unknown when a checker could not tell and the scenario does
/// not expect that, or when time stood still.
pub(super) fn verdict(
    config: &Config,
    settlement: &Settlement,
    checks: &[CheckReport],
    expectations: &[Expectation],
) -> RunVerdict {
    let expected =
        |report: &CheckReport| config.expect.checks.contains(&(report.property, report.judged));
    let found = |judged| checks.iter().any(|report| report.judged == judged && !expected(report));
    if found(ExpectedVerdict::Violation) || expectations.iter().any(|expectation| !expectation.met)
    {
        RunVerdict::Fail
    } else if found(ExpectedVerdict::Unknown) || matches!(settlement, Settlement::Stuck { .. }) {
        RunVerdict::Unknown
    } else {
        RunVerdict::Pass
    }
}

/// Every expectation of the scenario, in the order checks, bounds, states, answers.
pub(super) fn evaluate(
    config: &Config,
    finished: &Finished,
    checks: &[CheckReport],
) -> Vec<Expectation> {
    let mut all = Vec::new();
    for (property, expected) in &config.expect.checks {
        let report = checks.iter().find(|report| report.property == *property);
        let found = report.map_or("nothing", |report| report.judged.name());
        all.push(expectation(format!("{property} = {}", expected.name()), expected.name(), found));
    }
    for report in checks.iter().filter(|report| config.expect.demands(report.property)) {
        let demanded_of = Some(report.property);
        let demand = |Demand { bound, found, met }: &Demand| Expectation {
            demanded_of,
            ..judged(bound.clone(), *met, found)
        };
        all.extend(report.demands.iter().map(demand));
    }
    let history = &finished.history;
    for (expected, snapshot) in config.expect.states.iter().zip(&finished.states) {
        state(expected, snapshot, history.names(), &mut all);
    }
    for (scripted, op) in config.script.iter().zip(&finished.script) {
        answer(scripted, *op, history, &mut all);
    }
    all
}

fn expectation(name: String, expected: &str, found: &str) -> Expectation {
    judged(name, expected == found, found)
}

/// An expectation; `found` is kept only if it is not met.
fn judged(name: String, met: bool, found: &str) -> Expectation {
    let found = if met { String::new() } else { found.to_owned() };
    Expectation { name, met, found, demanded_of: None }
}

/// Compares each part of a node's expected state.
fn state(
    expected: &ExpectedState,
    snapshot: &NodeSnapshot,
    names: &Names,
    all: &mut Vec<Expectation>,
) {
    let at = Span::from_nanos(expected.at.nanos());
    let mut compare = |what: &str, wanted: &str, found: &str| {
        let name = format!("at {at} {} {what} = {wanted}", expected.node);
        all.push(expectation(name, wanted, found));
    };
    if let Some((key, wanted)) = expected.key {
        let found = snapshot.data.get(&key).and_then(|stored| stored.value);
        let found = value_text(found, names);
        compare(names.key(key), &value_text(wanted, names), &found);
    }
    if let Some(role) = expected.role {
        let found = if snapshot.up { snapshot.role.name() } else { ExpectedRole::Down.name() };
        compare("role", role.name(), found);
    }
    if let Some(term) = expected.term {
        compare("term", &term.to_string(), &snapshot.term.to_string());
    }
    if let Some(leader) = expected.leader.wanted() {
        compare("leader", &node_text(leader), &node_text(snapshot.leader));
    }
    if let Some(awaits) = expected.awaits.wanted() {
        compare("awaits", &node_text(awaits), &node_text(snapshot.awaits));
    }
    if let Some(blocked) = &expected.blocked {
        let text = |nodes: &[NodeId]| sorted(nodes.iter().map(ToString::to_string));
        compare("blocked", &text(blocked), &text(&snapshot.blocked));
    }
}

fn node_text(node: Option<NodeId>) -> String {
    node.map_or_else(|| "none".to_owned(), |node| node.to_string())
}

fn value_text(value: Option<Value>, names: &Names) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| names.value(value))
}

/// Compares each part of the answer that a client must get.
fn answer(
    scripted: &ScriptedOperation,
    op: Option<OpId>,
    history: &History,
    all: &mut Vec<Expectation>,
) {
    let expect = &scripted.expect;
    if *expect == Answer::default() {
        return;
    }
    let (id, names) = (&scripted.id, history.names());
    let Some(op) = op else {
        all.push(judged(format!("{id} is answered"), false, "it was never invoked"));
        return;
    };
    let entry = history.entry(op);
    let reason = status_found(entry);
    let mut compare = |what: &str, wanted: &str, found: &str| {
        all.push(expectation(format!("{id} {what} = {wanted}"), wanted, found));
    };
    if let Some(status) = expect.status {
        // The reason of a failure is shown only if it was not expected.
        let (wanted, found) = (status.name(), entry.status.name());
        compare("status", wanted, if wanted == found { wanted } else { &reason });
    }
    if let Some(wanted) = expect.value.wanted() {
        // What a put wrote is no answer.
        let is_read = |function| matches!(function, Function::Get | Function::Cas);
        let read = history.effects(op).filter(|_| is_read(entry.function));
        let found = read.filter_map(|effect| effect.found()).next();
        let found = found.map(|content| content.value());
        let found = found.map_or_else(|| reason.clone(), |value| value_text(value, names));
        compare("value", &value_text(wanted, names), &found);
    }
    if let Some(degraded) = expect.degraded {
        compare("degraded", &degraded.to_string(), &entry.degraded.to_string());
    }
    if let Some((confirmed, followers)) = expect.acknowledgements {
        let found = format!("{} of {}", entry.acknowledgements, entry.followers);
        compare("confirmations", &format!("{confirmed} of {followers}"), &found);
    }
    if let Some(error) = expect.error {
        compare("error", error.name(), entry.failure.map_or("none", |failure| failure.name()));
    }
    if let Some(wanted) = expect.not_yet_replicated {
        let found = entry.is_not_yet_replicated();
        compare("not-yet-replicated", &wanted.to_string(), &found.to_string());
    }
    if let Some(leader) = expect.leader.wanted() {
        compare("leader", &node_text(leader), &node_text(entry.leader));
    }
    if let Some(existed) = expect.existed {
        let found = entry.existed.map_or_else(|| "unsaid".to_owned(), |found| found.to_string());
        compare("existed", &existed.to_string(), &found);
    }
    let items = history.contents(op).unwrap_or(&[]);
    if let Some(keys) = &expect.keys {
        let wanted = sorted(keys.iter().map(|key| names.key(*key).to_owned()));
        compare("keys", &wanted, &sorted(items.iter().map(|item| names.key(item.key).to_owned())));
    }
    if let Some(wanted) = &expect.all {
        let pair = |key, value| format!("{}={}", names.key(key), value_text(value, names));
        let found = sorted(items.iter().map(|item: &Item| pair(item.key, item.value)));
        let wanted = sorted(wanted.iter().map(|(key, value)| pair(*key, Some(*value))));
        compare("all", &wanted, &found);
    }
    timing(scripted, history.latency(op), all);
}

/// Compares how long the answer took.
fn timing(scripted: &ScriptedOperation, took: Option<Span>, all: &mut Vec<Expectation>) {
    let id = &scripted.id;
    let found = took.map_or_else(|| "no answer".to_owned(), |took| format!("after {took}"));
    let mut bound = |name, met| all.push(judged(name, met, &found));
    if let Some(most) = scripted.expect.within {
        bound(format!("{id} within {most}"), took.is_some_and(|took| took <= most));
    }
    if let Some(least) = scripted.expect.after {
        bound(format!("{id} after at least {least}"), took.is_some_and(|took| took >= least));
    }
}

fn status_found(entry: &Entry) -> String {
    match entry.failure {
        Some(failure) if !entry.is_ok() => format!("{} ({})", entry.status.name(), failure.name()),
        _ => entry.status.name().to_owned(),
    }
}

fn sorted(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Role;

    #[test]
    fn every_role_can_be_expected() {
        let roles =
            [Role::Leader, Role::Follower, Role::Candidate, Role::PreCandidate, Role::Learner];
        for role in roles {
            let mut expected = ExpectedRole::all().map(Named::name);
            assert!(expected.any(|name| name == role.name()), "{role:?}");
        }
    }
}

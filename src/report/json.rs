//! The JSON documents. Their keys are in a fixed order and always there.
//!
//! Which document is printed depends only on the command line:
//!
//! - one file, one seed: [`run`], also the content of `result.json`
//!
//!   `{scenario, title, seed, digest, verdict, verified, virtual_time_ns, events,
//!   operations{invoked, ok, fail, info, degraded, unserved, errors{NAME: count}},
//!   latency_ns{FUNCTION{count, mean, p50, p95, p99, p999, max}}, checks{NAME{verdict, expected,
//!   promise, why, voided_by[], reason, witness{summary, count, operations[], nodes[], write},
//!   mechanism, figures{}}}, network{sent, delivered, lost, duplicated, blocked}, leaders[{term,
//!   node, from_ns, until_ns}], faults[{fault, event, at_ns, what}], last_write{answered_at_ns,
//!   leader, followers, replica_keys, differing, agreed_after_ns}, settled{outcome, after_ns,
//!   waiting_for[], stuck_at_ns, stuck_events, stuck_pending}, expectations[{name, met, found}],
//!   warnings[]}`
//! - `--seeds`: [`runs`]
//!
//!   `{scenario, title, verdict, summary{runs, pass, fail, unknown, checks{NAME{valid, allowed,
//!   violation, unknown, unchecked}}, operations{..}, latency_ns{..}, network{..}}, runs[..]}`
//! - several files: [`scenarios`], `{verdict, scenarios[..]}` with one of the above for each file
//!
//! `verified` is only there with `--verify`, and never in a file. A function without an operation
//! that completed ok has no latency. `voided_by` says which incidents the promise does not cover;
//! `reason` is why a verdict is unknown or unchecked; `operations` of a witness are `op` in
//! `history.jsonl`. Times are integer nanoseconds, digests and versions are strings.

use serde_json::{Map, Value, json};

use crate::check::Mechanism;
use crate::check::{Verdict, Witness};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::metrics::{KindCounts, LastWrite, Latency, MessageCounts, Settlement, Standstill};
use crate::named::Named;
use crate::property::Promise;
use crate::report::breach::breach_keys;
use crate::report::totals::RunTotals;
use crate::report::{CheckedProperty, FaultAct, OperationCounts, Report};
use crate::run::RunVerdict;

/// The document of one run.
#[must_use]
pub fn run(report: &Report) -> Value {
    let leader = |leadership: &crate::metrics::Leadership| {
        json!({
            "term": leadership.term,
            "node": leadership.node.to_string(),
            "from_ns": leadership.from.nanos(),
            "until_ns": leadership.until.map(crate::time::Time::nanos),
        })
    };
    let expectation = |expectation: &crate::run::Expectation| {
        let found = (!expectation.met).then_some(&expectation.found);
        json!({ "name": expectation.name, "met": expectation.met, "found": found })
    };
    json!({
        "scenario": report.scenario,
        "title": report.title,
        "seed": report.seed,
        "digest": report.digest.to_string(),
        "verdict": report.verdict.name(),
        "virtual_time_ns": report.ended_at.nanos(),
        "events": report.events,
        "operations": operations(&report.operations),
        "latency_ns": latencies(&report.latencies),
        "checks": checks(report),
        "network": network(&report.messages),
        "leaders": report.leaderships.iter().map(leader).collect::<Value>(),
        "faults": report.faults.iter().map(fault).collect::<Value>(),
        "last_write": report.last_write.map(last_write),
        "settled": settled(&report.settlement),
        "expectations": report.expectations.iter().map(expectation).collect::<Value>(),
        "warnings": report.warnings,
    })
}

/// The document of a run that was played twice, with whether both runs were the same.
#[must_use]
pub fn verified(report: &Report, same: bool) -> Value {
    let Value::Object(keys) = run(report) else { unreachable!("a run is an object") };
    let mut out = Map::new();
    for (key, value) in keys {
        let is_verdict = key == "verdict";
        out.insert(key, value);
        if is_verdict {
            out.insert("verified".to_owned(), same.into());
        }
    }
    Value::Object(out)
}

/// The document of one scenario under several seeds. `runs` are the documents of the single runs,
/// in the order of seeds.
#[must_use]
pub fn runs(totals: &mut RunTotals, verdict: RunVerdict, runs: Vec<Value>) -> Value {
    let check =
        |(property, counts): &(crate::property::Property, [u64; ExpectedVerdict::ALL.len()])| {
            let counts = ExpectedVerdict::all().zip(counts);
            let counts: Map<_, _> = counts
                .map(|(verdict, count)| (verdict.name().to_owned(), (*count).into()))
                .collect();
            (property.name().to_owned(), Value::Object(counts))
        };
    let pooled = totals.latencies();
    let mut document = json!({
        "scenario": totals.scenario,
        "title": totals.title,
        "verdict": verdict.name(),
        "summary": {
            "runs": totals.runs(),
            "pass": totals.pass,
            "fail": totals.fail,
            "unknown": totals.unknown,
            "checks": totals.judged().map(check).collect::<Map<_, _>>(),
            "operations": operations(&totals.operations),
            "latency_ns": latencies(&pooled),
            "network": network(&totals.messages),
        },
    });
    // Moved, because the macro would copy every run.
    document["runs"] = Value::Array(runs);
    document
}

/// The document of several scenarios.
#[must_use]
pub fn scenarios(verdict: RunVerdict, documents: Vec<Value>) -> Value {
    let mut document = json!({ "verdict": verdict.name() });
    document["scenarios"] = Value::Array(documents);
    document
}

fn operations(counts: &OperationCounts) -> Value {
    let errors: Map<_, _> =
        counts.reasons().map(|(why, count)| (why.name().to_owned(), count.into())).collect();
    json!({
        "invoked": counts.invoked,
        "ok": counts.ok,
        "fail": counts.fail,
        "info": counts.info,
        "degraded": counts.degraded,
        "unserved": counts.unserved.count,
        "errors": errors,
    })
}

fn latencies(latencies: &[(Function, Latency)]) -> Value {
    let one = |(function, latency): &(Function, Latency)| {
        let figures = json!({
            "count": latency.count,
            "mean": latency.mean.nanos(),
            "p50": latency.p50.nanos(),
            "p95": latency.p95.nanos(),
            "p99": latency.p99.nanos(),
            "p999": latency.p999.nanos(),
            "max": latency.max.nanos(),
        });
        (function.name().to_owned(), figures)
    };
    Value::Object(latencies.iter().map(one).collect())
}

fn network(counts: &MessageCounts) -> Value {
    let used = counts.by_kind.iter().filter(|counts| counts.sent > 0);
    let by_kind = used.map(|KindCounts { kind, sent, delivered }| {
        ((*kind).to_owned(), json!({ "sent": sent, "delivered": delivered }))
    });
    json!({
        "sent": counts.sent,
        "delivered": counts.delivered,
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "blocked": counts.blocked,
        "by_kind": by_kind.collect::<Map<_, _>>(),
    })
}

/// Every check; of the invariants of a replicated log with where they were broken.
fn checks(report: &Report) -> Value {
    let one = |checked: &CheckedProperty| {
        let property = checked.report.property;
        let (name, mut document) = check(checked);
        if property.is_of_a_log() {
            let breach = report.breaches.iter().find(|breach| breach.property == property);
            document["breach"] = breach.map(breach_keys).into();
        }
        (name, document)
    };
    Value::Object(report.checks.iter().map(one).collect())
}

fn check(
    CheckedProperty { report, expected, mechanism, voided }: &CheckedProperty,
) -> (String, Value) {
    let (promise, why) = match report.promise {
        Promise::Always { why } => ("always", why),
        Promise::Unless { why, .. } => ("unless", why),
        Promise::Never { why } => ("never", why),
    };
    let (reason, witness) = match &report.verdict {
        Verdict::Valid => (None, None),
        Verdict::Invalid(witness) => (None, Some(self::witness(witness))),
        Verdict::Unknown(reason) | Verdict::Unchecked(reason) => (Some(reason), None),
    };
    let figures: Map<_, _> = report
        .figures
        .iter()
        .map(|(name, figure)| ((*name).to_owned(), (*figure).into()))
        .collect();
    let document = json!({
        "verdict": report.judged.name(),
        "expected": expected.map(ExpectedVerdict::name),
        "promise": promise,
        "why": why,
        "voided_by": voided,
        "reason": reason,
        "witness": witness,
        "mechanism": mechanism.map(Mechanism::name),
        "figures": figures,
    });
    (report.property.name().to_owned(), document)
}

fn witness(witness: &Witness) -> Value {
    json!({
        "summary": witness.summary,
        "count": witness.count,
        "operations": witness.operations.iter().map(|op| op.0).collect::<Vec<_>>(),
        "nodes": witness.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "write": witness.write.map(|version| version.to_string()),
    })
}

fn fault(act: &FaultAct) -> Value {
    json!({
        "fault": act.fault,
        "event": if act.starts { "start" } else { "end" },
        "at_ns": act.at.nanos(),
        "what": act.what,
    })
}

fn last_write(last: LastWrite) -> Value {
    json!({
        "answered_at_ns": last.at.nanos(),
        "leader": last.leader.to_string(),
        "followers": last.followers,
        "replica_keys": last.replica_keys(),
        "differing": last.differing,
        "agreed_after_ns": last.agreed_after().map(crate::time::Span::nanos),
    })
}

fn settled(settlement: &Settlement) -> Value {
    let nothing = Vec::new();
    let (outcome, after, waiting_for, stuck) = match settlement {
        Settlement::Settled { after } => ("settled", Some(after.nanos()), &nothing, None),
        Settlement::Unsettled { waiting_for } => ("unsettled", None, waiting_for, None),
        Settlement::Stuck { at, why } => ("stuck", None, &nothing, Some((at.nanos(), *why))),
    };
    let (events, pending) = match stuck {
        Some((_, Standstill::Loop { events })) => (Some(events), None),
        Some((_, Standstill::Crowd { pending })) => (None, Some(pending)),
        None => (None, None),
    };
    json!({
        "outcome": outcome,
        "after_ns": after,
        "waiting_for": waiting_for,
        "stuck_at_ns": stuck.map(|(at, _)| at),
        "stuck_events": events,
        "stuck_pending": pending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Lengths, sample};

    fn keys(value: &Value) -> String {
        let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.join(" ")
    }

    fn report() -> (Report, Lengths) {
        let (config, result) = sample::run();
        Report::of("quickstart", &config, &result)
    }

    #[test]
    fn a_run_has_the_documented_keys_and_values() {
        let document = run(&report().0);
        assert_eq!(
            keys(&document),
            "scenario title seed digest verdict virtual_time_ns events operations latency_ns \
             checks network leaders faults last_write settled expectations warnings"
        );
        assert_eq!(document["digest"], "0123456789abcdef");
        assert_eq!(keys(&document["operations"]), "invoked ok fail info degraded unserved errors");
        assert_eq!(document["operations"]["invoked"], 6);
        assert_eq!(document["operations"]["info"], 2, "pending is unknown");
        assert_eq!(document["operations"]["errors"]["not-leader"], 1);
        assert_eq!(keys(&document["latency_ns"]), "put list read-all");
        assert_eq!(keys(&document["latency_ns"]["put"]), "count mean p50 p95 p99 p999 max");
        assert_eq!(document["latency_ns"]["put"]["mean"], 100_000_000);
        let durability = &document["checks"]["durability"];
        assert_eq!(
            keys(durability),
            "verdict expected promise why voided_by reason witness mechanism figures"
        );
        assert_eq!(
            (&durability["verdict"], &durability["expected"]),
            (&"violation".into(), &"violation".into())
        );
        assert_eq!(durability["witness"]["write"], "0.001000000@n1#1");
        assert_eq!(durability["figures"]["lost"], 3);
        assert_eq!(
            document["checks"]["staleness"]["voided_by"][0],
            "a message from n1 to n2 was lost or blocked at 5.000000000 s"
        );
        assert_eq!(keys(&document["network"]), "sent delivered lost duplicated blocked by_kind");
        let by_kind = &document["network"]["by_kind"];
        assert_eq!(keys(by_kind), "replicate ack", "no state was sent");
        assert_eq!(by_kind["ack"], json!({ "sent": 300, "delivered": 260 }));
        assert_eq!(keys(&document["leaders"][1]), "term node from_ns until_ns");
        assert_eq!(document["leaders"][1]["until_ns"], Value::Null);
        let last = &document["last_write"];
        assert_eq!(
            keys(last),
            "answered_at_ns leader followers replica_keys differing agreed_after_ns"
        );
        assert_eq!(
            (&last["replica_keys"], &last["agreed_after_ns"]),
            (&8.into(), &90_000_000.into())
        );
        assert_eq!(document["settled"]["after_ns"], 1_200_000_000);
        assert_eq!(keys(&document["expectations"][0]), "name met found");
    }

    #[test]
    fn verified_stands_behind_the_verdict_and_in_no_other_document() {
        let report = report().0;
        let document = verified(&report, true);
        assert!(keys(&document).starts_with("scenario title seed digest verdict verified virtual"));
        assert_eq!(document["verified"], true);
        assert!(run(&report).get("verified").is_none());
    }

    #[test]
    fn several_runs_pool_their_latencies() {
        let mut totals = RunTotals::new("quickstart", "A title");
        for _ in 0..3 {
            let (report, lengths) = report();
            totals.add(&report, lengths);
        }
        let document = runs(&mut totals, RunVerdict::Pass, vec![Value::Null; 3]);
        assert_eq!(keys(&document), "scenario title verdict summary runs");
        let summary = &document["summary"];
        assert_eq!(keys(summary), "runs pass fail unknown checks operations latency_ns network");
        assert_eq!((&summary["runs"], &summary["pass"]), (&3.into(), &3.into()));
        assert_eq!(summary["checks"]["durability"]["violation"], 3);
        assert_eq!(
            keys(&summary["checks"]["durability"]),
            "valid allowed violation unknown unchecked"
        );
        assert_eq!(summary["latency_ns"]["put"]["count"], 3);
        assert_eq!(summary["operations"]["invoked"], 18);
    }
}

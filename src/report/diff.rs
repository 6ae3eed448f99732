//! Where two runs diverge, as text and as JSON.
//!
//! The document: `{scenario, same, runs[{seed, sets[], digest, events, breaches[]}], event,
//! at_ns, before[..], sides[{event{..}, causes[..], causes_left_out, in_the_other_at_ns}],
//! cause{event{..}, did_alone[[], []]}, why}`. An event is `{event, at_ns, line,
//! did[]}`. If the runs are the same, everything from `event` on is null. A side is null if its run
//! had ended. Documents count events from 0; text, and `explain --event`, from 1.

use serde_json::{Value, json};

use crate::report::breach::breach_keys;
use crate::report::layout::{counted, moment, wrap};
use crate::run::diff::{CommonCause, EventAccount, Parting, Recording, Side, TracedEvent};

/// Two runs, compared.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The two runs.
    pub contenders: [Contender<'a>; 2],
    /// Where they diverge; `None` if they are the same.
    pub parting: Option<&'a Parting>,
}

/// One of two runs.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    /// Its seed.
    pub seed: u64,
    /// The `--set` arguments of its scenario.
    pub sets: &'a [String],
    /// The run.
    pub account: &'a Recording,
}

impl Contender<'_> {
    fn text(&self) -> String {
        let sets: String = self.sets.iter().map(|set| format!(" --set {set}")).collect();
        let digest = self.digest().unwrap_or_else(|| "none".to_owned());
        let events = counted(self.account.events() as u64, "event");
        let mut text = format!("--seed {}{sets}: {events}, digest {digest}", self.seed);
        for breach in self.account.breaches() {
            let (property, event) = (breach.property, breach.moment.event);
            text += &format!("\n          breaks {property} in event {event}");
        }
        text
    }

    fn digest(&self) -> Option<String> {
        self.account.digest().map(|digest| digest.to_string())
    }
}

/// The comparison for people.
#[must_use]
pub fn text(compared: &Compared<'_>) -> String {
    let [first, second] = &compared.contenders;
    let head =
        format!("{}\n  first   {}\n  second  {}\n", compared.scenario, first.text(), second.text());
    let Some(parting) = compared.parting else {
        return format!("{head}\nThe two runs are the same, event by event.\n");
    };
    let at = parting.sides.iter().flatten().map(|side| side.event.at).min();
    let at = at.map_or_else(String::new, |at| format!(", at {}", moment(at)));
    let mut out = format!("{head}\nThey part in event {}{at}.\n\n", parting.event + 1);
    for event in &parting.before {
        out.push_str(&format!("  both    {}\n", event.line));
    }
    for (name, side) in ["first ", "second"].into_iter().zip(&parting.sides) {
        let line = side.as_ref().map_or("(the run had ended)", |side| side.event.line.as_str());
        out.push_str(&format!("  {name}  {line}\n"));
    }
    out.push_str(&format!("\n{}\n", wrap(&why(compared), 0)));
    if let Some(CommonCause { event, did_alone }) = &parting.cause
        && did_alone.iter().any(|lines| !lines.is_empty())
    {
        out.push_str(&format!("\n  both    {}\n", event.line));
        for (name, lines) in ["first ", "second"].into_iter().zip(did_alone) {
            out.extend(lines.iter().map(|line| format!("  {name}  {line}\n")));
        }
    }
    match &parting.sides {
        [Some(first), Some(second)] if first.causes == second.causes => {
            out.push_str(&causes_text("both runs", first));
        }
        sides => {
            for (name, side) in ["the first run", "the second run"].into_iter().zip(sides) {
                out.extend(side.iter().map(|side| causes_text(name, side)));
            }
        }
    }
    out
}

fn causes_text(name: &str, side: &Side) -> String {
    chain_text(&format!("What led to it in {name}"), &side.causes, side.causes_left_out)
}

/// A chain of causes, the nearest first, from its root.
fn chain_text(head: &str, causes: &[TracedEvent], left_out: usize) -> String {
    if causes.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{head}, from the root:\n");
    for (place, event) in causes.iter().enumerate().rev() {
        out.push_str(&format!("          {}\n", event.line));
        if place + 1 == causes.len() && left_out > 0 {
            let more = counted(left_out as u64, "event");
            out.push_str(&format!("          ... {more} between\n"));
        }
    }
    out
}

/// One event of a run, for people.
#[must_use]
pub fn event_text(scenario: &str, seed: u64, run: &Recording, account: &EventAccount) -> String {
    let EventAccount { event, before, causes, causes_left_out, breaches } = account;
    let (number, events) = (event.event + 1, run.events());
    let mut out = format!(
        "{scenario}  seed {seed}\n\nEvent {number} of {events}, at {}.\n\n",
        moment(event.at)
    );
    for event in before {
        out.push_str(&format!("  before  {}\n", event.line));
    }
    out.push_str(&format!("  event   {}\n", event.line));
    out.extend(event.did.iter().map(|line| format!("          {line}\n")));
    for breach in breaches {
        let text = format!("This breaks {}: {}.", breach.property, breach.sentence());
        out.push_str(&format!("\n{}\n", wrap(&text, 0)));
    }
    out + &chain_text("What led to it", causes, *causes_left_out)
}

/// One event of a run, as a document: `{scenario, seed, digest, events, event{..}, before[..],
/// causes[..], causes_left_out, breaches[..]}`.
#[must_use]
pub fn event_document(scenario: &str, seed: u64, run: &Recording, account: &EventAccount) -> Value {
    json!({
        "scenario": scenario,
        "seed": seed,
        "digest": run.digest().map(|digest| digest.to_string()),
        "events": run.events(),
        "event": traced(&account.event),
        "before": account.before.iter().map(traced).collect::<Value>(),
        "causes": account.causes.iter().map(traced).collect::<Value>(),
        "causes_left_out": account.causes_left_out,
        "breaches": account.breaches.iter().map(breach_keys).collect::<Value>(),
    })
}

/// The cause of the difference, as far as it is known, in a few sentences.
fn why(compared: &Compared<'_>) -> String {
    let Some(parting) = compared.parting else { return "nothing differs".to_owned() };
    let [first, second] = &compared.contenders;
    let source = match (first.seed == second.seed, second.sets) {
        (true, sets) => format!("{} alone tells the runs apart", sets.join(" and ")),
        (false, []) => "the seeds alone tell the runs apart: every draw differs".to_owned(),
        (false, sets) => format!("the seeds and {} tell the runs apart", sets.join(" and ")),
    };
    let mut sentences = vec![match &parting.cause {
        Some(cause) if cause.did_alone.iter().any(|lines| !lines.is_empty()) => format!(
            "Why: the last cause that both have, event {}, did not do the same in both",
            cause.event.event + 1
        ),
        Some(cause) => format!(
            "Why: what event {}, which both have, led to came at another time or not at all",
            cause.event.event + 1
        ),
        None => "Why: this was drawn or set before the first event".to_owned(),
    }];
    for (name, side) in ["first", "second"].into_iter().zip(&parting.sides) {
        let Some(side) = side else { continue };
        let other = if name == "first" { "second" } else { "first" };
        let sentence = match side.in_the_other {
            Some(at) if at == side.event.at => {
                format!("the event of the {name} run comes in the {other} too, at the same time")
            }
            Some(at) => format!("the event of the {name} run comes in the {other} at {at} s"),
            // Without a common cause that is expected.
            None if parting.cause.is_none() => continue,
            None => format!("the event of the {name} run never comes in the {other}"),
        };
        sentences.push(sentence);
    }
    sentences.push(source);
    format!("{}.", sentences.join("; "))
}

/// The comparison as a document.
#[must_use]
pub fn document(compared: &Compared<'_>) -> Value {
    let contender = |contender: &Contender<'_>| {
        json!({
            "seed": contender.seed,
            "sets": contender.sets,
            "digest": contender.digest(),
            "events": contender.account.events(),
            "breaches": contender.account.breaches().iter().map(breach_keys).collect::<Value>(),
        })
    };
    let parting = compared.parting;
    let at = parting.and_then(|p| p.sides.iter().flatten().map(|side| side.event.at.nanos()).min());
    let side = |side: &Option<Side>| {
        side.as_ref().map(|side| {
            json!({
                "event": traced(&side.event),
                "causes": side.causes.iter().map(traced).collect::<Value>(),
                "causes_left_out": side.causes_left_out,
                "in_the_other_at_ns": side.in_the_other.map(crate::time::Time::nanos),
            })
        })
    };
    let cause = parting
        .and_then(|parting| parting.cause.as_ref())
        .map(|cause| json!({ "event": traced(&cause.event), "did_alone": cause.did_alone }));
    json!({
        "scenario": compared.scenario,
        "same": parting.is_none(),
        "runs": compared.contenders.iter().map(contender).collect::<Value>(),
        "event": parting.map(|parting| parting.event),
        "at_ns": at,
        "before": parting.map(|parting| parting.before.iter().map(traced).collect::<Value>()),
        "sides": parting.map(|parting| parting.sides.iter().map(side).collect::<Vec<_>>()),
        "cause": cause,
        "why": parting.map(|_| why(compared)),
    })
}

fn traced(event: &TracedEvent) -> Value {
    json!({
        "event": event.event,
        "at_ns": event.at.nanos(),
        "line": event.line,
        "did": event.did,
    })
}

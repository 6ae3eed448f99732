//! Explanations of single writes, as text and as JSON.
//!
//! The document: `{scenario, seed, digest, durability, lost, mechanisms{NAME: count},
//! discarded{count, mechanisms{NAME: count}, first[{operation, call}]}, writes[{operation, call,
//! status, version, fate, mechanism, phrase, decisive{node, at_ns}, steps[{at_ns, who[], kind,
//! text}], left_out}], untold, reads[{check, verdict, operation, summary, mechanism, phrase,
//! text}], breaches[{check, event, at_ns, node, term, index, summary, verdict}]}`.
//!
//! - `event` is counted from 0, as in `diff`; text, and `--event`, count from 1.
//! - `fate` is `lost`, `discarded` or null; if it is null, so are `mechanism`, `phrase` and
//!   `decisive`.
//! - `discarded` is null if it is not known.
//! - `untold` is how many more writes were in question.

use serde_json::{Map, Value, json};

use crate::check::Mechanism;
use crate::check::replicated_log::Breach;
use crate::config::ExpectedVerdict;
use crate::explain::story::{Gone, Story, StoryStep};
use crate::explain::{BrokenRead, Discarded, Explanation, Question};
use crate::id::OpId;
use crate::named::Named;
use crate::report::breach::breach_keys;
use crate::report::layout::{counted, moment, width, wrap};

/// How many nodes are named beside a step.
const MOST_NAMED: usize = 4;

/// The explanation for people.
#[must_use]
pub fn text(scenario: &str, asked: &Question, explanation: &Explanation) -> String {
    let Explanation { seed, digest, durability, lost, .. } = explanation;
    let mut out = format!("{scenario}  seed {seed}  digest {digest}\n");
    let by = mechanisms_text(&explanation.mechanisms);
    let losses = match lost {
        0 => "no acknowledged write was lost".to_owned(),
        1 => format!("1 acknowledged write was lost ({by})"),
        _ => format!("{} were lost: {by}", counted(*lost, "acknowledged write")),
    };
    out.push_str(&wrap(&format!("durability {}: {losses}", durability.name()), 0));
    out.push('\n');
    if let Some(discarded) = &explanation.discarded
        && discarded.count > 0
    {
        out.push_str(&wrap(&discarded_text(discarded), 0));
        out.push('\n');
    }
    for story in &explanation.stories {
        out.push('\n');
        out.push_str(&story_text(story));
    }
    if explanation.untold > 0 {
        let how = match asked {
            Question::Lost => "the first by each mechanism is told; --write VALUE tells another",
            Question::Write(_) => "--write KEY=VALUE tells fewer",
        };
        let more = format!("and {}: {how}", counted(explanation.untold, "more write"));
        out.push_str(&format!("\n{}\n", wrap(&more, 0)));
    }
    for (breach, judged) in &explanation.breaches {
        out.push('\n');
        out.push_str(&breach_text(breach, *judged));
    }
    for (place, read) in explanation.reads.iter().enumerate() {
        out.push('\n');
        out.push_str(&read_text(read, explanation.reads[..place].last()));
    }
    out
}

/// How many writes were discarded, how, and which of them, in a line or two.
fn discarded_text(discarded: &Discarded) -> String {
    let what = counted(discarded.count, "acknowledged write");
    let by = mechanisms_text(&discarded.mechanisms);
    let told: Vec<&str> = discarded.first.iter().map(|(_, call)| call.as_str()).collect();
    let more = if told.len() as u64 == discarded.count { "" } else { ", .." };
    let which = told.join(", ");
    if discarded.count == 1 {
        format!("{what} was discarded ({by}): its key was written again without it: {which}")
    } else {
        format!(
            "{what} were discarded ({by}): their keys were written again without them: \
             {which}{more}"
        )
    }
}

/// `3 truncated, 1 older-timestamp`.
fn mechanisms_text(mechanisms: &[(Mechanism, u64)]) -> String {
    let by: Vec<String> =
        mechanisms.iter().map(|(mechanism, count)| format!("{count} {mechanism}")).collect();
    by.join(", ")
}

/// Where an invariant of the replicated log was broken.
fn breach_text(breach: &Breach, judged: ExpectedVerdict) -> String {
    let head = format!("{} {}: {}", breach.property, judged.name(), breach.sentence());
    let more = match breach.moment.event {
        0 => "at the first boot, before any event".to_owned(),
        event => format!("in event {event}: --event {event} shows it, and what led to it"),
    };
    format!("{}\n{}\n", wrap(&head, 0), wrap(&more, 4))
}

/// How a read missed a write. If the read before has the same explanation, it is not repeated.
fn read_text(read: &BrokenRead, before: Option<&BrokenRead>) -> String {
    let BrokenRead { property, judged, .. } = read;
    let how = read.mechanism.map_or_else(String::new, |how| format!(" ({how})"));
    let head = format!("{property} {}{how}: {}", judged.name(), read.summary);
    let text = match &read.text {
        Some(_) if before.is_some_and(|before| before.text == read.text) => "the same read",
        Some(text) => text.as_str(),
        None => "how the replica that answered came to lack that write is not known",
    };
    format!("{}\n{}\n", wrap(&head, 0), wrap(text, 4))
}

fn story_text(story: &Story) -> String {
    let fate = match (story.fate, story.mechanism) {
        (Some(fate), Some(mechanism)) => format!("{}: {mechanism}", fate.name()),
        _ => story.status.name().to_owned(),
    };
    let mut out = format!("{}  {fate}\n", story.call);
    let wide = story.steps.iter().map(|step| width(&actors(step))).max().unwrap_or(0);
    for step in &story.steps {
        // The first line has the time and the nodes in its margin.
        let lines = wrap(&step.text, 10 + 2 + wide + 2);
        let (at, who) = (moment(step.at), actors(step));
        out.push_str(&format!("{at:>10}  {who:<wide$}  {}\n", lines.trim_start()));
    }
    if story.left_out > 0 {
        let what = counted(story.left_out, "lesser or repeated step");
        out.push_str(&format!("{:>10}  ({what} left out)\n", ""));
    }
    out
}

/// The nodes of a step: `n1`, `n2 n3`, `n2 n3 n4 +2`.
fn actors(step: &StoryStep) -> String {
    if step.who.len() <= MOST_NAMED {
        return step.who.join(" ");
    }
    let named = &step.who[..MOST_NAMED - 1];
    format!("{} +{}", named.join(" "), step.who.len() - named.len())
}

fn breach_document((breach, judged): &(Breach, ExpectedVerdict)) -> Value {
    let mut document = breach_keys(breach);
    document["verdict"] = judged.name().into();
    document
}

/// The explanation as a document.
#[must_use]
pub fn document(scenario: &str, explanation: &Explanation) -> Value {
    json!({
        "scenario": scenario,
        "seed": explanation.seed,
        "digest": explanation.digest.to_string(),
        "durability": explanation.durability.name(),
        "lost": explanation.lost,
        "mechanisms": mechanisms_document(&explanation.mechanisms),
        "discarded": explanation.discarded.as_ref().map(discarded_document),
        "writes": explanation.stories.iter().map(story_document).collect::<Value>(),
        "untold": explanation.untold,
        "reads": explanation.reads.iter().map(read_document).collect::<Value>(),
        "breaches": explanation.breaches.iter().map(breach_document).collect::<Value>(),
    })
}

fn mechanisms_document(mechanisms: &[(Mechanism, u64)]) -> Map<String, Value> {
    let count =
        |(mechanism, count): &(Mechanism, u64)| (mechanism.name().to_owned(), Value::from(*count));
    mechanisms.iter().map(count).collect()
}

fn discarded_document(discarded: &Discarded) -> Value {
    let one = |(op, call): &(OpId, String)| json!({ "operation": op.0, "call": call });
    json!({
        "count": discarded.count,
        "mechanisms": mechanisms_document(&discarded.mechanisms),
        "first": discarded.first.iter().map(one).collect::<Value>(),
    })
}

fn read_document(read: &BrokenRead) -> Value {
    json!({
        "check": read.property.name(),
        "verdict": read.judged.name(),
        "operation": read.operation.0,
        "summary": read.summary,
        "mechanism": read.mechanism.map(Mechanism::name),
        "phrase": read.mechanism.map(Mechanism::phrase),
        "text": read.text,
    })
}

fn story_document(story: &Story) -> Value {
    let step = |step: &StoryStep| {
        json!({
            "at_ns": step.at.nanos(),
            "who": step.who,
            "kind": step.kind.name(),
            "text": step.text,
        })
    };
    let decisive =
        story.decisive.map(|(node, at)| json!({ "node": node.to_string(), "at_ns": at.nanos() }));
    json!({
        "operation": story.operation.0,
        "call": story.call,
        "status": story.status.name(),
        "version": story.version.map(|version| version.to_string()),
        "fate": story.fate.map(Gone::name),
        "mechanism": story.mechanism.map(Mechanism::name),
        "phrase": story.mechanism.map(Mechanism::phrase),
        "decisive": decisive,
        "steps": story.steps.iter().map(step).collect::<Value>(),
        "left_out": story.left_out,
    })
}

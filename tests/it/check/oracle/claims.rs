//! What the oracle says of a run, to be held against what the report says.

use serde_json::{Map, Value as Json};

use super::files::Files;
use super::leaders::leaderships;

/// What a plain recomputation finds of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It held.
    Holds,
    /// It was broken, in so many cases.
    Broken(u64),
    /// Nobody can tell.
    Unknown,
    /// It needs a bound, and none is set.
    Unchecked,
}

/// Places of `result.json`, by JSON pointer, and what stands there.
#[derive(Default)]
pub(crate) struct Claims(pub(crate) Vec<(String, Json)>);

impl Claims {
    /// At `pointer` the report says `is`, and nothing else.
    pub(crate) fn say(&mut self, pointer: impl Into<String>, is: impl Into<Json>) {
        self.0.push((pointer.into(), is.into()));
    }

    /// The report says of `property` what follows from what was found and from its promise, in as
    /// many cases, with these figures and no others.
    pub(crate) fn property(
        &mut self,
        files: &Files,
        property: &str,
        found: Found,
        figures: &[(&str, u64)],
    ) {
        let verdict = judged(files, property, found);
        self.say(format!("/checks/{property}/verdict"), verdict);
        let count = match (found, verdict) {
            (Found::Broken(count), "violation" | "allowed") => Json::from(count),
            _ => Json::Null,
        };
        self.say(format!("/checks/{property}/witness/count"), count);
        let figures: Map<String, Json> =
            figures.iter().map(|(name, figure)| ((*name).to_owned(), (*figure).into())).collect();
        self.say(format!("/checks/{property}/figures"), figures);
    }
}

/// What is found of a property in the word of the report.
fn judged(files: &Files, property: &str, found: Found) -> &'static str {
    let check = &files.report["checks"][property];
    let voided = check["voided_by"].as_array().is_some_and(|by| !by.is_empty());
    let promised = match check["promise"].as_str() {
        Some("always") => true,
        Some("unless") => !voided,
        Some("never") => false,
        other => panic!("{other:?} is no promise of {property}"),
    };
    let in_the_end = matches!(property, "convergence" | "lww-maximum" | "durability" | "liveness");
    match found {
        Found::Holds => "valid",
        Found::Unknown => "unknown",
        Found::Unchecked => "unchecked",
        Found::Broken(_) if !promised => "allowed",
        Found::Broken(_) if in_the_end && is_too_soon(files) => "unknown",
        Found::Broken(_) => "violation",
    }
}

/// Whether the cluster was still settling as `settle` ran out, and that is less than its settings
/// may need, or less than that since somebody began or ended to lead, where that may happen at any
/// time.
fn is_too_soon(files: &Files) -> bool {
    let (duration, settle) = (span(files, "duration"), span(files, "settle"));
    if files.report["settled"]["outcome"] != "unsettled" || files.ended_ns() < duration + settle {
        return false;
    }
    let Some((needed, anew)) = files.settles else { return true };
    let changes = leaderships(files).into_iter().flat_map(|led| [Some(led.from_ns), led.until_ns]);
    let last = changes.flatten().max().unwrap_or(0);
    needed > settle || anew && last > duration + needed && files.ended_ns() - last < needed
}

/// A length of time that every scenario of the generator sets.
pub(crate) fn span(files: &Files, path: &str) -> u64 {
    files.span(path).unwrap_or_else(|| panic!("the scenario sets no {path}"))
}

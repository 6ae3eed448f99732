//! What the oracle says of a run, to compare with the report.

use serde_json::{Map, Value as Json};

use super::files::Files;
use super::leaders::leaderships;

/// What a plain recomputation finds of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It held.
    Holds,
    /// It was broken, in this many cases.
    Broken(u64),
    /// It cannot be told.
    Unknown,
    /// It needs a bound, and none is set.
    Unchecked,
}

/// Values of `result.json` by JSON pointer.
#[derive(Default)]
pub(crate) struct Claims(pub(crate) Vec<(String, Json)>);

impl Claims {
    /// The report must have exactly `is` at `pointer`.
    pub(crate) fn say(&mut self, pointer: impl Into<String>, is: impl Into<Json>) {
        self.0.push((pointer.into(), is.into()));
    }

    /// The report's verdict on `property` must follow from what was found and from its promise,
    /// with this number of cases and exactly these figures.
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

/// The finding in the report's word.
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

/// Whether the cluster was still settling when `settle` ended, and had less time than its settings
/// may need: counted from the last change of leaders where those may change at any time.
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

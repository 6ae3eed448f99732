//! Fuzzing: random schedules of faults, campaigns of many cases, and shrinking what they find.
//!
//! Case `i` of a campaign is a pure function of the scenario, the campaign's seed and `i`. Reading order: [`subject`]
//! (what is fuzzed), `generate` (a case's faults, settings and clocks), [`judge`] (what of a run counts as a find, and
//! its signature), [`play`] (one case, played), `coverage` (what was exercised), `campaign` (many cases), `shrink` (a
//! find, made small).

mod generate;
pub mod judge;
pub mod play;
pub mod shrink;
pub mod subject;

//! Fuzzing: random schedules of faults, campaigns of many cases, and shrinking what they find.
//!
//! Case `i` of a campaign is a pure function of the scenario, the campaign's seed and `i`. Reading order: [`subject`]
//! (what is fuzzed), `generate` (a case's faults), `budget` (how many nodes they stop at once), [`judge`] (what of a run
//! counts as a find, and its signature), [`play`] (one case, played), [`coverage`] (what was exercised), [`campaign`]
//! (many cases), [`store`] (what is kept of them), [`tally`] (what they came to), [`shrink`] (a find, made small),
//! [`violation`] (a kind of find, with its small scenario), [`merge`] (parts of a campaign made one), [`text`] (for
//! people).

mod budget;
pub mod campaign;
pub mod coverage;
mod generate;
pub mod judge;
pub mod merge;
pub mod play;
pub mod shrink;
pub mod store;
pub mod subject;
pub mod tally;
pub mod text;
pub mod violation;
pub mod written_out;

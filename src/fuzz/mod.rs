//! Fuzzing: campaigns of many cases with random faults, and shrinking what they find.
//!
//! Case `i` of a campaign is a pure function of the scenario, the campaign's seed and `i`.
//!
//! Reading order:
//!
//! - one case: [`target`] (what is fuzzed, and its cases), `generate` (the faults of a case),
//!   `budget` (how many nodes they may have down at once), [`play`] (a case, played), [`judge`]
//!   (what of a run counts as a find, and its signature), [`coverage`] (what a run exercised);
//! - a campaign: [`identity`] (which campaign, which shard), [`record`] and [`cases`] (what is kept
//!   of its cases), [`campaign`] (playing them), [`totals`] (their sum), [`merge`] (of shards);
//! - its finds: [`shrink`] (a find made small), [`violation`] (a kind of find with its small
//!   scenario), [`text`] (the report for people).

mod budget;
pub mod campaign;
pub mod cases;
pub mod coverage;
mod generate;
pub mod identity;
pub mod judge;
pub mod merge;
pub mod play;
pub mod record;
pub mod shrink;
pub mod target;
pub mod text;
pub mod totals;
pub mod violation;
pub mod written_out;

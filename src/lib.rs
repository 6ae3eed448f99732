//! splitbrain: a deterministic discrete-event simulator of replicated key-value stores.

pub mod check;
pub mod cli;
pub mod config;
pub mod digest;
pub mod history;
pub mod id;
pub mod metrics;
pub mod property;
pub mod protocol;
pub mod report;
pub mod rng;
pub mod run;
pub mod sampler;
pub mod scenario;
pub mod time;

//! splitbrain: a deterministic discrete-event simulator of replicated key-value stores.

pub mod time;
pub mod id;
pub mod rng;
pub mod sampler;
pub mod digest;
pub mod config;
pub mod property;
pub mod history;
pub mod metrics;
pub mod protocol;
pub mod check;
pub mod sim;
pub mod run;
pub mod scenario;

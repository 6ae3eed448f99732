//! splitbrain: a deterministic discrete-event simulator of replicated key-value stores, with verdicts.
//!
//! Every node of a cluster is a state machine in one process, behind a seeded virtual clock and a message queue
//! that delays, loses, duplicates and partitions. A run is a pure function of a scenario and a seed; checkers say
//! whether acknowledged writes survived, whether replicas converged, and what a client could see.
//!
//! # The path of one write
//!
//! [`cli`] reads a file -> [`scenario`] turns TOML into a validated [`config::Config`] and a protocol with its
//! settings -> [`run::run`] -> `sim::clients` invokes `put(k, v)` and the [`history`] notes it -> `sim::network`
//! decides delay, loss and duplication from keyed draws ([`rng`]) -> `sim::node` -> [`protocol::Protocol::handle`]
//! stamps, applies and sends -> network -> follower -> acknowledgement -> the leader counts the quorum and replies
//! -> the client completes and the history notes it -> [`check`] reads the history and the final nodes ->
//! [`report`] tells it.
//!
//! # The map
//!
//! Modules are declared below in reading order, lowest layer first; a module imports from its own layer and below,
//! and `tests/layering/` holds that.
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`time`], [`id`], [`rng`], [`sampler`], [`digest`], [`named`], `spelling` |
//! | 1 | [`operation`], [`names`], [`config`], [`property`], [`history`], [`metrics`] |
//! | 2 | [`protocol`]: the contract, [`protocol::harness`], [`protocol::parts::store`], [`protocol::parts::wal`], [`protocol::leader_follower`] |
//! | 3 | [`check`]: one file a checker |
//! | 4 | [`sim`]: event, queue, kernel, node, clock, disk, network, clients, nemesis, settle, notes |
//! | 5 | [`run`], [`explain`], [`scenario`] |
//! | 6 | [`report`]: text, JSON, files, pictures; [`experiment`]: sweeps and comparisons, many runs and their statistics; [`fuzz`]: random schedules, campaigns, shrinking |
//! | 7 | [`cli`]: one file a command; the only code that prints |
//!
//! Start with [`protocol::authors`] to write a protocol, or with [`sim`] for the loop that plays one.
//!
//! # Absent on purpose
//!
//! Sockets, TLS, authentication, containers, an async runtime, threads inside a run, and any clock or generator
//! other than the run's own. The one process is the point.

pub mod time;

pub mod id;

pub mod rng;

pub mod sampler;

pub mod digest;

pub mod named;

mod spelling;

pub mod operation;

pub mod names;

pub mod config;

pub mod property;

pub mod history;

pub mod metrics;

pub mod protocol;

pub mod check;

pub mod sim;

pub mod run;

pub mod explain;

pub mod scenario;

pub mod report;

pub mod experiment;

pub mod fuzz;

pub mod cli;

/// The Rust of README.md, compiled as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! splitbrain: a deterministic discrete-event simulator of replicated key-value stores.
//!
//! Every node of a cluster is a state machine in one process, behind a seeded virtual clock and a
//! message queue that delays, loses, duplicates and partitions. A run is a pure function of a
//! scenario and a seed. Checkers say whether acknowledged writes survived, whether replicas
//! converged, and what clients could see.
//!
//! # The path of one write
//!
//! 1. [`cli`] reads a file, and [`scenario`] turns it into a validated [`config::Config`], the
//!    [`names`] behind its ids, and the settings of a protocol.
//! 2. [`run::run`] builds a [`sim::Simulation`] and plays it. Its clients invoke `put(k, v)`; the
//!    [`history`] notes the invocation.
//! 3. The simulated network decides delay, loss and duplication by keyed draws ([`rng`]).
//! 4. [`protocol::Protocol::handle`] runs on the leader: it stamps the write, appends it to the
//!    log, applies it and sends it to the followers. A follower applies and acknowledges it.
//! 5. The leader counts the quorum and replies. The client completes; the history notes that.
//! 6. [`check`] reads the history and the nodes at the end; [`explain`] finds why something broke;
//!    [`report`] writes it down.
//!
//! # The map
//!
//! Modules are declared below in reading order, lowest layer first. A module imports from its own
//! layer and below, and no two files import each other. `tests/layering` holds both.
//!
//! - **0**: [`time`], [`id`], [`rng`], [`sampler`], [`digest`], [`named`], `spelling`. Integers:
//!   no float leaves a sampler. A draw is a function of seed, purpose and causal identity, never
//!   the next number of a stream.
//! - **1**: [`operation`], [`names`], [`config`], [`property`], [`history`], [`metrics`]. Data. A
//!   setting here is validated, and nothing is optional in the sense of "the default".
//!   [`linearizability`] uses layer 0 alone, for histories that others recorded know none of ours.
//! - **2**: [`protocol`]. No simulation, file, clock or thread: time, chance and effects go through
//!   [`protocol::Context`]. [`protocol::parts`] knows no protocol, and no protocol knows another.
//! - **3**: [`check`]. A checker is a pure function of a history and of what nodes observed. It
//!   never sees a simulation.
//! - **4**: [`sim`]. One event at a time, in the order (time, sequence). What happens depends on
//!   scenario and seed alone: no hash map, no float, no clock of the machine.
//! - **5**: [`run`], [`explain`], [`scenario`], [`foreign`]. TOML lives in [`scenario`] alone. It
//!   reports all mistakes of a file at once, each with its place. [`foreign`] reads histories that
//!   others recorded.
//! - **6**: [`report`], [`experiment`], [`fuzz`]. Output holds no path, date or thread order: two
//!   runs write the same bytes. Threads play many seeds, never one run.
//! - **7**: [`cli`]. The only code that prints or exits.
//!
//! # Words
//!
//! - **Ticket**: the name of an operation on a node's disk. [`protocol::Input::Persisted`] brings
//!   it back when the operation is durable; only then may leave what depends on it.
//! - **Causal identity** ([`rng::CausalId`]): the name of an event, hashed from its cause. Draws
//!   are keyed by it, so taking a fault away changes only what that fault caused.
//! - **Observation** ([`protocol::Observation`]): what a protocol says of itself (role, accept,
//!   apply, discard; of a replicated log vote, append, commit and more). Checkers and explanations
//!   read these.
//! - **Ledger** ([`check::replicated_log`]): what all nodes said of their replicated logs. It holds
//!   them against one another as the simulation feeds it, and finds where an invariant broke.
//! - **Version** ([`id::Version`]): timestamp, node and sequence of a write, as stores compare it.
//!   Two writes may have one version; the operation that wrote a value is known beside it.
//! - **Promise** and **hazard** ([`property`]): what a configuration guarantees of a property, and
//!   the faults that void it. A broken property is a *violation* where it was promised, else
//!   *allowed*.
//! - **Verdict** and **witness** ([`check`]): valid, invalid with the events that show it, or
//!   unknown with the reason.
//! - **Mechanism** ([`explain`]): how a write was lost, in one of some twenty ways.
//! - **Trigger** ([`config::Trigger`]): the moment of a run that starts a fault. Five such moments
//!   are of a replicated log ([`config::LogMoment`]).
//! - **Batch** ([`operation::Batches`]): several operations on single keys, done at one place in
//!   the order or not at all. An [`operation::Operation`] holds only its id, and so stays small.
//! - **Access** ([`history::History::accesses`]): what an operation does to one key. A batch and a
//!   compare-and-set have several; checkers judge these as gets and writes, in their place.
//! - **Session** ([`protocol::Session`]): a client and the sequence of its operation, the same in
//!   all attempts. [`protocol::parts::session`] keeps what each client was answered.
//!
//! # Start here
//!
//! - *to write a protocol*: [`protocol::authors`], the contract as a table of duties;
//!   [`protocol::harness`] plays nodes step by step.
//! - *to write a checker*: [`check`], then a short one such as `check/convergence.rs`. Its property
//!   goes to [`property::Property`], its promise to each protocol.
//! - *to add a fault*: [`config::FaultAction`], `scenario/faults.rs`, and `sim/nemesis`.
//! - *to add a setting*: its one declaration in `scenario/`, and the field in [`config`] or in the
//!   protocol's settings.
//! - *to change the kernel*: [`sim`], the loop that pops, dispatches and drains.
//!
//! # Absent on purpose
//!
//! Sockets, TLS, authentication, containers, an async runtime, threads inside a run, and any clock
//! or generator other than the run's own. The one process is the point.

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

pub mod linearizability;

pub mod protocol;

pub mod check;

pub mod sim;

pub mod run;

pub mod explain;

pub mod scenario;

pub mod foreign;

pub mod report;

pub mod experiment;

pub mod fuzz;

pub mod cli;

/// The Rust of README.md, compiled as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

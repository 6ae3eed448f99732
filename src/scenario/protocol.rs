//! The interface of the scenario layer to protocols.

use std::any::Any;
use std::sync::Arc;

use super::decode::TableDecoder;
use super::keys::{Section, Texts};
use crate::config::{Cluster, Config, LogMoment};
use crate::explain::chronicle::{Chronicle, Window};
use crate::explain::{Explanation, NoSuchWrite, Question};
use crate::id::NodeId;
use crate::named::Named;
use crate::names::Names;
use crate::property::{Promises, SettlesWithin};
use crate::protocol::{Message, Protocol};
use crate::run::diff::Recording;
use crate::run::{RunOptions, RunResult};
use crate::time::Span;

/// A protocol that can be named in a scenario file, as `[protocol.NAME]`.
pub trait ScenarioProtocol: Protocol {
    /// The name of its table, in kebab-case.
    const NAME: &'static str;

    /// Who leads from the start where the file does not say; `None` where leaders are elected.
    const INITIAL_LEADER: Option<NodeId> = None;

    /// The keys of its table, and where they go in its settings.
    fn section() -> &'static Section<Self::Config>;

    /// Refuses settings that contradict one another, though each key is right. `None` means that a
    /// mistake was noted.
    fn check(config: &Self::Config, cluster: &Cluster, table: &mut TableDecoder<'_>) -> Option<()> {
        let _ = (config, cluster, table);
        Some(())
    }

    /// What a put waits for before it is answered, for a closed form of its latency. `None` unless
    /// it waits for any k acknowledgements and nothing else.
    fn awaited(config: &Self::Config, scenario: &Config) -> Option<Awaited> {
        let _ = (config, scenario);
        None
    }

    /// The protocol's lengths of time: heartbeats, timeouts, intervals. Fuzzing draws times of
    /// faults close to these, where faults do the most harm.
    fn timescales(config: &Self::Config) -> Vec<Span> {
        let _ = config;
        Vec::new()
    }

    /// The moments of a replicated log that nodes with these settings can come to. A fault can be
    /// tied to no other: by default all of them where a log is kept.
    fn moments(config: &Self::Config) -> &'static [LogMoment] {
        if Self::keeps_log(config) { LogMoment::ALL } else { &[] }
    }
}

/// What a put waits for: the k fastest acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// How many other nodes have to acknowledge.
    pub acknowledgements: u16,
    /// How long the leader waits for them.
    pub ack_timeout: Span,
}

/// A protocol with its settings, of any type: one dynamic call for each run.
pub trait ConfiguredProtocol: Send + Sync {
    /// The name of its table.
    fn name(&self) -> &'static str;
    /// Runs it.
    fn run(&self, config: &Config, names: &Arc<Names>, seed: u64, options: RunOptions)
    -> RunResult;
    /// Runs it and notes every event, for a comparison with another run.
    fn account(&self, config: &Config, names: &Arc<Names>, seed: u64) -> Recording;
    /// Runs it and explains what became of some writes.
    ///
    /// # Errors
    ///
    /// If no client made the write in question.
    fn explain(
        &self,
        config: &Config,
        names: &Arc<Names>,
        seed: u64,
        question: &Question,
    ) -> Result<Explanation, NoSuchWrite>;
    /// Runs it and notes what happens on every node and, with a window, every message of it.
    fn chronicle(
        &self,
        config: &Config,
        names: &Arc<Names>,
        seed: u64,
        window: Option<Window>,
    ) -> Chronicle;
    /// Whether its nodes keep a replicated log.
    fn keeps_log(&self) -> bool;
    /// What it promises in this scenario.
    fn promises(&self, config: &Config) -> Promises;
    /// How long it may need to settle after everything has healed.
    fn settles_within(&self, config: &Config) -> SettlesWithin;
    /// See [`ScenarioProtocol::awaited`].
    fn awaited(&self, config: &Config) -> Option<Awaited>;
    /// See [`ScenarioProtocol::timescales`].
    fn timescales(&self) -> Vec<Span>;
    /// See [`ScenarioProtocol::moments`].
    fn moments(&self) -> &'static [LogMoment];
    /// Its settings, as in a scenario file.
    fn encode(&self) -> toml::Table;
    /// Its settings, of the type [`Protocol::Config`].
    fn settings(&self) -> &dyn Any;
    /// The names of its kinds of message, by index.
    fn message_kinds(&self) -> &'static [&'static str];
}

pub(super) struct Configured<P: ScenarioProtocol>(pub(super) P::Config);

impl<P: ScenarioProtocol> ConfiguredProtocol for Configured<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn run(
        &self,
        config: &Config,
        names: &Arc<Names>,
        seed: u64,
        options: RunOptions,
    ) -> RunResult {
        crate::explain::run::<P>(config, names, &self.0, seed, options)
    }

    fn account(&self, config: &Config, names: &Arc<Names>, seed: u64) -> Recording {
        crate::run::diff::account::<P>(config, names, &self.0, seed)
    }

    fn explain(
        &self,
        config: &Config,
        names: &Arc<Names>,
        seed: u64,
        question: &Question,
    ) -> Result<Explanation, NoSuchWrite> {
        crate::explain::explain::<P>(config, names, &self.0, seed, question)
    }

    fn chronicle(
        &self,
        config: &Config,
        names: &Arc<Names>,
        seed: u64,
        window: Option<Window>,
    ) -> Chronicle {
        crate::explain::chronicle::chronicle::<P>(config, names, &self.0, seed, window)
    }

    fn keeps_log(&self) -> bool {
        P::keeps_log(&self.0)
    }

    fn promises(&self, config: &Config) -> Promises {
        P::promises(&self.0, config)
    }

    fn settles_within(&self, config: &Config) -> SettlesWithin {
        P::settles_within(&self.0, config)
    }

    fn awaited(&self, config: &Config) -> Option<Awaited> {
        P::awaited(&self.0, config)
    }

    fn timescales(&self) -> Vec<Span> {
        P::timescales(&self.0)
    }

    fn moments(&self) -> &'static [LogMoment] {
        P::moments(&self.0)
    }

    fn encode(&self) -> toml::Table {
        let texts = Texts { names: &Names::default(), kinds: P::Message::KINDS };
        P::section().encode(&self.0, &texts)
    }

    fn settings(&self) -> &dyn Any {
        &self.0
    }

    fn message_kinds(&self) -> &'static [&'static str] {
        P::Message::KINDS
    }
}

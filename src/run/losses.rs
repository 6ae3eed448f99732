//! The lost writes of a run, each with how it was lost: from a second run of the same seed that follows them.

use std::collections::BTreeMap;

use crate::check::{self, Evidence};
use crate::config::Config;
use crate::history::{Function, History};
use crate::id::{KeyId, OpId, Version};
use crate::protocol::Protocol;
use crate::sim::{Finished, Notes, Sighting, Target};

use super::mechanism::{Cause, Mechanism, Subject, classify};
use super::{QueueKind, simulate};

/// As many lost writes of a run are followed; of more, the first in the order of invocation.
pub const MOST_FOLLOWED: usize = 1000;

/// A write, on one key.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) op: OpId,
    pub(super) key: KeyId,
    /// Every version that it was given, in the order in which they are known.
    pub(super) versions: Vec<Version>,
    pub(super) removes: bool,
}

impl Written {
    fn target(&self) -> Target {
        Target { versions: self.versions.clone(), removes: self.removes }
    }

    /// What it is to those who ask how it was lost.
    pub(super) fn subject<'a>(&self, run: &'a Finished) -> Subject<'a> {
        Subject {
            key: self.key,
            version: self.versions.iter().max().copied(),
            removes: self.removes,
            finals: &run.finals,
            leaderships: &run.leaderships,
        }
    }

    /// How it was lost, given what was seen of it.
    pub(super) fn cause(&self, sightings: &[Sighting], run: &Finished) -> Cause {
        classify(sightings, self.subject(run))
    }
}

/// What of `writes` is known: their versions.
pub(super) fn written(history: &History, writes: &[(OpId, KeyId)]) -> Vec<Written> {
    let mut others: BTreeMap<OpId, Vec<Version>> = BTreeMap::new();
    for (op, version) in history.other_versions() {
        others.entry(*op).or_default().push(*version);
    }
    let mut cleared: BTreeMap<(OpId, KeyId), Vec<Version>> = BTreeMap::new();
    for (op, key, version) in history.cleared() {
        cleared.entry((*op, *key)).or_default().push(*version);
    }
    let one = |(op, key): &(OpId, KeyId)| {
        let entry = history.entry(*op);
        let others = others.get(op).into_iter().chain(cleared.get(&(*op, *key))).flatten();
        let versions = entry.version.iter().chain(others).copied().collect();
        let removes = entry.function != Function::Put;
        Written { op: *op, key: *key, versions, removes }
    };
    writes.iter().map(one).collect()
}

/// Plays the run again and follows `writes`: what was seen of each.
pub(super) fn follow<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    (seed, queue): (u64, QueueKind),
    writes: &[Written],
) -> Vec<Vec<Sighting>> {
    let watched = writes.iter().map(Written::target).collect();
    let notes = Notes { watched, ..Notes::default() };
    let mut by_write = vec![Vec::new(); writes.len()];
    for sighting in simulate::<P>(config, settings, seed, queue, notes).sightings {
        by_write[sighting.write as usize].push(sighting);
    }
    by_write
}

/// What checkers may look at.
pub(super) fn evidence<'a>(config: &'a Config, finished: &'a Finished) -> Evidence<'a> {
    Evidence {
        config,
        history: &finished.history,
        finals: &finished.finals,
        leaderships: &finished.leaderships,
        recoveries: &finished.recoveries,
        applications: finished.applications.as_deref(),
        settlement: &finished.settlement,
        ended_at: finished.ended_at,
        never_served: finished.unserved.count + never_invoked(config, finished),
        survivors: &finished.survivors,
    }
}

/// How many scripted operations were due and never invoked: their client was still busy as the run ended.
fn never_invoked(config: &Config, finished: &Finished) -> u64 {
    let entries = config.script.iter().zip(&finished.script);
    let was_due = |at| at <= finished.ended_at;
    entries.filter(|(scripted, op)| op.is_none() && was_due(scripted.at)).count() as u64
}

/// The lost writes of a run, up to [`MOST_FOLLOWED`], and how many there are.
pub(super) fn lost(config: &Config, finished: &Finished) -> (Vec<Written>, u64) {
    let mut lost = check::lost_writes(&evidence(config, finished));
    let all = lost.len() as u64;
    lost.truncate(MOST_FOLLOWED);
    (written(&finished.history, &lost), all)
}

/// How often each mechanism is among `causes`, in the order of [`Mechanism::ALL`].
pub(super) fn count(causes: &[Cause]) -> Vec<(Mechanism, u64)> {
    let of = |mechanism| causes.iter().filter(|cause| cause.mechanism == mechanism).count() as u64;
    Mechanism::ALL
        .into_iter()
        .map(|mechanism| (mechanism, of(mechanism)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

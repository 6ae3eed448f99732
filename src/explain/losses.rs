//! The lost and discarded writes of a run, and a second run of the same seed that follows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{self, Mechanism};
use crate::config::Config;
use crate::history::{Access, History};
use crate::id::{KeyId, OpId, Version};
use crate::named::Named;
use crate::names::Names;
use crate::protocol::Protocol;
use crate::run::{self, QueueKind};
use crate::sim::{Finished, NoteOptions, WatchedEffect, WatchedWrite, WriteEvent};

use super::classify::{LossCause, WriteContext, classify};

/// The most writes that are followed: the first in the order of invocation.
pub const MOST_FOLLOWED: usize = 1000;

/// A write, on one key.
#[derive(Clone, Debug)]
pub(super) struct FollowedWrite {
    pub(super) op: OpId,
    /// What is followed. Its versions are in the order in which the history has them.
    pub(super) target: WatchedWrite,
}

impl FollowedWrite {
    /// A write whose operation is unknown.
    pub(super) fn of_version(version: Version, key: KeyId) -> Self {
        let (versions, reads) = (vec![version], Vec::new());
        let target =
            WatchedWrite { op: None, key, versions, effect: WatchedEffect::Unknown, reads };
        Self { op: OpId(0), target }
    }

    /// Whether the two are the same write.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let one = |write: &Self| (write.target.op, write.target.key);
        one(self) == one(other)
            && (self.target.op.is_some() || self.target.versions == other.target.versions)
    }

    /// The write, with the context for [`classify`].
    pub(super) fn subject<'a>(&'a self, run: &'a Finished) -> WriteContext<'a> {
        WriteContext { write: &self.target, finals: &run.finals, leaderships: &run.leaderships }
    }

    /// How it was lost, given its events.
    pub(super) fn cause(&self, write_events: &[WriteEvent], run: &Finished) -> LossCause {
        classify(write_events, self.subject(run))
    }
}

/// Adds a write to those that are followed, unless it is among them; returns its place.
pub(super) fn add(followed: &mut Vec<FollowedWrite>, write: FollowedWrite) -> usize {
    if let Some(place) = followed.iter().position(|other| other.is_same(&write)) {
        followed[place].target.reads.extend(write.target.reads);
        return place;
    }
    followed.push(write);
    followed.len() - 1
}

/// The writes to follow, with all their versions.
pub(super) fn written(history: &History, writes: &[(OpId, KeyId)]) -> Vec<FollowedWrite> {
    let mut others: BTreeMap<OpId, Vec<Version>> = BTreeMap::new();
    for (op, version) in history.other_versions() {
        others.entry(*op).or_default().push(*version);
    }
    let one = |(op, key): &(OpId, KeyId)| {
        // Of several accesses the last write is followed.
        let op = &history.write_on(*op, *key).unwrap_or(*op);
        let on_key = || history.effects(*op).filter(|effect| effect.key == *key);
        let others = others.get(op).into_iter().flatten().copied();
        let versions = on_key().filter_map(|effect| effect.version).chain(others).collect();
        let effect = match on_key().next().map(|effect| effect.access) {
            Some(Access::Put(value)) => WatchedEffect::Put(value),
            Some(Access::Append(value)) => WatchedEffect::Append(value),
            Some(Access::Remove) | None => WatchedEffect::Remove,
            Some(Access::Read(_)) => unreachable!("a read is not followed"),
        };
        let op_at = Some((*op, history.entry(*op).invoked_at));
        let target = WatchedWrite { op: op_at, key: *key, versions, effect, reads: Vec::new() };
        FollowedWrite { op: *op, target }
    };
    writes.iter().map(one).collect()
}

/// Plays the run again and follows `writes`: the events of each.
pub(super) fn follow<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    queue: QueueKind,
    writes: &[FollowedWrite],
) -> Vec<Vec<WriteEvent>> {
    let watched = writes.iter().map(|write| write.target.clone()).collect();
    let notes = NoteOptions { watched, ..NoteOptions::default() };
    let mut by_write = vec![Vec::new(); writes.len()];
    for event in run::simulate::<P>(config, names, settings, seed, queue, notes).write_events {
        by_write[event.write as usize].push(event);
    }
    by_write
}

/// The lost writes of a run, up to [`MOST_FOLLOWED`], and how many there are.
pub(super) fn lost(config: &Config, finished: &Finished) -> (Vec<FollowedWrite>, u64) {
    let mut lost = check::lost_writes(&run::evidence(config, finished));
    let all = lost.len() as u64;
    lost.truncate(MOST_FOLLOWED);
    (written(&finished.history, &lost), all)
}

/// The discarded writes of a run, up to [`MOST_FOLLOWED`], and how many there are; `None` where
/// that is unknown.
pub(super) fn discarded(config: &Config, finished: &Finished) -> Option<(Vec<FollowedWrite>, u64)> {
    let history = &finished.history;
    let discarded = check::discarded_writes(&run::evidence(config, finished))?;
    let all = discarded.len() as u64;
    let followed = discarded.into_iter().take(MOST_FOLLOWED);
    let followed: Vec<(OpId, KeyId)> = followed.map(|op| (op, history.entry(op).key)).collect();
    Some((written(history, &followed), all))
}

/// How often each mechanism is among `causes`, in the order of [`Mechanism`].
pub(super) fn count(causes: &[LossCause]) -> Vec<(Mechanism, u64)> {
    let of = |mechanism| causes.iter().filter(|cause| cause.mechanism == mechanism).count() as u64;
    Mechanism::all()
        .map(|mechanism| (mechanism, of(mechanism)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

//! One key whose values are all different: Gibbons and Korach, "Testing shared memories" (1997).
//!
//! Each value has a *cluster*: the operation that wrote it and those that read it. From the first
//! return `f` of a cluster to its last call `s` the value was certainly there if `f < s` (a
//! *forward zone*); otherwise it was there at some moment between `s` and `f` (a *backward zone*).
//! The history is linearizable exactly if
//!
//! 1. every value that was read had been written, by an operation called before the read returned,
//! 2. no two forward zones overlap, and
//! 3. no backward zone lies within a forward zone.
//!
//! What the key held at first counts as written before all events. A delete writes a value, too:
//! that nothing is there. A read of nothing belongs to the delete that its answer tells
//! (`Expects::Absent`), or to the beginning where nothing was ever removed.
//!
//! What cannot be told is left out: reads of nothing among several removals, reads of what several
//! operations wrote, and compare-and-sets with all that read what they wrote. What is left of a
//! linearizable history is linearizable, so a contradiction is final then, and nothing else is.

use crate::id::OpId;

use super::model::{Content, Expects, Update};
use super::operations::Operation;
use super::split::OnKey;
use super::witness::Why;
use cluster::{ValueCluster, conflict};

mod cluster;

/// What zones say of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ZoneVerdict {
    /// Its part of the history is linearizable.
    Linearizable,
    /// It is not.
    Contradictory(Why),
    /// The zones cannot tell.
    Unsettled,
}

/// The clusters of a key. Made once and used for one key after another.
pub(super) struct Zones {
    initial: Content,
    /// Whether the key holds values, rather than sequences of one symbol.
    values: bool,
    /// By symbol, the cluster of the value plus one, or 0.
    of_symbol: Vec<u32>,
    clusters: Vec<ValueCluster>,
    /// The removals, in the order of the operations, each with its cluster.
    removals: Vec<(OpId, u32)>,
    forward: Vec<ValueCluster>,
    /// Whether something was left out, so that only a contradiction is final.
    is_untold: bool,
}

const FIRST: usize = 0;

/// Stands for the clusters of a value that several operations wrote, or a compare-and-set.
const UNTOLD: u32 = u32::MAX - 1;

impl Zones {
    /// For histories of fewer than `symbols` symbols.
    pub(super) fn new(initial: Content, symbols: u32) -> Self {
        let of_symbol = vec![0; symbols as usize];
        let (clusters, removals, forward) = (Vec::new(), Vec::new(), Vec::new());
        Self { initial, values: false, of_symbol, clusters, removals, forward, is_untold: false }
    }

    /// Judges the part of a history on one key as it was before the place `until`: what had not
    /// returned by then is open.
    pub(super) fn judge<'a>(
        &mut self,
        part: impl Iterator<Item = OnKey<'a>> + Clone,
        until: u32,
    ) -> ZoneVerdict {
        let verdict = self.gather(part.clone(), until);
        self.forget(part);
        verdict
    }

    /// An order in which the operations of a part that is linearizable by its zones may have taken
    /// effect, without those that need not have, each with the place of the event at which it did.
    /// `None` where the zones cannot tell.
    pub(super) fn order<'a>(
        &mut self,
        part: impl Iterator<Item = OnKey<'a>> + Clone,
    ) -> Option<Vec<(u32, OpId)>> {
        let is_settled = self.gather(part.clone(), Operation::OPEN) == ZoneVerdict::Linearizable;
        let order = is_settled.then(|| self.in_order(part.clone()));
        self.forget(part);
        order
    }

    /// The value of a forward zone is written as its zone begins. That of a backward zone comes and
    /// goes at its last call, or after the forward zone in which that lies: all of its operations
    /// are under way at both.
    fn in_order<'a>(&self, part: impl Iterator<Item = OnKey<'a>>) -> Vec<(u32, OpId)> {
        struct PlacedEffect {
            place: u32,
            is_after: bool,
            cluster: u32,
            is_read: bool,
            op: OpId,
        }
        let begins = |cluster: &ValueCluster| {
            if cluster.is_forward() {
                return (cluster.first_return, false);
            }
            let after = self.forward.partition_point(|f| f.first_return < cluster.last_call);
            match self.forward[..after].last() {
                Some(outer) if cluster.last_call < outer.last_call => (outer.last_call, true),
                Some(_) | None => (cluster.last_call, false),
            }
        };
        let mut effects = Vec::new();
        for (number, cluster) in (0..).zip(&self.clusters) {
            if let Some(op) = cluster.write.filter(|_| cluster.first_return != Operation::OPEN) {
                let (place, is_after) = begins(cluster);
                effects.push(PlacedEffect { place, is_after, cluster: number, is_read: false, op });
            }
        }
        for OnKey { op, operation, step } in part {
            if step.change == Update::Nothing
                && !operation.is_open()
                && let Shows::Cluster(number) = self.cluster_of(step.expects)
            {
                let cluster = &self.clusters[number as usize];
                let (begin, is_after) = begins(cluster);
                let call = if cluster.is_forward() { operation.call + 1 } else { begin };
                let place = begin.max(call);
                effects.push(PlacedEffect { place, is_after, cluster: number, is_read: true, op });
            }
        }
        effects
            .sort_by_key(|effect| (effect.place, effect.is_after, effect.cluster, effect.is_read));
        // Places are counted from one here.
        effects.into_iter().map(|effect| (effect.place - 1, effect.op)).collect()
    }

    fn gather<'a>(
        &mut self,
        part: impl Iterator<Item = OnKey<'a>> + Clone,
        until: u32,
    ) -> ZoneVerdict {
        self.clusters.clear();
        self.removals.clear();
        self.is_untold = false;
        self.clusters.push(ValueCluster::INITIAL);
        let is_value = |on: OnKey<'_>| match (on.step.change, on.step.expects) {
            (Update::Set(content), _) | (_, Expects::Holds(content)) => Some(content.is_value()),
            (_, _) => None,
        };
        self.values = part.clone().find_map(is_value).unwrap_or(false);
        if !self.gather_writes(part.clone(), until) {
            return ZoneVerdict::Unsettled;
        }
        self.note_compares(part.clone(), until);
        self.gather_reads(part, until)
    }

    /// Makes room for the next key.
    fn forget<'a>(&mut self, part: impl Iterator<Item = OnKey<'a>>) {
        for OnKey { step, .. } in part {
            if let Update::Set(content) = step.change
                && let Some(symbol) = content.last()
            {
                self.of_symbol[symbol as usize] = 0;
            }
        }
        if let Some(symbol) = self.initial.only() {
            self.of_symbol[symbol as usize] = 0;
        }
    }

    /// A cluster for each write. `false` where this is no matter for zones: a list.
    fn gather_writes<'a>(&mut self, part: impl Iterator<Item = OnKey<'a>>, until: u32) -> bool {
        match (self.initial.is_absent(), self.initial.only()) {
            (true, _) => {}
            (false, Some(_)) if self.initial.is_value() != self.values => return false,
            (false, Some(symbol)) => self.of_symbol[symbol as usize] = FIRST as u32 + 1,
            (false, None) => return false,
        }
        for OnKey { op, operation, step } in part {
            let place = self.clusters.len() as u32;
            let is_told = step.expects == Expects::Anything;
            match step.change {
                Update::Nothing => continue,
                Update::Append(_) => return false,
                Update::Remove if is_told => self.removals.push((op, place)),
                // What it removed nobody tells: see `note_compares`.
                Update::Remove => {
                    self.removals.push((op, UNTOLD));
                    continue;
                }
                Update::Set(content) => {
                    let Some(symbol) = content.only() else { return false };
                    if content.is_value() != self.values {
                        return false;
                    }
                    let of_symbol = &mut self.of_symbol[symbol as usize];
                    let is_alone = *of_symbol == 0 && is_told;
                    *of_symbol = if is_alone { place } else { UNTOLD } + 1;
                    if !is_told {
                        continue;
                    }
                }
            }
            let (call, ret) = span(operation, until);
            self.clusters.push(ValueCluster::written_by(op, call, ret));
        }
        true
    }

    /// What a compare-and-set found and wrote is left out; but one whose outcome is unknown, and
    /// that compares with what nobody ever wrote, did nothing.
    fn note_compares<'a>(&mut self, part: impl Iterator<Item = OnKey<'a>>, until: u32) {
        let compares = part
            .filter(|on| on.step.change != Update::Nothing && on.step.expects != Expects::Anything);
        for OnKey { operation, step, .. } in compares {
            let is_open = operation.ret >= until;
            let did_nothing = matches!(self.cluster_of(step.expects), Shows::Unwritten);
            self.is_untold |= !(is_open && did_nothing);
        }
    }

    /// The cluster whose value a read shows.
    fn cluster_of(&self, expects: Expects) -> Shows {
        let of = |cluster: Option<u32>| match cluster {
            None => Shows::Unwritten,
            Some(UNTOLD) => Shows::Untold,
            Some(cluster) => Shows::Cluster(cluster),
        };
        let of_symbol = |symbol: u32| of(self.of_symbol[symbol as usize].checked_sub(1));
        match expects {
            Expects::Anything => Shows::Nothing,
            Expects::HoldsNot(_) | Expects::Present | Expects::EndsWith(_) => Shows::Untold,
            Expects::Holds(content) if content.is_value() != self.values => Shows::Untold,
            Expects::Holds(content) => content.only().map_or(Shows::Untold, of_symbol),
            // Nothing was ever removed.
            Expects::Absent { .. } if self.removals.is_empty() => {
                of(self.initial.is_absent().then_some(FIRST as u32))
            }
            Expects::Absent { by: None } => Shows::Untold,
            Expects::Absent { by: Some(by) } => {
                let found = self.removals.binary_search_by_key(&by, |(op, _)| *op);
                found.map_or(Shows::Untold, |found| of(Some(self.removals[found].1)))
            }
        }
    }

    fn gather_reads<'a>(
        &mut self,
        part: impl Iterator<Item = OnKey<'a>>,
        until: u32,
    ) -> ZoneVerdict {
        for OnKey { op, operation, step } in part {
            let (call, ret) = span(operation, until);
            if step.change != Update::Nothing || ret == Operation::OPEN {
                continue;
            }
            let cluster = match self.cluster_of(step.expects) {
                Shows::Nothing => continue,
                Shows::Untold => {
                    self.is_untold = true;
                    continue;
                }
                Shows::Unwritten => {
                    return ZoneVerdict::Contradictory(Why::NeverWritten { read: op });
                }
                Shows::Cluster(cluster) => cluster,
            };
            let is_of_nothing = matches!(step.expects, Expects::Absent { .. });
            let cluster = &mut self.clusters[cluster as usize];
            if let Some(write) = cluster.write
                && ret < cluster.written
            {
                if is_of_nothing {
                    self.is_untold = true;
                    continue;
                }
                return ZoneVerdict::Contradictory(Why::BeforeItsWrite { read: op, write });
            }
            if ret < cluster.first_return {
                (cluster.first_return, cluster.returned) = (ret, op);
            }
            if call > cluster.last_call {
                (cluster.last_call, cluster.called) = (call, op);
            }
            cluster.shows_nothing |= is_of_nothing;
        }
        // Of the reads of nothing it is not known what they saw, unless nothing was ever removed.
        let rests_on_nothing = |a: &ValueCluster, b: &ValueCluster| {
            !self.removals.is_empty() && (a.shows_nothing || b.shows_nothing)
        };
        match conflict(&self.clusters, &mut self.forward) {
            Some((a, b)) if rests_on_nothing(&a, &b) => ZoneVerdict::Unsettled,
            Some((a, b)) => ZoneVerdict::Contradictory(a.against(&b)),
            None if self.is_untold => ZoneVerdict::Unsettled,
            None => ZoneVerdict::Linearizable,
        }
    }
}

/// Which cluster a read belongs to.
enum Shows {
    /// It says nothing.
    Nothing,
    /// It is not known.
    Untold,
    /// None: nobody wrote what it shows.
    Unwritten,
    Cluster(u32),
}

/// Where an operation begins and ends, counted from one, if nothing returned from `until` on.
#[inline]
const fn span(operation: &Operation, until: u32) -> (u32, u32) {
    let ret = if operation.ret < until { operation.ret + 1 } else { Operation::OPEN };
    (operation.call + 1, ret)
}

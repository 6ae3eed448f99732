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
//! What cannot be told is left out: reads of nothing among several removals, values that several
//! operations wrote, or a compare-and-set, with all that read them. What is left of a linearizable
//! history is linearizable, so a contradiction is final then, and nothing else is.

use crate::id::OpId;

use super::model::{Content, Expects, Update};
use super::operations::Operation;
use super::split::OnKey;
use super::witness::Why;

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

/// The operations on one value.
#[derive(Clone, Copy)]
struct ValueCluster {
    /// What wrote it; `None` for what was there at first.
    write: Option<OpId>,
    /// The place at which the write was called, and 0 of what was there at first.
    written: u32,
    /// `f` of the zone: the first return, and whose.
    first_return: u32,
    returned: OpId,
    /// `s` of the zone: the last call, and whose.
    last_call: u32,
    called: OpId,
    /// Whether it is about nothing being there, and reads saw that.
    shows_nothing: bool,
    /// Whether another operation wrote the same, so that nobody can tell whose value was read.
    is_left_out: bool,
}

impl ValueCluster {
    fn written_by(op: OpId, call: u32, ret: u32) -> Self {
        Self {
            write: Some(op),
            written: call,
            first_return: ret,
            returned: op,
            last_call: call,
            called: op,
            shows_nothing: false,
            is_left_out: false,
        }
    }

    /// What was there before every event. Places are counted from one here.
    const INITIAL: Self = Self {
        write: None,
        written: 0,
        first_return: 0,
        returned: OpId(0),
        last_call: 0,
        called: OpId(0),
        shows_nothing: false,
        is_left_out: false,
    };

    const fn is_forward(&self) -> bool {
        self.first_return < self.last_call
    }

    /// That this and `other` would each have to be older than the other.
    const fn against(&self, other: &Self) -> Why {
        match (self.write, other.write) {
            (None, _) => Why::BackToTheBeginning { changed: other.returned, read: self.called },
            (_, None) => Why::BackToTheBeginning { changed: self.returned, read: other.called },
            (Some(_), Some(_)) => Why::CameBack {
                before: (self.returned, other.called),
                after: (other.returned, self.called),
            },
        }
    }
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

/// Stands for the cluster of a value that several operations wrote, or a compare-and-set.
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
        self.clusters.clear();
        self.removals.clear();
        self.is_untold = false;
        self.clusters.push(ValueCluster::INITIAL);
        let is_value = |on: OnKey<'_>| match (on.step.change, on.step.expects) {
            (Update::Set(content), _) | (_, Expects::Holds(content)) => Some(content.is_value()),
            (_, _) => None,
        };
        self.values = part.clone().find_map(is_value).unwrap_or(false);
        let finding = if self.gather_writes(part.clone(), until) {
            self.gather_reads(part.clone(), until)
        } else {
            ZoneVerdict::Unsettled
        };
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
        finding
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
                // It removed what it found, and nobody tells what that was.
                Update::Remove => {
                    self.removals.push((op, UNTOLD));
                    self.is_untold = true;
                    continue;
                }
                Update::Set(content) => {
                    let Some(symbol) = content.only() else { return false };
                    if content.is_value() != self.values {
                        return false;
                    }
                    let cluster = &mut self.of_symbol[symbol as usize];
                    if *cluster != 0 || !is_told {
                        self.is_untold = true;
                        if let Some(other) = cluster.checked_sub(1).filter(|other| *other < UNTOLD)
                        {
                            self.clusters[other as usize].is_left_out = true;
                        }
                        *cluster = UNTOLD + 1;
                        continue;
                    }
                    *cluster = place + 1;
                }
            }
            let (call, ret) = span(operation, until);
            self.clusters.push(ValueCluster::written_by(op, call, ret));
        }
        true
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

/// Two clusters that would each have to be older than the other.
fn conflict(
    clusters: &[ValueCluster],
    forward: &mut Vec<ValueCluster>,
) -> Option<(ValueCluster, ValueCluster)> {
    forward.clear();
    forward.extend(clusters.iter().filter(|cluster| cluster.is_forward() && !cluster.is_left_out));
    forward.sort_unstable_by_key(|cluster| cluster.first_return);
    let overlap = forward.windows(2).find(|pair| pair[1].first_return < pair[0].last_call);
    if let Some(pair) = overlap {
        return Some((pair[0], pair[1]));
    }
    let backward =
        clusters[1..].iter().filter(|cluster| !cluster.is_forward() && !cluster.is_left_out);
    backward.into_iter().find_map(|inner| {
        let after = forward.partition_point(|outer| outer.first_return < inner.last_call);
        let outer = forward[..after].last()?;
        (inner.first_return < outer.last_call).then_some((*outer, *inner))
    })
}

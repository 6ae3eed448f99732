//! Coverage: which faults hit nodes in which states, and what happened in how many runs.
//!
//! A campaign that finds nothing says little unless it says what it tried. Two things are counted:
//!
//! - every impact of a fault, by its kind and by the states of the nodes just before it hit them;
//! - the runs in which each of [`Sometimes`] happened. A campaign in which one never happens is
//!   vacuous in that respect.

use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantArray};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::check::Verdict;
use crate::config::FaultAction;
use crate::history::{Entry, Function, Status};
use crate::id::NodeId;
use crate::metrics::{Leadership, NodeState, NodeStates, Settlement};
use crate::named::Named;
use crate::property::Property;
use crate::run::RunResult;
use crate::time::Time;

/// An event that ought to happen in some run of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[repr(u8)]
#[strum(serialize_all = "kebab-case")]
pub enum Sometimes {
    /// A write was acknowledged.
    WriteAcknowledged,
    /// A write was acknowledged with fewer acknowledgements than it asked for.
    WriteDegraded,
    /// A client never learned whether its write happened.
    WriteUnknown,
    /// An operation was refused.
    OperationRefused,
    /// A node led after another had.
    LeaderReplaced,
    /// Two nodes led at one time.
    TwoLeaders,
    /// A node started again from a log that had something in it.
    RestartedFromLog,
    /// A node started from a log that had lost its tail.
    LogTailLost,
    /// A node that did not lead answered a read.
    ReadElsewhere,
    /// A read missed a write that had been acknowledged before it began.
    StaleRead,
    /// A message was lost or blocked.
    MessageLost,
    /// An acknowledged write was lost.
    WriteLost,
    /// Replicas differed at the end.
    ReplicasDiffered,
    /// The cluster did not settle.
    Unsettled,
}

impl Sometimes {
    /// What happens, in a sentence without its end.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::WriteAcknowledged => "a write was acknowledged",
            Self::WriteDegraded => "a write was acknowledged degraded",
            Self::WriteUnknown => "a write's outcome stayed unknown",
            Self::OperationRefused => "an operation was refused",
            Self::LeaderReplaced => "a leader was replaced",
            Self::TwoLeaders => "two nodes led at once",
            Self::RestartedFromLog => "a node started again from its log",
            Self::LogTailLost => "a node's log had lost the end of what it had written",
            Self::ReadElsewhere => "a read was answered by a node that did not lead",
            Self::StaleRead => "a read missed an acknowledged write",
            Self::MessageLost => "a message was lost or blocked",
            Self::WriteLost => "an acknowledged write was lost",
            Self::ReplicasDiffered => "replicas differed at the end",
            Self::Unsettled => "the cluster did not settle",
        }
    }

    fn happened(self, result: &RunResult) -> bool {
        let any = |wanted: &dyn Fn(&Entry) -> bool| result.history.entries().iter().any(wanted);
        let is_broken = |property| {
            let broken = |report: &&crate::check::CheckReport| report.property == property;
            let report = result.checks.iter().find(broken);
            report.is_some_and(|report| matches!(report.verdict, Verdict::Invalid(_)))
        };
        let leads = &result.leaderships;
        match self {
            Self::WriteAcknowledged => any(&|op| op.is_write() && op.is_ok()),
            Self::WriteDegraded => any(&|op| op.is_write() && op.is_ok() && op.degraded),
            Self::WriteUnknown => {
                any(&|op| op.is_write() && matches!(op.status, Status::Info | Status::Pending))
            }
            Self::OperationRefused => any(&|op| op.status == Status::Fail),
            Self::LeaderReplaced => leads.windows(2).any(|pair| pair[0].node != pair[1].node),
            Self::TwoLeaders => two_led_at_once(leads),
            Self::RestartedFromLog => {
                result.recoveries.iter().any(|start| start.at > Time::ZERO && start.last > 0)
            }
            Self::LogTailLost => result.recoveries.iter().any(|start| start.last < start.written),
            Self::ReadElsewhere => any(&|op| {
                let is_read = op.function == Function::Get && op.is_ok();
                is_read && op.node.is_some_and(|node| !led(leads, node, op))
            }),
            Self::StaleRead => is_broken(Property::Staleness),
            Self::MessageLost => result.messages.lost + result.messages.blocked > 0,
            Self::WriteLost => is_broken(Property::Durability),
            Self::ReplicasDiffered => is_broken(Property::Convergence),
            Self::Unsettled => !matches!(result.settlement, Settlement::Settled { .. }),
        }
    }
}

/// Whether two nodes led at one time; `leads` are in the order in which they began.
fn two_led_at_once(leads: &[Leadership]) -> bool {
    leads.iter().enumerate().any(|(place, first)| {
        let overlaps = |second: &Leadership| {
            second.node != first.node && first.until.is_none_or(|until| second.from < until)
        };
        leads[place + 1..].iter().any(overlaps)
    })
}

/// Whether `node` led at some time during `op`.
fn led(leads: &[Leadership], node: NodeId, op: &Entry) -> bool {
    leads.iter().any(|lead| {
        let ended = lead.until.is_some_and(|until| until < op.invoked_at);
        lead.node == node && lead.from <= op.completed_at && !ended
    })
}

/// What one run exercised, in few bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covered {
    /// Impacts of one kind in one state, counted: the fault's kind (an index into
    /// [`FaultAction::KINDS`]), the states of the nodes that it hit (bit `i` for
    /// `NodeState::ALL[i]`; 0 if it hit none), how often.
    #[serde(rename = "strikes")]
    impacts: Vec<(u8, u16, u32)>,
    /// Bit `i` for `Sometimes::ALL[i]`.
    sometimes: u64,
}

const _: () = assert!(Sometimes::ALL.len() <= u64::BITS as usize);
const _: () = assert!(NodeState::ALL.len() <= u16::BITS as usize);
const _: () = assert!(FaultAction::KINDS.len() <= 1 << u8::BITS);

impl Covered {
    /// What `result` exercised; `kinds` has the kind of every fault by its id.
    #[must_use]
    pub fn of(kinds: &[u8], result: &RunResult) -> Self {
        let mut counts: BTreeMap<(u8, u16), u32> = BTreeMap::new();
        for impact in &result.impacts {
            let kind = kinds[impact.fault.0 as usize];
            *counts.entry((kind, bits(impact.states))).or_default() += 1;
        }
        let happened = Sometimes::all().filter(|what| what.happened(result));
        Self {
            impacts: counts
                .into_iter()
                .map(|((kind, states), count)| (kind, states, count))
                .collect(),
            sometimes: happened.fold(0, |all, what| all | 1 << what as u8),
        }
    }

    /// Whether this happened.
    #[must_use]
    pub const fn happened(&self, what: Sometimes) -> bool {
        self.sometimes & (1 << what as u8) != 0
    }
}

fn bits(states: NodeStates) -> u16 {
    states.iter().fold(0, |all, state| all | 1 << state as u8)
}

/// How often faults of one kind started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impacts {
    /// In all.
    pub all: u64,
    /// Without hitting any node.
    pub nobody: u64,
    /// How often a node in each state was hit, in the order of [`NodeState`]. These add up to
    /// more than `all`: a node can be in several states, and a fault can hit several nodes.
    pub states: [u64; NodeState::ALL.len()],
}

/// What many runs exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    impacts: [Impacts; FaultAction::KINDS.len()],
    sometimes: [u64; Sometimes::ALL.len()],
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            impacts: [Impacts::default(); FaultAction::KINDS.len()],
            sometimes: [0; Sometimes::ALL.len()],
        }
    }
}

impl Coverage {
    /// Adds a run. Kinds of fault that do not exist are ignored.
    pub fn add(&mut self, covered: &Covered) {
        for (kind, states, count) in &covered.impacts {
            let Some(impacts) = self.impacts.get_mut(usize::from(*kind)) else { continue };
            let count = u64::from(*count);
            impacts.all += count;
            if *states == 0 {
                impacts.nobody += count;
            }
            for (bit, cell) in impacts.states.iter_mut().enumerate() {
                *cell += count * u64::from(states >> bit & 1);
            }
        }
        for (what, count) in Sometimes::all().zip(&mut self.sometimes) {
            *count += u64::from(covered.happened(what));
        }
    }

    /// Adds other runs.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.impacts.iter_mut().zip(&other.impacts) {
            mine.all += theirs.all;
            mine.nobody += theirs.nobody;
            for (mine, theirs) in mine.states.iter_mut().zip(&theirs.states) {
                *mine += theirs;
            }
        }
        for (mine, theirs) in self.sometimes.iter_mut().zip(&other.sometimes) {
            *mine += theirs;
        }
    }

    /// The kinds of fault that started, in the order of [`FaultAction::KINDS`].
    pub fn impacts(&self) -> impl Iterator<Item = (&'static str, &Impacts)> {
        FaultAction::KINDS.into_iter().zip(&self.impacts).filter(|(_, impacts)| impacts.all > 0)
    }

    /// In how many runs each thing happened.
    pub fn sometimes(&self) -> impl Iterator<Item = (Sometimes, u64)> {
        Sometimes::all().zip(self.sometimes)
    }

    /// The impacts as JSON: for each kind the states that it hit, without zeros.
    #[must_use]
    pub fn impacts_document(&self) -> Value {
        let row = |impacts: &Impacts| {
            let mut row = Map::new();
            row.insert("strikes".to_owned(), json!(impacts.all));
            row.insert("nobody".to_owned(), json!(impacts.nobody));
            let states = NodeState::all().zip(impacts.states);
            row.extend(states.map(|(state, count)| (state.name().to_owned(), json!(count))));
            row.retain(|_, count| *count != 0);
            Value::Object(row)
        };
        let rows = self.impacts().map(|(kind, impacts)| (kind.to_owned(), row(impacts)));
        Value::Object(rows.collect())
    }

    /// In how many runs each event happened, as JSON, with zeros.
    #[must_use]
    pub fn sometimes_document(&self) -> Value {
        let counts = self.sometimes().map(|(what, count)| (what.name().to_owned(), json!(count)));
        Value::Object(counts.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Witness;
    use crate::history::Process;
    use crate::id::{FaultId, Term};
    use crate::metrics::{Impact, Recovery};
    use crate::report::sample;
    use crate::time::Span;

    /// The sample run without anything that counts as coverage.
    fn quiet() -> RunResult {
        let (_, mut result) = sample::run();
        result.history = crate::history::History::default();
        result.leaderships.clear();
        result.messages = crate::metrics::MessageCounts::default();
        result.settlement = Settlement::Settled { after: Span::ZERO };
        result.checks.clear();
        result
    }

    fn with_op(change: fn(&mut Entry)) -> RunResult {
        use crate::id::{ClientId, KeyId, Value};
        use crate::operation::Operation;
        let mut result = quiet();
        let key = KeyId(0);
        let put = Operation::Put { key, value: Value::text(0), quorum: None };
        let at = Time::from_nanos(5);
        let op = result.history.invoke(at, at, Process::first(ClientId(0)), put);
        result.history.complete(op, Time::from_nanos(9), Status::Ok, change);
        result
    }

    fn lead(node: u16, from: u64, until: Option<u64>) -> Leadership {
        let until = until.map(Time::from_nanos);
        Leadership { term: Term(1), node: NodeId(node), from: Time::from_nanos(from), until }
    }

    fn with_leads(leads: &[Leadership]) -> RunResult {
        RunResult { leaderships: leads.to_vec(), ..quiet() }
    }

    fn recovery(last: u64, written: u64) -> RunResult {
        let recovery = Recovery {
            node: NodeId(0),
            at: Time::from_nanos(7),
            covers: 0,
            records: last,
            last,
            synced: last,
            written,
            same_records: true,
            same_data: None,
        };
        RunResult { recoveries: vec![recovery], ..quiet() }
    }

    fn broken(property: Property) -> RunResult {
        let (_, sample) = sample::run();
        let mut report = sample.checks[0].clone();
        report.property = property;
        report.verdict = Verdict::Invalid(Witness::default());
        RunResult { checks: vec![report], ..quiet() }
    }

    #[test]
    fn each_thing_is_told_from_a_run_in_which_it_happened() {
        use Sometimes as S;
        let get = |entry: &mut Entry| {
            (entry.function, entry.writes) = (Function::Get, false);
            entry.node = Some(NodeId(1));
        };
        let mut led = with_op(get);
        led.leaderships = vec![lead(1, 0, None)];
        let mut lossy = quiet();
        lossy.messages.blocked = 1;
        let mut open = quiet();
        open.settlement = Settlement::Unsettled { waiting_for: Vec::new() };
        let cases: Vec<(&str, RunResult, Vec<Sometimes>)> = vec![
            ("nothing", quiet(), vec![]),
            ("a put", with_op(|_| ()), vec![S::WriteAcknowledged]),
            (
                "a degraded put",
                with_op(|op| op.degraded = true),
                vec![S::WriteAcknowledged, S::WriteDegraded],
            ),
            (
                "a put without an answer",
                with_op(|op| op.status = Status::Info),
                vec![S::WriteUnknown],
            ),
            ("a refusal", with_op(|op| op.status = Status::Fail), vec![S::OperationRefused]),
            ("a read elsewhere", with_op(get), vec![S::ReadElsewhere]),
            ("a read at the leader", led, vec![]),
            (
                "one after the other",
                with_leads(&[lead(0, 1, Some(5)), lead(1, 5, None)]),
                vec![S::LeaderReplaced],
            ),
            (
                "two at once",
                with_leads(&[lead(0, 1, Some(6)), lead(1, 5, None)]),
                vec![S::LeaderReplaced, S::TwoLeaders],
            ),
            ("one twice", with_leads(&[lead(0, 1, Some(6)), lead(0, 5, None)]), vec![]),
            ("a start from the log", recovery(3, 3), vec![S::RestartedFromLog]),
            ("a start without the tail", recovery(3, 4), vec![S::RestartedFromLog, S::LogTailLost]),
            ("a start with nothing left", recovery(0, 4), vec![S::LogTailLost]),
            ("stale", broken(Property::Staleness), vec![S::StaleRead]),
            ("lossy", lossy, vec![S::MessageLost]),
            ("lost", broken(Property::Durability), vec![S::WriteLost]),
            ("differing", broken(Property::Convergence), vec![S::ReplicasDiffered]),
            ("unsettled", open, vec![S::Unsettled]),
        ];
        for (what, result, expected) in cases {
            let covered = Covered::of(&[], &result);
            let happened: Vec<Sometimes> =
                S::all().filter(|what| covered.happened(*what)).collect();
            assert_eq!(happened, expected, "{what}");
        }
    }

    #[test]
    fn names_are_in_order_and_no_two_are_alike() {
        for (place, what) in Sometimes::all().enumerate() {
            assert_eq!(what as usize, place);
        }
        let names: std::collections::BTreeSet<_> =
            Sometimes::all().flat_map(|what| [what.name(), what.sentence()]).collect();
        assert_eq!(names.len(), 2 * Sometimes::ALL.len());
    }

    /// `crash` is kind 8 and `heal` kind 21; faults 0 and 1 are crashes, fault 2 heals.
    fn with_impacts(impacts: &[(u32, &[NodeState])]) -> Covered {
        let impact = |(fault, states): &(u32, &[NodeState])| {
            let mut all = NodeStates::default();
            states.iter().for_each(|state| all.insert(*state));
            Impact { fault: FaultId(*fault), at: Time::ZERO, states: all, hits_nobody: false }
        };
        let impacts = impacts.iter().map(impact).collect();
        Covered::of(&[8, 8, 21], &RunResult { impacts, ..quiet() })
    }

    #[test]
    fn strikes_are_counted_by_kind_and_state() {
        use NodeState::{Follower, Leader, Unsynced};
        let one = with_impacts(&[(0, &[Leader, Unsynced]), (1, &[Leader, Unsynced]), (2, &[])]);
        assert_eq!(one.impacts, [(8, 0b10_0001, 2), (21, 0, 1)]);
        let two = with_impacts(&[(1, &[Follower])]);
        let mut coverage = Coverage::default();
        coverage.add(&one);
        coverage.add(&two);
        let expected = json!({
            "crash": { "strikes": 3, "leader": 2, "follower": 1, "unsynced": 2 },
            "heal": { "strikes": 1, "nobody": 1 },
        });
        assert_eq!(coverage.impacts_document(), expected);
        let mut merged = Coverage::default();
        for covered in [&two, &one] {
            let mut part = Coverage::default();
            part.add(covered);
            merged.merge(&part);
        }
        assert_eq!(merged, coverage, "in parts and in another order");
        let text = serde_json::to_string(&one).expect("JSON");
        assert_eq!(serde_json::from_str::<Covered>(&text).expect("read"), one);
        assert_eq!(text, r#"{"strikes":[[8,33,2],[21,0,1]],"sometimes":0}"#);
    }
}

//! The generated workload: what each operation does, on which node and when, from keyed draws.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::config::{Config, Pace, ReadFrom, Skew, Workload};
use crate::id::{ClientId, KeyId, NodeId, Value};
use crate::metrics::Unserved;
use crate::operation::{Batches, Operation};
use crate::protocol::Protocol;
use crate::rng::{CausalId, Draws, Purpose, Root};
use crate::time::{Span, Time};

use super::super::event::{Queue, What};
use super::super::kernel::Kernel;
use super::super::network::NetworkState;

/// The workload's settings in the form that drawing needs.
pub(super) struct Generator {
    pub(super) settings: Workload,
    /// Cumulative weights of keys, scaled to 64 bits; empty for uniform keys.
    zipf: Vec<u64>,
    /// Open loop: arrivals that wait for a client, by place, with when they came.
    pub(super) waiting: VecDeque<(u64, Time)>,
    /// Open loop: clients with nothing to do, lowest first.
    pub(super) idle: BinaryHeap<Reverse<u32>>,
    /// Open loop: arrivals that had found no client when the fault phase ended.
    pub(super) unserved: Unserved,
}

impl Generator {
    pub(super) fn new(settings: &Workload) -> Self {
        let zipf = match settings.skew {
            Skew::Uniform => Vec::new(),
            Skew::Zipf { exponent } => crate::sampler::zipf_table(settings.keys, exponent),
        };
        let settings = settings.clone();
        let unserved = Unserved::default();
        Self { settings, zipf, waiting: VecDeque::new(), idle: BinaryHeap::new(), unserved }
    }

    /// How many operations a client of a closed loop has in all.
    pub(super) fn share(&self, client: ClientId) -> u64 {
        let clients = u64::from(self.settings.clients);
        match self.settings.operations {
            None => u64::MAX,
            Some(all) => all / clients + u64::from(u64::from(client.0) < all % clients),
        }
    }

    /// Closed loop: schedules the client's operation number `index`, if it has as many; for when.
    pub(super) fn schedule_next<P: Protocol, Q: Queue<P>>(
        &self,
        client: ClientId,
        index: u32,
        kernel: &mut Kernel<P, Q>,
    ) -> Option<Time> {
        let Pace::Closed { think } = &self.settings.pace else { return None };
        if u64::from(index) >= self.share(client) {
            return None;
        }
        let id = operation_id(client, index);
        let thinks = think.sample(|i| kernel.draws.draw(Purpose::Pace, id, i));
        let due_at = kernel.now + thinks;
        kernel.schedule(due_at, id, What::Invoke { client, due_at });
        Some(due_at)
    }

    /// Open loop: schedules the arrival whose first operation is number `index`, if there are as
    /// many; for when.
    pub(super) fn schedule_arrival<P: Protocol, Q: Queue<P>>(
        &self,
        index: u64,
        kernel: &mut Kernel<P, Q>,
    ) -> Option<Time> {
        let Pace::Open { interval, .. } = &self.settings.pace else { return None };
        if self.settings.operations.is_some_and(|all| index >= all) {
            return None;
        }
        let id = operation_id(ClientId::ARRIVALS, arrival_index(index));
        let until = interval.sample(|i| kernel.draws.draw(Purpose::Pace, id, i));
        let due_at = kernel.now + until;
        kernel.schedule(due_at, id, What::Arrival { index });
        Some(due_at)
    }

    /// Draws what an operation asks of a client that last saw this of each key.
    pub(super) fn operation(
        &self,
        id: CausalId,
        value: Value,
        draws: &Draws,
        seen: &BTreeMap<KeyId, Value>,
        batches: &mut Batches,
    ) -> Operation {
        let mix = self.settings.mix;
        let weights =
            [mix.put, mix.get, mix.delete, mix.list, mix.read_all, mix.append, mix.cas, mix.batch];
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut at = draws.below(Purpose::Mix, id, 0, total);
        let chosen = weights.iter().position(|weight| {
            let inside = at < u64::from(*weight);
            if !inside {
                at -= u64::from(*weight);
            }
            inside
        });
        let key = self.key(id, 0, draws);
        match chosen {
            Some(1) => Operation::Get { key, quorum: self.settings.read_quorum },
            Some(2) => Operation::Delete { key, quorum: None },
            Some(3) => Operation::List,
            Some(4) => Operation::ReadAll,
            Some(5) => Operation::Append { key, value, quorum: None },
            Some(6) => Operation::Cas { key, from: seen.get(&key).copied(), to: value },
            Some(7) => Operation::Batch(batches.intern(self.batch(id, value, draws))),
            _ => Operation::Put { key, value, quorum: None },
        }
    }

    /// Draws the parts of a batch: two to four puts, gets and deletes. All puts have the same
    /// value, so a key is put once; after that the batch reads it.
    fn batch(&self, id: CausalId, value: Value, draws: &Draws) -> Box<[Operation]> {
        let count = 2 + draws.below(Purpose::Mix, id, 1, 3) as u32;
        let mut parts: Vec<Operation> = Vec::new();
        for place in 0..count {
            let key = self.key(id, place, draws);
            let is_put = |part: &Operation| part.is_write() && part.key() == Some(key);
            let part = match draws.below(Purpose::Mix, id, 2 + place, 5) {
                0 | 1 if !parts.iter().any(is_put) => Operation::Put { key, value, quorum: None },
                2 => Operation::Delete { key, quorum: None },
                _ => Operation::Get { key, quorum: None },
            };
            parts.push(part);
        }
        parts.into()
    }

    /// Draws a key, for the part of a batch at this place.
    fn key(&self, id: CausalId, place: u32, draws: &Draws) -> KeyId {
        if self.zipf.is_empty() {
            let keys = u64::from(self.settings.keys);
            return KeyId(u32::try_from(draws.below(Purpose::Key, id, place, keys)).unwrap_or(0));
        }
        let draw = draws.draw(Purpose::Key, id, place);
        let rank = self.zipf.partition_point(|cumulative| *cumulative <= draw);
        KeyId(u32::try_from(rank.min(self.zipf.len() - 1)).unwrap_or(0))
    }

    /// The node that a read asks; `None` for the leader.
    pub(super) fn replica(
        &self,
        client: ClientId,
        id: CausalId,
        nodes: u16,
        draws: &Draws,
        network: &NetworkState,
    ) -> Option<NodeId> {
        match self.settings.read_from {
            ReadFrom::Leader => None,
            ReadFrom::Node(node) => Some(node),
            ReadFrom::Any => {
                let index = draws.below(Purpose::Replica, id, 0, nodes.into());
                Some(NodeId(u16::try_from(index).unwrap_or(0)))
            }
            ReadFrom::Nearest => {
                NodeId::all(nodes).min_by_key(|node| network.client_leg(client, *node).median())
            }
        }
    }

    /// Nothing is invoked any more: arrivals that wait for a client remain unserved.
    pub(super) fn stop(&mut self, now: Time) {
        self.settings.operations = Some(0);
        let longest_wait = self.waiting.front().map_or(Span::ZERO, |(_, since)| now.since(*since));
        let count = self.unserved.count + self.waiting.len() as u64;
        self.unserved =
            Unserved { count, longest_wait: self.unserved.longest_wait.max(longest_wait) };
        self.waiting.clear();
    }
}

/// The place of an arrival among all.
pub(super) fn arrival_index(index: u64) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 operations")
}

/// The node that a generated read of this client asks; `None` for the one that it takes for the
/// leader.
pub(crate) fn replica_asked(
    config: &Config,
    load: &Workload,
    client: ClientId,
    id: CausalId,
    draws: &Draws,
) -> Option<NodeId> {
    Generator::new(load).replica(
        client,
        id,
        config.cluster.nodes,
        draws,
        &NetworkState::new(config),
    )
}

/// The identity of an operation that the workload generates: the `index`th of a client, or of all
/// arrivals.
pub(crate) fn operation_id(source: ClientId, index: u32) -> CausalId {
    CausalId::root(Root::Operation, source.0.into(), index.into())
}

/// The operation of a workload that this text names, as it would name its value: `c3.17`, the 17th
/// of client c3, or `a.17`, the 17th arrival. `None` for any other text.
pub(super) fn generated(id: &str) -> Option<(ClientId, u32)> {
    let (source, number) = id.split_once('.')?;
    let index = place(number)?;
    if source == "a" {
        return Some((ClientId::ARRIVALS, index));
    }
    let client = ClientId(place(source.strip_prefix('c')?)?);
    (client < ClientId::ARRIVALS).then_some((client, index))
}

/// A number from 1, in decimal without leading zeros, as a place from 0.
fn place(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse::<u32>().ok()?.checked_sub(1) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_of_a_workload_has_one_name() {
        let arrival = |index| Some((ClientId::ARRIVALS, index));
        let of = |client, index| Some((ClientId(client), index));
        let cases = [
            ("c1.1", of(0, 0)),
            ("c3.17", of(2, 16)),
            ("c1073741823.4294967295", of(0x3fff_fffe, u32::MAX - 1)),
            ("a.1", arrival(0)),
            ("a.40", arrival(39)),
            // The next client would be the arrivals themselves.
            ("c1073741824.1", None),
            ("c1.4294967296", None),
            ("c0.1", None),
            ("c1.0", None),
            ("c01.1", None),
            ("c1.01", None),
            ("c1.+1", None),
            ("c1.", None),
            ("c.1", None),
            ("c1", None),
            ("c1.1.1", None),
            ("a1.1", None),
            ("C1.1", None),
            ("k1.1", None),
            ("put-1.5s", None),
            ("", None),
        ];
        for (id, expected) in cases {
            assert_eq!(generated(id), expected, "{id}");
        }
    }
}

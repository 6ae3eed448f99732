//! Small `Copy` names for everything a message, an event or a record refers to.
//!
//! Below the scenario layer nothing is named by a string: texts live once, in [`crate::config::Names`].

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// The most nodes a cluster may have; [`NodeSet`] is a bit a node.
pub const MAX_NODES: usize = 1024;

/// A node (replica), counted from 0; shown from 1: the first node is `n1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct NodeId(pub u16);

/// A client, counted from 0. Its name is in [`crate::config::Names::clients`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ClientId(pub u32);

/// A key, interned: an index into [`crate::config::Names::keys`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct KeyId(pub u32);

/// An operation of the history, in the order of invocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct OpId(pub u32);

/// A configured fault, counted in the order of the scenario file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FaultId(pub u32);

/// A value, by id: either the text at an index of [`crate::config::Names::values`], or one that the workload
/// made and that no other write of the run shares.
///
/// A made value depends on nothing but its client and that client's operation index, so taking one client or
/// operation out of a run leaves the values of all others as they were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct Value(NonZeroU64);

/// What a [`Value`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// The text at this index of [`crate::config::Names::values`].
    Text(usize),
    /// Made by the workload: the client, and the index of the operation among that client's.
    Made(ClientId, u32),
}

impl Value {
    // One of the two high bits is always set, so that an optional value takes no more room than a value.
    const TEXT: u64 = 1 << 63;
    const MADE: u64 = 1 << 62;

    fn tagged(tag: u64, bits: u64) -> Self {
        Self(NonZeroU64::new(tag | bits).expect("a tag is not zero"))
    }

    /// The value whose text is at `index` of the interned values.
    #[must_use]
    pub fn text(index: usize) -> Self {
        Self::tagged(Self::TEXT, index as u64)
    }

    /// The unique value that the workload's `client` writes in its operation number `index`.
    ///
    /// # Panics
    ///
    /// When the client number needs more than 30 bits; [`ClientId::ARRIVALS`] is the greatest.
    #[must_use]
    pub fn made(client: ClientId, index: u32) -> Self {
        assert!(client <= ClientId::ARRIVALS, "client numbers fit 30 bits");
        Self::tagged(Self::MADE, u64::from(client.0) << 32 | u64::from(index))
    }

    /// The value as a number that is never 0, for a digest.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0.get()
    }

    /// What the value stands for.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves were put in as 30 and 32 bits")]
    pub fn kind(self) -> ValueKind {
        let bits = self.0.get();
        if bits & Self::TEXT != 0 {
            ValueKind::Text((bits & !Self::TEXT) as usize)
        } else {
            ValueKind::Made(ClientId((bits >> 32) as u32 & ClientId::ARRIVALS.0), bits as u32)
        }
    }
}

/// The rank of a write under last write wins: (timestamp, node id, issue sequence), compared in that order.
///
/// Total even when one leader stamps two writes in one nanosecond: the issue sequence differs.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct Version {
    /// The timestamp the coordinator gave the write; from a wall clock, nanoseconds by that clock.
    pub timestamp: i64,
    /// The node that stamped it.
    pub node: NodeId,
    /// That node's count of stamped writes when it did, starting at 1.
    pub sequence: u32,
}

/// `timestamp@node#sequence`, the timestamp in seconds.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.timestamp < 0 { "-" } else { "" };
        let ns = self.timestamp.unsigned_abs();
        let (s, ns) = (ns / 1_000_000_000, ns % 1_000_000_000);
        write!(f, "{sign}{s}.{ns:09}@{}#{}", self.node, self.sequence)
    }
}

impl ClientId {
    /// The stream of an open loop's arrivals: operations are drawn, and values made, by their arrival and not by
    /// the client that happened to be free for them.
    pub const ARRIVALS: Self = Self(0x3fff_ffff);
}

impl NodeId {
    /// The node's place in a list of all nodes.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The node at place `index` of a list of all nodes.
    ///
    /// # Panics
    ///
    /// When there can be no such node: `index` is [`MAX_NODES`] or more.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "asserted to fit")]
    pub const fn from_index(index: usize) -> Self {
        assert!(index < MAX_NODES, "node index below MAX_NODES");
        Self(index as u16)
    }

    /// The ids of a cluster of `count` nodes, lowest first.
    pub fn all(count: u16) -> impl DoubleEndedIterator<Item = Self> + Clone + ExactSizeIterator {
        (0..count).map(Self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0 + 1)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A set of nodes: a bit each. The first 64 need no allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeSet {
    low: u64,
    /// Bits from 64 on; never ends in a zero word, so that equal sets are equal.
    high: Vec<u64>,
}

impl NodeSet {
    /// The set without a node.
    pub const EMPTY: Self = Self { low: 0, high: Vec::new() };

    const fn place(node: NodeId) -> (usize, u64) {
        (node.index() / 64, 1 << (node.index() % 64))
    }

    /// Puts `node` in; whether it was not there before.
    #[inline]
    pub fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = Self::place(node);
        let word = match word.checked_sub(1) {
            None => &mut self.low,
            Some(high) => {
                if high >= self.high.len() {
                    self.high.resize(high + 1, 0);
                }
                &mut self.high[high]
            }
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes `node` out; whether it was there.
    pub fn remove(&mut self, node: NodeId) -> bool {
        let there = self.contains(node);
        let (word, bit) = Self::place(node);
        match word.checked_sub(1) {
            None => self.low &= !bit,
            Some(high) if there => self.high[high] &= !bit,
            Some(_) => {}
        }
        while self.high.last() == Some(&0) {
            self.high.pop();
        }
        there
    }

    /// Whether `node` is in the set.
    #[must_use]
    #[inline]
    pub fn contains(&self, node: NodeId) -> bool {
        let (word, bit) = Self::place(node);
        let word = match word.checked_sub(1) {
            None => self.low,
            Some(high) => self.high.get(high).copied().unwrap_or(0),
        };
        word & bit != 0
    }

    /// How many nodes are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        let ones = |word: &u64| word.count_ones() as usize;
        ones(&self.low) + self.high.iter().map(ones).sum::<usize>()
    }

    /// Whether no node is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.low == 0 && self.high.is_empty()
    }

    /// The nodes, lowest id first.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        let most = 64 * (1 + self.high.len());
        (0..most).map(NodeId::from_index).filter(|node| self.contains(*node))
    }
}

impl Default for NodeSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::EMPTY;
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_parts() {
        assert_eq!(Value::text(7).kind(), ValueKind::Text(7));
        assert_eq!(Value::made(ClientId(3), 9).kind(), ValueKind::Made(ClientId(3), 9));
        assert_ne!(Value::text(9), Value::made(ClientId(0), 9));
    }

    #[test]
    fn versions_order_by_timestamp_then_node_then_sequence() {
        let v = |timestamp, node, sequence| Version { timestamp, node: NodeId(node), sequence };
        let sorted = [v(-5, 9, 9), v(1, 0, 7), v(1, 1, 1), v(1, 1, 2), v(2, 0, 1)];
        assert!(sorted.is_sorted());
        assert_eq!(v(-1_500_000_000, 1, 3).to_string(), "-1.500000000@n2#3");
    }

    #[test]
    fn a_node_set_is_a_set() {
        let mut set: NodeSet =
            [NodeId(0), NodeId(63), NodeId(64), NodeId(1023)].into_iter().collect();
        assert!(!set.insert(NodeId(64)));
        assert!(set.remove(NodeId(63)) && !set.remove(NodeId(63)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(0), NodeId(64), NodeId(1023)]);
        assert_eq!((set.len(), set.is_empty(), set.contains(NodeId(1))), (3, false, false));
    }
}

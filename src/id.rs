//! Small `Copy` identifiers for everything that a message, an event or a record refers to.
//!
//! Below the scenario layer nothing is named by a string. Each text is stored once, in
//! [`crate::names::Names`].

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most nodes a cluster may have.
pub const MAX_NODES: usize = 1024;

/// A node (replica), counted from 0 and shown from 1: the first node is `n1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct NodeId(pub u16);

/// A client, counted from 0. Its name is in [`crate::names::Names::clients`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct ClientId(pub u32);

/// An interned key: an index into [`crate::names::Names::keys`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct KeyId(pub u32);

/// An operation of the history, numbered in the order of invocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct OpId(pub u32);

/// A configured fault, numbered in the order of the scenario file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FaultId(pub u32);

/// A value by id: either a text, by its index in [`crate::names::Names::values`], or a value that
/// the workload made, which no other write of the run has.
///
/// A made value depends only on its client and on the operation's index among that client's. Taking
/// a client or an operation out of a run therefore changes no other value.
///
/// A value knows **which operation wrote it**, as ghost state for the checkers: two writes may have
/// the same version. A made value belongs to one operation. A text may be written by several, so it
/// carries the operation's number. Equality, order, hash and the bytes of a record ignore that
/// number, and no protocol can read it. A value that was read from a disk has lost it; checkers
/// then go by key, version and text.
#[derive(Clone, Copy)]
pub struct Value(NonZeroU64);

/// What a [`Value`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// The text at this index of [`crate::names::Names::values`].
    Text(usize),
    /// Made by the workload: the client, and the index of the operation among that client's.
    Made(ClientId, u32),
}

impl Value {
    // One of the two high bits is always set, so an optional value is as small as a value.
    const TEXT: u64 = 1 << 63;
    const MADE: u64 = 1 << 62;
    // A text has its index in the low bits. Above it is the number of the operation that wrote it
    // plus one, or 0 where that is unknown.
    const INDEX: u64 = (1 << 32) - 1;
    const WRITER: u64 = Self::MADE - 1 - Self::INDEX;

    fn tagged(tag: u64, bits: u64) -> Self {
        Self(NonZeroU64::new(tag | bits).expect("a tag is not zero"))
    }

    /// The value whose text is at `index` of the interned values.
    ///
    /// # Panics
    ///
    /// At 2^32 texts.
    #[must_use]
    pub fn text(index: usize) -> Self {
        let index = u32::try_from(index).expect("fewer than 2^32 texts");
        Self::tagged(Self::TEXT, index.into())
    }

    /// The same value, marked as written by `op`. Operations from number 2^30 - 1 on leave no mark.
    #[must_use]
    pub(crate) fn written_by(self, op: OpId) -> Self {
        let writer = u64::from(op.0) + 1;
        if self.0.get() & Self::TEXT == 0 || writer > Self::WRITER >> 32 {
            return self;
        }
        Self::tagged(self.bits(), writer << 32)
    }

    /// The same value, whoever wrote it: without the mark.
    #[must_use]
    pub(crate) fn unmarked(self) -> Self {
        Self::tagged(self.bits(), 0)
    }

    /// The operation that wrote this text. `None` where that is unknown, and for a made value:
    /// [`Self::kind`] tells its operation.
    #[must_use]
    pub(crate) fn writer(self) -> Option<OpId> {
        let bits = self.0.get();
        if bits & Self::TEXT == 0 {
            return None;
        }
        let writer = u32::try_from((bits & Self::WRITER) >> 32).expect("30 bits");
        writer.checked_sub(1).map(OpId)
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

    /// The value as a number that is never 0, without the operation that wrote it.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u64 {
        let bits = self.0.get();
        if bits & Self::TEXT == 0 { bits } else { bits & !Self::WRITER }
    }

    /// What the value stands for.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves were put in as 30 and 32 bits")]
    pub fn kind(self) -> ValueKind {
        let bits = self.0.get();
        if bits & Self::TEXT != 0 {
            ValueKind::Text((bits & Self::INDEX) as usize)
        } else {
            ValueKind::Made(ClientId((bits >> 32) as u32 & ClientId::ARRIVALS.0), bits as u32)
        }
    }
}

impl PartialEq for Value {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits().cmp(&other.bits())
    }
}

impl Hash for Value {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.bits()).finish()
    }
}

impl Serialize for Value {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.bits())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NonZeroU64::deserialize(deserializer).map(Self)
    }
}

/// The rank of a write under last write wins: timestamp, node id and issue sequence, compared in
/// that order.
///
/// The order is total even when a leader stamps two writes in one nanosecond: their issue sequences
/// differ.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct Version {
    /// The timestamp that the coordinator gave the write. From a wall clock it is in nanoseconds.
    pub timestamp: i64,
    /// The node that stamped it.
    pub node: NodeId,
    /// The node's count of stamped writes, this one included: the first has 1.
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

/// The term of a leader or of an election: a number that only rises. 0 means none: the protocol has
/// no terms, or the node has seen none yet.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct Term(pub u32);

impl Term {
    /// The term after this one.
    ///
    /// # Panics
    ///
    /// At the last of 2^32 terms.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The index of an entry in a replicated log, counted from 1. 0 is before the first.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct LogIndex(pub u64);

impl LogIndex {
    /// The next index.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The index before this one; 0 stays 0.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The index `count` entries later.
    ///
    /// # Panics
    ///
    /// Beyond 2^64 entries.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An entry of a replicated log, identified by term and index. 0.0 is before the first.
///
/// Positions are ordered by term, then by index: of two logs the one that ends later in this order
/// is the more up to date (Raft section 5.4.1).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug,
)]
pub struct Position {
    /// The term of the leader that accepted the entry.
    pub term: Term,
    /// Its index in the log.
    pub index: LogIndex,
}

/// `term.index`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

impl ClientId {
    /// Stands for the arrivals of an open loop. Their operations and values are drawn by the
    /// arrival's number, not by the client that happens to be free.
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

/// A set of nodes, one bit each. Sets of the first 64 nodes need no allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeSet {
    low: u64,
    /// Bits from 64 on. The last word is never zero, so equal sets compare equal.
    high: Vec<u64>,
}

impl NodeSet {
    /// The empty set.
    pub const EMPTY: Self = Self { low: 0, high: Vec::new() };

    const fn place(node: NodeId) -> (usize, u64) {
        (node.index() / 64, 1 << (node.index() % 64))
    }

    /// Adds `node`; returns whether it was not in the set before.
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

    /// Removes `node`; returns whether it was in the set.
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

/// A set of the nodes `n1` to `n64`, in 64 bits: small enough to travel in an
/// [`Observation`](crate::protocol::Observation). A protocol that keeps a replicated log has no
/// larger configurations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeBits(pub u64);

impl NodeBits {
    /// How many nodes there is room for.
    pub const ROOM: u16 = 64;

    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The first `count` nodes; all that there is room for where `count` is larger.
    #[must_use]
    pub const fn first(count: u16) -> Self {
        if count >= Self::ROOM { Self(u64::MAX) } else { Self((1 << count) - 1) }
    }

    /// The set of this node alone.
    ///
    /// # Panics
    ///
    /// When the node is beyond [`NodeBits::ROOM`].
    #[must_use]
    #[inline]
    pub const fn of(node: NodeId) -> Self {
        assert!(node.0 < Self::ROOM, "n1 to n64");
        Self(1 << node.0)
    }

    /// The same set with `node` in it.
    ///
    /// # Panics
    ///
    /// When the node is beyond [`NodeBits::ROOM`].
    #[must_use]
    #[inline]
    pub const fn with(self, node: NodeId) -> Self {
        Self(self.0 | Self::of(node).0)
    }

    /// The same set without `node`.
    #[must_use]
    #[inline]
    pub const fn without(self, node: NodeId) -> Self {
        if node.0 < Self::ROOM { Self(self.0 & !(1 << node.0)) } else { self }
    }

    /// Whether `node` is in the set.
    #[must_use]
    #[inline]
    pub const fn contains(self, node: NodeId) -> bool {
        node.0 < Self::ROOM && self.0 >> node.0 & 1 == 1
    }

    /// How many nodes are in both sets.
    #[must_use]
    #[inline]
    pub const fn common(self, other: Self) -> u32 {
        (self.0 & other.0).count_ones()
    }

    /// How many nodes are in the set.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether no node is in the set.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The nodes, lowest id first.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        NodeId::all(Self::ROOM).filter(move |node| self.contains(*node))
    }
}

impl FromIterator<NodeId> for NodeBits {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        nodes.into_iter().fold(Self::EMPTY, Self::with)
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
    fn who_wrote_a_text_is_known_and_makes_no_difference() {
        let (text, made) = (Value::text(7), Value::made(ClientId(3), 9));
        let (by_first, by_later) = (text.written_by(OpId(0)), text.written_by(OpId(12)));
        let writers = [text, by_first, by_later, by_first.written_by(OpId(5)), made];
        let of = writers.map(Value::writer);
        assert_eq!(of, [None, Some(OpId(0)), Some(OpId(12)), Some(OpId(5)), None]);
        assert_eq!((by_first, by_first.bits()), (by_later, text.bits()));
        assert_eq!(by_first.cmp(&by_later), Ordering::Equal);
        assert_eq!(by_later.kind(), ValueKind::Text(7));
        assert_eq!(format!("{by_later:?}"), format!("{text:?}"));
        assert_eq!(made.written_by(OpId(4)), made);
        let bytes = |value: &Value| postcard::to_stdvec(value).expect("a number");
        assert_eq!((bytes(&by_later), bytes(&made)), (bytes(&text), bytes(&made)));
        let read: Value = postcard::from_bytes(&bytes(&by_later)).expect("the same number");
        assert_eq!((read, read.writer()), (text, None));
        assert_eq!(text.written_by(OpId(u32::MAX)).writer(), None, "too many to tell apart");
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

    #[test]
    fn a_set_in_64_bits_has_room_for_the_first_64_nodes() {
        let set: NodeBits = [NodeId(0), NodeId(63), NodeId(5)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(0), NodeId(5), NodeId(63)]);
        assert_eq!((set.len(), set.is_empty(), NodeBits::EMPTY.is_empty()), (3, false, true));
        assert!(set.contains(NodeId(63)) && !set.contains(NodeId(64)) && !set.contains(NodeId(1)));
        assert_eq!(set.without(NodeId(5)).without(NodeId(64)).len(), 2);
        assert_eq!(NodeBits::first(3).iter().collect::<Vec<_>>(), [0, 1, 2].map(NodeId));
        assert_eq!((NodeBits::first(64).len(), NodeBits::first(100).len()), (64, 64));
        assert_eq!(set.common(NodeBits::first(6)), 2);
    }
}

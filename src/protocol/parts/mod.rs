//! The parts that replication protocols are made of: plain structs that decide and return.
//!
//! A part holds a piece of a node's state and the rules that keep it right. It sends nothing, sets
//! no timer and knows no protocol: it returns what is to be done, and the protocol that owns it
//! does it. (Only [`wal`] and [`checkpoint`] take a [`Context`](super::Context), of any protocol:
//! they own files.) Each is tested against a twin that is simple enough to be right.
//!
//! | part | holds | used for |
//! |---|---|---|
//! | [`store`] | what a replica stores, by key | last write wins, lists, tombstones |
//! | [`entry`] | a write as it travels | applying writes to a store |
//! | [`stamps`] | the stamps that a node gave and saw | versions that are given once |
//! | [`tombstones`] | when the next tombstone is purged | a grace period |
//! | [`anti_entropy`] | whose turn it is | comparing two replicas by digests |
//! | [`reads`] | the reads that a node coordinates | quorum reads, read repair |
//! | [`log`] | entries at (term, index) | log matching (Raft section 5.3) |
//! | [`progress`] | how far each follower is | which entries are sent next |
//! | [`quorum`] | who votes | majorities, of one set or of two |
//! | [`ballot`] | term and vote | one vote a term |
//! | [`session`] | what clients were last answered | retries that are not applied twice |
//! | [`durable`] | what waits for the disk | no promise before its record is durable |
//! | [`frame`] | records as bytes | torn tails, corruption |
//! | [`wal`] | a write-ahead log in a file | what is written, and what is durable |
//! | [`checkpoint`] | a snapshot in a file | cutting the write-ahead log |

pub mod anti_entropy;
pub mod ballot;
pub mod checkpoint;
pub mod durable;
pub mod entry;
pub mod frame;
pub mod log;
pub mod progress;
pub mod quorum;
pub mod reads;
pub mod session;
pub mod stamps;
pub mod store;
pub mod tombstones;
pub mod wal;

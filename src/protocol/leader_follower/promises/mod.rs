//! What each mode promises, and why; with elections see [`elected`].
//!
//! - **single-leader, split-brain**: always: the leader is fixed
//! - **replay**: with a log, unless a disk lies or flips a bit: a bit of the last batch that flips
//!   looks like a torn tail
//! - **convergence, lww-maximum**: with resending, unless a node forgets; without, unless a message
//!   of the leader is lost or a node crashes; never when a clear may reach a follower (sent there,
//!   or tried again at the next node), and never lww-maximum when deletes erase
//! - **durability**: never when writes are tried again: an attempt that was given up may arrive
//!   late and win by its stamp over what was acknowledged since; else unless all forget who have
//!   what was acknowledged, or the clock that stamps is set wrong (last write wins drops what is
//!   stamped in the past); when deletes erase, not with entry replication, and not when a message
//!   of the leader is lost or a follower forgets the end of its log
//! - **monotonic writes**: unless the leader forgets or the clock that stamps is set wrong
//! - **writes follow reads**: the same, and a power loss of the leader: a write is read before it
//!   is durable
//! - **read your writes, monotonic reads, staleness**: when every read asks the leader and nothing
//!   is tried again elsewhere, unless the leader forgets or the clock that stamps is set wrong;
//!   never when followers are read
//! - **resurrection**: when every read asks the leader and nothing is tried again elsewhere, as
//!   those, else never; never where durability is not promised
//! - **append uniqueness**: never when appends are tried again and not deduplicated, or other
//!   writes are tried again; else unless the leader forgets, or loses power where reads repair, or
//!   the clock that stamps is set wrong
//! - **liveness**: never without a leader from the start, else unless the leader stays down: what
//!   waits is answered in the end, and the leader is back once the faults are over
//! - **availability, replication lag**: never: nobody takes the place of the leader, and no answer
//!   waits for every follower for longer than `ack-timeout`
//!
//! Nearly all of this rests on the leader alone: what happens to a follower voids it not. An
//! acknowledged write is besides on as many followers as it waited for, where too few
//! acknowledgements are an error; it is lost when the leader forgets all and they do (one that
//! forgets the end of its log shows what came before), where nobody is made like a leader that
//! forgot: with entry replication and without catching up. With `term-sequence`, and with a hybrid
//! clock that is read coarsely, a leader that forgets stamps below what it stamped before, and the
//! leader alone counts again.
//!
//! What a wrong wall clock voids it voids with timestamps of the wall clock of the leader or, a
//! drift too, of clients; a hybrid clock and (term, sequence) order the writes of one leader
//! whatever its clock shows. Ties left to what is there void all but single-leader and, of the
//! leader alone, monotonic reads: of two writes with one timestamp the second is acknowledged and
//! dropped, and which one came first differs from replica to replica. Tombstones that are purged
//! void convergence, lww-maximum and durability: a message that takes longer than their grace
//! brings back what they deleted. Where replicas fill one another in (read repair, anti-entropy), a
//! delete that leaves nothing, or is purged, may come back even to the leader, and the promises of
//! its reads go too.
//!
//! With anti-entropy and tombstones that stay replicas converge whatever was lost.
//!
//! When every read asks R of N replicas and an acknowledged write is on W (one more than the
//! followers it waited for, and one alone if it may be answered degraded), R + W > N promises read
//! your writes and staleness, unless R + W - N nodes forget; 2R > N with repair before the answer
//! promises monotonic reads, unless 2R - N nodes do. Tried-again writes, clears, appends (a list is
//! read from the node asked alone) and purged tombstones void both.
//!
//! A compare-and-set is a read of the leader and a put that follows it, and is promised what these
//! are. Nobody but who leads, or believes so, decides it. One that is tried again may find what its
//! own first attempt has put, or be done twice: its outcome is unknown then, and linearizability is
//! not promised. Of quorums of reads it has none.
//!
//! A batch is decided on the leader too, and its parts are promised what single operations are. On
//! the leader all of it is seen at one moment, so with a fixed leader linearizability holds for
//! batches where it holds at all. It is **not** promised that a batch is whole elsewhere:
//!
//! - Between registers its writes go in one message, into one record of each log. But each key
//!   takes the newest of what it is given: where clocks are wrong some writes of a batch win and
//!   others lose, and read repair and anti-entropy carry single keys to a replica that missed the
//!   batch.
//! - In one log its writes are entries, one after the other. A follower that loses power in their
//!   midst has the first ones until its leader sends the rest; if it leads next, for good.
//! - A batch that is tried again may be done twice, or find what its own first attempt has put.
//!
//! What makes a node forget what it acknowledged depends on the policy of its log: without one a
//! crash, a power loss and an empty disk; with `fsync` and `group-commit` an empty disk, one that
//! lies or flips a bit, and a node that does not come back; with a buffered log these and a power
//! loss. Monotonic reads are void after a power loss under every policy: a write is read before it
//! is durable.

use crate::config::Config as Scenario;
use crate::property::Promises;

use super::config::{Config, Election};

pub(super) use settling::settles_within;

mod elected;
mod fixed;
mod settling;
mod shared;
#[cfg(test)]
mod stamps_kept;

/// What these settings promise of each property, and why.
pub(super) fn promises(config: &Config, scenario: &Scenario) -> Promises {
    match config.failover.election {
        Election::None => fixed::promises(config, scenario),
        Election::LowestId { .. }
        | Election::HighestId
        | Election::MajorityVote { .. }
        | Election::NewestTimestamp => elected::promises(config, scenario),
    }
}

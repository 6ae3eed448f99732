//! Causal identities and keyed draws: where every random decision of a run comes from.
//!
//! There is no shared generator from which each decision takes the next number. An event carries a
//! [`CausalId`], a hash of what caused it, and a decision is a pure function of (seed, purpose,
//! causal identity, index). Removing a fault, an operation or a client therefore changes only the
//! draws of what it caused. Shrinking rests on this, and so does the comparison of two
//! configurations under the same random numbers.
//!
//! A draw need not be computed to be made: a lossless link skips its loss draw, and every other
//! draw stays as it was.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The identity of an event by what caused it. It is equal in two runs exactly when the same chain
/// of causes led to the event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CausalId(u64);

/// What starts a causal chain: an event that no other event caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Root {
    /// The run itself: phases, expectations.
    Run = 1,
    /// A node's boot. The arguments are the node and the number of its earlier boots.
    Boot,
    /// A client's operation. The arguments are the client and its operation index.
    Operation,
    /// A scripted operation. The argument is a hash of its id in the scenario.
    Scripted,
    /// A fault. The argument is a hash of its id in the scenario.
    Fault,
    /// A change of settings. The argument is its place in the scenario.
    Change,
}

/// The kind of effect by which one event causes another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cause {
    /// A message from node to node; the destination is the receiver, joined by the message's kind.
    Send = 1,
    /// A timer; the destination is a hash of its name.
    Timer,
    /// An operation on the disk; the destination is the file.
    Disk,
    /// A reply to a client; the destination is the client.
    Reply,
    /// A client's attempt at an operation; the ordinal is the attempt.
    Attempt,
    /// The second copy of a duplicated message.
    Duplicate,
    /// The end of a fault, or the delivery of what it held back.
    End,
    /// A client's timeout for an attempt.
    Timeout,
    /// The restart of a node; the destination is the node.
    Boot,
    /// What a fault does to a message; the destination is the fault's identity.
    Fault,
    /// A message that is returned to its sender because the receiving process is not running.
    Refusal,
}

impl CausalId {
    /// The identity of a chain's first event. `a` and `b` name it; they are stable, never running
    /// numbers of the simulation.
    #[must_use]
    pub const fn root(kind: Root, a: u64, b: u64) -> Self {
        let h = mix(a.wrapping_mul(GOLDEN) ^ ((kind as u64) << 56 | 0x5eed));
        Self(mix(h ^ mix(b.wrapping_add(GOLDEN))))
    }

    /// The identity of an effect of this event. `ordinal` counts this event's effects of the same
    /// `cause` to the same `destination`, so an effect to another destination never shifts it.
    #[inline]
    #[must_use]
    pub const fn child(self, cause: Cause, destination: u64, ordinal: u32) -> Self {
        // Each part has its own factor: a destination may use all 64 bits, so none are left for the
        // rest.
        let effect = ((cause as u64) << 32 | ordinal as u64).wrapping_mul(SILVER);
        Self(mix(self.0 ^ effect.wrapping_add(destination.wrapping_mul(GOLDEN))))
    }

    /// The identity as a number, for a digest or a trace.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What a draw decides. Draws for different purposes are independent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// Whether the network loses a message.
    Loss,
    /// Whether the network duplicates a message.
    Duplication,
    /// How long a message travels.
    Delay,
    /// Whether a fault that drops or degrades messages takes this one.
    FaultLoss,
    /// How much longer a message travels because of a fault.
    FaultDelay,
    /// How long a client leg takes.
    ClientDelay,
    /// A node's own randomness, [`crate::protocol::Context::random`].
    Protocol,
    /// How long a disk takes to sync.
    Sync,
    /// What a power loss leaves of what was not synced.
    PowerLoss,
    /// Which node a symbolic fault target means.
    Target,
    /// Which kind of operation a client invokes.
    Mix,
    /// Which key an operation is on.
    Key,
    /// How long a client thinks, or until the next arrival.
    Pace,
    /// Which node a client asks.
    Replica,
    /// How long a client waits before it tries again.
    Backoff,
    /// The order of events at one instant, where a scenario asks for random ties.
    Tie,
    /// What a fault of a disk damages.
    DiskFault,
}

const PURPOSES: usize = Purpose::DiskFault as usize + 1;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const SILVER: u64 = 0xd6e8_feb8_6659_fd93;

/// The keyed draws of one seed.
#[derive(Clone, Debug)]
pub struct Draws {
    streams: [u64; PURPOSES],
}

impl Draws {
    /// The draws of `seed`. ChaCha8 expands the seed, so draws of neighbouring seeds are
    /// independent.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut expand = ChaCha8Rng::seed_from_u64(seed);
        Self { streams: std::array::from_fn(|_| expand.next_u64()) }
    }

    /// 64 uniform bits for decision number `index` of `purpose` about the event `id`.
    #[inline]
    #[must_use]
    pub const fn draw(&self, purpose: Purpose, id: CausalId, index: u32) -> u64 {
        let stream = self.streams[purpose as usize];
        mix(id.0 ^ stream.wrapping_add((index as u64).wrapping_mul(GOLDEN)))
    }

    /// A uniform number below `bound`; 0 when `bound` is 0. It is the high half of a product, so a
    /// decision is always one draw; the bias is below `bound` / 2^64.
    #[inline]
    #[must_use]
    pub const fn below(&self, purpose: Purpose, id: CausalId, index: u32, bound: u64) -> u64 {
        ((self.draw(purpose, id, index) as u128 * bound as u128) >> 64) as u64
    }

    /// Whether an event happens that has this probability.
    #[inline]
    #[must_use]
    pub const fn happens(
        &self,
        purpose: Purpose,
        id: CausalId,
        index: u32,
        probability: Probability,
    ) -> bool {
        // A lossless link, the common case, costs no multiplication.
        probability.0 != 0
            && self.below(purpose, id, index, Probability::ONE.0 as u64) < probability.0 as u64
    }
}

/// A probability in whole parts per billion, so it is exact in files and comparisons and on every
/// platform.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Probability(u32);

impl Probability {
    /// Never.
    pub const ZERO: Self = Self(0);
    /// Always.
    pub const ONE: Self = Self(1_000_000_000);

    /// `parts` in a billion; `None` when that is more than one.
    #[must_use]
    pub const fn from_parts_per_billion(parts: u32) -> Option<Self> {
        if parts <= Self::ONE.0 { Some(Self(parts)) } else { None }
    }

    /// Parts in a billion.
    #[must_use]
    pub const fn parts_per_billion(self) -> u32 {
        self.0
    }
}

/// A bijection of 64 bits in which every input bit flips every output bit with probability close to
/// one half (Pelle Evensen's "moremur" constants).
#[inline]
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 27;
    x = x.wrapping_mul(0x3c79_ac49_2ba7_b653);
    x ^= x >> 33;
    x = x.wrapping_mul(0x1c69_b3f7_4ac4_ae35);
    x ^ x >> 27
}

#[cfg(test)]
mod tests;

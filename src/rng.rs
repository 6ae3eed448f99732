//! Causal identities and keyed draws: where every random decision of a run comes from.
//!
//! There is no generator whose next number the next decision takes. An event carries a
//! [`CausalId`], a hash of what caused it, and a decision is a pure function of (seed, purpose,
//! causal identity, index). Removing a fault, an operation or a client therefore changes the luck
//! of what it caused and of nothing else, which is what makes shrinking work and lets two
//! configurations be compared under the same luck.
//!
//! A draw that is a pure function need not be computed to be "made": a loss draw that a lossless
//! link never looks at costs nothing, and leaves every other draw as it was.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The identity of an event by what caused it: equal in two runs exactly when the same chain of
/// causes led there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CausalId(u64);

/// What starts a causal chain: everything that is not the effect of another event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Root {
    /// The run itself: phases, expectations.
    Run = 1,
    /// A node's boot; the arguments are the node and how often it booted before.
    Boot,
    /// A client's operation; the arguments are the client and its operation index.
    Operation,
    /// A scripted operation; the argument is a hash of its id in the scenario.
    Scripted,
    /// A fault; the argument is a hash of its id in the scenario.
    Fault,
    /// A change of settings; the argument is its place in the scenario.
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
    /// A message that comes back, because the process it was meant for is not there.
    Refusal,
}

impl CausalId {
    /// The identity of a chain's first event: a stable name, never a running number of the
    /// simulation.
    #[must_use]
    pub const fn root(kind: Root, a: u64, b: u64) -> Self {
        let h = mix(a.wrapping_mul(GOLDEN) ^ ((kind as u64) << 56 | 0x5eed));
        Self(mix(h ^ mix(b.wrapping_add(GOLDEN))))
    }

    /// The identity of an effect of this event: `ordinal` counts this event's effects of the same
    /// `cause` to the same `destination`, so that an effect to another destination never shifts it.
    #[inline]
    #[must_use]
    pub const fn child(self, cause: Cause, destination: u64, ordinal: u32) -> Self {
        // Each with a factor of its own: a destination may use all of its 64 bits, so no bits are
        // left for the rest.
        let effect = ((cause as u64) << 32 | ordinal as u64).wrapping_mul(SILVER);
        Self(mix(self.0 ^ effect.wrapping_add(destination.wrapping_mul(GOLDEN))))
    }

    /// The identity as a number, for a digest or a trace.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What a draw decides. Draws of different purposes are independent of one another.
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
    /// The draws of `seed`; the seed is expanded by ChaCha8, so near seeds share nothing.
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

    /// A uniform number below `bound` (0 when `bound` is 0), by the high half of the product: no
    /// loop, so a decision is always one draw; the bias is below `bound` / 2^64.
    #[inline]
    #[must_use]
    pub const fn below(&self, purpose: Purpose, id: CausalId, index: u32, bound: u64) -> u64 {
        ((self.draw(purpose, id, index) as u128 * bound as u128) >> 64) as u64
    }

    /// Whether an event of `probability` happens.
    #[inline]
    #[must_use]
    pub const fn happens(
        &self,
        purpose: Purpose,
        id: CausalId,
        index: u32,
        probability: Probability,
    ) -> bool {
        // The common lossless link costs no multiplication.
        probability.0 != 0
            && self.below(purpose, id, index, Probability::ONE.0 as u64) < probability.0 as u64
    }
}

/// A probability in whole parts per billion: exact in a file, in a comparison and on every
/// platform.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Probability(u32);

impl Probability {
    /// Never.
    pub const ZERO: Self = Self(0);
    /// Always.
    pub const ONE: Self = Self(1_000_000_000);

    /// `parts` in a billion, or nothing when that is more than all.
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

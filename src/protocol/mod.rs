//! The contract of a replication protocol, and the protocols that come with splitbrain.
//!
//! A protocol is a state machine without input or output of its own (sans-IO).
//! [`Protocol::handle`] takes one [`Input`], changes the node's state, and pushes its effects into
//! a [`Context`]. The simulation plays the effects: messages travel through a network that may lose
//! them, an append becomes durable when its sync completes, a timer runs on the node's own clock.
//! An implementation has four duties; [`authors`] has them in detail.
//!
//! 1. **A crash is a drop.** A node that crashes is dropped. [`Protocol::recover`] builds it again
//!    from its disk and its settings, and from nothing else. First boot is a recovery from a new
//!    disk ([`DiskImage::origin`]); the leader that the scenario appoints is appointed then.
//! 2. **No promise leaves before its record is durable.** [`Context::append`] only writes. A vote,
//!    an acknowledgement or a reply that depends on a record leaves when [`Input::Persisted`]
//!    brings the ticket of a [`Context::sync`] that covers the record.
//! 3. **No other source of time or chance** than [`Context::wall`], [`Context::monotonic`] and
//!    [`Context::random`], and no iteration over anything whose order is undefined.
//! 4. **Say what happens.** Checkers, metrics and explanations read the [`Observation`]s that a
//!    protocol emits.
//!
//! A protocol of another crate implements [`Protocol`], and
//! [`crate::scenario::ScenarioProtocol`] so that scenario files can name it. [`harness`] plays its
//! nodes step by step. A whole store whose nodes answer from their own memory and never replicate:
//!
//! ```
//! use std::collections::BTreeMap;
//! use splitbrain::config::Config;
//! use splitbrain::operation::Operation;
//! use splitbrain::id::{KeyId, NodeId, Value, Version};
//! use splitbrain::property::Promises;
//! use splitbrain::protocol::{
//!     Context, DiskImage, Input, NoMessage, NoTimer, NodeSnapshot, Outcome, Protocol, Reply,
//!     Response, Role,
//! };
//!
//! struct Alone { me: NodeId, data: BTreeMap<KeyId, (Value, Version)> }
//!
//! impl Protocol for Alone {
//!     type Config = ();
//!     type Message = NoMessage;
//!     type Record = ();
//!     type Timer = NoTimer;
//!
//!     fn recover(_: &(), _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
//!         Self { me: cx.node(), data: BTreeMap::new() }
//!     }
//!     fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
//!         let Input::Request { request, operation, .. } = input else { return };
//!         let response = match operation {
//!             Operation::Put { key, value, .. } => {
//!                 let version = Version { timestamp: cx.wall().0, node: self.me, sequence: 0 };
//!                 self.data.insert(key, (value, version));
//!                 Response::Written { version, existed: None }
//!             }
//!             Operation::Get { key, .. } => match self.data.get(&key) {
//!                 Some((value, version)) => Response::Found { value: *value, version: *version },
//!                 None => Response::Absent,
//!             },
//!             _ => return cx.reply(request, Reply::unsupported()),
//!         };
//!         cx.reply(request, Reply::of(Outcome::Ok(response)));
//!     }
//!     fn snapshot(&self) -> NodeSnapshot {
//!         NodeSnapshot::new(self.me, Role::Leader)
//!     }
//!     fn promises(_: &(), _: &Config) -> Promises {
//!         Promises::default()
//!     }
//! }
//! ```

#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::names::Names;
use crate::property::{Promises, SettlesWithin};

pub use crate::history::Over;
pub use context::{Context, Origin};
pub use disk::{DiskError, DiskImage, DiskOrigin, File, Ticket};
pub(crate) use effect::{DiskOperation, Effect, Effects};
pub use input::{Input, NoTimer, RequestId, Session};
pub use message::{Carried, Message, NoMessage, Relation};
pub use observation::{DiscardReason, EntryHash, Observation, StateHash};
pub use reply::{FoundList, Mismatch, Outcome, Reply, Response};
pub use snapshot::{LogStatus, NodeSnapshot, Role, Stored};

pub mod authors {
    #![doc = include_str!("AUTHORS.md")]
}

mod context;
mod disk;
mod effect;
pub mod harness;
mod input;
pub mod leader_follower;
mod message;
mod observation;
pub mod parts;
mod reply;
mod snapshot;

/// A replication protocol: the state machine of one node.
pub trait Protocol: Sized + 'static {
    /// Its validated settings, the same on every node.
    type Config: Clone + fmt::Debug + PartialEq + Send + Sync + 'static;
    /// What its nodes send one another.
    type Message: Message;
    /// What it writes to its files, encoded by serde and postcard.
    type Record: Serialize + DeserializeOwned + fmt::Debug;
    /// The names of its timers. At most one timer of each name runs on a node.
    type Timer: Copy + Eq + Hash + fmt::Debug + Send + 'static;

    /// Whether a node that reads its whole log back stores the same data as before: nothing in its
    /// log waits to be committed. The replay checker then compares the two.
    const REPLAY_RESTORES_DATA: bool = false;

    /// The names of its files by number, for transcripts. A file without a name is `file 2`.
    const FILES: &'static [&'static str] = &[];

    /// Whether nodes with these settings keep a replicated log. Then they say what happens to it,
    /// and the checks of a replicated log are made: see [`authors`].
    fn keeps_log(config: &Self::Config) -> bool {
        let _ = config;
        false
    }

    /// Builds the node from its disk, which is empty on first boot.
    fn recover(config: &Self::Config, disk: &DiskImage, cx: &mut Context<'_, Self>) -> Self;

    /// Takes one input.
    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>);

    /// The state of the node, as a status page would show it.
    fn snapshot(&self) -> NodeSnapshot;

    /// A record in words, for transcripts.
    fn describe_record(record: &Self::Record, names: &Names) -> String {
        let _ = names;
        format!("{record:?}")
    }

    /// What these settings promise of each property in this scenario.
    fn promises(config: &Self::Config, scenario: &Config) -> Promises;

    /// How long a healed cluster may need under these settings until all work has ended and
    /// replicas hold the same data: the longest sequence of timeouts, repetitions, elections and
    /// delays, with losses and slow clocks counted in. A property of the end that does not hold is
    /// a violation only where the run had that long.
    fn settles_within(config: &Self::Config, scenario: &Config) -> SettlesWithin {
        let _ = (config, scenario);
        SettlesWithin::Unsaid { why: "the protocol does not say" }
    }
}

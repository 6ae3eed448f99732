//! Messages between nodes, and what they have to do with single writes.

use std::fmt;
use std::hash::Hash;

use crate::id::{KeyId, Value, Version};
use crate::names::Names;

use super::input::RequestId;
use super::snapshot::Stored;

/// A message between nodes.
///
/// The digest of a run is made from its `Hash`. So that must cover the content, and must hold no
/// slice of integers wider than a byte ([`crate::digest`]).
pub trait Message: Clone + Hash + fmt::Debug + Send + 'static {
    /// The names of the kinds of message, in kebab-case, as faults and traces use them; at most
    /// 255.
    const KINDS: &'static [&'static str];

    /// The index of this message's kind in [`Message::KINDS`].
    fn kind(&self) -> u8;

    /// The size on the wire in bytes, where the lengths of keys and values do not matter.
    fn size(&self) -> u64 {
        64
    }

    /// The size on the wire in bytes, with the lengths of the keys and values in it. Called only
    /// for a link with a bandwidth.
    fn wire_size(&self, names: &Names) -> u64 {
        let _ = names;
        self.size()
    }

    /// Whether this is a heartbeat: it says that its sender is up, and no more. A cluster can
    /// settle while such messages are under way.
    fn is_background(&self) -> bool {
        false
    }

    /// Whether this belongs to a comparison of replicas, which is repeated for as long as they
    /// differ. A cluster can settle while such messages are under way: that replicas are equal is
    /// looked at directly.
    fn compares(&self) -> bool {
        false
    }

    /// Calls `note` for each write that this message carries or acknowledges, so that a write can
    /// be followed from node to node.
    ///
    /// Called only where single writes are followed, never on the common path. The writes of a
    /// protocol that leaves it out are explained by its [`super::Observation`]s alone.
    fn carries(&self, note: &mut dyn FnMut(Carried)) {
        let _ = note;
    }

    /// The read that this message answers, where a replica answers the read's coordinator.
    ///
    /// Called only where single reads are followed.
    fn answers(&self) -> Option<RequestId> {
        None
    }

    /// The content in words, for traces and transcripts, which show the kind beside it.
    fn describe(&self, names: &Names) -> String {
        let _ = names;
        format!("{self:?}")
    }
}

/// The messages of a protocol whose nodes send each other none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoMessage {}

impl Message for NoMessage {
    const KINDS: &'static [&'static str] = &[];

    fn kind(&self) -> u8 {
        match *self {}
    }
}

/// What a message has to do with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It carries the write: a node that takes the message in has the write.
    Carries,
    /// It acknowledges the write: its sender has it.
    Acknowledges,
}

/// A write that a message carries or acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The version.
    pub version: Version,
    /// The key and the value that the write leaves there, `None` for a removal. All of it is
    /// `None` where the message names the version alone.
    pub content: Option<(KeyId, Option<Value>)>,
    /// Whether the message carries or acknowledges it.
    pub relation: Relation,
}

impl Carried {
    /// The message carries the write `stored` of `key`.
    #[must_use]
    pub const fn write(key: KeyId, stored: Stored) -> Self {
        let content = Some((key, stored.value));
        Self { version: stored.version, content, relation: Relation::Carries }
    }

    /// The message carries the write of `version`, and its content does not show which write that
    /// is.
    #[must_use]
    pub const fn write_of(version: Version) -> Self {
        Self { version, content: None, relation: Relation::Carries }
    }

    /// The message acknowledges the write of `version`.
    #[must_use]
    pub const fn acknowledgement(version: Version) -> Self {
        Self { version, content: None, relation: Relation::Acknowledges }
    }
}

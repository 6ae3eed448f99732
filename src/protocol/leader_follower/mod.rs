//! Leader-follower replication.

mod config;

pub use config::{Config, Deletes, Mode, OnAckTimeout, Replication};

// PLACEHOLDER, to be replaced by the real state machine when it is merged: only the type and the message kinds are
// true.

use crate::property::Promises;
use crate::protocol::{Context, DiskImage, Input, NoTimer, NodeSnapshot, Protocol};

/// A node of leader-follower replication.
#[derive(Debug)]
pub struct LeaderFollower;

/// What its nodes send one another.
#[derive(Clone, Debug, Hash)]
pub enum Message {}

impl crate::protocol::Message for Message {
    const KINDS: &'static [&'static str] = &["replicate", "replicate-many", "state", "ack"];
    fn kind(&self) -> u8 {
        match *self {}
    }
}

impl Protocol for LeaderFollower {
    type Config = Config;
    type Message = Message;
    type Record = ();
    type Timer = NoTimer;

    fn recover(_: &Config, _: &DiskImage, _: &mut Context<'_, Self>) -> Self {
        unreachable!("placeholder")
    }
    fn handle(&mut self, _: Input<Self>, _: &mut Context<'_, Self>) {
        unreachable!("placeholder")
    }
    fn snapshot(&self) -> NodeSnapshot {
        unreachable!("placeholder")
    }
    fn promises(_: &Config, _: &crate::config::Config) -> Promises {
        Promises::default()
    }
}

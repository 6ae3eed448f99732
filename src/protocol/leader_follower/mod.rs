//! Leader-follower replication.

mod config;

pub use config::{Config, Deletes, Mode, OnAckTimeout, Replication};

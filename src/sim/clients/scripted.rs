//! Scripted operations.

use crate::config::Config;
use crate::digest::name_hash;
use crate::id::ClientId;
use crate::protocol::Protocol;
use crate::rng::{CausalId, Root};

use super::super::event::{Queue, What};
use super::generator::{generated, operation_id};
use super::{ClientStep, Invocation, RetryLimits};

impl<P: Protocol, Q: Queue<P>> ClientStep<'_, P, Q> {
    /// Schedules the client's next scripted operation, at its time or at once where that is past.
    pub(super) fn schedule_scripted(&mut self, client: ClientId, place: usize) {
        let due_at = self.config.script[place].at.max(self.kernel.now);
        let id = scripted_id(self.config, place);
        self.kernel.schedule(due_at, id, What::Invoke { client, due_at });
    }

    /// Invokes the operation at this place of the script.
    pub(super) fn invoke_scripted(&mut self, client: ClientId, place: usize) {
        let scripted = &self.config.script[place];
        self.clients.writes_to_come -= usize::from(scripted.operation.is_write());
        let invocation = Invocation {
            id: scripted_id(self.config, place),
            operation: scripted.operation,
            fixed: scripted.node,
            scripted: Some(place),
            due_at: self.kernel.now,
        };
        let op = self.begin(client, invocation, RetryLimits::of(&scripted.retry));
        self.clients.script[place] = Some(op);
    }
}

/// The identity of a scripted operation, by its id: taking out an operation before it changes
/// nothing. An id that names an operation of a workload stands for it and has its luck.
fn scripted_id(config: &Config, place: usize) -> CausalId {
    let id = &config.script[place].id;
    match generated(id) {
        Some((source, index)) => operation_id(source, index),
        None => CausalId::root(Root::Scripted, name_hash(id), 0),
    }
}

//! Generated operations: those of a workload's closed or open loop.

use std::cmp::Reverse;

use crate::config::Pace;
use crate::id::{ClientId, Value};
use crate::protocol::Protocol;
use crate::time::Time;

use super::super::event::Queue;
use super::generator::{arrival_index, operation_id};
use super::{ClientStep, Invocation, RetryLimits};

impl<P: Protocol, Q: Queue<P>> ClientStep<'_, P, Q> {
    /// Schedules the first operation of each client of a closed loop, or the first arrival of an
    /// open one.
    pub(super) fn start_workload(&mut self) {
        let Some(generator) = &mut self.clients.workload else { return };
        match &generator.settings.pace {
            Pace::Closed { .. } => {
                for client in (0..generator.settings.clients).map(ClientId) {
                    let Some(generator) = &self.clients.workload else { return };
                    let due_at = generator.schedule_next(client, 0, self.kernel);
                    self.clients.expect_turn(due_at);
                }
            }
            Pace::Open { .. } => {
                generator.idle.extend((0..generator.settings.clients).map(Reverse));
                let due_at = generator.schedule_arrival(0, self.kernel);
                self.clients.expect_turn(due_at);
            }
        }
    }

    /// Invokes the operation `index` of the stream `source` by `client`.
    pub(super) fn invoke_generated(
        &mut self,
        client: ClientId,
        source: ClientId,
        index: u32,
        due_at: Time,
    ) {
        let generator = self.clients.workload.as_ref().expect("the workload generates it");
        let id = operation_id(source, index);
        let (draws, nodes) = (&self.kernel.draws, self.clients.nodes);
        let seen = &self.clients.list[client.0 as usize].seen;
        let batches = &mut self.kernel.batches;
        let value = Value::made(source, index);
        let operation = generator.operation(id, value, draws, seen, batches);
        let asks_leader = operation.asks_leader();
        let fixed = if asks_leader {
            None
        } else {
            generator.replica(client, id, nodes, draws, self.network)
        };
        let limits = RetryLimits::of(&generator.settings.retry);
        let invocation = Invocation { id, operation, fixed, scripted: None, due_at };
        self.begin(client, invocation, limits);
    }

    /// Operations of an open loop arrive, and the next arrival is scheduled.
    pub(in super::super) fn arrive(&mut self, index: u64) {
        let now = self.kernel.now;
        self.clients.turns_to_come -= usize::from(now <= self.clients.end);
        let generator = self.clients.workload.as_ref().expect("arrivals are a workload's");
        let Pace::Open { burst, .. } = generator.settings.pace else { return };
        let last = generator.settings.operations.unwrap_or(u64::MAX);
        let end = (index + u64::from(burst)).min(last);
        let due_at = generator.schedule_arrival(end, self.kernel);
        self.clients.expect_turn(due_at);
        for index in index..end {
            let generator = self.clients.workload.as_mut().expect("arrivals are a workload's");
            match generator.idle.pop() {
                None => generator.waiting.push_back((index, now)),
                Some(Reverse(client)) => {
                    let index = arrival_index(index);
                    self.invoke_generated(ClientId(client), ClientId::ARRIVALS, index, now);
                }
            }
        }
    }
}

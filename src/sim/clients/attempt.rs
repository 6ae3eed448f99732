//! An operation under way: its attempts, from the first request to the completion.

use crate::history::{Failure, History, Process, Status};
use crate::id::{ClientId, KeyId, NodeId, OpId, Value};
use crate::operation::{Batches, Operation};
use crate::protocol::{Mismatch, Outcome, Protocol, Reply, RequestId, Response, Session};
use crate::rng::{Cause, Purpose};
use crate::time::Time;

use super::super::event::{Queue, What};
use super::super::network::ClientWay;
use super::super::notes::transmissions::End;
use super::{Client, ClientStep, Current, Invocation, RetryLimits};

impl Current {
    /// The request of the attempt under way.
    const fn request(&self) -> RequestId {
        RequestId::new(self.op, self.attempt)
    }

    /// How the operation ends where it was not done, as far as the client knows.
    const fn status(&self) -> Status {
        if self.unsure { Status::Info } else { Status::Fail }
    }
}

impl<P: Protocol, Q: Queue<P>> ClientStep<'_, P, Q> {
    /// Invokes an operation and sends its first request.
    pub(super) fn begin(
        &mut self,
        client: ClientId,
        invocation: Invocation,
        limits: RetryLimits,
    ) -> OpId {
        let Invocation { id, operation, fixed, scripted, due_at } = invocation;
        let process = Process { client, incarnation: self.client(client).incarnation };
        let (op, operation) = self.invocation(due_at, process, operation);
        if self.kernel.notes.on {
            let call = self.names.call(operation, &self.kernel.batches);
            self.kernel.trace(self.names.client(client), ". ask", || call);
        }
        self.clients.busy += 1;
        let may_write = self.clients.may_write && scripted.is_none();
        self.clients.writing += usize::from(operation.is_write() || may_write);
        let state = &mut self.clients.list[client.0 as usize];
        state.sequence += 1;
        state.current = Some(Current {
            op,
            sequence: state.sequence,
            id,
            operation,
            fixed,
            asked: fixed.unwrap_or(state.leader),
            attempt: 0,
            redirects: 0,
            retries_left: limits.retries,
            timeout: limits.timeout,
            ask_next: limits.ask_next,
            deadline: Time::MAX,
            unsure: false,
            scripted,
        });
        self.attempt(client);
        op
    }

    /// Writes an invocation down; the operation as its values travel.
    fn invocation(
        &mut self,
        due_at: Time,
        process: Process,
        operation: Operation,
    ) -> (OpId, Operation) {
        let (history, now) = (&mut self.kernel.history, self.kernel.now);
        let Operation::Batch(batch) = operation else {
            let op = history.invoke(now, due_at, process, operation);
            return (op, history.mark(op, operation));
        };
        let batches = &mut self.kernel.batches;
        let op = history.invoke_batch(now, due_at, process, batch, batches.get(batch));
        (op, Operation::Batch(batches.intern(history.mark_parts(op))))
    }

    /// Sends the current attempt's request.
    fn attempt(&mut self, client: ClientId) {
        let state = &mut self.clients.list[client.0 as usize];
        let current = state.current.as_mut().expect("an operation is under way");
        current.deadline = self.kernel.now + current.timeout;
        let id = current.id.child(Cause::Attempt, 0, current.attempt);
        if state.alarm_at.is_none_or(|at| at > current.deadline) {
            state.alarm_at = Some(current.deadline);
            let alarm = id.child(Cause::Timeout, 0, 0);
            self.kernel.schedule(current.deadline, alarm, What::Alarm { client });
        }
        let (node, operation, request) = (current.asked, current.operation, current.request());
        let session = Session { client, sequence: current.sequence };
        self.kernel.counts.sent += 1;
        if self.network.client_reaches(client, node) {
            let takes =
                self.network.client_takes(client, node, id, ClientWay::There, &self.kernel.draws);
            let what = What::Request { node, session, request, operation };
            self.kernel.schedule_after(takes, id, what);
        } else {
            self.kernel.counts.blocked += 1;
            let (from, to) = (End::Client(client), End::Node(node));
            self.kernel.notes.stopped_of_client(self.kernel.now, from, to, request);
        }
    }

    /// The time that an attempt's deadline may have come.
    pub(in super::super) fn alarm(&mut self, client: ClientId) {
        let state = &mut self.clients.list[client.0 as usize];
        if state.alarm_at != Some(self.kernel.now) {
            // An earlier alarm was scheduled after this one and has replaced it.
            return;
        }
        state.alarm_at = None;
        let Some(current) = &mut state.current else { return };
        if current.deadline == Time::MAX {
            // The client waits before the next attempt, which sets an alarm of its own.
            return;
        }
        if current.deadline > self.kernel.now {
            // The attempt that this alarm was set for is over; a later one is under way.
            state.alarm_at = Some(current.deadline);
            let id = current.id.child(Cause::Timeout, 1, current.attempt);
            self.kernel.schedule(current.deadline, id, What::Alarm { client });
            return;
        }
        current.unsure |= current.operation.is_write();
        self.give_up_attempt(client, Failure::Timeout);
    }

    /// An answer reaches a client.
    pub(in super::super) fn answer(
        &mut self,
        client: ClientId,
        node: NodeId,
        request: RequestId,
        reply: Reply,
    ) {
        let state = &mut self.clients.list[client.0 as usize];
        let Some(current) = &mut state.current else { return };
        if current.request() != request {
            return;
        }
        match reply.outcome {
            Outcome::Ok(_) => self.complete(client, Status::Ok, Some((node, reply)), None),
            Outcome::Unknown(failure) => {
                current.unsure |= current.operation.is_write();
                let status = current.status();
                self.complete(client, status, Some((node, reply)), Some(failure));
            }
            Outcome::Mismatch(_) => {
                // If an earlier attempt was done, it may be what this one found.
                let status = current.status();
                let failure = Some(Failure::Mismatch);
                self.complete(client, status, Some((node, reply)), failure);
            }
            Outcome::Refused(failure) => {
                let (fixed, status) = (current.fixed, current.status());
                if let Some(leader) = reply.leader {
                    state.leader = leader;
                    let nodes = u32::from(self.clients.nodes);
                    if fixed.is_none() && current.redirects < nodes && leader != node {
                        current.asked = leader;
                        current.redirects += 1;
                        current.attempt += 1;
                        return self.attempt(client);
                    }
                }
                if failure != Failure::Unsupported && current.retries_left > 0 {
                    return self.give_up_attempt(client, failure);
                }
                if reply.leader.is_none() {
                    self.turn_to_next(client);
                }
                self.complete(client, status, Some((node, reply)), Some(failure));
            }
        }
        self.go_on(client);
    }

    /// The current attempt came to nothing: retry, or complete.
    fn give_up_attempt(&mut self, client: ClientId, failure: Failure) {
        let state = &mut self.clients.list[client.0 as usize];
        let current = state.current.as_mut().expect("an operation is under way");
        if current.retries_left == 0 {
            let status = current.status();
            self.turn_to_next(client);
            self.complete(client, status, None, Some(failure));
            return self.go_on(client);
        }
        current.retries_left -= 1;
        current.attempt += 1;
        // The limit is there to end a circle of redirections; a retry begins anew.
        current.redirects = 0;
        // Until the next attempt begins no answer counts and no deadline runs.
        current.deadline = Time::MAX;
        if current.fixed.is_none() {
            state.leader = NodeId((current.asked.0 + 1) % self.clients.nodes);
            current.asked = state.leader;
        }
        let id = current.id.child(Cause::Attempt, 1, current.attempt);
        let backoff = match (current.scripted, &self.clients.workload) {
            (Some(place), _) => &self.config.script[place].retry.backoff,
            (None, Some(generator)) => &generator.settings.retry.backoff,
            (None, None) => unreachable!("what no script has a workload generated"),
        };
        let wait = backoff.sample(|i| self.kernel.draws.draw(Purpose::Backoff, id, i));
        let request = current.request();
        self.kernel.schedule_after(wait, id, What::Retry { client, request });
    }

    /// An operation is given up, and its client knows of no leader to ask next.
    fn turn_to_next(&mut self, client: ClientId) {
        let state = &mut self.clients.list[client.0 as usize];
        if let Some(current) = &state.current
            && current.ask_next
            && current.fixed.is_none()
        {
            state.leader = NodeId((current.asked.0 + 1) % self.clients.nodes);
        }
    }

    /// The wait before another attempt is over.
    pub(in super::super) fn retry(&mut self, client: ClientId, request: RequestId) {
        let current = self.client(client).current.as_ref();
        if current.is_some_and(|current| current.request() == request) {
            self.attempt(client);
        }
    }

    fn complete(
        &mut self,
        client: ClientId,
        status: Status,
        answer: Option<(NodeId, Reply)>,
        failure: Option<Failure>,
    ) {
        let state = &mut self.clients.list[client.0 as usize];
        let current = state.current.take().expect("an operation is under way");
        self.clients.busy -= 1;
        let may_write = self.clients.may_write && current.scripted.is_none();
        self.clients.writing -= usize::from(current.operation.is_write() || may_write);
        state.incarnation += u32::from(status == Status::Info);
        if let (true, Some((_, reply))) = (self.clients.may_compare, &answer) {
            let batches = &self.kernel.batches;
            state.sees(current.operation, &reply.outcome, batches);
        }
        let history = &mut self.kernel.history;
        // What an answer has that is kept beside the entry.
        let mut rest = None;
        match &answer {
            Some((_, Reply { outcome: Outcome::Ok(Response::Written { version, .. }), .. })) => {
                history.answered(current.op, *version);
            }
            Some((_, Reply { outcome: Outcome::Ok(Response::Batch(answers)), .. })) => {
                written(current.op, answers, history);
            }
            Some(_) | None => {}
        }
        history.complete(current.op, self.kernel.now, status, |entry| {
            entry.failure = failure;
            let Some((node, reply)) = answer else { return };
            entry.node = Some(node);
            entry.leader = reply.leader;
            entry.degraded = reply.degraded;
            (entry.acknowledgements, entry.followers) = reply.acknowledgements.unwrap_or((0, 0));
            match reply.outcome {
                Outcome::Ok(Response::Written { existed, .. }) => entry.existed = existed,
                Outcome::Ok(Response::Found { value, version }) => {
                    (entry.value, entry.version) = (Some(value), Some(version));
                }
                Outcome::Ok(Response::Tombstone { version }) => entry.version = Some(version),
                Outcome::Ok(Response::Absent | Response::Cleared)
                | Outcome::Refused(_)
                | Outcome::Unknown(_) => {}
                outcome @ (Outcome::Ok(
                    Response::Contents(_) | Response::List(_) | Response::Batch(_),
                )
                | Outcome::Mismatch(_)) => rest = Some(outcome),
            }
        });
        match rest {
            Some(Outcome::Ok(response)) => answered(current.op, response, history),
            Some(Outcome::Mismatch(mismatch)) if status == Status::Fail => {
                if let Mismatch { part, found: Some(found) } = *mismatch {
                    history.mismatched(current.op, part.into(), found.into_answer());
                }
            }
            Some(Outcome::Mismatch(_) | Outcome::Refused(_) | Outcome::Unknown(_)) | None => {}
        }
    }
}

/// Writes down the versions that the answers to the parts of a batch name.
#[cold]
fn written(batch: OpId, answers: &[Response], history: &mut History) {
    for (access, answer) in history.part_accesses(batch).into_iter().zip(answers) {
        if let Response::Written { version, .. } = answer {
            history.answered(access, *version);
        }
    }
}

/// Writes down what an operation was answered, or a part of a batch.
#[cold]
fn answered(op: OpId, response: Response, history: &mut History) {
    match response {
        Response::Written { existed, .. } => history.existed(op, existed),
        Response::Contents(items) => history.set_contents(op, items),
        Response::Batch(answers) => {
            for (access, answer) in history.part_accesses(op).into_iter().zip(answers) {
                answered(access, answer, history);
            }
        }
        found @ (Response::Found { .. }
        | Response::Tombstone { .. }
        | Response::List(_)
        | Response::Absent) => history.found(op, found.into_answer()),
        Response::Cleared => {}
    }
}

impl Client {
    /// What an answer shows it of a key, of several, or of all.
    fn sees(&mut self, operation: Operation, outcome: &Outcome, batches: &Batches) {
        match (operation, outcome) {
            (Operation::Batch(batch), Outcome::Ok(Response::Batch(answers))) => {
                for (part, answer) in batches.get(batch).iter().zip(answers) {
                    self.saw(*part, answer);
                }
            }
            (Operation::ReadAll, Outcome::Ok(Response::Contents(items))) => {
                let held = items.iter().filter_map(|item| Some((item.key, item.value?.unmarked())));
                self.seen = held.collect();
            }
            (Operation::List, Outcome::Ok(Response::Contents(items))) => {
                self.seen.retain(|key, _| items.iter().any(|item| item.key == *key));
            }
            (operation, Outcome::Ok(response)) => self.saw(operation, response),
            (operation, Outcome::Mismatch(mismatch)) => {
                let compared = if let Operation::Batch(batch) = operation {
                    batches.get(batch)[usize::from(mismatch.part)]
                } else {
                    operation
                };
                if let (Some(key), Some(found)) = (compared.key(), &mismatch.found) {
                    self.knows(key, found.value());
                }
            }
            (_, Outcome::Refused(_) | Outcome::Unknown(_)) => {}
        }
    }

    /// What an answer to an operation on one key shows it of that.
    fn saw(&mut self, operation: Operation, response: &Response) {
        let Some(key) = operation.key() else { return };
        let held = match operation {
            Operation::Put { value, .. }
            | Operation::Append { value, .. }
            | Operation::Cas { to: value, .. } => Some(value),
            Operation::Get { .. } => response.value(),
            Operation::Delete { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Batch(_) => None,
        };
        self.knows(key, held);
    }

    fn knows(&mut self, key: KeyId, held: Option<Value>) {
        match held {
            Some(value) => self.seen.insert(key, value.unmarked()),
            None => self.seen.remove(&key),
        };
    }
}

//! An operation under way: its attempts, from the first request to the completion.

use crate::history::{Failure, Process, Status};
use crate::id::{ClientId, NodeId, OpId};
use crate::operation::Operation;
use crate::protocol::{Outcome, Protocol, Reply, RequestId, Response, Session};
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
        let state = &mut self.clients.list[client.0 as usize];
        let Invocation { id, operation, fixed, scripted, due_at } = invocation;
        let process = Process { client, incarnation: state.incarnation };
        let op = self.kernel.history.invoke(self.kernel.now, due_at, process, operation);
        let operation = self.kernel.history.mark(op, operation);
        let names = self.names;
        self.kernel.trace(names.client(client), ". ask", || operation.describe(names));
        self.clients.busy += 1;
        let may_write = self.clients.may_write && scripted.is_none();
        self.clients.writing += usize::from(operation.is_write() || may_write);
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
        let may_compare = self.clients.may_compare;
        if let (true, Some((_, reply))) = (may_compare, &answer) {
            state.sees(current.operation, &reply.outcome);
        }
        let history = &mut self.kernel.history;
        let (mut contents, mut elements, mut mismatch) = (None, None, None);
        if let Some((_, Reply { outcome: Outcome::Ok(Response::Written { version, .. }), .. })) =
            &answer
        {
            history.answered(current.op, *version);
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
                Outcome::Ok(Response::Contents(items)) => contents = Some(items),
                Outcome::Ok(
                    found @ (Response::Found { .. }
                    | Response::Tombstone { .. }
                    | Response::List(_)
                    | Response::Absent),
                ) => {
                    (entry.value, entry.version) = found.found();
                    elements = found.into_elements();
                }
                Outcome::Mismatch(found) => mismatch = Some(found),
                Outcome::Ok(Response::Cleared) | Outcome::Refused(_) | Outcome::Unknown(_) => {}
            }
        });
        if let Some(items) = contents {
            history.set_contents(current.op, items);
        }
        if let Some(elements) = elements {
            history.set_elements(current.op, elements);
        }
        if let Some(found) = mismatch.filter(|_| status == Status::Fail) {
            let (value, version) = found.found();
            history.mismatched(current.op, value, version, found.into_elements());
        }
    }
}

impl Client {
    /// What an answer shows it of a key, or of all.
    fn sees(&mut self, operation: Operation, outcome: &Outcome) {
        let Some(key) = operation.key() else {
            if let Outcome::Ok(Response::Contents(items)) = outcome {
                self.seen.extend(items.iter().filter_map(|item| Some((item.key, item.value?))));
            }
            return;
        };
        let held = match (operation, outcome) {
            (Operation::Get { .. }, Outcome::Ok(found)) => found.found().0,
            (Operation::Cas { .. }, Outcome::Mismatch(found)) => found.found().0,
            (
                Operation::Put { value, .. }
                | Operation::Append { value, .. }
                | Operation::Cas { to: value, .. },
                Outcome::Ok(_),
            ) => Some(value),
            (Operation::Delete { .. }, Outcome::Ok(_)) => None,
            (_, Outcome::Ok(_) | Outcome::Refused(_) | Outcome::Unknown(_)) => return,
            (_, Outcome::Mismatch(_)) => unreachable!("only a compare-and-set compares"),
        };
        match held {
            Some(value) => self.seen.insert(key, value.unmarked()),
            None => self.seen.remove(&key),
        };
    }
}

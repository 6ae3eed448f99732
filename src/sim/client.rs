//! Clients: who invokes what, when, of whom, and what they make of the answers.
//!
//! A client has one operation under way at a time. An operation is one entry of the history however many
//! attempts it takes: a refusal that names a leader is followed at once, other refusals and timeouts are tried
//! again as often as the operation's patience allows. A write of which an attempt went unanswered ends `info`:
//! it may have happened. A read without an answer ends `fail`: it has no effect to be unsure of.

use std::cmp::Reverse;
use std::collections::VecDeque;

use crate::config::{Config, Pace, RetryPolicy, Workload};
use crate::history::{Failure, Process, Status};
use crate::id::{ClientId, NodeId, OpId, Value};
use crate::metrics::Unserved;
use crate::operation::Operation;
use crate::protocol::{Outcome, Protocol, Reply, RequestId, Response};
use crate::rng::{CausalId, Cause, Purpose, Root};
use crate::sampler::Distribution;
use crate::time::{Span, Time};

use super::event::{Event, Kernel, What};
use super::network::Network;
use super::queue::EventQueue;
use super::workload::{Generator, arrival_index, generated, operation_id};

/// All clients: the workload's first, then the script's.
pub(crate) struct Clients {
    list: Vec<Client>,
    workload: Option<Generator>,
    script: Vec<Option<OpId>>,
    /// Operations under way.
    pub(crate) busy: usize,
    /// How many of them may be writes: of the script those that are, of a workload that writes at all any.
    writing: usize,
    /// Writes of the script that are not invoked yet.
    writes_to_come: usize,
    /// Invocations and arrivals of the workload that are scheduled for the time until the fault phase ends.
    turns_to_come: usize,
    /// Whether the workload may write.
    may_write: bool,
    /// Whether the fault phase is over, and the workload asks nothing more.
    stopped: bool,
    /// When the fault phase ends.
    end: Time,
    nodes: u16,
}

#[derive(Debug)]
struct Client {
    /// How many operations it has begun.
    begun: u32,
    /// How many of them ended with an unknown outcome.
    incarnation: u32,
    /// Whom it takes for the leader.
    leader: NodeId,
    current: Option<Current>,
    /// When its next alarm comes, if one is scheduled.
    alarm_at: Option<Time>,
    /// Its scripted operations still to come, by place in the script.
    script: VecDeque<usize>,
}

/// An operation under way.
#[derive(Debug)]
struct Current {
    op: OpId,
    id: CausalId,
    operation: Operation,
    /// Which node is asked, where the operation says so.
    fixed: Option<NodeId>,
    /// Whom this attempt asks.
    asked: NodeId,
    attempt: u32,
    /// How often it was sent on to another node since it last waited.
    redirects: u32,
    retries_left: u32,
    timeout: Span,
    deadline: Time,
    /// Whether an earlier attempt may have had an effect.
    unsure: bool,
    /// Whether the client asks the next node from then on when it gives this operation up.
    ask_next: bool,
    /// The script's entry, for its patience; `None`: the workload's.
    scripted: Option<usize>,
}

/// What an invocation is made of.
#[derive(Clone, Copy)]
struct Invocation {
    id: CausalId,
    operation: Operation,
    fixed: Option<NodeId>,
    scripted: Option<usize>,
    due_at: Time,
}

/// Of an operation's patience what is needed while it is under way.
#[derive(Clone, Copy)]
struct Limits {
    timeout: Span,
    retries: u32,
    ask_next: bool,
}

impl Limits {
    const fn of(retry: &RetryPolicy) -> Self {
        let RetryPolicy { timeout, retries, ask_next, .. } = *retry;
        Self { timeout, retries, ask_next }
    }
}

/// What clients act in.
pub(crate) struct World<'a, P: Protocol, Q> {
    pub(crate) config: &'a Config,
    pub(crate) kernel: &'a mut Kernel<P, Q>,
    pub(crate) network: &'a Network,
}

impl Clients {
    pub(crate) fn new(config: &Config) -> Self {
        let leader = config.cluster.initial_leader.unwrap_or(NodeId(0));
        let client = || Client {
            begun: 0,
            incarnation: 0,
            leader,
            current: None,
            alarm_at: None,
            script: VecDeque::new(),
        };
        let mut list: Vec<Client> = config.names.clients.iter().map(|_| client()).collect();
        let mut order: Vec<usize> = (0..config.script.len()).collect();
        order.sort_by_key(|place| config.script[*place].at);
        for place in order {
            list[config.script[place].client.0 as usize].script.push_back(place);
        }
        Self {
            list,
            workload: config.workload.as_ref().map(Generator::new),
            script: vec![None; config.script.len()],
            busy: 0,
            writing: 0,
            writes_to_come: config.script.iter().filter(|one| one.operation.is_write()).count(),
            turns_to_come: 0,
            stopped: false,
            may_write: config
                .workload
                .iter()
                .chain(config.changes.iter().filter_map(|change| change.workload.as_ref()))
                .any(|workload| workload.mix.has_writes()),
            end: Time::ZERO + config.duration,
            nodes: config.cluster.nodes,
        }
    }

    /// Schedules everybody's first operation.
    pub(crate) fn start<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        config: &Config,
        kernel: &mut Kernel<P, Q>,
    ) {
        if let Some(generator) = &mut self.workload {
            match &generator.settings.pace {
                Pace::Closed { .. } => {
                    for client in (0..generator.settings.clients).map(ClientId) {
                        let due_at = generator.schedule_next(client, 0, kernel);
                        self.turns_to_come += usize::from(due_at.is_some_and(|at| at <= self.end));
                    }
                }
                Pace::Open { .. } => {
                    generator.idle.extend((0..generator.settings.clients).map(Reverse));
                    let due_at = generator.schedule_arrival(0, kernel);
                    self.turns_to_come += usize::from(due_at.is_some_and(|at| at <= self.end));
                }
            }
        }
        for (client, state) in (0..).map(ClientId).zip(&self.list) {
            if let Some(place) = state.script.front() {
                let at = config.script[*place].at;
                kernel.schedule(
                    at,
                    scripted_id(config, *place),
                    What::Invoke { client, due_at: at },
                );
            }
        }
    }

    /// Takes new settings for the workload; clients, keys and number of operations stay.
    pub(crate) fn configure(&mut self, settings: &Workload) {
        if let Some(generator) = &mut self.workload {
            let clients = generator.settings.clients;
            let operations = generator.settings.operations;
            generator.settings = Workload { clients, operations, ..settings.clone() };
        }
    }

    /// The operation that each entry of the script became, if it was invoked.
    pub(crate) fn script_operations(&self) -> &[Option<OpId>] {
        &self.script
    }

    /// The nodes that clients wait for to answer a write, one for each such client.
    pub(crate) fn asked_to_write(&self) -> impl Iterator<Item = NodeId> + '_ {
        let under_way = self.list.iter().filter_map(|client| client.current.as_ref());
        // Who waits before another attempt has no deadline, and asks nobody.
        let asks =
            |current: &&Current| current.operation.is_write() && current.deadline < Time::MAX;
        under_way.filter(asks).map(|current| current.asked)
    }

    /// Whether the attempt under way has taken too long by now, the time of an alarm.
    pub(crate) fn is_past_timeout(&self, client: ClientId, now: Time) -> bool {
        let state = &self.list[client.0 as usize];
        let current = state.current.as_ref();
        state.alarm_at == Some(now) && current.is_some_and(|current| current.deadline <= now)
    }

    /// Whether a client whose turn it is has an operation to invoke.
    pub(crate) fn has_more_to_ask(&self, client: ClientId) -> bool {
        let state = &self.list[client.0 as usize];
        let share = self.workload.as_ref().map_or(0, |generator| generator.share(client));
        !state.script.is_empty() || u64::from(state.begun) < share
    }

    /// The identity of an attempt, while its client still waits for the answer.
    #[inline]
    pub(crate) fn attempt_id(&self, client: ClientId, request: RequestId) -> Option<CausalId> {
        let current = self.list[client.0 as usize].current.as_ref()?;
        let waits = (current.op, current.attempt) == (request.operation, request.attempt);
        waits.then(|| current.id.child(Cause::Attempt, 0, request.attempt))
    }

    /// Operations under way or due before now, in words.
    pub(crate) fn waiting_for(&self, config: &Config, kernel_now: Time) -> Vec<String> {
        let mut lines = Vec::new();
        for (client, state) in (0..).map(ClientId).zip(&self.list) {
            if let Some(current) = &state.current {
                let name = config.names.client(client);
                let text = current.operation.describe(&config.names);
                lines.push(format!("{name} waits for {} to answer {text}", current.asked));
            } else if let Some(place) = state.script.front()
                && config.script[*place].at <= kernel_now
            {
                lines.push(format!("scripted operation {} is due", config.script[*place].id));
            }
        }
        lines
    }

    /// Whether no write is under way and none is to come.
    #[inline]
    pub(crate) fn has_written(&self) -> bool {
        let waits = || self.workload.as_ref().is_some_and(|workload| !workload.waiting.is_empty());
        let to_come = || self.may_write && !self.stopped && (self.turns_to_come > 0 || waits());
        self.writing == 0 && self.writes_to_come == 0 && !to_come()
    }

    /// A client's turn to invoke has come.
    pub(crate) fn turn<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        due_at: Time,
        world: &mut World<'_, P, Q>,
    ) {
        let of_workload = self.list[client.0 as usize].script.is_empty();
        self.turns_to_come -= usize::from(of_workload && world.kernel.now <= self.end);
        self.invoke(client, due_at, world);
    }

    /// A client's turn to invoke: its next scripted operation, or its next generated one.
    fn invoke<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        due_at: Time,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        if let Some(place) = state.script.pop_front() {
            let scripted = &world.config.script[place];
            self.writes_to_come -= usize::from(scripted.operation.is_write());
            let invocation = Invocation {
                id: scripted_id(world.config, place),
                operation: scripted.operation,
                fixed: scripted.node,
                scripted: Some(place),
                due_at: world.kernel.now,
            };
            let retry = Limits::of(&scripted.retry);
            let op = self.begin(client, invocation, retry, world);
            self.script[place] = Some(op);
            return;
        }
        let share = self.workload.as_ref().map_or(0, |generator| generator.share(client));
        let index = state.begun;
        if u64::from(index) >= share {
            // It was still thinking when the fault phase ended.
            return;
        }
        state.begun += 1;
        self.invoke_generated(client, (client, index), due_at, world);
    }

    /// Invokes the operation `index` of the stream `source` by `client`.
    fn invoke_generated<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        (source, index): (ClientId, u32),
        due_at: Time,
        world: &mut World<'_, P, Q>,
    ) {
        let Some(generator) = &self.workload else { return };
        let id = operation_id(source, index);
        let operation = generator.operation(id, Value::made(source, index), &world.kernel.draws);
        let fixed = match operation {
            Operation::Get { .. } | Operation::List | Operation::ReadAll => {
                generator.replica(client, id, self.nodes, &world.kernel.draws, world.network)
            }
            Operation::Put { .. }
            | Operation::Delete { .. }
            | Operation::Clear
            | Operation::Append { .. } => None,
        };
        let retry = Limits::of(&generator.settings.retry);
        let invocation = Invocation { id, operation, fixed, scripted: None, due_at };
        self.begin(client, invocation, retry, world);
    }

    fn begin<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        invocation: Invocation,
        limits: Limits,
        world: &mut World<'_, P, Q>,
    ) -> OpId {
        let state = &mut self.list[client.0 as usize];
        let Invocation { id, operation, fixed, scripted, due_at } = invocation;
        let process = Process { client, incarnation: state.incarnation };
        let op = world.kernel.history.invoke(world.kernel.now, due_at, process, operation);
        let operation = operation.written_by(op);
        if world.kernel.trace.wanted() {
            let text = operation.describe(&world.config.names);
            world.kernel.trace.line(
                world.kernel.now,
                world.config.names.client(client),
                ". ask",
                &text,
            );
        }
        self.busy += 1;
        self.writing += usize::from(operation.is_write() || (self.may_write && scripted.is_none()));
        state.current = Some(Current {
            op,
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
        self.attempt(client, world);
        op
    }

    /// Sends the current attempt's request.
    fn attempt<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        let Some(current) = &mut state.current else { return };
        current.deadline = world.kernel.now + current.timeout;
        let id = current.id.child(Cause::Attempt, 0, current.attempt);
        if state.alarm_at.is_none_or(|at| at > current.deadline) {
            state.alarm_at = Some(current.deadline);
            let alarm = id.child(Cause::Timeout, 0, 0);
            world.kernel.schedule(current.deadline, alarm, What::Alarm { client });
        }
        let (node, operation) = (current.asked, current.operation);
        let request = RequestId { operation: current.op, attempt: current.attempt };
        world.kernel.counts.sent += 1;
        if world.network.client_reaches(client, node) {
            let takes = world.network.client_takes(client, node, (id, 0), &world.kernel.draws);
            world.kernel.schedule_after(
                takes,
                id,
                What::Request { node, client, request, operation },
            );
        } else {
            world.kernel.counts.blocked += 1;
            if let Some(stopped) = &mut world.kernel.stopped {
                stopped.request(world.kernel.now, client, node, request);
            }
        }
    }

    /// The time that an attempt's deadline may have come.
    pub(crate) fn alarm<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        if state.alarm_at != Some(world.kernel.now) {
            // An earlier alarm was scheduled after this one; it has taken its place.
            return;
        }
        state.alarm_at = None;
        let Some(current) = &mut state.current else { return };
        if current.deadline == Time::MAX {
            // It waits to try again, which sets an alarm of its own.
            return;
        }
        if current.deadline > world.kernel.now {
            // The attempt that this alarm was set for is over; a later one is under way.
            state.alarm_at = Some(current.deadline);
            let id = current.id.child(Cause::Timeout, 1, current.attempt);
            world.kernel.schedule(current.deadline, id, What::Alarm { client });
            return;
        }
        current.unsure |= current.operation.is_write();
        self.give_up_attempt(client, Failure::Timeout, world);
    }

    /// An answer reaches a client.
    pub(crate) fn answer<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        (client, node): (ClientId, NodeId),
        request: RequestId,
        reply: Reply,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        let Some(current) = &mut state.current else { return };
        if (current.op, current.attempt) != (request.operation, request.attempt) {
            return;
        }
        match reply.outcome {
            Outcome::Ok(_) => self.complete(client, Status::Ok, Some((node, reply)), None, world),
            Outcome::Unknown(failure) => {
                current.unsure |= current.operation.is_write();
                let status = if current.unsure { Status::Info } else { Status::Fail };
                self.complete(client, status, Some((node, reply)), Some(failure), world);
            }
            Outcome::Refused(failure) => {
                if let Some(leader) = reply.leader {
                    state.leader = leader;
                    let may_follow =
                        current.fixed.is_none() && current.redirects < u32::from(self.nodes);
                    if may_follow && leader != node {
                        current.asked = leader;
                        current.redirects += 1;
                        current.attempt += 1;
                        return self.attempt(client, world);
                    }
                }
                if failure == Failure::Unsupported || current.retries_left == 0 {
                    if reply.leader.is_none() {
                        self.turn_to_next(client);
                    }
                    let Some(current) = &self.list[client.0 as usize].current else { return };
                    let status = if current.unsure { Status::Info } else { Status::Fail };
                    self.complete(client, status, Some((node, reply)), Some(failure), world);
                } else {
                    self.give_up_attempt(client, failure, world);
                    return;
                }
            }
        }
        self.go_on(client, world);
    }

    /// The current attempt came to nothing: try again, or complete.
    fn give_up_attempt<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        failure: Failure,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        let Some(current) = &mut state.current else { return };
        if current.retries_left == 0 {
            self.turn_to_next(client);
            let Some(current) = &self.list[client.0 as usize].current else { return };
            let status = if current.unsure { Status::Info } else { Status::Fail };
            self.complete(client, status, None, Some(failure), world);
            return self.go_on(client, world);
        }
        current.retries_left -= 1;
        current.attempt += 1;
        // Another try may be led around anew: only a circle without an end is not to be followed.
        current.redirects = 0;
        // No answer of an abandoned attempt counts, and no deadline runs until the next begins.
        current.deadline = Time::MAX;
        if current.fixed.is_none() {
            // Whoever was asked did not help: ask the next node in turn.
            state.leader = NodeId((current.asked.0 + 1) % self.nodes);
            current.asked = state.leader;
        }
        let id = current.id.child(Cause::Attempt, 1, current.attempt);
        let backoff = match current.scripted {
            Some(place) => &world.config.script[place].retry.backoff,
            None => match &self.workload {
                Some(generator) => &generator.settings.retry.backoff,
                None => return,
            },
        };
        let wait = backoff.sample(|i| world.kernel.draws.draw(Purpose::Backoff, id, i));
        let request = RequestId { operation: current.op, attempt: current.attempt };
        world.kernel.schedule_after(wait, id, What::Retry { client, request });
    }

    /// An operation is given up, and its client knows of no better node to ask.
    fn turn_to_next(&mut self, client: ClientId) {
        let state = &mut self.list[client.0 as usize];
        if let Some(current) = &state.current
            && current.ask_next
            && current.fixed.is_none()
        {
            state.leader = NodeId((current.asked.0 + 1) % self.nodes);
        }
    }

    /// The wait before another attempt is over.
    pub(crate) fn retry<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        (client, request): (ClientId, RequestId),
        world: &mut World<'_, P, Q>,
    ) {
        let current = self.list[client.0 as usize].current.as_ref();
        let waited = current.map(|current| (current.op, current.attempt));
        if waited == Some((request.operation, request.attempt)) {
            self.attempt(client, world);
        }
    }

    fn complete<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        status: Status,
        answer: Option<(NodeId, Reply)>,
        failure: Option<Failure>,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &mut self.list[client.0 as usize];
        let Some(current) = state.current.take() else { return };
        self.busy -= 1;
        let may_write = self.may_write && current.scripted.is_none();
        self.writing -= usize::from(current.operation.is_write() || may_write);
        state.incarnation += u32::from(status == Status::Info);
        let (mut contents, mut elements) = (None, None);
        if let Some((_, Reply { outcome: Outcome::Ok(Response::Written { version, .. }), .. })) =
            &answer
        {
            world.kernel.history.answered(current.op, *version);
        }
        world.kernel.history.complete(current.op, world.kernel.now, status, |entry| {
            entry.failure = failure;
            let Some((node, reply)) = answer else { return };
            entry.node = Some(node);
            entry.leader = reply.leader;
            entry.degraded = reply.degraded;
            (entry.confirmations, entry.followers) = reply.confirmations.unwrap_or((0, 0));
            match reply.outcome {
                Outcome::Ok(Response::Written { existed, .. }) => entry.existed = existed,
                Outcome::Ok(Response::Found { value, version }) => {
                    entry.value = Some(value);
                    entry.version = Some(version);
                }
                Outcome::Ok(Response::Contents(items)) => contents = Some(items),
                Outcome::Ok(Response::List(list)) => {
                    entry.value = Some(list.value);
                    entry.version = Some(list.version);
                    elements = Some(list.elements);
                }
                Outcome::Ok(Response::Absent | Response::Cleared)
                | Outcome::Refused(_)
                | Outcome::Unknown(_) => {}
            }
        });
        if let Some(items) = contents {
            world.kernel.history.set_contents(current.op, items);
        }
        if let Some(elements) = elements {
            world.kernel.history.set_elements(current.op, elements);
        }
    }

    /// What a client does after a completion.
    fn go_on<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        client: ClientId,
        world: &mut World<'_, P, Q>,
    ) {
        let state = &self.list[client.0 as usize];
        if let Some(place) = state.script.front() {
            let due_at = world.config.script[*place].at.max(world.kernel.now);
            world.kernel.schedule(
                due_at,
                scripted_id(world.config, *place),
                What::Invoke { client, due_at },
            );
            return;
        }
        let Some(generator) = &mut self.workload else { return };
        if client.0 >= generator.settings.clients {
            return;
        }
        match generator.settings.pace {
            Pace::Closed { think: Distribution::Constant(Span::ZERO) } => {
                // A client that does not think invokes in the event that completed its last operation.
                if u64::from(state.begun) < generator.share(client) {
                    self.invoke(client, world.kernel.now, world);
                }
            }
            Pace::Closed { .. } => {
                let due_at = generator.schedule_next(client, state.begun, world.kernel);
                self.turns_to_come += usize::from(due_at.is_some_and(|at| at <= self.end));
            }
            Pace::Open { .. } => match generator.waiting.pop_front() {
                None => generator.idle.push(Reverse(client.0)),
                Some((index, due_at)) => {
                    let source = (ClientId::ARRIVALS, arrival_index(index));
                    self.invoke_generated(client, source, due_at, world);
                }
            },
        }
    }

    /// Operations of an open loop arrive, and the next arrival is scheduled.
    pub(crate) fn arrive<P: Protocol, Q: EventQueue<Event<P>>>(
        &mut self,
        index: u64,
        world: &mut World<'_, P, Q>,
    ) {
        self.turns_to_come -= usize::from(world.kernel.now <= self.end);
        let Some(generator) = &mut self.workload else { return };
        let Pace::Open { burst, .. } = generator.settings.pace else { return };
        let last = generator.settings.operations.unwrap_or(u64::MAX);
        let end = (index + u64::from(burst)).min(last);
        let due_at = generator.schedule_arrival(end, world.kernel);
        self.turns_to_come += usize::from(due_at.is_some_and(|at| at <= self.end));
        for index in index..end {
            let Some(generator) = &mut self.workload else { return };
            match generator.idle.pop() {
                None => generator.waiting.push_back((index, world.kernel.now)),
                Some(Reverse(client)) => {
                    let source = (ClientId::ARRIVALS, arrival_index(index));
                    self.invoke_generated(ClientId(client), source, world.kernel.now, world);
                }
            }
        }
    }

    /// The fault phase is over: nobody invokes anything more.
    pub(crate) fn stop(&mut self, now: Time) {
        self.stopped = true;
        if let Some(generator) = &mut self.workload {
            generator.stop(now);
        }
    }

    /// Arrivals of an open loop that found no client in time.
    pub(crate) fn unserved(&self) -> Unserved {
        self.workload.as_ref().map_or_else(Unserved::default, |generator| generator.unserved)
    }
}

/// By the operation's id and not by its place: taking out one before it changes nothing. An id that names an
/// operation of a workload stands for it and has its luck.
fn scripted_id(config: &Config, place: usize) -> CausalId {
    let id = &config.script[place].id;
    match generated(id) {
        Some((source, index)) => operation_id(source, index),
        None => CausalId::root(Root::Scripted, crate::digest::name_hash(id), 0),
    }
}

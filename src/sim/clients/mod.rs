//! Clients: what they invoke, when and on which node, and how they take the answers.
//!
//! A client has one operation under way at a time. An operation is one entry of the history however
//! many attempts it takes: a refusal that names a leader is followed at once, other refusals and
//! timeouts are retried as often as the operation's [`RetryPolicy`] allows. A write of which an
//! attempt went unanswered ends `info`: it may have happened. A read without an answer ends `fail`:
//! it has no effect to be unsure of.
//!
//! Reading order: here (whose turn it is), `scripted` and `generated` (what is invoked),
//! `generator` (what a workload draws), `attempt` (from the first request to the completion).

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::config::{Config, Pace, RetryPolicy, Workload};
use crate::id::{ClientId, KeyId, NodeId, OpId, Value};
use crate::metrics::Unserved;
use crate::names::Names;
use crate::operation::{Batches, Operation};
use crate::protocol::{Protocol, RequestId};
use crate::rng::{CausalId, Cause};
use crate::sampler::Distribution;
use crate::time::{Span, Time};

use super::event::Queue;
use super::kernel::Kernel;
use super::network::NetworkState;
use generator::{Generator, arrival_index};

mod attempt;
mod generated;
pub(super) mod generator;
mod scripted;

/// All clients: the workload's first, then the script's.
pub(super) struct Clients {
    list: Vec<Client>,
    workload: Option<Generator>,
    /// The operation that each entry of the script became, if it was invoked.
    script: Vec<Option<OpId>>,
    /// Operations under way.
    pub(super) busy: usize,
    /// How many of them may be writes: the script's writes, and all of a workload that writes at
    /// all.
    writing: usize,
    /// Writes of the script that are not invoked yet.
    writes_to_come: usize,
    /// Invocations and arrivals of the workload that are scheduled within the fault phase.
    turns_to_come: usize,
    /// Whether the workload may write.
    may_write: bool,
    /// Whether the workload may compare and set.
    may_compare: bool,
    /// Whether the fault phase is over, and the workload invokes nothing more.
    stopped: bool,
    /// When the fault phase ends.
    end: Time,
    nodes: u16,
}

#[derive(Debug)]
struct Client {
    /// How many operations of the workload it has begun.
    begun: u32,
    /// How many operations it has begun in all.
    sequence: u32,
    /// How many of its operations ended with an unknown outcome.
    incarnation: u32,
    /// The node that it takes for the leader.
    leader: NodeId,
    current: Option<Current>,
    /// When its next alarm comes, if one is scheduled.
    alarm_at: Option<Time>,
    /// Its scripted operations still to come, by place in the script.
    script: VecDeque<usize>,
    /// The value that it last saw each key hold; none where it saw none, or that it was absent.
    /// Empty where no workload compares and sets.
    seen: BTreeMap<KeyId, Value>,
}

/// An operation under way.
#[derive(Debug)]
struct Current {
    op: OpId,
    /// Its number among the client's operations.
    sequence: u32,
    id: CausalId,
    operation: Operation,
    /// Which node is asked, where the operation says so.
    fixed: Option<NodeId>,
    /// The node that this attempt asks.
    asked: NodeId,
    attempt: u32,
    /// How many redirections it has followed since it last waited.
    redirects: u32,
    retries_left: u32,
    timeout: Span,
    /// When this attempt times out; [`Time::MAX`] while the client waits before the next.
    deadline: Time,
    /// Whether an earlier attempt may have had an effect.
    unsure: bool,
    /// Whether the client turns to the next node when it gives this operation up.
    ask_next: bool,
    /// Its place in the script; `None` of an operation of the workload.
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

/// What an operation needs of its [`RetryPolicy`] while it is under way.
#[derive(Clone, Copy)]
struct RetryLimits {
    timeout: Span,
    retries: u32,
    ask_next: bool,
}

impl RetryLimits {
    const fn of(retry: &RetryPolicy) -> Self {
        let RetryPolicy { timeout, retries, ask_next, .. } = *retry;
        Self { timeout, retries, ask_next }
    }
}

impl Clients {
    pub(super) fn new(config: &Config, names: &Names) -> Self {
        let leader = config.cluster.initial_leader.unwrap_or(NodeId(0));
        let client = || Client {
            begun: 0,
            sequence: 0,
            incarnation: 0,
            leader,
            current: None,
            alarm_at: None,
            script: VecDeque::new(),
            seen: BTreeMap::new(),
        };
        let mut list: Vec<Client> = names.clients.iter().map(|_| client()).collect();
        let mut order: Vec<usize> = (0..config.script.len()).collect();
        order.sort_by_key(|place| config.script[*place].at);
        for place in order {
            list[config.script[place].client.0 as usize].script.push_back(place);
        }
        let changed = || config.changes.iter().filter_map(|change| change.workload.as_ref());
        let workloads = || config.workload.iter().chain(changed());
        Self {
            list,
            workload: config.workload.as_ref().map(Generator::new),
            script: vec![None; config.script.len()],
            busy: 0,
            writing: 0,
            writes_to_come: config.script.iter().filter(|one| one.operation.is_write()).count(),
            turns_to_come: 0,
            may_write: workloads().any(|workload| workload.mix.has_writes()),
            may_compare: workloads().any(|workload| workload.mix.cas > 0),
            stopped: false,
            end: Time::ZERO + config.duration,
            nodes: config.cluster.nodes,
        }
    }

    /// Takes new settings for the workload; clients, keys and number of operations stay.
    pub(super) fn configure(&mut self, settings: &Workload) {
        if let Some(generator) = &mut self.workload {
            let clients = generator.settings.clients;
            let operations = generator.settings.operations;
            generator.settings = Workload { clients, operations, ..settings.clone() };
        }
    }

    /// The operation that each entry of the script became, if it was invoked.
    pub(super) fn script_operations(&self) -> &[Option<OpId>] {
        &self.script
    }

    /// The nodes that clients wait for to answer a write, one for each such client.
    pub(super) fn asked_to_write(&self) -> impl Iterator<Item = NodeId> + '_ {
        let under_way = self.list.iter().filter_map(|client| client.current.as_ref());
        let asks =
            |current: &&Current| current.operation.is_write() && current.deadline < Time::MAX;
        under_way.filter(asks).map(|current| current.asked)
    }

    /// Whether the attempt under way times out at `now`, the time of an alarm.
    pub(super) fn is_past_timeout(&self, client: ClientId, now: Time) -> bool {
        let state = &self.list[client.0 as usize];
        let current = state.current.as_ref();
        state.alarm_at == Some(now) && current.is_some_and(|current| current.deadline <= now)
    }

    /// Whether a client whose turn it is has an operation to invoke.
    pub(super) fn has_more_to_ask(&self, client: ClientId) -> bool {
        let state = &self.list[client.0 as usize];
        !state.script.is_empty() || u64::from(state.begun) < self.share(client)
    }

    /// How many operations of the workload a client of a closed loop has in all.
    fn share(&self, client: ClientId) -> u64 {
        self.workload.as_ref().map_or(0, |generator| generator.share(client))
    }

    /// The identity of an attempt, while its client still waits for the answer.
    #[inline]
    pub(super) fn attempt_id(&self, client: ClientId, request: RequestId) -> Option<CausalId> {
        let current = self.list[client.0 as usize].current.as_ref()?;
        let waits = (current.op, current.attempt) == (request.operation(), request.attempt());
        waits.then(|| current.id.child(Cause::Attempt, 0, request.attempt()))
    }

    /// Operations under way or due by `now`, in words.
    pub(super) fn waiting_for(
        &self,
        config: &Config,
        names: &Names,
        batches: &Batches,
        now: Time,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (client, state) in (0..).map(ClientId).zip(&self.list) {
            if let Some(current) = &state.current {
                let name = names.client(client);
                let text = names.call(current.operation, batches);
                lines.push(format!("{name} waits for {} to answer {text}", current.asked));
            } else if let Some(place) = state.script.front()
                && config.script[*place].at <= now
            {
                lines.push(format!("scripted operation {} is due", config.script[*place].id));
            }
        }
        lines
    }

    /// Whether no write is under way and none is to come.
    #[inline]
    pub(super) fn has_written(&self) -> bool {
        let waits = || self.workload.as_ref().is_some_and(|workload| !workload.waiting.is_empty());
        let to_come = || self.may_write && !self.stopped && (self.turns_to_come > 0 || waits());
        self.writing == 0 && self.writes_to_come == 0 && !to_come()
    }

    /// Counts a turn of the workload that is scheduled for `due_at`, if that is within the fault
    /// phase.
    fn expect_turn(&mut self, due_at: Option<Time>) {
        self.turns_to_come += usize::from(due_at.is_some_and(|at| at <= self.end));
    }

    /// The fault phase is over: nobody invokes anything more.
    pub(super) fn stop(&mut self, now: Time) {
        self.stopped = true;
        if let Some(generator) = &mut self.workload {
            generator.stop(now);
        }
    }

    /// Arrivals of an open loop that found no client in time.
    pub(super) fn unserved(&self) -> Unserved {
        self.workload.as_ref().map_or_else(Unserved::default, |generator| generator.unserved)
    }
}

/// The clients, and what they act in.
pub(super) struct ClientStep<'a, P: Protocol, Q> {
    pub(super) clients: &'a mut Clients,
    pub(super) config: &'a Config,
    pub(super) names: &'a Names,
    pub(super) kernel: &'a mut Kernel<P, Q>,
    pub(super) network: &'a NetworkState,
}

impl<P: Protocol, Q: Queue<P>> ClientStep<'_, P, Q> {
    /// Schedules everybody's first operation.
    pub(super) fn start(&mut self) {
        self.start_workload();
        for client in (0..).map(ClientId).take(self.clients.list.len()) {
            if let Some(place) = self.client(client).script.front().copied() {
                self.schedule_scripted(client, place);
            }
        }
    }

    fn client(&mut self, client: ClientId) -> &mut Client {
        &mut self.clients.list[client.0 as usize]
    }

    /// A client's turn to invoke has come.
    pub(super) fn turn(&mut self, client: ClientId, due_at: Time) {
        let of_workload = self.client(client).script.is_empty();
        let in_time = self.kernel.now <= self.clients.end;
        self.clients.turns_to_come -= usize::from(of_workload && in_time);
        self.invoke(client, due_at);
    }

    /// A client invokes its next scripted operation, or its next generated one.
    fn invoke(&mut self, client: ClientId, due_at: Time) {
        if let Some(place) = self.client(client).script.pop_front() {
            return self.invoke_scripted(client, place);
        }
        let index = self.client(client).begun;
        if u64::from(index) >= self.clients.share(client) {
            // It was still thinking when the fault phase ended.
            return;
        }
        self.client(client).begun += 1;
        self.invoke_generated(client, client, index, due_at);
    }

    /// What a client does after a completion.
    fn go_on(&mut self, client: ClientId) {
        let state = &self.clients.list[client.0 as usize];
        if let Some(place) = state.script.front().copied() {
            return self.schedule_scripted(client, place);
        }
        let Some(generator) = &mut self.clients.workload else { return };
        if client.0 >= generator.settings.clients {
            return;
        }
        match generator.settings.pace {
            Pace::Closed { think: Distribution::Constant(Span::ZERO) } => {
                // A client that does not think invokes in the event that completed its last
                // operation.
                if u64::from(state.begun) < generator.share(client) {
                    self.invoke(client, self.kernel.now);
                }
            }
            Pace::Closed { .. } => {
                let due_at = generator.schedule_next(client, state.begun, self.kernel);
                self.clients.expect_turn(due_at);
            }
            Pace::Open { .. } => match generator.waiting.pop_front() {
                None => generator.idle.push(Reverse(client.0)),
                Some((index, due_at)) => {
                    let index = arrival_index(index);
                    self.invoke_generated(client, ClientId::ARRIVALS, index, due_at);
                }
            },
        }
    }
}

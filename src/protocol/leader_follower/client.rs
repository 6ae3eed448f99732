//! Requests of clients: what every node answers, and what it refuses where it does not lead.

use crate::history::Failure;
use crate::id::KeyId;
use crate::operation::Operation;
use crate::protocol::{
    DiscardReason, FoundList, Observation, Outcome, Reply, RequestId, Response, Role,
};

use super::config::WithoutLeader;
use super::storage::{Deferred, Record};
use super::{Cx, LeaderFollower};

impl LeaderFollower {
    /// A client asks for something.
    pub(super) fn serve(&mut self, request: RequestId, operation: Operation, cx: &mut Cx<'_>) {
        match operation {
            Operation::Get { key, .. } if !self.replica.store.elements(key).is_empty() => {
                cx.reply(request, Reply::of(Outcome::Ok(self.found_list(key))));
            }
            Operation::Get { key, quorum: Some(quorum) } if quorum.replicas > 1 => {
                self.coordinate(request, key, quorum, cx);
            }
            Operation::Get { key, .. } => {
                let stored = self.replica.store.stored(key);
                cx.reply(request, self.answer_read(stored, self.leads()));
            }
            Operation::List | Operation::ReadAll => {
                let items = self.replica.store.items(operation == Operation::ReadAll);
                cx.reply(request, Reply::of(Outcome::Ok(Response::Contents(items))));
            }
            Operation::Put { .. }
            | Operation::Delete { .. }
            | Operation::Append { .. }
            | Operation::Clear
            | Operation::Cas { .. }
            | Operation::Batch(_) => self.serve_write(request, operation, cx),
        }
    }

    fn serve_write(&mut self, request: RequestId, operation: Operation, cx: &mut Cx<'_>) {
        if operation.is_write() && self.replica.cannot_write(cx) {
            return cx.reply(request, Reply::of(Outcome::Refused(Failure::Disk)));
        }
        if self.leads() {
            return self.lead_write(request, operation, cx);
        }
        if self.parks() {
            return self.parked.push((request, operation, self.replica.stamps.client()));
        }
        if operation == Operation::Clear {
            // A follower does not refuse a clear and does not pass it on: it empties itself alone.
            return self.clear_alone(request, cx);
        }
        // Without an election `None` means that nobody ever leads.
        let leads_nobody = !self.replica.config.failover.is_on() && self.leader.is_none();
        let failure = match self.role() {
            Role::Candidate => Failure::NoLeader,
            Role::Follower | Role::Leader if leads_nobody => Failure::NoLeader,
            Role::Follower | Role::Leader => Failure::NotLeader,
            Role::PreCandidate | Role::Learner => unreachable!("roles of other protocols"),
        };
        let refusal = Reply::of(Outcome::Refused(failure));
        cx.reply(request, Reply { leader: self.named_leader(), ..refusal });
    }

    /// What this node holds, as a get is answered that asks it alone.
    pub(super) fn found(&self, key: KeyId) -> Response {
        if self.replica.store.elements(key).is_empty() {
            Self::found_stored(self.replica.store.stored(key))
        } else {
            self.found_list(key)
        }
    }

    /// A list is read from the node asked alone.
    fn found_list(&self, key: KeyId) -> Response {
        let elements = self.replica.store.elements(key);
        let elements = elements.iter().map(|(_, element)| *element).collect();
        match self.replica.store.get(key) {
            Some((value, version)) => {
                Response::List(Box::new(FoundList { value, version, elements }))
            }
            None => Response::Absent,
        }
    }

    fn clear_alone(&mut self, request: RequestId, cx: &mut Cx<'_>) {
        for (key, held) in self.replica.store.iter() {
            let reason = DiscardReason::Cleared;
            cx.observe(Observation::Discard { key, stored: held, reason });
        }
        self.replica.store.clear();
        self.replica.log_record(self.term(), || Record::Clear, cx);
        self.once_durable(Deferred::Cleared(request), cx);
    }

    pub(super) fn answer_clear(request: RequestId, cx: &mut Cx<'_>) {
        cx.reply(request, Reply::of(Outcome::Ok(Response::Cleared)));
    }

    /// Serves the requests that waited for a leader.
    pub(super) fn serve_parked(&mut self, cx: &mut Cx<'_>) {
        for (request, operation, stamped) in std::mem::take(&mut self.parked) {
            self.replica.stamps.serve(stamped);
            self.serve(request, operation, cx);
        }
    }

    /// Whether requests wait while no leader is known.
    pub(super) fn parks(&self) -> bool {
        self.leader.is_none() && self.replica.config.failover.without_leader == WithoutLeader::Wait
    }
}

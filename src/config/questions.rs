//! Questions about a [`Config`] as a whole, for promises and reports.

use std::collections::BTreeSet;

use super::{Config, Mix, ReadFrom, RetryPolicy, ScriptedOperation, Workload};
use crate::id::ClientId;
use crate::operation::{Operation, ReadQuorum};

impl Config {
    /// Whether every read of the run asks the leader, whatever happens.
    ///
    /// With retries or `ask_next` that is not so: the next attempt or operation asks the next node
    /// in turn, which may answer a read, and the client takes that node for the leader from then
    /// on.
    #[must_use]
    pub fn reads_only_leader(&self) -> bool {
        let workloads: Vec<&Workload> = self.workloads().collect();
        let reading: Vec<&&Workload> =
            workloads.iter().filter(|workload| workload.mix.has_reads()).collect();
        let workload_reads_leader = reading.is_empty()
            || (reading.iter().all(|workload| workload.read_from == ReadFrom::Leader)
                && workloads.iter().all(|workload| workload.retry.stays()));
        let script_reads_leader = self.script.iter().all(|scripted| {
            let asks_leader =
                scripted.node.is_none() || scripted.node == self.cluster.initial_leader;
            scripted.retry.stays() && (scripted.operation.is_write() || asks_leader)
        });
        workload_reads_leader && script_reads_leader
    }

    /// The fewest replicas that a read of the run asks, and whether all reads repair; `None` if
    /// some read asks one node alone, as a read of all keys, a compare-and-set and a batch do, or
    /// there are no reads.
    #[must_use]
    pub fn weakest_read_quorum(&self) -> Option<ReadQuorum> {
        let mut quorums = Vec::new();
        let reads = |mix: &Mix| mix.has_reads() || mix.cas > 0 || mix.batch > 0;
        for workload in self.workloads().filter(|workload| reads(&workload.mix)) {
            let Mix { list, read_all, cas, batch, .. } = workload.mix;
            let asks_one = list > 0 || read_all > 0 || cas > 0 || batch > 0;
            quorums.push(workload.read_quorum.filter(|_| !asks_one));
        }
        for scripted in &self.script {
            match scripted.operation {
                Operation::Get { quorum, .. } => quorums.push(quorum),
                Operation::List
                | Operation::ReadAll
                | Operation::Cas { .. }
                | Operation::Batch(_) => quorums.push(None),
                Operation::Put { .. }
                | Operation::Delete { .. }
                | Operation::Append { .. }
                | Operation::Clear => {}
            }
        }
        let weaker = |a: ReadQuorum, b: ReadQuorum| ReadQuorum {
            replicas: a.replicas.min(b.replicas),
            repair: a.repair && b.repair,
        };
        quorums.into_iter().collect::<Option<Vec<_>>>()?.into_iter().reduce(weaker)
    }

    /// Whether any read of the run asks several replicas.
    #[must_use]
    pub fn asks_several_replicas(&self) -> bool {
        self.read_quorums().any(|quorum| quorum.replicas > 1)
    }

    /// Whether any read of the run repairs.
    #[must_use]
    pub fn repairs_reads(&self) -> bool {
        self.read_quorums().any(|quorum| quorum.repair)
    }

    fn read_quorums(&self) -> impl Iterator<Item = ReadQuorum> {
        let scripted = self.script.iter().filter_map(|scripted| match scripted.operation {
            Operation::Get { quorum, .. } => quorum,
            Operation::Put { .. }
            | Operation::Delete { .. }
            | Operation::Append { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Cas { .. }
            | Operation::Batch(_) => None,
        });
        self.workloads().filter_map(|workload| workload.read_quorum).chain(scripted)
    }

    /// Whether any write of the run may be tried again.
    ///
    /// An attempt that was given up may still arrive, after writes that were answered since.
    #[must_use]
    pub fn retries_writes(&self) -> bool {
        let retries = |writes: bool, retry: &RetryPolicy| writes && retry.retries > 0;
        self.workloads().any(|load| retries(load.mix.has_writes(), &load.retry))
            || self.script.iter().any(|one| retries(one.operation.is_write(), &one.retry))
    }

    /// The fewest acknowledgements of followers that a scripted write asks for; `None` if none has
    /// a number of its own.
    #[must_use]
    pub fn weakest_write_quorum(&self) -> Option<u16> {
        let asked = self.script.iter().filter_map(|scripted| match scripted.operation {
            Operation::Put { quorum, .. }
            | Operation::Delete { quorum, .. }
            | Operation::Append { quorum, .. } => quorum,
            Operation::Get { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Cas { .. }
            | Operation::Batch(_) => None,
        });
        asked.min()
    }

    /// Whether everything that the run writes is appended.
    #[must_use]
    pub fn only_appends(&self) -> bool {
        let appends = |mix: &Mix| mix.put == 0 && mix.delete == 0 && mix.cas == 0 && mix.batch == 0;
        self.workloads().all(|workload| appends(&workload.mix))
            && self.script.iter().all(|one| !one.operation.is_write() || is_append(one))
    }

    /// Whether anything that the run writes is appended.
    #[must_use]
    pub fn appends(&self) -> bool {
        self.workloads().any(|workload| workload.mix.append > 0)
            || self.script.iter().any(|scripted| match scripted.operation {
                Operation::Batch(batch) => batch.appends(),
                _ => is_append(scripted),
            })
    }

    /// The clients of the script whose operations without a node may ask one that does not lead,
    /// and have it answer: another attempt asks the next node in turn, and its client takes that
    /// one for the leader from then on.
    #[must_use]
    pub fn clients_that_ask_around(&self) -> BTreeSet<ClientId> {
        let asks_around = |scripted: &&ScriptedOperation| !scripted.retry.stays();
        self.script.iter().filter(asks_around).map(|scripted| scripted.client).collect()
    }

    /// The workload, and what changes make of it.
    fn workloads(&self) -> impl Iterator<Item = &Workload> {
        let changed = self.changes.iter().filter_map(|change| change.workload.as_ref());
        self.workload.iter().chain(changed)
    }
}

const fn is_append(scripted: &ScriptedOperation) -> bool {
    matches!(scripted.operation, Operation::Append { .. })
}

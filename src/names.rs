//! The texts behind ids: keys, values, clients and faults are named once and travel as small
//! numbers.

use crate::id::{ClientId, FaultId, KeyId, Value, ValueKind};
use crate::operation::{BatchId, Batches, Operation, ReadQuorum};

/// The texts behind ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Keys by [`KeyId`]: the workload's first (`k1`, `k2` ..), then those only the script names.
    pub keys: Vec<String>,
    /// Texts of scripted values, by the index in [`Value::text`].
    pub values: Vec<String>,
    /// Clients by [`ClientId`]: the workload's first (`c1`, `c2` ..), then the script's.
    pub clients: Vec<String>,
    /// Faults by [`FaultId`].
    pub faults: Vec<String>,
    /// The batches of the script.
    pub batches: Batches,
}

impl Names {
    /// The key's text.
    #[must_use]
    pub fn key(&self, key: KeyId) -> &str {
        &self.keys[key.0 as usize]
    }

    /// The client's name.
    #[must_use]
    pub fn client(&self, client: ClientId) -> &str {
        &self.clients[client.0 as usize]
    }

    /// The fault's id in the scenario file.
    #[must_use]
    pub fn fault(&self, fault: FaultId) -> &str {
        &self.faults[fault.0 as usize]
    }

    /// How many bytes the key has.
    #[must_use]
    pub fn key_length(&self, key: KeyId) -> u64 {
        self.key(key).len() as u64
    }

    /// How many bytes the value has, as [`Names::value`] shows it.
    #[must_use]
    pub fn value_length(&self, value: Value) -> u64 {
        let digits = |index: u32| u64::from((u64::from(index) + 1).ilog10()) + 1;
        match value.kind() {
            ValueKind::Text(index) => self.values[index].len() as u64,
            ValueKind::Made(ClientId::ARRIVALS, index) => 2 + digits(index),
            ValueKind::Made(client, index) => self.client(client).len() as u64 + 1 + digits(index),
        }
    }

    /// The value's text; a value made by the workload is shown as `client.index`, counted from 1:
    /// `c3.17`, or `a.17` for the seventeenth arrival of an open loop.
    #[must_use]
    pub fn value(&self, value: Value) -> String {
        match value.kind() {
            ValueKind::Text(index) => self.values[index].clone(),
            ValueKind::Made(ClientId::ARRIVALS, index) => format!("a.{}", index + 1),
            ValueKind::Made(client, index) => format!("{}.{}", self.client(client), index + 1),
        }
    }

    /// An operation in words, as the trace shows it: `put city=Raleigh w=2`. Its parts, if it is a
    /// batch, are in `batches`.
    #[must_use]
    pub fn call(&self, operation: Operation, batches: &Batches) -> String {
        let wanted = |quorum: Option<u16>| quorum.map_or(String::new(), |w| format!(" w={w}"));
        match operation {
            Operation::Put { key, value, quorum } => {
                format!("put {}={}{}", self.key(key), self.value(value), wanted(quorum))
            }
            Operation::Get { key, quorum } => {
                let text = format!("get {}", self.key(key));
                let Some(ReadQuorum { replicas, repair }) = quorum else { return text };
                let repair = if repair { " repair" } else { "" };
                format!("{text} r={replicas}{repair}")
            }
            Operation::Delete { key, quorum } => {
                format!("delete {}{}", self.key(key), wanted(quorum))
            }
            Operation::List => "list".into(),
            Operation::ReadAll => "read-all".into(),
            Operation::Clear => "clear".into(),
            Operation::Append { key, value, quorum } => {
                format!("append {} to {}{}", self.value(value), self.key(key), wanted(quorum))
            }
            Operation::Cas { key, from, to } => self.cas(key, from, to),
            Operation::Batch(batch) => self.batch(batch, batches),
        }
    }

    /// A compare-and-set in words: `cas city from Rome to Oslo`, `cas city from nothing to Oslo`.
    pub(crate) fn cas(&self, key: KeyId, from: Option<Value>, to: Value) -> String {
        let from = from.map_or_else(|| "nothing".to_owned(), |from| self.value(from));
        format!("cas {} from {from} to {}", self.key(key), self.value(to))
    }

    fn batch(&self, batch: BatchId, batches: &Batches) -> String {
        let parts = batches.get(batch).iter().map(|part| self.call(*part, batches));
        format!("batch [{}]", parts.collect::<Vec<_>>().join(", "))
    }
}

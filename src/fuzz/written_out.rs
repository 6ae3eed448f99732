//! Writing out the operations of a workload as a script, so that single ones can be removed.

use std::collections::BTreeMap;

use crate::config::{Config, Pace, ScriptedOperation, Workload};
use crate::history::{Entry, Function, History};
use crate::id::{ClientId, Value};
use crate::names::Names;
use crate::operation::Operation;
use crate::rng::Draws;
use crate::sim::{operation_id, replica_asked};
use crate::time::Time;

/// `config` and its names without its workload, with a scripted operation for each that the
/// workload invoked in the run `history` under `seed`, at the same time.
///
/// Scripted operations have the ids of the generated ones (`c3.17`), and with them the same draws.
/// So the run is the same, except for the order of events at one instant.
#[must_use]
pub fn written_out(config: &Config, seed: u64, history: &History) -> (Config, Names) {
    let (mut out, mut names) = (config.clone(), Names::clone(history.names()));
    let Some(load) = out.workload.take() else { return (out, names) };
    for change in &mut out.changes {
        change.set.retain(|(path, _)| !path.starts_with("workload."));
        change.workload = None;
    }
    out.changes.retain(|change| !change.set.is_empty());
    let draws = Draws::new(seed);
    let mut begun = vec![0_u32; load.clients as usize];
    let mut arrived = 0;
    let mut texts: BTreeMap<Value, Value> = BTreeMap::new();
    for (op, entry) in history.iter().filter(|(_, entry)| entry.client.0 < load.clients) {
        let counter = match load.pace {
            Pace::Closed { .. } => &mut begun[entry.client.0 as usize],
            Pace::Open { .. } => &mut arrived,
        };
        let source = match load.pace {
            Pace::Closed { .. } => entry.client,
            Pace::Open { .. } => ClientId::ARRIVALS,
        };
        let index = *counter;
        *counter += 1;
        let load = load_at(config, &load, entry.invoked_at);
        let id = operation_id(source, index);
        let value = Value::made(source, index);
        let name = names.value(value);
        let text = Value::text(names.values.len());
        let parts = history.parts(op);
        let writes = |part: &Operation| matches!(part, Operation::Put { .. });
        if parts.iter().any(writes) || entry.value == Some(value) && entry.is_write() {
            texts.insert(value, text);
            names.values.push(name.clone());
        }
        let mut operation = if entry.function == Function::Batch {
            let of_text = |part: &Operation| match *part {
                Operation::Put { key, quorum, .. } => Operation::Put { key, value: text, quorum },
                part => part,
            };
            Operation::Batch(names.batches.intern(parts.iter().map(of_text).collect()))
        } else {
            operation(entry, load, text)
        };
        if let Operation::Cas { from: Some(from), .. } = &mut operation {
            // It was written before.
            *from = texts.get(from).copied().unwrap_or(*from);
        }
        let node = match operation {
            Operation::Get { .. } | Operation::List | Operation::ReadAll => {
                replica_asked(config, load, entry.client, id, &draws)
            }
            _ => None,
        };
        out.script.push(ScriptedOperation {
            id: name,
            at: entry.invoked_at,
            client: entry.client,
            operation,
            node,
            retry: load.retry.clone(),
            expect: crate::config::Answer::default(),
        });
    }
    (out, names)
}

/// The workload at `at`, after the changes before.
fn load_at<'a>(config: &'a Config, first: &'a Workload, at: Time) -> &'a Workload {
    let before = config.changes.iter().filter(|change| change.at <= at);
    before.filter_map(|change| change.workload.as_ref()).next_back().unwrap_or(first)
}

/// The operation of an entry; a put or an append gets this value.
fn operation(entry: &Entry, load: &Workload, value: Value) -> Operation {
    let key = entry.key;
    match entry.function {
        Function::Put => Operation::Put { key, value, quorum: None },
        Function::Get => Operation::Get { key, quorum: load.read_quorum },
        Function::Delete => Operation::Delete { key, quorum: None },
        Function::List => Operation::List,
        Function::ReadAll => Operation::ReadAll,
        Function::Clear => Operation::Clear,
        Function::Append => Operation::Append { key, value, quorum: None },
        Function::Cas => Operation::Cas { key, from: entry.over, to: value },
        Function::Batch => unreachable!("a batch is made of its parts"),
    }
}

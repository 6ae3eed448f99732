//! The session guarantees, a read or a write at a time against all that its client had been told
//! before.

use super::claims::{Claims, Found};
use super::files::{F, Files, Op, Version};
use super::told::{KeyRead, Seen, Told, Write, versions};

/// What a session has done with a key, in order.
#[derive(Default)]
struct Before {
    /// Its acknowledged writes.
    wrote: Vec<Write>,
    /// What its reads showed.
    read: Vec<Write>,
    /// The versions that its reads were told.
    told: Vec<Version>,
    /// Its reads of nothing, each with what had been there.
    nothing: Vec<(usize, Vec<Write>)>,
}

/// By guarantee, the operations by which it is broken, each as often as it breaks it.
#[derive(Default)]
struct Broken {
    read_your_writes: Vec<u32>,
    monotonic_reads: Vec<u32>,
    monotonic_writes: Vec<u32>,
    writes_follow_reads: Vec<u32>,
}

pub(crate) fn check(files: &Files, told: &Told<'_>, claims: &mut Claims) {
    let mut clients: Vec<&str> = files.ops.iter().map(|op| op.client.as_str()).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut broken = Broken::default();
    for client in clients {
        for key in told.keys.keys() {
            let mut before = Before::default();
            for op in files.ops.iter().filter(|op| op.client == client && op.is_ok()) {
                let seen = told.seen(op).into_iter().find(|(of, _)| of == key);
                if let Some((_, seen)) = seen {
                    before.read(told, key, (op, &seen), &mut broken);
                }
                before.write(told, key, op, &mut broken);
            }
        }
    }
    let mut say = |property: &str, by: &[u32]| {
        let Some(first) = by.iter().min() else {
            return claims.property(files, property, Found::Holds, &[]);
        };
        claims.property(files, property, Found::Broken(by.len() as u64), &[]);
        // The case shown is the first.
        claims.say(format!("/checks/{property}/witness/operations/1"), *first);
    };
    say("read-your-writes", &broken.read_your_writes);
    say("monotonic-reads", &broken.monotonic_reads);
    say("monotonic-writes", &broken.monotonic_writes);
    say("writes-follow-reads", &broken.writes_follow_reads);
}

impl Before {
    fn read(&mut self, told: &Told<'_>, key: &str, (op, seen): (&Op, &Seen), broken: &mut Broken) {
        let read = KeyRead { key, seen, completed: op.completed };
        let misses = |writes: &[Write]| writes.iter().any(|write| told.misses(&read, write));
        broken.read_your_writes.extend(misses(&self.wrote).then_some(op.op));
        let returned = seen.values().into_iter().any(|shown| self.is_from_before(told, key, shown));
        broken.monotonic_reads.extend((misses(&self.read) || returned).then_some(op.op));
        if matches!(seen, Seen::Nothing) {
            let mut had = self.read.clone();
            if had.is_empty() {
                had.extend(last_acknowledged_by(told, key, op));
            }
            // One that is not explained says nothing of a removal.
            if !misses(&had) {
                self.nothing.push((op.completed, had));
            }
        }
        self.read.extend(seen.bounds().into_iter().cloned());
        self.told.extend(seen.version());
    }

    /// Whether `shown` is older than every removal that an earlier read of nothing can have seen.
    fn is_from_before(&self, told: &Told<'_>, key: &str, shown: &Write) -> bool {
        self.nothing.iter().any(|(completed, had)| {
            had.iter().any(|had| {
                let removals = told.keys[key].removals.iter();
                let seen: Vec<&Write> = removals
                    .filter(|removal| removal.invoked < *completed && !removal.comes_before(had))
                    .collect();
                !seen.is_empty() && seen.iter().all(|removal| shown.comes_before(removal))
            })
        })
    }

    fn write(&mut self, told: &Told<'_>, key: &str, op: &Op, broken: &mut Broken) {
        let mut acknowledged = told.keys[key].acknowledged.iter();
        let Some(write) = acknowledged.find(|write| write.op == Some(op.op)).cloned() else {
            return;
        };
        let greatest = versions(op, key).into_iter().max().unwrap_or(write.version);
        let is_low = |version: &Version| greatest <= *version;
        let mut wrote = self.wrote.iter().map(|write| write.version);
        broken.monotonic_writes.extend(wrote.any(|version| is_low(&version)).then_some(op.op));
        broken.writes_follow_reads.extend(self.told.iter().any(is_low).then_some(op.op));
        self.wrote.push(write);
    }
}

/// The last value of `key` that the node that answers `read` had acknowledged before.
fn last_acknowledged_by(told: &Told<'_>, key: &str, read: &Op) -> Option<Write> {
    let node = read.node.as_ref()?;
    let acknowledged = told.keys[key].acknowledged.iter().filter(|write| {
        matches!(write.f, Some(F::Put | F::Append))
            && write.end < read.invoked
            && write.op.is_some_and(|op| told.op(op).node.as_ref() == Some(node))
    });
    acknowledged.max_by_key(|write| write.end).cloned()
}

//! Stories of compare-and-sets and batches, which access keys several times.

use crate::check::ExpectedVerdict;
use crate::history::{Failure, History, Process, ReadAnswer, Status};
use crate::id::{OpId, Value};
use crate::operation::Operation;
use crate::property::Property;
use crate::time::Time;

use super::{Line, Story, ms};

/// Fails unless the story is judged so.
#[track_caller]
pub(in crate::check) fn judged(story: &Story, cases: &[(Property, ExpectedVerdict)]) {
    for (property, expected) in cases {
        assert_eq!(story.judged(*property), *expected, "{property}");
    }
}

/// A part of a batch: with the version that it is given, or with what it finds.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) enum Part<'a> {
    Put(&'a str, &'a str, i64),
    Append(&'a str, &'a str, i64),
    Delete(&'a str, i64),
    Cas(&'a str, Option<&'a str>, &'a str, i64),
    Get(&'a str, Option<(&'a str, i64)>),
}

impl<'a> Part<'a> {
    /// The key that it writes.
    pub(in crate::check) const fn written(self) -> Option<&'a str> {
        match self {
            Self::Put(key, ..)
            | Self::Append(key, ..)
            | Self::Delete(key, _)
            | Self::Cas(key, ..) => Some(key),
            Self::Get(..) => None,
        }
    }
}

impl Line {
    /// The compare-and-set at this place of a batch finds something else than it expects.
    pub(in crate::check) fn mismatches_at(&mut self, part: usize, found: (&str, i64)) -> &mut Self {
        self.mismatch_of = Some((part, found.0.to_owned(), found.1));
        self.because(Failure::Mismatch)
    }
}

impl Story {
    /// A compare-and-set from a value, or from nothing.
    pub(in crate::check) fn cas(
        &mut self,
        client: &str,
        key: &str,
        from: Option<&str>,
        to: &str,
    ) -> &mut Line {
        let (key, from, to) = (self.key(key), from.map(|from| self.value(from)), self.value(to));
        self.tell(client, Operation::Cas { key, from, to })
    }

    /// A compare-and-set that fails, for it finds another value than it expects, or nothing.
    pub(in crate::check) fn mismatch(
        &mut self,
        client: &str,
        key: &str,
        from: Option<&str>,
        found: Option<(&str, i64)>,
    ) -> &mut Line {
        let found = found.map(|(value, version)| (self.value(value), version));
        let (value, version) = found.unzip();
        let line = self.cas(client, key, from, "never put").because(Failure::Mismatch);
        line.instead = Some((value, version));
        line
    }

    /// A batch of these parts.
    pub(in crate::check) fn batch(&mut self, client: &str, parts: &[Part<'_>]) -> &mut Line {
        let quorum = None;
        let mut part = |part: &Part<'_>| match *part {
            Part::Put(key, value, version) => {
                let (key, value) = (self.key(key), self.value(value));
                (Operation::Put { key, value, quorum }, Some(version), None)
            }
            Part::Append(key, value, version) => {
                let (key, value) = (self.key(key), self.value(value));
                (Operation::Append { key, value, quorum }, Some(version), None)
            }
            Part::Delete(key, version) => {
                (Operation::Delete { key: self.key(key), quorum }, Some(version), None)
            }
            Part::Cas(key, from, to, version) => {
                let (key, from, to) =
                    (self.key(key), from.map(|from| self.value(from)), self.value(to));
                (Operation::Cas { key, from, to }, Some(version), None)
            }
            Part::Get(key, found) => {
                let key = self.key(key);
                let found = found.map(|(value, version)| (self.value(value), version));
                let (value, version) = found.unzip();
                (Operation::Get { key, quorum: None }, version, value)
            }
        };
        let parts: Vec<_> = parts.iter().map(&mut part).collect();
        let asked = parts.iter().map(|(part, ..)| *part).collect();
        let batch = self.names.batches.intern(asked);
        let line = self.tell(client, Operation::Batch(batch));
        line.parts = parts;
        line
    }

    /// Invokes the operation of a line; the writes of a batch that was done are accepted.
    pub(super) fn invoke(&self, history: &mut History, line: &Line, due_at: Time) -> OpId {
        let (at, process) = (ms(line.invoked), Process::first(line.client));
        let Operation::Batch(batch) = line.operation else {
            return history.invoke(at, due_at, process, line.operation);
        };
        let parts = self.names.batches.get(batch);
        let op = history.invoke_batch(at, due_at, process, batch, parts);
        if line.completed.is_some_and(|(_, status)| status == Status::Fail) {
            return op;
        }
        for (part, version, _) in line.parts.iter().filter(|(part, ..)| part.is_write()) {
            let (key, version) = (part.key(), version.map(|version| self.stamp(version)));
            let (key, version) = key.zip(version).expect("a write of a key");
            history.accept_on(op, key, version, line.over);
        }
        op
    }

    /// Tells what the accesses of a completed operation found.
    pub(super) fn answer(&self, history: &mut History, line: &Line, op: OpId) {
        let answer = |value, version: Option<i64>| {
            let version = version.map(|version| self.stamp(version));
            ReadAnswer { value, version, elements: None }
        };
        match line.completed.map(|(_, status)| status) {
            Some(Status::Ok) => {
                let accesses = history.part_accesses(op).into_iter().zip(&line.parts);
                for (access, (_, version, value)) in
                    accesses.filter(|(_, (part, ..))| !part.is_write())
                {
                    history.found(access, answer(*value, *version));
                }
            }
            Some(Status::Fail) => {
                if let Some((part, value, version)) = &line.mismatch_of {
                    let place = self.names.values.iter().position(|other| other == value);
                    history.mismatched(op, *part, answer(place.map(Value::text), Some(*version)));
                }
                if let Some((value, version)) = line.instead {
                    history.mismatched(op, 0, answer(value, version));
                }
            }
            Some(Status::Pending | Status::Info) | None => {}
        }
    }
}

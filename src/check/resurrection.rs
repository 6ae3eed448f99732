//! Resurrection: a value that an acknowledged delete removed does not show again.
//!
//! The anomaly is that of tombstones collected too early (Cassandra's `gc_grace_seconds`) and of
//! deletes that leave none. [`super::durability`] counts deletes that are lost at the end among all
//! lost writes; here they are reported by name.
//!
//! A key's value is *deleted before* a place in the history when its write had completed ok before
//! an acknowledged delete of the key was invoked, and that delete had completed before the place,
//! all in event order. No later or concurrent write then explains that the value shows. The
//! property is broken when it does:
//!
//! - in a read (`reads_of_deleted`): a get or a read of everything returned a value that was
//!   deleted before the read was invoked. Either the value came back, or the delete had not yet
//!   reached the node that was asked.
//! - at the end (`resurrected_keys`): the leader holds a value that was deleted; or, where no node
//!   leads, the greatest version on a live replica is one.
//!
//! Each element of a list is a value of its key, whatever newer elements follow it.
//!
//! A clear deletes the keys that it removed. A write of unknown outcome never completes, so it may
//! take effect after the delete. A delete of unknown outcome promises nothing. A retried write has
//! one end, whichever of its attempts shows: an attempt that arrives after the delete brings back a
//! write that the client had long been told about.
//!
//! For each key the deletes are kept in the order of their completion, each with the latest
//! invocation so far. A value was deleted if the latest invocation among the deletes completed by
//! then comes after the end of its write. O(n log n).

use crate::history::{Entry, Function, KeyEffect};
use crate::id::{KeyId, OpId, Value, Version};
use crate::protocol::Stored;

use super::facts::{Facts, ReadResult};
use super::{Finding, Verdict, Witness, words};

/// An acknowledged delete of a key: the latest invoked of those that completed by `completed_seq`.
#[derive(Clone, Copy, Debug)]
struct Deleted {
    completed_seq: u32,
    invoked_seq: u32,
    op: OpId,
}

/// A deleted value that shows, in a read or at the end.
#[derive(Clone, Copy, Debug)]
struct Revenant {
    key: KeyId,
    writer: OpId,
    delete: OpId,
    version: Version,
    read: Option<OpId>,
}

/// The deletes by key.
struct Graves {
    deletes: Vec<Vec<Deleted>>,
}

pub(super) fn check(facts: &Facts<'_>) -> Finding {
    let Some(graves) = Graves::of(facts) else {
        return Finding::of(None, vec![("reads_of_deleted", 0), ("resurrected_keys", 0)]);
    };
    let (mut reads, mut first) = (0, None);
    let read = |entry: &Entry| entry.is_ok() && !entry.is_write();
    for (op, entry) in facts.evidence.history.accesses().filter(|(_, entry)| read(entry)) {
        if let Some(revenant) = graves.read(facts, op, entry) {
            reads += 1;
            first = first.or(Some(revenant));
        }
    }
    let mut keys = 0;
    for (key, shown) in (0..).map(KeyId).zip(&facts.shown) {
        let Some(Stored { value: Some(value), version }) = shown.map(|shown| shown.stored) else {
            continue;
        };
        let elements = facts
            .shown_lists(key)
            .filter(|(node, _)| node.data.get(&key).is_some_and(|held| held.version == version));
        let elements =
            elements.flat_map(|(_, list)| list).map(|(version, value)| (*value, *version));
        let mut shown = std::iter::once((value, version)).chain(elements);
        let risen = shown.find_map(|(value, version)| {
            let writer = || facts.writers.writer(key, Some(value), version);
            graves.rise(facts, (key, version), writer, u32::MAX)
        });
        if let Some(revenant) = risen {
            keys += 1;
            first = first.or(Some(revenant));
        }
    }
    let figures = vec![("reads_of_deleted", reads), ("resurrected_keys", keys)];
    let verdict =
        first.map_or(Verdict::Valid, |first| Verdict::Invalid(witness(facts, first, reads, keys)));
    Finding::new(verdict, figures)
}

impl Graves {
    /// `None` when nothing was deleted.
    fn of(facts: &Facts<'_>) -> Option<Self> {
        if !facts.has_invoked(&[Function::Delete, Function::Clear]) {
            return None;
        }
        let history = facts.evidence.history;
        let mut deletes = vec![Vec::new(); facts.newest.len()];
        let mut any = false;
        let deleted = |entry: &Entry| entry.is_ok() && entry.is_removal();
        for (op, entry) in history.accesses().filter(|(_, entry)| deleted(entry)) {
            let Entry { completed_seq, invoked_seq, .. } = *entry;
            for effect in history.effects(op) {
                any = true;
                deletes[effect.key.0 as usize].push(Deleted { completed_seq, invoked_seq, op });
            }
        }
        if !any {
            return None;
        }
        for of_key in &mut deletes {
            of_key.sort_unstable_by_key(|deleted| deleted.completed_seq);
            for i in 1..of_key.len() {
                let before = of_key[i - 1];
                if before.invoked_seq > of_key[i].invoked_seq {
                    of_key[i] = Deleted { completed_seq: of_key[i].completed_seq, ..before };
                }
            }
        }
        Some(Self { deletes })
    }

    /// The first key of which a completed read returned a deleted value.
    fn read(&self, facts: &Facts<'_>, op: OpId, entry: &Entry) -> Option<Revenant> {
        let rise = |of, writer: &dyn Fn() -> Option<OpId>| {
            let revenant = self.rise(facts, of, writer, entry.invoked_seq)?;
            Some(Revenant { read: Some(op), ..revenant })
        };
        let seen = |effect: KeyEffect<'_>| {
            let (key, content) = (effect.key, effect.found()?);
            let seen = || match facts.seen(entry, &effect)? {
                ReadResult::Value(write) => Some(write.version),
                ReadResult::Tombstone(_) | ReadResult::Key | ReadResult::Nothing => None,
            };
            let (value, version) = (content.value()?, effect.version.or_else(seen)?);
            let element = |value: &Value| {
                let version = facts.element(entry, key, *value).version;
                rise((key, version), &|| facts.writers.found_element(entry, key, *value))
            };
            rise((key, version), &|| facts.writers.found(entry, key, Some(value), version))
                .or_else(|| content.elements()?.iter().find_map(element))
        };
        facts.evidence.history.effects(op).find_map(seen)
    }

    /// The delete that had removed a value that shows at the place `seq`, if one had.
    fn rise(
        &self,
        facts: &Facts<'_>,
        (key, version): (KeyId, Version),
        writer: impl FnOnce() -> Option<OpId>,
        seq: u32,
    ) -> Option<Revenant> {
        let deletes = &self.deletes[key.0 as usize];
        let completed = deletes.partition_point(|deleted| deleted.completed_seq < seq);
        let latest = deletes[..completed].last()?;
        let writer = writer()?;
        let deleted = facts.evidence.history.entry(writer).end() < latest.invoked_seq;
        let delete = latest.op;
        deleted.then_some(Revenant { key, writer, delete, version, read: None })
    }
}

fn witness(facts: &Facts<'_>, shown: Revenant, reads: u64, keys: u64) -> Witness {
    let (names, history) = (facts.evidence.names(), facts.evidence.history);
    let (writer, delete) = (history.entry(shown.writer), history.entry(shown.delete));
    let shows = match shown.read.map(|read| history.entry(read)) {
        Some(read) => format!(
            "{}, invoked at {} s, returned it {}",
            words::call_by(names, read),
            read.invoked_at,
            words::answered(read)
        ),
        None => "it is there at the end".to_owned(),
    };
    let mut all = Vec::new();
    if reads > 1 {
        all.push(format!("{reads} reads of deleted values"));
    }
    if keys > 1 || keys == 1 && shown.read.is_some() {
        all.push(format!("{keys} deleted {} at the end", if keys == 1 { "key" } else { "keys" }));
    }
    let all = if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) };
    let summary = format!(
        "{}, complete at {} s, was deleted by {}, {}; {shows}{all}",
        words::call_by(names, writer),
        writer.completed_at,
        words::call_by(names, delete),
        words::acknowledged(delete),
    );
    let mut operations = vec![shown.writer, shown.delete];
    operations.extend(shown.read);
    let nodes = shown.read.and_then(|read| history.entry(read).node);
    let nodes = nodes.or(facts.newest[shown.key.0 as usize].map(|newest| newest.node));
    Witness {
        summary,
        count: reads + keys,
        operations,
        nodes: nodes.into_iter().collect(),
        write: Some(shown.version),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::Story;
    use super::super::testing::any_story::any_story;
    use super::super::testing::definitions::{Found, found, shown, writer};
    use super::*;
    use crate::check::Evidence;
    use crate::property::Property::Resurrection;

    fn deleted() -> Story {
        let mut story = Story::new(2);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(5);
        story.delete("c1", "city").at(10).ok(12).version(9);
        story
    }

    #[test]
    fn a_value_that_shows_after_its_delete_is_caught() {
        let mut story = deleted();
        story.tombstone(1, "city", 9);
        story.assert_valid(Resurrection);
        story.get("c2", "city", ("Raleigh", 5)).at(20).ok(22).by(2);
        let witness = story.witness(Resurrection);
        assert_eq!(
            witness.summary,
            "put city=Raleigh by c1, complete at 0.002000000 s, was deleted by delete city by c1, \
             acknowledged by n1 at 0.012000000 s; get city by c2, invoked at 0.020000000 s, \
             returned it from n2 at 0.022000000 s"
        );
        assert_eq!(witness.operations, [OpId(0), OpId(1), OpId(2)]);
        assert_eq!((witness.count, witness.write), (1, Some(story.stamp(5))));
    }

    #[test]
    fn at_the_end_the_greatest_version_counts() {
        let mut story = deleted();
        story.holds(2, "city", "Raleigh", 5);
        story.witness(Resurrection).assert_ends("0.012000000 s; it is there at the end");
        assert_eq!(story.figure(Resurrection, "resurrected_keys"), 1);
        // One replica that is behind is convergence's affair.
        story.tombstone(1, "city", 9);
        story.assert_valid(Resurrection);
    }

    #[test]
    fn an_element_that_was_deleted_is_caught_under_a_newer_one() {
        let mut story = Story::new(2);
        story.append("c1", "log", "a").at(1).ok(2).version(5);
        story.delete("c1", "log").at(10).ok(12).version(9);
        story.append("c1", "log", "b").at(13).ok(14).version(14);
        story.lists(1, "log", &[("b", 14)]);
        story.get("c2", "log", ("b", 14)).at(20).ok(22).finds_list(&[1]);
        story.assert_valid(Resurrection);
        let mut read = story.clone();
        read.get("c2", "log", ("b", 14)).at(23).ok(24).finds_list(&[0, 1]);
        read.read_all("c2", &[("log", "b", 14)]).at(25).ok(26).finds_list(&[0, 1]);
        assert_eq!(read.figure(Resurrection, "reads_of_deleted"), 2);
        assert_eq!(read.witness(Resurrection).write, Some(read.stamp(5)));
        story.lists(2, "log", &[("a", 5), ("b", 14)]);
        assert_eq!(story.figure(Resurrection, "resurrected_keys"), 1);
    }

    #[test]
    fn a_later_a_concurrent_and_an_unknown_write_explain_a_value() {
        let mut story = Story::new(1);
        story.put("c1", "late", "a").at(30).ok(31).version(30);
        story.put("c1", "along", "b").at(11).ok(25).version(8);
        story.put("c3", "unknown", "c").at(0).info(3).version(1);
        for (i, key) in ["late", "along", "unknown"].into_iter().enumerate() {
            story.delete("c2", key).at(12 + 2 * i as u64).ok(13 + 2 * i as u64).version(9);
        }
        story.get("c4", "late", ("a", 30)).at(40).ok(41);
        story.get("c4", "along", ("b", 8)).at(42).ok(43);
        story.get("c4", "unknown", ("c", 1)).at(44).ok(45);
        story.holds(1, "along", "b", 8).holds(1, "unknown", "c", 1);
        story.assert_valid(Resurrection);
    }

    #[test]
    fn a_read_under_way_with_the_delete_and_an_unknown_delete_prove_nothing() {
        let mut story = Story::new(1);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(5);
        story.get("c2", "city", ("Raleigh", 5)).at(11).ok(15);
        story.delete("c1", "city").at(10).ok(12).version(9);
        story.put("c1", "weather", "rainy").at(20).ok(22).version(20);
        story.delete("c1", "weather").at(30).info(32).version(30);
        story.get("c2", "weather", ("rainy", 20)).at(40).ok(42);
        story.assert_valid(Resurrection);
    }

    /// Raleigh is complete before the second delete is invoked; the first, which was under way all
    /// along, ends last.
    #[test]
    fn of_two_deletes_the_one_invoked_last_counts() {
        let mut story = Story::new(1);
        story.delete("c1", "city").at(1).ok(30).version(1);
        story.put("c2", "city", "Raleigh").at(5).ok(6).version(5);
        story.delete("c3", "city").at(10).ok(12).version(9);
        story.get("c2", "city", ("Raleigh", 5)).at(20).ok(21);
        story.get("c2", "city", ("Raleigh", 5)).at(40).ok(41);
        assert_eq!(story.figure(Resurrection, "reads_of_deleted"), 2);
    }

    /// Two nodes without a log may give two writes one version.
    #[test]
    fn of_two_writes_of_one_version_either_explains_a_value() {
        let mut story = deleted();
        story.put("c2", "city", "Raleigh").at(3).ok(30).version(5);
        story.get("c2", "city", ("Raleigh", 5)).at(40).ok(41);
        story.assert_valid(Resurrection);
    }

    #[test]
    fn a_clear_deletes_what_it_removed() {
        let mut story = Story::new(1);
        story.put("c1", "city", "Raleigh").at(1).ok(2).version(5);
        story.put("c1", "weather", "rainy").at(3).ok(4).version(6);
        story.clear("c1", &[("city", 9)]).at(10).ok(12);
        story.read_all("c2", &[("weather", "rainy", 6)]).at(20).ok(21);
        story.assert_valid(Resurrection);
        story.read_all("c2", &[("city", "Raleigh", 5), ("weather", "rainy", 6)]).at(30).ok(31);
        assert_eq!(story.figure(Resurrection, "reads_of_deleted"), 1);
    }

    /// Every read and every end against every write and every delete.
    fn twin(evidence: &Evidence<'_>) -> (u64, u64) {
        let history = evidence.history;
        let keys = || (0..evidence.names().keys.len() as u32).map(KeyId);
        let explains = |write: &Entry, key: KeyId, seq: u32| {
            !history.iter().any(|(op, delete)| {
                let deletes = history.effects(op).any(|e| e.key == key && e.removes());
                let acknowledged = delete.is_ok() && delete.completed_seq < seq;
                deletes && acknowledged && write.is_ok() && write.precedes(delete)
            })
        };
        let rises = |key: KeyId, writer: Option<OpId>, seq: u32| {
            writer.is_some_and(|op| !explains(history.entry(op), key, seq))
        };
        let mut reads = 0;
        for (op, read) in history.iter().filter(|(_, entry)| entry.is_ok()) {
            let found = keys().any(|key| {
                let Some(Found::Value((writer, _))) = found(history, op, key) else { return false };
                rises(key, writer, read.invoked_seq)
            });
            reads += u64::from(found);
        }
        let at_end = keys().filter(|key| {
            shown(evidence, *key).is_some_and(|held| {
                held.value.is_some() && rises(*key, writer(history, *key, held), u32::MAX)
            })
        });
        (reads, at_end.count() as u64)
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(story in any_story()) {
            let (reads, keys) = story.evidence(twin);
            prop_assert_eq!(story.figure(Resurrection, "reads_of_deleted"), reads);
            prop_assert_eq!(story.figure(Resurrection, "resurrected_keys"), keys);
            let valid = story.report(Resurrection).verdict == Verdict::Valid;
            prop_assert_eq!(valid, reads + keys == 0);
        }
    }
}

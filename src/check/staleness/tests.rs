//! The checker of staleness on stories, and against its definition.

use proptest::prelude::*;

use super::*;
use crate::check::testing::Story;
use crate::check::testing::any_story::any_story;
use crate::check::testing::definitions::{found, misses, versions};
use crate::check::{Evidence, Verdict};
use crate::id::NodeId;
use crate::property::Property::Staleness;

/// Three writes, acknowledged at 20, 40 and 60 ms.
fn three_writes() -> Story {
    let mut story = Story::new(3);
    story.put("c1", "city", "Durham").at(10).ok(20).version(1);
    story.put("c1", "city", "Raleigh").at(30).ok(40).version(2).confirmed(1, 2);
    story.put("c1", "city", "Apex").at(50).ok(60).version(3);
    story.bound(25);
    story
}

#[test]
fn the_newest_value_is_fresh() {
    let mut story = three_writes();
    story.get("c2", "city", ("Apex", 3)).at(100).ok(110);
    story.get("c2", "city", ("Durham", 1)).at(25).ok(29);
    story.assert_valid(Staleness);
    story.assert_figures(Staleness, &[("reads", 2), ("stale_reads", 0)]);
}

#[test]
fn a_read_is_as_stale_as_the_first_write_it_misses() {
    let mut story = three_writes();
    story.get("c2", "city", ("Durham", 1)).at(100).ok(110).by(3);
    story.get("c2", "city", ("Raleigh", 2)).at(120).ok(130).by(3);
    let witness = story.witness(Staleness);
    assert_eq!(
        witness.summary,
        "c2 read city=Durham from n3, asked at 0.100000000 s, though put city=Raleigh by c1 had \
         been acknowledged by n1 at 0.040000000 s with 1 of 2 followers, 60ms earlier (bound \
         25ms); it missed 2 acknowledged writes (2 reads beyond the bound in all)"
    );
    assert_eq!(witness.operations, [OpId(1), OpId(3)]);
    assert_eq!((witness.nodes, witness.write), (vec![NodeId(2)], Some(story.stamp(2))));
    story.assert_figures(Staleness, &[("stale_reads", 2), ("max_staleness_ns", 60_000_000)]);
    assert_eq!(story.figure(Staleness, "max_versions_behind"), 2);
}

#[test]
fn the_bound_itself_is_allowed() {
    let mut story = three_writes();
    story.get("c2", "city", ("Raleigh", 2)).at(85).ok(90);
    story.assert_valid(Staleness);
    assert_eq!(story.figure(Staleness, "max_staleness_ns"), 25_000_000);
    story.get("c2", "city", ("Raleigh", 2)).at(91).ok(92);
    assert_eq!(story.witness(Staleness).count, 1);
}

#[test]
fn only_acknowledged_writes_can_be_missed() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Durham").at(1).ok(2).version(1);
    story.put("c1", "city", "Raleigh").at(3).info(4).version(2);
    story.put("c1", "city", "Apex").at(5).fail(6).version(3);
    story.put("c3", "city", "Cary").at(7).ok(50).version(4);
    story.get("c2", "city", ("Durham", 1)).at(49).ok(60);
    story.assert_valid(Staleness);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.get("c2", "city", ("Apex", 3)).at(61).ok(62);
    assert_eq!(story.figure(Staleness, "reads_of_failed_writes"), 1);
}

#[test]
fn the_order_of_events_decides_and_without_a_bound_no_time_is_too_short() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Durham").at(1).ok(2).version(1);
    story.miss("c2", "city").at(2).ok(3);
    assert_eq!(story.figure(Staleness, "stale_reads"), 1);
    assert_eq!(story.witness(Staleness).count, 1);
    story.bound(0).assert_valid(Staleness);
    let mut story = Story::new(1);
    story.miss("c2", "city").at(2).ok(3);
    story.put("c1", "city", "Durham").at(1).ok(2).version(1);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
}

#[test]
fn nothing_is_stale_unless_a_removal_explains_it() {
    let mut story = three_writes();
    story.miss("c2", "city").at(100).ok(110);
    let witness = story.witness(Staleness);
    witness.assert_begins("c2 found no city from n1");
    assert_eq!(story.figure(Staleness, "max_versions_behind"), 3);

    // The delete of a version between explains a part, the delete under way explains all.
    story
        .and(|story| story.delete("c3", "city").at(45).info(46).version(2))
        .assert_figures(Staleness, &[("max_versions_behind", 1), ("max_staleness_ns", 40_000_000)]);
    story.delete("c3", "city").at(105);
    story.assert_valid(Staleness);
}

#[test]
fn a_value_from_before_a_delete_is_stale() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Durham").at(10).ok(20).version(1);
    story.delete("c1", "city").at(30).ok(40).version(2);
    story.put("c1", "weather", "clear").at(50).ok(60).version(3);
    story.clear("c1", &[("weather", 4)]).at(70).ok(80);
    story.get("c2", "city", ("Durham", 1)).at(90).ok(91);
    story.get("c2", "weather", ("clear", 3)).at(92).ok(93);
    story.witness(Staleness).assert_says("though delete city by c1 had been acknowledged");
    assert_eq!(story.figure(Staleness, "stale_reads"), 2);
}

#[test]
fn a_read_of_everything_is_one_read_as_stale_as_its_stalest_key() {
    let mut story = three_writes();
    story.put("c1", "weather", "clear").at(65).ok(70).version(4);
    story.read_all("c2", &[("city", "Raleigh", 2)]).at(100).ok(110);
    assert_eq!(story.figure(Staleness, "stale_reads"), 1);
    let witness = story.witness(Staleness);
    witness.assert_begins("c2 read city=Raleigh from n1");
    assert_eq!(witness.count, 1);
    assert_eq!(story.figure(Staleness, "max_staleness_ns"), 40_000_000);
}

#[test]
fn real_time_tells_what_is_stale_and_not_the_stamps() {
    let mut story = Story::new(1);
    story.put("c1", "city", "Durham").at(1).ok(2).version(9);
    story.put("c1", "city", "Raleigh").at(3).ok(4).version(5);
    story.get("c2", "city", ("Raleigh", 5)).at(5).ok(6);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.get("c2", "city", ("Durham", 9)).at(7).ok(8);
    let figure = |name| story.figure(Staleness, name);
    assert_eq!((figure("stale_reads"), figure("max_versions_behind")), (1, 1));
    assert_eq!(figure("max_staleness_ns"), 3_000_000);
}

#[test]
fn a_list_is_stale_by_the_elements_that_it_lacks() {
    let mut story = Story::new(2);
    story.append("c1", "city", "e1").at(1).ok(2).version(1);
    story.append("c1", "city", "e2").at(3).ok(4).version(2);
    story.append("c1", "city", "e3").at(5).ok(6).version(3);
    story.get("c2", "city", ("e3", 3)).at(7).ok(8).finds_list(&[0, 1, 2]);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.get("c2", "city", ("e3", 3)).at(10).ok(11).finds_list(&[2]);
    let figure = |name| story.figure(Staleness, name);
    assert_eq!((figure("stale_reads"), figure("max_versions_behind")), (1, 2));
    assert_eq!(figure("max_staleness_ns"), 8_000_000);
    // What ended the list explains what is not in it, and is missed by a list that shows what it
    // ended.
    story
        .and(|story| story.put("c1", "city", "Apex").at(4).ok(5).version(2))
        .assert_figures(Staleness, &[("stale_reads", 1), ("max_versions_behind", 1)]);
}

#[test]
fn a_read_of_everything_is_stale_by_the_elements_that_it_lacks() {
    let mut story = Story::new(2);
    story.append("c1", "city", "e1").at(1).ok(2).version(9);
    // By a clock that was set back.
    story.append("c1", "city", "e2").at(3).ok(4).version(2);
    story.read_all("c2", &[("city", "e1", 9)]).at(5).ok(6).finds_list(&[1, 0]);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.read_all("c2", &[("city", "e1", 9)]).at(7).ok(8).finds_list(&[0]);
    story.assert_figures(Staleness, &[("stale_reads", 1), ("max_staleness_ns", 3_000_000)]);
}

#[test]
fn a_list_of_keys_is_stale_by_a_key_that_it_lacks_or_should() {
    let mut story = Story::new(2);
    story.put("c1", "city", "Durham").at(1).ok(2).version(1);
    story.list("c2", &["city"]).at(3).ok(4);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.list("c2", &[]).at(5).ok(6);
    story.delete("c1", "city").at(7).ok(8).version(2);
    story.list("c2", &[]).at(9).ok(10);
    assert_eq!(story.figure(Staleness, "stale_reads"), 1);
    story.list("c2", &["city"]).at(11).ok(12);
    story.assert_figures(Staleness, &[("stale_reads", 2), ("reads", 4)]);
}

/// The later delete explains that a get found nothing, but the tombstone is that of the earlier.
#[test]
fn a_tombstone_tells_which_removal_a_get_of_nothing_has_read() {
    let mut story = Story::new(2);
    story.delete("c1", "city").at(1).ok(2).version(1);
    story.put("c1", "city", "Durham").at(3).ok(4).version(3);
    story.delete("c1", "city").at(5).ok(6).version(5);
    story.miss("c2", "city").at(7).ok(8);
    story.miss("c2", "city").at(9).ok(10).tombstone(5);
    assert_eq!(story.figure(Staleness, "stale_reads"), 0);
    story.miss("c2", "city").at(11).ok(12).tombstone(1);
    let expected =
        [("stale_reads", 1), ("max_versions_behind", 2), ("max_staleness_ns", 7_000_000)];
    story.assert_figures(Staleness, &expected);
    story.witness(Staleness).assert_begins("c2 found no city from n1, asked at 0.011000000 s");
}

/// The definition word by word, a read and a write at a time: the stale reads with their (t, k).
fn stale_reads(evidence: &Evidence<'_>) -> Vec<(OpId, u64, u64)> {
    let history = evidence.history;
    let mut stale = Vec::new();
    for (op, read) in history.iter().filter(|(_, read)| read.is_ok()) {
        let (mut t, mut k) = (None, 0);
        for key in (0..2).map(KeyId) {
            let Some(found) = found(history, op, key) else { continue };
            let missed = |(write, entry): &(OpId, &Entry)| {
                let least = versions(history, *write, key).into_iter().min();
                let misses = |version| misses(history, op, key, found, (Some(*write), version));
                entry.is_ok() && entry.precedes(read) && least.is_some_and(misses)
            };
            let missed: Vec<_> = history.iter().filter(missed).collect();
            if let Some((_, first)) = missed.iter().min_by_key(|(_, w)| w.completed_seq) {
                t = t.max(Some(read.invoked_at.since(first.completed_at).nanos()));
                k = k.max(missed.len() as u64);
            }
        }
        if let Some(t) = t {
            stale.push((op, t, k));
        }
    }
    stale
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_sweep_agrees_with_the_definition(story in any_story(), bound in 0..40_u64) {
        let mut story = story;
        story.bound(bound);
        let stale = story.evidence(stale_reads);
        prop_assert_eq!(story.figure(Staleness, "stale_reads"), stale.len() as u64);
        let longest = stale.iter().map(|(_, t, _)| *t).max().unwrap_or(0);
        prop_assert_eq!(story.figure(Staleness, "max_staleness_ns"), longest);
        let behind = stale.iter().map(|(.., k)| *k).max().unwrap_or(0);
        prop_assert_eq!(story.figure(Staleness, "max_versions_behind"), behind);
        let broken: Vec<_> = stale.iter().filter(|(_, t, _)| *t > bound * 1_000_000).collect();
        match story.report(Staleness).verdict {
            Verdict::Valid => prop_assert!(broken.is_empty()),
            Verdict::Invalid(witness) => {
                prop_assert_eq!(witness.count, broken.len() as u64);
                let worst = broken.iter().find(|(_, t, _)| *t == longest);
                prop_assert_eq!(Some(witness.operations[1]), worst.map(|(op, ..)| *op));
            }
            Verdict::Unknown(reason) | Verdict::Unchecked(reason) => {
                prop_assert!(false, "{}", reason);
            }
        }
    }
}

//! Random stories.

use proptest::prelude::*;

use super::Story;

/// Any story: three clients, two keys, two nodes, every kind of operation and outcome; versions in
/// no order and now and then given twice, reads of any write (a removal may have left a tombstone),
/// ends with any write on each node.
pub(in crate::check) fn any_story() -> impl Strategy<Value = Story> {
    let operation = (0..3_u8, 0..2_u8, 0..14_u8, 1..6_u64, 0..8_u64, 0..10_u8, any::<u32>());
    let end = prop::collection::vec(any::<u32>(), 4);
    (prop::collection::vec(operation, 1..24), end).prop_map(|(operations, ends)| {
        let mut story = Story::new(2);
        let keys = ["k0", "k1"];
        for key in keys {
            story.key(key);
        }
        let written = written(&operations);
        let pick = |key: usize, luck: u32| {
            let count = written[key].len() as u32 + 1;
            written[key].get((luck / 16 % count) as usize).cloned()
        };
        let mut free = [0_u64; 3];
        for (i, (client, key, kind, gap, length, outcome, luck)) in operations.iter().enumerate() {
            let (slot, key) = (usize::from(*client), usize::from(*key));
            let name = format!("c{client}");
            let at = free[slot] + gap * 3 + u64::from(*client);
            let until = at + length * 3;
            free[slot] = until;
            let version = stamp(i, *luck, 0);
            let line = match kind {
                0..5 => story.put(&name, keys[key], &format!("v{i}")).version(version),
                5 | 6 => {
                    let line = story.delete(&name, keys[key]);
                    if luck / 16 % 4 > 0 { line.version(version) } else { line }
                }
                7 if luck / 16 % 2 == 0 => story.clear(&name, &[]),
                7 => story.clear(&name, &[(keys[key], version)]),
                8 if luck / 16 % 2 == 0 => {
                    let there = |key: &usize| luck >> (20 + key) & 1 == 0;
                    let there: Vec<&str> = (0..2).filter(there).map(|key| keys[key]).collect();
                    story.list(&name, &there)
                }
                8 => {
                    let pick = |key| pick(key, luck.rotate_right(key as u32 * 3));
                    let found: Vec<(&str, String, i64)> = (0..2)
                        .filter_map(|key| pick(key).and_then(|(v, n)| Some((keys[key], v?, n))))
                        .collect();
                    let found: Vec<_> = found.iter().map(|(k, v, n)| (*k, &**v, *n)).collect();
                    story.read_all(&name, &found)
                }
                _ => match pick(key, *luck) {
                    Some((Some(value), version)) => story.get(&name, keys[key], (&value, version)),
                    Some((None, version)) if luck >> 12 & 3 > 0 => {
                        story.miss(&name, keys[key]).tombstone(version)
                    }
                    Some((None, _)) | None => story.miss(&name, keys[key]),
                },
            };
            line.at(at).by(1 + u16::from(*client) % 2);
            if luck & 0x1000_0000 != 0 && line.version.is_some() {
                line.attempt(stamp(i, luck.rotate_right(5), 1));
            }
            match outcome {
                0 => line.info(until),
                1 => line.fail(until),
                2 => line,
                _ => line.ok(until),
            };
        }
        for (i, luck) in ends.into_iter().enumerate() {
            match pick(i % 2, luck) {
                Some((Some(value), n)) => story.holds(1 + i as u16 / 2, keys[i % 2], &value, n),
                Some((None, n)) => story.tombstone(1 + i as u16 / 2, keys[i % 2], n),
                None => &mut story,
            };
        }
        story
    })
}

/// An operation: client, key, kind, gap before it, length, outcome and luck.
type Drawn = (u8, u8, u8, u64, u64, u8, u32);

fn stamp(i: usize, luck: u32, part: i64) -> i64 {
    i64::from(luck % 16) * 1_000 + i as i64 / 4 * 4 + part
}

/// By key, what there is to be read: value and version.
fn written(operations: &[Drawn]) -> [Vec<(Option<String>, i64)>; 2] {
    let mut written: [Vec<(Option<String>, i64)>; 2] = Default::default();
    for (i, (_, key, kind, .., luck)) in operations.iter().enumerate() {
        let value = match kind {
            0..5 => Some(format!("v{i}")),
            5 | 6 if luck / 16 % 4 > 0 => None,
            _ => continue,
        };
        written[usize::from(*key)].push((value, stamp(i, *luck, 0)));
    }
    written
}

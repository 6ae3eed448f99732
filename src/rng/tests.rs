//! The keyed draws are uniform, independent and pure, and identities do not collide.
//!
//! All seeds are fixed, so the outcome never changes. Chance exceeds a threshold less than once in
//! 100,000 checks.

use std::collections::BTreeSet;

use super::*;

const ALL: [Purpose; PURPOSES] = [
    Purpose::Loss,
    Purpose::Duplication,
    Purpose::Delay,
    Purpose::FaultLoss,
    Purpose::FaultDelay,
    Purpose::ClientDelay,
    Purpose::Protocol,
    Purpose::Sync,
    Purpose::PowerLoss,
    Purpose::Target,
    Purpose::Mix,
    Purpose::Key,
    Purpose::Pace,
    Purpose::Replica,
    Purpose::Backoff,
    Purpose::Tie,
    Purpose::DiskFault,
];

/// Families of identities as a run has them, of 65,536 each: regular where anything could be too
/// regular.
fn families() -> Vec<(&'static str, Vec<CausalId>)> {
    const COUNT: u64 = 1 << 16;
    let parent = CausalId::root(Root::Operation, 0, 0);
    let chain = |step: &dyn Fn(CausalId) -> CausalId| {
        std::iter::successors(Some(parent), |&id| Some(step(id))).take(COUNT as usize).collect()
    };
    vec![
        ("raw numbers", (0..COUNT).map(CausalId).collect()),
        ("high numbers", (0..COUNT).map(|i| CausalId(i << 48)).collect()),
        (
            "operations",
            (0..COUNT).map(|i| CausalId::root(Root::Operation, i % 10, i / 10)).collect(),
        ),
        ("boots", (0..COUNT).map(|i| CausalId::root(Root::Boot, i, 0)).collect()),
        ("faults", (0..COUNT).map(|i| CausalId::root(Root::Fault, i, 0)).collect()),
        (
            "siblings, by 512 destinations",
            (0..COUNT).map(|i| parent.child(Cause::Send, i % 512, (i / 512) as u32)).collect(),
        ),
        (
            "siblings, by kind of message",
            (0..COUNT)
                .map(|i| parent.child(Cause::Send, (i % 512) | ((i / 512) << 32), 0))
                .collect(),
        ),
        ("attempts", (0..COUNT).map(|i| parent.child(Cause::Attempt, 0, i as u32)).collect()),
        (
            "first children of operations",
            (0..COUNT)
                .map(|i| CausalId::root(Root::Operation, i % 10, i / 10).child(Cause::Send, 1, 0))
                .collect(),
        ),
        ("a chain of sends", chain(&|id| id.child(Cause::Send, 1, 0))),
        ("a chain of timers", chain(&|id| id.child(Cause::Timer, 0, 0))),
    ]
}

/// The chi-square statistic of counts that should be equal, in standard deviations from its mean.
fn excess(counts: &[u32]) -> f64 {
    let cells = counts.len() as f64;
    let expected = counts.iter().map(|&count| f64::from(count)).sum::<f64>() / cells;
    let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let degrees = cells - 1.0;
    (counts.iter().map(square).sum::<f64>() - degrees) / (2.0 * degrees).sqrt()
}

/// Fails when `values`, each below 256, are not uniform: too uneven, or too even to be luck.
fn assert_uniform(values: impl Iterator<Item = u64>, what: &str) {
    let mut counts = [0; 256];
    for value in values {
        counts[value as usize] += 1;
    }
    let excess = excess(&counts);
    assert!(excess.abs() < 5.5, "{what}: chi-square is {excess:.1} deviations off");
}

/// Fails when pairs of draws are not independent: chi-square over 16 x 16 cells of the top bits,
/// then of the low ones, and the correlation of the pairs as numbers.
fn assert_independent(pairs: &[(u64, u64)], what: &str) {
    assert_uniform(
        pairs.iter().map(|(a, b)| a >> 60 << 4 | b >> 60),
        &format!("{what}, high bits"),
    );
    assert_uniform(pairs.iter().map(|(a, b)| (a & 15) << 4 | b & 15), &format!("{what}, low bits"));
    let unit = |x: u64| x as f64 / u64::MAX as f64 - 0.5;
    let sum: f64 = pairs.iter().map(|&(a, b)| unit(a) * unit(b)).sum();
    // Each product has mean 0 and variance 1/144.
    let deviations = sum * 12.0 / (pairs.len() as f64).sqrt();
    assert!(deviations.abs() < 5.0, "{what}: correlated by {deviations:.1} deviations");
}

#[test]
fn draws_are_uniform_for_every_purpose_and_family() {
    let draws = Draws::new(1);
    for (family, ids) in families() {
        for purpose in ALL {
            for shift in [56, 28, 0] {
                assert_uniform(
                    ids.iter().map(|&id| draws.draw(purpose, id, 0) >> shift & 255),
                    &format!("{purpose:?} of {family}, bits from {shift}"),
                );
            }
        }
    }
}

#[test]
fn every_bit_of_a_draw_is_balanced() {
    let draws = Draws::new(2);
    for (family, ids) in families() {
        let mut ones = [0_u32; 64];
        for &id in &ids {
            let draw = draws.draw(Purpose::Delay, id, 0);
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += (draw >> bit & 1) as u32;
            }
        }
        for (bit, ones) in ones.into_iter().enumerate() {
            // The standard deviation is 128.
            let off = f64::from(ones) - ids.len() as f64 / 2.0;
            assert!(off.abs() < 5.0 * 128.0, "{family}: bit {bit} is off balance by {off}");
        }
    }
}

/// Each bit of what goes in flips each bit of what comes out about half of the time.
fn assert_avalanche(what: &str, bits: u32, function: impl Fn(u64) -> u64) {
    const SAMPLES: u64 = 4_096;
    for input in 0..bits {
        let mut flips = [0_u32; 64];
        for sample in 0..SAMPLES {
            // Half of the samples are small numbers, as real arguments are.
            let from = if sample % 2 == 0 { sample } else { mix(sample) };
            let from = if bits < 64 { from & ((1 << bits) - 1) } else { from };
            let changed = function(from) ^ function(from ^ 1 << input);
            for (bit, flips) in flips.iter_mut().enumerate() {
                *flips += (changed >> bit & 1) as u32;
            }
        }
        for (output, flips) in flips.into_iter().enumerate() {
            let share = f64::from(flips) / SAMPLES as f64;
            assert!(
                (0.45..=0.55).contains(&share),
                "{what}: bit {input} flips bit {output} with probability {share:.3}"
            );
        }
    }
}

#[test]
fn every_input_bit_flips_every_output_bit_half_of_the_time() {
    let draws = Draws::new(3);
    let id = CausalId::root(Root::Operation, 1, 2);
    assert_avalanche("draw by identity", 64, |x| draws.draw(Purpose::Delay, CausalId(x), 0));
    assert_avalanche("draw by index", 32, |x| draws.draw(Purpose::Delay, id, x as u32));
    assert_avalanche("root by its first argument", 64, |x| CausalId::root(Root::Boot, x, 0).0);
    assert_avalanche("root by its second argument", 64, |x| CausalId::root(Root::Boot, 0, x).0);
    assert_avalanche("child by its parent", 64, |x| CausalId(x).child(Cause::Send, 1, 0).0);
    assert_avalanche("child by its destination", 64, |x| id.child(Cause::Send, x, 0).0);
    assert_avalanche("child by its ordinal", 32, |x| id.child(Cause::Send, 1, x as u32).0);
}

#[test]
fn purposes_are_independent_of_one_another() {
    let draws = Draws::new(4);
    for (family, ids) in families() {
        for (a, b) in ALL.into_iter().zip(ALL.into_iter().cycle().skip(1)) {
            let pair = |&id| (draws.draw(a, id, 0), draws.draw(b, id, 0));
            let pairs: Vec<_> = ids.iter().map(pair).collect();
            assert_independent(&pairs, &format!("{a:?} and {b:?} of {family}"));
        }
    }
}

#[test]
fn indexes_seeds_and_neighbours_are_independent_of_one_another() {
    let draws = Draws::new(5);
    let purpose = Purpose::Protocol;
    for (family, ids) in families() {
        let indexes: Vec<_> = ids
            .iter()
            .map(|&id| (draws.draw(purpose, id, 0), draws.draw(purpose, id, 1)))
            .collect();
        assert_independent(&indexes, &format!("indexes 0 and 1 of {family}"));
        let neighbours: Vec<_> = ids
            .windows(2)
            .map(|pair| (draws.draw(purpose, pair[0], 0), draws.draw(purpose, pair[1], 0)))
            .collect();
        assert_independent(&neighbours, &format!("neighbours among {family}"));
        for seed in [0, 1, 41, u64::MAX] {
            let (one, next) = (Draws::new(seed), Draws::new(seed.wrapping_add(1)));
            let seeds: Vec<_> = ids
                .iter()
                .map(|&id| (one.draw(purpose, id, 0), next.draw(purpose, id, 0)))
                .collect();
            assert_independent(&seeds, &format!("seed {seed} and the next for {family}"));
        }
        let generations: Vec<_> = ids
            .iter()
            .map(|&id| {
                let child = id.child(Cause::Send, 1, 0);
                (draws.draw(purpose, id, 0), draws.draw(purpose, child, 0))
            })
            .collect();
        assert_independent(&generations, &format!("parents and children of {family}"));
    }
    // One event, very many indexes: a node that draws its whole luck from one boot.
    let id = CausalId::root(Root::Boot, 0, 0);
    let row: Vec<u64> = (0..1 << 16).map(|index| draws.draw(purpose, id, index)).collect();
    let pairs: Vec<_> = row.windows(2).map(|pair| (pair[0], pair[1])).collect();
    assert_independent(&pairs, "indexes of one event");
}

/// The second operation of client 1 is not the first of client 2, a kind of message is not an
/// ordinal, and so on.
#[test]
fn a_million_structured_identities_are_all_different() {
    const CAUSES: [Cause; 8] = [
        Cause::Send,
        Cause::Timer,
        Cause::Disk,
        Cause::Reply,
        Cause::Attempt,
        Cause::Duplicate,
        Cause::End,
        Cause::Timeout,
    ];
    const ROOTS: [Root; 6] =
        [Root::Run, Root::Boot, Root::Operation, Root::Scripted, Root::Fault, Root::Change];
    let mut ids = Vec::new();
    for root in ROOTS {
        for a in 0..100 {
            ids.extend((0..1_000).map(|b| CausalId::root(root, a, b)));
        }
    }
    for parent in [CausalId::root(Root::Operation, 0, 0), CausalId::root(Root::Operation, 0, 1)] {
        for cause in CAUSES {
            // Destinations may carry a message's kind above the node, wherever the caller puts it.
            for kind_at in [8, 16, 24, 32, 40, 48, 56] {
                for destination in 0..40 {
                    for kind in if kind_at == 8 { 0..20_u64 } else { 1..20 } {
                        let destination = destination | kind << kind_at;
                        ids.extend((0..6).map(|nth| parent.child(cause, destination, nth)));
                    }
                }
            }
        }
    }
    assert!(ids.len() > 1_000_000, "only {}", ids.len());
    let count = ids.len();
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), count);
}

#[test]
fn below_is_in_range_and_unbiased() {
    let draws = Draws::new(6);
    let id = |i| CausalId::root(Root::Operation, 0, i);
    for bound in [1, 2, 3, 5, 7, 10, 100, 255] {
        let mut counts = vec![0; bound as usize];
        for i in 0..1 << 16 {
            counts[draws.below(Purpose::Key, id(i), 0, bound) as usize] += 1;
        }
        if bound > 1 {
            let excess = excess(&counts);
            // One-sided for few cells, where chance is far from normal.
            assert!(excess < 8.0, "below {bound}: chi-square is {excess:.1} deviations off");
        }
    }
    for i in 0..1_000 {
        assert_eq!(draws.below(Purpose::Key, id(i), 0, 0), 0);
        assert!(draws.below(Purpose::Key, id(i), 0, u64::MAX) < u64::MAX);
    }
}

#[test]
fn what_has_a_probability_happens_as_often() {
    let draws = Draws::new(7);
    let count = 1_000_000_u32;
    for parts in [0, 1, 1_000, 10_000_000, 500_000_000, 999_999_999, 1_000_000_000] {
        let probability = Probability::from_parts_per_billion(parts).expect("at most one");
        let happened = (0..u64::from(count))
            .filter(|&i| {
                let id = CausalId::root(Root::Operation, i % 7, i / 7);
                draws.happens(Purpose::Loss, id, 0, probability)
            })
            .count() as f64;
        let p = f64::from(parts) / 1e9;
        let expected = f64::from(count) * p;
        let error = 5.0 * (expected * (1.0 - p)).sqrt();
        // A thousandth of an event is expected at the least probability: two would be news.
        let room = if parts == 0 || p == 1.0 { 0.0 } else { error.max(1.5) };
        assert!((happened - expected).abs() <= room, "{parts} parts: {happened} of {count}");
    }
    assert_eq!(Probability::from_parts_per_billion(1_000_000_001), None);
}

/// What happens under a low probability happens under every higher one too: common random numbers.
#[test]
fn a_higher_probability_only_adds() {
    let draws = Draws::new(8);
    let happens = |i, parts| {
        let probability = Probability::from_parts_per_billion(parts).expect("at most one");
        draws.happens(Purpose::Loss, CausalId::root(Root::Operation, 0, i), 0, probability)
    };
    for i in 0..20_000 {
        assert!(!happens(i, 10_000_000) || happens(i, 20_000_000));
    }
}

/// A node's sends in one step, each with its ordinal among those to its destination.
fn sends(parent: CausalId, destinations: &[u64]) -> Vec<(u64, CausalId)> {
    let nth = |at: usize| destinations[..at].iter().filter(|&&d| d == destinations[at]).count();
    let child =
        |at| (destinations[at], parent.child(Cause::Send, destinations[at], nth(at) as u32));
    (0..destinations.len()).map(child).collect()
}

#[test]
fn sends_to_others_leave_an_identity_as_it_was() {
    let parent = CausalId::root(Root::Operation, 3, 14);
    let to = |destination, sends: &[(u64, CausalId)]| -> Vec<CausalId> {
        sends.iter().filter(|send| send.0 == destination).map(|send| send.1).collect()
    };
    let before = sends(parent, &[1, 2, 2, 3]);
    let reordered = sends(parent, &[3, 2, 1, 2]);
    let more = sends(parent, &[4, 1, 4, 2, 5, 2, 3]);
    let fewer = sends(parent, &[2, 3, 2]);
    for destination in [2, 3] {
        let expected = to(destination, &before);
        for after in [&reordered, &more, &fewer] {
            assert_eq!(to(destination, after), expected);
        }
    }
    // And one more to the same destination leaves those before it.
    assert_eq!(to(2, &sends(parent, &[2, 2, 2]))[..2], to(2, &before));
}

/// A seed recorded in a scenario must mean the same luck for ever.
#[test]
fn draws_are_what_they_always_were() {
    let draws = Draws::new(1);
    let root = CausalId::root(Root::Operation, 3, 7);
    let child = root.child(Cause::Send, 2, 1);
    let seen = [
        root.get(),
        child.get(),
        draws.draw(Purpose::Loss, root, 0),
        draws.draw(Purpose::Delay, child, 0),
        draws.draw(Purpose::Tie, child, 1),
    ];
    let expected = [
        0x28f0_80db_a4b8_3ab9,
        0xcd85_829d_19e0_5ad1,
        0x6a83_df2c_7a2a_c98e,
        0x5054_45fa_5b41_3974,
        0xc03c_e1fb_af65_b805,
    ];
    assert_eq!(seen, expected);
}

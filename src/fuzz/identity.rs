//! Which campaign it is, and which part of it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::target::FuzzTarget;
use crate::rng::Probability;

/// Everything that the cases of a campaign depend on, except the program's own code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The version of splitbrain.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The name of its file, without folders.
    pub file: String,
    /// The text of the file.
    pub text: String,
    /// The `PATH=VALUE` arguments that change the file's settings.
    pub sets: Vec<String>,
    /// The campaign's seed.
    pub seed: u64,
    /// The share of cases that are played twice, in parts per billion.
    pub verify_ppb: u32,
}

impl Identity {
    /// The campaign on `target` under `seed`, in which the share `verify` of the cases is played
    /// twice.
    #[must_use]
    pub fn new(target: &FuzzTarget, scenario: &str, seed: u64, verify: Probability) -> Self {
        let file = Path::new(&target.origin).file_name();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.to_owned(),
            file: file.map_or_else(String::new, |file| file.to_string_lossy().into_owned()),
            text: String::from_utf8_lossy(&target.text).into_owned(),
            sets: target.sets.clone(),
            seed,
            verify_ppb: verify.parts_per_billion(),
        }
    }

    /// A hash of all of it, in sixteen hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).expect("texts and integers are JSON");
        format!("{:016x}", xxh3_64(&text))
    }

    /// Whether this case is played twice: a function of seed and case alone.
    #[must_use]
    pub fn verifies(&self, case: u64) -> bool {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..].copy_from_slice(&case.to_le_bytes());
        xxh3_64(&key) % 1_000_000_000 < u64::from(self.verify_ppb)
    }
}

/// One of the parts that a campaign is split into: part `index` of `count` has every case whose
/// number modulo `count` is `index - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    index: u64,
    /// Of how many.
    count: u64,
}

impl Shard {
    /// The most parts of a campaign.
    pub const MOST: u64 = 10_000;
    /// The only part of a campaign that is not split.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index` of `count`; `None` unless 1 <= `index` <= `count` <= [`Self::MOST`].
    #[must_use]
    pub const fn new(index: u64, count: u64) -> Option<Self> {
        if index >= 1 && index <= count && count <= Self::MOST {
            Some(Self { index, count })
        } else {
            None
        }
    }

    /// Which part, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The number of its case at `place`, counted from 0; `None` if that number is too large.
    #[must_use]
    pub fn case(self, place: u64) -> Option<u64> {
        place.checked_mul(self.count)?.checked_add(self.index - 1)
    }

    /// Whether it has this case.
    #[must_use]
    pub const fn has(self, case: u64) -> bool {
        case % self.count == self.index - 1
    }

    /// How many of the first `runs` cases it has.
    #[must_use]
    pub const fn share(self, runs: u64) -> u64 {
        (runs + self.count - self.index) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Registry;

    #[test]
    fn a_campaign_is_told_from_another_by_all_that_it_depends_on() {
        let identity = || {
            let text = b"[cluster]\nnodes = 3\n[protocol.leader-follower]\n".to_vec();
            let target = FuzzTarget::new("/some/where/s.toml", text, &Registry::new(), &[]);
            Identity::new(&target.expect("good"), "s", 7, Probability::ZERO)
        };
        let base = identity();
        let changes: [fn(&mut Identity); 7] = [
            |of| of.version.push('1'),
            |of| of.scenario.push('1'),
            |of| of.file.push('1'),
            |of| of.text.push(' '),
            |of| of.sets.push("a=1".to_owned()),
            |of| of.seed += 1,
            |of| of.verify_ppb += 1,
        ];
        let fingerprints = changes.map(|change| {
            let mut of = base.clone();
            change(&mut of);
            of.fingerprint()
        });
        let mut all = fingerprints.to_vec();
        all.push(base.fingerprint());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
        assert_eq!(base.fingerprint(), identity().fingerprint());
    }
}

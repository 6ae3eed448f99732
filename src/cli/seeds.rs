//! `--seeds A..B`: a range of seeds as it is written.

use std::fmt;
use std::str::FromStr;

/// The seeds from the first to the last, both included. There is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seeds {
    first: u64,
    last: u64,
}

/// Why a text is not a range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SeedsError {
    /// It has no `..`.
    #[error("write A..B, which leaves B out, or A..=B, which takes it in")]
    Form,
    /// An end is no seed.
    #[error("both ends are whole numbers from 0 to {}", u64::MAX)]
    End,
    /// The range is empty.
    #[error("there is no seed in it")]
    Empty,
    /// There are more than a sweep takes.
    #[error("at most {MAX_COUNT} seeds")]
    TooMany,
}

impl Seeds {
    /// One seed.
    pub(super) const fn one(seed: u64) -> Self {
        Self { first: seed, last: seed }
    }

    /// The seeds, rising.
    pub(super) fn iter(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }

    /// How many seeds there are; `u64::MAX` also for all 2^64.
    pub(super) const fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// `--seeds` of a sweep, where a plain number says how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeedsOrCount(Seeds);

/// The most seeds of a sweep.
const MAX_COUNT: u64 = 10_000_000;

impl SeedsOrCount {
    /// The seeds, rising.
    pub(super) fn iter(self) -> impl Iterator<Item = u64> {
        self.0.iter()
    }
}

impl FromStr for SeedsOrCount {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let seeds = match text.parse::<u64>() {
            Ok(0) => return Err(SeedsError::Empty),
            Ok(count) => Seeds { first: 1, last: count },
            Err(_) => text.parse()?,
        };
        if seeds.count() > MAX_COUNT { Err(SeedsError::TooMany) } else { Ok(Self(seeds)) }
    }
}

impl fmt::Display for SeedsOrCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seeds {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let (first, last) = text.split_once("..").ok_or(SeedsError::Form)?;
        let (last, taken_in) = last.strip_prefix('=').map_or((last, false), |last| (last, true));
        let end = |text: &str| text.trim().parse::<u64>().map_err(|_| SeedsError::End);
        let (first, last) = (end(first)?, end(last)?);
        let last = if taken_in { Some(last) } else { last.checked_sub(1) };
        match last {
            Some(last) if first <= last => Ok(Self { first, last }),
            _ => Err(SeedsError::Empty),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dots_leave_the_end_out_and_an_equals_sign_takes_it_in() {
        let seeds =
            |text: &str| text.parse::<Seeds>().map(|seeds| seeds.iter().collect::<Vec<_>>());
        assert_eq!(seeds("1..4").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("1..=4").unwrap(), [1, 2, 3, 4]);
        assert_eq!(seeds("0..1").unwrap(), [0]);
        assert_eq!(seeds("18446744073709551615..=18446744073709551615").unwrap(), [u64::MAX]);
        assert_eq!("0..=18446744073709551615".parse::<Seeds>().unwrap().count(), u64::MAX);
        assert_eq!(seeds("7"), Err(SeedsError::Form));
        for text in ["..", "1..", "..3", "a..b", "-1..3", "1...3", "1..18446744073709551616"] {
            assert_eq!(seeds(text), Err(SeedsError::End), "{text}");
        }
        for text in ["4..4", "4..1", "5..=4", "0..0"] {
            assert_eq!(seeds(text), Err(SeedsError::Empty), "{text}");
        }
        assert_eq!("1..4".parse::<Seeds>().unwrap().to_string(), "1..=3");
    }

    #[test]
    fn a_mere_number_counts_from_one() {
        let shown = |text: &str| text.parse::<SeedsOrCount>().map(|seeds| seeds.to_string());
        assert_eq!(shown("200"), Ok("1..=200".to_owned()));
        assert_eq!(shown("7..9"), Ok("7..=8".to_owned()));
        assert_eq!(shown("0"), Err(SeedsError::Empty));
        assert_eq!(shown("many"), Err(SeedsError::Form));
        assert_eq!(shown("10000001"), Err(SeedsError::TooMany));
    }
}

//! Virtual time in integer nanoseconds. It is never a float and never the machine's clock.
//!
//! [`Time`] is a point (nanoseconds since the run began), [`Span`] is a length, and [`Wall`] is
//! what a node's own clock shows, which may be wrong. As three types they cannot be mixed up.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A point of virtual time: nanoseconds since the run began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A length of virtual time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

/// What a node's wall clock shows, in nanoseconds. A perfect clock shows 0 when the run begins.
///
/// Signed, because a clock that runs behind shows a time before the start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Wall(pub i64);

impl Time {
    /// The instant at which every run begins.
    pub const ZERO: Self = Self(0);
    /// An instant after every event of every run.
    pub const MAX: Self = Self(u64::MAX);
    /// A point that no run reaches, about 146 years after its start. An event due then never
    /// happens.
    pub const NEVER: Self = Self(Span::MAX.0);

    /// The point `ns` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// `span` later, but at most [`Self::NEVER`]: adding many long spans does not overflow.
    #[must_use]
    pub const fn later(self, span: Span) -> Self {
        let at = self.0.saturating_add(span.0);
        if at < Self::NEVER.0 { Self(at) } else { Self::NEVER }
    }

    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// A length of zero.
    pub const ZERO: Self = Self(0);
    /// The longest length a sampler may return, about 146 years: a sum of a few of them still fits.
    pub const MAX: Self = Self(1 << 62);

    /// A length of `ns` nanoseconds.
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// A length of `us` microseconds.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us * 1_000)
    }

    /// A length of `ms` milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// A length of `s` seconds.
    #[must_use]
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Four significant digits in the unit that suits, rounded half up: `166.7ms`, `1.204s`,
    /// `12ns`.
    ///
    /// Trailing zeros are left out, so a constant delay reads as it was written.
    #[must_use]
    pub fn short(self) -> String {
        let ns = self.0;
        let units = [("ns", 1_u64), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
        let fitting = units.iter().rposition(|(_, unit)| ns >= *unit).unwrap_or(0);
        if fitting == 0 {
            return if ns == 0 { "0s".to_owned() } else { format!("{ns}ns") };
        }
        let (name, unit) = units[fitting];
        let decimals = match ns / unit {
            0..10 => 3,
            10..100 => 2,
            100..1000 => 1,
            _ => 0,
        };
        let step = unit / 10_u64.pow(decimals);
        let rounded = (u128::from(ns) + u128::from(step) / 2) / u128::from(step);
        let scale = u128::from(10_u64.pow(decimals));
        if let Some((larger, _)) = units.get(fitting + 1)
            && rounded >= 1000 * scale
        {
            return format!("1{larger}");
        }
        let fraction = format!("{:0>1$}", rounded % scale, decimals as usize);
        let fraction = if decimals == 0 { "" } else { fraction.trim_end_matches('0') };
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{}{dot}{fraction}{name}", rounded / scale)
    }

    /// Whether the length is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0 + span.0)
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        self.0 += span.0;
    }
}

/// # Panics
///
/// When `earlier` is after `self`. Use [`Time::since`] where that can happen.
impl Sub for Time {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0 * factor)
    }
}

/// Seconds with nine decimals.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}s")
    }
}

/// The shortest exact form in the units of a scenario file: `150ms`, `1.5s`, `7ns`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        if ns == 0 {
            return f.pad("0ms");
        }
        // A unit is used when at most three decimals are needed in it.
        let units = [("s", 1_000_000_000_u64), ("ms", 1_000_000), ("us", 1_000)];
        for (name, unit) in units {
            if ns >= unit && ns.is_multiple_of(unit / 1_000) {
                let decimals = format!("{:03}", ns % unit / (unit / 1_000));
                let decimals = decimals.trim_end_matches('0');
                let dot = if decimals.is_empty() { "" } else { "." };
                return f.pad(&format!("{}{dot}{decimals}{name}", ns / unit));
            }
        }
        f.pad(&format!("{ns}ns"))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_exactly_in_the_largest_fitting_unit() {
        let cases = [
            (0, "0ms"),
            (7, "7ns"),
            (1_000, "1us"),
            (1_500, "1.5us"),
            (150_000_000, "150ms"),
            (1_500_000_000, "1.5s"),
            (1_000_000_001, "1000000.001us"),
            (60_000_000_000, "60s"),
            (1_234_567_000, "1234.567ms"),
        ];
        for (ns, text) in cases {
            assert_eq!(Span::from_nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn short_lengths_have_four_digits_and_no_idle_zeros() {
        let cases = [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5us"),
            (166_666_667, "166.7ms"),
            (150_000_000, "150ms"),
            (1_204_400_000, "1.204s"),
            (999_999_999, "1s"),
            (999_949_999, "999.9ms"),
            (9_999_900, "10ms"),
            (5_000_000_000, "5s"),
            (12_345_600_000_000, "12346s"),
        ];
        for (ns, text) in cases {
            assert_eq!(Span::from_nanos(ns).short(), text);
        }
    }

    #[test]
    fn lengths_that_queue_up_end_at_never() {
        let day = Time::ZERO.later(Span::from_secs(86_400));
        assert_eq!(day, Time::from_nanos(86_400_000_000_000));
        let mut at = Time::ZERO;
        for _ in 0..10 {
            at = at.later(Span::MAX);
            assert_eq!(at, Time::NEVER);
        }
        assert_eq!(Time::MAX.later(Span::ZERO), Time::NEVER);
    }

    #[test]
    fn a_time_has_nine_decimals() {
        assert_eq!(Time::from_nanos(12_400_000_001).to_string(), "12.400000001");
    }
}

//! Lengths of time between repeated actions. With too short a one a run would never end.

use super::decode::Element;
use super::units;
use crate::sampler::Distribution;
use crate::time::Span;

impl Element<'_> {
    /// Reads it as the time between two rounds of what repeats for the whole run: at least 100 µs.
    pub fn interval(&self) -> Option<Span> {
        let span = self.positive_duration()?;
        if span < units::SHORTEST_ROUND {
            let rounds = Span::from_secs(1).nanos() / span.nanos();
            let title = format!("every {span} is {} times a second", grouped(rounds));
            let least = units::SHORTEST_ROUND;
            return self.wrong(title, format!("expected at least {least}: a run would never end"));
        }
        Some(span)
    }

    /// Reads it as how long a client waits: at least [`units::SHORTEST_WAIT`].
    pub(super) fn wait(&self) -> Option<Span> {
        let span = self.positive_duration()?;
        self.long_enough(span.nanos() as f64, span)
    }

    /// Reads it as a distribution of waits: always zero, or at least [`units::SHORTEST_WAIT`] on
    /// average.
    pub(super) fn waits(&self) -> Option<Distribution> {
        let waits = self.distribution()?;
        if waits == Distribution::Constant(Span::ZERO) {
            return Some(waits);
        }
        let mean = waits.mean_nanos().unwrap_or(f64::INFINITY);
        self.long_enough(mean, waits)
    }

    fn long_enough<T>(&self, nanos: f64, value: T) -> Option<T> {
        let least = units::SHORTEST_WAIT;
        if nanos < least.nanos() as f64 {
            return self.wrong(
                "a client would ask more than a million times a second",
                format!("expected at least {least} on average: a run would never end"),
            );
        }
        Some(value)
    }
}

/// A number with its thousands apart: `1,000,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

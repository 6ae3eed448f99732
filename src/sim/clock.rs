//! A node's clocks, and a client's.
//!
//! Fault model: the wall clock has an offset and jumps; both clocks drift together. The monotonic
//! clock never jumps and never goes back. A jump moves no timer; a change of drift moves every
//! running timer.

use crate::config::Clock as Settings;
use crate::time::{Span, Time, Wall};

const BILLION: i128 = 1_000_000_000;

/// Wall and monotonic clock of one node or client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SkewedClock {
    /// True time of the last change of drift, and what the monotonic clock showed then.
    since: Time,
    shown: u64,
    drift_ppb: i64,
    /// Wall minus monotonic, in nanoseconds.
    offset_ns: i64,
}

impl SkewedClock {
    pub(crate) const fn new(settings: Settings) -> Self {
        let Settings { offset_ns, drift_ppb } = settings;
        Self { since: Time::ZERO, shown: 0, drift_ppb, offset_ns }
    }

    /// The monotonic clock at true time `now`.
    #[inline]
    pub(crate) fn monotonic(&self, now: Time) -> Time {
        let elapsed = (now - self.since).nanos();
        let drifted = if self.drift_ppb == 0 { elapsed } else { self.drifted(elapsed) };
        Time::from_nanos(self.shown + drifted)
    }

    #[cold]
    fn drifted(&self, elapsed: u64) -> u64 {
        let shown = i128::from(elapsed) * (BILLION + i128::from(self.drift_ppb)) / BILLION;
        u64::try_from(shown).expect("a drift is above -100% and a run is shorter than the clock")
    }

    /// The wall clock at true time `now`.
    #[cfg(test)]
    pub(crate) fn wall(&self, now: Time) -> Wall {
        self.wall_when(self.monotonic(now))
    }

    /// What the wall clock shows when the monotonic clock shows `monotonic`.
    #[inline]
    pub(crate) fn wall_when(&self, monotonic: Time) -> Wall {
        let monotonic = monotonic.nanos();
        let monotonic = i64::try_from(monotonic).expect("a run is shorter than 292 years");
        Wall(monotonic.saturating_add(self.offset_ns))
    }

    /// The true time that passes while the monotonic clock advances by `local`, rounded up.
    pub(crate) fn true_span(&self, local: Span) -> Span {
        if self.drift_ppb == 0 {
            return local;
        }
        let rate = BILLION + i128::from(self.drift_ppb);
        let length = (i128::from(local.nanos()) * BILLION + rate - 1) / rate;
        // A timer on a clock that hardly moves runs for ever.
        Span::from_nanos(u64::try_from(length).unwrap_or(u64::MAX).min(Span::MAX.nanos()))
    }

    pub(crate) const fn jump(&mut self, by_ns: i64) {
        // Saturating: jumps may add up to more than the clock can show.
        self.offset_ns = self.offset_ns.saturating_add(by_ns);
    }

    /// Sets the drift from `now` on.
    pub(crate) fn set_drift(&mut self, now: Time, drift_ppb: i64) {
        self.shown = self.monotonic(now).nanos();
        self.since = now;
        self.drift_ppb = drift_ppb;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::from_millis(ms)
    }

    #[test]
    fn a_jump_moves_the_wall_clock_alone() {
        let mut clock = SkewedClock::new(Settings { offset_ns: -5, drift_ppb: 0 });
        assert_eq!((clock.wall(at(1)), clock.monotonic(at(1))), (Wall(999_995), at(1)));
        clock.jump(-2_000_000);
        assert_eq!((clock.wall(at(1)), clock.monotonic(at(1))), (Wall(-1_000_005), at(1)));
    }

    #[test]
    fn drift_moves_both_and_changes_without_a_step() {
        let mut clock = SkewedClock::new(Settings { offset_ns: 0, drift_ppb: 500_000_000 });
        assert_eq!(clock.monotonic(at(100)), at(150));
        assert_eq!(clock.true_span(Span::from_millis(150)), Span::from_millis(100));
        clock.set_drift(at(100), -500_000_000);
        assert_eq!(clock.monotonic(at(100)), at(150));
        assert_eq!(clock.monotonic(at(200)), at(200));
        assert_eq!(clock.true_span(Span::from_millis(50)), Span::from_millis(100));
    }

    #[test]
    fn a_timer_never_fires_before_its_local_time() {
        for drift_ppb in [-999_999_999, -333_333_333, -7, 7, 333_333_333] {
            let clock = SkewedClock::new(Settings { offset_ns: 0, drift_ppb });
            for local in [1, 7, 1_000_003] {
                let due = Time::ZERO + clock.true_span(Span::from_nanos(local));
                assert!(clock.monotonic(due).nanos() >= local, "drift {drift_ppb}, timer {local}");
            }
        }
    }
}

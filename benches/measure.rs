//! CPU time, medians: what the benchmarks share.

use std::time::Duration;

/// The CPU time this process has used: on a shared machine the only clock that says what the work
/// cost.
#[cfg(unix)]
pub(crate) fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("CPU time is not negative")
}

/// Elsewhere the time that went by has to do.
#[cfg(not(unix))]
pub(crate) fn cpu_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The CPU time of `work` in nanoseconds, and what it gave.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let start = cpu_time();
    let result = work();
    ((cpu_time() - start).as_nanos() as f64, result)
}

/// The middle one; the upper of two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

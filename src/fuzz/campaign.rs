//! Playing the cases of a campaign on all cores. The result does not depend on the number of cores.
//!
//! Threads take cases one at a time, in rising order, so no thread idles at the end.
//!
//! The result is always that of the cases from 0 up to some number: as many as were asked for, as
//! many as there was time for, or up to the case with the last kind of find that was wanted. So a
//! campaign that ended early equals one that was asked for just that many cases, and can be
//! continued.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cases::Cases;
use super::coverage::Covered;
use super::identity::Identity;
use super::judge::{self, Find, Signature};
use super::play::{PlayedCase, play};
use super::record::CaseRecord;
use super::target::FuzzTarget;
use crate::report::verify::{Verification, verify};
use crate::run::RunOptions;

/// The check that a case fails when two runs of it differ.
pub const DETERMINISM: &str = "determinism";

/// When a campaign ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After this many cases.
    Runs(u64),
    /// After this much wall-clock time, but not before one case is done.
    For(Duration),
}

/// When a campaign ends, and when it ends before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoppingRule {
    /// When it ends.
    pub length: Length,
    /// The number of kinds of find after which it ends early; `None` for never.
    pub stop_after: Option<NonZeroUsize>,
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is playing a case: a panic is then a find, not a fault of this program.
#[must_use]
pub fn is_playing() -> bool {
    PLAYING.get()
}

/// Runs `play`, in which a panic is a find.
pub(super) fn playing<T>(play: impl FnOnce() -> T) -> T {
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            PLAYING.set(self.0);
        }
    }
    let _until = Until(PLAYING.replace(true));
    play()
}

/// The last case that a campaign needs, once it has found enough kinds of find.
#[derive(Debug)]
struct Stop {
    wanted: Option<NonZeroUsize>,
    /// The lowest case of each kind so far.
    lowest: Mutex<BTreeMap<Signature, u64>>,
    last: AtomicU64,
}

impl Stop {
    fn new(wanted: Option<NonZeroUsize>) -> Self {
        Self { wanted, lowest: Mutex::default(), last: AtomicU64::new(u64::MAX) }
    }

    fn note(&self, record: &CaseRecord) {
        let Some(wanted) = self.wanted else { return };
        if record.findings.is_empty() {
            return;
        }
        let mut lowest = self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
        for finding in &record.findings {
            let case = lowest.entry(finding.signature.clone()).or_insert(record.case);
            *case = record.case.min(*case);
        }
        let mut cases: Vec<u64> = lowest.values().copied().collect();
        cases.sort_unstable();
        if let Some(case) = cases.get(wanted.get() - 1) {
            // Lower cases that are still being played can only lower it.
            self.last.store(*case, Ordering::Relaxed);
        }
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

/// Plays the missing cases of a campaign on all threads of the current pool, and returns how many
/// cases the campaign then has.
///
/// Each case is kept as soon as it is done. `on_case` is called after each, on the thread that
/// played it.
///
/// # Errors
///
/// When the campaign's files cannot be read or written.
pub fn play_missing(
    target: &FuzzTarget,
    rule: StoppingRule,
    cases: &Cases,
    on_case: &(dyn Fn(&CaseRecord) + Sync),
) -> io::Result<u64> {
    let (identity, shard) = (cases.identity(), cases.shard());
    let (limit, deadline) = match rule.length {
        Length::Runs(runs) => (runs, None),
        Length::For(length) => (u64::MAX, Instant::now().checked_add(length)),
    };
    let stop = Stop::new(rule.stop_after);
    cases.each(|record, _| {
        if record.case < limit {
            stop.note(&record);
        }
        Ok(())
    })?;
    let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = |_: rayon::BroadcastContext<'_>| -> io::Result<()> {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = shard.case(place) else { return Ok(()) };
            let is_late = place > 0 && deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let is_over = has_failed.load(Ordering::Relaxed) || case > stop.last();
            if case >= limit || is_over || is_late {
                return Ok(());
            }
            if cases.has(case) {
                continue;
            }
            let record = play_case(target, identity, case);
            // If this case cannot be kept, the other threads stop as well.
            cases.keep(&record).inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
            stop.note(&record);
            on_case(&record);
        }
    };
    rayon::broadcast(work).into_iter().collect::<io::Result<()>>()?;
    let played = match rule.length {
        Length::Runs(runs) => runs,
        Length::For(_) => cases.first_missing(),
    };
    Ok(played.min(stop.last().saturating_add(1)))
}

/// Plays a case; plays it twice if it is one to verify.
#[must_use]
pub fn play_case(target: &FuzzTarget, identity: &Identity, case: u64) -> CaseRecord {
    playing(|| {
        let mut played = play(target, identity.seed, case);
        if identity.verifies(case) {
            let again = play(target, identity.seed, case);
            played.findings.extend(difference(target, identity.seed, &played, &again));
        }
        record(&played)
    })
}

fn record(played: &PlayedCase) -> CaseRecord {
    let PlayedCase { case, findings, kinds, result } = played;
    let mut record = CaseRecord {
        case: *case,
        digest: None,
        events: 0,
        virtual_ns: 0,
        findings: findings.clone(),
        unknown: false,
        covered: Covered::default(),
    };
    if let Some(result) = result {
        record.digest = Some(result.digest.to_string());
        record.events = result.events;
        record.virtual_ns = result.ended_at.nanos();
        record.unknown = judge::is_unknown(result);
        record.covered = Covered::of(kinds, result);
    }
    record
}

/// The find that two runs of a case differ, if they do.
fn difference(
    target: &FuzzTarget,
    seed: u64,
    first: &PlayedCase,
    second: &PlayedCase,
) -> Option<Find> {
    let digest = |played: &PlayedCase| played.result.as_ref().map(|result| result.digest);
    if digest(first) == digest(second) {
        return None;
    }
    let stepped = RunOptions { steps: true, ..RunOptions::default() };
    let run = |options| target.case(seed, first.case).run(options);
    // Two more runs, with their steps: recording the steps of every verified case would cost far
    // more, and they are hardly ever needed.
    let told = || match verify(&run(stepped), stepped, &run) {
        Verification::Differs(difference) => difference.sentence(),
        Verification::Same => "played twice more, it was the same".to_owned(),
    };
    let told = if digest(first).is_none() || digest(second).is_none() {
        "the protocol panicked in one of them".to_owned()
    } else {
        catch_unwind(AssertUnwindSafe(told))
            .unwrap_or_else(|_| "played again, the protocol panicked".to_owned())
    };
    Some(Find {
        signature: Signature { check: DETERMINISM.to_owned(), mechanism: None },
        verdict: "violation".to_owned(),
        summary: format!("two runs of one case differ: {told}"),
    })
}

/// Whether this program still produces the kept cases: plays some of them again, above all those
/// with finds. They differ when the protocol was changed since.
///
/// # Errors
///
/// When the campaign's files cannot be read.
pub fn is_reproduced(target: &FuzzTarget, cases: &Cases) -> io::Result<bool> {
    let mut sample: Vec<CaseRecord> = Vec::new();
    let mut known: Vec<Signature> = Vec::new();
    cases.each(|record, _| {
        let mut signatures = record.findings.iter().map(|finding| &finding.signature);
        let news: Vec<Signature> =
            signatures.by_ref().filter(|found| !known.contains(found)).cloned().collect();
        let is_steady =
            record.findings.iter().all(|finding| finding.signature.check != DETERMINISM);
        let is_wanted = !news.is_empty() || sample.is_empty() || record.case.is_power_of_two();
        known.extend(news);
        if is_wanted && is_steady {
            sample.push(record);
        }
        Ok(())
    })?;
    let is_same = |record: &CaseRecord| play_case(target, cases.identity(), record.case) == *record;
    Ok(sample.iter().all(is_same))
}

//! Playing the cases of a campaign, on all cores, with the same answer however many there are.
//!
//! Threads take cases in rising order, one at a time, so that none idles at the end for another's share. What a campaign
//! comes to is always that of its cases from 0 up to some number: of those asked for, of those that time was enough
//! for, or up to the one that brought the last kind of find that was wanted. So a campaign that ended early is the same
//! as one that was asked for that many, and goes on from there when more are wanted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::coverage::Covered;
use super::judge::{self, Finding, Signature};
use super::play::{Played, play};
use super::store::{Identity, Record, Store};
use super::subject::Subject;
use crate::report::verify::{Verification, verify};
use crate::run::RunOptions;

/// The name of the check that a case fails when it does not play the same twice.
pub const DETERMINISM: &str = "determinism";

/// When a campaign ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After this many cases.
    Runs(u64),
    /// After this long, and no earlier than after one case.
    For(Duration),
}

/// How much of a campaign is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When it ends.
    pub length: Length,
    /// After how many kinds of find it ends before that; `None` for never.
    pub stop_after: Option<NonZeroUsize>,
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is playing a case, so that a panic in it is a find and no news.
#[must_use]
pub fn is_playing() -> bool {
    PLAYING.get()
}

/// Plays something in which a panic is a find.
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

/// When enough kinds of find are known: the case up to which all are needed, and none beyond.
#[derive(Debug)]
struct Stop {
    wanted: Option<NonZeroUsize>,
    /// The lowest case of each kind, of those played yet.
    lowest: Mutex<BTreeMap<Signature, u64>>,
    last: AtomicU64,
}

impl Stop {
    fn new(wanted: Option<NonZeroUsize>) -> Self {
        Self { wanted, lowest: Mutex::default(), last: AtomicU64::new(u64::MAX) }
    }

    fn note(&self, record: &Record) {
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
            // Lower cases still under way may bring it down, never up.
            self.last.store(*case, Ordering::Relaxed);
        }
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

/// Plays what is missing of a campaign, on all threads of the pool it is called in; how many cases it then has.
///
/// `on_case` is called after each case, on whatever thread played it. What is done is kept in the store at once.
///
/// # Errors
///
/// When the store cannot be read or written.
pub fn play_missing(
    subject: &Subject,
    plan: Plan,
    store: &Store,
    on_case: &(dyn Fn(&Record) + Sync),
) -> io::Result<u64> {
    let (identity, shard) = (store.identity(), store.shard());
    let (limit, deadline) = match plan.length {
        Length::Runs(runs) => (runs, None),
        Length::For(length) => (u64::MAX, Instant::now().checked_add(length)),
    };
    let stop = Stop::new(plan.stop_after);
    store.each(|record, _| {
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
            if store.has(case) {
                continue;
            }
            let record = play_case(subject, identity, case);
            // Where nothing more can be kept the others stop, too.
            store.keep(&record).inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
            stop.note(&record);
            on_case(&record);
        }
    };
    rayon::broadcast(work).into_iter().collect::<io::Result<()>>()?;
    let played = match plan.length {
        Length::Runs(runs) => runs,
        Length::For(_) => store.first_missing(),
    };
    Ok(played.min(stop.last().saturating_add(1)))
}

/// Plays a case, twice where it is to be verified.
#[must_use]
pub fn play_case(subject: &Subject, identity: &Identity, case: u64) -> Record {
    playing(|| {
        let mut played = play(subject, identity.seed, case);
        if identity.verifies(case) {
            let again = play(subject, identity.seed, case);
            played.findings.extend(difference(subject, identity.seed, &played, &again));
        }
        record(&played)
    })
}

fn record(played: &Played) -> Record {
    let Played { case, findings, kinds, result } = played;
    let mut record = Record {
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

/// What is wrong when a case was not the same twice.
fn difference(subject: &Subject, seed: u64, first: &Played, second: &Played) -> Option<Finding> {
    let digest = |played: &Played| played.result.as_ref().map(|result| result.digest);
    if digest(first) == digest(second) {
        return None;
    }
    let stepped = RunOptions { steps: true, ..RunOptions::default() };
    let run = |options| subject.case(seed, first.case).run(options);
    // Steps of every verified case would cost far more than these two runs, and are hardly ever needed.
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
    Some(Finding {
        signature: Signature { check: DETERMINISM.to_owned(), mechanism: None },
        verdict: "violation".to_owned(),
        summary: format!("two runs of one case differ: {told}"),
    })
}

/// Whether what is kept comes out of this program: some cases are played again, those with finds before others. A
/// protocol that was changed since plays them otherwise.
///
/// # Errors
///
/// When the store cannot be read.
pub fn is_reproduced(subject: &Subject, store: &Store) -> io::Result<bool> {
    let mut sample: Vec<Record> = Vec::new();
    let mut known: Vec<Signature> = Vec::new();
    store.each(|record, _| {
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
    let is_same = |record: &Record| play_case(subject, store.identity(), record.case) == *record;
    Ok(sample.iter().all(is_same))
}

//! Explanations: what became of a write, or of the writes that a run lost or discarded, and how
//! reads missed writes.

use std::sync::Arc;

use crate::check::replicated_log::Breach;
use crate::check::{CheckReport, Mechanism, Verdict, words};
use crate::config::{Config, ExpectedVerdict};
use crate::digest::DigestValue;
use crate::history::History;
use crate::id::{KeyId, OpId};
use crate::names::Names;
use crate::property::Property;
use crate::protocol::Protocol;
use crate::run::{self, Judged, RunOptions};
use crate::sim::{Finished, WriteEvent};
use crate::spelling;

use super::causes;
use super::classify::LossCause;
use super::losses::{self, FollowedWrite};
use super::missed::missed;
use super::narrator;
use super::story::{Gone, Story};

/// How many writes get a story; the rest are counted.
const MOST_TOLD: usize = 3;

/// Which writes to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The acknowledged writes that were lost or discarded.
    Lost,
    /// The write given by its value, by `KEY=VALUE` or by its call (`delete city`).
    Write(String),
}

/// What became of the writes in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The seed.
    pub seed: u64,
    /// The digest of every event: which run is explained.
    pub digest: DigestValue,
    /// The verdict on durability.
    pub durability: ExpectedVerdict,
    /// How many acknowledged writes the run lost.
    pub lost: u64,
    /// How many each mechanism lost; fewer than `lost` together if there are more than
    /// [`super::MOST_FOLLOWED`].
    pub mechanisms: Vec<(Mechanism, u64)>,
    /// The discarded writes; `None` if the protocol does not say what its writes overwrite.
    pub discarded: Option<Discarded>,
    /// The stories of some of the writes in question: of lost writes the first by each mechanism;
    /// if none was lost, of discarded writes.
    pub stories: Vec<Story>,
    /// How many more there are.
    pub untold: u64,
    /// For each property that reads broke, the read that its verdict shows. Empty if the question
    /// names a write.
    pub reads: Vec<BrokenRead>,
    /// The first breach of each invariant of the replicated log, with its verdict. Empty if the
    /// question names a write.
    pub breaches: Vec<(Breach, ExpectedVerdict)>,
}

/// The acknowledged writes that were gone before their keys were written again
/// ([`crate::check::discarded_writes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// How many.
    pub count: u64,
    /// How many each mechanism discarded; fewer than `count` together if there are more than
    /// [`super::MOST_FOLLOWED`].
    pub mechanisms: Vec<(Mechanism, u64)>,
    /// The first few, each as `put city=Raleigh by c1`.
    pub first: Vec<(OpId, String)>,
}

/// A read that missed a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRead {
    /// Which property it broke.
    pub property: Property,
    /// The verdict.
    pub judged: ExpectedVerdict,
    /// The operation in the history.
    pub operation: OpId,
    /// What happened, in the words of the verdict.
    pub summary: String,
    /// How it came to miss the write; `None` if the observations do not show that.
    pub mechanism: Option<Mechanism>,
    /// What the replica that answered had of the write at that moment, in words.
    pub text: Option<String>,
}

/// No client made the write in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchWrite {
    /// The write in question, as given.
    pub wanted: String,
    /// A write with a similar value.
    pub near: Option<String>,
    /// Some of the writes that there are.
    pub examples: Vec<String>,
}

/// Runs the scenario under `seed` and explains what became of the writes in question.
///
/// # Errors
///
/// When no client of this run made the write in question.
pub fn explain<P: Protocol>(
    config: &Config,
    names: &Arc<Names>,
    settings: &P::Config,
    seed: u64,
    question: &Question,
) -> Result<Explanation, NoSuchWrite> {
    let options = RunOptions { without_last_write: true, ..RunOptions::default() };
    let Judged { finished, checks, .. } = run::play::<P>(config, names, settings, seed, options);
    let mut durability = checks.iter().filter(|check| check.property == Property::Durability);
    let durability = durability.next().map_or(ExpectedVerdict::Unknown, |check| check.judged);
    let is_lossy = matches!(durability, ExpectedVerdict::Violation | ExpectedVerdict::Allowed);
    let (lost, all_lost) = if is_lossy { losses::lost(config, &finished) } else { (Vec::new(), 0) };
    let (discarded, all_discarded) = match losses::discarded(config, &finished) {
        Some((discarded, all)) => (discarded, Some(all)),
        None => (Vec::new(), None),
    };
    let wanted = match question {
        Question::Lost => Vec::new(),
        Question::Write(write) => find(&finished.history, write)?,
    };
    let lost_count = lost.len();
    let call = |write: &FollowedWrite| words::call_by(names, finished.history.entry(write.op));
    let whole = |write: &FollowedWrite| finished.history.whole(write.op);
    let first = discarded.iter().take(MOST_TOLD).map(|write| (whole(write), call(write))).collect();
    let mut writes = lost;
    writes.extend(discarded);
    let gone = writes.len();
    let some = wanted.iter().take(MOST_TOLD);
    let mut places: Vec<usize> = some.map(|write| place_of(&mut writes, gone, write)).collect();
    let broken = match question {
        Question::Lost => broken_reads(&checks, &finished.history),
        Question::Write(_) => Vec::new(),
    };
    let missing: Vec<usize> =
        broken.iter().map(|read| losses::add(&mut writes, read.write.clone())).collect();
    let seen = match writes[..] {
        [] => Vec::new(),
        _ => losses::follow::<P>(config, names, settings, seed, options.queue, &writes),
    };
    // Lost writes come first, then discarded ones.
    let causes: Vec<LossCause> = writes[..gone]
        .iter()
        .zip(&seen)
        .map(|(write, seen)| write.cause(seen, &finished))
        .collect();
    if *question == Question::Lost {
        places = first_by_mechanism(&causes, lost_count);
    }
    let story = |place: usize| {
        let fate = if place < lost_count { Gone::Lost } else { Gone::Discarded };
        let gone = causes.get(place).map(|cause| (fate, *cause));
        narrator::tell(config, &finished, &writes[place], &seen[place], gone)
    };
    let stories: Vec<Story> = places.into_iter().map(story).collect();
    let candidates = match question {
        Question::Lost if all_lost == 0 => all_discarded.unwrap_or(0),
        Question::Lost => all_lost,
        Question::Write(_) => wanted.len() as u64,
    };
    let reads = broken.into_iter().zip(missing);
    let reads = reads.map(|(read, place)| read.explain(config, &finished, &seen[place])).collect();
    Ok(Explanation {
        seed,
        digest: finished.digest,
        durability,
        lost: all_lost,
        mechanisms: losses::count(&causes[..lost_count]),
        discarded: all_discarded.map(|count| Discarded {
            count,
            mechanisms: losses::count(&causes[lost_count..]),
            first,
        }),
        untold: candidates - stories.len() as u64,
        stories,
        reads,
        breaches: breaches(question, &finished, &checks),
    })
}

/// A read that broke a property, and the write that it missed.
struct StaleRead<'a> {
    report: &'a CheckReport,
    summary: &'a str,
    write: FollowedWrite,
}

impl StaleRead<'_> {
    fn explain(self, config: &Config, run: &Finished, write_events: &[WriteEvent]) -> BrokenRead {
        let operation = self.write.target.reads[0];
        let how = missed(config, run, &self.write, write_events, operation);
        let (mechanism, text) = how.map(|how| (how.mechanism, how.text)).unzip();
        let CheckReport { property, judged, .. } = *self.report;
        let summary = self.summary.to_owned();
        BrokenRead { property, judged, operation, summary, mechanism, text }
    }
}

/// The read shown for each property that reads broke by missing a write.
fn broken_reads<'a>(checks: &'a [CheckReport], history: &History) -> Vec<StaleRead<'a>> {
    let broken = checks.iter().filter(|report| causes::is_of_reads(report.property));
    let shown = broken.filter_map(|report| match &report.verdict {
        Verdict::Invalid(witness) => {
            let (write, _) = causes::missed_by(witness, history)?;
            Some(StaleRead { report, summary: &witness.summary, write })
        }
        Verdict::Valid | Verdict::Unknown(_) | Verdict::Unchecked(_) => None,
    });
    shown.collect()
}

/// The first breach of each invariant of the replicated log, with its verdict, unless one write is
/// in question.
fn breaches(
    question: &Question,
    finished: &Finished,
    checks: &[CheckReport],
) -> Vec<(Breach, ExpectedVerdict)> {
    if let Question::Write(_) = question {
        return Vec::new();
    }
    let judged = |breach: &Breach| {
        let check = checks.iter().find(|check| check.property == breach.property);
        check.map_or(ExpectedVerdict::Unknown, |check| check.judged)
    };
    let log = finished.log.iter().flat_map(|log| &log.breaches);
    log.map(|breach| (*breach, judged(breach))).collect()
}

/// The writes that get a story: the first that each mechanism lost; if none was lost, the first
/// that each discarded.
fn first_by_mechanism(causes: &[LossCause], lost: usize) -> Vec<usize> {
    let mut places = first_of_each(&causes[..lost]);
    if places.is_empty() {
        places = first_of_each(causes);
    }
    places.truncate(MOST_TOLD);
    places
}

/// The place of a write among those that are followed; one of the first `gone`, which were lost or
/// discarded, is not followed twice.
fn place_of(writes: &mut Vec<FollowedWrite>, gone: usize, write: &FollowedWrite) -> usize {
    let known = writes[..gone].iter().position(|other| other.op == write.op);
    known.unwrap_or_else(|| {
        writes.push(write.clone());
        writes.len() - 1
    })
}

/// The places of the first cause of each mechanism.
fn first_of_each(causes: &[LossCause]) -> Vec<usize> {
    let is_first = |index: &usize| {
        causes[..*index].iter().all(|cause| cause.mechanism != causes[*index].mechanism)
    };
    (0..causes.len()).filter(is_first).collect()
}

/// The writes of this value, key and value, or call.
fn find(history: &History, wanted: &str) -> Result<Vec<FollowedWrite>, NoSuchWrite> {
    let names = history.names();
    let mut found: Vec<(OpId, KeyId)> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for (op, entry) in history.accesses().filter(|(_, entry)| entry.is_write()) {
        let call = words::bare_call(names, entry);
        let value = entry.value.map(|value| names.value(value));
        let pair = call.strip_prefix("put ").unwrap_or(&call);
        // As witnesses name an access, or its operation.
        let of_access = || {
            let whole = || words::call_of(history, history.whole(op));
            words::call(names, entry) == wanted || whole() == wanted
        };
        let is_named = value.as_deref() == Some(wanted) || pair == wanted || call == wanted;
        if is_named || entry.access_of.is_some() && of_access() {
            let first = history.effects(op).next().map_or(entry.key, |effect| effect.key);
            found.push((op, first));
        }
        known.push(value.unwrap_or(call));
    }
    if !found.is_empty() {
        return Ok(losses::written(history, &found));
    }
    let near = spelling::nearest(wanted, known.iter().map(String::as_str));
    let near = near.map(str::to_owned);
    known.dedup();
    known.truncate(8);
    Err(NoSuchWrite { wanted: wanted.to_owned(), near, examples: known })
}

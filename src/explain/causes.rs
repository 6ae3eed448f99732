//! The mechanism behind each broken property: the writes at fault are followed through a second run
//! of the same seed.
//!
//! These writes are: for durability, the lost writes; for replicas that differ, the write that one
//! of them lacks; for a resurrection, the delete that did not last; for a read that breaks its
//! promise, the write that it missed.

use crate::check::{CheckReport, Mechanism, Verdict, Witness};
use crate::config::{Config, ExpectedVerdict};
use crate::history::{Function, History, Writers};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::property::Property;
use crate::protocol::Protocol;
use crate::run::{Causes, Judged, RunOptions, is_unexpected};
use crate::sim::Finished;

use super::classify::{LossCause, came_back, lacking};
use super::fate;
use super::losses::{self, FollowedWrite};
use super::missed::missed;

/// A broken property, and the write at fault.
struct BrokenProperty {
    property: Property,
    /// Its place among the writes that are followed.
    write: usize,
    symptom: Symptom,
}

/// How the write at fault shows.
enum Symptom {
    /// No live replica shows it.
    Lost,
    /// This node lacks it.
    LackedBy(NodeId),
    /// What it removed came back.
    CameBack,
    /// This read missed it.
    MissedBy(OpId),
}

/// The writes that are followed.
struct FollowedWrites {
    writes: Vec<FollowedWrite>,
    /// How many of the first are lost writes.
    lost: usize,
    all_lost: u64,
    questions: Vec<BrokenProperty>,
}

/// Adds the mechanism, and what became of the write at fault, to each broken property's report. It
/// takes a second run, unless no write is at fault.
pub(super) fn find<P: Protocol>(
    config: &Config,
    settings: &P::Config,
    judged: &mut Judged,
    options: RunOptions,
) {
    let Judged { seed, finished, checks } = judged;
    let wanted = |report: &CheckReport| match options.causes {
        Causes::OfAll => true,
        Causes::OfAllButAllowedReads => {
            report.judged != ExpectedVerdict::Allowed || !is_of_reads(report.property)
        }
        Causes::OfTheUnexpected => is_unexpected(config, report),
    };
    let followed = FollowedWrites::of(checks, config, finished, wanted);
    if followed.writes.is_empty() {
        return;
    }
    let names = finished.history.names();
    let seen = losses::follow::<P>(config, names, settings, *seed, options.queue, &followed.writes);
    let lost = followed.writes[..followed.lost].iter().zip(&seen);
    let causes: Vec<LossCause> =
        lost.map(|(write, write_events)| write.cause(write_events, finished)).collect();
    for report in checks {
        let question = followed.questions.iter().find(|one| one.property == report.property);
        let Verdict::Invalid(witness) = &mut report.verdict else { continue };
        match (report.property, question) {
            (Property::Durability, _) if followed.lost > 0 => {
                let mechanism = causes[0].mechanism;
                report.mechanism = Some(mechanism);
                witness.summary += &fate::of_write(&seen[0], config);
                witness.summary += &format!("; lost as {mechanism}: {}", mechanism.phrase());
                let counts = losses::count(&causes);
                report.figures.extend(counts.iter().map(|(how, count)| (how.figure(), *count)));
                let untold = followed.all_lost - followed.lost as u64;
                if untold > 0 {
                    report.figures.push(("lost_not_followed", untold));
                }
            }
            (property, Some(question)) => {
                let write_events = &seen[question.write];
                let write = &followed.writes[question.write];
                if property == Property::Convergence {
                    witness.summary += &fate::of_write(write_events, config);
                }
                let how = match question.symptom {
                    Symptom::MissedBy(read) => missed(config, finished, write, write_events, read)
                        .map(|missed| {
                            witness.summary += &format!(". {}", missed.text);
                            missed.mechanism
                        }),
                    Symptom::Lost => explained(write.cause(write_events, finished).mechanism),
                    Symptom::LackedBy(node) => lacking(write_events, write.subject(finished), node),
                    Symptom::CameBack => explained(came_back(
                        write_events,
                        write.cause(write_events, finished).mechanism,
                    )),
                };
                report.mechanism = how;
            }
            _ => {}
        }
    }
}

fn explained(how: Mechanism) -> Option<Mechanism> {
    (how != Mechanism::Unexplained).then_some(how)
}

impl FollowedWrites {
    fn of(
        checks: &[CheckReport],
        config: &Config,
        finished: &Finished,
        wanted: impl Fn(&CheckReport) -> bool,
    ) -> Self {
        let asked_for =
            |report: &&CheckReport| matches!(report.verdict, Verdict::Invalid(_)) && wanted(report);
        let mut broken = checks.iter().filter(asked_for);
        let loses = broken.any(|report| report.property == Property::Durability);
        let (writes, all_lost) =
            if loses { losses::lost(config, finished) } else { (Vec::new(), 0) };
        let lost = writes.len();
        let mut followed = Self { writes, lost, all_lost, questions: Vec::new() };
        for report in checks.iter().filter(asked_for) {
            if let Verdict::Invalid(witness) = &report.verdict
                && let Some((write, symptom)) = question(report, witness, finished)
            {
                let write = losses::add(&mut followed.writes, write);
                followed.questions.push(BrokenProperty {
                    property: report.property,
                    write,
                    symptom,
                });
            }
        }
        followed
    }
}

/// The write at fault, and how it shows.
fn question(
    report: &CheckReport,
    witness: &Witness,
    finished: &Finished,
) -> Option<(FollowedWrite, Symptom)> {
    let history = &finished.history;
    match report.property {
        Property::Convergence | Property::LwwMaximum => of_replicas(witness, finished),
        Property::Resurrection => {
            let delete = *witness.operations.get(1)?;
            let key = history.entry(*witness.operations.first()?).key;
            let write = losses::written(history, &[(delete, key)]).pop()?;
            (!write.target.versions.is_empty()).then_some((write, Symptom::CameBack))
        }
        property if is_of_reads(property) => {
            let (write, read) = missed_by(witness, history)?;
            Some((write, Symptom::MissedBy(read)))
        }
        _ => None,
    }
}

/// Whether the property is broken by reads that miss a write.
pub(super) const fn is_of_reads(property: Property) -> bool {
    matches!(
        property,
        Property::Staleness
            | Property::ReadYourWrites
            | Property::MonotonicReads
            | Property::Linearizability
    )
}

/// The write that a read missed, and the read. The witness shows the write, or a read that had
/// found it, and then the read that missed it.
pub(super) fn missed_by(witness: &Witness, history: &History) -> Option<(FollowedWrite, OpId)> {
    let [earlier, .., read] = witness.operations[..] else { return None };
    let [before, after] = [earlier, read].map(|op| history.entry(op));
    // Where one copy of the data could not have given the answers, a write may be the last.
    if after.is_write() {
        return None;
    }
    let key = [after, before].into_iter().find(|entry| entry.is_on_one_key());
    let key = key.map(|entry| entry.key).or_else(|| key_of(history, earlier, witness.write?))?;
    // A batch may have read this key, and written others.
    let is_batch = before.function == Function::Batch;
    let wrote = || !is_batch || history.write_on(earlier, key).is_some();
    let op = if before.is_write() && wrote() {
        Some(earlier)
    } else {
        let version = witness.write?;
        let writers = Writers::of(history);
        let found = history.effect_on(earlier, key).filter(|found| found.version == Some(version));
        let found = found.and_then(|effect| effect.found());
        let of_version = || writers.of_version(key, version).next();
        found
            .and_then(|content| writers.found(before, key, content.value(), version))
            .or_else(of_version)
    };
    let mut write = match op {
        Some(op) => losses::written(history, &[(op, key)]).pop()?,
        None => FollowedWrite::of_version(witness.write?, key),
    };
    write.target.reads.push(read);
    Some((write, read))
}

/// The key on which an operation has this version.
fn key_of(history: &History, op: OpId, version: Version) -> Option<KeyId> {
    history.effects(op).find(|effect| effect.version == Some(version)).map(|effect| effect.key)
}

/// Of replicas that differ: the first that is behind lacks the write, or all live ones do.
fn of_replicas(witness: &Witness, finished: &Finished) -> Option<(FollowedWrite, Symptom)> {
    let version = witness.write?;
    let history = &finished.history;
    let live = || finished.finals.iter().filter(|snapshot| snapshot.up);
    let mut held = live().flat_map(|snapshot| &snapshot.data);
    let Some((key, stored)) = held.find(|(_, stored)| stored.version == version) else {
        let writer = *witness.operations.first()?;
        let entry = history.entry(writer);
        let write = if entry.is_write() && entry.is_on_one_key() {
            losses::written(history, &[(writer, entry.key)]).pop()?
        } else {
            FollowedWrite::of_version(version, entry.key)
        };
        return Some((write, Symptom::Lost));
    };
    let lacks = |node: &&NodeId| {
        let mut snapshot = live().filter(|snapshot| snapshot.node == **node);
        let is_another = |one: &crate::protocol::Stored| {
            one.version < version || one.version == version && one != stored
        };
        snapshot.any(|snapshot| snapshot.data.get(key).is_none_or(is_another))
    };
    // A list of all replicas that differ on any key: not each of them has to lack this write.
    let behind = witness.nodes.iter().find(lacks);
    let behind = behind.or_else(|| witness.nodes.first())?;
    let write = match Writers::of(history).writer(*key, stored.value, version) {
        Some(op) => losses::written(history, &[(op, *key)]).pop()?,
        None => FollowedWrite::of_version(version, *key),
    };
    Some((write, Symptom::LackedBy(*behind)))
}

//! How what is broken came to be broken: the writes at fault, followed through a second run of the same seed.
//!
//! Of durability these are the lost writes; of replicas that differ the write that one of them lacks; of a
//! resurrection the delete that did not last; of a read that breaks what it promises the write that the replica read
//! had had and lost. Only where the run shows how that write was lost there is a mechanism: a write that is late has
//! none.

use crate::check::{CheckReport, Verdict, Witness};
use crate::config::{Config, ExpectedVerdict};
use crate::id::{KeyId, NodeId, OpId, Version};
use crate::property::Property;
use crate::protocol::Protocol;
use crate::sim::{Finished, Sighting};
use crate::time::Time;

use super::losses::{self, Written};
use super::mechanism::{Cause, Mechanism, came_back, lacking};
use super::{Causes, RunOptions, fate, is_unexpected};

/// A broken property, and the write to ask about.
struct Question {
    property: Property,
    /// Its place among the writes that are followed.
    write: usize,
    asked: Asked,
}

/// What is asked about a write.
enum Asked {
    /// How no live replica shows it.
    Lost,
    /// How this node came to lack it, until a time.
    LackedBy(NodeId, Option<Time>),
    /// How what it removed came back.
    CameBack,
}

/// The writes that are followed.
struct Followed {
    writes: Vec<Written>,
    /// How many of them, from the first on, are lost ones.
    lost: usize,
    all_lost: u64,
    questions: Vec<Question>,
}

/// Says what became of the writes that broke a property, from a second run that follows them, and by which mechanism
/// each property was broken, in the order of the reports. Nothing is played again when no write is at fault.
pub(super) fn tell<P: Protocol>(
    checks: &mut [CheckReport],
    config: &Config,
    settings: &P::Config,
    (seed, options): (u64, RunOptions),
    finished: &Finished,
) -> Vec<(Property, Mechanism)> {
    let wanted = |report: &CheckReport| match options.causes {
        Causes::OfAll => true,
        Causes::OfTheUnexpected => is_unexpected(config, report),
    };
    let followed = Followed::of(checks, config, finished, wanted);
    if followed.writes.is_empty() {
        return Vec::new();
    }
    let seen = losses::follow::<P>(config, settings, (seed, options.queue), &followed.writes);
    let lost = followed.writes[..followed.lost].iter().zip(&seen);
    let causes: Vec<Cause> =
        lost.map(|(write, sightings)| write.cause(sightings, finished)).collect();
    let mut mechanisms = Vec::new();
    for report in checks {
        let question = followed.questions.iter().find(|one| one.property == report.property);
        let Verdict::Invalid(witness) = &mut report.verdict else { continue };
        match (report.property, question) {
            (Property::Durability, _) if followed.lost > 0 => {
                let mechanism = causes[0].mechanism;
                mechanisms.push((Property::Durability, mechanism));
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
                let sightings = &seen[question.write];
                if property == Property::Convergence {
                    witness.summary += &fate::of_write(sightings, config);
                }
                let write = &followed.writes[question.write];
                let how = question.asked.answer(write, sightings, finished);
                mechanisms.extend(how.map(|how| (property, how)));
            }
            _ => {}
        }
    }
    mechanisms
}

impl Asked {
    fn answer(
        &self,
        write: &Written,
        sightings: &[Sighting],
        finished: &Finished,
    ) -> Option<Mechanism> {
        match self {
            Self::Lost => told(write.cause(sightings, finished).mechanism),
            Self::LackedBy(node, until) => {
                let how = lacking(sightings, write.subject(finished), (*node, *until));
                // That a write had not arrived by the time of a read is a lag, and no loss.
                how.filter(|how| until.is_none() || *how != Mechanism::NeverArrived)
            }
            Self::CameBack => {
                told(came_back(sightings, write.cause(sightings, finished).mechanism))
            }
        }
    }
}

fn told(how: Mechanism) -> Option<Mechanism> {
    (how != Mechanism::Unexplained).then_some(how)
}

impl Followed {
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
                && let Some((write, asked)) = question(report, witness, finished)
            {
                let write = followed.place_of(write);
                followed.questions.push(Question { property: report.property, write, asked });
            }
        }
        followed
    }

    /// The place of a write; a version is followed once.
    fn place_of(&mut self, write: Written) -> usize {
        let same = |other: &Written| write.versions.iter().any(|one| other.versions.contains(one));
        self.writes.iter().position(same).unwrap_or_else(|| {
            self.writes.push(write);
            self.writes.len() - 1
        })
    }
}

/// The write at fault, and what to ask about it.
fn question(
    report: &CheckReport,
    witness: &Witness,
    finished: &Finished,
) -> Option<(Written, Asked)> {
    match report.property {
        Property::Convergence | Property::LwwMaximum => of_replicas(witness, finished),
        Property::Resurrection => {
            let delete = *witness.operations.get(1)?;
            let key = finished.history.entry(*witness.operations.first()?).key;
            let write = losses::written(&finished.history, &[(delete, key)]).pop()?;
            (!write.versions.is_empty()).then_some((write, Asked::CameBack))
        }
        // Where stale reads are no violation they are the rule, and not worth a second run.
        Property::Staleness | Property::ReadYourWrites | Property::MonotonicReads
            if report.judged == ExpectedVerdict::Violation =>
        {
            let read = finished.history.entry(*witness.operations.last()?);
            let write = of_version(witness.write?, read.key);
            Some((write, Asked::LackedBy(read.node?, Some(read.completed_at))))
        }
        _ => None,
    }
}

/// Of replicas that differ: the first that is behind lacks the write, or all live ones do.
fn of_replicas(witness: &Witness, finished: &Finished) -> Option<(Written, Asked)> {
    let version = witness.write?;
    let live = || finished.finals.iter().filter(|snapshot| snapshot.up);
    let mut held = live().flat_map(|snapshot| &snapshot.data);
    let Some((key, _)) = held.find(|(_, stored)| stored.version == version) else {
        let writer = finished.history.entry(*witness.operations.first()?);
        return Some((of_version(version, writer.key), Asked::Lost));
    };
    let lacks = |node: &&NodeId| {
        let mut snapshot = live().filter(|snapshot| snapshot.node == **node);
        snapshot.any(|snapshot| snapshot.data.get(key).is_none_or(|one| one.version < version))
    };
    // A list of all replicas that differ on any key: not each of them has to lack this write.
    let behind = witness.nodes.iter().find(lacks);
    let behind = behind.or_else(|| witness.nodes.first())?;
    Some((of_version(version, *key), Asked::LackedBy(*behind, None)))
}

/// A write of which only its version is known: followed, but never told by its operation.
fn of_version(version: Version, key: KeyId) -> Written {
    Written { op: OpId(0), key, versions: vec![version], removes: false }
}

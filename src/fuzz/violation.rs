//! The kinds of find of a campaign, each with the smallest scenario that shows it, and the file that lists them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::campaign::playing;
use super::judge::{Finding, Signature};
use super::play;
use super::shrink::shrink_case;
use super::store::{Identity, Shard};
use super::subject::Subject;
use super::tally::{Kind, Tally};
use crate::report::files;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// The file that says what a campaign came to.
pub const CAMPAIGN: &str = "campaign.json";

/// A kind of find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The lowest case that shows it.
    pub case: u64,
    /// The property that was broken, or `stuck`, `panic`, `determinism`.
    pub check: String,
    /// How, where the run tells.
    pub mechanism: Option<String>,
    /// The verdict of the check, by name.
    pub verdict: String,
    /// The witness, in words: of the small scenario where there is one.
    pub summary: String,
    /// In how many cases it was found.
    pub count: u64,
    /// The file of the small scenario, in the campaign's folder; `None` when the case could not be shrunk.
    pub scenario: Option<String>,
    /// The digest of its run.
    pub digest: Option<String>,
    /// How many faults it has.
    pub faults: Option<usize>,
    /// How many operations it has.
    pub operations: Option<usize>,
    /// How many faults the case had.
    pub faults_before: Option<usize>,
    /// How many operations the case had.
    pub operations_before: Option<usize>,
    /// Why the case could not be shrunk.
    pub not_shrunk: Option<String>,
}

impl Violation {
    /// What kind of failure it is.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature { check: self.check.clone(), mechanism: self.mechanism.clone() }
    }

    pub(super) fn new(kind: &Kind) -> Self {
        let Finding { signature, verdict, summary } = kind.finding.clone();
        Self {
            case: kind.case,
            check: signature.check,
            mechanism: signature.mechanism,
            verdict,
            summary,
            count: kind.count,
            scenario: None,
            digest: None,
            faults: None,
            operations: None,
            faults_before: None,
            operations_before: None,
            not_shrunk: None,
        }
    }
}

/// What an earlier campaign left in the folder.
#[derive(Debug, Deserialize)]
struct Earlier {
    campaign: String,
    violations: Vec<Violation>,
}

/// Shrinks the lowest case of every kind of find and writes `campaign.json`, in this order, so that the small scenarios
/// that it names are there. A kind that an earlier, shorter campaign had already shrunk is not shrunk again; what
/// another campaign left is removed.
///
/// `on_shrunk` is called after each, on whatever thread. Runs on all threads of the pool it is called in.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(
    subject: &Subject,
    (folder, identity, shard): (&Path, &Identity, Shard),
    tally: &Tally,
    on_shrunk: &(dyn Fn(&Violation) + Sync),
) -> io::Result<Vec<Violation>> {
    let found = tally.found();
    let earlier = fs::read(folder.join(CAMPAIGN)).ok();
    let earlier: Option<Earlier> = earlier.and_then(|text| serde_json::from_slice(&text).ok());
    let shrunk_before = |kind: &Kind| {
        let earlier = earlier.as_ref().filter(|it| it.campaign == identity.fingerprint())?;
        let same = |other: &&Violation| {
            other.case == kind.case && other.signature() == kind.finding.signature
        };
        let before = earlier.violations.iter().find(same)?;
        let is_so = shows(subject, &folder.join(before.scenario.as_ref()?), before);
        is_so.then(|| Violation { count: kind.count, ..before.clone() })
    };
    let one = |kind: &&Kind| {
        let violation = match shrunk_before(kind) {
            Some(violation) => violation,
            None => shrink(subject, (folder, identity.seed), kind, &found)?,
        };
        on_shrunk(&violation);
        Ok(violation)
    };
    let violations = found.par_iter().map(one).collect::<io::Result<Vec<_>>>()?;
    let document = document((identity, shard), tally, &violations);
    files::whole(&folder.join(CAMPAIGN), |out| writeln!(out, "{document:#}"))?;
    let named: BTreeSet<&str> = violations.iter().filter_map(|v| v.scenario.as_deref()).collect();
    for old in earlier.iter().flat_map(|earlier| &earlier.violations) {
        let Some(file) = old.scenario.as_deref() else { continue };
        let is_ours = file.ends_with(".toml") && Path::new(file).file_name() == Some(file.as_ref());
        if is_ours && !named.contains(file) {
            // What is gone already needs no removing, and what stays does no harm.
            let _ = fs::remove_file(folder.join(file));
        }
    }
    Ok(violations)
}

/// Whether the file is there and its run is the one told: it may be of an earlier build of the protocol.
fn shows(subject: &Subject, path: &Path, told: &Violation) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    let Ok(scenario) = Scenario::parse("kept.toml", &text, &subject.registry, &[]) else {
        return false;
    };
    let play = || scenario.run(scenario.config.seed, RunOptions::default());
    let digest = playing(|| play::caught_run(play)).ok().map(|result| result.digest.to_string());
    digest == told.digest
}

fn shrink(
    subject: &Subject,
    (folder, seed): (&Path, u64),
    kind: &Kind,
    found: &[&Kind],
) -> io::Result<Violation> {
    let mut violation = Violation::new(kind);
    match playing(|| shrink_case(subject, seed, kind.case, &kind.finding.signature)) {
        Ok(small) => {
            let name = file_name(kind, found);
            files::whole(&folder.join(&name), |out| out.write_all(small.text.as_bytes()))?;
            violation.scenario = Some(name);
            violation.verdict = small.finding.verdict;
            violation.summary = small.finding.summary;
            violation.digest = small.digest.map(|digest| digest.to_string());
            violation.faults = Some(small.faults);
            violation.operations = Some(small.operations);
            violation.faults_before = Some(small.faults_before);
            violation.operations_before = Some(small.operations_before);
        }
        Err(why) => violation.not_shrunk = Some(why),
    }
    Ok(violation)
}

/// The case in four digits; with the check where several kinds have one lowest case.
fn file_name(kind: &Kind, found: &[&Kind]) -> String {
    let alone = found.iter().filter(|other| other.case == kind.case).count() == 1;
    if alone {
        format!("{:04}.toml", kind.case)
    } else {
        format!("{:04}-{}.toml", kind.case, kind.finding.signature.check)
    }
}

/// What a campaign came to, as `campaign.json` has it: nothing in it depends on when and where it was played.
#[must_use]
pub fn document(
    (identity, shard): (&Identity, Shard),
    tally: &Tally,
    violations: &[Violation],
) -> Value {
    json!({
        "campaign": identity.fingerprint(),
        "version": identity.version,
        "scenario": identity.scenario,
        "sets": identity.sets,
        "seed": identity.seed,
        "runs": tally.runs,
        "shard": shard,
        "cases": tally.cases,
        "events": integer(tally.events),
        "virtual_seconds": integer(tally.virtual_ns / 1_000_000_000),
        "unknown": tally.unknown,
        "violations": violations,
        "coverage": tally.coverage.impacts_document(),
        "sometimes": tally.coverage.sometimes_document(),
    })
}

/// As a JSON integer; as a text where that is too small.
fn integer(number: u128) -> Value {
    u64::try_from(number).map_or_else(|_| json!(number.to_string()), |number| json!(number))
}

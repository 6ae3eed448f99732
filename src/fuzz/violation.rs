//! The kinds of find of a campaign, each with a small scenario, and `campaign.json`, which lists
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::campaign::playing;
use super::identity::{Identity, Shard};
use super::judge::{Find, Signature};
use super::play;
use super::shrink::shrink_case;
use super::target::FuzzTarget;
use super::totals::{FindKind, Totals};
use crate::report::files;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// The file with the result of a campaign.
pub const CAMPAIGN: &str = "campaign.json";

/// A kind of find, as `campaign.json` lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The lowest case that shows it.
    pub case: u64,
    /// The property that was broken, or `stuck`, `panic`, `determinism`.
    pub check: String,
    /// How it was broken, where the run shows it.
    pub mechanism: Option<String>,
    /// The verdict of the check, by name.
    pub verdict: String,
    /// The witness, in words; that of the small scenario if there is one.
    pub summary: String,
    /// In how many cases it was found.
    pub count: u64,
    /// The file of the small scenario, in the campaign's folder; `None` if the case could not be
    /// shrunk.
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
    /// Its signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature { check: self.check.clone(), mechanism: self.mechanism.clone() }
    }

    pub(super) fn new(kind: &FindKind) -> Self {
        let Find { signature, verdict, summary } = kind.finding.clone();
        Self {
            case: kind.case,
            check: signature.check,
            mechanism: signature.mechanism,
            verdict,
            summary,
            count: kind.count,
            ..Self::default()
        }
    }
}

/// The `campaign.json` of an earlier campaign in the same folder.
#[derive(Debug, Deserialize)]
struct EarlierCampaign {
    campaign: String,
    violations: Vec<Violation>,
}

/// A campaign in its folder.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// Which campaign it is.
    pub identity: &'a Identity,
    /// Which of its cases are in the folder.
    pub shard: Shard,
}

/// Shrinks the lowest case of every kind of find, then writes `campaign.json`, which names the
/// files of the small scenarios.
///
/// A kind that an earlier, shorter run of the campaign has shrunk is not shrunk again. Small
/// scenarios that nothing names any more are removed. Runs on all threads of the current pool;
/// `on_shrunk` is called after each kind, on the thread that shrank it.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(
    target: &FuzzTarget,
    campaign: &Campaign<'_>,
    totals: &Totals,
    on_shrunk: &(dyn Fn(&Violation) + Sync),
) -> io::Result<Vec<Violation>> {
    let Campaign { folder, identity, .. } = *campaign;
    let found = totals.found();
    let earlier = fs::read(folder.join(CAMPAIGN)).ok();
    let earlier: Option<EarlierCampaign> =
        earlier.and_then(|text| serde_json::from_slice(&text).ok());
    let shrunk_before = |kind: &FindKind| {
        let earlier = earlier.as_ref().filter(|it| it.campaign == identity.fingerprint())?;
        let same = |other: &&Violation| {
            other.case == kind.case && other.signature() == kind.finding.signature
        };
        let before = earlier.violations.iter().find(same)?;
        let is_so = shows(target, &folder.join(before.scenario.as_ref()?), before);
        is_so.then(|| Violation { count: kind.count, ..before.clone() })
    };
    let one = |kind: &&FindKind| {
        let violation = match shrunk_before(kind) {
            Some(violation) => violation,
            None => shrink(target, campaign, kind, &found)?,
        };
        on_shrunk(&violation);
        Ok(violation)
    };
    let violations = found.par_iter().map(one).collect::<io::Result<Vec<_>>>()?;
    let document = document(campaign, totals, &violations);
    files::whole(&folder.join(CAMPAIGN), |out| writeln!(out, "{document:#}"))?;
    let named: BTreeSet<&str> = violations.iter().filter_map(|v| v.scenario.as_deref()).collect();
    for old in earlier.iter().flat_map(|earlier| &earlier.violations) {
        let Some(file) = old.scenario.as_deref() else { continue };
        let is_ours = file.ends_with(".toml") && Path::new(file).file_name() == Some(file.as_ref());
        if is_ours && !named.contains(file) {
            // It may be gone already, and if it stays it does no harm.
            let _ = fs::remove_file(folder.join(file));
        }
    }
    Ok(violations)
}

/// Whether the file is there and its run still has the digest of `violation`. An earlier build of
/// the protocol may have made it.
fn shows(target: &FuzzTarget, path: &Path, violation: &Violation) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    let Ok(scenario) = Scenario::parse("kept.toml", &text, &target.registry, &[]) else {
        return false;
    };
    let play = || scenario.run(scenario.config.seed, RunOptions::default());
    let digest = playing(|| play::caught_run(play)).ok().map(|result| result.digest.to_string());
    digest == violation.digest
}

fn shrink(
    target: &FuzzTarget,
    campaign: &Campaign<'_>,
    kind: &FindKind,
    found: &[&FindKind],
) -> io::Result<Violation> {
    let mut violation = Violation::new(kind);
    match playing(|| {
        shrink_case(target, campaign.identity.seed, kind.case, &kind.finding.signature)
    }) {
        Ok(small) => {
            let name = file_name(kind, found);
            let path = campaign.folder.join(&name);
            files::whole(&path, |out| out.write_all(small.text.as_bytes()))?;
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

/// The number of the case; and the check, if several kinds have the same lowest case.
fn file_name(kind: &FindKind, found: &[&FindKind]) -> String {
    let alone = found.iter().filter(|other| other.case == kind.case).count() == 1;
    if alone {
        format!("{:04}.toml", kind.case)
    } else {
        format!("{:04}-{}.toml", kind.case, kind.finding.signature.check)
    }
}

/// The content of `campaign.json`. Nothing in it depends on when and where the campaign was played.
#[must_use]
pub fn document(campaign: &Campaign<'_>, totals: &Totals, violations: &[Violation]) -> Value {
    let Campaign { identity, shard, .. } = campaign;
    json!({
        "campaign": identity.fingerprint(),
        "version": identity.version,
        "scenario": identity.scenario,
        "sets": identity.sets,
        "seed": identity.seed,
        "runs": totals.runs,
        "shard": shard,
        "cases": totals.cases,
        "events": integer(totals.events),
        "virtual_seconds": integer(totals.virtual_ns / 1_000_000_000),
        "unknown": totals.unknown,
        "violations": violations,
        "coverage": totals.coverage.impacts_document(),
        "sometimes": totals.coverage.sometimes_document(),
    })
}

/// A JSON integer; a string if the number has more than 64 bits.
fn integer(number: u128) -> Value {
    u64::try_from(number).map_or_else(|_| json!(number.to_string()), |number| json!(number))
}

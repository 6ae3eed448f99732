//! A find, made small.

use crate::digest::DigestValue;
use crate::fuzz::judge::{Finding, Signature};
use crate::fuzz::play;
use crate::fuzz::subject::Subject;
use crate::scenario::Scenario;

/// A scenario that shows a find with as little as it takes.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario file.
    pub text: String,
    /// The digest of its run.
    pub digest: DigestValue,
    /// How many faults the case had.
    pub faults_before: usize,
    /// How many operations the case had.
    pub operations_before: usize,
    /// How many faults are left.
    pub faults: usize,
    /// How many operations are left.
    pub operations: usize,
    /// How many runs it took.
    pub runs: u64,
    /// What its run is found to have done.
    pub finding: Finding,
}

/// Makes the scenario of a case small as long as it fails with this signature. Provisional: writes it as it is.
///
/// # Errors
///
/// When the case does not fail with this signature.
pub fn shrink_case(
    subject: &Subject,
    seed: u64,
    case: u64,
    signature: &Signature,
) -> Result<Shrunk, String> {
    let played = play::play(subject, seed, case);
    let finding = played.findings.into_iter().find(|finding| finding.signature == *signature);
    let finding =
        finding.ok_or_else(|| format!("case {case} is not found to break {signature}"))?;
    let result = played.result.ok_or("the protocol panicked")?;
    let drawn = subject.case(seed, case);
    let parsed = Scenario::parse(&subject.origin, &subject.text, &subject.registry, &subject.sets);
    let mut scenario = parsed.map_err(|mistakes| mistakes.to_string())?;
    scenario.config = drawn.config().clone();
    // A drawn seed has 63 bits, as the integers of the file have.
    scenario.config.seed = drawn.seed();
    let (faults, operations) = (scenario.config.faults.len(), result.history.entries().len());
    Ok(Shrunk {
        text: scenario.export(),
        digest: result.digest,
        faults_before: faults,
        operations_before: operations,
        faults,
        operations,
        runs: 1,
        finding,
    })
}

//! What the cases of a campaign came to, added up in order.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use super::judge::{Finding, Signature};
use super::store::Record;

/// Finds of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The lowest case that has one.
    pub case: u64,
    /// What was found there.
    pub finding: Finding,
    /// In how many cases.
    pub count: u64,
}

/// Cases, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many cases the whole campaign has.
    pub runs: u64,
    /// How many of them are in here.
    pub cases: u64,
    /// Events played.
    pub events: u128,
    /// Virtual time, in nanoseconds.
    pub virtual_ns: u128,
    /// Cases of which a checker could not tell.
    pub unknown: u64,
    /// Finds by signature.
    pub kinds: BTreeMap<Signature, Kind>,
    /// What was exercised.
    pub coverage: Coverage,
}

impl Tally {
    /// No case yet of a campaign of `runs`.
    #[must_use]
    pub fn new(runs: u64) -> Self {
        Self {
            runs,
            cases: 0,
            events: 0,
            virtual_ns: 0,
            unknown: 0,
            kinds: BTreeMap::new(),
            coverage: Coverage::default(),
        }
    }

    /// Adds a case, in whatever order: of each signature the lowest case is kept.
    pub fn add(&mut self, record: &Record) {
        self.cases += 1;
        self.events += u128::from(record.events);
        self.virtual_ns += u128::from(record.virtual_ns);
        self.unknown += u64::from(record.unknown);
        self.coverage.add(&record.covered);
        for (place, finding) in record.findings.iter().enumerate() {
            let earlier = &record.findings[..place];
            if earlier.iter().any(|other| other.signature == finding.signature) {
                continue;
            }
            let first = || Kind { case: record.case, finding: finding.clone(), count: 0 };
            let kind = self.kinds.entry(finding.signature.clone()).or_insert_with(first);
            kind.count += 1;
            if record.case < kind.case {
                (kind.case, kind.finding) = (record.case, finding.clone());
            }
        }
    }

    /// Finds in the order of their lowest cases, then of signatures.
    #[must_use]
    pub fn found(&self) -> Vec<&Kind> {
        let mut found: Vec<&Kind> = self.kinds.values().collect();
        found.sort_by_key(|kind| kind.case);
        found
    }
}

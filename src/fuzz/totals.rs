//! The cases of a campaign, added up.

use std::collections::BTreeMap;

use super::coverage::Coverage;
use super::judge::{Find, Signature};
use super::record::CaseRecord;

/// All finds of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindKind {
    /// The lowest case with such a find.
    pub case: u64,
    /// The find of that case.
    pub finding: Find,
    /// How many cases have one.
    pub count: u64,
}

/// Figures of many cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many cases the whole campaign has.
    pub runs: u64,
    /// How many cases were added.
    pub cases: u64,
    /// Events played.
    pub events: u128,
    /// Virtual time, in nanoseconds.
    pub virtual_ns: u128,
    /// Cases with a check whose verdict is unknown.
    pub unknown: u64,
    /// Finds by signature.
    pub kinds: BTreeMap<Signature, FindKind>,
    /// What was exercised.
    pub coverage: Coverage,
}

impl Totals {
    /// No case yet, of a campaign of `runs` cases.
    #[must_use]
    pub fn new(runs: u64) -> Self {
        Self { runs, ..Self::default() }
    }

    /// Adds a case; the order does not matter. Of each signature the lowest case is kept.
    pub fn add(&mut self, record: &CaseRecord) {
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
            let first = || FindKind { case: record.case, finding: finding.clone(), count: 0 };
            let kind = self.kinds.entry(finding.signature.clone()).or_insert_with(first);
            kind.count += 1;
            if record.case < kind.case {
                (kind.case, kind.finding) = (record.case, finding.clone());
            }
        }
    }

    /// The kinds of find in the order of their lowest cases, then of signatures.
    #[must_use]
    pub fn found(&self) -> Vec<&FindKind> {
        let mut found: Vec<&FindKind> = self.kinds.values().collect();
        found.sort_by_key(|kind| kind.case);
        found
    }
}

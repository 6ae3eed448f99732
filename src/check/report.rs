//! What checkers report.

use crate::config::{Bounds, ExpectedVerdict};
use crate::id::{NodeId, OpId, Version};
use crate::property::{Incident, Promise, Property};

use super::mechanism::Mechanism;

/// The verdict of a checker on a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Valid,
    /// It was broken, as the witness shows.
    Invalid(Witness),
    /// The checker cannot tell, and why.
    Unknown(String),
    /// It was not checked, because the scenario does not set this bound.
    Unchecked(String),
}

/// Proof that a property was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// The first or worst case in a few sentences, with names and times.
    pub summary: String,
    /// The number of cases.
    pub count: u64,
    /// The operations of the case shown.
    pub operations: Vec<OpId>,
    /// The nodes of the case shown.
    pub nodes: Vec<NodeId>,
    /// The write of the case shown. A second run can follow it on each node.
    pub write: Option<Version>,
}

/// A bound that the scenario sets, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The bound with its value: `availability-bound = 99.9%`.
    pub bound: String,
    /// What was found, in words: `98.41% answered`.
    pub found: String,
    /// Whether the bound was met.
    pub met: bool,
}

/// A property: what was promised, what was found, and how the two compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Which property.
    pub property: Property,
    /// What the checker found.
    pub verdict: Verdict,
    /// What the configuration promised.
    pub promise: Promise,
    /// What happened that voids the promise, in order of time.
    pub voided_by: Vec<Incident>,
    /// The verdict compared with the promise, as `[expect]` and JSON name it.
    pub judged: ExpectedVerdict,
    /// The bounds that the scenario sets for it. Empty if the verdict is unknown.
    pub demands: Vec<Demand>,
    /// The figures that the checker measured, by their names in JSON.
    pub figures: Vec<(&'static str, u64)>,
    /// How it came to be broken; `None` until [`crate::explain::run`] finds out.
    pub mechanism: Option<Mechanism>,
}

impl CheckReport {
    /// Whether a bound that the scenario sets was missed.
    #[must_use]
    pub fn misses_a_bound(&self) -> bool {
        self.demands.iter().any(|demand| !demand.met)
    }
}

/// What a checker returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) figures: Vec<(&'static str, u64)>,
    pub(super) demands: Vec<Demand>,
}

impl Finding {
    /// A finding without bounds.
    pub(super) const fn new(verdict: Verdict, figures: Vec<(&'static str, u64)>) -> Self {
        Self { verdict, figures, demands: Vec::new() }
    }

    /// Valid, unless there is a witness.
    pub(super) fn of(witness: Option<Witness>, figures: Vec<(&'static str, u64)>) -> Self {
        Self::new(witness.map_or(Verdict::Valid, Verdict::Invalid), figures)
    }

    /// With the bounds that the scenario sets.
    pub(super) fn demanding(self, demands: Vec<Demand>) -> Self {
        Self { demands, ..self }
    }

    /// Unchecked, if the bounds do not suffice.
    pub(super) fn if_bounded(self, property: Property, bounds: &Bounds) -> Self {
        if bounds.suffice(property) {
            return self;
        }
        // Not by `format!`: most runs have two of these.
        let mut why = String::with_capacity(100);
        for (place, key) in property.needed_bounds().iter().enumerate() {
            why += if place == 0 { "the scenario does not set " } else { " or " };
            why.extend(["`check.", key, "`"]);
        }
        Self { verdict: Verdict::Unchecked(why), ..self }
    }
}

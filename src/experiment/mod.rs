//! Many runs and their statistics: sweeps over settings, and comparisons of configurations.
//!
//! The path of a sweep:
//!
//! 1. [`points`] makes a scenario of every combination of values.
//! 2. [`play`] runs each under the same seeds, on all cores. [`measure`] reduces a run to what its
//!    point needs, and [`progress`] keeps the points that are finished.
//! 3. [`summary`] pools the runs of a point, with intervals by [`statistics`].
//! 4. [`closed_form`] says what theory expects, by [`order_statistics`].
//! 5. [`analysis`] draws conclusions, also for a [`goal`].
//! 6. [`table`], [`document`], [`text`] and [`charts`] present it all.

use std::collections::BTreeSet;

use strum::{IntoStaticStr, VariantArray};

use crate::experiment::order_statistics::Moments;
use crate::experiment::points::SweepPoint;
use crate::experiment::summary::{FunctionSummary, Summary};
use crate::history::Function;
use crate::named::Named;
use crate::time::Span;

pub mod analysis;
pub mod charts;
pub mod closed_form;
pub mod document;
pub mod goal;
pub mod measure;
pub mod order_statistics;
pub mod play;
pub mod points;
pub mod progress;
pub mod statistics;
pub mod summary;
pub mod table;
pub mod text;

/// A duration in nanoseconds, for people.
fn length(ns: f64) -> String {
    Span::from_nanos(libm::round(ns) as u64).short()
}

/// A mean of counts, for people: without decimals if it is whole.
fn whole(mean: f64) -> String {
    if (mean - libm::round(mean)).abs() < 0.05 {
        format!("{mean:.0}")
    } else {
        format!("{mean:.1}")
    }
}

/// What the points of an experiment are. Its name is that of the command that plays it, and the
/// stem of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
pub enum Design {
    /// All combinations of the values of some settings.
    #[strum(serialize = "sweep")]
    Grid,
    /// Configurations, each to be compared with the first.
    #[strum(serialize = "compare")]
    Comparison,
}

/// What was played.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The paths of the varied settings; of a comparison the one word `configuration`.
    pub keys: Vec<String>,
    /// What the points are.
    pub design: Design,
    /// The seeds, as the command line gave them.
    pub seeds: String,
}

/// A sweep or a comparison that was played.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// What was played.
    pub heading: Heading,
    /// The points.
    pub points: &'a [SweepPoint],
    /// The label of each point, which distinguishes it from the others.
    pub labels: Vec<String>,
    /// The summary of each point.
    pub summaries: Vec<Summary>,
    /// The function whose latency is reported: put if any point has puts, else the first in the
    /// order of reports that any point has.
    pub function: Function,
    /// The closed form of each point's put latency, where there is one and puts are reported.
    pub theory: Vec<Option<Moments>>,
}

/// A point to compare another with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The place of the setting in which they differ, among the keys.
    pub key: usize,
    /// The place of the point.
    pub point: usize,
}

impl<'a> Sweep<'a> {
    /// The points that the point at `place` is compared with. In a comparison that is the first
    /// point. In a grid there is one for each setting: the point with the value before, all else
    /// equal.
    #[must_use]
    pub fn before(&self, place: usize) -> Vec<Neighbour> {
        if self.heading.design == Design::Comparison {
            let first = Neighbour { key: 0, point: 0 };
            return if place == 0 { Vec::new() } else { vec![first] };
        }
        let values = |key: usize| -> usize {
            let all = self.points.iter().map(|point| point.values[key].as_str());
            all.collect::<BTreeSet<_>>().len()
        };
        // The last setting varies fastest.
        let mut stride = 1;
        let mut before = Vec::new();
        for key in (0..self.heading.keys.len()).rev() {
            let count = values(key);
            if !(place / stride).is_multiple_of(count) {
                before.push(Neighbour { key, point: place - stride });
            }
            stride *= count;
        }
        before.reverse();
        before
    }

    /// The figures of a point for the function whose latency is reported.
    #[must_use]
    pub fn reported<'s>(&self, summary: &'s Summary) -> Option<&'s FunctionSummary> {
        summary.function(self.function)
    }

    /// The points with their summaries.
    #[must_use]
    pub fn new(heading: Heading, points: &'a [SweepPoint], summaries: Vec<Summary>) -> Self {
        let labels = points.iter().map(SweepPoint::label).collect();
        let occurs = |function: &Function| {
            summaries.iter().any(|summary| summary.function(*function).is_some())
        };
        let function = Function::all().find(occurs).unwrap_or(Function::Put);
        let theory = |point: &SweepPoint| {
            let is_reported = function == Function::Put;
            closed_form::put_latency(&point.scenario).filter(|_| is_reported)
        };
        let theory = points.iter().map(theory).collect();
        Self { heading, points, labels, summaries, function, theory }
    }
}

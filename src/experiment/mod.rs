//! Many runs and their statistics: sweeps over settings, and comparisons of configurations.
//!
//! The path of a sweep: [`points`] makes a scenario of every combination of values; [`play`] runs each under the same
//! seeds on all cores; [`measure`] reduces a run to what its point needs; [`summary`] pools the runs of a point, with
//! intervals by [`statistics`]; [`store`] keeps what is finished; [`closed_form`] says what theory expects, where it
//! does, by [`order_statistics`]; [`analysis`] explains in words, for a [`goal`] too; [`table`], [`document`] and
//! [`text`] write it all down.

use std::collections::BTreeSet;

use crate::experiment::order_statistics::Moments;
use crate::experiment::points::Point;
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
pub mod statistics;
pub mod store;
pub mod summary;
pub mod table;
pub mod text;

/// A length of time in nanoseconds as people read it.
fn length(ns: f64) -> String {
    Span::from_nanos(libm::round(ns) as u64).short()
}

/// A mean of counts as people read it: whole where it is.
fn whole(mean: f64) -> String {
    if (mean - libm::round(mean)).abs() < 0.05 {
        format!("{mean:.0}")
    } else {
        format!("{mean:.1}")
    }
}

/// A sweep or a comparison that was played.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The paths of what was varied; of a comparison the one word `configuration`.
    pub keys: Vec<String>,
    /// Whether the points are configurations, each to be held against the first.
    pub is_comparison: bool,
    /// The seeds, as they were asked for.
    pub seeds: String,
    /// The points.
    pub points: &'a [Point],
    /// What tells each from the others, in a line.
    pub labels: Vec<String>,
    /// What each came to.
    pub summaries: Vec<Summary>,
    /// Whose latency is told: puts where any point has some, else what was asked first in the order of reports.
    pub function: Function,
    /// What theory says of each one's puts, where it says anything and puts are what is told.
    pub theory: Vec<Option<Moments>>,
}

impl<'a> Sweep<'a> {
    /// The points that a point is held against: of a comparison the first; of a sweep, for each setting of which it has
    /// not the first value, the one with the value before and all else alike. With the setting's place among the keys.
    #[must_use]
    pub fn before(&self, place: usize) -> Vec<(usize, usize)> {
        if self.is_comparison {
            return if place == 0 { Vec::new() } else { vec![(0, 0)] };
        }
        let values = |key: usize| -> usize {
            let all = self.points.iter().map(|point| point.values[key].as_str());
            all.collect::<BTreeSet<_>>().len()
        };
        // The last setting varies fastest.
        let mut stride = 1;
        let mut before = Vec::new();
        for key in (0..self.keys.len()).rev() {
            let count = values(key);
            if !(place / stride).is_multiple_of(count) {
                before.push((key, place - stride));
            }
            stride *= count;
        }
        before.reverse();
        before
    }

    /// What a point came to in the function whose latency is told.
    #[must_use]
    pub fn told<'s>(&self, summary: &'s Summary) -> Option<&'s FunctionSummary> {
        summary.function(self.function)
    }

    /// Points with what they came to.
    #[must_use]
    pub fn new(
        (scenario, title): (String, String),
        keys: Vec<String>,
        is_comparison: bool,
        seeds: String,
        (points, summaries): (&'a [Point], Vec<Summary>),
    ) -> Self {
        let labels = points.iter().map(Point::label).collect();
        let occurs = |function: &Function| {
            summaries.iter().any(|summary| summary.function(*function).is_some())
        };
        let function = Function::all().find(occurs).unwrap_or(Function::Put);
        let theory = |point: &Point| {
            let is_told = function == Function::Put;
            closed_form::put_latency(&point.scenario).filter(|_| is_told)
        };
        let theory = points.iter().map(theory).collect();
        Self {
            scenario,
            title,
            keys,
            is_comparison,
            seeds,
            points,
            labels,
            summaries,
            function,
            theory,
        }
    }
}

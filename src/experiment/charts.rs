//! The pictures of a sweep: which are worth drawing, and their data.

use super::analysis::Analysis;
use super::points::short_key;
use super::statistics::FEWEST_RUNS;
use super::summary::{Estimate, FunctionSummary, Summary};
use super::{Design, Sweep};
use crate::named::Named;
use crate::report::plot::comparison::{ComparisonChart, Measure, Unit};
use crate::report::plot::consistency::{ConsistencyChart, ConsistencyCurve};
use crate::report::plot::distribution::{Curve, DistributionChart};
use crate::report::plot::latency::{LatencyChart, LatencyPoint, Places};
use crate::report::plot::tradeoff::{TradeoffChart, TradeoffPoint};
use crate::report::plot::{Caption, Interval, Picture};
use crate::scenario;
use strum::{IntoStaticStr, VariantArray};

/// The most curves in one picture.
const CURVES: usize = 24;
/// The most points on one axis.
const POINTS: usize = 60;

/// A picture of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Chart {
    /// Mean and percentiles of the latency by point, with the closed form.
    Latency,
    /// Cumulative latency curves, one a point.
    Distribution,
    /// The probability that a read sees a write, by the time since its acknowledgement.
    Consistency,
    /// Lost writes against the latency of writes.
    Durability,
    /// All figures side by side.
    Comparison,
}

impl Chart {
    /// Whether it shows something of interest; these pictures are drawn by default.
    #[must_use]
    pub fn fits(self, sweep: &Sweep<'_>) -> bool {
        let points = sweep.summaries.len();
        let any = |wanted: &dyn Fn(&Summary) -> bool| sweep.summaries.iter().any(wanted);
        match self {
            Self::Latency => {
                (2..=POINTS).contains(&points)
                    && sweep.heading.keys.len() == 1
                    && sweep.heading.design == Design::Grid
                    && any(&|s| reported(sweep, s).is_some())
            }
            Self::Distribution => points <= CURVES && any(&|s| reported(sweep, s).is_some()),
            Self::Consistency => points <= CURVES && any(&|s| s.visibility.len() > 1),
            Self::Durability => {
                (2..=POINTS).contains(&points) && any(&|s| s.lost_allowed + s.lost_violating > 0)
            }
            Self::Comparison => sweep.heading.design == Design::Comparison,
        }
    }

    /// Whether it can be drawn: there is some data, and not too much.
    #[must_use]
    pub fn is_possible(self, sweep: &Sweep<'_>) -> bool {
        let points = sweep.summaries.len();
        let any = |wanted: &dyn Fn(&Summary) -> bool| sweep.summaries.iter().any(wanted);
        match self {
            Self::Latency => points <= POINTS && any(&|s| reported(sweep, s).is_some()),
            Self::Distribution => points <= CURVES && any(&|s| reported(sweep, s).is_some()),
            Self::Consistency => points <= CURVES && any(&|s| !s.visibility.is_empty()),
            Self::Durability => {
                points <= POINTS && any(&|s| s.lost_share.is_some() && reported(sweep, s).is_some())
            }
            Self::Comparison => points <= CURVES,
        }
    }

    /// The stem of its files.
    #[must_use]
    pub fn stem(self, sweep: &Sweep<'_>) -> String {
        match self {
            Self::Latency => {
                let key = |path: &String| {
                    let last = short_key(path);
                    let last = if last == "write-quorum" { "quorum" } else { last };
                    last.replace('-', "_")
                };
                let keys: Vec<String> = sweep.heading.keys.iter().map(key).collect();
                format!("latency_vs_{}", keys.join("_and_"))
            }
            Self::Distribution => "latency_distribution".to_owned(),
            Self::Consistency => "consistency_vs_time".to_owned(),
            Self::Durability => "durability_vs_latency".to_owned(),
            Self::Comparison => "comparison".to_owned(),
        }
    }

    /// Draws it.
    #[must_use]
    pub fn draw(self, sweep: &Sweep<'_>, analysis: &Analysis) -> Picture {
        match self {
            Self::Latency => latency(sweep, analysis),
            Self::Distribution => distribution(sweep),
            Self::Consistency => consistency(sweep),
            Self::Durability => durability(sweep, analysis),
            Self::Comparison => comparison(sweep, analysis),
        }
    }
}

fn caption(sweep: &Sweep<'_>, title: String, explanation: String) -> Caption {
    let runs = sweep.summaries.first().map_or(0, |summary| summary.runs);
    let small_print = format!(
        "scenario {} \u{b7} seeds {} ({runs} runs a point) \u{b7} bands and whiskers: 95% \
         confidence over runs{} \u{b7} splitbrain {}",
        sweep.heading.scenario,
        sweep.heading.seeds,
        if runs < FEWEST_RUNS as u64 {
            ", from 5 runs on"
        } else {
            ", but for shares of 0 and 100%"
        },
        env!("CARGO_PKG_VERSION")
    );
    Caption { title, explanation, small_print }
}

/// The short names of the varied settings.
fn short_keys(sweep: &Sweep<'_>) -> String {
    let keys: Vec<&str> = sweep.heading.keys.iter().map(|key| short_key(key)).collect();
    keys.join(" and ")
}

/// The function whose latency is reported, if any of its operations completed.
fn reported<'s>(sweep: &Sweep<'_>, summary: &'s Summary) -> Option<&'s FunctionSummary> {
    sweep.reported(summary).filter(|function| function.latency.is_some())
}

/// The name of the function whose latency is reported.
fn function_name(sweep: &Sweep<'_>) -> &'static str {
    sweep.function.name()
}

fn interval(estimate: Estimate) -> Interval {
    let (low, high) = estimate.ends();
    Interval { value: estimate.value, low, high }
}

/// The interval of a share. None is drawn for shares of 0 and 1: it is so wide that it would hide
/// all else. The table has it.
fn share_interval(estimate: Estimate) -> Interval {
    if estimate.value <= 0.0 || estimate.value >= 1.0 {
        Interval::exact(estimate.value)
    } else {
        interval(estimate)
    }
}

/// The share of operations that got no answer in time.
fn censored(function: &FunctionSummary) -> f64 {
    let all = function.ok + function.fail + function.info;
    if all == 0 { 0.0 } else { function.censored as f64 / all as f64 }
}

fn latency(sweep: &Sweep<'_>, analysis: &Analysis) -> Picture {
    let point = |((label, summary), theory): (
        (&String, &Summary),
        &Option<super::order_statistics::Moments>,
    )| {
        let function = reported(sweep, summary)?;
        let latency = function.latency.as_ref()?;
        let percentile = |per_mille| {
            latency.percentile(per_mille).map(|estimate| libm::round(estimate.value) as u64)
        };
        Some(LatencyPoint {
            label: label.clone(),
            mean: interval(latency.mean),
            p50: percentile(500),
            p95: percentile(950),
            p99: percentile(990),
            closed_form: theory.map(|moments| moments.mean),
            censored: censored(function),
        })
    };
    let points = sweep.labels.iter().zip(&sweep.summaries).zip(&sweep.theory).filter_map(point);
    let title = format!("How long a {} takes, by {}", function_name(sweep), short_keys(sweep));
    LatencyChart {
        caption: caption(sweep, title, analysis.shape.clone()),
        x_label: sweep.heading.keys.join(", "),
        places: places(sweep),
        points: points.collect(),
    }
    .draw()
}

/// Where the points lie on the axis: at their values if those are rising numbers at unequal
/// distances, else at equal distances.
fn places(sweep: &Sweep<'_>) -> Places {
    let each = |read: fn(&str) -> Option<f64>| -> Option<Vec<f64>> {
        let values: Option<Vec<f64>> = sweep.labels.iter().map(|label| read(label)).collect();
        values.filter(|all| all.windows(2).all(|pair| pair[0] < pair[1]))
    };
    let uneven = |all: &Vec<f64>| {
        let steps = || all.windows(2).map(|pair| pair[1] - pair[0]);
        let (least, most) = (steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max));
        most > least * 1.001
    };
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let length = |text: &str| scenario::duration(text).ok().map(|span| span.nanos() as f64);
    let share = |text: &str| {
        scenario::percentage(text).map(|share| f64::from(share.parts_per_billion()) / 1e9)
    };
    let numbers = each(number).map(Places::Numbers);
    let lengths = || each(length).map(Places::Lengths);
    let places = numbers.or_else(lengths).or_else(|| each(share).map(Places::Shares));
    match places {
        Some(Places::Numbers(all) | Places::Lengths(all) | Places::Shares(all))
            if !uneven(&all) =>
        {
            Places::Labels
        }
        places => places.unwrap_or(Places::Labels),
    }
}

fn distribution(sweep: &Sweep<'_>) -> Picture {
    let curve = |(label, summary): (&String, &Summary)| {
        let function = reported(sweep, summary)?;
        let steps = function.curve.clone();
        Some(Curve { label: label.clone(), steps, censored: censored(function) })
    };
    let curves = sweep.labels.iter().zip(&sweep.summaries).filter_map(curve).collect();
    let name = function_name(sweep);
    let title = format!("How many {name}s are done after how long, by {}", short_keys(sweep));
    let explanation = format!(
        "Each curve is the share of a point's {name}s that took no longer than the time below it, \
         all runs pooled. A curve that ends below 100% never got the rest of its answers in time."
    );
    DistributionChart { caption: caption(sweep, title, explanation), curves }.draw()
}

fn consistency(sweep: &Sweep<'_>) -> Picture {
    let curve = |(label, summary): (&String, &Summary)| ConsistencyCurve {
        label: label.clone(),
        points: summary.visibility.iter().map(|(t, share)| (*t, share_interval(*share))).collect(),
    };
    let seen = sweep.labels.iter().zip(&sweep.summaries);
    let curves = seen.filter(|(_, summary)| !summary.visibility.is_empty()).map(curve).collect();
    let title = format!("How soon a read sees a write, by {}", short_keys(sweep));
    let explanation =
        "The share of reads, started so long after the newest write of their key was \
                       acknowledged, that returned it or a newer one (t-visibility, Bailis et al., \
                       VLDB 2012)."
            .to_owned();
    ConsistencyChart { caption: caption(sweep, title, explanation), curves }.draw()
}

fn durability(sweep: &Sweep<'_>, analysis: &Analysis) -> Picture {
    let point = |(label, summary): (&String, &Summary)| {
        let latency = reported(sweep, summary)?.latency.as_ref()?;
        Some(TradeoffPoint {
            label: label.clone(),
            latency: interval(latency.mean),
            lost: share_interval(summary.lost_share?),
        })
    };
    let points = sweep.labels.iter().zip(&sweep.summaries).filter_map(point).collect();
    let title = format!("What a {} costs, and what of it is lost", function_name(sweep));
    TradeoffChart { caption: caption(sweep, title, analysis.losses.clone()), points }.draw()
}

fn comparison(sweep: &Sweep<'_>, analysis: &Analysis) -> Picture {
    let measure = |name: &str, unit, value: &dyn Fn(&Summary) -> Option<Estimate>| Measure {
        name: name.to_owned(),
        unit,
        values: sweep
            .summaries
            .iter()
            .map(|s| value(s).map(if unit == Unit::Share { share_interval } else { interval }))
            .collect(),
    };
    let count = |value: u64| Some(Estimate { value: value as f64, low: None, high: None });
    let latency =
        |s: &Summary| reported(sweep, s).and_then(|function| function.latency.as_ref()).cloned();
    let name = function_name(sweep);
    let any = |wanted: &dyn Fn(&Summary) -> bool| sweep.summaries.iter().any(wanted);
    let mut measures = vec![
        measure(&format!("{name}, mean"), Unit::Nanoseconds, &|s| latency(s).map(|l| l.mean)),
        measure(&format!("{name}, p99"), Unit::Nanoseconds, &|s| latency(s)?.percentile(990)),
        measure("operations answered", Unit::Share, &|s| s.availability),
        measure("acknowledged writes lost", Unit::Share, &|s| s.lost_share),
    ];
    if any(&|s| s.lost_violating > 0) {
        measures
            .push(measure("lost against the promise", Unit::Count, &|s| count(s.lost_violating)));
    }
    if any(&|s| s.reads > 0) {
        measures.push(measure("stale reads", Unit::Share, &|s| s.stale_share));
    }
    measures.push(measure("messages an operation", Unit::Count, &|s| s.messages_per_operation));
    if any(&|s| s.leaders_lost > 0) {
        // Without a recovery from every loss the mean would be too low.
        let recovery = |s: &Summary| s.recovery.filter(|_| s.unrecovered == 0);
        measures.push(measure("recovery, mean", Unit::Nanoseconds, &recovery));
    }
    ComparisonChart {
        caption: caption(sweep, sweep.heading.title.clone(), analysis.losses.clone()),
        configurations: sweep.labels.clone(),
        measures,
    }
    .draw()
}

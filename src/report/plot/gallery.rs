//! Every chart with ordinary and with extreme data: nothing may lie outside the picture, and no
//! texts may overlap.
//!
//! If `SPLITBRAIN_GALLERY` names a folder, the pictures are written there, to be looked at.

use std::path::PathBuf;

use super::canvas::{Across, Along, Area, Canvas, Dash, Lettering, Stroke, at};
use super::comparison::{ComparisonChart, Measure, Unit};
use super::consistency::{ConsistencyChart, ConsistencyCurve};
use super::distribution::{Curve, DistributionChart};
use super::frame::captioned;
use super::latency::{LatencyChart, LatencyPoint, Places};
use super::style::{INK, LABEL, Marker, PALETTE, VERMILLION};
use super::tradeoff::{TradeoffChart, TradeoffPoint};
use super::{Caption, Interval, render};

const LONG: &str =
    "five replicas in three regions, majority writes with fsync before the acknowledgement";

fn show(name: &str, canvas: &Canvas) {
    assert_eq!(canvas.faults(), Vec::<String>::new(), "{name}");
    if let Some(folder) = std::env::var_os("SPLITBRAIN_GALLERY").map(PathBuf::from) {
        let picture = render::picture(canvas);
        std::fs::write(folder.join(format!("{name}.png")), picture.png).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), picture.svg).unwrap();
    }
}

fn caption(title: &str) -> Caption {
    Caption {
        title: title.to_owned(),
        explanation:
            "Each point pools the operations of 20 runs of the same scenario, which differ \
                      in the seed alone. Intervals hold 95% of what other seeds would show. \
                      Operations that timed out have no length: their share is written beside \
                      what it belongs to."
                .to_owned(),
        small_print: "scenario quorum/w-of-n, seeds 1 to 20, splitbrain 0.1.0".to_owned(),
    }
}

fn huge_caption() -> Caption {
    Caption {
        title: format!("{LONG}: {LONG}, {LONG}"),
        explanation: format!("{LONG}. ").repeat(12),
        small_print: format!("{LONG}; ").repeat(8),
    }
}

/// A value with an interval of a tenth of it on both sides.
fn about(value: f64) -> Interval {
    Interval { value, low: value * 0.9, high: value * 1.1 }
}

fn latency_point(label: String, mean: f64, censored: f64) -> LatencyPoint {
    LatencyPoint {
        label,
        mean: about(mean),
        p50: Some((mean * 0.8) as u64),
        p95: Some((mean * 1.9) as u64),
        p99: Some((mean * 2.6) as u64),
        closed_form: Some(mean * 1.02),
        censored,
    }
}

fn latency(points: Vec<LatencyPoint>) -> LatencyChart {
    let caption = caption("A write waits for its slowest replica: latency by write quorum");
    let x_label = "Replicas that must acknowledge (W)".to_owned();
    LatencyChart { caption, x_label, places: Places::Labels, points }
}

/// Values far apart, close together, and over decades.
#[test]
fn latency_charts_have_points_where_their_values_are() {
    let shown = |name, places: Places, values: &[f64]| {
        let points = values.iter().map(|value| latency_point(value.to_string(), 1e6 + value, 0.02));
        let chart = LatencyChart { places, ..latency(points.collect()) };
        show(name, &chart.canvas());
    };
    let shares = [0.0, 0.01, 0.02, 0.05, 0.4];
    shown("latency-shares", Places::Shares(shares.to_vec()), &shares);
    let lengths = [1e3, 1e4, 1e8, 1e9];
    shown("latency-lengths", Places::Lengths(lengths.to_vec()), &lengths);
    let numbers = [1.0, 2.0, 3.0, 100.0];
    shown("latency-numbers", Places::Numbers(numbers.to_vec()), &numbers);
    shown("latency-number", Places::Numbers(vec![7.0]), &[7.0]);
}

#[test]
fn latency_charts_are_sound() {
    let five = (1..=5).map(|w| {
        let mean = 4e6 + 2.5e6 * f64::from(w * w) / 3.0;
        latency_point(w.to_string(), mean, if w == 5 { 0.021 } else { 0.0 })
    });
    show("latency", &latency(five.collect()).canvas());
    show("latency-one", &latency(vec![latency_point("3".to_owned(), 5e6, 0.01)]).canvas());
    let thirty = (0..30).map(|i| {
        let label = format!("{}ms", i * 10);
        latency_point(label, 2e6 * f64::from(i + 1), f64::from(i) * 0.003)
    });
    show("latency-thirty", &latency(thirty.collect()).canvas());
    let mut decades: Vec<_> = (0..7)
        .map(|i| latency_point(LONG.to_owned(), libm::pow(10.0, f64::from(i) + 3.0), 0.5))
        .collect();
    decades[3].p99 = None;
    decades[4].closed_form = None;
    let chart = LatencyChart { caption: huge_caption(), ..latency(decades) };
    show("latency-decades", &chart.canvas());
    let mut zero = latency_point("zero".to_owned(), 0.0, 1.0);
    zero.closed_form = None;
    show("latency-zero", &latency(vec![zero.clone(), zero]).canvas());
    show("latency-none", &latency(Vec::new()).canvas());
}

/// A distribution whose logarithm rises evenly from `low` to `high`.
fn curve(label: String, low: f64, high: f64, censored: f64) -> Curve {
    let step = |i: i32| {
        let share = f64::from(i) / 200.0;
        ((low * libm::pow(high / low, share * share)) as u64, share * (1.0 - censored))
    };
    Curve { label, steps: (1..=200).map(step).collect(), censored }
}

fn distribution(curves: Vec<Curve>) -> DistributionChart {
    DistributionChart { caption: caption("How long writes take, by write quorum"), curves }
}

#[test]
fn distribution_charts_are_sound() {
    let curves = (1..=5).map(|w| {
        let low = 2e6 * f64::from(w);
        curve(format!("W = {w}"), low, low * 4.0, if w == 5 { 0.08 } else { 0.0 })
    });
    show("distribution", &distribution(curves.collect()).canvas());
    let wide = (0..3).map(|i| curve(format!("{LONG} {i}"), 1e3 * f64::from(i + 1), 2e9, 0.3));
    let chart = DistributionChart { caption: huge_caption(), ..distribution(wide.collect()) };
    show("distribution-decades", &chart.canvas());
    let many = (1..=30)
        .map(|i| curve(format!("delay {i} ms"), 1e6 * f64::from(i), 5e6 * f64::from(i), 0.0));
    show("distribution-many", &distribution(many.collect()).canvas());
    let equal =
        Curve { label: "all alike".to_owned(), steps: vec![(5_000_000, 1.0)], censored: 0.0 };
    show("distribution-equal", &distribution(vec![equal.clone(), equal]).canvas());
    let zero = Curve { label: "zero".to_owned(), steps: vec![(0, 1.0)], censored: 0.0 };
    let empty = Curve { label: "none".to_owned(), steps: Vec::new(), censored: 1.0 };
    show("distribution-zero", &distribution(vec![zero, empty]).canvas());
}

/// A configuration whose reads come to see the write with the time constant `slow`, in nanoseconds.
fn visibility(label: String, slow: f64, times: &[u64]) -> ConsistencyCurve {
    let points = times.iter().map(|t| {
        let value = 1.0 - 0.6 * libm::exp(-(*t as f64) / slow);
        let half = 0.05 * (1.0 - value) + 0.01;
        (*t, Interval { value, low: value - half, high: (value + half).min(1.0) })
    });
    ConsistencyCurve { label, points: points.collect() }
}

fn consistency(curves: Vec<ConsistencyCurve>) -> ConsistencyChart {
    let caption = caption("How soon a read sees a write, by read and write quorum");
    ConsistencyChart { caption, curves }
}

#[test]
fn consistency_charts_are_sound() {
    let times: Vec<u64> = (0..=20).map(|i| i * 1_000_000).collect();
    let curves = (1..=4).map(|r| {
        visibility(format!("R = {r}, W = {}", 5 - r), 1e6 * f64::from(r as u32 * 2), &times)
    });
    show("consistency", &consistency(curves.collect()).canvas());
    let times = [0, 1_000, 20_000, 500_000, 3_000_000, 80_000_000, 1_000_000_000];
    let curves =
        (1..=12).map(|r| visibility(format!("{LONG} {r}"), 2e4 * f64::from(r * r), &times));
    let chart = ConsistencyChart { caption: huge_caption(), ..consistency(curves.collect()) };
    show("consistency-decades", &chart.canvas());
    let one = visibility("R = W = 1".to_owned(), 1e6, &[0]);
    let sure = (0..2).map(|t| (t * 1_000_000, Interval::exact(1.0))).collect();
    let sure = ConsistencyCurve { label: "quorum".to_owned(), points: sure };
    show("consistency-one", &consistency(vec![one]).canvas());
    show("consistency-sure", &consistency(vec![sure]).canvas());
}

fn tradeoff(points: &[(&str, f64, f64)]) -> TradeoffChart {
    let point = |(label, latency, lost): &(&str, f64, f64)| TradeoffPoint {
        label: (*label).to_owned(),
        latency: about(*latency),
        lost: about(*lost),
    };
    let points = points.iter().map(point).collect();
    TradeoffChart { caption: caption("What durability costs: writes lost against latency"), points }
}

#[test]
fn tradeoff_charts_are_sound() {
    let ordinary = [
        ("W = 1, no fsync", 1.1e6, 0.062),
        ("W = 1, fsync", 4.2e6, 0.041),
        ("W = 2, no fsync", 5.0e6, 0.012),
        ("W = 2, fsync", 9.0e6, 0.004),
        ("W = 3, no fsync", 9.6e6, 0.009),
        ("W = 3, fsync", 14.0e6, 0.0),
    ];
    show("tradeoff", &tradeoff(&ordinary).canvas());
    show("tradeoff-one", &tradeoff(&[("W = 1", 1.1e6, 0.0)]).canvas());
    show("tradeoff-equal", &tradeoff(&[("the same twelve times", 2e6, 0.01); 12]).canvas());
    let names: Vec<_> = (1..=12).map(|i| format!("{i} {LONG}")).collect();
    let crowd: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), 1e6 + 1e5 * i as f64, 0.05 - 0.003 * (i % 5) as f64))
        .collect();
    show("tradeoff-crowd", &tradeoff(&crowd).canvas());
    let decades: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let lost = if i > 9 { 0.0 } else { libm::pow(10.0, -0.6 * i as f64) };
            (name.as_str(), libm::pow(10.0, 3.0 + 0.5 * i as f64), lost)
        })
        .collect();
    let chart = TradeoffChart { caption: huge_caption(), ..tradeoff(&decades) };
    show("tradeoff-decades", &chart.canvas());
    show("tradeoff-none", &tradeoff(&[]).canvas());
}

fn comparison(configurations: Vec<String>, measures: usize) -> ComparisonChart {
    let all = [
        ("Mean latency of a write", Unit::Nanoseconds, 4.2e6),
        ("Acknowledged writes lost", Unit::Share, 0.0123),
        ("Messages", Unit::Count, 123_456.0),
        ("Availability", Unit::Share, 0.9987),
        ("Longest time without a leader during the partition", Unit::Nanoseconds, 2.2e9),
        ("Elections", Unit::Count, 4.5),
        ("Stale reads", Unit::Share, 0.2),
        ("Nothing at all", Unit::Count, 0.0),
    ];
    let measure = |(name, unit, scale): &(&str, Unit, f64)| {
        let value = |i: usize| match i {
            2 => None,
            _ if *unit == Unit::Share => Some(about(scale / (1.0 + i as f64))),
            _ => Some(about(scale * (1.0 + (i * 5 % 7) as f64))),
        };
        let values = (0..configurations.len()).map(value).collect();
        Measure { name: (*name).to_owned(), unit: *unit, values }
    };
    let measures = all.iter().take(measures).map(measure).collect();
    ComparisonChart {
        caption: caption("Five ways to replicate, side by side"),
        configurations,
        measures,
    }
}

#[test]
fn comparison_charts_are_sound() {
    let five = ["leader and follower", "Raft", "quorum", "chain", "gossip"].map(str::to_owned);
    show("comparison", &comparison(five.to_vec(), 4).canvas());
    let twelve: Vec<_> = (1..=12).map(|i| format!("{i} {LONG}")).collect();
    show("comparison-twelve", &comparison(twelve.clone(), 3).canvas());
    let chart = ComparisonChart { caption: huge_caption(), ..comparison(twelve, 8) };
    show("comparison-full", &chart.canvas());
    show("comparison-one", &comparison(vec!["Raft".to_owned()], 1).canvas());
    show("comparison-none", &comparison(Vec::new(), 0).canvas());
}

#[test]
fn every_shape_can_be_drawn() {
    let (mut canvas, area) = captioned(&caption("What diagrams are made of"), 1600, 600);
    let right = |share: f64| area.left + share * area.width();
    let down = |share: f64| area.top + share * area.height();
    for (i, color) in PALETTE.into_iter().enumerate() {
        let x = right(0.05 + 0.1 * i as f64);
        canvas.spot(Marker::of(i), at(x, down(0.1)), 12.0, color);
        canvas.arrow(at(x, down(0.2)), at(x + 60.0, down(0.4)), Stroke::solid(color, 2.0), 14.0);
        canvas.rect(
            Area { left: x, right: x + 60.0, top: down(0.5), bottom: down(0.6) },
            color.with_alpha(0.3),
        );
        canvas.text(format!("n{i}"), at(x - 20.0, down(0.6)), Lettering::new(LABEL, INK).upwards());
    }
    let stroke = Stroke::solid(VERMILLION, 3.0);
    canvas.cross(at(right(0.9), down(0.1)), 10.0, stroke);
    canvas.ring(at(right(0.9), down(0.3)), 10.0, stroke);
    canvas.hollow_diamond(at(right(0.9), down(0.5)), 12.0, stroke);
    for (dash, y) in [(Dash::Solid, 0.7), (Dash::Dashed, 0.75), (Dash::Dotted, 0.8)] {
        let bent =
            vec![at(right(0.0), down(y)), at(right(0.5), down(y + 0.05)), at(right(1.0), down(y))];
        canvas.polyline(bent, Stroke { dash, ..stroke });
    }
    canvas.frame(Area { top: down(0.9), ..area }, Stroke::solid(INK, 1.0));
    let lettering = Lettering::new(LABEL, INK).bold().anchored(Along::Middle, Across::Middle);
    canvas.text("in the middle of its frame", at(right(0.5), down(0.95)), lettering);
    show("shapes", &canvas);
}

#[test]
fn a_chart_drawn_twice_is_the_same_to_the_byte() {
    let draw = || tradeoff(&[("W = 1", 1.1e6, 0.03), ("W = 2", 2e6, 0.01)]).draw();
    assert!(draw() == draw());
}

//! Timelines of known runs: their content, and that nothing overlaps.

use super::*;
use crate::explain::sample::PlayedRun;
use crate::report::plot::canvas::CanvasShape;
use crate::run::RunResult;

fn timeline(text: &str) -> (Timeline, RunResult) {
    let PlayedRun { scenario, result, chronicle, faults } = PlayedRun::of(text, 1);
    let run = PlottedRun { scenario: "x", config: &scenario.config, result: &result };
    (Timeline::of(&run, &chronicle, &faults), result)
}

const SCENARIO: &str = r#"
title = "A crash and a partition under load"
duration = "4s"
[cluster]
nodes = 5
[network]
delay = "5ms"
client-delay = "1ms"
[protocol.leader-follower]
mode = "async"
[protocol.leader-follower.failover]
election = "lowest-id"
heartbeat = "50ms"
timeout = "150ms"
[workload]
clients = 4
operations = 1000
keys = 10
mix = { put = 50, get = 50 }
think = { exponential = "20ms" }
timeout = "100ms"
[[fault]]
id = "stop"
at = "1s"
for = "500ms"
crash = "n1"
[[fault]]
id = "split"
at = "2s"
for = "1s"
partition = [["n2"], ["n1", "n3", "n4", "n5", "c1"]]
"#;

#[test]
fn every_operation_counts_and_nothing_lies_on_anything() {
    let (timeline, result) = timeline(SCENARIO);
    assert_eq!(timeline.points.len(), result.history.entries().len());
    assert!(timeline.points.iter().any(|point| point.censored), "c1 asked n2, out of its reach");
    assert_eq!(timeline.faults.len(), 2);
    let canvas = timeline.sketch();
    assert_eq!(canvas.faults(), Vec::<String>::new());
    let said = |wanted: &str| {
        let is_it =
            |shape: &CanvasShape| matches!(shape, CanvasShape::Text { text, .. } if text == wanted);
        canvas.shapes().iter().any(is_it)
    };
    let ok = timeline.points.iter().filter(|point| point.outcome == OperationOutcome::Ok).count();
    for text in
        [&format!("ok {}", grouped(ok as u64)), "stop: crash n1", "Virtual time (s)", "no answer"]
    {
        assert!(said(text), "{text}");
    }
    let led = timeline.spells.iter().filter(|spell| matches!(spell.life, Life::Leads(_))).count();
    assert!(led >= 3, "{led}");
}

#[test]
fn the_same_run_gives_the_same_bytes_and_an_empty_one_gives_a_picture() {
    assert_eq!(timeline(SCENARIO).0.draw(), timeline(SCENARIO).0.draw());
    let empty = Timeline {
        caption: Caption::default(),
        ended_at: Time::ZERO,
        nodes: 3,
        points: Vec::new(),
        lags: Vec::new(),
        spells: Vec::new(),
        faults: Vec::new(),
    };
    assert_eq!(empty.sketch().faults(), Vec::<String>::new());
}

#[test]
fn a_lag_is_a_line_of_steps_without_slopes() {
    let (timeline, _) = timeline(SCENARIO);
    let shared = Shared { left: 0.0, right: 1000.0, end: timeline.ended_at };
    let sketch =
        TimelineSketch { timeline: &timeline, canvas: Canvas::new(10, 10), across: shared };
    for lag in &timeline.lags {
        for piece in sketch.pieces(lag, |value| 100.0 - value as f64) {
            let is_straight = |two: &[crate::report::plot::canvas::Point]| {
                two[0].x == two[1].x || two[0].y == two[1].y
            };
            assert!(piece.windows(2).all(is_straight), "{}", lag.node);
        }
    }
}

#[test]
fn functions_differ_by_their_markers_alone() {
    let markers: Vec<_> = Function::all().map(|function| look(function).0).collect();
    for (place, marker) in markers.iter().enumerate() {
        assert!(!markers[..place].contains(marker), "{marker:?} stands for two functions");
    }
}

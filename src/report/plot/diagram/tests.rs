//! Diagrams of known runs: their content, and that nothing overlaps.

use super::*;
use crate::explain::chronicle::Chronicle;
use crate::explain::focus;
use crate::explain::sample::{CUT_OFF, PlayedRun};
use crate::report::plot::PlottedRun;
use crate::report::plot::canvas::CanvasShape;
use crate::time::Time;

/// Far more than a picture has room for.
const BUSY: &str = r#"
title = "A busy cluster"
duration = "5s"
[cluster]
nodes = 5
[network]
delay = { uniform = ["2ms", "9ms"] }
loss = "3%"
[protocol.leader-follower]
mode = "async"
[workload]
clients = 8
operations = 1000
keys = 10
mix = { put = 50, get = 50 }
think = { exponential = "10ms" }
[[fault]]
id = "split"
at = "1s"
for = "1s"
partition = [["n1"], ["n2", "n3", "n4", "n5"]]
"#;

fn diagram(text: &str, chosen: Option<Window>) -> (Diagram, Chronicle) {
    let played = PlayedRun::of(text, 1);
    let PlayedRun { scenario, result, chronicle: whole, faults } = &played;
    let focus = match chosen {
        Some(window) => focus::chosen(window),
        None => focus::focus(result, whole, faults),
    };
    let chronicle = played.within(focus.window);
    let run = PlottedRun { scenario: "x", config: &scenario.config, result };
    (Diagram::of(&run, &chronicle, faults, &focus), chronicle)
}

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

#[test]
fn a_lost_write_is_drawn_from_its_client_to_its_crosses() {
    let (diagram, _) = diagram(CUT_OFF, None);
    assert_eq!(diagram.moment, Some(ms(650)));
    let rows = ["a", "n1", "n2", "n3"];
    assert_eq!(diagram.rows.iter().map(Row::name).collect::<Vec<_>>(), rows);
    let subject = |wanted: fn(Delivery) -> bool| {
        diagram.arrows.iter().filter(|arrow| arrow.subject && wanted(arrow.delivery)).count()
    };
    assert_eq!(subject(|delivery| delivery == Delivery::Blocked), 2, "to n2 and to n3");
    let lost =
        diagram.operations.iter().find(|operation| operation.text == "put k=lost → ok").unwrap();
    assert!(lost.subject && lost.window == Window { from: ms(610), until: ms(614) });
    let names: Vec<_> = diagram.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names, ["split", "stop"]);
    assert!(diagram.caption.explanation.starts_with("Around durability: put k=lost by a"));
    let canvas = diagram.sketch();
    let said = |text: &str| {
        let is_it = |shape: &&CanvasShape| {
            let CanvasShape::Text { text: said, .. } = shape else { return false };
            said == text
        };
        canvas.shapes().iter().filter(is_it).count()
    };
    assert_eq!(said("split: partition n1 a | n2 n3"), 1);
    assert_eq!(said("stop: crash n1"), 1);
    assert_eq!(said("replicate k=lost"), 1, "one name for both");
    assert_eq!(said("leads term 1"), 1);
    let crosses = canvas.shapes().iter().filter(|shape| match shape {
        CanvasShape::Line { points, stroke } => {
            let slanted = points.len() == 2 && (points[1].x - points[0].x).abs() == 14.0;
            slanted && stroke.color == VERMILLION
        }
        _ => false,
    });
    let lost = diagram.arrows.iter().filter(|arrow| is_lost(arrow.delivery)).count();
    assert_eq!(crosses.count(), 2 * (lost + 1), "two strokes a cross, and one in the legend");
    assert_eq!(canvas.faults(), Vec::<String>::new());
}

#[test]
fn of_too_much_the_most_relevant_is_shown_and_the_rest_is_counted() {
    let (diagram, chronicle) = diagram(BUSY, None);
    assert!(chronicle.transmissions.len() > 200, "{}", chronicle.transmissions.len());
    assert!(diagram.arrows.len() <= 60 && !diagram.arrows.is_empty());
    assert!(diagram.arrows.iter().any(|arrow| arrow.subject));
    let said = format!(
        "Of {} messages {} are shown; left out: ",
        chronicle.transmissions.len(),
        diagram.arrows.len()
    );
    let explanation = diagram.caption.explanation.replace(',', "");
    assert!(explanation.contains(&said), "{explanation}");
    assert_eq!(diagram.sketch().faults(), Vec::<String>::new());
}

#[test]
fn a_chosen_window_is_what_is_drawn_and_twice_the_same() {
    let window = Window { from: ms(990), until: ms(1010) };
    let (one, _) = diagram(BUSY, Some(window));
    let (other, _) = diagram(BUSY, Some(window));
    assert_eq!((one.window, one.moment), (window, None));
    assert_eq!(one.draw(), other.draw());
    assert_eq!(one.sketch().faults(), Vec::<String>::new());
    let (empty, _) = diagram(CUT_OFF, Some(Window { from: ms(90_000), until: ms(91_000) }));
    assert_eq!((empty.arrows.len(), empty.operations.len()), (0, 0));
    assert_eq!(empty.sketch().faults(), Vec::<String>::new());
}

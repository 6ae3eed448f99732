//! The legend of a diagram, with the colours that it has.

use crate::explain::chronicle::Life;
use crate::named::Named;
use strum::VariantArray as _;

use crate::report::plot::canvas::{
    Across, Along, Area, Canvas, Dash, Lettering, Point, Stroke, at,
};
use crate::report::plot::lettering::{Weight, text_width};
use crate::report::plot::style::{AXIS, GREEN, INK, MUTED, ORANGE, SMALL, VERMILLION};

use super::model::{Diagram, MessageClass, OperationOutcome, is_lost};

/// The width of a swatch in pixels.
const SWATCH: f64 = 34.0;

/// The swatch of an entry.
#[derive(Clone, Copy)]
enum Swatch {
    Arrow(MessageClass),
    Line(Stroke),
    Cross,
    Bar(OperationOutcome),
}

/// Draws the legend in one line from `start` on, as far as there is room before `right`.
pub(super) fn draw(canvas: &mut Canvas, diagram: &Diagram, start: Point, right: f64) {
    let mut x = start.x;
    for (swatch, label) in entries(diagram) {
        let wide = SWATCH + 8.0 + text_width(label, SMALL, Weight::Regular);
        if x + wide > right {
            break;
        }
        let (from, to) = (at(x, start.y), at(x + SWATCH, start.y));
        match swatch {
            Swatch::Arrow(class) => canvas.arrow(from, to, Stroke::solid(class.color(), 2.2), 10.0),
            Swatch::Line(stroke) => canvas.line(from, to, stroke),
            Swatch::Cross => {
                let center = at(x + SWATCH / 2.0, start.y);
                canvas.cross(center, 7.0, Stroke::solid(VERMILLION, 3.0));
            }
            Swatch::Bar(outcome) => {
                let bar = Area { left: x, right: to.x, top: start.y - 7.0, bottom: start.y + 7.0 };
                canvas.rect(bar, outcome.color().with_alpha(0.5));
                canvas.frame(bar, Stroke::solid(outcome.color(), 1.5));
            }
        }
        let lettering = Lettering::new(SMALL, INK).anchored(Along::Start, Across::Middle);
        canvas.text(label, at(x + SWATCH + 8.0, start.y), lettering);
        x += wide + 24.0;
    }
}

fn entries(diagram: &Diagram) -> Vec<(Swatch, &'static str)> {
    let mut entries = Vec::new();
    let shown = diagram.spells.iter().filter(|spell| spell.window.meets(diagram.window));
    let mut life = |stroke, name, is_it: fn(Life) -> bool| {
        if shown.clone().any(|spell| is_it(spell.life)) {
            entries.push((Swatch::Line(stroke), name));
        }
    };
    life(Stroke::solid(GREEN, 9.0), "leads", |life| matches!(life, Life::Leads(_)));
    life(Stroke::solid(MUTED, 3.0), "follows", |life| life == Life::Follows);
    life(Stroke::solid(ORANGE, 4.0), "candidate", |life| life == Life::Candidate);
    let dotted = Stroke { dash: Dash::Dotted, ..Stroke::solid(AXIS, 3.0) };
    life(dotted, "paused", |life| life == Life::Paused);
    for class in MessageClass::VARIANTS {
        let label = match class {
            MessageClass::Write => "brings a write",
            MessageClass::Acknowledgement => "confirms one",
            MessageClass::Client => "request, answer",
            MessageClass::Other => "other message",
        };
        if diagram.arrows.iter().any(|arrow| arrow.class == *class) {
            entries.push((Swatch::Arrow(*class), label));
        }
    }
    if diagram.arrows.iter().any(|arrow| is_lost(arrow.delivery)) {
        entries.push((Swatch::Cross, "lost"));
    }
    for outcome in OperationOutcome::all() {
        if diagram.operations.iter().any(|operation| operation.outcome == outcome) {
            entries.push((Swatch::Bar(outcome), outcome.name()));
        }
    }
    entries
}

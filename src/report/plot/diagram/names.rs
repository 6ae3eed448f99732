//! The labels of a diagram, each where there is room.

use crate::explain::chronicle::{Delivery, Life};
use crate::id::Term;
use crate::report::plot::canvas::{Across, Along, Area, Lettering, Point, Stroke, at};
use crate::report::plot::lettering::{Weight, text_width};
use crate::report::plot::style::{AXIS, GREEN, INK, ORANGE, SMALL, VERMILLION, WHITE};
use crate::time::Time;

use super::model::{Arrow, OperationBar, is_lost};
use super::{DiagramSketch, labels};

/// Where a label may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Only where no arrow goes.
    Clear,
    /// Also over arrows.
    Any,
}

impl DiagramSketch<'_> {
    /// Writes the text of an operation above its bar, if there is room.
    pub(super) fn operation_text(&mut self, operation: &OperationBar) {
        let (from, _) = self.ends(operation.window);
        let y = self.lines[operation.row];
        let color = operation.outcome.color().toward(INK, 0.45);
        let lettering = Lettering::new(SMALL, color).anchored(Along::Start, Across::Bottom);
        let lettering = if operation.subject { lettering.bold() } else { lettering };
        let wide = text_width(&operation.text, SMALL, lettering.weight);
        let start = from.min(self.area.right - wide).max(self.area.left);
        for lane in 0..3 {
            let point = at(start, y - 10.0 - 19.0 * f64::from(lane));
            if self.labels.take(lettering.area(&operation.text, point).grown(1.0)) {
                if lane > 0 {
                    let stroke = Stroke::solid(color.toward(WHITE, 0.6), 1.0);
                    self.canvas.line(at(from + 1.0, y - 8.0), at(from + 1.0, point.y), stroke);
                }
                self.canvas.text(operation.text.as_str(), point, lettering);
                return;
            }
        }
    }

    /// Writes the kinds of messages beside their arrows, where there is room.
    pub(super) fn arrow_labels(&mut self) {
        for line in self.lines.clone() {
            let Area { left, right, .. } = self.area;
            self.labels.block(Area { left, right, top: line - 6.0, bottom: line + 6.0 });
        }
        for arrow in &self.diagram.arrows {
            let (_, Point { x, y }) = self.transmission(arrow);
            if is_lost(arrow.delivery) {
                self.labels.block(Area { left: x, right: x, top: y, bottom: y }.grown(9.0));
            }
        }
        for subject in [true, false] {
            let mut said: Vec<(&str, usize, Time)> = Vec::new();
            for arrow in self.diagram.arrows.iter().filter(|arrow| arrow.subject == subject) {
                // A message to many receivers is named once.
                let key = (arrow.label.as_str(), arrow.from, arrow.sent_at);
                if arrow.label.is_empty() || said.contains(&key) {
                    continue;
                }
                if self.arrow_label(arrow, Ground::Clear)
                    || subject && self.arrow_label(arrow, Ground::Any)
                {
                    said.push(key);
                }
            }
        }
    }

    /// Writes the label of a message beside its arrow; only with [`Ground::Any`] over other arrows.
    fn arrow_label(&mut self, arrow: &Arrow, ground: Ground) -> bool {
        let (start, end) = self.transmission(arrow);
        let (start, end, _) = self.clipped(start, end);
        let color = arrow.class.color().toward(INK, 0.35);
        let lettering = Lettering::new(14.0, color).anchored(Along::Start, Across::Middle);
        let lettering = if arrow.subject { lettering.bold() } else { lettering };
        let is_stump =
            matches!(arrow.delivery, Delivery::Lost | Delivery::Blocked | Delivery::Held);
        // The label of a stump is right of the crosses of its neighbours, or left of it.
        let (shares, right): (&[f64], &[f64]) = match is_stump {
            true => (&[1.0], &[13.0, 28.0, 43.0, 58.0]),
            false => (&[0.5, 0.35, 0.65, 0.22, 0.78], &[7.0]),
        };
        for share in shares {
            let on = at(start.x + (end.x - start.x) * share, start.y + (end.y - start.y) * share);
            let left = if is_stump { on.x - start.x + 8.0 } else { 7.0 };
            let sides = right.iter().map(|side| (Along::Start, *side)).chain([(Along::End, -left)]);
            for (along, side) in sides {
                let lettering = lettering.anchored(along, Across::Middle);
                let point = at(on.x + side, on.y);
                let area = lettering.area(&arrow.label, point).grown(2.0);
                let inside = area.left >= self.area.left && area.right <= self.area.right;
                let clear = ground == Ground::Any || !self.crossed(&area, Some(arrow));
                if inside && clear && self.labels.take(area) {
                    if ground == Ground::Any {
                        self.canvas.rect(area, WHITE.with_alpha(0.8));
                    }
                    self.canvas.text(arrow.label.as_str(), point, lettering);
                    return true;
                }
            }
        }
        false
    }

    /// Whether an arrow other than `but` goes through an area.
    fn crossed(&self, area: &Area, but: Option<&Arrow>) -> bool {
        let is_it = |other: &Arrow| but.is_some_and(|but| std::ptr::eq(other, but));
        self.diagram.arrows.iter().filter(|other| !is_it(other)).any(|other| {
            let (start, end) = self.transmission(other);
            labels::meets(area, start, end)
        })
    }

    /// Writes the roles of nodes above their lines: which term they lead, down, paused.
    pub(super) fn role_labels(&mut self) {
        for spell in &self.diagram.spells {
            let Some(y) = self.line_of(spell.node) else { continue };
            if !spell.window.meets(self.diagram.window) {
                continue;
            }
            let (text, color) = match spell.life {
                Life::Leads(Term(0)) => ("leads".to_owned(), GREEN),
                Life::Leads(term) => (format!("leads term {term}"), GREEN),
                Life::Down => ("down".to_owned(), VERMILLION),
                Life::Paused => ("paused".to_owned(), AXIS),
                Life::Candidate => ("candidate".to_owned(), ORANGE),
                Life::Follows => continue,
            };
            let (from, until) = self.ends(spell.window);
            let lettering = Lettering::new(14.0, color.toward(INK, 0.35)).bold();
            let wide = text_width(&text, 14.0, Weight::Bold);
            let start = (from + 4.0).min(self.area.right - wide);
            let middle = f64::midpoint(from, until) - wide / 2.0;
            let places = [
                (start, -16.0),
                (start, 16.0),
                (start + 50.0, -16.0),
                (start + 50.0, 16.0),
                (start + 110.0, -16.0),
                (start + 110.0, 16.0),
                (middle, -16.0),
            ];
            // Preferably where no arrow goes.
            let tries = places
                .iter()
                .map(|place| (place, Ground::Clear))
                .chain(places.iter().map(|place| (place, Ground::Any)));
            for ((x, drop), ground) in tries {
                let lettering = lettering.anchored(Along::Start, Across::Middle);
                let area = lettering.area(&text, at(*x, y + drop)).grown(1.0);
                let moved = *x > start && area.right > until;
                let inside =
                    area.left >= self.area.left - 1.0 && area.right <= self.area.right + 1.0;
                let inside = inside && !moved;
                let clear = ground == Ground::Any || !self.crossed(&area, None);
                if inside && clear && self.labels.take(area) {
                    self.canvas.rect(area, WHITE.with_alpha(0.75));
                    self.canvas.text(text.as_str(), at(*x, y + drop), lettering);
                    break;
                }
            }
        }
    }
}

//! The space-time diagram of a run: a line for each client and node, arrows for messages, crosses
//! for lost ones, bands for faults.
//!
//! Time runs to the right. The axis is broken where nothing happens for long, so that the slant of
//! arrows stays visible. Between breaks the scale is the same everywhere.

use crate::explain::chronicle::{Delivery, FaultSpan, Life, Window};
use crate::id::NodeId;

use super::bands::{self, LANE};
use super::canvas::{Across, Along, Area, Canvas, Dash, Lettering, Point, Stroke, at};
use super::frame::captioned;
use super::lettering::{Weight, shortened, text_width};
use super::style::{AXIS, GREEN, GRID, INK, LABEL, MUTED, ORANGE, SMALL, VERMILLION, WHITE};
use super::{Picture, render};

use labels::Labels;
use model::is_lost;
use warp::Warp;

mod labels;
mod legend;
mod model;
mod names;
mod pick;
#[cfg(test)]
mod tests;
mod warp;

pub use model::{Arrow, Diagram, MessageClass, OperationBar, OperationOutcome, Row};

/// The width of a diagram in pixels.
const WIDTH: u32 = 1800;
/// The height of a node's row, in pixels.
const NODE_ROW: f64 = 104.0;
/// The height of a client's row, in pixels.
const CLIENT_ROW: f64 = 88.0;
/// The height of the stump that stands for a message lost at its sender, in pixels.
const STUMP: f64 = 32.0;
/// A height in which every caption fits, in pixels.
const ROOM: u32 = 2000;

/// A diagram that is being drawn.
struct DiagramSketch<'a> {
    diagram: &'a Diagram,
    canvas: Canvas,
    warp: Warp,
    /// The vertical place of each row's line, in pixels.
    lines: Vec<f64>,
    /// The area of the rows.
    area: Area,
    labels: Labels,
}

impl Diagram {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.sketch())
    }

    /// The shapes of the picture.
    #[must_use]
    pub fn sketch(&self) -> Canvas {
        let (_, bare) = captioned(&self.caption, WIDTH, ROOM);
        let names = self.rows.iter().map(|row| text_width(&row.name(), LABEL, Weight::Bold));
        let left = bare.left + names.fold(60.0, f64::max) + 26.0;
        let warp = Warp::new(self, left, bare.right);
        let ends = |fault: &FaultSpan| (warp.x(fault.window.from), warp.x(fault.window.until));
        let (lanes, lane_count) = bands::lanes(&self.faults, ends, bare.right);
        let height_of = |row: &Row| match row {
            Row::Client(_) => CLIENT_ROW,
            Row::Node(_) => NODE_ROW,
        };
        let rows: f64 = self.rows.iter().map(height_of).sum();
        let words = f64::from(ROOM) - bare.height();
        let height = words + LANE * lane_count as f64 + rows + 100.0;
        let (canvas, area) = captioned(&self.caption, WIDTH, height.ceil() as u32);
        let legend_top = area.bottom - 30.0;
        let body = Area {
            left,
            right: area.right,
            top: area.top + LANE * lane_count as f64,
            bottom: legend_top - 62.0,
        };
        let step = body.height() / rows;
        let mut top = body.top;
        let lines = self.rows.iter().map(|row| {
            let high = height_of(row) * step;
            top += high;
            // The texts of a client are above its line.
            top - high * if matches!(row, Row::Client(_)) { 0.3 } else { 0.5 }
        });
        let lines = lines.collect();
        let labels = Labels::default();
        let mut sketch = DiagramSketch { diagram: self, canvas, warp, lines, area: body, labels };
        sketch.axis();
        sketch.bands(&lanes, area.top);
        sketch.rows(area.left);
        sketch.moment();
        sketch.arrows();
        sketch.operations();
        sketch.arrow_labels();
        sketch.role_labels();
        legend::draw(&mut sketch.canvas, self, at(area.left, legend_top + 14.0), area.right);
        sketch.canvas
    }
}

impl DiagramSketch<'_> {
    /// The times below the rows, and the breaks of the axis.
    fn axis(&mut self) {
        let Area { top, bottom, left, right } = self.area;
        let lettering = Lettering::new(SMALL, MUTED).anchored(Along::Middle, Across::Top);
        for (time, label) in self.warp.ticks() {
            let x = self.warp.x(time);
            let point = at(x, bottom + 14.0);
            let area = lettering.area(&label, point).grown(5.0);
            if area.left < left - 30.0 || area.right > right + 30.0 || !self.labels.take(area) {
                continue;
            }
            self.canvas.line(at(x, top), at(x, bottom + 8.0), Stroke::solid(GRID, 1.0));
            self.canvas.text(label, point, lettering);
        }
        for (from, until, _) in self.warp.breaks() {
            let hatch = Area { left: from, right: until, top, bottom };
            self.canvas.rect(hatch, GRID.with_alpha(0.35));
        }
        self.canvas.line(at(left, bottom), at(right, bottom), Stroke::solid(AXIS, 1.5));
        for (from, until, length) in self.warp.breaks() {
            let middle = f64::midpoint(from, until);
            let strip = Area {
                left: middle - 5.0,
                right: middle + 5.0,
                top: bottom - 6.0,
                bottom: bottom + 6.0,
            };
            self.canvas.rect(strip, WHITE);
            for side in [-5.0, 5.0] {
                let x = middle + side;
                let stroke = Stroke::solid(AXIS, 1.5);
                self.canvas.line(at(x - 3.0, bottom + 7.0), at(x + 3.0, bottom - 7.0), stroke);
            }
            let point = at(middle, bottom + 40.0);
            if self.labels.take(lettering.area(&length, point).grown(3.0)) {
                self.canvas.text(length, point, lettering);
            }
        }
    }

    /// Faults as bands, with their names above.
    fn bands(&mut self, lanes: &[usize], top: f64) {
        for (fault, lane) in self.diagram.faults.iter().zip(lanes) {
            let (from, until) = self.ends(fault.window);
            let y = top + LANE * *lane as f64;
            let color = bands::color(fault);
            if fault.stops.is_empty() {
                let band = Area { left: from, right: until, top: y, bottom: self.area.bottom };
                self.canvas.rect(band, color.with_alpha(0.13));
            } else {
                let band = Area { left: from, right: until, top: y, bottom: y + LANE - 3.0 };
                self.canvas.rect(band, color.with_alpha(0.13));
                for node in &fault.stops {
                    let Some(line) = self.line_of(*node) else { continue };
                    let band =
                        Area { left: from, right: until, top: line - 18.0, bottom: line + 18.0 };
                    self.canvas.rect(band, color.with_alpha(0.13));
                }
            }
            let bottom = if fault.stops.is_empty() { self.area.bottom } else { y + LANE - 3.0 };
            for (edge, time) in [(from, fault.window.from), (until, fault.window.until)] {
                if self.diagram.window.contains(time) {
                    let stroke = Stroke { color, width: 1.5, dash: Dash::Dashed };
                    self.canvas.line(at(edge, y), at(edge, bottom), stroke);
                }
            }
            let Area { left, right, .. } = self.area;
            let what = bands::named(fault);
            let wide = text_width(&what, SMALL, Weight::Bold);
            let start = (from + 6.0).min(right - wide).max(left);
            let what = shortened(&what, SMALL, Weight::Bold, right - left);
            let lettering = bands::lettering(fault);
            let point = at(start, y + LANE / 2.0 - 1.0);
            if self.labels.take(lettering.area(&what, point)) {
                self.canvas.text(what, point, lettering);
            }
        }
    }

    /// The names and lines of clients and nodes.
    fn rows(&mut self, left: f64) {
        let Area { left: begin, right, .. } = self.area;
        for (row, y) in self.diagram.rows.iter().zip(self.lines.clone()) {
            let lettering = Lettering::new(LABEL, INK).bold();
            let lettering = lettering.anchored(Along::Start, Across::Middle);
            self.canvas.text(row.name(), at(left, y), lettering);
            match row {
                Row::Client(_) => {
                    self.canvas.line(at(begin, y), at(right, y), Stroke::solid(AXIS, 1.2));
                }
                Row::Node(node) => self.life(*node, y),
            }
        }
    }

    /// A node's line: thick and coloured while it leads, none while it is down.
    fn life(&mut self, node: NodeId, y: f64) {
        let mine = self.diagram.spells.iter().filter(|spell| spell.node == node);
        for spell in mine.filter(|spell| spell.window.meets(self.diagram.window)) {
            let (from, until) = self.ends(spell.window);
            let line = |color, width, dash| Stroke { color, width, dash };
            let stroke = match spell.life {
                Life::Leads(_) => line(GREEN, 9.0, Dash::Solid),
                Life::Follows => line(MUTED, 3.0, Dash::Solid),
                Life::Candidate => line(ORANGE, 4.0, Dash::Solid),
                Life::Paused => line(AXIS, 3.0, Dash::Dotted),
                Life::Down => {
                    let stroke = Stroke::solid(VERMILLION, 3.0);
                    if self.diagram.window.contains(spell.window.from) {
                        self.canvas.line(at(from, y - 12.0), at(from, y + 12.0), stroke);
                    }
                    continue;
                }
            };
            self.canvas.line(at(from, y), at(until, y), stroke);
        }
    }

    /// The messages; those that the diagram is about are in front.
    fn arrows(&mut self) {
        for subject in [false, true] {
            for arrow in self.diagram.arrows.iter().filter(|arrow| arrow.subject == subject) {
                self.arrow(arrow);
            }
        }
    }

    fn arrow(&mut self, arrow: &Arrow) {
        let width = if arrow.subject { 2.8 } else { 1.5 };
        let mut stroke = Stroke::solid(arrow.class.color(), width);
        let (start, end) = self.transmission(arrow);
        let lost = Stroke::solid(VERMILLION, 3.0);
        match arrow.delivery {
            Delivery::Arrived(_) | Delivery::UnderWay(_) | Delivery::Undelivered(_) => {
                let start = match arrow.held_until {
                    // It waits at its sender's end of the link.
                    Some(until) => {
                        stroke.dash = Dash::Dashed;
                        let wait = at(self.warp.x(until), start.y + (end.y - start.y) * 0.12);
                        self.canvas.polyline(vec![start, at(start.x, wait.y), wait], stroke);
                        stroke.dash = Dash::Solid;
                        wait
                    }
                    None => start,
                };
                let (start, end, whole) = self.clipped(start, end);
                match whole {
                    true => self.canvas.arrow(start, end, stroke, 11.0),
                    false => self.canvas.line(start, end, stroke),
                }
                if is_lost(arrow.delivery) && whole {
                    self.canvas.cross(end, 7.0, lost);
                }
            }
            Delivery::Lost | Delivery::Blocked | Delivery::Held => {
                stroke.dash = Dash::Dashed;
                self.canvas.line(start, end, stroke);
                if is_lost(arrow.delivery) {
                    self.canvas.cross(end, 7.0, lost);
                }
            }
        }
    }

    /// The ends of a message's arrow.
    fn transmission(&self, arrow: &Arrow) -> (Point, Point) {
        // A message that waits at its sender is drawn from the edge of the picture on.
        let waits = arrow.held_until.is_some() || arrow.delivery == Delivery::Held;
        let sent = if waits { self.warp.x(arrow.sent_at) } else { self.warp.beyond(arrow.sent_at) };
        let start = at(sent, self.lines[arrow.from]);
        let full = self.lines[arrow.to];
        let end = match arrow.delivery {
            Delivery::Arrived(time) | Delivery::UnderWay(time) | Delivery::Undelivered(time) => {
                at(self.warp.beyond(time), full)
            }
            // It never left its sender: a stump in the direction of its receiver.
            Delivery::Lost | Delivery::Blocked | Delivery::Held => {
                let down = if full > start.y { 1.0 } else { -1.0 };
                // Stumps to different receivers are side by side.
                let further = arrow.from.abs_diff(arrow.to).min(5) as f64 - 1.0;
                let x = start.x + self.lean(arrow, down) + 15.0 * further;
                at(x.min(self.area.right - 8.0), start.y + down * STUMP)
            }
        };
        // Arrows begin and end at the edge of a node's thick line.
        let edge =
            |row: usize| if matches!(self.diagram.rows[row], Row::Node(_)) { 5.0 } else { 1.0 };
        let down = if full > start.y { 1.0 } else { -1.0 };
        let start = at(start.x, start.y + down * edge(arrow.from));
        let end = if end.y == full { at(end.x, end.y - down * edge(arrow.to)) } else { end };
        (start, end)
    }

    /// How far a stump leans to the right, in pixels, so that it does not lie on an arrow from the
    /// same place.
    fn lean(&self, stump: &Arrow, down: f64) -> f64 {
        let siblings = self.diagram.arrows.iter().filter_map(|other| {
            let (from, to) = (self.lines[other.from], self.lines[other.to]);
            let is_sibling = (other.from, other.sent_at) == (stump.from, stump.sent_at);
            match other.delivery {
                Delivery::Arrived(at) if is_sibling && (to - from) * down > 0.0 => {
                    let wide = self.warp.beyond(at) - self.warp.beyond(other.sent_at);
                    Some(wide / (to - from).abs())
                }
                _ => None,
            }
        });
        let slants: Vec<f64> = siblings.collect();
        let is_free = |lean: &&f64| slants.iter().all(|slant| (slant - **lean / STUMP).abs() > 0.3);
        [18.0, 3.0, 34.0].iter().find(is_free).copied().unwrap_or(18.0)
    }

    /// The part of a line inside the picture, and whether its end is inside.
    fn clipped(&self, start: Point, end: Point) -> (Point, Point, bool) {
        let Area { left, right, .. } = self.area;
        let cut = |x: f64| at(x, start.y + (end.y - start.y) * (x - start.x) / (end.x - start.x));
        let from = if start.x < left && end.x > start.x { cut(left) } else { start };
        let whole = end.x <= right;
        (from, if whole { end } else { cut(right) }, whole)
    }

    /// The operations as bars, with their texts.
    fn operations(&mut self) {
        for operation in &self.diagram.operations {
            let y = self.lines[operation.row];
            let (from, until) = self.ends(operation.window);
            let (from, until) = (from, until.max(from + 6.0).min(self.area.right));
            let color = operation.outcome.color();
            let bar =
                Area { left: from.min(until - 6.0), right: until, top: y - 7.0, bottom: y + 7.0 };
            self.canvas.rect(bar, WHITE);
            self.canvas.rect(bar, color.with_alpha(if operation.subject { 0.75 } else { 0.35 }));
            self.canvas.frame(bar, Stroke::solid(color, 1.5));
        }
        for subject in [true, false] {
            for operation in
                self.diagram.operations.iter().filter(|operation| operation.subject == subject)
            {
                self.operation_text(operation);
            }
        }
    }

    /// A line at the moment when something went wrong.
    fn moment(&mut self) {
        let Some(moment) = self.diagram.moment else { return };
        if !self.diagram.window.contains(moment) {
            return;
        }
        let x = self.warp.x(moment);
        let stroke = Stroke { color: VERMILLION, width: 2.0, dash: Dash::Dotted };
        self.canvas.line(at(x, self.area.top), at(x, self.area.bottom), stroke);
    }

    /// The horizontal places of both ends of a window.
    fn ends(&self, window: Window) -> (f64, f64) {
        (self.warp.x(window.from), self.warp.x(window.until))
    }

    fn line_of(&self, node: NodeId) -> Option<f64> {
        let place = self.diagram.rows.iter().position(|row| *row == Row::Node(node))?;
        Some(self.lines[place])
    }
}

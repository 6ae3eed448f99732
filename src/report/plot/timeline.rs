//! A run over time: outcomes, latencies, replication lags and leaders, with the faults through all
//! panels.

use std::collections::BTreeSet;

use crate::explain::chronicle::{self, Chronicle, FaultSpan, Lag, Life, Spell};
use crate::history::{Entry, Function};
use crate::id::{NodeId, Term};
use crate::named::Named;
use crate::report::layout::grouped;
use crate::time::{Span, Time};

use super::axis::ChartAxis;
use super::bands::{self, LANE};
use super::canvas::{Across, Along, Area, Canvas, Dash, Lettering, Stroke, at};
use super::diagram::OperationOutcome;
use super::frame::captioned;
use super::lettering::{Weight, shortened, text_width};
use super::style::{
    AXIS, BODY, CURVE, Color, GREEN, GRID, INK, LABEL, MARK, MUTED, Marker, ORANGE, PALETTE,
    PURPLE, SMALL, VERMILLION, WHITE, curve_color,
};
use super::{Caption, Picture, PlottedRun, render};

#[cfg(test)]
mod tests;

/// The width of a timeline in pixels.
const WIDTH: u32 = 1800;
/// A height in which every caption fits, in pixels.
const ROOM: u32 = 2000;
/// The heights of the panels with their headings, in pixels; the last one depends on its rows.
const OUTCOMES: f64 = 250.0;
const LATENCIES: f64 = 330.0;
const LAGS: f64 = 250.0;
/// The height of a node's row in the panel of leaders, in pixels.
const ROW: f64 = 32.0;
/// Room above a panel for its heading, in pixels.
const HEADING: f64 = 58.0;
/// Room below the last panel for the times, in pixels.
const FOOT: f64 = 78.0;
/// Room at the left for the numbers of the vertical axes, in pixels.
const SCALE: f64 = 92.0;
/// Room at the right for the legends, in pixels.
const LEGEND: f64 = 200.0;
/// The height that the legend of leaders needs, in pixels.
const LEAST_LEGEND: f64 = 140.0;
/// The most bars over the whole run.
const MOST_BARS: u64 = 100;
/// The most nodes with a row.
const MOST_ROWS: usize = 20;
/// The colour of a node that follows.
const FOLLOWS: Color = Color::new(170, 170, 170);

/// An operation of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationPoint {
    /// When it was invoked, in virtual time.
    pub at: Time,
    /// How long it took.
    pub latency: Span,
    /// Its function.
    pub function: Function,
    /// How it ended.
    pub outcome: OperationOutcome,
    /// Whether it got no answer; its latency is then the time that its client waited.
    pub censored: bool,
}

/// The timeline of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Its words.
    pub caption: Caption,
    /// When the run ended, in virtual time.
    pub ended_at: Time,
    /// How many nodes there are.
    pub nodes: u16,
    /// Every operation, in the order of invocation.
    pub points: Vec<OperationPoint>,
    /// The replication lag of each node.
    pub lags: Vec<Lag>,
    /// The lives of all nodes.
    pub spells: Vec<Spell>,
    /// The faults, in the order in which they began.
    pub faults: Vec<FaultSpan>,
}

impl Timeline {
    /// The timeline of a run.
    #[must_use]
    pub fn of(run: &PlottedRun<'_>, chronicle: &Chronicle, faults: &[FaultSpan]) -> Self {
        let result = run.result;
        let point = |entry: &Entry| OperationPoint {
            at: entry.invoked_at,
            latency: entry.ended_at(result.ended_at).since(entry.invoked_at),
            function: entry.function,
            outcome: OperationOutcome::of(entry),
            censored: entry.node.is_none(),
        };
        let nodes = run.config.cluster.nodes;
        Self {
            caption: run.caption(
                "All panels share one axis, virtual time; shaded is when a fault was on. Each \
                 operation counts, and has its latency, at its invocation."
                    .to_owned(),
            ),
            ended_at: result.ended_at,
            nodes,
            points: result.history.entries().iter().map(point).collect(),
            lags: chronicle::lags(&chronicle.node_events, nodes),
            spells: chronicle.spells(nodes),
            faults: faults.to_vec(),
        }
    }

    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.sketch())
    }

    /// The shapes of the picture.
    #[must_use]
    pub fn sketch(&self) -> Canvas {
        let (_, bare) = captioned(&self.caption, WIDTH, ROOM);
        let across =
            Shared { left: bare.left + SCALE, right: bare.right - LEGEND, end: self.ended_at };
        let ends = |fault: &FaultSpan| (across.x(fault.window.from), across.x(fault.window.until));
        let (lanes, lane_count) = bands::lanes(&self.faults, ends, across.right);
        let rows = self.rows();
        let leaders = HEADING + ROW * rows.len() as f64;
        let body = LANE * lane_count as f64 + OUTCOMES + LATENCIES + LAGS + leaders;
        let height = f64::from(ROOM) - bare.height() + body + FOOT;
        let (canvas, area) = captioned(&self.caption, WIDTH, height.ceil() as u32);
        let mut top = area.top + LANE * lane_count as f64;
        let mut panel = |high: f64| {
            let panel = Area {
                left: across.left,
                right: across.right,
                top: top + HEADING,
                bottom: top + high,
            };
            top += high;
            panel
        };
        let panels = [panel(OUTCOMES), panel(LATENCIES), panel(LAGS), panel(leaders)];
        let mut sketch = TimelineSketch { timeline: self, canvas, across };
        sketch.time_axis(&panels);
        sketch.bands(&lanes, area.top, &panels);
        sketch.outcomes(panels[0]);
        sketch.latencies(panels[1]);
        sketch.lags(panels[2]);
        sketch.leaders(panels[3], &rows);
        sketch.canvas
    }

    /// The nodes that have a row: all, or if they are many those that ever led or were down.
    fn rows(&self) -> Vec<NodeId> {
        let all = NodeId::all(self.nodes);
        if usize::from(self.nodes) <= MOST_ROWS {
            return all.collect();
        }
        let notable = |node: &NodeId| {
            let mut mine = self.spells.iter().filter(|spell| spell.node == *node);
            mine.any(|spell| matches!(spell.life, Life::Leads(_) | Life::Down))
        };
        all.filter(notable).take(MOST_ROWS).collect()
    }
}

/// The time axis of all panels.
#[derive(Clone, Copy, Debug)]
struct Shared {
    left: f64,
    right: f64,
    end: Time,
}

impl Shared {
    fn x(&self, at: Time) -> f64 {
        let share = at.min(self.end).nanos() as f64 / self.end.nanos().max(1) as f64;
        self.left + (self.right - self.left) * share
    }
}

/// A timeline that is being drawn.
struct TimelineSketch<'a> {
    timeline: &'a Timeline,
    canvas: Canvas,
    across: Shared,
}

impl TimelineSketch<'_> {
    /// Lines at round times through all panels, with the times below the last panel.
    fn time_axis(&mut self, panels: &[Area]) {
        let (left, right) = (self.across.left, self.across.right);
        let end = self.timeline.ended_at.nanos() as f64;
        let axis =
            ChartAxis::nanoseconds("Virtual time", 0.0, end, ChartAxis::ticks_across(right - left));
        let base = panels.iter().map(|panel| panel.bottom).fold(0.0, f64::max);
        let lettering = Lettering::new(LABEL, MUTED).anchored(Along::Middle, Across::Top);
        for tick in axis.ticks.iter().filter(|tick| tick.value <= end) {
            let x = self.across.x(Time::from_nanos(tick.value as u64));
            for panel in panels {
                self.canvas.line(at(x, panel.top), at(x, panel.bottom), Stroke::solid(GRID, 1.3));
            }
            self.canvas.text(tick.label.as_str(), at(x, base + 12.0), lettering);
        }
        let title = Lettering::new(BODY, INK).anchored(Along::Middle, Across::Top);
        self.canvas.text(axis.title, at(f64::midpoint(left, right), base + 40.0), title);
    }

    /// Faults as bands through all panels, with their names above.
    fn bands(&mut self, lanes: &[usize], top: f64, panels: &[Area]) {
        let mut named: Vec<Area> = Vec::new();
        for (fault, lane) in self.timeline.faults.iter().zip(lanes) {
            let (from, until) =
                (self.across.x(fault.window.from), self.across.x(fault.window.until));
            let (y, color) = (top + LANE * *lane as f64, bands::color(fault));
            let bottom = panels.iter().map(|panel| panel.bottom).fold(0.0, f64::max);
            let band = Area { left: from, right: until, top: y, bottom };
            self.canvas.rect(band, color.with_alpha(0.14));
            let edge = Stroke { color, width: 1.0, dash: Dash::Dashed };
            self.canvas.line(at(from, y), at(from, bottom), edge);
            let (lettering, name) = (bands::lettering(fault), bands::named(fault));
            let name = shortened(&name, SMALL, Weight::Bold, self.across.right - self.across.left);
            let wide = text_width(&name, SMALL, Weight::Bold);
            let start = (from + 6.0).min(self.across.right - wide);
            let point = at(start, y + LANE / 2.0 - 1.0);
            let area = lettering.area(&name, point);
            if named.iter().all(|other| !other.overlaps(&area)) {
                named.push(area);
                self.canvas.text(name, point, lettering);
            }
        }
    }

    /// The heading and the vertical axis of a panel.
    fn frame(&mut self, panel: Area, axis: &ChartAxis, heading: &str) {
        let title = Lettering::new(BODY, INK).anchored(Along::Start, Across::Bottom);
        let heading = shortened(heading, BODY, Weight::Regular, panel.width());
        self.canvas.text(heading, at(panel.left, panel.top - 10.0), title);
        let lettering = Lettering::new(LABEL, MUTED).anchored(Along::End, Across::Middle);
        let mut taken: Option<Area> = None;
        for tick in &axis.ticks {
            let y = panel.bottom - axis.share(tick.value) * panel.height();
            self.canvas.line(at(panel.left, y), at(panel.right, y), Stroke::solid(GRID, 1.0));
            let point = at(panel.left - 12.0, y);
            let area = lettering.area(&tick.label, point).grown(2.0);
            if taken.is_none_or(|taken| !taken.overlaps(&area)) {
                self.canvas.text(tick.label.as_str(), point, lettering);
                taken = if tick.label.is_empty() { taken } else { Some(area) };
            }
        }
        let base = at(panel.left, panel.bottom);
        self.canvas.line(base, at(panel.right, base.y), Stroke::solid(AXIS, 1.5));
    }

    /// The legend at the right of a panel; it shows as many entries as there is room for.
    fn legend(&mut self, panel: Area, entries: &[(LegendKey, String)]) {
        let step = 27.0;
        let room = ((panel.height() / step) as usize).max(1);
        let x = panel.right + 24.0;
        let lettering = Lettering::new(LABEL, INK).anchored(Along::Start, Across::Middle);
        let wide = LEGEND - 24.0 - 34.0;
        for (place, (key, label)) in entries.iter().take(room).enumerate() {
            let y = panel.top + 10.0 + step * place as f64;
            let middle = at(x + 11.0, y);
            match key {
                LegendKey::Fill(color) => {
                    let area = Area { left: x, right: x + 22.0, top: y - 8.0, bottom: y + 8.0 };
                    self.canvas.rect(area, *color);
                }
                LegendKey::Line(color) => {
                    self.canvas.line(at(x, y), at(x + 22.0, y), Stroke::solid(*color, CURVE));
                }
                LegendKey::Spot(marker, color) => self.canvas.marker(*marker, middle, MARK, *color),
                LegendKey::Hollow(marker, color) => {
                    hollow(&mut self.canvas, *marker, middle, *color);
                }
            }
            let is_last = place + 1 == room && entries.len() > room;
            let text =
                if is_last { format!("and {} more", entries.len() - place) } else { label.clone() };
            let text = shortened(&text, LABEL, Weight::Regular, wide);
            self.canvas.text(text, at(x + 34.0, y), lettering);
        }
    }

    /// The panel of operations by outcome, in bars by time of invocation.
    fn outcomes(&mut self, panel: Area) {
        let end = self.timeline.ended_at.nanos().max(1);
        let interval = round_up(end.div_ceil(MOST_BARS));
        let mut counts = vec![[0_u64; 4]; (end / interval + 1) as usize];
        for point in &self.timeline.points {
            counts[(point.at.nanos() / interval) as usize][point.outcome as usize] += 1;
        }
        let most = counts.iter().map(|bar| bar.iter().sum::<u64>()).max().unwrap_or(0).max(1);
        let axis =
            ChartAxis::numbers("", 0.0, most as f64, ChartAxis::ticks_up(panel.height()).min(5));
        let axis = whole_ticks(axis);
        let each = Span::from_nanos(interval).short();
        self.frame(panel, &axis, &format!("Operations invoked in each {each}, by outcome"));
        for (place, bar) in counts.iter().enumerate() {
            let from = self.across.x(Time::from_nanos(place as u64 * interval));
            let until = self.across.x(Time::from_nanos((place as u64 + 1) * interval));
            let gap = ((until - from) * 0.12).min(2.0);
            let mut sum = 0;
            for outcome in OperationOutcome::all() {
                let count = bar[outcome as usize];
                if count == 0 {
                    continue;
                }
                let y = |count: u64| panel.bottom - axis.share(count as f64) * panel.height();
                let (bottom, top) = (y(sum), y(sum + count));
                let area = Area {
                    left: from + gap,
                    right: (until - gap).max(from + gap + 1.0),
                    top,
                    bottom,
                };
                self.canvas.rect(area, outcome.color());
                sum += count;
            }
        }
        let total = |outcome| self.timeline.points.iter().filter(|p| p.outcome == outcome).count();
        let entries =
            OperationOutcome::all().filter(|outcome| total(*outcome) > 0).map(|outcome| {
                let label = format!("{} {}", outcome.name(), grouped(total(outcome) as u64));
                (LegendKey::Fill(outcome.color()), label)
            });
        self.legend(panel, &entries.collect::<Vec<_>>());
    }

    /// The panel of latencies, by function. Operations without an answer are at the top.
    fn latencies(&mut self, panel: Area) {
        let answered = || self.timeline.points.iter().filter(|point| !point.censored);
        let longest = answered().map(|point| point.latency.nanos()).max().unwrap_or(0);
        let least = answered().map(|point| point.latency.nanos()).filter(|ns| *ns > 0).min();
        let least = least.unwrap_or(1);
        // A strip at the top for operations whose latency is not known.
        let plot = Area { top: panel.top + 26.0, ..panel };
        let axis = if longest / least > 30 {
            ChartAxis::nanoseconds_by_decades("", least as f64, longest as f64)
        } else {
            ChartAxis::nanoseconds(
                "",
                0.0,
                longest.max(1_000_000) as f64,
                ChartAxis::ticks_up(plot.height()).min(5),
            )
        };
        let unit = axis.title.trim();
        self.frame(plot, &axis, "");
        let heading = Lettering::new(BODY, INK).anchored(Along::Start, Across::Bottom);
        let heading_at = at(panel.left, panel.top - 10.0);
        self.canvas.text(
            format!("Latency of each operation {unit}").trim_end(),
            heading_at,
            heading,
        );
        let mut drawn = BTreeSet::new();
        let mut marks = Vec::new();
        for point in &self.timeline.points {
            let x = self.across.x(point.at);
            let up = axis.share(point.latency.nanos() as f64) * plot.height();
            let y = if point.censored { panel.top + 11.0 } else { plot.bottom - up };
            // One of several points on one spot is enough.
            let spot = (x.round() as i64, y.round() as i64, point.function, point.censored);
            if drawn.insert(spot) {
                marks.push((at(x, y), point.function, point.censored));
            }
        }
        let radius = if marks.len() > 1500 { 2.4 } else { 3.6 };
        for (center, function, censored) in marks {
            let (marker, color) = look(function);
            if censored {
                hollow(&mut self.canvas, marker, center, color);
            } else {
                self.canvas.marker(marker, center, radius, color.with_alpha(0.7));
            }
        }
        let used = |function: &Function| answered().any(|point| point.function == *function);
        let mut entries: Vec<(LegendKey, String)> = Function::all()
            .filter(used)
            .map(|function| {
                (LegendKey::Spot(look(function).0, look(function).1), function.name().to_owned())
            })
            .collect();
        let silent = self.timeline.points.iter().find(|point| point.censored);
        if let Some(point) = silent {
            let (marker, color) = look(point.function);
            entries.push((LegendKey::Hollow(marker, color), "no answer".to_owned()));
        }
        self.legend(panel, &entries);
    }

    /// The panel of replication lags, in writes.
    fn lags(&mut self, panel: Area) {
        let values =
            self.timeline.lags.iter().flat_map(|lag| lag.steps.iter().filter_map(|(_, lag)| *lag));
        let most = values.max().unwrap_or(0).max(1);
        let axis =
            ChartAxis::numbers("", 0.0, most as f64, ChartAxis::ticks_up(panel.height()).min(5));
        let axis = whole_ticks(axis);
        self.frame(
            panel,
            &axis,
            "Replication lag: writes that the leader has applied and the node has not",
        );
        let mut entries = Vec::new();
        let follows = |lag: &&Lag| lag.steps.iter().any(|(_, value)| value.is_some());
        let lags: Vec<&Lag> = self.timeline.lags.iter().filter(follows).collect();
        for (place, lag) in lags.iter().enumerate() {
            let color = curve_color(place, lags.len());
            // The first are the thickest, so that hidden ones show.
            let width = 2.0 + ((lags.len() - 1 - place) as f64 * 0.9).min(4.5);
            for piece in
                self.pieces(lag, |value| panel.bottom - axis.share(value as f64) * panel.height())
            {
                self.canvas.polyline(piece, Stroke::solid(color, width));
            }
            entries.push((LegendKey::Line(color), lag.node.to_string()));
        }
        self.legend(panel, &entries);
    }

    /// A lag as lines from step to step, with gaps where there is none. Of many steps in a pixel
    /// only the highest and the last are kept.
    fn pieces(&self, lag: &Lag, y: impl Fn(u64) -> f64) -> Vec<Vec<super::canvas::Point>> {
        let mut pieces = Vec::new();
        let mut piece: Vec<super::canvas::Point> = Vec::new();
        let ends = lag.steps.iter().skip(1).map(|(at, _)| *at).chain([self.timeline.ended_at]);
        for ((from, value), until) in lag.steps.iter().zip(ends) {
            let Some(value) = value else {
                pieces.push(std::mem::take(&mut piece));
                continue;
            };
            let (start, end, high) = (self.across.x(*from), self.across.x(until), y(*value));
            match (piece.len(), piece.last().copied()) {
                // Still in the pixel where the last step ended.
                (count, Some(last)) if end - last.x < 1.0 => {
                    if count > 2 && piece[count - 2].x == last.x && piece[count - 3].x == last.x {
                        piece[count - 2].y = piece[count - 2].y.min(high);
                        piece[count - 1].y = high;
                    } else {
                        piece.extend([at(last.x, last.y.min(high)), at(last.x, high)]);
                    }
                }
                (_, Some(last)) => {
                    piece.extend([at(start, last.y), at(start, high), at(end, high)]);
                }
                (_, None) => piece.extend([at(start, high), at(end, high)]),
            }
        }
        pieces.push(piece);
        pieces.retain(|piece| piece.len() > 1);
        pieces
    }

    /// The panel of leaders: who led, was a candidate, paused or down.
    fn leaders(&mut self, panel: Area, rows: &[NodeId]) {
        let title = Lettering::new(BODY, INK).anchored(Along::Start, Across::Bottom);
        self.canvas.text("Who led, by term", at(panel.left, panel.top - 10.0), title);
        let name = Lettering::new(LABEL, MUTED).anchored(Along::End, Across::Middle);
        for (place, node) in rows.iter().enumerate() {
            let y = panel.top + ROW * (place as f64 + 0.5);
            self.canvas.text(node.to_string(), at(panel.left - 12.0, y), name);
            let mine = self.timeline.spells.iter().filter(|spell| spell.node == *node);
            for spell in mine {
                self.spell(spell, y);
            }
        }
        let base = at(panel.left, panel.bottom);
        self.canvas.line(base, at(panel.right, base.y), Stroke::solid(AXIS, 1.5));
        let kind = |life: Life| match life {
            Life::Leads(_) => (LegendKey::Fill(GREEN), "leads"),
            Life::Candidate => (LegendKey::Line(ORANGE), "candidate"),
            Life::Follows => (LegendKey::Line(FOLLOWS), "follows"),
            Life::Paused => (LegendKey::Line(PURPLE), "paused"),
            Life::Down => (LegendKey::Line(VERMILLION), "down"),
        };
        let mut entries: Vec<(LegendKey, String)> = Vec::new();
        for (key, label) in self.timeline.spells.iter().map(|spell| kind(spell.life)) {
            if entries.iter().all(|(_, other)| other != label) {
                entries.push((key, label.to_owned()));
            }
        }
        let order = ["leads", "follows", "candidate", "paused", "down"];
        entries.sort_by_key(|(_, label)| order.iter().position(|other| other == label));
        // The legend may be taller than the last panel: nothing is below it.
        let tall = Area { bottom: panel.bottom.max(panel.top + LEAST_LEGEND), ..panel };
        self.legend(tall, &entries);
    }

    fn spell(&mut self, spell: &Spell, y: f64) {
        let (from, until) = (self.across.x(spell.window.from), self.across.x(spell.window.until));
        let line = |color, width, dash| Stroke { color, width, dash };
        let stroke = match spell.life {
            Life::Leads(term) => {
                let until = until.max(from + 1.5).min(self.across.right);
                let band = Area { left: from, right: until, top: y - 11.0, bottom: y + 11.0 };
                // Neighbouring terms have different shades.
                let shade = if term.0.is_multiple_of(2) { 0.0 } else { 0.25 };
                self.canvas.rect(band, GREEN.toward(WHITE, shade));
                let text = if term == Term(0) { String::new() } else { format!("term {term}") };
                if text_width(&text, SMALL, Weight::Bold) + 8.0 < until - from {
                    let lettering = Lettering::new(SMALL, WHITE).bold();
                    let lettering = lettering.anchored(Along::Middle, Across::Middle);
                    self.canvas.text(text, at(f64::midpoint(from, until), y), lettering);
                }
                return;
            }
            Life::Follows => line(FOLLOWS, 2.0, Dash::Solid),
            Life::Candidate => line(ORANGE, 4.0, Dash::Solid),
            Life::Paused => line(PURPLE, 4.0, Dash::Dotted),
            Life::Down => line(VERMILLION, 3.0, Dash::Dotted),
        };
        self.canvas.line(at(from, y), at(until, y), stroke);
    }
}

/// The sample of an entry in a legend.
#[derive(Clone, Copy, Debug)]
enum LegendKey {
    Fill(Color),
    Line(Color),
    Spot(Marker, Color),
    Hollow(Marker, Color),
}

/// The marker and the colour of a function. There are more functions than colours: a batch has the
/// colour of a clear, which is rare.
fn look(function: Function) -> (Marker, Color) {
    let colored = if function == Function::Batch { Function::Clear } else { function };
    (Marker::of(function as usize), PALETTE[colored as usize])
}

/// A marker, white inside.
fn hollow(canvas: &mut Canvas, marker: Marker, center: super::canvas::Point, color: Color) {
    canvas.marker(marker, center, MARK, color);
    canvas.marker(marker, center, MARK - 2.4, WHITE);
}

/// The least of 1, 2 and 5 times a power of ten that is at least `ns`.
fn round_up(ns: u64) -> u64 {
    let decades = (0..19).map(|power| 10_u64.pow(power));
    let mut steps = decades.flat_map(|ten| [1, 2, 5].map(|times| ten.saturating_mul(times)));
    steps.find(|step| *step >= ns).unwrap_or(u64::MAX)
}

/// The axis, with whole numbers only.
fn whole_ticks(mut axis: ChartAxis) -> ChartAxis {
    axis.ticks.retain(|tick| tick.value.fract() == 0.0);
    for tick in &mut axis.ticks {
        tick.label = grouped(tick.value as u64);
    }
    axis
}

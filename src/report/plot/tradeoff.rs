//! Durability against latency: a point for each configuration, and their Pareto front.

use super::axis::ChartAxis;
use super::canvas::{Across, Along, Area, Canvas, Lettering, Point, Stroke, at};
use super::frame::{HEIGHT, LegendEntry, Plot, Sample, WIDTH, captioned, legend, legend_row};
use super::lettering::{FALL, LEADING, RISE, Weight, widest, wrapped};
use super::style::{AXIS, BLUE, CURVE, Color, INK, LABEL, MARK, MUTED, Marker, ORANGE, WHITE};
use super::{Caption, Interval, Picture, render, wide};

/// The widest label beside a point, in pixels.
const WIDEST: f64 = 250.0;
/// The distances of a label from its point that are tried, in pixels. Beyond the second a line
/// leads to the point.
const DISTANCES: [f64; 7] = [12.0, 26.0, 46.0, 72.0, 104.0, 150.0, 210.0];
/// The directions of a label from its point that are tried, the best first: right, left, up, down,
/// then diagonal.
const DIRECTIONS: [(f64, f64); 12] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
    (0.3, -0.95),
    (0.3, 0.95),
    (-0.3, -0.95),
    (-0.3, 0.95),
];

/// Durability against latency.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeoffChart {
    /// Its words.
    pub caption: Caption,
    /// The configurations.
    pub points: Vec<TradeoffPoint>,
}

/// One configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeoffPoint {
    /// The configuration.
    pub label: String,
    /// The latency, in nanoseconds.
    pub latency: Interval,
    /// The share of acknowledged writes that were lost, from 0 to 1.
    pub lost: Interval,
}

/// The Pareto front: the points for which no other is better in latency or loss and at least as
/// good in the other.
///
/// They are in the order of latency. Of points that are equal in both, all are on the front or
/// none.
#[must_use]
pub fn front(points: &[TradeoffPoint]) -> Vec<usize> {
    let beats = |a: &TradeoffPoint, b: &TradeoffPoint| {
        let (x, y) = ((a.latency.value, a.lost.value), (b.latency.value, b.lost.value));
        x.0 <= y.0 && x.1 <= y.1 && x != y
    };
    let unbeaten = |i: &usize| !points.iter().any(|other| beats(other, &points[*i]));
    let mut front: Vec<_> = (0..points.len()).filter(unbeaten).collect();
    front.sort_by(|a, b| points[*a].latency.value.total_cmp(&points[*b].latency.value));
    front
}

impl TradeoffChart {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.canvas())
    }

    /// With the names beside the points if there is room, else with numbers that a legend explains.
    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let entry = |label: &str, sample| LegendEntry { label: label.to_owned(), sample };
        let entries = [
            entry("on the Pareto front: beaten by no other", Sample::Spot(BLUE, Marker::Circle)),
            entry("beaten by another", Sample::Spot(ORANGE, Marker::Square)),
            entry("confidence interval", Sample::Line(Stroke::solid(AXIS, 2.0), None)),
        ];
        let area = legend_row(&mut canvas, area, &entries);
        let front = front(&self.points);
        let mut named = canvas.clone();
        let names: Vec<_> = self.points.iter().map(|point| point.label.clone()).collect();
        if self.draw_plot(&mut named, area, &front, &names) {
            return named;
        }
        let entry = |(i, name): (usize, &String)| {
            let (marker, color) = look(front.contains(&i));
            LegendEntry { label: format!("{}: {name}", i + 1), sample: Sample::Spot(color, marker) }
        };
        let entries: Vec<_> = names.iter().enumerate().map(entry).collect();
        let area = legend(&mut canvas, area, &entries);
        let numbers: Vec<_> = (1..=names.len()).map(|number| number.to_string()).collect();
        self.draw_plot(&mut canvas, area, &front, &numbers);
        canvas
    }

    /// Draws the plot with `labels` at its points. Returns whether all have room and cross nothing.
    fn draw_plot(
        &self,
        canvas: &mut Canvas,
        area: Area,
        front: &[usize],
        labels: &[String],
    ) -> bool {
        let plot = Plot::new(canvas, area, self.x_axis(area.width()), self.y_axis(area.height()));
        let line = front_line(&plot, &self.points, front);
        draw_front(canvas, &plot, &line);
        for point in &self.points {
            draw_intervals(canvas, &plot, point);
        }
        for (i, point) in self.points.iter().enumerate() {
            let place = plot.at(point.latency.value, point.lost.value);
            let (marker, color) = look(front.contains(&i));
            canvas.spot(marker, place, MARK + 1.5, color);
        }
        self.draw_labels(canvas, &plot, &line, labels)
    }

    fn x_axis(&self, width: f64) -> ChartAxis {
        let latencies = || self.points.iter().map(|point| &point.latency);
        let high = latencies().map(|latency| latency.high).fold(0.0, f64::max);
        let low =
            latencies().map(|latency| latency.low).filter(|low| *low > 0.0).fold(high, f64::min);
        if wide(low, high) {
            return ChartAxis::nanoseconds_by_decades("Latency", low / 1.5, high * 1.5);
        }
        ChartAxis::nanoseconds("Latency", 0.0, high * 1.08, ChartAxis::ticks_across(width))
    }

    fn y_axis(&self, height: f64) -> ChartAxis {
        const TITLE: &str = "Acknowledged writes lost";
        let high = self.points.iter().map(|point| point.lost.high).fold(0.0, f64::max);
        let values = self.points.iter().map(|point| point.lost.value);
        let low = values.filter(|lost| *lost > 0.0).fold(high, f64::min);
        if wide(low, high) {
            return ChartAxis::shares_by_decades(TITLE, low / 4.0, (high * 1.3).min(1.0))
                .with_zero("0%");
        }
        // Even if nothing was lost, the axis needs a range.
        let high = if high > 0.0 { (high * 1.1).min(1.0) } else { 0.01 };
        ChartAxis::shares(TITLE, 0.0, high, ChartAxis::ticks_up(height))
    }

    /// Labels the points; a line leads to a distant label. A point without room gets no label.
    ///
    /// Returns whether all labels have room and cross nothing.
    fn draw_labels(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        front: &[Point],
        labels: &[String],
    ) -> bool {
        let place = |point: &TradeoffPoint| plot.at(point.latency.value, point.lost.value);
        let places: Vec<_> = self.points.iter().map(place).collect();
        let whiskers = self.points.iter().flat_map(|point| intervals(plot, point));
        let steps = front.windows(2).map(|ends| (ends[0], ends[1]));
        let mut room = Room {
            area: plot.area.grown(-4.0),
            markers: places.iter().map(|place| around(*place)).collect(),
            labels: Vec::new(),
            lines: whiskers.chain(steps).collect(),
        };
        let mut clean = true;
        let mut found = Vec::new();
        for (label, place) in labels.iter().zip(places) {
            let lines = wrapped(label, LABEL, Weight::Regular, WIDEST, usize::MAX);
            let Some(spot) = room.find(place, &lines).filter(|_| lines.len() <= 3) else {
                clean = false;
                continue;
            };
            clean &= spot.crossings == 0;
            room.labels.push(spot.area.grown(3.0));
            if let Some(leader) = spot.leader {
                room.lines.push(leader);
                canvas.line(leader.0, leader.1, Stroke::solid(MUTED, 1.2));
            }
            found.push((lines, spot.area));
        }
        // Above all lines, on a background that dims what lies below.
        for (lines, area) in found {
            canvas.rect(area.grown(2.0), WHITE.with_alpha(0.7));
            let lettering = Lettering::new(LABEL, INK).anchored(Along::Start, Across::Top);
            canvas.text_lines(&lines, at(area.left, area.top), lettering);
        }
        clean
    }
}

/// The look of a point: on the front, or not.
fn look(unbeaten: bool) -> (Marker, Color) {
    match unbeaten {
        true => (Marker::Circle, BLUE),
        false => (Marker::Square, ORANGE),
    }
}

/// The area of a marker at `place`.
fn around(place: Point) -> Area {
    Area { left: place.x, right: place.x, top: place.y, bottom: place.y }.grown(MARK + 3.0)
}

/// Two ends of a straight line.
type LineSegment = (Point, Point);

/// The room for labels.
struct Room {
    /// The area for labels.
    area: Area,
    /// The markers. No label touches one, and leader lines avoid them.
    markers: Vec<Area>,
    /// The labels so far. As for the markers.
    labels: Vec<Area>,
    /// Other lines. Labels avoid them if possible.
    lines: Vec<LineSegment>,
}

/// A place for a label.
#[derive(Clone, Copy)]
struct Spot {
    area: Area,
    /// The leader line to its point, if the point is not beside it.
    leader: Option<LineSegment>,
    /// How many lines it crosses, and how much its leader line crosses.
    crossings: usize,
}

impl Room {
    /// The best place near `place` for a label of these lines.
    fn find(&self, place: Point, lines: &[String]) -> Option<Spot> {
        /// The cost of a crossing in pixels: a crossed label is worse than a distant one.
        const COST: f64 = 90.0;
        let width = widest(lines, LABEL);
        let height = LABEL * (LEADING * (lines.len() as f64 - 1.0) + RISE + FALL);
        let mut best: Option<(f64, Spot)> = None;
        for distance in DISTANCES {
            for (rank, direction) in DIRECTIONS.into_iter().enumerate() {
                let area = beside(place, distance + MARK, direction, width, height);
                let mut taken = self.markers.iter().chain(&self.labels);
                if !self.area.contains(&area) || taken.any(|one| one.overlaps(&area)) {
                    continue;
                }
                let leader = (distance > DISTANCES[1]).then(|| leader(place, area));
                let crossings = self.crossings(place, area, leader);
                let cost = distance + rank as f64 * 2.0 + COST * crossings as f64;
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, Spot { area, leader, crossings }));
                }
            }
        }
        best.map(|(_, spot)| spot)
    }

    /// How many lines a label at `area` crosses, plus how many labels and markers its leader line
    /// crosses.
    fn crossings(&self, place: Point, area: Area, leader: Option<LineSegment>) -> usize {
        let crossed = self.lines.iter().filter(|line| crosses(**line, &area.grown(2.0))).count();
        let led = leader.map_or(0, |leader| {
            let own = around(place);
            let others = self.markers.iter().filter(|marker| **marker != own).chain(&self.labels);
            others.filter(|one| crosses(leader, one)).count()
        });
        crossed + led
    }
}

/// The area of a label at this `distance` from `place`, in this `direction`.
fn beside(place: Point, distance: f64, direction: (f64, f64), width: f64, height: f64) -> Area {
    // How much of the label lies before the point: none, half or all of it.
    let before = |part: f64| match part {
        part if part > 0.0 => 0.0,
        part if part < 0.0 => 1.0,
        _ => 0.5,
    };
    let left = place.x + direction.0 * distance - width * before(direction.0);
    let top = place.y + direction.1 * distance - height * before(direction.1);
    Area { left, top, right: left + width, bottom: top + height }
}

/// The leader line from a marker's edge to the nearest point of its label.
fn leader(place: Point, area: Area) -> LineSegment {
    let near = at(place.x.clamp(area.left, area.right), place.y.clamp(area.top, area.bottom));
    let (dx, dy) = (near.x - place.x, near.y - place.y);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let (start, end) = ((MARK + 4.0) / length, 1.0 - 4.0 / length);
    let along = |share: f64| at(place.x + dx * share, place.y + dy * share);
    (along(start), along(end))
}

/// Whether a line crosses `area`.
fn crosses(line: LineSegment, area: &Area) -> bool {
    // The part of the line, as shares from 0 to 1, between two edges.
    let between = |from: f64, to: f64, low: f64, high: f64| match to - from {
        0.0 if from > low && from < high => Some((0.0, 1.0)),
        0.0 => None,
        span => {
            let (a, b) = ((low - from) / span, (high - from) / span);
            Some((f64::min(a, b), f64::max(a, b)))
        }
    };
    let across = between(line.0.x, line.1.x, area.left, area.right);
    let down = between(line.0.y, line.1.y, area.top, area.bottom);
    across.zip(down).is_some_and(|((a, b), (c, d))| a.max(c).max(0.0) < b.min(d).min(1.0))
}

/// The two intervals of a point.
fn intervals(plot: &Plot, point: &TradeoffPoint) -> [LineSegment; 2] {
    let (x, y) = (plot.across(point.latency.value), plot.up(point.lost.value));
    [
        (at(plot.across(point.latency.low), y), at(plot.across(point.latency.high), y)),
        (at(x, plot.up(point.lost.low)), at(x, plot.up(point.lost.high))),
    ]
}

fn draw_intervals(canvas: &mut Canvas, plot: &Plot, point: &TradeoffPoint) {
    for (from, to) in intervals(plot, point) {
        canvas.line(from, to, Stroke::solid(AXIS, 2.0));
    }
}

/// The front as a staircase from the top of the plot to its right edge; empty without points.
fn front_line(plot: &Plot, points: &[TradeoffPoint], front: &[usize]) -> Vec<Point> {
    let place = |i: &usize| plot.at(points[*i].latency.value, points[*i].lost.value);
    let (Some(first), Some(last)) = (front.first().map(place), front.last().map(place)) else {
        return Vec::new();
    };
    let mut line = vec![at(first.x, plot.area.top)];
    for next in front.iter().map(place) {
        let before = line[line.len() - 1];
        // The first step falls straight onto the first point.
        line.extend([at(next.x, before.y), next]);
    }
    line.push(at(plot.area.right, last.y));
    line
}

/// Draws the front, and shades the area that it beats: above and to the right.
fn draw_front(canvas: &mut Canvas, plot: &Plot, line: &[Point]) {
    let corner = at(plot.area.right, plot.area.top);
    canvas.polygon([line, &[corner]].concat(), BLUE.with_alpha(0.05));
    canvas.polyline(line.to_vec(), Stroke::solid(BLUE.toward(WHITE, 0.45), CURVE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_no_other_beats() {
        let point = |latency, lost| TradeoffPoint {
            label: String::new(),
            latency: Interval::exact(latency),
            lost: Interval::exact(lost),
        };
        let points =
            [point(5.0, 0.0), point(1.0, 0.5), point(3.0, 0.1), point(4.0, 0.1), point(1.0, 0.6)];
        assert_eq!(front(&points), [1, 2, 0]);
        assert_eq!(front(&[point(1.0, 0.0), point(1.0, 0.0)]), [0, 1]);
        assert_eq!(front(&[]), Vec::<usize>::new());
    }
}

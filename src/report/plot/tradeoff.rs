//! Durability against latency: one point a configuration, and the front of those that no other beats at both.

use super::axis::Axis;
use super::canvas::{Across, Along, Area, Canvas, Lettering, Point, Stroke, at};
use super::frame::{Entry, HEIGHT, Plot, Sample, WIDTH, captioned, legend_row};
use super::lettering::{LEADING, RISE, Weight, text_width, wrapped};
use super::style::{AXIS, BLUE, CURVE, INK, LABEL, MARK, Marker, ORANGE};
use super::{Caption, Interval, Picture, wide};

/// The widest label beside a point, in pixels.
const WIDEST: f64 = 250.0;
/// How far labels are tried from their point, in pixels; beyond the first a line leads to the point.
const DISTANCES: [f64; 7] = [12.0, 26.0, 46.0, 72.0, 104.0, 150.0, 210.0];
/// The directions in which labels are tried, the best first: right, left, up, down, then aslant.
const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
];

/// What durability costs in latency.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeoffChart {
    /// What it says in words.
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

/// The Pareto front: the points that no other beats at one of latency and loss without being worse at the other.
///
/// They are in the order of their latency, the least first. Of points alike in both, all are on it or none.
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
        self.canvas().finish()
    }

    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let entry = |label: &str, sample| Entry { label: label.to_owned(), sample };
        let entries = [
            entry(
                "on the Pareto front: no other is better at both",
                Sample::Spot(BLUE, Marker::Circle),
            ),
            entry("beaten by another", Sample::Spot(ORANGE, Marker::Square)),
            entry("confidence interval", Sample::Line(Stroke::solid(AXIS, 2.0), None)),
        ];
        let area = legend_row(&mut canvas, area, &entries);
        let plot =
            Plot::new(&mut canvas, area, self.x_axis(area.width()), self.y_axis(area.height()));
        let front = front(&self.points);
        draw_front(&mut canvas, &plot, &self.points, &front);
        for point in &self.points {
            draw_intervals(&mut canvas, &plot, point);
        }
        for (i, point) in self.points.iter().enumerate() {
            let place = plot.at(point.latency.value, point.lost.value);
            let (marker, color) = match front.contains(&i) {
                true => (Marker::Circle, BLUE),
                false => (Marker::Square, ORANGE),
            };
            canvas.spot(marker, place, MARK + 1.5, color);
        }
        self.draw_labels(&mut canvas, &plot);
        canvas
    }

    fn x_axis(&self, width: f64) -> Axis {
        let latencies = || self.points.iter().map(|point| &point.latency);
        let high = latencies().map(|latency| latency.high).fold(0.0, f64::max);
        let low =
            latencies().map(|latency| latency.low).filter(|low| *low > 0.0).fold(high, f64::min);
        if wide(low, high) {
            return Axis::nanoseconds_by_decades("Latency", low / 1.5, high * 1.5);
        }
        Axis::nanoseconds("Latency", 0.0, high * 1.08, Axis::ticks_across(width))
    }

    fn y_axis(&self, height: f64) -> Axis {
        const TITLE: &str = "Acknowledged writes lost";
        let high = self.points.iter().map(|point| point.lost.high).fold(0.0, f64::max);
        let values = self.points.iter().map(|point| point.lost.value);
        let low = values.filter(|lost| *lost > 0.0).fold(high, f64::min);
        if wide(low, high) {
            return Axis::shares_by_decades(TITLE, low / 4.0, (high * 1.3).min(1.0)).with_zero();
        }
        // Nothing lost at all still wants an axis that says of what.
        let high = if high > 0.0 { (high * 1.1).min(1.0) } else { 0.01 };
        Axis::shares(TITLE, 0.0, high, Axis::ticks_up(height))
    }

    /// Labels every point where there is room, and leads a line to those that are far from theirs.
    fn draw_labels(&self, canvas: &mut Canvas, plot: &Plot) {
        let places: Vec<_> = self
            .points
            .iter()
            .map(|point| plot.at(point.latency.value, point.lost.value))
            .collect();
        let markers: Vec<_> = places.iter().map(|place| around(*place)).collect();
        let lines: Vec<_> = self.points.iter().flat_map(|point| intervals(plot, point)).collect();
        let mut room = Room { area: plot.area.grown(-4.0), taken: markers, lines };
        for (point, place) in self.points.iter().zip(places) {
            // The label gets narrower until it fits; where nothing does, the point stays without.
            let found = [usize::MAX, 24, 12, 6].into_iter().find_map(|letters| {
                let label = clipped(&point.label, letters);
                let lines = wrapped(&label, LABEL, Weight::Regular, WIDEST, 3);
                room.find(place, &lines).map(|found| (lines, found))
            });
            let Some((lines, (area, distance))) = found else { continue };
            if distance > DISTANCES[1] {
                let near =
                    at(place.x.clamp(area.left, area.right), place.y.clamp(area.top, area.bottom));
                canvas.line(place, near, Stroke::solid(AXIS, 1.2));
                let marker = around(place);
                canvas.circle(place, (marker.width() / 6.0).min(2.5), INK);
            }
            let lettering = Lettering::new(LABEL, INK).anchored(Along::Start, Across::Top);
            canvas.text_lines(&lines, at(area.left, area.top), lettering);
            room.taken.push(area.grown(3.0));
        }
    }
}

/// `text`, or its first letters with an ellipsis.
fn clipped(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}

/// What a marker at `place` covers.
fn around(place: Point) -> Area {
    Area { left: place.x, right: place.x, top: place.y, bottom: place.y }.grown(MARK + 3.0)
}

/// Where labels may be.
struct Room {
    /// No label leaves this.
    area: Area,
    /// No label touches any of these.
    taken: Vec<Area>,
    /// Labels avoid these where they can.
    lines: Vec<Area>,
}

impl Room {
    /// The best area for `lines` of a label near `place`, and how far it is.
    fn find(&self, place: Point, lines: &[String]) -> Option<(Area, f64)> {
        let widths = lines.iter().map(|line| text_width(line, LABEL, Weight::Regular));
        let width = widths.fold(0.0, f64::max);
        let height = LABEL * (LEADING * (lines.len() as f64 - 1.0) + RISE + 0.22);
        let mut best: Option<(f64, Area, f64)> = None;
        for distance in DISTANCES {
            for (rank, (dx, dy)) in DIRECTIONS.into_iter().enumerate() {
                let (dx, dy): (f64, f64) = (dx, dy);
                let x = place.x + dx * (distance + MARK);
                let y = place.y + dy * (distance + MARK);
                // The side of the label that faces the point is at the distance, not its middle.
                let left = x - width * (1.0 - dx.signum() * f64::from(dx != 0.0)) / 2.0;
                let top = y - height * (1.0 - dy.signum() * f64::from(dy != 0.0)) / 2.0;
                let area = Area { left, top, right: left + width, bottom: top + height };
                if !self.area.contains(&area) || self.taken.iter().any(|one| one.overlaps(&area)) {
                    continue;
                }
                let crossed = self.lines.iter().filter(|line| line.overlaps(&area)).count() as f64;
                let cost = distance + rank as f64 * 2.0 + crossed * 40.0;
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, area, distance));
                }
            }
        }
        best.map(|(_, area, distance)| (area, distance))
    }
}

/// What the two intervals of a point cover.
fn intervals(plot: &Plot, point: &TradeoffPoint) -> [Area; 2] {
    let (x, y) = (plot.across(point.latency.value), plot.up(point.lost.value));
    let level = Area {
        left: plot.across(point.latency.low),
        right: plot.across(point.latency.high),
        top: y,
        bottom: y,
    };
    let upright =
        Area { left: x, right: x, top: plot.up(point.lost.high), bottom: plot.up(point.lost.low) };
    [level.grown(2.0), upright.grown(2.0)]
}

fn draw_intervals(canvas: &mut Canvas, plot: &Plot, point: &TradeoffPoint) {
    let stroke = Stroke::solid(AXIS, 2.0);
    let (x, y) = (plot.across(point.latency.value), plot.up(point.lost.value));
    let ends = [
        (at(plot.across(point.latency.low), y), at(plot.across(point.latency.high), y)),
        (at(x, plot.up(point.lost.low)), at(x, plot.up(point.lost.high))),
    ];
    for (from, to) in ends {
        canvas.line(from, to, stroke);
    }
}

/// Draws the front as a step line: what is up and right of it is beaten.
fn draw_front(canvas: &mut Canvas, plot: &Plot, points: &[TradeoffPoint], front: &[usize]) {
    let place = |i: &usize| plot.at(points[*i].latency.value, points[*i].lost.value);
    let (Some(first), Some(last)) = (front.first().map(place), front.last().map(place)) else {
        return;
    };
    let mut line = vec![at(first.x, plot.area.top)];
    for next in front.iter().map(place) {
        let before = line[line.len() - 1];
        line.extend([at(next.x, before.y), next]);
    }
    line.push(at(plot.area.right, last.y));
    for corner in line.windows(2) {
        let area = Area {
            left: corner[0].x,
            right: corner[1].x,
            top: plot.area.top,
            bottom: corner[0].y.max(corner[1].y),
        };
        if area.width() > 0.0 && area.height() > 0.0 {
            canvas.rect(area, BLUE.with_alpha(0.05));
        }
    }
    canvas.polyline(line, Stroke::solid(BLUE.toward(super::style::WHITE, 0.35), CURVE));
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

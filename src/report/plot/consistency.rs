//! t-visibility: the probability that a read sees a write, by the time since its acknowledgement.

use super::axis::ChartAxis;
use super::canvas::{Canvas, Point, at};
use super::frame::{
    HEIGHT, LegendEntry, Plot, Sample, WIDTH, captioned, curve_stroke, legend, named,
};
use super::style::{MARK, Marker, PALETTE, curve_color};
use super::{Caption, Interval, Picture, render, wide};

/// The probability that a read sees a write, over the time since its acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsistencyChart {
    /// Its words.
    pub caption: Caption,
    /// One curve for each configuration.
    pub curves: Vec<ConsistencyCurve>,
}

/// The t-visibility of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsistencyCurve {
    /// The configuration.
    pub label: String,
    /// Nanoseconds since the acknowledgement, in rising order, each with the probability.
    pub points: Vec<(u64, Interval)>,
}

impl ConsistencyChart {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.canvas())
    }

    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let count = self.curves.len();
        let entry = |i: usize| {
            let marker = (count <= PALETTE.len()).then(|| Marker::of(i));
            let sample = Sample::Line(curve_stroke(i, count), marker);
            LegendEntry { label: self.curves[i].label.clone(), sample }
        };
        let entries: Vec<_> = named(count).into_iter().map(entry).collect();
        let area = legend(&mut canvas, area, &entries);
        let y = self.y_axis(area.height());
        let plot = Plot::new(&mut canvas, area, self.x_axis(area.width()), y);
        for (i, curve) in self.curves.iter().enumerate() {
            let edge = |of: fn(&Interval) -> f64| -> Vec<Point> {
                curve.points.iter().map(|(t, seen)| plot.at(*t as f64, of(seen))).collect()
            };
            // Many overlapping bands would hide the curves.
            let fill = curve_color(i, count).with_alpha(0.18 / (count as f64 / 5.0).max(1.0));
            canvas.band(&edge(|seen| seen.high), &edge(|seen| seen.low), fill);
        }
        for (i, curve) in self.curves.iter().enumerate() {
            draw_curve(&mut canvas, &plot, curve, i, count);
        }
        canvas
    }

    /// Logarithmic if the times are too far apart, with 0 at the left end.
    fn x_axis(&self, width: f64) -> ChartAxis {
        const TITLE: &str = "Time from the acknowledgement of the write to the read";
        let times =
            || self.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0));
        let high = times().max().unwrap_or(0) as f64;
        let low = times().filter(|t| *t > 0).min().unwrap_or(0) as f64;
        if !wide(low, high) {
            return ChartAxis::nanoseconds(TITLE, 0.0, high, ChartAxis::ticks_across(width));
        }
        if times().all(|t| t > 0) {
            return ChartAxis::nanoseconds_by_decades(TITLE, low, high);
        }
        ChartAxis::nanoseconds_by_decades(TITLE, low / 2.0, high).with_zero("0")
    }

    /// From 0 to 100%, or only the upper part of it if nothing is below.
    fn y_axis(&self, height: f64) -> ChartAxis {
        let points = self.curves.iter().flat_map(|curve| &curve.points);
        let least = points.map(|(_, seen)| seen.low).fold(1.0, f64::min);
        let low = match least {
            least if least >= 0.99 => 0.99,
            least if least >= 0.9 => 0.9,
            least if least >= 0.5 => 0.5,
            _ => 0.0,
        };
        let title = "Probability that the read sees the write";
        ChartAxis::shares(title, low, 1.0, ChartAxis::ticks_up(height).min(6))
    }
}

fn draw_curve(canvas: &mut Canvas, plot: &Plot, curve: &ConsistencyCurve, i: usize, count: usize) {
    let points: Vec<_> =
        curve.points.iter().map(|(t, seen)| plot.at(*t as f64, seen.value)).collect();
    let stroke = curve_stroke(i, count);
    if let [(_, seen)] = curve.points.as_slice() {
        // A single point has no band.
        let (above, below) = (plot.up(seen.high), plot.up(seen.low));
        canvas.line(at(points[0].x, above), at(points[0].x, below), stroke);
    }
    canvas.polyline(points.clone(), stroke);
    let mut free = f64::NEG_INFINITY;
    for point in points {
        if count > PALETTE.len() || point.x < free {
            continue;
        }
        canvas.spot(Marker::of(i), point, MARK, stroke.color);
        // Markers keep a distance where points are close.
        free = point.x + 5.0 * MARK;
    }
}

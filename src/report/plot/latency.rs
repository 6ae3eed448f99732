//! Latency over a parameter: the mean with its confidence interval, quantiles, and the closed form.

use super::axis::{ChartAxis, percent};
use super::canvas::{Across, Along, Canvas, Dash, Lettering, Point, Stroke, at};
use super::frame::{HEIGHT, HOLLOW, LegendEntry, Plot, Sample, WIDTH, captioned, legend};
use super::lettering::widest;
use super::style::{BLUE, CURVE, Color, GREEN, INK, LABEL, MARK, Marker, ORANGE, VERMILLION};
use super::{Caption, Interval, Picture, render, wide};

/// The share of the plot's height above the data that is free for the shares of operations that
/// timed out.
const HEADROOM: f64 = 0.14;

/// Latency over a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyChart {
    /// Its words.
    pub caption: Caption,
    /// The parameter.
    pub x_label: String,
    /// Where the values of the parameter lie on the axis.
    pub places: Places,
    /// The figures at each value of the parameter, in order.
    pub points: Vec<LatencyPoint>,
}

/// Where the values of a parameter lie on the axis. The numbers are rising.
#[derive(Clone, Debug, PartialEq)]
pub enum Places {
    /// At equal distances, each above its label.
    Labels,
    /// At these numbers.
    Numbers(Vec<f64>),
    /// At these durations, in nanoseconds.
    Lengths(Vec<f64>),
    /// At these shares, from 0 to 1.
    Shares(Vec<f64>),
}

/// Latency at one value of the parameter, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyPoint {
    /// The value of the parameter.
    pub label: String,
    /// The mean with its confidence interval.
    pub mean: Interval,
    /// The median; `None` if it is not known.
    pub p50: Option<u64>,
    /// The 95th percentile.
    pub p95: Option<u64>,
    /// The 99th percentile.
    pub p99: Option<u64>,
    /// The mean by the closed form, if there is one.
    pub closed_form: Option<f64>,
    /// The share of operations that timed out, from 0 to 1: their latency is not known.
    pub censored: f64,
}

/// A line of the chart, with its value at each point.
struct Series {
    label: &'static str,
    color: Color,
    marker: Marker,
    values: Vec<Option<f64>>,
}

impl LatencyChart {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.canvas())
    }

    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let quantiles: Vec<_> =
            self.quantiles().into_iter().filter(|s| s.values.iter().any(Option::is_some)).collect();
        let area = legend(&mut canvas, area, &self.entries(&quantiles));
        let (x, y) = (self.x_axis(area.width()), self.y_axis(&quantiles, area.height()));
        let plot = Plot::new(&mut canvas, area, x, y);
        self.draw_band(&mut canvas, &plot);
        for series in &quantiles {
            self.draw_series(&mut canvas, &plot, series);
        }
        let values = self.points.iter().map(|point| Some(point.mean.value)).collect();
        let mean = Series { label: "mean", color: BLUE, marker: Marker::Circle, values };
        self.draw_series(&mut canvas, &plot, &mean);
        self.draw_closed_form(&mut canvas, &plot);
        self.draw_censored(&mut canvas, &plot);
        canvas
    }

    /// Where a point lies on the axis.
    fn place(&self, index: usize) -> f64 {
        let places = match &self.places {
            Places::Labels => None,
            Places::Numbers(all) | Places::Lengths(all) | Places::Shares(all) => all.get(index),
        };
        places.copied().unwrap_or(index as f64)
    }

    fn x_axis(&self, width: f64) -> ChartAxis {
        let ends = |all: &[f64]| match all {
            [first, .., last] => (*first, *last),
            [only] => (*only, *only),
            [] => (0.0, 0.0),
        };
        let (title, count) = (self.x_label.as_str(), ChartAxis::ticks_across(width));
        match &self.places {
            Places::Labels => {
                let labels: Vec<_> = self.points.iter().map(|point| point.label.clone()).collect();
                ChartAxis::categories(title, &labels)
            }
            Places::Numbers(all) => {
                let (low, high) = ends(all);
                ChartAxis::numbers(title, low, high, count)
            }
            Places::Shares(all) => {
                let (low, high) = ends(all);
                ChartAxis::shares(title, low, high, count)
            }
            Places::Lengths(all) => match ends(all) {
                (low, high) if wide(low, high) => {
                    ChartAxis::nanoseconds_by_decades(title, low, high)
                }
                (low, high) => ChartAxis::nanoseconds(title, low, high, count),
            },
        }
    }

    /// The quantiles, from top to bottom.
    fn quantiles(&self) -> [Series; 3] {
        let values = |of: fn(&LatencyPoint) -> Option<u64>| {
            self.points.iter().map(|point| of(point).map(|ns| ns as f64)).collect()
        };
        let series = |label, color, marker, values| Series { label, color, marker, values };
        [
            series("99th percentile", VERMILLION, Marker::Diamond, values(|point| point.p99)),
            series("95th percentile", ORANGE, Marker::Triangle, values(|point| point.p95)),
            series("median", GREEN, Marker::Square, values(|point| point.p50)),
        ]
    }

    fn has_closed_form(&self) -> bool {
        self.points.iter().any(|point| point.closed_form.is_some())
    }

    fn has_censored(&self) -> bool {
        self.points.iter().any(|point| point.censored > 0.0)
    }

    fn entries(&self, quantiles: &[Series]) -> Vec<LegendEntry> {
        let entry = |label: &str, sample| LegendEntry { label: label.to_owned(), sample };
        let line = |color, marker| Sample::Line(Stroke::solid(color, CURVE), Some(marker));
        let mut entries: Vec<_> = quantiles
            .iter()
            .map(|series| entry(series.label, line(series.color, series.marker)))
            .collect();
        entries.push(entry("mean", line(BLUE, Marker::Circle)));
        entries.push(entry("confidence interval of the mean", Sample::Band(band())));
        if self.has_closed_form() {
            let sample = Sample::Hollow(Stroke::solid(INK, 2.0));
            entries.push(entry("mean by the closed form", sample));
        }
        if self.has_censored() {
            entries.push(entry("timed out, of all operations", Sample::Share(PURPLE_INK)));
        }
        entries
    }

    /// Linear from 0, or logarithmic if the values are too far apart.
    fn y_axis(&self, quantiles: &[Series], height: f64) -> ChartAxis {
        let quantiles = quantiles.iter().flat_map(|series| series.values.iter().flatten().copied());
        let means = self.points.iter().flat_map(|point| {
            [Some(point.mean.value), Some(point.mean.high), point.closed_form].into_iter().flatten()
        });
        let values: Vec<f64> = quantiles.chain(means).filter(|value| value.is_finite()).collect();
        let high = values.iter().copied().fold(0.0, f64::max);
        let low = values.iter().copied().filter(|value| *value > 0.0).fold(high, f64::min);
        let headroom = if self.has_censored() { HEADROOM } else { 0.03 };
        if wide(low, high) {
            let above = libm::pow(high / low, headroom);
            return ChartAxis::nanoseconds_by_decades("Latency", low, high * above);
        }
        ChartAxis::nanoseconds("Latency", 0.0, high * (1.0 + headroom), ChartAxis::ticks_up(height))
    }

    fn draw_band(&self, canvas: &mut Canvas, plot: &Plot) {
        let edge = |of: fn(&Interval) -> f64| -> Vec<Point> {
            let points = self.points.iter().enumerate();
            points.map(|(i, point)| plot.at(self.place(i), of(&point.mean))).collect()
        };
        let (upper, lower) = (edge(|mean| mean.high), edge(|mean| mean.low));
        canvas.band(&upper, &lower, band());
        // Whiskers show where the band is measured. They also work for a single point.
        for (above, below) in upper.iter().zip(&lower) {
            let half = 7.0;
            let stroke = Stroke::solid(BLUE, 2.0);
            canvas.line(*above, *below, stroke);
            for end in [above, below] {
                canvas.line(at(end.x - half, end.y), at(end.x + half, end.y), stroke);
            }
        }
    }

    fn draw_closed_form(&self, canvas: &mut Canvas, plot: &Plot) {
        let values: Vec<_> = self.points.iter().map(|point| point.closed_form).collect();
        let stroke = Stroke::solid(INK, 2.0);
        for run in self.runs(plot, &values) {
            canvas.polyline(run.clone(), Stroke { dash: Dash::Dashed, ..stroke });
            for point in run {
                canvas.hollow_diamond(point, HOLLOW * radius(plot, values.len()) / MARK, stroke);
            }
        }
    }

    /// The horizontal room of a point: the least distance of two neighbours.
    fn slot(&self, plot: &Plot) -> f64 {
        let even = plot.area.width() / self.points.len().max(1) as f64;
        let across = |i: usize| plot.across(self.place(i));
        let gaps = (1..self.points.len()).map(|i| across(i) - across(i - 1));
        gaps.fold(even, f64::min)
    }

    /// The points that have a value, in runs without gaps.
    fn runs(&self, plot: &Plot, values: &[Option<f64>]) -> Vec<Vec<Point>> {
        let mut runs = vec![Vec::new()];
        for (i, value) in values.iter().enumerate() {
            match (value, runs.last_mut()) {
                (Some(value), Some(run)) => run.push(plot.at(self.place(i), *value)),
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn draw_series(&self, canvas: &mut Canvas, plot: &Plot, series: &Series) {
        let radius = radius(plot, series.values.len());
        for run in self.runs(plot, &series.values) {
            canvas.polyline(run.clone(), Stroke::solid(series.color, CURVE));
            for point in run {
                canvas.spot(series.marker, point, radius, series.color);
            }
        }
    }

    /// Writes the shares of operations that timed out above their points.
    fn draw_censored(&self, canvas: &mut Canvas, plot: &Plot) {
        const SIZE: f64 = LABEL - 2.0;
        let slot = self.slot(plot);
        let shares: Vec<_> = self.points.iter().map(|point| percent(point.censored)).collect();
        let lettering = Lettering::new(SIZE, PURPLE_INK);
        let mut free = f64::NEG_INFINITY;
        for (i, (point, share)) in self.points.iter().zip(&shares).enumerate() {
            let x = plot.across(self.place(i));
            if point.censored <= 0.0 || x < free {
                continue;
            }
            let quantiles = [point.p50, point.p95, point.p99].into_iter().flatten();
            let marks = quantiles.map(|ns| ns as f64).chain(point.closed_form);
            let above = marks.fold(point.mean.high, f64::max);
            let foot = at(x, plot.up(above) - 2.0 * MARK - 2.0);
            if widest(&shares, SIZE) + 8.0 <= slot {
                canvas.text(share, foot, lettering.anchored(Along::Middle, Across::Bottom));
            } else {
                canvas.text(
                    share,
                    foot,
                    lettering.anchored(Along::Start, Across::Middle).upwards(),
                );
                free = x + SIZE * 1.1;
            }
        }
    }
}

/// Reddish purple, dark enough for text.
const PURPLE_INK: Color = Color::new(150, 60, 115);

fn band() -> Color {
    BLUE.with_alpha(0.2)
}

/// The radius of a marker if the plot has `count` points: many large markers would hide the line.
fn radius(plot: &Plot, count: usize) -> f64 {
    MARK.min(plot.area.width() / count.max(1) as f64 / 6.5).max(3.5)
}

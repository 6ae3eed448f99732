//! Cumulative distributions of latency, a curve for each value of a parameter.

use super::axis::{ChartAxis, percent};
use super::canvas::{Canvas, Point, Stroke};
use super::frame::{
    HEIGHT, LegendEntry, Plot, Sample, WIDTH, captioned, curve_stroke, legend, named,
};
use super::style::{MARK, Marker, PALETTE};
use super::{Caption, Picture, render, wide};

/// The shares at which the first curve has markers.
const MARKED: [f64; 4] = [0.15, 0.38, 0.61, 0.84];
/// How much higher the markers of the next curve are, so that both show where curves coincide.
const STAGGER: f64 = 0.02;

/// Cumulative distributions of latency.
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionChart {
    /// Its words.
    pub caption: Caption,
    /// One distribution for each value of the parameter, in its order.
    pub curves: Vec<Curve>,
}

/// A cumulative distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The value of the parameter.
    pub label: String,
    /// Latencies in nanoseconds, in rising order, each with the share of operations that took at
    /// most as long.
    pub steps: Vec<(u64, f64)>,
    /// The share of operations that timed out. The curve ends below the top by this much.
    pub censored: f64,
}

impl Curve {
    /// The quantile `share` of the completed operations.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.steps.last()?.1;
        let step = self.steps.iter().find(|(_, reached)| *reached >= share * all)?;
        Some(step.0 as f64)
    }
}

impl DistributionChart {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.canvas())
    }

    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let area = legend(&mut canvas, area, &self.entries());
        let y = ChartAxis::shares("Operations that took at most this long", 0.0, 1.0, 5);
        let plot = Plot::new(&mut canvas, area, self.x_axis(area.width()), y);
        let count = self.curves.len();
        for (i, curve) in self.curves.iter().enumerate() {
            let points = steps(&plot, curve);
            canvas.polyline(points, curve_stroke(i, count));
        }
        // Above all curves: a later curve would hide the markers of an earlier one.
        if count <= PALETTE.len() {
            for (i, curve) in self.curves.iter().enumerate() {
                draw_markers(&mut canvas, &plot, curve, i, count);
            }
        }
        canvas
    }

    fn entries(&self) -> Vec<LegendEntry> {
        let count = self.curves.len();
        let entry = |i: usize| {
            let curve = &self.curves[i];
            let mut label = curve.label.clone();
            if curve.censored > 0.0 {
                label += &format!(" ({} timed out)", percent(curve.censored));
            }
            let marker = (count <= PALETTE.len()).then(|| Marker::of(i));
            LegendEntry { label, sample: Sample::Line(curve_stroke(i, count), marker) }
        };
        named(count).into_iter().map(entry).collect()
    }

    /// Logarithmic if the latencies, without the longest, span too much for a linear axis.
    fn x_axis(&self, width: f64) -> ChartAxis {
        let lengths = || self.curves.iter().flat_map(|curve| curve.steps.iter().map(|step| step.0));
        let most = lengths().max().unwrap_or(0) as f64;
        let least = lengths().filter(|ns| *ns > 0).min().unwrap_or(0) as f64;
        let almost =
            self.curves.iter().filter_map(|curve| curve.quantile(0.999)).fold(0.0, f64::max);
        if wide(least, almost) {
            return ChartAxis::nanoseconds_by_decades("Latency", least, most);
        }
        // A few very long ones must not push all others to the left edge.
        let high = if most > 2.0 * almost && almost > 0.0 { almost * 1.1 } else { most };
        ChartAxis::nanoseconds("Latency", 0.0, high, ChartAxis::ticks_across(width))
    }
}

/// The steps of a curve. A curve that ends below the top goes on to the right edge.
fn steps(plot: &Plot, curve: &Curve) -> Vec<Point> {
    /// Steps that rise by fewer pixels are drawn as slopes: stairs would look like a rough line.
    const FINE: f64 = 6.0;
    let Some((first, _)) = curve.steps.first() else { return Vec::new() };
    let mut points = vec![plot.at(*first as f64, 0.0)];
    let mut height = 0.0;
    for (length, share) in &curve.steps {
        let x = *length as f64;
        if x > plot.x.high {
            break;
        }
        let (before, after) = (plot.at(x, height), plot.at(x, *share));
        height = *share;
        let last = points[points.len() - 1];
        let (run, rise) = (after.x - last.x, last.y - after.y);
        // Invisible steps would only make the files large.
        if run + rise < 0.5 {
            continue;
        }
        if run > 5.0 * FINE || rise > FINE {
            points.push(before);
        }
        points.push(after);
    }
    let top = plot.at(plot.x.high, height);
    if height < 1.0 && curve.censored > 0.0 || points[points.len() - 1].y > top.y {
        points.push(top);
    }
    points
}

fn draw_markers(canvas: &mut Canvas, plot: &Plot, curve: &Curve, index: usize, count: usize) {
    let Stroke { color, .. } = curve_stroke(index, count);
    for share in MARKED.map(|share| share + STAGGER * index as f64) {
        let step = curve.steps.iter().find(|(_, reached)| *reached >= share);
        if let Some((length, _)) = step
            && *length as f64 <= plot.x.high
        {
            canvas.spot(Marker::of(index), plot.at(*length as f64, share), MARK, color);
        }
    }
}

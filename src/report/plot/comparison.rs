//! Configurations side by side: a panel for each measure, a bar for each configuration.

use super::axis::{digits, duration, percent};
use super::canvas::{Across, Along, Area, Canvas, Lettering, Point, Stroke, at};
use super::frame::{HEIGHT, WIDTH, captioned};
use super::lettering::{LEADING, Weight, abridged, widest, wrapped};
use super::style::{AXIS, BODY, Color, GRID, INK, LABEL, MUTED, curve_color};
use super::{Caption, Interval, Picture, render};
use crate::report::layout::grouped;

/// The most panels in a row.
const ABREAST: usize = 4;
/// The widest column of names, in pixels.
const NAMES: f64 = 330.0;
/// The space between panels, in pixels.
const GAP: f64 = 36.0;
/// The thickest bar, in pixels.
const THICKEST: f64 = 46.0;

/// Configurations compared by several measures.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparisonChart {
    /// Its words.
    pub caption: Caption,
    /// The configurations, in the order of the rows.
    pub configurations: Vec<String>,
    /// The measures, in the order of the panels.
    pub measures: Vec<Measure>,
}

/// A figure of every configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// The value of each configuration, in order; `None` if there is none.
    pub values: Vec<Option<Interval>>,
}

/// The unit of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A duration in nanoseconds.
    Nanoseconds,
    /// A share, from 0 to 1.
    Share,
    /// A count.
    Count,
}

impl Unit {
    fn written(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => duration(value),
            Self::Share => percent(value),
            Self::Count if value.fract() == 0.0 && (0.0..1e15).contains(&value) => {
                grouped(value as u64)
            }
            Self::Count => digits(value),
        }
    }
}

impl ComparisonChart {
    /// The picture.
    #[must_use]
    pub fn draw(&self) -> Picture {
        render::picture(&self.canvas())
    }

    pub(super) fn canvas(&self) -> Canvas {
        let (mut canvas, area) = captioned(&self.caption, WIDTH, HEIGHT);
        let bands = self.measures.len().div_ceil(ABREAST).max(1);
        let abreast = self.measures.len().div_ceil(bands).max(1);
        let high = (area.height() - GAP * (bands - 1) as f64) / bands as f64;
        for (i, measures) in self.measures.chunks(abreast).enumerate() {
            let top = area.top + i as f64 * (high + GAP);
            let band = Area { top, bottom: top + high, ..area };
            self.draw_band(&mut canvas, band, measures, abreast);
        }
        canvas
    }

    /// Draws the names of the configurations, and a panel for each of `measures` at their right.
    fn draw_band(&self, canvas: &mut Canvas, area: Area, measures: &[Measure], abreast: usize) {
        let names = widest(&self.configurations, LABEL).min(NAMES);
        let room = (area.width() - names) / abreast as f64 - GAP;
        let titles: Vec<_> = measures
            .iter()
            .map(|measure| wrapped(&measure.name, BODY, Weight::Bold, room, 3))
            .collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let top = area.top + BODY * LEADING * lines as f64 + 8.0;
        // Few configurations stay together at the top: distant bars are hard to compare.
        let pitch = ((area.bottom - top) / self.configurations.len().max(1) as f64).min(140.0);
        let size = LABEL.min(pitch * 0.8);
        let names = self.draw_names(canvas, Area { top, ..area }, pitch, size);
        let width = (area.right - names) / abreast as f64;
        for (i, (measure, title)) in measures.iter().zip(&titles).enumerate() {
            let left = names + i as f64 * width + GAP / 2.0;
            let lettering = Lettering::new(BODY, INK).bold().anchored(Along::Start, Across::Top);
            canvas.text_lines(title, at(left, area.top), lettering);
            let bottom = top + pitch * self.configurations.len() as f64;
            let panel = Area { left, right: left + width - GAP / 2.0, top, bottom };
            draw_panel(canvas, panel, measure, pitch, size);
        }
    }

    /// Writes the names and returns where their column ends.
    fn draw_names(&self, canvas: &mut Canvas, area: Area, pitch: f64, size: f64) -> f64 {
        let most = ((pitch * 0.95 / (size * LEADING)) as usize).clamp(1, 3);
        let names: Vec<_> = self
            .configurations
            .iter()
            .map(|name| abridged(name, size, Weight::Regular, NAMES, most))
            .collect();
        let end = area.left + widest(names.iter().flatten(), size);
        for (i, lines) in names.iter().enumerate() {
            let middle = area.top + pitch * (i as f64 + 0.5);
            let first = middle - size * LEADING * (lines.len() as f64 - 1.0) / 2.0;
            let lettering = Lettering::new(size, INK).anchored(Along::End, Across::Middle);
            canvas.text_lines(lines, at(end, first), lettering);
        }
        end
    }
}

/// Draws a measure: a bar for each configuration, every `pitch` pixels.
fn draw_panel(canvas: &mut Canvas, panel: Area, measure: &Measure, pitch: f64, size: f64) {
    const SPACE: f64 = 10.0;
    let texts: Vec<_> = measure
        .values
        .iter()
        .map(|value| value.map_or("—".to_owned(), |value| measure.unit.written(value.value)))
        .collect();
    let longest = panel.width() - widest(&texts, size) - SPACE;
    let ends = measure.values.iter().flatten().map(|value| value.high.max(value.value));
    let most = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    let length = |value: f64| match most > 0.0 && value.is_finite() {
        true => (value / most).clamp(0.0, 1.0) * longest,
        false => 0.0,
    };
    for (i, (value, text)) in measure.values.iter().zip(&texts).enumerate() {
        let middle = panel.top + pitch * (i as f64 + 0.5);
        let mut end = panel.left;
        if let Some(value) = value {
            let half = (pitch * 0.31).min(THICKEST / 2.0);
            let right = panel.left + length(value.value);
            let bar = Area { left: panel.left, right, top: middle - half, bottom: middle + half };
            canvas.rect(bar, bar_color());
            let (low, high) = (panel.left + length(value.low), panel.left + length(value.high));
            if high - low >= 1.0 {
                draw_whisker(canvas, at(low, middle), at(high, middle), half * 0.5);
            }
            end = right.max(high);
        }
        let color = if value.is_some() { INK } else { MUTED };
        let lettering = Lettering::new(size, color).anchored(Along::Start, Across::Middle);
        canvas.text(text, at(end + SPACE, middle), lettering);
    }
    for i in 1..measure.values.len() {
        let y = panel.top + pitch * i as f64;
        canvas.line(at(panel.left, y), at(panel.right, y), Stroke::solid(GRID, 1.0));
    }
    canvas.line(at(panel.left, panel.top), at(panel.left, panel.bottom), Stroke::solid(AXIS, 1.5));
}

fn bar_color() -> Color {
    curve_color(0, 1).toward(super::style::WHITE, 0.3)
}

/// Draws an interval from `low` to `high`, with ends of twice `half` pixels.
fn draw_whisker(canvas: &mut Canvas, low: Point, high: Point, half: f64) {
    let stroke = Stroke::solid(INK, 2.0);
    canvas.line(low, high, stroke);
    for Point { x, y } in [low, high] {
        canvas.line(at(x, y - half), at(x, y + half), stroke);
    }
}

//! The frame of a chart: the caption, the legend, the axes with their grid.

use super::Caption;
use super::axis::{ChartAxis, Tick};
use super::canvas::{Across, Along, Area, Canvas, Dash, Lettering, Point, Stroke, at};
use super::lettering::{LEADING, Weight, abridged, shortened, text_width, widest, wrapped};
use super::style::{
    AXIS, BODY, CURVE, Color, GRID, INK, LABEL, MARK, MUTED, Marker, PALETTE, SMALL, TITLE,
};

/// The width of a chart in pixels.
pub const WIDTH: u32 = 1600;
/// The height of a chart in pixels.
pub const HEIGHT: u32 = 1000;
/// The margin around the chart, in pixels.
const MARGIN: f64 = 40.0;
/// The widest legend in pixels.
const LEGEND: f64 = 360.0;
/// The length of a sample in the legend, in pixels.
const SAMPLE: f64 = 44.0;
/// The distance of an axis or a legend from its title, in pixels.
const GAP: f64 = 14.0;
/// The radius of a hollow diamond, in pixels; a marker fits inside.
pub(super) const HOLLOW: f64 = 11.0;
/// The most curves that a legend names if there are too many for the palette.
const NAMED: usize = 10;

/// A canvas of `width` and `height` with the caption, and the area that is left.
#[must_use]
pub fn captioned(caption: &Caption, width: u32, height: u32) -> (Canvas, Area) {
    let mut canvas = Canvas::new(width, height);
    let mut area = canvas.area().grown(-MARGIN);
    let across = area.width();
    let title = Lettering::new(TITLE, INK).bold().anchored(Along::Start, Across::Top);
    let lines = wrapped(&caption.title, TITLE, Weight::Bold, across, 2);
    area.top += canvas.text_lines(&lines, at(area.left, area.top), title);
    let body = Lettering::new(BODY, MUTED).anchored(Along::Start, Across::Top);
    let lines = wrapped(&caption.explanation, BODY, Weight::Regular, across, 5);
    area.top += 4.0;
    area.top += canvas.text_lines(&lines, at(area.left, area.top), body);
    area.top += 1.5 * GAP;
    let lines = wrapped(&caption.small_print, SMALL, Weight::Regular, across, 3);
    let high = SMALL * LEADING * lines.len() as f64;
    area.bottom = f64::from(height) - MARGIN / 2.0 - high;
    let small = Lettering::new(SMALL, MUTED).anchored(Along::Start, Across::Top);
    canvas.text_lines(&lines, at(area.left, area.bottom + SMALL * 0.3), small);
    area.bottom -= GAP;
    (canvas, area)
}

/// The sample of a curve in a legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A line, with its marker if it has one.
    Line(Stroke, Option<Marker>),
    /// A band.
    Band(Color),
    /// The outline of a diamond on a dashed line.
    Hollow(Stroke),
    /// A marker alone.
    Spot(Color, Marker),
    /// A share in percent.
    Share(Color),
}

/// One line of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// The label.
    pub label: String,
    /// The sample beside it.
    pub sample: Sample,
}

/// Which of `count` curves a legend names: all, or if they are many the first, the last and some
/// between.
#[must_use]
pub fn named(count: usize) -> Vec<usize> {
    if count <= PALETTE.len() {
        return (0..count).collect();
    }
    let every = count.div_ceil(NAMED);
    // A neighbour of the last has almost the same colour.
    let kept = |i: &usize| i + 1 == count || (i.is_multiple_of(every) && i + every / 2 + 1 < count);
    (0..count).filter(kept).collect()
}

/// Draws a legend at the right of `area`, and returns the rest of the area.
pub fn legend(canvas: &mut Canvas, area: Area, entries: &[LegendEntry]) -> Area {
    if entries.is_empty() {
        return area;
    }
    let letters = LEGEND - SAMPLE - GAP;
    // Below an axis title, so that the first entry is level with the top of the plot.
    let mut top = area.top + BODY * LEADING + GAP;
    let step = LABEL * LEADING;
    let room = area.bottom - top;
    let of = |most| -> Vec<Vec<String>> {
        let labels = entries.iter();
        labels.map(|entry| abridged(&entry.label, LABEL, Weight::Regular, letters, most)).collect()
    };
    let high = |labels: &[Vec<String>]| step * labels.iter().map(Vec::len).sum::<usize>() as f64;
    // All curves are named, if necessary in fewer lines.
    let labels =
        [3, 2].into_iter().map(of).find(|labels| high(labels) <= room).unwrap_or_else(|| of(1));
    let left = area.right - widest(labels.iter().flatten(), LABEL) - SAMPLE - GAP;
    let gap = ((room - high(&labels)) / entries.len() as f64).clamp(0.0, LABEL * 0.6);
    for (entry, lines) in entries.iter().zip(&labels) {
        if top + step * lines.len() as f64 > area.bottom {
            break;
        }
        sample(canvas, entry.sample, at(left, top + step * 0.35));
        let lettering = Lettering::new(LABEL, INK).anchored(Along::Start, Across::Middle);
        let point = at(left + SAMPLE + GAP, top + step * 0.35);
        top += canvas.text_lines(lines, point, lettering) + gap;
    }
    Area { right: left - 2.0 * GAP, ..area }
}

/// Draws a legend in rows at the top of `area`, and returns the rest of the area.
pub fn legend_row(canvas: &mut Canvas, area: Area, entries: &[LegendEntry]) -> Area {
    let step = LABEL * LEADING * 1.15;
    let (mut left, mut top) = (area.left, area.top + step / 2.0);
    for entry in entries {
        let letters = area.width() - SAMPLE - GAP;
        let label = shortened(&entry.label, LABEL, Weight::Regular, letters);
        let width = SAMPLE + GAP / 2.0 + text_width(&label, LABEL, Weight::Regular);
        if left > area.left && left + width > area.right {
            (left, top) = (area.left, top + step);
        }
        sample(canvas, entry.sample, at(left, top));
        let lettering = Lettering::new(LABEL, INK).anchored(Along::Start, Across::Middle);
        canvas.text(label, at(left + SAMPLE + GAP / 2.0, top), lettering);
        left += width + 2.0 * GAP;
    }
    Area { top: top + step / 2.0 + 1.5 * GAP, ..area }
}

/// Draws a sample whose left end is at `start`.
fn sample(canvas: &mut Canvas, sample: Sample, start: Point) {
    let end = at(start.x + SAMPLE, start.y);
    let middle = at(start.x + SAMPLE / 2.0, start.y);
    match sample {
        Sample::Line(stroke, marker) => {
            canvas.line(start, end, stroke);
            if let Some(marker) = marker {
                canvas.spot(marker, middle, MARK, stroke.color);
            }
        }
        Sample::Band(fill) => {
            let area = Area {
                left: start.x,
                right: end.x,
                top: start.y - LABEL * 0.4,
                bottom: start.y + LABEL * 0.4,
            };
            canvas.rect(area, fill);
        }
        Sample::Hollow(stroke) => {
            let dashed = Stroke { dash: Dash::Dashed, ..stroke };
            canvas.line(start, at(middle.x - HOLLOW, middle.y), dashed);
            canvas.line(end, at(middle.x + HOLLOW, middle.y), dashed);
            canvas.hollow_diamond(middle, HOLLOW, stroke);
        }
        Sample::Spot(color, marker) => canvas.spot(marker, middle, MARK, color),
        Sample::Share(color) => {
            let lettering = Lettering::new(SMALL, color).anchored(Along::Middle, Across::Middle);
            canvas.text("n%", middle, lettering);
        }
    }
}

/// The layout of names below an axis.
#[derive(Clone, Debug, PartialEq)]
struct AxisNames {
    /// The lines of each name; none for a name that is left out.
    lines: Vec<Vec<String>>,
    /// Whether they run from the bottom up.
    upwards: bool,
}

impl AxisNames {
    /// The tallest name, in pixels.
    fn height(&self) -> f64 {
        let most = self.lines.iter().map(Vec::len).max().unwrap_or_default();
        match self.upwards {
            true => widest(self.lines.iter().flatten(), LABEL) + 4.0,
            false => LABEL * LEADING * most as f64,
        }
    }

    /// The layout that shows most of `labels`, where each has `slot` pixels.
    fn of(labels: &[&str], slot: f64) -> Self {
        /// The longest name that runs upwards, in pixels.
        const LONGEST: f64 = 220.0;
        /// The narrowest slot in which names are always level, in pixels.
        const ROOMY: f64 = 110.0;
        let widest_label = widest(labels, LABEL);
        let room = slot - LABEL * 0.6;
        let thinned = |every: usize, upwards: bool, longest: f64| {
            let line = |(i, label): (usize, &&str)| match i.is_multiple_of(every) {
                true => vec![shortened(label, LABEL, Weight::Regular, longest)],
                false => Vec::new(),
            };
            Self { lines: labels.iter().enumerate().map(line).collect(), upwards }
        };
        let level = |most| -> Vec<Vec<String>> {
            let labels = labels.iter();
            labels.map(|label| abridged(label, LABEL, Weight::Regular, room, most)).collect()
        };
        if widest_label <= room {
            return thinned(1, false, room);
        }
        let words = labels.iter().flat_map(|label| label.split_whitespace());
        if widest(words, LABEL) <= room {
            let lines = level(usize::MAX);
            if lines.iter().all(|lines| lines.len() <= 4) {
                return Self { lines, upwards: false };
            }
        }
        if slot >= ROOMY {
            return Self { lines: level(4), upwards: false };
        }
        // Numbers can be left out: readers can interpolate them.
        let numeric = labels.iter().all(|label| label.starts_with(|c: char| c.is_ascii_digit()));
        if numeric && widest_label < LONGEST / 2.0 {
            let every = ((widest_label + LABEL * 0.6) / slot).ceil().max(1.0) as usize;
            return thinned(every, false, widest_label);
        }
        let every = (LABEL * 1.15 / slot).ceil().max(1.0) as usize;
        if every > 1 {
            return thinned(every, true, LONGEST);
        }
        let most = ((slot / (LABEL * LEADING)) as usize).clamp(1, 3);
        let labels = labels.iter();
        let lines = labels.map(|label| abridged(label, LABEL, Weight::Regular, LONGEST, most));
        Self { lines: lines.collect(), upwards: true }
    }
}

/// A plot with two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// The area of the data, in pixels.
    pub area: Area,
    /// The horizontal axis.
    pub x: ChartAxis,
    /// The vertical axis.
    pub y: ChartAxis,
}

impl Plot {
    /// Draws both axes and the grid into `area`.
    #[must_use]
    pub fn new(canvas: &mut Canvas, area: Area, x: ChartAxis, y: ChartAxis) -> Self {
        let title = Lettering::new(BODY, INK).anchored(Along::Start, Across::Top);
        let heading = shortened(&y.title, BODY, Weight::Regular, area.width());
        canvas.text(heading, at(area.left, area.top), title);
        let widest = |axis: &ChartAxis| widest(axis.ticks.iter().map(|tick| &tick.label), LABEL);
        let left = area.left + widest(&y) + GAP;
        // Half of the last number may lie beyond the plot.
        let overhang = if x.categories { 0.0 } else { widest(&x) / 2.0 };
        let right = area.right - overhang;
        let names = x.categories.then(|| {
            let labels: Vec<_> = x.ticks.iter().map(|tick| tick.label.as_str()).collect();
            AxisNames::of(&labels, (right - left) / labels.len().max(1) as f64)
        });
        let high = names.as_ref().map_or(LABEL * LEADING, AxisNames::height);
        let below = GAP + high + if x.title.is_empty() { 0.0 } else { BODY * LEADING + 4.0 };
        let top = area.top + if y.title.is_empty() { LABEL / 2.0 } else { BODY * LEADING + GAP };
        let plot = Self { area: Area { left, right, top, bottom: area.bottom - below }, x, y };
        plot.draw_y(canvas);
        match names {
            Some(names) => plot.draw_names(canvas, &names),
            None => plot.draw_x(canvas),
        }
        let base = at(plot.area.left, plot.area.bottom);
        canvas.line(base, at(plot.area.right, base.y), Stroke::solid(AXIS, 1.5));
        let title = shortened(&plot.x.title, BODY, Weight::Regular, plot.area.width());
        let lettering = Lettering::new(BODY, INK).anchored(Along::Middle, Across::Bottom);
        let middle = f64::midpoint(plot.area.left, plot.area.right);
        canvas.text(title, at(middle, area.bottom), lettering);
        plot
    }

    /// The point of a pair of values.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Point {
        at(self.across(x), self.up(y))
    }

    /// The horizontal place of `x`, in pixels.
    #[must_use]
    pub fn across(&self, x: f64) -> f64 {
        self.area.left + self.x.share(x) * self.area.width()
    }

    /// The vertical place of `y`, in pixels.
    #[must_use]
    pub fn up(&self, y: f64) -> f64 {
        self.area.bottom - self.y.share(y) * self.area.height()
    }

    fn draw_y(&self, canvas: &mut Canvas) {
        let Area { left, right, .. } = self.area;
        let lettering = Lettering::new(LABEL, MUTED).anchored(Along::End, Across::Middle);
        let mut taken: Option<Area> = None;
        for Tick { value, label } in &self.y.ticks {
            let y = self.up(*value);
            canvas.line(at(left, y), at(right, y), grid(label));
            let point = at(left - GAP, y);
            let area = lettering.area(label, point);
            if taken.is_none_or(|taken| !taken.overlaps(&area)) {
                canvas.text(label.as_str(), point, lettering);
                taken = if label.is_empty() { taken } else { Some(area.grown(2.0)) };
            }
        }
    }

    fn draw_x(&self, canvas: &mut Canvas) {
        let Area { top, bottom, .. } = self.area;
        let lettering = Lettering::new(LABEL, MUTED).anchored(Along::Middle, Across::Top);
        let mut taken: Option<Area> = None;
        for Tick { value, label } in &self.x.ticks {
            let x = self.across(*value);
            canvas.line(at(x, top), at(x, bottom), grid(label));
            let point = at(x, bottom + GAP);
            let area = lettering.area(label, point);
            if taken.is_none_or(|taken| !taken.overlaps(&area)) {
                canvas.text(label.as_str(), point, lettering);
                taken = if label.is_empty() { taken } else { Some(area.grown(LABEL * 0.4)) };
            }
        }
    }

    fn draw_names(&self, canvas: &mut Canvas, names: &AxisNames) {
        for (tick, lines) in self.x.ticks.iter().zip(&names.lines) {
            let x = self.across(tick.value);
            if !lines.is_empty() {
                let bottom = self.area.bottom;
                canvas.line(at(x, bottom), at(x, bottom + 6.0), Stroke::solid(AXIS, 1.5));
            }
            let lettering = Lettering::new(LABEL, MUTED);
            let point = at(x, self.area.bottom + GAP);
            if names.upwards {
                let lettering = lettering.anchored(Along::End, Across::Middle).upwards();
                let first = x - LABEL * LEADING * (lines.len() as f64 - 1.0) / 2.0;
                canvas.text_lines(lines, at(first, point.y), lettering);
            } else {
                let lettering = lettering.anchored(Along::Middle, Across::Top);
                canvas.text_lines(lines, point, lettering);
            }
        }
    }
}

/// The line of the grid at a tick; it is stronger if the tick has a label.
fn grid(label: &str) -> Stroke {
    let color = if label.is_empty() { GRID.toward(super::style::WHITE, 0.45) } else { GRID };
    Stroke::solid(color, 1.3)
}

/// The style of curve `index` of `count`.
#[must_use]
pub fn curve_stroke(index: usize, count: usize) -> Stroke {
    Stroke::solid(super::style::curve_color(index, count), CURVE)
}

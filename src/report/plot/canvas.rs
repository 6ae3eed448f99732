//! A display list of shapes, in pixels from the top left corner. `render` turns it into SVG and
//! PNG.
//!
//! [`Canvas::faults`] finds shapes outside the picture and overlapping texts; tests use it for
//! every chart.

use super::lettering::{FALL, RISE, Weight, text_width};
use super::style::{Color, Marker, WHITE};

/// A place, in pixels from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// The point at `x` and `y`.
#[must_use]
pub const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// An upright rectangle, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The left edge.
    pub left: f64,
    /// The upper edge.
    pub top: f64,
    /// The right edge.
    pub right: f64,
    /// The lower edge.
    pub bottom: f64,
}

impl Area {
    /// The width, in pixels.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// The height, in pixels.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Whether the two overlap; a common edge does not count.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    /// Whether `other` lies inside.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }

    /// The area, larger by `margin` pixels on every side.
    #[must_use]
    pub fn grown(&self, margin: f64) -> Self {
        Self {
            left: self.left - margin,
            top: self.top - margin,
            right: self.right + margin,
            bottom: self.bottom + margin,
        }
    }
}

/// The dashes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// None.
    Solid,
    /// Long dashes.
    Dashed,
    /// Short dashes.
    Dotted,
}

/// The style of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour. Lines are opaque: its alpha is ignored.
    pub color: Color,
    /// Its width in pixels.
    pub width: f64,
    /// Its dashes.
    pub dash: Dash,
}

impl Stroke {
    /// A solid line.
    #[must_use]
    pub const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dash: Dash::Solid }
    }
}

/// Which part of a text lies at its point, in the direction of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// Which part of a text lies at its point, across its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// The top of its capitals.
    Top,
    /// The middle of its capitals.
    Middle,
    /// Its baseline.
    Baseline,
    /// The bottom of its descenders.
    Bottom,
}

/// The direction of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// From left to right.
    Level,
    /// From the bottom up.
    Up,
}

/// The style of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lettering {
    /// The size in pixels per em.
    pub size: f64,
    /// The colour.
    pub color: Color,
    /// The weight.
    pub weight: Weight,
    /// What lies at the point, in the direction of the text.
    pub along: Along,
    /// What lies at the point, across the direction.
    pub across: Across,
    /// The direction.
    pub turn: Turn,
}

impl Lettering {
    /// Regular letters that start at the point, with the baseline on it.
    #[must_use]
    pub const fn new(size: f64, color: Color) -> Self {
        Self {
            size,
            color,
            weight: Weight::Regular,
            along: Along::Start,
            across: Across::Baseline,
            turn: Turn::Level,
        }
    }

    /// The same, with another anchor.
    #[must_use]
    pub const fn anchored(mut self, along: Along, across: Across) -> Self {
        (self.along, self.across) = (along, across);
        self
    }

    /// The same in bold.
    #[must_use]
    pub const fn bold(mut self) -> Self {
        self.weight = Weight::Bold;
        self
    }

    /// The same, from the bottom up.
    #[must_use]
    pub const fn upwards(mut self) -> Self {
        self.turn = Turn::Up;
        self
    }

    /// The distance of the baseline from the point, in pixels.
    pub(super) fn drop(&self) -> f64 {
        self.size
            * match self.across {
                Across::Top => RISE,
                Across::Middle => RISE / 2.0,
                Across::Baseline => 0.0,
                Across::Bottom => -FALL,
            }
    }

    /// The area of `text` at `point`.
    #[must_use]
    pub fn area(&self, text: &str, point: Point) -> Area {
        let width = text_width(text, self.size, self.weight);
        let start = match self.along {
            Along::Start => 0.0,
            Along::Middle => -width / 2.0,
            Along::End => -width,
        };
        let (rise, fall) = (self.drop() - RISE * self.size, self.drop() + FALL * self.size);
        match self.turn {
            Turn::Level => Area {
                left: point.x + start,
                right: point.x + start + width,
                top: point.y + rise,
                bottom: point.y + fall,
            },
            Turn::Up => Area {
                left: point.x + rise,
                right: point.x + fall,
                top: point.y - start - width,
                bottom: point.y - start,
            },
        }
    }
}

/// A shape.
#[derive(Clone, Debug, PartialEq)]
pub enum CanvasShape {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// Its style.
        stroke: Stroke,
    },
    /// A filled polygon whose sides do not cross.
    Polygon {
        /// Its corners.
        corners: Vec<Point>,
        /// Its colour.
        fill: Color,
    },
    /// A filled circle.
    Circle {
        /// Its centre.
        center: Point,
        /// Its radius in pixels.
        radius: f64,
        /// Its colour.
        fill: Color,
    },
    /// A text in one line.
    Text {
        /// The text.
        text: String,
        /// Its anchor.
        point: Point,
        /// Its style.
        lettering: Lettering,
    },
}

/// The shapes of a picture, from back to front.
#[derive(Clone, Debug, PartialEq)]
pub struct Canvas {
    width: u32,
    height: u32,
    shapes: Vec<CanvasShape>,
}

impl Canvas {
    /// An empty white picture of this size in pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// The area of the picture.
    #[must_use]
    pub fn area(&self) -> Area {
        Area { left: 0.0, top: 0.0, right: f64::from(self.width), bottom: f64::from(self.height) }
    }

    /// A line from one point to another.
    pub fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        self.polyline(vec![from, to], stroke);
    }

    /// A line through `points`.
    pub fn polyline(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.shapes.push(CanvasShape::Line { points, stroke });
    }

    /// A filled rectangle.
    pub fn rect(&mut self, area: Area, fill: Color) {
        let Area { left, top, right, bottom } = area;
        let corners = vec![at(left, top), at(right, top), at(right, bottom), at(left, bottom)];
        self.polygon(corners, fill);
    }

    /// The edges of a rectangle.
    pub fn frame(&mut self, area: Area, stroke: Stroke) {
        let Area { left, top, right, bottom } = area;
        let start = at(left, top);
        let points = vec![start, at(right, top), at(right, bottom), at(left, bottom), start];
        self.polyline(points, stroke);
    }

    /// A filled polygon, whose sides must not cross.
    pub fn polygon(&mut self, corners: Vec<Point>, fill: Color) {
        self.shapes.push(CanvasShape::Polygon { corners, fill });
    }

    /// The area between an upper and a lower line, both from left to right.
    pub fn band(&mut self, upper: &[Point], lower: &[Point], fill: Color) {
        // One polygon: viewers show seams between translucent ones.
        let back = lower.iter().rev();
        self.polygon(upper.iter().chain(back).copied().collect(), fill);
    }

    /// A filled circle.
    pub fn circle(&mut self, center: Point, radius: f64, fill: Color) {
        self.shapes.push(CanvasShape::Circle { center, radius, fill });
    }

    /// A circle, white inside.
    pub fn ring(&mut self, center: Point, radius: f64, stroke: Stroke) {
        self.circle(center, radius + stroke.width / 2.0, stroke.color);
        self.circle(center, radius - stroke.width / 2.0, WHITE);
    }

    /// A diagonal cross; its tips are `radius` pixels from the centre in both directions.
    pub fn cross(&mut self, center: Point, radius: f64, stroke: Stroke) {
        let Point { x, y } = center;
        self.line(at(x - radius, y - radius), at(x + radius, y + radius), stroke);
        self.line(at(x - radius, y + radius), at(x + radius, y - radius), stroke);
    }

    /// An arrow with a filled head of `head` pixels, whose tip is at `to`.
    pub fn arrow(&mut self, from: Point, to: Point, stroke: Stroke, head: f64) {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = (dx * dx + dy * dy).sqrt();
        if length == 0.0 {
            return;
        }
        let (ux, uy) = (dx / length, dy / length);
        let head = head.min(length);
        let neck = at(to.x - ux * head, to.y - uy * head);
        let half = head * 0.42;
        self.line(from, neck, stroke);
        let wings = [
            at(neck.x - uy * half, neck.y + ux * half),
            at(neck.x + uy * half, neck.y - ux * half),
        ];
        self.polygon(vec![to, wings[0], wings[1]], stroke.color.opaque());
    }

    /// A filled marker; `radius` is from its centre to its edge, in pixels.
    pub fn marker(&mut self, marker: Marker, center: Point, radius: f64, fill: Color) {
        match marker.corners() {
            None => self.circle(center, radius, fill),
            Some(corners) => {
                let place = |corner: &(f64, f64)| {
                    at(center.x + corner.0 * radius, center.y + corner.1 * radius)
                };
                self.polygon(corners.iter().map(place).collect(), fill);
            }
        }
    }

    /// A marker with a white edge, which separates it from what lies below.
    pub fn spot(&mut self, marker: Marker, center: Point, radius: f64, fill: Color) {
        self.marker(marker, center, radius + 2.0, WHITE);
        self.marker(marker, center, radius, fill);
    }

    /// The outline of a diamond.
    pub fn hollow_diamond(&mut self, center: Point, radius: f64, stroke: Stroke) {
        let Point { x, y } = center;
        let corners = [at(x, y - radius), at(x + radius, y), at(x, y + radius), at(x - radius, y)];
        // The line continues past its start; otherwise the last corner would be open.
        self.polyline([corners.as_slice(), &corners[..2]].concat(), stroke);
    }

    /// A text in one line; nothing if it is empty.
    pub fn text(&mut self, text: impl Into<String>, point: Point, lettering: Lettering) {
        let text = text.into();
        if !text.is_empty() {
            self.shapes.push(CanvasShape::Text { text, point, lettering });
        }
    }

    /// Several lines of text, the first at `point`. Returns the pixels that they take.
    pub fn text_lines(&mut self, lines: &[String], point: Point, lettering: Lettering) -> f64 {
        let step = lettering.size * super::lettering::LEADING;
        for (i, line) in lines.iter().enumerate() {
            let beyond = step * i as f64;
            let start = match lettering.turn {
                Turn::Level => at(point.x, point.y + beyond),
                Turn::Up => at(point.x + beyond, point.y),
            };
            self.text(line.as_str(), start, lettering);
        }
        step * lines.len() as f64
    }

    /// The width of the picture, in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// The height of the picture, in pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The shapes so far.
    #[must_use]
    pub fn shapes(&self) -> &[CanvasShape] {
        &self.shapes
    }

    /// The shapes outside the picture and the pairs of overlapping texts, in words.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let whole = self.area();
        let mut faults = Vec::new();
        let mut texts: Vec<(&str, Area)> = Vec::new();
        for shape in &self.shapes {
            let bounds = shape.bounds();
            if !whole.contains(&bounds) {
                faults.push(format!("leaves the picture: {shape:?}"));
            }
            if let CanvasShape::Text { text, .. } = shape {
                let over = texts.iter().filter(|(_, other)| other.overlaps(&bounds));
                faults.extend(over.map(|(other, _)| format!("`{text}` lies on `{other}`")));
                texts.push((text, bounds));
            }
        }
        faults
    }
}

impl CanvasShape {
    /// The area of the shape, without the width of lines.
    #[must_use]
    pub fn bounds(&self) -> Area {
        match self {
            Self::Line { points, .. } | Self::Polygon { corners: points, .. } => around(points),
            Self::Circle { center, radius, .. } => around(&[*center]).grown(*radius),
            Self::Text { text, point, lettering } => lettering.area(text, *point),
        }
    }
}

/// The smallest area around `points`. A NaN stays in it, so that comparisons with it fail.
fn around(points: &[Point]) -> Area {
    let first = points.first().copied().unwrap_or(at(0.0, 0.0));
    let mut area = Area { left: first.x, top: first.y, right: first.x, bottom: first.y };
    for Point { x, y } in points {
        if x.is_nan() || y.is_nan() {
            return Area { left: f64::NAN, ..area };
        }
        area.left = area.left.min(*x);
        area.right = area.right.max(*x);
        area.top = area.top.min(*y);
        area.bottom = area.bottom.max(*y);
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::style::INK;

    #[test]
    fn texts_that_overlap_or_leave_are_found() {
        let level = Lettering::new(20.0, INK);
        let mut canvas = Canvas::new(400, 200);
        canvas.text("alone", at(10.0, 30.0), level);
        canvas.text("upright", at(300.0, 150.0), level.upwards());
        assert_eq!(canvas.faults(), Vec::<String>::new());
        canvas.text("beside", at(20.0, 35.0), level);
        canvas.text("outside", at(380.0, 190.0), level);
        canvas.line(at(f64::NAN, 0.0), at(1.0, 1.0), Stroke::solid(INK, 1.0));
        let faults = canvas.faults();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(faults[0], "`beside` lies on `alone`");
    }
}

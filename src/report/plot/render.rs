//! From shapes to SVG and PNG, by one function for both.
//!
//! Backends take whole coordinates. Shapes are drawn [`SCALE`] times as large: the PNG is averaged down, which
//! smooths every edge alike, and the SVG is scaled by its view box, which leaves it thirds of a pixel.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, ShapeStyle, TextStyle, WHITE};

use super::Picture;
use super::canvas::{Along, Dash, Lettering, Point, Shape, Stroke, Turn, at};
use super::lettering::{HEIGHT, font};

/// How many of the backends' units a pixel has.
const SCALE: u32 = 3;

/// Where the backends differ: the letters' size and baseline, and how lines bend.
#[derive(Clone, Copy)]
struct Traits {
    /// The size to ask for, for letters of one em.
    size: f64,
    /// How far the baseline is below the place of a text that hangs from its top, in em.
    baseline: f64,
    /// Whether a line is put together from its pieces: this backend fills a line through many close points badly.
    in_pieces: bool,
}

const SVG: Traits = Traits { size: 1.24, baseline: 0.76, in_pieces: false };
const BITMAP: Traits = Traits { size: HEIGHT, baseline: HEIGHT / 2.0, in_pieces: true };

/// The picture of `shapes`.
pub(super) fn picture(width: u32, height: u32, shapes: &[Shape]) -> Picture {
    Picture { svg: svg(width, height, shapes), png: png(width, height, shapes) }
}

fn svg(width: u32, height: u32, shapes: &[Shape]) -> String {
    let mut out = String::new();
    let size = (width * SCALE, height * SCALE);
    draw(&SVGBackend::with_string(&mut out, size).into_drawing_area(), SVG, shapes);
    let drawn = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
    out.replacen(&drawn, &format!("<svg width=\"{width}\" height=\"{height}\""), 1)
}

fn png(width: u32, height: u32, shapes: &[Shape]) -> Vec<u8> {
    let (wide, high) = (width * SCALE, height * SCALE);
    let mut large = vec![0; 3 * wide as usize * high as usize];
    let backend = BitMapBackend::with_buffer(&mut large, (wide, high));
    draw(&backend.into_drawing_area(), BITMAP, shapes);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("memory takes every byte");
    writer.write_image_data(&averaged(&large, wide as usize)).expect("memory takes every byte");
    writer.finish().expect("memory takes every byte");
    out
}

/// The image whose every pixel is the mean of [`SCALE`] times [`SCALE`] of `large`, rows of `wide` pixels.
fn averaged(large: &[u8], wide: usize) -> Vec<u8> {
    let scale = SCALE as usize;
    let count = SCALE * SCALE;
    let mut out = Vec::with_capacity(large.len() / count as usize);
    for rows in large.chunks_exact(wide * 3 * scale) {
        for left in (0..wide).step_by(scale) {
            for channel in 0..3 {
                let mut sum = 0;
                for row in rows.chunks_exact(wide * 3) {
                    sum +=
                        (left..left + scale).map(|x| u32::from(row[3 * x + channel])).sum::<u32>();
                }
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    out
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, traits: Traits, shapes: &[Shape]) {
    area.fill(&WHITE).expect("memory takes every shape");
    for shape in shapes {
        let drawn = match shape {
            Shape::Line { points, stroke } => {
                for piece in pieces(points, stroke) {
                    line(area, traits, &piece, stroke);
                }
                Ok(())
            }
            Shape::Polygon { corners, fill } => {
                let style = fill.rgba().filled();
                area.draw(&Polygon::new(whole(corners), style))
            }
            Shape::Circle { center, radius, fill } => {
                let radius = (radius * f64::from(SCALE)).round().max(1.0) as i32;
                area.draw(&Circle::new(unit(*center), radius, fill.rgba().filled()))
            }
            Shape::Text { text, point, lettering } => {
                let (style, place) = set(traits, *point, lettering);
                area.draw(&Text::new(text.as_str(), place, style))
            }
        };
        drawn.expect("memory takes every shape");
    }
    area.present().expect("memory takes every shape");
}

/// Draws a line without gaps.
fn line<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    traits: Traits,
    points: &[Point],
    stroke: &Stroke,
) {
    let width = (stroke.width * f64::from(SCALE)).round().max(1.0);
    let color = stroke.color.opaque().rgba();
    if !traits.in_pieces {
        let style = ShapeStyle { color, filled: false, stroke_width: width as u32 };
        area.draw(&PathElement::new(whole(points), style)).expect("memory takes every shape");
        return;
    }
    for ends in points.windows(2) {
        let (dx, dy) = (ends[1].x - ends[0].x, ends[1].y - ends[0].y);
        let length = (dx * dx + dy * dy).sqrt();
        if length == 0.0 {
            continue;
        }
        let half = stroke.width / 2.0 / length;
        let (nx, ny) = (-dy * half, dx * half);
        let corners = [
            at(ends[0].x + nx, ends[0].y + ny),
            at(ends[1].x + nx, ends[1].y + ny),
            at(ends[1].x - nx, ends[1].y - ny),
            at(ends[0].x - nx, ends[0].y - ny),
        ];
        area.draw(&Polygon::new(whole(&corners), color.filled()))
            .expect("memory takes every shape");
    }
    // The bends are rounded; a hairline has none to speak of.
    if width >= 4.0 && points.len() > 2 {
        for bend in &points[1..points.len() - 1] {
            let circle = Circle::new(unit(*bend), (width / 2.0).floor() as i32, color.filled());
            area.draw(&circle).expect("memory takes every shape");
        }
    }
}

/// The style and the place of a text for a backend.
fn set(traits: Traits, point: Point, lettering: &Lettering) -> (TextStyle<'static>, (i32, i32)) {
    let em = lettering.size * f64::from(SCALE);
    let turned = match lettering.turn {
        Turn::Level => FontTransform::None,
        Turn::Up => FontTransform::Rotate270,
    };
    let along = match lettering.along {
        Along::Start => HPos::Left,
        Along::Middle => HPos::Center,
        Along::End => HPos::Right,
    };
    let font = font(lettering.weight, em * traits.size).transform(turned);
    let style = font.color(&lettering.color.rgba());
    let style = TextStyle { pos: Pos::new(along, VPos::Top), ..style };
    let across = lettering.drop() - traits.baseline * lettering.size;
    let place = match lettering.turn {
        Turn::Level => at(point.x, point.y + across),
        Turn::Up => at(point.x + across, point.y),
    };
    (style, unit(place))
}

fn unit(point: Point) -> (i32, i32) {
    let scaled = |value: f64| (value * f64::from(SCALE)).round() as i32;
    (scaled(point.x), scaled(point.y))
}

/// `points` in the backends' units, none twice in a row.
fn whole(points: &[Point]) -> Vec<(i32, i32)> {
    let mut units: Vec<_> = points.iter().map(|point| unit(*point)).collect();
    units.dedup();
    units
}

/// What is left of a line when it is interrupted.
fn pieces(points: &[Point], stroke: &Stroke) -> Vec<Vec<Point>> {
    let (on, off) = match stroke.dash {
        Dash::Solid => return vec![points.to_vec()],
        Dash::Dashed => (4.0 * stroke.width, 2.5 * stroke.width),
        Dash::Dotted => (1.0 * stroke.width, 2.0 * stroke.width),
    };
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for ends in points.windows(2) {
        let (dx, dy) = (ends[1].x - ends[0].x, ends[1].y - ends[0].y);
        let length = (dx * dx + dy * dy).sqrt();
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let turn = at(ends[0].x + dx * gone / length, ends[0].y + dy * gone / length);
            if drawing {
                piece.push(turn);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![turn];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length - gone;
        if drawing {
            piece.push(ends[1]);
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

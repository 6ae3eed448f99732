//! Rendering shapes to SVG and PNG, by one function for both.
//!
//! plotters' backends take whole coordinates, so shapes are drawn [`SCALE`] times as large. The PNG
//! is then averaged down, which smooths all edges; the SVG is scaled by its view box, with a
//! precision of a third of a pixel.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, ShapeStyle, TextStyle, WHITE};

use super::Picture;
use super::canvas::{Along, Canvas, CanvasShape, Dash, Lettering, Point, Stroke, Turn, at};
use super::lettering::{HEIGHT, font};

/// How many units of the backends a pixel has.
const SCALE: u32 = 3;

/// Where the backends differ: the size and baseline of letters, and how lines are drawn.
#[derive(Clone, Copy)]
struct Traits {
    /// The font size that gives letters of one em.
    size: f64,
    /// The distance of the baseline from the top of a text, in em.
    baseline: f64,
    /// Whether lines are drawn segment by segment: the bitmap backend draws lines through many
    /// close points badly.
    in_pieces: bool,
}

const SVG: Traits = Traits { size: 1.24, baseline: 0.76, in_pieces: false };
const BITMAP: Traits = Traits { size: HEIGHT, baseline: HEIGHT / 2.0, in_pieces: true };

/// Renders the shapes of `canvas`.
pub(super) fn picture(canvas: &Canvas) -> Picture {
    let (width, height) = (canvas.width(), canvas.height());
    Picture { svg: svg(width, height, canvas.shapes()), png: png(width, height, canvas.shapes()) }
}

fn svg(width: u32, height: u32, shapes: &[CanvasShape]) -> String {
    let mut out = String::new();
    let size = (width * SCALE, height * SCALE);
    draw(&SVGBackend::with_string(&mut out, size).into_drawing_area(), SVG, shapes);
    let drawn = format!("<svg width=\"{}\" height=\"{}\"", size.0, size.1);
    out.replacen(&drawn, &format!("<svg width=\"{width}\" height=\"{height}\""), 1)
}

fn png(width: u32, height: u32, shapes: &[CanvasShape]) -> Vec<u8> {
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

/// The image in which each pixel is the mean of [`SCALE`] times [`SCALE`] pixels of `large`, which
/// has rows of `wide` pixels.
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

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, traits: Traits, shapes: &[CanvasShape]) {
    area.fill(&WHITE).expect("memory takes every shape");
    for shape in shapes {
        let drawn = match shape {
            CanvasShape::Line { points, stroke } => {
                for piece in pieces(points, stroke) {
                    line(area, traits, &piece, stroke);
                }
                Ok(())
            }
            CanvasShape::Polygon { corners, fill } => {
                let style = fill.rgba().filled();
                area.draw(&Polygon::new(whole(corners), style))
            }
            CanvasShape::Circle { center, radius, fill } => {
                let radius = (radius * f64::from(SCALE)).round().max(1.0) as i32;
                area.draw(&Circle::new(unit(*center), radius, fill.rgba().filled()))
            }
            CanvasShape::Text { text, point, lettering } => {
                let (style, place) = set(traits, *point, lettering);
                area.draw(&Text::new(text.as_str(), place, style))
            }
        };
        drawn.expect("memory takes every shape");
    }
    area.present().expect("memory takes every shape");
}

/// Draws a solid line.
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
    // Bends are rounded, except those of thin lines.
    if width >= 4.0 && points.len() > 2 {
        for bend in &points[1..points.len() - 1] {
            let circle = Circle::new(unit(*bend), (width / 2.0).floor() as i32, color.filled());
            area.draw(&circle).expect("memory takes every shape");
        }
    }
}

/// The style and the place of a text, for a backend.
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

/// `points` in units of the backends, without repetitions.
fn whole(points: &[Point]) -> Vec<(i32, i32)> {
    let mut units: Vec<_> = points.iter().map(|point| unit(*point)).collect();
    units.dedup();
    units
}

/// The dashes of a line.
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

#[cfg(test)]
mod tests {
    use super::super::style::INK;
    use super::*;

    #[test]
    fn the_same_shapes_give_the_same_bytes_in_both_formats() {
        let mut canvas = Canvas::new(200, 100);
        canvas.text("R + W > N & <so on>", at(5.0, 90.0), Lettering::new(16.0, INK));
        canvas.arrow(at(10.0, 10.0), at(150.0, 40.0), Stroke::solid(INK, 2.0), 12.0);
        canvas.cross(at(100.0, 50.0), 6.0, Stroke::solid(INK, 2.0));
        let dashed = Stroke { dash: Dash::Dashed, ..Stroke::solid(INK, 2.0) };
        canvas.line(at(10.0, 60.0), at(190.0, 60.0), dashed);
        let (one, two) = (picture(&canvas), picture(&canvas.clone()));
        assert!(one == two);
        assert!(one.svg.contains("R + W &gt; N &amp; &lt;so on&gt;"));
        assert!(one.svg.starts_with("<svg width=\"200\" height=\"100\""));
        let decoder = png::Decoder::new(std::io::Cursor::new(&one.png));
        let info = decoder.read_info().unwrap();
        assert_eq!((info.info().width, info.info().height), (200, 100));
    }
}

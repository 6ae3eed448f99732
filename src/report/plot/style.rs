//! The style of all pictures: colours that colour-blind people can distinguish, markers, font
//! sizes.

use plotters::style::RGBAColor;
use strum::VariantArray;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color {
    /// Red, green and blue.
    pub rgb: (u8, u8, u8),
    /// The opacity, from 0 to 1.
    pub alpha: f64,
}

impl Color {
    /// An opaque colour.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { rgb: (red, green, blue), alpha: 1.0 }
    }

    /// The colour with this opacity.
    #[must_use]
    pub const fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The colour, opaque.
    #[must_use]
    pub const fn opaque(self) -> Self {
        self.with_alpha(1.0)
    }

    pub(super) fn rgba(self) -> RGBAColor {
        RGBAColor(self.rgb.0, self.rgb.1, self.rgb.2, self.alpha)
    }

    /// The colour `share` of the way to `other`.
    #[must_use]
    pub fn toward(self, other: Self, share: f64) -> Self {
        let mix =
            |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        let ((r, g, b), (s, h, c)) = (self.rgb, other.rgb);
        Self { rgb: (mix(r, s), mix(g, h), mix(b, c)), alpha: self.alpha }
    }
}

/// The background.
pub const WHITE: Color = Color::new(255, 255, 255);
/// Titles and important text.
pub const INK: Color = Color::new(34, 34, 34);
/// Explanations and the numbers at axes.
pub const MUTED: Color = Color::new(85, 85, 85);
/// The lines of axes.
pub const AXIS: Color = Color::new(120, 120, 120);
/// The grid.
pub const GRID: Color = Color::new(228, 228, 228);
/// Blue of Okabe and Ito.
pub const BLUE: Color = Color::new(0, 114, 178);
/// Vermillion of Okabe and Ito.
pub const VERMILLION: Color = Color::new(213, 94, 0);
/// Bluish green of Okabe and Ito.
pub const GREEN: Color = Color::new(0, 158, 115);
/// Reddish purple of Okabe and Ito.
pub const PURPLE: Color = Color::new(204, 121, 167);
/// Orange of Okabe and Ito.
pub const ORANGE: Color = Color::new(230, 159, 0);
/// Sky blue of Okabe and Ito.
pub const SKY: Color = Color::new(86, 180, 233);

/// The palette for curves, the most visible first. Okabe and Ito's yellow is missing: it is too
/// pale for a line on white.
pub const PALETTE: [Color; 8] =
    [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, Color::new(0, 0, 0), Color::new(128, 128, 128)];

/// A scale from dark to light for ordered curves; even its end is readable on white.
const SEQUENCE: [Color; 5] = [
    Color::new(68, 1, 84),
    Color::new(59, 82, 139),
    Color::new(33, 145, 140),
    Color::new(94, 201, 98),
    Color::new(216, 196, 30),
];

/// The colour of curve `index` of `count`: from the palette, or from a scale if that is too short.
#[must_use]
pub fn curve_color(index: usize, count: usize) -> Color {
    if count <= PALETTE.len() {
        return PALETTE[index % PALETTE.len()];
    }
    let place = index as f64 / (count - 1) as f64 * (SEQUENCE.len() - 1) as f64;
    let stop = (place.floor() as usize).min(SEQUENCE.len() - 2);
    SEQUENCE[stop].toward(SEQUENCE[stop + 1], place - stop as f64)
}

/// A shape that distinguishes a curve without its colour, the first eight in the order of the
/// palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle on its base.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle on its tip.
    Inverted,
    /// A five-pointed star.
    Star,
    /// An upright cross.
    Plus,
    /// A triangle that points right.
    Wedge,
    /// A cross on its corners.
    Cross,
}

impl Marker {
    /// The marker of curve `index`.
    #[must_use]
    pub fn of(index: usize) -> Self {
        Self::VARIANTS[index % Self::VARIANTS.len()]
    }

    /// Its corners, in radii from its centre; a circle has none. All markers look about equally
    /// large.
    pub(super) fn corners(self) -> Option<&'static [(f64, f64)]> {
        const STAR: [(f64, f64); 10] = [
            (0.0, -1.35),
            (0.32, -0.44),
            (1.28, -0.42),
            (0.52, 0.17),
            (0.79, 1.09),
            (0.0, 0.55),
            (-0.79, 1.09),
            (-0.52, 0.17),
            (-1.28, -0.42),
            (-0.32, -0.44),
        ];
        const PLUS: [(f64, f64); 12] = [
            (-0.38, -1.15),
            (0.38, -1.15),
            (0.38, -0.38),
            (1.15, -0.38),
            (1.15, 0.38),
            (0.38, 0.38),
            (0.38, 1.15),
            (-0.38, 1.15),
            (-0.38, 0.38),
            (-1.15, 0.38),
            (-1.15, -0.38),
            (-0.38, -0.38),
        ];
        const CROSS: [(f64, f64); 12] = [
            (0.0, -0.54),
            (0.54, -1.08),
            (1.08, -0.54),
            (0.54, 0.0),
            (1.08, 0.54),
            (0.54, 1.08),
            (0.0, 0.54),
            (-0.54, 1.08),
            (-1.08, 0.54),
            (-0.54, 0.0),
            (-1.08, -0.54),
            (-0.54, -1.08),
        ];
        match self {
            Self::Circle => None,
            Self::Square => Some(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            Self::Triangle => Some(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
            Self::Diamond => Some(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            Self::Inverted => Some(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
            Self::Star => Some(&STAR),
            Self::Plus => Some(&PLUS),
            Self::Cross => Some(&CROSS),
            Self::Wedge => Some(&[(1.2, 0.0), (-0.8, 1.1), (-0.8, -1.1)]),
        }
    }
}

/// The size of the title, in pixels per em.
pub const TITLE: f64 = 34.0;
/// The size of explanations and titles of axes.
pub const BODY: f64 = 22.0;
/// The size of numbers at axes, legends, labels of points.
pub const LABEL: f64 = 20.0;
/// The size of small print.
pub const SMALL: f64 = 16.0;
/// The width of a curve in pixels.
pub const CURVE: f64 = 3.0;
/// The radius of a marker in pixels.
pub const MARK: f64 = 6.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_have_colours_of_their_own_however_many_they_are() {
        for count in [1, 8, 9, 30] {
            let colors: Vec<_> = (0..count).map(|i| curve_color(i, count).rgb).collect();
            for (i, color) in colors.iter().enumerate() {
                assert!(!colors[..i].contains(color), "{count} curves: {i} repeats {color:?}");
            }
        }
    }
}

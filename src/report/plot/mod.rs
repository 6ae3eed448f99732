//! Pictures: one chart a file, all of them with one look, as SVG and as PNG.
//!
//! A chart notes its shapes on a [`canvas::Canvas`], which renders them twice. The same data gives the same bytes on
//! every machine: the font is compiled in, and nothing here asks the clock or the order of a hash map. A picture
//! explains itself: under its title are the sentences that say how to read it, and at its foot, in small print,
//! what was run.

pub mod axis;
mod bands;
pub mod canvas;
pub mod comparison;
pub mod consistency;
pub mod diagram;
pub mod distribution;
pub mod frame;
#[cfg(test)]
mod gallery;
pub mod latency;
pub mod lettering;
mod render;
pub mod style;
pub mod timeline;
pub mod tradeoff;

/// What a picture says in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// What the picture shows, in a line.
    pub title: String,
    /// How to read it, in sentences.
    pub explanation: String,
    /// What was run: the scenario, the seeds, the version.
    pub small_print: String,
}

/// A finished picture, twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// As SVG.
    pub svg: String,
    /// As PNG.
    pub png: Vec<u8>,
}

/// A measured value and the bounds of its 95% confidence interval, `low <= value <= high`, in the unit of what is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The value.
    pub value: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// A value that is known exactly.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }
}

/// Whether positive values from `low` to `high` are too far apart for a linear axis.
fn wide(low: f64, high: f64) -> bool {
    /// Beyond this ratio the least value is lost in the line of the axis.
    const RATIO: f64 = 50.0;
    low > 0.0 && high.is_finite() && high / low > RATIO
}

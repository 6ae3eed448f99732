//! Pictures: one chart for each file, all in the same style, as SVG and as PNG.
//!
//! A chart draws shapes on a [`canvas::Canvas`], which `render` turns into both formats. The same
//! data gives the same bytes on every machine: the font is compiled in, and nothing depends on
//! clocks or on the order of hash maps. Below its title a picture says how to read it, and in small
//! print what was run.

use crate::config::Config;
use crate::run::RunResult;

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

/// The words of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// What the picture shows, in a line.
    pub title: String,
    /// How to read it, in sentences.
    pub explanation: String,
    /// What was run: the scenario, the seeds, the version.
    pub small_print: String,
}

/// A run to draw.
#[derive(Clone, Copy, Debug)]
pub struct PlottedRun<'a> {
    /// The name of its scenario.
    pub scenario: &'a str,
    /// Its settings.
    pub config: &'a Config,
    /// The run.
    pub result: &'a RunResult,
}

impl PlottedRun<'_> {
    /// The caption of its pictures.
    fn caption(&self, explanation: String) -> Caption {
        let RunResult { seed, digest, .. } = self.result;
        let version = env!("CARGO_PKG_VERSION");
        Caption {
            title: self.config.title.clone(),
            explanation,
            small_print: format!(
                "{}, seed {seed}, digest {digest}, splitbrain {version}",
                self.scenario
            ),
        }
    }
}

/// A finished picture in two formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The SVG document.
    pub svg: String,
    /// The PNG file.
    pub png: Vec<u8>,
}

/// A measured value with its 95% confidence interval, `low <= value <= high`.
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
    /// Beyond this ratio the least value would lie on the line of the axis.
    const RATIO: f64 = 50.0;
    low > 0.0 && high.is_finite() && high / low > RATIO
}

//! Scenario files: TOML text to validated settings and back.
//!
//! 1. `tree` parses a file to a tree of keys and values, each with its place.
//! 2. `set` applies `--set` arguments to the tree.
//! 3. `decode` and `sections` decode it key by key into [`Config`](crate::config::Config). Mistakes
//!    are collected (`diagnostics`) and shown all at once, in the style of rustc.
//!
//! [`keys`] declares each key once: decoding, `export`, [`schema()`] (for editors) and
//! [`mod@reference`] come from the declarations.

use crate::rng::Probability;
use crate::time::Span;

mod answer;
mod changes;
mod cluster;
mod decode;
mod diagnostics;
mod distribution;
mod document;
mod expect;
mod export;
mod faults;
mod frame;
pub mod fuzz;
mod ids;
mod intervals;
pub mod keys;
mod leader_follower;
mod loaded;
mod names;
mod network;
mod nodes;
mod protocol;
pub mod reference;
mod registry;
mod schema;
mod script;
mod sections;
mod set;
mod template;
mod tree;
mod units;
mod vary;
mod words;
mod workload;

pub use decode::{Element, TableDecoder, word_for};
pub use diagnostics::Diagnostics;
pub use distribution::encode_distribution;
pub use document::{Document, LISTS};
pub use loaded::Scenario;
pub use protocol::{Awaited, ConfiguredProtocol, ScenarioProtocol};
pub use registry::Registry;
pub use schema::schema;
pub use template::Template;
pub use units::read_percentage as percentage;
pub use vary::{Axis, Overrides, settings};

/// A length of time as scenario files write it: `150ms`, `1.5s`.
///
/// # Errors
///
/// Why the text is not one.
pub(crate) fn duration(text: &str) -> Result<Span, String> {
    units::duration(text).map_err(|not| not.why)
}

/// A share as scenario files write it: `5%`.
pub(crate) fn percentage_text(share: Probability) -> String {
    units::show_percentage(share.parts_per_billion())
}

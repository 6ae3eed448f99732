//! The keys of scenario files, each declared once.
//!
//! A [`Section`] is a table of a file; its keys fill in a value of type `C`. Each [`Setting`] has a
//! name, a help text, a [`Format`] (what it takes, how it is read and written) and a place in `C`.
//! The default of a key is what the section's `base` has in that place. Decoding, encoding, the
//! JSON schema and the reference all come from the section. [`Setting::needs`],
//! [`Setting::checked`] and [`Setting::default_from`] are for keys that depend on other keys.

mod draft;
mod format;
mod one_of;
mod section;
mod setting;
mod shape;

pub use draft::Draft;
pub use format::{
    Format, Texts, bandwidth, boolean, choice, distribution, drift, duration, follower_count,
    integer, interval, line, name_shape, named, node, node_count, only_true, positive_duration,
    probability, signed_duration, time, wait, waits, whole_number, words,
};
pub use one_of::Variant;
pub(crate) use one_of::variants;
pub use section::Section;
pub(crate) use section::keys;
pub use setting::{Gate, Given, Needs, Setting, key, part};
pub(crate) use shape::declared;
pub use shape::{Declaration, ValueShape};

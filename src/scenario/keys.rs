//! The keys of scenario files, each declared once.
//!
//! A [`Section`] is a table of a file whose keys fill in a value of type `C`. Each [`Setting`] says
//! its name, what it means, its [`Format`] (what it takes, how that is read and written) and the
//! place in `C` where it goes; what holds in its absence is what the section's `base` has there.
//! Decoding, encoding, the JSON schema and the reference all come from the section. Keys whose
//! meaning hangs on others say so with [`Setting::needs`], [`Setting::checked`] and
//! [`Setting::default_from`].

mod draft;
mod format;
mod one_of;
mod section;
mod setting;
mod shape;

pub use draft::Draft;
pub use format::{
    Format, Texts, bandwidth, boolean, choice, distribution, drift, duration, integer, interval,
    line, name_shape, named, node, node_count, only_true, positive_duration, probability,
    signed_duration, time, wait, waits, whole_number, words,
};
pub use one_of::Variant;
pub(crate) use one_of::variants;
pub use section::Section;
pub(crate) use section::keys;
pub use setting::{Gate, Given, Needs, Setting, key, part};
pub(crate) use shape::declared;
pub use shape::{Declaration, ValueShape};

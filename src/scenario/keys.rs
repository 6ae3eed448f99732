//! The keys of scenario files, each declared once.
//!
//! A [`Section`] is a table of a file whose keys fill in a value of type `C`. Each [`Key`] says its name, what it
//! means, its [`Kind`] (what it takes, how that is read and written) and the place in `C` where it goes; what holds in
//! its absence is what the section's `base` has there. Decoding, encoding, the JSON schema and the reference all come
//! from the section. Keys whose meaning hangs on others say so with [`Key::needs`], [`Key::checked`] and
//! [`Key::default_from`].

mod draft;
mod key;
mod kind;
mod one_of;
mod section;
mod shape;

pub use draft::Draft;
pub use key::{Gate, Given, Key, Needs, key, part};
pub use kind::{
    Kind, Texts, bandwidth, boolean, choice, distribution, drift, duration, integer, interval,
    line, name_shape, named, node, node_count, positive_duration, probability, signed_duration,
    wait, waits, whole_number, words,
};
pub use one_of::Variant;
pub use section::Section;
pub use shape::{Declaration, Shape};

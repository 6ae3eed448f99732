//! Enums whose variants have names in files, tables and JSON.
//!
//! The declaration of the enum is the only list: its derives give the variants in order and their
//! names in kebab-case, so no variant can be missing from either. A name that is not the variant's
//! own stands beside the variant: `#[strum(serialize = "..")]`.
//!
//! ```
//! use splitbrain::named::Named;
//! use strum::{IntoStaticStr, VariantArray};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, VariantArray, IntoStaticStr)]
//! #[strum(serialize_all = "kebab-case")]
//! enum Answer {
//!     NotYet,
//!     #[strum(serialize = "done")]
//!     Completed,
//! }
//!
//! assert_eq!(Answer::NotYet.name(), "not-yet");
//! assert_eq!(Answer::by_name("done"), Some(Answer::Completed));
//! assert_eq!(Answer::by_name("Done").or(Answer::by_name("not")), None);
//! assert_eq!(Answer::ALL.len(), 2);
//! ```

use strum::VariantArray;

/// An enum without data whose variants have names.
pub trait Named: VariantArray + Copy + Into<&'static str> {
    /// All variants, in the order of their declaration.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// All variants by value, in the order of their declaration.
    fn all() -> impl ExactSizeIterator<Item = Self> + DoubleEndedIterator {
        Self::VARIANTS.iter().copied()
    }

    /// The name in files, tables and JSON.
    #[must_use]
    fn name(self) -> &'static str {
        self.into()
    }

    /// The variant of this name.
    #[must_use]
    fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|variant| variant.name() == name)
    }

    /// Every variant with its name.
    #[must_use]
    fn words() -> Vec<(&'static str, Self)> {
        Self::all().map(|variant| (variant.name(), variant)).collect()
    }
}

impl<E: VariantArray + Copy + Into<&'static str>> Named for E {}

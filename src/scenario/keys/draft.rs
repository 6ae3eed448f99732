//! A value that is being decoded, and what decodes a part of it.

use toml::Table;

use super::format::Texts;
use super::shape::Declaration;
use crate::scenario::decode::TableDecoder;

/// A value that is being decoded, and the keys that turned out wrong.
#[derive(Debug)]
pub struct Draft<C> {
    /// The value so far; keys that are wrong or not yet read have the values of the section's base.
    pub value: C,
    wrong: Vec<&'static str>,
    is_wrong_together: bool,
}

impl<C> Draft<C> {
    pub(super) const fn new(base: C) -> Self {
        Self { value: base, wrong: Vec::new(), is_wrong_together: false }
    }

    /// Whether no mistake of this key has been noted so far.
    #[must_use]
    pub fn is_right(&self, key: &str) -> bool {
        !self.wrong.contains(&key)
    }

    /// Whether no mistake was noted at all.
    #[must_use]
    pub const fn is_all_right(&self) -> bool {
        self.wrong.is_empty() && !self.is_wrong_together
    }

    pub(super) const fn note_wrong_together(&mut self) {
        self.is_wrong_together = true;
    }

    pub(super) fn note_wrong(&mut self, keys: &[Declaration]) {
        self.wrong.extend(keys.iter().map(|key| key.name));
    }
}

/// Keys of a section that are decoded together.
pub(super) trait Bind<C>: Send + Sync {
    /// The keys, of a section with this base.
    fn declared(&self, base: &C) -> Vec<Declaration>;
    /// Whether exactly one of them has to be given.
    fn is_choice(&self) -> bool {
        false
    }
    /// Reads them into the draft; `None` says that mistakes were noted.
    fn decode(&self, table: &mut TableDecoder<'_>, draft: &mut Draft<C>) -> Option<()>;
    /// Writes them into the table. It leaves the value as it is: places are found by `&mut`.
    fn encode(&self, value: &mut C, texts: &Texts<'_>, table: &mut Table);
}

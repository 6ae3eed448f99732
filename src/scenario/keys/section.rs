//! A table of a scenario file.

use std::fmt::Debug;
use std::sync::Arc;

use toml::{Table, Value};

use super::draft::{Bind, Draft};
use super::format::{Format, Texts};
use super::one_of::{OneOf, Variant};
use super::setting::Setting;
use super::shape::{Declaration, ValueShape, one_of_each};
use crate::scenario::decode::TableDecoder;

/// The keys of another section, which fill in a part of the value.
struct Flat<C, D> {
    section: Section<D>,
    place: fn(&mut C) -> &mut D,
}

impl<C: 'static, D: Clone + Send + Sync + 'static> Bind<C> for Flat<C, D> {
    fn declared(&self, _: &C) -> Vec<Declaration> {
        self.section.declared()
    }

    fn decode(&self, table: &mut TableDecoder<'_>, draft: &mut Draft<C>) -> Option<()> {
        let place = (self.place)(&mut draft.value);
        *place = self.section.decode_over(table, place.clone())?;
        Some(())
    }

    fn encode(&self, value: &mut C, texts: &Texts<'_>, table: &mut Table) {
        table.extend(self.section.encode((self.place)(value), texts));
    }
}

/// Keys that are decoded and encoded by hand.
struct ByHand<C> {
    declared: Vec<Declaration>,
    decode: fn(&mut TableDecoder<'_>, &mut Draft<C>) -> Option<()>,
    encode: fn(&C, &Texts<'_>, &mut Table),
}

impl<C: 'static> Bind<C> for ByHand<C> {
    fn declared(&self, _: &C) -> Vec<Declaration> {
        self.declared.clone()
    }

    fn decode(&self, table: &mut TableDecoder<'_>, draft: &mut Draft<C>) -> Option<()> {
        (self.decode)(table, draft)
    }

    fn encode(&self, value: &mut C, texts: &Texts<'_>, table: &mut Table) {
        (self.encode)(value, texts, table);
    }
}

/// Keys for [`Section::with`]: the help text as documentation, the name, the place of the value,
/// the format, then calls of [`Setting`]. After a place that is an enum come a variant and a field
/// of it.
///
/// ```text
/// section.with(keys! { |link: Link|
///     /// One-way delay.
///     "delay" => link.delay, distribution(), required();
///     /// How much may wait.
///     "queue" => link.limit => Limit::Queue { bytes } => bytes, integer(1..=1_000_000);
/// })
/// ```
macro_rules! keys {
    (|$value:ident: $of:ty| $(
        $(#[doc = $help:literal])*
        $name:literal => $place:expr $(=> $variant:pat => $field:ident)?, $format:expr
            $(, $rule:ident($($argument:expr),*))*;
    )*) => {
        |section: $crate::scenario::keys::Section<$of>| section$(.key(
            $crate::scenario::keys::part(
                $name,
                concat!($($help),*).trim_start(),
                $format,
                |$value: &mut $of| {
                    $crate::scenario::keys::keys!(@place $place $(=> $variant => $field)?)
                },
            )$(.$rule($($argument),*))*,
        ))*
    };
    (@place $place:expr) => { Some(&mut $place) };
    (@place $place:expr => $variant:pat => $field:ident) => {
        match &mut $place {
            $variant => Some($field),
            _ => None,
        }
    };
}
pub(crate) use keys;

type SectionCheckFn<C> = fn(&Draft<C>, &mut TableDecoder<'_>) -> Option<()>;

/// A table of a scenario file, and the value that its keys fill in.
pub struct Section<C> {
    help: &'static str,
    base: C,
    keys: Vec<Box<dyn Bind<C>>>,
    check: Option<SectionCheckFn<C>>,
    has_defaults: bool,
}

impl<C: Debug> Debug for Section<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Section")
            .field("help", &self.help)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl<C: Clone + Send + Sync + 'static> Section<C> {
    /// A section without keys; an empty table means `base`. `help` says what the table is for.
    #[must_use]
    pub const fn new(help: &'static str, base: C) -> Self {
        Self { help, base, keys: Vec::new(), check: None, has_defaults: true }
    }

    /// The section with one more key.
    #[must_use]
    pub fn key<T: 'static>(self, key: Setting<C, T>) -> Self {
        self.bind(key)
    }

    /// The section with the keys that `add` adds.
    #[must_use]
    pub fn with(self, add: impl FnOnce(Self) -> Self) -> Self {
        add(self)
    }

    /// The section with the keys of another one, which fill in the part of the value at `place`.
    #[must_use]
    pub fn flat<D>(self, section: Section<D>, place: fn(&mut C) -> &mut D) -> Self
    where
        D: Clone + Send + Sync + 'static,
    {
        self.bind(Flat { section, place })
    }

    /// The section with keys that are decoded and encoded by hand. `decode` reads all `declared`
    /// keys, and `encode` writes them.
    #[must_use]
    pub fn by_hand(
        self,
        declared: Vec<Declaration>,
        decode: fn(&mut TableDecoder<'_>, &mut Draft<C>) -> Option<()>,
        encode: fn(&C, &Texts<'_>, &mut Table),
    ) -> Self {
        self.bind(ByHand { declared, decode, encode })
    }

    fn bind(mut self, keys: impl Bind<C> + 'static) -> Self {
        self.keys.push(Box::new(keys));
        self
    }

    /// The section with a check of all its keys together. It is called even if some are wrong, and
    /// notes a mistake if it returns `None`.
    #[must_use]
    pub fn checked(self, check: SectionCheckFn<C>) -> Self {
        Self { check: Some(check), ..self }
    }

    /// The section with variants, of which exactly one is given; `what` names what they give.
    #[must_use]
    pub fn one_of<T: 'static>(
        self,
        what: &'static str,
        variants: Vec<Variant<T>>,
        get: fn(&C) -> T,
        set: fn(&mut C, T),
    ) -> Self {
        self.bind(OneOf { what, variants, get, set })
    }

    /// The section for tables whose absent keys keep another value: the reference names no
    /// defaults.
    #[must_use]
    pub fn without_defaults(self) -> Self {
        Self { has_defaults: false, ..self }
    }

    /// What a table without keys means.
    #[must_use]
    pub const fn base(&self) -> &C {
        &self.base
    }

    /// Reads a table; `None` says that mistakes were noted.
    #[must_use]
    pub fn decode(&self, table: &mut TableDecoder<'_>) -> Option<C> {
        self.decode_over(table, self.base.clone())
    }

    /// Reads a table whose absent keys are as in `base`.
    #[must_use]
    pub fn decode_over(&self, table: &mut TableDecoder<'_>, base: C) -> Option<C> {
        let draft = self.draft(table, base);
        draft.is_all_right().then_some(draft.value)
    }

    /// As [`Self::decode_over`], for a caller that goes on after a mistake.
    #[must_use]
    pub fn draft(&self, table: &mut TableDecoder<'_>, base: C) -> Draft<C> {
        let mut draft = Draft::new(base);
        for keys in &self.keys {
            if keys.decode(table, &mut draft).is_none() {
                draft.note_wrong(&keys.declared(&self.base));
            }
        }
        if let Some(check) = self.check
            && check(&draft, table).is_none()
        {
            draft.note_wrong_together();
        }
        draft
    }

    /// Writes a value as a table with every key; decoding it gives an equal value.
    #[must_use]
    pub fn encode(&self, value: &C, texts: &Texts<'_>) -> Table {
        let mut table = Table::new();
        let mut value = value.clone();
        self.keys.iter().for_each(|keys| keys.encode(&mut value, texts, &mut table));
        table
    }

    /// Its keys.
    #[must_use]
    pub fn declared(&self) -> Vec<Declaration> {
        let mut declared: Vec<Declaration> =
            self.keys.iter().flat_map(|keys| keys.declared(&self.base)).collect();
        if !self.has_defaults {
            declared.iter_mut().for_each(|key| key.default = None);
        }
        declared
    }

    /// The shape of the table.
    #[must_use]
    pub fn shape(&self) -> ValueShape {
        let mut shape = ValueShape::table(self.help, self.declared());
        let mut choices: Vec<Vec<&str>> = Vec::new();
        for keys in self.keys.iter().filter(|keys| keys.is_choice()) {
            choices.push(keys.declared(&self.base).iter().map(|key| key.name).collect());
        }
        if let Some(last) = choices.pop() {
            shape = shape.exactly_one(&last);
        }
        if choices.is_empty() { shape } else { shape.and("allOf", one_of_each(&choices)) }
    }

    /// The format of a value that is such a table.
    #[must_use]
    pub fn format(self) -> Format<C> {
        let section = Arc::new(self);
        let writes = Arc::clone(&section);
        Format::with_texts(
            section.shape(),
            move |element| element.table(|table| section.decode(table)),
            move |value, texts| Value::Table(writes.encode(value, texts)),
        )
    }
}

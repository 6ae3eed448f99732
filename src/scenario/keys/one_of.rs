//! Keys of which exactly one is given.

use toml::Table;

use super::draft::{Bind, Draft};
use super::format::{Format, Texts};
use super::shape::Declaration;
use crate::scenario::decode::{Element, TableDecoder};

/// One of several keys of which exactly one is given.
#[derive(Debug)]
pub struct Variant<X> {
    name: &'static str,
    help: &'static str,
    format: Format<X>,
}

impl<X: 'static> Variant<X> {
    /// The variant of the values that `make` makes; `part` is its inverse, and `None` for values of
    /// other variants.
    #[must_use]
    pub fn new<T: 'static>(
        name: &'static str,
        help: &'static str,
        format: Format<T>,
        make: impl Fn(T) -> X + Send + Sync + 'static,
        part: impl Fn(&X) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, format: format.convert(make, part) }
    }
}

/// The variants of an enum, for [`Section::one_of`](super::Section::one_of): the help text as
/// documentation, the name, the parts that the format reads, and the value made of them.
///
/// ```text
/// variants! { Start:
///     /// When it starts.
///     "at" => (time) -> At(time), time();
/// }
/// ```
macro_rules! variants {
    ($of:ident: $(
        $(#[doc = $help:literal])*
        $name:literal => ($($part:ident),*) -> $variant:ident $fields:tt, $format:expr;
    )*) => {
        vec![$($crate::scenario::keys::Variant::new(
            $name,
            concat!($($help),*).trim_start(),
            $format,
            |$crate::scenario::keys::variants!(@parts $($part),*)| $of::$variant $fields,
            |whole| match whole {
                $of::$variant $fields => Some(($($part.clone()),*)),
                _ => None,
            },
        )),*]
    };
    (@parts $part:ident) => { $part };
    (@parts $($part:ident),*) => { ($($part),*) };
}
pub(crate) use variants;

/// The variants of a part of a value.
pub(super) struct OneOf<C, X> {
    pub(super) what: &'static str,
    pub(super) variants: Vec<Variant<X>>,
    pub(super) get: fn(&C) -> X,
    pub(super) set: fn(&mut C, X),
}

impl<C, X: 'static> Bind<C> for OneOf<C, X> {
    fn declared(&self, _: &C) -> Vec<Declaration> {
        let declared = |variant: &Variant<X>| {
            Declaration::new(variant.name, variant.help, variant.format.shape().clone())
        };
        self.variants.iter().map(declared).collect()
    }

    fn is_choice(&self) -> bool {
        true
    }

    fn decode(&self, table: &mut TableDecoder<'_>, draft: &mut Draft<C>) -> Option<()> {
        let keys: Vec<&str> = self.variants.iter().map(|variant| variant.name).collect();
        let read = |index: usize, element: &Element<'_>| self.variants[index].format.read(element);
        let value = table.exactly_one(&keys, self.what, read)?;
        (self.set)(&mut draft.value, value);
        Some(())
    }

    fn encode(&self, value: &mut C, texts: &Texts<'_>, table: &mut Table) {
        let value = (self.get)(value);
        let written =
            |one: &Variant<X>| Some((one.name.to_owned(), one.format.write(&value, texts)?));
        table.extend(Some(self.variants.iter().find_map(written).expect("a variant of the value")));
    }
}

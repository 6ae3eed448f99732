//! Formats of values: their shape, and how they are read and written.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

use serde_json::json;
use toml::Value;

use super::shape::ValueShape;
use crate::id::NodeId;
use crate::named::Named;
use crate::names::Names;
use crate::rng::Probability;
use crate::sampler::Distribution;
use crate::scenario::decode::{Element, word_for};
use crate::scenario::distribution::encode_distribution;
use crate::scenario::units;
use crate::scenario::words::NODES;
use crate::time::{Span, Time};

type ReadFn<T> = Box<dyn Fn(&Element<'_>) -> Option<T> + Send + Sync>;
type WriteFn<T> = Box<dyn Fn(&T, &Texts<'_>) -> Option<Value> + Send + Sync>;

/// The texts behind ids, for writing.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// The names of the file.
    pub names: &'a Names,
    /// The protocol's kinds of message.
    pub kinds: &'a [&'static str],
}

/// The format of a value: its shape, how it is read from a file and how it is written to one.
pub struct Format<T> {
    shape: ValueShape,
    read: ReadFn<T>,
    write: WriteFn<T>,
}

impl<T> Debug for Format<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl<T: 'static> Format<T> {
    /// A format of this shape. `read` notes a mistake if it returns `None`; it reads what `write`
    /// writes.
    pub fn new(
        shape: ValueShape,
        read: impl Fn(&Element<'_>) -> Option<T> + Send + Sync + 'static,
        write: impl Fn(&T) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::with_texts(shape, read, move |value, _| write(value))
    }

    /// The same for values that have ids in them.
    pub fn with_texts(
        shape: ValueShape,
        read: impl Fn(&Element<'_>) -> Option<T> + Send + Sync + 'static,
        write: impl Fn(&T, &Texts<'_>) -> Value + Send + Sync + 'static,
    ) -> Self {
        let write = move |value: &T, texts: &Texts<'_>| Some(write(value, texts));
        Self { shape, read: Box::new(read), write: Box::new(write) }
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> &ValueShape {
        &self.shape
    }

    /// Reads a value; `None` says that a mistake was noted.
    #[must_use]
    pub fn read(&self, element: &Element<'_>) -> Option<T> {
        (self.read)(element)
    }

    /// Writes a value; `None` if its key is to be left out.
    #[must_use]
    pub fn write(&self, value: &T, texts: &Texts<'_>) -> Option<Value> {
        (self.write)(value, texts)
    }

    /// The same format without the values that `check` refuses: then it notes a mistake and returns
    /// `None`.
    #[must_use]
    pub fn checked(
        self,
        check: impl Fn(T, &Element<'_>) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        let Self { shape, read, write } = self;
        Self { shape, read: Box::new(move |element| check(read(element)?, element)), write }
    }

    /// The same format, with `word` for `None`.
    #[must_use]
    pub fn or_word(self, word: &'static str) -> Format<Option<T>> {
        let Self { shape, read, write } = self;
        Format {
            shape: shape.or_word(word),
            read: Box::new(move |element| {
                if element.is_text(word) {
                    return Some(None);
                }
                let known = element.sink().count();
                let value = read(element);
                // A mistake in a table or a list is a matter of its own.
                if value.is_none() && !element.is_table() && !element.is_array() {
                    element.sink().help_last(known, format!("or `{word}`"));
                }
                value.map(Some)
            }),
            write: Box::new(move |value, texts| match value {
                Some(value) => write(value, texts),
                None => Some(word.into()),
            }),
        }
    }

    /// The same format, for a key that is left out for `None`.
    #[must_use]
    pub fn some(self) -> Format<Option<T>>
    where
        T: Clone,
    {
        self.convert(Some, Option::clone)
    }

    /// The format of the values that `make` makes of these; `part` is its inverse, and `None` for
    /// values that `make` does not make.
    #[must_use]
    pub fn convert<X: 'static>(
        self,
        make: impl Fn(T) -> X + Send + Sync + 'static,
        part: impl Fn(&X) -> Option<T> + Send + Sync + 'static,
    ) -> Format<X> {
        let Self { shape, read, write } = self;
        Format {
            shape,
            read: Box::new(move |element| read(element).map(&make)),
            write: Box::new(move |value, texts| write(&part(value)?, texts)),
        }
    }

    /// The same format, with `word` for `None`; the shape, which takes any text, leaves it out.
    #[must_use]
    pub fn or_text(self, word: &'static str) -> Format<Option<T>> {
        let shape = self.shape.clone();
        self.or_word(word).shaped(|_| shape)
    }

    /// A list of these; `limits` are keywords of its JSON schema.
    #[must_use]
    pub fn list(self, limits: serde_json::Value) -> Format<Vec<T>> {
        let Self { shape, read, write } = self;
        Format::with_texts(
            shape.list(limits),
            move |element| element.list(&read),
            move |list, texts| {
                list.iter().filter_map(|one| write(one, texts)).collect::<Vec<_>>().into()
            },
        )
    }

    /// The same format with another shape.
    #[must_use]
    pub fn shaped(self, shape: impl FnOnce(ValueShape) -> ValueShape) -> Self {
        Self { shape: shape(self.shape), ..self }
    }
}

fn lengths() -> ValueShape {
    ValueShape::defined("duration", "a length of time", "\"150ms\"")
}

fn length(span: &Span) -> Value {
    span.to_string().into()
}

/// A length of time, which may be zero: `"150ms"`.
#[must_use]
pub fn duration() -> Format<Span> {
    Format::new(lengths(), |element| element.duration(), length)
}

/// A length of time above zero.
#[must_use]
pub fn positive_duration() -> Format<Span> {
    Format::new(lengths(), |element| element.positive_duration(), length)
}

/// The time between two rounds of what repeats for the whole run: at least 100 us.
#[must_use]
pub fn interval() -> Format<Span> {
    Format::new(lengths(), |element| element.interval(), length)
}

/// A time that a client waits: at least 1 us.
#[must_use]
pub fn wait() -> Format<Span> {
    Format::new(lengths(), |element| element.wait(), length)
}

/// A length of time that may be negative, in nanoseconds: `"-5s"`.
#[must_use]
pub fn signed_duration() -> Format<i64> {
    let shape = ValueShape::defined("signed-duration", "a length of time, also below 0", "\"-5s\"");
    Format::new(shape, |element| element.signed_duration(), |ns| units::show_signed(*ns).into())
}

/// A deviation of a clock's rate, in parts per billion: `"200ppm"`.
#[must_use]
pub fn drift() -> Format<i64> {
    let shape = ValueShape::defined("drift", "a rate in ppm or %", "\"200ppm\"");
    Format::new(shape, |element| element.drift(), |ppb| units::show_drift(*ppb).into())
}

/// A probability: `"0.5%"`, or a number from 0 to 1.
#[must_use]
pub fn probability() -> Format<Probability> {
    let shape = ValueShape::defined("percentage", "a percentage", "\"0.5%\"");
    Format::new(
        shape,
        |element| element.probability(),
        |share| units::show_percentage(share.parts_per_billion()).into(),
    )
}

fn distributions() -> ValueShape {
    ValueShape::defined("distribution", "a distribution of lengths of time", "\"5ms\"")
}

/// A distribution of lengths of time.
#[must_use]
pub fn distribution() -> Format<Distribution> {
    Format::new(distributions(), |element| element.distribution(), encode_distribution)
}

/// A distribution of times that a client waits: each is zero or at least 1 us on average.
#[must_use]
pub fn waits() -> Format<Distribution> {
    Format::new(distributions(), |element| element.waits(), encode_distribution)
}

/// Bytes a second: `"10MB/s"`.
#[must_use]
pub fn bandwidth() -> Format<u64> {
    let pattern = "^\\+?[0-9]+(\\.[0-9]+)?\\s*[kMG]?B/s$";
    let schema = json!({ "type": "string", "pattern": pattern });
    let shape = ValueShape::new(schema, "bytes a second", "\"10MB/s\"");
    Format::new(shape, |element| element.bandwidth(), |bytes| units::show_bandwidth(*bytes).into())
}

/// `true` or `false`.
#[must_use]
pub fn boolean() -> Format<bool> {
    let shape = ValueShape::new(json!({ "type": "boolean" }), "`true` or `false`", "true");
    Format::new(shape, |element| element.boolean(), |truth| (*truth).into())
}

/// `true`, the only value of a key that is a flag.
#[must_use]
pub fn only_true() -> Format<bool> {
    let shape = ValueShape::new(json!({ "const": true }), "`true`", "true");
    let format = Format::new(shape, |element| element.only_true(), |()| true.into());
    format.convert(|()| true, |truth| truth.then_some(()))
}

/// A point of time within the scenario's duration.
#[must_use]
pub fn time() -> Format<Time> {
    let write = |time: &Time| length(&time.since(Time::ZERO));
    Format::new(lengths(), |element| element.time(), write)
}

/// A text of one line.
#[must_use]
pub fn line() -> Format<String> {
    let shape = ValueShape::new(json!({ "type": "string" }), "a text", "\"some text\"");
    Format::new(shape, |element| element.line().map(str::to_owned), |text| text.clone().into())
}

/// A whole number of a range.
#[must_use]
pub fn integer<N>(range: RangeInclusive<N>) -> Format<N>
where
    N: TryFrom<i64> + Into<u64> + Display + PartialOrd + Copy + Send + Sync + 'static,
{
    Format::new(
        whole_number((*range.start()).into()..=(*range.end()).into()),
        move |element| element.integer(range.clone()),
        // Integers of TOML have 63 bits. Only a program can set a larger one.
        |number| i64::try_from((*number).into()).unwrap_or(i64::MAX).into(),
    )
}

/// The shape of a name: a text that is not empty.
#[must_use]
pub fn name_shape() -> ValueShape {
    ValueShape::new(json!({ "type": "string", "minLength": 1 }), "a name", "\"a\"")
}

/// The name of a node: `"n1"` is the first.
#[must_use]
pub fn node() -> Format<NodeId> {
    let shape = ValueShape::defined("node", "a node", "\"n1\"");
    Format::new(shape, |element| element.node(), |node| node.to_string().into())
}

/// A number of nodes, at most as many as the cluster has.
#[must_use]
pub fn node_count() -> Format<u16> {
    let shape = whole_number(1..=u64::from(NODES));
    let read = |element: &Element<'_>| element.integer(1..=element.nodes());
    Format::new(shape, read, |count| i64::from(*count).into())
}

/// A number of followers, at most as many as the cluster has; `title` says of what `{}` are too
/// many.
#[must_use]
pub fn follower_count(title: &'static str) -> Format<u16> {
    let read = move |element: &Element<'_>| {
        let count = element.integer(1..=u16::MAX)?;
        let followers = element.nodes() - 1;
        if count > followers {
            let title = title.replace("{}", &count.to_string());
            return element.wrong(
                format!("{title}, but there are {followers} followers"),
                format!("expected at most {followers}"),
            );
        }
        Some(count)
    };
    let shape = whole_number(1..=u64::from(NODES) - 1);
    Format::new(shape, read, |count| i64::from(*count).into())
}

/// The shape of a whole number of a range.
#[must_use]
pub fn whole_number(range: RangeInclusive<u64>) -> ValueShape {
    let (low, high) = (*range.start(), *range.end());
    let schema = json!({ "type": "integer", "minimum": low, "maximum": high });
    ValueShape::new(schema, &format!("a whole number from {low} to {high}"), &low.to_string())
}

/// One of these values, by its name.
#[must_use]
pub fn choice<T>(values: Vec<T>, name: fn(&T) -> &'static str) -> Format<T>
where
    T: Clone + Send + Sync + 'static,
{
    let words: Vec<(&'static str, T)> =
        values.into_iter().map(|value| (name(&value), value)).collect();
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Format::new(
        ValueShape::words(&names),
        move |element| element.choice(&words),
        move |value| name(value).into(),
    )
}

/// One of the variants of an enum, by its name.
#[must_use]
pub fn named<E: Named + Send + Sync + 'static>() -> Format<E> {
    choice(E::all().collect(), |variant| variant.name())
}

/// One of some words, each standing for a value.
#[must_use]
pub fn words<T>(words: impl Into<Vec<(&'static str, T)>>) -> Format<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let words = words.into();
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let shape = ValueShape::words(&names);
    let write = words.clone();
    Format::new(
        shape,
        move |element| element.choice(&words),
        move |value| word_for(&write, value).into(),
    )
}

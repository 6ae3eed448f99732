//! One key of a section.

use toml::{Table, Value};

use super::draft::{Bind, Draft};
use super::format::{Format, Texts};
use super::shape::Declaration;
use crate::names::Names;
use crate::scenario::decode::{Element, TableDecoder};

/// Where a key's value goes; `None` where there is no such place, as in another variant of an enum.
type PlaceFn<C, T> = Box<dyn Fn(&mut C) -> Option<&mut T> + Send + Sync>;
type ValueCheckFn<C, T> = Box<dyn Fn(T, &Given<'_, '_, C>) -> Option<T> + Send + Sync>;

/// A key that is there, while its value is checked.
pub struct Given<'a, 'f, C> {
    /// The value as written.
    pub element: &'a Element<'f>,
    /// The table that has it.
    pub table: &'a TableDecoder<'f>,
    /// The keys before it.
    pub draft: &'a Draft<C>,
}

impl<C> Given<'_, '_, C> {
    /// Whether an argument changed `other`, so that this key was written for another value of it:
    /// no mistake.
    #[must_use]
    pub fn is_left_behind(&self, other: &str) -> bool {
        self.table.is_from_argument(other)
    }

    /// Notes a mistake at the value, for a gate.
    pub fn wrong(&self, title: &str, label: &str) -> Gate {
        let noted: Option<()> = self.element.wrong(title, label);
        noted.map_or(Gate::Wrong, |()| Gate::Read)
    }
}

/// What becomes of a key that is given, before its value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is read.
    Read,
    /// It is as if it were not there.
    Ignore,
    /// A mistake was noted.
    Wrong,
}

/// What a key needs of another one to have a meaning.
pub struct Needs<C> {
    /// The other key.
    pub key: &'static str,
    /// What that has to be, as in "the election `lowest-id`".
    pub what: &'static str,
    /// Why, for the place of a key without it.
    pub why: &'static str,
    /// Makes it so, to see the key's default.
    pub set: fn(&mut C),
}

/// One key: what it means, what it takes and where that goes.
pub struct Setting<C, T> {
    name: &'static str,
    help: &'static str,
    format: Format<T>,
    place: PlaceFn<C, T>,
    is_required: bool,
    is_unsaid: bool,
    default_shown: Option<&'static str>,
    default: Option<fn(&C) -> T>,
    gate: Option<fn(&Given<'_, '_, C>) -> Gate>,
    check: Option<ValueCheckFn<C, T>>,
    needs: Option<Needs<C>>,
    written_if: Option<fn(&C) -> bool>,
}

/// A key that may be left out.
pub fn key<C: 'static, T: 'static>(
    name: &'static str,
    help: &'static str,
    format: Format<T>,
    place: fn(&mut C) -> &mut T,
) -> Setting<C, T> {
    part(name, help, format, move |value| Some(place(value)))
}

/// A key whose place only some values of the section have.
pub fn part<C: 'static, T: 'static>(
    name: &'static str,
    help: &'static str,
    format: Format<T>,
    place: impl Fn(&mut C) -> Option<&mut T> + Send + Sync + 'static,
) -> Setting<C, T> {
    Setting {
        name,
        help,
        format,
        place: Box::new(place),
        is_required: false,
        is_unsaid: false,
        default_shown: None,
        default: None,
        gate: None,
        check: None,
        needs: None,
        written_if: None,
    }
}

impl<C: Clone + 'static, T: 'static> Setting<C, T> {
    /// The table is wrong without it.
    #[must_use]
    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The default depends on something outside the section: the reference names none.
    #[must_use]
    pub fn without_default(self) -> Self {
        Self { is_unsaid: true, ..self }
    }

    /// The reference names the default as this text, which reads as the same.
    #[must_use]
    pub fn default_shown(self, text: &'static str) -> Self {
        Self { default_shown: Some(text), ..self }
    }

    /// The default follows from the keys before it.
    #[must_use]
    pub fn default_from(self, default: fn(&C) -> T) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Decides before its value is looked at what becomes of the key.
    #[must_use]
    pub fn gate(self, gate: fn(&Given<'_, '_, C>) -> Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Writes the key only of values that `is_written` holds of.
    #[must_use]
    pub fn written_if(self, is_written: fn(&C) -> bool) -> Self {
        Self { written_if: Some(is_written), ..self }
    }

    /// Refuses, or changes, a value that does not go with the keys before it: `check` notes a
    /// mistake for `None`.
    #[must_use]
    pub fn checked(
        self,
        check: impl Fn(T, &Given<'_, '_, C>) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self { check: Some(Box::new(check)), ..self }
    }

    /// Makes it a mistake to give the key without what it needs, unless an argument left it behind.
    #[must_use]
    pub fn needs(self, needs: Needs<C>) -> Self {
        Self { needs: Some(needs), ..self }
    }

    fn put(&self, draft: &mut C, value: T) {
        if let Some(place) = (self.place)(draft) {
            *place = value;
        }
    }

    /// The key is given, and what it needs is not.
    fn misplaced(
        &self,
        table: &TableDecoder<'_>,
        given: &Element<'_>,
        draft: &Draft<C>,
    ) -> Option<()> {
        let Some(needs) = &self.needs else {
            unreachable!("`{}` has no place and says of nothing that it needs it", self.name)
        };
        // Of a key that is wrong itself nobody knows what it was to be.
        if table.is_from_argument(needs.key) || !draft.is_right(needs.key) {
            return Some(());
        }
        given.wrong(format!("`{}` needs {}", self.name, needs.what), needs.why)
    }
}

impl<C: Clone + 'static, T: 'static> Bind<C> for Setting<C, T> {
    fn declared(&self, base: &C) -> Vec<Declaration> {
        let mut declaration = Declaration::new(self.name, self.help, self.format.shape().clone());
        declaration.is_required = self.is_required;
        if !self.is_required && !self.is_unsaid {
            let mut base = base.clone();
            if let Some(needs) = &self.needs {
                (needs.set)(&mut base);
            }
            let texts = Texts { names: &Names::default(), kinds: &[] };
            let default =
                (self.place)(&mut base).and_then(|place| self.format.write(place, &texts));
            // The defaults of a table are those of its keys.
            declaration.default = default.map(brief).filter(|default| !default.is_table());
            declaration.default = self.default_shown.map(Value::from).or(declaration.default);
        }
        vec![declaration]
    }

    fn decode(&self, table: &mut TableDecoder<'_>, draft: &mut Draft<C>) -> Option<()> {
        let Some(given) = table.get(self.name) else {
            if self.is_required {
                return table.required(self.name, |_| None);
            }
            if let Some(default) = self.default {
                let default = default(&draft.value);
                self.put(&mut draft.value, default);
            }
            return Some(());
        };
        if (self.place)(&mut draft.value).is_none() {
            return self.misplaced(table, &given, draft);
        }
        let here = Given { element: &given, table, draft };
        match self.gate.map_or(Gate::Read, |gate| gate(&here)) {
            Gate::Read => {}
            Gate::Ignore => return Some(()),
            Gate::Wrong => return None,
        }
        let mut value = self.format.read(&given)?;
        if let Some(check) = &self.check {
            value = check(value, &here)?;
        }
        self.put(&mut draft.value, value);
        Some(())
    }

    fn encode(&self, value: &mut C, texts: &Texts<'_>, table: &mut Table) {
        if self.written_if.is_some_and(|is_written| !is_written(value)) {
            return;
        }
        let place = (self.place)(value);
        if let Some(written) = place.and_then(|place| self.format.write(place, texts)) {
            table.insert(self.name.to_owned(), written);
        }
    }
}

/// A value as short as a file may write it: a constant distribution is a length of time.
fn brief(value: Value) -> Value {
    match value {
        Value::Table(table) if table.len() == 1 => match table.get("constant") {
            Some(length) => length.clone(),
            None => Value::Table(table),
        },
        value => value,
    }
}

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

/// A key that is given, while its value is checked.
pub struct Given<'a, 'f, C> {
    /// Its value as written.
    pub element: &'a Element<'f>,
    /// The table that has it.
    pub table: &'a TableDecoder<'f>,
    /// The values of the keys before it.
    pub draft: &'a Draft<C>,
}

impl<C> Given<'_, '_, C> {
    /// Whether an argument changed the key `other`. Then this key, written for the old value, may
    /// no longer fit, and that is no mistake.
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

/// Whether a given key is read, decided before its value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is read.
    Read,
    /// It is ignored.
    Ignore,
    /// A mistake was noted.
    Wrong,
}

/// What a key needs another key to be.
pub struct Needs<C> {
    /// The other key.
    pub key: &'static str,
    /// What it has to be: "the election `lowest-id`".
    pub what: &'static str,
    /// The label at a key whose need is not met: why it needs that.
    pub why: &'static str,
    /// Sets the other key so, to find the default of this one.
    pub set: fn(&mut C),
}

/// One key: its help text, its format and the place of its value.
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

/// A key that may be left out, and whose place exists only in some values of the section.
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

    /// The default depends on other sections: the reference names none.
    #[must_use]
    pub fn without_default(self) -> Self {
        Self { is_unsaid: true, ..self }
    }

    /// The reference names the default by this text, which reads as the default.
    #[must_use]
    pub fn default_shown(self, text: &'static str) -> Self {
        Self { default_shown: Some(text), ..self }
    }

    /// The default follows from the keys before it.
    #[must_use]
    pub fn default_from(self, default: fn(&C) -> T) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Decides whether a given key is read, before its value is looked at.
    #[must_use]
    pub fn gate(self, gate: fn(&Given<'_, '_, C>) -> Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Writes the key only where `is_written` holds.
    #[must_use]
    pub fn written_if(self, is_written: fn(&C) -> bool) -> Self {
        Self { written_if: Some(is_written), ..self }
    }

    /// Refuses or changes a value by the keys before it. `check` notes a mistake if it returns
    /// `None`.
    #[must_use]
    pub fn checked(
        self,
        check: impl Fn(T, &Given<'_, '_, C>) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        Self { check: Some(Box::new(check)), ..self }
    }

    /// Makes it a mistake to give the key where its need is not met, unless an argument changed
    /// that.
    #[must_use]
    pub fn needs(self, needs: Needs<C>) -> Self {
        Self { needs: Some(needs), ..self }
    }

    fn put(&self, draft: &mut C, value: T) {
        if let Some(place) = (self.place)(draft) {
            *place = value;
        }
    }

    /// Notes that the key is given and its need is not met.
    fn misplaced(
        &self,
        table: &TableDecoder<'_>,
        given: &Element<'_>,
        draft: &Draft<C>,
    ) -> Option<()> {
        let Some(needs) = &self.needs else {
            unreachable!("`{}` has no place here, and needs nothing", self.name)
        };
        // If the needed key is wrong, its value is unknown.
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
            // A table has no default of its own; its keys have theirs.
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

/// The shortest form of a value: a constant distribution is a length of time.
fn brief(value: Value) -> Value {
    match value {
        Value::Table(table) if table.len() == 1 => match table.get("constant") {
            Some(length) => length.clone(),
            None => Value::Table(table),
        },
        value => value,
    }
}

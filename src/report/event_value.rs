//! What an operation wrote or found, as the files of a history show it.

use serde::{Serialize, Serializer};

use crate::history::{Entry, Function, History, Item};
use crate::id::{OpId, Value};
use crate::names::Names;

/// A value of an event. Displayed it is EDN, serialized it is JSON.
#[derive(Default)]
pub(super) enum EventValue<'a> {
    #[default]
    Nil,
    Text(String),
    List(Vec<String>),
    /// From what to what.
    Vector(Vec<Self>),
    /// A set of keys.
    Keys(Vec<&'a str>),
    /// Values by key.
    Map(Vec<(&'a str, Self)>),
}

impl<'a> EventValue<'a> {
    /// The value that an operation asks to write.
    pub(super) fn asked(entry: &Entry, names: &Names) -> Self {
        match entry.function {
            Function::Put | Function::Append => Self::of(entry.value, names),
            Function::Cas => {
                Self::Vector(vec![Self::of(entry.over, names), Self::of(entry.value, names)])
            }
            Function::Get
            | Function::Delete
            | Function::List
            | Function::ReadAll
            | Function::Clear => Self::Nil,
        }
    }

    /// What an operation found, or wrote.
    pub(super) fn answer(op: OpId, history: &'a History) -> Self {
        let (entry, names) = (history.entry(op), history.names());
        match (entry.function, history.contents(op)) {
            (Function::Get, _) => Self::found(entry.value, history.elements(op), names),
            (Function::List, Some(items)) => {
                Self::Keys(items.iter().map(|item| names.key(item.key)).collect())
            }
            (Function::ReadAll, Some(items)) => {
                let entry = |item: &'a Item| {
                    let value = Self::found(item.value, item.elements.as_deref(), names);
                    (names.key(item.key), value)
                };
                Self::Map(items.iter().map(entry).collect())
            }
            (
                Function::Put
                | Function::Append
                | Function::Cas
                | Function::Delete
                | Function::Clear
                | Function::List
                | Function::ReadAll,
                _,
            ) => Self::asked(entry, names),
        }
    }

    fn of(value: Option<Value>, names: &Names) -> Self {
        value.map_or(Self::Nil, |value| Self::Text(names.value(value)))
    }

    /// What a read found under a key.
    pub(super) fn found(value: Option<Value>, elements: Option<&[Value]>, names: &Names) -> Self {
        match elements {
            Some(elements) => {
                Self::List(elements.iter().map(|element| names.value(*element)).collect())
            }
            None => Self::of(value, names),
        }
    }
}

impl Serialize for EventValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(elements) => serializer.collect_seq(elements),
            Self::Vector(parts) => serializer.collect_seq(parts),
            Self::Keys(keys) => serializer.collect_seq(keys),
            Self::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

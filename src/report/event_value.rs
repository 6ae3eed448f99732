//! What an operation wrote or found, as the files of a history show it.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::history::{Function, History, Item};
use crate::id::{OpId, Value, Version};
use crate::named::Named;
use crate::names::Names;
use crate::operation::Operation;

/// A value of an event. Displayed it is EDN, serialized it is JSON.
#[derive(Default)]
pub(super) enum EventValue<'a> {
    #[default]
    Nil,
    Text(String),
    List(Vec<String>),
    /// From what to what.
    Vector(Vec<Self>),
    /// The parts of a batch.
    Parts(Vec<PartValue<'a>>),
    /// A set of keys.
    Keys(Vec<&'a str>),
    /// Values by key.
    Map(Vec<(&'a str, Self)>),
}

/// A part of a batch.
pub(super) struct PartValue<'a> {
    pub(super) function: Function,
    pub(super) key: &'a str,
    pub(super) value: EventValue<'a>,
    /// The version that it found or was given.
    pub(super) version: Option<Version>,
}

impl Serialize for PartValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("part", 4)?;
        part.serialize_field("f", self.function.name())?;
        part.serialize_field("key", self.key)?;
        part.serialize_field("value", &self.value)?;
        part.serialize_field("version", &self.version.map(|version| version.to_string()))?;
        part.end()
    }
}

impl<'a> EventValue<'a> {
    /// The value that an operation asks to write.
    pub(super) fn asked(op: OpId, history: &'a History) -> Self {
        let (entry, names) = (history.entry(op), history.names());
        match entry.function {
            Function::Put | Function::Append => Self::of(entry.value, names),
            Function::Cas => {
                Self::Vector(vec![Self::of(entry.over, names), Self::of(entry.value, names)])
            }
            Function::Batch => {
                Self::parts(op, history, |_, part| (Self::of_part(part, names), None))
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
            (Function::Batch, _) if entry.is_ok() => Self::parts(op, history, |access, part| {
                let told = history.entry(access);
                let value = match part {
                    Operation::Get { .. } => {
                        Self::found(told.value, history.elements(access), names)
                    }
                    _ => Self::of_part(part, names),
                };
                (value, told.version)
            }),
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
                | Function::Batch
                | Function::Delete
                | Function::Clear
                | Function::List
                | Function::ReadAll,
                _,
            ) => Self::asked(op, history),
        }
    }

    /// The parts of a batch, each with a value and with the version that its access has.
    fn parts(
        op: OpId,
        history: &'a History,
        told: impl Fn(OpId, Operation) -> (Self, Option<Version>),
    ) -> Self {
        let parts = history.parts(op).iter().zip(history.part_accesses(op));
        let part = |(part, access): (&Operation, OpId)| {
            let (value, version) = told(access, *part);
            let key = history.names().key(history.entry(access).key);
            PartValue { function: Function::of(*part), key, value, version }
        };
        Self::Parts(parts.map(part).collect())
    }

    /// What a part of a batch asks to write.
    fn of_part(part: Operation, names: &Names) -> Self {
        match part {
            Operation::Put { value, .. } | Operation::Append { value, .. } => {
                Self::of(Some(value), names)
            }
            Operation::Cas { from, to, .. } => {
                Self::Vector(vec![Self::of(from, names), Self::of(Some(to), names)])
            }
            Operation::Get { .. }
            | Operation::Delete { .. }
            | Operation::List
            | Operation::ReadAll
            | Operation::Clear
            | Operation::Batch(_) => Self::Nil,
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
            Self::Parts(parts) => serializer.collect_seq(parts),
            Self::Keys(keys) => serializer.collect_seq(keys),
            Self::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

//! Our own `history.jsonl`: an object a line. See [`crate::report::history`] for its keys.
//!
//! Versions rank the operations: the order of the ranks is one that may explain every answer. The
//! rank of an operation on several keys is the greatest of its versions. A write that was accepted
//! several times has none.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::id::Version;
use crate::linearizability::Model;

use super::mistake::{Complaint, Mistake};
use super::recorded::{ClientFunction, Datum};
use super::recorder::{ClientEvent, Happened, Recorder};
use super::text::HeldText;
use super::versions::version;

/// A string, borrowed where it has no escapes.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(transparent)]
struct Words<'t>(#[serde(borrow)] Cow<'t, str>);

/// The keys of a line that matter here.
#[derive(Debug, Deserialize)]
struct JsonEvent<'t> {
    time_ns: Option<u64>,
    #[serde(borrow)]
    event: Words<'t>,
    #[serde(borrow)]
    process: Words<'t>,
    #[serde(borrow)]
    f: Words<'t>,
    #[serde(borrow)]
    key: Option<Words<'t>>,
    #[serde(borrow)]
    value: Option<JsonValue<'t>>,
    #[serde(borrow)]
    error: Option<Words<'t>>,
    #[serde(borrow)]
    found: Option<JsonFound<'t>>,
    #[serde(default)]
    version: GreatestVersion,
    #[serde(default)]
    versions: GreatestVersion,
    #[serde(default)]
    cleared: GreatestVersion,
    attempts: Option<IgnoredAny>,
}

/// What a compare-and-set found that it did not expect.
#[derive(Debug, Deserialize)]
struct JsonFound<'t> {
    #[serde(borrow)]
    value: Option<JsonValue<'t>>,
    #[serde(default)]
    version: GreatestVersion,
}

impl JsonEvent<'_> {
    /// The version that the operation is ranked by.
    fn rank(&self) -> Option<Version> {
        let found = self.found.as_ref().and_then(|found| found.version.0);
        let greatest = self.version.0.max(self.versions.0).max(self.cleared.0).max(found);
        greatest.filter(|_| self.attempts.is_none())
    }
}

/// The greatest version in a string, in an array or among the values of an object, however deep.
#[derive(Debug, Default)]
struct GreatestVersion(Option<Version>);

impl<'t> Deserialize<'t> for GreatestVersion {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Versions;
        impl<'t> Visitor<'t> for Versions {
            type Value = GreatestVersion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("versions")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(GreatestVersion(None))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(GreatestVersion(version(text)))
            }

            fn visit_seq<A: SeqAccess<'t>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut greatest = None;
                while let Some(GreatestVersion(one)) = seq.next_element()? {
                    greatest = greatest.max(one);
                }
                Ok(GreatestVersion(greatest))
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut greatest = None;
                while let Some((IgnoredAny, GreatestVersion(one))) = map.next_entry()? {
                    greatest = greatest.max(one);
                }
                Ok(GreatestVersion(greatest))
            }
        }
        deserializer.deserialize_any(Versions)
    }
}

/// What was written or found.
#[derive(Debug, PartialEq)]
enum JsonValue<'t> {
    Text(Words<'t>),
    List(Vec<JsonElement<'t>>),
    Map(Vec<(Words<'t>, Self)>),
}

impl<'de: 't, 't> Deserialize<'de> for JsonValue<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;
        impl<'t> Visitor<'t> for Shapes {
            type Value = JsonValue<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an array of strings or an object")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<Self::Value, E> {
                Ok(JsonValue::Text(Words(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(JsonValue::Text(Words(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'t>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(JsonValue::List(list))
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(JsonValue::Map(entries))
            }
        }
        deserializer.deserialize_any(Shapes)
    }
}

/// An element of an array.
#[derive(Debug, PartialEq)]
enum JsonElement<'t> {
    Nil,
    Text(Words<'t>),
    /// A part of a batch, or what else is in no value that is read here.
    Other,
}

impl<'de: 't, 't> Deserialize<'de> for JsonElement<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;
        impl<'t> Visitor<'t> for Shapes {
            type Value = JsonElement<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(JsonElement::Nil)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<Self::Value, E> {
                Ok(JsonElement::Text(Words(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(JsonElement::Text(Words(Cow::Owned(text.to_owned()))))
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(JsonElement::Other)
            }
        }
        deserializer.deserialize_any(Shapes)
    }
}

/// Reads the whole text.
pub(super) fn read<R: Read>(
    text: &mut HeldText<R>,
    recorder: &mut Recorder,
) -> Result<(), Mistake> {
    while let Some(end) = text.line_end()? {
        let number = text.line(0);
        let line = &text.rest()[..end];
        if !line.iter().all(u8::is_ascii_whitespace) {
            let noted = note(line, number, recorder);
            noted.map_err(|complaint| text.mistake(*complaint))?;
        }
        text.consume(end + 1);
    }
    Ok(())
}

fn note(line: &[u8], number: u32, recorder: &mut Recorder) -> Result<(), Box<Complaint>> {
    let event: JsonEvent<'_> = serde_json::from_slice(line).map_err(|error| {
        let column = if error.is_eof() { line.len() } else { error.column().saturating_sub(1) };
        let at = column.min(line.len());
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        let label = "expected an event of `history.jsonl`";
        let title = format!("this line cannot be read: {reason}");
        let complaint = Complaint::new(at..at + 1, title, label);
        if error.is_eof() { complaint.help("is the file cut off?") } else { complaint }
    })?;
    let at = |words: &Words<'_>| place(line, words);
    let happened_at = at(&event.event);
    let happened = Happened::by_name(event.event.0.as_bytes(), &happened_at)?;
    if event.process.0 == "nemesis" {
        return recorder.note_nemesis(happened, happened_at);
    }
    let asked_at = at(&event.f);
    let f = event.f.0.as_bytes();
    let asked = ClientFunction::by_name(f, &asked_at, &mut Some(Model::Kv))?;
    let happened = match (happened, event.error.as_ref().map(|error| &*error.0)) {
        (Happened::Fail, Some("mismatch")) if asked == ClientFunction::Cas => Happened::Refused,
        (happened, _) => happened,
    };
    let key = event.key.as_ref().map(|key| recorder.keys.intern(key.0.as_bytes()));
    if asked.is_on_one_key() && key.is_none() {
        let title = format!("this `{}` has no `key`", event.f.0);
        return Err(Complaint::new(asked_at, title, "expected a `key` that is a string"));
    }
    let wrong = |expected: &str| Complaint::wrong_shape(asked_at.clone(), f, expected);
    let value = match happened {
        Happened::Invoke | Happened::Ok => {
            datum(asked, happened, event.value.as_ref(), recorder).map_err(wrong)?
        }
        Happened::Fail | Happened::Refused | Happened::Info => Datum::Missing,
    };
    let found = match &event.found {
        Some(JsonFound { value, .. }) if happened == Happened::Refused => {
            let found = datum(ClientFunction::Read, Happened::Ok, value.as_ref(), recorder);
            Some(found.map_err(wrong)?)
        }
        Some(_) | None => None,
    };
    recorder.note(&ClientEvent {
        process: event.process.0.as_bytes(),
        process_at: at(&event.process),
        happened,
        asked,
        asked_at,
        key,
        datum: value,
        found,
        time: event.time_ns,
        rank: event.rank(),
        line: number,
    })
}

/// The value of an event. In error: what was expected.
fn datum(
    asked: ClientFunction,
    happened: Happened,
    value: Option<&JsonValue<'_>>,
    recorder: &mut Recorder,
) -> Result<Datum, &'static str> {
    Ok(match (asked, value) {
        (ClientFunction::Delete | ClientFunction::Clear, _) => Datum::Missing,
        (ClientFunction::Write | ClientFunction::Append, None) if happened == Happened::Invoke => {
            return Err("a string");
        }
        (ClientFunction::Cas, None) if happened == Happened::Invoke => return Err(PAIR),
        (ClientFunction::List | ClientFunction::ReadAll, None) if happened == Happened::Ok => {
            return Err("what was found");
        }
        (_, None) => Datum::Nil,
        (ClientFunction::List | ClientFunction::ReadAll, Some(_))
            if happened == Happened::Invoke =>
        {
            Datum::Missing
        }
        (
            ClientFunction::Read | ClientFunction::Write | ClientFunction::Append,
            Some(JsonValue::Text(text)),
        ) => Datum::One(recorder.values.intern(text.0.as_bytes())),
        (ClientFunction::Read, Some(JsonValue::List(elements))) => list(elements, recorder)?,
        (ClientFunction::Cas, Some(JsonValue::List(pair))) => {
            let [from, JsonElement::Text(to)] = &pair[..] else { return Err(PAIR) };
            let from = match from {
                JsonElement::Nil => Datum::NIL,
                JsonElement::Text(from) => recorder.values.intern(from.0.as_bytes()),
                JsonElement::Other => return Err(PAIR),
            };
            Datum::Pair(from, recorder.values.intern(to.0.as_bytes()))
        }
        (ClientFunction::Cas, Some(_)) => return Err(PAIR),
        (ClientFunction::List, Some(JsonValue::List(keys))) => {
            let from = recorder.items.len();
            for key in keys {
                let JsonElement::Text(key) = key else { return Err("an array of keys") };
                let key = recorder.keys.intern(key.0.as_bytes());
                recorder.items.push((key, Datum::Missing));
            }
            recorder.whole(from).ok_or("each key once")?
        }
        (ClientFunction::ReadAll, Some(JsonValue::Map(entries))) => {
            let from = recorder.items.len();
            for (key, value) in entries {
                let key = recorder.keys.intern(key.0.as_bytes());
                let datum = match value {
                    JsonValue::Text(text) => Datum::One(recorder.values.intern(text.0.as_bytes())),
                    JsonValue::List(elements) => list(elements, recorder)?,
                    JsonValue::Map(_) => return Err("strings and arrays of strings by key"),
                };
                recorder.items.push((key, datum));
            }
            recorder.whole(from).ok_or("each key once")?
        }
        (ClientFunction::List, Some(_)) => return Err("an array of keys"),
        (ClientFunction::ReadAll, Some(_)) => return Err("an object"),
        (ClientFunction::Read, Some(_)) => return Err("a string or an array of strings"),
        (_, Some(_)) => return Err("a string"),
    })
}

/// The value of a compare-and-set.
const PAIR: &str = "an array of two: a string or null, and a string";

/// The elements of a list.
fn list(elements: &[JsonElement<'_>], recorder: &mut Recorder) -> Result<Datum, &'static str> {
    let from = recorder.elements.len();
    for element in elements {
        let JsonElement::Text(element) = element else { return Err("an array of strings") };
        let element = recorder.values.intern(element.0.as_bytes());
        recorder.elements.push(element);
    }
    Ok(recorder.many(from))
}

/// Where borrowed words stand in the line; of others, the whole line.
fn place(line: &[u8], words: &Words<'_>) -> Range<usize> {
    let start = (words.0.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    let end = start.wrapping_add(words.0.len());
    if end <= line.len() && matches!(words.0, Cow::Borrowed(_)) {
        start..end
    } else {
        0..line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_ranked_by_the_greatest_of_its_versions() {
        let rank = |more: &str| {
            let line = format!(r#"{{"event":"ok","process":"c1","f":"x"{more}}}"#);
            let event: JsonEvent<'_> = serde_json::from_str(&line).expect("an event");
            event.rank().map(|version| version.sequence)
        };
        let (low, high) = ("\"0.000000001@n1#1\"", "\"0.000000002@n1#2\"");
        assert_eq!(rank(""), None);
        assert_eq!(rank(",\"version\":null"), None);
        assert_eq!(rank(&format!(",\"version\":{low}")), Some(1));
        assert_eq!(rank(&format!(r#","versions":{{"a":{low},"b":{high}}}"#)), Some(2));
        assert_eq!(rank(&format!(r#","cleared":{{"a":[{low},{high}],"b":[{low}]}}"#)), Some(2));
        assert_eq!(rank(&format!(r#","version":{low},"attempts":[{high}]"#)), None);
    }
}

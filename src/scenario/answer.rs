//! `expect` of a scripted operation: the answer that its client must get.

use serde_json::json;
use toml::{Table, Value as Toml};

use super::decode::{Element, TableDecoder, list_of};
use super::diagnostics::Problem;
use super::keys::{
    Declaration, Draft, Format, Section, Texts, ValueShape, boolean, duration, keys, name_shape,
    named, node, only_true,
};
use crate::config::{Answer, Expected};
use crate::history::Failure;
use crate::id::{KeyId, NodeId, Value};
use crate::named::Named;

/// The parts of an answer that only some operations have, with these operations.
const PARTS_OF_ANSWERS: [(&str, &[&str]); 8] = [
    ("value", &["get", "cas"]),
    ("absent", &["get", "cas"]),
    ("not-yet-replicated", &["get"]),
    ("degraded", &["put", "delete", "clear", "append", "cas", "batch"]),
    ("confirmations", &["put", "delete", "clear", "append", "cas", "batch"]),
    ("existed", &["delete"]),
    ("keys", &["list"]),
    ("all", &["read-all"]),
];

/// The operations that compare, and fail when they find something else.
const COMPARING: [&str; 2] = ["cas", "batch"];

/// Refuses expectations that no answer to an operation of this kind can meet.
pub(super) fn fits(operation: &TableDecoder<'_>, kind: &str) -> Option<()> {
    let Some(expect) = operation.peek("expect") else { return Some(()) };
    let mut fits = Some(());
    for (part, kinds) in PARTS_OF_ANSWERS {
        if let Some(at) = expect.key_at(part)
            && !kinds.contains(&kind)
        {
            let title = format!("the answer to a `{kind}` has no `{part}`");
            let label = format!("only that to {} has it", list_of(kinds));
            let fitting = PARTS_OF_ANSWERS.iter().filter(|(_, kinds)| kinds.contains(&kind));
            let fitting: Vec<&str> = ["status", "error", "leader", "within", "after"]
                .into_iter()
                .chain(fitting.map(|(part, _)| *part))
                .collect();
            let problem = Problem::new(at, title, label);
            let help = format!("a `{kind}` can expect {}", list_of(&fitting));
            operation.sink().push(problem.help(help));
            fits = None;
        }
    }
    if let Some(error) = expect.peek("error")
        && error.is_text(Failure::Mismatch.name())
        && !COMPARING.contains(&kind)
    {
        let title = format!("a `{kind}` never fails with `mismatch`");
        let label = format!("only {} can find another value", list_of(&COMPARING));
        fits = error.wrong(title, label);
    }
    fits
}

/// `expect` of an operation.
pub(super) fn section() -> Section<Answer> {
    Section::new(
        "What the client must be told; each part that is given must hold.",
        Answer::default(),
    )
    .with(keys! { |answer: Answer|
        /// Whether it happened, did not happen, or nobody knows.
        "status" => answer.status, named().some();
    })
    .by_hand(
        value_or_absent(
            "The value read; of a `cas` the value that the key held before.",
            "The key read was absent; of a `cas`, before.",
        ),
        |table, draft| {
            draft.value.value = decode_value(table)?;
            Some(())
        },
        |answer, texts, table| encode_value(answer.value, texts, table),
    )
    .with(keys! { |answer: Answer|
        /// Whether the answer was marked degraded.
        "degraded" => answer.degraded, boolean().some();
        /// How many followers had confirmed, of how many.
        "confirmations" => answer.acknowledgements, acknowledgements().some();
        /// Why it did not complete ok.
        "error" => answer.error, named().some();
        /// Whether the key was absent on a follower that named the leader: a write may not have
        /// reached it yet.
        "not-yet-replicated" => answer.not_yet_replicated, boolean().some();
        /// The leader that the answer named.
        "leader" => answer.leader, expected_node();
        /// Whether the deleted key had existed.
        "existed" => answer.existed, boolean().some();
        /// The keys listed, in any order.
        "keys" => answer.keys,
            key_name()
            .shaped(|shape| shape.and("description", json!("A key.")))
            .list(json!({}))
            .some();
        /// Everything read: key and value.
        "all" => answer.all, pairs().some();
        /// The most the answer may take.
        "within" => answer.within, duration().some();
        /// The least the answer may take.
        "after" => answer.after, duration().some();
    })
    .checked(can_take_that_long)
}

fn can_take_that_long(draft: &Draft<Answer>, table: &mut TableDecoder<'_>) -> Option<()> {
    let Answer { within, after, .. } = draft.value;
    let are_right = draft.is_right("within") && draft.is_right("after");
    if are_right && after.zip(within).is_some_and(|(after, within)| after > within) {
        table.contradiction(
            "within",
            "after",
            "no answer can be that fast and that slow",
            "`within` is the most an answer may take, `after` the least",
        );
        return None;
    }
    Some(())
}

/// The shape of any text.
pub(super) fn text_shape() -> ValueShape {
    ValueShape::new(json!({ "type": "string" }), "a text", "\"x\"")
}

/// The name of a key.
pub(super) fn key_name() -> Format<KeyId> {
    let read = |element: &Element<'_>| {
        let name = element.name()?;
        Some(element.scope().names.borrow_mut().key(name))
    };
    Format::with_texts(name_shape(), read, |key, texts| texts.names.key(*key).into())
}

/// `all = { k = "v" }`.
fn pairs() -> Format<Vec<(KeyId, Value)>> {
    let schema = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let shape = ValueShape::new(schema, "keys with their values", "{ a = \"x\" }");
    let read = |element: &Element<'_>| {
        element.table(|table| {
            let names = table.scope().names;
            let pair = |(key, value): (&str, Element<'_>)| {
                let value = value.text().map(|text| names.borrow_mut().value(text));
                Some((names.borrow_mut().key(key), value?))
            };
            let pairs: Vec<_> = table.entries().into_iter().map(pair).collect();
            pairs.into_iter().collect()
        })
    };
    Format::with_texts(shape, read, |pairs: &Vec<(KeyId, Value)>, texts| {
        let names = texts.names;
        let pair = |(key, value): &(KeyId, Value)| {
            (names.key(*key).to_owned(), names.value(*value).into())
        };
        Toml::Table(pairs.iter().map(pair).collect())
    })
}

/// A node, or `none`; no expectation if the key is left out.
pub(super) fn expected_node() -> Format<Expected<NodeId>> {
    node().or_word("none").convert(
        |node| node.map_or(Expected::Nothing, Expected::Is),
        |node: &Expected<NodeId>| node.wanted(),
    )
}

/// The keys `value` and `absent`.
pub(super) fn value_or_absent(value: &str, absent: &str) -> Vec<Declaration> {
    vec![
        Declaration::new("value", value, text_shape()),
        Declaration::new("absent", absent, only_true().shape().clone()),
    ]
}

/// `value = ".."` or `absent = true`.
pub(super) fn decode_value(table: &mut TableDecoder<'_>) -> Option<Expected<Value>> {
    let (value, absent) = (table.get("value"), table.get("absent"));
    let is_given = (value.is_some(), absent.is_some());
    let value = value.and_then(|value| Some(value.scope().names.borrow_mut().value(value.line()?)));
    let absent = absent.and_then(|absent| absent.only_true());
    match is_given {
        (true, true) => {
            let help = "give `value`, or `absent = true`";
            table.contradiction("value", "absent", "a value is expected, and none", help);
            None
        }
        (true, false) => value.map(Expected::Is),
        (false, true) => absent.map(|()| Expected::Nothing),
        (false, false) => Some(Expected::Anything),
    }
}

/// Writes what [`decode_value`] reads.
pub(super) fn encode_value(value: Expected<Value>, texts: &Texts<'_>, table: &mut Table) {
    let (key, written) = match value {
        Expected::Anything => return,
        Expected::Nothing => ("absent", true.into()),
        Expected::Is(value) => ("value", texts.names.value(value).into()),
    };
    table.insert(key.to_owned(), written);
}

/// `"2 of 5"`.
fn acknowledgements() -> Format<(u16, u16)> {
    let schema = json!({
        "type": "string",
        "pattern": "^[0-9]+ of [0-9]+$",
        "examples": ["2 of 5"],
    });
    let shape = ValueShape::new(schema, "a number of how many", "\"1 of 2\"");
    Format::new(shape, decode_acknowledgements, |(confirmed, followers)| {
        format!("{confirmed} of {followers}").into()
    })
}

fn decode_acknowledgements(element: &Element<'_>) -> Option<(u16, u16)> {
    let text = element.text()?;
    let followers = element.nodes() - 1;
    let parsed = text.split_once(" of ").and_then(|(confirmed, all)| {
        Some((confirmed.trim().parse::<u16>().ok()?, all.trim().parse::<u16>().ok()?))
    });
    match parsed {
        Some((confirmed, all)) if all == followers && confirmed <= all => Some((confirmed, all)),
        Some(_) => element.wrong(
            format!("`{}` cannot be", text.escape_debug()),
            format!(
                "there are {followers} followers: expected up to \"{followers} of {followers}\""
            ),
        ),
        None => element.wrong(
            format!("`{}` is no count of confirmations", text.escape_debug()),
            format!("expected a text such as \"1 of {followers}\""),
        ),
    }
}

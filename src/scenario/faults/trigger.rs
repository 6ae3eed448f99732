//! `when` of a fault: the occurrence that starts it.

use super::target::message_kind;
use crate::config::{Occurrence, Trigger};
use crate::named::Named;
use crate::scenario::decode::TableDecoder;
use crate::scenario::diagnostics::Problem;
use crate::scenario::keys::{
    Draft, Section, Variant, declared, duration, integer, keys, name_shape, node,
};
use crate::scenario::words::OCCURRENCES;
use crate::time::Span;

/// The most occurrences that a trigger may count.
const MOST_OCCURRENCES: u32 = 1_000_000;

/// `{ persists = 5, node = "n1", after = "2ms" }`.
pub(super) fn section() -> Section<Trigger> {
    let base = Trigger { what: Occurrence::Elected, node: None, nth: 1, after: Span::ZERO };
    let helps = [
        "Right after a node begins to lead.",
        "Right after a node hands a record to its disk.",
        "Just before a record becomes durable.",
        "Right after a node answers a client's write with ok.",
        "Just before a message reaches a node.",
        "Right after a node starts again.",
        "Right after a node has a vote in a term that it may tell of.",
        "Right after a node learns that its log is committed further.",
        "Right after a node cuts off the end of its log.",
        "Right after a snapshot of a node's own state is in place.",
        "Right after a snapshot from another node is in place.",
    ];
    let variant = |((word, what), help): ((&'static str, Occurrence), &'static str)| {
        Variant::new(
            word,
            help,
            integer(1..=MOST_OCCURRENCES),
            move |nth| (what, nth),
            move |(other, nth)| is_the_same(*other, what).then_some(*nth),
        )
    };
    Section::new(
        "The moment at which it starts: the how-manieth time that exactly one of these happens.",
        base,
    )
    .one_of(
        "what the fault is tied to",
        OCCURRENCES.into_iter().zip(helps).map(variant).collect(),
        |trigger| (trigger.what, trigger.nth),
        |trigger, (what, nth)| (trigger.what, trigger.nth) = (what, nth),
    )
    .by_hand(
        declared! {
            /// With `receives`, the kind of message, as the protocol names it; else any.
            "kind": name_shape();
        },
        decode_rest_of_occurrence,
        |trigger, texts, table| {
            if let Occurrence::Receives(kind) = &trigger.what
                && let Some(kind) = message_kind().write(kind, texts)
            {
                table.insert("kind".to_owned(), kind);
            }
        },
    )
    .with(keys! { |trigger: Trigger|
        /// On which node; else on any, counted together.
        "node" => trigger.node, node().some();
        /// How much later it starts.
        "after" => trigger.after, duration().checked(|after, element| {
            let duration = element.scope().frame.duration;
            if after > duration {
                let label = format!("faults start before `duration`, {duration}, is over");
                return element.wrong("the fault could never start", label);
            }
            Some(after)
        });
    })
}

/// Whether the two are one but for the kind of message.
fn is_the_same(one: Occurrence, other: Occurrence) -> bool {
    match (one, other) {
        (Occurrence::Receives(_), Occurrence::Receives(_)) => true,
        (one, other) => one == other,
    }
}

/// Whether the protocol's nodes ever come to this, which is given as `word`; notes a mistake if
/// not.
fn can_happen(what: Occurrence, word: &str, table: &TableDecoder<'_>) -> Option<()> {
    let (Occurrence::OfLog(moment), Some(moments)) = (what, table.scope().moments) else {
        return Some(());
    };
    if moments.contains(&moment) {
        return Some(());
    }
    let can = OCCURRENCES.iter().filter(|(_, other)| match other {
        Occurrence::OfLog(other) => moments.contains(other),
        Occurrence::Elected
        | Occurrence::Appends
        | Occurrence::Persists
        | Occurrence::Acknowledges
        | Occurrence::Receives(_)
        | Occurrence::Restarts => true,
    });
    let can: Vec<String> = can.map(|(word, _)| format!("`{word}`")).collect();
    let title = format!("no node ever {} with these settings of the protocol", moment.name());
    let label = format!("expected one of {}", can.join(", "));
    let problem = Problem::new(table.key_at(word), title, label);
    table.sink().push(if moments.is_empty() {
        problem.help("with these settings the protocol keeps no replicated log")
    } else {
        problem
    });
    None
}

/// Reads the kind of message, and refuses what can never happen.
fn decode_rest_of_occurrence(
    table: &mut TableDecoder<'_>,
    draft: &mut Draft<Trigger>,
) -> Option<()> {
    let kind = table.optional("kind", |kind| message_kind().read(kind));
    let words = OCCURRENCES.iter().map(|(word, _)| *word);
    let given: Vec<&str> = words.filter(|word| table.has(word)).collect();
    match given[..] {
        ["receives"] => {
            if let Occurrence::Receives(of) = &mut draft.value.what {
                *of = kind?.flatten();
            }
        }
        [word] if table.has("kind") => {
            let at = table.key_at("kind");
            let title = format!("`{word}` has no kind of message");
            table.sink().push(Problem::new(at, title, "only `receives` has one"));
            return None;
        }
        [word] => return can_happen(draft.value.what, word, table),
        _ => {}
    }
    Some(())
}

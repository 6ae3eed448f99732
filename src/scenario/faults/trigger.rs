//! `when` of a fault: the occurrence that starts it.

use std::mem::discriminant;

use super::target::message_kind;
use crate::config::{Occurrence, Trigger};
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
    ];
    let variant = |((word, what), help): ((&'static str, Occurrence), &'static str)| {
        Variant::new(
            word,
            help,
            integer(1..=MOST_OCCURRENCES),
            move |nth| (what, nth),
            move |(other, nth)| (discriminant(other) == discriminant(&what)).then_some(*nth),
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
        decode_received_kind,
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

fn decode_received_kind(table: &mut TableDecoder<'_>, draft: &mut Draft<Trigger>) -> Option<()> {
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
        _ => {}
    }
    Some(())
}

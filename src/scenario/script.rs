//! `[[operation]]`: single operations at exact times.

use std::sync::{Arc, LazyLock};

use serde_json::json;
use toml::Value as Toml;

use super::answer;
use super::decode::{Element, TableDecoder};
use super::diagnostics::Problem;
use super::ids::ids;
use super::keys::{
    Draft, Format, Section, Texts, Variant, boolean, declared, follower_count, key, keys,
    name_shape, node, part, time,
};
use super::names::node_named;
use super::words::OPERATIONS;
use super::workload::{decode_replicas, encode_replicas, replicas, retry};
use crate::config::{Answer, ScriptedOperation};
use crate::id::{ClientId, KeyId, NodeId, Value};
use crate::operation::{Batches, Operation};
use crate::time::Time;

/// Every `[[operation]]`.
pub(super) fn operations(table: &mut TableDecoder<'_>) -> Option<Vec<ScriptedOperation>> {
    let Some(list) = table.get("operation") else { return Some(Vec::new()) };
    let mut ids = ids(&list, &OPERATIONS)?.into_iter();
    list.list(|element| {
        let id = ids.next().unwrap_or_default();
        let operation = element.table(|table| SECTION.decode(table))?;
        Some(ScriptedOperation { id, ..operation })
    })
}

/// An entry of `[[operation]]`.
pub(super) static SECTION: LazyLock<Section<ScriptedOperation>> = LazyLock::new(operation);

fn operation() -> Section<ScriptedOperation> {
    let base = ScriptedOperation {
        id: String::new(),
        at: Time::ZERO,
        client: ClientId(0),
        operation: Operation::List,
        node: None,
        retry: retry().base().clone(),
        expect: Answer::default(),
    };
    Section::new(
        "An operation; exactly one of `put`, `get`, `delete`, `list`, `read-all`, `clear`, \
         `append`, `cas`, `batch`.",
        base,
    )
    .by_hand(
        declared! {
            /// A stable id, which keys its random draws; by default its kind and time, such as
            /// put-1s, and put-1s-2 for a second one.
            "id": name_shape();
        },
        |table, _| table.optional("id", Element::name).map(drop),
        |operation, _, table| {
            table.insert("id".to_owned(), operation.id.clone().into());
        },
    )
    .with(keys! { |operation: ScriptedOperation|
        /// When it is invoked, or later, when its client has completed its previous one.
        "at" => operation.at, time(), required();
        /// Who invokes it; not a client of the workload.
        "client" => operation.client, script_client(), required();
    })
    .one_of(
        "the operation",
        requests(),
        |scripted| Request { operation: scripted.operation, node: scripted.node },
        |scripted, request| {
            (scripted.operation, scripted.node) = (request.operation, request.node);
        },
    )
    .flat(retry(), |operation| &mut operation.retry)
    .with(keys! { |operation: ScriptedOperation|
        "expect" => operation.expect,
            answer::section().format(),
            written_if(|operation| operation.expect != Answer::default());
    })
    .checked(|_, table| {
        let given: Vec<&str> = OPERATIONS.into_iter().filter(|kind| table.has(kind)).collect();
        match given[..] {
            [kind] => answer::fits(table, kind),
            _ => Some(()),
        }
    })
}

fn script_client() -> Format<ClientId> {
    let read = |element: &Element<'_>| {
        let name = element.name()?;
        let names = element.scope().names;
        if names.borrow().is_workload_client(name) {
            return element.wrong(
                format!("the workload drives client `{name}`"),
                "a script needs a client of its own: give it another name",
            );
        }
        let mistaken_for = match name {
            "nemesis" => Some("the history calls the faults so"),
            _ if name.contains('#') => Some("`#` numbers a client's processes in the history"),
            _ if node_named(name).is_some() || name == "*" => {
                Some("it would be mistaken for a node")
            }
            _ => None,
        };
        if let Some(why) = mistaken_for {
            return element.wrong(format!("`{name}` cannot be a client's name"), why);
        }
        Some(names.borrow_mut().script_client(name))
    };
    Format::with_texts(name_shape(), read, |client, texts| texts.names.client(*client).into())
}

/// An operation, and the node to ask.
#[derive(Clone, Copy)]
struct Request {
    operation: Operation,
    node: Option<NodeId>,
}

impl Request {
    const fn of(operation: Operation) -> Self {
        Self { operation, node: None }
    }
}

fn requests() -> Vec<Variant<Request>> {
    let (at, value) = (KeyId(0), Value::text(0));
    let put = Operation::Put { key: at, value, quorum: None };
    let get = Operation::Get { key: at, quorum: None };
    let delete = Operation::Delete { key: at, quorum: None };
    let append = Operation::Append { key: at, value, quorum: None };
    let write = |section| asking("to", with_quorum(section));
    let with_value = |help, operation, of| with_value(with_key(help, operation), of);
    vec![
        variant("put", write(with_value("Set a key.", put, "The value."))),
        variant("get", asking("from", with_replicas(with_key("Read a key.", get)))),
        variant("delete", write(with_key("Remove a key.", delete))),
        variant("list", whole("The keys that exist.", Operation::List)),
        variant("read-all", whole("Every key with its value.", Operation::ReadAll)),
        variant("clear", whole("Remove every key.", Operation::Clear)),
        variant(
            "append",
            write(with_value("Add an element to a key's list.", append, "The element.")),
        ),
        variant("cas", asking("at", compare_and_set())),
        batch(),
    ]
}

/// The variant of the operations of the same kind as the base of the section.
fn variant(name: &'static str, section: Section<Request>) -> Variant<Request> {
    let kind = std::mem::discriminant(&section.base().operation);
    Variant::new(
        name,
        "",
        section.format(),
        |request| request,
        move |request: &Request| {
            (std::mem::discriminant(&request.operation) == kind).then_some(*request)
        },
    )
}

/// What a batch cannot have: operations on the whole store, and another batch.
const NO_PARTS: [&str; 4] = ["list", "read-all", "clear", "batch"];

fn batch() -> Variant<Request> {
    let section = Arc::new(part_of_batch());
    let shape = section.shape().list(json!({ "minItems": 1, "maxItems": Batches::MOST_PARTS }));
    let writes = Arc::clone(&section);
    let read = move |element: &Element<'_>| {
        let parts = element.list(|part| read_part(part, &section))?;
        if parts.is_empty() || parts.len() > Batches::MOST_PARTS {
            let title = format!("a batch of {} parts", parts.len());
            return element.wrong(title, format!("expected 1 to {}", Batches::MOST_PARTS));
        }
        let parts = parts.into_iter().map(|part| part.operation).collect();
        let batch = element.scope().names.borrow_mut().batches.intern(parts);
        Some(Request::of(Operation::Batch(batch)))
    };
    let write = move |request: &Request, texts: &Texts<'_>| {
        let Operation::Batch(batch) = request.operation else {
            unreachable!("another variant's value")
        };
        let parts = texts.names.batches.get(batch).iter();
        let part = |part: &Operation| Toml::Table(writes.encode(&Request::of(*part), texts));
        Toml::Array(parts.map(part).collect())
    };
    let help = "Several operations on single keys, done at one place in the order or not at all.";
    let is_batch =
        |request: &Request| matches!(request.operation, Operation::Batch(_)).then_some(*request);
    Variant::new("batch", help, Format::with_texts(shape, read, write), |request| request, is_batch)
}

fn read_part(part: &Element<'_>, section: &Section<Request>) -> Option<Request> {
    for kind in NO_PARTS {
        if let Some(at) = part.key_at(kind) {
            let title = format!("a batch cannot have a `{kind}`");
            let label = "expected `put`, `get`, `delete`, `append` or `cas`";
            part.sink().push(Problem::new(at, title, label));
            return None;
        }
    }
    part.table(|table| section.decode(table))
}

fn part_of_batch() -> Section<Request> {
    let (at, value) = (KeyId(0), Value::text(0));
    let put = Operation::Put { key: at, value, quorum: None };
    let append = Operation::Append { key: at, value, quorum: None };
    let with_value = |help, operation, of| with_value(with_key(help, operation), of);
    let parts = vec![
        variant("put", with_value("Set a key.", put, "The value.")),
        variant("get", with_key("Read a key.", Operation::Get { key: at, quorum: None })),
        variant("delete", with_key("Remove a key.", Operation::Delete { key: at, quorum: None })),
        variant("append", with_value("Add an element to a key's list.", append, "The element.")),
        variant("cas", compare_and_set()),
    ];
    let help = "A part; exactly one of `put`, `get`, `delete`, `append`, `cas`.";
    Section::new(help, Request::of(put)).one_of(
        "the part",
        parts,
        |request| *request,
        |request, part| *request = part,
    )
}

fn whole(help: &'static str, operation: Operation) -> Section<Request> {
    asking("from", Section::new(help, Request::of(operation)))
}

fn asking(name: &'static str, section: Section<Request>) -> Section<Request> {
    let help = "The node to ask; else the leader is looked for.";
    section.key(key(name, help, node().some(), |request| &mut request.node))
}

fn with_key(help: &'static str, operation: Operation) -> Section<Request> {
    let format = answer::key_name();
    Section::new(help, Request::of(operation)).key(
        part("key", "The key.", format, |request: &mut Request| match &mut request.operation {
            Operation::Put { key, .. }
            | Operation::Get { key, .. }
            | Operation::Delete { key, .. }
            | Operation::Append { key, .. }
            | Operation::Cas { key, .. } => Some(key),
            Operation::List | Operation::ReadAll | Operation::Clear | Operation::Batch(_) => None,
        })
        .required(),
    )
}

fn with_value(section: Section<Request>, help: &'static str) -> Section<Request> {
    section.key(
        part("value", help, written(), |request: &mut Request| match &mut request.operation {
            Operation::Put { value, .. } | Operation::Append { value, .. } => Some(value),
            _ => None,
        })
        .required(),
    )
}

fn compare_and_set() -> Section<Request> {
    let cas = Operation::Cas { key: KeyId(0), from: None, to: Value::text(0) };
    let read = |element: &Element<'_>| {
        let text = element.line()?;
        Some(element.scope().names.borrow_mut().value(text))
    };
    let write = |value: &Value, texts: &Texts<'_>| texts.names.value(*value).into();
    let expected = Format::with_texts(answer::text_shape(), read, write);
    let from = "The value that the key has to hold; without it, the key has to be absent.";
    with_key("Compare and set: set a key, if it holds what is expected.", cas)
        .key(part("from", from, expected.some(), |request: &mut Request| {
            match &mut request.operation {
                Operation::Cas { from, .. } => Some(from),
                _ => None,
            }
        }))
        .key(
            part("to", "The value.", written(), |request: &mut Request| {
                match &mut request.operation {
                    Operation::Cas { to, .. } => Some(to),
                    _ => None,
                }
            })
            .required(),
        )
}

/// A value that an operation writes.
fn written() -> Format<Value> {
    let read = |element: &Element<'_>| {
        let text = element.line()?;
        let mut names = element.scope().names.borrow_mut();
        if names.made_value(text).is_some() {
            return element.wrong(
                format!("`{text}` is a value that the workload writes"),
                "no two writes may be mistaken for each other: choose another",
            );
        }
        Some(names.value(text))
    };
    let write = |value: &Value, texts: &Texts<'_>| texts.names.value(*value).into();
    Format::with_texts(answer::text_shape(), read, write)
}

fn with_quorum(section: Section<Request>) -> Section<Request> {
    section.key(part(
        "w",
        "Follower acknowledgements this write alone asks for.",
        follower_count("the write asks for {} acknowledgements").some(),
        |request: &mut Request| match &mut request.operation {
            Operation::Put { quorum, .. }
            | Operation::Delete { quorum, .. }
            | Operation::Append { quorum, .. } => Some(quorum),
            _ => None,
        },
    ))
}

fn with_replicas(section: Section<Request>) -> Section<Request> {
    const KEYS: [&str; 2] = ["r", "repair"];
    section.by_hand(
        declared! {
            /// How many replicas to ask, that one included; by default that one alone, or all for a
            /// repair.
            "r": replicas();
            /// Whether the newest value is written back to the replicas asked that have an older
            /// one.
            "repair": boolean().shape().clone();
        },
        |table: &mut TableDecoder<'_>, draft: &mut Draft<Request>| {
            let replicas = decode_replicas(table, KEYS)?;
            if let Operation::Get { quorum, .. } = &mut draft.value.operation {
                *quorum = replicas;
            }
            Some(())
        },
        |request, _, table| {
            if let Operation::Get { quorum, .. } = request.operation {
                encode_replicas(table, KEYS, quorum);
            }
        },
    )
}

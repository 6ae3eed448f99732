//! The JSON schema (draft 2020-12) of scenario files: what an editor completes and explains.

use serde_json::{Map, Value, json};

use super::changes;
use super::faults::MOST_OCCURRENCES;
use super::keys::{Declaration, Shape};
use super::words::{ACTIONS, NODES, OCCURRENCES, OPERATIONS, TARGETS};
use super::{Registered, Registry, cluster, fuzz, network, sections, workload};
use crate::config::ExpectedVerdict;
use crate::history::Failure;
use crate::named::Named;
use crate::property::Property;

/// The JSON schema of scenario files with the protocols of `registry`.
#[must_use]
pub fn schema(registry: &Registry) -> Value {
    let mut schema = shape(registry).schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("splitbrain scenario");
    schema["$defs"] = definitions();
    schema
}

/// What a scenario file looks like.
fn shape(registry: &Registry) -> Shape {
    let of_protocol =
        |protocol: &Registered| Declaration::new(protocol.name, "", (protocol.shape)());
    let protocols = registry.protocols.iter().map(of_protocol).collect();
    let protocol = Shape::table("The protocol that the nodes run: exactly one table.", protocols)
        .and("minProperties", json!(1))
        .and("maxProperties", json!(1));
    let list = |help: &str, name, item: Shape| Declaration::new(name, help, item.list(json!({})));
    let table = |name, shape| Declaration::new(name, "", shape);
    let by_hand = |schema| Shape::new(schema, "a table", "{}");
    let clocks = "Clocks that err from the start; a later entry wins over an earlier one.";
    let mut keys = sections::top().declared();
    keys.extend([
        table("cluster", cluster::section().shape()).required(),
        table("protocol", protocol).required(),
        table("network", network::section().shape()),
        list(clocks, "clock", network::clock().shape()),
        table("disk", network::disk().shape()),
        table("workload", workload::section().shape()),
        list("Operations at exact times.", "operation", by_hand(operation())),
        list("What goes wrong.", "fault", by_hand(fault())),
        list("Settings that change on the way.", "change", by_hand(change())),
        table("fuzz", fuzz::section().shape()),
        table("check", sections::bounds().shape()),
        table("expect", by_hand(expect())),
    ]);
    Shape::table("A scenario of splitbrain.", keys)
}

fn object(description: &str, required: &[&str], properties: Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": description,
        "additionalProperties": false,
        "required": required,
    });
    schema["properties"] = properties;
    schema
}

fn array(description: &str, items: Value) -> Value {
    let mut schema = json!({ "type": "array", "description": description });
    schema["items"] = items;
    schema
}

fn name(description: &str) -> Value {
    json!({ "type": "string", "description": description, "minLength": 1 })
}

fn integer(description: &str, low: u64, high: u64, default: Option<u64>) -> Value {
    let mut schema =
        json!({ "type": "integer", "description": description, "minimum": low, "maximum": high });
    if let Some(default) = default {
        schema["default"] = json!(default);
    }
    schema
}

fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn only_true(description: &str) -> Value {
    json!({ "const": true, "description": description })
}

fn choice(description: &str, words: &[&str], default: &str) -> Value {
    json!({ "enum": words, "description": description, "default": default })
}

/// A reference to a definition, with what it means here.
fn refer(definition: &str, description: &str, default: Option<&str>) -> Value {
    let mut schema = json!({ "$ref": format!("#/$defs/{definition}"), "description": description });
    if let Some(default) = default {
        schema["default"] = json!(default);
    }
    schema
}

fn duration(description: &str, default: Option<&str>) -> Value {
    refer("duration", description, default)
}

fn distribution(description: &str, default: Option<&str>) -> Value {
    refer("distribution", description, default)
}

/// Demands exactly one of `keys`.
fn exactly_one(mut schema: Value, keys: &[&str]) -> Value {
    schema["oneOf"] = keys.iter().map(|key| json!({ "required": [key] })).collect();
    schema
}

fn extend(mut schema: Value, more: Map<String, Value>) -> Value {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.extend(more);
    }
    schema
}

fn replicas(description: &str) -> Value {
    json!({
        "description": description,
        "anyOf": [{ "const": "all" }, integer("A number.", 1, u64::from(NODES), None)],
    })
}

fn weight(description: &str) -> Value {
    integer(description, 0, 1_000_000_000, Some(0))
}

fn node(description: &str) -> Value {
    refer("node", description, None)
}

fn operation() -> Value {
    let key = || name("The key.");
    let quorum = || {
        integer(
            "Follower acknowledgements this write alone asks for.",
            1,
            u64::from(NODES) - 1,
            None,
        )
    };
    let to = || node("The node to ask; else the leader is looked for.");
    let whole = |description: &str| object(description, &[], json!({ "from": to() }));
    let operation = object(
        "An operation; exactly one of `put`, `get`, `delete`, `list`, `read-all`, `clear`, `append`.",
        &["at", "client"],
        json!({
            "id": name("A stable id, which keys its random draws; by default its kind and time, such as put-1s, and put-1s-2 for a second one."),
            "at": duration("When it is invoked, or later, when its client has completed its previous one.", None),
            "client": name("Who invokes it; not a client of the workload."),
            "put": object("Set a key.", &["key", "value"], json!({
                "key": key(), "value": json!({ "type": "string", "description": "The value." }), "w": quorum(), "to": to(),
            })),
            "get": object("Read a key.", &["key"], json!({
                "key": key(), "from": to(),
                "r": replicas("How many replicas to ask, that one included; by default that one alone, or all for a repair."),
                "repair": boolean("Whether the newest value is written back to the replicas asked that have an older one."),
            })),
            "delete": object("Remove a key.", &["key"], json!({ "key": key(), "w": quorum(), "to": to() })),
            "list": whole("The keys that exist."),
            "read-all": whole("Every key with its value."),
            "clear": whole("Remove every key."),
            "append": object("Add an element to a key's list.", &["key", "value"], json!({
                "key": key(), "value": json!({ "type": "string", "description": "The element." }), "w": quorum(), "to": to(),
            })),
            "expect": answer(),
        }),
    );
    let retry = Shape::table("", workload::retry().declared()).schema();
    let retry = retry["properties"].as_object().cloned().unwrap_or_default();
    exactly_one(extend(operation, retry), &OPERATIONS)
}

fn answer() -> Value {
    let failures: Vec<&str> = Failure::ALL.iter().map(|failure| failure.name()).collect();
    object(
        "What the client must be told; each part that is given must hold.",
        &[],
        json!({
            "status": { "enum": ["ok", "fail", "info"], "description": "Whether it happened, did not happen, or nobody knows." },
            "value": { "type": "string", "description": "The value read." },
            "absent": only_true("The key read was absent."),
            "degraded": boolean("Whether the answer was marked degraded."),
            "confirmations": { "type": "string", "description": "How many followers had confirmed, of how many.", "pattern": "^[0-9]+ of [0-9]+$", "examples": ["2 of 5"] },
            "error": { "enum": failures, "description": "Why it did not complete ok." },
            "not-yet-replicated": boolean("Whether the key was absent on a follower that named the leader: a write may not have reached it yet."),
            "leader": { "description": "The leader that the answer named.", "anyOf": [{ "const": "none" }, { "$ref": "#/$defs/node" }] },
            "existed": boolean("Whether the deleted key had existed."),
            "keys": { "type": "array", "items": name("A key."), "description": "The keys listed, in any order." },
            "all": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Everything read: key and value." },
            "within": duration("The most the answer may take.", None),
            "after": duration("The least the answer may take.", None),
        }),
    )
}

fn fault() -> Value {
    let target = |description: &str| refer("target", description, None);
    let between = |description: &str| {
        object(
            description,
            &[],
            json!({
                "from": refer("target", "Senders.", Some("all")),
                "to": refer("target", "Receivers.", Some("all")),
                "both-ways": boolean("Whether the way back is meant too."),
            }),
        )
    };
    let with = |schema: Value, key: &str, more: Value, required: bool| {
        let mut schema = extend(schema, Map::from_iter([(key.to_owned(), more)]));
        if required {
            schema["required"] = json!([key]);
        }
        schema
    };
    let drop = with(
        between("Messages of one kind, or all, are lost."),
        "kind",
        name("The kind of message, as the protocol names it; else all."),
        false,
    );
    let drop = with(
        drop,
        "probability",
        refer("percentage", "How likely each is lost.", Some("100%")),
        false,
    );
    let restart = object(
        "Crashed nodes start again.",
        &["target"],
        json!({
            "target": target("Who."),
            "disk": choice("Whether the disk was replaced by an empty one.", &["kept", "empty"], "kept"),
        }),
    );
    let fault = object(
        "A fault: exactly one thing that goes wrong, at a time or at a moment.",
        &[],
        json!({
            "id": name("A stable id, which keys its random draws; by default its kind and time or moment, such as crash-4s or crash-persists-5, and crash-4s-2 for a second one."),
            "at": duration("When it starts.", None),
            "when": trigger(),
            "for": duration("After how long it ends by itself.", None),
            "forever": only_true("Whether a node that it takes down stays down even for the settling phase."),
            "partition": { "type": "array", "minItems": 1, "items": { "type": "array", "minItems": 1, "items": name("A node or a client.") }, "description": "Nodes of different groups cannot reach each other; nodes named in no group form one more." },
            "majorities-ring": only_true("Each node reaches only its neighbours in a ring: every node sees a majority, no two the same."),
            "bridge": target("Two halves that only this node connects."),
            "isolate": target("These nodes reach no other node and are reached by none; clients still reach them."),
            "block": between("Messages are lost, one way."),
            "clog": between("Messages are held back, and all delivered when it ends."),
            "slow": with(between("Messages take longer."), "by", distribution("How much longer.", None), true),
            "drop": drop,
            "crash": target("The process dies; what was written to the disk survives."),
            "power-loss": target("The machine dies; what was not synced is gone."),
            "restart": { "description": "Crashed nodes start again.", "anyOf": [{ "$ref": "#/$defs/target" }, restart] },
            "pause": target("The process stops being scheduled; what reaches it waits."),
            "resume": target("Paused nodes go on."),
            "clock-jump": object("The wall clock jumps.", &["node", "by"], json!({
                "node": target("Whose."),
                "by": refer("signed-duration", "By how much.", None),
            })),
            "clock-drift": object("Both clocks run at another rate.", &["node", "drift"], json!({
                "node": target("Whose."),
                "drift": refer("drift", "How much faster.", None),
            })),
            "torn-write": target("A power loss leaves a hole in what was not synced, and the rest of it."),
            "lost-write": target("Syncs complete and make nothing durable: a power loss takes what they covered."),
            "flip-bit": object("A bit of a disk flips, for good.", &["node"], json!({
                "node": target("Whose."),
                "byte": integer("The byte it is in, counted through the files of the disk; else a drawn one.", 0, i64::MAX.unsigned_abs(), None),
            })),
            "read-error": target("A process that starts cannot read its disk, and gives up."),
            "disk-full": target("Nothing more can be written: writes are refused, the node lives."),
            "slow-disk": object("Syncs take longer.", &["node", "by"], json!({
                "node": target("Whose."),
                "by": distribution("How much longer.", None),
            })),
            "heal": name("Ends faults before their time: `network` for all that are on the network, or a fault's id."),
        }),
    );
    let mut fault = exactly_one(fault, &ACTIONS);
    fault["allOf"] = json!([exactly_one(json!({}), &["at", "when"])]);
    fault
}

/// The moment at which a fault starts.
fn trigger() -> Value {
    let nth = |description: &str| integer(description, 1, u64::from(MOST_OCCURRENCES), None);
    let trigger = object(
        "The moment at which it starts: the how-manieth time that exactly one of these happens.",
        &[],
        json!({
            "elected": nth("Right after a node begins to lead."),
            "appends": nth("Right after a node hands a record to its disk."),
            "persists": nth("Just before a record becomes durable."),
            "acknowledges": nth("Right after a node answers a client's write with ok."),
            "receives": nth("Just before a message reaches a node."),
            "restarts": nth("Right after a node starts again."),
            "kind": name("With `receives`, the kind of message, as the protocol names it; else any."),
            "node": node("On which node; else on any, counted together."),
            "after": duration("How much later it starts.", Some("0ms")),
        }),
    );
    exactly_one(trigger, &OCCURRENCES.map(|(word, _)| word))
}

fn change() -> Value {
    let settings = changes::WORKLOAD.join("|");
    object(
        "Settings from a time on.",
        &["at", "set"],
        json!({
            "at": duration("When.", None),
            "set": {
                "type": "object",
                "description": "Paths and values, such as \"network.loss\" = \"5%\".",
                "propertyNames": { "pattern": format!("^(network\\..+|workload\\.({settings})(\\..+)?)$") },
            },
        }),
    )
}

fn expect() -> Value {
    let can_come_of = |property: &Property| {
        let unchecked = !property.needed_bounds().is_empty();
        let verdicts = ExpectedVerdict::ALL.iter();
        let verdicts = verdicts.filter(|one| unchecked || **one != ExpectedVerdict::Unchecked);
        verdicts.map(|verdict| verdict.name()).collect::<Vec<_>>()
    };
    let mut properties: Map<String, Value> = Property::ALL
        .iter()
        .map(|property| {
            let description = match property.needed_bounds() {
                [] => format!("The verdict expected of the check `{property}`."),
                bounds => format!(
                    "The verdict expected of the check `{property}`; `unchecked` unless `check` has {}.",
                    bounds.join(" or ")
                ),
            };
            let verdicts = can_come_of(property);
            (property.name().to_owned(), json!({ "enum": verdicts, "description": description }))
        })
        .collect();
    let state = object(
        "The state of a node after every event up to and including a time.",
        &["at", "node"],
        json!({
            "at": duration("When.", None),
            "node": node("Who."),
            "key": name("A key, with `value` or `absent`."),
            "value": { "type": "string", "description": "What the key holds." },
            "absent": only_true("The key is absent."),
            "role": { "enum": ["leader", "follower", "candidate", "down"], "description": "The node's role." },
            "term": integer("The node's term.", 0, i64::MAX.unsigned_abs(), None),
            "leader": { "description": "Whom the node takes for the leader.", "anyOf": [{ "const": "none" }, { "$ref": "#/$defs/node" }] },
            "awaits": { "description": "Whom the node waits for to lead, while it knows of no leader.", "anyOf": [{ "const": "none" }, { "$ref": "#/$defs/node" }] },
            "blocked": array("The nodes to which the network blocks its messages.", node("One of them.")),
        }),
    );
    properties.insert("state".to_owned(), array("States at a time.", state));
    let mut expect = object("What the scenario expects of the run.", &[], json!({}));
    expect["properties"] = Value::Object(properties);
    expect
}

fn definitions() -> Value {
    const UNITS: &str = "(ns|us|µs|ms|s|m|h)";
    let words: Vec<&str> = TARGETS.iter().map(|(word, _)| *word).collect();
    let parts = distribution_variants();
    let mut mixture_part = parts.clone();
    mixture_part.insert("weight".to_owned(), weight("How often, among the parts."));
    let variants: Vec<&str> = parts.keys().map(String::as_str).collect();
    let part =
        exactly_one(extend(object("A part.", &["weight"], json!({})), mixture_part), &variants);
    let mut all = parts.clone();
    all.insert("mixture".to_owned(), array("One of several, by weight.", part));
    let variants: Vec<&str> = all.keys().map(String::as_str).collect();
    let table = exactly_one(
        extend(object("A distribution: exactly one of its keys.", &[], json!({})), all.clone()),
        &variants,
    );
    json!({
        "duration": {
            "type": "string",
            "description": "A length of time: a number and a unit; at most ten years, 87600h.",
            "pattern": format!("^(\\+?[0-9]+(\\.[0-9]+)?|-0+(\\.0+)?)\\s*{UNITS}$"),
            "examples": ["150ms", "1.5s"],
        },
        "signed-duration": {
            "type": "string",
            "description": "A length of time that may be negative; at most ten years, 87600h, either way.",
            "pattern": format!("^[-+]?[0-9]+(\\.[0-9]+)?\\s*{UNITS}$"),
            "examples": ["-5s"],
        },
        "percentage": {
            "description": "A probability: a percentage, or a number from 0 to 1.",
            "anyOf": [
                { "type": "string", "pattern": "^[-+]?[0-9]+(\\.[0-9]+)?\\s*%$" },
                { "type": "number", "minimum": 0, "maximum": 1 },
            ],
            "examples": ["0.5%"],
        },
        "drift": {
            "type": "string",
            "description": "A rate: parts per million, or a percentage.",
            "pattern": "^[-+]?[0-9]+(\\.[0-9]+)?\\s*(ppm|%)$",
            "examples": ["200ppm"],
        },
        "node": { "type": "string", "description": "A node.", "pattern": "^n[1-9][0-9]*$", "examples": ["n1"] },
        "target": {
            "description": "Some nodes: a word that is resolved when the fault starts, a node, or a list of nodes.",
            "anyOf": [
                { "enum": words },
                { "$ref": "#/$defs/node" },
                { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "$ref": "#/$defs/node" } },
            ],
        },
        "distribution": {
            "description": "How long something takes: a constant length of time, or a distribution.",
            "anyOf": [{ "$ref": "#/$defs/duration" }, table],
        },
    })
}

fn distribution_variants() -> Map<String, Value> {
    let variants = [
        ("constant", duration("Always the same.", None)),
        (
            "uniform",
            json!({
                "type": "array", "minItems": 2, "maxItems": 2,
                "items": { "$ref": "#/$defs/duration" },
                "description": "Uniform between two ends.",
            }),
        ),
        ("exponential", duration("Exponential with this mean.", None)),
        (
            "lognormal",
            object(
                "The logarithm is normal.",
                &["median", "sigma"],
                json!({
                    "median": duration("The median.", None),
                    "sigma": { "type": "number", "exclusiveMinimum": 0, "description": "The standard deviation of the logarithm." },
                }),
            ),
        ),
        (
            "pareto",
            object(
                "`scale` times u^(-1/shape).",
                &["scale", "shape"],
                json!({
                    "scale": duration("The least value.", None),
                    "shape": { "type": "number", "exclusiveMinimum": 0, "description": "The tail index; the mean is finite above 1." },
                }),
            ),
        ),
        (
            "quantiles",
            json!({
                "type": "object",
                "description": "Measured quantiles, from \"0%\" to \"100%\"; straight lines between.",
                "required": [],
                "minProperties": 2,
                "propertyNames": { "pattern": "^[0-9]+(\\.[0-9]+)?\\s*%$" },
                "additionalProperties": { "$ref": "#/$defs/duration" },
            }),
        ),
    ];
    variants.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::sections::asked_keys;

    /// The paths of all properties, as the decoder names them.
    fn properties(root: &Value, schema: &Value, path: &str, into: &mut BTreeSet<String>) {
        if let Some(definition) = schema["$ref"].as_str() {
            let at = definition.trim_start_matches('#');
            properties(root, root.pointer(at).expect("a definition"), path, into);
        }
        let join =
            |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            into.insert(join(key));
            properties(root, inner, &join(key), into);
        }
        let free = schema["type"] == "object" && schema["properties"].is_null();
        if free {
            into.insert(join("*"));
            properties(root, &schema["additionalProperties"], &join("*"), into);
        }
        properties_of_items(root, schema, path, into);
        for inner in schema["anyOf"].as_array().into_iter().flatten() {
            properties(root, inner, path, into);
        }
    }

    fn properties_of_items(root: &Value, schema: &Value, path: &str, into: &mut BTreeSet<String>) {
        if schema["items"].is_object() {
            properties(root, &schema["items"], &format!("{path}[]"), into);
        }
    }

    #[test]
    fn the_decoder_asks_for_exactly_what_the_schema_describes() {
        let registry = Registry::new();
        let mut described = BTreeSet::new();
        let schema = schema(&registry);
        properties(&schema, &schema, "", &mut described);
        let texts = [
            include_str!("../../tests/it/support/maximal/workload.toml"),
            include_str!("../../tests/it/support/maximal/script.toml"),
            include_str!("../../tests/it/support/maximal/faults.toml"),
        ];
        let asked: BTreeSet<String> =
            texts.into_iter().flat_map(|text| asked_keys(text, &registry)).collect();
        let unknown: Vec<&String> = asked.difference(&described).collect();
        assert!(unknown.is_empty(), "asked for but not described: {unknown:#?}");
        // A distribution's keys are the same wherever it stands: not every place of the examples has one in full.
        let is_inside_distribution = |path: &str| {
            path.split(['.', '[']).any(|part| crate::scenario::words::VARIANTS.contains(&part))
        };
        let missing: Vec<&String> =
            described.difference(&asked).filter(|path| !is_inside_distribution(path)).collect();
        assert!(missing.is_empty(), "described but never asked for: {missing:#?}");
    }
}

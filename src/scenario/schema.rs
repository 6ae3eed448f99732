//! The JSON schema (draft 2020-12) of scenario files: what an editor completes and explains.

use serde_json::{Map, Value, json};

use super::Registry;
use super::changes;
use super::faults::MOST_MILESTONES;
use super::fuzz::{Fuzz, Kind, MOST_FAULTS};
use super::words::{ACTIONS, NODES, OCCURRENCES, OPERATIONS, TARGETS};
use super::workload::{MAX_BURST, MAX_CLIENTS, MAX_KEYS, MAX_OPERATIONS};
use crate::config::ExpectedVerdict;
use crate::history::Failure;
use crate::named::Named;
use crate::property::Property;
use crate::time::Span;

/// The JSON schema of scenario files with the protocols of `registry`.
#[must_use]
pub fn schema(registry: &Registry) -> Value {
    let protocols: Map<String, Value> = registry
        .protocols
        .iter()
        .map(|protocol| (protocol.name.to_owned(), (protocol.schema)()))
        .collect();
    let mut protocol =
        object("The protocol that the nodes run: exactly one table.", &[], json!({}));
    protocol["properties"] = Value::Object(protocols);
    protocol["minProperties"] = json!(1);
    protocol["maxProperties"] = json!(1);
    let mut schema = object(
        "A scenario of splitbrain.",
        &["cluster", "protocol"],
        json!({
            "title": text("What the scenario shows, in a line.", ""),
            "seed": integer("The seed used when the command line names none.", 0, i64::MAX.unsigned_abs(), Some(1)),
            "duration": duration("How long faults and workload last.", Some("30s")),
            "settle": duration("How long the healed cluster may take to settle after that. The default is 30s, or longer where the settings may need it.", Some("30s")),
            "ties": choice("The order of events at one instant: as they were caused, or drawn.", &["causal", "random"], "causal"),
            "cluster": cluster(),
            "protocol": protocol,
            "network": network(),
            "clock": array("Clocks that err from the start; a later entry wins over an earlier one.", clock()),
            "disk": object("Every node's disk.", &[], json!({
                "sync": distribution("How long a sync takes.", Some("0ms")),
            })),
            "workload": workload(),
            "operation": array("Operations at exact times.", operation()),
            "fault": array("What goes wrong.", fault()),
            "change": array("Settings that change on the way.", change()),
            "fuzz": fuzz(),
            "check": object("The bounds that checkers need. One that is set is a demand: a run that misses it fails, unless `expect` says otherwise.", &[], json!({
                "staleness-bound": duration("How long after a write was acknowledged a read may still miss it. Without it a read may miss none, which is no demand.", None),
                "availability-bound": refer("percentage", "The least share of operations that complete ok.", None),
                "recovery-bound": duration("How long after the loss of a leader a write may wait to be acknowledged.", None),
                "leaderless-bound": duration("How long nobody may lead.", None),
                "replication-lag-bound": duration("How long a write may take from the first node to a live replica; setting it has the lag measured.", None),
            })),
            "expect": expect(),
        }),
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("splitbrain scenario");
    schema["$defs"] = definitions();
    schema
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

fn text(description: &str, default: &str) -> Value {
    json!({ "type": "string", "description": description, "default": default })
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

fn cluster() -> Value {
    object(
        "The nodes: n1, n2 and so on.",
        &["nodes"],
        json!({
            "nodes": integer("How many nodes.", 1, u64::from(NODES), None),
            "initial-leader": json!({
                "description": "Who leads from the start; `none`: the nodes elect a leader at boot.",
                "anyOf": [{ "const": "none" }, { "$ref": "#/$defs/node" }],
                "default": "n1",
            }),
        }),
    )
}

/// The settings of a link.
fn link() -> Map<String, Value> {
    let bandwidth = json!({
        "description": "Bytes a second, with a queue before them.",
        "anyOf": [
            { "const": "unlimited" },
            { "type": "string", "pattern": "^\\+?[0-9]+(\\.[0-9]+)?\\s*[kMG]?B/s$" },
        ],
        "default": "unlimited",
    });
    let link = [
        ("delay", distribution("One-way delay.", Some("1ms"))),
        ("loss", refer("percentage", "Share of messages lost.", Some("0%"))),
        (
            "duplication",
            refer(
                "percentage",
                "Share of messages delivered twice, the copy with a delay of its own.",
                Some("0%"),
            ),
        ),
        (
            "order",
            choice(
                "Whether messages may overtake one another, or keep order as over one TCP connection.",
                &["reordering", "fifo"],
                "reordering",
            ),
        ),
        ("bandwidth", bandwidth),
    ];
    link.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

fn node_or_any(description: &str) -> Value {
    json!({ "description": description, "anyOf": [{ "const": "*" }, { "$ref": "#/$defs/node" }] })
}

fn extend(mut schema: Value, more: Map<String, Value>) -> Value {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.extend(more);
    }
    schema
}

fn network() -> Value {
    let between = object(
        "A link that differs; what is not given is as in [network]. A later one wins over an earlier one.",
        &["from", "to"],
        json!({
            "from": node_or_any("Senders."),
            "to": node_or_any("Receivers."),
            "both-ways": boolean("Whether the way back is meant too."),
        }),
    );
    // What a link does not say it inherits: it has no defaults of its own.
    let mut inherited = link();
    for (_, schema) in &mut inherited {
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("default");
        }
    }
    let client = object(
        "The latency between some clients and some nodes; a later one wins over an earlier one.",
        &["delay"],
        json!({
            "client": name("Which client; `*` for every one."),
            "node": node_or_any("Which node."),
            "delay": distribution("One-way latency, the same both ways.", None),
        }),
    );
    let network = object(
        "The links between nodes, and between clients and nodes.",
        &[],
        json!({
            "link": array("Links that differ.", extend(between, inherited)),
            "client-delay": distribution("One-way latency between any client and any node.", Some("0ms")),
            "refuse": switch("Whether a message to a node that is down comes back to its sender as refused.", false),
            "client": array("Client legs that differ.", client),
        }),
    );
    extend(network, link())
}

fn clock() -> Value {
    let clock = object(
        "How the clock of a node, or of a client, errs.",
        &[],
        json!({
            "node": node_or_any("Which node's."),
            "client": name("Which client's; `*` for every one."),
            "offset": refer("signed-duration", "How far the wall clock is ahead at the start.", Some("0ms")),
            "drift": refer("drift", "How much faster both clocks run.", Some("0ppm")),
        }),
    );
    exactly_one(clock, &["node", "client"])
}

fn replicas(description: &str) -> Value {
    json!({
        "description": description,
        "anyOf": [{ "const": "all" }, integer("A number.", 1, u64::from(NODES), None)],
    })
}

/// Timeout, retries and backoff.
fn retry() -> Map<String, Value> {
    let retry = [
        (
            "timeout",
            duration("After how long without an answer an attempt is given up.", Some("10s")),
        ),
        (
            "retries",
            integer(
                "How often an operation is tried again after a refusal or a timeout.",
                0,
                1_000_000,
                Some(0),
            ),
        ),
        ("backoff", distribution("How long to wait before that.", Some("10ms"))),
        (
            "ask-next",
            json!({
                "description": "Whether a client that gives up an operation without learning of a leader asks the next node from then on.",
                "type": "boolean",
                "default": false
            }),
        ),
    ];
    retry.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

fn weight(description: &str) -> Value {
    integer(description, 0, 1_000_000_000, Some(0))
}

fn workload() -> Value {
    let open = object(
        "An open loop: operations arrive whatever became of earlier ones.",
        &[],
        json!({
            "rate": json!({
                "type": "string",
                "description": "How many operations arrive in how long.",
                "pattern": "^\\+?[0-9]+(\\.[0-9]+)?\\s*/\\s*(ns|us|µs|ms|s|m|h)$",
                "examples": ["100/s"],
            }),
            "arrivals": choice("Random arrivals, or evenly spaced.", &["poisson", "constant"], "poisson"),
            "interval": distribution("Instead of `rate`: the time between two arrivals.", None),
            "burst": integer("How many operations an arrival brings.", 1, u64::from(MAX_BURST), Some(1)),
        }),
    );
    let skew = json!({
        "description": "How often each key is used: all alike, or the key of rank r with weight 1 / r^zipf.",
        "anyOf": [
            { "const": "uniform" },
            object("Zipf's law.", &["zipf"], json!({
                "zipf": { "type": "number", "description": "The exponent.", "exclusiveMinimum": 0 },
            })),
        ],
        "default": "uniform",
    });
    let workload = object(
        "Clients c1, c2 and so on that generate operations on keys k1, k2 and so on.",
        &[],
        json!({
            "clients": integer("How many operations may be under way at once.", 1, u64::from(MAX_CLIENTS), Some(1)),
            "operations": {
                "description": "How many operations in all; `unlimited`: until `duration`.",
                "anyOf": [{ "const": "unlimited" }, integer("A number.", 1, MAX_OPERATIONS, None)],
                "default": "unlimited",
            },
            "keys": integer("How many keys.", 1, u64::from(MAX_KEYS), Some(10)),
            "skew": skew,
            "mix": object("What is asked, by weight.", &[], json!({
                "put": weight("Writes of a unique value."),
                "get": weight("Reads of a key."),
                "delete": weight("Deletes of a key."),
                "list": weight("Lists of all keys."),
                "read-all": weight("Reads of everything."),
                "append": weight("Appends of a unique value to a list."),
            })),
            "think": distribution("Closed loop: how long a client waits after an answer.", Some("0ms")),
            "open": exactly_one(open, &["rate", "interval"]),
            "read-from": {
                "description": "Whom a read asks; writes always look for the leader.",
                "anyOf": [{ "enum": ["leader", "any", "nearest"] }, { "$ref": "#/$defs/node" }],
                "default": "leader",
            },
            "read-quorum": replicas("How many replicas a read of a key asks, that one included; by default that one alone, or all when it repairs."),
            "read-repair": boolean("Whether a read writes the newest value back to the replicas it asked that have an older one."),
        }),
    );
    extend(workload, retry())
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
    exactly_one(extend(operation, retry()), &OPERATIONS)
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
    let nth = |description: &str| integer(description, 1, u64::from(MOST_MILESTONES), None);
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

fn fuzz() -> Value {
    let standard = Fuzz::standard(Span::from_secs(30));
    let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
    let ends = |description: &str, end: &Value, default: Option<Value>| {
        let two = json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": end });
        let mut schema = json!({ "description": description, "anyOf": [end, two] });
        if let Some(default) = default {
            schema["default"] = default;
        }
        schema
    };
    let count = json!({ "type": "integer", "minimum": 0, "maximum": MOST_FAULTS });
    let end = json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    let range = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["from", "to"],
        "properties": { "from": end, "to": end },
    });
    object(
        "What a campaign may draw.",
        &[],
        json!({
            "faults": ends("The fewest and the most faults of a case, or how many.", &count, Some(json!([standard.faults.0, standard.faults.1]))),
            "for": ends("The shortest and the longest that a fault lasts, or how long; by default 5ms to a third of `duration`.", &json!({ "$ref": "#/$defs/duration" }), None),
            "kinds": {
                "description": "The kinds of fault, each as likely as any other.",
                "anyOf": [
                    { "const": "all" },
                    { "type": "array", "minItems": 1, "uniqueItems": true, "items": { "enum": names(&Kind::ALL) } },
                ],
            },
            "max-down": {
                "description": "How many nodes may be down or paused at once.",
                "anyOf": [{ "const": "unlimited" }, { "type": "integer", "minimum": 1, "maximum": NODES }],
                "default": "unlimited",
            },
            "swarm": switch("Whether whole kinds are switched off at random, case by case.", standard.swarm),
            "moments": switch("Whether faults may be tied to moments of the run.", standard.triggers),
            "clock-offset": duration("The most by which a clock is off from the start, either way.", Some("500ms")),
            "clock-jump": duration("The most by which a clock jumps, either way.", Some("1s")),
            "clock-drift": refer("drift", "The most by which a clock's rate is wrong, either way.", Some("10%")),
            "slow": duration("The most by which a slow link or disk is slower.", Some("200ms")),
            "loss": refer("percentage", "The largest share of messages that a dropping link loses.", Some("100%")),
            "settings": {
                "type": "object",
                "description": "Keys of the scenario that are drawn case by case: a path, and a list of values or a range of whole numbers, lengths of time or percentages.",
                "additionalProperties": { "anyOf": [{ "type": "array", "minItems": 1 }, range] },
            },
        }),
    )
}

fn switch(description: &str, default: bool) -> Value {
    json!({ "type": "boolean", "description": description, "default": default })
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

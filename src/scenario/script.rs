//! `[[operation]]`: exact operations at exact times; `[[expect.state]]` and `[expect]`.

use super::decode::{Element, TableDecoder, list_of, word_for};
use super::diagnostics::Problem;
use super::ids::ids;
use super::names::node_named;
use super::words::OPERATIONS;
use super::workload::{decode_replicas, retry};
use crate::config::{
    Answer, Bounds, Expect, ExpectedState, ExpectedStatus, ExpectedValue, ExpectedVerdict,
    ScriptedOperation,
};
use crate::history::Failure;
use crate::id::{ClientId, KeyId, NodeId, Value};
use crate::named::Named;
use crate::operation::Operation;
use crate::property::Property;
use crate::protocol::Role;
use crate::time::Time;

/// Every `[[operation]]`.
pub(super) fn operations(table: &mut TableDecoder<'_>) -> Option<Vec<ScriptedOperation>> {
    let Some(list) = table.get("operation") else { return Some(Vec::new()) };
    let ids = ids(&list, &OPERATIONS)?;
    let mut index = 0;
    list.list(|element| {
        let id = ids.get(index).cloned().unwrap_or_default();
        index += 1;
        element.table(|table| operation(table, id))
    })
}

fn operation(table: &mut TableDecoder<'_>, id: String) -> Option<ScriptedOperation> {
    let given_id = table.optional("id", Element::name);
    let at = table.required("at", |at| at.time());
    let client = table.required("client", |client| script_client(client));
    let found = table.exactly_one(&OPERATIONS, "the operation", |kind, value| {
        let kind = OPERATIONS[kind];
        Some((kind, value.table(|table| asked(table, kind))))
    });
    let (kind, asked) = found.unzip();
    let retry = retry().decode(table);
    let expect = table.table("expect", |table| answer(table, kind));
    given_id?;
    let (operation, node) = asked??;
    Some(ScriptedOperation {
        id,
        at: at?,
        client: client?,
        operation,
        node,
        retry: retry?,
        expect: expect?,
    })
}

fn script_client(element: &Element<'_>) -> Option<ClientId> {
    let name = element.name()?;
    if element.scope().names.borrow().is_workload_client(name) {
        return element.wrong(
            format!("the workload drives client `{name}`"),
            "a script needs a client of its own: give it another name",
        );
    }
    let mistaken_for = match name {
        "nemesis" => Some("the history calls the faults so"),
        _ if name.contains('#') => Some("`#` numbers a client's processes in the history"),
        _ if node_named(name).is_some() || name == "*" => Some("it would be mistaken for a node"),
        _ => None,
    };
    if let Some(why) = mistaken_for {
        return element.wrong(format!("`{name}` cannot be a client's name"), why);
    }
    Some(element.scope().names.borrow_mut().script_client(name))
}

/// What is asked, and whom.
fn asked(table: &mut TableDecoder<'_>, kind: &str) -> Option<(Operation, Option<NodeId>)> {
    let takes_key = matches!(kind, "put" | "get" | "delete" | "append");
    let key = if takes_key { table.required("key", Element::name) } else { Some("") };
    let value = if matches!(kind, "put" | "append") {
        table.required("value", |value| put_value(value)).map(Some)
    } else {
        Some(None)
    };
    let writes = matches!(kind, "put" | "delete" | "append");
    let quorum = if writes { table.optional("w", |w| write_quorum(w)) } else { Some(None) };
    let read = if kind == "get" { decode_replicas(table, ["r", "repair"]) } else { Some(None) };
    let whom = if writes { "to" } else { "from" };
    let node = table.optional(whom, |node| node.node());
    let (key, value, quorum, read, node) = (key?, value?, quorum?, read?, node?);
    let mut names = table.scope().names.borrow_mut();
    let operation = match (kind, value) {
        ("put", Some(value)) => Operation::Put { key: names.key(key), value, quorum },
        ("append", Some(value)) => Operation::Append { key: names.key(key), value, quorum },
        ("get", _) => Operation::Get { key: names.key(key), quorum: read },
        ("delete", _) => Operation::Delete { key: names.key(key), quorum },
        ("list", _) => Operation::List,
        ("read-all", _) => Operation::ReadAll,
        _ => Operation::Clear,
    };
    Some((operation, node))
}

fn put_value(element: &Element<'_>) -> Option<Value> {
    let text = element.line()?;
    if element.scope().names.borrow().made_value(text).is_some() {
        return element.wrong(
            format!("`{text}` is a value that the workload writes"),
            "no two writes may be mistaken for each other: choose another",
        );
    }
    Some(element.scope().names.borrow_mut().value(text))
}

fn write_quorum(element: &Element<'_>) -> Option<u16> {
    let quorum = element.integer_u16(1..=u16::MAX)?;
    let followers = element.nodes() - 1;
    if quorum > followers {
        return element.wrong(
            format!(
                "the write asks for {quorum} acknowledgements, but there are {followers} followers"
            ),
            format!("expected at most {followers}"),
        );
    }
    Some(quorum)
}

const STATUS: [(&str, ExpectedStatus); 3] =
    [("ok", ExpectedStatus::Ok), ("fail", ExpectedStatus::Fail), ("info", ExpectedStatus::Info)];

/// The word for a status.
pub(super) fn status_word(status: ExpectedStatus) -> &'static str {
    word_for(&STATUS, &status)
}

/// The parts of an answer that only some operations can have, and which.
const PARTS_OF_ANSWERS: [(&str, &[&str]); 8] = [
    ("value", &["get"]),
    ("absent", &["get"]),
    ("not-yet-replicated", &["get"]),
    ("degraded", &["put", "delete", "clear", "append"]),
    ("confirmations", &["put", "delete", "clear", "append"]),
    ("existed", &["delete"]),
    ("keys", &["list"]),
    ("all", &["read-all"]),
];

/// Refuses to expect of an operation what its answers never have.
fn fits(table: &mut TableDecoder<'_>, kind: &str) -> bool {
    let mut fits = true;
    for (part, kinds) in PARTS_OF_ANSWERS {
        if table.get(part).is_some() && !kinds.contains(&kind) {
            let title = format!("the answer to a `{kind}` has no `{part}`");
            let label = format!("only that to {} has it", list_of(kinds));
            let fitting = PARTS_OF_ANSWERS.iter().filter(|(_, kinds)| kinds.contains(&kind));
            let fitting: Vec<&str> = ["status", "error", "leader", "within", "after"]
                .into_iter()
                .chain(fitting.map(|(part, _)| *part))
                .collect();
            let problem = Problem::new(table.key_at(part), title, label);
            table.sink().push(problem.help(format!("a `{kind}` can expect {}", list_of(&fitting))));
            fits = false;
        }
    }
    fits
}

/// What the client must be told of an operation of this kind; of any kind when it is not known.
fn answer(table: &mut TableDecoder<'_>, kind: Option<&str>) -> Option<Answer> {
    let fits = kind.is_none_or(|kind| fits(table, kind));
    let status = table.optional("status", |status| status.choice(&STATUS));
    let value = expected_value(table);
    let degraded = table.optional("degraded", Element::boolean);
    let confirmations = table.optional("confirmations", |element| confirmations(element));
    let failures = Failure::words();
    let error = table.optional("error", |error| error.choice(&failures));
    let not_yet_replicated = table.optional("not-yet-replicated", Element::boolean);
    let leader = table.optional("leader", |leader| leader.node_or("none"));
    let existed = table.optional("existed", Element::boolean);
    let keys =
        table.optional("keys", |keys| keys.list(|key| key.name().map(|key| key_of(keys, key))));
    let all = table.optional("all", |all| {
        all.table(|table| {
            let pair = |(key, value): (&str, Element<'_>)| {
                let value = value.text().map(|text| value.scope().names.borrow_mut().value(text));
                Some((key_of(all, key), value?))
            };
            let pairs: Vec<_> = table.entries().into_iter().map(pair).collect();
            pairs.into_iter().collect()
        })
    });
    let within = table.optional("within", Element::duration);
    let after = table.optional("after", Element::duration);
    if let (Some(Some(within)), Some(Some(after))) = (within, after)
        && after > within
    {
        table.contradiction(
            "within",
            "after",
            "no answer can be that fast and that slow",
            "`within` is the most an answer may take, `after` the least",
        );
        return None;
    }
    if !fits {
        return None;
    }
    Some(Answer {
        status: status?,
        value: value?,
        degraded: degraded?,
        confirmations: confirmations?,
        error: error?.map(|failure| failure.name().to_owned()),
        not_yet_replicated: not_yet_replicated?,
        leader: leader?,
        existed: existed?,
        keys: keys?,
        all: all?,
        within: within?,
        after: after?,
    })
}

fn key_of(element: &Element<'_>, name: &str) -> KeyId {
    element.scope().names.borrow_mut().key(name)
}

/// `value = ".."` or `absent = true`; `Some(None)` when neither is there.
fn expected_value(table: &mut TableDecoder<'_>) -> Option<Option<ExpectedValue>> {
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
        (true, false) => value.map(|value| Some(ExpectedValue::Is(value))),
        (false, true) => absent.map(|()| Some(ExpectedValue::Absent)),
        (false, false) => Some(None),
    }
}

/// `"2 of 5"`.
fn confirmations(element: &Element<'_>) -> Option<(u16, u16)> {
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

/// `[expect]`, a verdict a property, and `[[expect.state]]`. Without `bounds`, which were wrong, nobody can say what
/// they suffice for.
pub(super) fn expect(table: &mut TableDecoder<'_>, bounds: Option<&Bounds>) -> Option<Expect> {
    let mut checks = Vec::new();
    for property in Property::all() {
        if let Some(element) = table.get(property.name()) {
            let verdict = expected_verdict(&element, property, bounds);
            checks
                .push((table.key_at(property.name()), verdict.map(|verdict| (property, verdict))));
        }
    }
    checks.sort_by_key(|(at, _)| *at);
    let states = table.list("state", |element| element.table(|table| state(table)));
    let checks: Option<Vec<_>> = checks.into_iter().map(|(_, check)| check).collect();
    Some(Expect { checks: checks?, states: states?, excused: Vec::new() })
}

/// One of the verdicts to which `property` can come.
fn expected_verdict(
    element: &Element<'_>,
    property: Property,
    bounds: Option<&Bounds>,
) -> Option<ExpectedVerdict> {
    let verdict = element.choice(&ExpectedVerdict::words())?;
    let needed = property.needed_bounds();
    let is_checked = bounds.map(|bounds| bounds.suffice(property));
    let problem = match (verdict, is_checked) {
        (ExpectedVerdict::Unchecked, Some(true)) if needed.is_empty() => element
            .problem(
                format!("`{property}` is never unchecked"),
                "expected a verdict to which it can come",
            )
            .help("it needs no bound: expect `valid`, `allowed`, `violation` or `unknown`"),
        (ExpectedVerdict::Unchecked, Some(true)) => element
            .problem(
                format!("`{property}` is checked: the file sets a bound for it"),
                "expected `valid`, `allowed`, `violation` or `unknown`",
            )
            .help(format!("without `check.{}` it is unchecked", needed.join("` and `check."))),
        (ExpectedVerdict::Unchecked, _) | (_, Some(true) | None) => return Some(verdict),
        (_, Some(false)) => {
            let example = match property {
                Property::Availability => "availability-bound = \"99%\"",
                _ => "replication-lag-bound = \"1s\"",
            };
            let title = format!("`{property}` is held against a bound, and the file sets none");
            element
                .problem(title, "expected `unchecked`, which is what comes of it without a bound")
                .help(format!(
                    "set `check.{}`: under [check], `{example}`",
                    needed.join("` or `check.")
                ))
                .help(
                    "a bound that is set is a demand: a run that misses it fails without this line",
                )
        }
    };
    element.sink().push(problem);
    None
}

fn state(table: &mut TableDecoder<'_>) -> Option<ExpectedState> {
    let at = table.required("at", |at| {
        let span = at.duration()?;
        let frame = at.scope().frame;
        let end = frame.duration + frame.settle;
        if span > end {
            let label = format!("`duration` and `settle` are {end} together");
            return at.wrong(format!("{span} is after the end"), label);
        }
        Some(Time::ZERO + span)
    });
    let node = table.required("node", |node| node.node());
    let key = table.optional("key", Element::name);
    let value = expected_value(table);
    let roles: Vec<(&str, &str)> = [Role::Leader, Role::Follower, Role::Candidate]
        .iter()
        .map(|role| role.name())
        .chain(["down"])
        .map(|role| (role, role))
        .collect();
    let role = table.optional("role", |role| role.choice(&roles));
    let term = table.optional("term", |term| term.integer(0..=i64::MAX.unsigned_abs()));
    let leader = table.optional("leader", |leader| leader.node_or("none"));
    let awaits = table.optional("awaits", |awaits| awaits.node_or("none"));
    let blocked = table.optional("blocked", |blocked| blocked.node_list());
    let (key, value, role, term, leader) = (key?, value?, role?, term?, leader?);
    let (awaits, blocked) = (awaits?, blocked?);
    let key = match (key, value) {
        (Some(key), Some(value)) => Some((table.scope().names.borrow_mut().key(key), value)),
        (None, None) => None,
        (Some(_), None) => {
            return table.wrong("what does the key hold?", "needs `value`, or `absent = true`");
        }
        (None, Some(_)) => return table.wrong("`key` is missing", "a value of which key?"),
    };
    let says_more = role.is_some()
        || term.is_some()
        || leader.is_some()
        || awaits.is_some()
        || blocked.is_some();
    if key.is_none() && !says_more {
        let needs = "needs `key`, `role`, `term`, `leader`, `awaits` or `blocked`";
        return table.wrong("a state of nothing", needs);
    }
    let role = role.map(str::to_owned);
    Some(ExpectedState { at: at?, node: node?, key, role, term, leader, awaits, blocked })
}

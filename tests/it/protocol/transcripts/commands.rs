//! The commands of a transcript.
//!
//! | command | what happens |
//! |---|---|
//! | `cluster` and TOML | a cluster of these settings starts; the TOML is that of a scenario |
//! | `start n1`, `start all` | a node that is down starts, or each |
//! | `crash n1` | its process dies |
//! | `lose-power n1`, `lose-power n1 kept`, `lose-power n1 torn 9` | its machine dies |
//! | `replace-disk n1` | a node that is down gets an empty disk |
//! | `request n1 put k=v w=2`, `request n1 get k r=2 repair` | a client asks |
//! | `request n1 delete k`, `.. append v to k` | a client asks |
//! | `request n1 list`, `.. read-all`, `.. clear` | a client asks |
//! | `request n1 as c2 get k` | another client than `c1` asks |
//! | `retry n2 1` | the client of request 1 asks again, n2 this time |
//! | `timer n1 election` | a timer fires; the clocks go on to when it is due |
//! | `deliver n1 n2`, `deliver n1 n2 2` | the oldest message of a link arrives, or the second |
//! | `deliver-all n1 n2` | all that are on their way there now arrive |
//! | `drop n1 n2`, `drop-all n1 n2`, `duplicate n1 n2`, `refuse n1 n2` | what a network does |
//! | `sync n1` | its disk completes the oldest operation |
//! | `disk n1 full`, `disk n1 free` | it has no room, or has room again |
//! | `settle` | all syncs complete and all messages arrive, until there are none |
//! | `advance 2s`, `clock n1 -5s` | time passes; a wall clock goes wrong |
//! | `show n1`, `messages`, `timers n1` | what a node holds, what is on its way, what is set |
//! | `quietly COMMAND` | the same, and what came of it is not shown |

use std::fmt::Write;

use splitbrain::check::replicated_log::LogLedger;
use splitbrain::id::NodeId;
use splitbrain::operation::{Operation, ReadQuorum};
use splitbrain::protocol::Message;
use splitbrain::protocol::harness::{Harness, StepError, Unsynced};
use splitbrain::scenario::{Registry, Scenario, ScenarioProtocol};
use splitbrain::time::{Span, Time};

/// The commands, as they are expected where there is another word.
const COMMANDS: [&str; 21] = [
    "start NODE",
    "crash NODE",
    "lose-power NODE",
    "replace-disk NODE",
    "request NODE OPERATION",
    "retry NODE REQUEST",
    "timer NODE NAME",
    "deliver FROM TO",
    "deliver-all FROM TO",
    "drop FROM TO",
    "drop-all FROM TO",
    "duplicate FROM TO",
    "refuse FROM TO",
    "sync NODE",
    "disk NODE full|free",
    "settle",
    "advance SPAN",
    "clock NODE OFFSET",
    "show NODE",
    "messages",
    "timers NODE",
];

/// Text that is no command.
#[derive(Debug)]
pub(crate) struct Mistake<'t> {
    /// The text, a part of the transcript.
    pub(crate) at: &'t str,
    /// What was expected there.
    pub(crate) expected: String,
}

/// Why a command brings nothing about.
enum Trouble {
    /// It is none.
    Mistake(String),
    /// It cannot be done.
    Step(StepError),
}

impl From<String> for Trouble {
    fn from(expected: String) -> Self {
        Self::Mistake(expected)
    }
}

impl From<StepError> for Trouble {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// A cluster that commands are given to.
pub(crate) struct Session<P: ScenarioProtocol> {
    cluster: Option<Cluster<P>>,
}

struct Cluster<P: ScenarioProtocol> {
    nodes: u16,
    harness: Harness<P>,
}

impl<P: ScenarioProtocol> Session<P> {
    pub(crate) const fn new() -> Self {
        Self { cluster: None }
    }

    /// What a block of commands brings about.
    pub(crate) fn run<'t>(&mut self, commands: &'t str) -> Result<String, Mistake<'t>> {
        if let Some(toml) = commands.strip_prefix("cluster\n") {
            return self.start(toml).map_err(|expected| Mistake { at: toml, expected });
        }
        let lines = commands.lines();
        let Some(cluster) = &mut self.cluster else {
            let expected = "expected `cluster` and its settings first".to_owned();
            return Err(Mistake { at: commands, expected });
        };
        let mut played = String::new();
        for at in lines {
            played += &cluster.run(at).map_err(|expected| Mistake { at, expected })?;
        }
        Ok(played)
    }

    fn start(&mut self, toml: &str) -> Result<String, String> {
        let registry = Registry::new().with::<P>();
        let text = format!("[cluster]\n{toml}");
        let scenario = Scenario::parse("cluster", text.as_bytes(), &registry, &[]);
        let scenario = scenario.map_err(|mistakes| mistakes.to_string())?;
        let expected = || "expected settings of the protocol of this folder".to_owned();
        let settings = scenario.settings::<P>().ok_or_else(expected)?.clone();
        let nodes = scenario.config.cluster.nodes;
        let keeps_log = P::keeps_log(&settings);
        let mut harness = Harness::of_cluster(scenario.config.cluster, settings);
        if keeps_log {
            harness = harness.heard_by(LogLedger::new(nodes));
        }
        let cluster = self.cluster.insert(Cluster { nodes, harness });
        cluster.run("start all")
    }
}

impl<P: ScenarioProtocol> Cluster<P> {
    /// What a command brings about; what was expected in its place if it is none.
    fn run(&mut self, command: &str) -> Result<String, String> {
        let (command, is_quiet) = match command.strip_prefix("quietly ") {
            Some(command) => (command, true),
            None => (command, false),
        };
        let words: Vec<&str> = command.split_whitespace().collect();
        let outcome = self.take(&words);
        let shown = self.harness.take_transcript();
        match outcome {
            Ok(_) if is_quiet => Ok(String::new()),
            Ok(told) => Ok(shown + &told),
            Err(Trouble::Step(error)) => Ok(format!("{shown}error: {error}\n")),
            Err(Trouble::Mistake(expected)) => Err(expected),
        }
    }

    /// Takes one command; what it tells besides what the nodes do.
    fn take(&mut self, words: &[&str]) -> Result<String, Trouble> {
        let harness = &mut self.harness;
        let done = match *words {
            ["start", "all"] => harness.start_all(),
            ["start", at] => harness.start(node(at)?),
            ["crash", at] => harness.crash(node(at)?),
            ["lose-power", at, ref left @ ..] => harness.lose_power(node(at)?, unsynced(left)?),
            ["replace-disk", at] => harness.replace_disk(node(at)?),
            ["request", at, "as", client, ref words @ ..] => {
                let operation = operation(harness, words)?;
                harness.request_of(client, node(at)?, operation).map(|_| ())
            }
            ["request", at, ref words @ ..] => {
                let operation = operation(harness, words)?;
                harness.request(node(at)?, operation).map(|_| ())
            }
            ["retry", at, request] => {
                let (at, request) = (node(at)?, harness.requested(number(request)?));
                request.and_then(|request| harness.retry(at, request)).map(|_| ())
            }
            ["timer", at, name] => harness.timer_named(node(at)?, name),
            ["deliver", from, to] => harness.deliver(node(from)?, node(to)?),
            ["deliver", from, to, place] => {
                let place = number::<usize>(place)?.saturating_sub(1);
                harness.deliver_nth(node(from)?, node(to)?, place)
            }
            ["deliver-all", from, to] => {
                let (from, to) = (node(from)?, node(to)?);
                let waiting = harness.in_flight(from, to).count().max(1);
                (0..waiting).try_for_each(|_| harness.deliver(from, to))
            }
            ["drop", from, to] => harness.drop_message(node(from)?, node(to)?),
            ["drop-all", from, to] => {
                let (from, to) = (node(from)?, node(to)?);
                let waiting = harness.in_flight(from, to).count().max(1);
                (0..waiting).try_for_each(|_| harness.drop_message(from, to))
            }
            ["duplicate", from, to] => harness.duplicate(node(from)?, node(to)?),
            ["refuse", from, to] => harness.refuse(node(from)?, node(to)?),
            ["sync", at] => harness.sync(node(at)?),
            ["disk", at, "full"] => harness.set_disk_full(node(at)?, true),
            ["disk", at, "free"] => harness.set_disk_full(node(at)?, false),
            ["settle"] => harness.settle(),
            ["advance", span] => {
                harness.advance(Span::from_nanos(nanos(span)?.unsigned_abs()));
                Ok(())
            }
            ["clock", at, offset] => harness.set_wall_offset(node(at)?, nanos(offset)?),
            ["show", at] => harness.show(node(at)?),
            ["messages"] => return Ok(self.messages()),
            ["timers", at] => return Ok(self.timers(node(at)?)),
            _ => return Err(Trouble::Mistake(format!("expected {}", COMMANDS.join(", ")))),
        };
        done.map(|()| String::new()).map_err(Trouble::Step)
    }

    /// Every message on its way.
    fn messages(&self) -> String {
        let mut text = String::new();
        let nodes = || NodeId::all(self.nodes);
        for (from, to) in nodes().flat_map(|from| nodes().map(move |to| (from, to))) {
            for message in self.harness.in_flight(from, to) {
                let kind = P::Message::KINDS[usize::from(message.kind())];
                let content = message.describe(self.harness.names());
                let line = format!("{from} -> {to} {kind} {content}");
                writeln!(text, "{}", line.trim_end()).expect("a string takes text");
            }
        }
        if text.is_empty() { "no message is on its way\n".to_owned() } else { text }
    }

    fn timers(&self, node: NodeId) -> String {
        let line = |(timer, due): (P::Timer, Time)| format!("{timer:?} at {}\n", due - Time::ZERO);
        let text: String = self.harness.timers(node).map(line).collect();
        if text.is_empty() { "no timer is set\n".to_owned() } else { text }
    }
}

fn operation<P: ScenarioProtocol>(
    harness: &mut Harness<P>,
    words: &[&str],
) -> Result<Operation, String> {
    let pair = |text: &str| format!("expected {text}");
    let is_option = |word: &&str| word.starts_with("w=") || word.starts_with("r=");
    let first = words.iter().skip(2).position(is_option).map(|place| place + 2);
    let (words, options) = words.split_at(first.unwrap_or(words.len()));
    let mut quorum = None;
    let mut read = None;
    match *options {
        [] => {}
        [option] if option.starts_with("w=") => quorum = Some(number::<u16>(&option[2..])?),
        [option] if option.starts_with("r=") => {
            read = Some(ReadQuorum { replicas: number(&option[2..])?, repair: false });
        }
        [option, "repair"] if option.starts_with("r=") => {
            read = Some(ReadQuorum { replicas: number(&option[2..])?, repair: true });
        }
        _ => return Err(pair("w=N, r=N or r=N repair")),
    }
    Ok(match *words {
        ["put", pair_text] => {
            let (key, value) = pair_text.split_once('=').ok_or_else(|| pair("put KEY=VALUE"))?;
            Operation::Put { key: harness.key(key), value: harness.value(value), quorum }
        }
        ["get", key] => Operation::Get { key: harness.key(key), quorum: read },
        ["delete", key] => Operation::Delete { key: harness.key(key), quorum },
        ["append", value, "to", key] => {
            Operation::Append { key: harness.key(key), value: harness.value(value), quorum }
        }
        ["list"] => Operation::List,
        ["read-all"] => Operation::ReadAll,
        ["clear"] => Operation::Clear,
        _ => return Err(pair("put, get, delete, append, list, read-all or clear")),
    })
}

fn node(text: &str) -> Result<NodeId, String> {
    let number = text.strip_prefix('n').and_then(|number| number.parse::<u16>().ok());
    let index = number.and_then(|number| number.checked_sub(1));
    index.map(NodeId).ok_or_else(|| format!("expected a node such as n1, not `{text}`"))
}

fn unsynced(words: &[&str]) -> Result<Unsynced, String> {
    match *words {
        [] => Ok(Unsynced::Lost),
        ["kept"] => Ok(Unsynced::Kept),
        ["torn", bytes] => Ok(Unsynced::Torn { bytes: number(bytes)? }),
        _ => Err("expected nothing, kept or torn BYTES behind the node".to_owned()),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("expected a number, not `{text}`"))
}

/// `150ms` or `-2s`, in nanoseconds.
fn nanos(text: &str) -> Result<i64, String> {
    let units = [("ms", 1_000_000), ("us", 1_000), ("ns", 1), ("s", 1_000_000_000)];
    let split = units.into_iter().find_map(|(unit, nanos)| Some((text.strip_suffix(unit)?, nanos)));
    let (count, unit) =
        split.ok_or_else(|| format!("expected a length of time such as 150ms, not `{text}`"))?;
    Ok(number::<i64>(count)? * unit)
}

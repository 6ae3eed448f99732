//! Choosing what a diagram shows: everything if there is little, else what matters most.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::words;
use crate::config::Config;
use crate::explain::chronicle::{Chronicle, End, FaultSpan, Transmission, Window};
use crate::explain::focus::Focus;
use crate::history::{Entry, Function, History, Writers};
use crate::id::{ClientId, NodeId, OpId, Version};
use crate::named::Named;
use crate::protocol::{Carried, Relation};
use crate::report::layout::counted;
use crate::report::plot::PlottedRun;
use crate::run::RunResult;
use crate::time::Time;

use super::model::{Arrow, Diagram, MessageClass, OperationBar, OperationOutcome, Row};

/// The most messages.
const MOST_MESSAGES: usize = 60;
/// The most operations.
const MOST_OPERATIONS: usize = 12;
/// The most clients.
const MOST_CLIENTS: usize = 5;
/// The most nodes, unless more take part in what the diagram is about.
const MOST_NODES: usize = 9;
/// The most letters of an answer.
const MOST_LETTERS: usize = 40;

/// The rank of a background message, such as a heartbeat.
const BACKGROUND: u8 = 5;
/// The rank of a message about writes that are not drawn.
const OF_OTHERS: u8 = 4;

/// The run that is chosen from.
struct Selection<'a> {
    config: &'a Config,
    result: &'a RunResult,
    focus: &'a Focus,
    writers: Writers<'a>,
    /// The operations of each version, in the order of invocation.
    owners: BTreeMap<Version, Vec<OpId>>,
}

impl Diagram {
    /// The diagram of a run, of the part that `focus` says. `chronicle` has the messages of that
    /// part.
    #[must_use]
    pub fn of(
        run: &PlottedRun<'_>,
        chronicle: &Chronicle,
        faults: &[FaultSpan],
        focus: &Focus,
    ) -> Self {
        let PlottedRun { config, result, .. } = *run;
        let writers = Writers::of(&result.history);
        let selection =
            Selection { config, result, focus, writers, owners: owners(&result.history) };
        let operations = selection.operations();
        let transmissions = selection.transmissions(&chronicle.transmissions, &operations);
        let rows = selection.rows(&operations, &transmissions);
        let row_of = |end: End| match end {
            End::Node(node) => rows.iter().position(|row| *row == Row::Node(node)),
            End::Client(client) => {
                let name = result.history.names().client(client);
                rows.iter().position(|row| matches!(row, Row::Client(other) if other == name))
            }
        };
        let arrow = |transmission: &&Transmission| {
            Some(selection.arrow(
                transmission,
                row_of(transmission.from)?,
                row_of(transmission.to)?,
            ))
        };
        let arrows: Vec<Arrow> = transmissions.iter().filter_map(arrow).collect();
        let bar = |op: &OpId| {
            let row = row_of(End::Client(result.history.entry(*op).client))?;
            Some(selection.bar(*op, row))
        };
        let explanation =
            selection.explanation(&chronicle.transmissions, &transmissions, operations.len());
        Self {
            caption: run.caption(explanation),
            window: focus.window,
            moment: focus.moment,
            spells: chronicle.spells(config.cluster.nodes),
            faults: faults.iter().filter(|f| f.window.meets(focus.window)).cloned().collect(),
            operations: operations.iter().filter_map(bar).collect(),
            rows,
            arrows,
        }
    }
}

/// The operations of each version.
fn owners(history: &History) -> BTreeMap<Version, Vec<OpId>> {
    let writes = history.iter().filter(|(_, entry)| entry.is_write());
    let given = writes.flat_map(|(op, _)| {
        let written = history.effects(op).filter(|effect| effect.found().is_none());
        written.filter_map(move |effect| Some((effect.version?, op)))
    });
    let others = history.other_versions().iter();
    let others = others.map(|(op, version)| (*version, history.whole(*op)));
    let mut owners: BTreeMap<Version, Vec<OpId>> = BTreeMap::new();
    for (version, op) in given.chain(others) {
        owners.entry(version).or_default().push(op);
    }
    owners.values_mut().for_each(|ops| ops.sort_unstable());
    owners
}

impl Selection<'_> {
    /// The distance from the moment when something went wrong, in nanoseconds; from the start of
    /// the window if nothing did.
    fn distance(&self, at: Time) -> u64 {
        let center = self.focus.moment.unwrap_or(self.focus.window.from);
        at.nanos().abs_diff(center.nanos())
    }

    /// Whether nothing went wrong, so that only the first operations are shown.
    fn is_start(&self) -> bool {
        self.focus.moment.is_none() && !self.focus.operations.is_empty()
    }

    fn is_subject(&self, op: OpId) -> bool {
        self.focus.operations.contains(&op)
    }

    /// The operations to draw: those that the diagram is about, then those on their keys, then
    /// those nearest to the moment when something went wrong.
    fn operations(&self) -> Vec<OpId> {
        let history = &self.result.history;
        let keys: BTreeSet<_> =
            self.focus.operations.iter().map(|op| history.entry(*op).key).collect();
        let in_window =
            history.iter().filter(|(_, entry)| span(entry, self.result).meets(self.focus.window));
        let mut ranked: Vec<(bool, bool, u64, OpId)> = in_window
            .map(|(op, entry)| {
                let other_key = !(entry.is_on_one_key() && keys.contains(&entry.key));
                (!self.is_subject(op), other_key, self.distance(entry.invoked_at), op)
            })
            .collect();
        ranked.sort_unstable();
        if self.is_start() {
            ranked.retain(|(other, ..)| !other);
        }
        if ranked.len() > MOST_OPERATIONS && !keys.is_empty() {
            ranked.retain(|(other, other_key, ..)| !other || !other_key);
        }
        let mut clients: Vec<ClientId> = Vec::new();
        let mut kept: Vec<OpId> = Vec::new();
        for (.., op) in ranked {
            let client = history.entry(op).client;
            if !clients.contains(&client) {
                if clients.len() == MOST_CLIENTS {
                    continue;
                }
                clients.push(client);
            }
            kept.push(op);
            if kept.len() == MOST_OPERATIONS {
                break;
            }
        }
        kept.sort_unstable();
        kept
    }

    /// The rank of a message, 0 for the most important; `None` if its operation is not drawn.
    fn rank(&self, transmission: &Transmission, operations: &[OpId]) -> Option<u8> {
        if let Some(request) = transmission.request {
            let drawn = operations.contains(&request.operation());
            return drawn.then(|| if self.is_subject(request.operation()) { 0 } else { 2 });
        }
        Some(if self.about_subject(transmission) {
            0
        } else if transmission.background {
            BACKGROUND
        } else if transmission.carries.is_empty() {
            1
        } else if self.operations_of(transmission).any(|op| operations.contains(&op)) {
            3
        } else {
            OF_OTHERS
        })
    }

    fn operations_of<'a>(
        &'a self,
        transmission: &'a Transmission,
    ) -> impl Iterator<Item = OpId> + 'a {
        transmission.carries.iter().filter_map(|carried| self.owner(transmission, *carried))
    }

    /// The operation of a write that a message carries or acknowledges. If the message has only the
    /// version, it is the last such operation invoked by then.
    fn owner(
        &self,
        transmission: &Transmission,
        Carried { version, content, .. }: Carried,
    ) -> Option<OpId> {
        let owners = self.owners.get(&version)?;
        let is_asked =
            |op: &&OpId| self.result.history.entry(**op).invoked_at <= transmission.sent_at;
        let last = || owners.iter().rev().find(is_asked).copied();
        match content {
            Some((key, value @ Some(_))) => self.writers.writer(key, value, version),
            Some((_, None)) | None => last(),
        }
    }

    fn about_subject(&self, transmission: &Transmission) -> bool {
        transmission.carries.iter().any(|carried| self.focus.versions.contains(&carried.version))
            || self.operations_of(transmission).any(|op| self.is_subject(op))
            || transmission.request.is_some_and(|request| self.is_subject(request.operation()))
    }

    /// The messages to draw, in the order of sending.
    fn transmissions<'a>(
        &self,
        all: &'a [Transmission],
        operations: &[OpId],
    ) -> Vec<&'a Transmission> {
        let ranked = all.iter().enumerate().filter_map(|(place, transmission)| {
            let rank = self.rank(transmission, operations)?;
            Some((rank, self.distance(transmission.sent_at), place))
        });
        let mut ranked: Vec<(u8, u64, usize)> = ranked.collect();
        if ranked.len() > MOST_MESSAGES {
            ranked.retain(|(rank, ..)| *rank != BACKGROUND);
        }
        if ranked.len() > MOST_MESSAGES || self.is_start() {
            ranked.retain(|(rank, ..)| *rank != OF_OTHERS);
        }
        ranked.sort_unstable();
        ranked.truncate(MOST_MESSAGES);
        let mut places: Vec<usize> = ranked.into_iter().map(|(.., place)| place).collect();
        places.sort_unstable();
        places.into_iter().map(|place| &all[place]).collect()
    }

    /// The rows: clients in the order of their first operation, then nodes.
    fn rows(&self, operations: &[OpId], transmissions: &[&Transmission]) -> Vec<Row> {
        let mut clients: Vec<ClientId> = Vec::new();
        for op in operations {
            let client = self.result.history.entry(*op).client;
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
        let names = self.result.history.names();
        let clients =
            clients.into_iter().map(|client| Row::Client(names.client(client).to_owned()));
        let all = self.config.cluster.nodes;
        let takes_part = |node: &NodeId| {
            usize::from(all) <= MOST_NODES
                || transmissions.iter().any(|transmission| {
                    [transmission.from, transmission.to].contains(&End::Node(*node))
                        && self.about_subject(transmission)
                })
        };
        let mut nodes: Vec<NodeId> = NodeId::all(all).filter(takes_part).collect();
        if nodes.is_empty() {
            nodes = NodeId::all(all).take(MOST_NODES).collect();
        }
        clients.chain(nodes.into_iter().map(Row::Node)).collect()
    }

    fn arrow(&self, transmission: &Transmission, from: usize, to: usize) -> Arrow {
        let brings =
            transmission.carries.iter().any(|carried| carried.relation == Relation::Carries);
        let class = match (transmission.request, &transmission.carries[..]) {
            (Some(_), _) => MessageClass::Client,
            (None, []) => MessageClass::Other,
            (None, _) if brings => MessageClass::Write,
            (None, _) => MessageClass::Acknowledgement,
        };
        let label = match (class, &transmission.carries[..]) {
            (MessageClass::Client, _) => String::new(),
            (MessageClass::Write, [carried]) => match self.owner(transmission, *carried) {
                Some(op) => format!("{} {}", transmission.kind, self.short_name(op)),
                None => transmission.kind.to_owned(),
            },
            _ => transmission.kind.to_owned(),
        };
        Arrow {
            from,
            to,
            sent_at: transmission.sent_at,
            delivery: transmission.delivery,
            held_until: transmission.held_until,
            class,
            label,
            subject: self.about_subject(transmission),
        }
    }

    /// A write in a few letters: its key and value.
    fn short_name(&self, op: OpId) -> String {
        let call = words::call(self.result.history.names(), self.result.history.entry(op));
        cut(call.strip_prefix("put ").unwrap_or(&call), 18)
    }

    fn bar(&self, op: OpId, row: usize) -> OperationBar {
        let entry = self.result.history.entry(op);
        let names = self.result.history.names();
        let answer = match (entry.failure, entry.function) {
            (Some(failure), _) => format!("{}, {}", entry.status.name(), failure.name()),
            (None, Function::Get) => {
                entry.value.map_or_else(|| "nothing".to_owned(), |value| names.value(value))
            }
            (None, Function::List | Function::ReadAll) => {
                let items = self.result.history.contents(op).map_or(0, <[_]>::len);
                counted(items as u64, "key")
            }
            (None, _) if entry.degraded => "ok, degraded".to_owned(),
            (None, _) => entry.status.name().to_owned(),
        };
        // The value of a get is what it found; the call has none.
        let question = match entry.function {
            Function::Get => format!("get {}", names.key(entry.key)),
            _ => words::call_of(&self.result.history, op),
        };
        OperationBar {
            row,
            window: span(entry, self.result),
            text: format!("{} → {}", cut(&question, MOST_LETTERS), cut(&answer, MOST_LETTERS)),
            outcome: OperationOutcome::of(entry),
            subject: self.is_subject(op),
        }
    }

    /// The explanation: what the diagram shows and what it leaves out.
    fn explanation(
        &self,
        all: &[Transmission],
        shown: &[&Transmission],
        operations: usize,
    ) -> String {
        let Window { from, until } = self.focus.window;
        let mut text =
            format!("Around {}, from {} to {} s.", self.focus.why, seconds(from), seconds(until));
        if let Some(moment) = self.focus.moment {
            text +=
                &format!(" The dotted red line is at {} s, when it went wrong.", seconds(moment));
        }
        let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
        for transmission in all {
            *left_out.entry(transmission.kind).or_default() += 1;
        }
        for transmission in shown {
            if let Some(count) = left_out.get_mut(transmission.kind) {
                *count -= 1;
            }
        }
        let mut left_out: Vec<(usize, &str)> = left_out
            .into_iter()
            .map(|(kind, count)| (count, kind))
            .filter(|(c, _)| *c > 0)
            .collect();
        left_out.sort_unstable_by(|a, b| b.cmp(a));
        if left_out.is_empty() {
            text += &format!(" All {} are shown.", counted(all.len() as u64, "message"));
        } else {
            let kinds = left_out.iter().map(|(count, kind)| format!("{kind} ×{count}"));
            let kinds: Vec<String> = kinds.collect();
            text += &format!(
                " Of {} {} are shown; left out: {}.",
                counted(all.len() as u64, "message"),
                shown.len(),
                kinds.join(", ")
            );
        }
        let entries = self.result.history.entries().iter();
        let all = entries.filter(|e| span(e, self.result).meets(self.focus.window)).count();
        if all > operations {
            text += &format!(" Of {} {operations} are shown.", counted(all as u64, "operation"));
        }
        text
    }
}

/// The window from an operation's invocation to its completion.
fn span(entry: &Entry, result: &RunResult) -> Window {
    Window { from: entry.invoked_at, until: entry.ended_at(result.ended_at) }
}

/// Seconds with up to three decimals, rounded down.
fn seconds(at: Time) -> String {
    let ms = at.nanos() / 1_000_000;
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The first letters of a text, at most `most`.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    kept + "…"
}

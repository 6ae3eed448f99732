//! `[fuzz]` read and written.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Choice, Fuzz, Kind};
use crate::named::Named;
use crate::rng::Probability;
use crate::scenario::decode::{Element, TableDecoder};
use crate::scenario::diagnostics::{Loc, Problem, Sink, Sources};
use crate::scenario::frame::Frame;
use crate::scenario::set::{self, Segment};
use crate::scenario::tree::{Entry, Node, Tree, value_of};
use crate::scenario::units;
use crate::time::Span;

/// The most faults that a case may have.
pub(in crate::scenario) const MOST_FAULTS: u32 = 1000;

/// What cannot be drawn: it makes a run what it is, or says what is expected of it, or is drawn anyway.
const NOT_DRAWN: [&str; 6] = ["fuzz", "title", "seed", "expect", "fault", "operation"];

/// Reads the table.
pub(in crate::scenario) fn decode(table: &mut TableDecoder<'_>, frame: Frame) -> Option<Fuzz> {
    let standard = Fuzz::standard(frame.duration);
    let faults = table.or("faults", standard.faults, |faults| {
        ends(faults, |end| end.integer_u32(0..=MOST_FAULTS))
    });
    let lasts = table.or("for", standard.lasts, |lasts| ends(lasts, |end| end.positive_duration()));
    let kinds = table.or("kinds", standard.kinds, |list| kinds(list, frame.nodes));
    let max_down = table.or("max-down", None, |most| {
        if most.is_text("unlimited") { Some(None) } else { nodes_down(most, frame.nodes).map(Some) }
    });
    let swarm = table.or("swarm", standard.swarm, Element::boolean);
    let triggers = table.or("moments", standard.triggers, Element::boolean);
    let offset = table.or("clock-offset", standard.clock_offset, |offset| off_by(offset, 1));
    let most_jumps = faults.map_or(1, |(_, most)| most);
    let jump = table.or("clock-jump", standard.clock_jump, |jump| off_by(jump, most_jumps));
    let drift = table.or("clock-drift", standard.clock_drift_ppb, most_drift);
    let slow = table.or("slow", standard.slow, Element::positive_duration);
    let loss = table.or("loss", standard.loss, most_loss);
    let settings = table.or("settings", Vec::new(), |table| table.table(settings));
    Some(Fuzz {
        kinds: kinds?,
        faults: faults?,
        lasts: lasts?,
        max_down: max_down?,
        swarm: swarm?,
        triggers: triggers?,
        clock_offset: offset?,
        clock_jump: jump?,
        clock_drift_ppb: drift?,
        slow: slow?,
        loss: loss?,
        settings: settings?,
    })
}

/// The least and the most: two of them, or one that is both.
fn ends<T: PartialOrd + Copy>(
    element: &Element<'_>,
    read: impl Fn(&Element<'_>) -> Option<T>,
) -> Option<(T, T)> {
    if !element.is_array() {
        return read(element).map(|both| (both, both));
    }
    match element.list(read)?.as_slice() {
        [low, high] if low <= high => Some((*low, *high)),
        [_, _] => {
            element.wrong("the first end is above the second", "expected the lower end first")
        }
        several => {
            let title = format!("expected two ends, found {}", several.len());
            element.wrong(title, "expected the least and the most, or one for both")
        }
    }
}

fn kinds(list: &Element<'_>, nodes: u16) -> Option<Vec<Kind>> {
    if list.is_text("all") {
        return Some(Kind::ALL.to_vec());
    }
    if list.is_string() {
        return list.wrong("this is no list of kinds", "expected a list of kinds, or `all`");
    }
    let words = Kind::words();
    let mut listed = BTreeSet::new();
    list.list(|kind| {
        let name = kind.choice(&words)?;
        if !listed.insert(name) {
            return kind.wrong(format!("`{}` is listed twice", name.name()), "listed again here");
        }
        Some(())
    })?;
    if listed.is_empty() {
        return list.wrong("no kind of fault is listed", "expected at least one");
    }
    if !listed.iter().any(|kind| kind.is_possible(nodes)) {
        let title = format!("on {nodes} nodes none of these faults is possible");
        return list.wrong(title, "expected at least one that is");
    }
    Some(listed.into_iter().collect())
}

fn nodes_down(element: &Element<'_>, nodes: u16) -> Option<u16> {
    if element.is_string() {
        return element.wrong("this is no number of nodes", "expected a number, or `unlimited`");
    }
    element.integer_u16(1..=nodes)
}

fn most_drift(element: &Element<'_>) -> Option<u32> {
    match u32::try_from(element.drift()?) {
        Ok(ppb @ 1..1_000_000_000) => Some(ppb),
        _ => {
            element.wrong("no clock drifts by that, either way", "expected above 0% and below 100%")
        }
    }
}

fn most_loss(element: &Element<'_>) -> Option<Probability> {
    let loss = element.probability()?;
    if loss == Probability::ZERO {
        return element.wrong("a link that drops nothing is no fault", "expected more than 0%");
    }
    Some(loss)
}

/// What offsets may add up to, and what jumps may: half of what both may together.
const MOST_OFF: u128 = units::MAX_JUMPS as u128 / 2;

/// Reads by how much a clock may be off, so many times over.
fn off_by(element: &Element<'_>, times: u32) -> Option<Span> {
    let most = element.positive_duration()?;
    if u128::from(most.nanos()) * u128::from(times.max(1)) > MOST_OFF {
        let title = format!("a clock may be off by too much with {times} times {most}");
        return element.wrong(title, "expected at most 5 years, 43800h, altogether");
    }
    Some(most)
}

/// `[fuzz.settings]`: paths, and what may be drawn for each.
fn settings(table: &mut TableDecoder<'_>) -> Option<Vec<(String, Choice)>> {
    let entries = table.entries();
    let one = |(key, element): &(&str, Element<'_>)| {
        let path = drawable(key, table.key_at(key), table.sink());
        let choice = choice(element);
        path?;
        Some(((*key).to_owned(), choice?))
    };
    let read: Vec<_> = entries.iter().map(one).collect();
    read.into_iter().collect()
}

/// The parts of a path that may be drawn.
fn drawable(key: &str, at: Loc, sink: &Sink) -> Option<Vec<Segment>> {
    // Places inside the key are its own, but for the quotes: close enough to point at.
    let inner = if key.contains('.') { Loc { start: at.start + 1, ..at } } else { at };
    let path = match set::path(key, inner) {
        Ok(path) => path,
        Err(problem) => {
            sink.push(*problem);
            return None;
        }
    };
    if let Some(first) = path.first().map(|segment| segment.key.as_str())
        && NOT_DRAWN.contains(&first)
    {
        let title = format!("`{}` cannot be drawn", key.escape_debug());
        let label =
            "expected a setting of the cluster, its protocol, its surroundings or its workload";
        let help = "cases have seeds and faults of their own, and are held to what is promised";
        sink.push(Problem::new(at, title, label).help(help));
        return None;
    }
    Some(path)
}

/// One of a list, or a range.
fn choice(element: &Element<'_>) -> Option<Choice> {
    if element.is_table() {
        let is_range = element.node.get("from").is_some() || element.node.get("to").is_some();
        if !is_range {
            let title = "this is neither a list nor a range";
            let label = "expected values such as [3, 5], or a range such as { from = 1, to = 9 }";
            let problem = Problem::new(element.at(), title, label);
            element.sink.push(problem.help("quote a path with dots: \"network.loss\""));
            return None;
        }
        return element.table(|table| {
            let from = table.required("from", |from| Some(from.clone()));
            let to = table.required("to", |to| Some(to.clone()));
            range(&from?, &to?)
        });
    }
    let mut texts = Vec::new();
    element.list(|value| {
        let text = value.node.to_toml().to_string();
        if texts.contains(&text) {
            return value.wrong(format!("{text} is given twice"), "given again here");
        }
        texts.push(text);
        Some(())
    })?;
    if texts.is_empty() {
        return element.wrong("there is nothing to draw", "expected at least one value");
    }
    Some(Choice::OneOf(texts))
}

fn range(from: &Element<'_>, to: &Element<'_>) -> Option<Choice> {
    let rising = |rises: bool, choice| {
        if rises {
            Some(choice)
        } else {
            to.wrong("the range ends before it starts", "expected more")
        }
    };
    match (&from.node.value, &to.node.value) {
        (Tree::Integer(Some(low)), Tree::Integer(Some(high))) => {
            rising(low <= high, Choice::Integer(*low, *high))
        }
        (Tree::Text(low), Tree::Text(high)) => {
            match (units::duration(low), units::duration(high)) {
                (Ok(low), Ok(high)) => rising(low <= high, Choice::Duration(low, high)),
                _ => match (units::percentage(low), units::percentage(high)) {
                    (Ok(low), Ok(high)) => rising(low <= high, Choice::Share(low, high)),
                    _ => not_a_range(from, to),
                },
            }
        }
        _ => not_a_range(from, to),
    }
}

fn not_a_range(from: &Element<'_>, to: &Element<'_>) -> Option<Choice> {
    let title = "nothing can be drawn between these two";
    let label = "expected two whole numbers, two lengths of time or two percentages";
    let problem = Problem::new(to.at(), title, label).and(from.at(), "the other end");
    to.sink.push(problem.help("a list of values can be of any kind: [\"async\", \"sync\"]"));
    None
}

/// A setting as a file has it: its path, and the values that show whether the scenario takes what may be drawn.
struct Written {
    path: Vec<Segment>,
    values: Vec<Node>,
}

/// Every setting that `root`, which decoded without a mistake, says may be drawn. Values are placed in `source`.
fn written(root: &Node, source: usize) -> Vec<Written> {
    let settings = root.get("fuzz").and_then(|fuzz| fuzz.get("settings"));
    let Some(Tree::Table(entries)) = settings.map(|settings| &settings.value) else {
        return Vec::new();
    };
    let moved = |at: Loc| if at.source == 0 { Loc { source, ..at } } else { at };
    let one = |entry: &Entry| {
        let path = drawable(&entry.key, moved(entry.key_at), &Sink::default())?;
        let mut values = match &entry.node.value {
            Tree::Array(items) => items.clone(),
            Tree::Table(ends) => ends.iter().map(|end| end.node.clone()).collect(),
            _ => Vec::new(),
        };
        values.iter_mut().for_each(|value| move_all(value, &moved));
        Some(Written { path, values })
    };
    entries.iter().filter_map(one).collect()
}

fn move_all(node: &mut Node, moved: &impl Fn(Loc) -> Loc) {
    node.at = moved(node.at);
    match &mut node.value {
        Tree::Array(items) => items.iter_mut().for_each(|item| move_all(item, moved)),
        Tree::Table(entries) => {
            for entry in entries {
                entry.key_at = moved(entry.key_at);
                move_all(&mut entry.node, moved);
            }
        }
        _ => {}
    }
}

/// Notes of every value that may be drawn, alone, what the scenario has against it; of a range, of its ends.
///
/// A value is put in its place as an argument would be, so that it may leave behind what belonged to the value before:
/// `mode = "async"` a write quorum. Hence the copy of the file among the sources: what stands there is no part of the
/// file.
pub(in crate::scenario) fn check_settings(
    root: &Node,
    sources: &mut Sources,
    sink: &Sink,
    decodes: impl Fn(&Node, &Sink),
) {
    let mut plain = root.clone();
    if let Tree::Table(entries) = &mut plain.value {
        entries.retain(|entry| entry.key != "fuzz");
    }
    let settings = written(root, sources.copy_of_first());
    for Written { path, values } in &settings {
        for value in values {
            let again = Sink::default();
            let mut tree = plain.clone();
            if let Err(problem) = set::set(&mut tree, path, value.clone()) {
                sink.push(*problem);
                continue;
            }
            decodes(&tree, &again);
            let is_here = |problem: &Problem| {
                let segments = path.iter().any(|segment| Some(segment.at) == problem.place());
                segments || problem.place().is_some_and(|at| value.at.contains(at))
            };
            let mut problems = again.into_problems();
            if problems.is_empty() {
                continue;
            }
            let here = problems.iter().position(is_here);
            let problem = problems.swap_remove(here.unwrap_or(0));
            let outside = here.is_none();
            sink.push(if outside { problem.and(value.at, "with this value") } else { problem });
        }
    }
}

/// Writes it back, every key explicit.
pub(in crate::scenario) fn encode(fuzz: &Fuzz) -> Table {
    let two = |ends: [Value; 2]| Value::Array(ends.to_vec());
    let length = |span: Span| Value::String(span.to_string());
    let share =
        |share: Probability| Value::String(units::show_percentage(share.parts_per_billion()));
    let range = |from: Value, to: Value| {
        Value::Table([("from".to_owned(), from), ("to".to_owned(), to)].into_iter().collect())
    };
    let kinds = fuzz.kinds.iter().map(|kind| Value::from(kind.name())).collect();
    let max_down = fuzz.max_down.map_or_else(|| "unlimited".into(), |most| i64::from(most).into());
    let faults = [fuzz.faults.0, fuzz.faults.1].map(|end| i64::from(end).into());
    let pairs = [
        ("faults", two(faults)),
        ("for", two([fuzz.lasts.0, fuzz.lasts.1].map(length))),
        ("kinds", Value::Array(kinds)),
        ("max-down", max_down),
        ("swarm", fuzz.swarm.into()),
        ("moments", fuzz.triggers.into()),
        ("clock-offset", length(fuzz.clock_offset)),
        ("clock-jump", length(fuzz.clock_jump)),
        ("clock-drift", units::show_drift(fuzz.clock_drift_ppb.into()).into()),
        ("slow", length(fuzz.slow)),
        ("loss", share(fuzz.loss)),
    ];
    let mut table: Table = pairs.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
    let choice = |choice: &Choice| match choice {
        Choice::OneOf(texts) => Value::Array(texts.iter().map(|text| value_of(text)).collect()),
        Choice::Integer(low, high) => range((*low).into(), (*high).into()),
        Choice::Duration(low, high) => range(length(*low), length(*high)),
        Choice::Share(low, high) => range(share(*low), share(*high)),
    };
    if !fuzz.settings.is_empty() {
        let settings: Table =
            fuzz.settings.iter().map(|(path, drawn)| (path.clone(), choice(drawn))).collect();
        table.insert("settings".to_owned(), Value::Table(settings));
    }
    table
}

//! `[fuzz]` read and written.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde_json::json;
use toml::{Table, Value};

use super::{Choice, Fuzz, FuzzMoments, Kind};
use crate::named::Named;
use crate::rng::Probability;
use crate::scenario::decode::{Element, TableDecoder};
use crate::scenario::diagnostics::{Loc, Problem, Sink, Sources};
use crate::scenario::keys::{
    Format, Section, Texts, ValueShape, boolean, drift, integer, keys, named, node_count,
    positive_duration, probability,
};
use crate::scenario::set::{self, Segment};
use crate::scenario::tree::{Node, Tree, TreeEntry, value_of};
use crate::scenario::units;
use crate::time::Span;

/// The most faults that a case may have.
pub(in crate::scenario) const MOST_FAULTS: u32 = 1000;

/// Keys that cannot be drawn.
const NOT_DRAWN: [&str; 6] = ["fuzz", "title", "seed", "expect", "fault", "operation"];

/// `[fuzz]`, with the defaults for the default `duration`.
pub(in crate::scenario) static SECTION: LazyLock<Section<Fuzz>> = LazyLock::new(fuzz);

/// Reads the table.
pub(in crate::scenario) fn decode(table: &mut TableDecoder<'_>) -> Option<Fuzz> {
    let standard = Fuzz::standard(table.scope().frame.duration);
    SECTION.decode_over(table, standard)
}

fn fuzz() -> Section<Fuzz> {
    let standard = Fuzz::standard(Span::from_secs(30));
    Section::new("What a campaign may draw.", standard).with(keys! { |fuzz: Fuzz|
        /// The fewest and the most faults of a case, or how many.
        "faults" => fuzz.faults, ends(integer(0..=MOST_FAULTS));
        /// The shortest and the longest that a fault lasts, or how long; by default 5ms to a
        /// third of `duration`.
        "for" => fuzz.lasts, ends(positive_duration()), without_default();
        /// The kinds of fault, each as likely as any other.
        "kinds" => fuzz.kinds, kinds(), without_default();
        /// How many nodes may be down or paused at once.
        "max-down" => fuzz.max_down, nodes_down().or_word("unlimited");
        /// Whether whole kinds are switched off at random, case by case.
        "swarm" => fuzz.swarm, boolean();
        /// Whether faults may be tied to moments of the run; `log`: to those of a replicated log
        /// too.
        "moments" => fuzz.moments, moments();
        /// The most by which a clock is off from the start, either way.
        "clock-offset" => fuzz.clock_offset, positive_duration(),
            checked(|most, given| off_by(most, given.element, 1));
        /// The most by which a clock jumps, either way.
        "clock-jump" => fuzz.clock_jump, positive_duration(), checked(|most, given| {
            let draft = given.draft;
            let most_jumps = if draft.is_right("faults") { draft.value.faults.1 } else { 1 };
            off_by(most, given.element, most_jumps)
        });
        /// The most by which a clock's rate is wrong, either way.
        "clock-drift" => fuzz.clock_drift_ppb, most_drift(), default_shown("10%");
        /// The most by which a slow link or disk is slower.
        "slow" => fuzz.slow, positive_duration();
        /// The largest share of messages that a dropping link loses.
        "loss" => fuzz.loss, probability().checked(most_loss);
        /// Keys of the scenario that are drawn case by case: a path, and a list of values or a
        /// range of whole numbers, lengths of time or percentages.
        "settings" => fuzz.settings, settings_format(), without_default(),
            written_if(|fuzz| !fuzz.settings.is_empty());
    })
}

fn moments() -> Format<FuzzMoments> {
    let make = |given: Option<bool>| match given {
        Some(false) => FuzzMoments::None,
        Some(true) => FuzzMoments::Simulated,
        None => FuzzMoments::OfLogToo,
    };
    let part = |moments: &FuzzMoments| {
        Some(match moments {
            FuzzMoments::None => Some(false),
            FuzzMoments::Simulated => Some(true),
            FuzzMoments::OfLogToo => None,
        })
    };
    boolean().or_word("log").convert(make, part)
}

/// The least and the most: a list of two, or one value for both.
fn ends<T: PartialOrd + Copy + 'static>(end: Format<T>) -> Format<(T, T)> {
    let shape = end.shape().clone();
    let two = shape.clone().list(json!({ "minItems": 2, "maxItems": 2 }));
    let end = Arc::new(end);
    let written = Arc::clone(&end);
    let read = move |element: &Element<'_>| {
        if !element.is_array() {
            return end.read(element).map(|both| (both, both));
        }
        match element.list(|one| end.read(one))?.as_slice() {
            [low, high] if low <= high => Some((*low, *high)),
            [_, _] => {
                element.wrong("the first end is above the second", "expected the lower end first")
            }
            several => {
                let title = format!("expected two ends, found {}", several.len());
                element.wrong(title, "expected the least and the most, or one for both")
            }
        }
    };
    Format::with_texts(shape.or(two), read, move |(low, high), texts| {
        [low, high]
            .into_iter()
            .filter_map(|end| written.write(end, texts))
            .collect::<Vec<_>>()
            .into()
    })
}

fn kinds() -> Format<Vec<Kind>> {
    let words = Kind::words();
    let list = named::<Kind>().shape().clone().list(json!({ "minItems": 1, "uniqueItems": true }));
    let read = move |list: &Element<'_>| {
        if list.is_text("all") {
            return Some(Kind::ALL.to_vec());
        }
        if list.is_string() {
            return list.wrong("this is no list of kinds", "expected a list of kinds, or `all`");
        }
        let mut listed = BTreeSet::new();
        list.list(|kind| {
            let name = kind.choice(&words)?;
            if !listed.insert(name) {
                let title = format!("`{}` is listed twice", name.name());
                return kind.wrong(title, "listed again here");
            }
            Some(())
        })?;
        if listed.is_empty() {
            return list.wrong("no kind of fault is listed", "expected at least one");
        }
        let nodes = list.nodes();
        if !listed.iter().any(|kind| kind.is_possible(nodes)) {
            let title = format!("on {nodes} nodes none of these faults is possible");
            return list.wrong(title, "expected at least one that is");
        }
        Some(listed.into_iter().collect())
    };
    Format::new(list.or_word("all"), read, |kinds| {
        kinds.iter().map(|kind| Value::from(kind.name())).collect::<Vec<_>>().into()
    })
}

fn nodes_down() -> Format<u16> {
    let read = |element: &Element<'_>| {
        if element.is_string() {
            return element
                .wrong("this is no number of nodes", "expected a number, or `unlimited`");
        }
        element.integer(1..=element.nodes())
    };
    Format::new(node_count().shape().clone(), read, |most| i64::from(*most).into())
}

fn most_drift() -> Format<u32> {
    let read = |element: &Element<'_>| match u32::try_from(element.drift()?) {
        Ok(ppb @ 1..1_000_000_000) => Some(ppb),
        _ => {
            element.wrong("no clock drifts by that, either way", "expected above 0% and below 100%")
        }
    };
    Format::new(drift().shape().clone(), read, |ppb| units::show_drift((*ppb).into()).into())
}

fn most_loss(loss: Probability, element: &Element<'_>) -> Option<Probability> {
    if loss == Probability::ZERO {
        return element.wrong("a link that drops nothing is no fault", "expected more than 0%");
    }
    Some(loss)
}

/// The most that offsets, or jumps, may add up to: half of what both together may.
const MOST_OFF: u128 = units::MAX_JUMPS as u128 / 2;

/// Refuses an offset that, so many times, exceeds [`MOST_OFF`].
fn off_by(most: Span, element: &Element<'_>, times: u32) -> Option<Span> {
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

/// The parts of a path, if it may be drawn.
fn drawable(key: &str, at: Loc, sink: &Sink) -> Option<Vec<Segment>> {
    let path = set::path_of_key(key, at, sink)?;
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
            element.sink().push(problem.help("quote a path with dots: \"network.loss\""));
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
    to.sink().push(problem.help("a list of values can be of any kind: [\"async\", \"sync\"]"));
    None
}

/// A setting that may be drawn, as written: its path, and the values to try.
struct DrawnSetting {
    path: Vec<Segment>,
    values: Vec<Node>,
}

/// Every setting of `[fuzz.settings]` in `root`, which has no mistakes. Places move to `source`.
fn written(root: &Node, source: usize) -> Vec<DrawnSetting> {
    let settings = root.get("fuzz").and_then(|fuzz| fuzz.get("settings"));
    let Some(Tree::Table(entries)) = settings.map(|settings| &settings.value) else {
        return Vec::new();
    };
    let moved = |at: Loc| if at.source == 0 { Loc { source, ..at } } else { at };
    let one = |entry: &TreeEntry| {
        let path = drawable(&entry.key, moved(entry.key_at), &Sink::default())?;
        let mut values = match &entry.node.value {
            Tree::Array(items) => items.clone(),
            Tree::Table(ends) => ends.iter().map(|end| end.node.clone()).collect(),
            _ => Vec::new(),
        };
        values.iter_mut().for_each(|value| move_all(value, &moved));
        Some(DrawnSetting { path, values })
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

/// Tries every value that may be drawn, alone, and notes the first mistake of each; of a range,
/// both ends are tried.
///
/// A value is set as by an argument, so keys that belonged to the value before are ignored, as a
/// write quorum is with `mode = "async"`. That is why its place is moved to a copy of the file
/// among the sources: only source 0 counts as the file.
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
    for DrawnSetting { path, values } in &settings {
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

/// The format of `[fuzz.settings]`.
fn settings_format() -> Format<Vec<(String, Choice)>> {
    let end = json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    let range = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["from", "to"],
        "properties": { "from": end, "to": end },
    });
    let schema = json!({
        "type": "object",
        "additionalProperties": { "anyOf": [{ "type": "array", "minItems": 1 }, range] },
    });
    let example = "{ \"network.loss\" = [\"0%\", \"5%\"] }";
    let shape = ValueShape::new(schema, "paths, each with a list or a range", example);
    Format::with_texts(
        shape,
        |element| element.table(settings),
        |drawn, texts| {
            let settings: Table = drawn
                .iter()
                .filter_map(|(path, drawn)| Some((path.clone(), encode_choice(drawn, texts)?)))
                .collect();
            Value::Table(settings)
        },
    )
}

fn encode_choice(choice: &Choice, texts: &Texts<'_>) -> Option<Value> {
    let range = |from: Value, to: Value| {
        Value::Table(Table::from_iter([("from".to_owned(), from), ("to".to_owned(), to)]))
    };
    Some(match choice {
        Choice::OneOf(values) => {
            values.iter().map(|text| value_of(text)).collect::<Vec<_>>().into()
        }
        Choice::Integer(low, high) => range((*low).into(), (*high).into()),
        Choice::Duration(low, high) => {
            let write = |end| positive_duration().write(end, texts);
            range(write(low)?, write(high)?)
        }
        Choice::Share(low, high) => {
            let write = |end| probability().write(end, texts);
            range(write(low)?, write(high)?)
        }
    })
}

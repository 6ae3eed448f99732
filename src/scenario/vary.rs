//! `--vary PATH=VALUES`: a setting and its values, one axis of a sweep.

use std::ops::Range;

use super::diagnostics::{Diagnostics, Loc, Problem, Sink, Sources};
use super::set::{self, find_outside_quotes};
use super::tree::{Node, Tree, parse_value};

/// The most values of one axis.
const MAX_VALUES: usize = 10_000;

/// A setting and its values: `network.loss=0%,1%,5%`.
///
/// Values are separated by commas outside brackets and quotes. `A..B` stands for the integers from
/// A to B without B, `A..=B` includes B. A value is read as by `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    argument: String,
    path: Range<usize>,
    values: Vec<VariedValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct VariedValue {
    text: String,
    /// Its place in the argument; all numbers of a range have the place of the range.
    at: Range<usize>,
}

impl Axis {
    /// Reads the argument of a `--vary`. Path and values are checked when a point is decoded.
    ///
    /// # Errors
    ///
    /// When it is not `PATH=VALUES`, a value is empty or given twice, or a range is empty or too
    /// long.
    pub fn parse(argument: &str) -> Result<Self, Diagnostics> {
        let (mut sources, sink) = (Sources::default(), Sink::default());
        let source = sources.add("--vary", argument);
        Self::read(argument, source).map_err(|problem| {
            sink.push(*problem);
            Diagnostics::new(sources, sink)
        })
    }

    fn read(argument: &str, source: usize) -> Result<Self, Box<Problem>> {
        let at = |range: &Range<usize>| Loc { source, start: range.start, end: range.end };
        let Some(equals) = find_outside_quotes(argument, '=') else {
            let whole = at(&(0..argument.len()));
            let problem = Problem::new(whole, "the argument has no `=`", "expected PATH=VALUES");
            return Err(Box::new(problem.help("for example network.loss=0%,1%,5%")));
        };
        set::path(&argument[..equals], at(&(0..equals)))?;
        let mut values: Vec<VariedValue> = Vec::new();
        for item in items(argument, equals + 1) {
            let text = &argument[item.clone()];
            if text.is_empty() {
                let problem = Problem::new(at(&item), "a value is missing", "expected a value");
                return Err(Box::new(problem.help("for example 1..=5 or 0ms,50ms,500ms")));
            }
            let read = match range(text) {
                Some(Ok(numbers)) => numbers,
                Some(Err(why)) => return Err(Box::new(Problem::new(at(&item), why.0, why.1))),
                None => vec![text.to_owned()],
            };
            for text in read {
                if values.iter().any(|value| value.text == text) {
                    let title = format!("`{}` is given twice", text.escape_debug());
                    return Err(Box::new(Problem::new(at(&item), title, "a point of its own?")));
                }
                if values.len() == MAX_VALUES {
                    let label = format!("at most {MAX_VALUES}");
                    return Err(Box::new(Problem::new(at(&item), "too many values", label)));
                }
                values.push(VariedValue { text, at: item.clone() });
            }
        }
        Ok(Self { argument: argument.to_owned(), path: 0..equals, values })
    }

    /// The path of the setting, as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        self.argument[self.path.clone()].trim()
    }

    /// The values, in the order in which they were given; at least one.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.values.iter().map(|value| value.text.as_str())
    }

    /// The argument that it was read from.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// Sets the value of this index in the tree.
    pub(super) fn apply(
        &self,
        index: usize,
        root: &mut Node,
        sources: &mut Sources,
    ) -> Result<(), Box<Problem>> {
        let source = sources.add("--vary", &self.argument);
        let at = |range: &Range<usize>| Loc { source, start: range.start, end: range.end };
        let path = set::path(&self.argument[self.path.clone()], at(&self.path))?;
        let value = &self.values[index];
        let is_range = self.argument[value.at.clone()] != value.text;
        let node = parse_value(&value.text, source, value.at.start)
            .map(|node| if is_range { Node { at: at(&value.at), ..node } } else { node });
        let text = || Node { value: Tree::Text(value.text.clone()), at: at(&value.at) };
        set::set(root, &path, node.unwrap_or_else(text))
    }
}

/// The items of `text` from `start` on, trimmed: separated by commas outside brackets and quotes.
fn items(text: &str, start: usize) -> Vec<Range<usize>> {
    let (mut items, mut from) = (Vec::new(), start);
    let (mut depth, mut quoted) = (0_u32, false);
    let mut end_at = |from: usize, to: usize| {
        let raw = &text[from..to];
        let begin = from + (raw.len() - raw.trim_start().len());
        items.push(begin..begin + raw.trim().len());
    };
    for (index, character) in text[start..].char_indices() {
        match character {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                end_at(from, start + index);
                from = start + index + 1;
            }
            _ => {}
        }
    }
    end_at(from, text.len());
    items
}

/// The settings of a configuration, `PATH=VALUE` separated by commas outside brackets and quotes.
#[must_use]
pub fn settings(text: &str) -> Vec<String> {
    items(text, 0).into_iter().map(|item| text[item].to_owned()).collect()
}

/// The numbers of a range, or the title and label of a mistake in it; `None` if it is no range.
fn range(text: &str) -> Option<Result<Vec<String>, (String, &'static str)>> {
    let (low, high) = text.split_once("..")?;
    let (high, inclusive) = high.strip_prefix('=').map_or((high, false), |high| (high, true));
    let (low, high) = (low.trim().parse::<i64>().ok()?, high.trim().parse::<i64>().ok()?);
    let Some(last) = (if inclusive { Some(high) } else { high.checked_sub(1) }) else {
        return Some(Err(("the range is empty".to_owned(), "nothing is below its end")));
    };
    if last < low {
        return Some(Err(("the range is empty".to_owned(), "expected it to end after its start")));
    }
    if last.abs_diff(low) >= MAX_VALUES as u64 {
        return Some(Err((format!("the range has more than {MAX_VALUES} values"), "too many")));
    }
    Some(Ok((low..=last).map(|number| number.to_string()).collect()))
}

/// Sets the chosen value of each axis. Mistakes point into the arguments.
pub(super) fn apply(
    root: &mut Node,
    overrides: &Overrides<'_>,
    sources: &mut Sources,
    sink: &Sink,
) {
    for (axis, index) in overrides.point {
        if let Err(problem) = axis.apply(*index, root, sources) {
            sink.push(*problem);
        }
    }
}

/// What arguments set before a file is decoded, in this order. Mistakes point into the arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// `PATH=VALUE` of `--set`.
    pub sets: &'a [String],
    /// `PATH=VALUE` of one configuration of a comparison, `--with`.
    pub with: &'a [String],
    /// A point of a sweep: each axis with the index of its value.
    pub point: &'a [(&'a Axis, usize)],
}

impl Overrides<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.with.is_empty() && self.point.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(argument: &str) -> Vec<String> {
        let axis = Axis::parse(argument).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        axis.values().map(str::to_owned).collect()
    }

    #[test]
    fn lists_and_ranges_are_read_and_commas_in_brackets_do_not_separate() {
        let cases = [
            ("a.b=1..=5", vec!["1", "2", "3", "4", "5"]),
            ("a=-1..2", vec!["-1", "0", "1"]),
            ("a=0ms, 50ms,500ms", vec!["0ms", "50ms", "500ms"]),
            ("a=async,semi-sync", vec!["async", "semi-sync"]),
            ("a=1..3,7", vec!["1", "2", "7"]),
            (
                "a={ uniform = [0, 1] },{ constant = 5 }",
                vec!["{ uniform = [0, 1] }", "{ constant = 5 }"],
            ),
            (r#"a="x,y",z"#, vec![r#""x,y""#, "z"]),
            ("a=1s..2s", vec!["1s..2s"]),
        ];
        for (argument, expected) in cases {
            assert_eq!(values(argument), expected, "{argument}");
        }
        let spaced = Axis::parse(" a.b =1").unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(spaced.path(), "a.b");
    }

    #[test]
    fn what_is_wrong_with_an_argument_is_pointed_at() {
        let cases = [
            ("network.loss", "has no `=`", "expected PATH=VALUES"),
            ("a=", "a value is missing", "expected a value"),
            ("a=1,,2", "a value is missing", "expected a value"),
            ("a=5..=1", "the range is empty", "expected it to end after its start"),
            ("a=1..1", "the range is empty", "expected it to end after its start"),
            ("a=0..999999", "more than 10000 values", "too many"),
            ("a=1..=3,2", "`2` is given twice", "a point of its own?"),
            ("a..b=1", "a part of the path is empty", "expected a key"),
        ];
        for (argument, title, label) in cases {
            let shown = Axis::parse(argument).expect_err(argument).render(false);
            assert!(shown.contains(title) && shown.contains(label), "{argument}: {shown}");
            assert!(shown.contains("--vary") && shown.contains(argument), "{shown}");
        }
    }
}

//! Mistakes in a scenario: collected in one place and shown all at once, in the style of rustc.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::spelling::nearest;

/// A stretch of a source: where something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loc {
    /// Index into [`Sources`].
    pub(super) source: usize,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

impl Loc {
    /// Whether `other` lies within this.
    pub(super) const fn contains(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}

/// A text that was read: the file, or an argument.
#[derive(Clone, Debug)]
struct Source {
    origin: String,
    text: String,
}

/// The texts that were read; the first is the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text; its index, for a [`Loc`].
    pub(super) fn add(&mut self, origin: &str, text: &str) -> usize {
        self.0.push(Source { origin: origin.to_owned(), text: text.to_owned() });
        self.0.len() - 1
    }

    /// Adds a copy of the first text; its index, for a [`Loc`]. A mistake in the copy is shown as
    /// one in the first.
    pub(super) fn copy_of_first(&mut self) -> usize {
        self.0.extend(self.0.first().cloned());
        self.0.len().saturating_sub(1)
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    title: String,
    at: Option<Loc>,
    label: String,
    others: Vec<(Loc, String)>,
    help: Vec<String>,
}

impl Problem {
    /// A mistake at a place; `label`, shown there, says what was expected.
    pub(super) fn new(at: Loc, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { at: Some(at), label: label.into(), ..Self::nowhere(title) }
    }

    /// A mistake without a place.
    pub(super) fn nowhere(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            at: None,
            label: String::new(),
            others: Vec::new(),
            help: Vec::new(),
        }
    }

    /// The same with another place that it involves.
    #[must_use]
    pub(super) fn and(mut self, at: Loc, label: impl Into<String>) -> Self {
        self.others.push((at, label.into()));
        self
    }

    /// The same with a hint what to do.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same with "did you mean", if one of `known` is near to `wrong`.
    #[must_use]
    pub(super) fn suggest_near<'a>(
        self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(wrong, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    pub(super) const fn place(&self) -> Option<Loc> {
        self.at
    }

    /// The same with "did you mean", if one of `known` is near to `wrong`, else the list of them.
    #[must_use]
    pub(super) fn suggest<'a>(
        self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
        what: &str,
    ) -> Self {
        if nearest(wrong, known.clone()).is_some() {
            return self.suggest_near(wrong, known);
        }
        let list: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
        if list.is_empty() { self } else { self.help(format!("{what}: {}", list.join(", "))) }
    }
}

/// Where decoders note mistakes and, for tests, the keys that they read.
#[derive(Debug, Default)]
pub(super) struct Sink {
    problems: RefCell<Vec<Problem>>,
    read: RefCell<Option<BTreeSet<String>>>,
}

impl Sink {
    /// Notes a mistake.
    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// How many mistakes were noted.
    pub(super) fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Adds what else could be done to the last mistake, if it came after the first `known`.
    pub(super) fn help_last(&self, known: usize, help: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if let Some(last) = problems.get_mut(known..).and_then(<[Problem]>::last_mut) {
            last.help.push(help.into());
        }
    }

    /// Whether no mistake was noted.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    #[cfg(test)]
    /// From now on notes the path of every key that is read.
    pub(super) fn record_keys(&self) {
        *self.read.borrow_mut() = Some(BTreeSet::new());
    }

    /// Notes that the key at `path` was read, if that is recorded.
    pub(super) fn note_read(&self, path: &str) {
        if let Some(read) = self.read.borrow_mut().as_mut() {
            read.insert(path.to_owned());
        }
    }

    #[cfg(test)]
    /// The paths noted since [`Sink::record_keys`].
    pub(super) fn into_keys(self) -> BTreeSet<String> {
        self.read.into_inner().unwrap_or_default()
    }

    /// The mistakes.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// The most mistakes that are shown; the rest are counted.
const SHOWN: usize = 50;

/// Every mistake of a scenario, in file order. `Display` shows them without colour.
#[derive(Clone)]
pub struct Diagnostics {
    sources: Sources,
    problems: Vec<Problem>,
    severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Mistake,
    /// Right, but perhaps not intended.
    Warning,
}

impl Diagnostics {
    /// The mistakes noted in `sink`, in file order, each once.
    pub(super) fn new(sources: Sources, sink: Sink) -> Self {
        let mut problems = sink.into_problems();
        problems.sort_by_key(|problem| problem.at);
        problems.dedup();
        Self { sources, problems, severity: Severity::Mistake }
    }

    /// A warning: no mistake, but perhaps not intended.
    pub(super) fn warning(sources: Sources, problem: Problem) -> Self {
        Self { sources, problems: vec![problem], severity: Severity::Warning }
    }

    /// A mistake at a place of a flag's argument.
    pub(crate) fn of_argument(
        flag: &str,
        text: &str,
        at: std::ops::Range<usize>,
        title: &str,
        label: &str,
        help: &str,
    ) -> Self {
        let mut sources = Sources::default();
        let source = sources.add(flag, text);
        let at = Loc { source, start: at.start, end: at.end };
        let problem = Problem::new(at, title, label).help(help);
        Self { sources, problems: vec![problem], severity: Severity::Mistake }
    }

    /// The same mistakes, each with a note.
    pub(crate) fn noting(mut self, note: &str) -> Self {
        self.problems = self.problems.into_iter().map(|problem| problem.help(note)).collect();
        self
    }

    /// A file that could not be read.
    pub(super) fn unreadable(origin: &str, why: &str) -> Self {
        Self::of_problem(Problem::nowhere(format!("cannot read `{origin}`: {why}")))
    }

    /// A mistake of a file as a whole, and what would help.
    pub(crate) fn of_file(origin: &str, title: &str, help: &str) -> Self {
        Self::of_problem(Problem::nowhere(format!("{origin}: {title}")).help(help))
    }

    fn of_problem(problem: Problem) -> Self {
        Self { sources: Sources::default(), problems: vec![problem], severity: Severity::Mistake }
    }

    /// How many mistakes there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always a mistake")]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// The mistakes as text, with or without colours for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown = self.problems.iter().take(SHOWN);
        let mut parts: Vec<String> =
            shown.map(|problem| renderer.render(&[self.group(problem)])).collect();
        if self.problems.len() > SHOWN {
            parts.push(format!("error: and {} more mistakes", self.problems.len() - SHOWN));
        }
        parts.join("\n\n")
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let level = match self.severity {
            Severity::Mistake => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(problem.title.as_str());
        let mut group = Group::with_title(title);
        // A place in another source gets a snippet of its own.
        if let Some(at) = problem.at {
            group = group.element(self.snippet(at.source, problem));
            let others: BTreeSet<usize> = problem.others.iter().map(|(at, _)| at.source).collect();
            for source in others.into_iter().filter(|source| *source != at.source) {
                group = group.element(self.snippet(source, problem));
            }
        }
        group.elements(problem.help.iter().map(|help| Level::HELP.message(help.as_str())))
    }

    fn snippet<'a>(
        &'a self,
        source: usize,
        problem: &'a Problem,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let Source { origin, text } = &self.sources.0[source];
        let primary = problem.at.map(|at| (at, problem.label.as_str(), AnnotationKind::Primary));
        let others = problem.others.iter();
        let context = others.map(|(at, label)| (*at, label.as_str(), AnnotationKind::Context));
        let annotations = primary.into_iter().chain(context);
        let here = annotations.filter(|(at, ..)| at.source == source);
        Snippet::source(text.as_str()).path(origin.as_str()).annotations(here.map(
            |(at, label, kind)| {
                let label = (!label.is_empty()).then_some(label);
                kind.span(on_characters(text, at.start, at.end)).label(label)
            },
        ))
    }
}

/// The range cut to the text, widened to whole characters.
fn on_characters(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let mut start = start.min(text.len());
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Diagnostics {}

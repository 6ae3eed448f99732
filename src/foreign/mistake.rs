//! What is wrong with a history, shown as rustc shows its own mistakes.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::spelling::nearest;

/// What is wrong at a place of the text that is held: see [`super::text::HeldText`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Where, in bytes from the start of what is held and not yet consumed.
    pub(super) at: Range<usize>,
    /// What it is.
    pub(super) title: String,
    /// What was expected there.
    pub(super) label: String,
    /// What to do about it.
    pub(super) help: Vec<String>,
}

impl Complaint {
    pub(super) fn new(
        at: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self { at, title: title.into(), label: label.into(), help: Vec::new() })
    }

    /// The value of a function.
    pub(super) fn wrong_shape(at: Range<usize>, function: &[u8], expected: &str) -> Box<Self> {
        let function = String::from_utf8_lossy(function);
        let title = format!("the value of `{function}` has the wrong shape");
        Self::new(at, title, format!("expected {expected}"))
    }

    #[must_use]
    pub(super) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help.push(help.into());
        self
    }

    /// "did you mean", where one of the known words is near to the wrong one; else the list.
    #[must_use]
    pub(super) fn suggest(self: Box<Self>, wrong: &str, known: &[&str]) -> Box<Self> {
        let help = match nearest(wrong, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                format!("there are {}", quoted.join(", "))
            }
        };
        self.help(help)
    }
}

/// A place of a file, with some of the text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// From 1 on.
    pub(super) line: usize,
    /// In characters, from 1 on.
    pub(super) column: usize,
    /// Some of the line.
    pub(super) text: String,
    /// The place in it.
    pub(super) marked: Range<usize>,
}

/// Why a history cannot be read. `Display` shows it without colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(Box<Described>);

/// A mistake in words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Described {
    file: String,
    title: String,
    label: String,
    help: Vec<String>,
    excerpt: Option<Excerpt>,
}

impl Mistake {
    /// At a place of the file.
    pub(super) fn at(file: &str, excerpt: Excerpt, complaint: Complaint) -> Self {
        let Complaint { at: _, title, label, help } = complaint;
        let (file, excerpt) = (file.to_owned(), Some(excerpt));
        Self(Box::new(Described { file, title, label, help, excerpt }))
    }

    /// Of the file as a whole, and what would help.
    pub(super) fn of_file(file: &str, title: &str, help: &str) -> Self {
        let help = if help.is_empty() { Vec::new() } else { vec![help.to_owned()] };
        let title = format!("{file}: {title}");
        let (file, label, excerpt) = (file.to_owned(), String::new(), None);
        Self(Box::new(Described { file, title, label, help, excerpt }))
    }

    /// The line and the column, from 1 on. `None` where the file as a whole is meant.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        self.0.excerpt.as_ref().map(|excerpt| (excerpt.line, excerpt.column))
    }

    /// The mistake as text, with or without colours for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let Described { file, title, label, help, excerpt } = &*self.0;
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut group = Group::with_title(Level::ERROR.primary_title(title.as_str()));
        if let Some(Excerpt { line, column, text, marked }) = excerpt {
            let origin = Origin::path(file.as_str()).line(*line).char_column(*column);
            let label = (!label.is_empty()).then_some(label.as_str());
            let mark = AnnotationKind::Primary.span(marked.clone()).label(label);
            let snippet = Snippet::source(text.as_str()).line_start(*line).annotation(mark);
            group = group.element(origin).element(snippet);
        }
        let help = help.iter().map(|help| Level::HELP.message(help.as_str()));
        let text = renderer.render(&[group.elements(help)]);
        text.lines().filter(|line| !is_gap(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a rendered line says that an excerpt of another file follows. That is what the renderer
/// takes an excerpt for whose place was given apart from it.
fn is_gap(line: &str) -> bool {
    let mut plain = String::new();
    for (place, part) in line.split('\u{1b}').enumerate() {
        // A colour ends in `m`.
        let color = if place == 0 { None } else { part.split_once('m') };
        plain.push_str(color.map_or(part, |(_, text)| text));
    }
    plain.trim() == ":::"
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistake {}

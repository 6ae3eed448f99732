//! The trace: a readable line for each event, in fixed columns; only runs with a trace pay for it.
//!
//! ```text
//! time (s)         who       what        content
//!     0.005000000  n2        deliver     replicate from n1: city=Raleigh 0.000000000@n1#1
//!     0.005000000  n2        . apply     city 0.000000000@n1#1
//! ```
//!
//! A line whose kind begins with a dot is no event but something that the event above it did. Each
//! event has at most one line of its own; one that comes too late to do anything has none.

use std::fmt::Write;

use crate::time::Time;

/// The lines so far, or nothing when no trace is wanted.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Option<String>,
    /// Where the lines of each event begin.
    marks: Vec<usize>,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        let head = format!("{:>15}  {:<9} {:<11} {}\n", "time (s)", "who", "what", "content");
        Self { lines: wanted.then_some(head), marks: Vec::new() }
    }

    /// Whether lines are wanted; callers make no text otherwise.
    #[inline]
    pub(crate) const fn wanted(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn line(&mut self, at: Time, who: &str, what: &str, content: &str) {
        if let Some(lines) = &mut self.lines {
            let start = lines.len();
            let time = at.to_string();
            writeln!(lines, "{time:>15}  {who:<9} {what:<11} {content}")
                .expect("a string takes text");
            // No trailing blanks where the content is empty.
            let trimmed = lines[start..].trim_end().len();
            lines.truncate(start + trimmed);
            lines.push('\n');
        }
    }

    /// The lines of the next event begin here.
    pub(crate) fn mark(&mut self) {
        self.marks.push(self.lines.as_ref().map_or(0, String::len));
    }

    /// The text, and where the lines of each event begin in it.
    pub(in super::super) fn finish(self) -> (Option<String>, Vec<usize>) {
        (self.lines, self.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_fixed_and_lines_end_in_content() {
        let mut trace = Trace::new(true);
        trace.line(Time::from_nanos(5_000_000), "n2", "deliver", "replicate");
        trace.line(Time::from_nanos(12_000_000_000), "nemesis", "heal", "");
        let expected = "       time (s)  who       what        content\n    \
                        0.005000000  n2        deliver     replicate\n   \
                        12.000000000  nemesis   heal\n";
        assert_eq!(trace.finish().0.as_deref(), Some(expected));
        assert_eq!(Trace::new(false).finish(), (None, Vec::new()));
    }
}

//! Where commands print: standard output and standard error, or what a test puts in their place.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::cli::exit::Exit;
use crate::scenario::{Diagnostics, Registry, Scenario};

/// Standard output and standard error.
///
/// Printing never fails at the call. If the reader has closed the pipe (`| head`), the rest is
/// dropped and the exit status stays what it is. Any other error is reported once, by
/// `Console::finish`.
pub struct Console {
    out: Stream,
    err: Stream,
    progress: bool,
}

struct Stream {
    sink: Box<dyn Write>,
    color: bool,
    broken: Option<io::Error>,
}

/// What every command works with.
pub(super) struct Environment<'a> {
    /// The program's name, for commands to be copied.
    pub(super) program: &'a str,
    /// The protocols.
    pub(super) registry: &'a Registry,
    /// Where to print.
    pub(super) console: &'a mut Console,
}

impl Stream {
    fn write(&mut self, text: &str) {
        if self.broken.is_none() {
            self.broken = self.sink.write_all(text.as_bytes()).err();
        }
    }

    /// The first error, unless it is a closed pipe.
    fn finish(&mut self) -> Option<io::Error> {
        let flushed = self.sink.flush().err();
        let error = self.broken.take().or(flushed);
        error.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

impl Console {
    /// The process's own streams. On a terminal they are coloured, unless `NO_COLOR` is set.
    #[must_use]
    pub fn of_process() -> Self {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (io::stdout(), io::stderr());
        let (out_color, err_color) = (out.is_terminal() && !plain, err.is_terminal() && !plain);
        Self {
            progress: err.is_terminal(),
            out: Stream { sink: Box::new(out), color: out_color, broken: None },
            err: Stream { sink: Box::new(err), color: err_color, broken: None },
        }
    }

    /// These two streams, without colour and progress.
    #[must_use]
    pub fn plain(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self {
            progress: false,
            out: Stream { sink: out, color: false, broken: None },
            err: Stream { sink: err, color: false, broken: None },
        }
    }

    /// Prints to standard output.
    pub(crate) fn out(&mut self, text: &str) {
        self.out.write(text);
    }

    /// Prints to standard error.
    pub(crate) fn err(&mut self, text: &str) {
        self.err.write(text);
    }

    /// Prints a document to standard output.
    pub(crate) fn json(&mut self, document: &serde_json::Value) {
        self.out(&format!("{document:#}\n"));
    }

    /// Prints a mistake of usage to standard error.
    pub(crate) fn error(&mut self, message: &str) {
        self.err(&format!("error: {message}\n"));
    }

    /// Shows the mistakes of a scenario on standard error.
    pub(crate) fn mistakes(&mut self, diagnostics: &Diagnostics) {
        let text = diagnostics.render(self.err.color);
        self.err(&format!("{}\n", text.trim_end()));
    }

    /// Shows the warnings of a scenario on standard error.
    pub(crate) fn warnings(&mut self, scenario: &Scenario) {
        if let Some(warnings) = &scenario.warnings {
            self.mistakes(warnings);
        }
    }

    /// Whether standard output is coloured.
    pub(crate) const fn out_color(&self) -> bool {
        self.out.color
    }

    /// Whether standard error is coloured.
    pub(crate) const fn err_color(&self) -> bool {
        self.err.color
    }

    /// Whether progress may be drawn: standard error is a terminal.
    pub(crate) const fn draws_progress(&self) -> bool {
        self.progress
    }

    /// Flushes both streams. Returns `exit`, or [`Exit::Usage`] when something could not be
    /// printed.
    pub(crate) fn finish(&mut self, exit: Exit) -> Exit {
        let out = self.out.finish();
        if let Some(error) = &out {
            self.error(&format!("cannot write to standard output: {error}"));
        }
        let err = self.err.finish();
        if out.is_some() || err.is_some() { exit.worse(Exit::Usage) } else { exit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn exit_after_printing(kind: io::ErrorKind) -> Exit {
        let mut console = Console::plain(Box::new(Refusing(kind)), Box::new(io::sink()));
        console.out("a line\n");
        console.out("and more\n");
        console.finish(Exit::Unknown)
    }

    #[test]
    fn a_closed_pipe_changes_nothing_and_a_full_disk_does() {
        assert_eq!(exit_after_printing(io::ErrorKind::BrokenPipe), Exit::Unknown);
        assert_eq!(exit_after_printing(io::ErrorKind::StorageFull), Exit::Usage);
    }
}

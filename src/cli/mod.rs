//! The command line: one file for each command, and the only code that prints or sets the exit
//! status.
//!
//! A crate with a protocol of its own registers it and hands over: every command then works on
//! scenarios that name it.
//!
//! ```no_run
//! use splitbrain::scenario::Registry;
//!
//! fn main() -> std::process::ExitCode {
//!     splitbrain::cli::main_with(Registry::new()) // .with::<MyProtocol>()
//! }
//! ```

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::scenario::{self, Registry};

mod args;
mod check;
mod console;
mod diff;
mod exit;
mod explain;
mod folder;
mod fuzz;
mod jobs;
mod list;
mod merge;
mod names;
mod promises;
mod run;
mod seeds;
mod shrink;
mod sweep;
mod trouble;

pub use console::Console;
pub use exit::Exit;

use args::{Command, CommandLine};
use console::Environment;
use trouble::Trouble;

/// Runs the process's command line with the protocols of `registry`.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a `main` builds it in place and is done with it"
)]
pub fn main_with(registry: Registry) -> ExitCode {
    run_with(std::env::args_os(), &registry, &mut Console::of_process()).into()
}

/// Runs the command line `args`, whose first element is the program's name. Prints to `console`.
pub fn run_with(
    args: impl IntoIterator<Item = OsString>,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let stem = args.first().and_then(|name| Path::new(name).file_stem());
    let program = stem.map_or_else(|| "splitbrain".into(), |stem| stem.to_string_lossy());
    let exit = match CommandLine::try_parse_from(&args) {
        Ok(CommandLine { command }) => {
            dispatch(&command, &mut Environment { program: &program, registry, console })
                .unwrap_or_else(|trouble| trouble.show(console))
        }
        Err(answer) => show(&answer, console),
    };
    console.finish(exit)
}

fn dispatch(command: &Command, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    match command {
        Command::Run(args) => run::run(args, env),
        Command::Diff(args) => diff::run(args, env),
        Command::Explain(args) => explain::run(args, env),
        Command::Shrink(args) => shrink::run(args, env),
        Command::Sweep(args) => sweep::sweep(args, env),
        Command::Compare(args) => sweep::compare(args, env),
        Command::Fuzz(args) => fuzz::run(args, env),
        Command::Merge(args) => merge::run(args, env),
        Command::Check(args) => check::run(args, env),
        Command::Promises(args) => promises::run(args, env),
        Command::List(args) => list::run(args, env),
        Command::Schema => {
            env.console.json(&scenario::schema(env.registry));
            Ok(Exit::Pass)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            let mut command = CommandLine::command();
            clap_complete::generate(*shell, &mut command, env.program, &mut script);
            env.console.out(&String::from_utf8_lossy(&script));
            Ok(Exit::Pass)
        }
    }
}

/// Shows the parser's answer: help, the version, or a mistake.
fn show(answer: &clap::Error, console: &mut Console) -> Exit {
    let text = answer.render();
    let paint = |color| if color { text.ansi().to_string() } else { text.to_string() };
    if answer.use_stderr() {
        console.err(&paint(console.err_color()));
        Exit::Usage
    } else {
        console.out(&paint(console.out_color()));
        Exit::Pass
    }
}

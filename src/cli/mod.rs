//! The command line: one file a command, and the only code that prints or decides the exit status.
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
use std::path::{Component, Path};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scenario::{self, Registry};

mod args;
mod console;
mod diff;
mod exit;
mod explain;
mod fuzz;
mod list;
mod merge;
mod promises;
mod run;
mod seeds;
mod shrink;
mod sweep;

pub use console::Console;
pub use exit::Exit;

use args::{Command, CommandLine};

/// Does what the process's command line says, with the protocols of `registry`.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a `main` builds it in place and is done with it"
)]
pub fn main_with(registry: Registry) -> ExitCode {
    run_with(std::env::args_os(), &registry, &mut Console::of_process()).into()
}

/// Does what `args` say (the first is the program's name), printing to `console`.
pub fn run_with(
    args: impl IntoIterator<Item = OsString>,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let stem = args.first().and_then(|name| Path::new(name).file_stem());
    let program = stem.map_or_else(|| "splitbrain".into(), |stem| stem.to_string_lossy());
    let exit = match CommandLine::try_parse_from(&args) {
        Ok(CommandLine { command }) => dispatch(&command, &program, registry, console),
        Err(answer) => show(&answer, console),
    };
    console.finish(exit)
}

fn dispatch(command: &Command, program: &str, registry: &Registry, console: &mut Console) -> Exit {
    match command {
        Command::Run(args) => run::run(args, program, registry, console),
        Command::Diff(args) => diff::run(args, registry, console),
        Command::Explain(args) => explain::run(args, registry, console),
        Command::Shrink(args) => shrink::run(args, registry, console),
        Command::Sweep(args) => sweep::sweep(args, registry, console),
        Command::Compare(args) => sweep::compare(args, registry, console),
        Command::Fuzz(args) => fuzz::run(args, program, registry, console),
        Command::Merge(args) => merge::run(args, program, registry, console),
        Command::Promises(args) => promises::run(args, registry, console),
        Command::List(args) => list::run(args, registry, console),
        Command::Schema => {
            console.json(&scenario::schema(registry));
            Exit::Pass
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut CommandLine::command(), program, &mut script);
            console.out(&String::from_utf8_lossy(&script));
            Exit::Pass
        }
    }
}

/// Shows the parser's answer: help and version are asked for, the rest are mistakes.
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

/// A progress bar on a terminal, else one that is never drawn.
fn progress(total: u64, quiet: bool, console: &Console) -> ProgressBar {
    if total <= 1 || quiet || !console.draws_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} runs, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The name of the scenario in the file at `path`: where it lies beneath a folder `scenarios`, the
/// path from there without the extension, else the file's stem.
///
/// It names folders, so it never climbs out of one.
fn scenario_name(path: &Path) -> String {
    let bare = path.with_extension("");
    let parts: Vec<Component<'_>> = bare.components().collect();
    let stem = parts.len().saturating_sub(1);
    let home = parts[..stem].iter().rposition(|part| part.as_os_str() == "scenarios");
    let below = &parts[home.map_or(stem, |home| home + 1)..];
    let plain = below.iter().all(|part| matches!(part, Component::Normal(_)));
    let named = if plain { below } else { &parts[stem..] };
    let texts: Vec<_> = named
        .iter()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    if texts.is_empty() { "scenario".to_owned() } else { texts.join("/") }
}

/// `text` as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_named_by_its_path_below_scenarios() {
        let cases = [
            ("scenarios/quickstart.toml", "quickstart"),
            ("/a/scenarios/systems/semi-sync.toml", "systems/semi-sync"),
            ("scenarios/old/scenarios/x.toml", "x"),
            ("elsewhere/v1.2.toml", "v1.2"),
            ("scenarios.toml", "scenarios"),
            ("scenarios/../../etc/x.toml", "x"),
            ("./x.toml", "x"),
            ("..", "scenario"),
        ];
        for (path, name) in cases {
            assert_eq!(scenario_name(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("network.loss=1%"), "network.loss=1%");
        assert_eq!(quoted("mix={ put = 1 }"), "'mix={ put = 1 }'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}

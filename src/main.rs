//! The `splitbrain` command, with the protocols that come with it.

use std::process::ExitCode;

use splitbrain::scenario::Registry;

fn main() -> ExitCode {
    splitbrain::cli::main_with(Registry::new())
}

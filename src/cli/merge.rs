//! `merge`: the parts of a campaign, made the whole.

use std::time::Instant;

use crate::cli::args::MergeArgs;
use crate::cli::fuzz::{Told, Trouble, pool, quiet_finds, tell};
use crate::cli::{Console, Exit};
use crate::fuzz::merge::Parts;
use crate::fuzz::store::Shard;
use crate::fuzz::subject::Subject;
use crate::fuzz::violation;
use crate::report::layout::counted;
use crate::scenario::Registry;

/// Merges the parts in the folders beneath one.
pub(super) fn run(
    args: &MergeArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    perform(args, program, registry, console).unwrap_or_else(|trouble| trouble.tell(console))
}

fn perform(
    args: &MergeArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let told = |error: crate::fuzz::merge::MergeError| Trouble::Told(error.to_string());
    let parts = Parts::find(&args.dir).map_err(told)?;
    let of = parts.identity();
    let subject = Subject::new(&of.file, of.text.clone().into_bytes(), registry, &of.sets)?;
    let tally = parts.merge(&args.dir).map_err(told)?;
    quiet_finds();
    let place = (args.dir.as_path(), of, Shard::WHOLE);
    let violations = pool(args.jobs)?
        .install(|| violation::write(&subject, place, &tally, &|_| ()))
        .map_err(Trouble::with(&args.dir))?;
    if !args.quiet {
        console.err(&format!("merged {}\n", counted(parts.count() as u64, "shard")));
    }
    let document = violation::document((of, Shard::WHOLE), &tally, &violations);
    let told = Told { program, folder: &args.dir, json: args.json, quiet: args.quiet };
    Ok(tell(&told, (&tally, &violations, document), begun.elapsed(), console))
}

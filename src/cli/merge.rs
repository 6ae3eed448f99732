//! `merge`: the shards of a campaign, made one.

use std::time::Instant;

use crate::cli::args::MergeArgs;
use crate::cli::fuzz::{CampaignResult, Reporting, quiet_finds};
use crate::cli::jobs::{self, Trouble};
use crate::cli::{Console, Exit};
use crate::fuzz::identity::Shard;
use crate::fuzz::merge::{MergeError, Parts};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::violation::{self, Campaign};
use crate::report::layout::counted;
use crate::scenario::Registry;

/// Merges the shards in the folders directly below one.
pub(super) fn run(
    args: &MergeArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    perform(args, program, registry, console).unwrap_or_else(|trouble| trouble.report(console))
}

fn perform(
    args: &MergeArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let refused = |error: MergeError| Trouble::Message(error.to_string());
    let parts = Parts::find(&args.dir).map_err(refused)?;
    let identity = parts.identity();
    let text = identity.text.clone().into_bytes();
    let target = FuzzTarget::new(&identity.file, text, registry, &identity.sets)?;
    let totals = parts.merge(&args.dir).map_err(refused)?;
    quiet_finds();
    let campaign = Campaign { folder: &args.dir, identity, shard: Shard::WHOLE };
    let violations = jobs::pool(args.jobs)?
        .install(|| violation::write(&target, &campaign, &totals, &|_| ()))
        .map_err(Trouble::with(&args.dir))?;
    if !args.quiet {
        console.err(&format!("merged {}\n", counted(parts.count() as u64, "shard")));
    }
    let document = violation::document(&campaign, &totals, &violations);
    let result = CampaignResult { totals, violations, document, took: begun.elapsed() };
    let reporting = Reporting { program, folder: &args.dir, json: args.json, quiet: args.quiet };
    Ok(reporting.report(result, console))
}

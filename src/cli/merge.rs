//! `merge`: joins the shards of a campaign.

use std::time::Instant;

use crate::cli::args::MergeArgs;
use crate::cli::fuzz::{CampaignOutcome, quiet_finds, show};
use crate::cli::jobs::pool;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::fuzz::identity::Shard;
use crate::fuzz::merge::{MergeError, Parts};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::violation::{self, Campaign};
use crate::report::layout::counted;

/// Merges the shards in the folders beneath one folder.
pub(super) fn run(args: &MergeArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let refused = |error: MergeError| Trouble::Error(error.to_string());
    let parts = Parts::find(&args.dir).map_err(refused)?;
    let of = parts.identity();
    let target = FuzzTarget::new(&of.file, of.text.clone().into_bytes(), env.registry, &of.sets)?;
    let totals = parts.merge(&args.dir).map_err(refused)?;
    quiet_finds();
    let campaign = Campaign { folder: &args.dir, identity: of, shard: Shard::WHOLE };
    let violations = pool(args.jobs)?
        .install(|| violation::write(&target, &campaign, &totals, &|_| ()))
        .map_err(Trouble::cannot("use", &args.dir))?;
    if !args.quiet {
        env.console.err(&format!("merged {}\n", counted(parts.count() as u64, "shard")));
    }
    let document = violation::document(&campaign, &totals, &violations);
    let outcome = CampaignOutcome {
        totals: &totals,
        violations: &violations,
        document,
        took: begun.elapsed(),
        program: env.program,
        folder: &args.dir,
        json: args.json,
        quiet: args.quiet,
    };
    Ok(show(outcome, env.console))
}

//! `run`: scenarios under seeds, reported one by one or added up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::cli::args::RunArgs;
use crate::cli::jobs;
use crate::cli::naming::scenario_name;
use crate::cli::seeds::Seeds;
use crate::cli::{Console, Exit};
use crate::scenario::{Registry, Scenario};

mod play;
mod reporter;
pub(super) mod window;

use play::{Folders, Outputs, RunPlan, play};
use reporter::Reporter;
use window::WindowArg;

/// How many runs a chunk has for each thread: enough that no thread waits long for the slowest run,
/// few enough to hold in memory.
const RUNS_A_THREAD: usize = 32;

/// Loads all files, and runs them if all are good.
pub(super) fn run(
    args: &RunArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    let Some(scenarios) = load(args, registry, console) else { return Exit::Usage };
    let plans: Vec<RunPlan<'_>> = args
        .files
        .iter()
        .zip(&scenarios)
        .map(|(file, scenario)| RunPlan {
            file,
            name: scenario_name(file),
            config: &scenario.config,
            play: Box::new(|seed, options| scenario.run(seed, options)),
            chronicle: Box::new(|seed, window| {
                scenario.protocol.chronicle(&scenario.config, seed, window)
            }),
        })
        .collect();
    if let Err(clash) = distinct_names(&plans) {
        console.error(&clash);
        return Exit::Usage;
    }
    run_all(&plans, args, program, console)
}

/// All scenarios; `None` if one is bad: all mistakes of all files have been printed then.
fn load(args: &RunArgs, registry: &Registry, console: &mut Console) -> Option<Vec<Scenario>> {
    let mut scenarios = Vec::with_capacity(args.files.len());
    let mut good = true;
    for file in &args.files {
        match Scenario::load(file, registry, &args.sets) {
            Ok(scenario) => {
                if !args.quiet {
                    console.warnings(&scenario);
                }
                scenarios.push(scenario);
            }
            Err(diagnostics) => {
                let gap = if good { "" } else { "\n" };
                let text = diagnostics.render(console.err_color());
                console.err(&format!("{gap}{}\n", text.trim_end()));
                good = false;
            }
        }
    }
    good.then_some(scenarios)
}

/// Refuses two scenarios of one name: they would write into one folder.
fn distinct_names(plans: &[RunPlan<'_>]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for plan in plans {
        if let Some(other) = seen.insert(&plan.name, plan.file) {
            let (a, b) = (other.display(), plan.file.display());
            return Err(format!("{a} and {b} have one name, {}: run them apart", plan.name));
        }
    }
    Ok(())
}

/// Plays every plan under every seed, and reports the runs in the order of files and seeds.
fn run_all(plans: &[RunPlan<'_>], args: &RunArgs, program: &str, console: &mut Console) -> Exit {
    let seeds_of = |plan: &RunPlan<'_>| {
        let one = || Seeds::one(args.seed.unwrap_or(plan.config.seed));
        args.seeds.unwrap_or_else(one)
    };
    let total = plans.iter().fold(0, |sum: u64, plan| sum.saturating_add(seeds_of(plan).count()));
    // A single run needs no other thread.
    let pool = match (total > 1).then(|| jobs::pool(args.jobs)).transpose() {
        Ok(pool) => pool,
        Err(trouble) => return trouble.report(console),
    };
    let outputs = Outputs {
        verify: args.verify,
        trace: args.trace,
        folders: if args.seeds.is_some() { Folders::Notable } else { Folders::All },
        plot: args.plot,
        diagram: args.diagram,
        window: args.window.map(|WindowArg(window)| window),
    };
    let bar = jobs::progress(total, args.quiet, console);
    let one = |(plan, seed)| {
        let played = play(plan, seed, outputs, folder(args, plan, seed, plans.len()));
        bar.inc(1);
        (plan, played)
    };
    let mut reporter = Reporter::new(args, program, plans.len());
    let runs = |plan| seeds_of(plan).iter().map(move |seed| (plan, seed));
    let mut runs = plans.iter().flat_map(runs).peekable();
    // A chunk at a time, so that only the runs of one chunk wait in memory to be reported.
    while runs.peek().is_some() {
        let chunk: Vec<_> = runs.by_ref().take(chunk_length(pool.as_ref())).collect();
        let played: Vec<_> = match &pool {
            Some(pool) => pool.install(|| chunk.into_par_iter().map(one).collect()),
            None => chunk.into_iter().map(one).collect(),
        };
        bar.suspend(|| {
            for (plan, played) in played {
                reporter.report(plan, played, console);
            }
        });
    }
    bar.finish_and_clear();
    reporter.finish(console)
}

fn chunk_length(pool: Option<&ThreadPool>) -> usize {
    pool.map_or(1, |pool| pool.current_num_threads() * RUNS_A_THREAD)
}

/// The folder of a run: the default, or one in `--out` that no other run has.
fn folder(args: &RunArgs, plan: &RunPlan<'_>, seed: u64, plans: usize) -> PathBuf {
    let mut folder = match &args.out {
        None => return Path::new("output").join(&plan.name).join(seed.to_string()),
        Some(out) => out.clone(),
    };
    if plans > 1 {
        folder.push(&plan.name);
    }
    if args.seeds.is_some() {
        folder.push(seed.to_string());
    }
    folder
}

#[cfg(test)]
mod tests;

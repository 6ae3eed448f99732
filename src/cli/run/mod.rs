//! `run`: scenarios under seeds, told one by one or added up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::cli::args::RunArgs;
use crate::cli::seeds::Seeds;
use crate::cli::{Console, Exit, progress, scenario_name};
use crate::scenario::{Registry, Scenario};

mod play;
mod tell;
pub(super) mod window;

use play::{Plan, Wishes, play};
use tell::Teller;
use window::WindowArg;

/// How many runs a thread has before it: enough that none waits long for the slowest, few enough to
/// keep.
const RUNS_A_THREAD: usize = 32;

/// Loads every file, and when all are good runs them.
pub(super) fn run(
    args: &RunArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    let Some(scenarios) = load(args, registry, console) else { return Exit::Usage };
    let plans: Vec<Plan<'_>> = args
        .files
        .iter()
        .zip(&scenarios)
        .map(|(file, scenario)| Plan {
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

/// Every scenario, or `None` when one is bad: then all mistakes of all files have been shown.
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

/// Two files of one name would write into one folder.
fn distinct_names(plans: &[Plan<'_>]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for plan in plans {
        if let Some(other) = seen.insert(&plan.name, plan.file) {
            let (a, b) = (other.display(), plan.file.display());
            return Err(format!("{a} and {b} have one name, {}: run them apart", plan.name));
        }
    }
    Ok(())
}

/// Plays every plan under every seed and tells what came of it, in the order of files and seeds
/// whatever the threads.
fn run_all(plans: &[Plan<'_>], args: &RunArgs, program: &str, console: &mut Console) -> Exit {
    let seeds_of = |plan: &Plan<'_>| {
        let one = || Seeds::one(args.seed.unwrap_or(plan.config.seed));
        args.seeds.unwrap_or_else(one)
    };
    let total = plans.iter().fold(0, |sum: u64, plan| sum.saturating_add(seeds_of(plan).count()));
    let pool = match pool(args, total) {
        Ok(pool) => pool,
        Err(error) => {
            console.error(&format!("cannot start threads: {error}"));
            return Exit::Usage;
        }
    };
    let wishes = Wishes {
        verify: args.verify,
        trace: args.trace,
        only_notable: args.seeds.is_some(),
        plot: args.plot,
        diagram: args.diagram,
        window: args.window.map(|WindowArg(window)| window),
    };
    let bar = progress(total, args.quiet, console);
    let one = |(plan, seed)| {
        let played = play(plan, seed, wishes, folder(args, plan, seed, plans.len()));
        bar.inc(1);
        (plan, played)
    };
    let mut teller = Teller::new(args, program, plans.len());
    let jobs = |plan| seeds_of(plan).iter().map(move |seed| (plan, seed));
    let mut jobs = plans.iter().flat_map(jobs).peekable();
    // A chunk at a time, so that only a chunk's runs ever wait for their turn to be told.
    while jobs.peek().is_some() {
        let chunk: Vec<_> = jobs.by_ref().take(chunk_length(pool.as_ref())).collect();
        let played: Vec<_> = match &pool {
            Some(pool) => pool.install(|| chunk.into_par_iter().map(one).collect()),
            None => chunk.into_iter().map(one).collect(),
        };
        bar.suspend(|| {
            for (plan, played) in played {
                teller.tell(plan, played, console);
            }
        });
    }
    bar.finish_and_clear();
    teller.finish(console)
}

/// The threads for `total` runs; none for one, which needs no other thread.
fn pool(args: &RunArgs, total: u64) -> Result<Option<ThreadPool>, rayon::ThreadPoolBuildError> {
    if total <= 1 {
        return Ok(None);
    }
    // 0 is rayon's word for RAYON_NUM_THREADS, or else the number of cores.
    let threads = args.jobs.map_or(0, std::num::NonZeroUsize::get);
    ThreadPoolBuilder::new().num_threads(threads).build().map(Some)
}

fn chunk_length(pool: Option<&ThreadPool>) -> usize {
    pool.map_or(1, |pool| pool.current_num_threads() * RUNS_A_THREAD)
}

/// The folder of a run: the default, or `--out` with whatever tells several runs apart.
fn folder(args: &RunArgs, plan: &Plan<'_>, seed: u64, plans: usize) -> PathBuf {
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

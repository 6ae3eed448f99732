//! `run`: plays scenarios with seeds, and shows the runs one by one or added up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::cli::args::RunArgs;
use crate::cli::jobs::{pool, progress};
use crate::cli::names::scenario_name;
use crate::cli::seeds::Seeds;
use crate::cli::trouble::Trouble;
use crate::cli::{Console, Environment, Exit};
use crate::scenario::{Registry, Scenario};

mod play;
mod print;
pub(super) mod window;

use play::{PlayOptions, Runnable, play};
use print::Printer;
use window::WindowArg;

/// How many runs each thread gets at a time. With more of them no thread waits long for the slowest
/// run; with fewer, fewer results are held in memory.
const RUNS_A_THREAD: usize = 32;

/// Loads all files and, if none has mistakes, runs them.
pub(super) fn run(args: &RunArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let Some(scenarios) = load(args, env.registry, env.console) else {
        return Ok(Exit::Usage);
    };
    let runnables: Vec<Runnable<'_>> = args
        .files
        .iter()
        .zip(&scenarios)
        .map(|(file, scenario)| Runnable {
            file,
            name: scenario_name(file),
            config: &scenario.config,
            play: Box::new(|seed, options| scenario.run(seed, options)),
            chronicle: Box::new(|seed, window| {
                scenario.protocol.chronicle(&scenario.config, &scenario.names, seed, window)
            }),
        })
        .collect();
    check_names(&runnables)?;
    run_all(&runnables, args, env.program, env.console)
}

/// Loads all scenarios. `None` when one has mistakes: then the mistakes of all files have been
/// shown.
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

/// Fails when two files have the same name: they would write into the same folder.
fn check_names(runnables: &[Runnable<'_>]) -> Result<(), Trouble> {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for runnable in runnables {
        if let Some(other) = seen.insert(&runnable.name, runnable.file) {
            let (a, b) = (other.display(), runnable.file.display());
            let name = &runnable.name;
            let clash = format!("{a} and {b} have one name, {name}: run them apart");
            return Err(Trouble::Error(clash));
        }
    }
    Ok(())
}

/// Plays every scenario with every seed and shows the results in the order of files and seeds,
/// whatever the threads.
fn run_all(
    runnables: &[Runnable<'_>],
    args: &RunArgs,
    program: &str,
    console: &mut Console,
) -> Result<Exit, Trouble> {
    let seeds_of = |runnable: &Runnable<'_>| {
        let one = || Seeds::one(args.seed.unwrap_or(runnable.config.seed));
        args.seeds.unwrap_or_else(one)
    };
    let total = runnables
        .iter()
        .fold(0, |sum: u64, runnable| sum.saturating_add(seeds_of(runnable).count()));
    // A single run needs no other thread.
    let pool = if total > 1 { Some(pool(args.jobs)?) } else { None };
    let options = PlayOptions {
        verify: args.verify,
        trace: args.trace,
        history: args.history,
        only_notable: args.seeds.is_some(),
        plot: args.plot,
        diagram: args.diagram,
        window: args.window.map(|WindowArg(window)| window),
    };
    let bar = progress(total, args.quiet, console);
    let one = |(runnable, seed)| {
        let completed =
            play(runnable, seed, options, folder(args, runnable, seed, runnables.len()));
        bar.inc(1);
        (runnable, completed)
    };
    let mut printer = Printer::new(args, program, runnables.len());
    let runs = |runnable| seeds_of(runnable).iter().map(move |seed| (runnable, seed));
    let mut runs = runnables.iter().flat_map(runs).peekable();
    // A chunk at a time, so only one chunk of results is held in memory.
    while runs.peek().is_some() {
        let chunk: Vec<_> = runs.by_ref().take(chunk_length(pool.as_ref())).collect();
        let completed: Vec<_> = match &pool {
            Some(pool) => pool.install(|| chunk.into_par_iter().map(one).collect()),
            None => chunk.into_iter().map(one).collect(),
        };
        bar.suspend(|| {
            for (runnable, completed) in completed {
                printer.add(runnable, completed, console);
            }
        });
    }
    bar.finish_and_clear();
    Ok(printer.finish(console))
}

fn chunk_length(pool: Option<&ThreadPool>) -> usize {
    pool.map_or(1, |pool| pool.current_num_threads() * RUNS_A_THREAD)
}

/// The folder of a run: the default, or `--out` with what distinguishes several runs.
fn folder(args: &RunArgs, runnable: &Runnable<'_>, seed: u64, runnables: usize) -> PathBuf {
    let mut folder = match &args.out {
        None => return Path::new("output").join(&runnable.name).join(seed.to_string()),
        Some(out) => out.clone(),
    };
    if runnables > 1 {
        folder.push(&runnable.name);
    }
    if args.seeds.is_some() {
        folder.push(seed.to_string());
    }
    folder
}

#[cfg(test)]
mod tests;

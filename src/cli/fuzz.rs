//! `fuzz`: plays a scenario many times with random faults, and shrinks what it finds.

use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rayon::ThreadPool;
use serde_json::{Value, json};

use crate::cli::args::FuzzArgs;
use crate::cli::jobs::{self, pool};
use crate::cli::names::{quoted, scenario_name};
use crate::cli::trouble::Trouble;
use crate::cli::{Console, Environment, Exit};
use crate::fuzz::campaign::{self, Length, StoppingRule};
use crate::fuzz::cases::{CASES, Cases};
use crate::fuzz::identity::{Identity, Shard};
use crate::fuzz::record::CaseRecord;
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::text;
use crate::fuzz::totals::Totals;
use crate::fuzz::violation::{self, CAMPAIGN, Campaign, Violation};
use crate::report::layout::counted;
use crate::scenario::Scenario;
use crate::time::Span;

/// How many cases a campaign has by default.
const RUNS: u64 = 1000;

/// Plays a campaign.
pub(super) fn run(args: &FuzzArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let origin = args.file.display().to_string();
    // Loaded first: it reports best what is wrong with an unreadable file.
    let scenario = Scenario::load(&args.file, env.registry, &args.sets)?;
    if !args.quiet {
        env.console.warnings(&scenario);
    }
    let text = fs::read(&args.file).map_err(Trouble::cannot("use", &args.file))?;
    let target = FuzzTarget::new(&origin, text, env.registry, &args.sets)?;
    let name = scenario_name(&args.file);
    let seed = args.seed.unwrap_or(target.scenario.config.seed);
    let identity = Identity::new(&target, &name, seed, args.verify);
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&name, args.seed, args.shard));
    let cases = Cases::open(&folder, identity, shard);
    let mut cases = cases.map_err(|error| Trouble::Error(error.to_string()))?;
    let length = args.lasts.map_or_else(|| Length::Runs(args.runs.unwrap_or(RUNS)), Length::For);
    let rule = StoppingRule { length, stop_after: args.stop_after.0 };
    let pool = pool(args.jobs)?;
    quiet_finds();
    let before = resumed(&target, &mut cases, rule, &pool, args, env.console)?;

    let live = Live::new(rule, shard, before, args.quiet, env.console);
    let played = pool
        .install(|| campaign::play_missing(&target, rule, &cases, &|record| live.add(record)))
        .map_err(Trouble::cannot("use", &folder))?;
    let totals = cases.finish(played).map_err(Trouble::cannot("use", &folder))?;
    live.shrinking(totals.kinds.len());
    let campaign = Campaign { folder: &folder, identity: cases.identity(), shard };
    let violations = pool
        .install(|| violation::write(&target, &campaign, &totals, &|_| live.shrunk()))
        .map_err(Trouble::cannot("use", &folder))?;
    live.finish();
    let document = violation::document(&campaign, &totals, &violations);
    cases.close().map_err(Trouble::cannot("use", &folder))?;
    let outcome = CampaignOutcome {
        totals: &totals,
        violations: &violations,
        document,
        took: begun.elapsed(),
        program: env.program,
        folder: &folder,
        json: args.json,
        quiet: args.quiet,
    };
    Ok(show(outcome, env.console))
}

/// The default folder of a campaign. The `fuzz/` before a scenario's name is left out: the folder
/// has it.
fn default_folder(name: &str, seed: Option<u64>, shard: Option<Shard>) -> PathBuf {
    let mut folder = Path::new("output/fuzz").join(name.strip_prefix("fuzz/").unwrap_or(name));
    // A campaign with another seed has a folder of its own.
    if let Some(seed) = seed {
        folder.push(format!("seed-{seed}"));
    }
    match shard {
        Some(shard) => folder.join(format!("shard-{}-of-{}", shard.index(), shard.count())),
        None => folder,
    }
}

/// Stops panics of protocols under test from being printed: they are finds, and shown with the
/// others.
pub(super) fn quiet_finds() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !campaign::is_playing() {
                before(panic);
            }
        }));
    });
}

/// Prints how many cases were played before, and returns their number. If they do not give the same
/// results any more, they are forgotten.
fn resumed(
    target: &FuzzTarget,
    cases: &mut Cases,
    rule: StoppingRule,
    pool: &ThreadPool,
    args: &FuzzArgs,
    console: &mut Console,
) -> Result<u64, Trouble> {
    let wanted = match rule.length {
        Length::Runs(runs) => runs,
        Length::For(_) => u64::MAX,
    };
    let kept = cases.kept(wanted);
    if kept == 0 {
        return Ok(0);
    }
    let reproduced = pool.install(|| campaign::is_reproduced(target, cases));
    let is_reproduced = reproduced.map_err(Trouble::cannot("use", cases.folder()))?;
    let said = match (is_reproduced, rule.length) {
        (false, _) => {
            "what was played before does not come out again: the program was changed, or \
             is not deterministic; playing all of it anew\n"
                .to_owned()
        }
        (true, Length::Runs(runs)) if cases.shard().share(runs) == kept => {
            format!("all {} were played before\n", counted(kept, "run"))
        }
        (true, Length::Runs(runs)) => {
            let all = counted(cases.shard().share(runs), "run");
            format!("going on: {kept} of {all} were played before\n")
        }
        (true, Length::For(_)) => {
            format!("going on: {} were played before\n", counted(kept, "run"))
        }
    };
    if !args.quiet {
        console.err(&said);
    }
    if !is_reproduced {
        cases.forget();
        return Ok(0);
    }
    Ok(kept)
}

/// The progress of a campaign.
struct Live {
    bar: ProgressBar,
    begun: Instant,
    totals: Mutex<LiveTotals>,
}

#[derive(Default)]
struct LiveTotals {
    runs: u64,
    virtual_ns: u128,
    kinds: BTreeMap<String, u64>,
    shown: Option<Instant>,
}

impl Live {
    fn new(rule: StoppingRule, shard: Shard, before: u64, quiet: bool, console: &Console) -> Self {
        let (total, template) = match rule.length {
            Length::Runs(runs) => {
                (Some(shard.share(runs)), "{bar:20} {human_pos} of {human_len} runs{msg}")
            }
            Length::For(_) => (None, "{elapsed} {human_pos} runs{msg}"),
        };
        let bar = jobs::bar(total, template, quiet, console);
        bar.set_position(before);
        Self { bar, begun: Instant::now(), totals: Mutex::default() }
    }

    fn add(&self, record: &CaseRecord) {
        self.bar.inc(1);
        if self.bar.is_hidden() {
            return;
        }
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.runs += 1;
        totals.virtual_ns += u128::from(record.virtual_ns);
        for finding in &record.findings {
            *totals.kinds.entry(finding.signature.to_string()).or_default() += 1;
        }
        let is_due = |shown: Instant| shown.elapsed() >= Duration::from_millis(100);
        if totals.shown.is_none_or(is_due) {
            totals.shown = Some(Instant::now());
            self.bar.set_message(totals.message(self.begun.elapsed()));
        }
    }

    fn shrinking(&self, kinds: usize) {
        if kinds > 0 {
            self.bar.set_style(jobs::style("making finds small: {pos} of {len}"));
            self.bar.set_length(kinds as u64);
            self.bar.set_position(0);
        }
    }

    fn shrunk(&self) {
        self.bar.inc(1);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl LiveTotals {
    fn message(&self, elapsed: Duration) -> String {
        let rate = u128::from(self.runs) * 1000 / elapsed.as_millis().max(1);
        let simulated = Span::from_nanos(u64::try_from(self.virtual_ns).unwrap_or(u64::MAX));
        let mut message = format!(", {rate} a second, {} simulated", simulated.short());
        for (kind, count) in &self.kinds {
            message += &format!("; {kind}: {count}");
        }
        message
    }
}

/// The outcome of a campaign, and how it is to be shown.
pub(super) struct CampaignOutcome<'a> {
    pub(super) totals: &'a Totals,
    pub(super) violations: &'a [Violation],
    pub(super) document: Value,
    pub(super) took: Duration,
    pub(super) program: &'a str,
    pub(super) folder: &'a Path,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

/// Prints the outcome of a campaign. Returns the exit status.
pub(super) fn show(outcome: CampaignOutcome<'_>, console: &mut Console) -> Exit {
    let CampaignOutcome { totals, violations, mut document, .. } = outcome;
    let path = |file: &str| outcome.folder.join(file).display().to_string();
    if outcome.json {
        for violation in document["violations"].as_array_mut().into_iter().flatten() {
            if let Some(file) = violation["scenario"].as_str() {
                violation["scenario"] = json!(path(file));
            }
        }
        document["seconds"] = json!(outcome.took.as_secs_f64());
        console.json(&document);
    }
    if !(outcome.quiet && outcome.json) {
        let run = |file: &str| format!("{} run {}", outcome.program, quoted(&path(file)));
        let mut text = text::text(totals, violations, &run);
        if !outcome.quiet {
            text += &format!("\nwritten  {}\nwritten  {}\n", path(CAMPAIGN), path(CASES));
        }
        if outcome.json { console.err(&text) } else { console.out(&text) }
    }
    match (violations.is_empty(), totals.unknown) {
        (false, _) => Exit::Violation,
        (true, 0) => Exit::Pass,
        (true, _) => Exit::Unknown,
    }
}

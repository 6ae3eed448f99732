//! `fuzz`: a scenario with random faults, many times over; what is found is made small.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};

use crate::cli::args::FuzzArgs;
use crate::cli::{Console, Exit, quoted, scenario_name};
use crate::fuzz::campaign::{self, Length, Plan};
use crate::fuzz::store::{CASES, Identity, Record, Shard, Store};
use crate::fuzz::subject::Subject;
use crate::fuzz::tally::Tally;
use crate::fuzz::text;
use crate::fuzz::violation::{self, CAMPAIGN, Violation};
use crate::report::layout::counted;
use crate::scenario::{Diagnostics, Registry, Scenario};
use crate::time::Span;

/// How many cases a campaign has when nobody says.
const RUNS: u64 = 1000;

/// Why a command ended before its end.
pub(super) enum Trouble {
    /// A bad scenario.
    Scenario(Diagnostics),
    /// Anything else, told in a line.
    Told(String),
}

impl From<Diagnostics> for Trouble {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Scenario(diagnostics)
    }
}

impl Trouble {
    /// A folder that cannot be used.
    pub(super) fn with(path: &Path) -> impl Fn(io::Error) -> Self {
        move |why| Self::Told(format!("cannot use {}: {why}", path.display()))
    }

    /// Says it.
    pub(super) fn tell(self, console: &mut Console) -> Exit {
        match self {
            Self::Scenario(diagnostics) => {
                console.mistakes(&diagnostics);
            }
            Self::Told(why) => console.error(&why),
        }
        Exit::Usage
    }
}

/// Plays a campaign.
pub(super) fn run(
    args: &FuzzArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Exit {
    perform(args, program, registry, console).unwrap_or_else(|trouble| trouble.tell(console))
}

fn perform(
    args: &FuzzArgs,
    program: &str,
    registry: &Registry,
    console: &mut Console,
) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let origin = args.file.display().to_string();
    // It says best what is wrong with a file that is none.
    let scenario = Scenario::load(&args.file, registry, &args.sets)?;
    if !args.quiet {
        console.warnings(&scenario);
    }
    let text = fs::read(&args.file).map_err(Trouble::with(&args.file))?;
    let subject = Subject::new(&origin, text, registry, &args.sets)?;
    let name = scenario_name(&args.file);
    let seed = args.seed.unwrap_or(subject.scenario.config.seed);
    let identity = Identity::new(&subject, &name, seed, args.verify);
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&name, args.seed, args.shard));
    let store = Store::open(&folder, identity, shard);
    let mut store = store.map_err(|error| Trouble::Told(error.to_string()))?;
    let length = args.lasts.map_or_else(|| Length::Runs(args.runs.unwrap_or(RUNS)), Length::For);
    let plan = Plan { length, stop_after: args.stop_after.0 };
    let pool = pool(args.jobs)?;
    quiet_finds();
    let before = resumed(&subject, &mut store, plan, &pool, args, console)?;

    let live = Live::new(plan, shard, before, args.quiet, console);
    let played = pool
        .install(|| campaign::play_missing(&subject, plan, &store, &|record| live.add(record)))
        .map_err(Trouble::with(&folder))?;
    let tally = store.finish(played).map_err(Trouble::with(&folder))?;
    live.shrinking(tally.kinds.len());
    let place = (folder.as_path(), store.identity(), shard);
    let violations = pool
        .install(|| violation::write(&subject, place, &tally, &|_| live.shrunk()))
        .map_err(Trouble::with(&folder))?;
    live.finish();
    let document = violation::document((store.identity(), shard), &tally, &violations);
    store.close().map_err(Trouble::with(&folder))?;
    let told = Told { program, folder: &folder, json: args.json, quiet: args.quiet };
    Ok(tell(&told, (&tally, &violations, document), begun.elapsed(), console))
}

/// Where a campaign lies when nobody says. Scenarios that are there to be fuzzed need not say so
/// twice.
fn default_folder(name: &str, seed: Option<u64>, shard: Option<Shard>) -> PathBuf {
    let mut folder = Path::new("output/fuzz").join(name.strip_prefix("fuzz/").unwrap_or(name));
    // Another seed is another campaign, and takes nobody's place.
    if let Some(seed) = seed {
        folder.push(format!("seed-{seed}"));
    }
    match shard {
        Some(shard) => folder.join(format!("shard-{}-of-{}", shard.index(), shard.count())),
        None => folder,
    }
}

/// The threads of a campaign.
pub(super) fn pool(jobs: Option<NonZeroUsize>) -> Result<ThreadPool, Trouble> {
    // 0 is rayon's word for RAYON_NUM_THREADS, or else the number of cores.
    let threads = jobs.map_or(0, NonZeroUsize::get);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Trouble::Told(format!("cannot start threads: {error}")))
}

/// A protocol that panics is a find, told with the others; a panic of anything else is news at
/// once.
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

/// Says what is kept of the campaign, and forgets it where it no longer comes out; how many cases
/// are not to be played.
fn resumed(
    subject: &Subject,
    store: &mut Store,
    plan: Plan,
    pool: &ThreadPool,
    args: &FuzzArgs,
    console: &mut Console,
) -> Result<u64, Trouble> {
    let wanted = match plan.length {
        Length::Runs(runs) => runs,
        Length::For(_) => u64::MAX,
    };
    let kept = store.kept(wanted);
    if kept == 0 {
        return Ok(0);
    }
    let reproduced = pool.install(|| campaign::is_reproduced(subject, store));
    let is_reproduced = reproduced.map_err(Trouble::with(store.folder()))?;
    let said = match (is_reproduced, plan.length) {
        (false, _) => {
            "what was played before does not come out again: the program was changed, or \
                       is not deterministic; playing all of it anew\n"
                .to_owned()
        }
        (true, Length::Runs(runs)) if store.shard().share(runs) == kept => {
            format!("all {} were played before\n", counted(kept, "run"))
        }
        (true, Length::Runs(runs)) => {
            let all = counted(store.shard().share(runs), "run");
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
        store.forget();
        return Ok(0);
    }
    Ok(kept)
}

/// What is seen of a campaign under way.
struct Live {
    bar: ProgressBar,
    begun: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    runs: u64,
    virtual_ns: u128,
    kinds: BTreeMap<String, u64>,
    shown: Option<Instant>,
}

impl Live {
    fn new(plan: Plan, shard: Shard, before: u64, quiet: bool, console: &Console) -> Self {
        let target = if quiet || !console.draws_progress() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let (total, template) = match plan.length {
            Length::Runs(runs) => {
                (Some(shard.share(runs)), "{bar:20} {human_pos} of {human_len} runs{msg}")
            }
            Length::For(_) => (None, "{elapsed} {human_pos} runs{msg}"),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(before);
        Self { bar, begun: Instant::now(), seen: Mutex::default() }
    }

    fn add(&self, record: &Record) {
        self.bar.inc(1);
        if self.bar.is_hidden() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.runs += 1;
        seen.virtual_ns += u128::from(record.virtual_ns);
        for finding in &record.findings {
            *seen.kinds.entry(finding.signature.to_string()).or_default() += 1;
        }
        let is_due = |shown: Instant| shown.elapsed() >= Duration::from_millis(100);
        if seen.shown.is_none_or(is_due) {
            seen.shown = Some(Instant::now());
            self.bar.set_message(seen.message(self.begun.elapsed()));
        }
    }

    fn shrinking(&self, kinds: usize) {
        if kinds > 0 {
            let style = ProgressStyle::with_template("making finds small: {pos} of {len}");
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
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

impl Seen {
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

/// How a campaign is told.
pub(super) struct Told<'a> {
    pub(super) program: &'a str,
    pub(super) folder: &'a Path,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

/// Tells what a campaign came to; how the command ends.
pub(super) fn tell(
    told: &Told<'_>,
    (tally, violations, mut document): (&Tally, &[Violation], Value),
    took: Duration,
    console: &mut Console,
) -> Exit {
    let path = |file: &str| told.folder.join(file).display().to_string();
    if told.json {
        for violation in document["violations"].as_array_mut().into_iter().flatten() {
            if let Some(file) = violation["scenario"].as_str() {
                violation["scenario"] = json!(path(file));
            }
        }
        document["seconds"] = json!(took.as_secs_f64());
        console.json(&document);
    }
    if !(told.quiet && told.json) {
        let run = |file: &str| format!("{} run {}", told.program, quoted(&path(file)));
        let mut text = text::text(tally, violations, &run);
        if !told.quiet {
            text += &format!("\nwritten  {}\nwritten  {}\n", path(CAMPAIGN), path(CASES));
        }
        if told.json { console.err(&text) } else { console.out(&text) }
    }
    match (violations.is_empty(), tally.unknown) {
        (false, _) => Exit::Violation,
        (true, 0) => Exit::Pass,
        (true, _) => Exit::Unknown,
    }
}

//! `sweep` and `compare`: play a scenario with many settings and seeds, and show a table, pictures
//! and a conclusion.

use std::io::Write as _;
use std::path::Path;

use crate::cli::args::{CompareArgs, ManyArgs, PictureChoice, SweepArgs};
use crate::cli::jobs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Console, Environment, Exit};
use crate::experiment::analysis::Analysis;
use crate::experiment::charts::Chart;
use crate::experiment::goal::Goal;
use crate::experiment::play::{self, Plan};
use crate::experiment::points::{self, MAX_POINTS, SweepPoint};
use crate::experiment::progress::SweepProgress;
use crate::experiment::summary::Summary;
use crate::experiment::{Design, Heading, Sweep, document, table, text};
use crate::named::Named;
use crate::report::files;
use crate::scenario::Axis;

/// What a command does with its points.
struct Task<'a> {
    many: &'a ManyArgs,
    keys: Vec<String>,
    design: Design,
    goal: Option<Goal>,
}

/// Plays every combination of the varied values.
pub(super) fn sweep(args: &SweepArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let axes = args.vary.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
    for (place, axis) in axes.iter().enumerate() {
        let bare = |axis: &Axis| axis.path().replace(['"', ' '], "");
        if axes[..place].iter().any(|other| bare(other) == bare(axis)) {
            return Err(Trouble::Error(format!("{} is varied twice", axis.path())));
        }
        if let Some(why) = idle(&bare(axis)) {
            let path = axis.path();
            return Err(Trouble::Error(format!("{path} makes no difference here: {why}")));
        }
    }
    let count = axes.iter().try_fold(1_usize, |all, axis| all.checked_mul(axis.values().len()));
    if count.is_none_or(|count| count > MAX_POINTS) {
        return Err(Trouble::Error(format!("more than {MAX_POINTS} points: vary less")));
    }
    let goal = args.goal.as_deref().map(Goal::parse).transpose()?;
    let points = points::grid(&args.many.file, env.registry, &args.many.sets, &axes)?;
    let keys = axes.iter().map(|axis| axis.path().to_owned()).collect();
    let task = Task { many: &args.many, keys, design: Design::Grid, goal };
    perform(&task, &points, env.console)
}

/// Plays the file as it is and with each list of settings.
pub(super) fn compare(args: &CompareArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let goal = args.goal.as_deref().map(Goal::parse).transpose()?;
    let many = &args.many;
    let points = points::configurations(&many.file, env.registry, &many.sets, &args.with)?;
    let keys = vec!["configuration".to_owned()];
    let task = Task { many, keys, design: Design::Comparison, goal };
    perform(&task, &points, env.console)
}

/// Why varying a setting would change nothing.
fn idle(path: &str) -> Option<&'static str> {
    match path.split('.').next()? {
        "seed" => Some("every point is played under the seeds of --seeds"),
        "expect" => Some("points are not held to what the file expects"),
        "title" => Some("it is what the scenario is called"),
        _ => None,
    }
}

fn perform(task: &Task<'_>, points: &[SweepPoint], console: &mut Console) -> Result<Exit, Trouble> {
    let many = task.many;
    let name = scenario_name(&many.file);
    let stem = task.design.name();
    let folder = many.out.clone().unwrap_or_else(|| Path::new("output").join(&name).join(stem));
    let seeds: Vec<u64> = many.seeds.iter().collect();
    let (progress, summaries) = played(&Plan { points, seeds: &seeds }, many, &folder, console)?;
    let title =
        points.first().map_or_else(String::new, |point| point.scenario.config.title.clone());
    let heading = Heading {
        scenario: name,
        title,
        keys: task.keys.clone(),
        design: task.design,
        seeds: many.seeds.to_string(),
    };
    let sweep = Sweep::new(heading, points, summaries);
    let analysis = Analysis::of(&sweep, task.goal.as_ref());
    let document = document::document(&sweep, &analysis);
    let tables = vec![
        (format!("{stem}.csv"), table::csv(&sweep).into_bytes()),
        (format!("{stem}.json"), format!("{document:#}\n").into_bytes()),
    ];
    // Written first: the results that took long are safe before anything else can fail.
    let mut files = write(&folder, tables)?;
    progress.remove().map_err(Trouble::cannot("write", &folder))?;
    let mut drawn = Vec::new();
    for chart in pictures(&many.plot, &sweep)? {
        let (stem, picture) = (chart.stem(&sweep), chart.draw(&sweep, &analysis));
        drawn.push((format!("{stem}.png"), picture.png));
        drawn.push((format!("{stem}.svg"), picture.svg.into_bytes()));
    }
    files.extend(write(&folder, drawn)?);
    if many.json {
        console.json(&document);
    }
    if !(many.quiet && many.json) {
        let files = if many.quiet { Vec::new() } else { files };
        let text = text::text(&sweep, &analysis, &files);
        if many.json { console.err(&text) } else { console.out(&text) }
    }
    Ok(exit(&sweep.summaries))
}

/// Plays the points with a progress bar, and goes on where an interrupted sweep stopped.
fn played(
    plan: &Plan<'_>,
    many: &ManyArgs,
    folder: &Path,
    console: &mut Console,
) -> Result<(SweepProgress, Vec<Summary>), Trouble> {
    let opened = SweepProgress::open::<Summary>(folder, play::fingerprint(plan));
    let (progress, done) = opened.map_err(Trouble::cannot("write", folder))?;
    let total = (plan.points.len() * plan.seeds.len()) as u64;
    if !done.is_empty() && !many.quiet {
        let of = plan.points.len();
        console.err(&format!("going on: {} of {of} points were finished before\n", done.len()));
    }
    let bar = jobs::progress(total, many.quiet, console);
    bar.inc((done.len() * plan.seeds.len()) as u64);
    bar.reset_eta();
    let summaries = jobs::pool(many.jobs)?
        .install(|| play::play(plan, done, &progress, &|| bar.inc(1)))
        .map_err(Trouble::cannot("write", folder))?;
    bar.finish_and_clear();
    Ok((progress, summaries))
}

/// Which pictures to draw: the wanted ones, or else those that fit.
fn pictures(wanted: &[PictureChoice], sweep: &Sweep<'_>) -> Result<Vec<Chart>, Trouble> {
    if wanted.is_empty() {
        return Ok(Chart::all().filter(|chart| chart.fits(sweep)).collect());
    }
    let mut charts = Vec::new();
    for plot in wanted {
        match plot {
            PictureChoice::None => {}
            PictureChoice::All => {
                charts.extend(Chart::all().filter(|chart| chart.is_possible(sweep)));
            }
            PictureChoice::One(chart) if chart.is_possible(sweep) => charts.push(*chart),
            PictureChoice::One(chart) => {
                let why = "there is nothing that it would show, or more than it can";
                return Err(Trouble::Error(format!("cannot draw `{}`: {why}", chart.name())));
            }
        }
    }
    charts.sort_unstable();
    charts.dedup();
    Ok(charts)
}

/// Writes files, each whole or not at all. Returns their paths.
fn write(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Result<Vec<String>, Trouble> {
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        files::whole(&path, |out| out.write_all(&bytes))
            .map_err(Trouble::cannot("write", &path))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

/// One failed run makes the whole command fail.
fn exit(summaries: &[Summary]) -> Exit {
    let any = |wanted: fn(&Summary) -> u64| summaries.iter().any(|summary| wanted(summary) > 0);
    match (any(|summary| summary.fail), any(|summary| summary.unknown)) {
        (true, _) => Exit::Violation,
        (_, true) => Exit::Unknown,
        _ => Exit::Pass,
    }
}

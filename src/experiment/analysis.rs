//! The conclusions of a sweep, in words: whether replicas match and why, how latency changes and
//! why, and which point to choose.

use super::goal::{Attainment, Goal};
use super::points::short_key;
use super::statistics::FEWEST_RUNS;
use super::summary::{Estimate, Summary};
use super::{Design, Sweep};
use super::{length, whole};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::named::Named;
use crate::property::Property;
use crate::report::layout::{counted, grouped};

/// The largest relative error at which a measured mean still agrees with the closed form.
const AGREEMENT: f64 = 0.02;

/// The conclusions of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Whether the replicas matched at the end at every point, and why.
    pub replicas: String,
    /// How many keys of followers differed from the leader's when the last write was answered, and
    /// for how long; empty if none ever did.
    pub agreement: String,
    /// How latency depends on what was varied, and why; empty if nothing was written.
    pub shape: String,
    /// How many acknowledged writes were lost.
    pub losses: String,
    /// Which point to choose for a goal, and why not the others; `None` without a goal.
    pub choice: Option<String>,
}

impl Analysis {
    /// The analysis of a sweep, with a choice if there is a goal.
    #[must_use]
    pub fn of(sweep: &Sweep<'_>, goal: Option<&Goal>) -> Self {
        Self {
            replicas: replicas(sweep),
            agreement: agreement(sweep),
            shape: shape(sweep),
            losses: losses(sweep),
            choice: goal.map(|goal| choice(sweep, goal)),
        }
    }

    /// The paragraphs, in order.
    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        let all = [&self.replicas, &self.agreement, &self.losses, &self.shape]
            .into_iter()
            .chain(&self.choice);
        all.map(String::as_str).filter(|text| !text.is_empty())
    }
}

fn replicas(sweep: &Sweep<'_>) -> String {
    let valid = |s: &Summary| s.judged(Property::Convergence, ExpectedVerdict::Valid);
    let runs: u64 = sweep.summaries.iter().map(|s| s.runs).sum();
    let undelivered: u64 = sweep.summaries.iter().map(|s| s.undelivered).sum();
    let Some((place, worst)) =
        sweep.summaries.iter().enumerate().min_by_key(|(_, s)| valid(s) * 1000 / s.runs.max(1))
    else {
        return String::new();
    };
    if valid(worst) == worst.runs {
        let lost: u64 = sweep.summaries.iter().map(|s| s.lost_allowed + s.lost_violating).sum();
        let why = match (undelivered, lost) {
            (0, 0) => "No message was lost, so every write reached every replica sooner or later, \
                       and the newest won: how many confirmations a client waits for decides how \
                       long it waits, not who gets the write in the end."
                .to_owned(),
            (0, _) => "No message was lost.".to_owned(),
            (some, 0) => format!(
                "{some} messages were lost or blocked on the way, and in the end no replica lacks \
                 what they brought."
            ),
            (some, _) => format!("{some} messages were lost or blocked on the way."),
        };
        return format!("Replicas match in all {runs} runs, at every point. {why}");
    }
    let differing: u64 = sweep.summaries.iter().map(|s| s.runs - valid(s)).sum();
    let what = worst.diverged.first().map_or("", |(what, _)| what.as_str());
    let promise =
        sweep.points[place].scenario.protocol.promises(&sweep.points[place].scenario.config);
    let why = promise.of(Property::Convergence).why();
    format!(
        "Replicas do not match in {differing} of {runs} runs, most with {}, {} of {}: {what}. {}",
        sweep.labels[place],
        worst.runs - valid(worst),
        worst.runs,
        sentence(why),
    )
}

/// How many keys of followers differed when the last write was answered, and for how long.
fn agreement(sweep: &Sweep<'_>) -> String {
    if !sweep.summaries.iter().any(Summary::differs) {
        return String::new();
    }
    let one = |(label, summary): (&String, &Summary)| {
        let (differing, all) = (summary.differing?, summary.replica_keys?);
        let after = match (summary.never_agreed, summary.agreement) {
            (_, None) => "to the end".to_owned(),
            (0, Some(after)) => format!("for {}", length(after.value)),
            (runs, Some(after)) => {
                format!(
                    "for {}, and in {runs} of {} runs to the end",
                    length(after.value),
                    summary.runs
                )
            }
        };
        let after = if summary.differs() { format!(", {after}") } else { String::new() };
        Some(format!("{:.1} of {} with {label}{after}", differing.value, whole(all)))
    };
    let points: Vec<String> = sweep.labels.iter().zip(&sweep.summaries).filter_map(one).collect();
    format!(
        "When the last write is answered, replicas of keys on followers still differ from the \
         leader's, in the mean: {}.",
        short_list(&points),
    )
}

fn losses(sweep: &Sweep<'_>) -> String {
    let lost = |s: &Summary| s.lost_allowed + s.lost_violating;
    let all: u64 = sweep.summaries.iter().map(lost).sum();
    let acknowledged: u64 = sweep.summaries.iter().map(|s| s.acknowledged).sum();
    if acknowledged == 0 {
        return String::new();
    }
    let untold: u64 = sweep
        .summaries
        .iter()
        .map(|s| s.judged(Property::Durability, ExpectedVerdict::Unknown))
        .sum();
    let untold = match untold {
        0 => String::new(),
        runs => format!(" In {runs} runs nobody can tell."),
    };
    let discarded = match sweep.summaries.iter().filter_map(|s| s.discarded).sum::<u64>() {
        0 => String::new(),
        some => format!(
            " {} discarded: gone before {} written again, which hides it at the end.",
            were(some),
            if some == 1 { "its key was" } else { "their keys were" },
        ),
    };
    if all == 0 {
        return format!("No acknowledged write was lost at any point.{discarded}{untold}");
    }
    let violating: u64 = sweep.summaries.iter().map(|s| s.lost_violating).sum();
    let share = |s: &&Summary| s.lost_share.map_or(0.0, |share| share.value);
    let most =
        sweep.summaries.iter().enumerate().max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)));
    let most = most.map_or_else(String::new, |(place, summary)| {
        let share = summary.lost_share.map_or_else(String::new, percent);
        format!(", most with {}: {share} of its acknowledged writes", sweep.labels[place])
    });
    let free: Vec<&str> = places(sweep, |s| lost(s) == 0);
    let free = match free.len() {
        0 => String::new(),
        _ => format!(" Nothing was lost with {}.", list(&free)),
    };
    let kept = match violating {
        0 => "none of them where they were promised to last".to_owned(),
        some => format!("{} of them although they were promised to last", grouped(some)),
    };
    format!(
        "{} of {} acknowledged writes were lost, {kept}{most}.{free}{discarded}{untold}",
        grouped(all),
        grouped(acknowledged),
    )
}

/// `1 acknowledged write was`, `2 acknowledged writes were`.
fn were(count: u64) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(count, "acknowledged write"))
}

/// How the mean latency changes from the first point to the last.
fn shape(sweep: &Sweep<'_>) -> String {
    let means: Option<Vec<Estimate>> =
        sweep.summaries.iter().map(|s| Some(sweep.reported(s)?.latency.as_ref()?.mean)).collect();
    let Some(means) = means else { return String::new() };
    let (Some(first), Some(last)) = (means.first(), means.last()) else { return String::new() };
    let name = sweep.function.name();
    if sweep.summaries.len() == 1 {
        return format!(
            "A {name} takes {} in the mean. {}",
            length(first.value),
            theory(sweep, &means)
        );
    }
    if sweep.heading.design == Design::Comparison {
        return against_the_first(sweep, name, *first);
    }
    if means.iter().all(|mean| length(mean.value) == length(first.value)) {
        return format!("A {name} takes {} in the mean at every point.", length(first.value));
    }
    if sweep.heading.keys.len() != 1 {
        let least = extreme(&means, |a, b| a < b);
        let most = extreme(&means, |a, b| a > b);
        return format!(
            "A {name} takes from {} in the mean ({}) to {} ({}). {}",
            length(means[least].value),
            sweep.labels[least],
            length(means[most].value),
            sweep.labels[most],
            theory(sweep, &means),
        );
    }
    let steps: Vec<Trend> = sweep
        .summaries
        .windows(2)
        .map(|pair| Trend::of(&pair[0], &pair[1], sweep.function))
        .collect();
    let course = if sweep.summaries.iter().all(|s| s.runs < FEWEST_RUNS as u64) {
        "and with fewer than 5 runs a point nobody can say how surely"
    } else if steps.iter().all(|step| *step == Trend::Up) {
        "each step surely slower than the one before (paired 95% intervals)"
    } else if steps.iter().all(|step| *step == Trend::Down) {
        "each step surely faster than the one before (paired 95% intervals)"
    } else if steps.iter().all(|step| *step == Trend::Level) {
        "no step surely faster or slower than the one before (paired 95% intervals)"
    } else if steps.iter().all(|step| *step != Trend::Down) {
        "never surely faster from one step to the next (paired 95% intervals)"
    } else if steps.iter().all(|step| *step != Trend::Up) {
        "never surely slower from one step to the next (paired 95% intervals)"
    } else {
        "faster at some steps and slower at others (paired 95% intervals)"
    };
    format!(
        "With {} from {} to {} the mean {name} goes from {} to {}, {course}. {}",
        short_key(&sweep.heading.keys[0]),
        sweep.labels.first().map_or("", String::as_str),
        sweep.labels.last().map_or("", String::as_str),
        length(first.value),
        length(last.value),
        theory(sweep, &means),
    )
}

/// The difference of each configuration's mean latency to the first, and whether it is significant.
fn against_the_first(sweep: &Sweep<'_>, name: &str, first: Estimate) -> String {
    let base = &sweep.summaries[0];
    let one = |(label, summary): (&String, &Summary)| {
        let difference = summary.slower_than(base, sweep.function)?;
        let size = length(difference.value.abs());
        let direction = if difference.value < 0.0 { "less" } else { "more" };
        let sure = match (difference.low, difference.high) {
            (Some(low), Some(high)) if low > 0.0 || high < 0.0 => "",
            _ => ", which may be chance",
        };
        Some(format!("{label} {size} {direction}{sure}"))
    };
    let others: Vec<String> =
        sweep.labels.iter().zip(&sweep.summaries).skip(1).filter_map(one).collect();
    format!(
        "A {name} takes {} in the mean as the file is; {} (paired over the same seeds).",
        length(first.value),
        others.join("; "),
    )
}

/// How well measured means agree with the closed form.
fn theory(sweep: &Sweep<'_>, means: &[Estimate]) -> String {
    let known: Vec<(f64, Estimate)> = sweep
        .theory
        .iter()
        .zip(means)
        .filter_map(|(moments, mean)| Some((moments.as_ref()?.mean, *mean)))
        .filter(|(expected, _)| *expected > 0.0)
        .collect();
    // Without an interval nothing can be said about agreement.
    if known.is_empty() || known.iter().any(|(_, mean)| mean.low.is_none()) {
        return String::new();
    }
    let error = |(expected, mean): &(f64, Estimate)| (mean.value / expected - 1.0).abs();
    let worst = known.iter().map(error).fold(0.0, f64::max);
    // With few runs the mean may be further off, but the interval is wide, too.
    let agrees = |(expected, mean): &(f64, Estimate)| {
        let (low, high) = mean.ends();
        error(&(*expected, *mean)) <= AGREEMENT || (low..=high).contains(expected)
    };
    let verdict = if known.iter().all(agrees) {
        "agrees with the closed form"
    } else {
        "is not the closed form"
    };
    let what = if known.len() < means.len() { "Where theory says anything it" } else { "That" };
    format!(
        "{what} {verdict}, from which it is off by at most {}: a write is answered by its k-th \
         fastest confirmation of n, so it takes the k-th order statistic of n delays, and the more \
         confirmations it waits for, the further it reaches into the slow tail of the delays.",
        Share(worst),
    )
}

/// The fastest point that attains the goal, and what the others lack.
fn choice(sweep: &Sweep<'_>, goal: &Goal) -> String {
    let judged: Vec<Vec<(&str, Attainment)>> =
        sweep.summaries.iter().map(|s| goal.judge(s, sweep.function)).collect();
    let lacks = |judged: &[(&str, Attainment)]| {
        judged.iter().any(|(_, attained)| matches!(attained, Attainment::No(_)))
    };
    let doubts = |judged: &[(&str, Attainment)]| {
        judged.iter().any(|(_, attained)| matches!(attained, Attainment::Uncertain(_)))
    };
    let mean = |place: usize| {
        let latency = sweep.reported(&sweep.summaries[place]).and_then(|f| f.latency.as_ref());
        latency.map_or(f64::INFINITY, |latency| latency.mean.value)
    };
    let best = (0..judged.len()).filter(|place| !lacks(&judged[*place])).min_by(|a, b| {
        (doubts(&judged[*a]), mean(*a))
            .partial_cmp(&(doubts(&judged[*b]), mean(*b)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let why = |place: &usize| {
        let lacking = judged[*place].iter().filter_map(|(part, attained)| match attained {
            Attainment::No(why) => Some(format!("{part}: {why}")),
            Attainment::Yes | Attainment::Uncertain(_) => None,
        });
        format!("{} ({})", sweep.labels[*place], lacking.collect::<Vec<_>>().join("; "))
    };
    let Some(best) = best else {
        let all: Vec<String> = (0..judged.len()).map(|place| why(&place)).collect();
        return format!("For \"{}\" no point will do: {}.", goal.text(), short_list(&all));
    };
    let lacking: Vec<usize> = (0..judged.len()).filter(|place| lacks(&judged[*place])).collect();
    let others = match lacking.len() {
        0 => "All points will do, as far as these runs tell.".to_owned(),
        _ => {
            let why: Vec<String> = lacking.iter().map(why).collect();
            format!("Not {}.", short_list(&why))
        }
    };
    let faster: Vec<&str> = (0..judged.len())
        .filter(|place| !lacks(&judged[*place]) && mean(*place) < mean(best))
        .map(|place| sweep.labels[place].as_str())
        .collect();
    let fastest = match faster.len() {
        0 => "It is the fastest that will do.".to_owned(),
        _ => format!("Faster, but not sure to do: {}.", list(&faster)),
    };
    let doubt = judged[best].iter().find_map(|(part, attained)| match attained {
        Attainment::Uncertain(why) => {
            Some(format!(" It is not sure ({part}: {why}); more seeds would tell."))
        }
        Attainment::Yes | Attainment::No(_) => None,
    });
    format!(
        "For \"{}\" choose {}. {fastest} {others}{}",
        goal.text(),
        sweep.labels[best],
        doubt.unwrap_or_default()
    )
}

/// How the mean latency changes from one point to the next, under the same seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trend {
    Up,
    Down,
    Level,
}

impl Trend {
    fn of(before: &Summary, after: &Summary, function: Function) -> Self {
        let Some(difference) = after.slower_than(before, function) else { return Self::Level };
        match (difference.low, difference.high) {
            (Some(low), _) if low > 0.0 => Self::Up,
            (_, Some(high)) if high < 0.0 => Self::Down,
            _ => Self::Level,
        }
    }
}

fn extreme(means: &[Estimate], better: fn(f64, f64) -> bool) -> usize {
    let keep = |best: usize, place: usize| {
        if better(means[place].value, means[best].value) { place } else { best }
    };
    (0..means.len()).reduce(keep).unwrap_or(0)
}

fn places<'a>(sweep: &'a Sweep<'_>, wanted: impl Fn(&Summary) -> bool) -> Vec<&'a str> {
    let fitting = sweep.labels.iter().zip(&sweep.summaries).filter(|(_, s)| wanted(s));
    fitting.map(|(label, _)| label.as_str()).collect()
}

/// The first five items, and how many more there are.
fn short_list(items: &[String]) -> String {
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    list(&items)
}

fn list(items: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = items[..items.len().min(SHOWN)].join("; ");
    match items.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn percent(share: Estimate) -> String {
    Share(share.value).to_string()
}

/// A share as a percentage with two significant digits.
pub(super) struct Share(pub(super) f64);

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = self.0 * 100.0;
        let decimals = if percent >= 10.0 || percent == 0.0 {
            0
        } else if percent >= 0.1 {
            1
        } else {
            3
        };
        write!(f, "{percent:.decimals$}%")
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    format!("{}{}", first.to_uppercase(), letters.as_str())
}

fn sentence(text: &str) -> String {
    format!("{}.", capital(text.trim_end_matches('.')))
}

//! Goals for a configuration, and which points attain them, as in
//! `p99 under 800ms and no loss when one node dies`.

use std::ops::Range;

use super::length;
use super::summary::{Estimate, Summary};
use crate::history::Function;
use crate::scenario::{Diagnostics, duration, percentage};

/// A goal: everything that is wanted of a point. Read with [`Goal::parse`], judged with
/// [`Goal::judge`].
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    text: String,
    clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
struct Clause {
    text: String,
    criterion: Criterion,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Criterion {
    /// The mean latency of the main function is at most this many nanoseconds.
    Mean(f64),
    /// A percentile, in thousandths, of the main function is at most this many nanoseconds.
    Percentile(u32, f64),
    /// The longest latency of the main function is at most this many nanoseconds.
    Longest(f64),
    /// No acknowledged write is lost in any run.
    NoLoss,
    /// No acknowledged write is lost in any run, and each is on this many other nodes when it is
    /// acknowledged.
    Survives(u16),
    /// At most this share of the reads is stale.
    Stale(f64),
    /// At least this share of the operations completes ok.
    Availability(f64),
    /// The longest recovery from the loss of a leader takes at most this many nanoseconds.
    Recovery(f64),
}

/// Whether a point attains a clause of a goal.
#[derive(Clone, Debug, PartialEq)]
pub enum Attainment {
    /// It does.
    Yes,
    /// The estimate does, but not all of its interval: why it is uncertain.
    Uncertain(String),
    /// It does not: why.
    No(String),
}

const FORMS: &str = "a goal is one or more of these, joined by `and`: `p99 under 800ms` (mean, \
                     p50, p90, p95, p99, p99.9, max), `no loss`, `no loss when one node dies` (one \
                     to nine), `no stale reads`, `stale reads under 1%`, `availability above 99%`, \
                     `recovery under 5s`";

impl Goal {
    /// Reads a goal.
    ///
    /// # Errors
    ///
    /// When a clause has none of the known forms.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        let mut clauses = Vec::new();
        for part in parts(text) {
            let clause = &text[part.clone()];
            let criterion = Criterion::parse(clause).ok_or_else(|| {
                Diagnostics::of_argument(
                    "--goal",
                    text,
                    part,
                    "this is no goal that can be judged",
                    "not understood",
                    FORMS,
                )
            })?;
            clauses.push(Clause { text: clause.to_owned(), criterion });
        }
        Ok(Self { text: text.to_owned(), clauses })
    }

    /// The goal as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a point attains each clause.
    #[must_use]
    pub fn judge(&self, summary: &Summary, main: Function) -> Vec<(&str, Attainment)> {
        let judge = |clause: &Clause| clause.criterion.judge(summary, main);
        self.clauses.iter().map(|clause| (clause.text.as_str(), judge(clause))).collect()
    }
}

/// The clauses: the parts between `and` and commas, trimmed.
fn parts(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut ends: Vec<(usize, usize)> =
        lower.match_indices(" and ").map(|(at, found)| (at, at + found.len())).collect();
    ends.extend(text.match_indices(',').map(|(at, found)| (at, at + found.len())));
    ends.sort_unstable();
    ends.push((text.len(), text.len()));
    let mut from = 0;
    ends.into_iter()
        .map(|(to, next)| {
            let raw = &text[from.min(to)..to];
            let start = from.min(to) + (raw.len() - raw.trim_start().len());
            from = next;
            start..start + raw.trim().len()
        })
        .collect()
}

impl Criterion {
    fn parse(clause: &str) -> Option<Self> {
        let lower = clause.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().filter(|word| *word != "latency").collect();
        let bound = |words: &[&str], lower: bool| -> Option<String> {
            let (under, over): (&[&str], &[&str]) = (
                &["under", "below", "at most", "<", "<=", "within"],
                &["above", "over", "at least", ">", ">="],
            );
            let text = words.join(" ");
            let known = if lower { over } else { under };
            let value = known.iter().filter_map(|word| text.strip_prefix(word)).map(str::trim);
            value.filter(|value| !value.is_empty()).min_by_key(|value| value.len()).map(tight)
        };
        let length =
            |words: &[&str]| duration(&bound(words, false)?).ok().map(|span| span.nanos() as f64);
        let share = |words: &[&str], lower| {
            let parts = percentage(&bound(words, lower)?)?.parts_per_billion();
            Some(f64::from(parts) / 1e9)
        };
        match words.as_slice() {
            ["no", "loss"] | ["no", "lost", "writes"] => Some(Self::NoLoss),
            ["no", "loss", "when", count, "node" | "nodes", "dies" | "die"] => {
                Some(Self::Survives(number(count)?))
            }
            ["no", "stale", "reads"] => Some(Self::Stale(0.0)),
            ["stale", "reads", rest @ ..] => share(rest, false).map(Self::Stale),
            ["availability", rest @ ..] => share(rest, true).map(Self::Availability),
            ["recovery", rest @ ..] => length(rest).map(Self::Recovery),
            ["mean", rest @ ..] => length(rest).map(Self::Mean),
            ["max", rest @ ..] => length(rest).map(Self::Longest),
            [percentile, rest @ ..] => {
                let per_mille = match *percentile {
                    "p50" | "median" => 500,
                    "p90" => 900,
                    "p95" => 950,
                    "p99" => 990,
                    "p99.9" | "p999" => 999,
                    _ => return None,
                };
                length(rest).map(|bound| Self::Percentile(per_mille, bound))
            }
            [] => None,
        }
    }

    fn judge(self, summary: &Summary, main: Function) -> Attainment {
        let main = summary.function(main);
        let latency = main.and_then(|function| function.latency.as_ref());
        let censored = main.map_or(0, |function| function.censored);
        match self {
            Self::Mean(bound) => {
                match at_most(latency.map(|latency| latency.mean), bound, length) {
                    Attainment::Yes if censored > 0 => {
                        Attainment::Uncertain(format!("{censored} got no answer in time"))
                    }
                    attained => attained,
                }
            }
            Self::Percentile(per_mille, bound) => {
                match latency.and_then(|latency| latency.percentile(per_mille)) {
                    None if censored > 0 => {
                        Attainment::No(format!("{censored} got no answer in time"))
                    }
                    estimate => at_most(estimate, bound, length),
                }
            }
            Self::Longest(bound) => {
                let max = latency.map(|latency| latency.max as f64);
                match max {
                    _ if censored > 0 => {
                        Attainment::No(format!("{censored} got no answer in time"))
                    }
                    Some(max) if max <= bound => Attainment::Yes,
                    Some(max) => Attainment::No(length(max)),
                    None => Attainment::No("nothing completed".to_owned()),
                }
            }
            Self::NoLoss => no_loss(summary),
            // What the runs lost says more than how many nodes had a copy.
            Self::Survives(_) if no_loss(summary) != Attainment::Yes => no_loss(summary),
            Self::Survives(nodes) => match summary.least_confirmations {
                Some(least) if least >= nodes => Attainment::Yes,
                Some(least) => Attainment::No(format!(
                    "a write is acknowledged with {least} other {} having it",
                    if least == 1 { "node" } else { "nodes" }
                )),
                None => Attainment::No("no answer tells who has a write".to_owned()),
            },
            Self::Stale(bound) => match summary.stale_share {
                Some(share) => at_most(Some(share), bound, percent),
                None => Attainment::No("nothing was read".to_owned()),
            },
            Self::Availability(bound) => match summary.availability {
                Some(share) if share.value < bound => Attainment::No(percent(share.value)),
                Some(share) if share.ends().0 < bound => Attainment::Uncertain(format!(
                    "its interval reaches {}",
                    percent(share.ends().0)
                )),
                Some(_) => Attainment::Yes,
                None => Attainment::No("nothing was asked".to_owned()),
            },
            Self::Recovery(_) if summary.leaders_lost == 0 => {
                Attainment::No("no leader was lost".to_owned())
            }
            Self::Recovery(bound) => match (summary.unrecovered, summary.longest_recovery as f64) {
                (0, longest) if longest <= bound => Attainment::Yes,
                (0, longest) => Attainment::No(length(longest)),
                (some, _) => Attainment::No(format!("{some} lost leaders were never replaced")),
            },
        }
    }
}

fn no_loss(summary: &Summary) -> Attainment {
    match summary.lost_allowed + summary.lost_violating {
        _ if summary.acknowledged == 0 => Attainment::No("nothing was acknowledged".to_owned()),
        0 => Attainment::Yes,
        lost => Attainment::No(format!("{lost} of {} are lost", summary.acknowledged)),
    }
}

/// Whether an estimate is at most a bound, and its interval, too.
fn at_most(estimate: Option<Estimate>, bound: f64, show: fn(f64) -> String) -> Attainment {
    match estimate {
        None => Attainment::No("too few operations completed to tell".to_owned()),
        Some(estimate) if estimate.value > bound => Attainment::No(show(estimate.value)),
        Some(Estimate { low: Some(_), high: None, .. }) => {
            Attainment::Uncertain("its interval ends beyond all that was seen".to_owned())
        }
        // With a bound of 0 the interval does not count: even around a share of 0 it is not empty.
        Some(estimate) if bound > 0.0 && estimate.ends().1 > bound => {
            Attainment::Uncertain(format!("its interval reaches {}", show(estimate.ends().1)))
        }
        Some(_) => Attainment::Yes,
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// `text` without spaces: scenario files write `800ms`, not `800 ms`.
fn tight(text: &str) -> String {
    text.split_whitespace().collect()
}

fn number(word: &str) -> Option<u16> {
    const NUMBERS: [&str; 9] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let named = NUMBERS.iter().position(|number| *number == word).map(|place| place as u16 + 1);
    named.or_else(|| word.parse().ok().filter(|number| (1..=9).contains(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_part_by_part() {
        let kinds = |text: &str| -> Vec<Criterion> {
            let goal = Goal::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            goal.clauses.iter().map(|clause| clause.criterion).collect()
        };
        assert_eq!(
            kinds("p99 under 800 ms and no loss when one node dies"),
            [Criterion::Percentile(990, 8e8), Criterion::Survives(1)]
        );
        assert_eq!(
            kinds("mean latency below 1.5s, availability at least 99.9%, no loss, p99.9 <= 2s"),
            [
                Criterion::Mean(1.5e9),
                Criterion::Availability(0.999),
                Criterion::NoLoss,
                Criterion::Percentile(999, 2e9)
            ]
        );
        assert_eq!(
            kinds(
                "no stale reads and stale reads under 1% and recovery within 5s and max under 1s"
            ),
            [
                Criterion::Stale(0.0),
                Criterion::Stale(0.01),
                Criterion::Recovery(5e9),
                Criterion::Longest(1e9)
            ]
        );
    }

    #[test]
    fn what_cannot_be_judged_is_pointed_at() {
        for (goal, part) in [
            ("p99 under 800ms and peace on earth", "peace on earth"),
            ("p98 under 1s", "p98 under 1s"),
            ("p99 under fast", "p99 under fast"),
            ("p99 above 1s", "p99 above 1s"),
            ("no loss when ten nodes die", "no loss when ten nodes die"),
            ("", ""),
        ] {
            let shown = Goal::parse(goal).expect_err(goal).render(false);
            assert!(shown.contains("no goal that can be judged"), "{shown}");
            assert!(shown.contains("^") && shown.contains(part), "{shown}");
        }
    }
}

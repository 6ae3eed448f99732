//! Verifying determinism: a run is played twice, and the first difference is found.

use crate::report::layout::moment;
use crate::run::diff::{EventDigest, first_difference};
use crate::run::{RunOptions, RunResult};

/// The result of playing a run twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Both runs have the same digest.
    Same,
    /// The runs differ.
    Differs(Box<Difference>),
}

impl Verification {
    pub(crate) const fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }
}

/// The first difference of two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The first event that differs, counted from 0; one past the last if only the digests differ.
    event: usize,
    /// Each run's step there; `None` for a run that had ended.
    steps: [Option<EventDigest>; 2],
    /// The first lines that differ in the traces of two more runs, if those differ, too.
    lines: Option<[String; 2]>,
}

/// Plays the run again and compares. `first` was played with the same `options`, which record
/// steps.
pub(crate) fn verify(
    first: &RunResult,
    options: RunOptions,
    play: &dyn Fn(RunOptions) -> RunResult,
) -> Verification {
    let second = play(options);
    if first.digest == second.digest {
        return Verification::Same;
    }
    let (event, steps) = first_difference(&first.steps, &second.steps);
    // Two more runs, with traces: tracing every verified run would cost far more, and is hardly
    // ever needed.
    let traced = || play(RunOptions { trace: true, ..options }).trace.unwrap_or_default();
    let lines = first_differing_line(&traced(), &traced());
    Verification::Differs(Box::new(Difference { event, steps, lines }))
}

fn first_differing_line(a: &str, b: &str) -> Option<[String; 2]> {
    let (mut a, mut b) = (a.lines(), b.lines());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |line: Option<&str>| line.unwrap_or("(the run had ended)").to_owned();
                return Some([shown(a), shown(b)]);
            }
        }
    }
}

impl Difference {
    /// The difference in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let when = self.steps.iter().flatten().map(|(at, _)| *at).min();
        let when = when.map_or_else(String::new, |at| format!(", at {}", moment(at)));
        let what = match &self.lines {
            Some([a, b]) => format!("`{}` in the one, `{}` in the other", a.trim(), b.trim()),
            None => "with a trace they were the same".to_owned(),
        };
        format!("first in event {}{when}: {what}", self.event)
    }

    /// The difference in words, several lines.
    pub(crate) fn describe(&self, scenario: &str, seed: u64) -> String {
        let step = |step: Option<EventDigest>| match step {
            Some((at, digest)) => format!("at {at}s, digest {digest}"),
            None => "no such event".to_owned(),
        };
        let when = self.steps.iter().flatten().map(|(at, _)| *at).min();
        let when = when.map_or_else(String::new, |at| format!(", at {}", moment(at)));
        let mut text = format!(
            "two runs of {scenario} with seed {seed} differ, first in event {}{when}\n  \
             first   {}\n  second  {}\n",
            self.event,
            step(self.steps[0]),
            step(self.steps[1]),
        );
        text.push_str(&match &self.lines {
            Some([a, b]) => format!("run again with a trace:\n  first   {a}\n  second  {b}\n"),
            None => "run twice again with a trace, they were the same\n".to_owned(),
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::digest::DigestValue;
    use crate::report::sample;
    use crate::time::Time;

    fn run_that(steps: &[(u64, u64)], trace: &str) -> RunResult {
        let mut result = sample::run().1;
        result.steps =
            steps.iter().map(|(at, d)| (Time::from_nanos(*at), DigestValue(*d))).collect();
        result.digest = result.steps.last().unwrap().1;
        result.trace = Some(trace.to_owned());
        result
    }

    #[test]
    fn equal_runs_are_the_same() {
        let first = run_that(&[(1, 10), (2, 20)], "");
        let again = |_| run_that(&[(1, 10), (2, 20)], "");
        assert_eq!(verify(&first, RunOptions::default(), &again), Verification::Same);
    }

    #[test]
    fn the_first_differing_event_is_named_with_both_trace_lines() {
        let first = run_that(&[(1, 10), (2, 20), (3, 30)], "");
        let calls = Cell::new(0);
        let again = |_| {
            calls.set(calls.get() + 1);
            let trace = if calls.get() == 2 { "one\ntwo\nthree" } else { "one\nzwei\nthree" };
            run_that(&[(1, 10), (2, 21), (3, 31)], trace)
        };
        let Verification::Differs(difference) = verify(&first, RunOptions::default(), &again)
        else {
            panic!("they differ");
        };
        assert_eq!(difference.event, 1);
        let text = difference.describe("quickstart", 7);
        assert!(text.starts_with("two runs of quickstart with seed 7 differ, first in event 1"));
        assert!(text.contains("  first   two\n  second  zwei\n"), "{text}");
        let sentence = difference.sentence();
        assert_eq!(sentence, "first in event 1, at 0.000s: `two` in the one, `zwei` in the other");
    }

    #[test]
    fn a_run_that_ended_early_differs_where_it_ended() {
        let a = [(Time::ZERO, DigestValue(1)), (Time::ZERO, DigestValue(2))];
        assert_eq!(first_difference(&a, &a[..1]), (1, [Some(a[1]), None]));
        assert_eq!(first_differing_line("x", "x\ny").unwrap()[1], "y");
        assert_eq!(first_differing_line("x", "x\n"), None);
    }
}

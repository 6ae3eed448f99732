//! A run, or many, as people read it: the verdicts first, then the figures, then how to see it again.
//!
//! Everything fits eighty columns. Colour, where there is any, is on verdict words alone, and no word means
//! something only by its colour.

use std::fmt::Write as _;

use crate::check::{CheckReport, Verdict};
use crate::config::ExpectedVerdict;
use crate::history::Function;
use crate::metrics::{LastWrite, Latency, Leadership, MessageCounts, Settlement, Standstill};
use crate::named::Named;
use crate::property::Promise;
use crate::report::availability;
use crate::report::layout::{WIDTH, counted, grouped, moment, width, wrap};
use crate::report::remark::discarded;
use crate::report::tally::{Notable, Tally};
use crate::report::{Check, FaultAct, NeverStarted, OperationCounts, Report};
use crate::run::RunVerdict;
use crate::time::Time;

/// Where the text of a section starts.
const LABEL: usize = 14;
/// Where the text of a verdict starts: after the longest verdict word.
const VERDICT: usize = 13;
/// How many lines a list may have before the rest of it is only counted.
const LINES: usize = 12;

/// What a report says besides the run itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The commands that do it again: all of it, then the part to look at.
    pub commands: Vec<String>,
    /// Where its files are, when it left any.
    pub written: Option<String>,
    /// The pictures among them.
    pub pictures: Vec<&'static str>,
    /// What doing it twice showed, when that was asked for.
    pub verified: Option<String>,
}

/// One line: the verdict, the title, the seed, the digest.
#[must_use]
pub fn verdict_line(report: &Report, color: bool) -> String {
    let word = verdict_word(report.verdict, color);
    format!("{word}  {}  seed {}  digest {}\n", report.title, report.seed, report.digest)
}

/// One line for many runs: the verdict, the title, how many of them passed.
#[must_use]
pub fn tally_line(tally: &Tally, verdict: RunVerdict, color: bool) -> String {
    format!("{}  {}  {}\n", verdict_word(verdict, color), tally.title, outcomes(tally))
}

/// Everything worth knowing of one run.
#[must_use]
pub fn run(report: &Report, notes: &Notes, color: bool) -> String {
    let mut page = Page { out: String::new(), color };
    let aside = format!("seed {}  digest {}", report.seed, report.digest);
    page.heading(report.verdict, &report.title, &aside);
    for reason in report.reasons() {
        page.line(&wrap(&reason, 6, false));
    }
    page.gap();
    page.checks(&report.checks);
    page.gap();
    page.latencies("Latency", &report.latencies);
    page.operations(&report.operations);
    page.section("Availability", &availability::lines(report));
    page.messages(&report.messages);
    page.section("Leaders", &leaders(&report.leaderships));
    page.section("Last write", report.last_write.map(last_write).as_slice());
    page.section("Faults", &faults(&report.faults, &report.never));
    page.section("Warnings", &shortened(report.warnings.iter().cloned(), "warnings"));
    page.section("End", &[ending(report)]);
    if let Settlement::Unsettled { waiting_for } = &report.settlement {
        page.section("Waiting for", waiting_for);
    }
    page.expectations(report);
    page.gap();
    page.notes(notes);
    page.out
}

/// Everything worth knowing of many runs.
#[must_use]
pub fn runs(tally: &mut Tally, verdict: RunVerdict, notes: &Notes, color: bool) -> String {
    let mut page = Page { out: String::new(), color };
    page.heading(verdict, &tally.title, &outcomes(tally));
    page.gap();
    page.counts(tally);
    page.gap();
    let latencies = tally.latencies();
    page.latencies("Latency", &latencies);
    page.operations(&tally.operations);
    page.messages(&tally.messages);
    page.notable(tally);
    page.gap();
    page.notes(notes);
    page.out
}

/// How several scenarios fared, in a line.
#[must_use]
pub fn closing(verdicts: &[RunVerdict]) -> String {
    let count = |verdict| verdicts.iter().filter(|one| **one == verdict).count() as u64;
    let outcomes = [RunVerdict::Pass, RunVerdict::Fail, RunVerdict::Unknown]
        .map(|verdict| (count(verdict), verdict.name()));
    format!("{}: {}\n", counted(verdicts.len() as u64, "scenario"), nonzero(&outcomes))
}

/// A text that is being laid out.
struct Page {
    out: String,
    color: bool,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// An empty line, unless there is one already.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// The verdict and the title, with `aside` at the right, or below where it does not fit.
    fn heading(&mut self, verdict: RunVerdict, title: &str, aside: &str) {
        let word = verdict_word(verdict, self.color);
        // The word is coloured: its width is that of its name.
        let start = verdict.name().len() + 2;
        let used = start + width(title);
        if used + 2 + width(aside) <= WIDTH {
            let fill = " ".repeat(WIDTH - used - width(aside));
            self.line(&format!("{word}  {title}{fill}{aside}"));
        } else {
            let title = wrap(title, start, false);
            self.line(&format!("{word}  {}", title.trim_start()));
            self.line(&format!("{}{aside}", " ".repeat(start)));
        }
    }

    /// The label, and each of `lines` wrapped and hanging beside it; nothing when there are no lines.
    fn section(&mut self, label: &str, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            // Only what is too long is wrapped: aligned columns keep their spaces.
            if LABEL + width(line) <= WIDTH {
                self.line(&format!("{label:LABEL$}{line}"));
            } else {
                let wrapped = wrap(line, LABEL, false);
                self.line(&format!("{label:LABEL$}{}", wrapped.trim_start()));
            }
        }
    }

    /// What did not hold first, the worst first; what held on one line.
    fn checks(&mut self, checks: &[Check]) {
        let worst_first =
            [ExpectedVerdict::Violation, ExpectedVerdict::Unknown, ExpectedVerdict::Allowed];
        for verdict in worst_first {
            for check in checks.iter().filter(|check| check.report.judged == verdict) {
                self.check(check);
            }
        }
        let valid = checks.iter().filter(|check| check.report.judged == ExpectedVerdict::Valid);
        let (remarked, plain): (Vec<&Check>, Vec<&Check>) =
            valid.partition(|check| discarded(&check.report).is_some());
        for check in remarked {
            let name = check.report.property.name();
            let remark = discarded(&check.report).unwrap_or_default();
            self.verdict(ExpectedVerdict::Valid, &format!("{name}, at the end"));
            self.line(&wrap(&remark, VERDICT, false));
        }
        let names: Vec<_> = plain.iter().map(|check| check.report.property.name()).collect();
        if !names.is_empty() {
            self.verdict(ExpectedVerdict::Valid, &names.join(", "));
        }
        let unchecked =
            checks.iter().filter(|check| check.report.judged == ExpectedVerdict::Unchecked);
        let names: Vec<_> = unchecked.map(|check| check.report.property.name()).collect();
        if !names.is_empty() {
            let names = format!("{} (no bound is set)", names.join(", "));
            self.verdict(ExpectedVerdict::Unchecked, &names);
        }
        let met = |verdict| checks.iter().any(|check| check.report.judged == verdict);
        // A reader meets "allowed" in every second report and must not take it for "held".
        if met(ExpectedVerdict::Allowed) {
            self.gap();
            self.line("  (allowed: it was broken, and this configuration does not promise it)");
        }
    }

    fn check(&mut self, Check { report, expected, voided, .. }: &Check) {
        let mut title = report.property.name().to_owned();
        let explanation = match &report.verdict {
            Verdict::Valid => None,
            Verdict::Unknown(reason) | Verdict::Unchecked(reason) => Some(reason),
            Verdict::Invalid(witness) => Some(&witness.summary),
        };
        if *expected == Some(report.judged) {
            title.push_str(", as the scenario expects");
        } else if report.misses_a_bound() && expected.is_none() {
            title.push_str(", though the scenario sets a bound");
        }
        self.verdict(report.judged, &title);
        if let Some(explanation) = explanation {
            self.line(&wrap(explanation, VERDICT, false));
        }
        if report.judged != ExpectedVerdict::Unknown {
            self.line(&wrap(&promise(report, voided), VERDICT, false));
        }
    }

    fn verdict(&mut self, verdict: ExpectedVerdict, text: &str) {
        let name = verdict.name();
        let paint = match verdict {
            ExpectedVerdict::Valid => GREEN,
            ExpectedVerdict::Violation => RED,
            ExpectedVerdict::Allowed | ExpectedVerdict::Unknown | ExpectedVerdict::Unchecked => {
                YELLOW
            }
        };
        let fill = " ".repeat(VERDICT - 2 - name.len());
        let text = wrap(text, VERDICT, true);
        self.line(&format!("  {}{fill}{text}", painted(name, paint, self.color)));
    }

    /// How often each verdict was given.
    fn counts(&mut self, tally: &Tally) {
        let mut head = format!("{:22}", "Verdicts");
        for verdict in ExpectedVerdict::all() {
            let _ = write!(head, "{:>11}", verdict.name());
        }
        self.line(&head);
        for (property, counts) in &tally.checks {
            let mut row = format!("  {:20}", property.name());
            for count in counts {
                let shown = if *count == 0 { "-".to_owned() } else { grouped(*count) };
                let _ = write!(row, "{shown:>11}");
            }
            self.line(&row);
        }
    }

    fn latencies(&mut self, label: &str, latencies: &[(Function, Latency)]) {
        if latencies.is_empty() {
            return;
        }
        let heads = ["mean", "p50", "p95", "p99", "p99.9", "max"];
        let mut head = format!("{label:LABEL$}{:>9}", "count");
        for name in heads {
            let _ = write!(head, "{name:>9}");
        }
        self.line(&head);
        for (function, latency) in latencies {
            let Latency { count, mean, p50, p95, p99, p999, max } = *latency;
            let mut row = format!("  {:12}{:>9}", function.name(), grouped(count));
            for span in [mean, p50, p95, p99, p999, max] {
                let _ = write!(row, "{:>9}", span.short());
            }
            self.line(&row);
        }
        self.gap();
    }

    fn operations(&mut self, counts: &OperationCounts) {
        let fates = [(counts.ok, "ok"), (counts.fail, "failed"), (counts.info, "unknown")];
        let mut lines = vec![format!("{} invoked: {}", grouped(counts.invoked), nonzero(&fates))];
        if counts.invoked == 0 {
            lines = vec!["none".to_owned()];
        }
        if counts.degraded > 0 {
            let many = grouped(counts.degraded);
            lines.push(format!("{many} answered with fewer confirmations than asked for"));
        }
        if counts.unserved.count > 0 {
            let (many, wait) =
                (counted(counts.unserved.count, "arrival"), counts.unserved.longest_wait);
            lines.push(format!(
                "{many} found no free client and were never invoked; the first had waited {}",
                wait.short()
            ));
        }
        let why: Vec<_> = counts
            .reasons()
            .map(|(failure, count)| format!("{} {}", grouped(count), failure.name()))
            .collect();
        if !why.is_empty() {
            lines.push(format!("errors: {}", why.join(", ")));
        }
        self.section("Operations", &lines);
    }

    fn messages(&mut self, counts: &MessageCounts) {
        let fates = [
            (counts.delivered, "delivered"),
            (counts.lost, "lost"),
            (counts.blocked, "blocked"),
            (counts.duplicated, "duplicated"),
        ];
        let line = format!("{} sent: {}", grouped(counts.sent), nonzero(&fates));
        let line = if counts.sent == 0 { "none".to_owned() } else { line };
        self.section("Messages", &[line]);
    }

    fn expectations(&mut self, report: &Report) {
        let all = report.expectations.len() as u64;
        let mut lines = Vec::new();
        let unmet = report.expectations.iter().filter(|expectation| !expectation.met);
        for expectation in unmet {
            lines.push(format!("not met: {}", expectation.name));
            lines.push(format!("  found: {}", expectation.found));
        }
        match (lines.len() as u64 / 2, all) {
            (_, 0) => {}
            (0, 1) => lines.push("met".to_owned()),
            (0, _) => lines.push(format!("all {all} met")),
            (unmet, _) => lines.insert(0, format!("{unmet} of {all} not met")),
        }
        self.section("Expectations", &lines);
    }

    fn notable(&mut self, tally: &Tally) {
        let longest = tally.notable.iter().map(|one| one.seed.to_string().len()).max().unwrap_or(0);
        let line = |Notable { seed, verdict, reasons }: &Notable| {
            format!("seed {seed:longest$}  {}  {}", verdict.name(), reasons.join("; "))
        };
        let mut lines: Vec<_> = tally.notable.iter().map(line).collect();
        let rest = tally.fail + tally.unknown - tally.notable.len() as u64;
        if rest > 0 {
            lines.push(format!("and {}", counted(rest, "more run")));
        }
        self.section("Not passed", &lines);
    }

    fn notes(&mut self, notes: &Notes) {
        if let Some(verified) = &notes.verified {
            self.line(&format!("verified: {verified}"));
            self.gap();
        }
        // Commands and paths are for copying: never broken.
        for (i, command) in notes.commands.iter().enumerate() {
            let label = if i == 0 { "Reproduce" } else { "" };
            self.line(&format!("{label:LABEL$}{command}"));
        }
        if let Some(written) = &notes.written {
            self.line(&format!("{:LABEL$}{written}", "Written to"));
            if !notes.pictures.is_empty() {
                self.line(&format!("{:LABEL$}{}", "Pictures", notes.pictures.join(", ")));
            }
        }
    }
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";

fn painted(text: &str, paint: &str, color: bool) -> String {
    if color { format!("{paint}{text}\x1b[0m") } else { text.to_owned() }
}

fn verdict_word(verdict: RunVerdict, color: bool) -> String {
    let (word, paint) = match verdict {
        RunVerdict::Pass => ("PASS", GREEN),
        RunVerdict::Fail => ("FAIL", RED),
        RunVerdict::Unknown => ("UNKNOWN", YELLOW),
    };
    painted(word, paint, color)
}

/// The counts that are not 0: `3 ok, 1 failed`.
fn nonzero(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let texts: Vec<_> = some.map(|(count, name)| format!("{} {name}", grouped(*count))).collect();
    texts.join(", ")
}

fn outcomes(tally: &Tally) -> String {
    let outcomes = [(tally.pass, "pass"), (tally.fail, "fail"), (tally.unknown, "unknown")];
    format!("{}: {}", counted(tally.runs(), "run"), nonzero(&outcomes))
}

/// How much of what voided a promise is told; JSON has all of it.
const CAUSES_SHOWN: usize = 3;

/// What the configuration promises of a broken property, and whether that covers the run.
fn promise(report: &CheckReport, voided: &[String]) -> String {
    match report.promise {
        Promise::Always { why } => format!("Promised: {why}"),
        Promise::Unless { why, .. } if voided.is_empty() => format!("Promised: {why}"),
        Promise::Unless { why, .. } => {
            let (shown, rest) = voided.split_at(voided.len().min(CAUSES_SHOWN));
            let mut because = shown.join(" and ");
            if !rest.is_empty() {
                because += &format!(" and {} more", rest.len());
            }
            format!("Not promised in this run, because {because} ({why})")
        }
        Promise::Never { why } => format!("Not promised: {why}"),
    }
}

/// How far followers were from the leader when the last write was answered.
fn last_write(last: LastWrite) -> String {
    let (at, all) = (moment(last.at), counted(last.replica_keys(), "replica-key"));
    let (some, leader) = (grouped(last.differing), last.leader);
    let for_how_long = match (last.differing, last.agreed_after()) {
        (0, _) => String::new(),
        (_, Some(after)) => format!(" for {}", after.short()),
        (_, None) => ", and some to the end".to_owned(),
    };
    format!("at {at}; then {some} of {all} differed from {leader}{for_how_long}")
}

fn leaders(leaderships: &[Leadership]) -> Vec<String> {
    let node_width = leaderships.iter().map(|one| one.node.to_string().len()).max().unwrap_or(0);
    let term_width = leaderships.iter().map(|one| one.term.to_string().len()).max().unwrap_or(0);
    let rows = leaderships.iter().map(|one| {
        let until = one.until.map_or_else(|| "the end".to_owned(), moment);
        let (node, from) = (one.node.to_string(), moment(one.from));
        format!("{node:node_width$}  term {:term_width$}  {from:>8} to {until}", one.term)
    });
    shortened(rows, "leaders")
}

fn faults(acts: &[FaultAct], never: &[NeverStarted]) -> Vec<String> {
    let rows = acts.iter().map(|act| {
        let event = if act.starts { "start" } else { "end" };
        let unnamed = act.fault.as_ref().filter(|id| !act.what.starts_with(id.as_str()));
        let id = unnamed.map_or_else(String::new, |id| format!("{id}: "));
        format!("{:>8}  {event:5}  {id}{}", moment(act.at), act.what)
    });
    let mut lines = shortened(rows, "faults");
    lines.extend(
        never.iter().map(|one| format!("{:>8}  start  {}: {}", "never", one.fault, one.why)),
    );
    lines
}

/// The first of `rows`, and where to find the rest.
fn shortened(rows: impl ExactSizeIterator<Item = String>, key: &str) -> Vec<String> {
    let all = rows.len();
    let mut lines: Vec<_> = rows.take(LINES).collect();
    if all > LINES {
        lines.push(format!("and {} more: `{key}` in result.json", all - LINES));
    }
    lines
}

fn ending(report: &Report) -> String {
    let ended = moment(report.ended_at);
    let events = counted(report.events, "event");
    let how = match &report.settlement {
        Settlement::Settled { after } if after.is_zero() => "settled at once".to_owned(),
        Settlement::Settled { after } => format!("settled in {}", after.short()),
        Settlement::Unsettled { .. } => "not settled".to_owned(),
        Settlement::Stuck { at, why } => stuck(*at, *why),
    };
    format!("at {ended}, after {events}; {how}")
}

fn stuck(at: Time, why: Standstill) -> String {
    match why {
        Standstill::Loop { events } => {
            format!("virtual time stood still at {} for {}", moment(at), counted(events, "event"))
        }
        Standstill::Crowd { pending } => format!(
            "stopped at {}: more than {} were pending, and there is room for no more",
            moment(at),
            counted(pending, "event")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::Property;
    use crate::report::sample;
    use crate::run::Expectation;

    fn notes() -> Notes {
        Notes {
            commands: vec!["splitbrain run scenarios/quickstart.toml --seed 1".to_owned()],
            written: Some("output/quickstart/1".to_owned()),
            pictures: Vec::new(),
            verified: None,
        }
    }

    #[test]
    fn a_run_is_told_in_full() {
        let (config, result) = sample::run();
        let (report, _) = Report::of("quickstart", &config, &result);
        let text = run(&report, &notes(), false);
        let expected = "\
PASS  A partition, and what it costs             seed 1  digest 0123456789abcdef

  violation  durability, as the scenario expects
             c1's put of city = Raleigh, acknowledged by n1 at 0.101s, was last
             seen on n1 and is on no node at the end.
             Promised: Every write waits for a majority.
  allowed    staleness
             A read missed a write.
             Not promised in this run, because a message from n1 to n2 was lost
             or blocked at 5.000000000 s (A follower applies what reaches it.)
  valid      convergence, lww-maximum, single-leader, read-your-writes,
             monotonic-reads, monotonic-writes, writes-follow-reads, replay,
             split-brain, liveness, resurrection, append-uniqueness
  unchecked  availability, replication-lag (no bound is set)

  (allowed: it was broken, and this configuration does not promise it)

Latency           count     mean      p50      p95      p99    p99.9      max
  put                 1    100ms    100ms    100ms    100ms    100ms    100ms
  list                1     50ms     50ms     50ms     50ms     50ms     50ms
  read-all            1     50ms     50ms     50ms     50ms     50ms     50ms

Operations    6 invoked: 3 ok, 1 failed, 2 unknown
              errors: 1 timeout, 1 not-leader
Messages      1,200 sent: 1,100 delivered, 60 lost, 40 blocked
Leaders       n1  term 1    0.000s to 12.400s
              n2  term 2   13.000s to the end
Last write    at 0.700s; then 3 of 8 replica-keys differed from n1 for 90ms
Faults         10.000s  start  split: partition n1 | n2 n3
               15.000s  end    split: partition n1 | n2 n3
End           at 31.200s, after 1,234 events; settled in 1.2s
Expectations  met

Reproduce     splitbrain run scenarios/quickstart.toml --seed 1
Written to    output/quickstart/1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_failed_run_says_why_at_the_top_and_what_was_found() {
        let (mut config, mut result) = sample::run();
        config.expect.checks.clear();
        config.title =
            "A title that is much too long to stand on one line with the seed".to_owned();
        result.verdict = RunVerdict::Fail;
        result.settlement = Settlement::Unsettled { waiting_for: vec!["n3 lacks city".to_owned()] };
        result.expectations.push(Expectation {
            name: "at 12s n2 city = Raleigh".to_owned(),
            met: false,
            found: "absent".to_owned(),
            demanded_of: None,
        });
        result.expectations.push(Expectation {
            name: "availability-bound = 99.9%".to_owned(),
            met: false,
            found: "98.41% answered, 9841 of 10000".to_owned(),
            demanded_of: Some(Property::Availability),
        });
        let (report, _) = Report::of("quickstart", &config, &result);
        let text = run(&report, &notes(), false);
        let head = "\
FAIL  A title that is much too long to stand on one line with the seed
      seed 1  digest 0123456789abcdef
      durability was promised and broken
      not met: at 12s n2 city = Raleigh
      availability missed its bound: availability-bound = 99.9%, found: 98.41%
      answered, 9841 of 10000

";
        assert!(text.starts_with(head), "{text}");
        let tail = "\
End           at 31.200s, after 1,234 events; not settled
Waiting for   n3 lacks city
Expectations  2 of 3 not met
              not met: at 12s n2 city = Raleigh
                found: absent
              not met: availability-bound = 99.9%
                found: 98.41% answered, 9841 of 10000

";
        assert!(text.contains(tail), "{text}");
    }

    #[test]
    fn colour_is_on_verdict_words_alone() {
        let (config, result) = sample::run();
        let (report, _) = Report::of("quickstart", &config, &result);
        let colored = run(&report, &notes(), true);
        assert!(
            colored.contains("\x1b[32mPASS\x1b[0m") && colored.contains("\x1b[31mviolation\x1b[0m")
        );
        assert_eq!(colored.matches("\x1b[0m").count(), 5);
        let stripped = [GREEN, RED, YELLOW, "\x1b[0m"]
            .iter()
            .fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(stripped, run(&report, &notes(), false));
    }

    #[test]
    fn many_runs_are_told_together() {
        let (config, mut result) = sample::run();
        let mut tally = Tally::new("quickstart", "A partition");
        for seed in 1..=14 {
            result.seed = seed;
            result.verdict = if seed > 2 { RunVerdict::Fail } else { RunVerdict::Pass };
            let (report, lengths) = Report::of("quickstart", &config, &result);
            tally.add(&report, lengths);
        }
        let text = runs(&mut tally, RunVerdict::Fail, &notes(), false);
        let head = "FAIL  A partition";
        let aside = "14 runs: 2 pass, 12 fail\n\n";
        assert!(text.starts_with(head) && text.contains(aside), "{text}");
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        assert!(text.contains(
            "  durability                    -          -         14          -          -"
        ));
        assert!(text.contains("Not passed    seed  3  fail"), "{text}");
        assert!(text.contains("              and 2 more runs\n"), "{text}");
        assert_eq!(closing(&[RunVerdict::Pass, RunVerdict::Fail]), "2 scenarios: 1 pass, 1 fail\n");
    }
}

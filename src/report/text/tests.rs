//! Reports of a sample run, word by word.

use super::page::{GREEN, RED, YELLOW};
use super::*;
use crate::id::NodeId;
use crate::property::Property;
use crate::report::layout::{WIDTH, width};
use crate::report::sample;
use crate::report::{CheckedProperty, Strayed};
use crate::run::Expectation;

fn footer() -> Footer {
    Footer {
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
    let text = run(&report, &footer(), false);
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
             split-brain, liveness, resurrection, append-uniqueness,
             linearizability
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
    config.title = "A title that is much too long to stand on one line with the seed".to_owned();
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
    let text = run(&report, &footer(), false);
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
    let colored = run(&report, &footer(), true);
    assert!(
        colored.contains("\x1b[32mPASS\x1b[0m") && colored.contains("\x1b[31mviolation\x1b[0m")
    );
    assert_eq!(colored.matches("\x1b[0m").count(), 5);
    let stripped =
        [GREEN, RED, YELLOW, "\x1b[0m"].iter().fold(colored, |text, code| text.replace(code, ""));
    assert_eq!(stripped, run(&report, &footer(), false));
}

#[test]
fn many_runs_are_told_together() {
    let (config, mut result) = sample::run();
    let mut totals = RunTotals::new("quickstart", "A partition");
    for seed in 1..=14 {
        result.seed = seed;
        result.verdict = if seed > 2 { RunVerdict::Fail } else { RunVerdict::Pass };
        let (report, lengths) = Report::of("quickstart", &config, &result);
        totals.add(&report, lengths);
    }
    let text = runs(&mut totals, RunVerdict::Fail, &footer(), false);
    let head = "FAIL  A partition";
    let aside = "14 runs: 2 pass, 12 fail\n\n";
    assert!(text.starts_with(head) && text.contains(aside), "{text}");
    assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
    assert!(
        text.contains(
            "  durability                    -          -         14          -          -"
        )
    );
    assert!(text.contains("Not passed    seed  3  fail"), "{text}");
    assert!(text.contains("              and 2 more runs\n"), "{text}");
    assert_eq!(closing(&[RunVerdict::Pass, RunVerdict::Fail]), "2 scenarios: 1 pass, 1 fail\n");
}

#[test]
fn availability_is_told_when_something_was_asked() {
    let (config, result) = sample::run();
    let (mut report, _) = Report::of("quickstart", &config, &result);
    assert_eq!(availability(&report), [""; 0]);
    let check = |check: &&mut CheckedProperty| check.report.property == Property::Availability;
    let figures = &mut report.checks.iter_mut().find(check).expect("it is there").report.figures;
    figures.extend([("availability_ppm", 990_599), ("longest_gap_ns", 1_200_000_000)]);
    assert_eq!(availability(&report), ["99.05% answered; at the longest nothing for 1.2s"]);
    let figures = &mut report.checks.iter_mut().find(check).expect("it is there").report.figures;
    figures.extend([
        ("longest_write_gap_ns", 1_500_000_000),
        ("leaders_lost", 2),
        ("longest_recovery_ns", 300_000_000),
    ]);
    assert_eq!(
        availability(&report),
        ["99.05% answered; at the longest no write for 1.5s, nothing for 1.2s; \
             2 lost leaders, recovery within 300ms"]
    );
    let (asked, leader) = (NodeId(0), NodeId(1));
    report.strayed = Some(Strayed { count: 7, asked, leader, keeps: true });
    assert_eq!(
        availability(&report)[1],
        "7 operations refused by n1, which was down, while n2 led: clients that neither \
         retry nor ask the next node (`retries`, `ask-next`) keep to the one they know"
    );
}

//! Faults with `when` at a moment of a replicated log: by leader-follower, which has three of the
//! five, and by a node that says all of them.

use splitbrain::config::{
    Config, Fault, FaultAction, LogMoment, Occurrence, Pace, Start, Target, Trigger,
};
use splitbrain::id::{FaultId, LogIndex, NodeId, Position, Term, Version};
use splitbrain::named::Named;
use splitbrain::operation::Operation;
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, EntryHash, Input, NoMessage, NoTimer, NodeSnapshot, Observation, Outcome,
    Protocol, Reply, Response, Role,
};
use splitbrain::report::Report;
use splitbrain::run::{RunOptions, RunResult, run};
use splitbrain::sampler::Distribution;
use splitbrain::time::{Span, Time};

use crate::support::cluster;
use crate::support::scenario::read_with;

fn traced() -> RunOptions {
    RunOptions { trace: true, ..RunOptions::default() }
}

/// n1 is cut off with a client and keeps writing. Then all start again from their checkpoints, and
/// n3 loses its disk.
const ELECTIONS: &str = r#"
title = "a leader is cut off, and a follower loses its disk"
duration = "3s"
settle = "20s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "semi-sync"
write-quorum = 1
wal = { policy = "fsync", checkpoint-every = 2 }
[protocol.leader-follower.failover]
election = "majority-vote"
heartbeat = "20ms"
timeout = "100ms"
catch-up = "log"
[network]
delay = "1ms"
[disk]
sync = "4ms"
[workload]
clients = 1
operations = 12
keys = 4
mix = { put = 1 }
think = "100ms"
timeout = "90ms"
ask-next = true
[[fault]]
at = "250ms"
for = "500ms"
partition = [["n1", "c1"], ["n2", "n3"]]
[[fault]]
at = "1100ms"
for = "20ms"
crash = "all"
[[fault]]
at = "1200ms"
power-loss = "n3"
[[fault]]
at = "1800ms"
restart = { target = "n3", disk = "empty" }
"#;

#[test]
fn leader_follower_votes_truncates_and_installs() {
    let play = |when: &str| {
        let fault =
            format!("[[fault]]\nid = 'f'\nwhen = {{ {when} }}\nfor = '1us'\npause = 'n2'\n");
        let scenario = read_with::<&str>(&format!("{ELECTIONS}{fault}"), &[]);
        let watched = scenario.run(1, traced());
        let plain = scenario.run(1, RunOptions::default());
        assert_eq!((watched.digest, &watched.history), (plain.digest, &plain.history), "{when}");
        watched.trace.expect("a trace")
    };
    // (the moment, the lines of the trace that tell of it, the event that they follow, the number
    // of the one)
    let stories = [
        ("votes = 1", ". vote", "", 1),
        ("votes = 2", ". vote", "", 2),
        ("votes = 2, node = 'n2'", "n2        . vote", "", 2),
        ("truncates = 1", ". truncate", "", 1),
        // What a start says of a snapshot does not count.
        ("installs = 1", ". snapshot", "install from", 1),
        ("installs = 1, node = 'n3'", "n3        . snapshot", "install from", 1),
    ];
    for (when, words, event, nth) in stories {
        let trace = play(when);
        let lines: Vec<&str> = trace.lines().collect();
        let follows = |at: usize| {
            let before = lines[..at].iter().rev().find(|line| !line.contains(" . "));
            before.is_some_and(|before| before.contains(event))
        };
        let is_told = |at: &usize| lines[*at].contains(words) && follows(*at);
        let told = (0..lines.len()).filter(is_told).nth(nth - 1);
        let told = told.unwrap_or_else(|| panic!("{when}:\n{trace}"));
        let starts = lines.iter().position(|line| line.contains("f starts"));
        let starts = starts.unwrap_or_else(|| panic!("{when}:\n{trace}"));
        // Between the two lines stand only the effects of the same event.
        assert!(told < starts, "{when}:\n{}", lines[starts..=told].join("\n"));
        let between = &lines[told + 1..starts];
        assert!(between.iter().all(|line| line.contains(" . ")), "{when}: {between:#?}");
    }
}

/// A lone node that comes to a moment of its log with each put, all five in turn; with `false` it
/// says the same, and keeps no log.
struct Talker {
    me: NodeId,
    puts: u64,
}

impl Protocol for Talker {
    type Config = bool;
    type Message = NoMessage;
    type Record = ();
    type Timer = NoTimer;

    fn keeps_log(keeps: &bool) -> bool {
        *keeps
    }

    /// Says what it had, as a node does at its start.
    fn recover(_: &bool, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let position = Position { term: Term(1), index: LogIndex(1) };
        cx.observe(Observation::Role { role: Role::Leader, term: Term(1) });
        cx.observe(Observation::Snapshot { position, state: None, installed: true });
        cx.observe(Observation::Commit { index: position.index });
        Self { me: cx.node(), puts: 0 }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let Input::Request { request, operation: Operation::Put { .. }, .. } = input else {
            return;
        };
        let version = Version { timestamp: cx.wall().0, node: self.me, sequence: 1 };
        let index = LogIndex(2 + self.puts);
        let position = Position { term: Term(1), index };
        match LogMoment::ALL[self.puts as usize % LogMoment::ALL.len()] {
            LogMoment::Votes => {
                cx.observe(Observation::Vote { term: Term(1), candidate: self.me });
            }
            LogMoment::Commits => cx.observe(Observation::Commit { index: LogIndex(1) }),
            LogMoment::Truncates => {
                cx.observe(Observation::Append { position, entry: EntryHash::of(&self.puts) });
                cx.observe(Observation::Truncate { from: index });
            }
            LogMoment::Snapshots => {
                cx.observe(Observation::Snapshot { position, state: None, installed: false });
            }
            LogMoment::Installs => {
                cx.observe(Observation::Snapshot { position, state: None, installed: true });
            }
        }
        self.puts += 1;
        cx.reply(request, Reply::of(Outcome::Ok(Response::Written { version, existed: None })));
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Leader)
    }

    fn promises(_: &bool, _: &Config) -> Promises {
        Promises::default()
    }
}

/// Ten puts, 10 ms apart, and a fault at a moment.
fn talk(keeps: bool, moment: LogMoment, nth: u32, options: RunOptions) -> (Config, RunResult) {
    let mut config = cluster::config(1);
    let load = config.workload.as_mut().expect("a workload");
    load.pace = Pace::Closed { think: Distribution::Constant(Span::from_millis(10)) };
    let trigger = Trigger { what: Occurrence::OfLog(moment), node: None, nth, after: Span::ZERO };
    config.faults.push(Fault {
        id: FaultId(0),
        start: Start::When(trigger),
        lasts: Some(Span::from_nanos(1)),
        action: FaultAction::Pause(Target::All),
        forever: false,
    });
    let result = run::<Talker>(&config, &cluster::names(&config), &keeps, 1, options);
    (config, result)
}

/// When the fault began, if it did.
fn began(result: &RunResult) -> Option<Time> {
    let mut acts = result.history.nemesis().iter();
    acts.find(|act| act.fault == Some(FaultId(0)) && act.starts).map(|act| act.at)
}

#[test]
fn each_moment_fires_when_the_node_says_it_and_not_at_its_start() {
    for (place, moment) in LogMoment::all().enumerate() {
        for (nth, put) in [(1, place), (2, place + 5)] {
            let (_, watched) = talk(true, moment, nth, traced());
            let puts = watched.history.entries();
            assert_eq!(puts.len(), 10);
            assert_eq!(began(&watched), Some(puts[put].invoked_at), "{moment:?} {nth}");
            let (_, plain) = talk(true, moment, nth, RunOptions::default());
            assert_eq!((plain.digest, began(&plain)), (watched.digest, began(&watched)));
        }
    }
}

#[test]
fn a_moment_that_never_comes_is_told_of() {
    let told = [
        (LogMoment::Votes, "the nodes gave fewer than 3 votes"),
        (LogMoment::Commits, "the nodes learned of a commit fewer than 3 times"),
        (LogMoment::Truncates, "the nodes cut off the end of a log fewer than 3 times"),
        (LogMoment::Snapshots, "the nodes took fewer than 3 snapshots"),
        (LogMoment::Installs, "the nodes installed fewer than 3 snapshots"),
    ];
    for (moment, why) in told {
        let (config, result) = talk(true, moment, 3, traced());
        assert_eq!(began(&result), None);
        let (report, _) = Report::of("talk", &config, &result);
        let whys: Vec<&str> = report.never.iter().map(|never| never.why.as_str()).collect();
        assert_eq!(whys, [format!("{why} by 30.000s")]);
    }
}

/// A trace has the node say everything, also what counts for nothing.
#[test]
fn nothing_fires_where_no_log_is_kept() {
    for moment in LogMoment::all() {
        for options in [traced(), RunOptions::default()] {
            assert_eq!(began(&talk(false, moment, 1, options).1), None, "{moment:?}");
        }
    }
}

//! Keyed draws in whole runs: when an event is removed, added or reordered, only what it causes
//! draws differently.

use std::collections::BTreeSet;
use std::sync::Arc;

use splitbrain::config::{
    Config, Fault, FaultAction, Mix, Pace, RetryPolicy, Route, ScriptedOperation, Start, Target,
};
use splitbrain::history::Entry;
use splitbrain::id::{ClientId, FaultId, KeyId, NodeId, Term, Value, Version};
use splitbrain::named::Named;
use splitbrain::names::Names;
use splitbrain::operation::Operation;
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, Input, Message, NoTimer, NodeSnapshot, Observation, Outcome, Protocol,
    Reply, Response, Role,
};
use splitbrain::rng::Probability;
use splitbrain::run::{RunOptions, RunResult, run};
use splitbrain::sampler::Distribution;
use splitbrain::time::{Span, Time};

use crate::support::cluster;

/// What the nodes of the probe protocol send each other about a value.
#[derive(Clone, Debug, Hash)]
enum Letter {
    Note(Value),
    Seal(Value),
    Thanks(Value),
}

impl Message for Letter {
    const KINDS: &'static [&'static str] = &["note", "seal", "thanks"];
    fn kind(&self) -> u8 {
        match self {
            Self::Note(_) => 0,
            Self::Seal(_) => 1,
            Self::Thanks(_) => 2,
        }
    }
    fn describe(&self, names: &Names) -> String {
        let (Self::Note(value) | Self::Seal(value) | Self::Thanks(value)) = self;
        names.value(*value)
    }
}

/// The leader sends each write to all nodes as two letters, in an order that a switch reverses, and
/// answers at once: a letter's arrival depends only on its own draws.
struct Probe {
    me: NodeId,
    reversed: bool,
    writes: u32,
}

impl Protocol for Probe {
    type Config = bool;
    type Message = Letter;
    type Record = ();
    type Timer = NoTimer;

    fn recover(reversed: &bool, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let leads = cx.initial_leader() == Some(cx.node());
        let role = if leads { Role::Leader } else { Role::Follower };
        cx.observe(Observation::Role { role, term: Term(1) });
        Self { me: cx.node(), reversed: *reversed, writes: 0 }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Request { request, operation: Operation::Put { value, .. }, .. } => {
                let letters = cx
                    .peers()
                    .flat_map(|to| [(to, Letter::Note(value)), (to, Letter::Seal(value))]);
                let mut letters: Vec<_> = letters.collect();
                if self.reversed {
                    letters.reverse();
                }
                for (to, letter) in letters {
                    cx.send(to, letter);
                }
                self.writes += 1;
                let version =
                    Version { timestamp: cx.wall().0, node: self.me, sequence: self.writes };
                cx.reply(
                    request,
                    Reply::of(Outcome::Ok(Response::Written { version, existed: None })),
                );
            }
            Input::Request { request, .. } => {
                cx.reply(request, Reply::of(Outcome::Ok(Response::Absent)));
            }
            Input::Message { from, message: Letter::Note(value) } => {
                cx.send(from, Letter::Thanks(value));
            }
            Input::Message { .. }
            | Input::Refused { .. }
            | Input::Timer(_)
            | Input::Persisted(..) => {}
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Follower)
    }

    fn promises(_: &bool, _: &Config) -> Promises {
        Promises::default()
    }
}

fn percent(percent: u32) -> Probability {
    Probability::from_parts_per_billion(percent * 10_000_000).expect("at most all")
}

/// Clients that think and write a hundred times each, with chance in everything.
fn base(nodes: u16, clients: u32) -> Config {
    let mut config = cluster::config(nodes);
    cluster::set_clients(&mut config, clients, u64::from(clients) * 100);
    let link = &mut config.network.default;
    link.delay = cluster::uniform_ms(0, 200);
    (link.loss, link.duplication) = (percent(1), percent(5));
    config.network.client_delay = cluster::uniform_ms(0, 20);
    let workload = config.workload.as_mut().expect("a workload");
    workload.pace =
        Pace::Closed { think: Distribution::Exponential { mean: Span::from_millis(50) } };
    workload.mix = Mix { put: 3, get: 1, ..Mix::default() };
    config
}

fn play(config: &Config, reversed: bool) -> RunResult {
    play_named(config, &cluster::names(config), reversed)
}

fn play_named(config: &Config, names: &Arc<Names>, reversed: bool) -> RunResult {
    run::<Probe>(config, names, &reversed, 1, RunOptions { trace: true, ..RunOptions::default() })
}

/// Every delivery: (receiver, "kind from sender: value", when).
fn deliveries(result: &RunResult) -> BTreeSet<(String, String, String)> {
    let trace = result.trace.as_deref().expect("a trace was asked for");
    let delivery = |line: &str| {
        let (time, who, what) = (&line[..15], &line[17..26], line[27..].trim_end());
        let content = what.strip_prefix("deliver ")?;
        Some((who.trim().to_owned(), content.trim().to_owned(), time.trim().to_owned()))
    };
    trace.lines().skip(1).filter_map(delivery).collect()
}

/// What a client did, without its position among the events of others.
fn operations(
    result: &RunResult,
    client: u32,
) -> Vec<(Time, Time, KeyId, Option<Value>, &'static str)> {
    let mine = |entry: &&Entry| entry.client == ClientId(client);
    let fields = |entry: &Entry| {
        let value = if entry.is_write() { entry.value } else { None };
        (entry.invoked_at, entry.completed_at, entry.key, value, entry.function.name())
    };
    result.history.entries().iter().filter(mine).map(fields).collect()
}

#[test]
fn more_loss_loses_more_and_moves_nothing() {
    let mut config = base(3, 2);
    let few = play(&config, false);
    let mut before = deliveries(&few).len();
    for loss in [2, 20, 60] {
        config.network.default.loss = percent(loss);
        let many = play(&config, false);
        assert!(deliveries(&many).is_subset(&deliveries(&few)), "{loss}%");
        assert!(deliveries(&many).len() < before, "{loss}%");
        before = deliveries(&many).len();
        assert_eq!(operations(&many, 0), operations(&few, 0));
        assert_eq!(operations(&many, 1), operations(&few, 1));
    }
}

#[test]
fn another_follower_leaves_the_others_as_they_were() {
    let (three, five) = (play(&base(3, 2), false), play(&base(5, 2), false));
    let newcomer = |text: &str| text.contains("n4") || text.contains("n5");
    let mut among_three = deliveries(&five);
    among_three.retain(|(to, content, _)| !newcomer(to) && !newcomer(content));
    assert_eq!(among_three, deliveries(&three));
    assert!(among_three.len() > 600 && among_three.len() < deliveries(&five).len());
    assert_eq!(operations(&five, 1), operations(&three, 1));
}

#[test]
fn taking_out_a_client_leaves_the_others_as_they_were() {
    let (two, one) = (play(&base(3, 2), false), play(&base(3, 1), false));
    assert_eq!(operations(&one, 0), operations(&two, 0));
    assert_eq!(operations(&one, 0).len(), 100);
    let mut of_c1 = deliveries(&two);
    of_c1.retain(|(_, content, _)| content.contains(": c1."));
    assert_eq!(of_c1, deliveries(&one));
}

#[test]
fn turning_a_handlers_sends_around_leaves_every_one_as_it_was() {
    let config = base(4, 2);
    let (straight, reversed) = (play(&config, false), play(&config, true));
    assert_eq!(deliveries(&straight), deliveries(&reversed));
    assert_eq!(operations(&straight, 0), operations(&reversed, 0));
}

/// Scripted operations once drew by their position in the file: removing one changed the draws of
/// all that followed.
#[test]
fn taking_out_a_scripted_operation_leaves_the_others_as_they_were() {
    let mut config = base(3, 2);
    config.workload = None;
    let [values, clients] =
        [["a", "b", "c", "d"], ["w", "x", "y", "z"]].map(|names| names.map(str::to_owned).to_vec());
    let names = Names { values, clients, ..Names::clone(&cluster::names(&base(3, 2))) };
    let names = Arc::new(names);
    let scripted = |(index, text): (u32, &String)| ScriptedOperation {
        id: format!("op-{text}"),
        at: Time::ZERO + Span::from_secs(1 + u64::from(index)),
        client: ClientId(index),
        operation: Operation::Put {
            key: KeyId(0),
            value: Value::text(index as usize),
            quorum: None,
        },
        node: None,
        retry: RetryPolicy {
            timeout: Span::from_secs(1),
            retries: 0,
            ask_next: false,
            backoff: Distribution::Constant(Span::ZERO),
        },
        expect: splitbrain::config::Answer::default(),
    };
    config.script = (0..).zip(&names.values).map(scripted).collect();
    let all = play_named(&config, &names, false);
    config.script.remove(1);
    let fewer = play_named(&config, &names, false);
    let mut without_b = deliveries(&all);
    without_b.retain(|(_, content, _)| !content.ends_with(": b"));
    assert_eq!(without_b, deliveries(&fewer));
    assert!(without_b.len() > 10);
    for client in [0, 2, 3] {
        assert_eq!(operations(&all, client), operations(&fewer, client));
    }
}

/// Faults once drew by their position in the file: removing one changed the targets of all that
/// followed.
#[test]
fn taking_out_a_fault_leaves_what_it_did_not_cause_as_it_was() {
    let to = |node| Route {
        from: Target::Nodes(vec![NodeId(0)]),
        to: Target::Nodes(vec![NodeId(node)]),
        both_ways: false,
    };
    let extra = Distribution::Exponential { mean: Span::from_millis(100) };
    let actions = [
        ("partition", FaultAction::Block(to(3)), 100),
        ("slow", FaultAction::Slow { route: to(1), extra }, 20_000),
        (
            "drop",
            FaultAction::Drop { route: to(2), kind: Some(1), probability: percent(40) },
            20_000,
        ),
        ("jump", FaultAction::ClockJump { target: Target::Follower, by_ns: 1 }, 1),
        ("drift", FaultAction::ClockDrift { target: Target::Follower, ppb: 1 }, 1),
        ("pause", FaultAction::Pause(Target::Majority), 1),
    ];
    let with = |kept: &dyn Fn(&str) -> bool| {
        let mut config = base(5, 2);
        let mut names = cluster::names(&config);
        for (name, action, ms) in actions.iter().filter(|(name, ..)| kept(name)) {
            config.faults.push(Fault {
                id: FaultId(u32::try_from(config.faults.len()).expect("few")),
                start: Start::At(Time::ZERO + Span::from_millis(20)),
                lasts: Some(Span::from_millis(*ms)),
                action: action.clone(),
                forever: false,
            });
            Arc::make_mut(&mut names).faults.push((*name).to_owned());
        }
        play_named(&config, &names, false)
    };
    let said = |result: &RunResult| -> Vec<String> {
        result.history.nemesis().iter().map(|act| act.what.clone()).collect()
    };
    let all = with(&|_| true);
    let fewer = with(&|name| name != "partition");
    let mut not_to_n4 = [deliveries(&all), deliveries(&fewer)];
    for set in &mut not_to_n4 {
        set.retain(|(to, content, _)| to != "n4" && !content.contains("n4"));
    }
    assert_eq!(not_to_n4[0], not_to_n4[1]);
    assert!(not_to_n4[0].len() > 900);
    assert!(deliveries(&all).len() < deliveries(&fewer).len(), "the block did stop something");
    let untouched = |what: &&String| !what.contains("block") && !what.contains("partition");
    let kept: Vec<String> = said(&all).iter().filter(untouched).cloned().collect();
    assert_eq!(kept, said(&fewer), "symbolic targets meant the same nodes");
    // Without the slow link, the lossy link loses the same letters.
    let fast = with(&|name| name != "slow" && name != "partition");
    let to_n3 = |result: &RunResult| {
        let mut set = deliveries(result);
        set.retain(|(to, ..)| to == "n3");
        set
    };
    assert_eq!(to_n3(&fast), to_n3(&fewer));
}

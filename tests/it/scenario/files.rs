//! Scenario files: those that ship are valid and round-trip; others are refused with their
//! mistakes.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use splitbrain::config::{Config, LogMoment, Occurrence, Start, Trigger};
use splitbrain::id::NodeId;
use splitbrain::property::Promises;
use splitbrain::protocol::{Context, DiskImage, Input, Message, NoTimer, NodeSnapshot, Protocol};
use splitbrain::rng::Probability;
use splitbrain::run::RunOptions;
use splitbrain::sampler::Distribution;
use splitbrain::scenario::fuzz::{Choice, Fuzz, Kind};
use splitbrain::scenario::keys::{Section, Setting, distribution, key, node_count};
use splitbrain::scenario::{Registry, Scenario, schema};
use splitbrain::scenario::{ScenarioProtocol, encode_distribution};
use splitbrain::time::Span;

use crate::support::scenario::{MAXIMAL, parse, parse_for, read, shipped};

fn assert_same(a: &Scenario, b: &Scenario, what: &str) {
    assert_eq!((&a.config, &a.names), (&b.config, &b.names), "{what}");
    assert_eq!(a.protocol.name(), b.protocol.name(), "{what}");
    assert_eq!(a.protocol.encode(), b.protocol.encode(), "{what}");
    assert_eq!(a.fuzz, b.fuzz, "{what}");
}

fn round_trips(scenario: &Scenario, what: &str) {
    let text = scenario.export();
    let again = parse(&text, &[]).unwrap_or_else(|mistakes| {
        panic!("{what} exported to what does not read:\n{mistakes}\n{text}")
    });
    assert_same(scenario, &again, &text);
}

#[test]
fn every_shipped_scenario_reads_and_round_trips() {
    let shipped = shipped();
    assert!(shipped.len() >= 100, "{shipped:?}");
    for path in shipped {
        let scenario = Scenario::load(&path, &Registry::new(), &[])
            .unwrap_or_else(|mistakes| panic!("{}:\n{mistakes}", path.display()));
        assert!(!scenario.config.title.is_empty(), "{} has no title", path.display());
        round_trips(&scenario, &path.display().to_string());
    }
}

#[test]
fn an_export_leaves_out_what_says_nothing() {
    let link = "[[network.link]]\nfrom = \"n1\"\nto = \"n2\"\nloss = 0.5\n";
    let text = format!("[cluster]\nnodes = 2\n[protocol.leader-follower]\n{link}");
    let exported: toml::Table = toml::from_str(&read(&text).export()).expect("valid TOML");
    assert_eq!(exported["network"].get("client"), None);
    assert_eq!(exported["network"]["link"][0].get("both-ways"), None);
}

#[test]
fn maximal_scenarios_round_trip() {
    for text in MAXIMAL {
        let scenario = read(text);
        round_trips(&scenario, "maximal");
    }
}

#[test]
fn shipped_and_maximal_scenarios_and_their_exports_meet_the_schema() {
    let schema = schema(&Registry::new());
    jsonschema::meta::validate(&schema).expect("the schema is one");
    let validator = jsonschema::validator_for(&schema).expect("the schema compiles");
    let mut texts: Vec<(String, String)> = MAXIMAL
        .iter()
        .enumerate()
        .map(|(index, text)| (format!("maximal {index}"), (*text).to_owned()))
        .collect();
    for path in shipped() {
        let text = std::fs::read_to_string(&path).expect("listed just now");
        texts.push((path.display().to_string(), text));
    }
    for (name, text) in texts {
        let exported = parse(&text, &[]).expect("valid").export();
        for text in [text, exported] {
            let value: toml::Table = toml::from_str(&text).expect("valid TOML");
            let value = serde_json::to_value(value).expect("TOML is JSON, but for dates");
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}:\n{}\n{text}", errors.join("\n"));
        }
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let load = |path: &Path| {
        Scenario::load(path, &Registry::new(), &[]).expect_err("no scenario").to_string()
    };
    let missing = PathBuf::from("no/such/file.toml");
    assert_eq!(load(&missing), "error: cannot read `no/such/file.toml`: there is no such file");
    let folder = tempfile::tempdir().expect("a folder");
    assert!(load(folder.path()).ends_with("it is a folder, not a scenario file"));
}

#[test]
fn a_scenario_is_named_by_its_file() {
    let [first, ..] = MAXIMAL;
    let registry = Registry::new();
    let scenario = Scenario::parse("a/b/quick.toml", first.as_bytes(), &registry, &[]);
    assert_eq!(scenario.expect("valid").name, "quick");
}

#[test]
fn what_has_no_id_is_named_by_what_it_is_whatever_stands_beside_it() {
    let ids = |faults: &[&str]| {
        let text =
            format!("{}{}", "[cluster]\nnodes = 9\n[protocol.leader-follower]\n", faults.concat());
        read(&text).names.faults.clone()
    };
    let one = "[[fault]]\nat = \"1s\"\ncrash = \"follower\"\n";
    let late = "[[fault]]\nat = \"1.5s\"\ncrash = \"follower\"\n";
    let pause = "[[fault]]\nat = \"1000ms\"\npause = \"follower\"\n";
    let named = "[[fault]]\nid = \"crash-1s-2\"\nat = \"3s\"\npause = \"follower\"\n";
    assert_eq!(ids(&[one, pause, late]), ["crash-1s", "pause-1s", "crash-1500ms"]);
    assert_eq!(ids(&[late]), ["crash-1500ms"]);
    assert_eq!(ids(&[one, late, one]), ["crash-1s", "crash-1500ms", "crash-1s-2"]);
    assert_eq!(ids(&[one, one, named]), ["crash-1s", "crash-1s-3", "crash-1s-2"]);
}

#[test]
fn what_may_be_drawn_is_read_and_changes_nothing_of_the_run() {
    let plain = "duration = \"3s\"\n[cluster]\nnodes = 3\n[protocol.leader-follower]\n\
        mode = \"semi-sync\"\nwrite-quorum = 2\n[workload]\nthink = \"10ms\"\n";
    let read = |more: &str| read(&format!("{plain}{more}"));
    assert_eq!(read("").fuzz, None);
    let standard = Fuzz::standard(Span::from_secs(3));
    assert_eq!(standard.lasts, (Span::from_millis(5), Span::from_secs(1)));
    assert_eq!(read("[fuzz]\n").fuzz, Some(standard.clone()));
    // Settings of one mode are dropped when another mode is drawn, as with `--set`.
    let drawing = read(
        r#"[fuzz]
faults = 4
for = ["1ms", "1s"]
kinds = ["pause", "crash"]
max-down = 1
[fuzz.settings]
"protocol.leader-follower.mode" = ["async", "sync"]
"cluster.nodes" = { from = 3, to = 5 }
"network.loss" = { from = "0%", to = "5%" }
"workload.think" = { from = "1ms", to = "1s" }
"#,
    );
    let percent = |number: u32| Probability::from_parts_per_billion(number * 10_000_000);
    let expected = Fuzz {
        faults: (4, 4),
        lasts: (Span::from_millis(1), Span::from_secs(1)),
        kinds: vec![Kind::Crash, Kind::Pause],
        max_down: Some(1),
        settings: vec![
            (
                "protocol.leader-follower.mode".to_owned(),
                Choice::OneOf(vec!["\"async\"".to_owned(), "\"sync\"".to_owned()]),
            ),
            ("cluster.nodes".to_owned(), Choice::Integer(3, 5)),
            (
                "network.loss".to_owned(),
                Choice::Share(percent(0).expect("0%"), percent(5).expect("5%")),
            ),
            (
                "workload.think".to_owned(),
                Choice::Duration(Span::from_millis(1), Span::from_secs(1)),
            ),
        ],
        ..standard
    };
    assert_eq!(drawing.fuzz.as_ref(), Some(&expected));
    round_trips(&drawing, "drawing");
    let digest = |scenario: &Scenario| scenario.run(7, RunOptions::default()).digest;
    assert_eq!(digest(&drawing), digest(&read("")));
}

#[test]
fn a_protocol_turns_on_the_lengths_that_are_set() {
    let ms = Span::from_millis;
    let timescales = |settings: &str| {
        let text = format!("[cluster]\nnodes = 3\n[protocol.leader-follower]\n{settings}\n");
        read(&text).protocol.timescales()
    };
    let cases = [
        ("", vec![]),
        ("mode = \"sync\"\nack-timeout = \"70ms\"\nresend = \"20ms\"", vec![ms(20), ms(70)]),
        (
            "failover = { election = \"lowest-id\", heartbeat = \"50ms\", timeout = \"200ms\" }",
            vec![ms(50), ms(200)],
        ),
        (
            "failover = { election = \"majority-vote\", heartbeat = \"50ms\", timeout = \"200ms\", \
             jitter = \"90ms\" }",
            vec![ms(50), ms(90), ms(200)],
        ),
        (
            r#"wal = { policy = "buffered", sync-every = "30ms" }
anti-entropy = { interval = "40ms" }
tombstone-grace = "10ms""#,
            vec![ms(10), ms(30), ms(40)],
        ),
    ];
    for (settings, lengths) in cases {
        assert_eq!(timescales(settings), lengths, "{settings}");
    }
}

#[test]
fn distributions_are_what_their_texts_say() {
    let ms = Span::from_millis;
    let cases = [
        ("\"7ms\"", Distribution::Constant(ms(7))),
        ("{ constant = \"7ms\" }", Distribution::Constant(ms(7))),
        ("{ uniform = [\"0ms\", \"1s\"] }", Distribution::Uniform { low: ms(0), high: ms(1000) }),
        ("{ exponential = \"10ms\" }", Distribution::Exponential { mean: ms(10) }),
        (
            "{ lognormal = { median = \"10ms\", sigma = 0.5 } }",
            Distribution::LogNormal { median: ms(10), sigma: 0.5 },
        ),
        (
            "{ pareto = { scale = \"1ms\", shape = 2 } }",
            Distribution::Pareto { scale: ms(1), shape: 2.0 },
        ),
        (
            "{ mixture = [{ weight = 9, constant = \"1ms\" }, { weight = 1, exponential = \"5ms\" \
             }] }",
            Distribution::Mixture(vec![
                (9, Distribution::Constant(ms(1))),
                (1, Distribution::Exponential { mean: ms(5) }),
            ]),
        ),
        (
            "{ quantiles = { \"100%\" = \"9ms\", \"0%\" = \"1ms\", \"99.5%\" = \"2ms\" } }",
            Distribution::Quantiles(vec![(0, ms(1)), (995_000_000, ms(2)), (1_000_000_000, ms(9))]),
        ),
    ];
    let read = |text: &str| {
        let file = format!(
            "[cluster]\nnodes = 1\n[protocol.leader-follower]\n[network]\ndelay = {text}\n"
        );
        parse(&file, &[])
            .unwrap_or_else(|mistakes| panic!("{mistakes}"))
            .config
            .network
            .default
            .delay
    };
    for (text, distribution) in cases {
        assert_eq!(read(text), distribution, "{text}");
        assert_eq!(read(&encode_distribution(&distribution).to_string()), distribution, "{text}");
    }
}

#[test]
fn the_longest_scenario_with_the_fastest_clocks_runs_to_its_end() {
    let text = "\
duration = \"87600h\"
settle = \"87600h\"
[cluster]
nodes = 3
[protocol.leader-follower]
ack-timeout = \"87600h\"
[network]
delay = { exponential = \"87600h\" }
[[clock]]
node = \"*\"
drift = \"100%\"
offset = \"87599h\"
[[operation]]
at = \"87600h\"
client = \"x\"
put = { key = \"a\", value = \"1\" }
timeout = \"87600h\"
[[fault]]
at = \"87600h\"
slow = { by = { pareto = { scale = \"87600h\", shape = 0.001 } } }
[[fault]]
at = \"87600h\"
clock-jump = { node = \"all\", by = \"1h\" }
";
    let scenario = read(text);
    for seed in 0..20 {
        let _ = scenario.run(seed, RunOptions::default());
    }
}

/// A protocol of another crate, with settings of its own; these tests never run it.
struct Gossip;

#[derive(Clone, Debug, Hash)]
enum Rumour {}

impl Message for Rumour {
    const KINDS: &'static [&'static str] = &["rumour"];
    fn kind(&self) -> u8 {
        match *self {}
    }
}

impl Protocol for Gossip {
    type Config = (u16, Distribution);
    type Message = Rumour;
    type Record = ();
    type Timer = NoTimer;

    fn recover(_: &Self::Config, _: &DiskImage, _: &mut Context<'_, Self>) -> Self {
        Self
    }
    fn handle(&mut self, _: Input<Self>, _: &mut Context<'_, Self>) {}
    fn snapshot(&self) -> NodeSnapshot {
        unreachable!("never run")
    }
    fn promises(_: &Self::Config, _: &Config) -> Promises {
        Promises::default()
    }
}

impl ScenarioProtocol for Gossip {
    const NAME: &'static str = "gossip";

    fn section() -> &'static Section<Self::Config> {
        static SECTION: LazyLock<Section<(u16, Distribution)>> = LazyLock::new(|| {
            let fanout: Setting<(u16, Distribution), u16> =
                key("fanout", "How many peers a rumour goes to.", node_count(), |pair| &mut pair.0);
            let base = (1, Distribution::Constant(Span::ZERO));
            Section::new("Rumours.", base).key(fanout.required()).key(key(
                "pause",
                "How long a node waits between two rumours.",
                distribution(),
                |pair| &mut pair.1,
            ))
        });
        &SECTION
    }
}

#[test]
fn a_protocol_of_another_crate_has_a_table_of_its_own() {
    let registry = Registry::new().with::<Gossip>();
    let text = "[cluster]\nnodes = 3\n[protocol.gossip]\nfanout = 2\npause = \"5ms\"\n\
                [[fault]]\nat = \"1s\"\ndrop = { kind = \"rumour\" }\n";
    let load = |text: &str| parse_for(&registry, text, &[]);
    let scenario = load(text).expect("valid");
    assert_eq!(scenario.protocol.name(), "gossip");
    assert_same(&scenario, &load(&scenario.export()).expect("an export reads"), "gossip");
    assert!(schema(&registry)["properties"]["protocol"]["properties"]["gossip"].is_object());

    let mistakes = load(&text.replace("fanout = 2", "fanuot = 4")).expect_err("misspelt");
    assert!(mistakes.contains("did you mean `fanout`?"), "{mistakes}");
    let mistakes = load(&text.replace("fanout = 2", "fanout = 4")).expect_err("too many");
    assert!(mistakes.contains("from 1 to 3"), "{mistakes}");
}

/// Who leads where the file does not say is the protocol's to say.
#[test]
fn the_default_of_the_initial_leader_is_the_protocols() {
    let registry = Registry::new().with::<Gossip>();
    let leader = |cluster: &str, protocol: &str| {
        let text = format!("[cluster]\nnodes = 3\n{cluster}[protocol]\n{protocol}");
        let scenario = parse_for(&registry, &text, &[]).expect("valid");
        let again = parse_for(&registry, &scenario.export(), &[]).expect("an export reads");
        assert_same(&scenario, &again, protocol);
        scenario.config.cluster.initial_leader
    };
    let [gossip, leads] = ["gossip = { fanout = 2 }", "leader-follower = {}"];
    assert_eq!([leader("", gossip), leader("", leads)], [None, Some(NodeId(0))]);
    assert_eq!(leader("initial-leader = 'n2'\n", gossip), Some(NodeId(1)));
    assert_eq!(leader("initial-leader = 'none'\n", leads), None);

    let key = |registry: &Registry| {
        schema(registry)["properties"]["cluster"]["properties"]["initial-leader"].clone()
    };
    assert_eq!(key(&Registry::new())["default"], "n1");
    assert!(key(&registry)["default"].is_null(), "it is not the same for both");
    let help = key(&registry)["description"].to_string();
    assert!(help.contains("By default n1 for leader-follower, none for gossip."), "{help}");
}

#[test]
fn a_fault_tied_to_a_moment_is_named_by_it_and_exported_whole() {
    let fault = |when: &str| format!("[[fault]]\nwhen = {{ {when} }}\ncrash = \"n1\"\n");
    let read = |faults: &str| {
        let base = "[cluster]\nnodes = 3\n[protocol.leader-follower]\n";
        parse(&format!("{base}{faults}"), &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    };
    let kind = |name: &str| {
        let kinds = read("").protocol.message_kinds();
        u8::try_from(kinds.iter().position(|kind| *kind == name).expect("a kind")).ok()
    };
    let moment = |what, node: Option<u16>, nth, after_ms| {
        let (node, after) = (node.map(NodeId), Span::from_millis(after_ms));
        Start::When(Trigger { what, node, nth, after })
    };
    let cases = [
        ("elected = 1", "crash-elected-1", moment(Occurrence::Elected, None, 1, 0)),
        (
            "appends = 2, node = \"n3\"",
            "crash-appends-2",
            moment(Occurrence::Appends, Some(2), 2, 0),
        ),
        (
            "node = \"n1\", after = \"2ms\", persists = 5",
            "crash-persists-5",
            moment(Occurrence::Persists, Some(0), 5, 2),
        ),
        (
            "acknowledges = 1000000",
            "crash-acknowledges-1000000",
            moment(Occurrence::Acknowledges, None, 1_000_000, 0),
        ),
        ("receives = 3", "crash-receives-3", moment(Occurrence::Receives(None), None, 3, 0)),
        (
            "receives = 3, kind = \"append\"",
            "crash-receives-3-2",
            moment(Occurrence::Receives(kind("append")), None, 3, 0),
        ),
        (
            "restarts = 1, after = \"30s\"",
            "crash-restarts-1",
            moment(Occurrence::Restarts, None, 1, 30_000),
        ),
    ];
    let all: String = cases.iter().map(|(when, ..)| fault(when)).collect();
    let scenario = read(&all);
    for ((when, id, start), found) in cases.iter().zip(&scenario.config.faults) {
        assert_eq!(found.start, *start, "{when}");
        assert_eq!(scenario.names.fault(found.id), *id, "{when}");
    }
    round_trips(&scenario, "moments");
    let votes = read(&format!(
        "failover = {{ election = \"majority-vote\", catch-up = \"log\" }}\n{}",
        fault("votes = 2")
    ));
    let start = moment(Occurrence::OfLog(LogMoment::Votes), None, 2, 0);
    assert_eq!((votes.config.faults[0].start, &*votes.names.faults[0]), (start, "crash-votes-2"));
    round_trips(&votes, "votes");
}

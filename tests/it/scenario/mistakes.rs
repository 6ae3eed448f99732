//! Mistakes in scenario files and `--set` arguments: what is shown, and that nothing panics.

use proptest::prelude::*;
use splitbrain::scenario::{Diagnostics, Registry, Scenario};

use crate::support::scenario::{MAXIMAL, shipped};

const BASE: &str = "\
duration = \"30s\"
[cluster]
nodes = 3
[protocol.leader-follower]
";

fn load(text: &[u8], sets: &[String]) -> Result<Scenario, Diagnostics> {
    Scenario::parse("s.toml", text, &Registry::new(), sets)
}

/// What is shown for a text with mistakes, and how many.
fn shown(text: &str, sets: &[&str]) -> (String, usize) {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    match load(text.as_bytes(), &sets) {
        Err(mistakes) => (mistakes.to_string(), mistakes.len()),
        Ok(_) => panic!("no mistake was found in:\n{text}\n{sets:?}"),
    }
}

#[test]
fn a_mistake_is_shown_as_rustc_shows_it() {
    let (text, _) = shown(&format!("{BASE}ack-timeoutt = \"5s\"\n"), &[]);
    assert_eq!(
        text,
        "\
error: unknown key `ack-timeoutt`
 --> s.toml:5:1
  |
5 | ack-timeoutt = \"5s\"
  | ^^^^^^^^^^^^ there is no such key in `protocol.leader-follower`
  |
  = help: did you mean `ack-timeout`?"
    );
    let (text, _) = shown(&format!("{BASE}[network]\nloss = \"150%\"\n"), &[]);
    assert_eq!(
        text,
        "\
error: `150%` is not a percentage
 --> s.toml:6:8
  |
6 | loss = \"150%\"
  |        ^^^^^^ it is over 100%
  |
  = help: write a percentage such as \"0.5%\""
    );
    let overlap = "[[fault]]\nat = \"1s\"\npartition = [[\"n1\"], [\"n2\", \"n1\"]]\n";
    let (text, _) = shown(&format!("{BASE}{overlap}"), &[]);
    assert_eq!(
        text,
        "\
error: `n1` is in the partition twice
 --> s.toml:7:29
  |
7 | partition = [[\"n1\"], [\"n2\", \"n1\"]]
  |               ----          ^^^^ given again here
  |               |
  |               given first here
  |
  = help: groups share no member"
    );
    let twice = "[[fault]]\nat = \"1s\"\nwhen = { elected = 2 }\ncrash = \"n1\"\n";
    let (text, _) = shown(&format!("{BASE}{twice}"), &[]);
    assert_eq!(
        text,
        "\
error: when the fault starts is given 2 times
 --> s.toml:7:1
  |
6 | at = \"1s\"
  | -- `at` is given here
7 | when = { elected = 2 }
  | ^^^^ `when` contradicts it
  |
  = help: give one of `at` or `when`"
    );
    let (text, _) = shown(BASE, &["network.los=5%"]);
    assert_eq!(
        text,
        "\
error: unknown key `los`
 --> --set:1:9
  |
1 | network.los=5%
  |         ^^^ there is no such key in `network`
  |
  = help: did you mean `loss`?"
    );
}

#[test]
fn mistakes_of_what_may_be_drawn_are_shown() {
    let fuzz = |lines: &str| format!("{BASE}[fuzz]\n{lines}\n");
    let settings = |lines: &str| format!("{BASE}[fuzz.settings]\n{lines}\n");
    let (text, count) = shown(&settings("\"network.loss\" = [\"1%\", \"150%\"]"), &[]);
    assert_eq!(count, 1);
    assert_eq!(
        text,
        "\
error: `150%` is not a percentage
 --> s.toml:6:25
  |
6 | \"network.loss\" = [\"1%\", \"150%\"]
  |                         ^^^^^^ it is over 100%
  |
  = help: write a percentage such as \"0.5%\""
    );
    let (text, count) = shown(&settings("\"network.los\" = { from = \"0%\", to = \"5%\" }"), &[]);
    assert_eq!(count, 1);
    assert_eq!(
        text,
        "\
error: unknown key `los`
 --> s.toml:6:10
  |
6 | \"network.los\" = { from = \"0%\", to = \"5%\" }
  |          ^^^ there is no such key in `network`
  |
  = help: did you mean `loss`?"
    );
    let fault = "[[fault]]\nat = \"1s\"\npause = \"n3\"\n";
    let (text, _) = shown(&format!("{}{fault}", settings("\"cluster.nodes\" = [2]")), &[]);
    assert!(text.contains("there is no node `n3`") && text.contains("- with this value"), "{text}");
    let cases = [
        (fuzz("faults = [5, 1]"), "the first end is above the second"),
        (fuzz("faults = [1, 2, 3]"), "expected two ends, found 3"),
        (fuzz("faults = 1001"), "1001 is out of range"),
        (fuzz("for = \"0s\""), "a length of time is zero"),
        (fuzz("for = [\"2s\", \"1s\"]"), "the first end is above the second"),
        (fuzz("kinds = []"), "no kind of fault is listed"),
        (fuzz("kinds = \"some\""), "expected a list of kinds, or `all`"),
        (fuzz("kinds = [\"pauze\"]"), "did you mean `pause`?"),
        (fuzz("kinds = [\"pause\", \"pause\"]"), "`pause` is listed twice"),
        (fuzz("kinds = [\"majorities-ring\"]"), "on 3 nodes none of these faults is possible"),
        (fuzz("max-down = 0"), "0 is out of range"),
        (fuzz("max-down = 4"), "from 1 to 3"),
        (fuzz("max-down = \"most\""), "expected a number, or `unlimited`"),
        (fuzz("clock-drift = \"-1%\""), "expected above 0% and below 100%"),
        (fuzz("clock-drift = \"100%\""), "expected above 0% and below 100%"),
        (fuzz("clock-jump = \"8760h\""), "10 times 31536000s"),
        (fuzz("clock-offset = \"43801h\""), "expected at most 5 years"),
        (fuzz("slow = \"0ms\""), "expected more than 0"),
        (fuzz("loss = \"0%\""), "expected more than 0%"),
        (fuzz("fault = 3"), "did you mean `faults`?"),
        (settings("seed = [1, 2]"), "`seed` cannot be drawn"),
        (settings("\"fault.0.for\" = [\"1s\"]"), "`fault.0.for` cannot be drawn"),
        (settings("\"fuzz.swarm\" = [true]"), "`fuzz.swarm` cannot be drawn"),
        (settings("\"a..b\" = [1]"), "a part of the path is empty"),
        (settings("cluster.nodes = [3, 5]"), "quote a path with dots"),
        (settings("\"cluster.nodes\" = []"), "there is nothing to draw"),
        (settings("\"cluster.nodes\" = [3, 3]"), "3 is given twice"),
        (settings("\"cluster.nodes\" = 3"), "expected an array, found an integer"),
        (settings("\"cluster.nodes\" = { from = 5, to = 3 }"), "the range ends before it starts"),
        (settings("\"cluster.nodes\" = { from = 5 }"), "`to` is missing"),
        (settings("\"cluster.nodes\" = { from = 3, to = \"5s\" }"), "nothing can be drawn between"),
        (settings("\"cluster.nodes\" = { from = 0, to = 5 }"), "0 is out of range"),
    ];
    for (text, title) in cases {
        let (shown, count) = shown(&text, &[]);
        assert!(shown.contains(title) && count == 1, "{text}\n{shown}");
    }
}

#[test]
fn mistakes_of_reads_clocks_and_tombstones_are_shown() {
    let get =
        |get: &str| format!("{BASE}[[operation]]\nat = \"1s\"\nclient = \"u\"\nget = {get}\n");
    let (text, _) = shown(&get("{ key = \"x\", r = 4 }"), &[]);
    assert_eq!(
        text,
        "\
error: the read asks 4 replicas, but there are 3 nodes
 --> s.toml:8:24
  |
8 | get = { key = \"x\", r = 4 }
  |                        ^ expected at most 3, or `all`"
    );
    let grace = "tombstone-grace = \"1s\"\n";
    let clock = "[[clock]]\noffset = \"1s\"\n";
    let cases = [
        (get("{ key = \"x\", r = 0 }"), "0 is out of range"),
        (get("{ key = \"x\", r = \"most\" }"), "expected a number, or `all`"),
        (get("{ key = \"x\", repair = 1 }"), "expected `true` or `false`"),
        (format!("{BASE}[workload]\nread-quorum = 9\n"), "the read asks 9 replicas"),
        (format!("{BASE}deletes = \"erase\"\n{grace}"), "`tombstone-grace` needs tombstones"),
        (format!("{BASE}timestamps = \"term-sequence\"\n{grace}"), "needs timestamps of a clock"),
        (format!("{BASE}timestamps = \"walls\"\n"), "did you mean `wall`?"),
        (format!("{BASE}timestamp-resolution = \"0ms\"\n"), "timestamp-resolution"),
        (format!("{BASE}[protocol.leader-follower.read]\nrepair = \"never\"\n"), "before-answer"),
        (format!("{BASE}[protocol.leader-follower.anti-entropy]\nevery = \"1s\"\n"), "`every`"),
        (format!("{BASE}{clock}"), "the owner of the clock is missing"),
        (format!("{BASE}{clock}node = \"n1\"\nclient = \"*\"\n"), "is given 2 times"),
        (format!("{BASE}{clock}client = \"nobody\"\n"), "there is no client `nobody`"),
    ];
    for (text, expected) in cases {
        let (shown, count) = shown(&text, &[]);
        assert_eq!(count, 1, "{shown}");
        assert!(shown.contains(expected), "{expected} is not in:\n{shown}");
    }
    let text = format!("{BASE}{grace}");
    assert!(load(text.as_bytes(), &["protocol.leader-follower.deletes=erase".to_owned()]).is_ok());
}

#[test]
fn all_mistakes_of_a_file_are_shown_in_its_order() {
    let text = "\
seed = -1
duration = \"5 parsecs\"
[cluster]
nodes = 3
initial-leader = \"n9\"
[protocol.leader-follower]
mode = \"semi-sink\"
[network]
loss = \"150%\"
[workload]
clients = 0
[[fault]]
at = \"1s\"
crash = \"n7\"
pause = \"n1\"
[[change]]
at = \"1s\"
set = { \"cluster.nodes\" = 5 }
[expect]
convergance = \"valid\"
";
    let (shown, count) = shown(text, &[]);
    assert_eq!(count, 9, "{shown}");
    let fragments = [
        "-1 is out of range",
        "`5 parsecs` is not a length of time",
        "there is no node `n9`",
        "did you mean `semi-sync`?",
        "it is over 100%",
        "0 is out of range",
        "what goes wrong is given 2 times",
        "`cluster.nodes` cannot change on the way",
        "did you mean `convergence`?",
    ];
    let places: Vec<Option<usize>> = fragments.iter().map(|part| shown.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{shown}");
}

#[test]
fn what_excludes_each_other_is_read_all_the_same() {
    let operation = "[[operation]]\nat = \"1s\"\nclient = \"a\"\n";
    let cases: &[(&str, &[&str])] = &[
        (
            "[workload]\nthink = { exponential = \"-1ms\", uniform = [\"5ms\", \"1ms\"] }\nopen = { rate = \"5\" }",
            &[
                "it is negative",
                "5ms is above",
                "the distribution is given 2",
                "is not a rate",
                "both a closed",
            ],
        ),
        (
            "[workload]\nopen = { rate = \"5\", interval = 1, burst = 0 }",
            &["is not a rate", "found an integer", "0 is out of range", "pace is given 2 times"],
        ),
        (
            "[[fault]]\nat = \"1s\"\ncrash = \"n9\"\npause = \"n8\"",
            &["no node `n9`", "no node `n8`", "what goes wrong is given 2 times"],
        ),
        (
            "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nforever = true",
            &["what goes wrong is missing", "the fault ends, and lasts forever"],
        ),
        (
            &format!("{operation}put = {{ key = \"a\" }}\nget = {{ key = 5 }}"),
            &["`value` is missing", "found an integer", "the operation is given 2 times"],
        ),
        (
            &format!(
                "{operation}get = {{ key = \"a\" }}\nexpect = {{ value = 1, absent = false }}"
            ),
            &["found an integer", "this can only be `true`", "a value is expected, and none"],
        ),
        (
            "[network]\ndelay = { mixture = [{ weight = 0, constant = 1, exponential = \"0s\" }] }",
            &["found an integer", "is zero", "the part's distribution is given 2 times"],
        ),
    ];
    for (text, fragments) in cases {
        let (shown, count) = shown(&format!("{BASE}{text}\n"), &[]);
        assert_eq!(count, fragments.len(), "{text}\n{shown}");
        for fragment in *fragments {
            assert!(shown.contains(fragment), "`{fragment}` is not in\n{shown}");
        }
    }
}

/// A text behind [`BASE`], and what its only mistake must be shown with.
const MISTAKES: &[(&str, &[&str])] = &[
    ("[netwrok]\nloss = 0.1", &["unknown key `netwrok`", "did you mean `network`?"]),
    ("ack-timeout = 5", &["expected a length of time", "found an integer", ":5:15"]),
    ("ack-timeout = \"5\"", &["the unit is missing"]),
    ("ack-timeout = \"0s\"", &["more than 0"]),
    ("ack-timeout = \"-1s\"", &["it is negative"]),
    ("ack-timeout = \"99999999999999999999s\"", &["longer than 10 years"]),
    ("ack-timeout = \"87601h\"", &["longer than 10 years (87600h)", ":5:15"]),
    ("ack-timeout = \"1e9s\"", &["`e9s` is no unit of time"]),
    ("ack-timeout = [1]", &["found an array"]),
    ("mode = \"semi-sync\"", &["needs a `write-quorum`"]),
    (
        "mode = \"semi-sync\"\nwrite-quorum = 3",
        &["the write quorum is 3, but there are 2 followers"],
    ),
    ("mode = \"semi-sync\"\nwrite-quorum = 99999999999999999999", &["number"]),
    ("write-quorum = 1", &["`write-quorum` needs mode `semi-sync`"]),
    (
        "mode = \"in-sync\"\nin-sync.lag = \"2s\"\nfailover.catch-up = \"log\"",
        &["out of sync after 2s", "an `in-sync.lag` above the heartbeat of 2s"],
    ),
    ("[protocol.raft]", &["unknown key `raft`"]),
    ("[network]\nloss = nan", &["NaN is no probability"]),
    ("[network]\nloss = 1.5", &["1.5 is no probability"]),
    ("[network]\nloss = -0.5", &["-0.5 is no probability"]),
    ("[network]\nloss = \"-5%\"", &["below 0%"]),
    (
        "[network]\ndelay = { constant = \"1ms\", exponential = \"1ms\" }",
        &["given 2 times", "`constant` is given here"],
    ),
    ("[network]\ndelay = { }", &["the distribution is missing"]),
    ("[network]\ndelay = { uniform = [\"2ms\", \"1ms\"] }", &["the lower end 2ms is above"]),
    ("[network]\ndelay = { uniform = [\"2ms\"] }", &["expected two lengths of time, found 1"]),
    (
        "[network]\ndelay = { lognormal = { median = \"1ms\", sigma = inf } }",
        &["inf is out of range"],
    ),
    ("[network]\ndelay = { pareto = { scale = \"1ms\" } }", &["`shape` is missing"]),
    ("[network]\ndelay = { mixture = [] }", &["no part of the mixture"]),
    ("[network]\ndelay = { quantiles = { \"50%\" = \"1ms\" } }", &["do not cover everything"]),
    (
        "[network]\ndelay = { quantiles = { \"0%\" = \"2ms\", \"100%\" = \"1ms\" } }",
        &["the quantiles fall"],
    ),
    ("[network]\nbandwidth = \"10MB\"", &["`MB` is no unit of bandwidth"]),
    ("[[network.link]]\nfrom = \"n1\"", &["`to` is missing"]),
    ("[[network.client]]\nclient = \"c1\"\ndelay = \"1ms\"", &["there is no client `c1`"]),
    ("[[clock]]\nnode = \"n1\"\ndrift = \"-100%\"", &["more than -100%"]),
    ("[workload]\nclients = 100001", &["from 1 to 100000"]),
    ("[workload]\nkeys = 0", &["0 is out of range"]),
    ("[workload]\nmix = { put = 0 }", &["the mix asks for nothing"]),
    (
        "[workload]\nthink = \"1s\"\nopen = { rate = \"1/s\" }",
        &["both a closed and an open loop", "`think` is given here"],
    ),
    ("[workload]\nopen = { }", &["the open loop's pace is missing"]),
    ("[workload]\nopen = { rate = \"0/s\" }", &["more than none"]),
    ("[workload]\nopen = { rate = \"9999999999/s\" }", &["the rate cannot be had"]),
    ("[workload]\nread-from = \"leadr\"", &["did you mean `leader`?"]),
    ("[workload]\nskew = { zipf = 0 }", &["0 is out of range"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"a\"", &["the operation is missing"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\" }", &["`value` is missing"]),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\", value = \"y\", w = 3 }",
        &["asks for 3 acknowledgements"],
    ),
    ("[[operation]]\nat = \"31s\"\nclient = \"a\"\nlist = {}", &["31s is after the end"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"n1\"\nlist = {}", &["cannot be a client's name"]),
    (
        "[workload]\nclients = 2\n[[operation]]\nat = \"1s\"\nclient = \"c2\"\nlist = {}",
        &["the workload drives client `c2`"],
    ),
    (
        "[workload]\n[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\", value = \"c1.1\" }",
        &["a value that the workload writes"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\ndelete = { key = \"x\" }\nexpect = { confirmations = \"3 of 2\" }",
        &["up to \"2 of 2\""],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { error = \"not-leadr\" }",
        &["did you mean `not-leader`?"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nget = { key = \"x\" }\nexpect = { value = \"x\", absent = true }",
        &["a value is expected, and none"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { within = \"1s\", after = \"2s\" }",
        &["that fast and that slow"],
    ),
    (
        "[[operation]]\nid = \"x\"\nat = \"1s\"\nclient = \"a\"\nlist = {}\n[[operation]]\nid = \"x\"\nat = \"1s\"\nclient = \"a\"\nlist = {}",
        &["the id `x` is given twice", "given first here"],
    ),
    (
        "[[clock]]\nnode = \"n2\"\noffset = \"-87599h\"\n[[fault]]\nat = \"1s\"\nclock-jump = { node = \"n1\", by = \"2h\" }\n[[fault]]\nat = \"1s\"\nclock-jump = { node = \"all\", by = \"2h\" }",
        &["the offset and the jumps of n2's clock exceed 10 years together", "s.toml:13"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nclock-jump = { node = \"leader\", by = \"87601h\" }",
        &["longer than 10 years"],
    ),
    ("[workload]\nopen = { rate = \"1/h\", burst = 87601 }", &["from 1ns to 10 years"]),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\", value = \"y\" }\nexpect = { value = \"y\" }",
        &["the answer to a `put` has no `value`", "only that to `get` has it"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { absent = true }",
        &["the answer to a `list` has no `absent`", "`within`, `after` or `keys`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nget = { key = \"x\" }\nexpect = { existed = true }",
        &["the answer to a `get` has no `existed`", "only that to `delete`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nget = { key = \"x\" }\nexpect = { keys = [] }",
        &["has no `keys`", "only that to `list`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { all = {} }",
        &["has no `all`", "only that to `read-all`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nread-all = {}\nexpect = { degraded = true }",
        &["has no `degraded`", "`put`, `delete`, `clear` or `append`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nget = { key = \"x\" }\nexpect = { confirmations = \"1 of 2\" }",
        &["has no `confirmations`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"nemesis\"\nlist = {}",
        &["`nemesis` cannot be a client's name", "the history calls the faults so"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"c#1\"\nlist = {}",
        &["`c#1` cannot be a client's name", "in the history"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\", value = \"\\u001b[31m\" }",
        &["control characters"],
    ),
    ("[[fault]]\nat = \"1s\"", &["what goes wrong is missing"]),
    ("[[fault]]\nat = \"40s\"\ncrash = \"n1\"", &["40s is after the end"]),
    (
        "[[fault]]\nid = \"a\"\nat = \"1s\"\ncrash = \"n1\"\n[[fault]]\nid = \"a\"\nat = \"1s\"\ncrash = \"n1\"",
        &["the id `a` is given twice"],
    ),
    (
        "[[fault]]\nid = \"network\"\nat = \"1s\"\ncrash = \"n1\"",
        &["`network` cannot be a fault's id"],
    ),
    (
        "[[fault]]\nat = \"1s\"\ncrash = \"leadre\"",
        &["there is no node `leadre`", "did you mean `leader`?"],
    ),
    ("[[fault]]\nat = \"1s\"\ncrash = []", &["nobody is meant"]),
    (
        "[[fault]]\ncrash = \"n1\"",
        &["when the fault starts is missing", "needs one of `at` or `when`"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nwhen = { elected = 1 }\ncrash = \"n1\"",
        &["when the fault starts is given 2 times", "`when` contradicts it"],
    ),
    (
        "[[fault]]\nwhen = { node = \"n1\" }\ncrash = \"n1\"",
        &["what the fault is tied to is missing", "`elected`, `appends`"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, restarts = 2 }\ncrash = \"n1\"",
        &["what the fault is tied to is given 2 times", "`restarts` contradicts it"],
    ),
    ("[[fault]]\nwhen = \"elected\"\ncrash = \"n1\"", &["`when` takes a table"]),
    ("[[fault]]\nwhen = { persist = 1 }\ncrash = \"n1\"", &["did you mean `persists`?"]),
    (
        "[[fault]]\nwhen = { persists = 0 }\ncrash = \"n1\"",
        &["0 is out of range", "from 1 to 1000000"],
    ),
    ("[[fault]]\nwhen = { persists = 1000001 }\ncrash = \"n1\"", &["1000001 is out of range"]),
    ("[[fault]]\nwhen = { elected = 1, node = \"n4\" }\ncrash = \"n1\"", &["no node `n4`"]),
    (
        "[[fault]]\nwhen = { elected = 1, node = \"leader\" }\ncrash = \"n1\"",
        &["there is no node `leader`"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, after = \"31s\" }\ncrash = \"n1\"",
        &["the fault could never start", "before `duration`, 30s, is over"],
    ),
    (
        "[[fault]]\nwhen = { receives = 1, kind = \"apend\" }\ncrash = \"n1\"",
        &["`apend` is none of the choices", "did you mean `append`?"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, kind = \"append\" }\ncrash = \"n1\"",
        &["`elected` has no kind of message", "only `receives` has one"],
    ),
    ("[[fault]]\nat = \"1s\"\ncrash = [\"n1\", \"n1\"]", &["`n1` is given twice"]),
    (
        "[[fault]]\nat = \"1s\"\nfor = \"1s\"\nforever = true\ncrash = \"n1\"",
        &["the fault ends, and lasts forever"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nforever = true\nisolate = \"n1\"",
        &["`isolate` cannot last forever"],
    ),
    ("[[fault]]\nat = \"1s\"\nfor = \"1s\"\nrestart = \"n1\"", &["`restart` has no end"]),
    ("[[fault]]\nat = \"1s\"\nmajorities-ring = true", &["needs at least four nodes"]),
    ("[[fault]]\nat = \"1s\"\nbridge = \"all\"", &["a bridge is one node"]),
    ("[[fault]]\nat = \"1s\"\npartition = [[]]", &["a group is empty"]),
    ("[[fault]]\nat = \"1s\"\npartition = [[\"alice\"]]", &["no node or client `alice`"]),
    ("[[fault]]\nat = \"1s\"\ndrop = { kind = \"akc\" }", &["did you mean `ack`?"]),
    ("[[fault]]\nat = \"1s\"\nheal = \"cut\"", &["there is no fault `cut`"]),
    ("[[fault]]\nat = \"1s\"\nslow-disk = { node = \"n1\" }", &["`by`"]),
    (
        "[[fault]]\nat = \"1s\"\nfor = \"1s\"\nflip-bit = { node = \"n1\" }",
        &["`flip-bit` has no end"],
    ),
    ("[[fault]]\nat = \"1s\"\ndisk-full = { node = \"n1\" }", &["found a table"]),
    ("wal = { policy = \"fsyncs\" }", &["did you mean `fsync`?"]),
    (
        "wal = { policy = \"fsync\", sync-every = \"1s\" }",
        &["`sync-every` needs the policy `buffered`"],
    ),
    ("wal = { checkpoint-every = 100 }", &["`checkpoint-every` needs a log"]),
    ("wal = { on = \"leader\" }", &["`on` needs a log"]),
    ("wal = { policy = \"fsync\", on = \"follower\" }", &["`follower` is none of the choices"]),
    (
        "wal = { policy = \"fsync\", on = \"leader\" }\nfailover = { election = \"lowest-id\" }",
        &["only the leader keeps a log, and with an election another node may lead"],
    ),
    ("full-state = \"merge\"", &["no full state is ever sent that could be merged"]),
    ("full-state = \"merged\"", &["did you mean `merge`?"]),
    ("failover = { look-every = \"1s\" }", &["`look-every` needs an election"]),
    (
        "failover = { election = \"highest-id\", look-every = \"1s\" }",
        &["`look-every` needs an election"],
    ),
    ("failover = { election = \"lowest-id\", look-every = \"0s\" }", &["a length of time is zero"]),
    ("defects = [\"silent-follower\"]", &["did you mean `silent-followers`?"]),
    ("[network]\nrefuse = \"yes\"", &["`true` or `false`"]),
    (
        "wal = { policy = \"fsync\", checkpoint-every = 0 }",
        &["0 is out of range", "expected a whole number from 1"],
    ),
    ("defects = [\"truncate-corruptions\"]", &["did you mean `truncate-corruption`?"]),
    ("[[change]]\nat = \"1s\"\nset = { \"network.los\" = 1 }", &["unknown key `los`"]),
    ("[[change]]\nat = \"1s\"\nset = { \"network.loss\" = \"200%\" }", &["over 100%"]),
    (
        "[[change]]\nat = \"1s\"\nset = { \"workload.keys\" = 1 }",
        &["`workload.keys` cannot change"],
    ),
    (
        "[[change]]\nat = \"1s\"\nset = { \"workload.mix\" = { put = 1 } }",
        &["there is no workload to change"],
    ),
    ("[[change]]\nat = \"1s\"\nset = { \"network..\" = 1 }", &["empty or misquoted"]),
    (
        "[workload]\n[[change]]\nat = \"1s\"\nset = { \"workload.open\" = { rate = \"9/s\" } }",
        &["a closed loop cannot become an open one"],
    ),
    ("[[change]]\nat = \"1s\"\nset = { \"network.link.0.loss\" = 1 }", &["expected an array"]),
    ("[expect]\nconvergence = \"vald\"", &["did you mean `valid`?"]),
    ("[[expect.state]]\nat = \"61s\"\nnode = \"n1\"\nterm = 1", &["61s is after the end"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"", &["a state of nothing"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"\nkey = \"x\"", &["what does the key hold?"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"\nvalue = \"x\"", &["a value of which key?"]),
    ("[[fault]]\nat = \"1s\"\ncrsh = \"n1\"", &["unknown key `crsh`", "did you mean `crash`?"]),
    ("[[fault]]\nta = \"1s\"\ncrash = \"n1\"", &["did you mean `at`?"]),
    ("mode = \"sync\"\nmode = \"sync\"", &["`mode` is given twice", "given first here"]),
    ("[cluster]", &["`cluster` is given twice", "given first here"]),
    ("mode = ", &["s.toml:5"]),
];

#[test]
fn each_mistake_is_named_alone() {
    for (text, fragments) in MISTAKES {
        let (shown, count) = shown(&format!("{BASE}{text}\n"), &[]);
        assert_eq!(count, 1, "{text}\n{shown}");
        for fragment in *fragments {
            assert!(shown.contains(fragment), "`{fragment}` is not in\n{shown}");
        }
    }
}

#[test]
fn what_is_no_scenario_at_all_is_refused() {
    let deep = "[".repeat(20_000);
    let tables = "{a=".repeat(20_000);
    let dotted = format!("{}a = 1", "a.".repeat(20_000));
    let texts: [(&str, &str); 9] = [
        ("", "the scenario is empty"),
        ("# nothing\n", "the scenario is empty"),
        ("\u{feff}", "the scenario is empty"),
        ("this is no TOML", "s.toml:1"),
        ("{\"json\": true}", "s.toml:1"),
        (&format!("a = {deep}"), "nested too deeply"),
        (&format!("a = {tables}"), "expected at most 80 tables or arrays inside each other"),
        (&dotted, "nested too deeply"),
        ("title = \"a\\u001b[31mred\\nline\"", "the text has control characters"),
    ];
    for (text, fragment) in texts {
        let (shown, _) = shown(text, &[]);
        assert!(shown.contains(fragment), "{shown}");
        assert!(shown.len() < 100_000, "{} bytes are shown", shown.len());
    }
    let mistakes = load(b"title = \"\xff\"", &[]).expect_err("not UTF-8").to_string();
    assert!(mistakes.contains("not UTF-8") && mistakes.contains("s.toml:1:10"), "{mistakes}");
    assert!(load(&[0, 159, 146, 150], &[]).is_err());
}

#[test]
fn arguments_set_what_they_name() {
    let set = |text: &str, sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        load(text.as_bytes(), &sets).unwrap_or_else(|mistakes| panic!("{mistakes}")).export()
    };
    let [closed, open, faults] = MAXIMAL;
    let cases: &[(&str, &[&str], &[&str])] = &[
        (BASE, &["duration=5s"], &["duration = \"5s\""]),
        (BASE, &["seed=0x10", "title=a b"], &["seed = 16", "title = \"a b\""]),
        (BASE, &["network.delay=7ms"], &["delay = { constant = \"7ms\" }"]),
        (BASE, &["network.delay={uniform=[\"1ms\",\"2ms\"]}"], &["uniform = [\"1ms\", \"2ms\"]"]),
        (closed, &["network.delay.constant=7ms"], &["delay = { constant = \"7ms\" }"]),
        (closed, &["workload.mix={put=50,get=50}"], &["put = 50, get = 50, delete = 0"]),
        (
            BASE,
            &["workload.clients=2", "workload.open.rate=10/s"],
            &["open = { interval = { exponential = \"100ms\" }"],
        ),
        (faults, &["workload.open.rate=10/s"], &["exponential = \"200ms\""]),
        (open, &["workload.think=1s"], &["think = { constant = \"1s\" }"]),
        (closed, &["protocol.leader-follower.write-quorum=3"], &["write-quorum = 3"]),
        (closed, &["protocol.leader-follower.mode=async"], &["mode = \"async\""]),
        (
            closed,
            &["protocol.leader-follower.mode=sync", "protocol.leader-follower.write-quorum=2"],
            &["mode = \"sync\""],
        ),
        (
            BASE,
            &["protocol.leader-follower.mode=semi-sync", "protocol.leader-follower.write-quorum=2"],
            &["write-quorum = 2"],
        ),
        (closed, &["network.link.0.loss=33%"], &["loss = \"33%\""]),
        (faults, &["fault.cut.at=17s"], &["at = \"17s\""]),
        (faults, &["fault.cut.isolate=n1"], &["isolate = \"n1\""]),
        (
            faults,
            &["fault.majorities-ring-1s.at=17s"],
            &["at = \"17s\"", "id = \"majorities-ring-1s\""],
        ),
        (faults, &["fault.clog-1s-2.for=7s", "fault.5.at=8s"], &["for = \"7s\"", "at = \"8s\""]),
        (open, &["operation.get-2s-2.at=1500ms"], &["id = \"get-2s-2\"\nat = \"1.5s\""]),
        (open, &["operation.first.delete.key=z"], &["delete = { key = \"z\" }"]),
        (" ", &["cluster.nodes=3", "protocol.leader-follower={}"], &["nodes = 3"]),
    ];
    for (text, sets, fragments) in cases {
        let exported = set(text, sets);
        for fragment in *fragments {
            assert!(exported.contains(fragment), "{sets:?}: `{fragment}` is not in\n{exported}");
        }
    }
}

#[test]
fn wrong_arguments_are_pointed_at() {
    let cases: &[(&str, &[&str])] = &[
        ("network.loss", &["the argument has no `=`"]),
        ("=5", &["--set:1:1"]),
        ("", &["the argument has no `=`"]),
        ("network..loss=5%", &["empty or misquoted", "--set:1:9"]),
        ("netwrok.loss=5%", &["unknown key `netwrok`", "--set:1:1"]),
        ("network.loss=500%", &["over 100%", "--set:1:14"]),
        ("network.loss.x=1", &["found a table"]),
        ("network.link.3.loss=1", &["expected an array", "--set:1:9"]),
        ("seed=x", &["found a string", "--set:1:6"]),
        ("duration=", &["is not a length of time"]),
        ("protocol.raft.x=1", &["unknown key `raft`"]),
        ("protocol.leader-follower.mode=semi-sync", &["needs a `write-quorum`", "--set:1:31"]),
        ("protocol.leader-follower.write-quorum=2", &["needs mode `semi-sync`"]),
    ];
    for (argument, fragments) in cases {
        let (shown, _) = shown(BASE, &[argument]);
        for fragment in *fragments {
            assert!(shown.contains(fragment), "{argument}: `{fragment}` is not in\n{shown}");
        }
    }
    let (unknown, count) = shown(BASE, &["protocol.raft.x=1"]);
    assert!(count == 1 && unknown.contains("--set:1:10"), "{unknown}");
    let (shown, _) = shown(MAXIMAL[2], &["fault.nope.at=1s"]);
    assert!(shown.contains("there is no item `nope`"), "{shown}");
}

/// Reads what may be anything; what reads must also be written back.
fn survives(text: &[u8], sets: &[String]) {
    match load(text, sets) {
        Err(mistakes) => {
            assert!(mistakes.len() > 0);
            assert!(!mistakes.render(true).is_empty());
            assert!(!mistakes.render(false).is_empty());
        }
        Ok(scenario) => {
            let exported = scenario.export();
            let again = load(exported.as_bytes(), &[])
                .unwrap_or_else(|mistakes| panic!("{mistakes}\n{exported}"));
            assert_eq!(again.config, scenario.config, "{exported}");
            assert_eq!(again.protocol.encode(), scenario.protocol.encode());
        }
    }
}

fn valid_texts() -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).expect("listed just now");
    let mut texts: Vec<String> = shipped().into_iter().map(read).collect();
    texts.extend(MAXIMAL.map(str::to_owned));
    texts
}

/// Tokens that mean something somewhere.
const TOKENS: [&str; 24] = [
    "\"n1\"",
    "\"99999999999999999999s\"",
    "-1",
    "0",
    "nan",
    "inf",
    "9223372036854775807",
    "[]",
    "{}",
    "true",
    "\"100%\"",
    "\"101%\"",
    "\"leader\"",
    "\"all\"",
    "\"-5s\"",
    "\"0ms\"",
    "1e308",
    "[[",
    "]]",
    "\"\"",
    "1979-05-27",
    "\"\\u0000é\"",
    "\n",
    "=",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes, &[]);
    }

    #[test]
    fn any_text_and_argument_survive(text in "\\PC{0,100}", argument in "\\PC{0,60}") {
        survives(text.as_bytes(), std::slice::from_ref(&argument));
        survives(BASE.as_bytes(), &[argument]);
    }

    #[test]
    fn mutated_scenarios_survive(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(&TOKENS[..])), 1..4),
    ) {
        let texts = valid_texts();
        let mut text = which.get(&texts).clone().into_bytes();
        for (at, length, token) in edits {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, token.bytes());
        }
        survives(&text, &[]);
    }

    #[test]
    fn values_replaced_in_scenarios_survive(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&TOKENS[..])), 1..3),
    ) {
        let texts = valid_texts();
        let mut lines: Vec<String> = which.get(&texts).lines().map(str::to_owned).collect();
        for (at, token) in edits {
            let line = at.index(lines.len());
            if let Some((key, _)) = lines[line].clone().split_once('=') {
                lines[line] = format!("{key}= {token}");
            }
        }
        survives(lines.join("\n").as_bytes(), &[]);
    }
}

/// What is held against a bound comes to nothing but `unchecked` without one.
#[test]
fn a_verdict_that_needs_a_bound_needs_the_bound() {
    let (text, count) = shown(&format!("{BASE}[expect]\navailability = \"valid\"\n"), &[]);
    assert_eq!(
        (text.as_str(), count),
        (
            "\
error: `availability` is held against a bound, and the file sets none
 --> s.toml:6:16
  |
6 | availability = \"valid\"
  |                ^^^^^^^ expected `unchecked`, which is what comes of it without a bound
  |
  = help: set `check.availability-bound` or `check.recovery-bound`: under [check], `availability-bound = \"99%\"`
  = help: a bound that is set is a demand: a run that misses it fails without this line",
            1
        )
    );
    for verdict in ["allowed", "violation", "unknown"] {
        for property in ["availability", "replication-lag"] {
            let (text, _) = shown(BASE, &[&format!("expect.{property}={verdict}")]);
            assert!(text.contains("is held against a bound, and the file sets none"), "{text}");
        }
    }
    let bounds = ["check.recovery-bound=1s", "check.replication-lag-bound=1s"];
    for (property, title) in [
        ("availability", "`availability` is checked: the file sets a bound for it"),
        ("replication-lag", "`replication-lag` is checked: the file sets a bound for it"),
        ("durability", "`durability` is never unchecked"),
        ("staleness", "`staleness` is never unchecked"),
    ] {
        let set = format!("expect.{property}=unchecked");
        let (text, count) = shown(BASE, &[bounds[0], bounds[1], &set]);
        assert!(text.contains(title) && count == 1, "{text}");
    }
    // A bound that is wrong is one mistake, not two.
    let sets = ["check.availability-bound=150%", "expect.availability=valid"];
    assert_eq!(shown(BASE, &sets).1, 1);
}

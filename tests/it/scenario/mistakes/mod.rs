//! Mistakes in scenario files and `--set` arguments: what is shown, and that nothing panics.

mod any_text;
mod arguments;
mod each;

use splitbrain::scenario::{Diagnostics, Registry, Scenario};

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
            r#"[workload]
think = { exponential = "-1ms", uniform = ["5ms", "1ms"] }
open = { rate = "5" }"#,
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

/// Without its bound a property can only be `unchecked`.
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
  = help: set `check.availability-bound` or `check.recovery-bound`: under [check], \
  `availability-bound = \"99%\"`
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

/// What is missing because its key is misspelt is one mistake, not two. A mix of `puts` was told
/// that it asks for nothing, and a state of a `rol` that it says nothing.
#[test]
fn a_key_that_is_misspelt_is_not_missing_too() {
    let state =
        |rest: &str| format!("{BASE}[[expect.state]]\nat = \"1s\"\nnode = \"n1\"\n{rest}\n");
    let workload = |rest: &str| format!("{BASE}[workload]\n{rest}\n");
    let misspelt = [
        workload("mix = { puts = 100 }"),
        workload("mix = { anything = 1 }"),
        state("rol = \"leader\""),
        state("ky = \"k\"\nvalue = \"v\""),
        state("key = \"k\"\nvalu = \"v\""),
        format!("{BASE}[[operation]]\nat = \"1s\"\nclient = \"a\"\ngett = {{ key = \"k\" }}\n"),
        format!("{BASE}[[operation]]\nat = \"1s\"\nclint = \"a\"\nget = {{ key = \"k\" }}\n"),
        format!("{BASE}[[fault]]\nat = \"1s\"\ncrsh = \"n1\"\n"),
        format!("{BASE}[network]\ndelay = {{ unifrom = [\"1ms\", \"2ms\"] }}\n"),
    ];
    for text in misspelt {
        let (told, count) = shown(&text, &[]);
        assert!(count == 1 && told.starts_with("error: unknown key"), "{text}\n{told}");
    }
    let missing = [
        (workload("mix = { put = 0 }"), "the mix asks for nothing"),
        (state(""), "a state of nothing"),
        (state("value = \"v\""), "`key` is missing"),
        (state("key = \"k\""), "what does the key hold?"),
    ];
    for (text, title) in missing {
        let (told, count) = shown(&text, &[]);
        assert!(count == 1 && told.starts_with(&format!("error: {title}")), "{text}\n{told}");
    }
}

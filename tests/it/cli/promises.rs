//! `promises`: what the settings of a file promise, and why; and what `run` warns of.

use std::fs;

use splitbrain::named::Named;
use splitbrain::property::Property;

use crate::support::cli::{splitbrain_in, text};

/// The exit status, standard output and standard error.
fn splitbrain(scenario: &str, args: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("s.toml"), scenario).expect("a file");
    let output = splitbrain_in(folder.path(), args);
    (output.status.code().expect("a status"), text(&output.stdout), text(&output.stderr))
}

const FILE: &str = r#"title = "Two followers in memory"
settle = "5s"
[cluster]
nodes = 3
[protocol.leader-follower]
mode = "sync"
on-ack-timeout = "fail"
[[operation]]
at = "1s"
client = "a"
put = { key = "k", value = "v" }
"#;

#[test]
fn promises_tells_what_the_settings_of_a_file_promise_and_why() {
    let (status, out, err) = splitbrain(FILE, &["promises", "s.toml", "--set", "settle=60s"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let words: String = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "always single-leader, split-brain because the leader is fixed",
        "promised durability unless a leader and 2 other nodes crashed, lost power or came back \
         with an empty disk, or a \
         leader had its wall clock set wrong because",
        "never availability because nobody takes the place of a leader",
        "may need 6s after everything has healed, and `settle` is 60s.",
    ] {
        assert!(words.contains(told), "{told}: {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    // A leader that is fixed keeps no replicated log, and nothing is said of one.
    let judged = || Property::all().filter(|property| !property.is_of_a_log());
    assert!(judged().all(|property| words.contains(property.name())), "{out}");
    assert!(!words.contains("log-matching"), "{out}");

    let set = ["--set", "protocol.leader-follower.on-ack-timeout=succeed"];
    let (_, out, _) = splitbrain(FILE, &[&["promises", "s.toml", "--json"][..], &set].concat());
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(document["scenario"], "s");
    assert_eq!(document["protocol"], "leader-follower");
    let promises = document["promises"].as_array().expect("a list");
    assert_eq!(promises.len(), judged().count());
    let durability = &promises[2];
    assert_eq!(durability["property"], "durability");
    assert_eq!(durability["promised"], "unless");
    assert_eq!(durability["conditions"][0]["whose"], "leader");
    let hazards = serde_json::json!(["crash", "power-loss", "empty-disk", "clock-skew"]);
    assert_eq!(durability["conditions"][0]["hazards"], hazards);
}

#[test]
fn promises_shows_the_mistakes_of_a_file_and_of_arguments() {
    let cases: [(&str, &[&str], &str); 3] = [
        (FILE, &["promises", "none.toml"], "none.toml"),
        (FILE, &["promises", "s.toml", "--set", "setle=1s"], "setle=1s"),
        ("[cluster]\nnodes = 0\n", &["promises", "s.toml"], "nodes = 0"),
    ];
    for (text, args, shown) in cases {
        let (status, out, err) = splitbrain(text, args);
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("error") && err.contains(shown), "{err}");
    }
}

#[test]
fn a_settle_that_is_too_short_is_warned_of_where_it_stands_and_nothing_else_changes() {
    let (status, out, err) = splitbrain(FILE, &["run", "s.toml", "--json"]);
    assert_eq!(status, 0, "{err}");
    serde_json::from_str::<serde_json::Value>(&out).expect("JSON");
    assert!(err.starts_with("warning: `settle` is shorter than these settings may need"), "{err}");
    assert!(err.contains("s.toml:2:10") && err.contains("^^^^ 6s would do"), "{err}");
    let (status, _, err) = splitbrain(FILE, &["run", "s.toml", "--set", "settle=2s"]);
    assert_eq!(status, 0);
    assert!(err.contains("--set:1:8") && err.contains("^^ 6s would do"), "{err}");
    let (status, _, err) = splitbrain(FILE, &["run", "s.toml", "--set", "settle=16s"]);
    assert_eq!((status, err.as_str()), (0, ""));
}

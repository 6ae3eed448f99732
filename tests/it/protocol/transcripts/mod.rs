//! Transcripts: commands to a harness of nodes, each with what it brought about.
//!
//! A file in `tests/transcripts/<protocol>/` begins with what it shows. Blocks follow, separated by
//! empty lines: commands, one a line, a line `----`, and what the nodes did. `UPDATE_TRANSCRIPTS=1`
//! writes what they do now in the place of what they did; the change is reviewed as a diff, like
//! code. (The form of etcd-io/raft's `testdata`.)

mod commands;

use std::fs;
use std::path::{Path, PathBuf};

use commands::{Mistake, Session};
use splitbrain::protocol::leader_follower::LeaderFollower;
use splitbrain::scenario::ScenarioProtocol;

use crate::protocol::custom::chain::Chain;
use crate::protocol::custom::reciter::Reciter;

/// The line between commands and what came of them.
const SEPARATOR: &str = "----";

#[test]
fn leader_follower_does_what_its_transcripts_say() {
    compare_all::<LeaderFollower>("leader_follower");
}

#[test]
fn a_protocol_of_another_crate_does_what_its_transcripts_say() {
    compare_all::<Chain>("chain");
}

/// A breach stands where it happens.
#[test]
fn nodes_that_recite_a_log_do_what_their_transcripts_say() {
    compare_all::<Reciter>("reciter");
}

#[test]
fn a_difference_is_found_and_an_update_mends_it() {
    let text =
        "# Two nodes start.\n\ncluster\nnodes = 2\n[protocol.leader-follower]\n----\nn1 sleeps\n";
    let played = play::<LeaderFollower>(text).unwrap();
    let difference = first_difference(text, &played).expect("no node says that it sleeps");
    assert!(difference.contains("- n1 sleeps"), "{difference}");
    assert!(difference.contains("+ n1 starts with a new disk"), "{difference}");
    assert_eq!(first_difference(&played, &play::<LeaderFollower>(&played).unwrap()), None);
}

/// A word that is no command is a mistake of the transcript, and no outcome that an update writes
/// down.
#[test]
fn a_word_that_is_no_command_is_shown_with_what_was_expected() {
    let head = "cluster\nnodes = 2\n[protocol.leader-follower]\n----\n\n";
    for (commands, line, expected) in [
        ("crash n1\nsleep n1", 7, "expected start NODE, crash NODE, "),
        ("start m1", 6, "expected a node such as n1, not `m1`"),
        ("request n1 put k", 6, "expected put KEY=VALUE"),
        ("request n1 swap k", 6, "expected put, get, delete, append, list, read-all or clear"),
        ("retry n1 x", 6, "expected a number, not `x`"),
        ("advance 5", 6, "expected a length of time such as 150ms, not `5`"),
        ("lose-power n1 half", 6, "expected nothing, kept or torn BYTES behind the node"),
    ] {
        let text = format!("{head}{commands}\n----\n");
        let mistake = play::<LeaderFollower>(&text).expect_err(commands);
        let shown = shown("t.txt", &text, &mistake);
        let word = commands.lines().last().unwrap();
        let carets = "^".repeat(word.len());
        let start =
            format!("error: no such command\n --> t.txt:{line}:1\n  |\n{line} | {word}\n  | ");
        assert!(shown.starts_with(&format!("{start}{carets} {expected}")), "{shown}");
    }
    let mistake = play::<LeaderFollower>("crash n1\n----\n").expect_err("no cluster");
    assert_eq!(mistake.expected, "expected `cluster` and its settings first");
}

/// Plays every transcript of a protocol, and says where nodes now do something else.
fn compare_all<P: ScenarioProtocol>(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of the protocol");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no transcript in {}", folder.display());
    let updates = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut differences = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let played = match play::<P>(&text) {
            Ok(played) => played,
            Err(mistake) => panic!("{}", shown(&file.display().to_string(), &text, &mistake)),
        };
        let Some(difference) = first_difference(&text, &played) else { continue };
        if updates {
            fs::write(&file, played).unwrap();
        } else {
            differences.push(format!("{}\n{difference}", file.display()));
        }
    }
    assert!(
        differences.is_empty(),
        "nodes do not do what their transcripts say; if that is meant, set \
         UPDATE_TRANSCRIPTS=1\n\n{}",
        differences.join("\n\n")
    );
}

/// A mistake in a transcript, as rustc would show it.
fn shown(file: &str, text: &str, Mistake { at, expected }: &Mistake<'_>) -> String {
    let from = at.as_ptr() as usize - text.as_ptr() as usize;
    let number = text[..from].matches('\n').count() + 1;
    let line = at.lines().next().unwrap_or_default();
    let (gap, carets) = (" ".repeat(number.to_string().len()), "^".repeat(line.len().max(1)));
    format!(
        "error: no such command\n{gap}--> {file}:{number}:1\n{gap} |\n{number} | {line}\n{gap} | \
         {carets} {expected}"
    )
}

/// The transcript with what the nodes do now.
fn play<P: ScenarioProtocol>(text: &str) -> Result<String, Mistake<'_>> {
    let mut session = Session::<P>::new();
    let mut played = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        if !played.is_empty() {
            played.push('\n');
        }
        if block.lines().all(|line| line.starts_with('#')) {
            played += &format!("{block}\n");
            continue;
        }
        let commands = block.split(SEPARATOR).next().unwrap_or_default().trim_end();
        played += &format!("{commands}\n{SEPARATOR}\n{}", session.run(commands)?);
    }
    Ok(played)
}

/// Where two texts differ first, with the lines around; `None` where they do not.
fn first_difference(before: &str, now: &str) -> Option<String> {
    let (before, now): (Vec<_>, Vec<_>) = (before.lines().collect(), now.lines().collect());
    let same = before.iter().zip(&now).take_while(|(before, now)| before == now).count();
    if same == before.len() && same == now.len() {
        return None;
    }
    let show = |sign: char, lines: &[&str], from: usize| {
        let lines = lines.iter().skip(from).take(6);
        lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    let context = show(' ', &before[..same], same.saturating_sub(4));
    let (before, now) = (show('-', &before, same), show('+', &now, same));
    Some(format!("line {}:\n{context}{before}{now}", same + 1))
}

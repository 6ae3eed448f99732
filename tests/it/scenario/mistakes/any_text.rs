//! Whatever is read, nothing panics.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{BASE, load};
use crate::support::scenario::{MAXIMAL, shipped};

/// Reads any text; a valid scenario must also survive its export.
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
            assert_eq!(again.names, scenario.names, "{exported}");
            assert_eq!(again.protocol.encode(), scenario.protocol.encode());
        }
    }
}

/// Texts of scenarios without a mistake.
static VALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let read = |path| std::fs::read_to_string(path).expect("listed just now");
    let mut texts: Vec<String> = shipped().into_iter().map(read).collect();
    texts.extend(MAXIMAL.map(str::to_owned));
    texts
});

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
        let mut text = which.get(&VALID).clone().into_bytes();
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
        let mut lines: Vec<String> = which.get(&VALID).lines().map(str::to_owned).collect();
        for (at, token) in edits {
            let line = at.index(lines.len());
            if let Some((key, _)) = lines[line].clone().split_once('=') {
                lines[line] = format!("{key}= {token}");
            }
        }
        survives(lines.join("\n").as_bytes(), &[]);
    }
}

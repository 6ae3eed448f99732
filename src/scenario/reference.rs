//! Every key of scenario files, for `help keys`.

use super::keys::Declaration;
use super::{Registry, schema};

/// A key of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Where it stands: `network.loss`; in an item of a list `network.link[].from`.
    pub path: String,
    /// What it means, in a sentence or more.
    pub help: String,
    /// What it takes, in words: its type and its range.
    pub takes: String,
    /// The default as TOML; `None` if there is none, or if it depends on other settings.
    pub default: Option<String>,
    /// Whether its table is wrong without it.
    pub is_required: bool,
    /// A value that it takes, as TOML.
    pub example: String,
}

/// Every key of scenario files with the protocols of `registry`, each table before its keys. The
/// keys of distributions are left out: they are the same for every distribution.
#[must_use]
pub fn all(registry: &Registry) -> Vec<KeyEntry> {
    let mut entries = Vec::new();
    walk("", schema::whole(registry).keys(), &mut entries);
    entries
}

fn walk(path: &str, keys: &[Declaration], entries: &mut Vec<KeyEntry>) {
    for key in keys {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", key.name);
        let inner = if key.shape.is_list() { format!("{path}[]") } else { path.clone() };
        entries.push(KeyEntry {
            path,
            help: if key.help.is_empty() { key.shape.help().to_owned() } else { key.help.clone() },
            takes: key.shape.takes().to_owned(),
            default: key.default.as_ref().map(ToString::to_string),
            is_required: key.is_required,
            example: key.example().to_owned(),
        });
        walk(&inner, key.shape.keys(), entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const FILES: [&str; 3] = [
        include_str!("../../tests/it/support/maximal/workload.toml"),
        include_str!("../../tests/it/support/maximal/script.toml"),
        include_str!("../../tests/it/support/maximal/faults.toml"),
    ];

    /// The file with every setting explicit after this argument; `Err` when it is refused.
    fn settings(file: &str, set: Option<String>) -> Result<String, String> {
        let sets: Vec<String> = set.into_iter().collect();
        Scenario::parse("test.toml", file.as_bytes(), &Registry::new(), &sets)
            .map(|scenario| scenario.export())
            .map_err(|mistakes| mistakes.to_string())
    }

    /// The path of the key in each item of its list that has the table around the key.
    fn paths(file: &str, path: &str) -> Vec<String> {
        if !path.contains("[]") {
            return vec![path.to_owned()];
        }
        paths_in(&toml::from_str(file).expect("it is TOML"), path)
    }

    fn paths_in(root: &toml::Value, path: &str) -> Vec<String> {
        let find = |path: &str| {
            path.split('.')
                .filter(|key| !key.is_empty())
                .try_fold(root.clone(), |table, key| table.get(key).cloned())
        };
        let Some((list, rest)) = path.split_once("[]") else {
            let around = path.rsplit_once('.').map_or("", |(around, _)| around);
            return find(around).map(|_| path.to_owned()).into_iter().collect();
        };
        let items = find(list).and_then(|list| list.as_array().cloned()).unwrap_or_default();
        let in_item = |(place, item): (usize, &toml::Value)| {
            let inside = paths_in(item, rest.trim_start_matches('.'));
            inside.into_iter().map(move |inside| format!("{list}.{place}.{inside}"))
        };
        items.iter().enumerate().flat_map(in_item).collect()
    }

    /// Values that a key may take: its example, the words that it takes, and some of any kind.
    fn values(entry: &KeyEntry) -> Vec<String> {
        let some = [
            "3", "true", "false", "7ms", "2m", "4%", "n2", "20ppm", "2MB/s", "x", "16", "2", "bob",
            "network", "ack",
        ];
        let words = entry.takes.split('`').skip(1).step_by(2);
        let words = words.chain(some).map(str::to_owned);
        std::iter::once(entry.example.clone()).chain(words).collect()
    }

    #[test]
    fn every_key_says_what_it_means_and_takes() {
        let entries = all(&Registry::new());
        assert!(entries.len() > 200, "{}", entries.len());
        for entry in &entries {
            assert!(entry.help.ends_with('.'), "{entry:?}");
            assert!(!entry.takes.is_empty() && !entry.example.is_empty(), "{entry:?}");
        }
        let mut paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all, "a key is declared twice");
    }

    #[test]
    fn some_value_of_every_key_changes_the_settings() {
        let before = FILES.map(|file| settings(file, None).expect("it is a scenario"));
        let changes = |entry: &KeyEntry| {
            let values = values(entry);
            let of_file = |(file, before): (&&str, &String)| {
                let changed = |path: &String| {
                    let set = |value: &String| settings(file, Some(format!("{path}={value}")));
                    values.iter().any(|value| set(value).is_ok_and(|after| after != *before))
                };
                paths(file, &entry.path).iter().any(changed)
            };
            FILES.iter().zip(&before).any(of_file)
        };
        let entries = all(&Registry::new());
        // The keys of a table are tried themselves.
        let is_table = |entry: &&KeyEntry| entry.takes.ends_with("a table");
        let dead: Vec<&str> = entries
            .iter()
            .filter(|entry| !is_table(entry) && !changes(entry))
            .map(|entry| entry.path.as_str())
            .collect();
        // The protocols of these files never come to such a moment.
        let never = ["votes", "commits", "snapshots"].map(|word| format!("fault[].when.{word}"));
        assert_eq!(dead, never, "no value of these changes anything");
    }

    #[test]
    fn a_default_that_is_given_changes_nothing() {
        let plain = "[cluster]\nnodes = 3\n[protocol.leader-follower]\n[workload]\n[fuzz]\n\
                     [[network.client]]\ndelay = \"1ms\"\n";
        let before = settings(plain, None).expect("it is a scenario");
        for entry in all(&Registry::new()) {
            let Some(default) = entry.default else { continue };
            // A given mix replaces the whole default, which has puts alone.
            if entry.path.contains("[]") || entry.path.starts_with("workload.mix.") {
                continue;
            }
            match settings(plain, Some(format!("{}={default}", entry.path))) {
                Ok(after) => assert_eq!(after, before, "{}", entry.path),
                // Some keys need another one that the plain scenario lacks.
                Err(mistakes) => assert!(mistakes.contains("needs"), "{}: {mistakes}", entry.path),
            }
        }
    }
}

//! Names of scenarios, and words for a shell.

use std::path::{Component, Path};

/// The name of the scenario in the file at `path`: the path beneath a folder `scenarios`, without
/// the extension, or else the file's stem.
///
/// Folders are named by it, so it never contains `..`.
pub(super) fn scenario_name(path: &Path) -> String {
    let bare = path.with_extension("");
    let parts: Vec<Component<'_>> = bare.components().collect();
    let stem = parts.len().saturating_sub(1);
    let home = parts[..stem].iter().rposition(|part| part.as_os_str() == "scenarios");
    let below = &parts[home.map_or(stem, |home| home + 1)..];
    let plain = below.iter().all(|part| matches!(part, Component::Normal(_)));
    let named = if plain { below } else { &parts[stem..] };
    let texts: Vec<_> = named
        .iter()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    if texts.is_empty() { "scenario".to_owned() } else { texts.join("/") }
}

/// `text` quoted so that a shell takes it as one word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_named_by_its_path_below_scenarios() {
        let cases = [
            ("scenarios/quickstart.toml", "quickstart"),
            ("/a/scenarios/systems/semi-sync.toml", "systems/semi-sync"),
            ("scenarios/old/scenarios/x.toml", "x"),
            ("elsewhere/v1.2.toml", "v1.2"),
            ("scenarios.toml", "scenarios"),
            ("scenarios/../../etc/x.toml", "x"),
            ("./x.toml", "x"),
            ("..", "scenario"),
        ];
        for (path, name) in cases {
            assert_eq!(scenario_name(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("network.loss=1%"), "network.loss=1%");
        assert_eq!(quoted("mix={ put = 1 }"), "'mix={ put = 1 }'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}

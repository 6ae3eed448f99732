//! A table of TOML as the text of a scenario file: a section for each table, a line for each value.

use std::fmt::Write;

use toml::{Table, Value};

use super::table::{LISTS, is_distribution};

/// The text.
pub(super) fn render(file: &Table) -> String {
    let mut text = String::new();
    lines(&mut text, "", file);
    sections(&mut text, "", file);
    if text.starts_with('\n') { text.split_off(1) } else { text }
}

/// `lines` as comments, with control characters replaced.
pub(super) fn comment(lines: &[String]) -> String {
    let visible = |line: &str| {
        let shown = |character: char| {
            if character.is_control() && character != '\t' { '\u{fffd}' } else { character }
        };
        line.chars().map(shown).collect::<String>()
    };
    let comment = |line: &str| format!("# {}", visible(line)).trim_end().to_owned() + "\n";
    let inner = |line: &String| match line.as_str() {
        "" => comment(""),
        several => several.lines().map(comment).collect(),
    };
    lines.iter().map(inner).collect()
}

/// Whether this value of the section at `path` is written as sections.
fn is_section(path: &str, key: &str, value: &Value) -> bool {
    match value {
        Value::Table(_) => {
            let of_protocol = path == "protocol" || path.starts_with("protocol.");
            let inner = of_protocol && !is_distribution(value);
            path.is_empty() || inner || (path, key) == ("fuzz", "settings")
        }
        Value::Array(items) => {
            let is_list = LISTS.contains(&below(path, key).as_str());
            is_list && !items.is_empty() && items.iter().all(Value::is_table)
        }
        _ => false,
    }
}

fn lines(text: &mut String, path: &str, table: &Table) {
    for (key, value) in table.iter().filter(|(key, value)| !is_section(path, key, value)) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} = {value}", bare_or_quoted(key));
    }
}

fn sections(text: &mut String, path: &str, table: &Table) {
    for (key, value) in table.iter().filter(|(key, value)| is_section(path, key, value)) {
        let path = below(path, &bare_or_quoted(key));
        match value {
            Value::Table(inner) => {
                // A section that has sections only needs no header, except a protocol's.
                let says = inner.iter().any(|(key, value)| !is_section(&path, key, value));
                if says || inner.is_empty() || path.starts_with("protocol.") {
                    let _ = writeln!(text, "\n[{path}]");
                }
                lines(text, &path, inner);
                sections(text, &path, inner);
            }
            Value::Array(items) => {
                for item in items.iter().filter_map(Value::as_table) {
                    let _ = writeln!(text, "\n[[{path}]]");
                    item.iter().for_each(|(key, value)| {
                        let _ = writeln!(text, "{} = {value}", bare_or_quoted(key));
                    });
                }
            }
            _ => {}
        }
    }
}

/// The path of `key` in the table at `path`.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A key as TOML writes it.
pub(super) fn bare_or_quoted(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}

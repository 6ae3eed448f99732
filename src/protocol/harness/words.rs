//! The words of a transcript.

use crate::names::Names;
use crate::protocol::{DiskImage, DiskOrigin, File, LogStatus, NodeSnapshot, Protocol, RequestId};
use crate::time::Time;

/// The place of `text` among `texts`, where it is put if it is not there.
pub(super) fn intern(texts: &mut Vec<String>, text: &str) -> usize {
    texts.iter().position(|known| known == text).unwrap_or_else(|| {
        texts.push(text.to_owned());
        texts.len() - 1
    })
}

pub(super) fn nanos(time: Time) -> i64 {
    i64::try_from(time.nanos()).expect("a test is shorter than 292 years")
}

pub(super) fn request_text(request: RequestId) -> String {
    let number = request.operation().0 + 1;
    match request.attempt() {
        0 => format!("request {number}"),
        attempt => format!("request {number} (attempt {})", attempt + 1),
    }
}

pub(super) fn disk_text(image: &DiskImage) -> &'static str {
    match image.origin() {
        DiskOrigin::New => "a new disk",
        DiskOrigin::Kept if image.is_empty() => "its disk, which is empty",
        DiskOrigin::Kept => "its disk",
        DiskOrigin::Replaced => "an empty disk in place of its own",
    }
}

pub(super) fn file_text<P: Protocol>(file: File) -> String {
    let name = P::FILES.get(usize::from(file.0));
    name.map_or_else(|| format!("file {}", file.0), |name| (*name).to_owned())
}

/// The name of a timer: its `Debug` form in kebab-case.
pub(super) fn timer_text<T: std::fmt::Debug>(timer: &T) -> String {
    let mut text = String::new();
    for letter in format!("{timer:?}").chars() {
        if letter.is_uppercase() && text.ends_with(char::is_lowercase) {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

pub(super) fn snapshot_text(snapshot: &NodeSnapshot, names: &Names) -> String {
    let NodeSnapshot { node, role, term, leader, awaits, pending, owed, log, data, lists, .. } =
        snapshot;
    let mut text = format!("{} of term {term}", role.name());
    match (leader, awaits) {
        (Some(leader), _) if leader == node => {}
        (Some(leader), _) => text += &format!(", follows {leader}"),
        (None, Some(awaited)) => text += &format!(", waits for {awaited} to lead"),
        (None, None) => text += ", knows of no leader",
    }
    if let Some(LogStatus { first, last, commit, applied }) = log {
        text += &if first > last {
            format!("; log empty behind {last}")
        } else {
            format!("; log {first} to {last}")
        };
        if let Some(commit) = commit {
            text += &format!(", committed to {commit}, applied to {applied}");
        }
    }
    for what in pending {
        text += &format!("; {what}");
    }
    for (node, what) in owed {
        text += &format!("; {what} ({node})");
    }
    for (key, stored) in data {
        let key_text = names.key(*key);
        let value = match (stored.value, lists.get(key)) {
            (None, _) => "deleted".to_owned(),
            (Some(_), Some(elements)) => {
                let elements = elements.iter().map(|(_, element)| names.value(*element));
                format!("[{}]", elements.collect::<Vec<_>>().join(", "))
            }
            (Some(value), None) => names.value(value),
        };
        text += &format!("\n  {key_text} = {value} {}", stored.version);
    }
    text
}

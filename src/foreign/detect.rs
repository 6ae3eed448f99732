//! The format of a history, from its first bytes.

use std::ops::Range;

use super::edn::{Dialect, EdnReader, Upcoming, bare};
use super::forms::{FormKind, closing};
use super::log_line::{MARK, event_at};
use super::settings::HistoryFormat;

/// How many bytes are looked at.
pub const FIRST: usize = 256 * 1024;

/// The format of a text that begins like this. `None`: it is none of them.
pub(super) fn detect(text: &[u8]) -> Option<HistoryFormat> {
    let text = &text[..text.len().min(FIRST)];
    let start = significant(text);
    let is_list = matches!(start.first()?, b'[' | b'(');
    let inside = if is_list { significant(&start[1..]) } else { start };
    if start[0] == b'{' && significant(&start[1..]).starts_with(b"\"") {
        let line = start.split(|byte| *byte == b'\n').next()?;
        let is_event = has(line, b"\"event\"") && has(line, b"\"process\"");
        return is_event.then_some(HistoryFormat::Jsonl);
    }
    if let Some(b'{' | b'#') = inside.first()
        && let Some(format) = of_maps(start)
    {
        return Some(format);
    }
    let is_logged = text.split(|byte| *byte == b'\n').any(|line| event_at(line).is_some());
    match inside.first() {
        _ if is_logged && start[0] != b'{' => Some(HistoryFormat::LogLine),
        None | Some(b'[' | b'(' | b']' | b')' | b'0'..=b'9' | b':') if is_list => {
            Some(HistoryFormat::Edn)
        }
        Some(b'0'..=b'9') if has_tuple(start) => Some(HistoryFormat::Edn),
        Some(b':') if start.starts_with(b":nemesis") => Some(HistoryFormat::Edn),
        Some(b'{') => None,
        _ => has(text, MARK).then_some(HistoryFormat::LogLine),
    }
}

/// Of EDN whose events are maps. They are Porcupine's where functions of a map have keys and values
/// that are strings: the first event of a client that has a value tells.
fn of_maps(text: &[u8]) -> Option<HistoryFormat> {
    let mut reader = EdnReader::new(Dialect::Jepsen, None);
    let (mut at, mut so_far) = (0, None);
    loop {
        let rest = &text[at..];
        let (_, Ok((next, end))) = reader.next(rest, false) else {
            // The first event is too long or wrong.
            let is_event = has(rest, b":process") || has(rest, b":type");
            return so_far.or_else(|| is_event.then_some(HistoryFormat::Edn));
        };
        at += end;
        let fields = match next {
            Upcoming::Event(fields) => fields,
            Upcoming::Open(byte) => {
                reader.collection = Some((closing(byte), 1));
                continue;
            }
            Upcoming::Tag => continue,
            Upcoming::Close | Upcoming::End | Upcoming::Truncated(_) => return so_far,
        };
        if fields.process.is_none() && fields.happened.is_none() {
            return so_far;
        }
        let word = |at: Option<Range<usize>>| at.map_or(&b""[..], |at| bare(&rest[at]));
        let kind = |index: Option<usize>| index.map(|index| reader.forms[index].kind);
        if matches!(word(fields.process), b"nemesis" | b"\"nemesis\"") {
            so_far = so_far.or(Some(HistoryFormat::Edn));
            continue;
        }
        let function = word(fields.function);
        let is_map = matches!(function, b"get" | b"put" | b"append" | b"delete");
        // A get of Porcupine's finds a string.
        let is_answer = word(fields.happened) == b"ok" && function == b"get";
        so_far = match kind(fields.value) {
            _ if !is_map || kind(fields.key) != Some(FormKind::Text) => Some(HistoryFormat::Edn),
            Some(FormKind::Text) => Some(HistoryFormat::Porcupine),
            Some(FormKind::Nil) | None if !is_answer => Some(HistoryFormat::Porcupine),
            Some(_) | None => Some(HistoryFormat::Edn),
        };
        if so_far == Some(HistoryFormat::Edn) || kind(fields.value) == Some(FormKind::Text) {
            return so_far;
        }
    }
}

/// Whether a number and a keyword stand at the start.
fn has_tuple(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text[digits..].trim_ascii_start().first() == Some(&b':')
}

/// From the first byte on that is no blank and of no comment.
fn significant(mut text: &[u8]) -> &[u8] {
    loop {
        let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',');
        text = &text[blanks.count()..];
        if text.first() != Some(&b';') {
            return text;
        }
        let line = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        text = &text[line..];
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

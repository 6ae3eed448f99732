//! The format of a history, from its first bytes.

use super::log_line::MARK;
use super::settings::HistoryFormat;

/// How many bytes are looked at.
pub const FIRST: usize = 256 * 1024;

/// The format of a text that begins like this. `None`: it is none of them.
pub(super) fn detect(text: &[u8]) -> Option<HistoryFormat> {
    let text = &text[..text.len().min(FIRST)];
    let start = significant(text);
    match start.first()? {
        b'{' => match significant(&start[1..]).first()? {
            b'"' => {
                let line = start.split(|byte| *byte == b'\n').next()?;
                let is_event = has(line, b"\"event\"") && has(line, b"\"process\"");
                is_event.then_some(HistoryFormat::Jsonl)
            }
            b':' => of_maps(start),
            _ => None,
        },
        b'[' | b'(' => match significant(&start[1..]).first() {
            Some(b'{') => of_maps(start).map(|_| HistoryFormat::Edn),
            Some(b'[' | b'(' | b'#' | b']' | b')' | b'0'..=b'9' | b':') => Some(HistoryFormat::Edn),
            Some(_) => None,
            None => Some(HistoryFormat::Edn),
        },
        b'0'..=b'9' if has_tuple(start) => Some(HistoryFormat::Edn),
        b':' if start.starts_with(b":nemesis") => Some(HistoryFormat::Edn),
        b'#' if has(start, b":process") => Some(HistoryFormat::Edn),
        _ => has(text, MARK).then_some(HistoryFormat::LogLine),
    }
}

/// Of EDN that begins with a map.
fn of_maps(text: &[u8]) -> Option<HistoryFormat> {
    let first = first_form(text);
    if !has(first, b":process") && !has(first, b":type") {
        return None;
    }
    let is_map = [&b":get"[..], b":put", b":append"].iter().any(|word| has(first, word));
    // The EDN of other maps has times.
    let is_porcupine = is_map && has(first, b":key \"") && !has(first, b":time");
    Some(if is_porcupine { HistoryFormat::Porcupine } else { HistoryFormat::Edn })
}

/// The collection that the text begins with, or what there is of it.
fn first_form(text: &[u8]) -> &[u8] {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'{' | b'[' | b'(' if !is_quoted => depth += 1,
            b'}' | b']' | b')' if !is_quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return &text[..=at];
                }
            }
            _ => {}
        }
    }
    text
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

//! The lines that Jepsen logs for each event: `INFO  jepsen.util - 0 :invoke :write 3`.
//!
//! Process, type, function and value stand behind `jepsen.util`, between tabs or blanks. Lines
//! without that are passed over, and so are those behind which no process stands.
//!
//! Here a compare-and-set that fails has seen something else than it asked for, and `nil` is what
//! was there at the start. Behind `:info` there is no value but a reason.

use std::io::Read;

use super::edn::EdnReader;
use super::forms::{Halt, Lexer};
use super::mistake::Mistake;
use super::recorder::Recorder;
use super::text::HeldText;

/// What stands before the event.
pub(super) const MARK: &[u8] = b"jepsen.util";

/// Reads the whole text.
pub(super) fn read<R: Read>(
    reader: &mut EdnReader,
    text: &mut HeldText<R>,
    recorder: &mut Recorder,
) -> Result<(), Mistake> {
    while let Some(end) = text.line_end()? {
        let line = &text.rest()[..end];
        if let Some(start) = event_at(line) {
            let mut lexer = Lexer::new(line, true, Vec::new());
            lexer.at = start;
            let fields = match reader.line(&mut lexer) {
                Ok(fields) => fields,
                Err(Halt::Wrong(complaint)) => return Err(text.mistake(*complaint)),
                Err(Halt::More) => unreachable!("the line is whole"),
            };
            let number = text.line(start);
            let noted = reader.note(text.rest(), &fields, start, number, recorder);
            noted.map_err(|complaint| text.mistake(*complaint))?;
        }
        text.consume(end + 1);
    }
    Ok(())
}

/// Where the event of a line begins, if it has one.
pub(super) fn event_at(line: &[u8]) -> Option<usize> {
    let mark = line.windows(MARK.len()).position(|window| window == MARK)?;
    let mut start = mark + MARK.len();
    // Between them is ` - `, or in later logs a colon.
    while matches!(&line[start..], [b' ' | b'\t' | b'-', ..] | [b':', b' ' | b'\t', ..]) {
        start += 1;
    }
    let rest = &line[start..];
    let is_event = rest.first().is_some_and(u8::is_ascii_digit) || rest.starts_with(b":nemesis");
    is_event.then_some(start)
}

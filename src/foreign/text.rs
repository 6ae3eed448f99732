//! The text of a file, a stretch at a time, and where in the file that is.
//!
//! A parser works on a slice, [`HeldText::rest`]. Where the slice ends in the middle of an event
//! the parser says so, [`HeldText::more`] makes the slice longer, and the parser begins that event
//! again. So nothing below this knows that the text comes in pieces, and no event is longer than
//! what is held. Lines are counted only when an event asks for its line, many bytes at a time.

use std::io::{self, Read};
use std::ops::Range;

use super::mistake::{Complaint, Excerpt, Mistake};

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// How much is kept of what has been consumed, in bytes: the text before a mistake is shown.
const KEPT: usize = 256;
/// How much of a line is shown on either side of a mistake, in bytes.
const SHOWN: usize = 60;
/// The longest event, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// A stretch of a file.
pub(super) struct HeldText<R> {
    input: R,
    name: String,
    held: Vec<u8>,
    /// What comes before has been read; behind it is room.
    filled: usize,
    /// What comes before is consumed.
    at: usize,
    /// What comes before is UTF-8.
    valid: usize,
    end: TextEnd,
    /// How many lines end before `counted`.
    lines: u32,
    counted: usize,
    /// How many characters of the first line of `held` came before it.
    cut: usize,
}

/// How a text goes on behind what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextEnd {
    /// There may be more.
    Open,
    /// There is nothing.
    Reached,
    /// There are bytes that are no UTF-8.
    Broken,
}

impl<R: Read> HeldText<R> {
    /// The text of `input`, of which nothing has been read yet. `name` is what mistakes call it.
    pub(super) fn new(name: &str, input: R) -> Self {
        let held = Vec::new();
        let (name, end) = (name.to_owned(), TextEnd::Open);
        Self { input, name, held, filled: 0, at: 0, valid: 0, end, lines: 0, counted: 0, cut: 0 }
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is held and not yet consumed. It is UTF-8, also to its end.
    pub(super) fn rest(&self) -> &[u8] {
        &self.held[self.at..self.valid]
    }

    /// Whether nothing comes behind [`Self::rest`].
    pub(super) fn is_last(&self) -> bool {
        self.end != TextEnd::Open
    }

    /// Where the next line ends, its newline apart. `None` at the end of the text.
    ///
    /// # Errors
    ///
    /// As [`Self::more`], and where the line is no UTF-8.
    pub(super) fn line_end(&mut self) -> Result<Option<usize>, Mistake> {
        loop {
            let rest = self.rest();
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(newline) => return Ok(Some(newline)),
                None if self.is_last() => {
                    let end = (!rest.is_empty()).then_some(rest.len());
                    return self.broken().map_or(Ok(end), Err);
                }
                None => self.more()?,
            }
        }
    }

    /// Makes [`Self::rest`] longer, unless it is the last: as long again at least. Whoever reads a
    /// long event from its start after each call has read it twice in all, however small the
    /// pieces are in which the text comes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when what is held has become too long for one event.
    pub(super) fn more(&mut self) -> Result<(), Mistake> {
        if self.is_last() {
            return Ok(());
        }
        let held = self.filled - self.at;
        if held > LONGEST {
            let title = format!("an event is longer than {} MB", LONGEST >> 20);
            let complaint = Complaint::new(0..1, title, "it begins here");
            return Err(self.mistake(*complaint.help("is a bracket or a quote never closed?")));
        }
        self.forget();
        let until = self.filled + held.clamp(1, LONGEST + 1 - held);
        while self.filled < until && !self.is_last() {
            self.read_on()?;
        }
        Ok(())
    }

    /// Reads what the file gives at once.
    fn read_on(&mut self) -> Result<(), Mistake> {
        if self.held.len() - self.filled < CHUNK / 2 {
            self.held.resize(self.filled + CHUNK.max(self.filled), 0);
        }
        let read = loop {
            match self.input.read(&mut self.held[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(|error| {
            Mistake::of_file(&self.name, &format!("cannot be read: {error}"), "")
        })?;
        self.filled += read;
        match std::str::from_utf8(&self.held[self.valid..self.filled]) {
            Ok(_) => self.valid = self.filled,
            Err(error) => {
                self.valid += error.valid_up_to();
                if error.error_len().is_some() {
                    self.end = TextEnd::Broken;
                }
            }
        }
        if read == 0 {
            self.end = if self.valid < self.filled { TextEnd::Broken } else { TextEnd::Reached };
        }
        Ok(())
    }

    /// Drops what was consumed, but for some text to show before a mistake.
    fn forget(&mut self) {
        let drop = self.at.saturating_sub(KEPT);
        if drop == 0 {
            return;
        }
        self.count(self.at);
        let dropped = &self.held[..drop];
        self.cut = match dropped.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => characters(&dropped[newline + 1..]),
            None => self.cut + characters(dropped),
        };
        self.held.copy_within(drop..self.filled, 0);
        self.filled -= drop;
        self.at -= drop;
        self.valid -= drop;
        self.counted -= drop;
    }

    /// Drops a byte order mark, which some editors begin a text with.
    pub(super) fn drop_mark(&mut self) {
        let length = self.rest().len() - without_mark(self.rest()).len();
        self.held.drain(self.at..self.at + length);
        self.filled -= length;
        self.valid -= length;
    }

    /// Counts the lines that end before `until`.
    fn count(&mut self, until: usize) {
        let newlines = self.held[self.counted..until].iter().filter(|byte| **byte == b'\n');
        self.lines += u32::try_from(newlines.count()).expect("fewer bytes are held");
        self.counted = until;
    }

    /// Consumes so many bytes of [`Self::rest`], or all of it.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.valid);
    }

    /// The number of the line, from 1 on, that this byte of [`Self::rest`] is in. Later calls ask
    /// for no earlier byte.
    pub(super) fn line(&mut self, offset: usize) -> u32 {
        self.count(self.at + offset);
        self.lines + 1
    }

    /// A mistake with its place. Nothing can be read after that.
    pub(super) fn mistake(&mut self, complaint: Complaint) -> Mistake {
        let Range { start, end } = complaint.at;
        self.look_ahead(self.at + start.max(end.min(start + SHOWN)));
        Mistake::at(&self.name, self.excerpt(self.at + start, self.at + end), complaint)
    }

    /// The mistake at the end of the text: it is no UTF-8 there. `None` where nothing is wrong.
    pub(super) fn broken(&mut self) -> Option<Mistake> {
        let byte = (self.end == TextEnd::Broken).then(|| self.held[self.valid])?;
        let (at, title) = (self.valid - self.at, "the text is not UTF-8");
        let label = format!("byte 0x{byte:02x} begins no character");
        Some(self.mistake(*Complaint::new(at..at + 1, title, label)))
    }

    /// Reads what is shown behind a place, whatever it is. A file that cannot be read any more is
    /// shown as far as it was.
    fn look_ahead(&mut self, at: usize) {
        self.held.truncate(self.filled);
        let missing = (at + SHOWN + 1).saturating_sub(self.filled) as u64;
        let ahead = self.input.by_ref().take(missing).read_to_end(&mut self.held);
        self.filled += ahead.unwrap_or(0);
    }

    /// The line of a place, cut around it, and the place in that.
    fn excerpt(&self, start: usize, end: usize) -> Excerpt {
        let held = &self.held[..self.filled];
        let start = start.min(held.len());
        let before = held[..start].iter().rposition(|byte| *byte == b'\n');
        let line_start = before.map_or(0, |newline| newline + 1);
        let behind = held[start..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let line_end = behind.map_or(held.len(), |newline| start + newline);

        let newlines = held[self.counted..start].iter().filter(|byte| **byte == b'\n').count();
        let line = self.lines as usize + newlines;
        let cut = if line_start == 0 { self.cut } else { 0 };

        let end = boundary(held, end.clamp(start, line_end.max(start)).min(start + SHOWN));
        let from = boundary(held, start.saturating_sub(SHOWN).max(line_start)).min(start);
        let until = boundary(held, (end + SHOWN).min(line_end).max(end));
        let dots = |is_cut: bool, dots| if is_cut { dots } else { "" };
        let shown = |range: Range<usize>| String::from_utf8_lossy(&held[range]);
        let mut text = dots(from > line_start || cut > 0, "... ").to_owned() + &shown(from..start);
        let marked = text.len();
        text += &shown(start..end);
        let marked = marked..text.len();
        text += &shown(end..until);
        text += dots(until < line_end, " ...");
        let column = 1 + cut + characters(&held[line_start..start]);
        Excerpt { line: line + 1, column, text, marked }
    }
}

/// A text without the byte order mark that it may begin with.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// How many characters this UTF-8 has.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// The first place from `at` on where a character begins.
fn boundary(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives three bytes at once.
    struct Slow(usize);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.0.min(3);
            into[..size].fill(b'a');
            self.0 -= size;
            Ok(size)
        }
    }

    #[test]
    fn what_is_held_doubles_until_an_event_is_whole() {
        let mut text = HeldText::new("history", Slow(100_000));
        let mut lengths = Vec::new();
        while !text.is_last() {
            text.more().expect("it can be read");
            lengths.push(text.rest().len());
        }
        assert_eq!(lengths.last(), Some(&100_000));
        assert_eq!(lengths[..4], [3, 6, 12, 24]);
        assert!(lengths.len() < 20, "{lengths:?}");
        // What has been consumed does not count.
        let mut text = HeldText::new("history", Slow(100_000));
        text.more().expect("it can be read");
        text.consume(3);
        text.more().expect("it can be read");
        assert_eq!(text.rest().len(), 3);
    }
}

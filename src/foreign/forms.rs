//! The syntax of EDN: forms in a slice of text.
//!
//! No crate reads it here: those for EDN (`edn-format`, `edn-rs`, `clojure-reader`) build a tree of
//! vectors and maps for each form. Two million events of a history, 140 MB, are read in half a
//! second, and in 0.25 microseconds an event there is no time to allocate. Here a form is some
//! numbers in a vector that the next event uses again.

use std::ops::Range;

use super::mistake::Complaint;

/// How deep forms may be nested.
const DEEPEST: usize = 100;

/// Why a parser stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// The slice ends within a form.
    More,
    /// The text is wrong.
    Wrong(Box<Complaint>),
}

impl From<Box<Complaint>> for Halt {
    fn from(complaint: Box<Complaint>) -> Self {
        Self::Wrong(complaint)
    }
}

/// What a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormKind {
    /// `nil`.
    Nil,
    /// A number, a keyword, a symbol, a character, a truth value.
    Atom,
    /// A string.
    Text,
    /// A list or a vector.
    List,
    /// A map.
    Map,
    /// A set.
    Set,
    /// A tag, which the form behind it belongs to.
    Tag,
}

/// A form, which those inside it follow: a tree in pre-order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) kind: FormKind,
    /// Its first byte.
    pub(super) start: u32,
    /// One past its last byte.
    pub(super) end: u32,
    /// How many forms it has with those inside it, itself included.
    pub(super) size: u32,
}

impl Form {
    pub(super) fn at(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Reads forms from a slice.
pub(super) struct Lexer<'t> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
    /// Whether the text ends where the slice ends.
    is_last: bool,
    /// Where the brackets and quotes that are open began.
    pub(super) open: Vec<usize>,
}

/// Whether a byte ends an atom.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut i = 0;
    let bytes = b" \t\n\r\x0b\x0c,;\"()[]{}";
    while i < bytes.len() {
        ends[bytes[i] as usize] = true;
        i += 1;
    }
    ends
};

impl<'t> Lexer<'t> {
    /// At the start of a text. `open` is a vector to be used again.
    pub(super) fn new(text: &'t [u8], is_last: bool, mut open: Vec<usize>) -> Self {
        open.clear();
        Self { text, at: 0, is_last, open }
    }

    /// The next byte, if the slice has one.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Goes to the next byte that is no blank and of no comment. `None`: the text ends before.
    #[inline]
    pub(super) fn blanks(&mut self) -> Result<Option<u8>, Halt> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b',' | b'\t' | b'\r' | 0x0b | 0x0c) => self.at += 1,
                Some(b';') => self.comment()?,
                Some(b'#') if self.is_next(1, b'_')? => self.discard()?,
                Some(byte) => return Ok(Some(byte)),
                None if self.is_last => return Ok(None),
                None => return Err(Halt::More),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Halt> {
        match self.text[self.at..].iter().position(|byte| *byte == b'\n') {
            Some(newline) => self.at += newline + 1,
            None if self.is_last => self.at = self.text.len(),
            None => return Err(Halt::More),
        }
        Ok(())
    }

    /// `#_` and the form behind it.
    fn discard(&mut self) -> Result<(), Halt> {
        self.open_here()?;
        self.at += 2;
        self.skip()?;
        self.open.pop();
        Ok(())
    }

    /// Whether the byte so far on is this one.
    pub(super) fn is_next(&self, ahead: usize, byte: u8) -> Result<bool, Halt> {
        match self.text.get(self.at + ahead) {
            Some(next) => Ok(*next == byte),
            None if self.is_last => Ok(false),
            None => Err(Halt::More),
        }
    }

    pub(super) fn open_here(&mut self) -> Result<(), Halt> {
        if self.open.len() == DEEPEST {
            let title = format!("the text is nested deeper than {DEEPEST} levels");
            Err(Complaint::new(self.at..self.at + 1, title, "this is one too many"))?;
        }
        self.open.push(self.at);
        Ok(())
    }

    /// The atom here, to its end.
    #[inline]
    pub(super) fn atom(&mut self) -> Result<Range<usize>, Halt> {
        let start = self.at;
        let mut at = start;
        while at < self.text.len() && !ENDS[self.text[at] as usize] {
            if self.text[at] == b'\\' {
                // What stands behind it belongs to it: the character `\(`.
                at += 1;
            }
            at += 1;
        }
        if at >= self.text.len() {
            if !self.is_last {
                return Err(Halt::More);
            }
            at = self.text.len();
        }
        self.at = at;
        Ok(start..at)
    }

    /// The string here, with its quotes.
    fn string(&mut self) -> Result<Range<usize>, Halt> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => {
                    self.open.push(start);
                    return Err(Halt::More);
                }
            }
        }
        self.at = at + 1;
        Ok(start..self.at)
    }

    /// Passes over the next form.
    pub(super) fn skip(&mut self) -> Result<(), Halt> {
        self.walk(None)
    }

    /// Puts the next form and those inside it behind `forms`.
    #[inline]
    pub(super) fn form(&mut self, forms: &mut Vec<Form>) -> Result<(), Halt> {
        self.walk(Some(forms))
    }

    fn walk(&mut self, mut forms: Option<&mut Vec<Form>>) -> Result<(), Halt> {
        let byte = self.blanks()?.ok_or(Halt::More)?;
        let index = forms.as_ref().map_or(0, |forms| forms.len());
        let put = |forms: &mut Option<&mut Vec<Form>>, kind, at: Range<usize>| {
            if let Some(forms) = forms {
                let (start, end) = (at.start as u32, at.end as u32);
                forms.push(Form { kind, start, end, size: 1 });
            }
        };
        let start = self.at;
        match byte {
            b'"' => {
                let at = self.string()?;
                put(&mut forms, FormKind::Text, at);
            }
            b'[' | b'(' | b'{' => {
                put(
                    &mut forms,
                    if byte == b'{' { FormKind::Map } else { FormKind::List },
                    start..start,
                );
                self.inside(forms.as_deref_mut())?;
            }
            b']' | b')' | b'}' => return Err(self.unbalanced()),
            b'#' if self.is_next(1, b'{')? => {
                put(&mut forms, FormKind::Set, start..start);
                self.at += 1;
                self.inside(forms.as_deref_mut())?;
            }
            b'#' if !self.is_next(1, b'#')? => {
                self.open_here()?;
                let at = self.atom()?;
                put(&mut forms, FormKind::Tag, at);
                self.walk(forms.as_deref_mut())?;
                self.open.pop();
            }
            _ => {
                let at = self.atom()?;
                let is_nil = &self.text[at.clone()] == b"nil";
                put(&mut forms, if is_nil { FormKind::Nil } else { FormKind::Atom }, at);
                return Ok(());
            }
        }
        if let Some(forms) = forms {
            let size = forms.len() - index;
            let form = &mut forms[index];
            form.size = size as u32;
            form.end = self.at as u32;
        }
        Ok(())
    }

    /// What is between the bracket here and the one that closes it.
    fn inside(&mut self, mut forms: Option<&mut Vec<Form>>) -> Result<(), Halt> {
        let is_map = self.text[self.at] == b'{' && !self.text[..self.at].ends_with(b"#");
        self.open_here()?;
        let closing = closing(self.text[self.at]);
        self.at += 1;
        let mut count = 0_usize;
        loop {
            match self.blanks()?.ok_or(Halt::More)? {
                // A map has a value for each key.
                byte if byte == closing && !(is_map && count % 2 == 1) => break,
                b']' | b')' | b'}' => return Err(self.unbalanced()),
                _ => self.walk(forms.as_deref_mut())?,
            }
            count += 1;
        }
        self.open.pop();
        self.at += 1;
        Ok(())
    }

    /// The bracket here closes none, or another.
    pub(super) fn unbalanced(&self) -> Halt {
        let found = self.text[self.at] as char;
        let (title, label) = match self.open.last().map(|open| self.text[*open]) {
            Some(open @ (b'[' | b'(' | b'{')) if closing(open) != self.text[self.at] => {
                let (open, expected) = (open as char, closing(open) as char);
                (format!("`{found}` closes a `{open}`"), format!("expected `{expected}`"))
            }
            Some(_) => (format!("`{found}` comes too early"), "expected a value".to_owned()),
            None => (format!("`{found}` closes nothing"), "expected an operation".to_owned()),
        };
        Complaint::new(self.at..self.at + 1, title, label).into()
    }

    /// Reads from here to the end of the line as a text of its own, which is consumed.
    pub(super) fn line<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let start = self.at;
        let end = match self.text[start..].iter().position(|byte| *byte == b'\n') {
            Some(newline) => start + newline,
            None if self.is_last => self.text.len(),
            None => return Err(Halt::More),
        };
        let mut line = Lexer { at: start, ..Lexer::new(&self.text[..end], true, Vec::new()) };
        self.at = end;
        read(&mut line).map_err(|halt| match halt {
            Halt::More => Halt::Wrong(line.truncated(start, "line")),
            Halt::Wrong(complaint) => Halt::Wrong(complaint),
        })
    }

    /// The text, which is a file or a line, ends within what began at the last of [`Self::open`],
    /// or at `start`.
    pub(super) fn truncated(&self, start: usize, text: &str) -> Box<Complaint> {
        let open = self.open.last().copied().unwrap_or(start);
        let what = match self.text.get(open) {
            Some(b'"') => "this string is never closed",
            Some(b'[' | b'(' | b'{') => "this bracket is never closed",
            Some(_) | None => "a value is missing behind this",
        };
        let title = format!("the {text} ends in the middle of an operation");
        Complaint::new(open..open + 1, title, what).help(format!("is the {text} cut off?"))
    }
}

pub(super) const fn closing(open: u8) -> u8 {
    match open {
        b'[' => b']',
        b'(' => b')',
        _ => b'}',
    }
}

/// The text of a string between its quotes, with its escapes resolved.
pub(super) fn unescaped(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = &text[1..text.len() - 1];
    while let Some(place) = rest.iter().position(|byte| *byte == b'\\') {
        into.extend_from_slice(&rest[..place]);
        let Some(escaped) = rest.get(place + 1) else { break };
        rest = &rest[place + 2..];
        match escaped {
            b'n' => into.push(b'\n'),
            b't' => into.push(b'\t'),
            b'r' => into.push(b'\r'),
            b'b' => into.push(0x08),
            b'f' => into.push(0x0c),
            b'u' => {
                let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let letter = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[digits.map_or(0, str::len)..];
            }
            other => into.push(*other),
        }
    }
    into.extend_from_slice(rest);
}

/// Writes a form so that equal values have equal texts: blanks, commas, comments and the order of
/// maps and sets do not count. `forms[0]` is the form.
pub(super) fn canonical(text: &[u8], forms: &[Form], into: &mut Vec<u8>) {
    let form = forms[0];
    let raw = &text[form.at()];
    match form.kind {
        FormKind::Nil => into.extend_from_slice(raw),
        FormKind::Atom => into.extend_from_slice(number(raw)),
        FormKind::Text if raw.contains(&b'\\') => {
            let mut plain = Vec::new();
            unescaped(raw, &mut plain);
            into.push(b'"');
            for byte in plain {
                if matches!(byte, b'"' | b'\\') {
                    into.push(b'\\');
                }
                into.push(byte);
            }
            into.push(b'"');
        }
        FormKind::Text => into.extend_from_slice(raw),
        FormKind::Tag => {
            into.extend_from_slice(&text[form.start as usize..][..tag_length(&raw[1..]) + 1]);
            into.push(b' ');
            canonical(text, &forms[1..], into);
        }
        FormKind::List | FormKind::Map | FormKind::Set => {
            let (open, close, step): (&[u8], _, _) = match form.kind {
                FormKind::Map => (b"{", b'}', 2),
                FormKind::Set => (b"#{", b'}', 1),
                _ => (b"[", b']', 1),
            };
            let mut parts: Vec<Vec<u8>> = Vec::new();
            for (place, part) in children(forms).enumerate() {
                if place % step == 0 {
                    parts.push(Vec::new());
                } else if let Some(last) = parts.last_mut() {
                    last.push(b' ');
                }
                canonical(text, part, parts.last_mut().expect("pushed at the first"));
            }
            if form.kind != FormKind::List {
                parts.sort_unstable();
            }
            into.extend_from_slice(open);
            into.extend_from_slice(&parts.join(&b' '));
            into.push(close);
        }
    }
}

/// Where a tag ends, behind its `#`.
fn tag_length(text: &[u8]) -> usize {
    text.iter().position(|byte| ENDS[*byte as usize]).unwrap_or(text.len())
}

/// A whole number without a plus and without the `N` of a great one; another atom as it is.
fn number(atom: &[u8]) -> &[u8] {
    let digits = atom.strip_prefix(b"+").unwrap_or(atom);
    let digits = digits.strip_suffix(b"N").unwrap_or(digits);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) { digits } else { atom }
}

/// The forms directly inside `forms[0]`, each with those inside it.
pub(super) fn children(forms: &[Form]) -> impl Iterator<Item = &[Form]> {
    let mut rest = &forms[1..forms[0].size as usize];
    std::iter::from_fn(move || {
        let size = rest.first()?.size as usize;
        let (first, others) = rest.split_at(size);
        rest = others;
        Some(first)
    })
}

//! Histories that others recorded: what each format means, what is said of mistakes, and that no
//! text makes a parser panic.

mod any_text;
mod detection;
mod formats;
mod generate;
mod mistakes;
mod round_trip;

use std::io::{self, Read};

use splitbrain::foreign::{self, Mistake, ReadAs, Recorded};
use splitbrain::linearizability::{BUDGET, Judgement, check};

/// Reads a history with the settings that are found out.
fn read(text: &str) -> Result<Recorded, Mistake> {
    read_as(text, &ReadAs::default())
}

fn read_as(text: &str, how: &ReadAs) -> Result<Recorded, Mistake> {
    foreign::read("history", text.as_bytes(), how)
}

/// The verdict on a history in a word.
#[track_caller]
fn verdict(text: &str, how: &ReadAs) -> &'static str {
    let recorded = read_as(text, how).unwrap_or_else(|mistake| panic!("{mistake}\n{text}"));
    match check(&recorded.operations, BUDGET) {
        Judgement::Linearizable => "valid",
        Judgement::Contradictory(_) => "invalid",
        Judgement::Unknown => "unknown",
    }
}

/// Lines of `history.jsonl`: process, event, function, key and value.
fn jsonl(events: &[(&str, &str, &str, &str, &str)]) -> String {
    let line = |(process, event, f, key, value): &(&str, &str, &str, &str, &str)| {
        format!(r#"{{"time_ns":1,"event":"{event}","process":"{process}","op":null,"f":"{f}","#)
            + &format!("\"key\":{key},\"value\":{value},\"version\":null,\"over\":[null]}}\n")
    };
    events.iter().map(line).collect()
}

/// A text that comes in pieces of these sizes, over and over.
struct Drip<'t> {
    text: &'t [u8],
    sizes: &'static [usize],
    turn: usize,
}

impl<'t> Drip<'t> {
    fn new(text: &'t [u8], sizes: &'static [usize]) -> Self {
        Self { text, sizes, turn: 0 }
    }
}

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(into.len()).min(self.text.len());
        self.turn += 1;
        let (now, later) = self.text.split_at(size);
        into[..size].copy_from_slice(now);
        self.text = later;
        Ok(size)
    }
}

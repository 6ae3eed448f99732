//! The verdicts on recorded histories, as text and as JSON.
//!
//! The document of a history: `{file, model, format, verdict, operations, check_us, witness{why,
//! first, operations[..]}, order[..]}`. `witness` is there for an invalid history, `order` where it
//! was asked for: null where none was found within the budget. An operation is `{process, call,
//! lines, times_ns}`, with null for what there is not.

use serde_json::{Value, json};

use crate::foreign::Recorded;
use crate::id::OpId;
use crate::linearizability::{Contradiction, Judgement};
use crate::named::Named;
use crate::report::layout::{grouped, width, wrap, wrap_hanging};

/// A history that was checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckedHistory<'a> {
    /// The file.
    pub file: &'a str,
    /// What it says.
    pub recorded: &'a Recorded,
    /// Whether it is linearizable.
    pub judgement: &'a Judgement,
    /// How long the check took, reading apart, in microseconds.
    pub check_us: u64,
    /// An order of its operations, if it was asked for.
    pub order: Option<&'a Option<Vec<OpId>>>,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    file: String,
    format: &'static str,
    model: &'static str,
    operations: String,
    verdict: &'static str,
}

impl CheckedHistory<'_> {
    /// The verdict in a word.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        match self.judgement {
            Judgement::Linearizable => "valid",
            Judgement::Contradictory(_) => "invalid",
            Judgement::Unknown => "unknown",
        }
    }

    /// The line of the table.
    #[must_use]
    pub fn row(&self) -> HistoryRow {
        HistoryRow {
            file: self.file.to_owned(),
            format: self.recorded.format.name(),
            model: self.recorded.model.name(),
            operations: grouped(self.recorded.len() as u64),
            verdict: self.verdict(),
        }
    }

    /// What is to be said of it besides the table: the witness of an invalid history, and the order
    /// of a valid one.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Judgement::Contradictory(contradiction) = self.judgement {
            let why = self.why(contradiction);
            text += &format!("{}: not linearizable\n{}\n", self.file, wrap(&why, 2));
            text += &self.operations(&contradiction.operations);
            if !contradiction.operations.contains(&contradiction.first) {
                let name = self.recorded.name(contradiction.first);
                let place = self.recorded.place(contradiction.first);
                let first = format!("The first answer that cannot be placed: {name}, {place}.");
                text += &format!("{}\n", wrap(&first, 2));
            }
            text.push('\n');
        }
        match self.order {
            Some(Some(order)) => {
                text += &format!("{}: an order in which it may have happened\n", self.file);
                text += &self.operations(order);
                text.push('\n');
            }
            Some(None) if matches!(self.judgement, Judgement::Linearizable) => {
                text += &format!("{}: no order was found within the budget\n\n", self.file);
            }
            Some(None) | None => {}
        }
        text
    }

    fn why(&self, contradiction: &Contradiction) -> String {
        let why = contradiction.sentence(|op| self.recorded.name(op), |_| String::new());
        // A name stays as it is.
        let first = why.split(' ').next().filter(|word| word.chars().all(char::is_alphabetic));
        match first.and_then(|word| word.chars().next()) {
            Some(letter) => format!("{}{}.", letter.to_uppercase(), &why[letter.len_utf8()..]),
            None => format!("{why}."),
        }
    }

    /// A line an operation.
    fn operations(&self, ops: &[OpId]) -> String {
        let parts = |op: &OpId| {
            let recorded = self.recorded;
            [recorded.process(*op), recorded.call(*op), recorded.place(*op)]
        };
        let rows: Vec<[String; 3]> = ops.iter().map(parts).collect();
        let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
        let (who, what) = (widest(0), widest(1).min(32));
        let mut text = String::new();
        for [process, call, place] in &rows {
            let head = format!("    {process:who$}  {call:what$}  ");
            text += &format!("{head}{}\n", wrap_hanging(place, width(&head)));
        }
        text
    }

    /// The document of the history.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({
            "file": self.file,
            "model": self.recorded.model.name(),
            "format": self.recorded.format.name(),
            "verdict": self.verdict(),
            "operations": self.recorded.len(),
            "check_us": self.check_us,
        });
        let operations = |ops: &[OpId]| ops.iter().map(|op| self.operation(*op)).collect::<Value>();
        if let Judgement::Contradictory(contradiction) = self.judgement {
            document["witness"] = json!({
                "why": contradiction.sentence(|op| self.recorded.name(op), |_| String::new()),
                "first": self.operation(contradiction.first),
                "operations": operations(&contradiction.operations),
            });
        }
        if let Some(order) = self.order {
            document["order"] = order.as_deref().map(operations).into();
        }
        document
    }

    fn operation(&self, op: OpId) -> Value {
        let (lines, times) = (self.recorded.lines(op), self.recorded.times(op));
        json!({
            "process": self.recorded.process(op),
            "call": self.recorded.call(op),
            "lines": [lines.0, lines.1],
            "times_ns": [times.0, times.1],
        })
    }
}

/// The table of all histories.
#[must_use]
pub fn table(rows: &[HistoryRow]) -> String {
    let head = HistoryRow {
        file: "history".to_owned(),
        format: "format",
        model: "model",
        operations: "operations".to_owned(),
        verdict: "verdict",
    };
    let all = || std::iter::once(&head).chain(rows);
    let file = all().map(|row| width(&row.file)).max().unwrap_or(0);
    let format = all().map(|row| row.format.len()).max().unwrap_or(0);
    let model = all().map(|row| row.model.len()).max().unwrap_or(0);
    let count = all().map(|row| row.operations.len()).max().unwrap_or(0);
    let line = |row: &HistoryRow| {
        let HistoryRow { file: name, format: read_as, model: of, operations, verdict } = row;
        let (name, read_as) = (format!("{name:file$}"), format!("{read_as:format$}"));
        format!("{name}  {read_as}  {of:model$}  {operations:>count$}  {verdict}\n")
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::{self, ReadAs};
    use crate::linearizability::Why;

    const HISTORY: &str =
        "[0 :invoke :write 1] [0 :ok :write 1]\n[1 :invoke :read] [1 :ok :read 2]";

    fn recorded() -> Recorded {
        foreign::read("a.edn", HISTORY.as_bytes(), &ReadAs::default()).expect("a history")
    }

    fn text(judgement: &Judgement, order: Option<&Option<Vec<OpId>>>) -> String {
        let recorded = recorded();
        CheckedHistory { file: "a.edn", recorded: &recorded, judgement, check_us: 1, order }.text()
    }

    #[test]
    fn the_first_that_cannot_be_placed_is_named_apart_where_the_witness_is_of_others() {
        let (write, read) = (OpId(0), OpId(1));
        let shown = |first| {
            let (operations, why) = (vec![read], Why::NeverWritten { read });
            text(&Judgement::Contradictory(Contradiction { first, operations, why }), None)
        };
        let why = "  Process 1's read of 2 shows what no operation had left there.\n";
        let witness = "    process 1  read 2  line 2 to line 2\n";
        let head = format!("a.edn: not linearizable\n{why}{witness}");
        assert_eq!(shown(read), format!("{head}\n"));
        let first =
            "The first answer that cannot be placed: process 0's write of 1, line 1 to line 1.";
        assert_eq!(shown(write), format!("{head}{}\n\n", wrap(first, 2)));
    }

    #[test]
    fn an_order_is_missed_only_where_there_is_one() {
        let none = "a.edn: no order was found within the budget\n\n";
        assert_eq!(text(&Judgement::Linearizable, Some(&None)), none);
        assert_eq!(text(&Judgement::Linearizable, None), "");
        assert_eq!(text(&Judgement::Unknown, Some(&None)), "");
        let (first, why) = (OpId(1), Why::NeverWritten { read: OpId(1) });
        let operations = vec![first];
        let not = Judgement::Contradictory(Contradiction { first, operations, why });
        assert_eq!(text(&not, Some(&None)), text(&not, None));
    }
}

//! The report of a campaign for people.

use super::coverage::{Coverage, Impacts};
use super::totals::Totals;
use super::violation::Violation;
use crate::metrics::NodeState;
use crate::named::Named;
use crate::report::layout::{counted, grouped, width, wrap};

/// The whole report; `run` makes the command that plays the small scenario in a file.
#[must_use]
pub fn text(totals: &Totals, violations: &[Violation], run: &dyn Fn(&str) -> String) -> String {
    let mut out = violations.iter().map(|one| violation(one, run)).collect::<String>();
    let runs = counted(totals.cases, "run");
    out += &match violations.len() as u64 {
        0 => format!("no violation in {runs}\n"),
        kinds => format!("{} of violation in {runs}\n", counted(kinds, "kind")),
    };
    if totals.unknown > 0 {
        out += &format!("of {} a checker could not tell\n", counted(totals.unknown, "run"));
    }
    out + &coverage(&totals.coverage, totals.cases)
}

/// A kind of find: what it is, how small it became, and the command that shows it.
#[must_use]
pub fn violation(violation: &Violation, run: &dyn Fn(&str) -> String) -> String {
    let size = |faults: Option<usize>, operations: Option<usize>| {
        let count = |number: Option<usize>, noun| counted(number.unwrap_or(0) as u64, noun);
        format!("{}, {}", count(faults, "fault"), count(operations, "operation"))
    };
    let head = format!("violation in run {} ({})", violation.case, violation.signature());
    let mut out = match &violation.not_shrunk {
        Some(why) => format!("{head}: not shrunk: {why}\n"),
        None => format!(
            "{head}: shrunk from {} to {}\n",
            size(violation.faults_before, violation.operations_before),
            size(violation.faults, violation.operations),
        ),
    };
    if let Some(file) = &violation.scenario {
        out += &format!("  {}\n", run(file));
    }
    let count = counted(violation.count, "run");
    out + &wrap(&format!("in {count}; {}", violation.summary), 4) + "\n"
}

/// The coverage: a table of impacts, and what happened in how many runs.
#[must_use]
pub fn coverage(coverage: &Coverage, cases: u64) -> String {
    let is_shown = |state: &NodeState| {
        let was = |(_, impacts): (_, &Impacts)| impacts.states[*state as usize] > 0;
        !state.is_of_some_protocols() || coverage.impacts().any(was)
    };
    let states: Vec<NodeState> = NodeState::all().filter(is_shown).collect();
    let mut rows: Vec<Vec<String>> = coverage
        .impacts()
        .map(|(kind, impacts)| {
            let of_states = states.iter().map(|state| impacts.states[*state as usize]);
            let counts = [impacts.all, impacts.nobody].into_iter().chain(of_states);
            let cell = |count| if count == 0 { "-".to_owned() } else { grouped(count) };
            [kind.to_owned()].into_iter().chain(counts.map(cell)).collect()
        })
        .collect();
    let mut out = String::new();
    if rows.is_empty() {
        out += "\nNo fault struck.\n";
    } else {
        let names = states.iter().map(|state| state.name());
        let head = ["fault", "strikes", "nobody"].into_iter().chain(names);
        rows.insert(0, head.map(str::to_owned).collect());
        out += "\nWhat faults struck, and what the nodes that they hit were like just before:\n\n";
        out += &table(&rows);
    }
    let (never, some): (Vec<_>, Vec<_>) = coverage.sometimes().partition(|(_, count)| *count == 0);
    if !some.is_empty() {
        out += &format!("\nIn how many of {} it happened that\n\n", counted(cases, "run"));
        let wide = some.iter().map(|(_, count)| grouped(*count).len()).max().unwrap_or(0);
        for (what, count) in &some {
            out += &format!("  {:>wide$}  {}\n", grouped(*count), what.sentence());
        }
    }
    if !never.is_empty() {
        let named: Vec<&str> = never.iter().map(|(what, _)| what.sentence()).collect();
        let named = format!("It never happened that {}.", named.join("; "));
        out += &format!("\n{}\n", wrap(&named, 0));
    }
    out
}

/// Aligned columns: the first to the left, numbers to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let wide = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let line = |row: &Vec<String>| {
        let mut line = format!("{:<wide$}", row[0], wide = widths[0]);
        for (cell, wide) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>wide$}");
        }
        line + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::judge::{Find, Signature};
    use crate::fuzz::record::CaseRecord;

    fn record(case: u64, covered: &str) -> CaseRecord {
        let covered = serde_json::from_str(covered).expect("covered");
        CaseRecord { case, covered, ..CaseRecord::default() }
    }

    /// A state that only some protocols know has a column if a node was in it.
    #[test]
    fn a_learner_that_was_hit_has_a_column() {
        let head = |covered: &str| {
            let mut totals = Totals::new(1);
            totals.add(&record(0, covered));
            let told = text(&totals, &[], &|file| file.to_owned());
            told.lines().find(|line| line.starts_with("fault ")).expect("a table").to_owned()
        };
        let follower = head(r#"{"strikes":[[8,2,1]],"sometimes":0}"#);
        assert!(follower.ends_with("write-in-flight  leaderless"), "{follower}");
        let learner = head(r#"{"strikes":[[8,2,1],[8,512,1]],"sometimes":0}"#);
        assert!(learner.ends_with("write-in-flight  leaderless  learner"), "{learner}");
    }

    #[test]
    fn strikes_are_a_table_and_what_never_happened_is_named() {
        let mut totals = Totals::new(1200);
        // Crashes (8) of a leader with something unsynced and of a follower, and a heal (21) that
        // hit nobody.
        let covered = r#"{"strikes":[[8,33,2],[8,2,1500],[21,0,1]],"sometimes":16383}"#;
        totals.add(&record(0, covered));
        // All but two leaders (bit 5) once more.
        totals.add(&record(1, r#"{"strikes":[],"sometimes":16351}"#));
        let told = text(&totals, &[], &|file| file.to_owned());
        let expected = "\
no violation in 2 runs

What faults struck, and what the nodes that they hit were like just before:

fault  strikes  nobody  leader  follower  candidate  down  paused  unsynced  write-in-flight\
\x20 leaderless
crash    1,502       -       2     1,500          -     -       -         2                -\
\x20          -
heal         1       1       -         -          -     -       -         -                -\
\x20          -

In how many of 2 runs it happened that

  2  a write was acknowledged
";
        assert!(told.starts_with(expected), "{told}");
        assert!(told.contains("\n  1  two nodes led at once\n"), "{told}");
        assert!(!told.contains("never"), "{told}");
        let mut vacuous = Totals::new(1);
        vacuous.add(&record(0, r#"{"strikes":[],"sometimes":16351}"#));
        let told = text(&vacuous, &[], &|file| file.to_owned());
        assert!(told.contains("\nNo fault struck.\n"), "{told}");
        assert!(told.ends_with("\nIt never happened that two nodes led at once.\n"), "{told}");
    }

    #[test]
    fn a_find_has_its_sizes_its_command_and_its_witness() {
        let finding = Find {
            signature: Signature {
                check: "durability".to_owned(),
                mechanism: Some("never-shipped".to_owned()),
            },
            verdict: "violation".to_owned(),
            summary: "put k1=c1.1 is gone".to_owned(),
        };
        let mut totals = Totals::new(100);
        for case in [90, 37, 64] {
            let covered = record(case, r#"{"strikes":[],"sometimes":0}"#);
            totals.add(&CaseRecord { findings: vec![finding.clone()], ..covered });
        }
        let kind = totals.found()[0];
        assert_eq!((kind.case, kind.count), (37, 3), "the lowest, in whatever order");
        let mut found = Violation::new(kind);
        found.scenario = Some("0037.toml".to_owned());
        (found.faults_before, found.operations_before) = (Some(14), Some(100));
        (found.faults, found.operations) = (Some(1), Some(2));
        let run = |file: &str| format!("splitbrain run out/{file}");
        let expected = "\
violation in run 37 (durability, never-shipped): shrunk from 14 faults, 100 operations \
to 1 fault, 2 operations
  splitbrain run out/0037.toml
    in 3 runs; put k1=c1.1 is gone
";
        assert_eq!(violation(&found, &run), expected);
        found.scenario = None;
        found.not_shrunk = Some("it did not fail again".to_owned());
        let told = violation(&found, &run);
        assert!(
            told.starts_with("violation in run 37 (durability, never-shipped): not shrunk: it did")
        );
    }
}

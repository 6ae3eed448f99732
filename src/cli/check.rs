//! `check`: whether recorded histories are linearizable.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::args::CheckArgs;
use crate::cli::folder::files_beneath;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::foreign::{self, ReadAs};
use crate::linearizability::{self, Judgement};
use crate::report::check::{CheckedHistory, HistoryRow, table};

/// The names that histories in a folder end in.
const ENDINGS: [&str; 4] = ["edn", "jsonl", "log", "txt"];

/// Checks every history. Of one that cannot be read the mistake is shown, and the others are
/// checked all the same.
pub(super) fn run(args: &CheckArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let how = ReadAs {
        format: args.format,
        model: args.model,
        nil: args.nil,
        init: Some(args.init.clone()),
    };
    let mut exit = Exit::Pass;
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for path in &args.histories {
        let files = histories(path).unwrap_or_else(|trouble| {
            exit = exit.worse(trouble.show(env.console));
            Vec::new()
        });
        for file in &files {
            match check(file, &how, args, env) {
                Ok((verdict, row, document)) => {
                    exit = exit.worse(verdict);
                    rows.push(row);
                    documents.extend(document);
                }
                Err(trouble) => exit = exit.worse(trouble.show(env.console)),
            }
        }
    }
    if args.json {
        env.console.json(&documents.into());
    } else if !rows.is_empty() {
        env.console.out(&table(&rows));
    }
    Ok(exit)
}

/// Checks one history. Its exit status, its line of the table and, if asked for, its document.
fn check(
    path: &Path,
    how: &ReadAs,
    args: &CheckArgs,
    env: &mut Environment<'_>,
) -> Result<(Exit, HistoryRow, Option<serde_json::Value>), Trouble> {
    let name = path.to_string_lossy();
    let file = File::open(path).map_err(Trouble::cannot("read", path))?;
    let recorded = foreign::read(&name, file, how)?;
    let start = Instant::now();
    let judgement = linearizability::check(&recorded.operations, args.budget);
    let check_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let is_valid = judgement == Judgement::Linearizable;
    let order = args.order.then(|| {
        let order = is_valid.then(|| linearizability::linearize(&recorded.operations, args.budget));
        order.flatten()
    });
    let checked = CheckedHistory {
        file: &name,
        recorded: &recorded,
        judgement: &judgement,
        check_us,
        order: order.as_ref(),
    };
    let document = args.json.then(|| checked.document());
    if !args.json {
        env.console.out(&checked.text());
    }
    let exit = match judgement {
        Judgement::Linearizable => Exit::Pass,
        Judgement::Contradictory(_) => Exit::Violation,
        Judgement::Unknown => Exit::Unknown,
    };
    Ok((exit, checked.row(), document))
}

/// The file itself, or all histories in a folder and beneath it, by name.
fn histories(path: &Path) -> Result<Vec<PathBuf>, Trouble> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = files_beneath(path, is_history)?;
    if files.is_empty() {
        let message = format!(
            "no histories in {}\n  help: a history ends in .edn, .jsonl, .log or .txt and begins \
             like one",
            path.display()
        );
        return Err(Trouble::Error(message));
    }
    Ok(files)
}

/// Whether a file is named like a history and begins like one.
fn is_history(path: &Path) -> Result<bool, Trouble> {
    if !path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known)) {
        return Ok(false);
    }
    let mut first = Vec::new();
    let file = File::open(path).map_err(Trouble::cannot("read", path))?;
    let read = file.take(foreign::FIRST as u64).read_to_end(&mut first);
    read.map_err(Trouble::cannot("read", path))?;
    Ok(foreign::is_history(&first))
}

//! Merging the parts of a campaign that was played in shards.
//!
//! Every folder directly below the given one that has a `cases.jsonl` is a part. They are merged
//! only if they are all the parts of one campaign, each complete. The given folder then gets the
//! files that the whole campaign would have written, byte for byte.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::cases::CASES;
use super::identity::{Identity, Shard};
use super::record::{CampaignHeader, CaseRecord};
use super::totals::Totals;
use crate::report::files::{self, Lines};

/// A part of a campaign.
#[derive(Debug)]
struct Part {
    lines: Lines,
    header: CampaignHeader,
}

impl Part {
    fn name(&self) -> String {
        self.lines.path().display().to_string()
    }
}

/// All parts of a campaign.
#[derive(Debug)]
pub struct Parts {
    /// In the order of their shards.
    parts: Vec<Part>,
    runs: u64,
}

/// Why parts cannot be merged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MergeError(String);

fn refuse<T>(why: impl Into<String>) -> Result<T, MergeError> {
    Err(MergeError(why.into()))
}

fn at(path: &Path) -> impl Fn(io::Error) -> MergeError {
    move |why| MergeError(format!("cannot use {}: {why}", path.display()))
}

impl Parts {
    /// The parts in the folders directly below `folder`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, when there are no parts, or when they are not all the parts of
    /// one finished campaign of this version.
    pub fn find(folder: &Path) -> Result<Self, MergeError> {
        let mut parts = Vec::new();
        for below in folders(folder).map_err(at(folder))? {
            let names = files_of(&below).map_err(at(&below))?;
            if let Some(unfinished) = names.iter().find(|name| is_unfinished(name)) {
                return refuse(format!(
                    "{} is of a campaign that is not done: finish it with the command that \
                     began it",
                    unfinished.display()
                ));
            }
            let path = below.join(CASES);
            if let Some(lines) = Lines::existing(path.clone()).map_err(at(&path))? {
                parts.push(part(lines)?);
            }
        }
        let Some(first) = parts.first() else {
            return refuse(format!(
                "no folder in {} has a {CASES}: give the folder above those of the shards",
                folder.display()
            ));
        };
        for other in &parts[1..] {
            same_campaign(first, other)?;
        }
        let runs = first.header.runs;
        parts.sort_by_key(|part| part.header.shard);
        all_there(&parts)?;
        Ok(Self { parts, runs })
    }

    /// What campaign it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.parts[0].header.of
    }

    /// How many parts there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.parts.len()
    }

    /// Writes the whole campaign's `cases.jsonl` into `folder` and adds it up.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written; or when a part lacks a case, has one twice or one
    /// that belongs elsewhere, or ends in the middle of a line. Nothing is written then.
    pub fn merge(&self, folder: &Path) -> Result<Totals, MergeError> {
        let mut places = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            places.push(self.checked(part)?);
        }
        let mut totals = Totals::new(self.runs);
        let path = folder.join(CASES);
        let write = |out: &mut io::BufWriter<fs::File>| {
            CampaignHeader::new(self.identity().clone(), self.runs, Shard::WHOLE).write(out)?;
            for case in 0..self.runs {
                let shards = self.parts.len() as u64;
                // Neither is cut off: both are below the number of cases.
                let (part, place) = ((case % shards) as usize, (case / shards) as usize);
                let line = self.parts[part].lines.read(places[part][place])?;
                totals.add(&serde_json::from_slice(&line)?);
                out.write_all(&line)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        };
        files::whole(&path, write).map_err(at(&path))?;
        Ok(totals)
    }

    /// Where each case of a part is; refuses a part that has not all its cases in order.
    fn checked(&self, part: &Part) -> Result<Vec<files::LineSpan>, MergeError> {
        let CampaignHeader { shard, .. } = part.header;
        let mut places = Vec::new();
        let mut wrong = None;
        let mut number = 0_u64;
        let take = |place, line: &[u8]| {
            number += 1;
            if number == 1 || wrong.is_some() {
                return Ok(());
            }
            let expected = shard.case(number - 2).filter(|case| *case < self.runs);
            match (serde_json::from_slice::<CaseRecord>(line), expected) {
                (Ok(record), Some(expected)) if record.case == expected => places.push(place),
                (Ok(record), Some(expected)) => {
                    let case = record.case;
                    wrong = Some(format!(
                        "line {number} has case {case} where case {expected} belongs"
                    ));
                }
                (Ok(record), None) => {
                    wrong = Some(format!(
                        "line {number} has case {}, which is one too many",
                        record.case
                    ));
                }
                (Err(why), _) => wrong = Some(format!("line {number} is no case: {why}")),
            }
            Ok(())
        };
        part.lines.each(take).map_err(at(part.lines.path()))?;
        if wrong.is_none() && part.lines.is_torn().map_err(at(part.lines.path()))? {
            wrong = Some(format!("it is cut off after line {number}"));
        }
        let (found, share) = (places.len() as u64, shard.share(self.runs));
        if wrong.is_none() && found != share {
            wrong = Some(format!("it has {found} cases of {share}"));
        }
        wrong.map_or(Ok(places), |why| refuse(format!("{}: {why}", part.name())))
    }
}

/// Reads a part's header and checks it against itself and this program.
fn part(lines: Lines) -> Result<Part, MergeError> {
    let name = lines.path().display().to_string();
    let header = CampaignHeader::read(&lines).map_err(at(lines.path()))?;
    let Some(header) = header else {
        return refuse(format!("{name}: the first line does not say what campaign it is of"));
    };
    let (version, ours) = (&header.of.version, env!("CARGO_PKG_VERSION"));
    if version != ours {
        return refuse(format!("{name} was written by version {version}, and this is {ours}"));
    }
    let (index, count) = (header.shard.index(), header.shard.count());
    if Shard::new(index, count).is_none() {
        return refuse(format!("{name}: there is no shard {index} of {count}"));
    }
    let expected = header.of.fingerprint();
    if header.campaign != expected {
        let says = &header.campaign;
        return refuse(format!("{name} was changed: it says campaign {says} and is {expected}"));
    }
    Ok(Part { lines, header })
}

fn same_campaign(first: &Part, other: &Part) -> Result<(), MergeError> {
    let (a, b) = (&first.header, &other.header);
    let both = format!("{} and {}", first.name(), other.name());
    let (of, with) = (&a.of, &b.of);
    if of != with {
        let differs = [
            (of.scenario != with.scenario || of.file != with.file, "scenario"),
            (of.text != with.text, "text of the scenario"),
            (of.sets != with.sets, "--set"),
            (of.seed != with.seed, "seed"),
            (of.verify_ppb != with.verify_ppb, "share that is verified"),
        ];
        let what: Vec<&str> = differs.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        return refuse(format!("{both} are of two campaigns: they differ in {}", what.join(", ")));
    }
    if a.runs != b.runs {
        return refuse(format!("{both} are of campaigns of {} and {} runs", a.runs, b.runs));
    }
    if a.shard.count() != b.shard.count() {
        let (a, b) = (a.shard.count(), b.shard.count());
        return refuse(format!("{both} are of campaigns in {a} and {b} shards"));
    }
    Ok(())
}

/// Refuses unless every shard is there once. `parts` are of one campaign, in the order of shards.
fn all_there(parts: &[Part]) -> Result<(), MergeError> {
    for pair in parts.windows(2) {
        if pair[0].header.shard == pair[1].header.shard {
            let shard = pair[0].header.shard.index();
            let (a, b) = (pair[0].name(), pair[1].name());
            return refuse(format!("{a} and {b} are both shard {shard}"));
        }
    }
    let count = parts[0].header.shard.count();
    let is_there = |index: &u64| parts.iter().any(|part| part.header.shard.index() == *index);
    let missing: Vec<String> =
        (1..=count).filter(|index| !is_there(index)).map(|index| index.to_string()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let noun = if missing.len() == 1 { "shard" } else { "shards" };
    let missing = missing.join(", ");
    refuse(format!("{noun} {missing} of {count} not there: every part has to be"))
}

/// The folders directly below one, by name.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(files_of(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// What is in a folder, by name.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.is_some_and(|name| name.starts_with("unfinished-") && name.ends_with(".jsonl"))
}

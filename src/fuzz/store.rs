//! What is kept of a campaign: a line a case, safe at once.
//!
//! A campaign's folder has `cases.jsonl` when it is done: a first line that says what campaign it is ([`Header`]), then
//! every case in order ([`Record`]). While it is under way its cases are in `unfinished-FINGERPRINT.jsonl`, in the order
//! in which they were done, each line appended by one write as soon as its case is done, and that file is locked; an
//! interruption loses the runs in flight and no other. Only where the lines lie is held in memory.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::coverage::Covered;
use super::judge::Finding;
use super::subject::Subject;
use super::tally::Tally;
use crate::report::files::{self, Lines, Place};
use crate::rng::Probability;

/// The file of a campaign that is done.
pub const CASES: &str = "cases.jsonl";

/// What a campaign is: everything that its cases depend on but the program's own code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The version of splitbrain.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The name of its file, without folders.
    pub file: String,
    /// The text of the file.
    pub text: String,
    /// `PATH=VALUE` arguments put into the file's tree.
    pub sets: Vec<String>,
    /// The campaign's seed.
    pub seed: u64,
    /// The share of cases that are played twice, in parts per billion.
    pub verify_ppb: u32,
}

impl Identity {
    /// The campaign of `subject` under `seed`; `verify` of its cases are played twice.
    #[must_use]
    pub fn new(subject: &Subject, scenario: &str, seed: u64, verify: Probability) -> Self {
        let file = Path::new(&subject.origin).file_name();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.to_owned(),
            file: file.map_or_else(String::new, |file| file.to_string_lossy().into_owned()),
            text: String::from_utf8_lossy(&subject.text).into_owned(),
            sets: subject.sets.clone(),
            seed,
            verify_ppb: verify.parts_per_billion(),
        }
    }

    /// All of it in sixteen hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).expect("texts and integers are JSON");
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&text))
    }

    /// Whether this case is played twice: a function of seed and case alone.
    #[must_use]
    pub fn verifies(&self, case: u64) -> bool {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..].copy_from_slice(&case.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&key) % 1_000_000_000 < u64::from(self.verify_ppb)
    }
}

/// Every how-manieth case belongs to a part: `I` of `N` has the cases that leave `I - 1` when divided by `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    index: u64,
    /// Of how many.
    count: u64,
}

impl Shard {
    /// The most parts of a campaign.
    pub const MOST: u64 = 10_000;
    /// All cases.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index` of `count`; `None` unless 1 <= `index` <= `count` <= [`Self::MOST`].
    #[must_use]
    pub const fn new(index: u64, count: u64) -> Option<Self> {
        if index >= 1 && index <= count && count <= Self::MOST {
            Some(Self { index, count })
        } else {
            None
        }
    }

    /// Which part, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Its case number `place`, counted from 0; `None` beyond the last number.
    #[must_use]
    pub fn case(self, place: u64) -> Option<u64> {
        place.checked_mul(self.count)?.checked_add(self.index - 1)
    }

    /// Whether it has this case.
    #[must_use]
    pub const fn has(self, case: u64) -> bool {
        case % self.count == self.index - 1
    }

    /// How many of the first `runs` cases it has.
    #[must_use]
    pub const fn share(self, runs: u64) -> u64 {
        (runs + self.count - self.index) / self.count
    }
}

/// The first line of a campaign's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The fingerprint of what follows in `of`.
    pub campaign: String,
    /// How many cases the whole campaign has: 0 to one less than this.
    pub runs: u64,
    /// Which of them are here.
    pub shard: Shard,
    /// What campaign it is.
    pub of: Identity,
}

/// What is kept of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Which.
    pub case: u64,
    /// The digest of the run; `None` when the protocol panicked.
    pub digest: Option<String>,
    /// How many events were played.
    pub events: u64,
    /// The virtual time at which the run ended, in nanoseconds.
    pub virtual_ns: u64,
    /// What must not have happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Whether a checker could not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// What the run exercised.
    pub covered: Covered,
}

/// Why a campaign's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder that cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else is at it.
    #[error("another process is playing this campaign in {}", .0.display())]
    InUse(PathBuf),
    /// The folder has another part of the same campaign.
    #[error("{} holds shard {} of {} of this campaign: each needs a folder of its own", folder.display(), shard.index, shard.count)]
    OtherShard {
        /// The folder.
        folder: PathBuf,
        /// The part.
        shard: Shard,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Finished,
    Unfinished,
}

/// The folder of a campaign under way.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    identity: Identity,
    shard: Shard,
    finished: Option<Lines>,
    /// How many cases the campaign had when it was last done here.
    finished_runs: Option<u64>,
    unfinished: Lines,
    places: Mutex<BTreeMap<u64, (Source, Place)>>,
}

impl Store {
    /// The folder of a campaign's part, made if it is not there, with what was kept of it before.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or written, another process has it, or it holds another part.
    pub fn open(folder: &Path, identity: Identity, shard: Shard) -> Result<Self, StoreError> {
        let at = |path: PathBuf| move |source| StoreError::File { path, source };
        std::fs::create_dir_all(folder).map_err(at(folder.to_owned()))?;
        let path = folder.join(format!("unfinished-{}.jsonl", identity.fingerprint()));
        let unfinished = Lines::open(path.clone()).map_err(at(path.clone()))?;
        if !unfinished.lock().map_err(at(path.clone()))? {
            return Err(StoreError::InUse(folder.to_owned()));
        }
        let cases = folder.join(CASES);
        let finished = Lines::existing(cases.clone()).map_err(at(cases.clone()))?;
        let header = match &finished {
            Some(lines) => header(lines).map_err(at(cases.clone()))?,
            None => None,
        };
        let header = header.filter(|header| header.of == identity);
        if let Some(other) = header.as_ref().map(|header| header.shard)
            && other != shard
            && shard != Shard::WHOLE
        {
            return Err(StoreError::OtherShard { folder: folder.to_owned(), shard: other });
        }
        let mut places = BTreeMap::new();
        let mut take = |source, lines: &Lines| {
            lines.each(|place, line| {
                // What does not read as a case is played again.
                if let Ok(record) = serde_json::from_slice::<Record>(line)
                    && shard.has(record.case)
                {
                    places.insert(record.case, (source, place));
                }
                Ok(())
            })
        };
        let finished = finished.filter(|_| header.is_some());
        if let Some(lines) = &finished {
            take(Source::Finished, lines).map_err(at(cases))?;
        }
        take(Source::Unfinished, &unfinished).map_err(at(path))?;
        let finished_runs = header.filter(|header| header.shard == shard).map(|header| header.runs);
        let (folder, places) = (folder.to_owned(), Mutex::new(places));
        Ok(Self { folder, identity, shard, finished, finished_runs, unfinished, places })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What campaign it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Which of its cases are here.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// How many cases below `runs` are kept.
    #[must_use]
    pub fn kept(&self, runs: u64) -> u64 {
        self.with_places(|places| places.range(..runs).count() as u64)
    }

    /// Whether a case is kept.
    #[must_use]
    pub fn has(&self, case: u64) -> bool {
        self.with_places(|places| places.contains_key(&case))
    }

    /// The first case of this part that is not kept.
    #[must_use]
    pub fn first_missing(&self) -> u64 {
        let missing = |places: &mut BTreeMap<u64, _>| {
            let mut wanted = (0..).map_while(|place| self.shard.case(place));
            let held = places.keys();
            held.zip(wanted.by_ref()).find(|(held, wanted)| **held != *wanted).map_or_else(
                || self.shard.case(places.len() as u64).unwrap_or(u64::MAX),
                |(_, wanted)| wanted,
            )
        };
        self.with_places(missing)
    }

    /// Calls `take` with every case kept, in order.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or whatever `take` ends with.
    pub fn each(&self, mut take: impl FnMut(Record, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let places: Vec<_> = self.with_places(|places| places.values().copied().collect());
        for (source, place) in places {
            let lines = match (source, &self.finished) {
                (Source::Finished, Some(finished)) => finished,
                _ => &self.unfinished,
            };
            let line = lines.read(place)?;
            take(serde_json::from_slice(&line)?, &line)?;
        }
        Ok(())
    }

    /// Forgets every case that is kept: they are played again, and what is kept then replaces them.
    pub fn forget(&mut self) {
        self.with_places(BTreeMap::clear);
        self.finished_runs = None;
    }

    /// Keeps a case.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn keep(&self, record: &Record) -> io::Result<()> {
        let place = self.unfinished.append(serde_json::to_vec(record)?)?;
        self.with_places(|places| places.insert(record.case, (Source::Unfinished, place)));
        Ok(())
    }

    /// Writes the file of a campaign of `runs` cases, all of which are kept, and adds them up. Cases beyond are left
    /// out. The unfinished file stays until [`Store::close`].
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub fn finish(&self, runs: u64) -> io::Result<Tally> {
        let mut tally = Tally::new(runs);
        let is_new = |(source, _): &(Source, Place)| *source == Source::Unfinished;
        let is_written = self.finished_runs == Some(runs)
            && !self.with_places(|places| places.range(..runs).any(|(_, place)| is_new(place)));
        if is_written {
            self.each(|record, _| {
                if record.case < runs {
                    tally.add(&record);
                }
                Ok(())
            })?;
            return Ok(tally);
        }
        files::whole(&self.folder.join(CASES), |out| {
            let (of, shard) = (self.identity.clone(), self.shard);
            write_header(out, &Header { campaign: of.fingerprint(), runs, shard, of })?;
            self.each(|record, line| {
                if record.case < runs {
                    tally.add(&record);
                    out.write_all(line)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            })
        })?;
        Ok(tally)
    }

    /// The campaign is done and everything of it is written: the unfinished file goes, and the lock with it.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn close(self) -> io::Result<()> {
        self.unfinished.remove()
    }

    fn with_places<T>(&self, ask: impl FnOnce(&mut BTreeMap<u64, (Source, Place)>) -> T) -> T {
        // A map is whole whatever a thread that held it came to.
        ask(&mut self.places.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Writes the first line.
pub(super) fn write_header(out: &mut impl io::Write, header: &Header) -> io::Result<()> {
    serde_json::to_writer(&mut *out, header)?;
    out.write_all(b"\n")
}

/// The first line of a campaign's file; `None` when it is none.
pub(super) fn header(lines: &Lines) -> io::Result<Option<Header>> {
    let mut first = None;
    let mut found = Vec::new();
    lines.each(|place, line| {
        if first.is_none() {
            first = Some(place);
            found = line.to_vec();
        }
        Ok(())
    })?;
    Ok(serde_json::from_slice(&found).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Registry;

    fn record(case: u64) -> Record {
        let covered = Covered::default();
        let digest = Some(format!("{case:016x}"));
        Record { case, digest, events: 2, virtual_ns: 3, findings: vec![], unknown: false, covered }
    }

    fn identity(seed: u64) -> Identity {
        let text = b"[cluster]\nnodes = 3\n[protocol.leader-follower]\n".to_vec();
        let subject = Subject::new("/some/where/s.toml", text, &Registry::new(), &[]);
        Identity::new(&subject.expect("good"), "s", seed, Probability::ZERO)
    }

    fn open(folder: &Path, shard: Shard) -> Store {
        Store::open(folder, identity(7), shard).expect("opens")
    }

    #[test]
    fn the_first_case_that_is_missing_is_found_in_every_shard() {
        let cases: [(Shard, &[u64], u64); 6] = [
            (Shard::WHOLE, &[], 0),
            (Shard::WHOLE, &[0, 1, 2], 3),
            (Shard::WHOLE, &[2, 0, 3], 1),
            (Shard::WHOLE, &[5], 0),
            (Shard { index: 2, count: 3 }, &[1, 4], 7),
            (Shard { index: 2, count: 3 }, &[1, 7], 4),
        ];
        for (shard, kept, expected) in cases {
            let folder = tempfile::tempdir().expect("a folder");
            let store = open(folder.path(), shard);
            kept.iter().for_each(|case| store.keep(&record(*case)).expect("kept"));
            assert_eq!(store.first_missing(), expected, "{shard:?} {kept:?}");
        }
    }

    #[test]
    fn what_was_kept_is_there_again_in_order_and_only_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |store: &Store| {
            let mut cases = Vec::new();
            let each = store.each(|record, _| {
                cases.push((record.case, record.events));
                Ok(())
            });
            each.expect("read");
            cases
        };
        let mut store = open(folder.path(), Shard::WHOLE);
        for case in [1, 0, 2] {
            store.keep(&record(case)).expect("kept");
        }
        assert_eq!(store.finish(3).expect("written").cases, 3);
        store.keep(&Record { events: 9, ..record(1) }).expect("kept");
        drop(store);
        store = open(folder.path(), Shard::WHOLE);
        assert_eq!(read(&store), [(0, 2), (1, 9), (2, 2)], "the last line of a case counts");
        assert_eq!((store.kept(2), store.kept(9)), (2, 3));
        store.forget();
        assert_eq!(read(&store), []);
        store.keep(&record(0)).expect("kept");
        assert_eq!(store.finish(1).expect("written").cases, 1);
        store.close().expect("closed");
        let text = std::fs::read_to_string(folder.path().join(CASES)).expect("there");
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains("where"), "no folder of this machine: {text}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_campaign_is_told_from_another_by_all_that_it_depends_on() {
        let base = identity(7);
        let changes: [fn(&mut Identity); 7] = [
            |of| of.version.push('1'),
            |of| of.scenario.push('1'),
            |of| of.file.push('1'),
            |of| of.text.push(' '),
            |of| of.sets.push("a=1".to_owned()),
            |of| of.seed += 1,
            |of| of.verify_ppb += 1,
        ];
        let fingerprints = changes.map(|change| {
            let mut of = base.clone();
            change(&mut of);
            of.fingerprint()
        });
        let mut all = fingerprints.to_vec();
        all.push(base.fingerprint());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
        assert_eq!(base.fingerprint(), identity(7).fingerprint());
    }
}

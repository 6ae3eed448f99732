//! What is kept of a campaign: a line a case, safe at once.
//!
//! The folder of a finished campaign has `cases.jsonl`: a first line that says what campaign it is
//! ([`CampaignHeader`]), then every case in order ([`CaseRecord`]).
//!
//! While a campaign runs, its cases are in `unfinished-FINGERPRINT.jsonl`, in the order in which
//! they were done. Each is appended by one write as soon as it is done, so an interruption loses
//! only the runs under way. The file is locked. Only the places of the lines are held in memory.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::identity::{Identity, Shard};
use super::record::{CampaignHeader, CaseRecord};
use super::totals::Totals;
use crate::report::files::{self, LineSpan, Lines};

/// The file of a campaign that is done.
pub const CASES: &str = "cases.jsonl";

/// Why a campaign's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// A file or folder that cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("another process is playing this campaign in {}", .0.display())]
    InUse(PathBuf),
    /// The folder has another part of the same campaign.
    #[error(
        "{} holds shard {} of {} of this campaign: each needs a folder of its own",
        folder.display(),
        shard.index(),
        shard.count()
    )]
    OtherShard {
        /// The folder.
        folder: PathBuf,
        /// The part.
        shard: Shard,
    },
}

/// Which file holds a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaseFile {
    Finished,
    Unfinished,
}

/// The cases of a campaign (or of one shard of it) in their folder.
#[derive(Debug)]
pub struct Cases {
    folder: PathBuf,
    identity: Identity,
    shard: Shard,
    finished: Option<Lines>,
    /// How many cases the finished file is of, if it is of this very shard.
    finished_runs: Option<u64>,
    unfinished: Lines,
    /// Where each case is, by its number.
    places: Mutex<BTreeMap<u64, (CaseFile, LineSpan)>>,
}

impl Cases {
    /// Opens the folder of a shard, with the cases that were kept before. Makes it if necessary.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or written, another process has it, or it holds another part.
    pub fn open(folder: &Path, identity: Identity, shard: Shard) -> Result<Self, CasesError> {
        let at = |path: PathBuf| move |source| CasesError::File { path, source };
        std::fs::create_dir_all(folder).map_err(at(folder.to_owned()))?;
        let path = folder.join(format!("unfinished-{}.jsonl", identity.fingerprint()));
        let unfinished = Lines::open(path.clone()).map_err(at(path.clone()))?;
        if !unfinished.lock().map_err(at(path.clone()))? {
            return Err(CasesError::InUse(folder.to_owned()));
        }
        let cases = folder.join(CASES);
        let finished = Lines::existing(cases.clone()).map_err(at(cases.clone()))?;
        let header = match &finished {
            Some(lines) => CampaignHeader::read(lines).map_err(at(cases.clone()))?,
            None => None,
        };
        let header = header.filter(|header| header.of == identity);
        if let Some(other) = header.as_ref().map(|header| header.shard)
            && other != shard
            && shard != Shard::WHOLE
        {
            return Err(CasesError::OtherShard { folder: folder.to_owned(), shard: other });
        }
        let mut places = BTreeMap::new();
        let mut take = |file, lines: &Lines| {
            lines.each(|place, line| {
                // A line that cannot be read as a case is dropped, and the case played again.
                if let Ok(record) = serde_json::from_slice::<CaseRecord>(line)
                    && shard.has(record.case)
                {
                    places.insert(record.case, (file, place));
                }
                Ok(())
            })
        };
        let finished = finished.filter(|_| header.is_some());
        if let Some(lines) = &finished {
            take(CaseFile::Finished, lines).map_err(at(cases))?;
        }
        take(CaseFile::Unfinished, &unfinished).map_err(at(path))?;
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

    /// The first case of this shard that is not kept.
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
    pub fn each(
        &self,
        mut take: impl FnMut(CaseRecord, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let places: Vec<_> = self.with_places(|places| places.values().copied().collect());
        for (file, place) in places {
            let lines = match (file, &self.finished) {
                (CaseFile::Finished, Some(finished)) => finished,
                (CaseFile::Finished, None) => {
                    unreachable!("only the finished file has such places")
                }
                (CaseFile::Unfinished, _) => &self.unfinished,
            };
            let line = lines.read(place)?;
            take(serde_json::from_slice(&line)?, &line)?;
        }
        Ok(())
    }

    /// Forgets all cases, so that they are played again and replaced.
    pub fn forget(&mut self) {
        self.with_places(BTreeMap::clear);
        self.finished_runs = None;
    }

    /// Keeps a case.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn keep(&self, record: &CaseRecord) -> io::Result<()> {
        let place = self.unfinished.append(serde_json::to_vec(record)?)?;
        self.with_places(|places| places.insert(record.case, (CaseFile::Unfinished, place)));
        Ok(())
    }

    /// Writes the finished file of a campaign of `runs` cases, all of which are kept, and adds them
    /// up. Cases beyond `runs` are left out. The unfinished file stays until [`Cases::close`].
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub fn finish(&self, runs: u64) -> io::Result<Totals> {
        let mut totals = Totals::new(runs);
        let is_new = |(file, _): &(CaseFile, LineSpan)| *file == CaseFile::Unfinished;
        let is_written = self.finished_runs == Some(runs)
            && !self.with_places(|places| places.range(..runs).any(|(_, place)| is_new(place)));
        if is_written {
            self.each(|record, _| {
                if record.case < runs {
                    totals.add(&record);
                }
                Ok(())
            })?;
            return Ok(totals);
        }
        files::whole(&self.folder.join(CASES), |out| {
            CampaignHeader::new(self.identity.clone(), runs, self.shard).write(out)?;
            self.each(|record, line| {
                if record.case < runs {
                    totals.add(&record);
                    out.write_all(line)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            })
        })?;
        Ok(totals)
    }

    /// Removes the unfinished file and its lock: the campaign is done and written.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn close(self) -> io::Result<()> {
        self.unfinished.remove()
    }

    fn with_places<T>(&self, ask: impl FnOnce(&mut BTreeMap<u64, (CaseFile, LineSpan)>) -> T) -> T {
        // No thread can leave the map half changed, so a poisoned lock is no harm.
        ask(&mut self.places.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::target::FuzzTarget;
    use crate::rng::Probability;
    use crate::scenario::Registry;

    fn record(case: u64) -> CaseRecord {
        let digest = Some(format!("{case:016x}"));
        CaseRecord { case, digest, events: 2, virtual_ns: 3, ..CaseRecord::default() }
    }

    fn identity(seed: u64) -> Identity {
        let text = b"[cluster]\nnodes = 3\n[protocol.leader-follower]\n".to_vec();
        let target = FuzzTarget::new("/some/where/s.toml", text, &Registry::new(), &[]);
        Identity::new(&target.expect("good"), "s", seed, Probability::ZERO)
    }

    fn open(folder: &Path, shard: Shard) -> Cases {
        Cases::open(folder, identity(7), shard).expect("opens")
    }

    #[test]
    fn the_first_case_that_is_missing_is_found_in_every_shard() {
        let second = Shard::new(2, 3).expect("a shard");
        let cases: [(Shard, &[u64], u64); 6] = [
            (Shard::WHOLE, &[], 0),
            (Shard::WHOLE, &[0, 1, 2], 3),
            (Shard::WHOLE, &[2, 0, 3], 1),
            (Shard::WHOLE, &[5], 0),
            (second, &[1, 4], 7),
            (second, &[1, 7], 4),
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
        let read = |store: &Cases| {
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
        store.keep(&CaseRecord { events: 9, ..record(1) }).expect("kept");
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
}

//! The finished points of a sweep, so that an interrupted sweep goes on where it was.
//!
//! A file of JSON lines, each a finished point. Its name has a fingerprint of everything that the
//! results depend on. Lines are appended by one write each; a line that was cut off is ignored. The
//! file is removed when the sweep is done.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::files::Lines;

/// The file with the finished points of a sweep.
#[derive(Debug)]
pub struct SweepProgress(Lines);

#[derive(Serialize, Deserialize)]
struct FinishedPoint<T> {
    point: usize,
    result: T,
}

impl SweepProgress {
    /// Opens the file of the sweep with this fingerprint in `folder`, or makes it. Also returns
    /// what was finished before, by point.
    ///
    /// # Errors
    ///
    /// When the folder or the file cannot be made, read or written.
    pub fn open<T: DeserializeOwned>(
        folder: &Path,
        fingerprint: u64,
    ) -> io::Result<(Self, BTreeMap<usize, T>)> {
        std::fs::create_dir_all(folder)?;
        let lines = Lines::open(folder.join(format!("unfinished-{fingerprint:016x}.jsonl")))?;
        let mut done = BTreeMap::new();
        lines.each(|_, line| {
            // A line that cannot be read as a result is dropped, and its point played again.
            if let Ok(FinishedPoint { point, result }) = serde_json::from_slice(line) {
                done.insert(point, result);
            }
            Ok(())
        })?;
        Ok((Self(lines), done))
    }

    /// Keeps a finished point.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn keep<T: Serialize>(&self, point: usize, result: &T) -> io::Result<()> {
        self.0.append(serde_json::to_vec(&FinishedPoint { point, result })?).map(|_| ())
    }

    /// Removes the file: the sweep is done, and its results are written.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        self.0.remove()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_finished_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (progress, done) = SweepProgress::open::<f64>(folder.path(), 7).expect("opens");
        assert_eq!(done, BTreeMap::new());
        // A float that a careless reader would round.
        let exact = 0.1 + 0.2;
        progress.keep(3, &exact).expect("kept");
        progress.keep(1, &2.5).expect("kept");
        let path = folder.path().join("unfinished-0000000000000007.jsonl");
        let mut torn = std::fs::read(&path).expect("there");
        let whole = torn.len();
        torn.extend_from_slice(b"{\"point\":4,\"result\":1");
        std::fs::write(&path, &torn).expect("written");
        drop(progress);

        let (progress, done) = SweepProgress::open::<f64>(folder.path(), 7).expect("opens");
        assert_eq!(done, BTreeMap::from([(1, 2.5), (3, exact)]));
        progress.keep(4, &4.0).expect("kept");
        let text = std::fs::read(&path).expect("there");
        assert_eq!(text[whole..], *b"{\"point\":4,\"result\":4.0}\n");
        let (_, other) = SweepProgress::open::<f64>(folder.path(), 8).expect("opens");
        assert_eq!(other, BTreeMap::new(), "another sweep has another file");
        progress.remove().expect("removed");
        assert!(!path.exists());
    }
}

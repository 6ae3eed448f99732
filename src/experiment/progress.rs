//! What a sweep has finished, kept while it is under way: an interrupted one goes on where it was.
//!
//! A file of JSON lines. The first names the sweep by a fingerprint of everything that its results depend on; each
//! other line is a point that is done. Lines are appended whole, one write each; a line that an interruption cut off
//! is no line. Whoever is done with the sweep removes the file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::files::Lines;

/// The file of a sweep under way.
#[derive(Debug)]
pub struct Progress(Lines);

#[derive(Serialize, Deserialize)]
struct FinishedPoint<T> {
    point: usize,
    result: T,
}

impl Progress {
    /// The file of the sweep of this fingerprint in `folder`, made if it is not there; and what was finished before,
    /// by point.
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
            // What no longer reads as a result is played again.
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

    /// The sweep is done, and its results are written elsewhere.
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
        let (progress, done) = Progress::open::<f64>(folder.path(), 7).expect("opens");
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

        let (progress, done) = Progress::open::<f64>(folder.path(), 7).expect("opens");
        assert_eq!(done, BTreeMap::from([(1, 2.5), (3, exact)]));
        progress.keep(4, &4.0).expect("kept");
        let text = std::fs::read(&path).expect("there");
        assert_eq!(text[whole..], *b"{\"point\":4,\"result\":4.0}\n");
        let (_, other) = Progress::open::<f64>(folder.path(), 8).expect("opens");
        assert_eq!(other, BTreeMap::new(), "another sweep has another file");
        progress.remove().expect("removed");
        assert!(!path.exists());
    }
}

//! What a sweep has finished, kept while it is under way: an interrupted one goes on where it was.
//!
//! A file of JSON lines. The first names the sweep by a fingerprint of everything that its results depend on; each
//! other line is a point that is done. Lines are appended whole, one write each; a line that an interruption cut off
//! is no line. Whoever is done with the sweep removes the file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The file of a sweep under way.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: Mutex<File>,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    point: usize,
    result: T,
}

impl Store {
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
        let path = folder.join(format!("unfinished-{fingerprint:016x}.jsonl"));
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut done = BTreeMap::new();
        for line in text[..whole].split(|byte| *byte == b'\n') {
            // What no longer reads as a result is played again.
            if let Ok(Line { point, result }) = serde_json::from_slice(line) {
                done.insert(point, result);
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole as u64)?;
        Ok((Self { path, file: Mutex::new(file) }, done))
    }

    /// Keeps a finished point.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn keep<T: Serialize>(&self, point: usize, result: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { point, result })?;
        line.push(b'\n');
        let mut file = self.file.lock().map_err(|_| io::Error::other("a thread has failed"))?;
        file.write_all(&line)
    }

    /// The sweep is done, and its results are written elsewhere.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        // Another process may have played the same sweep at the same time, and been done first.
        match std::fs::remove_file(self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_finished_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, done) = Store::open::<f64>(folder.path(), 7).expect("opens");
        assert_eq!(done, BTreeMap::new());
        // A float that a careless reader would round.
        let exact = 0.1 + 0.2;
        store.keep(3, &exact).expect("kept");
        store.keep(1, &2.5).expect("kept");
        let path = folder.path().join("unfinished-0000000000000007.jsonl");
        let mut torn = std::fs::read(&path).expect("there");
        let whole = torn.len();
        torn.extend_from_slice(b"{\"point\":4,\"result\":1");
        std::fs::write(&path, &torn).expect("written");
        drop(store);

        let (store, done) = Store::open::<f64>(folder.path(), 7).expect("opens");
        assert_eq!(done, BTreeMap::from([(1, 2.5), (3, exact)]));
        store.keep(4, &4.0).expect("kept");
        let text = std::fs::read(&path).expect("there");
        assert_eq!(text[whole..], *b"{\"point\":4,\"result\":4.0}\n");
        let (_, other) = Store::open::<f64>(folder.path(), 8).expect("opens");
        assert_eq!(other, BTreeMap::new(), "another sweep has another file");
        store.remove().expect("removed");
        assert!(!path.exists());
    }
}

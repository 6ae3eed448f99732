//! Files that survive an interruption: written atomically, or grown by whole lines.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Writes a file atomically: under another name, then renamed to `path`.
///
/// # Errors
///
/// When the file cannot be written. It is then unchanged.
pub fn whole<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".partial");
    let write = || {
        let mut out = BufWriter::new(File::create(&beside)?);
        let filled = fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&beside, path)?;
        Ok(filled)
    };
    let written = write();
    if written.is_err() {
        // If the partial file cannot be removed, the first error still says why.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A file of lines, each appended by one write. A last line without its end was cut off and is
/// ignored.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    grown: Mutex<Grown>,
}

#[derive(Debug)]
struct Grown {
    file: File,
    end: u64,
}

/// The bytes of a line in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSpan {
    offset: u64,
    length: u64,
}

impl Lines {
    /// Opens the file at `path` to append to, or makes it. Removes a last line that was cut off.
    ///
    /// # Errors
    ///
    /// When it cannot be made, read or written.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        let lines = Self { path, grown: Mutex::new(Grown { file, end: 0 }) };
        let end = lines.each(|_, _| Ok(()))?;
        {
            let mut grown = lines.grown()?;
            grown.end = end;
            grown.file.set_len(end)?;
        }
        Ok(lines)
    }

    /// Opens the file at `path` to read; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be opened.
    pub fn existing(path: PathBuf) -> io::Result<Option<Self>> {
        match File::open(&path) {
            Ok(file) => Ok(Some(Self { path, grown: Mutex::new(Grown { file, end: 0 }) })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Locks the file against other processes for as long as it is open; `false` if another process
    /// has locked it.
    ///
    /// # Errors
    ///
    /// When the file cannot be locked. On a file system without locks this does nothing.
    pub fn lock(&self) -> io::Result<bool> {
        match self.grown()?.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(true)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Calls `take` with every whole line, without its end, in order. Returns where the last one
    /// ends.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the error of `take`.
    pub fn each(&self, mut take: impl FnMut(LineSpan, &[u8]) -> io::Result<()>) -> io::Result<u64> {
        let mut grown = self.grown()?;
        grown.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&grown.file);
        let mut line = Vec::new();
        let mut offset = 0;
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)? as u64;
            if line.pop() != Some(b'\n') {
                return Ok(offset);
            }
            take(LineSpan { offset, length: read - 1 }, &line)?;
            offset += read;
        }
    }

    /// Whether the last line was cut off.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn is_torn(&self) -> io::Result<bool> {
        let whole = self.each(|_, _| Ok(()))?;
        Ok(self.grown()?.file.metadata()?.len() != whole)
    }

    /// Appends a line; it must not contain a line feed.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn append(&self, mut line: Vec<u8>) -> io::Result<LineSpan> {
        let length = line.len() as u64;
        line.push(b'\n');
        let mut grown = self.grown()?;
        grown.file.write_all(&line)?;
        let place = LineSpan { offset: grown.end, length };
        grown.end += length + 1;
        Ok(place)
    }

    /// The line at `place`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&self, place: LineSpan) -> io::Result<Vec<u8>> {
        let mut grown = self.grown()?;
        grown.file.seek(SeekFrom::Start(place.offset))?;
        let mut line = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
        grown.file.read_exact(&mut line)?;
        Ok(line)
    }

    /// Removes the file.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        // Another process may have removed it already.
        match fs::remove_file(self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn grown(&self) -> io::Result<MutexGuard<'_, Grown>> {
        self.grown.lock().map_err(|_| io::Error::other("a thread has failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_filled_is_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        whole(&path, |out| out.write_all(b"first")).expect("written");
        let refused = whole(&path, |out| {
            out.write_all(b"half")?;
            Err::<(), _>(io::Error::other("no more"))
        });
        assert_eq!(refused.expect_err("refused").to_string(), "no more");
        assert_eq!(fs::read(&path).expect("there"), b"first");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn lines_are_found_again_by_their_place_and_a_torn_one_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        fs::write(&path, "one\n\ntorn").expect("written");
        let reader = Lines::existing(path.clone()).expect("opens").expect("there");
        assert!(reader.is_torn().expect("read"));
        let lines = Lines::open(path.clone()).expect("opens");
        assert!(!lines.is_torn().expect("read"));
        let place = lines.append(b"two".to_vec()).expect("appended");
        assert_eq!(fs::read(&path).expect("there"), b"one\n\ntwo\n");
        let mut found = Vec::new();
        let end = lines.each(|place, line| {
            found.push((place, String::from_utf8_lossy(line).into_owned()));
            Ok(())
        });
        assert_eq!(end.expect("read"), 9);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["one", "", "two"]);
        assert_eq!(found[2].0, place);
        for (place, text) in &found {
            assert_eq!(lines.read(*place).expect("read"), text.as_bytes());
        }
        lines.append(b"three".to_vec()).expect("reading moves no end");
        assert_eq!(fs::read(&path).expect("there"), b"one\n\ntwo\nthree\n");
        lines.remove().expect("removed");
        assert!(Lines::existing(path).expect("no trouble").is_none());
    }

    #[test]
    fn a_file_has_one_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Lines::open(folder.path().join("a.jsonl")).expect("opens");
        let (first, second) = (open(), open());
        assert!(first.lock().expect("locks"));
        assert!(!second.lock().expect("locks"));
        drop(first);
        assert!(second.lock().expect("locks"));
    }
}

//! The folder of a run: `result.json`, `nodes.json`, `history.jsonl` and, if they are asked for,
//! `history.edn`, `trace.txt` and pictures.
//!
//! Two runs of the same scenario, seed and version write the same bytes. Files are written
//! atomically. What an earlier run was asked for and the new one is not is deleted, because it does
//! not belong to the new result; nothing else is.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::report::pictures::Drawn;
use crate::report::{Report, edn, history, json, nodes};
use crate::run::RunResult;
use strum::{IntoStaticStr, VariantArray};

/// A format in which the history of a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum HistoryFile {
    /// `history.jsonl` alone, which is written always.
    Jsonl,
    /// `history.edn`, too.
    Edn,
}

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct FolderError {
    /// Its path.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

/// Writes the folder of a run, and the folders above it.
///
/// # Errors
///
/// When a file cannot be written. The files before it are.
pub fn write(
    folder: &Path,
    report: &Report,
    result: &RunResult,
    format: HistoryFile,
) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|source| FolderError { path: folder.into(), source })?;
    file(&folder.join("result.json"), |out| {
        serde_json::to_writer_pretty(&mut *out, &json::run(report))?;
        out.write_all(b"\n")
    })?;
    file(&folder.join("nodes.json"), |out| {
        serde_json::to_writer_pretty(
            &mut *out,
            &nodes::nodes(&result.finals, &result.states, &result.history),
        )?;
        out.write_all(b"\n")
    })?;
    file(&folder.join("history.jsonl"), |out| history::write(&result.history, out))?;
    let in_edn = folder.join("history.edn");
    match format {
        HistoryFile::Edn => file(&in_edn, |out| edn::write(&result.history, out))?,
        HistoryFile::Jsonl => remove(in_edn)?,
    }
    let trace = folder.join("trace.txt");
    match &result.trace {
        Some(text) => file(&trace, |out| out.write_all(text.as_bytes())),
        None => remove(trace),
    }
}

/// The files of a timeline: PNG, then SVG.
pub const TIMELINE: [&str; 2] = ["timeline.png", "timeline.svg"];
/// The files of a space-time diagram: PNG, then SVG.
pub const DIAGRAM: [&str; 2] = ["diagram.png", "diagram.svg"];

/// Writes the pictures of a run, and removes those of an earlier run that were not drawn again.
///
/// # Errors
///
/// When a file cannot be written. The files before it are.
pub fn write_pictures(folder: &Path, drawn: &Drawn) -> Result<(), FolderError> {
    for ([png, svg], picture) in [(TIMELINE, &drawn.timeline), (DIAGRAM, &drawn.diagram)] {
        let (png, svg) = (folder.join(png), folder.join(svg));
        match picture {
            Some(picture) => {
                file(&png, |out| out.write_all(&picture.png))?;
                file(&svg, |out| out.write_all(picture.svg.as_bytes()))?;
            }
            None => {
                remove(png)?;
                remove(svg)?;
            }
        }
    }
    Ok(())
}

/// Removes a file, if it is there.
fn remove(path: PathBuf) -> Result<(), FolderError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderError { path, source })
        }
        _ => Ok(()),
    }
}

/// Writes a file atomically.
fn file(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), FolderError> {
    let mut beside = path.as_os_str().to_owned();
    // The process id keeps two processes from writing the same temporary file.
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let write = || {
        let mut out = BufWriter::new(File::create(&beside)?);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // If the temporary file cannot be removed, the first error still says why.
        let _ = fs::remove_file(&beside);
        FolderError { path: path.into(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_holds_what_was_asked_for_and_nothing_stale() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("deep/er");
        let (config, mut result) = sample::run();
        let (report, _) = Report::of("quickstart", &config, &result);
        result.trace = Some("a line\n".to_owned());
        write(&folder, &report, &result, HistoryFile::Edn).unwrap();
        let all = ["history.edn", "history.jsonl", "nodes.json", "result.json", "trace.txt"];
        assert_eq!(names_in(&folder), all);
        assert_eq!(fs::read_to_string(folder.join("trace.txt")).unwrap(), "a line\n");
        result.trace = None;
        fs::write(folder.join("notes"), "mine").unwrap();
        write(&folder, &report, &result, HistoryFile::Jsonl).unwrap();
        assert_eq!(names_in(&folder), ["history.jsonl", "nodes.json", "notes", "result.json"]);
    }

    #[test]
    fn a_folder_that_cannot_be_names_the_file_in_the_way() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("result.json")).unwrap();
        let (config, result) = sample::run();
        let (report, _) = Report::of("quickstart", &config, &result);
        let error = write(home.path(), &report, &result, HistoryFile::Jsonl).unwrap_err();
        assert!(error.to_string().contains("result.json"), "{error}");
        assert_eq!(names_in(home.path()), ["result.json"], "what was half written is gone");
    }
}

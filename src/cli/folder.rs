//! The files of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::trouble::Trouble;

/// All wanted files in `dir` and beneath it, sorted. Links to folders are not followed: they may
/// form cycles.
pub(super) fn files_beneath(
    dir: &Path,
    is_wanted: impl Fn(&Path) -> Result<bool, Trouble>,
) -> Result<Vec<PathBuf>, Trouble> {
    let (mut files, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Trouble::cannot("read", &folder))? {
            let entry = entry.map_err(Trouble::cannot("read", &folder))?;
            let path = entry.path();
            if entry.file_type().map_err(Trouble::cannot("read", &path))?.is_dir() {
                folders.push(path);
            } else if is_wanted(&path)? {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_every_depth_and_what_fails_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["b/2", "a", "b/c/1", "c"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it is inside")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), dir.path().join("b/up")).expect("a link");
        let found = files_beneath(dir.path(), |path| Ok(!path.ends_with("c") && !path.is_dir()));
        let expected = ["a", "b/2", "b/c/1"].map(|name| dir.path().join(name));
        assert_eq!(found.ok().as_deref(), Some(&expected[..]));
        let refused = files_beneath(dir.path(), |_| Err(Trouble::Error("no".to_owned())));
        assert!(matches!(refused, Err(Trouble::Error(message)) if message == "no"));
        assert!(files_beneath(&dir.path().join("a"), |_| Ok(true)).is_err());
    }
}

//! The gallery is what its commands draw, byte for byte, on any machine and in any build.
//!
//! `UPDATE_GALLERY=1 cargo test --test it gallery` draws it anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use crate::support::cli::{splitbrain, text};
use crate::support::scenario::home;

const GALLERY: &str = "output/gallery";
const PAGE: &str = "README.md";

/// The command lines of the page.
fn commands(page: &str) -> Vec<Vec<&str>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("splitbrain "));
    lines.map(|line| line.split_whitespace().collect()).collect()
}

/// Every picture that the commands draw into `folder`.
fn draw(folder: &Path, page: &str) {
    for words in commands(page) {
        let out = folder.to_str().expect("UTF-8");
        let output = splitbrain(&[&words[..], &["--out", out]].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

#[test]
fn every_picture_is_what_its_command_draws() {
    let page = fs::read_to_string(home(GALLERY).join(PAGE)).expect("the page is there");
    let fresh = tempfile::tempdir().expect("a folder");
    draw(fresh.path(), &page);
    let is_picture = |name: &String| name.ends_with(".png") || name.ends_with(".svg");
    let drawn: BTreeSet<String> = names(fresh.path()).into_iter().filter(is_picture).collect();
    if env::var_os("UPDATE_GALLERY").is_some() {
        for name in &drawn {
            fs::copy(fresh.path().join(name), home(GALLERY).join(name)).expect("copied");
        }
        return;
    }
    let kept: BTreeSet<String> =
        names(&home(GALLERY)).into_iter().filter(|name| name != PAGE).collect();
    assert_eq!(drawn, kept, "the gallery has other pictures than its commands draw");
    for name in &drawn {
        let (is, should) = (fs::read(home(GALLERY).join(name)), fs::read(fresh.path().join(name)));
        let again = "to draw it anew: UPDATE_GALLERY=1 cargo test --test it gallery";
        assert!(is.expect("kept") == should.expect("drawn"), "{name} is out of date; {again}");
    }
    // The page shows every PNG, with an SVG beside it.
    for name in drawn.iter().filter(|name| name.ends_with(".png")) {
        assert!(page.contains(&format!("({name})")), "the page does not show {name}");
        assert!(drawn.contains(&name.replace(".png", ".svg")), "{name} has no SVG beside it");
    }
}

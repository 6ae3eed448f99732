//! The command line, called as a program and in this process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::rc::Rc;

use serde_json::Value;
use splitbrain::cli::{self, Console, Exit};
use splitbrain::scenario::Registry;

use super::scenario::home;

/// The program, in a folder.
pub(crate) fn command_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_splitbrain"));
    command.current_dir(folder).args(args);
    command
}

/// Runs the program in a folder.
#[track_caller]
pub(crate) fn splitbrain_in(folder: &Path, args: &[&str]) -> Output {
    command_in(folder, args).output().expect("the program starts")
}

/// Runs the program in the repository, where `scenarios/` is.
#[track_caller]
pub(crate) fn splitbrain(args: &[&str]) -> Output {
    splitbrain_in(&home(""), args)
}

/// What the program printed.
#[track_caller]
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}

/// What a call of the command line in this process came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// The document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

/// Calls the command line of `program` in this process, with the protocols of `registry`.
pub(crate) fn call(registry: &Registry, program: &str, args: &[&str]) -> Done {
    #[derive(Clone, Default)]
    struct Printed(Rc<RefCell<Vec<u8>>>);
    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (out, err) = (Printed::default(), Printed::default());
    let args = std::iter::once(&program).chain(args).map(OsString::from);
    let mut console = Console::plain(Box::new(out.clone()), Box::new(err.clone()));
    let exit = cli::run_with(args, registry, &mut console);
    let text = |printed: Printed| text(&printed.0.take());
    Done { exit, out: text(out), err: text(err) }
}

/// The files directly in a folder, by name; none where there is no folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry"));
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().and_then(|n| n.to_str()).expect("UTF-8").to_owned();
    files.map(|path| (name(&path), fs::read(&path).expect("readable"))).collect()
}

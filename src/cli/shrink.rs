//! `shrink`: of a failing scenario the smallest that fails in the same way.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use crate::cli::args::ShrinkArgs;
use crate::cli::naming::scenario_name;
use crate::cli::{Console, Exit};
use crate::fuzz::shrink::{Shrunk, shrink_scenario};
use crate::report::files;
use crate::report::layout::counted;
use crate::scenario::{Registry, Scenario};

pub(super) fn run(args: &ShrinkArgs, registry: &Registry, console: &mut Console) -> Exit {
    let scenario = match Scenario::load(&args.file, registry, &args.sets) {
        Ok(scenario) => scenario,
        Err(diagnostics) => {
            console.mistakes(&diagnostics);
            return Exit::Usage;
        }
    };
    let seed = args.seed.unwrap_or(scenario.config.seed);
    let shrunk = match shrink_scenario(&scenario, seed, registry, args.check) {
        Ok(shrunk) => shrunk,
        Err(why) => {
            console.error(&format!(
                "{why}\n  help: --seed N tries another; `splitbrain fuzz` looks for one"
            ));
            return Exit::Usage;
        }
    };
    let name = scenario_name(&args.file);
    let default = || Path::new("output/shrink").join(format!("{name}.toml"));
    let path = args.out.clone().unwrap_or_else(default);
    if let Err(error) = write(&path, &shrunk) {
        console.error(&format!("cannot write {}: {error}", path.display()));
        return Exit::Usage;
    }
    tell(args, &shrunk, &path, console);
    Exit::Pass
}

fn write(path: &Path, shrunk: &Shrunk) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    files::whole(path, |out| out.write_all(shrunk.text.as_bytes()))
}

fn tell(args: &ShrinkArgs, shrunk: &Shrunk, path: &Path, console: &mut Console) {
    let Shrunk { finding, .. } = shrunk;
    let text = format!(
        "{}: shrunk from {}, {} to {}, {} in {}\n  splitbrain run {}\n",
        finding.signature,
        counted(shrunk.faults_before as u64, "fault"),
        counted(shrunk.operations_before as u64, "operation"),
        counted(shrunk.faults as u64, "fault"),
        counted(shrunk.operations as u64, "operation"),
        counted(shrunk.runs, "run"),
        path.display(),
    );
    if !args.json {
        console.out(&text);
        return;
    }
    console.err(&text);
    console.json(&json!({
        "check": finding.signature.check,
        "mechanism": finding.signature.mechanism,
        "verdict": finding.verdict,
        "summary": finding.summary,
        "faults_before": shrunk.faults_before,
        "operations_before": shrunk.operations_before,
        "faults": shrunk.faults,
        "operations": shrunk.operations,
        "runs": shrunk.runs,
        "scenario": path,
        "digest": shrunk.digest.map(|digest| digest.to_string()),
    }));
}

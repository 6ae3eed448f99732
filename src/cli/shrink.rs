//! `shrink`: makes a failing scenario as small as possible, so that it still fails in the same way.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use crate::cli::args::ShrinkArgs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Console, Environment, Exit};
use crate::fuzz::shrink::{Shrunk, shrink_scenario};
use crate::report::files;
use crate::report::layout::counted;
use crate::scenario::Scenario;

pub(super) fn run(args: &ShrinkArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let scenario = Scenario::load(&args.file, env.registry, &args.sets)?;
    let seed = args.seed.unwrap_or(scenario.config.seed);
    let shrunk = shrink_scenario(&scenario, seed, env.registry, args.check).map_err(|why| {
        let help = "--seed N tries another; `splitbrain fuzz` looks for one";
        Trouble::Error(format!("{why}\n  help: {help}"))
    })?;
    let name = scenario_name(&args.file);
    let default = || Path::new("output/shrink").join(format!("{name}.toml"));
    let path = args.out.clone().unwrap_or_else(default);
    write(&path, &shrunk).map_err(Trouble::cannot("write", &path))?;
    show(args, &shrunk, &path, env.console);
    Ok(Exit::Pass)
}

fn write(path: &Path, shrunk: &Shrunk) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    files::whole(path, |out| out.write_all(shrunk.text.as_bytes()))
}

fn show(args: &ShrinkArgs, shrunk: &Shrunk, path: &Path, console: &mut Console) {
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

//! `explain`: the life of one write, or of those that a run lost.

use crate::cli::args::ExplainArgs;
use crate::cli::{Console, Exit, scenario_name};
use crate::explain::{NoSuchWrite, Question};
use crate::report::explain;
use crate::scenario::{Registry, Scenario};

pub(super) fn run(args: &ExplainArgs, registry: &Registry, console: &mut Console) -> Exit {
    let scenario = match Scenario::load(&args.file, registry, &args.sets) {
        Ok(scenario) => scenario,
        Err(diagnostics) => {
            console.mistakes(&diagnostics);
            return Exit::Usage;
        }
    };
    let seed = args.seed.unwrap_or(scenario.config.seed);
    let asked = args.write.clone().map_or(Question::Lost, Question::Write);
    let explanation = match scenario.protocol.explain(&scenario.config, seed, &asked) {
        Ok(explanation) => explanation,
        Err(none) => {
            console.error(&no_such_write(&none, seed));
            return Exit::Usage;
        }
    };
    let name = scenario_name(&args.file);
    if args.json {
        console.json(&explain::document(&name, &explanation));
    } else {
        console.out(&explain::text(&name, &asked, &explanation));
    }
    Exit::Pass
}

fn no_such_write(none: &NoSuchWrite, seed: u64) -> String {
    let NoSuchWrite { wanted, near, examples } = none;
    let help = match (near, &examples[..]) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "no client wrote anything".to_owned(),
        (None, some) => format!("there are, among others: {}", some.join(", ")),
    };
    format!("nobody wrote `{wanted}` in the run of seed {seed}\n  help: {help}")
}

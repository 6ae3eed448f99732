//! `explain`: what became of one write, or of every write that a run lost.

use crate::cli::args::ExplainArgs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::explain::{NoSuchWrite, Question};
use crate::report::explain;
use crate::scenario::Scenario;

pub(super) fn run(args: &ExplainArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let scenario = Scenario::load(&args.file, env.registry, &args.sets)?;
    let seed = args.seed.unwrap_or(scenario.config.seed);
    let question = args.write.clone().map_or(Question::Lost, Question::Write);
    let explanation = scenario.protocol.explain(&scenario.config, &scenario.names, seed, &question);
    let explanation = explanation.map_err(|none| Trouble::Error(no_such_write(&none, seed)))?;
    let name = scenario_name(&args.file);
    if args.json {
        env.console.json(&explain::document(&name, &explanation));
    } else {
        env.console.out(&explain::text(&name, &question, &explanation));
    }
    Ok(Exit::Pass)
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

//! `explain`: what became of one write, or of every write that a run lost.

use crate::cli::args::ExplainArgs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::explain::{NoSuchWrite, Question};
use crate::report::{diff, explain};
use crate::scenario::Scenario;

pub(super) fn run(args: &ExplainArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let scenario = Scenario::load(&args.file, env.registry, &args.sets)?;
    let seed = args.seed.unwrap_or(scenario.config.seed);
    if let Some(number) = args.event {
        return event(args, &scenario, seed, number, env);
    }
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

/// Shows one event of the run.
fn event(
    args: &ExplainArgs,
    scenario: &Scenario,
    seed: u64,
    number: u64,
    env: &mut Environment<'_>,
) -> Result<Exit, Trouble> {
    let run = scenario.protocol.account(&scenario.config, &scenario.names, seed);
    let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let Some(account) = run.event(place) else {
        let events = run.events();
        let why = format!("there is no event {number}: the run of seed {seed} had {events}");
        return Err(Trouble::Error(why));
    };
    let name = scenario_name(&args.file);
    if args.json {
        env.console.json(&diff::event_document(&name, seed, &run, &account));
    } else {
        env.console.out(&diff::event_text(&name, seed, &run, &account));
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

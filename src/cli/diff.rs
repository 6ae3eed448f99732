//! `diff`: the first event in which two runs differ, and what caused it.

use crate::cli::args::DiffArgs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::report::diff::{self, Compared, Contender};
use crate::run::diff::compare;
use crate::scenario::Scenario;

pub(super) fn run(args: &DiffArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    check_sides(args)?;
    let plain = Scenario::load(&args.file, env.registry, &[])?;
    let set = Scenario::load(&args.file, env.registry, &args.sets)?;
    let seed_of = |scenario: &Scenario, side: usize| {
        let given = args.seeds.get(side).or_else(|| args.seeds.last());
        given.copied().unwrap_or(scenario.config.seed)
    };
    let (first_seed, second_seed) = (seed_of(&plain, 0), seed_of(&set, 1));
    let first = plain.protocol.account(&plain.config, &plain.names, first_seed);
    let second = set.protocol.account(&set.config, &set.names, second_seed);
    let parting = compare(&first, &second);
    let compared = Compared {
        scenario: &scenario_name(&args.file),
        contenders: [
            Contender { seed: first_seed, sets: &[], account: &first },
            Contender { seed: second_seed, sets: &args.sets, account: &second },
        ],
        parting: parting.as_ref(),
    };
    if args.json {
        env.console.json(&diff::document(&compared));
    } else {
        env.console.out(&diff::text(&compared));
    }
    Ok(if parting.is_some() { Exit::Violation } else { Exit::Pass })
}

/// Fails unless the command line names two runs.
fn check_sides(args: &DiffArgs) -> Result<(), Trouble> {
    let why = match (&args.seeds[..], &args.sets[..]) {
        ([] | [_], []) => "nothing tells the two runs apart: give --seed twice, or --set",
        ([_, _, _, ..], _) => "two runs are compared: give --seed once or twice",
        ([_, _], _) | ([] | [_], [_, ..]) => return Ok(()),
    };
    Err(Trouble::Error(why.to_owned()))
}

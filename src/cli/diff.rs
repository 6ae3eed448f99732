//! `diff`: where two runs first part, and what caused it.

use crate::cli::args::DiffArgs;
use crate::cli::naming::scenario_name;
use crate::cli::{Console, Exit};
use crate::report::diff::{self, Compared, Contender};
use crate::run::diff::compare;
use crate::scenario::{Registry, Scenario};

pub(super) fn run(args: &DiffArgs, registry: &Registry, console: &mut Console) -> Exit {
    if let Err(mistake) = sides(args) {
        console.error(mistake);
        return Exit::Usage;
    }
    let load = |sets: &[String]| Scenario::load(&args.file, registry, sets);
    let scenarios = load(&[]).and_then(|plain| Ok((plain, load(&args.sets)?)));
    let (plain, set) = match scenarios {
        Ok(scenarios) => scenarios,
        Err(diagnostics) => {
            console.mistakes(&diagnostics);
            return Exit::Usage;
        }
    };
    let seed_of = |scenario: &Scenario, side: usize| {
        let given = args.seeds.get(side).or_else(|| args.seeds.last());
        given.copied().unwrap_or(scenario.config.seed)
    };
    let (first_seed, second_seed) = (seed_of(&plain, 0), seed_of(&set, 1));
    let first = plain.protocol.account(&plain.config, first_seed);
    let second = set.protocol.account(&set.config, second_seed);
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
        console.json(&diff::document(&compared));
    } else {
        console.out(&diff::text(&compared));
    }
    if parting.is_some() { Exit::Violation } else { Exit::Pass }
}

/// Whether the command line names two runs.
fn sides(args: &DiffArgs) -> Result<(), &'static str> {
    match (&args.seeds[..], &args.sets[..]) {
        ([] | [_], []) => Err("nothing tells the two runs apart: give --seed twice, or --set"),
        ([_, _, _, ..], _) => Err("two runs are compared: give --seed once or twice"),
        _ => Ok(()),
    }
}

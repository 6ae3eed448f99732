//! `promises`: what the settings of a file promise of each property, on what condition, and why.

use serde_json::{Value, json};

use crate::cli::args::PromisesArgs;
use crate::cli::names::scenario_name;
use crate::cli::trouble::Trouble;
use crate::cli::{Environment, Exit};
use crate::named::Named;
use crate::property::{
    Condition, Hazard, Promise, Promises, Property, PropertyKind, SettlesWithin, Whose,
};
use crate::report::layout::{wrap, wrap_hanging};
use crate::scenario::Scenario;

/// The column at which the text behind a word begins.
const TEXT: usize = 13;

pub(super) fn run(args: &PromisesArgs, env: &mut Environment<'_>) -> Result<Exit, Trouble> {
    let scenario = Scenario::load(&args.file, env.registry, &args.sets)?;
    env.console.warnings(&scenario);
    let promises = scenario.protocol.promises(&scenario.config);
    let settles = scenario.protocol.settles_within(&scenario.config);
    if args.json {
        env.console.json(&document(&scenario_name(&args.file), &scenario, &promises, settles));
    } else {
        env.console.out(&text(&scenario, &promises, settles));
    }
    Ok(Exit::Pass)
}

/// The properties that are judged: those of a replicated log where the protocol says something of
/// them.
fn said_of(promises: &Promises) -> impl Iterator<Item = Property> {
    Property::all().filter(|property| !property.is_of_a_log() || promises.says_of(*property))
}

/// The properties in order, grouped by promise.
fn groups(promises: &Promises) -> Vec<(Promise, Vec<Property>)> {
    let mut groups: Vec<(Promise, Vec<Property>)> = Vec::new();
    for property in said_of(promises) {
        let promise = promises.of(property);
        match groups.iter_mut().find(|(other, _)| *other == promise) {
            Some((_, properties)) => properties.push(property),
            None => groups.push((promise, vec![property])),
        }
    }
    groups
}

fn text(scenario: &Scenario, promises: &Promises, settles: SettlesWithin) -> String {
    let mut text = String::new();
    for (promise, properties) in groups(promises) {
        let word = word(promise);
        let names: Vec<&str> = properties.into_iter().map(Property::name).collect();
        let fill = " ".repeat(TEXT - 2 - word.len());
        text += &format!("  {word}{fill}{}\n", wrap_hanging(&names.join(", "), TEXT));
        if let Some(condition) = condition(promise) {
            text += &format!("{}\n", wrap(&format!("unless {condition}"), TEXT));
        }
        text += &format!("{}\n", wrap(&format!("because {}", promise.why()), TEXT));
    }
    let settle = scenario.config.settle;
    let eventual = match settles {
        SettlesWithin::Span(_) => {
            let needed = settles.whole_seconds().unwrap_or_default();
            format!("may need {needed} after everything has healed, and `settle` is {settle}")
        }
        SettlesWithin::Anew { why, .. } => {
            let needed = settles.whole_seconds().unwrap_or_default();
            format!(
                "may need {needed} after everything has healed, and again whenever {why}; \
                 `settle` is {settle}"
            )
        }
        SettlesWithin::Unsaid { why } => {
            format!("may need nobody can say how long, because {why}; `settle` is {settle}")
        }
    };
    let of = Property::all().filter(|property| property.kind() == PropertyKind::Eventually);
    let names: Vec<&str> = of.map(Property::name).collect();
    let what = format!("What is to hold in the end ({}) {eventual}.", names.join(", "));
    text + &format!("\n{}\n", wrap(&what, 0))
}

fn word(promise: Promise) -> &'static str {
    match promise {
        Promise::Always { .. } => "always",
        Promise::Unless { .. } => "promised",
        Promise::Never { .. } => "never",
    }
}

/// What voids the promise, in words.
fn condition(promise: Promise) -> Option<String> {
    match promise {
        Promise::Unless { hazards, .. } => Some(hazards.phrases().join(", or ")),
        Promise::Always { .. } | Promise::Never { .. } => None,
    }
}

fn document(name: &str, scenario: &Scenario, promises: &Promises, settles: SettlesWithin) -> Value {
    let (within, unsaid) = match settles {
        SettlesWithin::Span(within) | SettlesWithin::Anew { within, .. } => {
            (Some(within.nanos()), None)
        }
        SettlesWithin::Unsaid { why } => (None, Some(why)),
    };
    let promise = |property: Property| {
        let promise = promises.of(property);
        let (promised, hazards) = match promise {
            Promise::Always { .. } => ("always", None),
            Promise::Unless { hazards, .. } => ("unless", Some(hazards)),
            Promise::Never { .. } => ("never", None),
        };
        let conditions =
            hazards.map(|hazards| hazards.conditions().map(condition_document).collect::<Vec<_>>());
        json!({
            "property": property.name(),
            "holds": match property.kind() {
                PropertyKind::Always => "always",
                PropertyKind::Eventually => "eventually",
            },
            "promised": promised,
            "condition": condition(promise),
            "conditions": conditions,
            "why": promise.why(),
        })
    };
    json!({
        "scenario": name,
        "protocol": scenario.protocol.name(),
        "settle_ns": scenario.config.settle.nanos(),
        "settles_within_ns": within,
        "settles_within_unsaid": unsaid,
        "promises": said_of(promises).map(promise).collect::<Vec<_>>(),
    })
}

fn condition_document(condition: Condition) -> Value {
    let (whose, nodes) = match condition.whose {
        Whose::Anyone => ("anyone", None),
        Whose::Leader => ("leader", None),
        Whose::Client => ("client", None),
        Whose::MoreThan(nodes) => ("more-than", Some(nodes)),
        Whose::LeaderAnd(nodes) => ("leader-and", Some(nodes)),
    };
    json!({
        "hazards": condition.hazards().map(Hazard::name).collect::<Vec<_>>(),
        "whose": whose,
        "nodes": nodes,
    })
}

//! The points of a sweep: every combination of the axes' values, and the configurations of a
//! comparison.

use std::path::Path;

use crate::config::{Answer, Expect};
use crate::scenario::{Axis, Diagnostics, Overrides, Registry, Scenario};

/// The most points of one sweep.
pub const MAX_POINTS: usize = 10_000;

/// One configuration, to be played under many seeds.
#[derive(Debug)]
pub struct SweepPoint {
    /// What distinguishes it from the others: its value on each axis, or the settings of a
    /// configuration.
    pub values: Vec<String>,
    /// The scenario with them.
    pub scenario: Scenario,
}

impl SweepPoint {
    /// What distinguishes it from the others, in a line.
    #[must_use]
    pub fn label(&self) -> String {
        self.values.join(", ")
    }
}

/// The combinations of all axes; the last axis varies fastest. All are decoded before any is
/// played.
///
/// # Errors
///
/// The mistakes of the first point that has some.
pub fn grid(
    path: &Path,
    registry: &Registry,
    sets: &[String],
    axes: &[Axis],
) -> Result<Vec<SweepPoint>, Diagnostics> {
    let count = axes.iter().map(|axis| axis.values().len()).product();
    (0..count)
        .map(|number| {
            let chosen = choice(axes, number);
            let overrides = Overrides { sets, point: &chosen, ..Overrides::default() };
            let at = |(axis, index): &(&Axis, usize)| {
                format!("{}={}", axis.path(), axis.values().nth(*index).unwrap_or_default())
            };
            let place: Vec<String> = chosen.iter().map(at).collect();
            let loaded = Scenario::load_with(path, registry, &overrides).map_err(|mistakes| {
                mistakes.noting(&format!("at the point {}", place.join(", ")))
            })?;
            let scenario = expecting_nothing(loaded);
            let value = |(axis, index): &(&Axis, usize)| {
                axis.values().nth(*index).unwrap_or_default().to_owned()
            };
            Ok(SweepPoint { values: chosen.iter().map(value).collect(), scenario })
        })
        .collect()
}

/// The scenario without its expectations: those are for the settings in the file. Promises still
/// count, and so do the bounds in the file, except those of properties that have an expectation.
fn expecting_nothing(mut scenario: Scenario) -> Scenario {
    let excused = scenario.config.expect.checks.iter().map(|(property, _)| *property).collect();
    scenario.config.expect = Expect { excused, ..Expect::default() };
    for scripted in &mut scenario.config.script {
        scripted.expect = Answer::default();
    }
    scenario
}

/// The values of point `number`, by axis.
fn choice(axes: &[Axis], number: usize) -> Vec<(&Axis, usize)> {
    let mut rest = number;
    let mut chosen: Vec<(&Axis, usize)> = axes
        .iter()
        .rev()
        .map(|axis| {
            let count = axis.values().len();
            let index = rest % count;
            rest /= count;
            (axis, index)
        })
        .collect();
    chosen.reverse();
    chosen
}

/// The file as it is, and the file with each of these lists of settings.
///
/// # Errors
///
/// The mistakes of the first configuration that has some.
pub fn configurations(
    path: &Path,
    registry: &Registry,
    sets: &[String],
    with: &[String],
) -> Result<Vec<SweepPoint>, Diagnostics> {
    let as_it_is = expecting_nothing(Scenario::load(path, registry, sets)?);
    let mut points =
        vec![SweepPoint { values: vec!["the file as it is".to_owned()], scenario: as_it_is }];
    for settings in with {
        let list = crate::scenario::settings(settings);
        let overrides = Overrides { sets, with: &list, ..Overrides::default() };
        let scenario = expecting_nothing(Scenario::load_with(path, registry, &overrides)?);
        points.push(SweepPoint { values: vec![short(&list)], scenario });
    }
    // Configurations with the same short name get their full settings as a name.
    let names: Vec<String> = points.iter().map(SweepPoint::label).collect();
    for (place, settings) in with.iter().enumerate() {
        if names.iter().filter(|name| **name == names[place + 1]).count() > 1 {
            points[place + 1].values = vec![settings.trim().to_owned()];
        }
    }
    Ok(points)
}

/// The short name of the setting at a path: its last part, or the last two if that is a number.
pub(super) fn short_key(path: &str) -> &str {
    let place = path.rfind('.').map_or(0, |dot| dot + 1);
    if path[place..].parse::<u64>().is_err() {
        return &path[place..];
    }
    path[..place.saturating_sub(1)].rfind('.').map_or(path, |dot| &path[dot + 1..])
}

/// Settings by the last parts of their paths: `mode=sync, write-quorum=2`.
fn short(settings: &[String]) -> String {
    let last = |setting: &String| {
        let (path, value) = setting.split_once('=').unwrap_or((setting, ""));
        format!("{}={}", short_key(path.trim()), value.trim())
    };
    settings.iter().map(last).collect::<Vec<_>>().join(", ")
}

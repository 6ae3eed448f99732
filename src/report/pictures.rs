//! The pictures of one run, from a second look at it.

use crate::config::Config;
use crate::explain::chronicle::{self, Chronicle, Window};
use crate::explain::focus;
use crate::report::plot::Picture;
use crate::report::plot::diagram::Diagram;
use crate::report::plot::timeline::Timeline;
use crate::run::RunResult;

/// Which pictures to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The timeline.
    pub plot: bool,
    /// The space-time diagram.
    pub diagram: bool,
    /// What of it, in virtual time; `None`: where something went wrong.
    pub window: Option<Window>,
}

/// The pictures that were drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Outcomes, latencies, lags and leaders over time.
    pub timeline: Option<Picture>,
    /// Who sent what to whom.
    pub diagram: Option<Picture>,
}

/// Draws what is wanted of `result`, the run of the scenario `name`; `again` runs it once more, noting the messages of
/// a window.
#[must_use]
pub fn draw(
    (name, config): (&str, &Config),
    result: &RunResult,
    wanted: Wanted,
    again: &dyn Fn(Option<Window>) -> Chronicle,
) -> Drawn {
    if !wanted.plot && !wanted.diagram {
        return Drawn::default();
    }
    let whole = again(None);
    let faults = chronicle::faults(config, &result.history, &whole);
    let timeline =
        wanted.plot.then(|| Timeline::of((name, config), result, &whole, &faults).draw());
    let diagram = wanted.diagram.then(|| {
        let focus = match wanted.window {
            Some(window) => focus::chosen(window),
            None => focus::focus(config, result, &whole, &faults),
        };
        let chronicle = again(Some(focus.window));
        Diagram::of((name, config), result, (&chronicle, &faults), &focus).draw()
    });
    Drawn { timeline, diagram }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::plot::canvas::Canvas;
    use crate::run::RunOptions;
    use crate::scenario::{Registry, Scenario};

    fn sketches(path: &Path) -> [Canvas; 2] {
        let scenario = Scenario::load(path, &Registry::new(), &[]).unwrap();
        let seed = scenario.config.seed;
        let named = ("x", &scenario.config);
        let result = scenario.run(seed, RunOptions::default());
        let again = |window| scenario.protocol.chronicle(&scenario.config, seed, window);
        let whole = again(None);
        let faults = chronicle::faults(&scenario.config, &result.history, &whole);
        let focus = focus::focus(&scenario.config, &result, &whole, &faults);
        let chronicle = again(Some(focus.window));
        [
            Timeline::of(named, &result, &whole, &faults).sketch(),
            Diagram::of(named, &result, (&chronicle, &faults), &focus).sketch(),
        ]
    }

    #[test]
    fn in_the_pictures_of_every_scenario_nothing_leaves_or_lies_on_anything() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut drawn = 0;
        for folder in [home.clone(), home.join("anomalies"), home.join("systems")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    for canvas in sketches(&path) {
                        assert_eq!(canvas.faults(), Vec::<String>::new(), "{}", path.display());
                    }
                    drawn += 1;
                }
            }
        }
        assert!(drawn > 50, "{drawn}");
    }
}

//! The pictures of one run. The run is played again for them.

use crate::explain::chronicle::{self, Chronicle, Window};
use crate::explain::focus;
use crate::report::plot::diagram::Diagram;
use crate::report::plot::timeline::Timeline;
use crate::report::plot::{Picture, PlottedRun};

/// Which pictures to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The timeline.
    pub plot: bool,
    /// The space-time diagram.
    pub diagram: bool,
    /// The part of the run in the diagram, in virtual time; `None` for where something went wrong.
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

/// Draws the wanted pictures of a run. `again` plays it once more and notes the messages of a
/// window.
#[must_use]
pub fn draw(
    run: &PlottedRun<'_>,
    wanted: Wanted,
    again: &dyn Fn(Option<Window>) -> Chronicle,
) -> Drawn {
    if !wanted.plot && !wanted.diagram {
        return Drawn::default();
    }
    let PlottedRun { config, result, .. } = *run;
    let whole = again(None);
    let faults = chronicle::faults(config, &result.history, &whole);
    let timeline = wanted.plot.then(|| Timeline::of(run, &whole, &faults).draw());
    let diagram = wanted.diagram.then(|| {
        let focus = match wanted.window {
            Some(window) => focus::chosen(window),
            None => focus::focus(result, &whole, &faults),
        };
        let chronicle = again(Some(focus.window));
        Diagram::of(run, &chronicle, &faults, &focus).draw()
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
        let result = scenario.run(seed, RunOptions::default());
        let run = PlottedRun { scenario: "x", config: &scenario.config, result: &result };
        let again =
            |window| scenario.protocol.chronicle(&scenario.config, &scenario.names, seed, window);
        let whole = again(None);
        let faults = chronicle::faults(&scenario.config, &result.history, &whole);
        let focus = focus::focus(&result, &whole, &faults);
        let chronicle = again(Some(focus.window));
        [
            Timeline::of(&run, &whole, &faults).sketch(),
            Diagram::of(&run, &chronicle, &faults, &focus).sketch(),
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

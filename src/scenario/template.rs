//! A scenario file that is read once and decoded many times, each time with other settings.

use super::diagnostics::{Sink, Sources};
use super::tree::{Node, Tree};
use super::{Diagnostics, Registry, Scenario, sections, set, tree};

/// A scenario file without mistakes, for which settings are drawn.
#[derive(Debug)]
pub struct Template {
    origin: String,
    registry: Registry,
    root: Node,
}

impl Template {
    /// Reads a file with `PATH=VALUE` arguments applied: the scenario, and its template.
    ///
    /// # Errors
    ///
    /// Every mistake found in the text and in the arguments.
    pub fn parse(
        origin: &str,
        text: &[u8],
        registry: &Registry,
        sets: &[String],
    ) -> Result<(Scenario, Self), Diagnostics> {
        let scenario = Scenario::parse(origin, text, registry, sets)?;
        let (mut sources, sink) = (Sources::default(), Sink::default());
        let Some(mut root) = tree::parse(origin, text, &mut sources, &sink) else {
            return Err(Diagnostics::new(sources, sink));
        };
        set::apply_arguments(&mut root, "--set", sets, &mut sources, &sink);
        // `[fuzz]` was checked above.
        if let Tree::Table(entries) = &mut root.value {
            entries.retain(|entry| entry.key != "fuzz");
        }
        Ok((scenario, Self { origin: origin.to_owned(), registry: registry.clone(), root }))
    }

    /// The scenario with these `PATH=VALUE` settings and without its `[fuzz]`; `None` if the
    /// settings contradict one another.
    #[must_use]
    pub fn with(&self, sets: &[String]) -> Option<Scenario> {
        let (mut sources, sink) = (Sources::default(), Sink::default());
        let mut root = self.root.clone();
        set::apply_arguments(&mut root, "--set", sets, &mut sources, &sink);
        let decoded = sink.is_clean().then(|| sections::decode_tree(&root, &self.registry))?;
        Some(Scenario::of_decoded(&self.origin, decoded?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[cluster]\nnodes = 3\n[protocol.leader-follower]\nmode = 'semi-sync'\n\
                        write-quorum = 2\n\
                        [fuzz.settings]\n'network.loss' = ['0%', '5%']\n";

    #[test]
    fn settings_drawn_come_out_as_they_would_from_the_command_line() {
        let registry = Registry::new();
        let base = ["settle=7s".to_owned()];
        let (plain, template) =
            Template::parse("x.toml", FILE.as_bytes(), &registry, &base).expect("it is right");
        assert!(plain.fuzz.is_some());
        for drawn in
            ["network.loss=5%", "cluster.nodes=5", "network.delay={ uniform = ['0s', '1s'] }"]
        {
            let all = [base[0].clone(), drawn.to_owned()];
            let parsed = Scenario::parse("x.toml", FILE.as_bytes(), &registry, &all);
            let (parsed, with) = (parsed.expect("fits"), template.with(&all[1..]).expect("fits"));
            assert_eq!(with.config, parsed.config, "{drawn}");
            assert_eq!((with.name.as_str(), with.fuzz), ("x", None), "{drawn}");
        }
        assert!(
            template.with(&["cluster.nodes=2".to_owned()]).is_none(),
            "two followers are asked for"
        );
    }
}

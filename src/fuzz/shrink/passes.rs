//! The passes of shrinking: each removes or simplifies something, until nothing can be.
//!
//! A pass proposes documents; one that still fails in the same way replaces the current one. Passes
//! that remove most come first. All are repeated as long as anything changes: without a fault, an
//! operation may be removed that could not be before.

use super::oracle::{Oracle, played};
use crate::fuzz::written_out::written_out;
use crate::scenario::{Document, duration};
use crate::time::Span;

/// The most rounds of all passes. A handful is usual.
const ROUNDS: usize = 40;

/// How many items of a list are simplified one by one; more are simplified all at once or not at
/// all.
const MANY: usize = 100;

/// The longest list of which pairs are tried: their number grows with the square.
const PAIRS: usize = 24;

/// The document, without everything that can be removed.
pub(super) fn reduce(document: Document, oracle: &mut Oracle<'_>) -> Document {
    let mut now = Reduction { document, oracle };
    for _ in 0..ROUNDS {
        let before = now.document.clone();
        now.write_out();
        now.thin("operation");
        now.thin("fault");
        for list in ["clock", "change", "network.link", "network.client"] {
            now.thin(list);
        }
        now.without_settings();
        now.plainer_items();
        now.fewer_nodes();
        now.smaller_numbers();
        now.fewer_operations();
        now.one_client();
        now.one_key();
        now.simpler_faults();
        now.earlier();
        now.shorter();
        now.rounder_times();
        if now.document == before {
            break;
        }
    }
    now.without_ids();
    now.document
}

struct Reduction<'a, 'b> {
    document: Document,
    oracle: &'a mut Oracle<'b>,
}

impl Reduction<'_, '_> {
    /// Takes the candidate if it fails in the same way.
    fn keep(&mut self, candidate: Document) -> bool {
        let is_news = candidate != self.document;
        if is_news && self.oracle.fails(&candidate) {
            self.document = candidate;
            return true;
        }
        false
    }

    /// Writes out the operations of the workload as a script, so that single ones can be removed.
    fn write_out(&mut self) {
        let scenario = self.document.try_scenario("shrinking.toml", self.oracle.registry);
        let Some(scenario) = scenario.filter(|scenario| scenario.config.workload.is_some()) else {
            return;
        };
        let Some(result) = super::oracle::caught(|| played(&scenario)) else { return };
        let (config, names) = written_out(&scenario.config, scenario.config.seed, &result.history);
        self.keep(Document::of_settings(&config, &names, scenario.protocol.as_ref()));
    }

    /// Removes items of a list: halves, quarters, and so on to single ones (the delta debugging of
    /// Zeller and Hildebrandt, IEEE TSE 28 (2002)); then pairs, such as a fault and what undoes it.
    fn thin(&mut self, list: &str) {
        let mut size = self.document.count(list);
        while size > 0 {
            // From the end: the rest depends least often on what comes last.
            let mut end = self.document.count(list);
            while end > 0 {
                let places: Vec<usize> = (end.saturating_sub(size)..end).collect();
                self.keep(self.document.without(list, &places));
                end = end.saturating_sub(size);
            }
            size /= 2;
        }
        let mut first = 0;
        while first < self.document.count(list) && self.document.count(list) <= PAIRS {
            let mut second = first + 1;
            while second < self.document.count(list) {
                if !self.keep(self.document.without(list, &[first, second])) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    /// Sets settings back to their defaults.
    fn without_settings(&mut self) {
        for path in self.document.leaves() {
            let settled = ["title", "seed", "duration", "workload.operations"];
            let is_settled = settled.contains(&path.as_str());
            if !is_settled && !path.starts_with("expect.") {
                self.keep_promises(self.document.without_key(&path));
            }
        }
    }

    /// Takes the candidate only if its configuration also makes the same promises: without the log
    /// or the election it would be a find in another store.
    fn keep_promises(&mut self, candidate: Document) -> bool {
        let promises = |document: &Document| {
            let scenario = document.try_scenario("shrinking.toml", self.oracle.registry)?;
            Some(scenario.protocol.promises(&scenario.config))
        };
        promises(&candidate) == promises(&self.document) && self.keep(candidate)
    }

    /// Removes optional keys of operations, links and clocks: from all items at once, else one by
    /// one.
    fn plainer_items(&mut self) {
        let needed = ["id", "at", "client", "from", "to", "node"];
        for list in ["operation", "network.link", "clock"] {
            let mut paths: Vec<String> = Vec::new();
            for place in 0..self.document.count(list) {
                let leaves = self.document.item(list, place).into_iter().map(|(path, _)| path);
                paths.extend(leaves.filter(|path| !needed.contains(&path.as_str())));
            }
            paths.sort_unstable();
            paths.dedup();
            for path in paths {
                self.without_in_all(list, &path);
            }
        }
    }

    fn without_in_all(&mut self, list: &str, path: &str) {
        let places = 0..self.document.count(list);
        let without = |document: Document, place| document.without_in(list, place, path);
        if self.keep(places.clone().fold(self.document.clone(), without)) {
            return;
        }
        for place in places.take(MANY) {
            self.keep(without(self.document.clone(), place));
        }
    }

    /// Fewer nodes; the protocol's numbers are lowered to the number of followers if necessary.
    fn fewer_nodes(&mut self) {
        let Some(nodes) = self.number("cluster.nodes") else { return };
        for fewer in 1..nodes {
            let few = self.document.set("cluster.nodes", &fewer.to_string());
            if self.keep(few.clone()) {
                return;
            }
            let of_protocol = |path: &&String| path.starts_with("protocol.");
            let clipped = few.leaves().iter().filter(of_protocol).fold(few.clone(), |few, path| {
                let most = (fewer - 1).max(1);
                match few.get(path).and_then(|text| text.parse::<i64>().ok()) {
                    Some(number) if number > most => few.set(path, &most.to_string()),
                    _ => few,
                }
            });
            if self.keep(clipped) {
                return;
            }
        }
    }

    /// Whole numbers of the settings, down to 1.
    fn smaller_numbers(&mut self) {
        for path in self.document.leaves() {
            let is_settled =
                path == "seed" || path == "cluster.nodes" || path.starts_with("expect.");
            let Some(number) = self.number(&path).filter(|_| !is_settled) else { continue };
            let powers = std::iter::successors(Some(1_i64), |power| power.checked_mul(2));
            for less in powers.take_while(|less| *less < number) {
                if self.keep_promises(self.document.set(&path, &less.to_string())) {
                    break;
                }
            }
        }
    }

    /// Fewer operations of a workload. It is only there if it could not be written out, because the
    /// run panicked and left no history.
    fn fewer_operations(&mut self) {
        let path = "workload.operations";
        while let Some(operations) = self.number(path).filter(|operations| *operations > 1) {
            if !self.keep(self.document.set(path, &(operations - 1).to_string())) {
                return;
            }
        }
    }

    fn number(&self, path: &str) -> Option<i64> {
        self.document.get(path)?.parse().ok()
    }

    /// One client for all operations, or for as many as possible.
    fn one_client(&mut self) {
        self.all_as_the_first("client");
    }

    /// One key for all operations, or for as many as possible.
    fn one_key(&mut self) {
        for kind in ["put", "append", "get", "delete"] {
            self.all_as_the_first(&format!("{kind}.key"));
        }
        // Then one key for operations of all kinds.
        let keyed = |document: &Document, place: usize| {
            let kinds = ["put", "append", "get", "delete"];
            let path = |kind: &&str| format!("{kind}.key");
            kinds.iter().map(path).find(|path| document.get_in("operation", place, path).is_some())
        };
        let places: Vec<(usize, String)> = (0..self.document.count("operation"))
            .filter_map(|place| Some((place, keyed(&self.document, place)?)))
            .collect();
        let Some((first, path)) = places.first() else { return };
        let Some(key) = self.document.get_in("operation", *first, path) else { return };
        let renamed = places.iter().fold(self.document.clone(), |document, (place, path)| {
            document.set_in("operation", *place, path, &key)
        });
        self.keep(renamed);
    }

    /// Gives all operations that have a value at `path` the value of the first: all at once, else
    /// one by one.
    fn all_as_the_first(&mut self, path: &str) {
        let places: Vec<usize> = (0..self.document.count("operation"))
            .filter(|place| self.document.get_in("operation", *place, path).is_some())
            .collect();
        let Some((first, others)) = places.split_first() else { return };
        let Some(value) = self.document.get_in("operation", *first, path) else { return };
        let changed =
            |document: Document, place: &usize| document.set_in("operation", *place, path, &value);
        if self.keep(others.iter().fold(self.document.clone(), changed)) {
            return;
        }
        for place in others.iter().take(MANY) {
            self.keep(changed(self.document.clone(), place));
        }
    }

    /// Simpler faults: a crash for a power loss, one node for many, no duration, a time for a
    /// trigger.
    fn simpler_faults(&mut self) {
        for place in 0..self.document.count("fault") {
            if let Some(target) = self.document.get_in("fault", place, "power-loss") {
                let crash = self.document.without_in("fault", place, "power-loss");
                self.keep(crash.set_in("fault", place, "crash", &target));
            }
            self.fewer_targets(place);
            self.keep(self.document.without_in("fault", place, "for"));
            self.earlier_trigger(place);
            self.time_for_trigger(place);
        }
    }

    /// One node, by name, in place of all, a majority or some follower.
    fn fewer_targets(&mut self, place: usize) {
        let many = |text: &str| ["\"all\"", "\"majority\"", "\"follower\""].contains(&text);
        let nodes = self.number("cluster.nodes").unwrap_or(0);
        for (path, value) in self.document.item("fault", place) {
            if !many(&value) {
                continue;
            }
            for node in 1..=nodes {
                let one = self.document.set_in("fault", place, &path, &format!("\"n{node}\""));
                if self.keep(one) {
                    break;
                }
            }
        }
    }

    /// A trigger that fires at an earlier occurrence.
    fn earlier_trigger(&mut self, place: usize) {
        for (path, value) in self.document.item("fault", place) {
            let count = value.parse::<u64>().ok().filter(|_| path.starts_with("when."));
            let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(2));
            for less in powers.take_while(|less| count.is_some_and(|count| *less < count)) {
                if self.keep(self.document.set_in("fault", place, &path, &less.to_string())) {
                    break;
                }
            }
        }
    }

    /// The time at which a fault started, in place of its trigger.
    fn time_for_trigger(&mut self, place: usize) {
        if !self.document.item("fault", place).iter().any(|(path, _)| path.starts_with("when.")) {
            return;
        }
        let scenario = self.document.try_scenario("shrinking.toml", self.oracle.registry);
        let Some(scenario) = scenario else { return };
        let Some(result) = super::oracle::caught(|| played(&scenario)) else { return };
        let struck = result.impacts.iter().find(|impact| impact.fault.0 as usize == place);
        let Some(at) = struck.map(|impact| impact.at.since(crate::time::Time::ZERO)) else {
            return;
        };
        let timed = self.document.without_in("fault", place, "when");
        self.keep(timed.set_in("fault", place, "at", &quoted(at)));
    }

    /// Moves everything earlier, by the time before the first event.
    fn earlier(&mut self) {
        let times = self.times();
        let Some(first) = times.iter().map(|(.., at)| *at).min() else { return };
        for by in [first.nanos(), first.nanos() / 2, first.nanos() / 10 * 9] {
            let moved = times.iter().fold(self.document.clone(), |document, (list, place, at)| {
                document.set_in(list, *place, "at", &quoted(Span::from_nanos(at.nanos() - by)))
            });
            if self.keep(moved) {
                return;
            }
        }
    }

    /// A shorter fault phase.
    fn shorter(&mut self) {
        let Some(now) = self.document.get("duration").and_then(|text| span(&text)) else { return };
        for ms in [100, 200, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000] {
            let shorter = Span::from_millis(ms);
            // A fault at the very end would last no time.
            let starts_late = |list: &str, at: Span| list == "fault" && at >= shorter;
            if self.times().iter().any(|(list, _, at)| starts_late(list, *at)) {
                continue;
            }
            if shorter < now && self.keep(self.document.set("duration", &quoted(shorter))) {
                return;
            }
        }
    }

    /// Rounder times: whole seconds, tenths, hundredths and so on.
    fn rounder_times(&mut self) {
        let end = self.document.get("duration").and_then(|text| span(&text));
        for list in ["operation", "fault", "change"] {
            let places = 0..self.document.count(list);
            for place in places.take(MANY) {
                for (path, value) in self.document.item(list, place) {
                    let Some(time) = span(&value) else { continue };
                    let is_start = list == "fault" && path == "at";
                    let is_late = |at: &Span| is_start && end.is_some_and(|end| *at >= end);
                    for rounder in rounder(time).filter(|rounder| !is_late(rounder)) {
                        let text = quoted(rounder);
                        if self.keep(self.document.set_in(list, place, &path, &text)) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Removes ids. The draws that they keyed change.
    fn without_ids(&mut self) {
        for list in ["operation", "fault"] {
            self.without_in_all(list, "id");
        }
    }

    /// All start times: the list, the place in it, and when.
    fn times(&self) -> Vec<(&'static str, usize, Span)> {
        let mut times = Vec::new();
        for list in ["operation", "fault", "change"] {
            for place in 0..self.document.count(list) {
                let at = self.document.get_in(list, place, "at");
                if let Some(at) = at.and_then(|text| span(&text)) {
                    times.push((list, place, at));
                }
            }
        }
        times
    }
}

/// Rounder times near `time`, the roundest first.
fn rounder(time: Span) -> impl Iterator<Item = Span> {
    let units = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000_u64];
    let units = units.into_iter().filter(move |unit| !time.nanos().is_multiple_of(*unit));
    units.flat_map(move |unit| {
        let down = time.nanos() / unit * unit;
        [Span::from_nanos(down), Span::from_nanos(down + unit)]
    })
}

/// A duration as a TOML value.
fn quoted(span: Span) -> String {
    format!("\"{span}\"")
}

/// The duration that a TOML value says.
fn span(text: &str) -> Option<Span> {
    duration(text.trim_matches('"')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_either_side_the_roundest_first() {
        let texts = |ns| rounder(Span::from_nanos(ns)).map(|t| t.to_string()).collect::<Vec<_>>();
        let all = ["1s", "2s", "1.3s", "1.4s", "1.34s", "1.35s"];
        assert_eq!(texts(1_345_000_000)[..6], all.map(str::to_owned));
        assert_eq!(texts(1_345_000_000).len(), 6, "whole milliseconds already");
        assert_eq!(texts(2_000_000_000), Vec::<String>::new());
    }
}

//! Settings back to TOML, every one explicit except clocks without error.
//! [`super::Scenario::parse`] reads equal settings from it.

use toml::{Table, Value};

use super::fuzz::{self, Fuzz};
use super::keys::Texts;
use super::sections::Top;
use super::{
    ConfiguredProtocol, Scenario, changes, cluster, expect, faults, network, script, sections,
    workload,
};
use crate::config::Config;
use crate::names::Names;

/// The scenario as one table of TOML, in the order of a file.
pub(super) fn encode(scenario: &Scenario) -> Table {
    let Scenario { config, names, protocol, fuzz, .. } = scenario;
    encode_settings(config, names, protocol.as_ref(), fuzz.as_ref())
}

/// The same for settings that were not read from a file.
pub(super) fn encode_settings(
    config: &Config,
    names: &Names,
    protocol: &dyn ConfiguredProtocol,
    drawn: Option<&Fuzz>,
) -> Table {
    let texts = &Texts { names, kinds: protocol.message_kinds() };
    let mut file = sections::TOP.encode(&Top::of(config), texts);
    let mut set = |key: &str, table: Table| file.insert(key.to_owned(), Value::Table(table));
    set("cluster", cluster::SECTION.encode(&config.cluster, texts));
    set("protocol", Table::from_iter([(protocol.name().to_owned(), protocol.encode().into())]));
    set("network", network::SECTION.encode(&config.network, texts));
    let clocks = network::encode_clocks(config, texts);
    set_list(&mut file, "clock", clocks);
    let mut set = |key: &str, table: Table| file.insert(key.to_owned(), Value::Table(table));
    set("disk", network::disk().encode(&config.disk, texts));
    if let Some(load) = &config.workload {
        set("workload", workload::SECTION.encode(load, texts));
    }
    let operations = config.script.iter().map(|one| script::SECTION.encode(one, texts).into());
    set_list(&mut file, "operation", operations.collect());
    let faults = config.faults.iter().map(|fault| faults::SECTION.encode(fault, texts).into());
    set_list(&mut file, "fault", faults.collect());
    set_list(&mut file, "change", config.changes.iter().map(changes::encode).collect());
    let drawn = drawn.map(|drawn| fuzz::SECTION.encode(drawn, texts));
    let bounds = sections::bounds().encode(&config.bounds, texts);
    let expect = expect::encode(&config.expect, texts);
    let ends = [("fuzz", drawn.unwrap_or_default()), ("check", bounds), ("expect", expect)];
    for (key, table) in ends {
        if !table.is_empty() {
            file.insert(key.to_owned(), table.into());
        }
    }
    file
}

/// A list at `key`, if it has items.
fn set_list(file: &mut Table, key: &str, items: Vec<Value>) {
    if !items.is_empty() {
        file.insert(key.to_owned(), items.into());
    }
}

//! The JSON schema (draft 2020-12) of scenario files, for editors.

use serde_json::{Value, json};

use super::keys::{Declaration, ValueShape, declared, duration, whole_number};
use super::registry::{Registered, Registry};
use super::words::TARGETS;
use super::{changes, cluster, expect, faults, fuzz, network, script, sections, workload};

/// The JSON schema of scenario files with the protocols of `registry`.
#[must_use]
pub fn schema(registry: &Registry) -> Value {
    let mut schema = whole(registry).schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("splitbrain scenario");
    schema["$defs"] = definitions();
    schema
}

/// The shape of a scenario file.
pub(super) fn whole(registry: &Registry) -> ValueShape {
    let of_protocol =
        |protocol: &Registered| Declaration::new(protocol.name, "", (protocol.shape)());
    let protocols = registry.protocols.iter().map(of_protocol).collect();
    let protocol =
        ValueShape::table("The protocol that the nodes run: exactly one table.", protocols)
            .and("minProperties", json!(1))
            .and("maxProperties", json!(1));
    let list =
        |help: &str, name, item: ValueShape| Declaration::new(name, help, item.list(json!({})));
    let table = |name, shape| Declaration::new(name, "", shape);
    let clocks = "Clocks that err from the start; a later entry wins over an earlier one.";
    let mut keys = sections::TOP.declared();
    keys.extend([
        table("cluster", cluster::shape(registry)).required(),
        table("protocol", protocol).required(),
        table("network", network::SECTION.shape()),
        list(clocks, "clock", network::CLOCK.shape()),
        table("disk", network::disk().shape()),
        table("workload", workload::SECTION.shape()),
        list("Operations at exact times.", "operation", script::SECTION.shape()),
        list("What goes wrong.", "fault", faults::SECTION.shape()),
        list(
            "Settings that change on the way.",
            "change",
            ValueShape::table("Settings from a time on.", changes::declared()),
        ),
        table("fuzz", fuzz::SECTION.shape()),
        table("check", sections::bounds().shape()),
        table(
            "expect",
            ValueShape::table("What the scenario expects of the run.", expect::declared()),
        ),
    ]);
    ValueShape::table("A scenario of splitbrain.", keys)
}

/// The definitions that several keys refer to.
fn definitions() -> Value {
    const UNITS: &str = "(ns|us|µs|ms|s|m|h)";
    let of = |parts: &[(&str, Value)]| {
        Value::Object(parts.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    };
    let text = |description: &str, pattern: &str, examples: &[&str]| {
        of(&[
            ("type", json!("string")),
            ("description", json!(description)),
            ("pattern", json!(pattern)),
            ("examples", json!(examples)),
        ])
    };
    let node = json!({ "$ref": "#/$defs/node" });
    let words = TARGETS.map(|(word, _)| word);
    json!({
        "duration": text(
            "A length of time: a number and a unit; at most ten years, 87600h.",
            &format!("^(\\+?[0-9]+(\\.[0-9]+)?|-0+(\\.0+)?)\\s*{UNITS}$"),
            &["150ms", "1.5s"],
        ),
        "signed-duration": text(
            "A length of time that may be negative; at most ten years, 87600h, either way.",
            &format!("^[-+]?[0-9]+(\\.[0-9]+)?\\s*{UNITS}$"),
            &["-5s"],
        ),
        "percentage": {
            "description": "A probability: a percentage, or a number from 0 to 1.",
            "anyOf": [
                { "type": "string", "pattern": "^[-+]?[0-9]+(\\.[0-9]+)?\\s*%$" },
                { "type": "number", "minimum": 0, "maximum": 1 },
            ],
            "examples": ["0.5%"],
        },
        "drift": text(
            "A rate: parts per million, or a percentage.",
            "^[-+]?[0-9]+(\\.[0-9]+)?\\s*(ppm|%)$",
            &["200ppm"],
        ),
        "node": text("A node.", "^n[1-9][0-9]*$", &["n1"]),
        "target": {
            "description": "Some nodes: a word that is resolved when the fault starts, a node, \
                            or a list of nodes.",
            "anyOf": [
                { "enum": words },
                node,
                { "type": "array", "minItems": 1, "uniqueItems": true, "items": node },
            ],
        },
        "distribution": {
            "description": "How long something takes: a constant length of time, or a \
                            distribution.",
            "anyOf": [duration().shape().schema(), distribution().schema()],
        },
    })
}

/// A distribution as a table.
fn distribution() -> ValueShape {
    let mut variants = parts_of_mixtures();
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    let mut part = variants.clone();
    let weight = whole_number(0..=1_000_000_000);
    part.push(
        Declaration::new("weight", "How often, among the parts.", weight).default(0).required(),
    );
    let part = ValueShape::table("A part.", part).exactly_one(&names);
    let mixture = part.list(json!({}));
    variants.push(Declaration::new("mixture", "One of several, by weight.", mixture));
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    ValueShape::table("A distribution: exactly one of its keys.", variants).exactly_one(&names)
}

/// The distributions that a part of a mixture may have.
fn parts_of_mixtures() -> Vec<Declaration> {
    let lengths = || duration().shape().clone();
    let number = || {
        let schema = json!({ "type": "number", "exclusiveMinimum": 0 });
        ValueShape::new(schema, "a number above 0", "0.5")
    };
    let two = lengths().list(json!({ "minItems": 2, "maxItems": 2 }));
    let quantiles = json!({
        "type": "object",
        "required": [],
        "minProperties": 2,
        "propertyNames": { "pattern": "^[0-9]+(\\.[0-9]+)?\\s*%$" },
        "additionalProperties": lengths().schema(),
    });
    let example = "{ \"0%\" = \"1ms\", \"100%\" = \"9ms\" }";
    let quantiles = ValueShape::new(quantiles, "percentages with lengths of time", example);
    let lognormal = declared! {
        /// The median.
        "median": lengths(), required();
        /// The standard deviation of the logarithm.
        "sigma": number(), required();
    };
    let pareto = declared! {
        /// The least value.
        "scale": lengths(), required();
        /// The tail index; the mean is finite above 1.
        "shape": number(), required();
    };
    declared! {
        /// Always the same.
        "constant": lengths();
        /// Uniform between two ends.
        "uniform": two;
        /// Exponential with this mean.
        "exponential": lengths();
        "lognormal": ValueShape::table("The logarithm is normal.", lognormal);
        "pareto": ValueShape::table("`scale` times u^(-1/shape).", pareto);
        /// Measured quantiles, from "0%" to "100%"; straight lines between.
        "quantiles": quantiles;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::sections::keys_read;

    /// The paths of all properties, in the decoder's notation.
    fn properties(root: &Value, schema: &Value, path: &str, into: &mut BTreeSet<String>) {
        if let Some(definition) = schema["$ref"].as_str() {
            let at = definition.trim_start_matches('#');
            properties(root, root.pointer(at).expect("a definition"), path, into);
        }
        let join =
            |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            into.insert(join(key));
            properties(root, inner, &join(key), into);
        }
        let free = schema["type"] == "object" && schema["properties"].is_null();
        if free {
            into.insert(join("*"));
            properties(root, &schema["additionalProperties"], &join("*"), into);
        }
        properties_of_items(root, schema, path, into);
        for inner in schema["anyOf"].as_array().into_iter().flatten() {
            properties(root, inner, path, into);
        }
    }

    fn properties_of_items(root: &Value, schema: &Value, path: &str, into: &mut BTreeSet<String>) {
        if schema["items"].is_object() {
            properties(root, &schema["items"], &format!("{path}[]"), into);
        }
    }

    #[test]
    fn the_decoder_asks_for_exactly_what_the_schema_describes() {
        let registry = Registry::new();
        let mut described = BTreeSet::new();
        let schema = schema(&registry);
        properties(&schema, &schema, "", &mut described);
        let texts = [
            include_str!("../../tests/it/support/maximal/workload.toml"),
            include_str!("../../tests/it/support/maximal/script.toml"),
            include_str!("../../tests/it/support/maximal/faults.toml"),
        ];
        let read: BTreeSet<String> =
            texts.into_iter().flat_map(|text| keys_read(text, &registry)).collect();
        let unknown: Vec<&String> = read.difference(&described).collect();
        assert!(unknown.is_empty(), "asked for but not described: {unknown:#?}");
        // The examples do not have every kind of distribution at every key that takes one.
        let is_inside_distribution = |path: &str| {
            path.split(['.', '[']).any(|part| crate::scenario::words::VARIANTS.contains(&part))
        };
        let missing: Vec<&String> =
            described.difference(&read).filter(|path| !is_inside_distribution(path)).collect();
        assert!(missing.is_empty(), "described but never asked for: {missing:#?}");
    }
}

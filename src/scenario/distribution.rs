//! Distributions in scenario files: `"10ms"`, `{ uniform = ["0ms", "1s"] }` and the like.

use super::decode::{Element, TableDecoder};
use super::units;
use super::words::VARIANTS;
use crate::sampler::Distribution;
use crate::time::Span;

/// The distributions that a part of a mixture may have.
const PARTS: [&str; 6] = ["constant", "uniform", "exponential", "lognormal", "pareto", "quantiles"];

impl<'a> Element<'a> {
    /// Reads it as a distribution of a length of time.
    pub fn distribution(&self) -> Option<Distribution> {
        if self.is_string() {
            return self.duration().map(Distribution::Constant);
        }
        self.table(|table| {
            table.exactly_one(&VARIANTS, "the distribution", |variant, value| {
                if VARIANTS[variant] == "mixture" {
                    mixture(value)
                } else {
                    simple(VARIANTS[variant], value)
                }
            })
        })
    }
}

fn simple(variant: &str, value: &Element<'_>) -> Option<Distribution> {
    match variant {
        "constant" => value.duration().map(Distribution::Constant),
        "uniform" => uniform(value),
        "exponential" => value.positive_duration().map(|mean| Distribution::Exponential { mean }),
        "lognormal" => value.table(|table| {
            let median = table.required("median", Element::positive_duration);
            let sigma = table.required("sigma", Element::positive_number);
            Some(Distribution::LogNormal { median: median?, sigma: sigma? })
        }),
        "pareto" => value.table(|table| {
            let scale = table.required("scale", Element::positive_duration);
            let shape = table.required("shape", Element::positive_number);
            Some(Distribution::Pareto { scale: scale?, shape: shape? })
        }),
        _ => quantiles(value),
    }
}

fn uniform(value: &Element<'_>) -> Option<Distribution> {
    let ends = value.list(Element::duration)?;
    match ends.as_slice() {
        [low, high] if low <= high => Some(Distribution::Uniform { low: *low, high: *high }),
        [low, high] => value.wrong(
            format!("the lower end {low} is above the upper end {high}"),
            "expected the lower end first",
        ),
        _ => value.wrong(
            format!("expected two lengths of time, found {}", ends.len()),
            "expected the two ends, such as [\"0ms\", \"1s\"]",
        ),
    }
}

fn mixture(value: &Element<'_>) -> Option<Distribution> {
    let part = |table: &mut TableDecoder<'_>| {
        let weight = table.required("weight", |weight| weight.integer(0..=1_000_000_000));
        let read = |variant: usize, value: &Element<'_>| simple(PARTS[variant], value);
        let part = table.exactly_one(&PARTS, "the part's distribution", read);
        Some((weight?, part?))
    };
    let parts = value.list(|element| element.table(part))?;
    if parts.iter().all(|(weight, _)| *weight == 0) {
        return value.wrong("no part of the mixture has a weight", "expected a weight above 0");
    }
    Some(Distribution::Mixture(parts))
}

fn quantiles(value: &Element<'_>) -> Option<Distribution> {
    value.table(|table| {
        let mut points: Vec<Option<(u32, Span)>> = Vec::new();
        for (key, element) in table.entries() {
            let at = match units::percentage(key) {
                Ok(at) => Some(at.parts_per_billion()),
                Err(why) => element.wrong(
                    format!("`{}` is no quantile: {}", key.escape_debug(), why.why),
                    "expected keys such as \"50%\"",
                ),
            };
            let length = element.duration();
            points.push(at.zip(length));
        }
        let mut points = points.into_iter().collect::<Option<Vec<_>>>()?;
        points.sort_by_key(|(at, _)| *at);
        let whole = [points.first(), points.last()].map(|end| end.map(|(at, _)| *at));
        if whole != [Some(0), Some(1_000_000_000)] {
            return value.wrong(
                "the quantiles do not cover everything",
                "expected \"0%\" and \"100%\" too",
            );
        }
        for pair in points.windows(2) {
            if pair[0].0 == pair[1].0 {
                return value.wrong("a quantile is given twice", "expected each once");
            }
            if pair[0].1 > pair[1].1 {
                let title = format!("the quantiles fall, from {} to {}", pair[0].1, pair[1].1);
                return value.wrong(title, "expected lengths that rise with the percentages");
            }
        }
        Some(Distribution::Quantiles(points))
    })
}

/// A distribution as [`Element::distribution`] reads it: always a table of its variant.
#[must_use]
pub fn encode_distribution(distribution: &Distribution) -> toml::Value {
    let mut table = toml::Table::new();
    let (variant, value) = variant(distribution);
    table.insert(variant.to_owned(), value);
    toml::Value::Table(table)
}

fn variant(distribution: &Distribution) -> (&'static str, toml::Value) {
    let span = |span: &Span| toml::Value::String(span.to_string());
    let two = |a: (&str, toml::Value), b: (&str, toml::Value)| {
        toml::Value::Table([a, b].map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
    };
    match distribution {
        Distribution::Constant(length) => ("constant", span(length)),
        Distribution::Uniform { low, high } => {
            ("uniform", toml::Value::Array(vec![span(low), span(high)]))
        }
        Distribution::Exponential { mean } => ("exponential", span(mean)),
        Distribution::LogNormal { median, sigma } => {
            ("lognormal", two(("median", span(median)), ("sigma", (*sigma).into())))
        }
        Distribution::Pareto { scale, shape } => {
            ("pareto", two(("scale", span(scale)), ("shape", (*shape).into())))
        }
        Distribution::Mixture(parts) => {
            let part = |(weight, part): &(u32, Distribution)| {
                two(("weight", i64::from(*weight).into()), variant(part))
            };
            ("mixture", toml::Value::Array(parts.iter().map(part).collect()))
        }
        Distribution::Quantiles(points) => {
            let point = |(at, length): &(u32, Span)| (units::show_percentage(*at), span(length));
            ("quantiles", toml::Value::Table(points.iter().map(point).collect()))
        }
    }
}

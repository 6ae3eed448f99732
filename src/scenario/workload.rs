//! `[workload]`: clients that generate operations.

use super::decode::{Element, TableDecoder};
use super::intervals::grouped;
use crate::config::{Mix, Pace, ReadFrom, RetryPolicy, Skew, Workload};
use crate::operation::ReadQuorum;
use crate::sampler::Distribution;
use crate::time::Span;

/// The most clients a workload may have.
pub(super) const MAX_CLIENTS: u32 = 100_000;
/// The most keys a workload may have.
pub(super) const MAX_KEYS: u32 = 1_000_000;
/// The most operations an arrival may bring.
pub(super) const MAX_BURST: u32 = 1_000_000;
/// The most operations: the history numbers its events by 32 bits, two an operation.
pub(super) const MAX_OPERATIONS: u64 = 1_000_000_000;

/// The most operations that arrivals may bring where the workload does not say how many there are: some gigabytes of
/// history.
pub(super) const MAX_ARRIVALS: u64 = 20_000_000;

/// `[workload]`, which lasts so long.
pub(super) fn workload(table: &mut TableDecoder<'_>, nodes: u16, lasts: Span) -> Option<Workload> {
    let clients = table.or("clients", 1, |clients| clients.integer_u32(1..=MAX_CLIENTS));
    let operations = table.or("operations", None, |operations| {
        if operations.is_text("unlimited") {
            return Some(None);
        }
        operations.integer(1..=MAX_OPERATIONS).map(Some)
    });
    let pace = pace(table, (operations == Some(None)).then_some(lasts));
    let keys = table.or("keys", 10, |keys| keys.integer_u32(1..=MAX_KEYS));
    let skew = table.or("skew", Skew::Uniform, skew);
    let mix = table.or("mix", Mix { put: 100, ..Mix::default() }, mix);
    let read_from =
        table.or("read-from", ReadFrom::Leader, |read_from| self::read_from(read_from, nodes));
    let read_quorum = read_quorum(table, ["read-quorum", "read-repair"], nodes);
    let retry = retry(table);
    Some(Workload {
        clients: clients?,
        pace: pace?,
        operations: operations?,
        keys: keys?,
        skew: skew?,
        mix: mix?,
        read_from: read_from?,
        read_quorum: read_quorum?,
        retry: retry?,
    })
}

/// `think` or `open`.
fn pace(table: &mut TableDecoder<'_>, lasts: Option<Span>) -> Option<Pace> {
    let think = table.get("think");
    let open = table.get("open");
    // Both are read even where they exclude each other: each may have mistakes of its own.
    let is_given = (think.is_some(), open.is_some());
    let think = think.map(|think| think.waits());
    let open = open.map(|open| open.table(|table| arrivals(table, lasts)));
    match is_given {
        (true, true) => {
            table.contradiction(
                "think",
                "open",
                "the workload is both a closed and an open loop",
                "`think` is for a closed loop, where each client waits for its answer; `open` for arrivals",
            );
            None
        }
        (_, true) => open?,
        (true, false) => think?.map(|think| Pace::Closed { think }),
        (false, false) => Some(Pace::Closed { think: Distribution::Constant(Span::ZERO) }),
    }
}

/// `open = { rate, arrivals, burst }` or `open = { interval, burst }`.
fn arrivals(table: &mut TableDecoder<'_>, lasts: Option<Span>) -> Option<Pace> {
    let burst = table.or("burst", 1, |burst| burst.integer_u32(1..=MAX_BURST));
    let words = [("poisson", true), ("constant", false)];
    let arrivals = table.get("arrivals");
    let poisson = arrivals.as_ref().map_or(Some(true), |arrivals| arrivals.choice(&words));
    let read = |source: usize, value: &Element<'_>| match source {
        0 => {
            let mean = mean_interval(value, burst)?;
            let poisson = poisson?;
            Some(if poisson {
                Distribution::Exponential { mean }
            } else {
                Distribution::Constant(mean)
            })
        }
        _ => interval(value),
    };
    let read = |source: usize, value: &Element<'_>| {
        let interval = read(source, value)?;
        few_enough(value, &interval, burst?, lasts)?;
        Some(interval)
    };
    let interval = table.exactly_one(&["rate", "interval"], "the open loop's pace", read);
    if arrivals.is_some() && table.get("interval").is_some() && table.get("rate").is_none() {
        table.contradiction(
            "arrivals",
            "interval",
            "`arrivals` goes with `rate`",
            "an interval is a distribution already",
        );
        return None;
    }
    Some(Pace::Open { interval: interval?, burst: burst? })
}

/// Whether no more arrives in all than a run can play.
fn few_enough(
    value: &Element<'_>,
    interval: &Distribution,
    burst: u32,
    lasts: Option<Span>,
) -> Option<()> {
    let (Some(lasts), Some(mean)) = (lasts, interval.mean_nanos()) else { return Some(()) };
    let arrive = lasts.nanos() as f64 / mean * f64::from(burst);
    if arrive <= MAX_ARRIVALS as f64 {
        return Some(());
    }
    let title = format!("about {} operations would arrive in {lasts}", grouped(arrive as u64));
    let most = grouped(MAX_ARRIVALS);
    value.wrong(title, format!("expected at most {most}, or `operations` to say how many"))
}

/// `rate`: the mean time between arrivals of `burst` each.
fn mean_interval(element: &Element<'_>, burst: Option<u32>) -> Option<Span> {
    let rate = element.rate()?;
    let mean = rate.interval(burst?);
    if mean.is_none() {
        return element.wrong(
            "the rate cannot be had",
            "expected a mean time between arrivals from 1ns to 10 years",
        );
    }
    mean
}

fn interval(value: &Element<'_>) -> Option<Distribution> {
    let interval = value.distribution()?;
    if interval == Distribution::Constant(Span::ZERO) {
        return value.wrong("arrivals without time between them", "expected more than 0");
    }
    Some(interval)
}

fn skew(element: &Element<'_>) -> Option<Skew> {
    if element.is_string() {
        return element.choice(&[("uniform", Skew::Uniform)]);
    }
    element.table(|table| {
        let exponent = table.required("zipf", Element::positive_number);
        Some(Skew::Zipf { exponent: exponent? })
    })
}

fn mix(element: &Element<'_>) -> Option<Mix> {
    let mix = element.table(|table| {
        let mut weight =
            |key: &str| table.or(key, 0, |weight| weight.integer_u32(0..=1_000_000_000));
        let (put, get, delete) = (weight("put"), weight("get"), weight("delete"));
        let (list, read_all, append) = (weight("list"), weight("read-all"), weight("append"));
        Some(Mix {
            put: put?,
            get: get?,
            delete: delete?,
            list: list?,
            read_all: read_all?,
            append: append?,
        })
    })?;
    if mix == Mix::default() {
        return element.wrong("the mix asks for nothing", "expected a weight above 0");
    }
    Some(mix)
}

fn read_from(element: &Element<'_>, nodes: u16) -> Option<ReadFrom> {
    let words =
        [("leader", ReadFrom::Leader), ("any", ReadFrom::Any), ("nearest", ReadFrom::Nearest)];
    if words.iter().any(|(word, _)| element.is_text(word)) {
        return element.choice(&words);
    }
    element.word_or_node(&words.map(|(word, _)| word), nodes).map(ReadFrom::Node)
}

/// How many replicas a read asks, and whether it repairs them, at these keys. A repair without a number asks all.
pub(super) fn read_quorum(
    table: &mut TableDecoder<'_>,
    [replicas, repair]: [&str; 2],
    nodes: u16,
) -> Option<Option<ReadQuorum>> {
    let replicas = table.optional(replicas, |replicas| replica_count(replicas, nodes));
    let repair = table.or(repair, false, Element::boolean);
    let (replicas, repair) = (replicas?, repair?);
    let all_to_repair = repair.then_some(nodes);
    Some(replicas.or(all_to_repair).map(|replicas| ReadQuorum { replicas, repair }))
}

/// A number of replicas, or `all`.
fn replica_count(element: &Element<'_>, nodes: u16) -> Option<u16> {
    if element.is_text("all") {
        return Some(nodes);
    }
    if element.is_string() {
        return element.wrong("this is no number of replicas", "expected a number, or `all`");
    }
    let replicas = element.integer_u16(1..=u16::MAX)?;
    if replicas > nodes {
        let title = format!("the read asks {replicas} replicas, but there are {nodes} nodes");
        return element.wrong(title, format!("expected at most {nodes}, or `all`"));
    }
    Some(replicas)
}

/// `timeout`, `retries`, `backoff` and `ask-next`.
pub(super) fn retry(table: &mut TableDecoder<'_>) -> Option<RetryPolicy> {
    let timeout = table.or("timeout", Span::from_secs(10), Element::wait);
    let retries = table.or("retries", 0, |retries| retries.integer_u32(0..=1_000_000));
    let backoff =
        table.or("backoff", Distribution::Constant(Span::from_millis(10)), Element::waits);
    let ask_next = table.or("ask-next", false, Element::boolean);
    Some(RetryPolicy {
        timeout: timeout?,
        retries: retries?,
        backoff: backoff?,
        ask_next: ask_next?,
    })
}

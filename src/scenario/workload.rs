//! `[workload]`: clients that generate operations.

use std::sync::LazyLock;

use serde_json::json;

use super::decode::{Element, TableDecoder, word_for};
use super::intervals::grouped;
use super::keys::{
    Declaration, Draft, Format, Section, Texts, ValueShape, boolean, declared, distribution,
    integer, keys, node, wait, waits, whole_number,
};
use super::words::NODES;
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

/// The most arriving operations of a workload without `operations`: some gigabytes of history.
pub(super) const MAX_ARRIVALS: u64 = 20_000_000;

/// `[workload]`.
pub(super) static SECTION: LazyLock<Section<Workload>> = LazyLock::new(workload);

fn workload() -> Section<Workload> {
    let base = Workload {
        clients: 1,
        pace: Pace::Closed { think: Distribution::Constant(Span::ZERO) },
        operations: None,
        keys: 10,
        skew: Skew::Uniform,
        mix: Mix { put: 100, ..Mix::default() },
        read_from: ReadFrom::Leader,
        read_quorum: None,
        retry: DEFAULT_RETRY,
    };
    Section::new(
        "Clients c1, c2 and so on that generate operations on keys k1, k2 and so on.",
        base,
    )
    .with(keys! { |load: Workload|
        /// How many operations may be under way at once.
        "clients" => load.clients, integer(1..=MAX_CLIENTS);
        /// How many operations in all; `unlimited`: until `duration`.
        "operations" => load.operations,
            integer(1..=MAX_OPERATIONS)
                .shaped(|shape| shape.and("description", json!("A number.")))
                .or_word("unlimited");
        /// How many keys.
        "keys" => load.keys, integer(1..=MAX_KEYS);
        /// How often each key is used: all alike, or the key of rank r with weight 1 / r^zipf.
        "skew" => load.skew, skew();
        "mix" => load.mix, mix().format();
    })
    .by_hand(
        declared! {
            /// Closed loop: how long a client waits after an answer.
            "think": waits().shape().clone(), default("0ms");
            "open": open();
        },
        pace,
        encode_pace,
    )
    .with(keys! { |load: Workload|
        /// Whom a read asks; writes always look for the leader.
        "read-from" => load.read_from, read_from();
    })
    .by_hand(
        declared! {
            /// How many replicas a read of a key asks, that one included; by default that one
            /// alone, or all when it repairs.
            "read-quorum": replicas();
            /// Whether a read writes the newest value back to the replicas it asked that have an
            /// older one.
            "read-repair": boolean().shape().clone();
        },
        |table, draft| {
            draft.value.read_quorum = decode_replicas(table, READ_QUORUM)?;
            Some(())
        },
        |load, _, table| encode_replicas(table, READ_QUORUM, load.read_quorum),
    )
    .flat(retry(), |load| &mut load.retry)
}

/// The keys of a read of several replicas: how many, and whether the read repairs them.
const READ_QUORUM: [&str; 2] = ["read-quorum", "read-repair"];

fn mix() -> Section<Mix> {
    let weight = || integer(0..=1_000_000_000);
    Section::new("What is asked, by weight.", Mix::default())
        .with(keys! { |mix: Mix|
            /// Writes of a unique value.
            "put" => mix.put, weight();
            /// Reads of a key.
            "get" => mix.get, weight();
            /// Deletes of a key.
            "delete" => mix.delete, weight();
            /// Lists of all keys.
            "list" => mix.list, weight();
            /// Reads of everything.
            "read-all" => mix.read_all, weight();
            /// Appends of a unique value to a list.
            "append" => mix.append, weight();
            /// Compare-and-sets to a unique value: each expects what its client last saw of the
            /// key, or that it is absent.
            "cas" => mix.cas, weight();
            /// Batches of two to four puts, gets and deletes.
            "batch" => mix.batch, weight();
        })
        .checked(|draft, table| {
            if draft.is_all_right() && draft.value == Mix::default() {
                let needs = "expected a weight above 0";
                return table.says_nothing("the mix asks for nothing", needs);
            }
            Some(())
        })
}

/// `think` or `open`.
fn pace(table: &mut TableDecoder<'_>, draft: &mut Draft<Workload>) -> Option<()> {
    let think = table.get("think");
    let open = table.get("open");
    // Both are read even if both are given, to report the mistakes of each.
    let is_given = (think.is_some(), open.is_some());
    let think = think.map(|think| think.waits());
    let is_endless = draft.is_right("operations") && draft.value.operations.is_none();
    let lasts = is_endless.then_some(table.scope().frame.duration);
    let open = open.map(|open| open.table(|table| arrivals(table, lasts)));
    draft.value.pace = match is_given {
        (true, true) => {
            table.contradiction(
                "think",
                "open",
                "the workload is both a closed and an open loop",
                "`think` is for a closed loop, where each client waits for its answer; `open` for \
                 arrivals",
            );
            return None;
        }
        (_, true) => open??,
        (true, false) => Pace::Closed { think: think?? },
        (false, false) => return Some(()),
    };
    Some(())
}

/// The table of an open loop.
fn open() -> ValueShape {
    let rate = json!({
        "type": "string",
        "pattern": "^\\+?[0-9]+(\\.[0-9]+)?\\s*/\\s*(ns|us|µs|ms|s|m|h)$",
        "examples": ["100/s"],
    });
    let arrivals = ValueShape::words(&ARRIVALS.map(|(word, _)| word));
    let keys = declared! {
        /// How many operations arrive in how long.
        "rate": ValueShape::new(rate, "a number in a time", "\"100/s\"");
        /// Random arrivals, or evenly spaced.
        "arrivals": arrivals, default(ARRIVALS[0].0);
        /// Instead of `rate`: the time between two arrivals.
        "interval": distribution().shape().clone();
        /// How many operations an arrival brings.
        "burst": whole_number(1..=u64::from(MAX_BURST)), default(1);
    };
    let help = "An open loop: operations arrive whatever became of earlier ones.";
    ValueShape::table(help, keys).exactly_one(&["rate", "interval"])
}

/// Whether arrivals at a rate are random (the default).
const ARRIVALS: [(&str, bool); 2] = [("poisson", true), ("constant", false)];

/// `open = { rate, arrivals, burst }` or `open = { interval, burst }`.
fn arrivals(table: &mut TableDecoder<'_>, lasts: Option<Span>) -> Option<Pace> {
    let burst = table.or("burst", 1, |burst| burst.integer(1..=MAX_BURST));
    let arrivals = table.get("arrivals");
    let poisson = arrivals.as_ref().map_or(Some(true), |arrivals| arrivals.choice(&ARRIVALS));
    let read = |source: usize, value: &Element<'_>| {
        let interval = match source {
            0 => {
                let mean = mean_interval(value, burst)?;
                if poisson? {
                    Distribution::Exponential { mean }
                } else {
                    Distribution::Constant(mean)
                }
            }
            _ => interval(value)?,
        };
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

/// Refuses more arriving operations than [`MAX_ARRIVALS`].
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

fn encode_pace(load: &Workload, texts: &Texts<'_>, table: &mut toml::Table) {
    let write = |length: &Distribution| distribution().write(length, texts);
    let (key, value) = match &load.pace {
        Pace::Closed { think } => ("think", write(think)),
        Pace::Open { interval, burst } => {
            let mut open = toml::Table::new();
            open.extend(write(interval).map(|interval| ("interval".to_owned(), interval)));
            open.insert("burst".to_owned(), i64::from(*burst).into());
            ("open", Some(open.into()))
        }
    };
    table.extend(value.map(|value| (key.to_owned(), value)));
}

fn skew() -> Format<Skew> {
    let number = json!({ "type": "number", "exclusiveMinimum": 0 });
    let exponent = ValueShape::new(number, "a number above 0", "0.99");
    let zipf = Declaration::new("zipf", "The exponent.", exponent).required();
    let shape = ValueShape::table("Zipf's law.", vec![zipf]).or_word("uniform");
    let read = |element: &Element<'_>| {
        if element.is_string() {
            return element.choice(&[("uniform", Skew::Uniform)]);
        }
        element.table(|table| {
            let exponent = table.required("zipf", Element::positive_number);
            Some(Skew::Zipf { exponent: exponent? })
        })
    };
    Format::new(shape, read, |skew| match skew {
        Skew::Uniform => "uniform".into(),
        Skew::Zipf { exponent } => {
            toml::Table::from_iter([("zipf".to_owned(), (*exponent).into())]).into()
        }
    })
}

fn read_from() -> Format<ReadFrom> {
    const WORDS: [(&str, ReadFrom); 3] =
        [("leader", ReadFrom::Leader), ("any", ReadFrom::Any), ("nearest", ReadFrom::Nearest)];
    let words = WORDS.map(|(word, _)| word);
    let shape = ValueShape::words(&words).or(node().shape().clone());
    let read = move |element: &Element<'_>| {
        if words.iter().any(|word| element.is_text(word)) {
            return element.choice(&WORDS);
        }
        element.word_or_node(&words).map(ReadFrom::Node)
    };
    Format::new(shape, read, |from| match from {
        ReadFrom::Node(node) => node.to_string().into(),
        word => word_for(&WORDS, word).into(),
    })
}

/// How many replicas a read asks.
pub(super) fn replicas() -> ValueShape {
    let number = whole_number(1..=u64::from(NODES));
    number.and("description", json!("A number.")).or_word("all")
}

/// Reads how many replicas a read asks, and whether it repairs them; a repair asks all by default.
pub(super) fn decode_replicas(
    table: &mut TableDecoder<'_>,
    keys: [&str; 2],
) -> Option<Option<ReadQuorum>> {
    let replicas = table.optional(keys[0], replica_count);
    let repair = table.or(keys[1], false, |repair| repair.boolean());
    let (replicas, repair) = (replicas?, repair?);
    let all_to_repair = repair.then_some(table.nodes());
    Some(replicas.or(all_to_repair).map(|replicas| ReadQuorum { replicas, repair }))
}

/// Writes what [`decode_replicas`] reads.
pub(super) fn encode_replicas(
    table: &mut toml::Table,
    keys: [&str; 2],
    quorum: Option<ReadQuorum>,
) {
    if let Some(quorum) = quorum {
        table.insert(keys[0].to_owned(), i64::from(quorum.replicas).into());
        table.insert(keys[1].to_owned(), quorum.repair.into());
    }
}

/// A number of replicas, or `all`.
fn replica_count(element: &Element<'_>) -> Option<u16> {
    let nodes = element.nodes();
    if element.is_text("all") {
        return Some(nodes);
    }
    if element.is_string() {
        return element.wrong("this is no number of replicas", "expected a number, or `all`");
    }
    let replicas = element.integer(1..=u16::MAX)?;
    if replicas > nodes {
        let title = format!("the read asks {replicas} replicas, but there are {nodes} nodes");
        return element.wrong(title, format!("expected at most {nodes}, or `all`"));
    }
    Some(replicas)
}

const DEFAULT_RETRY: RetryPolicy = RetryPolicy {
    timeout: Span::from_secs(10),
    retries: 0,
    backoff: Distribution::Constant(Span::from_millis(10)),
    ask_next: false,
};

/// `timeout`, `retries`, `ask-next` and `backoff`.
pub(super) fn retry() -> Section<RetryPolicy> {
    Section::new("", DEFAULT_RETRY).with(keys! { |retry: RetryPolicy|
        /// After how long without an answer an attempt is given up.
        "timeout" => retry.timeout, wait();
        /// How often an operation is tried again after a refusal or a timeout.
        "retries" => retry.retries, integer(0..=1_000_000);
        /// Whether a client that gives up an operation without learning of a leader asks the
        /// next node from then on.
        "ask-next" => retry.ask_next, boolean();
        /// How long to wait before that.
        "backoff" => retry.backoff, waits();
    })
}

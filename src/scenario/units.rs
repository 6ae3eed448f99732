//! Numbers with units, exact: decimal digits times an integer unit, without floats.

use crate::rng::Probability;
use crate::time::Span;

/// Why a text is not the quantity it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotThat {
    pub(super) why: String,
}

fn not<T>(why: impl Into<String>) -> Result<T, NotThat> {
    Err(NotThat { why: why.into() })
}

/// A decimal number: `digits` / 10^`decimals`, with its sign.
struct Decimal {
    negative: bool,
    digits: u128,
    decimals: u32,
}

/// The most digits of a number: with any unit it fits 128 bits.
const MAX_DIGITS: usize = 24;

impl Decimal {
    /// Splits `-1.5ms` into the number and the unit behind it.
    fn split(text: &str) -> Result<(Self, &str), NotThat> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(unsigned.len());
        let (number, unit) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() {
            return not("expected a number, then a unit");
        }
        if fraction.contains('.') {
            return not("the number has two points");
        }
        if whole.len() + fraction.len() > MAX_DIGITS {
            return not("the number is too long");
        }
        let Ok(digits) = format!("{whole}{fraction}").parse() else {
            return not("expected a number, then a unit");
        };
        // At most MAX_DIGITS, so it fits.
        let decimals = fraction.len() as u32;
        Ok((Self { negative, digits, decimals }, unit.trim()))
    }

    /// The number times `unit`, if that is whole.
    fn times(&self, unit: u128, finest: &str) -> Result<u128, NotThat> {
        let Some(product) = self.digits.checked_mul(unit) else {
            return not("the number is too large");
        };
        let scale = 10_u128.pow(self.decimals);
        if product % scale != 0 {
            return not(format!("it is finer than {finest}"));
        }
        Ok(product / scale)
    }
}

const TIMES: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

fn unit_of(unit: &str, units: &[(&str, u128)], what: &str) -> Result<u128, NotThat> {
    if let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) {
        return Ok(*size);
    }
    let names: Vec<&str> =
        units.iter().map(|(name, _)| *name).filter(|name| name.is_ascii()).collect();
    let names = names.join(", ");
    if unit.is_empty() {
        return not(format!("the unit is missing: one of {names}"));
    }
    let shown: String = unit.escape_debug().take(20).collect();
    not(format!("`{shown}` is no unit of {what}: expected one of {names}"))
}

/// A share as scenario files write it, `1.5%`; `None` for anything else.
#[must_use]
pub fn read_percentage(text: &str) -> Option<Probability> {
    percentage(text).ok()
}

/// The longest length of time in a scenario: ten years. A run takes at most twice that (duration
/// and settling), a clock runs at most twice as fast and jumps at most [`MAX_JUMPS`]: far inside
/// the 292 years of a signed clock.
pub(super) const LONGEST: Span = Span::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest time between two rounds of what repeats for the whole run. Ten thousand rounds a
/// second are more than any real system does, and few enough for a run of an hour to end.
pub(super) const SHORTEST_ROUND: Span = Span::from_micros(100);

/// The shortest mean time that a client thinks, waits for an answer or backs off. Zero is allowed:
/// the simulation notices a client that invokes for ever at one instant.
pub(super) const SHORTEST_WAIT: Span = Span::from_micros(1);

/// The most that a node's offset and jumps may add up to, in nanoseconds.
pub(super) const MAX_JUMPS: u64 = LONGEST.nanos();

/// The sign of a length of time (whether it is negative) and its nanoseconds.
fn nanoseconds(text: &str) -> Result<(bool, u64), NotThat> {
    let (number, unit) = Decimal::split(text)?;
    let ns = number.times(unit_of(unit, &TIMES, "time")?, "a nanosecond")?;
    match u64::try_from(ns) {
        Ok(ns) if ns <= LONGEST.nanos() => Ok((number.negative, ns)),
        _ => not("it is longer than 10 years (87600h), the most that any length may be"),
    }
}

/// `150ms`, `1.5s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Span, NotThat> {
    match nanoseconds(text)? {
        (true, 1..) => not("it is negative"),
        (_, ns) => Ok(Span::from_nanos(ns)),
    }
}

/// `-5s`, in nanoseconds.
pub(super) fn signed_duration(text: &str) -> Result<i64, NotThat> {
    let (negative, ns) = nanoseconds(text)?;
    // At most LONGEST, so it fits.
    let ns = i64::try_from(ns).unwrap_or(i64::MAX);
    Ok(if negative { -ns } else { ns })
}

/// A signed length of time as [`signed_duration`] reads it.
pub(super) fn show_signed(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    format!("{sign}{}", Span::from_nanos(ns.unsigned_abs()))
}

/// A length of time in the largest unit in which it is whole: `1500ms`. It has no point, which
/// would separate keys in a path.
pub(super) fn show_whole(span: Span) -> String {
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    in_whole_units(span.nanos(), units)
}

/// A number in the first of these units in which it is whole; the last unit is one.
fn in_whole_units(number: u64, units: [(&str, u64); 4]) -> String {
    let whole = units.into_iter().find(|(_, size)| number.is_multiple_of(*size));
    let (name, size) = whole.expect("every number is whole in ones");
    format!("{}{name}", number / size)
}

/// `0.5%`.
pub(super) fn percentage(text: &str) -> Result<Probability, NotThat> {
    let (number, unit) = Decimal::split(text)?;
    if unit != "%" {
        return not("expected a number with %");
    }
    let parts = number.times(10_000_000, "a part in a billion")?;
    if number.negative && parts > 0 {
        return not("it is below 0%");
    }
    let parts = u32::try_from(parts).ok().and_then(Probability::from_parts_per_billion);
    parts.map_or_else(|| not("it is over 100%"), Ok)
}

/// A number of parts per billion, as [`percentage`] reads it.
pub(super) fn show_percentage(parts: u32) -> String {
    decimal(u64::from(parts), 7) + "%"
}

/// `digits` / 10^`decimals` without needless zeros.
fn decimal(digits: u64, decimals: usize) -> String {
    let scale = 10_u64.pow(decimals as u32);
    let fraction = format!("{:0decimals$}", digits % scale);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}", digits / scale)
}

/// `200ppm`, `-0.02%`, in parts per billion; above -100%, at most 100%.
pub(super) fn drift(text: &str) -> Result<i64, NotThat> {
    let (number, unit) = Decimal::split(text)?;
    let unit = unit_of(unit, &[("ppm", 1_000), ("%", 10_000_000)], "drift")?;
    let parts = number.times(unit, "a part in a billion")?;
    match i64::try_from(parts) {
        Ok(parts) if number.negative && parts < 1_000_000_000 => Ok(-parts),
        Ok(parts) if !number.negative && parts <= 1_000_000_000 => Ok(parts),
        _ => not("expected more than -100% and at most 100%"),
    }
}

/// Parts per billion as [`drift`] reads them.
pub(super) fn show_drift(ppb: i64) -> String {
    let sign = if ppb < 0 { "-" } else { "" };
    format!("{sign}{}ppm", decimal(ppb.unsigned_abs(), 3))
}

/// `10MB/s`, in bytes a second; at least one.
pub(super) fn bandwidth(text: &str) -> Result<u64, NotThat> {
    const BYTES: [(&str, u128); 4] =
        [("B/s", 1), ("kB/s", 1_000), ("MB/s", 1_000_000), ("GB/s", 1_000_000_000)];
    let (number, unit) = Decimal::split(text)?;
    let bytes = number.times(unit_of(unit, &BYTES, "bandwidth")?, "a byte a second")?;
    if bytes == 0 || number.negative {
        return not("expected more than 0 bytes a second");
    }
    match u64::try_from(bytes) {
        Ok(bytes) if bytes <= 1 << 60 => Ok(bytes),
        _ => not("it is too large"),
    }
}

/// Bytes a second as [`bandwidth`] reads them.
pub(super) fn show_bandwidth(bytes: u64) -> String {
    let units = [("GB/s", 1_000_000_000), ("MB/s", 1_000_000), ("kB/s", 1_000), ("B/s", 1)];
    in_whole_units(bytes, units)
}

/// A rate: `count` in `per` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    count: u128,
    per: u128,
}

impl Rate {
    /// The mean time between two arrivals of `burst` each, to the nearest nanosecond; `None` below
    /// one.
    pub(super) fn interval(self, burst: u32) -> Option<Span> {
        let ns = (self.per * u128::from(burst) + self.count / 2) / self.count;
        let ns = u64::try_from(ns).ok()?;
        (1..=LONGEST.nanos()).contains(&ns).then(|| Span::from_nanos(ns))
    }
}

/// `100/s`, `2.5/m`.
pub(super) fn rate(text: &str) -> Result<Rate, NotThat> {
    let (number, unit) = Decimal::split(text)?;
    let Some(unit) = unit.strip_prefix('/') else { return not("expected a number, then `/s`") };
    let unit = unit_of(unit.trim(), &TIMES, "time")?;
    if number.digits == 0 || number.negative {
        return not("expected more than none");
    }
    if number.decimals > 9 {
        return not("the number is too long");
    }
    // An hour's 3.6 * 10^12 nanoseconds times 10^9: far below 2^128, even times a burst.
    Ok(Rate { count: number.digits, per: unit * 10_u128.pow(number.decimals) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_exact() {
        let cases = [
            ("0ms", 0),
            ("150ms", 150_000_000),
            ("1.5s", 1_500_000_000),
            ("0.1s", 100_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("7ns", 7),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("1 s", 1_000_000_000),
            ("-0s", 0),
            ("0.000000001s", 1),
            ("87600h", LONGEST.nanos()),
        ];
        for (text, ns) in cases {
            assert_eq!(duration(text), Ok(Span::from_nanos(ns)), "{text}");
        }
        let wrong = [
            "",
            "s",
            "5",
            "5 parsecs",
            "-1s",
            "1.2.3s",
            ".5s",
            "5.s",
            "99999999999999999999s",
            "87600.0001h",
            "1e3s",
            "0.5ns",
            "NaN",
            "infs",
            "1,5s",
            "200000h00",
            "--1s",
            "1s 5ms",
        ];
        for text in wrong {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(signed_duration("-5s"), Ok(-5_000_000_000));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for ns in [0, 1, -1, 1_500, -3_000_000_000, 1_000_000_001, LONGEST.nanos() as i64] {
            assert_eq!(signed_duration(&show_signed(ns)), Ok(ns));
        }
        for parts in [0, 1, 10_000_000, 5_000_001, 1_000_000_000] {
            let probability =
                percentage(&show_percentage(parts)).map(Probability::parts_per_billion);
            assert_eq!(probability, Ok(parts));
        }
        for ppb in [0, 1, -1, 200_000, -999_999_999, 1_000_000_000] {
            assert_eq!(drift(&show_drift(ppb)), Ok(ppb));
        }
        for bytes in [1, 999, 10_000_000, 3_000_000_000, (1 << 60) - 1] {
            assert_eq!(bandwidth(&show_bandwidth(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn shares_over_all_and_below_none_are_refused() {
        for text in ["101%", "100.0000001%", "-1%", "5", "5 percent", "0.00000001%", "%", "NaN%"] {
            assert!(percentage(text).is_err(), "{text}");
        }
        for text in ["-100%", "101%", "5", "5s", "0.0001ppm"] {
            assert!(drift(text).is_err(), "{text}");
        }
        for text in ["0B/s", "-1B/s", "10MB", "10", "0.5B/s", "99999999999999GB/s"] {
            assert!(bandwidth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_mean_interval() {
        let interval = |text, burst| rate(text).ok().and_then(|rate| rate.interval(burst));
        assert_eq!(interval("100/s", 1), Some(Span::from_millis(10)));
        assert_eq!(interval("2.5/s", 10), Some(Span::from_secs(4)));
        assert_eq!(interval("3/s", 1), Some(Span::from_nanos(333_333_333)));
        assert_eq!(interval("99999999999/s", 1), None);
        for text in ["0/s", "-1/s", "100", "100/parsec", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}

//! Axes: where values lie, and which are labelled.

use super::style::LABEL;

/// The scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long.
    Logarithmic,
}

/// A labelled value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The label; empty for a line of the grid without one.
    pub label: String,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartAxis {
    /// What it measures, with the unit.
    pub title: String,
    /// The scale.
    pub scale: Scale,
    /// The value at its start.
    pub low: f64,
    /// The value at its end.
    pub high: f64,
    /// The labelled values, in rising order.
    pub ticks: Vec<Tick>,
    /// Whether its values are names, at equal distances and without lines of the grid.
    pub categories: bool,
}

/// The units of time, each with its length in nanoseconds.
const UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];

/// The largest unit that is not longer than `ns`.
fn unit_of(ns: f64) -> (f64, &'static str) {
    UNITS.into_iter().rev().find(|(length, _)| ns.abs() >= *length).unwrap_or(UNITS[0])
}

/// A duration to three digits, in a suitable unit: `1.25 ms`.
#[must_use]
pub fn duration(ns: f64) -> String {
    let (length, unit) = unit_of(ns);
    // A value that rounds up to a thousand is one of the next unit.
    let (length, unit) = match UNITS.iter().position(|(own, _)| *own == length) {
        Some(i) if i + 1 < UNITS.len() && ns.abs() / length >= 999.5 => UNITS[i + 1],
        _ => (length, unit),
    };
    format!("{} {unit}", digits(ns / length))
}

/// A number to three digits, without trailing zeros.
#[must_use]
pub fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let whole = libm::floor(libm::log10(value.abs())) as i32;
    let decimals = usize::try_from(2 - whole).unwrap_or(0).min(9);
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A share in percent, with enough digits to distinguish it from 0 and 100.
#[must_use]
pub fn percent(share: f64) -> String {
    if share > 0.5 && share < 1.0 {
        // 99.99% must not become 100%: the digits that matter are those of the missing share.
        let missing = (1.0 - share) * 100.0;
        let decimals = (1 - libm::floor(libm::log10(missing)) as i32).clamp(1, 6) as usize;
        let text = format!("{:.decimals$}", share * 100.0);
        return format!("{}%", text.trim_end_matches('0').trim_end_matches('.'));
    }
    format!("{}%", digits(share * 100.0))
}

/// A power of ten.
fn ten_to(exponent: i32) -> f64 {
    libm::pow(10.0, f64::from(exponent))
}

/// The least of 1, 2 and 5 times a power of ten that is at least `raw`.
fn step_above(raw: f64) -> f64 {
    let base = ten_to(libm::floor(libm::log10(raw)) as i32);
    let steps = [1.0, 2.0, 5.0, 10.0];
    base * steps.into_iter().find(|step| step * base >= raw * (1.0 - 1e-9)).unwrap_or(10.0)
}

/// Bounds that are finite and different, whatever was measured.
fn sound(low: f64, high: f64) -> (f64, f64) {
    match (low.is_finite(), high.is_finite()) {
        (true, true) if low < high => (low, high),
        (true, _) if low > 0.0 => (0.0, low * 1.2),
        (true, _) => (low, low + 1.0),
        (false, _) => (0.0, 1.0),
    }
}

impl ChartAxis {
    /// A linear axis in units of `length`, extended to ticks at both ends; it has about `count`
    /// ticks.
    fn linear(title: String, low: f64, high: f64, length: f64, count: usize) -> Self {
        let (low, high) = (low / length, high / length);
        let step = step_above((high - low) / count.max(1) as f64);
        let first = libm::floor(low / step + 1e-9) as i64;
        let last = libm::ceil(high / step - 1e-9) as i64;
        let decimals = usize::try_from(-libm::floor(libm::log10(step) + 1e-9) as i32).unwrap_or(0);
        let tick = |i: i64| Tick {
            value: i as f64 * step * length,
            label: match i {
                0 => "0".to_owned(),
                _ => format!("{:.decimals$}", i as f64 * step),
            },
        };
        Self {
            title,
            scale: Scale::Linear,
            low: first as f64 * step * length,
            high: last as f64 * step * length,
            ticks: (first..=last).map(tick).collect(),
            categories: false,
        }
    }

    /// An axis of durations from `low` to `high`, in nanoseconds, with about `count` ticks.
    #[must_use]
    pub fn nanoseconds(title: &str, low: f64, high: f64, count: usize) -> Self {
        let (low, high) = sound(low, high);
        let (length, unit) = unit_of(high);
        Self::linear(format!("{title} ({unit})"), low, high, length, count)
    }

    /// An axis of plain numbers.
    #[must_use]
    pub fn numbers(title: &str, low: f64, high: f64, count: usize) -> Self {
        let (low, high) = sound(low, high);
        Self::linear(title.to_owned(), low, high, 1.0, count)
    }

    /// An axis of shares from 0 to 1, labelled in percent.
    #[must_use]
    pub fn shares(title: &str, low: f64, high: f64, count: usize) -> Self {
        let (low, high) = sound(low, high);
        let mut axis = Self::linear(title.to_owned(), low, high, 0.01, count);
        for tick in &mut axis.ticks {
            tick.label.push('%');
        }
        axis
    }

    /// A logarithmic axis of durations above 0, in nanoseconds, with at least one tick per decade.
    #[must_use]
    pub fn nanoseconds_by_decades(title: &str, low: f64, high: f64) -> Self {
        Self::by_decades(title, low, high, duration)
    }

    /// A logarithmic axis of shares above 0.
    #[must_use]
    pub fn shares_by_decades(title: &str, low: f64, high: f64) -> Self {
        Self::by_decades(title, low, high, percent)
    }

    fn by_decades(title: &str, low: f64, high: f64, written: fn(f64) -> String) -> Self {
        let (low, high) = match (low.is_finite() && low > 0.0, high.is_finite() && high > low) {
            (true, true) => (low, high),
            (true, false) => (low / 2.0, low * 2.0),
            (false, _) => (1.0, 10.0),
        };
        let first = libm::floor(libm::log10(low) + 1e-9) as i32;
        let last = libm::ceil(libm::log10(high) - 1e-9) as i32;
        let marks: Vec<(f64, u32)> = (first..=last)
            .flat_map(|decade| (1..10).map(move |digit| (f64::from(digit) * ten_to(decade), digit)))
            .collect();
        let within = |value: f64| value <= high * (1.0 + 1e-9);
        // The axis starts and ends at 1, 2 or 5 of a decade: whole decades would waste space.
        let round = |digit: u32| matches!(digit, 1 | 2 | 5);
        let rounds = || marks.iter().filter(|(_, digit)| round(*digit)).map(|(value, _)| *value);
        let start = rounds().take_while(|value| *value <= low * (1.0 + 1e-9)).last();
        let end = rounds().find(|value| !within(*value) || *value >= high * (1.0 - 1e-9));
        let (low, high) = (start.unwrap_or(low), end.unwrap_or(high));
        let decades = last - first;
        let every = (decades / 10 + 1) as usize;
        let label = |value: f64, digit: u32| {
            let decade =
                (libm::round(libm::log10(value / f64::from(digit))) as i32 - first) as usize;
            match digit {
                1 if decade.is_multiple_of(every) => written(value),
                2 | 5 if decades <= 3 => written(value),
                _ => String::new(),
            }
        };
        let shown = |value: f64| value >= low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9);
        let marks = marks
            .into_iter()
            .filter(|(value, digit)| shown(*value) && (decades <= 6 || *digit == 1));
        let ticks = marks.map(|(value, digit)| Tick { value, label: label(value, digit) });
        Self {
            title: title.to_owned(),
            scale: Scale::Logarithmic,
            low,
            high,
            ticks: ticks.collect(),
            categories: false,
        }
    }

    /// The axis with 0 at its start, labelled `label`: a logarithmic axis does not reach it.
    #[must_use]
    pub fn with_zero(mut self, label: &str) -> Self {
        self.ticks.retain(|tick| tick.value > self.low * (1.0 + 1e-9));
        self.ticks.insert(0, Tick { value: self.low, label: label.to_owned() });
        self
    }

    /// An axis of names at equal distances, the first at 0, the next at 1.
    #[must_use]
    pub fn categories(title: &str, names: &[String]) -> Self {
        let tick =
            |(i, name): (usize, &String)| Tick { value: i as f64, label: name.trim().to_owned() };
        Self {
            title: title.to_owned(),
            scale: Scale::Linear,
            low: -0.5,
            high: names.len().max(1) as f64 - 0.5,
            ticks: names.iter().enumerate().map(tick).collect(),
            categories: true,
        }
    }

    /// Where `value` lies along the axis, from 0 to 1; values beyond an end lie at that end.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic if value <= self.low => 0.0,
            Scale::Logarithmic => {
                (libm::log10(value) - libm::log10(self.low))
                    / (libm::log10(self.high) - libm::log10(self.low))
            }
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// How many ticks suit a horizontal axis of `pixels`.
    #[must_use]
    pub fn ticks_across(pixels: f64) -> usize {
        ((pixels / (6.5 * LABEL)) as usize).clamp(2, 10)
    }

    /// How many ticks suit a vertical axis of `pixels`.
    #[must_use]
    pub fn ticks_up(pixels: f64) -> usize {
        ((pixels / (3.5 * LABEL)) as usize).clamp(2, 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &ChartAxis) -> Vec<&str> {
        axis.ticks
            .iter()
            .map(|tick| tick.label.as_str())
            .filter(|label| !label.is_empty())
            .collect()
    }

    #[test]
    fn linear_ticks_are_round_and_enclose_what_is_shown() {
        let axis = ChartAxis::nanoseconds("Latency", 0.0, 23_000_000.0, 6);
        assert_eq!(axis.title, "Latency (ms)");
        assert_eq!(labels(&axis), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(axis.share(25_000_000.0), 1.0);
        let axis = ChartAxis::nanoseconds("Latency", 1_200.0, 1_900.0, 4);
        assert_eq!(axis.title, "Latency (µs)");
        assert_eq!(labels(&axis), ["1.2", "1.4", "1.6", "1.8", "2.0"]);
        let axis = ChartAxis::shares("Reads", 0.0, 1.0, 5);
        assert_eq!(labels(&axis), ["0%", "20%", "40%", "60%", "80%", "100%"]);
    }

    #[test]
    fn decades_are_written_and_a_short_axis_has_more() {
        let axis = ChartAxis::nanoseconds_by_decades("Latency", 3_000.0, 4e9);
        assert_eq!(labels(&axis), ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        assert_eq!((axis.low, axis.high), (2_000.0, 5e9));
        let axis = ChartAxis::nanoseconds_by_decades("Latency", 1e6, 90e6);
        assert_eq!(labels(&axis), ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]);
    }

    #[test]
    fn whatever_was_measured_there_is_an_axis() {
        let nasty = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-12];
        for (low, high) in nasty.into_iter().flat_map(|low| nasty.map(|high| (low, high))) {
            for axis in [
                ChartAxis::nanoseconds("", low, high, 6),
                ChartAxis::shares("", low.min(1.0), high.min(1.0), 6),
                ChartAxis::nanoseconds_by_decades("", low.min(1e15), high.min(1e15)),
            ] {
                assert!(axis.low < axis.high && axis.ticks.len() < 400, "{low} {high}: {axis:?}");
                assert!((0.0..=1.0).contains(&axis.share(high)));
            }
        }
    }

    #[test]
    fn numbers_are_written_to_three_digits() {
        let texts = [0.0, 999.6, 1_250_000.0, 42e9].map(duration);
        assert_eq!(texts, ["0 ns", "1 µs", "1.25 ms", "42 s"]);
        let texts = [0.0, 0.5, 0.999, 0.99999, 1.0, 0.00002].map(percent);
        assert_eq!(texts, ["0%", "50%", "99.9%", "99.999%", "100%", "0.002%"]);
    }
}

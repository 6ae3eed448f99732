//! Text in columns: wrapping, aligned numbers, lengths of time a person can take in.

use crate::time::{Span, Time};

/// The columns a report is laid out in, whatever the terminal: a report is the same everywhere.
pub(crate) const WIDTH: usize = 80;

/// How wide `text` is, taking every character for one column.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in lines of at most [`WIDTH`] columns, each indented by `indent`; a longer word has a line of its own.
///
/// The first line is left without its indent when `hanging`, for a caller that has filled it already.
pub(crate) fn wrap(text: &str, indent: usize, hanging: bool) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let wide = width(word);
        if column > 0 && column + 1 + wide > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        } else {
            if !(hanging && out.is_empty()) {
                out.extend(std::iter::repeat_n(' ', indent));
            }
            column = indent;
        }
        out.push_str(word);
        column += wide;
    }
    out
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `count` and the noun, which takes an `s` unless there is one.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// Four significant digits in the unit that suits, rounded half up: `166.7ms`, `1.204s`, `12ns`.
///
/// Trailing zeros stay off, so that a constant delay reads as it was written.
pub(crate) fn short(span: Span) -> String {
    let ns = span.nanos();
    let units = [("ns", 1_u64), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    let fitting = units.iter().rposition(|(_, unit)| ns >= *unit).unwrap_or(0);
    if fitting == 0 {
        return if ns == 0 { "0s".to_owned() } else { format!("{ns}ns") };
    }
    let (name, unit) = units[fitting];
    let decimals = match ns / unit {
        0..10 => 3,
        10..100 => 2,
        100..1000 => 1,
        _ => 0,
    };
    let step = unit / 10_u64.pow(decimals);
    let rounded = (u128::from(ns) + u128::from(step) / 2) / u128::from(step);
    let scale = u128::from(10_u64.pow(decimals));
    if let Some((larger, _)) = units.get(fitting + 1)
        && rounded >= 1000 * scale
    {
        return format!("1{larger}");
    }
    let fraction = format!("{:0>1$}", rounded % scale, decimals as usize);
    let fraction = if decimals == 0 { "" } else { fraction.trim_end_matches('0') };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}{name}", rounded / scale)
}

/// A point of time to the millisecond, rounded down: `12.400s`.
pub(crate) fn moment(at: Time) -> String {
    let ms = at.nanos() / 1_000_000;
    format!("{}.{:03}s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lengths_have_four_digits_and_no_idle_zeros() {
        let cases = [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5us"),
            (166_666_667, "166.7ms"),
            (150_000_000, "150ms"),
            (1_204_400_000, "1.204s"),
            (999_999_999, "1s"),
            (999_949_999, "999.9ms"),
            (9_999_900, "10ms"),
            (5_000_000_000, "5s"),
            (12_345_600_000_000, "12346s"),
        ];
        for (ns, text) in cases {
            assert_eq!(short(Span::from_nanos(ns)), text);
        }
    }

    #[test]
    fn lines_hang_and_never_pass_the_width_unless_a_word_does() {
        let text = "word ".repeat(40) + &"x".repeat(100);
        let wrapped = wrap(&text, 10, true);
        let lines: Vec<_> = wrapped.lines().collect();
        assert!(lines[0].starts_with("word"));
        assert!(lines[1..].iter().all(|line| line.starts_with("          ")));
        assert!(lines.iter().filter(|line| width(line) > WIDTH).count() == 1);
        assert_eq!(wrapped.split_whitespace().count(), 41);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts: Vec<_> = [0, 999, 1_000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            (counted(1, "run"), counted(2, "run")),
            ("1 run".to_owned(), "2 runs".to_owned())
        );
        assert_eq!(moment(Time::from_nanos(12_400_999_999)), "12.400s");
    }
}

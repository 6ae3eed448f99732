//! Laying out text for people: wrapping, grouped numbers, counts with nouns, points of time.

use crate::time::Time;

/// The width of a report in columns. It does not depend on the terminal.
pub(crate) const WIDTH: usize = 80;

/// The width of `text`; every character counts as one column.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in lines of at most [`WIDTH`] columns, all indented by `indent`. A longer word has a line
/// of its own.
pub(crate) fn wrap(text: &str, indent: usize) -> String {
    let lines = wrap_hanging(text, indent);
    if lines.is_empty() { lines } else { format!("{:indent$}{lines}", "") }
}

/// As [`wrap`], but the first line is not indented: the caller has filled its first `indent`
/// columns.
pub(crate) fn wrap_hanging(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for (place, word) in text.split_whitespace().enumerate() {
        let wide = width(word);
        if place > 0 && column + 1 + wide > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if place > 0 {
            out.push(' ');
            column += 1;
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

/// `count` and the noun, in the plural unless `count` is 1.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// A point of time in milliseconds, rounded down: `12.400s`.
pub(crate) fn moment(at: Time) -> String {
    let ms = at.nanos() / 1_000_000;
    format!("{}.{:03}s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hang_and_never_pass_the_width_unless_a_word_does() {
        let text = "word ".repeat(40) + &"x".repeat(100);
        let wrapped = wrap_hanging(&text, 10);
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

//! Text in columns: wrapping, aligned numbers, lengths of time a person can take in.

use crate::time::Time;

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

/// A point of time to the millisecond, rounded down: `12.400s`.
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

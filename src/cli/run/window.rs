//! `--window A..B`: a stretch of virtual time as it is written.

use std::str::FromStr;

use crate::explain::chronicle::Window;
use crate::scenario;
use crate::time::{Span, Time};

/// A window, both ends counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct WindowArg(pub(super) Window);

/// Why a text is not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum WindowError {
    /// It has no `..`.
    #[error("write A..B in virtual time, as in 1s..2500ms")]
    Form,
    /// An end is no time.
    #[error("`{text}` is no time: {why}")]
    End { text: String, why: String },
    /// It does not end after it begins.
    #[error("it ends at {until}, which is not after {from}, where it begins")]
    Backwards { from: Span, until: Span },
}

impl FromStr for WindowArg {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (from, until) = text.split_once("..").ok_or(WindowError::Form)?;
        let end = |text: &str| {
            let text = text.trim();
            scenario::duration(text).map_err(|why| WindowError::End { text: text.to_owned(), why })
        };
        let (from, until) = (end(from)?, end(until)?);
        if from >= until {
            return Err(WindowError::Backwards { from, until });
        }
        Ok(Self(Window { from: Time::ZERO + from, until: Time::ZERO + until }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_times_and_the_second_is_later() {
        let ms = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let window = "1s..2500ms".parse::<WindowArg>().unwrap();
        assert_eq!(window, WindowArg(Window { from: ms(1_000), until: ms(2_500) }));
        assert_eq!("0s .. 1.5s".parse::<WindowArg>().unwrap().0.until, ms(1_500));
        assert_eq!("5s".parse::<WindowArg>(), Err(WindowError::Form));
        let told = |text: &str| text.parse::<WindowArg>().unwrap_err().to_string();
        assert_eq!(told("5s..1s"), "it ends at 1s, which is not after 5s, where it begins");
        assert!(told("1s..1s").contains("not after"), "{}", told("1s..1s"));
        assert!(
            told("1..2s").starts_with("`1` is no time: the unit is missing"),
            "{}",
            told("1..2s")
        );
        assert!(told("1s..2parsec").contains("`parsec` is no unit of time"));
        assert!(told("-1s..2s").contains("negative"));
    }
}

//! Measuring, breaking and shortening text.
//!
//! All widths come from the compiled-in font, so the layout is the same on every machine.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// The font family in SVG, with fallbacks for viewers without DejaVu Sans.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// How far capitals rise above the baseline, in em.
pub(super) const RISE: f64 = 0.73;
/// How far letters fall below the baseline, in em.
pub(super) const FALL: f64 = 0.21;
/// The distance from one baseline to the next, in em.
pub(super) const LEADING: f64 = 1.3;
/// The height of the font in em. The bitmap backend scales fonts by their height.
pub(super) const HEIGHT: f64 = 1.164;

/// The weight of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For everything except titles.
    Regular,
    /// For titles.
    Bold,
}

impl Weight {
    pub(super) fn style(self) -> FontStyle {
        match self {
            Self::Regular => FontStyle::Normal,
            Self::Bold => FontStyle::Bold,
        }
    }
}

/// The compiled-in font in `weight`, `size` units high.
pub(super) fn font(weight: Weight, size: f64) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let fonts =
            [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
        for (style, bytes) in fonts {
            assert!(register_font(FAMILY, style, bytes).is_ok(), "the compiled-in font is sound");
        }
    });
    FontDesc::new(FontFamily::Name(FAMILY), size, weight.style())
}

/// The width of `text` in pixels, at `size` pixels per em.
#[must_use]
pub fn text_width(text: &str, size: f64, weight: Weight) -> f64 {
    /// Widths are whole units: with a thousand per em the rounding is negligible.
    const UNITS: f64 = 1000.0;
    let ((left, _), (right, _)) = font(weight, UNITS * HEIGHT)
        .layout_box(text)
        .expect("the compiled-in font has been registered");
    f64::from(right - left) / UNITS * size
}

/// The width of the widest of `texts` in regular letters; 0 if there is none.
pub(super) fn widest<T: AsRef<str>>(texts: impl IntoIterator<Item = T>, size: f64) -> f64 {
    let widths = texts.into_iter().map(|text| text_width(text.as_ref(), size, Weight::Regular));
    widths.fold(0.0, f64::max)
}

/// `text` in at most `lines` lines of at most `width` pixels. If it does not fit, the last line
/// ends with an ellipsis.
///
/// Lines break between words, and inside a word only if it is wider than a line.
#[must_use]
pub fn wrapped(text: &str, size: f64, weight: Weight, width: f64, lines: usize) -> Vec<String> {
    let fits = |line: &str| text_width(line, size, weight) <= width;
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if fits(&joined) {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            out.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if !fits(&line) && line.chars().count() > 1 {
                line.pop();
                out.push(std::mem::replace(&mut line, letter.to_string()));
            }
        }
    }
    if !line.is_empty() {
        out.push(line);
    }
    if out.len() > lines {
        let rest = out.split_off(lines.saturating_sub(1)).join(" ");
        if lines > 0 {
            out.push(shortened(&rest, size, weight, width));
        }
    }
    out
}

/// `text` in at most `lines` lines of at most `width` pixels. If it does not fit, its middle is
/// left out: names mostly differ at their ends.
#[must_use]
pub fn abridged(text: &str, size: f64, weight: Weight, width: f64, lines: usize) -> Vec<String> {
    /// More letters than any label has room for.
    const MOST: usize = 240;
    let letters: Vec<char> = text.chars().collect();
    let without_middle = |kept: usize| -> String {
        let (mut head, mut tail) = (kept.div_ceil(2), letters.len() - kept / 2);
        // Cut between words, unless that loses a long word.
        let space = |letter: &char| letter.is_whitespace();
        head = letters[..head].iter().rposition(space).filter(|at| 2 * at > head).unwrap_or(head);
        let after = letters[tail..].iter().position(space);
        tail += after.filter(|skipped| 4 * skipped < kept).unwrap_or(0);
        letters[..head].iter().chain(&[' ', '…', ' ']).chain(&letters[tail..]).collect()
    };
    let whole = (letters.len() <= MOST).then(|| text.to_owned());
    let shorter = (1..letters.len().min(MOST)).rev().map(without_middle);
    whole
        .into_iter()
        .chain(shorter)
        .map(|candidate| wrapped(&candidate, size, weight, width, usize::MAX))
        .find(|found| found.len() <= lines)
        .unwrap_or_else(|| wrapped(text, size, weight, width, lines))
}

/// `text`, or the start of it with an ellipsis, in `width` pixels.
#[must_use]
pub fn shortened(text: &str, size: f64, weight: Weight, width: f64) -> String {
    if text_width(text, size, weight) <= width {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let candidate = format!("{}…", kept.trim_end());
        if text_width(&candidate, size, weight) <= width {
            return candidate;
        }
    }
    "…".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_grow_with_the_text_the_size_and_the_weight() {
        let width = |text, size, weight| text_width(text, size, weight);
        assert!(width("mm", 20.0, Weight::Regular) > width("m", 20.0, Weight::Regular));
        assert!(width("mm", 20.0, Weight::Bold) > width("mm", 20.0, Weight::Regular));
        let (small, large) =
            (width("quorum", 10.0, Weight::Regular), width("quorum", 20.0, Weight::Regular));
        assert!((large - 2.0 * small).abs() < 1e-9);
    }

    #[test]
    fn lines_keep_to_the_width_and_lose_nothing_unless_they_say_so() {
        let text = format!("a quorum of replicas {} acknowledged", "x".repeat(80));
        let fits = |line: &String| text_width(line, 20.0, Weight::Regular) <= 300.0;
        let all = wrapped(&text, 20.0, Weight::Regular, 300.0, 99);
        assert!(all.len() > 4 && all.iter().all(fits));
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        assert_eq!(letters(&all.concat()), letters(&text));
        let three = wrapped(&text, 20.0, Weight::Regular, 300.0, 3);
        assert!(three.len() == 3 && three.iter().all(fits) && three[2].ends_with('…'));
        let ends = abridged("first and some words and last", 20.0, Weight::Regular, 150.0, 1);
        assert!(ends.len() == 1 && ends[0].starts_with("first") && ends[0].ends_with("last"));
        assert_eq!(shortened("short", 20.0, Weight::Regular, 300.0), "short");
    }
}

//! "Did you mean": the known name that a misspelt one most likely stands for.

/// The longest name, in bytes, that is compared with others: the comparison takes quadratic time.
const LONGEST: usize = 64;

/// The name nearest to `wrong`, if it is near enough to be meant: at most a third of its letters
/// differ, or one. Case does not count, nor whether words are joined by `_` or `-`.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let lower = wrong.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, name), name))
        .filter(|(distance, name)| *distance <= (name.len().max(lower.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["write-quorum", "mode", "ack-timeout"];
        assert_eq!(nearest("Write_Qorum", known), Some("write-quorum"));
        assert_eq!(nearest("mod", known), Some("mode"));
        assert_eq!(nearest("seed", known), None);
        assert_eq!(nearest(&"mode".repeat(20), ["mode"]), None);
        assert_eq!(nearest(&"m".repeat(65), [&*"m".repeat(65)]), None);
        assert_eq!(nearest("ab", ["ac", "ab"]), Some("ab"));
        assert_eq!(nearest("MODE", known), Some("mode"));
        // Of nine letters three may differ and four may not; of two, one.
        assert_eq!(nearest("abcdefxyz", ["abcdefghi"]), Some("abcdefghi"));
        assert_eq!(nearest("abcdewxyz", ["abcdefghi"]), None);
        assert_eq!(nearest("ax", ["ab"]), Some("ab"));
    }
}

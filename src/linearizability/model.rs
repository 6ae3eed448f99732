//! Sequential objects: what a key holds, what an operation asks of it, and what its answer says.
//!
//! A checker need not know functions. Whatever an operation is called, on each of its keys it does
//! one [`Step`]: its answer says what the key held before ([`Expects`]), and it changes that
//! ([`Update`]). A [`Model`] turns what a client asked and was told into such a step.

use strum::{IntoStaticStr, VariantArray};

use crate::id::{KeyId, OpId};

/// The modulus of [`Content`]'s hash: the prime 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;
/// The base of [`Content`]'s hash: any number below the prime.
const BASE: u64 = 0x0bad_5eed_5b1e_55ed;

/// What a key holds: a value, or a sequence of symbols, by its hash, length and last symbol.
///
/// A value is one symbol, and what is appended to it takes its place. A list holds one symbol an
/// element. A text that operations append to holds one for each text written or appended. Two
/// symbols are equal where their values are. The hash is a polynomial modulo 2^61 - 1, so that what
/// two appended sequences make together is known from their hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    hash: u64,
    len: u32,
    last: u32,
}

impl Content {
    /// No symbol: the key does not exist. A text that is empty is not told from that.
    pub const ABSENT: Self = Self { hash: 0, len: 0, last: 0 };

    /// The value that the symbol stands for.
    #[must_use]
    #[inline]
    pub const fn value(symbol: u32) -> Self {
        Self { len: 0, ..Self::of(symbol) }
    }

    /// The sequence of the one symbol.
    #[must_use]
    #[inline]
    pub const fn of(symbol: u32) -> Self {
        // Never 0, which is the hash of nothing.
        Self { hash: (mix(symbol as u64) >> 4) + 1, len: 1, last: symbol }
    }

    /// These symbols, in this order.
    #[must_use]
    pub fn sequence(symbols: &[u32]) -> Self {
        symbols.iter().fold(Self::ABSENT, |content, symbol| content.then(Self::of(*symbol)))
    }

    /// These symbols and then those of `more`, which are a sequence.
    #[must_use]
    pub fn then(self, more: Self) -> Self {
        match (self.len, more.len) {
            (_, 0) => return self,
            (0, _) => return more,
            (_, _) => {}
        }
        let factor = if more.len == 1 { BASE } else { power(more.len) };
        let hash = reduced(times(self.hash, factor) + more.hash);
        Self { hash, len: self.len + more.len, last: more.last }
    }

    /// Whether the key does not exist.
    #[must_use]
    #[inline]
    pub const fn is_absent(self) -> bool {
        self.hash == 0
    }

    /// Whether it is a value, which what is appended takes the place of.
    pub(super) const fn is_value(self) -> bool {
        self.len == 0 && self.hash != 0
    }

    /// How many symbols a sequence has. 0 for a value.
    #[must_use]
    #[inline]
    pub(super) const fn count(self) -> u32 {
        self.len
    }

    /// The last symbol. `None` where the key does not exist.
    #[must_use]
    #[inline]
    pub const fn last(self) -> Option<u32> {
        if self.is_absent() { None } else { Some(self.last) }
    }

    /// The last symbol as a list, empty where the key does not exist.
    pub(super) fn last_as_list(&self) -> &[u32] {
        if self.is_absent() { &[] } else { std::slice::from_ref(&self.last) }
    }

    /// The symbol, where there is exactly one, be it a value or a sequence.
    #[must_use]
    #[inline]
    pub const fn only(self) -> Option<u32> {
        if self.len <= 1 { self.last() } else { None }
    }

    /// A number that differs, but for a chance of 2^-60, where the contents do.
    #[must_use]
    #[inline]
    pub const fn hash(self) -> u64 {
        self.hash ^ ((self.len as u64) << 61)
    }
}

/// Spreads the bits of a number: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
#[inline]
pub(super) const fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The product modulo the prime. Both factors are below it.
#[inline]
const fn times(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    reduced((product as u64 & PRIME) + (product >> 61) as u64)
}

/// The remainder of a number below twice the prime and a bit.
#[inline]
const fn reduced(number: u64) -> u64 {
    if number >= PRIME { number - PRIME } else { number }
}

fn power(exponent: u32) -> u64 {
    let (mut result, mut base, mut left) = (1, BASE, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        left >>= 1;
    }
    result
}

/// What an answer says that a key held when the operation took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expects {
    /// Nothing is said.
    Anything,
    /// Exactly this.
    Holds(Content),
    /// Anything but this: a compare-and-set was refused.
    HoldsNot(Content),
    /// The key did not exist.
    Absent {
        /// The operation that had removed it, where the answer tells. `zones` goes by it;
        /// the search does not.
        by: Option<OpId>,
    },
    /// The key existed; its value was not shown.
    Present,
    /// It was this value, or a sequence that ended with it.
    EndsWith(u32),
}

impl Expects {
    /// Exactly this; where it is nothing, that the key did not exist.
    #[must_use]
    pub const fn held(content: Content) -> Self {
        if content.is_absent() { Self::Absent { by: None } } else { Self::Holds(content) }
    }
}

/// What an operation makes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Update {
    /// It stays as it is.
    Nothing,
    /// It holds this from then on.
    Set(Content),
    /// This comes after what it holds.
    Append(Content),
    /// It does not exist any more.
    Remove,
}

impl Update {
    /// It holds this from then on; where it is nothing, it does not exist any more.
    const fn to(content: Content) -> Self {
        if content.is_absent() { Self::Remove } else { Self::Set(content) }
    }
}

/// What an operation did with one key, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The key.
    pub key: KeyId,
    /// What its answer says of the key.
    pub expects: Expects,
    /// What it makes of the key.
    pub change: Update,
}

impl Step {
    /// Reads the key.
    #[must_use]
    pub const fn read(key: KeyId, expects: Expects) -> Self {
        Self { key, expects, change: Update::Nothing }
    }

    /// Changes the key, whatever it holds.
    #[must_use]
    pub const fn write(key: KeyId, change: Update) -> Self {
        Self { key, expects: Expects::Anything, change }
    }

    /// What the key holds after the step, if it held `content` before. `None`: the answer says
    /// that it held something else.
    #[must_use]
    #[inline]
    pub fn apply(&self, content: Content) -> Option<Content> {
        let fits = match self.expects {
            Expects::Anything => true,
            Expects::Holds(expected) => content == expected,
            Expects::HoldsNot(refused) => content != refused,
            Expects::Absent { .. } => content.is_absent(),
            Expects::Present => !content.is_absent(),
            Expects::EndsWith(symbol) => content.last() == Some(symbol),
        };
        fits.then(|| match self.change {
            Update::Nothing => content,
            Update::Set(content) => content,
            Update::Append(more) => content.then(more),
            Update::Remove => Content::ABSENT,
        })
    }
}

/// A sequential object that a history may be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Model {
    /// One value: read and write.
    Register,
    /// One value: read, write and compare-and-set.
    CasRegister,
    /// Values by key: get, put, append and delete.
    Kv,
    /// A lock: acquire and release.
    Mutex,
}

/// What a client asked of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What does it hold?
    Read,
    /// Let it hold this.
    Write(Content),
    /// Let it hold `to` if it holds `from`.
    CompareAndSet {
        /// What it has to hold.
        from: Content,
        /// What it holds then.
        to: Content,
    },
    /// Put this after what it holds.
    Append(Content),
    /// Remove it.
    Delete,
    /// Take the lock when it is free.
    Acquire,
    /// Give back the lock.
    Release,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was done; and, of a read, nothing is said of what was there.
    Done,
    /// The key held this.
    Held(Content),
    /// A compare-and-set found something else and did nothing.
    Mismatch,
    /// No answer came: it may have been done, may yet be, or never.
    Unknown,
}

impl Model {
    /// Whether the model knows what is asked.
    #[must_use]
    pub const fn knows(self, input: Asked) -> bool {
        match input {
            Asked::Read | Asked::Write(_) => !matches!(self, Self::Mutex),
            Asked::CompareAndSet { .. } => matches!(self, Self::CasRegister | Self::Kv),
            Asked::Append(_) | Asked::Delete => matches!(self, Self::Kv),
            Asked::Acquire | Asked::Release => matches!(self, Self::Mutex),
        }
    }
}

impl Asked {
    /// What the key of a lock holds while a client has it. A lock that is free does not exist.
    pub const HELD: Content = Content::of(0);

    /// What a client's question and its answer say of `key`. `None`: nothing at all, as of a read
    /// without an answer, or where nothing is appended.
    #[must_use]
    pub fn step(self, key: KeyId, output: Answered) -> Option<Step> {
        let (expects, change) = match (self, output) {
            (Self::Read, Answered::Held(content)) => (Expects::held(content), Update::Nothing),
            (Self::Read, Answered::Done | Answered::Mismatch | Answered::Unknown) => return None,
            (Self::Append(Content::ABSENT), _) => return None,
            (Self::CompareAndSet { from, .. }, Answered::Mismatch) => {
                (Expects::HoldsNot(from), Update::Nothing)
            }
            (Self::Write(content), _) => (Expects::Anything, Update::to(content)),
            (Self::CompareAndSet { from, to }, _) => (Expects::held(from), Update::to(to)),
            (Self::Append(more), _) => (Expects::Anything, Update::Append(more)),
            (Self::Delete, _) => (Expects::Anything, Update::Remove),
            (Self::Acquire, _) => (Expects::Absent { by: None }, Update::Set(Self::HELD)),
            (Self::Release, _) => (Expects::Holds(Self::HELD), Update::Remove),
        };
        Some(Step { key, expects, change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_in_pieces_is_what_is_appended_at_once() {
        let symbols: Vec<u32> = (0..40).map(|i| i * 7 % 11).collect();
        for cut in 0..=symbols.len() {
            let (left, right) = symbols.split_at(cut);
            let joined = Content::sequence(left).then(Content::sequence(right));
            assert_eq!(joined, Content::sequence(&symbols));
        }
        assert_ne!(Content::sequence(&[1, 2]), Content::sequence(&[2, 1]));
        assert_ne!(Content::sequence(&[0]), Content::ABSENT);
        assert_ne!(Content::sequence(&[0, 0]), Content::sequence(&[0]));
    }

    /// The zones know removals and absent keys, and the search is for what they do not know.
    #[test]
    fn what_is_written_or_expected_may_be_nothing() {
        let (one, nothing) = (Content::of(1), Content::ABSENT);
        let absent = Expects::Absent { by: None };
        let cas = |from, to| Asked::CompareAndSet { from, to };
        for (input, output, step) in [
            (Asked::Write(nothing), Answered::Done, Some((Expects::Anything, Update::Remove))),
            (Asked::Append(nothing), Answered::Done, None),
            (Asked::Read, Answered::Held(nothing), Some((absent, Update::Nothing))),
            (cas(nothing, one), Answered::Done, Some((absent, Update::Set(one)))),
            (cas(one, nothing), Answered::Done, Some((Expects::Holds(one), Update::Remove))),
        ] {
            let found = input.step(KeyId(0), output).map(|step| (step.expects, step.change));
            assert_eq!(found, step, "{input:?} {output:?}");
        }
    }

    #[test]
    fn a_step_takes_place_where_the_answer_fits() {
        let (one, two) = (Content::of(1), Content::of(2));
        let key = KeyId(0);
        let step = |input: Asked, output| input.step(key, output).expect("it says something");
        let cas = Asked::CompareAndSet { from: one, to: two };
        for (input, output, before, after) in [
            (Asked::Read, Answered::Held(one), one, Some(one)),
            (Asked::Read, Answered::Held(one), two, None),
            (Asked::Read, Answered::Held(Content::ABSENT), one, None),
            (Asked::Write(two), Answered::Done, one, Some(two)),
            (cas, Answered::Done, one, Some(two)),
            (cas, Answered::Done, two, None),
            (cas, Answered::Mismatch, two, Some(two)),
            (cas, Answered::Mismatch, one, None),
            (cas, Answered::Unknown, one, Some(two)),
            (Asked::Append(two), Answered::Done, one, Some(one.then(two))),
            (Asked::Delete, Answered::Done, one, Some(Content::ABSENT)),
            (Asked::Acquire, Answered::Done, Content::ABSENT, Some(Content::of(0))),
            (Asked::Acquire, Answered::Done, Content::of(0), None),
            (Asked::Release, Answered::Done, Content::ABSENT, None),
        ] {
            assert_eq!(step(input, output).apply(before), after, "{input:?} {output:?}");
        }
        assert_eq!(Asked::Read.step(key, Answered::Unknown), None);
        // An element takes the place of a value, and comes after another.
        let value = Content::value(1);
        assert_eq!((value.then(two), one.then(two)), (two, Content::sequence(&[1, 2])));
        assert!(value != one && value.only() == Some(1) && !value.is_absent());
        let read = |expects| Step::read(key, expects).apply(one.then(two)).is_some();
        assert!(read(Expects::EndsWith(2)) && !read(Expects::EndsWith(1)));
        assert!(read(Expects::Present) && !read(Expects::Absent { by: None }));
    }
}

//! The digest of a run, and the portable hasher that gives it content.
//!
//! A derived `Hash` writes integers in the machine's byte order and lengths in its word size.
//! [`Digest`] writes every integer little-endian with a fixed width, and every length and enum tag
//! as 64 bits, so a run has the same digest on every platform. The exception is a slice of integers
//! wider than a byte: a derived `Hash` writes its memory as it is. Messages hold such numbers in
//! structs instead.

use std::fmt;
use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::Xxh3Default;

const BUFFER: usize = 4096;

/// xxh3 over everything written, in order. As a [`Hasher`] it takes whatever derives `Hash`.
#[derive(Clone)]
pub struct Digest {
    // Small writes are collected here first: calling the hash function for each message would cost
    // more than the message.
    buffer: [u8; BUFFER],
    used: usize,
    hash: Xxh3Default,
}

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: [0; BUFFER], used: 0, hash: Xxh3Default::new() }
    }

    /// The digest of everything written so far.
    #[must_use]
    pub fn value(&self) -> DigestValue {
        let mut hash = self.hash.clone();
        hash.update(&self.buffer[..self.used]);
        DigestValue(hash.digest())
    }

    /// Writes the head of an event (its time, and who does what) at once.
    #[inline]
    pub(crate) fn write_pair(&mut self, first: u64, second: u64) {
        self.put((u128::from(second) << 64 | u128::from(first)).to_le_bytes());
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        // One bounds check finds the place or that the buffer is full.
        let place = self.buffer.get_mut(self.used..).and_then(|rest| rest.first_chunk_mut::<N>());
        if let Some(place) = place {
            *place = bytes;
            self.used += N;
        } else {
            self.flush();
            self.put(bytes);
        }
    }

    #[cold]
    fn flush(&mut self) {
        self.hash.update(&self.buffer[..self.used]);
        self.used = 0;
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.value())
    }
}

/// The value of a digest, shown as sixteen hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DigestValue(pub u64);

impl fmt::Display for DigestValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Writes the integer methods of a portable hasher: little-endian, `usize` and `isize` as 64 bits.
macro_rules! portable_integers {
    ($put:ident) => {
        #[inline]
        fn write_u8(&mut self, i: u8) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_u16(&mut self, i: u16) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_u32(&mut self, i: u32) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_u64(&mut self, i: u64) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_u128(&mut self, i: u128) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_usize(&mut self, i: usize) {
            self.write_u64(i as u64);
        }
        #[inline]
        fn write_i8(&mut self, i: i8) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_i16(&mut self, i: i16) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_i32(&mut self, i: i32) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_i64(&mut self, i: i64) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_i128(&mut self, i: i128) {
            self.$put(i.to_le_bytes());
        }
        #[inline]
        fn write_isize(&mut self, i: isize) {
            self.write_i64(i as i64);
        }
    };
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.value().0
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.used + bytes.len() > BUFFER {
            self.flush();
            if bytes.len() > BUFFER {
                self.hash.update(bytes);
                return;
            }
        }
        self.buffer[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    portable_integers!(put);
}

/// A cheap portable hash of something small, such as a timer's name. It keys draws and tables, but
/// is no part of a digest itself.
pub(crate) fn name_hash<T: Hash + ?Sized>(name: &T) -> u64 {
    let mut hasher = NameHasher(0xcbf2_9ce4_8422_2325);
    name.hash(&mut hasher);
    hasher.finish()
}

/// The hasher behind [`name_hash`]. The simulation's own tables use it too, for it is
/// deterministic.
#[derive(Clone, Default)]
pub(crate) struct NameHasher(u64);

impl NameHasher {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let mut word = [0; 16];
        word[..N].copy_from_slice(&bytes);
        let word = u128::from_le_bytes(word);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
        let folded = word as u64 ^ (word >> 64) as u64;
        let product = u128::from(self.0 ^ folded ^ 0x2d35_8dcc_aa6c_78a5)
            * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
        {
            self.0 = product as u64 ^ (product >> 64) as u64;
        }
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.put(word);
        }
    }

    portable_integers!(put);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Hash)]
    enum Sample {
        #[expect(dead_code, reason = "gives the other variant a tag above zero")]
        Empty,
        Full {
            small: u8,
            wide: u32,
            signed: i64,
            text: &'static str,
            bytes: Vec<u8>,
            length: usize,
        },
    }

    /// The bytes are written out by hand: a change of platform, width or order shows here.
    #[test]
    fn content_is_fixed_width_little_endian_with_lengths_as_u64() {
        let sample = Sample::Full {
            small: 7,
            wide: 0x0102_0304,
            signed: -2,
            text: "hi",
            bytes: vec![9, 8],
            length: 5,
        };
        let mut digest = Digest::new();
        sample.hash(&mut digest);
        let mut expected = vec![1, 0, 0, 0, 0, 0, 0, 0, 7, 4, 3, 2, 1];
        expected.extend([254, 255, 255, 255, 255, 255, 255, 255, b'h', b'i', 255]);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 9, 8, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(digest.buffer[..digest.used], expected[..]);
        assert_eq!(digest.value().0, xxhash_rust::xxh3::xxh3_64(&expected));
    }

    #[test]
    fn buffering_does_not_show() {
        let bytes: Vec<u8> = (0..5_000_u32).map(|i| (i % 251) as u8).collect();
        for step in [1, 7, 1000, 4096, 4097, 5000] {
            let mut digest = Digest::new();
            for chunk in bytes.chunks(step) {
                digest.write(chunk);
            }
            assert_eq!(digest.value().0, xxhash_rust::xxh3::xxh3_64(&bytes), "in steps of {step}");
        }
    }
}

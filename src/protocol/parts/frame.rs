//! The framing of records in a file, and their replay.
//!
//! A frame is a header of 36 bytes and the record, encoded by postcard. The header, in
//! little-endian integers: length and checksum of the record (u32 each); term, sequence, and how
//! many bytes of the file were known to be durable when the record was written (u64 each); the
//! checksum of these five (u32). A checksum is the lower half of XXH3, which of short records costs
//! a fraction of a CRC.
//!
//! That last offset tells two kinds of damage apart. What was not synced may be torn by a power
//! loss, so damage at the end is a *torn tail*, and recovery cuts it off: nobody was promised
//! anything on the strength of it. Damage below an offset that any later header calls durable is
//! *corruption*: cutting there would throw away records that promises were made on. (cqlite #1390
//! and nodedb #164 are stores that could not tell, and dropped them.) No later header vouches for
//! the last batch: a bit that flips there cannot be told from a torn tail.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

const HEADER: usize = 36;

/// What a file's records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay<R> {
    /// The whole records, in the order in which they were appended.
    pub records: Vec<R>,
    /// How many bytes they take: where the next append belongs.
    pub length: u64,
    /// How many bytes follow that are no whole record: a tail torn by a crash.
    pub torn: u64,
    /// The sequence of the last record; 0 for none, or for records that were not numbered.
    pub sequence: u64,
    /// The checksums of the records, chained.
    pub digest: u64,
}

/// Damage to what had been durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the log is damaged at byte {at}, and {durable} bytes of it had been durable")]
pub struct Corruption {
    /// Where the first damaged record starts.
    pub at: u64,
    /// How many bytes of the file a later record says were durable.
    pub durable: u64,
}

/// What a frame says besides its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) term: u64,
    /// Rises by one a record; 0 in records that are not numbered.
    pub(crate) sequence: u64,
    /// How many bytes before it are known to be durable.
    pub(crate) durable: u64,
}

/// Appends the frame of `record` to `bytes`.
pub(crate) fn encode<R: Serialize>(stamp: Header, record: &R, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEADER]);
    let framed = postcard::serialize_with_flavor(record, InPlace(bytes));
    framed.expect("a record of plain data encodes");
    seal(stamp, &mut bytes[start..]);
}

/// Writes the header of a frame, whose record is there already.
fn seal(stamp: Header, frame: &mut [u8]) {
    let (header, content) = frame.split_at_mut(HEADER);
    let length = u32::try_from(content.len()).expect("a record is below 4 GiB");
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&sum(content).to_le_bytes());
    header[8..16].copy_from_slice(&stamp.term.to_le_bytes());
    header[16..24].copy_from_slice(&stamp.sequence.to_le_bytes());
    header[24..32].copy_from_slice(&stamp.durable.to_le_bytes());
    let checksum = sum(&header[..32]);
    header[32..].copy_from_slice(&checksum.to_le_bytes());
}

/// The checksum of these bytes.
#[expect(clippy::cast_possible_truncation, reason = "half of it is enough")]
fn sum(bytes: &[u8]) -> u32 {
    xxh3_64(bytes) as u32
}

/// A record that is put together where it is to stay.
struct InPlace<'a>(&'a mut Vec<u8>);

impl Flavor for InPlace<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if data.len() > LONGEST_INTEGER {
            self.0.extend_from_slice(data);
        } else {
            // Most of what comes is an integer: byte by byte it costs less than a call that copies
            // it.
            self.0.reserve(LONGEST_INTEGER);
            data.iter().for_each(|byte| self.0.push(*byte));
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The most bytes that postcard takes for an integer of 64 bits.
const LONGEST_INTEGER: usize = 10;

/// Reads records until the end of `bytes`, a torn tail, or corruption.
///
/// # Errors
///
/// When what is damaged had been durable.
pub fn replay<R: DeserializeOwned>(bytes: &[u8]) -> Result<Replay<R>, Corruption> {
    let replayed = salvage(bytes);
    let whole = bytes.len() - usize::try_from(replayed.torn).expect("no more than there are");
    // Every place may be where an undamaged header starts: the damage may have hit a length.
    let vouched = (whole + 1..bytes.len()).filter_map(|at| Some((at, header(&bytes[at..])?.1)));
    let durable = vouched.filter(|(at, stamp)| stamp.durable <= *at as u64);
    match durable.map(|(_, stamp)| stamp.durable).max() {
        Some(durable) if durable > replayed.length => {
            Err(Corruption { at: replayed.length, durable })
        }
        _ => Ok(replayed),
    }
}

/// Reads records until the end of `bytes` or the first that is not whole, whether that had been
/// durable or not.
pub(crate) fn salvage<R: DeserializeOwned>(bytes: &[u8]) -> Replay<R> {
    let mut records = Vec::new();
    let (mut rest, mut last, mut digest) = (bytes, 0, 0);
    while let Some((stamp, record, after)) = decode_first(rest) {
        // A record out of its place is what is left of an older file.
        if !records.is_empty() && stamp.sequence != 0 && stamp.sequence != last + 1 {
            break;
        }
        last = stamp.sequence;
        records.push(record);
        digest = chain(digest, checksum(rest));
        rest = after;
    }
    let torn = rest.len() as u64;
    Replay { records, length: bytes.len() as u64 - torn, torn, sequence: last, digest }
}

/// The checksum of the record whose frame `bytes` start with.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// The digest of records that end in one of this checksum, from the digest of those before it.
pub(crate) const fn chain(digest: u64, checksum: u32) -> u64 {
    // Odd, so that nothing is multiplied away, and large, so that the order of records counts.
    (digest ^ checksum as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

fn decode_first<R: DeserializeOwned>(bytes: &[u8]) -> Option<(Header, R, &[u8])> {
    let ((length, checksum), stamp) = header(bytes)?;
    let rest = &bytes[HEADER..];
    let content = rest.get(..usize::try_from(length).ok()?)?;
    if checksum != sum(content) {
        return None;
    }
    let record = postcard::from_bytes(content).ok()?;
    Some((stamp, record, &rest[content.len()..]))
}

/// Length and checksum of the record behind the header that `bytes` start with, and its stamp;
/// `None` when they start with no undamaged header.
fn header(bytes: &[u8]) -> Option<((u32, u32), Header)> {
    let header = bytes.first_chunk::<HEADER>()?;
    let short = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let long = |at: usize| u64::from(short(at)) | u64::from(short(at + 4)) << 32;
    if short(32) != sum(&header[..32]) {
        return None;
    }
    Some(((short(0), short(4)), Header { term: long(8), sequence: long(16), durable: long(24) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log of these records, of which those before `durable` were synced one by one; and where
    /// each starts.
    fn log<R: Serialize>(records: &[R], durable: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for (sequence, record) in (1..).zip(records) {
            let start = bytes.len();
            let synced = if starts.len() < durable {
                start
            } else {
                starts.get(durable).map_or(start, |at| *at)
            };
            starts.push(start);
            encode(Header { term: 1, sequence, durable: synced as u64 }, record, &mut bytes);
        }
        starts.push(bytes.len());
        (bytes, starts)
    }

    #[test]
    fn a_cut_anywhere_in_what_was_not_synced_leaves_the_whole_records_before_it() {
        let records = [String::from("Raleigh"), String::new(), String::from("clear")];
        let (bytes, ends) = log(&records, 0);
        for cut in 0..=bytes.len() {
            let whole = ends[1..].iter().filter(|end| **end <= cut).count();
            let replayed = replay::<String>(&bytes[..cut]).expect("nothing was durable");
            assert_eq!(replayed.records, records[..whole], "cut at {cut}");
            assert_eq!(
                (replayed.length, replayed.torn),
                (ends[whole] as u64, (cut - ends[whole]) as u64)
            );
            assert_eq!(replayed.sequence, whole as u64);
        }
    }

    /// Anomaly 38: a bit of record 3 of 10 flips, and a replay that takes it for a torn tail drops
    /// records 4 to 10.
    #[test]
    fn a_flipped_bit_below_what_was_durable_is_corruption_wherever_it_is() {
        let records: Vec<u64> = (0..10).map(|i| i << 40).collect();
        let (bytes, starts) = log(&records, 10);
        for at in starts[2]..starts[3] {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let found = replay::<u64>(&damaged);
                let corruption = Corruption { at: starts[2] as u64, durable: starts[9] as u64 };
                assert_eq!(found, Err(corruption), "bit {bit} of byte {at}");
                assert_eq!(salvage::<u64>(&damaged).records, records[..2]);
            }
        }
        let shown = Corruption { at: 86, durable: 387 }.to_string();
        assert_eq!(shown, "the log is damaged at byte 86, and 387 bytes of it had been durable");
    }

    #[test]
    fn the_last_batch_has_nobody_to_vouch_for_it() {
        let records: Vec<u64> = (0..5).collect();
        let (mut bytes, starts) = log(&records, 3);
        bytes[starts[3] + HEADER] ^= 1;
        assert_eq!(replay::<u64>(&bytes).map(|replayed| replayed.records), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn what_an_older_file_left_behind_is_no_record_of_this_one() {
        let (mut bytes, starts) = log(&[7_u64, 8, 9], 0);
        bytes.drain(starts[1]..starts[2]);
        assert_eq!(replay::<u64>(&bytes).map(|replayed| replayed.records), Ok(vec![7]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200_000, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let replayed = replay::<(u64, String)>(&bytes).expect("no header is in noise");
            prop_assert_eq!(replayed.length + replayed.torn, bytes.len() as u64);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 50_000, ..ProptestConfig::default() })]

        /// Any damage to bytes that were appended: what is replayed is a prefix, and it is an error
        /// exactly when something durable is missing from it and a header behind the damage is left
        /// to tell.
        #[test]
        fn damage_leaves_a_prefix_or_an_error(
            records in proptest::collection::vec(any::<(u64, u8)>(), 1..8),
            durable in 0..8_usize,
            damage in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 0..4),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let (mut bytes, starts) = log(&records, durable);
            let whole = bytes.clone();
            for (at, flip) in damage {
                bytes[at.index(whole.len())] ^= flip;
            }
            // What is flipped twice may be whole again.
            let damaged = whole.iter().zip(&bytes).position(|(before, now)| before != now);
            let mut first = damaged.unwrap_or(whole.len());
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
                first = first.min(bytes.len());
            }
            match replay::<(u64, u8)>(&bytes) {
                Ok(replayed) => {
                    prop_assert_eq!(&replayed.records[..], &records[..replayed.records.len()]);
                    prop_assert!(starts[replayed.records.len()] == replayed.length as usize);
                }
                Err(Corruption { at, durable: vouched }) => {
                    prop_assert!(at as usize <= first && first < vouched as usize);
                    prop_assert!(vouched as usize <= starts[durable.min(records.len())]);
                }
            }
        }
    }
}

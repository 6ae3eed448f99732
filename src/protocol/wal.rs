//! Framing of records in a file: length, checksum, content; and their replay up to a torn tail.
//!
//! A frame is the content's length (u32, little-endian), the CRC-32 of length and content (u32, little-endian),
//! and the content, encoded by postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

const HEADER: usize = 8;

/// What a file's records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay<R> {
    /// The whole records, in the order in which they were appended.
    pub records: Vec<R>,
    /// How many bytes they take: where the next append belongs.
    pub length: u64,
    /// How many bytes follow that are no whole record: a tail torn by a crash.
    pub torn: u64,
}

/// Appends the frame of `record` to `bytes`.
pub(crate) fn encode<R: Serialize>(record: &R, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend([0; HEADER]);
    let mut framed =
        postcard::to_extend(record, std::mem::take(bytes)).expect("a record of plain data encodes");
    let length = u32::try_from(framed.len() - start - HEADER).expect("a record is below 4 GiB");
    framed[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(length, &framed[start + HEADER..]);
    framed[start + 4..start + HEADER].copy_from_slice(&checksum.to_le_bytes());
    *bytes = framed;
}

/// Reads records until the end of `bytes` or the first frame that is not whole.
pub(crate) fn replay<R: DeserializeOwned>(bytes: &[u8]) -> Replay<R> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((record, after)) = decode_first(rest) {
        records.push(record);
        rest = after;
    }
    let torn = rest.len() as u64;
    Replay { records, length: bytes.len() as u64 - torn, torn }
}

fn decode_first<R: DeserializeOwned>(bytes: &[u8]) -> Option<(R, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let [a, b, c, d, e, f, g, h] = *header;
    let length = u32::from_le_bytes([a, b, c, d]);
    let content = rest.get(..usize::try_from(length).ok()?)?;
    if u32::from_le_bytes([e, f, g, h]) != checksum(length, content) {
        return None;
    }
    let record = postcard::from_bytes(content).ok()?;
    Some((record, &rest[content.len()..]))
}

fn checksum(length: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cut_anywhere_leaves_the_whole_records_before_it() {
        let records = [String::from("Raleigh"), String::new(), String::from("clear")];
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for record in &records {
            encode(record, &mut bytes);
            ends.push(bytes.len());
        }
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end > 0 && **end <= cut).count();
            let replayed = replay::<String>(&bytes[..cut]);
            assert_eq!(replayed.records, records[..whole], "cut at {cut}");
            assert_eq!(
                (replayed.length, replayed.torn),
                (ends[whole] as u64, (cut - ends[whole]) as u64)
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let replayed = replay::<(u64, String)>(&bytes);
            prop_assert_eq!(replayed.length + replayed.torn, bytes.len() as u64);
        }

        #[test]
        fn a_flipped_bit_ends_the_replay_at_its_record(
            records in proptest::collection::vec(any::<(u64, u8)>(), 1..6), at in any::<prop::sample::Index>(), bit in 0..8,
        ) {
            let mut bytes = Vec::new();
            for record in &records { encode(record, &mut bytes); }
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let replayed = replay::<(u64, u8)>(&bytes);
            prop_assert!(replayed.records.len() < records.len());
            prop_assert_eq!(&replayed.records[..], &records[..replayed.records.len()]);
        }
    }
}

//! What a numbered log ought to have when its node restarts, for the replay checker.
//!
//! This is kept beside the bytes and no node reads it: the checker trusts neither the framing of
//! records nor their replay.

use crate::protocol::parts::frame;

/// What was written to one log, and how much of it is synced.
#[derive(Debug, Default)]
pub(crate) struct WrittenLog {
    /// The checksum of every record written, from sequence 1 on.
    checksums: Vec<u32>,
    /// The last record that a completed sync covered. A sync of a lying disk counts: the node
    /// relied on it.
    synced: u64,
}

/// What a node read of its log when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRead {
    pub(crate) records: u64,
    pub(crate) last: u64,
    pub(crate) digest: u64,
}

/// What was written, held against that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogAccount {
    pub(crate) written: u64,
    pub(crate) synced: u64,
    /// Whether the records read are those that were written under their sequences.
    pub(crate) same: bool,
}

impl WrittenLog {
    /// A record is appended.
    pub(super) fn append(&mut self, sequence: u64, checksum: u32) {
        debug_assert_eq!(sequence, self.written() + 1, "a log is numbered without gaps");
        self.checksums.push(checksum);
    }

    /// A sync that covers the records up to `sequence` completes.
    pub(super) fn sync(&mut self, sequence: u64) {
        // A sync of a process that died may complete after the next process has reused its
        // sequences.
        self.synced = self.synced.max(sequence.min(self.written()));
    }

    /// The last record written.
    pub(super) fn written(&self) -> u64 {
        self.checksums.len() as u64
    }

    /// A node starts from what it `read`, and numbers its next records behind that.
    pub(crate) fn resume(&mut self, read: LogRead) -> LogAccount {
        let Self { checksums, synced } = self;
        let known = checksums.len();
        let place = |sequence: u64| usize::try_from(sequence).expect("records in memory");
        let (start, end) = (place(read.last - read.records), place(read.last));
        let written = checksums.get(start..end);
        let chained = |records: &[u32]| records.iter().fold(0, |d, c| frame::chain(d, *c));
        let account = LogAccount {
            written: known as u64,
            synced: *synced,
            same: written.is_some_and(|records| chained(records) == read.digest),
        };
        checksums.resize(end, 0);
        *synced = (*synced).min(read.last);
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(checksums: &[u32], last: u64) -> LogRead {
        let digest = checksums.iter().fold(0, |digest, checksum| frame::chain(digest, *checksum));
        LogRead { records: checksums.len() as u64, last, digest }
    }

    fn written() -> WrittenLog {
        let mut log = WrittenLog::default();
        for (sequence, checksum) in (1..).zip([10, 20, 30]) {
            log.append(sequence, checksum);
        }
        log.sync(2);
        log
    }

    #[test]
    fn it_knows_the_records_by_their_sequence() {
        let account = |same| LogAccount { written: 3, synced: 2, same };
        let cases = [
            (read(&[10, 20, 30], 3), true),
            (read(&[10, 20], 2), true),
            (read(&[30], 3), true),
            (read(&[], 3), true),
            (read(&[20, 10], 2), false),
            (read(&[10, 20, 31], 3), false),
            (read(&[10, 20, 30, 40], 4), false),
        ];
        for (read, same) in cases {
            assert_eq!(written().resume(read), account(same), "{read:?}");
        }
    }

    #[test]
    fn what_was_lost_is_reported_once_and_its_sequences_are_reused() {
        let mut log = written();
        assert_eq!(log.resume(read(&[10], 1)), LogAccount { written: 3, synced: 2, same: true });
        log.append(2, 21);
        log.sync(2);
        assert_eq!(
            log.resume(read(&[10, 21], 2)),
            LogAccount { written: 2, synced: 2, same: true }
        );
    }
}

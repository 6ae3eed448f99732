//! A node's disk.
//!
//! Fault model: the process sees at once what it writes, and finds it again after a crash. A sync
//! makes durable, when it completes, all that was written to its file before it was asked for;
//! syncs of one disk complete in the order in which they were asked for. A power loss keeps what
//! was synced and, of the bytes appended since, a drawn prefix that may end in the middle of a
//! record (a torn tail). Of the truncations and replacements that are not durable yet, a draw
//! chooses how many happened; what a sync before them made durable stays durable.
//!
//! A sync takes its drawn latency and, where the disk has a rate, the writing of what it makes
//! durable. A byte is written once, by the first sync that covers it, whether or not that sync is
//! done when the next one is asked for. A replacement writes all of its bytes. What was cut before
//! any sync covered it is never written, and a truncation itself writes nothing. A node's files
//! share its disk. A lying disk takes as long as an honest one.
//!
//! Faults ([`DiskFault`]):
//!
//! - a full disk takes no append and no replacement, and says so;
//! - a lying disk completes syncs that make nothing durable;
//! - a torn write leaves all of what a power loss finds unsynced, with a hole of zeros in it;
//! - a bit flips in what was written;
//! - a node cannot start from a disk that cannot be read;
//! - a slow disk completes syncs later, by a time that does not depend on how much they write. When
//!   the fault ends, a sync under way completes at once, or
//!   when it would have without the fault, whichever is later.

use crate::config::{Disk, DiskFault};
use crate::protocol::parts::frame;
use crate::protocol::{DiskError, DiskImage, DiskOperation, DiskOrigin, File, Ticket};
use crate::rng::{CausalId, Cause, Draws, Purpose};
use crate::time::{Span, Time};

use super::queue::Handle;
use written::WrittenLog;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
pub(super) mod written;

/// The longest hole of a torn write, in bytes.
const SECTOR: u64 = 512;

/// The room that a file is given with its first record, in bytes.
const FIRST_ROOM: usize = 4096;

/// The disk of one node.
#[derive(Debug, Default)]
pub(crate) struct NodeDisk {
    origin: DiskOrigin,
    /// By file. A node has one or two, so a linear search beats any map.
    files: Vec<(File, FileContents)>,
    /// When the last sync that was asked for completes.
    busy_until: Time,
    syncs: Vec<Sync>,
    faults: Vec<ActiveFault>,
}

/// A fault that is on.
#[derive(Debug)]
struct ActiveFault {
    index: u32,
    /// What keys its draws.
    id: CausalId,
    what: DiskFault,
}

/// What a protocol asks of a disk, but for the operation itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskCall<'a> {
    pub(crate) ticket: Ticket,
    pub(crate) file: File,
    pub(crate) at: Time,
    pub(crate) id: CausalId,
    pub(crate) draws: &'a Draws,
    /// How long a sync takes.
    pub(crate) settings: &'a Disk,
}

/// A sync that completes sooner because a fault is over: by which event until now, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sooner {
    pub(crate) ticket: Ticket,
    pub(crate) event: Handle,
    pub(crate) at: Time,
}

/// The end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) at: Time,
    pub(crate) result: Result<(), DiskError>,
    /// Whether a fault slows it: when that ends, it may complete sooner.
    pub(crate) is_slowed: bool,
}

#[derive(Debug, Default)]
struct FileContents {
    /// As the process sees it.
    now: Edition,
    /// What it was before each truncation or replacement that is not yet durable, the oldest first.
    before: Vec<Edition>,
    /// What a numbered log in it ought to have.
    log: WrittenLog,
    /// How many records were appended to it.
    appended: u64,
    /// How many of these are durable, or met a power loss, which decided whether they survive.
    decided: u64,
}

/// A file between two truncations or replacements.
#[derive(Debug, Default)]
struct Edition {
    number: u64,
    written: Vec<u8>,
    /// How many bytes of it are durable, provided that the edit that made this edition is.
    synced: usize,
    /// How many bytes of it a sync has begun to write.
    begun: usize,
    /// The length of the prefix that it shares with the edition before it.
    shared: usize,
}

/// A sync under way.
#[derive(Debug)]
struct Sync {
    ticket: Ticket,
    file: File,
    /// The edition of the file that it makes durable.
    edition: u64,
    /// How many bytes of it.
    covers: usize,
    /// The last record of a numbered log that it makes durable.
    sequence: u64,
    /// How many records had been appended when it was asked for.
    appended: u64,
    progress: SyncTiming,
}

/// When a sync under way completes.
#[derive(Debug)]
struct SyncTiming {
    asked_at: Time,
    /// When the sync before it completes.
    starts_at: Time,
    takes: Span,
    ends_at: Time,
    /// What faults add to that, where there are any.
    slowed: Option<Box<Slowed>>,
}

/// What slows a sync.
#[derive(Debug)]
struct Slowed {
    /// What each fault, by its index, adds.
    by: Vec<(u32, Span)>,
    /// The event of its completion.
    event: Option<Handle>,
}

impl SyncTiming {
    /// When it completes as things are.
    fn ends(&self) -> Time {
        let ends = self.starts_at.later(self.takes);
        let by = self.slowed.iter().flat_map(|slowed| &slowed.by);
        by.fold(ends, |ends, (_, longer)| ends.later(*longer))
    }
}

impl NodeDisk {
    /// Does what a protocol asks; when the operation completes, where that is announced.
    pub(crate) fn perform(
        &mut self,
        call: &DiskCall<'_>,
        operation: &DiskOperation,
        bytes: &[u8],
    ) -> Option<Done> {
        let DiskCall { ticket, file, at: now, id, draws, settings } = *call;
        let writes =
            matches!(operation, DiskOperation::Append { .. } | DiskOperation::Replace { .. });
        if writes && self.is_full() {
            return Some(Done { at: now, result: Err(DiskError::Full), is_slowed: false });
        }
        let contents = contents_of(&mut self.files, file);
        match *operation {
            DiskOperation::Append { start, end, sequence } => {
                if contents.now.written.capacity() == 0 {
                    // Saves the first reallocations of a file, which usually grows.
                    contents.now.written.reserve(FIRST_ROOM);
                }
                contents.now.written.extend_from_slice(&bytes[start..end]);
                contents.appended += 1;
                if sequence > 0 {
                    contents.log.append(sequence, frame::checksum(&bytes[start..end]));
                }
                return None;
            }
            DiskOperation::TruncateSuffix { length } => {
                let length = usize::try_from(length).map_or(usize::MAX, |length| length);
                if length < contents.now.written.len() {
                    let kept = contents.now.written[..length].to_vec();
                    contents.edit(kept, length);
                }
                return None;
            }
            DiskOperation::Replace { start, end } => {
                contents.edit(bytes[start..end].to_vec(), 0);
                // All or nothing: the bytes are on the platter before the new name is.
                contents.now.synced = contents.now.written.len();
            }
            DiskOperation::Sync => {}
        }
        let (edition, covers) = (contents.now.number, contents.now.written.len());
        let (sequence, appended) = (contents.log.written(), contents.appended);
        let latency = settings.sync.sample(|index| draws.draw(Purpose::Sync, id, index));
        let unwritten = covers - std::mem::replace(&mut contents.now.begun, covers);
        let takes = settings.rate.map_or(latency, |rate| plus_writing(latency, unwritten, rate));
        let slowed = if self.faults.is_empty() { None } else { self.slowed(id, draws) };
        let is_slowed = slowed.is_some();
        let (starts_at, ends_at) = (self.busy_until.max(now), Time::ZERO);
        let mut progress = SyncTiming { asked_at: now, starts_at, takes, ends_at, slowed };
        progress.ends_at = progress.ends();
        self.busy_until = progress.ends_at;
        self.syncs.push(Sync { ticket, file, edition, covers, sequence, appended, progress });
        Some(Done { at: self.busy_until, result: Ok(()), is_slowed })
    }

    /// By how much each fault makes this sync longer.
    #[cold]
    fn slowed(&self, id: CausalId, draws: &Draws) -> Option<Box<Slowed>> {
        let longer = |fault: &ActiveFault| {
            let DiskFault::Slow(longer) = &fault.what else { return None };
            let id = id.child(Cause::Fault, fault.id.get(), 0);
            Some((fault.index, longer.sample(|index| draws.draw(Purpose::FaultDelay, id, index))))
        };
        let by: Vec<_> = self.faults.iter().filter_map(longer).collect();
        (!by.is_empty()).then(|| Box::new(Slowed { by, event: None }))
    }

    /// Notes the event of the completion of a sync that a fault makes longer.
    pub(crate) fn completes_by(&mut self, ticket: Ticket, event: Handle) {
        let mut slowed = self.syncs.iter_mut().filter(|sync| sync.ticket == ticket);
        if let Some(slowed) = slowed.find_map(|sync| sync.progress.slowed.as_mut()) {
            slowed.event = Some(event);
        }
    }

    /// A fault starts.
    pub(crate) fn begin(&mut self, index: u32, id: CausalId, what: DiskFault) {
        self.faults.push(ActiveFault { index, id, what });
    }

    /// The fault of this index is over; the syncs that complete sooner for it.
    pub(crate) fn end(&mut self, index: u32, now: Time) -> Vec<Sooner> {
        self.faults.retain(|fault| fault.index != index);
        let mut sooner = Vec::new();
        let mut before: Option<Time> = None;
        for Sync { ticket, progress, .. } in &mut self.syncs {
            if let Some(slowed) = &mut progress.slowed {
                slowed.by.retain(|(other, _)| *other != index);
            }
            if let Some(before) = before {
                progress.starts_at = before.max(progress.asked_at);
            }
            let ends = progress.ends();
            before = Some(ends);
            let at = ends.max(now);
            if let Some(event) = progress.slowed.as_ref().and_then(|slowed| slowed.event)
                && at < progress.ends_at
            {
                progress.ends_at = at;
                sooner.push(Sooner { ticket: *ticket, event, at });
            }
        }
        self.busy_until = before.unwrap_or(self.busy_until);
        sooner
    }

    /// Whether a sync of this ticket is under way.
    pub(crate) fn is_syncing(&self, ticket: Ticket) -> bool {
        self.syncs.iter().any(|sync| sync.ticket == ticket)
    }

    fn has(&self, fault: &DiskFault) -> bool {
        self.faults.iter().any(|other| other.what == *fault)
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        !self.faults.is_empty() && self.has(&DiskFault::Full)
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        self.has(&DiskFault::ReadError)
    }

    /// Flips a drawn bit of this byte, or of a drawn one, counted through all files; the byte and
    /// the bit, or `None` where there is no such byte.
    pub(crate) fn flip_bit(
        &mut self,
        byte: Option<u64>,
        draws: &Draws,
        id: CausalId,
    ) -> Option<(u64, u64)> {
        let bytes = self.files.iter_mut().flat_map(|(_, file)| &mut file.now.written);
        let mut bytes: Vec<&mut u8> = bytes.collect();
        let drawn = draws.below(Purpose::DiskFault, id, 0, bytes.len() as u64);
        let (at, bit) = (byte.unwrap_or(drawn), draws.below(Purpose::DiskFault, id, 1, 8));
        **bytes.get_mut(usize::try_from(at).ok()?)? ^= 1 << bit;
        Some((at, bit))
    }

    /// A sync completes, whether or not the process that asked for it still lives.
    pub(crate) fn complete(&mut self, ticket: Ticket) {
        // A power loss drops the syncs under way; the events of their completion come all the same.
        let Some(at) = self.syncs.iter().position(|sync| sync.ticket == ticket) else { return };
        let Sync { file, edition, covers, sequence, appended, .. } = self.syncs.remove(at);
        let lies = self.has(&DiskFault::LostWrite);
        let contents = contents_of(&mut self.files, file);
        contents.log.sync(sequence);
        contents.decided = contents.decided.max(appended);
        if !lies {
            contents.settle(edition, covers);
        }
    }

    /// How many records become durable when this sync completes, by what the disk says: a lying
    /// disk counts them too.
    pub(crate) fn records_of(&self, ticket: Ticket) -> u64 {
        let Some(sync) = self.syncs.iter().find(|sync| sync.ticket == ticket) else { return 0 };
        let of_file = self.files.iter().find(|(file, _)| *file == sync.file);
        let decided = of_file.map_or(0, |(_, contents)| contents.decided);
        sync.appended.saturating_sub(decided)
    }

    /// Whether anything on it would not surely survive a power loss.
    pub(crate) fn has_unsynced(&self) -> bool {
        let is_durable = |(_, file): &(File, FileContents)| {
            file.before.is_empty() && file.now.synced == file.now.written.len()
        };
        !self.files.iter().all(is_durable)
    }

    /// What the numbered log in `file` ought to have.
    pub(crate) fn written_log(&mut self, file: File) -> &mut WrittenLog {
        &mut contents_of(&mut self.files, file).log
    }

    /// Whether any numbered log on it had records.
    pub(crate) fn had_records(&self) -> bool {
        self.files.iter().any(|(_, file)| file.log.written() > 0)
    }

    /// The machine loses power: what was not durable is gone, but for what the draws of `id` leave.
    pub(crate) fn lose_power(&mut self, draws: &Draws, id: CausalId) {
        self.syncs.clear();
        self.busy_until = Time::ZERO;
        let torn = self.has(&DiskFault::TornWrite);
        for (index, (_, contents)) in (0..).zip(&mut self.files) {
            // Any edition since the last durable one may be the one on the platter.
            let editions = contents.before.len() as u64 + 1;
            let chosen = draws.below(Purpose::PowerLoss, id, 2 * index, editions);
            let chosen = usize::try_from(chosen).expect("one of the editions");
            let number = contents.now.number;
            if chosen < contents.before.len() {
                contents.now = contents.before.swap_remove(chosen);
            }
            contents.before.clear();
            let Edition { written, synced, .. } = &mut contents.now;
            let unsynced = (written.len() - *synced) as u64;
            if torn {
                let draw = |i, below| {
                    let drawn = draws.below(Purpose::DiskFault, id, 2 * index + i, below);
                    usize::try_from(drawn).expect("at most what was written")
                };
                let start = *synced + draw(0, unsynced);
                let end = start + 1 + draw(1, SECTOR);
                let end = end.min(written.len());
                written[start.min(end)..end].fill(0);
            } else {
                let kept = draws.below(Purpose::PowerLoss, id, 2 * index + 1, unsynced + 1);
                written
                    .truncate(*synced + usize::try_from(kept).expect("at most what was written"));
            }
            // What is read back after a power loss is on the platter.
            *synced = written.len();
            contents.now.begun = contents.now.synced;
            contents.decided = contents.appended;
            contents.now.number = number + 1;
        }
    }

    /// Puts an empty disk in its place.
    pub(crate) fn wipe(&mut self) {
        *self = Self { origin: DiskOrigin::Replaced, ..Self::default() };
    }

    /// A node has started with it: at the next start the node has had this disk before.
    pub(crate) fn is_taken(&mut self) {
        self.origin = DiskOrigin::Kept;
    }

    /// What a restarted process reads.
    pub(crate) fn image(&self) -> DiskImage {
        let files = self.files.iter();
        DiskImage::new(
            self.origin,
            files.map(|(file, contents)| (*file, contents.now.written.clone())).collect(),
        )
    }
}

/// How long a sync of this latency takes that writes so many bytes, at `rate` bytes a second.
fn plus_writing(latency: Span, bytes: usize, rate: u64) -> Span {
    let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate);
    let nanos = nanos.saturating_add(latency.nanos().into()).min(Span::MAX.nanos().into());
    Span::from_nanos(u64::try_from(nanos).expect("at most the longest span"))
}

/// What is in a file; an empty one is made when it is first asked for.
#[inline]
fn contents_of(files: &mut Vec<(File, FileContents)>, file: File) -> &mut FileContents {
    let place = match files.iter().position(|(other, _)| *other >= file) {
        Some(place) if files[place].0 == file => place,
        place => {
            let place = place.unwrap_or(files.len());
            files.insert(place, (file, FileContents::default()));
            place
        }
    };
    &mut files[place].1
}

impl FileContents {
    /// Replaces the content by `written`, which begins with the first `shared` bytes of it.
    fn edit(&mut self, written: Vec<u8>, shared: usize) {
        let (synced, begun) = (self.now.synced.min(shared), self.now.begun.min(shared));
        let edition = Edition { number: self.now.number + 1, written, synced, begun, shared };
        self.before.push(std::mem::replace(&mut self.now, edition));
    }

    /// Makes the first `covers` bytes of the edition `number` durable: no earlier edition comes
    /// back, and later editions have durable what they share of these bytes.
    fn settle(&mut self, number: u64, covers: usize) {
        self.before.retain(|edition| edition.number >= number);
        let mut durable = covers;
        for edition in self.before.iter_mut().chain([&mut self.now]) {
            if edition.number > number {
                durable = durable.min(edition.shared);
            }
            edition.synced = edition.synced.max(durable);
        }
    }
}

//! The stamps of writes: what a node notes, and writes down where nothing else shows it.
//!
//! Most stamps are shown by the writes in a node's log and in states that others send. What these do
//! not show (a delete that found nothing to erase, a clear of nothing, a write that was older than
//! what its key held, the number of a state) is kept and sent beside them: [`Record::Seen`],
//! [`super::Installed::seen`].

use crate::id::Version;
use crate::protocol::Context;

use super::LeaderFollower;
use super::storage::Record;

impl LeaderFollower {
    /// Takes note of the stamp of whatever this node takes in, however it came by it; whether its
    /// timestamp is the newest so far.
    #[inline]
    pub(super) fn note(&mut self, version: Version) -> bool {
        self.stamps.note(version, self.me)
    }

    /// Takes note of a stamp that nothing this node stores will show, in its log too.
    pub(super) fn note_apart(&mut self, version: Version, cx: &mut Context<'_, Self>) {
        if self.note(version) {
            self.log_stamps(cx);
        }
    }

    /// The version of the next write: a timestamp, and how many writes this node has stamped.
    pub(super) fn stamp(&mut self, cx: &Context<'_, Self>) -> Version {
        self.stamps.stamp(self.config.timestamps, self.me, self.term(), cx.wall())
    }

    /// Gives a stamp that no record of a write will show.
    pub(super) fn stamp_apart(&mut self, cx: &mut Context<'_, Self>) -> Version {
        let version = self.stamp(cx);
        self.log_stamps(cx);
        version
    }

    /// Writes down which stamps there were, for want of another record that shows it.
    pub(super) fn log_stamps(&mut self, cx: &mut Context<'_, Self>) {
        let record = self.stamps_record();
        self.log_record(self.term(), || record, cx);
    }

    /// The record of the stamps that there were.
    pub(super) const fn stamps_record(&self) -> Record {
        Record::Seen { newest: self.stamps.newest(), stamped: self.stamps.given() }
    }
}

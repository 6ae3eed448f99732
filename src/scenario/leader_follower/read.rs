//! `[protocol.leader-follower.read]` and `[protocol.leader-follower.anti-entropy]`.

use crate::protocol::leader_follower::{Reads, RepairAnswer};
use crate::scenario::keys::{Section, interval, keys, positive_duration, words};
use crate::time::Span;

/// The settings without this table.
pub(super) const DEFAULT: Reads =
    Reads { timeout: Span::from_secs(5), answer: RepairAnswer::AfterRepair };

const REPAIR: [(&str, RepairAnswer); 2] =
    [("before-answer", RepairAnswer::AfterRepair), ("after-answer", RepairAnswer::BeforeRepair)];

/// The table of reads.
pub(super) fn section() -> Section<Reads> {
    Section::new("How the node asked coordinates a read of several replicas.", DEFAULT).with(
        keys! { |reads: Reads|
            /// How long it waits for replicas, and for their repair.
            "timeout" => reads.timeout, positive_duration();
            /// When a read that repairs does so: before the client is answered, or after.
            "repair" => reads.answer, words(REPAIR);
        },
    )
}

/// The table of anti-entropy: its interval, or `None` if it is off.
pub(super) fn anti_entropy() -> Section<Option<Span>> {
    Section::new("Replicas compare what they store in the background.", None).with(keys! {
        |every: Option<Span>|
        /// How often each node compares with another, with all in turn.
        "interval" => *every, interval().or_word("off");
    })
}

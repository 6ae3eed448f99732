//! `[protocol.leader-follower.wal]`.

use std::num::NonZeroU32;

use crate::protocol::leader_follower::{WalOn, WalSettings};
use crate::protocol::parts::wal::Policy;
use crate::scenario::keys::{
    Format, Gate, Given, Needs, Section, choice, integer, keys, positive_duration, words,
};
use crate::time::Span;

/// The settings without this table.
pub(super) const DEFAULT: WalSettings =
    WalSettings { policy: Policy::Off, checkpoint_every: None, on: WalOn::All };

const ON: [(&str, WalOn); 2] = [("all", WalOn::All), ("leader", WalOn::Leader)];
const BUFFERED: Policy = Policy::Buffered { sync_every: Span::from_secs(1) };

/// The table.
pub(super) fn section() -> Section<WalSettings> {
    let policies = vec![Policy::Off, BUFFERED, Policy::Fsync, Policy::GroupCommit];
    let records: Format<NonZeroU32> = integer(1..=u32::MAX).convert(
        |records| NonZeroU32::new(records).unwrap_or(NonZeroU32::MIN),
        |records| Some(records.get()),
    );
    Section::new("The write-ahead log under the store.", DEFAULT).with(keys! { |wal: WalSettings|
        /// When a write is durable, and whether anything waits for it.
        "policy" => wal.policy, choice(policies, |policy| policy.name());
        /// With policy `buffered`: how long a write is left unsynced.
        "sync-every" => wal.policy => Policy::Buffered { sync_every } => sync_every,
            positive_duration(), needs(Needs {
                key: "policy",
                what: "the policy `buffered`",
                why: "no other policy syncs by the clock",
                set: |wal| wal.policy = BUFFERED,
            });
        /// After how many records what is stored is written down and the log cut.
        "checkpoint-every" => wal.checkpoint_every, records.or_word("off"), gate(cuts_a_log);
        /// Which nodes keep a log: all, or the leader alone, who has to be the same for ever.
        "on" => wal.on, words(ON), checked(is_kept),
            written_if(|wal| wal.policy != Policy::Off);
    })
}

/// Whether there is a log; also if a mistake in `policy` leaves that open.
fn has_log(given: &Given<'_, '_, WalSettings>) -> bool {
    given.draft.value.policy != Policy::Off || !given.draft.is_right("policy")
}

fn cuts_a_log(given: &Given<'_, '_, WalSettings>) -> Gate {
    if has_log(given) || given.element.is_text("off") {
        return Gate::Read;
    }
    if given.is_left_behind("policy") {
        return Gate::Ignore;
    }
    given.wrong("`checkpoint-every` needs a log", "the policy is `off`: there is nothing to cut")
}

fn is_kept(on: WalOn, given: &Given<'_, '_, WalSettings>) -> Option<WalOn> {
    if on == WalOn::Leader && !has_log(given) && !given.is_left_behind("policy") {
        return given.element.wrong("`on` needs a log", "the policy is `off`: nobody keeps one");
    }
    Some(on)
}

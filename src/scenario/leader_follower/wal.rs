//! `[protocol.leader-follower.wal]`.

use std::num::NonZeroU32;

use crate::protocol::leader_follower::{WalOn, WalSettings};
use crate::protocol::parts::wal::Policy;
use crate::scenario::keys::{
    Format, Gate, Needs, Section, Setting, choice, integer, key, part, positive_duration, words,
};
use crate::time::Span;

/// What holds when the table is not there.
pub(super) const DEFAULT: WalSettings =
    WalSettings { policy: Policy::Off, checkpoint_every: None, on: WalOn::All };

const ON: [(&str, WalOn); 2] = [("all", WalOn::All), ("leader", WalOn::Leader)];
const BUFFERED: Policy = Policy::Buffered { sync_every: Span::from_secs(1) };

/// The table.
pub(super) fn section() -> Section<WalSettings> {
    let policies = vec![Policy::Off, BUFFERED, Policy::Fsync, Policy::GroupCommit];
    Section::new("The write-ahead log under the store.", DEFAULT)
        .key(key(
            "policy",
            "When a write is durable, and whether anything waits for it.",
            choice(policies, |policy| policy.name()),
            |wal| &mut wal.policy,
        ))
        .key(sync_every())
        .key(checkpoint_every())
        .key(on())
}

fn sync_every() -> Setting<WalSettings, Span> {
    part(
        "sync-every",
        "With policy `buffered`: how long a write is left unsynced.",
        positive_duration(),
        |wal: &mut WalSettings| match &mut wal.policy {
            Policy::Buffered { sync_every } => Some(sync_every),
            _ => None,
        },
    )
    .needs(Needs {
        key: "policy",
        what: "the policy `buffered`",
        why: "no other policy syncs by the clock",
        set: |wal| wal.policy = BUFFERED,
    })
}

fn checkpoint_every() -> Setting<WalSettings, Option<NonZeroU32>> {
    let records: Format<NonZeroU32> = integer(1..=u32::MAX).convert(
        |records| NonZeroU32::new(records).unwrap_or(NonZeroU32::MIN),
        |records| Some(records.get()),
    );
    key(
        "checkpoint-every",
        "After how many records what is stored is written down and the log cut.",
        records.or_word("off"),
        |wal: &mut WalSettings| &mut wal.checkpoint_every,
    )
    .gate(|given| {
        let has_log = given.draft.value.policy != Policy::Off || !given.draft.is_right("policy");
        if has_log || given.element.is_text("off") {
            return Gate::Read;
        }
        if given.is_left_behind("policy") {
            return Gate::Ignore;
        }
        given
            .wrong("`checkpoint-every` needs a log", "the policy is `off`: there is nothing to cut")
    })
}

fn on() -> Setting<WalSettings, WalOn> {
    key(
        "on",
        "Which nodes keep a log: all, or the leader alone, who has to be the same for ever.",
        words(ON),
        |wal: &mut WalSettings| &mut wal.on,
    )
    .checked(|on, given| {
        let has_log = given.draft.value.policy != Policy::Off || !given.draft.is_right("policy");
        if on == WalOn::Leader && !has_log && !given.is_left_behind("policy") {
            return given
                .element
                .wrong("`on` needs a log", "the policy is `off`: nobody keeps one");
        }
        Some(on)
    })
    .written_if(|wal| wal.policy != Policy::Off)
}

//! How a read came to miss a write: what the replica that answered had of the write at that moment.
//!
//! What became of the write later does not matter for an answer that was given before. Either the
//! node had not received the write yet (it was on its way, lost or blocked, or arrived while the
//! node was down), or it had dropped the write or restarted without it, or it still led although it
//! had been deposed. For a read of several replicas the question is asked of each counted replica,
//! at the time of its own reply.

use crate::check::{Mechanism, words};
use crate::config::Config;
use crate::id::{NodeId, OpId};
use crate::metrics::Leadership;
use crate::protocol::{Observation, Relation};
use crate::sim::{Finished, Passage, WriteEvent, WriteEventKind};
use crate::time::Time;

use super::classify::{Copies, CopyState, of_discard};
use super::losses::FollowedWrite;

/// How a read missed a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissedWrite {
    pub(super) mechanism: Mechanism,
    /// In words: `n2 answered at 3.1 s: that write, sent by n1 at 3.05 s, was on its way`.
    pub(super) text: String,
}

/// What the replica that answered `read` had of `write`, according to `write_events`. `None` if it
/// had the write, or if that is unknown.
pub(super) fn missed(
    config: &Config,
    run: &Finished,
    write: &FollowedWrite,
    write_events: &[WriteEvent],
    read: OpId,
) -> Option<MissedWrite> {
    let entry = run.history.entry(read);
    let node = entry.node?;
    let answers = |event: &WriteEvent| {
        let in_time = event.node == node && event.at <= entry.completed_at;
        in_time && event.what == WriteEventKind::Answered { read }
    };
    let place = write_events.iter().rposition(answers)?;
    let (at, before) = (write_events[place].at, &write_events[..place]);
    let witness = Observer { config, run, write };
    let replies = replies(before, (node, read));
    if replies.is_empty() {
        let lack = witness.lack(node, before, at)?;
        let text = format!("{node} answered at {at} s: {}", lack.text);
        return Some(MissedWrite { text, ..lack });
    }
    witness.missed_by_all((node, at), before, &replies)
}

/// The replicas whose replies reached the coordinator, each with the place of its reply in
/// `before`.
fn replies(before: &[WriteEvent], (coordinator, read): (NodeId, OpId)) -> Vec<(NodeId, usize)> {
    let heard = before.iter().enumerate().filter_map(|(place, event)| match event.what {
        WriteEventKind::Heard { read: r, from } if r == read && event.node == coordinator => {
            Some((place, from))
        }
        _ => None,
    });
    let mut replies: Vec<(NodeId, usize)> = Vec::new();
    for (place, from) in heard {
        let is_it = |event: &WriteEvent| {
            event.node == from && event.what == WriteEventKind::Replied { read }
        };
        if let Some(said) = before[..place].iter().rposition(is_it)
            && replies.iter().all(|(node, _)| *node != from)
        {
            replies.push((from, said));
        }
    }
    replies
}

struct Observer<'a> {
    config: &'a Config,
    run: &'a Finished,
    write: &'a FollowedWrite,
}

impl Observer<'_> {
    fn copies(&self, before: &[WriteEvent]) -> Copies {
        let mut copies = Copies::default();
        let subject = self.write.subject(self.run);
        before.iter().for_each(|event| copies.see(event, subject));
        copies
    }

    /// None of the replicas that a read counted had the write. The coordinator looked at its own
    /// copy first.
    fn missed_by_all(
        &self,
        (coordinator, at): (NodeId, Time),
        before: &[WriteEvent],
        replies: &[(NodeId, usize)],
    ) -> Option<MissedWrite> {
        let first = replies.iter().map(|(_, place)| *place).min()?;
        let counted = std::iter::once((coordinator, first)).chain(replies.iter().copied());
        let mut mechanism = Mechanism::QuorumMissed;
        let (mut nodes, mut texts) = (Vec::new(), Vec::new());
        for (node, place) in counted {
            nodes.push(node);
            let Some(lack) = self.lack(node, &before[..place], before[place].at) else { continue };
            // That one of them had had it and lost it is why they did not overlap with those that
            // had it.
            if !matches!(lack.mechanism, Mechanism::NotYetThere | Mechanism::DeposedLeader) {
                mechanism = lack.mechanism;
            }
            texts.push(format!("{node}: {}", lack.text));
        }
        if texts.is_empty() {
            return None;
        }
        let copies = self.copies(before);
        let has_it = copies.by_node.iter().filter(|(_, copied)| **copied == CopyState::Has);
        let has_it = has_it.map(|(node, _)| *node).filter(|node| !nodes.contains(node));
        let holders: Vec<NodeId> = has_it.collect();
        if !holders.is_empty() {
            texts.push(format!("it was on {}", words::nodes(&holders)));
        }
        let (counted, texts) = (words::nodes(&nodes), texts.join("; "));
        let text = format!("{coordinator} answered at {at} s for {counted}: {texts}");
        Some(MissedWrite { mechanism, text })
    }

    /// Why `node` did not show the write at `now`, after what was seen `before`.
    fn lack(&self, node: NodeId, before: &[WriteEvent], now: Time) -> Option<MissedWrite> {
        let here = || before.iter().rev().filter(|event| event.node == node);
        match self.copies(before).by_node.get(&node) {
            Some(CopyState::Has) => {
                let by_a_higher = here().find_map(|event| match event.what {
                    WriteEventKind::Superseded { by } => Some((event.at, by)),
                    _ => None,
                });
                let (at, by) = by_a_higher?;
                let text = format!(
                    "it had taken another write in the place of that one at {at} s, for its \
                     version {} is higher",
                    by.version
                );
                Some(MissedWrite { mechanism: Mechanism::OlderTimestamp, text })
            }
            Some(copied) => {
                let (at, mechanism) = copied.end(false)?;
                let how = mechanism.phrase();
                let text = if matches!(copied, CopyState::Dropped { .. }) {
                    format!("it had had that write, and lost it at {at} s: {how}")
                } else {
                    format!(
                        "it had gone down with that write at {at} s and started again without it: \
                         {how}"
                    )
                };
                Some(MissedWrite { mechanism, text })
            }
            None => {
                let refused = here().find_map(|event| match event.what {
                    WriteEventKind::Observed(Observation::Discard { reason, .. }) => {
                        Some((event.at, reason))
                    }
                    _ => None,
                });
                if let Some((at, reason)) = refused {
                    let text = format!(
                        "it had dropped that write at {at} s, when it came: {}",
                        reason.phrase()
                    );
                    return Some(MissedWrite { mechanism: of_discard(reason), text });
                }
                Some(self.deposed(node, now).unwrap_or_else(|| MissedWrite {
                    mechanism: Mechanism::NotYetThere,
                    text: self.not_yet(node, before),
                }))
            }
        }
    }

    /// The node still leads although another has begun to.
    fn deposed(&self, node: NodeId, now: Time) -> Option<MissedWrite> {
        let leads = |led: &&Leadership| {
            led.node == node && led.from <= now && led.until.is_none_or(|until| until >= now)
        };
        let mine = self.run.leaderships.iter().rev().find(leads)?;
        let newer = self.run.leaderships.iter().rev().find(|led| {
            led.node != node && mine.from < led.from && led.from <= now && led.term >= mine.term
        })?;
        let text = format!(
            "it still took itself for the leader, of term {}, and had not heard that {} has led \
             in term {} since {} s",
            mine.term, newer.node, newer.term, newer.from
        );
        Some(MissedWrite { mechanism: Mechanism::DeposedLeader, text })
    }

    /// What had become of the last message that carried the write to the node.
    fn not_yet(&self, node: NodeId, before: &[WriteEvent]) -> String {
        let last = before.iter().rev().find_map(|event| {
            let WriteEvent { at, node: on, what, .. } = *event;
            let what = match what {
                WriteEventKind::Delivered { from, relation: Relation::Carries } if on == node => {
                    format!("that write had come from {from} at {at} s and was not taken in")
                }
                WriteEventKind::Undelivered { from, relation: Relation::Carries } if on == node => {
                    format!("it was down when that write came from {from} at {at} s")
                }
                WriteEventKind::Sent { to, relation: Relation::Carries, passage } if to == node => {
                    let became = match passage {
                        Passage::Travels => "was on its way".to_owned(),
                        Passage::Lost | Passage::Blocked(_) | Passage::Held(_) => {
                            format!("was {}", passage.text(self.config, self.run.history.names()))
                        }
                    };
                    format!("that write, sent by {on} at {at} s, {became}")
                }
                _ => return None,
            };
            Some(what)
        });
        last.unwrap_or_else(|| "nobody had sent it that write yet".to_owned())
    }
}

//! The ledger of the replicated log: what nodes say of their logs, held against one another.
//!
//! Six properties, each judged at every observation ([`Property`] names the sources):
//!
//! - **votes**: a node votes for two candidates in one term, or its term goes back
//! - **log-matching**: two logs have one entry of a term and index, and differ in it or in the one
//!   before
//! - **leader-append-only**: a node that leads cuts its log
//! - **leader-completeness**: a node leads a term without an entry committed in an earlier one
//! - **state-machine-safety**: two nodes commit different entries at one index, or have different
//!   states after it, or what one has committed or applied goes back
//! - **committed-durable**: an entry is committed that no quorum has durably, or is lost by all
//!
//! A term goes back where a role has a lower one than an earlier role or vote of the same life, or
//! than the last vote or an entry of the log that a node starts with; and where a vote is of a
//! lower term than the vote before. An entry is committed in the term of the node that is the
//! first to commit it, under the configuration that is the latest in that node's log. What a
//! snapshot covers a node has, durably. Two logs are compared while both have the entry: what a
//! crash or a cut took out of a log is compared no more. Of a leadership that is over when an
//! entry is committed in an earlier term it is known where the log ended with which it began, and
//! not what was in it.
//!
//! A log is what its node says: [`Observation::Append`](crate::protocol::Observation::Append) puts
//! an entry behind the last one, or in the place of one and of all behind it. A node that starts
//! says again what its log has, in the step in which it recovers; what it does not say then is
//! lost.
//!
//! An observation costs O(1), a committed entry O(nodes). What every node has applied is compared
//! no more, and forgotten; a node that stays down, or never says what it applies, keeps everything
//! from then on, some 70 bytes an index. A start costs the entries that are not forgotten, and so
//! does a leadership, if any of them are committed.

use crate::property::Property;

use super::evidence::Evidence;
use super::report::{Finding, Verdict, Witness};

pub use breach::{Breach, How, Moment};
pub use findings::{Examined, LogFindings};
pub use ledger::LogLedger;

#[cfg(test)]
mod any_story;
mod breach;
pub(super) mod findings;
mod ledger;
mod listener;
mod node;
mod slots;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;

/// The finding on `property`, one of [`LogLedger::PROPERTIES`]. Unchecked where the run had nothing
/// that could break it.
pub(super) fn check(evidence: &Evidence<'_>, property: Property) -> Finding {
    let LogFindings { breaches, examined, unexamined } =
        evidence.log.expect("only runs with a log are judged by it");
    let (count, figure, lacking) = if property == Property::Votes {
        (examined.votes, "votes", "no node voted")
    } else if matches!(property, Property::LogMatching | Property::LeaderAppendOnly) {
        (examined.appended, "appended", "no node appended an entry to its log")
    } else if property == Property::StateMachineSafety {
        (
            examined.committed + examined.applied,
            "committed_or_applied",
            "no node committed an entry",
        )
    } else {
        (examined.committed, "committed", "no node committed an entry")
    };
    let breach = breaches.iter().find(|breach| breach.property == property);
    let verdict = match (breach, unexamined) {
        (Some(breach), _) => Verdict::Invalid(Witness {
            summary: breach.sentence(),
            count: 1,
            nodes: vec![breach.node],
            ..Witness::default()
        }),
        (None, Some(why)) => Verdict::Unchecked((*why).to_owned()),
        (None, None) if count == 0 => Verdict::Unchecked(lacking.to_owned()),
        (None, None) => Verdict::Valid,
    };
    Finding::new(verdict, vec![(figure, count)])
}

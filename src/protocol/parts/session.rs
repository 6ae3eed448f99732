//! What clients were answered, so that a retry is not applied twice: at most one application of
//! each operation (Raft section 8; Ongaro's thesis, section 6.3).
//!
//! A leader may crash between committing an entry and answering it. The client then asks the next
//! leader again, and the log has the operation twice. So the state machine keeps, for each client,
//! the sequence of its last operation and the answer to it. Every node has the same sessions after
//! the same entries: they are part of its state, and of each snapshot.
//!
//! A protocol with a log asks before it applies an entry, and notes the answer when it has applied
//! it:
//!
//! ```
//! use std::num::NonZeroU32;
//! use splitbrain::history::Failure;
//! use splitbrain::id::ClientId;
//! use splitbrain::protocol::parts::session::{Attempt, Sessions};
//! use splitbrain::protocol::Session;
//!
//! let mut counter = 0;
//! let mut sessions = Sessions::<u32>::new(NonZeroU32::MIN);
//! let mut apply = |client, sequence| -> Option<Result<u32, Failure>> {
//!     let session = Session { client: ClientId(client), sequence };
//!     match sessions.begin(session) {
//!         Attempt::New => {
//!             counter += 1;
//!             sessions.complete(session, counter);
//!             Some(Ok(counter))
//!         }
//!         Attempt::Repeated(answer) => Some(Ok(*answer)),
//!         // `Outcome::Unknown`: an attempt before may have been applied.
//!         Attempt::Expired => Some(Err(Failure::SessionExpired)),
//!         // Its client waits for a later one.
//!         Attempt::Outdated => None,
//!     }
//! };
//! assert_eq!(apply(1, 1), Some(Ok(1)));
//! assert_eq!(apply(1, 1), Some(Ok(1)), "a retry");
//! assert_eq!(apply(1, 2), Some(Ok(2)));
//! assert_eq!(apply(1, 1), None, "a copy that was long on its way");
//! // There is room for one session: this one takes the place of the other.
//! assert_eq!(apply(2, 1), Some(Ok(3)));
//! assert_eq!(apply(1, 2), Some(Err(Failure::SessionExpired)));
//! assert_eq!(apply(1, 3), Some(Ok(4)));
//! ```
//!
//! # Expiry
//!
//! There is room for so many sessions. When a client without one asks, the session that was not
//! used for longest is evicted, counted in entries of the log, so that all nodes evict the same.
//! From then on a client without a session is one that was never here or one that was evicted, and
//! nobody can tell which: its operation may have been applied before. It is not applied, its
//! outcome is unknown, and a session is opened so that the client's next operation goes through.
//!
//! The thesis has clients register instead. A client that is evicted there stops for good. Here it
//! goes on, at a price: where an old copy of an *earlier* operation opens the session after an
//! eviction, a retry of a later one is taken for new, although it may have been applied before.
//! Have room for more clients than there are, and nobody is ever evicted.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::digest::name_hash;
use crate::id::ClientId;
use crate::protocol::Session;

/// The sessions of all clients, with answers of type `A`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sessions<A> {
    /// How many there may be.
    max: NonZeroU32,
    by_client: BTreeMap<ClientId, Known<A>>,
    /// Whose session was used when, the longest ago first.
    by_use: BTreeMap<u64, ClientId>,
    /// How many entries were asked about.
    uses: u64,
    /// Whether a session was ever evicted.
    has_evicted: bool,
    /// The hashes of all sessions, combined.
    hash: u64,
}

/// What is known of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Known<A> {
    /// Its last operation.
    sequence: u32,
    /// `None` if that may have been applied before the session was opened.
    answer: Option<A>,
    /// When the session was last used.
    used: u64,
}

impl<A> Known<A> {
    /// Without the answer, which follows from the state of the store and the entry.
    fn hash_of(&self, client: ClientId) -> u64 {
        name_hash(&(client, self.sequence, self.answer.is_some(), self.used))
    }
}

/// What an entry of the log is, before it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<'a, A> {
    /// It was not applied before: apply it.
    New,
    /// This very operation was applied before, and answered so: do not apply it, answer the same.
    Repeated(&'a A),
    /// A later operation of the client was applied: do not apply it. The client no longer waits.
    Outdated,
    /// It may have been applied before: do not apply it, and answer that the outcome is unknown
    /// ([`SessionExpired`](crate::history::Failure::SessionExpired)).
    Expired,
}

impl<A> Sessions<A> {
    /// No session yet, and room for `max`.
    #[must_use]
    pub const fn new(max: NonZeroU32) -> Self {
        let by_use = BTreeMap::new();
        Self { max, by_client: BTreeMap::new(), by_use, uses: 0, has_evicted: false, hash: 0 }
    }

    /// An entry of this session is about to be applied. Ask once for each entry, in the order of
    /// the log: a question counts as a use of the session.
    ///
    /// O(log n) in the number of sessions.
    ///
    /// # Panics
    ///
    /// When the sequence is 0: they count from 1.
    pub fn begin(&mut self, session: Session) -> Attempt<'_, A> {
        let Session { client, sequence } = session;
        assert!(sequence > 0, "sequences count from 1");
        self.uses += 1;
        if !self.by_client.contains_key(&client) {
            let may_be_applied = self.has_evicted;
            self.open(client, if may_be_applied { sequence } else { 0 });
        }
        let known = self.by_client.get_mut(&client).expect("there is one now");
        self.by_use.remove(&known.used);
        self.hash ^= known.hash_of(client);
        known.used = self.uses;
        self.hash ^= known.hash_of(client);
        self.by_use.insert(known.used, client);
        if sequence > known.sequence {
            Attempt::New
        } else if sequence < known.sequence {
            Attempt::Outdated
        } else {
            known.answer.as_ref().map_or(Attempt::Expired, Attempt::Repeated)
        }
    }

    /// The entry that was [`New`](Attempt::New) is applied, and answered so.
    ///
    /// # Panics
    ///
    /// When [`Self::begin`] was not asked about it before.
    pub fn complete(&mut self, session: Session, answer: A) {
        let Session { client, sequence } = session;
        let known = self.by_client.get_mut(&client).expect("`begin` was asked before");
        assert!(sequence > known.sequence, "only what is new is applied");
        self.hash ^= known.hash_of(client);
        (known.sequence, known.answer) = (sequence, Some(answer));
        self.hash ^= known.hash_of(client);
    }

    /// A running hash of all sessions, to be a part of the
    /// [`StateHash`](crate::protocol::StateHash) that an
    /// [`Applied`](crate::protocol::Observation::Applied) shows: a node that forgets a session is
    /// found by it before a retry is applied twice.
    #[must_use]
    pub const fn running_hash(&self) -> u64 {
        self.hash
    }

    /// Opens a session, in place of another where there is no room.
    fn open(&mut self, client: ClientId, sequence: u32) {
        if self.by_client.len() == self.max.get() as usize {
            let (_, evicted) = self.by_use.pop_first().expect("a session for each place");
            let known = self.by_client.remove(&evicted).expect("it is in both maps");
            self.hash ^= known.hash_of(evicted);
            self.has_evicted = true;
        }
        let known = Known { sequence, answer: None, used: self.uses };
        self.hash ^= known.hash_of(client);
        self.by_client.insert(client, known);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn session(client: u32, sequence: u32) -> Session {
        Session { client: ClientId(client), sequence }
    }

    /// What became of an entry.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fate {
        /// It was applied, as this entry of the log.
        Applied(usize),
        /// It was answered as that entry was.
        Repeated(usize),
        Outdated,
        Expired,
    }

    /// All that ever happened, looked through from the start for each entry.
    struct Twin {
        max: usize,
        log: Vec<(Session, Fate)>,
    }

    impl Twin {
        fn take(&mut self, session: Session) -> Fate {
            let mut recent: Vec<ClientId> = Vec::new();
            for (entry, _) in self.log.iter().rev() {
                if !recent.contains(&entry.client) {
                    recent.push(entry.client);
                }
            }
            let has_evicted = recent.len() > self.max;
            recent.truncate(self.max);
            let last = self.log.iter().rev().find(|(entry, fate)| {
                entry.client == session.client && matches!(fate, Fate::Applied(_) | Fate::Expired)
            });
            let fate = match last {
                Some((last, fate)) if recent.contains(&session.client) => {
                    match (session.sequence.cmp(&last.sequence), fate) {
                        (std::cmp::Ordering::Less, _) => Fate::Outdated,
                        (std::cmp::Ordering::Equal, Fate::Applied(at)) => Fate::Repeated(*at),
                        (std::cmp::Ordering::Equal, _) => Fate::Expired,
                        (std::cmp::Ordering::Greater, _) => Fate::Applied(self.log.len()),
                    }
                }
                Some(_) | None if has_evicted => Fate::Expired,
                Some(_) | None => Fate::Applied(self.log.len()),
            };
            self.log.push((session, fate));
            fate
        }
    }

    fn take(sessions: &mut Sessions<usize>, session: Session, at: usize) -> Fate {
        match sessions.begin(session) {
            Attempt::New => {
                sessions.complete(session, at);
                Fate::Applied(at)
            }
            Attempt::Repeated(answer) => Fate::Repeated(*answer),
            Attempt::Outdated => Fate::Outdated,
            Attempt::Expired => Fate::Expired,
        }
    }

    proptest! {
        /// The node that goes on from a snapshot does what the one does that applied all.
        #[test]
        fn sessions_do_what_a_list_of_everything_would_say(
            entries in proptest::collection::vec((0..6_u32, 1..6_u32), 0..60),
            max in 1..5_u32,
            snapshot_at in 0..60_usize,
        ) {
            let room = NonZeroU32::new(max).expect("at least 1");
            let mut sessions = Sessions::<usize>::new(room);
            let mut other = None;
            let mut twin = Twin { max: max as usize, log: Vec::new() };
            for (at, (client, sequence)) in entries.into_iter().enumerate() {
                if at == snapshot_at {
                    let bytes = postcard::to_allocvec(&sessions).expect("it is written");
                    other = Some(postcard::from_bytes(&bytes).expect("it is read"));
                }
                let session = session(client, sequence);
                let fate = twin.take(session);
                prop_assert_eq!(take(&mut sessions, session, at), fate);
                if let Some(other) = &mut other {
                    prop_assert_eq!(take(other, session, at), fate);
                    prop_assert_eq!(&*other, &sessions);
                }
                prop_assert!(sessions.by_client.len() <= max as usize);
                let all = sessions.by_client.iter();
                let hashes = all.map(|(client, known)| known.hash_of(*client));
                prop_assert_eq!(sessions.running_hash(), hashes.fold(0, |all, hash| all ^ hash));
            }
        }

        /// Whatever arrives late or twice, where there is room for all clients.
        #[test]
        fn an_operation_is_applied_at_most_once_while_no_session_is_evicted(
            entries in proptest::collection::vec((0..3_u32, 1..9_u32), 0..60),
        ) {
            let mut sessions = Sessions::new(NonZeroU32::new(3).expect("not 0"));
            let mut applied = BTreeSet::new();
            for (at, (client, sequence)) in entries.into_iter().enumerate() {
                let session = session(client, sequence);
                match take(&mut sessions, session, at) {
                    Fate::Applied(_) => prop_assert!(applied.insert(session)),
                    Fate::Repeated(_) => prop_assert!(applied.contains(&session)),
                    Fate::Outdated => {}
                    Fate::Expired => prop_assert!(false, "nobody was evicted"),
                }
            }
        }
    }

    #[test]
    fn a_client_that_was_evicted_goes_on_with_its_next_operation() {
        let mut sessions = Sessions::new(NonZeroU32::MIN);
        assert_eq!(take(&mut sessions, session(1, 4), 0), Fate::Applied(0));
        assert_eq!(take(&mut sessions, session(2, 1), 1), Fate::Applied(1));
        assert_eq!(take(&mut sessions, session(1, 4), 2), Fate::Expired);
        assert_eq!(take(&mut sessions, session(1, 4), 3), Fate::Expired, "a retry of it");
        assert_eq!(take(&mut sessions, session(1, 3), 4), Fate::Outdated);
        assert_eq!(take(&mut sessions, session(1, 5), 5), Fate::Applied(5));
        assert_eq!(take(&mut sessions, session(1, 5), 6), Fate::Repeated(5));
    }

    /// Whoever lacks an entry, or has its sessions in another order of use, is told apart.
    #[test]
    fn other_sessions_have_another_hash() {
        let after = |entries: &[(u32, u32)]| {
            let mut sessions = Sessions::new(NonZeroU32::new(2).expect("not 0"));
            for (at, (client, sequence)) in entries.iter().enumerate() {
                take(&mut sessions, session(*client, *sequence), at);
            }
            sessions.running_hash()
        };
        let all: [&[(u32, u32)]; 5] =
            [&[], &[(1, 1)], &[(1, 2)], &[(1, 1), (2, 1)], &[(2, 1), (1, 1)]];
        let hashes: BTreeSet<u64> = all.into_iter().map(after).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    #[should_panic(expected = "only what is new is applied")]
    fn what_was_applied_is_not_applied_again() {
        let mut sessions = Sessions::new(NonZeroU32::MIN);
        take(&mut sessions, session(1, 1), 0);
        sessions.complete(session(1, 1), 1);
    }
}

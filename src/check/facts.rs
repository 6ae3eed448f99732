//! Facts that several checkers need, derived from the evidence once.
//!
//! **A write is not its version**: two writes may have the same version. What a replica holds or a
//! read found is therefore identified by the operation that wrote it ([`crate::history::Writers`]),
//! and writes are ordered by [`super::order`]. Three cases need care and are decided here for all
//! checkers:
//!
//! - **A retried write may have several versions**, one for each attempt that a node accepted. A
//!   checker uses the version that *claims least*: the least when the write sets a bound for others
//!   ([`Facts::least`]), the greatest when it is compared with a bound ([`Facts::greatest`]).
//! - **A get that finds a tombstone** has read that removal. **A read that finds nothing**, not
//!   even a tombstone, is explained by a removal (delete or clear) of the key that did not fail and
//!   was invoked before the read completed. The read then misses no write that is, or may be, older
//!   than the removal. The explanation no longer holds once the removal has completed and something
//!   was acknowledged after it. In the same way a put or an append explains a key in a list of
//!   keys, and whatever ends a list explains an element that is not in it.
//! - **A clear** removes the keys whose removal a node accepted
//!   ([`crate::history::History::effects`]). A clear for which no removal was accepted may have
//!   emptied one replica of any keys: it explains every absence and promises none.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::history::{Entry, Function, KeyContent, KeyEffect, OtherKeys, Writers};
use crate::id::{KeyId, NodeId, OpId, Value, Version};
use crate::metrics::Settlement;
use crate::named::Named;
use crate::protocol::{NodeSnapshot, Role, Stored};

use super::Evidence;
use super::order::{Explaining, UNKNOWN_REMOVAL, Write};

/// Why a checker that goes through [`crate::history::History::accesses`] meets no operation that
/// makes several.
pub(super) const ACCESSES: &str = "its accesses come in its place";

/// What a live replica holds for a key, and the operation that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) stored: Stored,
    /// One of the replicas that hold it.
    pub(super) node: NodeId,
    /// The operation that wrote it; `None` if none did.
    pub(super) writer: Option<OpId>,
}

/// What a completed read found for a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadResult {
    /// This write's value.
    Value(Write),
    /// The tombstone that this removal left.
    Tombstone(Write),
    /// The key without its value.
    Key,
    /// No such key.
    Nothing,
}

/// A list that a read found.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListRead<'a> {
    pub(super) read: &'a Entry,
    pub(super) key: KeyId,
    pub(super) elements: &'a [Value],
    /// The write of the last element, whose version the answer has.
    pub(super) last: Write,
}

/// The evidence with the facts derived from it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) evidence: Evidence<'a>,
    pub(super) writers: Writers<'a>,
    /// Completed gets, lists of keys and reads of everything.
    pub(super) reads: u64,
    /// How often each function was invoked, in the order of [`Function`].
    invoked: [u64; Function::ALL.len()],
    /// One more than the highest client that completed an operation.
    pub(super) clients: usize,
    /// The nodes that are up.
    pub(super) live: Vec<NodeId>,
    /// By key, the highest version that a live replica holds.
    pub(super) newest: Vec<Option<Holding>>,
    /// By key, what a client can be shown at the end: what the leader holds, if there is one and it
    /// knows the key; else the newest.
    pub(super) shown: Vec<Option<Holding>>,
    /// Who leads at the end: see [`leader`].
    pub(super) leader: Option<NodeId>,
    /// What live replicas hold besides [`Facts::newest`], each version and value once, by key and
    /// version.
    pub(super) others: Vec<(KeyId, Holding)>,
    /// The live replicas that show something other than the newest version of a key, or another
    /// list than the longest, by key.
    pub(super) behind: Vec<(KeyId, NodeId)>,
    /// By key, its deletes and the clears that removed it.
    removals: Vec<Explaining>,
    /// The clears that may have removed any key.
    clears: Explaining,
    /// By key, its puts and appends; made when a list of keys is judged.
    creations: OnceCell<Vec<Explaining>>,
    /// By key, its puts; made when a list of elements is judged.
    puts: OnceCell<Vec<Explaining>>,
    attempts: Vec<(OpId, Version)>,
    repeated: OnceCell<Vec<OpId>>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(evidence: &Evidence<'a>) -> Self {
        let keys = evidence.names().keys.len();
        let mut attempts = evidence.history.other_versions().to_vec();
        attempts.sort_unstable();
        let mut facts = Self {
            evidence: *evidence,
            writers: Writers::of(evidence.history),
            reads: 0,
            invoked: [0; Function::ALL.len()],
            clients: 0,
            live: Vec::new(),
            newest: vec![None; keys],
            shown: Vec::new(),
            leader: leader(evidence.finals),
            others: Vec::new(),
            behind: Vec::new(),
            removals: vec![Explaining::default(); keys],
            clears: Explaining::default(),
            creations: OnceCell::new(),
            puts: OnceCell::new(),
            attempts,
            repeated: OnceCell::new(),
        };
        facts.compare_replicas(evidence.finals);
        facts.read_history();
        facts
    }

    /// Why the state at the end is unknown, if it is.
    pub(super) fn no_end(&self) -> Option<String> {
        if let Settlement::Stuck { at, .. } = self.evidence.settlement {
            let stuck = "the simulation got stuck at";
            return Some(format!("{stuck} {at} s, before replicas could settle"));
        }
        self.live.is_empty().then(|| "no node is up".to_owned())
    }

    fn holding(&self, key: KeyId, stored: Stored, node: NodeId) -> Holding {
        let writer = self.writers.writer(key, stored.value, stored.version);
        Holding { stored, node, writer }
    }

    fn compare_replicas(&mut self, finals: &[NodeSnapshot]) {
        let live = || finals.iter().filter(|snapshot| snapshot.up);
        self.live = live().map(|snapshot| snapshot.node).collect();
        for snapshot in live() {
            for (key, stored) in &snapshot.data {
                let newest = &mut self.newest[key.0 as usize];
                if newest.is_none_or(|newest| newest.stored.version < stored.version) {
                    *newest = Some(Holding { stored: *stored, node: snapshot.node, writer: None });
                }
            }
        }
        for snapshot in live() {
            let mut data = snapshot.data.iter().peekable();
            for (key, newest) in (0..).map(KeyId).zip(&self.newest) {
                let stored = data.next_if(|(other, _)| **other == key).map(|(_, stored)| *stored);
                let visible = |stored: Option<Stored>| {
                    stored.and_then(|stored| stored.value.map(|value| (value, stored.version)))
                };
                if visible(stored) != visible(newest.map(|newest| newest.stored)) {
                    self.behind.push((key, snapshot.node));
                }
                if let Some(stored) = stored
                    && newest.is_some_and(|newest| newest.stored != stored)
                {
                    let held = Holding { stored, node: snapshot.node, writer: None };
                    self.others.push((key, held));
                }
            }
        }
        self.compare_lists(finals);
        self.behind.sort_unstable();
        self.behind.dedup();
        let content = |(key, holding): &(KeyId, Holding)| {
            (*key, holding.stored.version, holding.stored.value)
        };
        self.others.sort_by_key(content);
        self.others.dedup_by_key(|other| content(other));
        self.name_writers();
    }

    /// Finds the writers of everything that is held, and what clients can be shown.
    fn name_writers(&mut self) {
        let (mut newest, mut others) =
            (std::mem::take(&mut self.newest), std::mem::take(&mut self.others));
        for (key, held) in (0..).map(KeyId).zip(&mut newest) {
            if let Some(held) = held {
                *held = self.holding(key, held.stored, held.node);
            }
        }
        for (key, held) in &mut others {
            *held = self.holding(*key, held.stored, held.node);
        }
        let leads = |snapshot: &&NodeSnapshot| Some(snapshot.node) == self.leader;
        let shown = match self.evidence.finals.iter().find(leads) {
            None => {
                // If several writes have this version, a client may be shown any of them. This
                // takes the one that may take effect last.
                let mut shown = newest.clone();
                let end = |held: &Holding| {
                    held.writer.map_or(u32::MAX, |op| self.evidence.history.entry(op).end())
                };
                for (key, held) in &others {
                    if let Some(shown) = &mut shown[key.0 as usize]
                        && shown.stored.version == held.stored.version
                        && end(shown) < end(held)
                    {
                        *shown = *held;
                    }
                }
                shown
            }
            Some(leader) => {
                let newest = (0..).map(KeyId).zip(&newest);
                let of_leader = |(key, newest): (KeyId, &Option<Holding>)| {
                    let Some(stored) = leader.data.get(&key).copied() else { return *newest };
                    // Usually it is the newest.
                    newest
                        .filter(|newest| newest.stored == stored)
                        .or_else(|| Some(self.holding(key, stored, leader.node)))
                };
                newest.map(of_leader).collect()
            }
        };
        (self.newest, self.others, self.shown) = (newest, others, shown);
    }

    /// Notes the replicas whose list of a key is not the longest; one that lacks an element has a
    /// shorter list.
    fn compare_lists(&mut self, finals: &[NodeSnapshot]) {
        let live = || finals.iter().filter(|snapshot| snapshot.up);
        let mut longest: BTreeMap<KeyId, &Vec<(Version, Value)>> = BTreeMap::new();
        for (key, list) in live().flat_map(|snapshot| &snapshot.lists) {
            let longest = longest.entry(*key).or_insert(list);
            if longest.len() < list.len() {
                *longest = list;
            }
        }
        for (key, longest) in longest {
            let differs = |snapshot: &&NodeSnapshot| snapshot.lists.get(&key) != Some(longest);
            self.behind.extend(live().filter(differs).map(|snapshot| (key, snapshot.node)));
        }
    }

    fn read_history(&mut self) {
        for (op, entry) in self.evidence.history.accesses() {
            if entry.is_ok() {
                self.clients = self.clients.max(entry.client.0 as usize + 1);
            }
            self.invoked[entry.function as usize] += 1;
            match entry.function {
                Function::Put | Function::Append => {}
                Function::Get | Function::ReadAll | Function::List => {
                    self.reads += u64::from(entry.is_ok());
                }
                Function::Delete | Function::Clear if entry.may_have_happened() => {
                    let history = self.evidence.history;
                    for effect in history.effects(op) {
                        let removal = self.explaining(op, entry, effect.version);
                        self.removals[effect.key.0 as usize].push(removal);
                    }
                    if history.other_keys(op) == OtherKeys::PerhapsRemoved {
                        self.clears.push(self.explaining(op, entry, None));
                    }
                }
                Function::Delete | Function::Clear => {}
                Function::Cas | Function::Batch => unreachable!("{ACCESSES}"),
            }
        }
    }

    /// Whether any of these functions was invoked. If not, a checker of their effects need not read
    /// the history, which is most of its cost for a long one.
    pub(super) fn has_invoked(&self, functions: &[Function]) -> bool {
        functions.iter().any(|function| self.invoked[*function as usize] > 0)
    }

    /// The write `op` as an explanation of what a read found: with its greatest version. `version`
    /// is its last.
    fn explaining(&self, op: OpId, entry: &Entry, version: Option<Version>) -> Write {
        let version = version.map_or(UNKNOWN_REMOVAL, |version| self.greatest(op, version));
        Write { version, ..place(op, entry) }
    }

    fn by_key(&self, wanted: impl Fn(Function) -> bool) -> Vec<Explaining> {
        let mut by_key = vec![Explaining::default(); self.newest.len()];
        let history = self.evidence.history;
        let wanted = |e: &Entry| wanted(e.function) && e.may_have_happened();
        for (op, entry) in history.accesses().filter(|(_, e)| wanted(e)) {
            let write = self.explaining(op, entry, entry.version);
            by_key[entry.key.0 as usize].push(write);
        }
        by_key
    }

    fn creations(&self, key: KeyId) -> &Explaining {
        let creates = |function| matches!(function, Function::Put | Function::Append);
        &self.creations.get_or_init(|| self.by_key(creates))[key.0 as usize]
    }

    fn puts(&self, key: KeyId) -> &Explaining {
        let puts = |function| matches!(function, Function::Put);
        &self.puts.get_or_init(|| self.by_key(puts))[key.0 as usize]
    }

    /// The lists of `key` that clients can be shown at the end: the leader's, if there is one and
    /// it knows the key; else those of all live replicas.
    pub(super) fn shown_lists(
        &self,
        key: KeyId,
    ) -> impl Iterator<Item = (&'a NodeSnapshot, &'a [(Version, Value)])> {
        let finals = self.evidence.finals.iter();
        let knows =
            |node: &&NodeSnapshot| Some(node.node) == self.leader && node.data.contains_key(&key);
        let leader = finals.clone().find(knows).map(|node| node.node);
        let live =
            finals.filter(move |node| node.up && leader.is_none_or(|leader| leader == node.node));
        live.filter_map(move |node| Some((node, node.lists.get(&key)?.as_slice())))
    }

    /// The versions of earlier attempts of `op`.
    fn attempts(&self, op: OpId) -> &[(OpId, Version)] {
        if self.attempts.is_empty() {
            return &[];
        }
        let from = self.attempts.partition_point(|(other, _)| *other < op);
        let until = self.attempts.partition_point(|(other, _)| *other <= op);
        &self.attempts[from..until]
    }

    /// The least version of the write `op`; `version` is its last.
    pub(super) fn least(&self, op: OpId, version: Version) -> Version {
        self.attempts(op).iter().fold(version, |least, (_, attempt)| least.min(*attempt))
    }

    /// The greatest version of the write `op`; `version` is its last.
    pub(super) fn greatest(&self, op: OpId, version: Version) -> Version {
        self.attempts(op).iter().fold(version, |greatest, (_, attempt)| greatest.max(*attempt))
    }

    /// Whether an attempt of the write `op` was given `version` for `key`.
    pub(super) fn gave(&self, op: OpId, key: KeyId, version: Version) -> bool {
        let mut effects = self.evidence.history.effects(op);
        self.attempts(op).iter().any(|(_, attempt)| *attempt == version)
            || effects.any(|effect| (effect.key, effect.version) == (key, Some(version)))
    }

    /// Whether `op` appended an element that its list already had. Such an append writes nothing
    /// and is answered with the version of the first append.
    pub(super) fn is_repeated(&self, op: OpId) -> bool {
        let repeated = self.repeated.get_or_init(|| {
            let appends = self.evidence.history.accesses();
            let appends = appends.filter(|(_, entry)| entry.function == Function::Append);
            let element =
                |(op, entry): (OpId, &Entry)| Some((entry.key, entry.value?, entry.version?, op));
            let mut elements: Vec<_> = appends.filter_map(element).collect();
            // Of one version that comes first which found no other there, or was invoked first.
            elements.sort_by_key(|(key, value, version, op)| {
                (*key, *value, *version, self.found_its_element(*op))
            });
            let of_one = elements.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2));
            let mut repeated: Vec<OpId> =
                of_one.flat_map(|of| of[1..].iter().map(|e| e.3)).collect();
            repeated.sort_unstable();
            repeated
        });
        repeated.binary_search(&op).is_ok()
    }

    /// Whether an append was accepted over the element of another.
    fn found_its_element(&self, append: OpId) -> bool {
        let history = self.evidence.history;
        let entry = history.entry(append);
        let over = entry.over.filter(|over| Some(*over) == entry.value);
        let writer = over.and_then(Value::writer).filter(|writer| *writer != append);
        writer.is_some_and(|writer| history.entry(writer).function == Function::Append)
    }

    /// Calls `note` for each acknowledged write of `op`, by key: a clear has several, a repeated
    /// append none. Each has its least version; the greatest is beside it.
    #[inline]
    pub(super) fn for_each_write(
        &self,
        op: OpId,
        entry: &Entry,
        mut note: impl FnMut(KeyId, Write, Version),
    ) {
        // Nearly all are on one key. A clear has no version of its own.
        if let Some(version) = entry.version {
            if entry.function != Function::Append || !self.is_repeated(op) {
                let least = Write { version: self.least(op, version), ..place(op, entry) };
                note(entry.key, least, self.greatest(op, version));
            }
            return;
        }
        // By key and version.
        let mut removals = self.evidence.history.effects(op).peekable();
        while let Some(KeyEffect { key, version: Some(version), .. }) = removals.next() {
            let mut greatest = version;
            while let Some(other) = removals.next_if(|other| other.key == key) {
                greatest = other.version.unwrap_or(greatest);
            }
            note(key, Write { version, ..place(op, entry) }, greatest);
        }
    }

    /// The write of the value, or of the tombstone, that `read` found with this version.
    fn found(&self, read: &Entry, key: KeyId, value: Option<Value>, version: Version) -> Write {
        match self.writers.found(read, key, value, version) {
            Some(op) => Write { version, ..place(op, self.evidence.history.entry(op)) },
            None => Write::unknown(version),
        }
    }

    /// The write of an element of a list that `read` found, as a bound for others.
    pub(super) fn element(&self, read: &Entry, key: KeyId, value: Value) -> Write {
        self.element_with(read, key, value, Self::least)
    }

    /// The writes of the elements of a list, as bounds for others.
    pub(super) fn bounds_of<'b>(&'b self, list: ListRead<'b>) -> impl Iterator<Item = Write> + 'b {
        self.elements_with(list, Self::least)
    }

    /// The writes of the elements of a list, to compare with bounds.
    pub(super) fn found_in<'b>(&'b self, list: ListRead<'b>) -> impl Iterator<Item = Write> + 'b {
        self.elements_with(list, Self::greatest)
    }

    fn elements_with<'b>(
        &'b self,
        ListRead { read, key, elements, last }: ListRead<'b>,
        version: fn(&Self, OpId, Version) -> Version,
    ) -> impl Iterator<Item = Write> + 'b {
        elements.iter().enumerate().map(move |(place, value)| {
            if place + 1 == elements.len() {
                last
            } else {
                self.element_with(read, key, *value, version)
            }
        })
    }

    fn element_with(
        &self,
        read: &Entry,
        key: KeyId,
        value: Value,
        version: fn(&Self, OpId, Version) -> Version,
    ) -> Write {
        let history = self.evidence.history;
        let writer = self.writers.found_element(read, key, value);
        let known = writer.and_then(|op| {
            let version = version(self, op, history.entry(op).version?);
            Some(Write { version, ..place(op, history.entry(op)) })
        });
        known.unwrap_or_else(|| Write::unknown(Version::default()))
    }

    /// What `read` found for the key of its effect `effect`.
    pub(super) fn seen(&self, read: &Entry, effect: &KeyEffect<'_>) -> Option<ReadResult> {
        Some(match (effect.found()?, effect.version) {
            (KeyContent::Value(value) | KeyContent::List { last: value, .. }, Some(version)) => {
                ReadResult::Value(self.found(read, effect.key, Some(value), version))
            }
            (KeyContent::Tombstone, Some(version)) => {
                ReadResult::Tombstone(self.found(read, effect.key, None, version))
            }
            (KeyContent::Nothing, _) => ReadResult::Nothing,
            (KeyContent::Value(value), None) => self.expected(read, effect.key, value),
            (KeyContent::Key, _) | (KeyContent::List { .. } | KeyContent::Tombstone, None) => {
                ReadResult::Key
            }
        })
    }

    /// What a compare-and-set has read that found the value it expected, and was not told the
    /// version: the one write of that value, if only one can be meant, and if it has one version.
    /// Of several nobody knows which it found.
    fn expected(&self, read: &Entry, key: KeyId, value: Value) -> ReadResult {
        let history = self.evidence.history;
        let asked = |op: &OpId| history.entry(*op).invoked_seq < read.completed_seq;
        let mut writers = self.writers.candidates(key, value).filter(asked);
        let (Some(op), None) = (writers.next(), writers.next()) else { return ReadResult::Key };
        let entry = history.entry(op);
        match entry.version {
            Some(version) if self.attempts(op).is_empty() => {
                ReadResult::Value(Write { version, ..place(op, entry) })
            }
            Some(_) | None => ReadResult::Key,
        }
    }

    /// Whether a read of `key` that completed at the place `completed` misses `write`: it found
    /// something older, or it found nothing and no removal explains that.
    pub(super) fn misses(
        &self,
        key: KeyId,
        seen: ReadResult,
        write: &Write,
        completed: u32,
    ) -> bool {
        match seen {
            ReadResult::Value(found) | ReadResult::Tombstone(found) => found.is_older_than(write),
            ReadResult::Nothing => !self.is_removed(key, write, completed),
            ReadResult::Key => self.removes(write) && !self.is_created(key, write, completed),
        }
    }

    /// Whether a removal of `key` that was invoked before `before` may have come after `write`.
    pub(super) fn is_removed(&self, key: KeyId, write: &Write, before: u32) -> bool {
        self.removals[key.0 as usize].explains(write, before) || self.clears.explains(write, before)
    }

    /// Whether any removal of `key` may have happened.
    pub(super) fn was_removed(&self, key: KeyId) -> bool {
        let ever = |removals: &Explaining| removals.last_invoked(u32::MAX).is_some();
        ever(&self.removals[key.0 as usize]) || ever(&self.clears)
    }

    /// Whether a put or an append of `key` that was invoked before `before` may have come after
    /// `write`.
    pub(super) fn is_created(&self, key: KeyId, write: &Write, before: u32) -> bool {
        self.creations(key).explains(write, before)
    }

    /// Whether an operation that was invoked before `before` may have ended the list that `element`
    /// was in.
    pub(super) fn is_ended(&self, key: KeyId, element: &Write, before: u32) -> bool {
        self.is_removed(key, element, before) || self.puts(key).explains(element, before)
    }

    /// Whether `write` is a delete or a clear.
    pub(super) fn removes(&self, write: &Write) -> bool {
        let function = write.op.map(|op| self.evidence.history.entry(op).function);
        matches!(function, Some(Function::Delete | Function::Clear))
    }

    /// The place of the last invocation before `before` that may explain what was seen: of a
    /// removal for a read of nothing, of a creation for a key in a list of keys.
    pub(super) fn last_explaining(&self, key: KeyId, seen: ReadResult, before: u32) -> Option<u32> {
        match seen {
            ReadResult::Value(_) | ReadResult::Tombstone(_) => None,
            ReadResult::Nothing => {
                let removed = self.removals[key.0 as usize].last_invoked(before);
                removed.max(self.clears.last_invoked(before))
            }
            ReadResult::Key => self.creations(key).last_invoked(before),
        }
    }

    /// Whether a removal of `write`, invoked before the place `before`, may have come before
    /// `shown`: then `shown` may be read after a read of nothing.
    pub(super) fn may_return(&self, key: KeyId, write: &Write, shown: &Write, before: u32) -> bool {
        self.removals[key.0 as usize].allows(write, shown, before)
            || self.clears.allows(write, shown, before)
    }
}

/// The place of `op` among the writes, without a version.
pub(super) fn place(op: OpId, entry: &Entry) -> Write {
    let version = Version::default();
    Write { op: Some(op), invoked: entry.invoked_seq, end: entry.end(), version }
}

/// Who leads at the end: the leader of the highest term; `None` if two nodes lead in that term.
pub(crate) fn leader(finals: &[NodeSnapshot]) -> Option<NodeId> {
    let leads = |node: &&NodeSnapshot| node.up && node.role == Role::Leader;
    let term = finals.iter().filter(leads).map(|node| node.term).max()?;
    let mut leaders = finals.iter().filter(leads).filter(|node| node.term == term);
    let leader = leaders.next().map(|node| node.node);
    leader.filter(|_| leaders.next().is_none())
}

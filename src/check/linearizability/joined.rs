//! The accesses of one operation as one step a key: all happen at one moment.
//!
//! What an access reads of a key that an earlier one of the operation has written says something of
//! that write alone: it has to fit. What is appended comes after what the key held before, so a
//! list that is read then tells what came before it.

use crate::id::KeyId;
use crate::linearizability::{Content, Expects, Operations, Step, Update};

/// The steps of an operation, one a key.
#[derive(Debug, Default)]
pub(super) struct Joined {
    steps: Vec<Step>,
    /// Whether no store can have given these answers at one moment.
    is_contradictory: bool,
}

/// What a read shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) expects: Expects,
    /// The symbols of the list that it found.
    pub(super) list: Option<&'a [u32]>,
}

impl Joined {
    fn step(&mut self, key: KeyId) -> &mut Step {
        let place = self.steps.iter().position(|step| step.key == key);
        let place = place.unwrap_or_else(|| {
            self.steps.push(Step::read(key, Expects::Anything));
            self.steps.len() - 1
        });
        &mut self.steps[place]
    }

    /// The operation reads the key.
    pub(super) fn read(&mut self, key: KeyId, shown: Sighting<'_>, operations: &mut Operations) {
        let step = self.step(key);
        let expects = match step.change {
            Update::Nothing => both(step.expects, shown.expects),
            Update::Set(content) => fits(content, shown.expects).then_some(step.expects),
            Update::Remove => fits(Content::ABSENT, shown.expects).then_some(step.expects),
            Update::Append(more) => match shown.list {
                Some(list) => {
                    before(more, list, operations).and_then(|before| both(step.expects, before))
                }
                None => {
                    let last = more.last().map(Expects::EndsWith);
                    let is_last = Some(shown.expects) == last
                        || matches!(shown.expects, Expects::Present | Expects::Anything);
                    is_last.then_some(step.expects)
                }
            },
        };
        match expects {
            Some(expects) => step.expects = expects,
            None => self.is_contradictory = true,
        }
    }

    /// The operation changes the key.
    pub(super) fn write(&mut self, key: KeyId, change: Update) {
        let step = self.step(key);
        step.change = match (step.change, change) {
            (before, Update::Nothing) => before,
            (Update::Set(content), Update::Append(more)) => Update::Set(content.then(more)),
            (Update::Remove, Update::Append(more)) => Update::Set(more),
            (Update::Append(first), Update::Append(more)) => Update::Append(first.then(more)),
            (_, change) => change,
        };
    }

    /// The steps. `impossible` is a symbol that nobody wrote: what no store can have answered is
    /// answered as if it had been found.
    pub(super) fn into_steps(mut self, impossible: impl FnOnce() -> u32) -> Vec<Step> {
        if let (true, Some(step)) = (self.is_contradictory, self.steps.first_mut()) {
            step.expects = Expects::Holds(Content::value(impossible()));
        }
        self.steps
    }
}

/// Whether a key that holds this may be read so.
fn fits(content: Content, expects: Expects) -> bool {
    Step::read(KeyId(0), expects).apply(content).is_some()
}

/// What two reads of a key at one moment say together; `None`: they contradict each other.
fn both(one: Expects, other: Expects) -> Option<Expects> {
    match (one, other) {
        (Expects::Anything, other) => Some(other),
        (one, Expects::Anything) => Some(one),
        (Expects::Holds(content), other) | (other, Expects::Holds(content)) => {
            fits(content, other).then_some(Expects::Holds(content))
        }
        (Expects::Absent { by }, Expects::Absent { by: other }) => {
            Some(Expects::Absent { by: by.or(other) })
        }
        (Expects::Present, other @ (Expects::Present | Expects::EndsWith(_)))
        | (other @ Expects::EndsWith(_), Expects::Present) => Some(other),
        (Expects::EndsWith(one), Expects::EndsWith(other)) => {
            (one == other).then_some(Expects::EndsWith(one))
        }
        (Expects::Absent { .. }, Expects::Present | Expects::EndsWith(_))
        | (Expects::Present | Expects::EndsWith(_), Expects::Absent { .. }) => None,
        (Expects::HoldsNot(_), _) | (_, Expects::HoldsNot(_)) => {
            unreachable!("what was found is known")
        }
    }
}

/// What a key held before `more` was appended, if it is this `list` then; `None`: it cannot be.
fn before(more: Content, list: &[u32], operations: &mut Operations) -> Option<Expects> {
    let cut = (0..=list.len()).find(|cut| Content::sequence(&list[*cut..]) == more)?;
    let before = &list[..cut];
    if before.is_empty() {
        // Nothing, or a value whose place the first element took.
        return Some(Expects::Anything);
    }
    operations.shows(before);
    Some(Expects::Holds(Content::sequence(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyId = KeyId(3);

    /// An access: a read that shows something, or a change.
    enum Does {
        Shows(Expects),
        ShowsList(&'static [u32]),
        Changes(Update),
    }

    fn joined(accesses: &[Does]) -> (Expects, Update) {
        let mut operations = Operations::new(Content::ABSENT);
        let mut joined = Joined::default();
        for access in accesses {
            match access {
                Does::Shows(expects) => {
                    let shown = Sighting { expects: *expects, list: None };
                    joined.read(KEY, shown, &mut operations);
                }
                Does::ShowsList(list) => {
                    let expects = Expects::Holds(Content::sequence(list));
                    joined.read(KEY, Sighting { expects, list: Some(list) }, &mut operations);
                }
                Does::Changes(change) => joined.write(KEY, *change),
            }
        }
        let [step] = joined.into_steps(|| 99)[..] else { panic!("one key") };
        (step.expects, step.change)
    }

    #[test]
    fn accesses_of_a_key_join_to_one_step() {
        let (one, two) = (Content::value(1), Content::value(2));
        let (holds, absent) = (Expects::Holds(one), Expects::Absent { by: None });
        let (set, set_two) = (Update::Set(one), Update::Set(two));
        let (first, more) = (Content::of(4), Content::of(5));
        let append = Update::Append(first);
        let impossible = Expects::Holds(Content::value(99));
        let prefix = Expects::Holds(Content::of(7));
        use Does::{Changes, Shows, ShowsList};
        let cases: [(&[Does], (Expects, Update)); 20] = [
            // What is read first was there before.
            (&[Shows(holds), Changes(set_two)], (holds, set_two)),
            (&[Changes(set_two)], (Expects::Anything, set_two)),
            (&[Shows(Expects::Present), Shows(holds)], (holds, Update::Nothing)),
            (&[Shows(holds), Shows(absent)], (impossible, Update::Nothing)),
            (&[Shows(absent), Shows(Expects::Present)], (impossible, Update::Nothing)),
            // What is read after a write is that write's.
            (&[Changes(set), Shows(holds)], (Expects::Anything, set)),
            (&[Changes(set), Shows(Expects::Holds(two))], (impossible, set)),
            (&[Shows(absent), Changes(set), Shows(absent)], (impossible, set)),
            (&[Changes(Update::Remove), Shows(absent)], (Expects::Anything, Update::Remove)),
            (&[Changes(Update::Remove), Shows(holds)], (impossible, Update::Remove)),
            // Of two writes the second counts.
            (&[Changes(set), Changes(set_two)], (Expects::Anything, set_two)),
            (&[Changes(set), Changes(Update::Remove)], (Expects::Anything, Update::Remove)),
            // An element takes the place of a value, and comes after others.
            (&[Changes(set), Changes(append)], (Expects::Anything, Update::Set(first))),
            (&[Changes(Update::Remove), Changes(append)], (Expects::Anything, Update::Set(first))),
            (
                &[Changes(append), Changes(Update::Append(more))],
                (Expects::Anything, Update::Append(first.then(more))),
            ),
            // A list tells what came before.
            (&[Changes(append), ShowsList(&[7, 4])], (prefix, append)),
            (&[Changes(append), ShowsList(&[4])], (Expects::Anything, append)),
            (&[Changes(append), ShowsList(&[7])], (impossible, append)),
            (&[Changes(append), Shows(Expects::EndsWith(4))], (Expects::Anything, append)),
            (&[Changes(append), Shows(absent)], (impossible, append)),
        ];
        for (place, (accesses, expected)) in cases.into_iter().enumerate() {
            assert_eq!(joined(accesses), expected, "case {place}");
        }
    }
}

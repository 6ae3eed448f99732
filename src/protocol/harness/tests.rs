//! What a crash, a loss of power and a disk that completes late leave of a node.

use std::collections::BTreeMap;

use super::*;
use crate::config::Config;
use crate::names::Names;
use crate::property::Promises;
use crate::protocol::{Context, DiskError, DiskImage, File, Message, Role, Ticket};
use crate::time::Span;

const NOTES: File = File(0);

#[derive(Clone, Debug, Hash)]
struct Nudge;

impl Message for Nudge {
    const KINDS: &'static [&'static str] = &["nudge"];

    fn kind(&self) -> u8 {
        0
    }

    fn describe(&self, _: &Names) -> String {
        "nudge".to_owned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bell {
    Ring,
}

/// A node that writes each request down, syncs, sets a timer and nudges itself.
#[derive(Debug, Default)]
struct Notebook {
    done: Vec<(Ticket, Result<(), DiskError>)>,
    nudged: u32,
    rung: u32,
}

impl Protocol for Notebook {
    type Config = ();
    type Message = Nudge;
    type Record = u32;
    type Timer = Bell;

    fn recover((): &(), _: &DiskImage, _: &mut Context<'_, Self>) -> Self {
        Self::default()
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        match input {
            Input::Request { session, .. } => {
                cx.append(NOTES, &session.sequence);
                cx.sync(NOTES);
                cx.set_timer(Bell::Ring, Span::from_secs(1));
                cx.send(cx.node(), Nudge);
            }
            Input::Persisted(ticket, result) => self.done.push((ticket, result)),
            Input::Message { .. } => self.nudged += 1,
            Input::Timer(Bell::Ring) => self.rung += 1,
            Input::Refused { .. } => {}
        }
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot { data: BTreeMap::new(), ..NodeSnapshot::new(N1, Role::Follower) }
    }

    fn promises((): &(), _: &Config) -> Promises {
        Promises::default()
    }
}

const N1: NodeId = NodeId(0);

/// A node that was asked so many times.
fn asked(times: u32) -> Harness<Notebook> {
    let mut one = Harness::new(1, ());
    one.start(N1).unwrap();
    for _ in 0..times {
        let get = one.get("city");
        one.request(N1, get).unwrap();
    }
    one
}

/// What a disk of the node has in its file.
fn written(one: &mut Harness<Notebook>) -> Vec<u8> {
    one.machines[0].disk.read().bytes(NOTES).to_vec()
}

/// Each client counts its own operations, and a retry is no operation.
#[test]
fn a_request_brings_the_sequence_of_its_client() {
    let mut one = asked(1);
    let get = one.get("city");
    one.request_of("c2", N1, get).unwrap();
    one.request(N1, get).unwrap();
    let first = one.requested(1).unwrap();
    one.retry(N1, first).unwrap();
    assert_eq!(one.requested(4), Err(StepError::NoSuchRequest(4)));
    assert_eq!(one.requested(0), Err(StepError::NoSuchRequest(0)));
    let asked = one.transcript().lines().filter(|line| line.starts_with("n1 <- "));
    let expected = [
        "n1 <- request 1: get city",
        "n1 <- request 2 of c2: get city",
        "n1 <- request 3: get city",
        "n1 <- request 1 (attempt 2): get city",
    ];
    assert_eq!(asked.collect::<Vec<_>>(), expected);
    let sequences = one.machines[0].disk.read().records::<u32>(NOTES).records;
    assert_eq!(sequences, [1, 1, 2, 1]);
}

/// What a process had asked for reaches nobody after it, and is durable all the same.
#[test]
fn a_process_takes_its_timers_its_tickets_and_its_nudges_with_it() {
    let mut one = asked(1);
    one.crash(N1).unwrap();
    assert_eq!(one.in_flight(N1, N1).count(), 0);
    assert_eq!(one.timers(N1).count(), 0);
    one.start(N1).unwrap();
    assert_eq!(one.timers(N1).count(), 0);
    one.sync(N1).unwrap();
    assert_eq!(
        one.process(N1).map(|node| (node.done.len(), node.rung, node.nudged)),
        Some((0, 0, 0))
    );
    one.lose_power(N1, Unsynced::Lost).unwrap();
    assert!(!written(&mut one).is_empty());
}

/// A full disk says at once that it did not write, and only to the process that asked.
#[test]
fn a_refusal_comes_before_a_sync_and_dies_with_its_process() {
    let mut one = asked(1);
    one.set_disk_full(N1, true).unwrap();
    let get = one.get("city");
    one.request(N1, get).unwrap();
    one.sync(N1).unwrap();
    assert_eq!(one.process(N1).unwrap().done, [(Ticket(2), Err(DiskError::Full))]);
    let get = one.get("city");
    one.request(N1, get).unwrap();
    one.crash(N1).unwrap();
    let left = std::iter::from_fn(|| one.sync(N1).ok()).count();
    assert_eq!(left, 3, "three syncs are under way, and no refusal");
}

/// A sync makes durable what there was when it was asked for, and the oldest completes first.
#[test]
fn syncs_complete_in_order_and_make_durable_what_they_were_asked_for() {
    let mut one = asked(2);
    let both = written(&mut one);
    one.sync(N1).unwrap();
    assert_eq!(one.process(N1).unwrap().done, [(Ticket(1), Ok(()))]);
    one.lose_power(N1, Unsynced::Lost).unwrap();
    let first = written(&mut one);
    assert!(both.starts_with(&first) && first.len() * 2 == both.len());
    assert_eq!(one.sync(N1), Err(StepError::NothingToSync(N1)));
}

/// What a loss of power left is what the disk has, also after the next.
#[test]
fn what_is_left_of_the_unsynced_is_durable_from_then_on() {
    for (unsynced, left) in [(Unsynced::Torn { bytes: 3 }, 3), (Unsynced::Lost, 0)] {
        let mut one = asked(1);
        one.lose_power(N1, unsynced).unwrap();
        assert_eq!(written(&mut one).len(), left);
        one.lose_power(N1, Unsynced::Lost).unwrap();
        assert_eq!(written(&mut one).len(), left);
    }
    let mut one = asked(1);
    let all = written(&mut one);
    one.lose_power(N1, Unsynced::Kept).unwrap();
    one.lose_power(N1, Unsynced::Lost).unwrap();
    assert_eq!(written(&mut one), all);
}

//! The share of due operations that was answered, the longest time without answers, and how soon a
//! lost leader was replaced.

use super::claims::{Claims, Found};
use super::files::{Files, NEVER, Op, Status};
use super::leaders::{Led, leaderships};

/// A lost leader, and how long writes waited for the next.
struct Outage {
    length: u64,
    recovered: bool,
}

pub(crate) fn availability(files: &Files, claims: &mut Claims) {
    let never_served = never_invoked(files) + unserved(files);
    let operations = files.ops.len() as u64 + never_served;
    let answered = files.ops.iter().filter(|op| op.is_ok()).count() as u64;
    let all = leaderships(files);
    let lost: Vec<&Led> = all.iter().filter(|led| is_lost(led, &all)).collect();
    let outages: Vec<Outage> = lost.iter().filter_map(|lost| outage(lost, &all, files)).collect();

    let mut figures =
        vec![("operations", operations), ("answered", answered), ("never_served", never_served)];
    let share = (answered * 1_000_000).checked_div(operations);
    figures.extend(share.map(|share| ("availability_ppm", share)));
    figures.extend([
        ("longest_gap_ns", longest_gap(files, |_| true)),
        ("longest_write_gap_ns", longest_gap(files, Op::is_write)),
        ("leaders_lost", lost.len() as u64),
        ("longest_recovery_ns", outages.iter().map(|outage| outage.length).max().unwrap_or(0)),
        ("unrecovered", outages.iter().filter(|outage| !outage.recovered).count() as u64),
    ]);

    let share = files.set("check.availability-bound").map(per_mille);
    let recovery = files.span("check.recovery-bound");
    let misses_share = share.is_some_and(|share| answered * 1_000 < share * operations);
    let too_long = |outage: &&Outage| recovery.is_some_and(|bound| outage.length > bound);
    let broken = u64::from(misses_share) + outages.iter().filter(too_long).count() as u64;
    let found = match (share, recovery, broken) {
        (None, None, _) => Found::Unchecked,
        (_, _, 0) => Found::Holds,
        (_, _, cases) => Found::Broken(cases),
    };
    claims.property(files, "availability", found, &figures);
}

/// Arrivals of an open loop that no client invoked, since none was free.
pub(crate) fn unserved(files: &Files) -> u64 {
    let Some(open) = files.set("workload.open") else { return 0 };
    // An arrival after the fault phase does not count.
    let in_time = files.trace().take_while(|line| line.what != "heal");
    let burst = open.get("burst").and_then(toml::Value::as_integer).unwrap_or(1);
    let arrivals = in_time.filter(|line| line.what == "arrival").count() as u64;
    let most = files.set("workload.operations").and_then(toml::Value::as_integer);
    let due = (arrivals * burst.unsigned_abs()).min(most.map_or(u64::MAX, i64::unsigned_abs));
    due - files.ops.iter().filter(|op| is_generated(op)).count() as u64
}

/// Whether the workload asked it: its clients are c1, c2 and so on, and no script uses these names.
pub(crate) fn is_generated(op: &Op) -> bool {
    op.client.strip_prefix('c').is_some_and(|rest| rest.parse::<u32>().is_ok())
}

/// Scripted operations that were due and never invoked. All are due before the fault phase ends.
fn never_invoked(files: &Files) -> u64 {
    let script = files.scenario.get("operation").and_then(toml::Value::as_array);
    let asked = files.ops.iter().filter(|op| !is_generated(op)).count();
    (script.map_or(0, Vec::len) - asked) as u64
}

/// `"99.5%"` in parts per thousand.
fn per_mille(share: &toml::Value) -> u64 {
    let text = share.as_str().and_then(|text| text.strip_suffix('%')).expect("a percentage");
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str| text.parse::<u64>().expect("a number");
    number(whole) * 10 + number(tenths)
}

/// Whether a leadership ended while no other went on.
fn is_lost(led: &Led, all: &[Led]) -> bool {
    let Some(at) = led.until_ns else { return false };
    let goes_on = |other: &Led| other.from_ns <= at && other.until_ns.is_none_or(|end| end > at);
    !all.iter().any(goes_on)
}

/// From the loss of a leader, or the first write that waited after it, to the first write
/// acknowledged by a node that began to lead since. `None` where no write waited.
fn outage(lost: &Led, all: &[Led], files: &Files) -> Option<Outage> {
    let at = lost.until_ns.expect("who was lost has an end");
    let writes: Vec<&Op> = files.ops.iter().filter(|op| op.is_write()).collect();
    let ends = |op: &Op| if op.completed == NEVER { u64::MAX } else { op.completed_ns };
    let waiting = |op: &&&Op| ends(op) > at;
    // A write that was pending at the loss waits from then on.
    let since = writes.iter().filter(waiting).map(|op| op.invoked_ns.max(at)).min()?;
    let ends_it = |op: &&&Op| {
        let by_a_new_leader = |led: &Led| {
            led.from_ns >= at
                && led.from_ns <= op.completed_ns
                && op.node.as_ref() == Some(&led.node)
                // An old write acknowledged by the old leader, when it leads again, is no recovery.
                && (led.node != lost.node || led.from_ns <= op.invoked_ns)
        };
        op.is_ok() && op.completed_ns > at && all.iter().any(by_a_new_leader)
    };
    let recovered = writes.iter().filter(ends_it).map(|op| op.completed_ns).min();
    let until = recovered.unwrap_or_else(|| {
        let last = writes.iter().map(|op| ends(op)).max().expect("one waits");
        last.min(files.ended_ns())
    });
    Some(Outage { length: until - since, recovered: recovered.is_some() })
}

/// The longest time in which operations of some kind waited and none was answered: from an answer,
/// if others wait, or from when the next is due, to the next answer or the end of the last
/// operation.
fn longest_gap(files: &Files, counts: impl Fn(&Op) -> bool) -> u64 {
    let ops: Vec<&Op> = files.ops.iter().filter(|op| counts(op)).collect();
    let mut answers: Vec<&Op> = ops.iter().copied().filter(|op| op.is_ok()).collect();
    answers.sort_by_key(|op| op.completed);
    // Whether it was due before this answer. An arrival that waits for a client has a due time but
    // no line.
    let is_due_by = |op: &Op, answer: &Op| {
        if op.due_ns < op.invoked_ns {
            op.due_ns <= answer.completed_ns
        } else {
            op.invoked < answer.completed
        }
    };
    let end = match ops.iter().any(|op| op.status == Status::Pending) {
        true => files.ended_ns(),
        false => ops.iter().map(|op| op.completed_ns).max().unwrap_or(0),
    };
    let mut longest = 0;
    for place in 0..=answers.len() {
        let before = place.checked_sub(1).map(|before| answers[before]);
        let next = answers.get(place).map_or(end, |answer| answer.completed_ns);
        let is_open = |op: &&&Op| before.is_none_or(|before| op.completed > before.completed);
        let begins = |op: &&Op| match before {
            Some(before) if is_due_by(op, before) => before.completed_ns,
            _ => op.due_ns,
        };
        let is_in_time = |op: &&&Op| answers.get(place).is_none_or(|answer| is_due_by(op, answer));
        let from = ops.iter().filter(is_open).filter(is_in_time).map(begins).min();
        longest = longest.max(from.map_or(0, |from| next.saturating_sub(from)));
    }
    longest
}

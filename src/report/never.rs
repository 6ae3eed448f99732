//! Faults that never started because their trigger did not fire, and why.

use crate::config::{Config, LogMoment, Occurrence, Start, Trigger};
use crate::history::History;
use crate::id::NodeId;
use crate::report::layout::moment as time;
use crate::time::Time;

/// A fault whose trigger never fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverStarted {
    /// The fault's id in the scenario.
    pub fault: String,
    /// What it waited for, in words: `n1 persisted fewer than 5 records by 10.000s`.
    pub why: String,
}

/// The faults of a run that never started, in file order.
pub(super) fn never_started(config: &Config, history: &History) -> Vec<NeverStarted> {
    let waiting = config.faults.iter().filter_map(|fault| match fault.start {
        Start::At(_) => None,
        Start::When(trigger) => Some((fault.id, trigger)),
    });
    let started = |id| history.nemesis().iter().any(|act| act.starts && act.fault == Some(id));
    let never = waiting.filter(|(id, _)| !started(*id)).map(|(id, trigger)| NeverStarted {
        fault: history.names().fault(id).to_owned(),
        why: why(&trigger, config),
    });
    never.collect()
}

fn why(trigger: &Trigger, config: &Config) -> String {
    let who = trigger.node.as_ref().map_or_else(|| "the nodes".to_owned(), NodeId::to_string);
    let some = |did: &str, what: &str| match trigger.nth {
        0 | 1 => format!("{who} {did} no {what}"),
        nth => format!("{who} {did} fewer than {nth} {what}s"),
    };
    let often = |did: &str| match trigger.nth {
        0 | 1 => format!("{who} never {did}"),
        nth => format!("{who} {did} fewer than {nth} times"),
    };
    let missed = match trigger.what {
        Occurrence::Elected => often("began to lead"),
        Occurrence::Appends => some("appended", "record"),
        Occurrence::Persists => some("persisted", "record"),
        Occurrence::Acknowledges => some("acknowledged", "write"),
        Occurrence::Receives(None) => some("received", "message"),
        Occurrence::Receives(Some(_)) => some("received", "such message"),
        Occurrence::Restarts => often("started again"),
        Occurrence::OfLog(LogMoment::Votes) => some("gave", "vote"),
        Occurrence::OfLog(LogMoment::Commits) => often("learned of a commit"),
        Occurrence::OfLog(LogMoment::Truncates) => often("cut off the end of a log"),
        Occurrence::OfLog(LogMoment::Snapshots) => some("took", "snapshot"),
        Occurrence::OfLog(LogMoment::Installs) => some("installed", "snapshot"),
    };
    // A trigger that fired later would have started the fault after the end.
    let last = config.duration.nanos().saturating_sub(trigger.after.nanos());
    format!("{missed} by {}", time(Time::from_nanos(last)))
}

//! The life of one write as a causal chain in plain words: which node accepted it, where it was
//! sent, what became of the messages, which nodes acknowledged it, crashed, or led without it, and
//! where it ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::words;
use crate::config::Config;
use crate::history::{Entry, Function, Status, Writers};
use crate::id::{NodeId, NodeSet};
use crate::metrics::Leadership;
use crate::named::Named;
use crate::names::Names;
use crate::protocol::{DiscardReason, Observation, Relation, Stored};
use crate::sim::{Finished, Passage, WriteEvent, WriteEventKind};
use crate::time::Time;

use super::classify::{LossCause, shown};
use super::losses::FollowedWrite;
use super::story::{Gone, StepKind, Story, StoryStep};

/// The most steps of a story, so that it fits a screen. The middle of a longer one is left out.
const MOST_STEPS: usize = 20;
/// How many steps at the end of a longer story are kept, where the reason is.
const LAST_STEPS: usize = 9;

/// Tells the story of `write` from its events. `gone` says how it was lost or discarded, if it was.
pub(super) fn tell(
    config: &Config,
    run: &Finished,
    write: &FollowedWrite,
    write_events: &[WriteEvent],
    gone: Option<(Gone, LossCause)>,
) -> Story {
    let entry = run.history.entry(write.op);
    let mut narrator = Narrator {
        config,
        names: run.history.names(),
        run,
        write,
        writers: Writers::of(&run.history),
        steps: Vec::new(),
        held: NodeSet::EMPTY,
        seen: BTreeSet::new(),
        led: None,
        passages: BTreeMap::new(),
        left_out: 0,
    };
    let is_acceptance =
        |s: &&WriteEvent| matches!(s.what, WriteEventKind::Observed(Observation::Accept { .. }));
    let acceptor = write_events.iter().find(is_acceptance).map(|event| event.node);
    // Who led already, beside the node that accepts it.
    let led_then = |led: &&Leadership| {
        let goes_on = led.until.is_none_or(|until| until > entry.invoked_at);
        led.from <= entry.invoked_at && goes_on && acceptor.is_some_and(|node| node != led.node)
    };
    for led in run.leaderships.iter().filter(led_then) {
        let text = format!("leads in term {}", led.term);
        narrator.step(led.from, &led.node, StepKind::Leads, text);
    }
    let client = narrator.names.client(entry.client);
    let text = format!("asks to {}", words::call(narrator.names, entry));
    narrator.step(entry.invoked_at, &client, StepKind::Invoked, text);
    let mut answered = (entry.status != Status::Pending).then_some(entry.completed_at);
    let mut leaders = run.leaderships.iter().filter(|led| led.from > entry.invoked_at).peekable();
    let ended = write_events.iter().rev().find(|event| is_end(event)).map(|event| event.at);
    for group in write_events.chunk_by(|a, b| a.at == b.at) {
        narrator.before(group[0].at, &mut answered, &mut leaders, (entry, ended));
        narrator.instant(group);
    }
    narrator.before(Time::MAX, &mut answered, &mut leaders, (entry, ended));
    narrator.end(gone);
    narrator.finish(entry, gone)
}

/// Whether a copy ends here.
const fn is_end(event: &WriteEvent) -> bool {
    matches!(
        event.what,
        WriteEventKind::Observed(Observation::Discard { .. })
            | WriteEventKind::Uncovered { .. }
            | WriteEventKind::Superseded { .. }
            | WriteEventKind::Crashed(_)
            | WriteEventKind::PowerCut { .. }
            | WriteEventKind::DiskReplaced
            | WriteEventKind::Started { .. }
    )
}

/// Sender, receiver and relation of a message about the write.
type Leg = (NodeId, NodeId, Relation);

struct Narrator<'a> {
    config: &'a Config,
    names: &'a Names,
    run: &'a Finished,
    write: &'a FollowedWrite,
    writers: Writers<'a>,
    steps: Vec<StoryStep>,
    /// The nodes that are up and have it.
    held: NodeSet,
    /// The kinds of step that the story has already, by the nodes in them.
    seen: BTreeSet<(StepKind, NodeId, NodeId)>,
    /// The last leader in the story, and whether it had the write.
    led: Option<(NodeId, bool)>,
    /// What became of the last message of each leg.
    passages: BTreeMap<Leg, Passage>,
    left_out: u64,
}

impl Narrator<'_> {
    /// Adds a step. Nodes that do the same at the same time share one.
    fn step(&mut self, at: Time, who: &impl ToString, kind: StepKind, text: String) {
        let same = |step: &&mut StoryStep| step.at == at && step.kind == kind && step.text == text;
        match self.steps.iter_mut().rev().find(same) {
            Some(step) => step.who.push(who.to_string()),
            None => self.steps.push(StoryStep { at, who: vec![who.to_string()], kind, text }),
        }
    }

    /// Whether this is the first such step of these nodes. Later ones are only counted.
    fn once(&mut self, kind: StepKind, of: NodeId, with: NodeId) -> bool {
        let first = self.seen.insert((kind, of, with));
        self.left_out += u64::from(!first);
        first
    }

    /// Adds the steps of the time before `now`: who began to lead, and the answer.
    fn before<'l>(
        &mut self,
        now: Time,
        answered: &mut Option<Time>,
        leaders: &mut std::iter::Peekable<impl Iterator<Item = &'l Leadership>>,
        (entry, ended): (&Entry, Option<Time>),
    ) {
        loop {
            let led = leaders.peek().map(|led| led.from).filter(|from| *from < now);
            let answer = answered.filter(|at| *at < now);
            match (led, answer) {
                (Some(from), _) if answer.is_none_or(|at| from < at) => {
                    let led = leaders.next().expect("it was looked at");
                    self.leads(led, ended);
                }
                (_, Some(_)) => {
                    *answered = None;
                    self.completed(entry);
                }
                (_, None) => return,
            }
        }
    }

    /// Everything seen at one instant.
    fn instant(&mut self, group: &[WriteEvent]) {
        let mut sends: BTreeMap<NodeId, Vec<(NodeId, Passage)>> = BTreeMap::new();
        let mut confirmed: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (place, event) in group.iter().enumerate() {
            match event.what {
                WriteEventKind::Sent { to, relation, passage } => {
                    self.sent((event.node, to, relation), passage, event.at, &mut sends);
                }
                WriteEventKind::Delivered { from, relation: Relation::Acknowledges } => {
                    if self.once(StepKind::Acknowledged, event.node, from) {
                        confirmed.entry(event.node).or_default().push(from);
                    }
                }
                _ => self.seen(event, group.split_at(place)),
            }
        }
        let at = group[0].at;
        for (node, sends) in sends {
            let text = format!("sends it {}", self.passages_text(&sends));
            self.step(at, &node, StepKind::Sent, text);
        }
        for (node, by) in confirmed {
            let verb = if by.len() == 1 { "confirms" } else { "confirm" };
            let text = format!("hears that {} {verb} it", words::nodes(&by));
            self.step(at, &node, StepKind::Acknowledged, text);
        }
    }

    fn sent(
        &mut self,
        leg: Leg,
        passage: Passage,
        at: Time,
        sends: &mut BTreeMap<NodeId, Vec<(NodeId, Passage)>>,
    ) {
        let (from, to, relation) = leg;
        if self.passages.insert(leg, passage) == Some(passage) {
            self.left_out += 1;
            return;
        }
        match (relation, passage) {
            (Relation::Carries, _) => sends.entry(from).or_default().push((to, passage)),
            // The story has its arrival instead.
            (Relation::Acknowledges, Passage::Travels | Passage::Held(_)) => {}
            (Relation::Acknowledges, Passage::Lost | Passage::Blocked(_)) => {
                let how = passage.text(self.config, self.names);
                let text = format!("confirms it to {to}, {how}");
                self.step(at, &from, StepKind::AcknowledgementLost, text);
            }
        }
    }

    /// `to n2 and n3; to n4, lost on the way`.
    fn passages_text(&self, sends: &[(NodeId, Passage)]) -> String {
        let mut by_passage: Vec<(Passage, Vec<NodeId>)> = Vec::new();
        for (to, passage) in sends {
            match by_passage.iter_mut().find(|(other, _)| other == passage) {
                Some((_, nodes)) => nodes.push(*to),
                None => by_passage.push((*passage, vec![*to])),
            }
        }
        let part = |(passage, nodes): &(Passage, Vec<NodeId>)| match passage {
            Passage::Travels => format!("to {}", words::nodes(nodes)),
            Passage::Lost | Passage::Blocked(_) | Passage::Held(_) => {
                format!("to {}, {}", words::nodes(nodes), passage.text(self.config, self.names))
            }
        };
        by_passage.iter().map(part).collect::<Vec<_>>().join("; ")
    }

    /// An event that is not a message on its way, with the events of this instant `before` it and
    /// from it on.
    fn seen(&mut self, event: &WriteEvent, (before, on): (&[WriteEvent], &[WriteEvent])) {
        let WriteEvent { at, node, what, .. } = *event;
        let (kind, text) = match what {
            WriteEventKind::Observed(Observation::Accept { version, .. }) => {
                self.held.insert(node);
                let term = self.term(node, at);
                let text = format!("accepts it{term}, as version {version}");
                (StepKind::Accepted, text)
            }
            WriteEventKind::Observed(Observation::Apply { .. }) => {
                self.held.insert(node);
                let accepts = |other: &WriteEvent| {
                    let accepted =
                        matches!(other.what, WriteEventKind::Observed(Observation::Accept { .. }));
                    other.node == node && accepted
                };
                if before.iter().any(accepts) {
                    return;
                }
                (StepKind::Applied, "takes it".to_owned())
            }
            WriteEventKind::Observed(Observation::Discard { reason, .. })
            | WriteEventKind::Uncovered { reason } => {
                self.held.remove(node);
                if !self.once(StepKind::Discarded, node, node) {
                    return;
                }
                let successor = before.iter().rev().find_map(|other| match other.what {
                    WriteEventKind::Superseded { by } if other.node == node => Some(by),
                    _ => None,
                });
                (StepKind::Discarded, self.discard_text(event, reason, successor))
            }
            WriteEventKind::Superseded { by } => {
                let is_dropped = on.iter().any(|other| other.node == node && drops_state(other));
                if is_dropped || !self.once(StepKind::Superseded, node, node) {
                    return;
                }
                (StepKind::Superseded, self.superseded_text(event, by))
            }
            WriteEventKind::Undelivered { from, .. } => {
                if !self.once(StepKind::Stopped, node, from) {
                    return;
                }
                (StepKind::Stopped, format!("is down when it comes from {from}"))
            }
            WriteEventKind::Crashed(crash) => {
                self.held.remove(node);
                let kind = if crash.power { StepKind::PowerLost } else { StepKind::Crashed };
                (kind, crash_text(crash).to_owned())
            }
            WriteEventKind::PowerCut { tail } => {
                let what = if tail { "; the write was not synced and goes" } else { "" };
                (StepKind::PowerLost, format!("loses power too{what}"))
            }
            WriteEventKind::DiskReplaced => {
                (StepKind::DiskReplaced, "is given an empty disk".to_owned())
            }
            WriteEventKind::Started { has_it, up } => {
                if has_it {
                    self.held.insert(node);
                }
                let how = match (has_it, up) {
                    (true, _) => "starts again, with it",
                    (false, true) => "starts again, without it",
                    (false, false) => "tries to start, and stops at once",
                };
                (StepKind::Restarted, how.to_owned())
            }
            WriteEventKind::Observed(_)
            | WriteEventKind::Sent { .. }
            | WriteEventKind::Delivered { .. }
            | WriteEventKind::Answered { .. }
            | WriteEventKind::Replied { .. }
            | WriteEventKind::Heard { .. } => return,
        };
        self.step(at, &node, kind, text);
    }

    /// What replaced the write; if that is not a later write, also who sent it and why.
    fn superseded_text(&self, event: &WriteEvent, by: Stored) -> String {
        let other = self.other(by);
        let history = &self.run.history;
        let writer = self.writers.writer(self.write.target.key, by.value, by.version);
        let invoked_at = history.entry(self.write.op).invoked_at;
        let is_earlier = writer.is_some_and(|op| history.entry(op).invoked_at < invoked_at);
        let from = event.from.map_or_else(String::new, |from| format!(", from {from},"));
        let Stored { version, .. } = by;
        if self.write.target.version().is_some_and(|mine| version < mine) {
            format!("takes {other}{from} in its place, though it is older")
        } else if self.write.target.versions.contains(&version) {
            format!("takes {other}{from} in its place, which bears the same version {version}")
        } else if is_earlier {
            format!("takes {other}{from} in its place, for its version {version} is higher")
        } else {
            format!("takes {other} in its place")
        }
    }

    /// Why a node dropped the write, and on whose word.
    fn discard_text(
        &self,
        event: &WriteEvent,
        reason: DiscardReason,
        successor: Option<Stored>,
    ) -> String {
        let leader = event.from.filter(|from| *from != event.node).map(|from| {
            let term = self.term(from, event.at).replace(" in ", ", leader of ");
            format!("{from}{term}")
        });
        match (reason, leader) {
            (DiscardReason::Replaced, Some(leader)) => {
                let with = successor.map_or_else(
                    || "without it".to_owned(),
                    |by| format!("with {} in its place", self.other(by)),
                );
                format!("takes the full state of {leader}, {with}")
            }
            (DiscardReason::Truncated, Some(leader)) => {
                format!("cuts it off its log, for it is not in that of {leader}")
            }
            (DiscardReason::Truncated, None) => {
                "cuts it off its log, for it is not in that of the new leader".to_owned()
            }
            _ => format!("drops it: {}", reason.phrase()),
        }
    }

    /// ` in term 2`, when the node leads then.
    fn term(&self, node: NodeId, at: Time) -> String {
        let leads = |led: &&Leadership| {
            led.node == node && led.from <= at && led.until.is_none_or(|until| at <= until)
        };
        let led = self.run.leaderships.iter().rev().find(leads);
        led.map_or_else(String::new, |led| format!(" in term {}", led.term))
    }

    /// Another write of the key: `put city=Durham by c2`.
    fn other(&self, Stored { value, version }: Stored) -> String {
        let names = self.names;
        let writer = self.writers.writer(self.write.target.key, value, version);
        writer.map_or_else(
            || format!("version {version}"),
            |op| words::call_by(names, self.run.history.entry(op)),
        )
    }

    /// A node began to lead. After the end of the last copy, only the first leader without the
    /// write has a step.
    fn leads(&mut self, led: &Leadership, ended: Option<Time>) {
        let has_it = self.held.contains(led.node);
        let is_over = ended.is_none_or(|ended| led.from > ended);
        let is_told = matches!(self.led, Some((_, false)));
        if self.led == Some((led.node, has_it)) || (is_over && is_told) {
            self.left_out += 1;
            return;
        }
        self.led = Some((led.node, has_it));
        let with = if has_it { "with" } else { "without" };
        let text = format!("leads in term {}, {with} it", led.term);
        self.step(led.from, &led.node, StepKind::Leads, text);
    }

    fn completed(&mut self, entry: &Entry) {
        let client = self.names.client(entry.client).to_owned();
        let by = entry.node.map_or_else(String::new, |node| format!(" by {node}"));
        let text = match entry.status {
            Status::Ok => {
                let with = match (entry.acknowledgements, entry.followers) {
                    (_, 0) => String::new(),
                    (0, _) => ", before any follower has confirmed it".to_owned(),
                    (some, all) => format!(", when {some} of {all} followers have confirmed it"),
                };
                let degraded = if entry.degraded { " (degraded)" } else { "" };
                format!("is told ok{by}{with}{degraded}")
            }
            Status::Fail | Status::Info | Status::Pending => {
                let why = entry.failure.map_or_else(String::new, |f| format!(": {}", f.name()));
                let what =
                    if entry.status == Status::Fail { "failed" } else { "may have happened" };
                format!("is told{by} that it {what}{why}")
            }
        };
        self.step(entry.completed_at, &client, StepKind::Completed, text);
    }

    /// The last step: where it is at the end.
    fn end(&mut self, gone: Option<(Gone, LossCause)>) {
        let key = self.names.key(self.write.target.key);
        let live = self.run.finals.iter().filter(|snapshot| snapshot.up);
        let held = |snapshot: &&crate::protocol::NodeSnapshot| {
            let target = &self.write.target;
            let list = snapshot.lists.get(&target.key).into_iter().flatten();
            let elements =
                list.map(|(version, value)| Stored { value: Some(*value), version: *version });
            let stored = snapshot.data.get(&target.key).copied();
            stored.into_iter().chain(elements).any(|stored| target.is(target.key, stored))
        };
        let keepers: Vec<NodeId> = live.filter(held).map(|s| s.node).collect();
        let shown = shown(&self.run.finals, self.write.target.key);
        let stored = shown.map(|(stored, _)| stored);
        let what = words::holds(self.names, self.write.target.key, stored);
        let left = match shown {
            Some((_, node)) if gone.is_some() && !keepers.is_empty() => {
                format!(
                    "{what} is what {node} shows, though {} still have it",
                    words::nodes(&keepers)
                )
            }
            Some(_) => format!("{what} is what is left"),
            None => format!("no node that is up has {key}"),
        };
        let text = match gone {
            Some((fate, cause)) => {
                format!("{}: {}; {left}", fate.name(), cause.mechanism.phrase())
            }
            None if !keepers.is_empty() => "at the end it is there".to_owned(),
            None => format!("at the end {left}"),
        };
        let who = if gone.is_none() { keepers } else { Vec::new() };
        let who = who.iter().map(ToString::to_string).collect();
        self.steps.push(StoryStep { at: self.run.ended_at, who, kind: StepKind::End, text });
    }

    fn finish(mut self, entry: &Entry, gone: Option<(Gone, LossCause)>) -> Story {
        if self.steps.len() > MOST_STEPS {
            let middle = MOST_STEPS - LAST_STEPS..self.steps.len() - LAST_STEPS;
            self.left_out += middle.len() as u64;
            self.steps.drain(middle);
        }
        let names = self.names;
        let key = match entry.function {
            Function::Clear => format!(" ({})", names.key(self.write.target.key)),
            _ => String::new(),
        };
        Story {
            operation: self.run.history.whole(self.write.op),
            call: format!("{}{key} by {}", words::call(names, entry), names.client(entry.client)),
            status: entry.status,
            version: self.write.target.version(),
            fate: gone.map(|(fate, _)| fate),
            mechanism: gone.map(|(_, cause)| cause.mechanism),
            decisive: gone.and_then(|(_, cause)| cause.decisive),
            steps: self.steps,
            left_out: self.left_out,
        }
    }
}

/// Whether the node drops the write here because it took another node's full state.
const fn drops_state(event: &WriteEvent) -> bool {
    matches!(
        event.what,
        WriteEventKind::Observed(Observation::Discard { reason: DiscardReason::Replaced, .. })
            | WriteEventKind::Uncovered { reason: DiscardReason::Replaced }
    )
}

const fn crash_text(crash: crate::sim::Crash) -> &'static str {
    if crash.cut {
        return "crashes, with its log cut and nothing else on its disk";
    }
    match (crash.power, crash.tail, crash.logged) {
        (true, true, _) => "loses power, and the write, not yet synced, goes from its disk",
        (true, false, true) => "loses power; its disk keeps what was synced",
        (true, false, false) => "loses power, with nothing on its disk",
        (false, _, true) => "crashes; its disk keeps what was written",
        (false, _, false) => "crashes, with nothing on its disk",
    }
}

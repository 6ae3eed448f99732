//! What a request shows of the client that sends it.

use std::collections::{BTreeMap, BTreeSet};

use splitbrain::config::{Config, Mix, Pace};
use splitbrain::history::Entry;
use splitbrain::id::{ClientId, NodeId, Version};
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, Input, NoMessage, NoTimer, NodeSnapshot, Outcome, Protocol, Reply,
    Response, Role, Session,
};
use splitbrain::run::{RunOptions, run};
use splitbrain::sampler::Distribution;
use splitbrain::time::Span;

use crate::support::cluster;

/// A node that is deaf to the first attempt of each session, and answers the second with the
/// client and the sequence in the version.
#[derive(Default)]
struct HardOfHearing {
    heard: BTreeSet<Session>,
}

impl Protocol for HardOfHearing {
    type Config = ();
    type Message = NoMessage;
    type Record = ();
    type Timer = NoTimer;

    fn recover((): &(), _: &DiskImage, _: &mut Context<'_, Self>) -> Self {
        Self::default()
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let Input::Request { session, request, .. } = input else { return };
        if self.heard.insert(session) {
            return;
        }
        let Session { client: ClientId(client), sequence } = session;
        let version = Version { timestamp: client.into(), node: cx.node(), sequence };
        let written = Response::Written { version, existed: None };
        cx.reply(request, Reply::of(Outcome::Ok(written)));
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(NodeId(0), Role::Leader)
    }

    fn promises((): &(), _: &Config) -> Promises {
        Promises::default()
    }
}

/// The sequences of a client's operations count up from 1, each the same for both attempts: if it
/// were not, no attempt would be answered.
#[test]
fn a_session_counts_the_operations_of_its_client_and_not_its_attempts() {
    let mut config = cluster::config(1);
    cluster::set_clients(&mut config, 3, 30);
    let workload = config.workload.as_mut().expect("a workload");
    workload.mix = Mix { put: 1, delete: 1, ..Mix::default() };
    workload.pace =
        Pace::Closed { think: Distribution::Exponential { mean: Span::from_millis(50) } };
    (workload.retry.timeout, workload.retry.retries) = (Span::from_millis(20), 1);
    let names = cluster::names(&config);
    let result = run::<HardOfHearing>(&config, &names, &(), 1, RunOptions::default());
    let mut sequences: BTreeMap<ClientId, Vec<u32>> = BTreeMap::new();
    for Entry { client, version, .. } in result.history.entries() {
        let version = version.expect("every operation is answered");
        assert_eq!(version.timestamp, i64::from(client.0), "the client is the one that asks");
        sequences.entry(*client).or_default().push(version.sequence);
    }
    let counted = (0..3).map(|client| (ClientId(client), (1..=10).collect()));
    assert_eq!(sequences, counted.collect());
}

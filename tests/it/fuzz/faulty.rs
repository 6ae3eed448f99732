//! A store of another crate whose nodes answer from their own memory, with defects of the kind that a campaign has to
//! survive: it counts over all runs of the process, and it panics.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use splitbrain::config::Config;
use splitbrain::id::{KeyId, NodeId, Value, Version};
use splitbrain::operation::Operation;
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, Input, Message, NoTimer, NodeSnapshot, Outcome, Protocol, Reply, Response,
    Role,
};
use splitbrain::scenario::ScenarioProtocol;
use splitbrain::scenario::keys::{Key, Section, integer, key};

/// Never the same twice, whichever run asks.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Hash)]
pub(crate) enum Never {}

impl Message for Never {
    const KINDS: &'static [&'static str] = &[];
    fn kind(&self) -> u8 {
        match *self {}
    }
}

pub(crate) struct Faulty {
    defect: u16,
    me: NodeId,
    data: BTreeMap<KeyId, (Value, Version)>,
}

impl Protocol for Faulty {
    /// 0 for none, 1 for a count that outlives the run, 2 for a panic in some runs.
    type Config = u16;
    type Message = Never;
    type Record = ();
    type Timer = NoTimer;

    fn recover(defect: &u16, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        Self { defect: *defect, me: cx.node(), data: BTreeMap::new() }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let Input::Request { request, operation, .. } = input else { return };
        let counted = REQUESTS.fetch_add(1, Ordering::Relaxed);
        if self.defect == 1 && counted % 7 == 6 {
            return cx.reply(request, Reply::unsupported());
        }
        assert!(
            self.defect != 2 || !cx.random().is_multiple_of(100),
            "a number that must not come up"
        );
        let response = match operation {
            Operation::Put { key, value, .. } => {
                let version = Version { timestamp: cx.wall().0, node: self.me, sequence: 0 };
                self.data.insert(key, (value, version));
                Response::Written { version, existed: None }
            }
            _ => return cx.reply(request, Reply::unsupported()),
        };
        cx.reply(request, Reply::of(Outcome::Ok(response)));
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Leader)
    }

    fn promises(_: &u16, _: &Config) -> Promises {
        Promises::default()
    }
}

impl ScenarioProtocol for Faulty {
    const NAME: &'static str = "faulty";

    fn section() -> &'static Section<u16> {
        static SECTION: LazyLock<Section<u16>> = LazyLock::new(|| {
            let defect: Key<u16, u16> =
                key("defect", "What is wrong with it.", integer(0..=2), |defect| defect);
            Section::new("A protocol with something wrong.", 0).key(defect.required())
        });
        &SECTION
    }
}

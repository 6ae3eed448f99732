//! A store of another crate, of nodes that answer from their own memory, with two defects that shrinking has to keep: it
//! panics at the second write of a key, and it is not the same twice.

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

/// Writes over all runs of the process, of the second defect alone.
static WRITES: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, Hash)]
pub(crate) enum Never {}

impl Message for Never {
    const KINDS: &'static [&'static str] = &[];
    fn kind(&self) -> u8 {
        match *self {}
    }
}

pub(crate) struct Moody {
    panics: bool,
    counts: bool,
    me: NodeId,
    data: BTreeMap<KeyId, Value>,
}

impl Protocol for Moody {
    /// 1: panics at the second write of a key. 2: stamps writes by what was written in earlier runs.
    type Config = u16;
    type Message = Never;
    type Record = ();
    type Timer = NoTimer;

    fn recover(defect: &u16, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        let (panics, counts) = (*defect == 1, *defect == 2);
        Self { panics, counts, me: cx.node(), data: BTreeMap::new() }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let Input::Request { request, operation, .. } = input else { return };
        let Operation::Put { key, value, .. } = operation else {
            return cx.reply(request, Reply::unsupported());
        };
        let before = self.data.insert(key, value);
        assert!(!self.panics || before.is_none(), "a key may be written once");
        let sequence = if self.counts { WRITES.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let timestamp = cx.wall().0.saturating_add_unsigned(sequence);
        let version = Version { timestamp, node: self.me, sequence: 0 };
        let response = Response::Written { version, existed: None };
        cx.reply(request, Reply::of(Outcome::Ok(response)));
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Leader)
    }

    fn promises(_: &u16, _: &Config) -> Promises {
        Promises::default()
    }
}

impl ScenarioProtocol for Moody {
    const NAME: &'static str = "moody";

    fn section() -> &'static Section<u16> {
        static SECTION: LazyLock<Section<u16>> = LazyLock::new(|| {
            let defect: Key<u16, u16> =
                key("defect", "What is wrong with it.", integer(0..=2), |defect| defect);
            Section::new("A protocol with something wrong.", 0).key(defect.required())
        });
        &SECTION
    }
}

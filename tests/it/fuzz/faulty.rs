//! A store of another crate whose nodes answer from their own memory, with defects that campaigns
//! and shrinking have to survive.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use splitbrain::config::Config;
use splitbrain::id::{KeyId, NodeId, Value, Version};
use splitbrain::operation::Operation;
use splitbrain::property::Promises;
use splitbrain::protocol::{
    Context, DiskImage, Input, NoMessage, NoTimer, NodeSnapshot, Outcome, Protocol, Reply,
    Response, Role,
};
use splitbrain::scenario::ScenarioProtocol;
use splitbrain::scenario::keys::{Section, Setting, key, words};

/// Writes over all runs of the process.
static WRITES: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// Stamps writes by how many there were in earlier runs, and refuses some by the same number:
    /// no run is the same twice.
    CountsOverRuns,
    /// Panics in some runs.
    PanicsByChance,
    /// Panics when a key is written a second time.
    PanicsAtSecondWrite,
}

const DEFECTS: [(&str, Defect); 4] = [
    ("none", Defect::None),
    ("counts-over-runs", Defect::CountsOverRuns),
    ("panics-by-chance", Defect::PanicsByChance),
    ("panics-at-second-write", Defect::PanicsAtSecondWrite),
];

pub(crate) struct Faulty {
    defect: Defect,
    me: NodeId,
    data: BTreeMap<KeyId, Value>,
}

impl Protocol for Faulty {
    type Config = Defect;
    type Message = NoMessage;
    type Record = ();
    type Timer = NoTimer;

    fn recover(defect: &Defect, _: &DiskImage, cx: &mut Context<'_, Self>) -> Self {
        Self { defect: *defect, me: cx.node(), data: BTreeMap::new() }
    }

    fn handle(&mut self, input: Input<Self>, cx: &mut Context<'_, Self>) {
        let Input::Request { request, operation, .. } = input else { return };
        let Operation::Put { key, value, .. } = operation else {
            return cx.reply(request, Reply::unsupported());
        };
        let before = self.data.insert(key, value);
        let mut timestamp = cx.wall().0;
        match self.defect {
            Defect::None => {}
            Defect::CountsOverRuns => {
                let counted = WRITES.fetch_add(1, Ordering::Relaxed);
                timestamp = timestamp.saturating_add_unsigned(counted);
                // The top bit of a product that mixes: no two runs share the order.
                if counted.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1 {
                    return cx.reply(request, Reply::unsupported());
                }
            }
            Defect::PanicsByChance => {
                assert!(!cx.random().is_multiple_of(100), "a number that must not come up");
            }
            Defect::PanicsAtSecondWrite => {
                assert!(before.is_none(), "a key may be written once");
            }
        }
        let version = Version { timestamp, node: self.me, sequence: 0 };
        let response = Response::Written { version, existed: None };
        cx.reply(request, Reply::of(Outcome::Ok(response)));
    }

    fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot::new(self.me, Role::Leader)
    }

    fn promises(_: &Defect, _: &Config) -> Promises {
        Promises::default()
    }
}

impl ScenarioProtocol for Faulty {
    const NAME: &'static str = "faulty";

    fn section() -> &'static Section<Defect> {
        static SECTION: LazyLock<Section<Defect>> = LazyLock::new(|| {
            let defect: Setting<Defect, Defect> =
                key("defect", "What is wrong with it.", words(DEFECTS), |defect| defect);
            Section::new("A store with a defect.", Defect::None).key(defect.required())
        });
        &SECTION
    }
}

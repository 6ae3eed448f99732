//! `[[fault]]`: what goes wrong, when, and for how long.

use std::sync::LazyLock;

use super::decode::{Element, TableDecoder};
use super::diagnostics::Problem;
use super::ids::ids;
use super::keys::{
    Draft, Section, declared, keys, name_shape, only_true, positive_duration, time, variants,
};
use super::units;
use super::words::ACTIONS;
use crate::config::{Clock, Fault, FaultAction, Start, Target};
use crate::id::{FaultId, NodeId};
use crate::time::Time;

mod actions;
mod target;
mod trigger;

/// An entry of `[[fault]]`.
pub(super) static SECTION: LazyLock<Section<Fault>> = LazyLock::new(fault);

/// Every `[[fault]]`; `clocks` are those of the nodes, if they have no mistakes.
pub(super) fn faults(table: &mut TableDecoder<'_>, clocks: Option<&[Clock]>) -> Option<Vec<Fault>> {
    let Some(list) = table.get("fault") else { return Some(Vec::new()) };
    let ids = ids(&list, &ACTIONS)?;
    if let Some(index) = ids.iter().position(|id| id == "network")
        && let Some(element) = list.items()?.get(index)
    {
        let at = element.node.get("id").map_or(element.at(), |id| id.at);
        let label = "`heal = \"network\"` means every fault of the network";
        list.sink().push(Problem::new(at, "`network` cannot be a fault's id", label));
    }
    table.scope().names.borrow_mut().set_faults(ids);
    let mut index = 0;
    let faults = list.list(|element| {
        // A file has at most 16 MiB, so the count fits.
        let id = FaultId(index);
        index += 1;
        element.table(|table| SECTION.decode(table)).map(|fault| Fault { id, ..fault })
    })?;
    bounded_jumps(&list, &faults, clocks.unwrap_or_default())?;
    Some(faults)
}

/// Refuses jumps of one clock that add up to more than [`units::MAX_JUMPS`]. A target that is
/// resolved when the fault starts counts as every node.
fn bounded_jumps(list: &Element<'_>, faults: &[Fault], clocks: &[Clock]) -> Option<()> {
    let mut off = vec![0_u64; usize::from(list.nodes())];
    for (sum, clock) in off.iter_mut().zip(clocks) {
        *sum = clock.offset_ns.unsigned_abs();
    }
    for (fault, element) in faults.iter().zip(list.items()?) {
        let FaultAction::ClockJump { target, by_ns } = &fault.action else { continue };
        let jumping: Vec<NodeId> = match target {
            Target::Nodes(nodes) => nodes.clone(),
            _ => NodeId::all(list.nodes()).collect(),
        };
        for node in jumping {
            // No overflow: each part is at most ten years, and the first sum above that returns.
            off[node.index()] += by_ns.unsigned_abs();
            if off[node.index()] > units::MAX_JUMPS {
                let by = element.node.get("clock-jump").and_then(|jump| jump.get("by"));
                let at = by.map_or(element.at(), |by| by.at);
                let title =
                    format!("the offset and the jumps of {node}'s clock exceed 10 years together");
                let problem = Problem::new(at, title, "with this jump it is too much");
                list.sink().push(problem.help("they may add up to 87600h, whatever their signs"));
                return None;
            }
        }
    }
    Some(())
}

fn fault() -> Section<Fault> {
    let base = Fault {
        id: FaultId(0),
        start: Start::At(Time::ZERO),
        lasts: None,
        action: FaultAction::MajoritiesRing,
        forever: false,
    };
    Section::new("A fault: exactly one thing that goes wrong, at a time or at a moment.", base)
        .by_hand(
            declared! {
                /// A stable id, which keys its random draws; by default its kind and time or
                /// moment, such as crash-4s or crash-persists-5, and crash-4s-2 for a second one.
                "id": name_shape();
            },
            |table, _| table.optional("id", Element::name).map(drop),
            |fault, texts, table| {
                table.insert("id".to_owned(), texts.names.fault(fault.id).into());
            },
        )
        .one_of(
            "when the fault starts",
            variants! { Start:
                /// When it starts.
                "at" => (at) -> At(at), time();
                "when" => (trigger) -> When(trigger), trigger::section().format();
            },
            |fault| fault.start,
            |fault, start| fault.start = start,
        )
        .with(keys! { |fault: Fault|
            /// After how long it ends by itself.
            "for" => fault.lasts, positive_duration().some();
            /// Whether a node that it takes down stays down even for the settling phase.
            "forever" => fault.forever, only_true();
        })
        .one_of(
            "what goes wrong",
            actions::actions(),
            |fault| fault.action.clone(),
            |fault, action| fault.action = action,
        )
        .checked(ends_as_its_action_can)
}

/// Refuses an end that the action cannot have.
fn ends_as_its_action_can(draft: &Draft<Fault>, table: &mut TableDecoder<'_>) -> Option<()> {
    let given: Vec<&str> = ACTIONS.into_iter().filter(|kind| table.has(kind)).collect();
    let lasts = draft.is_right("for") && draft.value.lasts.is_some();
    let is_forever = table.has("forever");
    if let [kind] = given[..] {
        if lasts && matches!(kind, "restart" | "resume" | "flip-bit" | "heal") {
            let at = table.key_at("for");
            let title = format!("`{kind}` has no end");
            table.sink().push(Problem::new(at, title, "it happens once, and cannot last"));
            return None;
        }
        if is_forever && !matches!(kind, "crash" | "power-loss") {
            let at = table.key_at("forever");
            let label = "only a `crash` or a `power-loss` can keep a node down forever";
            table.sink().push(Problem::new(at, format!("`{kind}` cannot last forever"), label));
            return None;
        }
    }
    if is_forever && lasts {
        let help = "leave one of them out";
        table.contradiction("for", "forever", "the fault ends, and lasts forever", help);
        return None;
    }
    Some(())
}

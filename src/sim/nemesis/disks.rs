//! Faults of disks: what the nemesis does to the disk of a node, and takes back.

use crate::config::{DiskFault, Target};
use crate::id::NodeId;
use crate::property::Hazard;
use crate::protocol::Protocol;
use crate::rng::CausalId;

use super::super::disk::Sooner;
use super::super::event::{Event, Queue};
use super::super::{Simulation, fault_id};
use super::undo::Undo;
use super::words::names;

impl<P: Protocol, Q: Queue<P>> Simulation<'_, P, Q> {
    /// Starts a fault of the disks of `target`, whether their nodes are up or not.
    pub(super) fn inflict_on_disks(
        &mut self,
        index: u32,
        id: CausalId,
        target: &Target,
        fault: &DiskFault,
    ) -> (Option<Undo>, String) {
        let hit = self.machines(target, id);
        let whose = names(&hit);
        let what = match fault {
            DiskFault::FlipBit { byte } => return (None, self.flip_bits(&hit, *byte, id)),
            DiskFault::TornWrite => "will tear what is not synced",
            DiskFault::LostWrite => "lies about syncs",
            DiskFault::ReadError => "cannot be read",
            DiskFault::Full => "is full",
            DiskFault::Slow(_) => "is slow",
        };
        let name = fault_id(self.names, self.config.faults[index as usize].id);
        let hazard = match fault {
            DiskFault::LostWrite => Some(Hazard::LostWrite),
            DiskFault::Full => Some(Hazard::DiskFull),
            DiskFault::FlipBit { .. }
            | DiskFault::TornWrite
            | DiskFault::ReadError
            | DiskFault::Slow(_) => None,
        };
        for node in &hit {
            if let Some(hazard) = hazard {
                self.kernel.befalls(*node, hazard);
            }
            self.slots[node.index()].disk.begin(index, name, fault.clone());
        }
        (Some(Undo::Disk(hit)), format!("the disk of {whose} {what}"))
    }

    fn flip_bits(&mut self, hit: &[NodeId], byte: Option<u64>, id: CausalId) -> String {
        let mut flipped = Vec::new();
        for node in hit {
            let found = self.slots[node.index()].disk.flip_bit(byte, &self.kernel.draws, id);
            let Some((byte, bit)) = found else { continue };
            self.kernel.befalls(*node, Hazard::BitRot);
            flipped.push(format!("bit {bit} of byte {byte} on the disk of {node} flips"));
        }
        if flipped.is_empty() {
            if let Some(impact) = self.impacts.last_mut() {
                impact.hits_nobody = true;
            }
            return "no bit flips: nothing is written there".to_owned();
        }
        flipped.join(", ")
    }

    /// The fault of this index is over on these disks.
    pub(super) fn mend_disks(&mut self, hit: &[NodeId], index: u32) -> String {
        for node in hit {
            let sooner = self.slots[node.index()].disk.end(index, self.kernel.now);
            for Sooner { ticket, event, at } in sooner {
                let Some(Event { id, what }) = self.kernel.revoke(event) else { continue };
                let event = self.kernel.schedule_revocable(at, id, what);
                self.slots[node.index()].disk.completes_by(ticket, event);
            }
        }
        format!("the disk of {} is as before", names(hit))
    }
}

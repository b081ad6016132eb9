//! What coordinators are told of the devices here: results that they have not
//! answered for, and blocks that are being computed. A new coordinator asks
//! nobody; it is told.

use wire::{BlockIndex, Epoch, HeldLease, JobId, NodeId, PeerMessage, WorkerId};

use super::{LocalWorker, WorkerHost, release};
use crate::directory::Directory;
use crate::effect::{Output, WorkerCommand};

impl WorkerHost {
    /// The coordinator has recorded the result, or does not need it.
    pub(crate) fn on_counted(
        &mut self,
        worker: WorkerId,
        key: (JobId, BlockIndex),
        counted: bool,
        outputs: &mut Vec<Output>,
    ) {
        let (job, block) = key;
        let Some(known) = self.workers.get_mut(&worker) else {
            return;
        };
        if let Some(kept) = known.kept.remove(&key) {
            let command = WorkerCommand::Counted {
                job,
                block,
                counted,
            };
            outputs.push(Output::ToWorker { worker, command });
            release(worker, key, &kept.proof, outputs);
        }
    }

    /// A peer is back: what it has not answered for is offered again.
    pub(crate) fn offer_kept(
        &self,
        peer: NodeId,
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        for (worker, known) in &self.workers {
            for key in known.kept.keys() {
                let coordinator = directory.get(key.0).map(|job| job.epoch.coordinator);
                if coordinator == Some(peer) {
                    offer(*worker, known, *key, peer, 0, outputs);
                }
            }
        }
    }

    /// Another leads this job: what is finished is offered to it, what is being
    /// computed is told, so that nothing is computed twice.
    pub(crate) fn on_new_coordinator(
        &mut self,
        job: JobId,
        epoch: Epoch,
        outputs: &mut Vec<Output>,
    ) {
        let to = epoch.coordinator;
        for (worker, known) in &mut self.workers {
            known.idle_at.remove(&job);
            known.asked = known.asked.filter(|(asked, _)| *asked != job);
            for ((of, _), leased_by) in &mut known.leased {
                if *of == job {
                    *leased_by = to;
                }
            }
            for key in known.kept.keys().filter(|(kept, _)| *kept == job) {
                offer(*worker, known, *key, to, 0, outputs);
            }
        }
        let leases = self.held(job);
        let message = PeerMessage::Held { job, epoch, leases };
        outputs.push(Output::Send { to, message });
    }

    /// A coordinator is back: it may have started anew, and know of no lease.
    pub(crate) fn tell_held(&self, peer: NodeId, directory: &Directory, outputs: &mut Vec<Output>) {
        for summary in directory.running() {
            let (job, epoch) = (summary.id, summary.epoch);
            let leases = self.held(job);
            if epoch.coordinator == peer && !leases.is_empty() {
                let message = PeerMessage::Held { job, epoch, leases };
                outputs.push(Output::Send { to: peer, message });
            }
        }
    }

    /// What the devices compute of a job, and what they have computed and keep: such a result may be a queue of
    /// megabytes behind this word.
    fn held(&self, job: JobId) -> Vec<HeldLease> {
        let devices = self.workers.iter().map(|(worker, known)| HeldLease {
            exchange: known.profile.exchange(*worker, 0),
            blocks: known
                .kept
                .keys()
                .chain(known.leased.keys())
                .filter(|(of, _)| *of == job)
                .map(|(_, block)| *block)
                .collect(),
        });
        devices.filter(|held| !held.blocks.is_empty()).collect()
    }

    /// A page came from another node with these blocks: their coordinators
    /// lease them to it here.
    pub(crate) fn on_holds(
        &self,
        worker: WorkerId,
        blocks: &[(JobId, BlockIndex)],
        directory: &Directory,
        outputs: &mut Vec<Output>,
    ) {
        let Some(known) = self.workers.get(&worker) else {
            return;
        };
        for summary in directory.running() {
            let (job, epoch) = (summary.id, summary.epoch);
            let own = blocks.iter().filter(|(of, _)| *of == job);
            let own: Vec<BlockIndex> = own.map(|(_, block)| *block).collect();
            if own.is_empty() {
                continue;
            }
            let exchange = known.profile.exchange(worker, 0);
            let leases = vec![HeldLease {
                exchange,
                blocks: own,
            }];
            let to = epoch.coordinator;
            let message = PeerMessage::Held { job, epoch, leases };
            outputs.push(Output::Send { to, message });
        }
    }
}

/// Offers a finished block to its coordinator; with it the device asks for so many more.
pub(super) fn offer(
    worker: WorkerId,
    known: &LocalWorker,
    (job, block): (JobId, BlockIndex),
    coordinator: NodeId,
    slots: u32,
    outputs: &mut Vec<Output>,
) {
    let Some(kept) = known.kept.get(&(job, block)) else {
        return;
    };
    let exchange = known.profile.exchange(worker, slots);
    let message = PeerMessage::Result {
        job,
        block,
        exchange,
        proof: kept.proof,
    };
    outputs.push(Output::Send {
        to: coordinator,
        message,
    });
}

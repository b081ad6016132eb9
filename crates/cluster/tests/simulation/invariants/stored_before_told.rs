//! Durable before announced: whatever a node tells another node, a device or a
//! person is on its disk at that moment.

use std::collections::BTreeMap;

use cluster::{Event, WorkerCommand};
use wire::{ChunkHash, JobId, JobStatus, JobSummary, NodeId, PeerMessage};

use crate::support::mesh::Mesh;
use crate::support::store::{Store, done_blocks};

/// The result that goes with the message, if it brings one.
pub(crate) fn check_message(mesh: &Mesh, from: NodeId, message: &PeerMessage) -> Option<ChunkHash> {
    let store = &mesh.stores[&from];
    match message {
        PeerMessage::Job(summary) if says_itself(mesh, from, summary) => {
            check_summary(store, summary);
            None
        }
        PeerMessage::Counted {
            job,
            block,
            worker,
            counted: true,
        } => {
            let credit = store.credit(*job, *block);
            let is_stored = credit == Some(*worker) || mesh.has_batches;
            assert!(is_stored, "told before stored");
            None
        }
        PeerMessage::Result {
            job,
            block,
            exchange,
            proof,
        } => {
            let key = (*job, *block, exchange.worker);
            let bytes = proof.hash.filter(|hash| store.keeps(key, *hash));
            assert!(bytes.is_some(), "a result without its bytes");
            bytes
        }
        PeerMessage::CopyBlock { job, done, .. } => {
            // Within one batch another record of the block may have taken its place on the disk, or all of it was
            // removed.
            let credit = store.credit(*job, done.block);
            let is_stored = credit == Some(done.worker) || mesh.has_batches;
            assert!(is_stored, "sent before stored");
            Some(done.hash)
        }
        _ => None,
    }
}

/// A device hears that its result counts: somebody's disk has it. The credit may
/// have gone to another since, where two sides of a cut network were united.
pub(crate) fn check_command(mesh: &Mesh, command: &WorkerCommand) {
    if let WorkerCommand::Counted {
        job,
        block,
        counted: true,
    } = command
    {
        let mut stores = mesh.stores.values();
        let is_stored = stores.any(|store| store.credit(*job, *block).is_some());
        assert!(is_stored, "told before stored");
    }
}

/// Within a batch another record of the block may have taken its place, or it was found damaged.
pub(crate) fn check_event(store: &Store, is_alone: bool, event: &Event) {
    if let Event::BlockDone {
        job, block, worker, ..
    } = event
    {
        let credit = store.credit(*job, *block);
        assert!(credit == Some(*worker) || !is_alone, "{credit:?}");
    }
}

/// Whether a node tells of a job that it leads, and not what it heard.
fn says_itself(mesh: &Mesh, from: NodeId, summary: &JobSummary) -> bool {
    let led = mesh.node(from).coordinator(summary.id);
    led.is_some_and(|led| {
        led.replica().epoch() == summary.epoch && led.replica().status() == summary.status
    })
}

fn check_summary(store: &Store, summary: &JobSummary) {
    let replica = store.jobs.get(&summary.id).expect("told before accepted");
    assert!(
        replica.epoch() >= summary.epoch,
        "an epoch told before stored"
    );
    assert!(u64::from(summary.blocks_done) <= done_blocks(replica));
    if summary.status != JobStatus::Running {
        assert_eq!(replica.status(), summary.status, "told before stored");
    }
}

/// Somebody hears that the job is safe, or that it has ended: another node has that, or this one's disk.
pub(crate) fn check_safe(
    stores: &BTreeMap<NodeId, Store>,
    at: NodeId,
    job: JobId,
    has_ended: bool,
) {
    let has_it = |store: &Store| {
        let copy = store.jobs.get(&job);
        copy.is_some_and(|copy| copy.ended.is_some() || !has_ended)
    };
    let mut others = stores.iter().filter(|(id, _)| **id != at);
    let is_elsewhere = others.any(|(_, store)| has_it(store));
    let is_synced = !stores[&at].unsynced.contains(&job);
    assert!(
        is_synced || is_elsewhere,
        "{job} is told by {at}, and no disk has it"
    );
}

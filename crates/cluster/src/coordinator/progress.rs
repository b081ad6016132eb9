//! What is to be told of a job: its blocks, its tallies, who did what.

use std::collections::{BTreeMap, BTreeSet};

use wire::{
    BlockCounts, BlockIndex, BlockView, ContributionView, Epoch, JobStatus, NodeId, Tally, WorkerId,
};

use kernel::cut::Cut;

use super::{Coordinator, milliseconds};
use crate::replica::Replica;
use crate::time::Moment;

/// A job as it stands; clocks are left to whoever shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobProgress {
    /// Everything that is known of the job.
    pub replica: Replica,
    /// Where it stands, as far as that may be told.
    pub status: JobStatus,
    /// Its newest epoch.
    pub epoch: Epoch,
    /// How many blocks are where.
    pub blocks: BlockCounts,
    /// Results that counted, over all epochs.
    pub accepted: u64,
    /// All epochs together.
    pub tally: Tally,
    /// Milliseconds from submission to the end, or until now.
    pub elapsed_ms: f64,
    /// One a device, the one with most rows first.
    pub contributions: Vec<ContributionView>,
    /// Nodes that hold a copy beside the coordinator.
    pub backups: Vec<NodeId>,
}

impl Coordinator {
    /// The job as it stands.
    #[must_use]
    pub fn progress(&self, now: Moment) -> JobProgress {
        let mut progress = progress_of(&self.replica, &self.cut);
        let blocks = &mut progress.blocks;
        blocks.done = self.committed();
        // What is stored and not yet on all backups is still its device's.
        let assigned = self.leases.len() + self.uncommitted.len();
        blocks.assigned = u32::try_from(assigned).unwrap_or(u32::MAX);
        blocks.pending = blocks.total.saturating_sub(blocks.done + blocks.assigned);
        let done = |block| self.replica.done.get(block);
        let counted = self.uncommitted.keys().filter_map(done);
        progress.accepted -= counted.map(|done| u64::from(done.counted)).sum::<u64>();
        progress.status = self.told_status();
        if self.replica.ended.is_none() {
            progress.elapsed_ms = milliseconds(self.age(now));
        }
        progress.backups = self.copies.joined();
        progress
    }

    /// Every block of the cut and who computed it.
    #[must_use]
    pub fn block_views(&self) -> Vec<BlockView> {
        block_views_of(&self.replica, &self.cut)
    }
}

/// A copy as it stands, without what only its coordinator knows.
pub(crate) fn progress_of(replica: &Replica, cut: &Cut) -> JobProgress {
    let total = cut.block_count();
    let done = u32::try_from(replica.done.len()).unwrap_or(u32::MAX);
    JobProgress {
        status: replica.status(),
        epoch: replica.epoch(),
        blocks: BlockCounts {
            total,
            pending: total.saturating_sub(done),
            assigned: 0,
            done,
        },
        accepted: replica.accepted(),
        tally: replica.total_tally(),
        elapsed_ms: replica.ended.as_ref().map_or(0.0, |ended| ended.elapsed_ms),
        contributions: contributions_of(replica, cut),
        backups: replica.leadership.backups.clone(),
        replica: replica.clone(),
    }
}

pub(crate) fn block_views_of(replica: &Replica, cut: &Cut) -> Vec<BlockView> {
    let blocks = (0..cut.block_count()).filter_map(|index| cut.block(index));
    blocks
        .map(|block| BlockView {
            block: BlockIndex(block.index),
            row_start: block.rows.start,
            rows: block.rows.end - block.rows.start,
            col_start: block.cols.start,
            cols: block.cols.end - block.cols.start,
            worker: replica
                .done
                .get(&BlockIndex(block.index))
                .map(|done| done.worker),
        })
        .collect()
}

fn contributions_of(replica: &Replica, cut: &Cut) -> Vec<ContributionView> {
    let mut views: BTreeMap<WorkerId, (ContributionView, BTreeSet<u32>)> = BTreeMap::new();
    for done in replica.done.values() {
        let Some(block) = cut.block(done.block.0) else {
            continue;
        };
        let (view, row_starts) = views.entry(done.worker).or_insert_with(|| {
            let view = ContributionView {
                worker: done.worker,
                kind: done.kind,
                name: done.name.clone(),
                device: done.device.clone(),
                blocks: 0,
                rows: 0,
                operations: 0,
                compute_ms: 0.0,
                mflops: None,
                verified_blocks: 0,
            };
            (view, BTreeSet::new())
        });
        view.blocks += 1;
        view.operations = view.operations.saturating_add(done.operations);
        view.compute_ms += done.compute_ms;
        // Blocks side by side have the same rows; those count once.
        if row_starts.insert(block.rows.start) {
            view.rows += block.rows.end - block.rows.start;
        }
    }
    let mut all: Vec<ContributionView> = views.into_values().map(|(view, _)| view).collect();
    for view in &mut all {
        view.mflops = mflops(view.operations, view.compute_ms);
    }
    all.sort_by_key(|view| (std::cmp::Reverse(view.rows), view.worker));
    all
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn mflops(operations: u64, compute_ms: f64) -> Option<f64> {
    (compute_ms > 0.0).then(|| operations as f64 / compute_ms / 1e3)
}

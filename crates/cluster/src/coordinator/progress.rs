//! What is to be told of a job: its blocks, its tallies, who did what.

use std::collections::{BTreeMap, BTreeSet};

use wire::{BlockCounts, BlockIndex, BlockView, ContributionView, NodeId, WorkerId};

use super::Coordinator;
use crate::replica::{Ended, Replica, Tally};
use crate::time::Moment;

/// A job as it stands; clocks are left to whoever shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobProgress {
    /// Everything that is known of the job.
    pub replica: Replica,
    /// How many blocks are where.
    pub blocks: BlockCounts,
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
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let total = self.cut.block_count();
        let done = count(self.replica.done.len());
        let assigned = count(self.leases.len());
        let running_ms = super::milliseconds(self.age(now));
        JobProgress {
            blocks: BlockCounts {
                total,
                pending: total.saturating_sub(done.saturating_add(assigned)),
                assigned,
                done,
            },
            tally: self.replica.total_tally(),
            elapsed_ms: self
                .replica
                .ended
                .as_ref()
                .map_or(running_ms, |ended: &Ended| ended.elapsed_ms),
            contributions: self.contributions(),
            backups: Vec::new(),
            replica: self.replica.clone(),
        }
    }

    /// Every block of the cut and who computed it.
    #[must_use]
    pub fn block_views(&self) -> Vec<BlockView> {
        let blocks = (0..self.cut.block_count()).filter_map(|index| self.cut.block(index));
        blocks
            .map(|block| BlockView {
                block: BlockIndex(block.index),
                row_start: block.rows.start,
                rows: block.rows.end - block.rows.start,
                col_start: block.cols.start,
                cols: block.cols.end - block.cols.start,
                worker: self
                    .replica
                    .done
                    .get(&BlockIndex(block.index))
                    .map(|done| done.worker),
            })
            .collect()
    }

    fn contributions(&self) -> Vec<ContributionView> {
        let mut views: BTreeMap<WorkerId, (ContributionView, BTreeSet<u32>)> = BTreeMap::new();
        for done in self.replica.done.values() {
            let Some(block) = self.cut.block(done.block.0) else {
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
            view.operations += done.operations;
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
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn mflops(operations: u64, compute_ms: f64) -> Option<f64> {
    (compute_ms > 0.0).then(|| operations as f64 / compute_ms / 1e3)
}

//! What is to be told of a job: its blocks, its tallies, who did what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wire::{
    BlockCounts, BlockView, ContributionView, CourseDevice, CourseView, DoneBlock, Epoch,
    EpochView, JobStatus, JobSummary, MatrixSource, NodeId, Shape, Tally, WorkerId, WorkerKind,
};

use kernel::cut::Cut;

use super::{Coordinator, microseconds, milliseconds};
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
    /// Bytes of the result and the inputs on each holder.
    pub disk_bytes: u64,
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

    /// The summary that the other nodes should get by now.
    pub(crate) fn take_due_summary(&mut self, now: Moment) -> Option<JobSummary> {
        self.summary_due.take_if(|due| *due <= now)?;
        Some(self.next_summary())
    }

    /// The job in short, newer than every summary before.
    pub(crate) fn next_summary(&mut self) -> JobSummary {
        self.summary_version = self.summary_version.saturating_add(1);
        let record = &self.replica.record;
        JobSummary {
            id: record.id,
            status: self.told_status(),
            epoch: self.epoch(),
            version: self.summary_version,
            holders: self.replica.holders().collect(),
            shape: record.shape,
            options: record.options,
            blocks_total: self.cut.block_count(),
            blocks_done: self.committed(),
            submitted_at_unix_ms: record.submitted_at_unix_ms,
            idempotency_key: record.idempotency_key.clone(),
            reopened: self.is_reopened,
            fetched: false,
        }
    }

    /// The course of the job, with what is under way.
    #[must_use]
    pub fn course(&self, now: Moment) -> CourseView {
        let mut course = course_of(&self.replica, &self.cut, self.age(now));
        let leases = self.leases.values().flatten();
        let mut held: Vec<_> = leases
            .map(|lease| (lease.leased_at, lease.worker))
            .collect();
        held.sort_unstable();
        for (_, worker) in held {
            course.place_of(&self.named(worker));
        }
        let epoch = self.epoch().number;
        for (block, leases) in &self.leases {
            let Some(lease) = leases.first() else {
                continue;
            };
            let device = course.place_of(&self.named(lease.worker));
            // When it has changed hands, the device before may have no block of its own.
            let taken_from = self.taken_from.get(block).copied();
            let taken_from = taken_from.filter(|before| *before != lease.worker);
            let taken_from = taken_from.map(|before| course.place_of(&self.named(before)));
            course.blocks.push(BlockView {
                block: *block,
                device,
                leased_us: course
                    .age_us
                    .saturating_sub(microseconds(now.since(lease.leased_at))),
                receive_us: 0,
                wait_us: 0,
                compute_us: 0,
                stored_us: None,
                epoch,
                is_verified: false,
                taken_from,
            });
        }
        course.blocks.sort_unstable_by_key(|it| it.block);
        course
    }

    /// A device as the course names it; one that has left has no name any longer.
    fn named(&self, worker: WorkerId) -> CourseDevice {
        let known = self.participants.get(&worker);
        CourseDevice {
            worker,
            kind: known.map_or(WorkerKind::Native, |known| known.kind),
            name: known.map(|known| known.name.clone()).unwrap_or_default(),
        }
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
        disk_bytes: disk_bytes_of(replica, cut),
        replica: replica.clone(),
    }
}

/// What a job takes on the disk of a holder: blocks that are done, and inputs that are not made from a seed.
fn disk_bytes_of(replica: &Replica, cut: &Cut) -> u64 {
    let Shape { rows, inner, cols } = replica.record.shape;
    let blocks = replica.done.keys().filter_map(|block| cut.block(block.0));
    let done = blocks.map(|block| {
        let (rows, cols) = (
            block.rows.end - block.rows.start,
            block.cols.end - block.cols.start,
        );
        u64::from(rows) * u64::from(cols)
    });
    let input = |source: &MatrixSource, rows, cols| match source {
        MatrixSource::Random(_) => 0,
        MatrixSource::Chunks(_) => u64::from(rows) * u64::from(cols),
    };
    let inputs = input(&replica.record.a, rows, inner) + input(&replica.record.b, inner, cols);
    8 * (done.sum::<u64>() + inputs)
}

/// The course of a job as a copy has it: blocks that are done, and by whom. `age` is the time since
/// the job ended, or since it was submitted.
pub(crate) fn course_of(replica: &Replica, cut: &Cut, age: Duration) -> CourseView {
    let mut course = CourseView {
        rows: replica.record.shape.rows,
        cols: replica.record.shape.cols,
        rows_per_block: cut.rows_per_block(),
        cols_per_block: cut.cols_per_block(),
        age_us: match &replica.ended {
            Some(ended) => from_milliseconds(ended.elapsed_ms),
            None => microseconds(age),
        },
        epochs: epochs_of(replica),
        ..CourseView::default()
    };
    // In the order in which they got their first blocks, so that each has the same place on every
    // node, and with it the same colour.
    let mut by_lease: Vec<&DoneBlock> = replica.done.values().collect();
    by_lease.sort_unstable_by_key(|done| (done.course.leased_us, done.worker));
    for done in by_lease {
        course.place_of(&device_of(done));
    }
    for done in replica.done.values() {
        let device = course.place_of(&device_of(done));
        let taken_from = done.course.taken_from.map(|before| {
            let named = replica.done.values().find(|done| done.worker == before);
            course.place_of(&CourseDevice {
                worker: before,
                kind: named.map_or(WorkerKind::Native, |done| done.kind),
                name: named.map(|done| done.name.clone()).unwrap_or_default(),
            })
        });
        course.blocks.push(BlockView {
            block: done.block,
            device,
            leased_us: done.course.leased_us,
            receive_us: done.course.receive_us,
            wait_us: done.course.wait_us,
            compute_us: from_milliseconds(done.compute_ms),
            stored_us: Some(done.course.stored_us),
            epoch: done.epoch.number,
            is_verified: false,
            taken_from,
        });
    }
    course
}

fn device_of(done: &DoneBlock) -> CourseDevice {
    CourseDevice {
        worker: done.worker,
        kind: done.kind,
        name: done.name.clone(),
    }
}

/// Every epoch that left a trace, and the one there is.
fn epochs_of(replica: &Replica) -> Vec<EpochView> {
    let mut known: BTreeMap<Epoch, u64> = replica
        .tallies
        .iter()
        .map(|(epoch, tally)| (*epoch, tally.begun_us))
        .collect();
    known.entry(replica.epoch()).or_default();
    let epochs = known.into_iter();
    epochs
        .map(|(epoch, begun_us)| EpochView {
            number: epoch.number,
            coordinator: epoch.coordinator,
            begun_us,
        })
        .collect()
}

/// A duration that may have come from elsewhere; nothing where it is none.
fn from_milliseconds(duration_ms: f64) -> u64 {
    Duration::try_from_secs_f64(duration_ms / 1e3).map_or(0, microseconds)
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

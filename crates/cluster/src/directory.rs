//! Which jobs exist: the short form of every job of the mesh.

use std::collections::BTreeMap;

use wire::{JobId, JobStatus, JobSummary};

use crate::limits::DIRECTORY_JOBS_MAX;

/// Every job that this node has heard of.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    jobs: BTreeMap<JobId, JobSummary>,
}

impl Directory {
    pub(crate) fn get(&self, job: JobId) -> Option<&JobSummary> {
        self.jobs.get(&job)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &JobSummary> {
        self.jobs.values()
    }

    /// Running jobs, the oldest first.
    pub(crate) fn running(&self) -> Vec<&JobSummary> {
        let mut running: Vec<_> = self
            .jobs
            .values()
            .filter(|job| job.status == JobStatus::Running)
            .collect();
        running.sort_by_key(|job| (job.submitted_at_unix_ms, job.id));
        running
    }

    /// Takes a summary unless a newer one is known. True when it was taken.
    pub(crate) fn learn(&mut self, summary: JobSummary) -> bool {
        if let Some(known) = self.jobs.get(&summary.id) {
            if (known.epoch, known.version) >= (summary.epoch, summary.version) {
                return false;
            }
        } else if self.jobs.len() >= DIRECTORY_JOBS_MAX {
            self.forget_oldest_ended();
        }
        self.jobs.insert(summary.id, summary);
        true
    }

    pub(crate) fn forget(&mut self, job: JobId) {
        self.jobs.remove(&job);
    }

    fn forget_oldest_ended(&mut self) {
        let oldest = self
            .jobs
            .values()
            .filter(|job| job.status != JobStatus::Running)
            .min_by_key(|job| job.submitted_at_unix_ms)
            // A mesh of only running jobs: then the oldest of them.
            .or_else(|| {
                self.jobs
                    .values()
                    .min_by_key(|job| job.submitted_at_unix_ms)
            })
            .map(|job| job.id);
        if let Some(job) = oldest {
            self.jobs.remove(&job);
        }
    }
}

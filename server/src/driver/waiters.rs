//! Who waits for something to become true of a job.

use std::collections::{BTreeMap, BTreeSet};

use cluster::{Node, Now};
use wire::JobId;

use super::handle::Waiter;

/// Waiters by job, and the jobs that are to be looked at.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<JobId, Vec<Waiter>>,
    pub(super) changed: BTreeSet<JobId>,
}

impl std::fmt::Debug for Waiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiters")
            .field("jobs", &self.waiting.len())
            .field("changed", &self.changed)
            .finish()
    }
}

impl Waiters {
    /// Looked at for the first time with the next [`Waiters::look`], as are those
    /// that wait for the same job: some may have given up.
    pub(super) fn add(&mut self, job: JobId, waiter: Waiter) {
        self.waiting.entry(job).or_default().push(waiter);
        self.changed.insert(job);
    }

    /// Answers those for whom it is true now.
    pub(super) fn look(&mut self, node: &Node, now: Now) {
        for job in std::mem::take(&mut self.changed) {
            let Some(waiting) = self.waiting.get_mut(&job) else {
                continue;
            };
            waiting.retain_mut(|waiter| !waiter(node, now));
            if waiting.is_empty() {
                self.waiting.remove(&job);
            }
        }
    }
}

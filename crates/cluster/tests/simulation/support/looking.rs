//! What a test sees of a job: on all disks together, and on each node.

use std::collections::BTreeMap;

use cluster::{JobProgress, Replica};
use wire::{JobId, JobStatus, NodeId, WorkerId};

use super::mesh::{Host, Mesh};

impl Mesh {
    /// What all stores together know of a job.
    pub(crate) fn stored(&self, job: JobId) -> Replica {
        let stores = self.stores.values();
        let mut copies = stores.filter_map(|store| store.jobs.get(&job));
        let first = copies.next().expect("the job is stored");
        let mut united = Replica::clone(first);
        copies.for_each(|copy| united.merge(copy));
        united
    }

    /// What each node knows of a job, for a test that failed.
    pub(crate) fn views_of(&self, job: JobId) -> String {
        let view = |(id, host): (&NodeId, &Host)| {
            let told = host.node.job(job);
            let told = told.map(|it| (it.status, it.epoch, it.version, &it.holders));
            let held = host.node.replica(job);
            let held = held.map(|it| (it.status(), it.epoch(), it.done.len()));
            format!("\n{} was told {told:?} and holds {held:?}", id.short())
        };
        self.hosts.iter().map(view).collect()
    }

    /// Who leads a job now.
    pub(crate) fn leaders(&self, job: JobId) -> Vec<NodeId> {
        let up = self.hosts.iter().filter(|(_, host)| host.is_up);
        let leading = up.filter(|(_, host)| host.node.coordinator(job).is_some());
        leading.map(|(id, _)| *id).collect()
    }

    pub(crate) fn stored_status(&self, job: JobId) -> JobStatus {
        let stores = self.stores.values();
        let copies = stores.filter_map(|store| store.jobs.get(&job));
        let endings = copies.filter_map(|copy| copy.ended.as_ref());
        JobStatus::from(endings.map(|ended| &ended.ending).min())
    }

    /// Whether anybody has heard that the job has ended: its end is stored before.
    pub(crate) fn is_end_told(&self, job: JobId) -> bool {
        let up = self.hosts.values().filter(|host| host.is_up);
        let mut told = up.filter_map(|host| host.node.job(job));
        told.any(|told| told.status != JobStatus::Running)
    }

    /// The job as its coordinator shows it, or after its end any holder.
    pub(crate) fn progress_of(&self, job: JobId) -> Option<JobProgress> {
        let up = || self.hosts.iter().filter(|(_, host)| host.is_up);
        let mut leading = up().filter(|(_, host)| host.node.coordinator(job).is_some());
        let mut holding = up().filter(|(_, host)| host.node.answers_for(job));
        let (id, host) = leading.next().or_else(|| holding.next())?;
        host.node.progress(job, self.now(*id).moment)
    }

    /// Blocks of the job that count for each device.
    pub(crate) fn shares(&self, job: JobId) -> BTreeMap<WorkerId, u32> {
        let mut shares = BTreeMap::new();
        for done in self.stored(job).done.values() {
            *shares.entry(done.worker).or_default() += 1;
        }
        shares
    }
}

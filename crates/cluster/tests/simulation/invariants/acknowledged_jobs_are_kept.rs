//! A job for which somebody was told 202 is not lost: in the end every node
//! knows it, as ended.

use std::collections::BTreeSet;

use cluster::Event;
use wire::{JobId, JobStatus};

use crate::support::mesh::Mesh;

#[derive(Debug, Default)]
pub(crate) struct Acknowledged(BTreeSet<JobId>);

impl Acknowledged {
    pub(crate) fn has(&self, job: JobId) -> bool {
        self.0.contains(&job)
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        if let Event::JobSafe { job } = event {
            self.0.insert(*job);
        }
    }
}

/// To be asked when all faults ended a while ago.
pub(crate) fn check(mesh: &Mesh) {
    for job in &mesh.memory.acknowledged.0 {
        let stored = mesh.stored_status(*job);
        assert_ne!(stored, JobStatus::Running, "{job} did not end");
        for id in mesh.hosts.keys() {
            let known = mesh.node(*id).job(*job).map(|known| known.status);
            assert_eq!(
                known,
                Some(stored),
                "{job} at {id}, led by {:?}: {}",
                mesh.leaders(*job),
                mesh.views_of(*job)
            );
        }
    }
}

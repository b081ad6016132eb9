//! No device is idle while work that it may take waits: where a coordinator has blocks that nobody computes, and a
//! node talks to it, the devices of that node get some.
//!
//! Asked where nothing is wrong with devices and lines but what stays wrong for ever.

use std::collections::BTreeMap;

use wire::{JobId, NodeId, WorkerId};

use crate::support::mesh::Mesh;

/// In microseconds: a coordinator may wait so long for what others announce, and a device until it asks again.
const PATIENCE: u64 = 25_000_000;

/// Since when a device is idle beside the work of a job.
#[derive(Debug, Default)]
pub(crate) struct Idle(BTreeMap<(NodeId, WorkerId, JobId, NodeId), u64>);

impl Idle {
    /// To be asked again and again; `devices` are those that should work.
    pub(crate) fn check(&mut self, mesh: &Mesh, jobs: &[JobId], devices: &[(NodeId, WorkerId)]) {
        let mut idle = BTreeMap::new();
        for job in jobs {
            for leader in mesh.leaders(*job) {
                let led = mesh.node(leader).coordinator(*job);
                let progress = led.map(|led| led.progress(mesh.now(leader).moment));
                if progress.is_none_or(|progress| progress.blocks.pending == 0) {
                    continue;
                }
                for (home, worker) in devices {
                    let talks = *home == leader || mesh.talking_since(*home, leader).is_some();
                    let device = &mesh.devices[&(*home, *worker)];
                    if mesh.hosts[home].is_up && talks && device.tasks.is_empty() {
                        let key = (*home, *worker, *job, leader);
                        let since = self.0.get(&key).copied();
                        idle.insert(key, since.unwrap_or(mesh.clock));
                    }
                }
            }
        }
        for ((home, worker, job, leader), since) in &idle {
            assert!(
                mesh.clock - since < PATIENCE,
                "{worker} at {home} is idle, and {job} waits at {leader}: {}",
                mesh.views_of(*job)
            );
        }
        self.0 = idle;
    }
}

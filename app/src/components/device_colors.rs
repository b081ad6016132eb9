//! both: which colour stands for which device on a job's page.

use leptos::prelude::*;
use wire::{BlockView, JobView, WorkerId};

/// Colours in the style sheet, `--device-0` on; after that they repeat.
const COLORS: usize = 10;

/// Colours by first appearance: a device keeps its colour while others join
/// and the order of the table changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceColors(Memo<Vec<WorkerId>>);

impl DeviceColors {
    pub(crate) fn new(job: RwSignal<JobView>, blocks: RwSignal<Vec<BlockView>>) -> Self {
        Self(Memo::new(move |before: Option<&Vec<WorkerId>>| {
            let mut workers = before.cloned().unwrap_or_default();
            let (job, blocks) = (job.read(), blocks.read());
            let contributing = job.contributions.iter().map(|device| device.worker);
            for worker in contributing.chain(blocks.iter().filter_map(|block| block.worker)) {
                if !workers.contains(&worker) {
                    workers.push(worker);
                }
            }
            workers
        }))
    }

    /// The style class of a device's colour.
    pub(crate) fn class_of(self, worker: WorkerId) -> String {
        let workers = self.0.read();
        let place = workers.iter().position(|&known| known == worker);
        format!("device-{}", place.unwrap_or_default() % COLORS)
    }

    /// Every device that has a colour, in the order of the colours.
    pub(crate) fn workers(self) -> Vec<WorkerId> {
        self.0.get()
    }
}

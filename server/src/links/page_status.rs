//! What a page says of its device, bounded, in the words of the mesh and of whoever places work.

use cluster::limits::THREADS_MAX;
use cluster::{Input, WorkerProfile};
use wire::{PageStatus, WorkerId, WorkerKind};

use crate::own_status::PageEntry;
use crate::services::Services;

/// Text that a page says of itself is shown to others: so much of it.
const DEVICE_CHARS_MAX: usize = 80;

/// What a page says of itself, for the other nodes and for whoever places work.
pub(super) async fn tell_mesh(
    services: &Services,
    worker: WorkerId,
    status: &PageStatus,
    operations: u64,
) {
    let entry = PageEntry {
        operations,
        ..entry_of(status)
    };
    services.own_status.set_page(worker, entry).await;
    let profile = profile_of(status);
    services
        .driver
        .tell(Input::Worker { worker, profile })
        .await;
}

fn profile_of(status: &PageStatus) -> WorkerProfile {
    let entry = entry_of(status);
    WorkerProfile {
        kind: WorkerKind::Browser,
        name: entry.device.clone(),
        device: entry.device,
        threads: entry.threads,
        mflops: entry.mflops,
        contributing: entry.contributing,
        visible: entry.visible,
    }
}

fn entry_of(status: &PageStatus) -> PageEntry {
    let usable = status.mflops.is_finite() && status.mflops >= 0.0;
    PageEntry {
        device: status
            .device
            .chars()
            .filter(|c| !c.is_control())
            .take(DEVICE_CHARS_MAX)
            .collect(),
        threads: status.threads.clamp(1, THREADS_MAX),
        mflops: if usable { status.mflops } else { 0.0 },
        operations: 0,
        visible: status.visible,
        contributing: status.contributing,
    }
}

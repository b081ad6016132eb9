//! The devices that compute through this node, as the driver reaches them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::WorkerCommand;
use tokio::sync::mpsc;
use wire::WorkerId;

/// Where a device takes its commands. Unbounded, yet bounded in fact: a device
/// is sent no more tasks than it has room for, and one answer for each.
pub type CommandSender = mpsc::UnboundedSender<WorkerCommand>;

/// All devices of this node. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Workers {
    senders: Arc<Mutex<BTreeMap<WorkerId, CommandSender>>>,
}

impl Workers {
    /// Commands for `worker` go here from now on. An earlier holder of the same
    /// id finds its channel closed.
    pub fn attach(&self, worker: WorkerId) -> mpsc::UnboundedReceiver<WorkerCommand> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().insert(worker, sender);
        receiver
    }

    /// The device is gone. False when its id is held by another by now.
    pub fn detach(&self, worker: WorkerId, own: &mpsc::UnboundedReceiver<WorkerCommand>) -> bool {
        let mut senders = self.lock();
        // The receiver of a replaced sender is closed: nobody holds the other end.
        if own.is_closed() {
            return false;
        }
        senders.remove(&worker).is_some()
    }

    /// Sends a command; a device that has just left does not get it.
    pub fn send(&self, worker: WorkerId, command: WorkerCommand) {
        if let Some(sender) = self.lock().get(&worker) {
            // An error means that the device is leaving; its blocks go back then.
            let _ = sender.send(command);
        }
    }

    /// Devices that are attached.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<WorkerId, CommandSender>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

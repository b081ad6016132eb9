//! One coordinator per job and epoch: nobody wins an epoch of another, and
//! nobody wins one twice, not even after a crash that came between the victory
//! and its announcement.

use std::collections::BTreeSet;

use cluster::Event;
use wire::{Epoch, JobId, NodeId};

#[derive(Debug, Default)]
pub(crate) struct Victories(BTreeSet<(JobId, Epoch)>);

impl Victories {
    pub(crate) fn on_event(&mut self, at: NodeId, event: &Event) {
        if let Event::ElectionWon { job, epoch, .. } = event {
            assert_eq!(epoch.coordinator, at, "it won an epoch of another");
            assert!(
                self.0.insert((*job, *epoch)),
                "{job}: {epoch:?} is won twice"
            );
        }
    }
}

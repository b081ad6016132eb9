//! Who may say what.

use wire::{PeerMessage, WorkerKind};

use crate::stage::{JOB, Stage, exchange, leases, native};

fn pull_as(number: u8, kind: WorkerKind) -> PeerMessage {
    PeerMessage::Pull {
        job: JOB,
        exchange: exchange(native(number), kind, 1),
    }
}

#[test]
fn no_device_goes_by_the_id_of_a_node_that_it_is_not() {
    for impostor in [
        pull_as(4, WorkerKind::Native),
        pull_as(5, WorkerKind::Native),
        pull_as(4, WorkerKind::Browser),
        pull_as(5, WorkerKind::Browser),
    ] {
        let mut stage = Stage::leading(4, &[3, 5]);
        assert_eq!(leases(&stage.hears(3, impostor), 3), 0);
        assert_eq!(
            leases(&stage.hears(3, pull_as(3, WorkerKind::Native)), 3),
            1
        );
    }
}

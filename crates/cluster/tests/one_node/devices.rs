//! Whose word a node's own devices follow.

use cluster::{Output, WorkerCommand};
use wire::{BlockIndex, JobStatus, PeerMessage, WorkerId};

use crate::stage::{JOB, Stage, count, epoch, lease, native, summary};

/// A node whose device has a block of a job that node 1 leads.
fn computing() -> Stage {
    let mut stage = Stage::new(4, &[1, 3]);
    stage.computes();
    let running = summary(JobStatus::Running, epoch(2, 1), 1, &[1]);
    stage.hears(1, PeerMessage::Job(running));
    let outputs = stage.hears(1, lease(epoch(2, 1), native(4), 0));
    assert_eq!(tasks(&outputs), 1, "{outputs:?}");
    stage
}

fn tasks(outputs: &[Output]) -> usize {
    let tasks = outputs.iter().filter(|output| {
        matches!(
            output,
            Output::ToWorker {
                command: WorkerCommand::Task { .. },
                ..
            }
        )
    });
    tasks.count()
}

fn drops(outputs: &[Output]) -> usize {
    let drops = outputs.iter().filter(|output| {
        matches!(
            output,
            Output::ToWorker {
                command: WorkerCommand::Drop { .. },
                ..
            }
        )
    });
    drops.count()
}

fn dropped(worker: WorkerId) -> PeerMessage {
    PeerMessage::Drop {
        job: JOB,
        worker,
        blocks: vec![BlockIndex(0)],
    }
}

#[test]
fn a_lease_of_a_smaller_epoch_is_not_taken() {
    let mut stage = computing();
    let outputs = stage.hears(3, lease(epoch(1, 3), native(4), 1));
    assert_eq!(tasks(&outputs), 0);
}

#[test]
fn only_its_coordinator_takes_a_block_back() {
    let mut stage = computing();
    assert_eq!(drops(&stage.hears(3, dropped(native(4)))), 0);
    assert_eq!(drops(&stage.hears(1, dropped(native(4)))), 1);
}

#[test]
fn only_its_coordinator_says_that_a_job_has_no_work() {
    let is_pull = |message: &PeerMessage| matches!(message, PeerMessage::Pull { .. });
    for (from, asks_again) in [(3, true), (1, false)] {
        let mut stage = Stage::new(4, &[1, 3]);
        stage.computes();
        let running = summary(JobStatus::Running, epoch(2, 1), 1, &[1]);
        let outputs = stage.hears(1, PeerMessage::Job(running));
        assert_eq!(count(&outputs, 1, is_pull), 1);
        let worker = native(4);
        stage.hears(from, PeerMessage::NoWork { job: JOB, worker });
        // What is not answered is asked again.
        let asked = count(&stage.passes(2_000), 1, is_pull);
        assert_eq!(asked > 0, asks_again, "{from}");
    }
}

#[test]
fn a_coordinator_that_is_back_hears_what_is_computed_for_it() {
    let mut stage = computing();
    let outputs = stage.links_anew(1);
    assert_eq!(
        count(&outputs, 1, |it| matches!(it, PeerMessage::Held { .. })),
        1
    );
}

#[test]
fn a_job_that_is_reopened_while_its_end_is_told_goes_on_at_its_devices() {
    let mut stage = computing();
    let complete = summary(JobStatus::Complete, epoch(2, 1), 2, &[1]);
    let mut reopened = summary(JobStatus::Running, epoch(2, 1), 3, &[1]);
    reopened.reopened = true;
    let both = [complete, reopened].map(|told| Stage::told(1, PeerMessage::Job(told)));
    assert_eq!(drops(&stage.inputs(both.into())), 0);
    let complete = summary(JobStatus::Complete, epoch(2, 1), 4, &[1]);
    assert_eq!(drops(&stage.hears(1, PeerMessage::Job(complete))), 1);
}

#[test]
fn nobody_asks_one_for_work_that_does_not_lead_the_job_any_more() {
    let is_pull = |message: &PeerMessage| matches!(message, PeerMessage::Pull { .. });
    let mut stage = Stage::new(4, &[1, 3]);
    stage.computes();
    let running =
        |version| PeerMessage::Job(summary(JobStatus::Running, epoch(2, 1), version, &[1]));
    stage.hears(1, running(1));
    let worker = native(4);
    stage.hears(1, PeerMessage::NoWork { job: JOB, worker });
    // It has lost its store, and nobody else holds the job.
    let resign = PeerMessage::Resign {
        job: JOB,
        epoch: epoch(2, 1),
    };
    stage.hears(1, resign);
    assert!(stage.node.is_out_of_reach(JOB));
    assert_eq!(count(&stage.passes(20_000), 1, is_pull), 0);
    // It may lead it again, from a copy of another.
    stage.hears(1, running(2));
    assert!(!stage.node.is_out_of_reach(JOB));
    assert!(count(&stage.passes(6_000), 1, is_pull) > 0);
}

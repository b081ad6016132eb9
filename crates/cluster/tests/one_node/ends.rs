//! Jobs that have ended, here or elsewhere.

use cluster::limits::{DIRECTORY_JOBS_MAX, SUMMARIES_PER_PAGE};
use cluster::{Change, Input, NodeConfig, Output, Restored};
use wire::{Ending, ExpiredJob, JobId, JobStatus, JobSummary, PeerMessage};

use crate::stage::{
    JOB, Stage, copy_block, copy_head, copy_state, count, ended, epoch, head, of_files, record,
    sent_to, summary,
};

fn is_request(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::CopyRequest { .. })
}

fn is_copy(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::CopyHead { .. })
}

fn expired() -> PeerMessage {
    gone(false)
}

fn gone(is_deleted: bool) -> PeerMessage {
    let expired = ExpiredJob {
        job: JOB,
        submitted_at_unix_ms: record(1).submitted_at_unix_ms,
        is_deleted,
    };
    PeerMessage::Expired {
        jobs: vec![expired],
    }
}

/// A node with a copy of a job that is complete; node 1 led it.
fn complete(own: u8, peers: &[u8], holders: &[u8]) -> Stage {
    let mut stage = Stage::new(own, peers);
    let begun = head(record(1), epoch(1, 1), holders);
    stage.hears(1, copy_head(1, begun.clone()));
    stage.hears(1, copy_block(0, epoch(1, 1)));
    stage.hears(1, copy_head(2, ended(begun, Ending::Complete)));
    stage
}

#[test]
fn what_has_ended_here_is_kept_whoever_has_forgotten_it() {
    let mut stage = complete(4, &[1, 3], &[3, 4]);
    let outputs = stage.hears(1, expired());
    assert!(
        !outputs
            .iter()
            .any(|it| matches!(it, Output::Persist(Change::Expired(_))))
    );
    assert!(stage.node.replica(JOB).is_some());
}

#[test]
fn a_node_that_has_forgotten_a_job_does_not_get_it_again_and_again() {
    let mut stage = Stage::new(4, &[]);
    stage.input(Input::Submit(Box::new(record(1))));
    stage.computes();
    let worker = wire::WorkerId::from(stage.node.id());
    stage.input(Input::WorkerResult {
        worker,
        job: JOB,
        block: wire::BlockIndex(0),
        proof: crate::stage::proof(0),
    });
    stage.passes(500);
    assert!(!stage.node.is_running(JOB));
    let mut outputs = stage.links(3);
    outputs.extend(stage.passes(6_000));
    assert_eq!(count(&outputs, 3, is_copy), 1, "it is made a holder");
    let mut outputs = stage.hears(3, expired());
    outputs.extend(stage.passes(20_000));
    assert_eq!(count(&outputs, 3, is_copy), 0);
}

#[test]
fn a_job_that_ended_with_a_backup_that_lacks_it_is_given_to_it() {
    let mut stage = Stage::new(4, &[3, 5]);
    // What came with the links is long over.
    stage.passes(10_000);
    stage.input(Input::Submit(Box::new(record(4))));
    let own = stage.epoch();
    for backup in [3, 5] {
        stage.hears(backup, copy_state(own, 1, false, &[]));
    }
    for block in 0..4 {
        stage.hears(5, crate::stage::result(5, block));
    }
    stage.hears(5, copy_state(own, 1, false, &[0, 1, 2, 3]));
    // Node 3 lives and answers nothing more: it is let go, and the job ends without it.
    stage.passes(3_000);
    stage.hears(5, copy_state(own, 9, true, &[0, 1, 2, 3]));
    let settled = stage.passes(1_000);
    assert!(stage.node.coordinator(JOB).is_none(), "{settled:?}");
    let outputs = stage.passes(10_000);
    assert!(
        count(&outputs, 3, is_request) > 0,
        "it is asked what it has"
    );
}

#[test]
fn the_inputs_of_an_ended_job_are_fetched_again_until_they_are_there() {
    let mut stage = Stage::new(4, &[1, 3]);
    let begun = head(of_files(record(1)), epoch(1, 1), &[3, 4]);
    stage.hears(1, copy_head(1, begun.clone()));
    stage.hears(1, copy_block(0, epoch(1, 1)));
    stage.hears(1, copy_head(2, ended(begun, Ending::Complete)));
    for _ in 0..3 {
        stage.input(Input::InputsMissing { job: JOB });
        let outputs = stage.passes(5_000);
        let fetches = outputs
            .iter()
            .filter(|it| matches!(it, Output::FetchInputs { .. }));
        assert_eq!(fetches.count(), 1);
    }
}

#[test]
fn a_copy_that_comes_back_is_cancelled_if_the_job_was_meanwhile() {
    let mut stage = Stage::new(4, &[5]);
    let head = head(record(4), epoch(1, 1), &[3, 4]);
    stage.input(Input::Restore(Box::new(Restored {
        replica: cluster::Replica::new(head.record, head.leadership),
        ended_ago: std::time::Duration::ZERO,
        has_inputs: true,
    })));
    // Nobody who holds it was there when somebody cancelled it.
    let cancelled = summary(JobStatus::Cancelled, epoch(1, 1), 9, &[]);
    let outputs = stage.hears(5, PeerMessage::Job(cancelled));
    let is_end = |output: &Output| {
        matches!(output, Output::Persist(Change::Head { ended: Some((ended, _)), .. })
            if ended.ending == Ending::Cancelled)
    };
    assert!(outputs.iter().any(is_end), "{outputs:?}");
}

#[test]
fn the_end_that_a_dead_coordinator_never_told_is_told_by_a_holder() {
    let mut stage = complete(4, &[1, 3], &[3, 4]);
    let running = summary(JobStatus::Running, epoch(1, 1), 1, &[1, 3, 4]);
    stage.hears(1, PeerMessage::Job(running));
    let outputs = stage.dies(1);
    let is_end = |message: &&PeerMessage| matches!(message, PeerMessage::Job(told) if told.status == JobStatus::Complete);
    assert!(sent_to(&outputs, 3).iter().any(is_end), "{outputs:?}");
}

#[test]
fn a_copy_that_ended_otherwise_than_the_mesh_asks_for_the_end_that_stands() {
    let mut stage = Stage::new(4, &[1, 3]);
    let begun = head(record(1), epoch(1, 1), &[3, 4]);
    stage.hears(1, copy_head(1, begun.clone()));
    stage.hears(1, copy_head(2, ended(begun, Ending::Cancelled)));
    let complete = summary(JobStatus::Complete, epoch(1, 1), 9, &[1, 3]);
    let mut outputs = stage.hears(3, PeerMessage::Job(complete));
    outputs.extend(stage.passes(5_000));
    assert!(
        count(&outputs, 3, is_request) >= 2,
        "again and again: {outputs:?}"
    );
}

#[test]
fn devices_forget_results_of_jobs_that_were_given_up() {
    let config = NodeConfig {
        result_ttl: std::time::Duration::from_secs(5),
        ..NodeConfig::default()
    };
    let mut stage = Stage::with_config(4, &[1], config);
    stage.computes();
    let running = summary(JobStatus::Running, epoch(1, 1), 1, &[1]);
    stage.hears(1, PeerMessage::Job(running));
    let worker = wire::WorkerId::from(stage.node.id());
    stage.hears(1, crate::stage::lease(epoch(1, 1), worker, 0));
    stage.input(Input::WorkerResult {
        worker,
        job: JOB,
        block: wire::BlockIndex(0),
        proof: crate::stage::proof(0),
    });
    let mut outputs = stage.dies(1);
    assert!(
        !outputs
            .iter()
            .any(|it| matches!(it, Output::ReleaseResult { .. }))
    );
    outputs.extend(stage.passes(8_000));
    assert!(
        outputs
            .iter()
            .any(|it| matches!(it, Output::ReleaseResult { .. }))
    );
}

#[test]
fn whoever_takes_a_node_for_a_holder_hears_that_it_has_nothing() {
    let mut stage = Stage::new(4, &[3]);
    let complete = summary(JobStatus::Complete, epoch(5, 4), 1, &[4]);
    stage.hears(3, PeerMessage::Job(complete));
    let outputs = stage.hears(3, copy_state(epoch(1, 3), 0, false, &[0]));
    let is_empty = |message: &PeerMessage| matches!(message, PeerMessage::Inventory { blocks, .. } if blocks.is_empty());
    assert_eq!(count(&outputs, 3, is_empty), 1, "{outputs:?}");
}

#[test]
fn a_holder_goes_on_with_a_complete_job_whose_coordinator_has_lost_it() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[0]);
    // Node 3 led it to its end without this one, and has lost its store since.
    let complete = summary(JobStatus::Complete, epoch(5, 3), 1, &[3]);
    stage.hears(3, PeerMessage::Job(complete));
    let mut outputs = stage.passes(10_000);
    assert!(
        !crate::stage::stands(&outputs),
        "it is there, and may have all of it"
    );
    let nothing = PeerMessage::Inventory {
        job: JOB,
        blocks: wire::BlockSet::default(),
    };
    outputs.extend(stage.hears(3, nothing));
    outputs.extend(stage.passes(10_000));
    assert!(crate::stage::stands(&outputs));
}

#[test]
fn a_job_whose_damaged_block_came_again_gets_the_holders_that_it_lacks() {
    let mut stage = complete(3, &[1, 4], &[3]);
    stage.dies(1);
    let mut before = stage.passes(10_000);
    assert_eq!(count(&before, 4, is_copy), 1, "it is made a holder");
    stage.hears(4, copy_state(epoch(1, 1), 0, true, &[0]));
    // Another node comes; when ended jobs are looked through for that, this one is not whole.
    stage.links(5);
    stage.passes(4_900);
    let block = wire::BlockIndex(0);
    before.extend(stage.input(Input::ResultDamaged { job: JOB, block }));
    assert!(count(&before, 4, is_request) > 0);
    stage.passes(300);
    stage.hears(4, copy_block(0, epoch(1, 1)));
    let outputs = stage.passes(10_000);
    assert_eq!(count(&outputs, 5, is_copy), 1);
}

#[test]
fn only_a_holder_says_that_a_job_was_deleted() {
    let is_gone = |outputs: &[Output]| {
        let gone = |output: &Output| matches!(output, Output::Persist(Change::Expired(_)));
        outputs.iter().any(gone)
    };
    let mut stage = complete(4, &[1, 3, 5], &[3, 4]);
    assert!(!is_gone(&stage.hears(5, gone(true))));
    assert!(is_gone(&stage.hears(3, gone(true))));
    assert!(stage.node.is_expired(JOB));
}

#[test]
fn a_full_directory_keeps_a_job_whose_end_is_not_with_its_backups_yet() {
    let mut stage = Stage::leading(4, &[3]);
    stage.input(Input::Cancel { job: JOB });
    let unfetched = summary(JobStatus::Complete, epoch(1, 3), 1, &[]);
    let others: Vec<JobSummary> = (0..u32::try_from(DIRECTORY_JOBS_MAX).expect("few"))
        .map(|number| {
            let mut id = [2; 16];
            id[..4].copy_from_slice(&number.to_le_bytes());
            JobSummary {
                id: JobId::from_bytes(id),
                ..unfetched.clone()
            }
        })
        .collect();
    for page in others.chunks(SUMMARIES_PER_PAGE) {
        stage.hears(3, PeerMessage::Directory(page.to_vec()));
    }
    assert!(stage.node.jobs_known() > DIRECTORY_JOBS_MAX);
    assert!(stage.node.job(JOB).is_some(), "its end is still to be told");
    // Its backup has the end: now it may go.
    let settled = stage.hears(3, copy_state(stage.epoch(), 2, true, &[]));
    assert!(stage.node.coordinator(JOB).is_none(), "{settled:?}");
    let newcomer = JobSummary {
        id: JobId::from_bytes([3; 16]),
        ..unfetched
    };
    stage.hears(3, PeerMessage::Job(newcomer));
    assert!(stage.node.job(JOB).is_none());
}

//! What coordinators and holders give each other.

use cluster::{Change, Event, Input, Output};
use wire::{BlockSet, Ending, JobStatus, PeerMessage};

use crate::stage::{
    JOB, Stage, blocks, copy_block, copy_head, copy_request, copy_state, count, ended, epoch,
    events, head, held, leases, pull, record, result, sent_to, summary,
};

/// Node 4 leads after node 1, which had counted block 0 of its own device; node 3 is a holder, too, and has not yet
/// said that it has joined.
fn after_a_takeover(peers: &[u8]) -> (Stage, Vec<Output>) {
    let mut stage = Stage::with_copy(4, peers, &[3, 4], &[0]);
    stage.dies(1);
    let outputs = stage.hears(3, copy_state(epoch(1, 1), 1, false, &[0]));
    assert_eq!(stage.epoch().number, 2);
    (stage, outputs)
}

fn is_counted(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::Counted { .. })
}

fn is_done(event: &&Event) -> bool {
    matches!(event, Event::BlockDone { .. })
}

#[test]
fn a_holder_that_asks_again_and_again_is_answered_once() {
    let mut stage = Stage::new(4, &[1, 3]);
    stage.hears(1, copy_head(1, head(record(1), epoch(1, 1), &[3, 4])));
    stage.hears(1, copy_block(0, epoch(1, 1)));
    let complete = ended(head(record(1), epoch(1, 1), &[3, 4]), Ending::Complete);
    stage.hears(1, copy_head(2, complete));
    let mut outputs = Vec::new();
    for _ in 0..5 {
        outputs.extend(stage.hears(3, copy_state(epoch(1, 1), 1, false, &[])));
    }
    assert_eq!(
        count(&outputs, 3, |it| matches!(
            it,
            PeerMessage::CopyBlock { .. }
        )),
        1
    );
}

#[test]
fn no_backup_has_a_head_that_was_never_numbered() {
    let mut stage = Stage::leading(4, &[3]);
    stage.hears(3, copy_state(stage.epoch(), u64::MAX, false, &[]));
    // Another backup comes, which changes the head.
    let outputs = stage.links(5);
    assert_eq!(
        count(&outputs, 3, |it| matches!(it, PeerMessage::CopyHead { .. })),
        1
    );
}

#[test]
fn a_copy_of_another_job_under_the_same_id_is_not_taken() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    let mut other = record(4);
    other.shape.inner = 999;
    let mut outputs = stage.hears(3, copy_head(1, head(other, epoch(2, 3), &[4])));
    outputs.extend(stage.hears(3, copy_block(0, epoch(2, 3))));
    assert!(
        !outputs.iter().any(|it| matches!(it, Output::Persist(_))),
        "{outputs:?}"
    );
    assert_eq!(stage.epoch(), epoch(1, 1));
}

#[test]
fn a_complete_head_does_not_end_a_job_whose_blocks_are_lacking() {
    let mut stage = Stage::leading(4, &[3]);
    let complete = ended(head(record(4), stage.epoch(), &[3]), Ending::Complete);
    let outputs = stage.hears(3, copy_head(0, complete));
    let is_end = |event: &&Event| matches!(event, Event::JobEnded { .. });
    assert!(!events(&outputs).iter().any(is_end));
    assert_eq!(stage.node.running_jobs(), 1);
}

#[test]
fn a_new_coordinator_gives_nobody_what_a_holder_that_asks_has() {
    let (mut stage, _) = after_a_takeover(&[1, 3, 5]);
    let own = stage.epoch();
    stage.hears(3, copy_state(own, 1, false, &[0]));
    stage.hears(5, copy_request(epoch(1, 1), &[0, 1]));
    let mut outputs = stage.hears(3, held(own));
    outputs.extend(stage.hears(5, held(own)));
    outputs.extend(stage.hears(5, pull(5)));
    assert_eq!(leases(&outputs, 5), 0, "it is about to send block 1");
    // And it does not wait for ever.
    stage.passes(1_000);
    assert!(leases(&stage.hears(5, pull(5)), 5) > 0);
}

#[test]
fn a_device_keeps_its_result_until_the_new_backups_have_it() {
    let (mut stage, _) = after_a_takeover(&[1, 3, 5]);
    // Node 1 is back, and offers the block that its device computed.
    stage.links(1);
    let outputs = stage.hears(1, result(1, 0));
    assert_eq!(count(&outputs, 1, is_counted), 0);
    let own = stage.epoch();
    let mut outputs = stage.hears(3, copy_state(own, 9, false, &[0]));
    outputs.extend(stage.hears(1, copy_state(own, 9, false, &[0])));
    outputs.extend(stage.hears(5, copy_state(own, 9, false, &[0])));
    assert_eq!(count(&outputs, 1, is_counted), 1, "{outputs:?}");
}

#[test]
fn nothing_counts_while_the_backups_are_still_joining() {
    let (mut stage, _) = after_a_takeover(&[1, 3, 5]);
    let outputs = stage.hears(5, result(5, 1));
    assert_eq!(
        events(&outputs)
            .iter()
            .filter(|event| is_done(event))
            .count(),
        0
    );
    let own = stage.epoch();
    let mut outputs = stage.hears(3, copy_state(own, 9, false, &[0, 1]));
    outputs.extend(stage.hears(5, copy_state(own, 9, false, &[0, 1])));
    assert_eq!(
        events(&outputs)
            .iter()
            .filter(|event| is_done(event))
            .count(),
        1
    );
}

#[test]
fn what_a_holder_announces_is_given_to_nobody_and_not_for_ever() {
    let mut stage = Stage::leading(4, &[3, 5]);
    let announce = || PeerMessage::Inventory {
        job: JOB,
        blocks: blocks(&[0, 1, 2, 3]),
    };
    stage.hears(3, announce());
    let mut outputs = stage.hears(5, pull(5));
    outputs.extend(stage.passes(2_000));
    assert_eq!(leases(&outputs, 5), 0, "{outputs:?}");
    let mut later = Vec::new();
    for _ in 0..6 {
        later.extend(stage.hears(3, announce()));
        later.extend(stage.hears(5, pull(5)));
        later.extend(stage.passes(4_000));
    }
    assert!(leases(&later, 5) > 0, "it announces in vain");
}

#[test]
fn a_backup_that_lost_its_store_gets_each_block_again() {
    let mut stage = Stage::leading(4, &[3]);
    stage.hears(3, result(3, 0));
    stage.hears(3, copy_state(stage.epoch(), 1, false, &[0]));
    stage.links_anew(3);
    let outputs = stage.hears(3, copy_state(stage.epoch(), 1, false, &[]));
    assert_eq!(
        count(&outputs, 3, |it| matches!(
            it,
            PeerMessage::CopyBlock { .. }
        )),
        1
    );
}

#[test]
fn the_holders_of_a_damaged_block_are_asked_for_it() {
    let mut stage = Stage::leading(4, &[3, 5]);
    stage.hears(5, result(5, 0));
    let own = stage.epoch();
    stage.hears(3, copy_state(own, 1, false, &[0]));
    stage.hears(5, copy_state(own, 1, false, &[0]));
    let block = wire::BlockIndex(0);
    let outputs = stage.input(Input::ResultDamaged { job: JOB, block });
    for holder in [3, 5] {
        let asked = count(&outputs, holder, |it| {
            matches!(it, PeerMessage::CopyRequest { .. })
        });
        assert_eq!(asked, 1, "{holder}");
    }
}

#[test]
fn a_complete_job_runs_again_when_a_block_is_damaged_before_its_end_was_told() {
    let mut stage = Stage::leading(4, &[3]);
    for block in 0..4 {
        stage.hears(3, result(3, block));
    }
    stage.hears(3, copy_state(stage.epoch(), 1, false, &[0, 1, 2, 3]));
    assert!(
        stage.node.coordinator(JOB).is_some(),
        "its end is not on the backup yet"
    );
    let block = wire::BlockIndex(0);
    stage.input(Input::ResultDamaged { job: JOB, block });
    let outputs = stage.hears(3, copy_state(stage.epoch(), 9, false, &[1, 2, 3]));
    assert!(stage.node.is_running(JOB), "{outputs:?}");
    let replica = stage.node.replica(JOB).expect("it leads it");
    assert_eq!(replica.ended, None);
}

#[test]
fn a_coordinator_hears_what_its_backup_got_from_another() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    // Node 3 led the job on the other side of a cut.
    let outputs = stage.hears(3, copy_block(2, epoch(1, 3)));
    let has_it = |message: &&PeerMessage| matches!(message, PeerMessage::CopyState { blocks: has, is_all: true, .. } if *has == blocks(&[2]));
    assert_eq!(
        sent_to(&outputs, 1).iter().filter(|it| has_it(it)).count(),
        1,
        "{outputs:?}"
    );
    // The same again is no news.
    let again = stage.hears(3, copy_block(2, epoch(1, 3)));
    assert_eq!(sent_to(&again, 1).iter().filter(|it| has_it(it)).count(), 0);
}

#[test]
fn a_retry_stays_when_the_submission_before_it_is_withdrawn() {
    let mut stage = Stage::leading(4, &[]);
    let withdraw = |submitted_at_unix_ms| Input::Withdraw {
        job: JOB,
        submitted_at_unix_ms,
    };
    let outputs = stage.input(withdraw(4));
    assert_eq!(
        outputs
            .iter()
            .filter(|it| matches!(it, Output::Persist(_)))
            .count(),
        0
    );
    let outputs = stage.input(withdraw(5));
    assert!(outputs.contains(&Output::Persist(Change::Withdrawn { job: JOB })));
}

#[test]
fn a_job_is_told_when_its_backup_has_it_and_not_before() {
    let mut stage = Stage::new(4, &[3, 5]);
    let is_told = |message: &PeerMessage| matches!(message, PeerMessage::Job(_));
    let outputs = stage.input(Input::Submit(Box::new(record(4))));
    assert_eq!(count(&outputs, 5, is_told), 0);
    let own = stage.epoch();
    let mut outputs = stage.hears(3, copy_state(own, 1, false, &[]));
    outputs.extend(stage.hears(5, copy_state(own, 1, false, &[])));
    assert!(count(&outputs, 5, is_told) > 0);
}

#[test]
fn an_empty_inventory_of_a_holder_makes_another_one() {
    let mut stage = Stage::new(4, &[1, 3, 5]);
    let one = || head(record(1), epoch(1, 4), &[3]);
    let own = Input::Restore(Box::new(cluster::Restored {
        replica: {
            let mut replica = cluster::Replica::new(one().record, one().leadership);
            let PeerMessage::CopyBlock { done, .. } = copy_block(0, epoch(1, 4)) else {
                unreachable!("it is one");
            };
            replica.record_done(*done);
            replica.record_end(ended(one(), Ending::Complete).ended.expect("an end"));
            replica
        },
        ended_ago: std::time::Duration::ZERO,
        has_inputs: true,
    }));
    stage.input(own);
    // It is kept by two, as many as are there; the third comes when one of them turns out to have nothing.
    let before = stage.hears(3, copy_state(epoch(1, 4), 0, true, &[0]));
    assert_eq!(
        count(&before, 3, |it| matches!(it, PeerMessage::CopyHead { .. })),
        0
    );
    let nothing = PeerMessage::Inventory {
        job: JOB,
        blocks: BlockSet::default(),
    };
    let mut outputs = stage.hears(3, nothing);
    outputs.extend(stage.passes(500));
    let named = [1, 5].iter().filter(|peer| {
        count(&outputs, **peer, |it| {
            matches!(it, PeerMessage::CopyHead { .. })
        }) > 0
    });
    assert!(named.count() > 0, "{outputs:?}");
}

#[test]
fn what_was_announced_to_a_holder_is_waited_for_when_it_leads() {
    let mut stage = Stage::with_copy(4, &[1, 3, 5], &[3, 4], &[]);
    let announced = PeerMessage::Inventory {
        job: JOB,
        blocks: blocks(&[0, 1, 2, 3]),
    };
    stage.hears(5, announced);
    stage.dies(1);
    stage.hears(3, copy_state(epoch(1, 1), 1, false, &[]));
    let own = stage.epoch();
    stage.hears(3, copy_state(own, 9, false, &[]));
    for peer in [3, 5] {
        stage.hears(peer, held(own));
    }
    let mut outputs = stage.hears(5, pull(5));
    outputs.extend(stage.passes(2_000));
    outputs.extend(stage.hears(5, pull(5)));
    assert_eq!(leases(&outputs, 5), 0);
    stage.passes(10_000);
    assert!(leases(&stage.hears(5, pull(5)), 5) > 0, "not for ever");
}

#[test]
fn a_copy_that_its_coordinator_left_behind_asks_it_now_and_then() {
    let is_state = |message: &PeerMessage| matches!(message, PeerMessage::CopyState { .. });
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[0]);
    let before = stage.passes(60_000);
    assert_eq!(count(&before, 1, is_state), 0, "it is followed up");
    // Node 3 leads now, and does not have this copy on its list.
    let next = summary(JobStatus::Running, epoch(2, 3), 1, &[3]);
    stage.hears(3, PeerMessage::Job(next));
    let asked = count(&stage.passes(60_000), 3, is_state);
    assert!((3..=7).contains(&asked), "{asked}");
}

#[test]
fn whoever_takes_a_node_for_a_coordinator_that_it_was_hears_who_is() {
    let mut stage = Stage::with_copy(4, &[1, 3, 5], &[3, 4], &[0]);
    let next = summary(JobStatus::Running, epoch(3, 1), 9, &[1, 4]);
    stage.hears(1, PeerMessage::Job(next.clone()));
    // Node 5 does not hear node 1, and believes that this one leads.
    let outputs = stage.hears(5, copy_state(epoch(1, 1), 0, false, &[]));
    assert!(
        sent_to(&outputs, 5).contains(&&PeerMessage::Job(next)),
        "{outputs:?}"
    );
}

#[test]
fn a_holder_that_follows_another_tells_the_coordinator_before() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[0]);
    // Node 1 does not hear node 3, which leads the job by now.
    let outputs = stage.hears(3, copy_head(1, head(record(4), epoch(2, 3), &[4])));
    let is_newer = |message: &PeerMessage| matches!(message, PeerMessage::CopyState { epoch: of, .. } if *of == epoch(2, 3));
    assert_eq!(count(&outputs, 1, is_newer), 1, "{outputs:?}");
}

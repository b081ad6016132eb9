//! Who stands, who gives way, and what a candidate waits for.

use cluster::{Input, Output, Restored};
use wire::{JobStatus, PeerMessage, Refusal};

use crate::stage::{
    INCARNATION, JOB, Stage, copy_block, copy_head, copy_request, copy_state, count, epoch, events,
    head, node, record, sent_to, stands, summary, won,
};

/// A holder's copy from before it started anew.
fn restored(leader: u8, holders: &[u8]) -> Input {
    let head = head(record(4), epoch(1, leader), holders);
    Input::Restore(Box::new(Restored {
        replica: cluster::Replica::new(head.record, head.leadership),
        ended_ago: std::time::Duration::ZERO,
        has_inputs: true,
    }))
}

#[test]
fn a_candidate_begins_anew_when_it_learns_of_a_newer_epoch_while_it_collects() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    assert!(stands(&stage.dies(1)));
    // What holder 3 has is of an epoch that node 9 won, of which nobody told here; 9 is not there any more.
    stage.hears(3, copy_head(0, head(record(4), epoch(3, 9), &[3, 4])));
    let mut outputs = stage.hears(3, copy_state(epoch(3, 9), 0, false, &[]));
    outputs.extend(stage.passes(3_000));
    assert!(
        won(&outputs).iter().all(|(number, _)| *number > 3),
        "{outputs:?}"
    );
}

#[test]
fn a_node_that_starts_anew_hears_the_others_before_it_stands() {
    let mut stage = Stage::new(4, &[3]);
    stage.input(restored(1, &[3, 4]));
    let mut early = stage.input(Input::Unreached { peer: node(1) });
    early.extend(stage.passes(900));
    assert!(!stands(&early), "{early:?}");
    assert!(stands(&stage.passes(300)));
}

#[test]
fn one_that_stepped_down_waits_for_its_successor() {
    let mut stage = Stage::leading(4, &[3]);
    // Node 3 has heard from node 9, and this one has not.
    let successor = summary(JobStatus::Running, epoch(5, 9), 1, &[9, 3, 4]);
    let mut outputs = stage.hears(3, PeerMessage::Job(successor));
    let is_step = |event: &&cluster::Event| matches!(event, cluster::Event::SteppedDown { .. });
    assert!(events(&outputs).iter().any(is_step));
    outputs.extend(stage.passes(900));
    assert!(!stands(&outputs));
    assert!(stands(&stage.passes(300)));
}

#[test]
fn a_coordinator_steps_down_before_a_holder_of_a_newer_epoch() {
    let mut stage = Stage::leading(4, &[3]);
    let outputs = stage.hears(3, copy_state(epoch(5, 3), 1, false, &[]));
    let is_step = |event: &&cluster::Event| matches!(event, cluster::Event::SteppedDown { .. });
    assert!(events(&outputs).iter().any(is_step));
}

#[test]
fn a_witness_that_takes_its_word_back_vouches_no_longer() {
    let mut stage = Stage::new(4, &[1, 3]);
    let peer = node(1);
    stage.input(Input::LinkDown { peer });
    stage.input(Input::Refused { peer });
    stage.hears(
        3,
        PeerMessage::Seen {
            node: peer,
            alive: true,
        },
    );
    let outputs = stage.hears(3, PeerMessage::Missing { node: peer });
    let lost =
        |event: &&cluster::Event| matches!(event, cluster::Event::PeerLost { silent: false, .. });
    assert!(events(&outputs).iter().any(lost), "{outputs:?}");
}

#[test]
fn a_node_that_slept_misses_nobody_for_that() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    let outputs = stage.sleeps(10_000);
    let lost = |event: &&cluster::Event| matches!(event, cluster::Event::PeerLost { .. });
    assert!(!events(&outputs).iter().any(lost), "{outputs:?}");
}

#[test]
fn a_copy_that_is_on_no_list_lets_the_listed_ones_stand() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    let others = summary(JobStatus::Running, epoch(1, 1), 9, &[1, 3]);
    stage.hears(1, PeerMessage::Job(others));
    let mut outputs = stage.dies(1);
    outputs.extend(stage.passes(4_000));
    assert!(!stands(&outputs));
    // Unless none of them does.
    assert!(stands(&stage.passes(2_000)));
}

#[test]
fn a_candidate_is_refused_while_the_coordinator_answers_here() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[0]);
    let outputs = stage.hears(3, copy_request(epoch(2, 3), &[]));
    let is_refusal = |message: &PeerMessage| {
        let refusal = Refusal::CoordinatorLives(epoch(1, 1));
        *message == PeerMessage::Refused { job: JOB, refusal }
    };
    assert!(
        sent_to(&outputs, 3).into_iter().any(is_refusal),
        "{outputs:?}"
    );
    assert_eq!(
        count(&outputs, 3, |it| matches!(
            it,
            PeerMessage::CopyBlock { .. }
        )),
        0
    );
}

#[test]
fn a_candidate_waits_for_the_blocks_that_a_holder_has() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    stage.dies(1);
    let mut outputs = stage.hears(3, copy_state(epoch(1, 1), 1, false, &[0, 1]));
    assert_eq!(won(&outputs), []);
    assert_eq!(
        count(&outputs, 3, |it| matches!(
            it,
            PeerMessage::CopyRequest { .. }
        )),
        1
    );
    for block in [0, 1] {
        outputs.extend(stage.hears(3, copy_block(block, epoch(1, 1))));
    }
    outputs.extend(stage.hears(3, copy_state(epoch(1, 1), 1, false, &[0, 1])));
    assert_eq!(won(&outputs), [(2, 2)]);
}

#[test]
fn only_who_was_asked_may_refuse_a_candidate() {
    let mut stage = Stage::with_copy(4, &[1, 3, 5], &[3, 4], &[]);
    stage.dies(1);
    let refusal = Refusal::HigherStands;
    stage.hears(5, PeerMessage::Refused { job: JOB, refusal });
    let outputs = stage.hears(3, copy_state(epoch(1, 1), 1, false, &[]));
    assert_eq!(won(&outputs), [(2, 0)]);
}

#[test]
fn nobody_resigns_for_another() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    let resign = || PeerMessage::Resign {
        job: JOB,
        epoch: epoch(1, 1),
    };
    assert!(!stands(&stage.hears(3, resign())));
    assert!(stands(&stage.hears(1, resign())));
}

#[test]
fn a_coordinator_that_started_anew_resigns_to_whoever_links() {
    let mut stage = Stage::new(1, &[]);
    stage.input(restored(1, &[2, 3]));
    let outputs = stage.links(2);
    assert_eq!(
        count(&outputs, 2, |it| matches!(it, PeerMessage::Resign { .. })),
        1
    );
}

#[test]
fn an_epoch_that_nobody_can_have_reached_is_not_believed() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    let made_up = summary(JobStatus::Running, epoch(u64::MAX, 3), 1, &[3]);
    stage.hears(3, PeerMessage::Job(made_up));
    assert_eq!(stage.node.job(JOB).map(|told| told.epoch), None);
    stage.hears(
        1,
        PeerMessage::Job(summary(JobStatus::Running, epoch(1, 1), 1, &[1])),
    );
    assert_eq!(
        stage.node.job(JOB).map(|told| told.epoch),
        Some(epoch(1, 1))
    );
}

#[test]
fn what_a_node_says_of_its_own_job_stands_above_what_others_heard() {
    let mut stage = Stage::leading(4, &[3]);
    let heard = summary(JobStatus::Running, stage.epoch(), u64::MAX - 9, &[4]);
    let outputs = stage.hears(3, PeerMessage::Job(heard.clone()));
    let newer = |message: &PeerMessage| matches!(message, PeerMessage::Job(told) if told.version > heard.version);
    assert!(sent_to(&outputs, 3).into_iter().any(newer), "{outputs:?}");
}

#[test]
fn an_older_epoch_is_announced_by_nobody_who_stores_it_later() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    stage.dies(1);
    let outputs = stage.hears(3, copy_state(epoch(1, 1), 1, false, &[]));
    let place = |is_wanted: fn(&Output) -> bool| outputs.iter().position(is_wanted);
    let stored = place(|it| matches!(it, Output::Persist(cluster::Change::Head { .. })));
    let told = place(|it| matches!(it, Output::Event(cluster::Event::ElectionWon { .. })));
    assert!(stored.expect("stored") < told.expect("told"));
}

#[test]
fn who_is_cut_off_from_this_node_alone_is_seen_by_others() {
    let mut stage = Stage::new(4, &[1, 3, 5]);
    let seen_by = |stage: &Stage| {
        let mut peers = stage.node.membership().peers();
        let (_, peer) = peers.find(|(id, _)| *id == node(1)).expect("it is known");
        peer.seen_by().collect::<Vec<_>>()
    };
    stage.dies(1);
    let is_question = |message: &PeerMessage| matches!(message, PeerMessage::Missing { .. });
    let asked = |stage: &mut Stage, alive: bool, rounds: usize| {
        let mut asked = 0;
        for _ in 0..rounds {
            asked += count(&stage.passes(5_000), 3, is_question);
            stage.hears(
                3,
                PeerMessage::Seen {
                    node: node(1),
                    alive,
                },
            );
        }
        asked
    };
    assert!(
        asked(&mut stage, true, 10) >= 9,
        "as long as somebody sees it"
    );
    assert_eq!(seen_by(&stage), [node(3)]);
    // Nobody is asked for ever about one that is nowhere.
    assert!(asked(&mut stage, false, 20) <= 5);
    assert_eq!(seen_by(&stage), []);
    assert!(asked(&mut stage, true, 1) == 0);
    stage.links(1);
    assert_eq!(seen_by(&stage), []);
}

#[test]
fn an_epoch_names_the_process_that_leads_in_it() {
    let mut stage = Stage::with_copy(4, &[1, 3], &[3, 4], &[]);
    stage.dies(1);
    stage.hears(3, copy_state(epoch(1, 1), 1, false, &[]));
    assert_eq!(stage.epoch().incarnation, INCARNATION);
    assert_eq!(Stage::leading(4, &[3]).epoch().incarnation, INCARNATION);
}

#[test]
fn a_superseded_coordinator_hears_of_its_successor_from_whoever_hears_both() {
    let mut stage = Stage::new(2, &[1, 3]);
    let told = |coordinator, number| {
        let epoch = epoch(number, coordinator);
        PeerMessage::Job(summary(JobStatus::Running, epoch, 1, &[]))
    };
    stage.hears(1, told(1, 1));
    let outputs = stage.hears(3, told(3, 2));
    assert_eq!(
        count(&outputs, 1, |it| matches!(it, PeerMessage::Job(_))),
        1
    );
}

#[test]
fn a_peer_that_was_silent_and_speaks_again_is_reached_again() {
    let mut stage = Stage::new(2, &[1]);
    stage.falls_silent(1);
    stage.passes(1500);
    assert!(!stage.node.reaches(node(1)));
    let outputs = stage.hears(1, PeerMessage::Heartbeat { sequence: 1 });
    assert!(stage.node.reaches(node(1)), "{outputs:?}");
    assert!(events(&outputs).contains(&&cluster::Event::MeshChanged));
}

//! Jobs that go before their time: somebody deletes them, or the directory is full.

use cluster::limits::{DIRECTORY_JOBS_MAX, DIRECTORY_RESERVE};
use cluster::{Input, Moment, Node, NodeConfig, Now, Output};
use wire::{Epoch, JobId, JobStatus, JobSummary, PeerMessage};

use crate::support::device::Device;
use crate::support::mesh::Mesh;
use crate::support::{job, millis, native, node, record, seconds};

/// A job that is complete at all of four nodes.
fn complete(seed: u64) -> (Mesh, JobId) {
    let mut mesh = Mesh::new(seed);
    for number in 1..=4 {
        mesh.add_node(node(number));
        mesh.attach(node(number), native(number), Device::native(1, 1000.0));
    }
    mesh.link_all();
    mesh.run_for(millis(300));
    let job = mesh.submit(node(1), record(1, 30));
    mesh.run_until_complete(job, seconds(30));
    mesh.run_for(seconds(10));
    (mesh, job)
}

fn is_gone(mesh: &Mesh, number: u8, job: JobId) -> bool {
    let there = mesh.node(node(number));
    let is_stored = mesh.stores[&node(number)].jobs.contains_key(&job);
    there.is_expired(job) && there.job(job).is_none() && !is_stored
}

#[test]
fn a_job_that_is_deleted_goes_from_every_node() {
    let (mut mesh, job) = complete(1);
    mesh.feed(node(3), Input::Delete { job });
    mesh.run_for(seconds(1));
    assert!((1..=4).all(|number| is_gone(&mesh, number, job)));
}

#[test]
fn a_node_that_was_away_hears_that_a_job_was_deleted() {
    let (mut mesh, job) = complete(2);
    mesh.crash(node(2));
    mesh.run_for(seconds(5));
    mesh.feed(node(3), Input::Delete { job });
    mesh.run_for(seconds(1));
    // Whoever deleted it starts anew, too: it is known from the disk.
    mesh.crash(node(3));
    mesh.restart(node(3));
    mesh.restart(node(2));
    mesh.run_for(seconds(5));
    assert!((1..=4).all(|number| is_gone(&mesh, number, job)));
}

#[test]
fn a_job_that_runs_is_cancelled_by_its_deletion() {
    let mut mesh = Mesh::new(3);
    mesh.add_node(node(1));
    mesh.add_node(node(2));
    mesh.link_all();
    mesh.run_for(millis(300));
    let job = mesh.submit(node(1), record(1, 30));
    mesh.run_for(millis(300));
    mesh.feed(node(2), Input::Delete { job });
    mesh.run_for(seconds(1));
    assert_eq!(mesh.stored_status(job), JobStatus::Cancelled);
    mesh.feed(node(2), Input::Delete { job });
    mesh.run_for(seconds(1));
    assert!(is_gone(&mesh, 1, job) && is_gone(&mesh, 2, job));
}

#[test]
fn what_was_fetched_at_one_node_may_go_at_all() {
    let (mut mesh, job) = complete(4);
    mesh.feed(node(2), Input::Fetched { job });
    mesh.run_for(seconds(2));
    mesh.add_node(node(5));
    mesh.link_all();
    mesh.run_for(seconds(1));
    for number in 1..=5 {
        assert!(
            mesh.node(node(number)).job(job).unwrap().fetched,
            "{number}"
        );
    }
}

/// A node alone, and a job of another that it hears of.
struct Listener {
    node: Node,
    now: Now,
}

impl Listener {
    fn hear(&mut self, number: usize, fetched: bool) -> Vec<Output> {
        let epoch = Epoch {
            number: 1,
            coordinator: node(2),
            incarnation: 0,
        };
        let small = record(1, 1);
        let summary = JobSummary {
            id: numbered(number),
            status: JobStatus::Complete,
            epoch,
            version: 1,
            holders: vec![node(2)],
            shape: small.shape,
            options: small.options,
            blocks_total: 1,
            blocks_done: 1,
            submitted_at_unix_ms: number as u64,
            idempotency_key: None,
            reopened: false,
            fetched,
        };
        let from = node(2);
        let message = PeerMessage::Job(summary);
        self.now.moment = self.now.moment + millis(1);
        self.node.handle(self.now, Input::Peer { from, message })
    }
}

fn numbered(number: usize) -> JobId {
    let mut bytes = *job(0).as_bytes();
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    JobId::from_bytes(bytes)
}

#[test]
fn a_full_directory_drops_what_was_fetched_and_else_takes_no_more_jobs() {
    let now = Now {
        moment: Moment::default(),
        unix_ms: 1,
    };
    let mut listener = Listener {
        node: Node::new(node(1), 1, NodeConfig::default(), now),
        now,
    };
    for number in 0..DIRECTORY_JOBS_MAX {
        listener.hear(number, number == 7 || number == 5);
    }
    assert_eq!(listener.node.is_full_for(listener.now.moment), None);
    listener.hear(DIRECTORY_JOBS_MAX, false);
    assert_eq!(
        listener.node.job(numbered(5)),
        None,
        "the oldest fetched one"
    );
    assert!(listener.node.job(numbered(DIRECTORY_JOBS_MAX)).is_some());
    listener.hear(DIRECTORY_JOBS_MAX + 1, false);
    assert_eq!(listener.node.job(numbered(7)), None);
    // Now all are still to be fetched: this node accepts none until the first expires.
    let wait = listener.node.is_full_for(listener.now.moment);
    let wait = wait.expect("it is full");
    let time_to_live = NodeConfig::default().result_ttl;
    assert!(
        wait < time_to_live && wait > time_to_live - seconds(200),
        "{wait:?}"
    );
    // Others may have accepted some, up to a bound.
    let known = DIRECTORY_JOBS_MAX + 2;
    for number in known..known + DIRECTORY_RESERVE + 100 {
        listener.hear(number, false);
    }
    let most = DIRECTORY_JOBS_MAX + DIRECTORY_RESERVE;
    assert_eq!(listener.node.jobs_known(), most);
    assert!(
        listener.node.job(numbered(0)).is_some(),
        "nobody has fetched it"
    );
}

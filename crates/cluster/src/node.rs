//! The node: takes what happened, asks its machines, returns what to do.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wire::{
    Acquaintance, Exchange, JobId, JobRecord, JobSummary, NodeId, NodeStatus, PeerMessage,
    WorkerId, WorkerKind,
};

use crate::coordinator::{Candidate, Coordinator, JobProgress};
use crate::directory::Directory;
use crate::effect::{Change, Event, Input, Output, WorkerProfile};
use crate::host::WorkerHost;
use crate::limits::{PEERS_MAX, TOMBSTONES_MAX};
use crate::membership::{Liveness, Membership};
use crate::replica::Replica;
use crate::time::{Moment, Now};

/// The times that a user may set; `interface.md` names their options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeConfig {
    /// `--heartbeat-interval-ms`
    pub heartbeat_interval: Duration,
    /// `--heartbeat-timeout-ms`
    pub heartbeat_timeout: Duration,
    /// `--block-timeout-ms`
    pub block_timeout: Duration,
    /// `--result-ttl-s`
    pub result_ttl: Duration,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(200),
            heartbeat_timeout: Duration::from_millis(1000),
            block_timeout: Duration::from_secs(30),
            result_ttl: Duration::from_secs(7200),
        }
    }
}

/// One node of the mesh, without its sockets, files and clocks.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    config: NodeConfig,
    own_status: Option<NodeStatus>,
    membership: Membership,
    directory: Directory,
    host: WorkerHost,
    coordinators: BTreeMap<JobId, Coordinator>,
    /// Jobs whose time to live is over, and since when.
    expired: BTreeMap<JobId, Moment>,
}

impl Node {
    /// A node that knows nobody yet.
    #[must_use]
    pub fn new(id: NodeId, config: NodeConfig, now: Now) -> Self {
        let NodeConfig {
            heartbeat_interval,
            heartbeat_timeout,
            ..
        } = config;
        Self {
            id,
            config,
            own_status: None,
            membership: Membership::new(heartbeat_interval, heartbeat_timeout, now.moment),
            directory: Directory::default(),
            host: WorkerHost::default(),
            coordinators: BTreeMap::new(),
            expired: BTreeMap::new(),
        }
    }

    /// Takes what happened and returns what to do, strictly in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.on_input(now, input, &mut outputs);
        self.tick(now, &mut outputs);
        self.deliver_own(now, outputs)
    }

    /// When [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Moment {
        let coordinators = self
            .coordinators
            .values()
            .filter_map(Coordinator::next_deadline);
        let time_to_live = self.config.result_ttl;
        let ends = self.coordinators.values().filter_map(|coordinator| {
            coordinator
                .expires_at(time_to_live)
                .or_else(|| coordinator.stalls_at(time_to_live))
        });
        let elsewhere = self.directory.first_ended_at();
        coordinators
            .chain(ends)
            .chain(elsewhere.map(|ended| ended + time_to_live))
            .chain(self.host.next_deadline())
            .fold(self.membership.next_deadline(), Moment::min)
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Who lives.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// What this node tells of itself.
    #[must_use]
    pub fn own_status(&self) -> Option<&NodeStatus> {
        self.own_status.as_ref()
    }

    /// Every job of the mesh, newest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobSummary> {
        let mut jobs: Vec<JobSummary> = self.directory.iter().cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.submitted_at_unix_ms, job.id)));
        jobs
    }

    /// A job of the mesh.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&JobSummary> {
        self.directory.get(job)
    }

    /// The machine of a job that this node leads, or led to its end.
    #[must_use]
    pub fn coordinator(&self, job: JobId) -> Option<&Coordinator> {
        self.coordinators.get(&job)
    }

    /// The progress of a job that this node leads, or led to its end.
    #[must_use]
    pub fn progress(&self, job: JobId, now: Moment) -> Option<JobProgress> {
        self.coordinators
            .get(&job)
            .map(|coordinator| coordinator.progress(now))
    }

    /// Whether the job was here and its time to live is over.
    #[must_use]
    pub fn is_expired(&self, job: JobId) -> bool {
        self.expired.contains_key(&job)
    }

    /// Jobs that this node coordinates and that have not ended.
    #[must_use]
    pub fn running_jobs(&self) -> usize {
        self.coordinators
            .values()
            .filter(|coordinator| coordinator.is_running())
            .count()
    }

    /// Devices that would be given work now, over the whole mesh.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.candidates().len()
    }

    fn on_input(&mut self, now: Now, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Tick => {}
            Input::LinkUp { peer } => self.on_link_up(now, peer, outputs),
            Input::LinkDown { peer } => {
                self.membership.on_link_down(peer);
                outputs.push(Output::Event(Event::MeshChanged));
            }
            Input::Peer { from, message } => {
                if self.membership.on_heard(from, now.moment) {
                    outputs.push(Output::Event(Event::MeshChanged));
                }
                self.on_message(now, from, message, outputs);
            }
            Input::OwnStatus(status) => self.on_own_status(status, outputs),
            Input::Worker { worker, profile } => {
                self.host
                    .on_worker(worker, profile, &self.directory, outputs);
            }
            Input::WorkerLeft { worker } => {
                self.host.on_worker_left(worker, &self.directory, outputs);
            }
            Input::WorkerResult {
                worker,
                job,
                block,
                proof,
            } => {
                let key = (job, block);
                self.host
                    .on_result(now.moment, worker, key, proof, &self.directory, outputs);
            }
            Input::WorkerGaveBack { worker, job, block } => {
                self.host
                    .on_gave_back(now.moment, worker, (job, block), outputs);
            }
            Input::Submit(record) => self.on_submit(now, *record, outputs),
            Input::Cancel { job } => self.on_cancel(now, job, outputs),
            Input::Restore(replica) => self.on_restore(now, *replica, outputs),
            Input::Leave => {
                self.host.stop();
                self.tell_all(&PeerMessage::Goodbye, outputs);
            }
        }
    }

    /// Everything that is due by now, whatever woke the node.
    fn tick(&mut self, now: Now, outputs: &mut Vec<Output>) {
        for silent in self.membership.on_tick(now.moment, outputs) {
            self.on_peer_gone(now.moment, silent, outputs);
        }
        let jobs: Vec<JobId> = self.coordinators.keys().copied().collect();
        for job in jobs {
            let Some(coordinator) = self.coordinators.get_mut(&job) else {
                continue;
            };
            let time_to_live = self.config.result_ttl;
            let stalls_at = coordinator.stalls_at(time_to_live);
            if stalls_at.is_some_and(|stalls_at| stalls_at <= now.moment) {
                let reason = format!(
                    "no result came for {} s; submit it again when devices are there",
                    time_to_live.as_secs()
                );
                coordinator.fail(now, reason, outputs);
            }
            let expires_at = coordinator.expires_at(time_to_live);
            if coordinator.on_tick(now.moment, outputs) {
                let summary = coordinator.next_summary();
                self.tell_summary(now.moment, summary, outputs);
            }
            if expires_at.is_some_and(|expires_at| expires_at <= now.moment) {
                outputs.push(Output::Persist(Change::Expired { job }));
                self.coordinators.remove(&job);
                self.expire(now.moment, job, outputs);
            }
        }
        // Jobs of other coordinators, as far as this node has heard of their end.
        let time_to_live = self.config.result_ttl;
        for job in self.directory.ended_for(time_to_live, now.moment) {
            self.expire(now.moment, job, outputs);
        }
        self.pull(now.moment, outputs);
    }

    fn pull(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let own = self.id;
        let membership = &self.membership;
        let is_reachable = |node| {
            node == own
                || membership
                    .peers()
                    .any(|(id, peer)| id == node && peer.linked)
        };
        self.host.pull(now, &self.directory, is_reachable, outputs);
    }

    /// Messages of the machines to this very node are handled here and now;
    /// what they cause comes after everything that was before them.
    fn deliver_own(&mut self, now: Now, outputs: Vec<Output>) -> Vec<Output> {
        let mut carried = Vec::new();
        let mut waiting: VecDeque<Output> = outputs.into();
        while let Some(output) = waiting.pop_front() {
            match output {
                Output::Send { to, message } if to == self.id => {
                    let mut caused = Vec::new();
                    self.on_message(now, to, message, &mut caused);
                    self.pull(now.moment, &mut caused);
                    waiting.extend(caused);
                }
                other => carried.push(other),
            }
        }
        carried
    }

    fn on_message(
        &mut self,
        now: Now,
        from: NodeId,
        message: PeerMessage,
        outputs: &mut Vec<Output>,
    ) {
        match message {
            PeerMessage::Heartbeat { .. } => {}
            PeerMessage::Status(status) => self.on_status(from, status, outputs),
            PeerMessage::Acquaintances(nodes) => self.on_acquaintances(nodes, outputs),
            PeerMessage::Goodbye => {
                self.membership.on_goodbye(from);
                self.on_peer_gone(now.moment, from, outputs);
            }
            PeerMessage::Job(summary) => self.on_told(now.moment, from, summary, outputs),
            PeerMessage::Pull { job, exchange } => {
                let is_genuine = !self.is_impostor(from, &exchange);
                match self.coordinators.get_mut(&job).filter(|_| is_genuine) {
                    Some(coordinator) => coordinator.on_pull(now.moment, from, exchange, outputs),
                    None => {
                        let message = PeerMessage::NoWork {
                            job,
                            worker: exchange.worker,
                        };
                        outputs.push(Output::Send { to: from, message });
                    }
                }
            }
            PeerMessage::Lease {
                job,
                epoch,
                worker,
                tasks,
            } => {
                let newest = self.directory.get(job).map(|summary| summary.epoch);
                // A smaller epoch is a coordinator that was replaced.
                if newest.is_none_or(|newest| epoch >= newest) {
                    self.host.on_lease(from, job, worker, tasks, outputs);
                }
            }
            PeerMessage::NoWork { job, worker } => {
                self.host.on_no_work(now.moment, job, worker);
            }
            PeerMessage::WorkAvailable { job } => self.host.on_work_available(job),
            PeerMessage::GiveBack {
                job,
                worker,
                blocks,
                gone,
            } => {
                if let Some(coordinator) = self.coordinators.get_mut(&job) {
                    coordinator.on_give_back(now.moment, from, worker, &blocks, gone, outputs);
                }
            }
            PeerMessage::Drop {
                job,
                worker,
                blocks,
            } => {
                self.host.on_drop(job, worker, &blocks, outputs);
            }
            PeerMessage::Result {
                job,
                block,
                exchange,
                proof,
            } => {
                let worker = exchange.worker;
                let is_genuine = !self.is_impostor(from, &exchange);
                match self.coordinators.get_mut(&job).filter(|_| is_genuine) {
                    Some(coordinator) => {
                        coordinator.on_result(now, from, block, exchange, proof, outputs);
                    }
                    None => {
                        let message = PeerMessage::Counted {
                            job,
                            block,
                            worker,
                            counted: false,
                        };
                        outputs.push(Output::Send { to: from, message });
                    }
                }
                if let Some(hash) = proof.hash.filter(|_| from != self.id) {
                    outputs.push(Output::ReleaseResult {
                        job,
                        block,
                        worker,
                        hash,
                    });
                }
            }
            PeerMessage::Counted {
                job,
                block,
                worker,
                counted,
            } => {
                self.host.on_counted(worker, (job, block), counted, outputs);
            }
            PeerMessage::Cancel { job } => {
                if let Some(coordinator) = self.coordinators.get_mut(&job) {
                    coordinator.on_cancel(now, outputs);
                }
            }
            // The chunks themselves never come here: links answer them.
            PeerMessage::ChunkRequest { .. }
            | PeerMessage::Chunk { .. }
            | PeerMessage::ChunkMissing { .. } => {}
        }
        self.tell_due_summaries(now, outputs);
    }

    /// Whether a device goes by the id of a node that it is not.
    fn is_impostor(&self, home: NodeId, exchange: &Exchange) -> bool {
        let is_of = |node: NodeId| exchange.worker == WorkerId::from(node);
        match exchange.kind {
            WorkerKind::Native => !is_of(home),
            WorkerKind::Browser => {
                is_of(self.id) || self.membership.peers().any(|(peer, _)| is_of(peer))
            }
        }
    }

    /// A job that has just ended is told at once, not at the next tick.
    fn tell_due_summaries(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let due: Vec<JobSummary> = self
            .coordinators
            .values_mut()
            .filter(|coordinator| !coordinator.is_running())
            .filter_map(|coordinator| {
                let mut ignored = Vec::new();
                coordinator
                    .on_tick(now.moment, &mut ignored)
                    .then(|| coordinator.next_summary())
            })
            .collect();
        for summary in due {
            self.tell_summary(now.moment, summary, outputs);
        }
    }

    fn on_link_up(&mut self, now: Now, peer: NodeId, outputs: &mut Vec<Output>) {
        if !self.membership.on_link_up(peer, now.moment, outputs) {
            return;
        }
        if let Some(status) = &self.own_status {
            let message = PeerMessage::Status(status.clone());
            outputs.push(Output::Send { to: peer, message });
        }
        let others = self
            .membership
            .peers()
            .filter(|(id, known)| *id != peer && known.linked);
        let others = others.filter_map(|(node, known)| {
            let addresses = known.status.as_ref()?.addresses.clone();
            Some(Acquaintance { node, addresses })
        });
        let message = PeerMessage::Acquaintances(others.collect());
        outputs.push(Output::Send { to: peer, message });
        // What the coordinator itself says stands above what others heard.
        let summaries: Vec<JobSummary> = self.directory.iter().cloned().collect();
        for summary in summaries {
            outputs.push(Output::Send {
                to: peer,
                message: PeerMessage::Job(summary),
            });
        }
        self.host.offer_kept(peer, &self.directory, outputs);
        for job in self.directory.running() {
            self.host.on_work_available(job.id);
        }
        outputs.push(Output::Event(Event::MeshChanged));
    }

    /// A peer tells of itself. The others come to know where it is: two that
    /// linked at the same moment would not hear of each other otherwise.
    fn on_status(&mut self, from: NodeId, status: NodeStatus, outputs: &mut Vec<Output>) {
        let is_elsewhere = self.membership.addresses_of(from) != Some(&status.addresses[..]);
        if !self.membership.on_status(from, status) {
            return;
        }
        outputs.push(Output::Event(Event::MeshChanged));
        let addresses = self.membership.addresses_of(from);
        let Some(addresses) = addresses.filter(|_| is_elsewhere) else {
            return;
        };
        let acquaintance = Acquaintance {
            node: from,
            addresses: addresses.to_vec(),
        };
        let message = PeerMessage::Acquaintances(vec![acquaintance]);
        for to in self.membership.linked() {
            if to != from {
                let message = message.clone();
                outputs.push(Output::Send { to, message });
            }
        }
    }

    fn on_acquaintances(&self, nodes: Vec<Acquaintance>, outputs: &mut Vec<Output>) {
        let linked = self.membership.linked();
        for Acquaintance { node, addresses } in nodes.into_iter().take(PEERS_MAX) {
            if node != self.id && !linked.contains(&node) {
                outputs.push(Output::Dial {
                    peer: node,
                    addresses,
                });
            }
        }
    }

    fn on_peer_gone(&mut self, now: Moment, peer: NodeId, outputs: &mut Vec<Output>) {
        for coordinator in self.coordinators.values_mut() {
            coordinator.on_node_gone(now, peer, outputs);
        }
        self.host.on_peer_gone(peer, &self.directory);
        outputs.push(Output::Event(Event::MeshChanged));
    }

    fn on_own_status(&mut self, status: NodeStatus, outputs: &mut Vec<Output>) {
        self.tell_all(&PeerMessage::Status(status.clone()), outputs);
        self.own_status = Some(status);
        outputs.push(Output::Event(Event::MeshChanged));
    }

    /// Somebody tells where a job stands.
    fn on_told(
        &mut self,
        now: Moment,
        from: NodeId,
        summary: JobSummary,
        outputs: &mut Vec<Output>,
    ) {
        if from == self.id {
            // This node's own word that the job has ended. It comes this way
            // so that answers to results, which were said before, are first.
            self.host.on_job_ended(summary.id, outputs);
            return;
        }
        let own = self.coordinators.get_mut(&summary.id);
        match own.filter(|own| own.epoch() == summary.epoch) {
            // What this node says itself stands above what others heard.
            Some(own) => {
                if own.outbid(summary.version) {
                    let summary = own.next_summary();
                    self.tell_summary(now, summary, outputs);
                }
            }
            None => self.on_summary(now, summary, outputs),
        }
    }

    fn on_summary(&mut self, now: Moment, summary: JobSummary, outputs: &mut Vec<Output>) {
        let (job, status) = (summary.id, summary.status);
        if self.expired.contains_key(&job) || !self.directory.learn(summary.clone(), now) {
            return;
        }
        if status != wire::JobStatus::Running {
            let message = PeerMessage::Job(summary);
            let to = self.id;
            outputs.push(Output::Send { to, message });
        }
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    fn on_submit(&mut self, now: Now, record: JobRecord, outputs: &mut Vec<Output>) {
        let epoch = wire::Epoch {
            number: 1,
            coordinator: self.id,
        };
        let replica = Replica::new(record.clone(), epoch);
        let coordinator = Coordinator::new(replica, self.config.block_timeout, now);
        // The driver cuts by `Cut::plan`, whose cuts are always valid.
        let mut coordinator = coordinator.expect("a planned cut is a cut");
        outputs.push(Output::Persist(Change::Accepted {
            record: Box::new(record),
            epoch,
        }));
        coordinator.reserve(&self.candidates(), now.moment);
        self.lead(now.moment, coordinator, outputs);
    }

    fn on_restore(&mut self, now: Now, replica: Replica, outputs: &mut Vec<Output>) {
        if let Ok(mut coordinator) = Coordinator::new(replica, self.config.block_timeout, now) {
            coordinator.end_if_done(now, outputs);
            self.lead(now.moment, coordinator, outputs);
        }
    }

    fn lead(&mut self, now: Moment, mut coordinator: Coordinator, outputs: &mut Vec<Output>) {
        let summary = coordinator.next_summary();
        self.coordinators.insert(summary.id, coordinator);
        self.tell_summary(now, summary, outputs);
    }

    fn on_cancel(&mut self, now: Now, job: JobId, outputs: &mut Vec<Output>) {
        if let Some(coordinator) = self.coordinators.get_mut(&job) {
            coordinator.on_cancel(now, outputs);
            self.tell_due_summaries(now, outputs);
        } else if let Some(summary) = self.directory.get(job) {
            let to = summary.epoch.coordinator;
            outputs.push(Output::Send {
                to,
                message: PeerMessage::Cancel { job },
            });
        }
    }

    /// A job's time is over: only its id is remembered.
    fn expire(&mut self, now: Moment, job: JobId, outputs: &mut Vec<Output>) {
        self.directory.remove(job);
        if self.expired.len() >= TOMBSTONES_MAX {
            let oldest = self.expired.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(job, _)| *job) {
                self.expired.remove(&oldest);
            }
        }
        self.expired.insert(job, now);
        outputs.push(Output::Event(Event::JobChanged { job }));
    }

    fn tell_summary(&mut self, now: Moment, summary: JobSummary, outputs: &mut Vec<Output>) {
        self.tell_all(&PeerMessage::Job(summary.clone()), outputs);
        self.on_summary(now, summary, outputs);
    }

    fn tell_all(&self, message: &PeerMessage, outputs: &mut Vec<Output>) {
        for to in self.membership.linked() {
            outputs.push(Output::Send {
                to,
                message: message.clone(),
            });
        }
    }

    /// Every device of the mesh that takes work: the slow ones first, so that
    /// when there are fewer blocks than devices it is the fast ones, which are
    /// sure to get some anyway, that go without a reservation.
    fn candidates(&self) -> Vec<Candidate> {
        let own = self
            .host
            .profiles()
            .filter(|(_, profile)| takes_work(profile));
        let mut all: Vec<Candidate> = own
            .map(|(worker, profile)| Candidate {
                worker,
                threads: profile.threads,
                mflops: profile.mflops,
            })
            .collect();
        for (id, peer) in self.membership.peers() {
            let Some(status) = &peer.status else { continue };
            if peer.liveness != Liveness::Alive {
                continue;
            }
            if status.threads > 0 {
                let (threads, mflops) = (status.threads, status.mflops);
                all.push(Candidate {
                    worker: WorkerId::from(id),
                    threads,
                    mflops,
                });
            }
            let pages = status
                .browsers
                .iter()
                .filter(|page| page.contributing && page.visible);
            all.extend(pages.map(|page| Candidate {
                worker: page.worker,
                threads: page.threads,
                mflops: page.mflops,
            }));
        }
        all.sort_by(|one, other| one.mflops.total_cmp(&other.mflops));
        all
    }
}

fn takes_work(profile: &WorkerProfile) -> bool {
    profile.contributing && profile.visible && profile.threads > 0
}

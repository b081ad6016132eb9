//! The node: takes what happened, asks its machines, returns what to do.
//!
//! | module | holds |
//! | --- | --- |
//! | `messages` | which machine a message is for |
//! | `mesh` | links, and what nodes report of themselves |
//! | `arrivals` | what is made harmless before anybody reads it |
//! | `jobs` | the life of a job, from submission to its end |
//! | `forgetting` | jobs that go: expired, deleted, or dropped by a full directory |
//! | `abandoned` | jobs whose holders are all away |
//! | `copies` | copies of jobs that others lead |
//! | `keeping` | copies of ended jobs whose holders leave |
//! | `elections` | who leads next |
//! | `restless` | which copies are looked at for that |
//! | `results` | what devices return of the jobs that are led here |

mod abandoned;
mod arrivals;
mod copies;
mod elections;
mod forgetting;
mod jobs;
mod keeping;
mod mesh;
mod messages;
mod restless;
mod results;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kernel::cut::Cut;
use wire::{CourseView, JobId, JobStatus, JobSummary, NodeId, NodeStatus, PeerMessage};

use crate::coordinator::{Coordinator, JobProgress, course_of};
use crate::directory::Directory;
use crate::effect::{Event, Input, Output};
use crate::follower::Follower;
use crate::host::WorkerHost;
use crate::limits::SIDE_MAX;
use crate::membership::Membership;
use crate::placement::Workforce;
use crate::replica::Replica;
use crate::time::{Moment, Now};
use abandoned::Abandoned;
use forgetting::{FetchedHere, Tombstones};
use keeping::Keeping;
use restless::Restless;
use results::Gathered;

/// The times that a user may set; `interface.md` names their options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeConfig {
    /// `--heartbeat-interval-ms`
    pub heartbeat_interval: Duration,
    /// `--heartbeat-timeout-ms`
    pub heartbeat_timeout: Duration,
    /// `--block-timeout-ms`
    pub block_timeout: Duration,
    /// `--election-timeout-ms`
    pub election_timeout: Duration,
    /// `--num-backup-nodes`
    pub backups: usize,
    /// `--result-ttl-s`
    pub result_ttl: Duration,
    /// `--max-dim`: of jobs submitted elsewhere, too.
    pub side_max: u32,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(200),
            heartbeat_timeout: Duration::from_millis(1000),
            block_timeout: Duration::from_secs(30),
            election_timeout: Duration::from_millis(300),
            backups: 3,
            result_ttl: Duration::from_secs(7200),
            side_max: SIDE_MAX,
        }
    }
}

/// One node of the mesh, without its sockets, files and clocks.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    incarnation: u64,
    config: NodeConfig,
    own_status: Option<NodeStatus>,
    membership: Membership,
    directory: Directory,
    host: WorkerHost,
    /// Jobs that this node leads.
    coordinators: BTreeMap<JobId, Coordinator>,
    /// Copies of jobs that others lead, and of all that have ended.
    followers: BTreeMap<JobId, Follower>,
    /// Those of them that have not ended: their coordinators may be missed.
    led_elsewhere: BTreeSet<JobId>,
    /// Those of these that may have something due; nearly all are at rest.
    restless: Restless,
    /// Those that have, by when they are forgotten.
    expiries: BTreeSet<(Moment, JobId)>,
    /// Those whose end here is not the one that stands.
    disputed: BTreeSet<JobId>,
    /// Results that wait for the others of their job.
    gathered: Gathered,
    /// Running jobs without a holder that is there.
    abandoned: Abandoned,
    /// Ended jobs that are to have more holders.
    keeping: Keeping,
    /// Jobs that are gone.
    expired: Tombstones,
    fetched_here: FetchedHere,
    /// Nodes that have another job under the same id: nothing of theirs is taken.
    foreign: BTreeSet<(JobId, NodeId)>,
    /// The node is about to leave: it hands its jobs over and takes none.
    is_resigning: bool,
    last_handled: Moment,
    /// When something was due, as it was computed last: signs of life since then can only have put it off.
    deadline: Moment,
    /// The same without what is due of the peers.
    others_due: Moment,
}

impl Node {
    /// A node that knows nobody yet. Each process of a node is another `incarnation`: it leads in epochs of its own.
    #[must_use]
    pub fn new(id: NodeId, incarnation: u64, config: NodeConfig, now: Now) -> Self {
        let NodeConfig {
            heartbeat_interval,
            heartbeat_timeout,
            ..
        } = config;
        Self {
            id,
            incarnation,
            config,
            own_status: None,
            membership: Membership::new(heartbeat_interval, heartbeat_timeout, now.moment),
            directory: Directory::default(),
            host: WorkerHost::default(),
            coordinators: BTreeMap::new(),
            followers: BTreeMap::new(),
            led_elsewhere: BTreeSet::new(),
            restless: Restless::default(),
            expiries: BTreeSet::new(),
            disputed: BTreeSet::new(),
            gathered: Gathered::default(),
            abandoned: Abandoned::default(),
            keeping: Keeping::default(),
            expired: Tombstones::default(),
            fetched_here: FetchedHere::default(),
            foreign: BTreeSet::new(),
            is_resigning: false,
            last_handled: now.moment,
            deadline: now.moment,
            others_due: now.moment,
        }
    }

    /// Takes what happened and returns what to do, strictly in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.handle_all(now, [input])
    }

    /// The same for all that happened until now: what is due is looked for once.
    pub fn handle_all(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut is_quiet = !self.notice_sleep(now.moment) && now.moment < self.others_due;
        for input in inputs {
            if self.is_no_news(now.moment, &input) {
                continue;
            }
            is_quiet = false;
            self.on_input(now, input, &mut outputs);
        }
        if is_quiet && now.moment < self.deadline {
            return outputs;
        }
        let gone = self.membership.on_tick(now.moment, &mut outputs);
        if is_quiet && gone.is_empty() && self.is_at_ease() {
            self.deadline = self.others_due.min(self.membership.next_deadline());
            return outputs;
        }
        self.tick(now, gone, &mut outputs);
        let outputs = self.deliver_own(now, outputs);
        self.others_due = self.compute_others_due();
        self.deadline = self.others_due.min(self.membership.next_deadline());
        outputs
    }

    /// Most of what a node hears: a heartbeat of a peer that lives changes nothing but when it was heard, and that
    /// time goes on changes nothing before something is due.
    fn is_no_news(&mut self, now: Moment, input: &Input) -> bool {
        match input {
            Input::Tick => true,
            Input::Peer {
                from,
                message: PeerMessage::Heartbeat { .. },
            } => self.membership.is_heard_again(*from, now),
            _ => false,
        }
    }

    /// Whether nothing is looked at as often as heartbeats are sent.
    fn is_at_ease(&self) -> bool {
        let has_copies_at_rest = self.restless.is_empty() && self.disputed.is_empty();
        has_copies_at_rest && self.coordinators.is_empty() && !self.host.keeps_results()
    }

    /// When [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Moment {
        self.deadline
    }

    /// When something is due besides heartbeats, and verdicts on peers.
    fn compute_others_due(&self) -> Moment {
        let coordinators = self.coordinators.values();
        let due = coordinators.clone().filter_map(Coordinator::next_deadline);
        let stalls = coordinators.filter_map(|job| job.stalls_at(self.config.result_ttl));
        let followers = self
            .restless
            .jobs()
            .filter(|job| self.led_elsewhere.contains(job));
        let followers = followers.filter_map(|job| self.followers.get(job));
        let elsewhere = self.directory.first_ended_at();
        due.chain(stalls)
            .chain(followers.filter_map(|follower| self.follower_deadline(follower)))
            .chain(self.expiries.first().map(|(at, _)| *at))
            .chain(elsewhere.map(|ended| ended + self.config.result_ttl))
            .chain(self.host.next_deadline())
            .chain(self.gathered.next_deadline())
            .chain(self.abandoned.next_deadline(self.config.result_ttl))
            .chain(self.keeping.next_deadline())
            .chain(self.fetched_here.next_deadline())
            .min()
            .unwrap_or(Moment::NEVER)
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// What a user set.
    #[must_use]
    pub fn config(&self) -> &NodeConfig {
        &self.config
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
    pub fn jobs(&self) -> impl Iterator<Item = &JobSummary> {
        self.directory.newest_first()
    }

    /// How many jobs of the mesh are known.
    #[must_use]
    pub fn jobs_known(&self) -> usize {
        self.directory.len()
    }

    /// A job of the mesh.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&JobSummary> {
        self.directory.get(job)
    }

    /// Whether a job's end is still to be told here. A copy may be here before
    /// the mesh has told of the job.
    #[must_use]
    pub fn is_running(&self, job: JobId) -> bool {
        match (self.directory.get(job), self.replica(job)) {
            (Some(told), _) => told.status == JobStatus::Running,
            (None, copy) => copy.is_some_and(|copy| copy.ended.is_none()),
        }
    }

    /// The machine of a job that this node leads.
    #[must_use]
    pub fn coordinator(&self, job: JobId) -> Option<&Coordinator> {
        self.coordinators.get(&job)
    }

    /// The copy of a job that is here, whoever leads it.
    #[must_use]
    pub fn replica(&self, job: JobId) -> Option<&Replica> {
        let led = self.coordinators.get(&job).map(Coordinator::replica);
        led.or_else(|| self.followers.get(&job).map(Follower::replica))
    }

    /// How C is cut in a job of which a copy is here.
    #[must_use]
    pub fn cut(&self, job: JobId) -> Option<&Cut> {
        let led = self.coordinators.get(&job).map(Coordinator::cut);
        led.or_else(|| self.followers.get(&job).map(Follower::cut))
    }

    /// The progress of a job of which a copy is here.
    #[must_use]
    pub fn progress(&self, job: JobId, now: Moment) -> Option<JobProgress> {
        if let Some(coordinator) = self.coordinators.get(&job) {
            return Some(coordinator.progress(now));
        }
        Some(self.followers.get(&job)?.progress(now))
    }

    /// How a job goes of which a copy is here, block by block.
    #[must_use]
    pub fn course(&self, job: JobId, now: Moment) -> Option<CourseView> {
        if let Some(coordinator) = self.coordinators.get(&job) {
            return Some(coordinator.course(now));
        }
        let follower = self.followers.get(&job)?;
        let (replica, cut) = (follower.replica(), follower.cut());
        Some(course_of(replica, cut, follower.age(now)))
    }

    /// Whether this node answers for a job: it leads it, or the job has ended
    /// and all of it is here.
    #[must_use]
    pub fn answers_for(&self, job: JobId) -> bool {
        let follower = self.followers.get(&job);
        // While its coordinator is there, the end is as it tells.
        let has_end = follower.is_some_and(Follower::has_ended);
        self.coordinators.contains_key(&job) || has_end && (self.is_over(job) || !self.is_led(job))
    }

    /// Whether another node has all that this one has of a job, and would lead on
    /// without it.
    #[must_use]
    pub fn is_backed(&self, job: JobId) -> bool {
        match self.coordinators.get(&job) {
            Some(led) => led.is_backed(),
            None => (self.followers.get(&job)).is_some_and(|copy| !copy.is_alone),
        }
    }

    /// Who may answer for a job, the best first: its coordinator, then the
    /// other holders; this node is not among them.
    #[must_use]
    pub fn holders(&self, job: JobId) -> Vec<NodeId> {
        let mut holders = Vec::new();
        let told = self.directory.get(job);
        let told = told.map(|summary| (summary.epoch.coordinator, summary.holders.clone()));
        let copied = self.followers.get(&job);
        let copied = copied.map(|copy| copy.replica().holders().collect::<Vec<_>>());
        let told = told
            .into_iter()
            .flat_map(|(first, others)| std::iter::once(first).chain(others));
        for node in told.chain(copied.into_iter().flatten()) {
            if node != self.id && !holders.contains(&node) {
                holders.push(node);
            }
        }
        holders.sort_by_key(|node| !self.membership.is_reached(*node));
        holders
    }

    /// Whether a node answers.
    #[must_use]
    pub fn reaches(&self, node: NodeId) -> bool {
        self.membership.is_reached(node)
    }

    /// Jobs that were submitted under an `Idempotency-Key`; more than one where two nodes began them without
    /// knowing of each other.
    pub fn jobs_of_key(&self, key: &str) -> impl Iterator<Item = &JobSummary> {
        self.directory.of_key(key)
    }

    /// Whether a job is shown as failed because none of its holders was there for its time to live.
    #[must_use]
    pub fn is_abandoned(&self, job: JobId) -> bool {
        self.directory.is_abandoned(job)
    }

    /// Whether nobody who has a copy of a job is there, this node included.
    #[must_use]
    pub fn is_out_of_reach(&self, job: JobId) -> bool {
        self.replica(job).is_none() && !self.is_held(job)
    }

    /// Jobs that this node coordinates and that have not ended.
    #[must_use]
    pub fn running_jobs(&self) -> usize {
        self.coordinators
            .values()
            .filter(|coordinator| coordinator.is_running())
            .count()
    }

    /// The devices that would be given work now, over the whole mesh.
    #[must_use]
    pub fn workforce(&self) -> Workforce {
        self.count_workforce()
    }

    fn on_input(&mut self, now: Now, input: Input, outputs: &mut Vec<Output>) {
        self.restless.on_input(&input);
        self.take_gathered_before_input(now, &input, outputs);
        match input {
            Input::Tick => {}
            Input::LinkUp { peer } => self.on_link_up(now, peer, outputs),
            Input::LinkDown { peer } => {
                self.membership.on_link_down(peer, now.moment, outputs);
                outputs.push(Output::Event(Event::MeshChanged));
            }
            Input::Refused { peer } => self.membership.on_refused(peer),
            Input::Unreached { peer } => self.membership.on_unreached(peer),
            Input::Peer { from, mut message } => {
                arrivals::make_harmless(&mut message);
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
            Input::WorkerHolds { worker, blocks } => {
                self.host
                    .on_holds(worker, &blocks, &self.directory, outputs);
            }
            Input::WorkerGaveBack { worker, job, block } => {
                self.host
                    .on_gave_back(now.moment, worker, (job, block), outputs);
            }
            Input::Submit(record) => self.on_submit(now, *record, outputs),
            Input::Withdraw {
                job,
                submitted_at_unix_ms,
            } => self.on_withdraw(job, submitted_at_unix_ms, outputs),
            Input::Cancel { job } => self.on_cancel(now, job, true, outputs),
            Input::Delete { job } => self.on_delete(now, job, outputs),
            Input::Fetched { job } => self.on_fetched_here(now.moment, job),
            Input::Restore(restored) => self.on_restore(now, *restored, outputs),
            Input::Buried(expired) => self.bury(now.moment, expired),
            Input::ResultDamaged { job, block } => {
                self.on_result_damaged(now, job, block, outputs);
            }
            Input::InputsStored { job } => self.on_inputs(now, job, true, outputs),
            Input::InputsMissing { job } => self.on_inputs(now, job, false, outputs),
            Input::Resign => self.resign(now.moment, outputs),
            Input::Leave => {
                self.host.stop();
                self.tell_all(&PeerMessage::Goodbye, outputs);
            }
        }
    }

    /// Everything that is due by now, whatever woke the node; these peers are gone, with whether it is for their
    /// silence.
    fn tick(&mut self, now: Now, gone: Vec<(NodeId, bool)>, outputs: &mut Vec<Output>) {
        for (peer, silent) in gone {
            outputs.push(Output::Event(Event::PeerLost { peer, silent }));
            self.on_peer_gone(now, peer, outputs);
        }
        self.tick_gathered(now, outputs);
        let jobs: Vec<JobId> = self.coordinators.keys().copied().collect();
        for job in jobs {
            self.tick_coordinator(now, job, outputs);
        }
        self.tick_elections(now, outputs);
        self.ask_for_other_ends(now.moment, outputs);
        self.tick_abandoned(now.moment, outputs);
        self.tick_keeping(now.moment, outputs);
        self.tick_expiries(now.moment, outputs);
        self.tick_fetched(now.moment, outputs);
        self.tell_due_summaries(now.moment, outputs);
        self.pull(now.moment, outputs);
    }

    /// A node that was stopped, or whose machine slept, has heard nobody: that
    /// was not the others' silence. True when it did.
    fn notice_sleep(&mut self, now: Moment) -> bool {
        let gap = now.since(self.last_handled);
        self.last_handled = now;
        // Awake it acts once a heartbeat interval.
        let longest = self.config.heartbeat_interval + self.config.heartbeat_timeout / 2;
        if gap > longest {
            self.membership.on_slept(gap);
            for coordinator in self.coordinators.values_mut() {
                coordinator.on_slept(gap);
            }
            for follower in self.followers.values_mut() {
                follower.on_slept(gap);
            }
        }
        gap > longest
    }

    fn pull(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        let own = self.id;
        let membership = &self.membership;
        let is_reachable = |node| node == own || membership.is_linked(node);
        self.host.pull(now, &self.directory, is_reachable, outputs);
    }

    /// Messages of the machines to this very node are handled here and now;
    /// what they cause comes after everything that was before them. When none is
    /// left, devices that have room now ask for more.
    fn deliver_own(&mut self, now: Now, outputs: Vec<Output>) -> Vec<Output> {
        let is_own = |output: &Output| matches!(output, Output::Send { to, .. } if *to == self.id);
        if !outputs.iter().any(is_own) {
            return outputs;
        }
        let mut carried = Vec::new();
        let mut waiting: VecDeque<Output> = outputs.into();
        loop {
            let mut has_heard = false;
            while let Some(output) = waiting.pop_front() {
                match output {
                    Output::Send { to, message } if to == self.id => {
                        let mut caused = Vec::new();
                        self.restless.on_message(&message);
                        self.on_message(now, to, message, &mut caused);
                        waiting.extend(caused);
                        has_heard = true;
                    }
                    other => carried.push(other),
                }
            }
            if !has_heard {
                return carried;
            }
            let mut pulls = Vec::new();
            self.pull(now.moment, &mut pulls);
            waiting.extend(pulls);
        }
    }
}

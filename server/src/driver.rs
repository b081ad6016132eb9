//! The one task that owns the [`Node`].
//!
//! It takes what happened, lets the node decide, and carries out what the node
//! returns, strictly in order, except that all changes of a batch are made
//! durable in one transaction before anything of the batch is sent: earlier
//! than required is still "before it is announced". Nothing heavy runs here,
//! so heartbeats leave in time while every core computes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use cluster::{Change, Coordinator, Event, Input, Moment, Node, Now, Output};
use tokio::sync::mpsc;
use wire::{JobId, JobRecord};

mod handle;
mod log;
mod sending;
mod superseded;
mod waiters;

pub use handle::{DriverHandle, Requests, requests};

use handle::{Request, waiter};
use sending::Sending;
use waiters::Waiters;

use crate::chunks::Chunks;
use crate::jobs::store_failed;
use crate::links::Links;
use crate::results::ResultsUnderWay;
use crate::small_inputs::{self, Inputs};
use crate::store::{JobInputs, Store, StoreError, StoredChange, is_packed};
use crate::workers::Workers;

/// Requests that share one transaction. What a link heard together is one of them (`HEARD_AT_ONCE_MAX`).
const BATCH_MAX: usize = 128;

/// Copies whose inputs share one transaction, 4 MiB at most: others wait for its end.
const COPIES_AT_ONCE: usize = (4 << 20) / small_inputs::BYTES_MAX;

/// A store that is busy for a moment is tried again this often before anybody
/// hears of it.
const STORE_TRIES: u32 = 3;
const STORE_PAUSE: Duration = Duration::from_millis(200);

/// While one write lasts this long, and again and again, the others hear from this node meanwhile.
const SLOW_DISK_HEARTBEAT: Duration = Duration::from_millis(200);

/// Reads the node's clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Now, by both clocks.
    pub fn now(self) -> Now {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // A day of lead: moments before the start (a job from the store) stay
        // positive.
        let moment = Moment::from_micros(micros) + CLOCK_LEAD;
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            moment,
            unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

const CLOCK_LEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the driver acts upon.
#[derive(Debug)]
pub struct World {
    /// Where changes are made durable.
    pub store: Store,
    /// Where messages leave.
    pub links: Links,
    /// Devices of this node.
    pub workers: Workers,
    /// Results that are not stored yet.
    pub results: ResultsUnderWay,
    /// Inputs of jobs.
    pub chunks: Chunks,
    /// Copies whose inputs are to be fetched.
    pub inputs: mpsc::UnboundedSender<WantedInputs>,
}

/// A job of which a copy is kept here, and who has its inputs.
pub type WantedInputs = (Box<JobRecord>, Vec<wire::NodeId>);

/// The driver itself; [`Driver::run`] is its task.
#[derive(Debug)]
pub struct Driver {
    node: Node,
    clock: Clock,
    world: Arc<World>,
    channel: Requests,
    waiters: Waiters,
    /// Inputs of the jobs of this batch, to be stored with them.
    submitted: BTreeMap<JobId, Inputs>,
}

impl Driver {
    /// Owns `node` from now on.
    pub fn new(node: Node, clock: Clock, world: Arc<World>, channel: Requests) -> Self {
        Self {
            node,
            clock,
            world,
            channel,
            waiters: Waiters::default(),
            submitted: BTreeMap::new(),
        }
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let deadline = self.node.next_deadline();
            let wait = deadline.since(self.clock.now().moment);
            tokio::select! {
                received = self.channel.requests.recv_many(&mut batch, BATCH_MAX) => {
                    if received == 0 {
                        return Ok(());
                    }
                }
                // The core's own next deadline.
                () = tokio::time::sleep(wait) => {}
            }
            let mut inputs = Vec::new();
            let mut answers = Vec::new();
            let mut looks = Vec::new();
            let mut stops = false;
            for request in batch.drain(..) {
                match request {
                    Request::Input(input) => inputs.push(input),
                    Request::Inputs(heard) => inputs.extend(heard),
                    Request::InputAnswered(_, answer) if answer.is_closed() => {}
                    Request::InputAnswered(input, answer) => {
                        inputs.push(input);
                        answers.push(answer);
                    }
                    Request::Submit(_, _, answer) if answer.is_closed() => {}
                    Request::Submit(record, unstored, answer) => {
                        if !unstored.is_empty() {
                            self.submitted.insert(record.id, unstored);
                        }
                        let job = record.id;
                        let is_safe = move |node: &Node, _| {
                            let led = node.coordinator(job);
                            led.is_none_or(Coordinator::is_safe).then_some(())
                        };
                        self.waiters.add(job, waiter(answer, is_safe));
                        inputs.push(Input::Submit(record));
                    }
                    Request::Look(look) => looks.push(look),
                    Request::Wait(job, waiter) => self.waiters.add(job, waiter),
                    Request::Stop => stops = true,
                }
            }
            let now = self.clock.now();
            let mut outputs = if inputs.is_empty() && now.moment < deadline {
                Vec::new()
            } else {
                self.node.handle_all(now, inputs)
            };
            // A look shows nothing that is not durable yet.
            while !outputs.is_empty() {
                outputs = self.carry_out(outputs).await?;
            }
            self.submitted.clear();
            let now = self.clock.now();
            self.waiters.look(&self.node, now);
            for look in looks {
                look(&self.node, now);
            }
            for answer in answers {
                let _ = answer.send(());
            }
            if stops {
                return Ok(());
            }
        }
    }

    /// Returns what the node makes of what happened by it.
    async fn carry_out(&mut self, mut outputs: Vec<Output>) -> anyhow::Result<Vec<Output>> {
        let stored_inputs = self.make_durable(&outputs).await?;
        let followed = followed_by(&outputs, &stored_inputs);
        let mut next = Vec::new();
        if !followed.is_empty() {
            next = self.node.handle_all(self.clock.now(), followed);
        }
        superseded::drop_states(&mut outputs, &next);
        let mut changed = false;
        let mut damaged = Vec::new();
        let mut sending = Sending::new(&self.world);
        for output in outputs {
            match output {
                Output::Persist(_) => {}
                Output::Send { to, message } => {
                    if let Some((job, block)) = sending.send(to, message).await {
                        damaged.push(Input::ResultDamaged { job, block });
                    }
                }
                Output::FetchInputs { record, .. } if stored_inputs.contains(&record.id) => {}
                Output::FetchInputs { record, holders } => {
                    // An error means that the node stops.
                    let _ = self.world.inputs.send((record, holders));
                }
                Output::ToWorker { worker, command } => self.world.workers.send(worker, command),
                Output::ReleaseResult {
                    job,
                    block,
                    worker,
                    hash,
                } => self.world.results.release((job, block, worker), hash),
                Output::CloseLink { peer } => self.world.links.close(peer),
                Output::Dial { peer, addresses } => self.world.links.discovered(peer, addresses),
                Output::Event(event) => {
                    log::log_event(self.node.id(), &event);
                    self.waiters.changed.extend(event.job());
                    changed |= !matches!(event, Event::ResultRefused { .. });
                }
            }
        }
        if changed {
            self.channel.changes.send_modify(|count| *count += 1);
        }
        if !damaged.is_empty() {
            next.extend(self.node.handle_all(self.clock.now(), damaged));
        }
        Ok(next)
    }

    /// A node whose disk cannot be written is to the others like one that is
    /// paused: it says nothing that it could not keep, they go on without it,
    /// and it finds its place again when the disk has room.
    ///
    /// Returns the jobs whose inputs were stored, too.
    async fn make_durable(&mut self, outputs: &[Output]) -> anyhow::Result<BTreeSet<JobId>> {
        let changes: Vec<_> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Persist(change) => Some((change.clone(), self.bytes_of(change))),
                _ => None,
            })
            .collect();
        let mut inputs = self.submitted_with(outputs);
        let submitted = inputs.len();
        inputs.extend(self.copies_at_hand(outputs));
        if changes.is_empty() && inputs.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut tries = 0;
        while let Err(error) = self.apply(&changes, &inputs).await {
            if error.is_permanent() {
                self.world.store.suspect();
                return Err(error).context("the node stops: it cannot keep its promises");
            }
            // Copies may do without their inputs: these are stored later and beside.
            inputs.truncate(submitted);
            tries += 1;
            if tries == STORE_TRIES {
                tracing::error!(%error, "this node waits until it can write to its store");
                let problem = store_failed(&error);
                self.channel.trouble.send_replace(Some(problem));
                self.world.links.close_all();
            }
            tokio::select! {
                // Nothing tells when a disk takes writes again but trying.
                () = tokio::time::sleep(STORE_PAUSE) => {}
                _ = self.channel.gives_up.wait_for(|gives_up| *gives_up) => {
                    return Err(error).context("stopped while it could not write to its store");
                }
            }
        }
        if tries >= STORE_TRIES {
            tracing::warn!("the store can be written again");
            self.channel.trouble.send_replace(None);
        }
        self.world.links.open_again();
        // Small results are asked for as soon as they are there, where the job was submitted.
        for (change, bytes) in changes {
            if let (Change::Done { job, done, .. }, Some(bytes)) = (change, bytes)
                && !is_packed(&bytes)
                && self.node.coordinator(job).is_some()
            {
                // A copy of its own: a slice would keep what else the socket read with it.
                let bytes = bytes::Bytes::copy_from_slice(&bytes);
                self.world.chunks.remember(done.hash, bytes);
            }
        }
        Ok(inputs.into_iter().map(|(job, _)| job).collect())
    }

    /// A slow disk is no reason to take this node for dead: it goes on saying that it lives, for as long as the
    /// others would wait for a silent one. Work that waits for its disk for longer goes to others. When they have
    /// missed this node it takes no links until its disk answers: else it would come and go.
    async fn apply(
        &self,
        changes: &[StoredChange],
        inputs: &[JobInputs],
    ) -> Result<(), StoreError> {
        // Inputs without a change are those of copies, which others have.
        let mut jobs = changes.iter().map(|(change, _)| change.job());
        let is_backed = jobs.all(|job| self.node.is_backed(job));
        let applying = self.world.store.apply(changes, inputs, is_backed);
        tokio::pin!(applying);
        let begun = Instant::now();
        let patience = self.node.config().heartbeat_timeout;
        while begun.elapsed() < patience {
            match tokio::time::timeout(SLOW_DISK_HEARTBEAT, &mut applying).await {
                Ok(applied) => return applied,
                Err(_) => self.world.links.send_heartbeats(),
            }
        }
        if let Ok(applied) = tokio::time::timeout(patience, &mut applying).await {
            return applied;
        }
        self.world.links.close_all();
        applying.await
    }

    fn bytes_of(&self, change: &Change) -> Option<bytes::Bytes> {
        match change {
            Change::Done { job, done, .. } => {
                let key = (*job, done.block, done.worker);
                self.world.results.get(key, done.hash)
            }
            _ => None,
        }
    }

    /// The unstored inputs of jobs that begin here.
    fn submitted_with(&self, outputs: &[Output]) -> Vec<JobInputs> {
        let begun = outputs.iter().filter_map(|output| match output {
            Output::Persist(Change::Accepted { record, .. }) => Some(record.id),
            _ => None,
        });
        begun
            .filter_map(|job| Some((job, self.submitted.get(&job)?.clone())))
            .collect()
    }

    /// Inputs of copies that came with them, as many as may be stored at once.
    fn copies_at_hand(&self, outputs: &[Output]) -> Vec<JobInputs> {
        let wanted = outputs.iter().filter_map(|output| match output {
            Output::FetchInputs { record, .. } => Some(record),
            _ => None,
        });
        let at_hand = wanted.filter_map(|record| {
            let inputs = small_inputs::at_hand(record, &self.world.chunks)?;
            small_inputs::are_blobs(&inputs).then_some((record.id, inputs))
        });
        at_hand.take(COPIES_AT_ONCE).collect()
    }
}

/// What the node is to hear of what was asked for and is stored already.
fn followed_by(outputs: &[Output], stored_inputs: &BTreeSet<JobId>) -> Vec<Input> {
    let wanted = outputs.iter().filter_map(|output| match output {
        Output::FetchInputs { record, .. } => Some(record.id),
        _ => None,
    });
    let stored = wanted.filter(|job| stored_inputs.contains(job));
    stored.map(|job| Input::InputsStored { job }).collect()
}

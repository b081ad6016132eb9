//! The one task that owns the [`Node`].
//!
//! It takes what happened, lets the node decide, and carries out what the node
//! returns, strictly in order, except that all changes of a batch are made
//! durable in one transaction before anything of the batch is sent: earlier
//! than required is still "before it is announced". Nothing heavy runs here,
//! so heartbeats leave in time while every core computes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use cluster::{Change, Event, Input, Moment, Node, Now, Output};
use tokio::sync::{mpsc, oneshot, watch};
use wire::{JobId, JobRecord, PeerMessage, Problem};

use crate::links::Links;
use crate::results::ResultsUnderWay;
use crate::store::{Store, StoreError};
use crate::workers::Workers;

/// Inputs that may wait. Senders wait beyond it, which slows a link that sends
/// faster than this node can follow.
const INPUTS_WAITING_MAX: usize = 4096;

/// Inputs that share one transaction.
const BATCH_MAX: usize = 256;

/// A store that is busy or full for a moment is tried again this often.
const STORE_TRIES: u32 = 5;
const STORE_PAUSE: Duration = Duration::from_millis(200);

type Look = Box<dyn FnOnce(&Node, Now) + Send>;

enum Request {
    Input(Input),
    /// Answered when everything that the input caused is carried out.
    InputAnswered(Input, oneshot::Sender<()>),
    Look(Look),
    /// What came before is carried out, nothing after it.
    Stop,
}

/// How everybody else reaches the driver. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct DriverHandle {
    requests: mpsc::Sender<Request>,
    changes: watch::Receiver<u64>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Input(_) => "Input",
            Self::InputAnswered(..) => "InputAnswered",
            Self::Look(_) => "Look",
            Self::Stop => "Stop",
        })
    }
}

impl DriverHandle {
    /// Tells the node what happened. While the node shuts down it is dropped.
    pub async fn tell(&self, input: Input) {
        let _ = self.requests.send(Request::Input(input)).await;
    }

    /// Tells the node and waits until all that follows is carried out.
    pub async fn tell_and_wait(&self, input: Input) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        let request = Request::InputAnswered(input, answer);
        self.requests
            .send(request)
            .await
            .map_err(|_| shutting_down())?;
        answered.await.map_err(|_| shutting_down())
    }

    /// Starts a job whose inputs and record are stored already.
    pub async fn submit(&self, record: JobRecord) -> Result<(), Problem> {
        self.tell_and_wait(Input::Submit(Box::new(record))).await
    }

    /// Says goodbye to the others and ends: nothing is sent or stored after it.
    pub async fn leave(&self) {
        let _ = self.tell_and_wait(Input::Leave).await;
        let _ = self.requests.send(Request::Stop).await;
        // The driver drops its end.
        self.requests.closed().await;
    }

    /// Looks at the node as it is between two inputs.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Node, Now) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |node, now| {
            // Nobody waits any longer: the request was abandoned.
            let _ = answer.send(look(node, now));
        });
        self.requests
            .send(Request::Look(look))
            .await
            .map_err(|_| shutting_down())?;
        answered.await.map_err(|_| shutting_down())
    }

    /// Counts up whenever a job or the mesh changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

fn shutting_down() -> Problem {
    Problem::new(503, "this node is shutting down: ask another one")
}

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
}

/// The driver itself; [`Driver::run`] is its task.
#[derive(Debug)]
pub struct Driver {
    node: Node,
    clock: Clock,
    world: Arc<World>,
    requests: mpsc::Receiver<Request>,
    changes: watch::Sender<u64>,
}

/// The channel to a driver, made before the driver: links need its one end,
/// the driver needs the links.
#[derive(Debug)]
pub struct Requests {
    requests: mpsc::Receiver<Request>,
    changes: watch::Sender<u64>,
}

/// Both ends of a new channel to a driver.
pub fn requests() -> (DriverHandle, Requests) {
    let (sender, requests) = mpsc::channel(INPUTS_WAITING_MAX);
    let (change_sender, changes) = watch::channel(0);
    let handle = DriverHandle {
        requests: sender,
        changes,
    };
    (
        handle,
        Requests {
            requests,
            changes: change_sender,
        },
    )
}

impl Driver {
    /// Owns `node` from now on.
    pub fn new(node: Node, clock: Clock, world: Arc<World>, requests: Requests) -> Self {
        let Requests { requests, changes } = requests;
        Self {
            node,
            clock,
            world,
            requests,
            changes,
        }
    }

    /// Runs until it is told to stop or the store fails for good.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let deadline = self.node.next_deadline();
            let wait = deadline.since(self.clock.now().moment);
            tokio::select! {
                received = self.requests.recv_many(&mut batch, BATCH_MAX) => {
                    if received == 0 {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            let mut outputs = Vec::new();
            let mut answers = Vec::new();
            let mut looks = Vec::new();
            let mut stops = false;
            if batch.is_empty() {
                outputs.extend(self.node.handle(self.clock.now(), Input::Tick));
            }
            for request in batch.drain(..) {
                match request {
                    Request::Input(input) => {
                        outputs.extend(self.node.handle(self.clock.now(), input));
                    }
                    Request::InputAnswered(input, answer) => {
                        outputs.extend(self.node.handle(self.clock.now(), input));
                        answers.push(answer);
                    }
                    Request::Look(look) => looks.push(look),
                    Request::Stop => stops = true,
                }
            }
            // A look shows nothing that is not durable yet.
            self.carry_out(outputs).await?;
            let now = self.clock.now();
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

    async fn carry_out(&self, outputs: Vec<Output>) -> anyhow::Result<()> {
        self.make_durable(&outputs).await?;
        let mut changed = false;
        for output in outputs {
            match output {
                Output::Persist(_) => {}
                Output::Send { to, message } => self.send(to, &message),
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
                    log_event(&event);
                    changed |= !matches!(event, Event::ResultRefused { .. });
                }
            }
        }
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    async fn make_durable(&self, outputs: &[Output]) -> anyhow::Result<()> {
        let changes: Vec<_> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Persist(change) => Some((change.clone(), self.bytes_of(change))),
                _ => None,
            })
            .collect();
        if changes.is_empty() {
            return Ok(());
        }
        for attempt in 1.. {
            match self.world.store.apply(&changes).await {
                Ok(()) => break,
                Err(error @ StoreError::Damaged { .. }) => return Err(error.into()),
                Err(error) if attempt >= STORE_TRIES => {
                    return Err(error).context("the node stops: it cannot keep its promises");
                }
                Err(error) => {
                    tracing::error!(%error, attempt, "cannot write to the store, trying again");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        Ok(())
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

    fn send(&self, to: wire::NodeId, message: &PeerMessage) {
        let payload = match message {
            PeerMessage::Result {
                job,
                block,
                exchange,
                proof,
            } => {
                let key = (*job, *block, exchange.worker);
                let hash = proof.hash;
                match hash.and_then(|hash| self.world.results.get(key, hash)) {
                    Some(bytes) => bytes,
                    None => return,
                }
            }
            _ => bytes::Bytes::new(),
        };
        self.world.links.send(to, message, &payload);
    }
}

fn log_event(event: &Event) {
    match event {
        Event::BlockDone {
            job,
            block,
            worker,
            compute_ms,
        } => {
            tracing::info!("Block {block} of job {job} done by {worker} in {compute_ms:.1} ms");
        }
        Event::JobEnded {
            job,
            ended,
            elapsed,
        } => log_end(*job, &ended.ending, *elapsed),
        Event::ResultRefused {
            job,
            block,
            worker,
            reason,
        } => {
            tracing::warn!("Block {block} of job {job} from {worker} refused: {reason}");
        }
        Event::BlockReassigned { job, block } => {
            tracing::info!("Block {block} of job {job} goes to another worker");
        }
        Event::JobChanged { .. } | Event::MeshChanged => {}
    }
}

fn log_end(job: JobId, ending: &wire::Ending, elapsed: Duration) {
    let ms = elapsed.as_secs_f64() * 1e3;
    match ending {
        wire::Ending::Complete => tracing::info!("Job {job} complete in {ms:.1} ms"),
        wire::Ending::Cancelled => tracing::info!("Job {job} cancelled after {ms:.1} ms"),
        wire::Ending::Failed(reason) => tracing::error!("Job {job} failed: {reason}"),
    }
}

//! The socket of a page that computes: frames on one side, the device's
//! commands on the other.
//!
//! The page is not trusted. It may send results of blocks that it was given here
//! or says that it brought along from another node, of the right length, and what
//! they are worth is decided as for any device; what is no message closes its
//! socket with a reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster::limits::PAGES_MAX;
use cluster::{Input, WorkerCommand};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::{
    BlockIndex, BlockProof, BlockTask, ChunkHash, JobId, NodeId, PAGE_PROTOCOL_VERSION,
    PageMessage, PageStatus, TaskInput, WorkerId, decode_page_frame, encode_page_frame,
};

use super::looking_at::LookingAt;
use super::page_status::tell_mesh;
use super::socket::{Outgoing, Socket};
use crate::live::Live;
use crate::services::Services;

/// A page says hello at once; what does not is no page of ours.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a silent page is pinged, and when it is given up. A phone that
/// leaves the room closes nothing.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const SILENCE_MAX: Duration = Duration::from_secs(8);

/// Changes of a page's status are passed on at most this often.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// Frames that wait for a slow page; chunks wait at their source beyond it.
const FRAMES_WAITING_MAX: usize = 8;

/// Chunks that are fetched for one page at once.
const CHUNKS_AT_ONCE_MAX: usize = 4;

/// Chunk requests of one page that may wait. It asks for a few at a time.
const CHUNKS_WAITING_MAX: usize = 256;

/// Blocks that a page may say it holds: twice as many as its queue takes.
const BLOCKS_HELD_MAX: usize = 160;

/// One page and what it was given.
struct PageLink {
    services: Services,
    worker: WorkerId,
    frames: mpsc::Sender<Bytes>,
    /// Blocks that it was given and has not been answered for.
    given: BTreeMap<(JobId, BlockIndex), Given>,
    chunk_places: Arc<Semaphore>,
    /// Ends with the page.
    chunk_tasks: JoinSet<()>,
    /// What the others know of the page, and what is to be told next.
    told: PageStatus,
    status: Option<PageStatus>,
    status_from: Instant,
    /// Floating-point operations of its blocks that count.
    operations: u64,
    /// What its person looks at.
    looks_at: LookingAt,
}

struct Given {
    coordinator: NodeId,
    rows: u32,
    operations: u64,
    bytes: u64,
    chunks: Vec<ChunkHash>,
}

/// Runs the socket of a page to its end.
pub async fn serve(services: Services, live: Live, mut socket: Socket) {
    let (worker, status) = match greet(&mut socket).await {
        Ok(greeting) => greeting,
        Err(reason) => return socket.close(&reason).await,
    };
    if is_a_nodes(&services, worker).await {
        return socket
            .close("this id belongs to a node: draw another one")
            .await;
    }
    if services.workers.count() > PAGES_MAX {
        return socket
            .close("too many pages compute through this node: open another one")
            .await;
    }
    let mut commands = services.workers.attach(worker);
    let operations = services.own_status.past_work(worker);
    tell_mesh(&services, worker, &status, operations).await;
    let (frames, frame_receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    let mut page = PageLink {
        services: services.clone(),
        worker,
        frames,
        given: BTreeMap::new(),
        chunk_places: Arc::new(Semaphore::new(CHUNKS_AT_ONCE_MAX)),
        chunk_tasks: JoinSet::new(),
        told: status,
        status: None,
        status_from: Instant::now(),
        operations,
        looks_at: LookingAt::new(live),
    };
    page.welcome().await;
    let reason = page.run(&mut socket, &mut commands, frame_receiver).await;
    if services.workers.detach(worker, &commands) {
        services.own_status.remove_page(worker).await;
        services.driver.tell(Input::WorkerLeft { worker }).await;
    } else {
        let superseded = encode_page_frame(&PageMessage::Superseded, &[]);
        let _ = send(&mut socket, Outgoing::Frame(Bytes::from(superseded))).await;
    }
    tracing::debug!(%worker, reason, "page gone");
    socket.close(&reason).await;
}

/// Whether a page took the id of a node's own compute, which is no secret.
async fn is_a_nodes(services: &Services, worker: WorkerId) -> bool {
    let known = services.driver.look(move |node, _| {
        let mut nodes = node.membership().peers().map(|(id, _)| id);
        worker == WorkerId::from(node.id()) || nodes.any(|id| worker == WorkerId::from(id))
    });
    known.await.unwrap_or(false)
}

async fn greet(socket: &mut Socket) -> Result<(WorkerId, PageStatus), String> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, socket.stream.next()).await;
    let frame = match first {
        Ok(Some(Ok(frame))) => frame,
        _ => return Err("no hello came".to_owned()),
    };
    match decode_page_frame(&frame) {
        Ok((
            PageMessage::Hello {
                protocol,
                worker,
                status,
            },
            _,
        )) => {
            if protocol == PAGE_PROTOCOL_VERSION {
                Ok((worker, status))
            } else {
                Err("the page is of another version: load it again".to_owned())
            }
        }
        Ok(_) => Err("the first message must be a hello".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends to a page; one that reads nothing is as good as gone.
async fn send(socket: &mut Socket, outgoing: Outgoing) -> Result<(), String> {
    match tokio::time::timeout(SILENCE_MAX, socket.sink.send(outgoing)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it reads nothing".to_owned()),
    }
}

impl PageLink {
    async fn run(
        &mut self,
        socket: &mut Socket,
        commands: &mut mpsc::UnboundedReceiver<WorkerCommand>,
        mut frames: mpsc::Receiver<Bytes>,
    ) -> String {
        let mut ping = tokio::time::interval(PING_INTERVAL);
        let mut last_heard = Instant::now();
        let mut changes = self.services.driver.changes();
        let mut nodes = self
            .services
            .own_status
            .mesh_addresses(&self.services.driver)
            .await;
        loop {
            tokio::select! {
                frame = socket.stream.next() => {
                    last_heard = Instant::now();
                    match frame {
                        Some(Ok(frame)) if frame.is_empty() => {}
                        Some(Ok(frame)) => {
                            if let Err(reason) = self.on_frame(&frame).await {
                                return reason;
                            }
                        }
                        Some(Err(error)) => return error.to_string(),
                        None => return "closed there".to_owned(),
                    }
                }
                command = commands.recv() => {
                    let Some(command) = command else { return "the same id came again".to_owned() };
                    let frame = self.on_command(command);
                    if let Err(reason) = send(socket, Outgoing::Frame(frame)).await {
                        return reason;
                    }
                }
                Some(frame) = frames.recv() => {
                    if let Err(reason) = send(socket, Outgoing::Frame(frame)).await {
                        return reason;
                    }
                }
                news = self.looks_at.news() => {
                    let frame = encode_page_frame(&PageMessage::News, &news);
                    if let Err(reason) = send(socket, Outgoing::Frame(Bytes::from(frame))).await {
                        return reason;
                    }
                }
                // At most one status of a page in so long, the newest.
                () = tokio::time::sleep_until(self.status_from), if self.status.is_some() => {
                    self.tell_status().await;
                }
                _ = ping.tick() => {
                    if last_heard.elapsed() > SILENCE_MAX {
                        return "silent".to_owned();
                    }
                    if let Err(reason) = send(socket, Outgoing::Ping).await {
                        return reason;
                    }
                    // With the ping rather than at each change: seconds do.
                    if changes.has_changed().unwrap_or(false) {
                        changes.mark_unchanged();
                        let now = self.services.own_status.mesh_addresses(&self.services.driver).await;
                        if now != nodes {
                            nodes = now;
                            let message = PageMessage::Nodes { nodes: nodes.clone() };
                            let frame = Bytes::from(encode_page_frame(&message, &[]));
                            if let Err(reason) = send(socket, Outgoing::Frame(frame)).await {
                                return reason;
                            }
                        }
                    }
                }
            }
        }
    }

    async fn welcome(&self) {
        let message = PageMessage::Welcome {
            node: self.services.node,
            name: self.services.config.display_name(),
            nodes: self
                .services
                .own_status
                .mesh_addresses(&self.services.driver)
                .await,
        };
        let frame = Bytes::from(encode_page_frame(&message, &[]));
        // There is room: it is the first.
        let _ = self.frames.send(frame).await;
    }

    fn on_command(&mut self, command: WorkerCommand) -> Bytes {
        let message = match command {
            WorkerCommand::Task { task, coordinator } => {
                self.given
                    .insert((task.job, task.block), given_of(&task, coordinator));
                PageMessage::Task { task }
            }
            WorkerCommand::Drop { job, block } => {
                self.given.retain(|(given, index), _| {
                    *given != job || block.is_some_and(|block| block != *index)
                });
                PageMessage::Drop { job, block }
            }
            WorkerCommand::Counted {
                job,
                block,
                counted,
            } => {
                let given = self.given.remove(&(job, block));
                let rows = given.as_ref().map_or(0, |given| given.rows);
                if let Some(given) = given.filter(|_| counted) {
                    self.operations = self.operations.saturating_add(given.operations);
                    let own_status = &self.services.own_status;
                    own_status.note_page_work(self.worker, self.operations);
                }
                PageMessage::Counted {
                    job,
                    block,
                    counted,
                    rows,
                }
            }
        };
        Bytes::from(encode_page_frame(&message, &[]))
    }

    async fn on_frame(&mut self, frame: &Bytes) -> Result<(), String> {
        let (message, payload) = decode_page_frame(frame).map_err(|error| error.to_string())?;
        match message {
            PageMessage::Status { status } => self.status = Some(status),
            PageMessage::Watch { path } => self.looks_at.turn_to(&path),
            PageMessage::Holding { blocks } => {
                let worker = self.worker;
                let blocks = blocks.into_iter().take(BLOCKS_HELD_MAX);
                let blocks = blocks.map(|held| (held.job, held.block)).collect();
                self.services
                    .driver
                    .tell(Input::WorkerHolds { worker, blocks })
                    .await;
            }
            PageMessage::ChunkRequest { hash } => self.send_chunk(hash)?,
            PageMessage::GiveBack { job, block, reason } => {
                tracing::debug!(worker = %self.worker, %job, %block, reason, "a page gave a block back");
                self.given.remove(&(job, block));
                let worker = self.worker;
                self.services
                    .driver
                    .tell(Input::WorkerGaveBack { worker, job, block })
                    .await;
            }
            PageMessage::Result { job, block, proof } => {
                self.on_result(job, block, proof, payload).await?;
            }
            _ => return Err("that message is not a page's".to_owned()),
        }
        Ok(())
    }

    /// Every node of the mesh hears of it: a page that changes all the time is
    /// heard in its newest state, a few times a second.
    async fn tell_status(&mut self) {
        let Some(status) = self.status.take() else {
            return;
        };
        self.status_from = Instant::now() + STATUS_INTERVAL;
        if self.told == status {
            return;
        }
        tell_mesh(&self.services, self.worker, &status, self.operations).await;
        self.told = status;
    }

    /// A chunk is fetched beside the socket's other work, a few at a time.
    fn send_chunk(&mut self, hash: ChunkHash) -> Result<(), String> {
        while self.chunk_tasks.try_join_next().is_some() {}
        if self.chunk_tasks.len() >= CHUNKS_WAITING_MAX {
            return Err("too many chunk requests at once".to_owned());
        }
        let mut given = self.given.iter();
        let named = given.find(|(_, given)| given.chunks.contains(&hash));
        let named = named.map(|((job, _), given)| (*job, given.coordinator));
        let (services, frames) = (self.services.clone(), self.frames.clone());
        let places = Arc::clone(&self.chunk_places);
        // The place is waited for in the task: the socket's loop must go on, for
        // it is what empties the queue that the tasks before this one fill.
        self.chunk_tasks.spawn(async move {
            let Ok(_place) = places.acquire_owned().await else {
                return;
            };
            // Only what a task of this page names: a page cannot ask this node
            // for whatever it stores.
            let found = match named {
                Some((job, coordinator)) => {
                    let holders = async || services.holders(job, Some(coordinator)).await;
                    services.chunks.get(hash, holders).await
                }
                None => None,
            };
            let frame = match found {
                Some(bytes) => encode_page_frame(&PageMessage::Chunk { hash }, &bytes),
                None => encode_page_frame(&PageMessage::ChunkMissing { hash }, &[]),
            };
            // An error means that the page is gone.
            let _ = frames.send(Bytes::from(frame)).await;
        });
        Ok(())
    }

    async fn on_result(
        &mut self,
        job: JobId,
        block: BlockIndex,
        mut proof: BlockProof,
        payload: &[u8],
    ) -> Result<(), String> {
        // A block that was not given over this link was given over an earlier
        // one, by another node perhaps: its coordinator knows its length.
        let found = payload.len() as u64;
        let given = self.given.get(&(job, block));
        if let Some(expected) = given
            .map(|given| given.bytes)
            .filter(|bytes| *bytes != found)
        {
            return Err(format!(
                "a result of {expected} bytes was expected, {found} came"
            ));
        }
        let bytes = Bytes::from(with_canonical_nans(payload));
        proof.bytes = found;
        let worker = self.worker;
        let hash = ChunkHash::of(&bytes);
        proof.hash = Some(hash);
        let services = &self.services;
        services.results.keep((job, block, worker), hash, bytes);
        services
            .driver
            .tell(Input::WorkerResult {
                worker,
                job,
                block,
                proof,
            })
            .await;
        Ok(())
    }
}

/// The bits of a fresh NaN differ between devices, and JavaScript cannot set
/// them reliably; one pattern stands for all.
fn with_canonical_nans(payload: &[u8]) -> Vec<u8> {
    const CANONICAL: u64 = 0x7ff8_0000_0000_0000;
    let mut bytes = payload.to_vec();
    for entry in bytes.chunks_exact_mut(8) {
        let number = f64::from_le_bytes(entry.try_into().expect("the chunk has eight bytes"));
        if number.is_nan() {
            entry.copy_from_slice(&CANONICAL.to_le_bytes());
        }
    }
    bytes
}

fn given_of(task: &BlockTask, coordinator: NodeId) -> Given {
    let hashes = |input: &TaskInput| match input {
        TaskInput::Chunks { chunks } => chunks.iter().map(|chunk| chunk.hash).collect(),
        TaskInput::Random { .. } => Vec::new(),
    };
    let mut chunks = hashes(&task.a);
    chunks.extend(hashes(&task.b));
    Given {
        coordinator,
        rows: task.rows,
        operations: task.operations(),
        bytes: task.result_bytes(),
        chunks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nan_becomes_the_canonical_one_and_nothing_else_changes() {
        let numbers = [
            1.5,
            -0.0,
            f64::NEG_INFINITY,
            f64::from_bits(0xfff8_0000_0000_0001),
        ];
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let canonical = with_canonical_nans(&bytes);
        assert_eq!(canonical[..24], bytes[..24]);
        assert_eq!(canonical[24..], 0x7ff8_0000_0000_0000_u64.to_le_bytes());
    }
}

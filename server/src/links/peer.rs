//! One link between two nodes, from handshake to end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use cluster::Input;
use futures_util::{FutureExt, SinkExt, Stream, StreamExt, stream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use wire::{
    BlockIndex, BlockProof, ChunkAsk, ChunkHash, Exchange, JobId, NodeId, PeerMessage,
    decode_peer_frame,
};

use super::handshake::{HandshakeError, shake_hands};
use super::socket::{Outgoing, Socket, SocketError};
use super::{Links, Outbox, Waiting};
use crate::chunks::Chunks;
use crate::identity::Identity;
use crate::services::Services;
use crate::small_inputs;

/// Chunk requests of one peer that may wait. A node asks for each chunk once
/// and for few at a time.
const REQUESTS_WAITING_MAX: usize = 512;

/// Chunk requests of one peer that are answered at once: as many as it sends at
/// once for a factor and for a copy.
const ANSWERED_AT_ONCE: usize = 8;

/// How long one frame may take: the largest, over a slow wireless link.
const SEND_MAX: Duration = Duration::from_secs(30);

/// Messages that leave together, or are told together: what a socket takes at once.
const FED_AT_ONCE_BYTES_MAX: usize = 64 << 10;

/// Messages that are told together: what a coordinator has for a backup of some tiny jobs.
const HEARD_AT_ONCE_MAX: usize = 16;

/// How long the goodbye of a link may take.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Greets the other side and, when it proved who it is, runs the link in a
/// task of its own.
pub async fn open(
    services: &Services,
    identity: &Identity,
    mut socket: Socket,
    remote: Option<IpAddr>,
    dialled_here: bool,
) -> Result<NodeId, HandshakeError> {
    if services.links.is_closed() {
        socket.close("this node cannot write to its store").await;
        return Err(HandshakeError::Silent);
    }
    let greeted = shake_hands(&mut socket, identity, &services.links, remote).await;
    let greeted = match greeted {
        Ok(greeted) => greeted,
        Err(error) => {
            socket.close(&error.to_string()).await;
            return Err(error);
        }
    };
    let peer = greeted.peer;
    let dialled_by = if dialled_here { services.node } else { peer };
    let Some(outbox) = services.links.enter(greeted, dialled_by) else {
        socket.close("there is a link already").await;
        return Ok(peer);
    };
    tracing::info!(%peer, dialled_here, "link open");
    services.driver.tell(Input::LinkUp { peer }).await;
    tokio::spawn(run(services.clone(), peer, socket, outbox));
    Ok(peer)
}

async fn run(services: Services, peer: NodeId, socket: Socket, outbox: Outbox) {
    let Socket { sink, stream } = socket;
    let Outbox {
        number,
        heard,
        urgent,
        results,
        chunks,
        chunk_sender,
        closed,
    } = outbox;
    let (requests, request_receiver) = mpsc::channel(REQUESTS_WAITING_MAX);
    let answering = tokio::spawn(answer_chunks(
        services.chunks.clone(),
        peer,
        request_receiver,
        chunk_sender,
    ));
    let writing = tokio::spawn(write(sink, urgent, results, chunks));
    let reason = tokio::select! {
        reason = read(&services, peer, stream, &heard, requests) => reason,
        _ = closed => "closed here".to_owned(),
    };
    answering.abort();
    let is_down = services.links.leave(peer, number);
    tracing::info!(%peer, reason, "link closed");
    if is_down {
        services.chunks.on_link_lost(peer);
        services.driver.tell(Input::LinkDown { peer }).await;
        if services.links.is_open(peer) {
            // Another link was told of in between.
            services.driver.tell(Input::LinkUp { peer }).await;
        }
        services.links.lost(peer);
    }
    // The writer sends what it has and closes, for its queues end with the link.
    let _ = writing.await;
}

/// Small messages first, so that heartbeats and leases never wait behind
/// megabytes; then results, then chunks.
async fn write(
    mut sink: std::pin::Pin<Box<dyn futures_util::Sink<Outgoing, Error = SocketError> + Send>>,
    mut urgent: Waiting,
    mut results: Waiting,
    mut chunks: mpsc::Receiver<Bytes>,
) {
    loop {
        let frame = tokio::select! {
            biased;
            frame = urgent.next() => frame,
            Some(frame) = results.next() => Some(frame),
            Some(frame) = chunks.recv() => Some(frame),
        };
        let Some(frame) = frame else { break };
        let sending = async {
            // What waits behind it leaves with it: one word to the system for all.
            let mut fed = frame.len();
            sink.feed(Outgoing::Frame(frame)).await?;
            while fed < FED_AT_ONCE_BYTES_MAX {
                let more = urgent.next_now().or_else(|| results.next_now());
                let Some(more) = more else { break };
                fed += more.len();
                sink.feed(Outgoing::Frame(more)).await?;
            }
            sink.flush().await
        };
        // A peer that reads nothing is found out by its silence; this link is
        // not kept for its sake.
        if !matches!(timeout(SEND_MAX, sending).await, Ok(Ok(()))) {
            return;
        }
    }
    let closing = async {
        let _ = sink.send(Outgoing::Close("closing".to_owned())).await;
        let _ = sink.close().await;
    };
    let _ = timeout(CLOSE_MAX, closing).await;
}

/// Reads until the link ends; the answer is why it ended.
async fn read(
    services: &Services,
    peer: NodeId,
    mut stream: impl Stream<Item = Result<Bytes, SocketError>> + Unpin,
    answers: &watch::Sender<u64>,
    requests: mpsc::Sender<(ChunkHash, ChunkAsk)>,
) -> String {
    loop {
        let mut next = stream.next().await;
        // What came with it is told with it: it left together, and is stored together.
        let mut heard = Heard {
            services,
            inputs: Vec::new(),
        };
        let mut taken = 0;
        let end = loop {
            taken += (next.iter().flatten()).map(Bytes::len).sum::<usize>();
            match take_frame(services, peer, next, &requests) {
                Ok(input) => {
                    if is_answer(services.node, input.as_ref()) {
                        answers.send_modify(|count| *count += 1);
                    }
                    heard.inputs.extend(input);
                }
                Err(reason) => break Some(reason),
            }
            if heard.inputs.len() >= HEARD_AT_ONCE_MAX || taken >= FED_AT_ONCE_BYTES_MAX {
                break None;
            }
            match stream.next().now_or_never() {
                Some(more) => next = more,
                None => break None,
            }
        };
        services.driver.tell_all(&mut heard.inputs).await;
        if let Some(reason) = end {
            return reason;
        }
    }
}

/// Whether it answers what [`Links::admit`] asks.
fn is_answer(own: NodeId, input: Option<&Input>) -> bool {
    matches!(input, Some(Input::Peer { message: PeerMessage::Seen { node, .. }, .. }) if *node == own)
}

/// What the node is to hear. What it does not hear because the link is closed meanwhile, it does not
/// release either.
struct Heard<'s> {
    services: &'s Services,
    inputs: Vec<Input>,
}

impl Drop for Heard<'_> {
    fn drop(&mut self) {
        for input in self.inputs.drain(..) {
            match input {
                Input::Peer {
                    message:
                        PeerMessage::Result {
                            job,
                            block,
                            exchange,
                            proof:
                                BlockProof {
                                    hash: Some(hash), ..
                                },
                        },
                    ..
                } => {
                    let key = (job, block, exchange.worker);
                    self.services.results.release(key, hash);
                }
                Input::Peer {
                    message: PeerMessage::CopyBlock { job, done, .. },
                    ..
                } => {
                    let key = (job, done.block, done.worker);
                    self.services.results.release(key, done.hash);
                }
                _ => {}
            }
        }
    }
}

/// What the node is to hear of a frame, if it is for the node; else why the link ends.
fn take_frame(
    services: &Services,
    peer: NodeId,
    frame: Option<Result<Bytes, SocketError>>,
    requests: &mpsc::Sender<(ChunkHash, ChunkAsk)>,
) -> Result<Option<Input>, String> {
    let frame = match frame {
        Some(Ok(frame)) if frame.is_empty() => return Ok(None),
        Some(Ok(frame)) => frame,
        Some(Err(error)) => return Err(error.to_string()),
        None => return Err("closed there".to_owned()),
    };
    let (message, payload) = match decode_peer_frame(&frame) {
        Ok((message, payload)) => (message, frame.slice_ref(payload)),
        Err(error) => return Err(format!("bad frame: {error}")),
    };
    match message {
        PeerMessage::ChunkRequest { hash, ask } => {
            if requests.try_send((hash, ask)).is_err() {
                return Err("too many chunk requests at once".to_owned());
            }
        }
        PeerMessage::Chunk { hash } => services.chunks.on_chunk(peer, hash, payload),
        PeerMessage::ChunkMissing { hash } => services.chunks.on_missing(peer, hash),
        PeerMessage::ChunkElsewhere { hash, node } => {
            services.chunks.on_elsewhere(peer, hash, node);
        }
        message => {
            let mut message = take_bytes(services, message, payload);
            if let Some(PeerMessage::Status(status)) = &mut message {
                put_reached_first(&mut status.addresses, services.links.last_remote(peer));
            }
            return Ok(message.map(|message| Input::Peer {
                from: peer,
                message,
            }));
        }
    }
    Ok(None)
}

/// Where a link to the node works is where it is found, whatever it takes for its best address itself.
fn put_reached_first(addresses: &mut [SocketAddr], remote: Option<IpAddr>) {
    let is_reached = |address: &SocketAddr| Some(address.ip().to_canonical()) == remote;
    addresses.sort_by_key(|address| !is_reached(address));
}

/// Keeps the bytes that come with a message, if they are what their hash says.
/// A result without its bytes goes on, to be refused; a copy of a block without
/// them does not, and comes again.
fn take_bytes(services: &Services, message: PeerMessage, payload: Bytes) -> Option<PeerMessage> {
    match message {
        PeerMessage::Result {
            job,
            block,
            exchange,
            proof,
        } => Some(take_result(
            services,
            (job, block),
            exchange,
            proof,
            payload,
        )),
        PeerMessage::CopyBlock {
            job,
            ref done,
            bytes,
            ..
        } => {
            let is_right = bytes == payload.len() as u64 && done.hash == ChunkHash::of(&payload);
            if is_right {
                let key = (job, done.block, done.worker);
                services.results.keep(key, done.hash, payload);
            }
            is_right.then_some(message)
        }
        PeerMessage::CopyHead {
            ref head,
            ref inputs,
            ..
        } => {
            small_inputs::take(head, inputs, &payload, &services.chunks);
            Some(message)
        }
        other => Some(other),
    }
}

/// A result whose bytes are not what its hash says has no hash from here on.
fn take_result(
    services: &Services,
    (job, block): (JobId, BlockIndex),
    exchange: Exchange,
    mut proof: BlockProof,
    payload: Bytes,
) -> PeerMessage {
    let hash = ChunkHash::of(&payload);
    if proof.bytes != payload.len() as u64 || proof.hash != Some(hash) {
        proof.hash = None;
    } else {
        let key = (job, block, exchange.worker);
        services.results.keep(key, hash, payload);
    }
    PeerMessage::Result {
        job,
        block,
        exchange,
        proof,
    }
}

/// Answers a peer's chunk requests, some at once: one may have to wait until the
/// chunk is here.
async fn answer_chunks(
    source: Chunks,
    peer: NodeId,
    requests: mpsc::Receiver<(ChunkHash, ChunkAsk)>,
    chunks: mpsc::Sender<Bytes>,
) {
    let requests = stream::unfold(requests, async |mut requests| {
        Some((requests.recv().await?, requests))
    });
    let answer = async |(hash, ask)| {
        let frame = source.answer(peer, hash, ask).await;
        // Nobody reads it when the link is gone; then this task is, too.
        let _ = chunks.send(Bytes::from(frame)).await;
    };
    requests.for_each_concurrent(ANSWERED_AT_ONCE, answer).await;
}

impl Links {
    /// A link broke: look for the peer where it was last.
    fn lost(&self, peer: NodeId) {
        self.dial(super::dial::DialRequest::Lost { peer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_over_which_a_link_works_is_first_and_the_others_keep_their_order() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let told = ["10.9.0.1:8080", "10.8.0.1:8080", "[fd00::1]:8080"].map(address);
        let mut found = told;
        put_reached_first(&mut found, Some([10, 8, 0, 1].into()));
        assert_eq!(found, [told[1], told[0], told[2]]);
        put_reached_first(&mut found, Some([10, 7, 0, 1].into()));
        assert_eq!(
            found,
            [told[1], told[0], told[2]],
            "it is no address of the node's"
        );
        put_reached_first(&mut found, None);
        assert_eq!(found, [told[1], told[0], told[2]]);
    }
}

//! A page without a browser: it speaks the frames of a page and computes with
//! the textbook loop, or does what no page of ours would.

use std::future::Future;
use std::pin::pin;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wire::{
    BlockProof, BlockTask, PAGE_PROTOCOL_VERSION, PageMessage, PageStatus, TaskInput, WorkerId,
    decode_page_frame, encode_page_frame,
};

use kernel::cut::Rectangle;
use kernel::seeded::SeededMatrix;

/// A page's end of the socket.
pub(crate) struct FakePage {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    worker: WorkerId,
    tasks: Vec<BlockTask>,
    seen: usize,
}

impl FakePage {
    /// A page that is ready to compute.
    pub(crate) async fn open(address: &str) -> Self {
        Self::open_with(address, |_| ()).await
    }

    /// A page with something of its own in its status.
    pub(crate) async fn open_with(address: &str, change: impl FnOnce(&mut PageStatus)) -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        Self::greet(address, WorkerId::from_bytes(bytes), change).await
    }

    /// The same page once more, as a duplicated tab is.
    pub(crate) async fn open_again(&self, address: &str) -> Self {
        Self::greet(address, self.worker, |_| ()).await
    }

    /// Says hello under an id; the node's reason for closing the socket.
    pub(crate) async fn refused(address: &str, worker: WorkerId) -> String {
        Self::say_hello(address, worker, |_| ())
            .await
            .closed()
            .await
    }

    async fn greet(address: &str, worker: WorkerId, change: impl FnOnce(&mut PageStatus)) -> Self {
        let mut page = Self::say_hello(address, worker, change).await;
        let welcome = page.receive().await.expect("the node answers");
        assert!(
            matches!(welcome, (PageMessage::Welcome { .. }, _)),
            "{welcome:?}"
        );
        page
    }

    async fn say_hello(
        address: &str,
        worker: WorkerId,
        change: impl FnOnce(&mut PageStatus),
    ) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/ws/worker"))
            .await
            .unwrap();
        let mut page = Self {
            socket,
            worker,
            tasks: Vec::new(),
            seen: 0,
        };
        let mut status = PageStatus {
            device: "fake page".to_owned(),
            threads: 1,
            mflops: 500.0,
            visible: true,
            contributing: true,
        };
        change(&mut status);
        page.send(
            &PageMessage::Hello {
                protocol: PAGE_PROTOCOL_VERSION,
                worker,
                status,
            },
            &[],
        )
        .await;
        page
    }

    pub(crate) fn worker(&self) -> String {
        self.worker.to_string()
    }

    pub(crate) fn tasks_seen(&self) -> usize {
        self.seen
    }

    /// Computes whatever comes until `end` is there.
    pub(crate) async fn compute_until<T>(&mut self, end: impl Future<Output = T>) -> T {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                ended = &mut end => return ended,
                () = self.compute_next() => {}
            }
        }
    }

    /// Takes what comes and answers nothing until `end` is there.
    pub(crate) async fn ignore_until<T>(&mut self, end: impl Future<Output = T>) -> T {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                ended = &mut end => return ended,
                message = self.receive() => assert!(message.is_some(), "the node closed the socket"),
            }
        }
    }

    pub(crate) async fn wait_for_task(&mut self) -> BlockTask {
        while self.tasks.is_empty() {
            assert!(self.receive().await.is_some(), "the node closed the socket");
        }
        self.tasks.remove(0)
    }

    /// Waits for the end of the socket and gives the node's reason.
    pub(crate) async fn closed(&mut self) -> String {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.reason.to_string(),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return String::new(),
            }
        }
    }

    pub(crate) async fn was_superseded(&mut self) -> bool {
        while let Some((message, _)) = self.receive().await {
            if message == PageMessage::Superseded {
                return true;
            }
        }
        false
    }

    pub(crate) async fn send_raw(&mut self, bytes: Vec<u8>) {
        self.socket
            .send(Message::Binary(Bytes::from(bytes)))
            .await
            .unwrap();
    }

    pub(crate) async fn send_result(&mut self, task: &BlockTask, product: &[f64]) {
        self.send_result_after(task, product, 1.0).await;
    }

    /// A result that took so long, or so the page says.
    pub(crate) async fn send_result_after(
        &mut self,
        task: &BlockTask,
        product: &[f64],
        compute_ms: f64,
    ) {
        let bytes: Vec<u8> = product
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect();
        let proof = BlockProof {
            compute_ms,
            receive_us: 0,
            wait_us: 0,
            operations: task.operations(),
            hash: None,
            bytes: bytes.len() as u64,
        };
        let message = PageMessage::Result {
            job: task.job,
            block: task.block,
            proof,
        };
        self.send(&message, &bytes).await;
    }

    async fn compute_next(&mut self) {
        let task = self.wait_for_task().await;
        let product = self.product_of(&task).await;
        self.send_result(&task, &product).await;
    }

    /// Computes a block by the textbook loop.
    pub(crate) async fn product_of(&mut self, task: &BlockTask) -> Vec<f64> {
        let (rows, inner, cols) = (task.rows as usize, task.inner as usize, task.cols as usize);
        let left = self.input(&task.a, task.rows, task.inner).await;
        let right = self.input(&task.b, task.inner, task.cols).await;
        let mut product = vec![0.0; rows * cols];
        for row in 0..rows {
            for k in 0..inner {
                for col in 0..cols {
                    product[row * cols + col] += left[row * inner + k] * right[k * cols + col];
                }
            }
        }
        product
    }

    async fn input(&mut self, input: &TaskInput, rows: u32, cols: u32) -> Vec<f64> {
        match input {
            TaskInput::Random {
                seed,
                matrix_cols,
                row_start,
                col_start,
            } => {
                let matrix = SeededMatrix {
                    seed: seed.0,
                    rows: row_start + rows,
                    cols: *matrix_cols,
                };
                let rectangle = Rectangle {
                    rows: *row_start..row_start + rows,
                    cols: *col_start..col_start + cols,
                };
                let mut entries = vec![0.0; rows as usize * cols as usize];
                matrix.fill(&rectangle, &mut entries);
                entries
            }
            TaskInput::Chunks { chunks } => {
                let mut entries = Vec::new();
                for chunk in chunks {
                    self.send(&PageMessage::ChunkRequest { hash: chunk.hash }, &[])
                        .await;
                    let bytes = loop {
                        match self.receive().await.expect("the node answers") {
                            (PageMessage::Chunk { hash }, bytes) if hash == chunk.hash => {
                                break bytes;
                            }
                            (PageMessage::ChunkMissing { .. }, _) => panic!("a chunk is missing"),
                            _ => {}
                        }
                    };
                    let (numbers, _) = bytes.as_chunks::<8>();
                    entries.extend(numbers.iter().copied().map(f64::from_le_bytes));
                }
                entries
            }
        }
    }

    async fn send(&mut self, message: &PageMessage, payload: &[u8]) {
        self.send_raw(encode_page_frame(message, payload)).await;
    }

    /// The next message; tasks are kept as well. `None` at the end.
    async fn receive(&mut self) -> Option<(PageMessage, Vec<u8>)> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Binary(frame) => {
                    let (message, payload) = decode_page_frame(&frame).unwrap();
                    if let PageMessage::Task { task } = &message {
                        self.seen += 1;
                        self.tasks.push(task.clone());
                    }
                    return Some((message, payload.to_vec()));
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}

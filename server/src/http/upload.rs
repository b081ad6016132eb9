//! Bodies of requests: how much of them is taken, and what happens to the rest.
//!
//! An answer that comes before the whole body was sent is often not read: the
//! sender is still writing, finds the connection closed, and reports that
//! instead of what was wrong. So a body that is given up is read to its end
//! and thrown away, within bounds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use wire::Problem;

/// What is read of a body only to be thrown away. Beyond it the connection is
/// closed.
const DISCARD_BYTES_MAX: u64 = 1 << 30;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(20);

/// A sender that sends nothing for this long has gone without saying so.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The kinds of body that a job is submitted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    Json,
    Multipart,
}

/// What the body is said to be.
pub(super) fn content_type(headers: &HeaderMap) -> Option<ContentType> {
    let stated = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = stated
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(ContentType::Json),
        "multipart/form-data" => Some(ContentType::Multipart),
        _ => None,
    }
}

/// The length that the sender states; absent when it streams.
pub(super) fn stated_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Throws a body away that will not be read.
pub(super) fn discard(request: Request) {
    // Who asks first is told by the answer not to send it at all.
    if !request.headers().contains_key(EXPECT) {
        drop(UploadStream::new(request.into_body()));
    }
}

/// A body as a whole, at most `bytes_max` of it, else 413.
pub(super) async fn read_whole(request: Request, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let limit = if bytes_max >= 1 << 20 {
            format!("{} MiB", bytes_max >> 20)
        } else {
            format!("{} KiB", bytes_max >> 10)
        };
        Problem::new(
            413,
            format!("the body is over the limit of {limit}: larger matrices are sent as files"),
        )
    };
    let stated = stated_length(request.headers());
    if stated.is_some_and(|length| length > bytes_max as u64) {
        discard(request);
        return Err(too_large());
    }
    // Never more than the limit, whatever is stated.
    let mut body =
        Vec::with_capacity(stated.map_or(0, |length| usize::try_from(length).unwrap_or(0)));
    let mut stream = UploadStream::new(request.into_body());
    while let Some(bytes) = next_bytes(&mut stream).await? {
        if body.len() + bytes.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

async fn next_bytes(stream: &mut UploadStream) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(SILENCE_MAX, stream.next()).await {
        Ok(bytes) => bytes.transpose().map_err(|_| broke_off()),
        Err(_) => Err(stalled()),
    }
}

/// The sender closed the connection; the answer only reaches the log.
pub(super) fn broke_off() -> Problem {
    Problem::new(400, "the body broke off before its end: send it again")
}

/// The sender went silent.
pub(super) fn stalled() -> Problem {
    let detail = format!(
        "nothing came for {} s: send it again",
        SILENCE_MAX.as_secs()
    );
    Problem::new(408, detail)
}

/// How many bytes may still be read before somebody must have used some: it
/// bounds what a parser holds back while it looks for the end of a header.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    bytes: Arc<AtomicU64>,
}

impl Allowance {
    fn new(bytes: u64) -> Self {
        Self {
            bytes: Arc::new(AtomicU64::new(bytes)),
        }
    }

    /// These bytes were used up.
    pub(super) fn refill(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: u64| left.checked_sub(bytes as u64);
        self.bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

/// The bytes of a body. What was not read of it when this is dropped is read
/// and thrown away in the background, while the answer goes out.
#[derive(Debug)]
pub(super) struct UploadStream {
    /// `None` when it has ended.
    body: Option<BodyDataStream>,
    allowance: Option<Allowance>,
}

impl UploadStream {
    fn new(body: Body) -> Self {
        Self {
            body: Some(body.into_data_stream()),
            allowance: None,
        }
    }

    /// A stream that fails when more than `bytes` are read and not used.
    pub(super) fn with_allowance(body: Body, bytes: u64) -> (Self, Allowance) {
        let allowance = Allowance::new(bytes);
        let mut stream = Self::new(body);
        stream.allowance = Some(allowance.clone());
        (stream, allowance)
    }
}

impl Stream for UploadStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                let is_within = self
                    .allowance
                    .as_ref()
                    .is_none_or(|left| left.take(bytes.len()));
                Poll::Ready(Some(if is_within {
                    Ok(bytes)
                } else {
                    Err(io::Error::other("a header within the body is too long"))
                }))
            }
            Poll::Ready(Some(Err(error))) => {
                self.body = None;
                Poll::Ready(Some(Err(io::Error::other(error))))
            }
            Poll::Ready(None) => {
                self.body = None;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for UploadStream {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        // Without a runtime the program is ending, and the connection with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DISCARD_TIME_MAX, read_away(body)));
        }
    }
}

async fn read_away(mut body: BodyDataStream) {
    let mut left = DISCARD_BYTES_MAX;
    while let Some(Ok(bytes)) = body.next().await {
        match left.checked_sub(bytes.len() as u64) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

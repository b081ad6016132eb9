//! One WebSocket, whichever side opened it: binary frames in and out.

use std::pin::Pin;

use axum::extract::ws;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt, TryStreamExt, future};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{
    self, protocol::CloseFrame, protocol::frame::coding::CloseCode,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// What leaves through a socket.
#[derive(Debug)]
pub enum Outgoing {
    /// A frame.
    Frame(Bytes),
    /// Is the other side still there?
    Ping,
    /// The end, with a reason for whoever looks at the other side.
    Close(String),
}

/// The socket broke, whatever the reason.
#[derive(Debug, thiserror::Error)]
#[error("the socket broke: {0}")]
pub struct SocketError(String);

type FrameSink = Pin<Box<dyn Sink<Outgoing, Error = SocketError> + Send>>;
type FrameStream = Pin<Box<dyn Stream<Item = Result<Bytes, SocketError>> + Send>>;

/// Both halves of a socket. The stream ends when the other side closes; pings
/// and pongs appear in it as empty frames, as signs of life.
pub struct Socket {
    /// Frames to the other side.
    pub sink: FrameSink,
    /// Frames from the other side.
    pub stream: FrameStream,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}

/// RFC 6455 allows 123 bytes of reason.
const REASON_BYTES_MAX: usize = 123;

impl Socket {
    /// A socket that somebody opened to this node.
    pub fn accepted(socket: ws::WebSocket) -> Self {
        let (sink, stream) = socket.split();
        let stream = stream
            .map_err(|error| SocketError(error.to_string()))
            .try_take_while(|message| future::ok(!matches!(message, ws::Message::Close(_))))
            .map_ok(|message| match message {
                ws::Message::Binary(bytes) => bytes,
                _ => Bytes::new(),
            });
        Self {
            sink: frames_into(sink, to_accepted),
            stream: Box::pin(stream),
        }
    }

    /// A socket that this node opened.
    pub fn dialled(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let (sink, stream) = socket.split();
        let stream = stream
            .map_err(|error| SocketError(error.to_string()))
            .try_take_while(|message| future::ok(!message.is_close()))
            .map_ok(|message| match message {
                tungstenite::Message::Binary(bytes) => bytes,
                _ => Bytes::new(),
            });
        Self {
            sink: frames_into(sink, to_dialled),
            stream: Box::pin(stream),
        }
    }

    /// Closes with a reason; a socket that is broken already stays so.
    pub async fn close(mut self, reason: &str) {
        let _ = self.sink.send(Outgoing::Close(reason.to_owned())).await;
        let _ = self.sink.close().await;
    }
}

impl From<axum::Error> for SocketError {
    fn from(error: axum::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<tungstenite::Error> for SocketError {
    fn from(error: tungstenite::Error) -> Self {
        Self(error.to_string())
    }
}

/// Takes what leaves and makes messages of it. After an error it may be asked
/// again, which `sink_map_err` would not survive.
fn frames_into<M: Send + 'static, S>(sink: S, to_message: fn(Outgoing) -> M) -> FrameSink
where
    S: Sink<M> + Send + 'static,
    SocketError: From<S::Error>,
{
    Box::pin(sink.with(move |outgoing| future::ok::<_, SocketError>(to_message(outgoing))))
}

fn to_accepted(outgoing: Outgoing) -> ws::Message {
    match outgoing {
        Outgoing::Frame(bytes) => ws::Message::Binary(bytes),
        Outgoing::Ping => ws::Message::Ping(Bytes::new()),
        Outgoing::Close(reason) => ws::Message::Close(Some(ws::CloseFrame {
            code: ws::close_code::POLICY,
            reason: shorten(reason).into(),
        })),
    }
}

fn to_dialled(outgoing: Outgoing) -> tungstenite::Message {
    match outgoing {
        Outgoing::Frame(bytes) => tungstenite::Message::Binary(bytes),
        Outgoing::Ping => tungstenite::Message::Ping(Bytes::new()),
        Outgoing::Close(reason) => tungstenite::Message::Close(Some(CloseFrame {
            code: CloseCode::Policy,
            reason: shorten(reason).into(),
        })),
    }
}

fn shorten(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX)
            .rev()
            .find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
    }
    reason
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use futures_util::stream;

    use super::*;

    /// The other side is gone.
    struct Broken;

    type Polled = Poll<Result<(), tungstenite::Error>>;

    impl Sink<tungstenite::Message> for Broken {
        type Error = tungstenite::Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
            Poll::Ready(Err(tungstenite::Error::ConnectionClosed))
        }

        fn start_send(self: Pin<&mut Self>, _: tungstenite::Message) -> Result<(), Self::Error> {
            Err(tungstenite::Error::ConnectionClosed)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
            Poll::Ready(Err(tungstenite::Error::ConnectionClosed))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
            Poll::Ready(Err(tungstenite::Error::ConnectionClosed))
        }
    }

    #[tokio::test]
    async fn a_socket_that_broke_while_it_was_written_to_can_be_closed() {
        let mut socket = Socket {
            sink: frames_into(Broken, to_dialled),
            stream: Box::pin(stream::empty()),
        };
        assert!(socket.sink.send(Outgoing::Ping).await.is_err());
        socket.close("it is over").await;
    }
}

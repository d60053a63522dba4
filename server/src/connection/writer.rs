//! What goes out on one WebSocket. It keeps its place between polls: a write that is given up in the middle goes on where
//! it stopped, and what waits is never copied as a whole.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error, Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::outbox::Outbox;

/// A longer frame goes out in fragments of this size (RFC 6455 section 5.4), so that the socket's own buffer stays small:
/// it keeps the size of the largest piece that it ever held.
const PIECE_BYTES: usize = 16 * 1024;
/// After so many bytes the connection looks at what came in.
const TURN_BYTES: usize = 256 * 1024;
/// Most that the socket's own buffer holds: a piece, what it gathers before it writes, and a pong.
pub(super) const BUFFER_LIMIT: usize = 2 * PIECE_BYTES;

/// The outgoing half of a connection.
#[derive(Default)]
pub(super) struct Writer {
    /// What is left of the frame that has begun.
    rest: Option<Bytes>,
    /// A ping is to be sent.
    ping: bool,
    /// The socket's own buffer may hold something.
    unflushed: bool,
    /// How many frames were taken from the outbox.
    pub(super) frames: u64,
}

impl Writer {
    /// Asks for a ping.
    pub(super) fn ping(&mut self) {
        self.ping = true;
    }

    /// Notes that the socket has something to say by itself: a pong.
    pub(super) fn pong(&mut self) {
        self.unflushed = true;
    }

    /// Whether something waits that is not in the outbox.
    pub(super) fn is_idle(&self) -> bool {
        self.rest.is_none() && !self.ping && !self.unflushed
    }

    /// Drops what is left of the frame that has begun. Only a close frame may follow.
    pub(super) fn give_up(&mut self) {
        self.rest = None;
    }

    /// Writes what waits, at most some 256 KiB of it, and flushes.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        ws: &mut WebSocketStream<S>,
        outbox: &Outbox,
    ) -> Poll<Result<(), Error>> {
        // First whatever is there already, pongs among it: its buffer is bounded.
        if self.unflushed {
            ready!(ws.poll_flush_unpin(cx))?;
            self.unflushed = false;
        }
        let mut written = 0;
        while written < TURN_BYTES {
            ready!(ws.poll_ready_unpin(cx))?;
            let Some(message) = self.next(outbox) else { break };
            written += message.len();
            self.unflushed = true;
            ws.start_send_unpin(message)?;
        }
        ready!(ws.poll_flush_unpin(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn next(&mut self, outbox: &Outbox) -> Option<Message> {
        if std::mem::take(&mut self.ping) {
            return Some(Message::Ping(Bytes::new()));
        }
        if let Some(mut rest) = self.rest.take() {
            let piece = rest.split_to(rest.len().min(PIECE_BYTES));
            let last = rest.is_empty();
            self.rest = (!last).then_some(rest);
            return Some(Message::Frame(Frame::message(piece, OpCode::Data(Data::Continue), last)));
        }
        let frame = outbox.pop()?;
        self.frames += 1;
        if frame.len() <= PIECE_BYTES {
            return Some(Message::Text(frame));
        }
        let mut rest = Bytes::from(frame);
        let piece = rest.split_to(PIECE_BYTES);
        self.rest = Some(rest);
        Some(Message::Frame(Frame::message(piece, OpCode::Data(Data::Text), false)))
    }
}

/// When the peer last took a byte.
#[derive(Clone)]
pub(super) struct Progress {
    began: Instant,
    at: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), at: Arc::default() }
    }

    /// Now.
    pub(super) fn note(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.store(now, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.at.load(Ordering::Relaxed))
    }
}

/// A stream that notes when bytes leave.
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) progress: Progress,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.progress.note();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::Utf8Bytes;

    use super::*;

    #[test]
    fn a_long_frame_goes_out_in_pieces_and_a_ping_between_them() {
        let outbox = Outbox::new();
        let long = "چ".repeat(PIECE_BYTES);
        outbox.push(Utf8Bytes::from(long.clone()));
        outbox.push(Utf8Bytes::from_static("short"));
        let mut writer = Writer::default();
        let mut bytes = Vec::new();
        let mut finals = 0;
        for round in 0.. {
            if round == 1 {
                writer.ping();
                assert!(matches!(writer.next(&outbox), Some(Message::Ping(_))));
            }
            match writer.next(&outbox) {
                Some(Message::Frame(frame)) => {
                    assert!(frame.payload().len() <= PIECE_BYTES);
                    finals += u32::from(frame.header().is_final);
                    bytes.extend_from_slice(frame.payload());
                }
                Some(Message::Text(text)) => assert_eq!(text.as_str(), "short"),
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        assert_eq!(finals, 1);
        assert_eq!(String::from_utf8(bytes).expect("is text"), long);
        assert_eq!(writer.frames, 2);
        assert!(writer.rest.is_none());
    }
}

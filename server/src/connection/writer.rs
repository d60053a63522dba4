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

use bytes::{Buf, Bytes};
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{Error, Message, Utf8Bytes};

use crate::outbox::Outbox;

/// A longer frame goes to the stream directly: the socket's own buffer would copy it, and keeps the size of the largest
/// that it ever held.
const BUFFERED_BYTES: usize = 16 * 1024;
/// So much of a longer one goes to the kernel at a time: it takes a write as a whole, however little it wants.
const PART_BYTES: usize = 16 * 1024;
/// After so many bytes the connection looks at what came in.
const TURN_BYTES: usize = 256 * 1024;
/// Most that the socket's own buffer holds: a frame, what it gathers before it writes, and a pong.
pub(super) const BUFFER_LIMIT: usize = 2 * BUFFERED_BYTES;

/// The outgoing half of a connection.
#[derive(Default)]
pub(super) struct Writer {
    /// What is left of a long frame. The socket's own buffer is empty when its first byte goes.
    rest: Option<Long>,
    /// A ping is to be sent.
    ping: bool,
    /// The socket's own buffer, or a layer below it, may hold something.
    unflushed: bool,
    /// How many frames were taken from the outbox.
    pub(super) frames: u64,
}

/// A long frame: its head with the first of its bytes, and the others.
struct Long {
    first: Bytes,
    others: Bytes,
}

impl Long {
    fn new(frame: Utf8Bytes) -> Self {
        const WITH_HEAD: usize = 4096;
        let mut others = Bytes::from(frame);
        // RFC 6455 section 5.2: a whole text, not masked, its length in two or in eight bytes.
        let mut first = Vec::with_capacity(10 + WITH_HEAD);
        first.push(0x81);
        if let Ok(length) = u16::try_from(others.len()) {
            first.push(126);
            first.extend_from_slice(&length.to_be_bytes());
        } else {
            first.push(127);
            first.extend_from_slice(&(others.len() as u64).to_be_bytes());
        }
        first.extend_from_slice(&others.split_to(others.len().min(WITH_HEAD)));
        Self { first: first.into(), others }
    }

    fn poll<S: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<std::io::Result<()>> {
        for part in [&mut self.first, &mut self.others] {
            while !part.is_empty() {
                let piece = &part[..part.len().min(PART_BYTES)];
                let written = ready!(Pin::new(&mut *stream).poll_write(cx, piece))?;
                if written == 0 {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                part.advance(written);
            }
        }
        Poll::Ready(Ok(()))
    }
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

    /// Whether nothing waits but what is in the outbox.
    pub(super) fn is_idle(&self) -> bool {
        self.rest.is_none() && !self.ping && !self.unflushed
    }

    /// Writes what waits, at most some 256 KiB of it, and flushes.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        ws: &mut WebSocketStream<S>,
        outbox: &Outbox,
    ) -> Poll<Result<(), Error>> {
        let mut written = 0;
        loop {
            ready!(self.poll_begun(cx, ws))?;
            if written >= TURN_BYTES {
                break;
            }
            ready!(ws.poll_ready_unpin(cx))?;
            if std::mem::take(&mut self.ping) {
                self.unflushed = true;
                ws.start_send_unpin(Message::Ping(Bytes::new()))?;
                continue;
            }
            let Some(frame) = outbox.pop() else { break };
            self.frames += 1;
            written += frame.len();
            if frame.len() > BUFFERED_BYTES {
                self.rest = Some(Long::new(frame));
                continue;
            }
            self.unflushed = true;
            ws.start_send_unpin(Message::Text(frame))?;
        }
        self.poll_flush(cx, ws)
    }

    /// Brings a long frame that has begun to its end: whatever follows it stands behind it.
    pub(super) fn poll_begun<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        ws: &mut WebSocketStream<S>,
    ) -> Poll<Result<(), Error>> {
        if self.rest.is_none() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_flush(cx, ws))?;
        if let Some(rest) = &mut self.rest {
            ready!(rest.poll(cx, ws.get_mut()))?;
        }
        self.rest = None;
        self.unflushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_flush<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        ws: &mut WebSocketStream<S>,
    ) -> Poll<Result<(), Error>> {
        if self.unflushed {
            ready!(ws.poll_flush_unpin(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
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
        self.at.fetch_max(now, Ordering::Relaxed);
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
    use std::future::poll_fn;

    use futures_util::StreamExt;
    use tungstenite::protocol::{Role, WebSocketConfig};

    use super::*;

    #[tokio::test]
    async fn frames_of_every_length_arrive_in_order_and_a_ping_between_them() {
        let (near, far) = tokio::io::duplex(1000);
        let config = WebSocketConfig::default().write_buffer_size(2048).max_write_buffer_size(BUFFER_LIMIT);
        let mut server = WebSocketStream::from_raw_socket(near, Role::Server, Some(config)).await;
        let mut client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let outbox = Outbox::new();
        let lengths = [0, 1, 125, 126, BUFFERED_BYTES, BUFFERED_BYTES + 1, 65_535, 65_536, 300_000, 5];
        for length in lengths {
            outbox.push(Utf8Bytes::from("x".repeat(length)));
        }
        let mut writer = Writer::default();
        let writing = async {
            while outbox.waiting() > 0 || !writer.is_idle() {
                writer.ping();
                poll_fn(|cx| writer.poll(cx, &mut server, &outbox)).await.expect("written");
            }
        };
        let reading = async {
            let mut came = Vec::new();
            let mut pings = 0;
            while came.len() < lengths.len() {
                match client.next().await.expect("goes on").expect("a frame") {
                    Message::Text(text) => came.push(text.len()),
                    Message::Ping(_) => pings += 1,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(came, lengths);
            assert!(pings > 0);
        };
        futures_util::join!(writing, reading);
        assert_eq!(writer.frames, 10);
    }
}

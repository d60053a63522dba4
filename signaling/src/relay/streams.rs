//! TCP and TLS clients: frames out of bytes, and bounded patience with those who are slow.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    frame::stream_length,
    outputs::{FiveTuple, Transport},
    rate::network,
    shard::{Inbox, Message},
};

/// Frames that wait for a reader: half a second of a video call, at most half a megabyte.
const QUEUE: usize = 256;

/// Bounds on streams.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Streams at one time, half-open handshakes included.
    pub streams: usize,
    /// Of those, from one source address (IPv6: /64).
    pub per_address: usize,
    /// How long a TLS handshake may take; then the stream is closed.
    pub handshake: Duration,
    /// How long a client may read nothing of what waits for it; then the stream is closed.
    pub write: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { streams: 16_384, per_address: 1_024, handshake: Duration::from_secs(10), write: Duration::from_secs(15) }
    }
}

/// What all streams of a relay share.
pub(super) struct Streams {
    pub(super) inboxes: Vec<Inbox>,
    limits: StreamLimits,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A place among the open streams, given back when dropped.
struct Place {
    streams: Arc<Streams>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

impl Streams {
    pub(super) fn new(inboxes: Vec<Inbox>, limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { inboxes, limits, open: Mutex::default() })
    }

    fn admit(self: &Arc<Self>, client: SocketAddr) -> Option<Place> {
        let source = network(client.ip());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = if open.len() < self.limits.streams { open.values().sum() } else { usize::MAX };
        let here = open.get(&source).copied().unwrap_or_default();
        if total >= self.limits.streams || here >= self.limits.per_address {
            return None;
        }
        open.insert(source, here + 1);
        Some(Place { streams: Arc::clone(self), source })
    }

    /// Accepts clients for ever.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener, number: u16, tls: Option<TlsAcceptor>) {
        loop {
            let (stream, client) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, mostly: those that close will make room.
                    tracing::warn!(%error, "the relay cannot accept a stream");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(place) = self.admit(client) else { continue };
            tokio::spawn(Arc::clone(&self).one(stream, client, number, tls.clone(), place));
        }
    }

    async fn one(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        listener: u16,
        tls: Option<TlsAcceptor>,
        place: Place,
    ) {
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.serve(stream, FiveTuple { client, listener, transport: Transport::Tcp }).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = timeout(self.limits.handshake, acceptor.accept(stream)).await {
                    self.serve(stream, FiveTuple { client, listener, transport: Transport::Tls }).await;
                }
            }
        }
        drop(place);
    }

    /// Serves one stream to its end.
    pub(super) async fn serve<S: AsyncRead + AsyncWrite + Send>(&self, stream: S, from: FiveTuple) {
        // The same client always meets the same shard, so that the end of one stream and the beginning of the next
        // arrive in that order.
        let port = usize::from(from.client.port());
        let inbox = &self.inboxes[port % self.inboxes.len()];
        let (queue, frames) = mpsc::channel(QUEUE);
        if !inbox.send(Message::Opened(from, queue)).await {
            return;
        }
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            _ = read(reader, from, inbox) => {}
            _ = write(writer, frames, from.transport, self.limits.write) => {}
        }
        inbox.send(Message::Closed(from)).await;
    }
}

async fn read<R: AsyncRead + Unpin>(mut reader: R, from: FiveTuple, inbox: &Inbox) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4_096);
    loop {
        let mut start = 0;
        while let Some(length) = stream_length(&buffer[start..]).map_err(io::Error::other)?
            && let Some(frame) = buffer.get(start..start + length)
        {
            if !inbox.send(Message::Frame(from, frame.to_vec())).await {
                return Ok(());
            }
            start += length;
        }
        buffer.drain(..start);
        // At most one frame is kept, and no frame is longer than the buffer.
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut frames: mpsc::Receiver<Vec<u8>>,
    transport: Transport,
    patience: Duration,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while frames.recv_many(&mut batch, 32).await > 0 {
        if transport != Transport::Tls {
            batch = vec![batch.concat()];
        }
        let written = async {
            // Each frame in a TLS record of its own, as coturn has it: there are clients that look for one frame in each.
            for bytes in batch.drain(..) {
                writer.write_all(&bytes).await?;
            }
            writer.flush().await
        };
        timeout(patience, written).await??;
    }
    let _ = timeout(patience, writer.shutdown()).await;
    Ok(())
}

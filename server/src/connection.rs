//! One WebSocket: bytes to frames and back. One task per connection reads, waits for replies and writes; whatever
//! waits is written in one go.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_protocol::{CloseCode, call::Party, limit};
use futures_util::{FutureExt, SinkExt, StreamExt, stream::FuturesUnordered};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error, Message, Utf8Bytes,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig},
};

use crate::{app::App, commands::Pending, outbox::Outbox, session::Session};

/// What an idle connection costs is mostly its buffers. They grow for a large frame.
const BUFFER_BYTES: usize = 2048;
/// How long the last words to a client may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Speaks with a client until either side closes. `stream` has completed the handshake.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(app: Arc<App>, stream: S) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(limit::FRAME_BYTES))
        .max_frame_size(Some(limit::FRAME_BYTES));
    let ws = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let outbox = Arc::new(Outbox::new());
    app.metrics.connections.inc();
    let mut connection = Connection {
        ws,
        session: Session::new(app.clone(), outbox.clone()),
        in_flight: FuturesUnordered::new(),
        ready: Vec::new(),
        app: app.clone(),
        outbox: outbox.clone(),
    };
    let code = connection.talk().await;
    // From here on nothing is told to this connection any more.
    app.fanout.leave(&outbox);
    if let Some((user_id, device_id)) = outbox.who() {
        let app = app.clone();
        tokio::spawn(async move { app.calls.gone(Party { user_id, device_id }).await });
    }
    app.metrics.connections.dec();
    if let Some(code) = code {
        app.metrics.closed.get_or_create(&[("reason", code.reason())]).inc();
        // Ends by itself: a client that does not listen is dropped.
        let _ = tokio::time::timeout(FAREWELL, connection.say_farewell(code)).await;
    }
}

struct Connection<S> {
    ws: WebSocketStream<S>,
    session: Session,
    in_flight: FuturesUnordered<Pending>,
    /// Frames on their way to the socket.
    ready: Vec<Utf8Bytes>,
    app: Arc<App>,
    outbox: Arc<Outbox>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Until there is a reason to close, or (`None`) the client is gone.
    async fn talk(&mut self) -> Option<CloseCode> {
        let began = Instant::now();
        let mut heard = began;
        let mut timer = pin!(tokio::time::sleep(Duration::from_secs(limit::HELLO_SECONDS)));
        loop {
            if let Some(code) = self.outbox.closing() {
                return Some(code);
            }
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.outbox.poll_ready(cx)) => {}
                Some(reply) = self.in_flight.next(), if !self.in_flight.is_empty() => self.ready.push(reply),
                message = self.ws.next(), if self.in_flight.len() < limit::IN_FLIGHT => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => {
                            let pending = self.session.begin(&text);
                            self.in_flight.push(pending);
                            if self.session.is_abusive() {
                                return Some(CloseCode::Abuse);
                            }
                        }
                        // Gone without a word: no fault of its speech, and nobody to tell.
                        Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => return None,
                        Some(Ok(Message::Binary(_)) | Err(Error::Protocol(_) | Error::Utf8(_))) => {
                            return Some(CloseCode::Protocol);
                        }
                        Some(Ok(_)) => {}
                        Some(Err(Error::Capacity(_))) => return Some(CloseCode::TooLarge),
                        Some(Err(_)) | None => return None,
                    }
                }
                () = timer.as_mut() => {
                    if self.outbox.who().is_none() && began.elapsed() >= Duration::from_secs(limit::HELLO_SECONDS) {
                        return Some(CloseCode::HelloTimeout);
                    }
                    let silence = heard.elapsed();
                    if silence >= 2 * App::HEARTBEAT {
                        return Some(CloseCode::Idle);
                    }
                    if silence >= App::HEARTBEAT {
                        self.ws.send(Message::Ping(Vec::new().into())).await.ok()?;
                    }
                    timer.as_mut().reset(tokio::time::Instant::now() + App::HEARTBEAT / 2);
                }
            }
            self.gather();
            if self.ready.is_empty() {
                continue;
            }
            // Whoever is about to tell this client more gets its turn first: a write costs more than the wait.
            tokio::task::yield_now().await;
            self.gather();
            if !self.write().await? {
                return self.outbox.closing();
            }
        }
    }

    /// Takes all that there is to be written.
    fn gather(&mut self) {
        while let Some(Some(reply)) = self.in_flight.next().now_or_never() {
            self.ready.push(reply);
        }
        self.outbox.take(&mut self.ready);
    }

    /// Writes all that is ready, in as few calls as the socket allows. Returns false when there was a reason to close
    /// meanwhile: a reader too slow, a token revoked. `None` when the client is gone.
    async fn write(&mut self) -> Option<bool> {
        self.app.metrics.frames_out.inc_by(self.ready.len() as u64);
        let (ws, ready) = (&mut self.ws, &mut self.ready);
        let written = async move {
            for frame in ready.drain(..) {
                ws.feed(Message::Text(frame)).await?;
            }
            if ready.capacity() > 64 {
                *ready = Vec::new();
            }
            ws.flush().await
        };
        let outbox = &self.outbox;
        tokio::select! {
            biased;
            result = written => result.ok().map(|()| true),
            () = poll_fn(|cx| outbox.poll_closing(cx).map(drop)) => Some(false),
        }
    }

    /// Answers what is under way, then says why it ends.
    async fn say_farewell(&mut self, code: CloseCode) -> Result<(), Error> {
        if matches!(code, CloseCode::Drain | CloseCode::EpochChanged) {
            self.outbox.take(&mut self.ready);
            for frame in self.ready.drain(..) {
                self.ws.feed(Message::Text(frame)).await?;
            }
            while let Some(reply) = self.in_flight.next().await {
                self.ws.feed(Message::Text(reply)).await?;
            }
        }
        let reason = CloseFrame { code: code.number().into(), reason: code.reason().into() };
        self.ws.close(Some(reason)).await?;
        // Until the client has answered: what it was sent could be lost with the socket otherwise.
        while let Some(Ok(_)) = self.ws.next().await {}
        Ok(())
    }
}

//! One WebSocket: bytes to frames and back. One task per connection reads, waits for replies and writes; whatever
//! waits is written in one go.
//!
//! What a client may cost is bounded here: nothing is read while something waits to be written, replies and events wait
//! in one account (the outbox), and every wait has an end.

mod writer;

use std::{
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use chapar_protocol::{CloseCode, call::Party, limit};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error, Message, Utf8Bytes,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig},
};

use self::writer::{Metered, Progress, Writer};
use crate::{app::App, commands::Pending, listener::Place, outbox::Outbox, session::Session};

/// What an idle connection costs is mostly its buffers. They grow for a large frame.
const BUFFER_BYTES: usize = 2048;
/// While more than this waits to be written, nothing is read.
const UNREAD_BYTES: usize = 1024 * 1024;
/// While the requests under way have more bytes than this, nothing is read.
const UNDER_WAY_BYTES: usize = 256 * 1024;
/// Pings, pongs and the like that a client may send in half a heartbeat; before `hello` a tenth of it in all.
const CONTROL_FRAMES: u32 = 200;
/// How long the last words to a client may take.
const FAREWELL: Duration = Duration::from_secs(10);
/// The same for somebody who never said who it is.
const FAREWELL_TO_A_STRANGER: Duration = Duration::from_secs(2);

/// Speaks with a client until either side closes. `stream` has completed the handshake, `place` is its place among the
/// connections, and `network` where it comes from.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(app: Arc<App>, stream: S, place: Arc<Place>, network: IpAddr) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(writer::BUFFER_LIMIT)
        .max_message_size(Some(limit::FRAME_BYTES))
        .max_frame_size(Some(limit::FRAME_BYTES));
    let progress = Progress::new();
    let stream = Metered { stream, progress: progress.clone() };
    let ws = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let outbox = Arc::new(Outbox::new());
    app.metrics.connections.inc();
    let present = Present { app: app.clone(), outbox: outbox.clone() };
    let now = Instant::now();
    let mut connection = Connection {
        ws,
        session: Session::new(app.clone(), outbox.clone(), network),
        in_flight: FuturesUnordered::new(),
        under_way_bytes: 0,
        writer: Writer::default(),
        progress,
        heartbeat: app.settings.heartbeat(),
        began: now,
        heard: now,
        controls: 0,
        place: place.clone(),
        app: app.clone(),
        outbox: outbox.clone(),
    };
    let code = tokio::select! {
        code = connection.talk() => code,
        () = place.is_needed() => Some(CloseCode::HelloTimeout),
    };
    // From here on nothing is told to this connection any more.
    drop(present);
    if let Some(code) = code {
        app.metrics.closed.get_or_create(&[("reason", code.reason())]).inc();
        let patience = if outbox.who().is_some() { FAREWELL } else { FAREWELL_TO_A_STRANGER };
        // Ends by itself: a client that does not listen is dropped.
        let _ = tokio::time::timeout(patience, connection.say_farewell(code)).await;
    }
}

/// A connection that is counted and told things. A guard, so that it ends after a panic as well.
struct Present {
    app: Arc<App>,
    outbox: Arc<Outbox>,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.app.fanout.leave(&self.outbox);
        if let (Some((user_id, device_id)), Ok(runtime)) = (self.outbox.who(), tokio::runtime::Handle::try_current()) {
            let app = self.app.clone();
            runtime.spawn(async move { app.calls.gone(Party { user_id, device_id }).await });
        }
        self.app.metrics.connections.dec();
    }
}

struct Connection<S> {
    ws: WebSocketStream<Metered<S>>,
    session: Session,
    in_flight: FuturesUnordered<UnderWay>,
    under_way_bytes: usize,
    writer: Writer,
    progress: Progress,
    heartbeat: Duration,
    began: Instant,
    /// When the client last said something, not counting the time in which nothing was read because a write waited.
    heard: Instant,
    /// Control frames since the timer last rang.
    controls: u32,
    /// Given up with the connection. It is a stranger's until `hello`.
    place: Arc<Place>,
    app: Arc<App>,
    outbox: Arc<Outbox>,
}

/// A request under way, and how large it was.
struct UnderWay {
    reply: Pending,
    bytes: usize,
}

impl Future for UnderWay {
    type Output = (Utf8Bytes, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(self.reply.as_mut().poll(cx));
        Poll::Ready((reply, self.bytes))
    }
}

/// Why a connection ends: a code, or none when the client is gone.
type End = Option<CloseCode>;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Until there is a reason to close, or (`None`) the client is gone.
    async fn talk(&mut self) -> End {
        let mut timer = pin!(tokio::time::sleep(self.until_next_look()));
        loop {
            let why = self.outbox.closing().or_else(|| self.session.verdict()).or_else(|| self.overdue());
            if why.is_some() {
                return why;
            }
            if self.session.is_known() {
                self.place.is_known();
            }
            let may_read = self.may_read();
            tokio::select! {
                biased;
                () = timer.as_mut() => {
                    self.controls = if self.session.is_known() { 0 } else { self.controls };
                    if self.heard.elapsed() >= self.heartbeat {
                        self.writer.ping();
                    }
                    timer.as_mut().reset(tokio::time::Instant::now() + self.until_next_look());
                }
                message = self.ws.next(), if may_read => {
                    if let Err(end) = self.take_in(message) {
                        return end;
                    }
                }
                Some((reply, bytes)) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.answer(reply, bytes);
                }
                () = poll_fn(|cx| self.outbox.poll_ready(cx)) => {}
            }
            self.gather();
            if self.writer.is_idle() && self.outbox.waiting() == 0 {
                continue;
            }
            // Whoever is about to tell this client more gets its turn first: a write costs more than the wait.
            tokio::task::yield_now().await;
            self.gather();
            if let Err(end) = self.write().await {
                return end;
            }
        }
    }

    fn may_read(&self) -> bool {
        self.in_flight.len() < limit::IN_FLIGHT
            && self.under_way_bytes < UNDER_WAY_BYTES
            && self.outbox.waiting() < UNREAD_BYTES
    }

    fn take_in(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => {
                let reply = self.session.begin(&text);
                self.under_way_bytes += text.len();
                self.in_flight.push(UnderWay { reply, bytes: text.len() });
                Ok(())
            }
            // Gone without a word: no fault of its speech, and nobody to tell.
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => Err(None),
            Some(Ok(Message::Binary(_)) | Err(Error::Protocol(_) | Error::Utf8(_))) => Err(Some(CloseCode::Protocol)),
            // A ping, whose pong the socket has ready, or a pong. Nothing more is read before it has left.
            Some(Ok(_)) => {
                self.writer.pong();
                self.controls += 1;
                let most = if self.session.is_known() { CONTROL_FRAMES } else { CONTROL_FRAMES / 10 };
                if self.controls > most { Err(Some(CloseCode::Abuse)) } else { Ok(()) }
            }
            Some(Err(Error::Capacity(_))) => Err(Some(CloseCode::TooLarge)),
            Some(Err(_)) | None => Err(None),
        }
    }

    fn answer(&mut self, reply: Utf8Bytes, bytes: usize) {
        self.under_way_bytes -= bytes;
        self.outbox.answer(reply);
    }

    /// Puts the replies that are there beside the events, as long as there is room.
    fn gather(&mut self) {
        while self.outbox.waiting() < UNREAD_BYTES
            && let Some(Some((reply, bytes))) = self.in_flight.next().now_or_never()
        {
            self.answer(reply, bytes);
        }
    }

    /// Writes what is ready, in as few calls as the socket allows, unless there is a reason to close meanwhile: a reader
    /// too slow or stuck, a token revoked.
    async fn write(&mut self) -> Result<(), End> {
        let waited = Instant::now();
        // What was taken long ago says nothing about this write.
        self.progress.note();
        let frames = self.writer.frames;
        let (hello_until, patience) = (self.hello_until(), 2 * self.heartbeat);
        let (ws, writer, outbox, progress) = (&mut self.ws, &mut self.writer, &self.outbox, &self.progress);
        let end = tokio::select! {
            biased;
            () = poll_fn(|cx| outbox.poll_closing(cx).map(drop)) => Err(outbox.closing()),
            result = poll_fn(|cx| writer.poll(cx, ws, outbox)) => result.map_err(|_| None),
            code = stuck(progress, patience, hello_until) => Err(Some(code)),
        };
        self.app.metrics.frames_out.inc_by(self.writer.frames - frames);
        self.heard += waited.elapsed();
        end
    }

    /// Until when a client may go without a `hello`, while it has said none that is believed.
    fn hello_until(&self) -> Option<Instant> {
        (!self.session.is_known()).then(|| self.began + Duration::from_secs(limit::HELLO_SECONDS))
    }

    /// Whether the client has been given time enough. Looked at each time round: a client that keeps talking gains none.
    fn overdue(&self) -> Option<CloseCode> {
        let now = Instant::now();
        if self.hello_until().is_some_and(|until| now >= until) {
            return Some(CloseCode::HelloTimeout);
        }
        (now.saturating_duration_since(self.heard) >= 2 * self.heartbeat).then_some(CloseCode::Idle)
    }

    fn until_next_look(&self) -> Duration {
        let look = self.heartbeat / 2;
        self.hello_until().map_or(look, |until| until.saturating_duration_since(Instant::now()).min(look))
    }

    /// Answers what is under way, then says why it ends.
    async fn say_farewell(&mut self, code: CloseCode) -> Result<(), Error> {
        if matches!(code, CloseCode::Drain | CloseCode::EpochChanged) {
            self.flush().await?;
            while let Some((reply, bytes)) = self.in_flight.next().await {
                self.answer_last(reply, bytes);
                self.flush().await?;
            }
        }
        // Nothing else is told any more: it shall not take memory while the client is waited for.
        self.in_flight.clear();
        self.outbox.clear();
        let (ws, writer) = (&mut self.ws, &mut self.writer);
        poll_fn(|cx| writer.poll_begun(cx, ws)).await?;
        let reason = CloseFrame { code: code.number().into(), reason: code.reason().into() };
        self.ws.close(Some(reason)).await?;
        // Until the client has answered: what it was sent could be lost with the socket otherwise.
        while let Some(Ok(_)) = self.ws.next().await {}
        Ok(())
    }

    fn answer_last(&mut self, reply: Utf8Bytes, bytes: usize) {
        self.under_way_bytes -= bytes;
        self.outbox.last_word(reply);
    }

    async fn flush(&mut self) -> Result<(), Error> {
        while !self.writer.is_idle() || self.outbox.waiting() > 0 {
            let (ws, writer, outbox) = (&mut self.ws, &mut self.writer, &self.outbox);
            poll_fn(|cx| writer.poll(cx, ws, outbox)).await?;
        }
        Ok(())
    }
}

/// Ends when the peer has taken nothing for `patience`, or a stranger's time is over.
async fn stuck(progress: &Progress, patience: Duration, hello_until: Option<Instant>) -> CloseCode {
    loop {
        let until = progress.last() + patience;
        let now = Instant::now();
        if hello_until.is_some_and(|until| now >= until) {
            return CloseCode::HelloTimeout;
        }
        if now >= until {
            return CloseCode::Idle;
        }
        tokio::time::sleep_until(hello_until.map_or(until, |hello| hello.min(until)).into()).await;
    }
}

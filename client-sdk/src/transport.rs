//! Text frames over a WebSocket, and nothing else: no session, no reconnection, no state.
//!
//! Made for ten thousand connections in one process: small read buffers, and writes that gather
//! ([`Sender::feed`]) until they are pushed out together ([`Sender::flush`]).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chapar_protocol::SUBPROTOCOL;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{FuturesUnordered, SplitSink, SplitStream},
};
use tokio::net::TcpStream;
pub use tokio_tungstenite::tungstenite::Utf8Bytes as Text;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::HeaderValue,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use crate::{
    endpoint::{BadUrl, Endpoint},
    tls::{self, TlsError, Trust},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How to connect. The defaults fit a person's client and a load generator alike.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes read from the socket at once; allocated for each connection. Default 4 KiB.
    pub read_buffer: usize,
    /// Bytes that gather before [`Sender::feed`] writes by itself. Default 16 KiB.
    pub write_buffer: usize,
    /// Largest incoming frame, in bytes. Default 64 MiB.
    pub max_frame: usize,
    /// Bound on resolving, connecting and both handshakes together. Default 10 s.
    pub timeout: Duration,
    /// The TLS set-up for `https` and `wss`, from [`tls::client_config`]; the machine's own trust when absent.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_buffer: 4 * 1024,
            write_buffer: 16 * 1024,
            max_frame: 64 << 20,
            timeout: Duration::from_secs(10),
            tls: None,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// See [`BadUrl`].
    #[error(transparent)]
    BadUrl(#[from] BadUrl),
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It took longer than [`Options::timeout`].
    #[error("no connection in time")]
    Timeout,
    /// The server answered with something else than a WebSocket, such as 503 from a proxy.
    #[error("the server answered HTTP {0} instead of a WebSocket")]
    Refused(u16),
    /// The server did not choose our subprotocol: it is no Chapar server, or one of another time.
    #[error("the server does not speak {SUBPROTOCOL}")]
    OtherProtocol,
    /// The network or the TLS handshake failed.
    #[error("cannot connect: {0}")]
    Failed(#[source] tungstenite::Error),
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text frame.
    Text(Text),
    /// A sign of life: a ping (answered already) or a pong.
    Alive,
}

/// Why nothing more arrives.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The server closed with this code and reason; the code is 1005 when it gave none (RFC 6455 section 7.4.1).
    #[error("closed by the server: {code} {reason}")]
    Closed {
        /// The number; see `chapar_protocol::CloseCode`.
        code: u16,
        /// Its sentence.
        reason: String,
    },
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(#[source] tungstenite::Error),
}

/// The writing half. Dropping it does not close the connection while the other half lives.
#[derive(Debug)]
pub struct Sender(SplitSink<Socket, Message>);

/// The reading half. It must be polled for pings to be answered.
#[derive(Debug)]
pub struct Receiver(SplitStream<Socket>);

/// Connects, offering `chapar.v1`. The URL may be `http(s)` or `ws(s)`, with or without `/ws`.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(url: &str, options: &Options) -> Result<(Sender, Receiver), ConnectError> {
    let endpoint = Endpoint::parse(url)?;
    tokio::time::timeout(options.timeout, open(&endpoint, options)).await.unwrap_or(Err(ConnectError::Timeout))
}

async fn open(endpoint: &Endpoint, options: &Options) -> Result<(Sender, Receiver), ConnectError> {
    let failed = |error: std::io::Error| ConnectError::Failed(tungstenite::Error::Io(error));
    let connector = match (&options.tls, endpoint.secure()) {
        (_, false) => Connector::Plain,
        (Some(config), true) => Connector::Rustls(Arc::clone(config)),
        (None, true) => Connector::Rustls(tls::client_config(&Trust::System)?),
    };
    let mut request = endpoint.websocket().into_client_request().map_err(ConnectError::Failed)?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(options.read_buffer)
        .write_buffer_size(options.write_buffer)
        .max_message_size(Some(options.max_frame))
        .max_frame_size(Some(options.max_frame));
    let addresses = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await.map_err(failed)?;
    let stream = first_of(addresses.collect()).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let opened = tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), Some(connector)).await;
    let (socket, response) = opened.map_err(|error| match error {
        tungstenite::Error::Http(response) => ConnectError::Refused(response.status().as_u16()),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::SecWebSocketSubProtocolError(_)) => {
            ConnectError::OtherProtocol
        }
        error => ConnectError::Failed(error),
    })?;
    let chosen = response.headers().get("Sec-WebSocket-Protocol");
    if chosen.is_none_or(|name| name.as_bytes() != SUBPROTOCOL.as_bytes()) {
        return Err(ConnectError::OtherProtocol);
    }
    let (sink, stream) = socket.split();
    Ok((Sender(sink), Receiver(stream)))
}

/// How long an address may take before the next one is tried beside it (RFC 8305 section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Connects to whichever address answers first, the families by turns (RFC 8305): where IPv6 leads nowhere, IPv4 does not wait
/// for it.
async fn first_of(addresses: Vec<SocketAddr>) -> std::io::Result<TcpStream> {
    let mut waiting = by_turns(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = std::io::Error::other("the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(last);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if more => {}
        }
    }
}

/// The first address first, then one of each family by turns.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let six = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|it| it.is_ipv6() == six);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::new();
    while let Some(address) = first.next().or_else(|| second.next()) {
        order.push(address);
        order.extend(second.next());
    }
    order
}

impl Sender {
    /// Puts a text frame into the write buffer, writing only when that is full. Waits while the socket takes nothing.
    ///
    /// # Errors
    /// When the connection is over; the reading half tells why.
    pub async fn feed(&mut self, frame: impl Into<Text>) -> Result<(), tungstenite::Error> {
        self.0.feed(Message::Text(frame.into())).await
    }

    /// Writes what was fed.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn flush(&mut self) -> Result<(), tungstenite::Error> {
        self.0.flush().await
    }

    /// [`Sender::feed`] and [`Sender::flush`].
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn send(&mut self, frame: impl Into<Text>) -> Result<(), tungstenite::Error> {
        self.0.send(Message::Text(frame.into())).await
    }

    /// Asks the other side for a sign of life.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn ping(&mut self) -> Result<(), tungstenite::Error> {
        self.0.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// Begins the closing handshake. The reading half then ends with the server's answer.
    ///
    /// # Errors
    /// When the connection is over already.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), tungstenite::Error> {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.0.send(Message::Close(Some(frame))).await
    }
}

impl Receiver {
    /// The next frame. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// [`Ended`]; do not ask again after it.
    pub async fn next(&mut self) -> Result<Incoming, Ended> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Close(frame))) => {
                // Polled once more so that the answer to the close goes out; the outcome does not matter any more,
                // and a server that never ends the TCP connection must not hold us.
                let _ = tokio::time::timeout(Duration::from_secs(1), self.0.next()).await;
                let (code, reason) = frame.map_or((1005, String::new()), |it| (it.code.into(), it.reason.to_string()));
                Err(Ended::Closed { code, reason })
            }
            Some(Ok(_)) => Ok(Incoming::Alive),
            Some(Err(error)) => Err(Ended::Lost(error)),
            None => Err(Ended::Lost(tungstenite::Error::ConnectionClosed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_families_take_turns() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(address).to_vec();
        let order = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(address);
        assert_eq!(by_turns(given), order);
        assert_eq!(by_turns(Vec::new()), []);
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_holds_nothing_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let there = listener.local_addr().expect("an address");
        // A backlog that is full takes no more: the next connection to it waits as in a black hole.
        let full = tokio::net::TcpSocket::new_v4().expect("a socket");
        full.bind(address("127.0.0.1:0")).expect("bound");
        let full = full.listen(1).expect("listens");
        let hole = full.local_addr().expect("an address");
        let mut held = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(hole)).await {
            held.push(stream);
        }
        let stream = tokio::time::timeout(Duration::from_secs(3), first_of(vec![hole, there])).await;
        assert_eq!(stream.expect("in time").expect("connects").peer_addr().expect("an address"), there);
        // One that refuses is passed over at once.
        let refused =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound").local_addr().expect("an address");
        let began = tokio::time::Instant::now();
        first_of(vec![refused, there]).await.expect("connects");
        assert!(began.elapsed() < NEXT_ADDRESS, "{:?}", began.elapsed());
        assert!(first_of(vec![refused]).await.is_err());
        drop(held);
    }
}

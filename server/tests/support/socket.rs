//! A WebSocket as it is, for tests of the wire itself: any bytes out, every frame in.

use std::net::SocketAddr;

use chapar_protocol::{
    Command, SUBPROTOCOL, WireError,
    frame::{self, ServerFrame},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::{Message, handshake::client::generate_key, protocol::WebSocketConfig};

use super::within;

/// How a connection ended: its close code, or none when the line was just cut.
pub type End = Option<u16>;

pub struct RawSocket {
    pub stream: WebSocketStream<TcpStream>,
}

impl RawSocket {
    /// # Errors
    /// When nobody listens there, or the upgrade is refused.
    pub async fn try_connect(address: SocketAddr) -> Result<Self, tungstenite::Error> {
        let tcp = TcpStream::connect(address).await?;
        Self::over(tcp, address).await
    }

    /// The WebSocket handshake over a TCP connection that the test has made in its own way.
    ///
    /// # Errors
    /// When the upgrade is refused.
    pub async fn over(tcp: TcpStream, address: SocketAddr) -> Result<Self, tungstenite::Error> {
        tcp.set_nodelay(true)?;
        let request = tungstenite::http::Request::builder()
            .uri(format!("ws://{address}/ws"))
            .header("Host", address.to_string())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .header("Sec-WebSocket-Protocol", SUBPROTOCOL)
            .body(())
            .expect("a request");
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let (stream, response) = tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await?;
        assert_eq!(
            response.headers().get("sec-websocket-protocol").map(tungstenite::http::HeaderValue::as_bytes),
            Some(SUBPROTOCOL.as_bytes())
        );
        Ok(Self { stream })
    }

    pub async fn connect(address: SocketAddr) -> Self {
        within("a WebSocket", Self::try_connect(address)).await.expect("connected")
    }

    pub async fn send(&mut self, message: Message) {
        within("the socket to take a frame", self.stream.send(message)).await.expect("sent");
    }

    pub async fn text(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    /// The next text frame, or how the connection ended.
    pub async fn next(&mut self) -> Result<String, End> {
        within("a frame", async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                    Some(Ok(Message::Close(close))) => return Err(close.map(|close| close.code.into())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(None),
                }
            }
        })
        .await
    }

    /// The next reply, whatever events come before it.
    pub async fn reply(&mut self) -> Result<(Option<u64>, Result<String, WireError>), End> {
        loop {
            let text = self.next().await?;
            match ServerFrame::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}")) {
                ServerFrame::Ok { id, reply } => return Ok((Some(id), Ok(reply.get().to_owned()))),
                ServerFrame::Error { id, error } => return Ok((id, Err(error))),
                ServerFrame::Event(_) | ServerFrame::UnknownEvent(_) => {}
            }
        }
    }

    /// A command and its answer.
    pub async fn call<C: Command>(&mut self, id: u64, command: &C) -> Result<C::Reply, WireError> {
        self.text(frame::request(id, command)).await;
        let (got, outcome) = self.reply().await.unwrap_or_else(|end| panic!("{}: closed with {end:?}", C::METHOD));
        assert_eq!(got, Some(id));
        outcome.map(|reply| serde_json::from_str(&reply).expect("fits"))
    }

    /// How the connection ends, reading whatever comes before.
    pub async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}

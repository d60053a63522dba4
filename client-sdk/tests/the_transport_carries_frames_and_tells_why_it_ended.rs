//! Against a bare WebSocket server in this process.

use chapar_client::transport::{self, ConnectError, Ended, Incoming, Options};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{Request, Response},
    protocol::CloseFrame,
};

/// Accepts one connection, echoes texts, and closes with 4005 when it hears `bye`.
async fn serve(listener: TcpListener, subprotocol: Option<&'static str>) {
    let (stream, _) = listener.accept().await.expect("a client");
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let choose = |_: &Request, mut response: Response| {
        if let Some(name) = subprotocol {
            response.headers_mut().insert("Sec-WebSocket-Protocol", name.parse().expect("a header"));
        }
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, choose).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if message.to_text().is_ok_and(|text| text == "bye") {
            let frame = CloseFrame { code: 4005.into(), reason: "node going away".into() };
            socket.send(Message::Close(Some(frame))).await.expect("sent");
        } else if message.is_text() {
            socket.send(message).await.expect("sent");
        }
    }
}

#[tokio::test]
async fn frames_come_back_in_order_and_the_close_code_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(serve(listener, Some("chapar.v1")));
    let (mut sender, mut receiver) = transport::connect(&url, &Options::default()).await.expect("connected");
    for number in 0..100 {
        sender.feed(format!("پیام {number}")).await.expect("fed");
    }
    sender.flush().await.expect("flushed");
    for number in 0..100 {
        let Incoming::Text(text) = receiver.next().await.expect("a frame") else { panic!("not a text") };
        assert_eq!(text.as_str(), format!("پیام {number}"));
    }
    sender.send("bye").await.expect("sent");
    let ended = receiver.next().await.expect_err("closed");
    assert!(matches!(ended, Ended::Closed { code: 4005, .. }), "{ended}");
}

#[tokio::test]
async fn a_server_without_the_subprotocol_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("ws://{}/ws", listener.local_addr().expect("bound"));
    tokio::spawn(serve(listener, None));
    let error = transport::connect(&url, &Options::default()).await.expect_err("refused");
    assert!(matches!(error, ConnectError::OtherProtocol), "{error}");
}

//! Pages of foreign origins may not; too many connections may not; nobody else is refused.

use futures_util::SinkExt as _;
use tokio::net::TcpStream;
use tungstenite::{Error, Message, client::ClientRequestBuilder};

use crate::support::{RawSocket, World, world::Plan};

async fn with_header(world: &World, name: &str, value: &str) -> Result<(), u16> {
    let address = world.at(0);
    let tcp = TcpStream::connect(address).await.expect("connected");
    let uri = format!("ws://{address}/ws").parse().expect("a URI");
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("chapar.v1").with_header(name, value);
    match tokio_tungstenite::client_async(request, tcp).await {
        Ok(_) => Ok(()),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_pages_of_allowed_origins() {
    let world = Plan::single().flags(&["--allowed-origins", "https://chat.example"]).start().await;
    let own = format!("http://{}", world.at(0));
    assert_eq!(with_header(&world, "Origin", &own).await, Ok(()));
    assert_eq!(with_header(&world, "Origin", "https://chat.example").await, Ok(()));
    assert_eq!(with_header(&world, "X-Nothing", "programs have no origin").await, Ok(()));
    for foreign in ["https://evil.example", "https://chat.example.evil.example", "null", "http://chat.example"] {
        assert_eq!(with_header(&world, "Origin", foreign).await, Err(403), "{foreign}");
    }
}

#[tokio::test]
async fn so_many_from_one_address() {
    let world = Plan::single().flags(&["--max-connections-per-address", "3"]).start().await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(RawSocket::connect(world.at(0)).await);
    }
    match RawSocket::try_connect(world.at(0)).await {
        Ok(_) => panic!("a fourth connection was let in"),
        Err(Error::Http(response)) => assert!(matches!(response.status().as_u16(), 429 | 503), "{}", response.status()),
        Err(error) => panic!("{error}"),
    }
    // A place that is left is free again.
    held.pop();
    crate::support::within("a free place", async {
        loop {
            if let Ok(mut socket) = RawSocket::try_connect(world.at(0)).await {
                let _ = socket.stream.send(Message::text(r#"{"id":1,"method":"ping"}"#)).await;
                // Answered, if only that hello comes first.
                if socket.reply().await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

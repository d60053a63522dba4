//! Somebody asks for much and reads nothing: the node makes no more than some pages for it, and lets it go.

use std::time::{Duration, Instant};

use chapar_protocol::{
    Seq,
    command::{Hello, History},
    frame,
};
use tokio::net::TcpSocket;
use tungstenite::Message;

use crate::support::{RawSocket, http, within, world::Plan};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn sixty_four_pages_are_not_made_at_once() {
    let world = Plan::single().flags(&["--heartbeat-seconds", "2"]).start().await;
    let [writer] = world.people().await;
    let chat = world.group(&writer, &[]).await;
    writer.connect(world.at(0)).await;
    let long = "چ".repeat(4000);
    for _ in 0..100 {
        writer.say(chat, &long).await;
    }
    writer.cut().await;

    let before = world.nodes[0].memory();
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let socket = TcpSocket::new_v4().expect("socket");
        socket.set_recv_buffer_size(4096).expect("small buffer");
        let tcp = socket.connect(world.at(0)).await.expect("connected");
        let mut socket = RawSocket::over(tcp, world.at(0)).await.expect("upgraded");
        socket.call(0, &Hello { token: writer.token().to_owned(), resume: None }).await.expect("welcome");
        for id in 1..=64 {
            let page = History { chat_id: chat, seq: Seq((1 << 53) - 1), before: 200, after: 0 };
            socket.send(Message::text(frame::request(id, &page))).await;
        }
        stuck.push(socket);
    }
    let began = Instant::now();
    let mut most = 0;
    // It neither reads nor speaks: its node says so in its metrics when it has let all four go.
    within("the end of all four", async {
        loop {
            most = most.max(world.nodes[0].memory());
            if http::metric(world.at(0), "chapar_connections").await == Some(0.0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let grown = most.saturating_sub(before);
    // 64 pages of 800 kB each would be 51 MB for every one of them.
    assert!(grown < 40 * MIB, "the node grew by {} MiB", grown / MIB);
    drop(stuck);
}

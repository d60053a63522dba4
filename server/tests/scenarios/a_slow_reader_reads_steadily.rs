//! Somebody asks for much over a slow line and reads all the time, as fast as the line is: it takes long, but it is not given up,
//! and nothing is missing in the end. What counts is that the reader gets on, not how much waits.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use chapar_protocol::{
    Seq,
    command::{Hello, History},
    frame,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket},
};
use tungstenite::Message;

use crate::support::{RawSocket, within, world::Plan};

/// Pages that are asked for at once.
const PAGES: u64 = 60;
/// Bytes that the line carries at once, before it becomes slow, so that every buffer on the way has grown.
const FAST_BYTES: usize = 6 * 1024 * 1024;
/// Bytes a second that it carries then, and for how long: several times what may pass without a byte.
const SLOW_BYTES: usize = 32 * 1024;
const SLOW: Duration = Duration::from_secs(25);

#[tokio::test]
async fn and_is_not_taken_for_stuck() {
    let world = Plan::single().flags(&["--heartbeat-seconds", "4"]).start().await;
    let [person] = world.people().await;
    let chat = world.group(&person, &[]).await;
    person.connect(world.at(0)).await;
    let long = "چ".repeat(4000);
    for _ in 0..100 {
        person.say(chat, &long).await;
    }
    person.cut().await;

    // The line: a relay that reads from the node with a window like that of a real network, first fast, then slowly.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let line = listener.local_addr().expect("an address");
    let node = world.at(0);
    let carrying = tokio::spawn(async move {
        let (near, _) = listener.accept().await.expect("a client");
        let socket = TcpSocket::new_v4().expect("socket");
        socket.set_recv_buffer_size(128 * 1024).expect("a window");
        let far = socket.connect(node).await.expect("connected");
        let (mut from_client, mut to_client) = near.into_split();
        let (mut from_node, mut to_node) = far.into_split();
        let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_node).await });
        let (mut carried, mut slow_since) = (0, None::<Instant>);
        let mut buffer = vec![0; SLOW_BYTES / 8];
        // What comes late on a busy machine is made up for: the line is never slower than it is said to be.
        let mut pace = tokio::time::interval(Duration::from_millis(125));
        loop {
            let read = from_node.read(&mut buffer).await.unwrap_or(0);
            if read == 0 || to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            carried += read;
            if carried > FAST_BYTES {
                let since = *slow_since.get_or_insert_with(|| {
                    pace.reset();
                    Instant::now()
                });
                if since.elapsed() < SLOW {
                    pace.tick().await;
                }
            }
        }
        up.abort();
        slow_since.map(|since| since.elapsed())
    });

    let mut socket = RawSocket::connect(line).await;
    socket.call(0, &Hello { token: person.token().to_owned(), resume: None }).await.expect("welcome");
    for id in 1..=PAGES {
        let page = History { chat_id: chat, seq: Seq((1 << 53) - 1), before: 200, after: 0 };
        socket.send(Message::text(frame::request(id, &page))).await;
    }
    let mut answered = HashSet::new();
    let reading = async {
        while answered.len() < usize::try_from(PAGES).expect("few") {
            let (id, page) = match socket.reply().await {
                Ok(reply) => reply,
                Err(end) => panic!("closed with {end:?} after {} pages", answered.len()),
            };
            page.expect("a page");
            answered.insert(id);
        }
    };
    tokio::time::timeout(4 * SLOW, reading).await.expect("all pages");
    drop(socket);
    let slow = within("the end of the line", carrying).await.expect("no panic");
    assert!(slow.is_some_and(|slow| slow >= SLOW), "it never was slow: {slow:?}");
}

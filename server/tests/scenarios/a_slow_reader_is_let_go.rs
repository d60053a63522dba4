//! Somebody who does not read is closed with 4004, catches up from the cursor, and harms nobody else.

use std::time::Duration;

use chapar_protocol::{CloseCode, command::Hello};
use tokio::net::TcpSocket;

use crate::support::{Device, PATIENCE, RawSocket, audit::all_equal, http, world::Plan};

/// Nothing that a socket or a queue could swallow: 1,500 messages of 12 kB.
const MESSAGES: usize = 1500;

#[tokio::test]
async fn and_comes_back_to_everything() {
    let world = Plan::single().start().await;
    let [writer, slow, quick] = world.people().await;
    let group = world.group(&writer, &[&slow, &quick]).await;
    writer.connect(world.at(0)).await;
    quick.connect(world.at(0)).await;
    // It knows the chat as it is now.
    slow.connect(world.at(0)).await;
    slow.cut().await;

    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(4096).expect("small buffer");
    let tcp = socket.connect(world.at(0)).await.expect("connected");
    let mut deaf = RawSocket::over(tcp, world.at(0)).await.expect("upgraded");
    let hello = Hello { token: slow.token().to_owned(), resume: slow.model().resume() };
    deaf.call(1, &hello).await.expect("welcome");

    let long = "چ".repeat(4000);
    let lanes = (0..16).map(|lane| {
        let (writer, long) = (writer.clone(), long.clone());
        tokio::spawn(async move {
            for n in 0..MESSAGES / 16 {
                writer.say(group, &format!("{lane} {n} {long}")).await;
            }
        })
    });
    let lanes: Vec<_> = lanes.collect();
    // It reads again only when it has been given up, while the others still write.
    let given_up = async {
        let counter = format!("chapar_closed_total{{reason=\"{}\"}}", CloseCode::SlowReader.reason());
        while http::metric(world.at(0), &counter).await != Some(1.0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Many megabytes are written until then: on a busy machine that takes its time.
    tokio::time::timeout(3 * PATIENCE, given_up).await.expect("the deaf one is given up");
    assert_eq!(deaf.end().await, Some(CloseCode::SlowReader.number()));
    for lane in lanes {
        tokio::time::timeout(3 * PATIENCE, lane).await.expect("the writers end").expect("no panic");
    }
    all_equal(world.at(0), group, &[writer.clone(), quick]).await;

    let back = Device::new(slow.account().clone());
    let welcome = slow.connect(world.at(0)).await;
    assert!(welcome.sync.reset.is_empty());
    back.connect(world.at(0)).await;
    all_equal(world.at(0), group, &[slow, back]).await;
}

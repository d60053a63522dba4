//! The line breaks between a message and its answer, at every moment in turn. The retry finds out, on any node.

use std::time::Duration;

use chapar_protocol::{command::Hello, frame};

use crate::support::{RawSocket, audit::all_equal, device::message, traffic::Written, world::Plan};

#[tokio::test]
async fn the_retry_makes_it_one_message() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(1)).await;
    reader.connect(world.at(0)).await;
    let mut written = Vec::new();
    for round in 0..60 {
        let text = format!("round {round}");
        let message = message(group, &text);
        let mut socket = RawSocket::connect(world.at(0)).await;
        let hello = Hello { token: writer.token().to_owned(), resume: None };
        socket.call(1, &hello).await.expect("in");
        socket.text(frame::request(2, &message)).await;
        // From before the statement begins until after the commit.
        tokio::time::sleep(Duration::from_micros(150 * round)).await;
        drop(socket);
        let client_id = message.client_id;
        let acknowledged = Some(writer.must(message).await.seq);
        written.push(Written { sender: writer.id(), client_id, text, acknowledged });
    }
    let audit = all_equal(world.at(1), group, &[writer, reader]).await;
    audit.proves(&written);
    audit.agrees_with(&world.database);
}

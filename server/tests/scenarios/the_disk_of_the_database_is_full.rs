//! The disk of the database is full: what is sent is refused, `/readyz` says so, and when there is room everything goes on.

use std::time::Duration;

use chapar_protocol::{Action, ChatId};
use uuid::Uuid;

use crate::support::{
    Device, Failure, audit::all_equal, device::message, http, postgres::Cluster, traffic::Written, within, world::Plan,
};

/// Long, and not to be compressed: it needs room of its own.
fn long_text() -> String {
    (0..100).map(|_| Uuid::new_v4().simple().to_string()).collect()
}

/// Says something that must be stored.
async fn say(writer: &Device, group: ChatId, text: String) -> Written {
    let message = message(group, &text);
    let client_id = message.client_id;
    let acknowledged = Some(writer.must(message).await.seq);
    Written { sender: writer.id(), client_id, text, acknowledged }
}

#[tokio::test]
async fn the_node_says_so_and_comes_back() {
    let Some(cluster) = Cluster::start_on_small_disk(300) else {
        println!("skipped: this account may not mount a small disk");
        return;
    };
    let world = Plan::single().over_postgres(cluster).start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let mut written = vec![say(&writer, group, "there is room".to_owned()).await];
    assert_eq!(http::get(world.at(0), "/readyz").await.status, 200);

    world.database.cluster().fill();
    let error = within("a message to be refused", async {
        loop {
            let text = long_text();
            let message = message(group, &text);
            let client_id = message.client_id;
            let answer = writer.call(&message).await;
            let acknowledged = answer.as_ref().ok().map(|sent| sent.seq);
            written.push(Written { sender: writer.id(), client_id, text, acknowledged });
            match answer {
                Ok(_) => {}
                Err(Failure::Refused(error)) => return error,
                Err(Failure::Lost) => panic!("the connection is lost"),
            }
        }
    })
    .await;
    assert_eq!(error.action, Action::Retry, "{error:?}");
    let ready = http::get(world.at(0), "/readyz").await;
    assert_eq!((ready.status, ready.body.contains("disk")), (503, true), "{ready:?}");
    // Asked again, it does not forget.
    assert_eq!(http::get(world.at(0), "/readyz").await.status, 503);
    assert_eq!(http::get(world.at(0), "/healthz").await.status, 200);

    world.database.cluster().free();
    within("/readyz to be well", async {
        while http::get(world.at(0), "/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    written.push(say(&writer, group, long_text()).await);
    let audit = all_equal(world.at(0), group, &[writer, reader]).await;
    audit.agrees_with(&world.database);
    audit.proves(&written);
}

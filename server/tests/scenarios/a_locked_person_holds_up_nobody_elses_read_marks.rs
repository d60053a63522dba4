//! Somebody's own row is locked, by an operator or by a node that hangs: the read marks of all others go on, and theirs follows.

use chapar_protocol::{Seq, command::MarkRead};
use futures_util::future::{Either, select};

use crate::support::{within, world::Plan};

#[tokio::test(flavor = "multi_thread")]
async fn only_they_wait() {
    let world = Plan::single().start().await;
    let [writer, locked, other] = world.people().await;
    let chat_id = world.group(&writer, &[&locked, &other]).await;
    for device in [&writer, &locked, &other] {
        device.connect(world.at(0)).await;
    }
    let seq: Seq = writer.say(chat_id, "one").await.seq;
    let lock = format!("UPDATE people.users SET name = name WHERE id = {}", locked.id());
    let somebody = world.database.meanwhile(&lock);
    let mark = MarkRead { chat_id, seq };
    let waits = Box::pin(locked.call(&mark));
    // Asked for after the one that waits.
    let goes_on = Box::pin(async {
        tokio::task::yield_now().await;
        other.must(MarkRead { chat_id, seq }).await
    });
    let waits = match within("the other's mark", select(waits, goes_on)).await {
        Either::Right((_, waits)) => waits,
        Either::Left(_) => panic!("whose row is locked was answered first"),
    };
    world.database.end_meanwhile();
    within("the mark of the locked one", waits).await.expect("it is done when the lock is gone");
    locked.until("the own mark", |model| model.mine[&chat_id].read_seq == seq).await;
    drop(somebody);
}

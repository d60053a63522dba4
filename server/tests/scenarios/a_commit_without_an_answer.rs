//! What was committed is told to everybody, also when the answer to the commit was lost.

use std::time::Duration;

use chapar_protocol::{command::Edit, message::NewBody};

use crate::support::{World, http, within, world::Plan};

async fn comparisons(world: &World, node: usize) -> u64 {
    let metrics = http::get(world.at(node), "/metrics").await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("chapar_comparisons_total "));
    line.expect("the metric").trim().parse().expect("a number")
}

#[tokio::test]
async fn the_others_hear_of_it() {
    let world = Plan::pair().own_postgres().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let seq = writer.say(group, "before").await.seq;
    reader.sees(group, "before").await;
    let before = comparisons(&world, 1).await;

    // A commit waits for a standby that does not exist. When its backend is ended the transaction stands, without an answer.
    world.database.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    world.database.sql("SELECT pg_reload_conf()");
    let edit = Edit { chat_id: group, seq, body: NewBody::text("afterwards") };
    let editing = tokio::spawn({
        let writer = writer.clone();
        async move { writer.call(&edit).await }
    });
    // Not what the node notes by itself meanwhile, such as who was seen.
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE wait_event = 'SyncRep' AND query LIKE '%write_changes%'";
    within("the commit to wait", async {
        while world.database.sql(end) == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    world.database.sql("ALTER SYSTEM RESET synchronous_standby_names");
    world.database.sql("SELECT pg_reload_conf()");

    // The node asks again, and finds what was asked for.
    editing.await.expect("no panic").expect("edited");
    writer.sees(group, "afterwards").await;
    reader.sees(group, "afterwards").await;
    assert_eq!(comparisons(&world, 1).await, before, "the other node was told what is in doubt, not that all is");
}

//! After a fail-over a node is still connected to the old primary, now a standby: it refuses what is sent and says so at
//! `/readyz`, and goes on as soon as new connections lead to a server that takes changes.

use std::time::{Duration, Instant};

use chapar_protocol::Action;

use crate::support::{Failure, audit::all_equal, device::message, http, within, world::Plan};

#[tokio::test]
async fn a_node_lets_go_of_a_server_that_became_read_only() {
    let world = Plan::single().own_postgres().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    writer.say(group, "before").await;
    assert_eq!(http::get(world.at(0), "/readyz").await.status, 200);

    // Only connections made from now on are read-only, and they stay so, as those to a standby would.
    let alter = |how: &str| {
        world.database.sql(&format!(
            "BEGIN READ WRITE; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {how}', current_database()); END $$; COMMIT"
        ))
    };
    alter("SET default_transaction_read_only = on");
    world.database.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    within("/readyz to say so", async {
        while http::get(world.at(0), "/readyz").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let refused = message(group, "meanwhile");
    for _ in 0..4 {
        match writer.call(&refused).await {
            Err(Failure::Refused(error)) => assert_eq!(error.action, Action::Retry, "{error:?}"),
            other => panic!("it cannot be stored: {other:?}"),
        }
        let ready = http::get(world.at(0), "/readyz").await;
        assert_eq!((ready.status, ready.body.contains("takes no changes")), (503, true), "{ready:?}");
    }

    alter("RESET default_transaction_read_only");
    let since = Instant::now();
    while writer.call(&refused).await.is_err() || http::get(world.at(0), "/readyz").await.status != 200 {
        assert!(since.elapsed() < Duration::from_secs(2), "the node keeps the old server");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all_equal(world.at(0), group, &[writer, reader]).await.agrees_with(&world.database);
}

//! All bytes of an upload are here, and in that moment the database refuses what follows: whoever waits to send the file waits for
//! seconds after it is well again.

use std::time::Duration;

use crate::support::{
    tus::{Tus, becomes, id, noise},
    within,
    world::Plan,
};

#[tokio::test]
async fn it_is_ready_soon_after() {
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(7, 50_000);
    let path = tus.create("document", "a.bin", bytes.len()).await;
    world.database.sql("ALTER TABLE blobs RENAME TO blobs_elsewhere");
    tus.patch(&path, 0, &bytes, None).await.expect("taken");
    within("a try", async {
        while !world.nodes[0].log().contains("not stored or prepared yet") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let state = world.database.sql(&format!("SELECT state FROM files WHERE id = '{}'", id(&path)));
    assert_eq!(state.trim(), "preparing");
    world.database.sql("ALTER TABLE blobs_elsewhere RENAME TO blobs");
    becomes(&world, &path, "ready").await;
    assert_eq!(
        world.database.sql("SELECT count(*) FROM jobs WHERE kind = 'prepare_file'").trim(),
        "0",
        "nothing is left to do"
    );
}

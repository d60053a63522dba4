//! The node is killed while bytes come, again and again: what it has acknowledged is there, and the upload arrives whole; so does a file
//! that was complete and not stored yet.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{
    tus::{self, Tus, becomes, hash, noise, stored_hash},
    world::Plan,
};

#[tokio::test]
async fn what_was_acknowledged_is_there_and_the_upload_goes_on() {
    let seed = tus::seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut world = Plan::single().start().await;
    let [me] = world.people().await;
    let mut tus = Tus::of(&world, &me);
    let bytes = noise(seed, 6_000_000);
    let path = tus.create("document", "a", bytes.len()).await;
    let mut at = 0;
    for _ in 0..4 {
        // Some bytes are acknowledged, more are on their way.
        let acknowledged = at + dice.random_range(1..600_000);
        let answer = tus.patch(&path, at as u64, &bytes[at..acknowledged], None).await.expect("taken");
        assert_eq!(answer.status, 204, "{answer:?}");
        let mut stream = TcpStream::connect(tus.address).await.expect("connected");
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
             Content-Type: application/offset+octet-stream\r\nUpload-Offset: {acknowledged}\r\nContent-Length: {}\r\n\r\n",
            tus.token,
            bytes.len() - acknowledged
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let sent = acknowledged + dice.random_range(1..800_000);
        stream.write_all(&bytes[acknowledged..sent]).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..60))).await;
        world.restart(0);
        drop(stream);
        tus.address = world.at(0);
        let now = usize::try_from(tus.offset(&path).await).expect("fits");
        assert!((acknowledged..=sent).contains(&now), "{now}, of {acknowledged} acknowledged and {sent} sent");
        at = now;
    }
    let answer = tus.patch(&path, at as u64, &bytes[at..], None).await.expect("taken");
    assert_eq!(answer.status, 204, "{answer:?}");
    // Complete, and killed before it can be stored.
    world.restart(0);
    tus.address = world.at(0);
    assert_eq!(tus.offset(&path).await, bytes.len() as u64);
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
}

#[tokio::test]
async fn what_it_was_preparing_is_prepared_as_soon_as_it_is_back() {
    let seed = tus::seed();
    let mut world = Plan::single().start().await;
    let [me] = world.people().await;
    let mut tus = Tus::of(&world, &me);
    let unprepared = "SELECT count(*) FROM files WHERE blob IS NOT NULL AND state = 'preparing'";
    for turn in 0..10 {
        let mut paths = Vec::new();
        for each in 0..12 {
            let bytes = noise(seed + turn * 100 + each, 20_000);
            let path = tus.create("document", "a", bytes.len()).await;
            assert_eq!(tus.patch(&path, 0, &bytes, None).await.expect("taken").status, 204);
            paths.push(path);
        }
        world.nodes[0].kill();
        // Unless the machine was so quick that all was done: then once more.
        let caught = world.database.sql(unprepared) != "0";
        world.restart(0);
        tus.address = world.at(0);
        for path in &paths {
            becomes(&world, path, "ready").await;
        }
        if caught {
            return;
        }
    }
    panic!("no file was ever between being stored and being prepared");
}

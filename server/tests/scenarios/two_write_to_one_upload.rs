//! Two connections write to one upload: one of them does, the other is told so, and no byte is mixed.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{
    tus::{self, Tus, becomes, hash, noise, stored_hash},
    within,
    world::Plan,
};

#[tokio::test]
async fn the_second_is_told_to_wait_until_the_first_falls_silent() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 1_000_000);
    let path = tus.create("document", "a", bytes.len()).await;
    let mut first = TcpStream::connect(tus.address).await.expect("connected");
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
         Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: {}\r\n\r\n",
        tus.token,
        bytes.len()
    );
    first.write_all(head.as_bytes()).await.expect("sent");
    first.write_all(&bytes[..300_000]).await.expect("sent");
    let mut refused = 0;
    let answer = within("the second to be let in", async {
        loop {
            // It never says that a byte is there which is not.
            let at = tus.offset(&path).await;
            assert!(at <= 300_000);
            let at = usize::try_from(at).expect("fits");
            let answer = tus.patch(&path, at as u64, &bytes[at..], None).await.expect("an answer");
            match answer.status {
                423 => refused += 1,
                409 => assert_eq!(answer.code(), "upload_conflict"),
                _ => break answer,
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!((answer.status, answer.number("upload-offset")), (204, bytes.len() as u64), "{answer:?}");
    println!("told to wait {refused} times");
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
}

#[tokio::test]
async fn many_at_once_bring_it_in_whole_together() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 800_000);
    let path = tus.create("document", "a", bytes.len()).await;
    let write = async || {
        loop {
            let at = usize::try_from(tus.offset(&path).await).expect("fits");
            if at == bytes.len() {
                return;
            }
            let end = bytes.len().min(at + 50_000);
            let Ok(answer) = tus.patch(&path, at as u64, &bytes[at..end], None).await else { continue };
            assert!([204, 409, 423].contains(&answer.status), "{answer:?}");
        }
    };
    within("all to be there", async { tokio::join!(write(), write(), write(), write()) }).await;
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
}

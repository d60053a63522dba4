//! A disk that takes its time while the state is saved, against the real server.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use chapar_client::{
    Client, MemoryStore, Store,
    core::{
        outbox::OutboxItem,
        saved::{Saved, State},
    },
    protocol::{User, message::NewBody},
};
use tokio::time::timeout;
use uuid::Uuid;
use world::{PATIENCE, Server, person, texts, until};

/// Keeps everything in memory, and the state, or messages that are to go out, only when it is let.
#[derive(Default)]
struct SlowDisk {
    inner: MemoryStore,
    /// Messages wait, and not the state.
    outbox: bool,
    gate: Mutex<Gate>,
    opened: Condvar,
    begun: tokio::sync::Notify,
}

#[derive(Default)]
struct Gate {
    open: bool,
    saves: usize,
}

impl SlowDisk {
    fn open(&self) {
        self.gate.lock().expect("not poisoned").open = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.begun.notify_one();
        let gate = self.gate.lock().expect("not poisoned");
        let (mut gate, late) = self.opened.wait_timeout_while(gate, PATIENCE, |gate| !gate.open).expect("not poisoned");
        assert!(!late.timed_out(), "the disk was never let");
        gate.saves += 1;
    }
}

impl Store for SlowDisk {
    fn load(&self) -> io::Result<Saved> {
        self.inner.load()
    }
    fn set_owner(&self, owner: &User) -> io::Result<()> {
        self.inner.set_owner(owner)
    }
    fn put(&self, items: &[OutboxItem]) -> io::Result<()> {
        if self.outbox {
            self.pass();
        }
        self.inner.put(items)
    }
    fn remove(&self, client_ids: &[Uuid]) -> io::Result<()> {
        self.inner.remove(client_ids)
    }
    fn save_state(&self, state: &State) -> io::Result<()> {
        if !self.outbox {
            self.pass();
        }
        self.inner.save_state(state)
    }
}

#[tokio::test]
async fn a_slow_disk_keeps_nobody_from_reading() {
    let server = Server::start();
    let reza = person(&server.url, "reza").await;
    let disk = Arc::new(SlowDisk::default());
    let sara = Client::builder(&server.url).store(Arc::clone(&disk));
    let sara = sara.register("sara", "a long password", None).await.expect("registered");
    let mut at_sara = sara.events();
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    until(&mut at_sara, "the chat", || sara.chat(chat_id).is_some()).await;

    // The state is on its way to the disk, and does not arrive.
    timeout(PATIENCE, disk.begun.notified()).await.expect("the state is saved by itself");
    reza.send(chat_id, NewBody::text("while the disk is busy"), None).await.expect("sent");
    until(&mut at_sara, "what came meanwhile", || texts(&sara, chat_id) == ["while the disk is busy"]).await;
    // Also what is written goes out: it is kept in another file.
    sara.send(chat_id, NewBody::text("I read you"), None).await.expect("sent");
    // Stored is told before the chat tells it.
    until(&mut at_sara, "her own words", || sara.chat(chat_id).is_some_and(|it| it.last_seq.0 == 2)).await;
    assert_eq!(disk.gate.lock().expect("not poisoned").saves, 0);

    // The last word on the disk is the newest, though an older one was still on its way when she closed.
    let closing = tokio::spawn(async move { sara.close().await });
    disk.open();
    timeout(PATIENCE, closing).await.expect("it closes").expect("no panic");
    let state = disk.load().expect("read").state.expect("saved");
    assert_eq!(state.chats[&chat_id].last_seq.0, 2);
}

#[tokio::test]
async fn what_is_written_reaches_a_slow_disk_while_frames_are_read() {
    let server = Server::start();
    let reza = person(&server.url, "reza").await;
    let disk = Arc::new(SlowDisk { outbox: true, ..SlowDisk::default() });
    let sara = Client::builder(&server.url).store(Arc::clone(&disk));
    let sara = sara.register("sara", "a long password", None).await.expect("registered");
    let mut at_sara = sara.events();
    let chat_id = sara.open_direct(reza.me().expect("known").id).await.expect("opened").chat.id;
    until(&mut at_sara, "the chat", || sara.chat(chat_id).is_some()).await;

    // Three messages: the first is on its way to the disk, the others gather.
    let sending: Vec<_> = ["one", "two", "three"].map(|text| sara.post(chat_id, NewBody::text(text), None)).into();
    timeout(PATIENCE, disk.begun.notified()).await.expect("it is to be kept");
    reza.send(chat_id, NewBody::text("while the disk is busy"), None).await.expect("sent");
    until(&mut at_sara, "what came meanwhile", || texts(&sara, chat_id) == ["while the disk is busy"]).await;
    assert_eq!(sending.len(), 3);

    // Nothing goes out that is not kept; then all does, in its order.
    disk.open();
    let all = ["while the disk is busy", "one", "two", "three"];
    until(&mut at_sara, "her own", || texts(&sara, chat_id) == all).await;
    timeout(PATIENCE, sara.close()).await.expect("it closes");
    assert!(disk.load().expect("read").outbox.is_empty(), "what went out is not kept any longer");
}

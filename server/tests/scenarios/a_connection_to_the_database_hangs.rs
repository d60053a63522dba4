//! A backend of Postgres stops, as behind a network that lost its state or on a machine that hangs. Others go on, and nobody
//! waits longer than six seconds for an answer.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chapar_protocol::{
    Action, ChatId, ErrorCode,
    command::{Edit, GetChat},
    message::NewBody,
};
use futures_util::future::join_all;

use crate::support::{
    Device, Failure, World, audit::all_equal, device::message, http, postgres::Frozen, within, world::Plan,
};

const LONGEST: Duration = Duration::from_secs(6);

struct Place {
    world: World,
    writer: Device,
    guest: Device,
    chats: Vec<ChatId>,
}

/// Some chats on every worker, and all connections in use at least once.
async fn place() -> Place {
    let world = Plan::single().own_postgres().start().await;
    let [writer, other, guest] = world.people().await;
    let mut chats = Vec::new();
    for _ in 0..8 {
        chats.push(world.group(&writer, &[&other, &guest]).await);
    }
    writer.connect(world.at(0)).await;
    // Many at once, so that each kind of work has several connections.
    let looks: Vec<GetChat> = chats.iter().map(|chat_id| GetChat { chat_id: *chat_id }).collect();
    join_all(looks.iter().map(|look| writer.call(look))).await;
    join_all([&other, &guest].map(|person| person.connect(world.at(0)))).await;
    for chat in &chats {
        writer.say(*chat, "before").await;
    }
    Place { world, writer, guest, chats }
}

impl Place {
    /// A message and an edit in each chat, and a `hello`, all at once. How long the slowest answer took.
    async fn everybody_is_answered(&self) -> Duration {
        let began = Instant::now();
        let sends = join_all(self.chats.iter().map(|chat| async {
            let message = message(*chat, "meanwhile");
            // As a client would: the same again when told so. Each answer must come in time.
            for _ in 0..4 {
                let asked = Instant::now();
                let answer = self.writer.call(&message).await;
                assert!(asked.elapsed() < LONGEST, "a sender waited {:?}", asked.elapsed());
                match answer {
                    Ok(_) => return,
                    Err(Failure::Refused(error)) => {
                        assert_eq!(error.action, Action::Retry, "{error:?}");
                        let wait = error.retry_after_ms.unwrap_or(100);
                        tokio::time::sleep(Duration::from_millis(wait.into())).await;
                    }
                    Err(Failure::Lost) => panic!("the connection is lost"),
                }
            }
            panic!("a message was not stored");
        }));
        let edits = join_all(self.chats.iter().map(|chat| async {
            let asked = Instant::now();
            // The first is the line that the group was made.
            let edit = Edit { chat_id: *chat, seq: chapar_protocol::Seq(2), body: NewBody::text("edited") };
            let answer = self.writer.call(&edit).await;
            assert!(asked.elapsed() < LONGEST, "an editor waited {:?}", asked.elapsed());
            if let Err(Failure::Refused(error)) = answer {
                assert_eq!(error.action, Action::Retry, "{error:?}");
            }
        }));
        let hello = async {
            let asked = Instant::now();
            let answer = self.guest.try_connect(self.world.at(0)).await;
            assert!(asked.elapsed() < LONGEST, "a hello waited {:?}", asked.elapsed());
            if let Err(Failure::Refused(error)) = answer {
                assert_eq!(error.action, Action::Retry, "{error:?}");
            }
        };
        tokio::join!(sends, edits, hello);
        began.elapsed()
    }

    async fn nothing_is_lost(&self) {
        let people = [self.writer.clone(), self.guest.clone()];
        for person in &people {
            person.connect(self.world.at(0)).await;
        }
        for chat in &self.chats {
            all_equal(self.world.at(0), *chat, &people).await.agrees_with(&self.world.database);
        }
    }
}

#[tokio::test]
async fn each_in_turn() {
    let place = place().await;
    let backends = place.world.database.backends();
    assert!(backends.len() >= 4, "several connections are open: {backends:?}");
    for pid in backends {
        let frozen = Frozen::backend(pid);
        let took = place.everybody_is_answered().await;
        println!("backend {pid} frozen: the slowest after {took:?}");
        drop(frozen);
    }
    place.nothing_is_lost().await;
}

#[tokio::test]
async fn all_at_once() {
    let place = place().await;
    let backends = place.world.database.backends();
    let frozen: Vec<Frozen> = backends.iter().copied().map(Frozen::backend).collect();
    let took = place.everybody_is_answered().await;
    println!("all {} frozen: the slowest after {took:?}", backends.len());
    drop(frozen);
    place.nothing_is_lost().await;
}

/// Who holds the lock of a chat holds up that chat, and no other.
#[tokio::test]
async fn somebody_elses_lock_holds_up_its_own_chat_only() {
    let place = place().await;
    let (locked, others) = place.chats.split_first().expect("some");
    let sql = format!("SELECT 1 FROM chats WHERE id = {locked} FOR UPDATE");
    let holder = place.world.database.meanwhile(&sql);
    let began = Instant::now();
    let stuck = message(*locked, "waits");
    let first = {
        let (writer, stuck) = (place.writer.clone(), stuck.clone());
        tokio::spawn(async move { writer.call(&stuck).await })
    };
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(3) {
        for chat in others {
            let asked = Instant::now();
            place.writer.say(*chat, "goes on").await;
            slowest = slowest.max(asked.elapsed());
        }
    }
    println!("the slowest of the others: {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "another chat waited {slowest:?}");
    let error = match first.await.expect("no panic") {
        Err(Failure::Refused(error)) => error,
        other => panic!("it cannot be stored: {other:?}"),
    };
    assert!(began.elapsed() < LONGEST, "an answer after {:?}", began.elapsed());
    assert_eq!(error.code, ErrorCode::Overloaded, "it is known not to be stored: {error:?}");
    place.world.database.end_meanwhile();
    drop(holder);
    place.writer.must(stuck).await;
    place.nothing_is_lost().await;
}

/// Balancers wait for seconds at most: no answer would tell them less than a bad one.
#[tokio::test]
async fn readyz_answers_soon_while_all_of_postgres_hangs() {
    let place = place().await;
    let node = place.world.at(0);
    assert_eq!(http::get(node, "/readyz").await.status, 200);
    place.world.database.cluster().freeze(true);
    let sent = message(place.chats[0], "meanwhile");
    let sending = tokio::spawn({
        let (writer, sent) = (place.writer.clone(), sent.clone());
        async move { writer.call(&sent).await }
    });
    // Past what was known a moment ago.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut said = BTreeSet::new();
    while !sending.is_finished() {
        // Several balancers at once.
        let asked = Instant::now();
        let answers = join_all((0..8).map(|_| http::get(node, "/readyz"))).await;
        assert!(asked.elapsed() < Duration::from_secs(2), "an answer took {:?}", asked.elapsed());
        for answer in answers {
            assert_eq!(answer.status, 503, "{answer:?}");
            said.insert(answer.body);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = ["messages are not stored: a worker hangs\n", "the database does not answer\n"].map(str::to_owned);
    assert_eq!(said, BTreeSet::from(all));
    match sending.await.expect("no panic") {
        Err(Failure::Refused(error)) => assert_eq!(error.action, Action::Retry, "{error:?}"),
        other => panic!("it cannot be stored: {other:?}"),
    }
    place.world.database.cluster().freeze(false);
    within("/readyz to be well", async {
        while http::get(node, "/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    place.writer.must(sent).await;
    place.nothing_is_lost().await;
}

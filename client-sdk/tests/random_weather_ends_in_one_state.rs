//! Several people do random things over networks that break at random; in the end all see what the database holds.
//!
//! The seed is printed; `CHAPAR_SEED=N` runs it again with the same choices.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use chapar_client::{
    Client,
    protocol::{ChatId, ChatKind, Seq, command::Page, message::NewBody},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;
use world::{Server, Wire, until};

const PEOPLE: usize = 3;
const STEPS: usize = 400;

/// Everything that the database has of a chat, with the asking user's own reactions.
async fn truth(client: &Client, chat_id: ChatId) -> Page {
    let mut all = client.history(chat_id, Seq(1), 0, 200).await.expect("a page");
    while all.messages.last().is_some_and(|last| last.seq < all.last_seq) {
        let next = all.messages.last().expect("there").seq.next();
        let page = client.history(chat_id, next, 0, 200).await.expect("a page");
        all.messages.extend(page.messages);
        all.reacted.extend(page.reacted);
    }
    all
}

fn step(client: &Client, chat_id: ChatId, dice: &mut StdRng, under_way: &mut JoinSet<()>) {
    let last = client.chat(chat_id).map_or(1, |chat| chat.last_seq.0.max(1));
    let seq = Seq(dice.random_range(1..=last));
    let client = client.clone();
    let number = dice.random_range(0..1_000_000);
    match dice.random_range(0..10) {
        // Refusals, such as for editing somebody else's message, are part of it.
        0 => {
            under_way.spawn(async move { drop(client.edit(chat_id, seq, NewBody::text(format!("e{number}"))).await) });
        }
        1 => {
            under_way.spawn(async move { drop(client.delete(chat_id, seq).await) });
        }
        2 => {
            under_way.spawn(async move { drop(client.react(chat_id, seq, Some("👍")).await) });
        }
        3 => {
            under_way.spawn(async move { drop(client.react(chat_id, seq, None).await) });
        }
        4 => {
            under_way.spawn(async move { drop(client.mark_read(chat_id, seq).await) });
        }
        _ => {
            client.post(chat_id, NewBody::text(format!("m{number}")), Some(seq).filter(|_| number % 3 == 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_weather_ends_in_one_state() {
    let seed = std::env::var("CHAPAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("CHAPAR_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let server = Server::start();
    let (mut people, mut ids) = (Vec::new(), Vec::new());
    for number in 0..PEOPLE {
        let wire = Wire::to(server.address()).await;
        let client = world::person(&wire.url, &format!("person{number}")).await;
        ids.push(client.me().expect("known").id);
        people.push((client, wire));
    }
    let made = people[0].0.create_chat(ChatKind::Group, "weather", None, ids[1..].to_vec()).await.expect("made");
    let chat_id = made.chat.id;

    let mut under_way = JoinSet::new();
    for _ in 0..STEPS {
        let (client, wire) = &people[dice.random_range(0..PEOPLE)];
        match dice.random_range(0..20) {
            0 => wire.cut(),
            1 | 2 => {
                wire.mend();
                client.hurry();
            }
            _ => step(client, chat_id, &mut dice, &mut under_way),
        }
        if dice.random_range(0..4) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(dice.random_range(0..20))).await;
        }
    }
    for (client, wire) in &people {
        wire.mend();
        client.hurry();
    }
    while under_way.join_next().await.is_some() {}
    for (client, _) in &people {
        let mut events = client.events();
        until(&mut events, "all sent", || client.outbox().is_empty()).await;
    }

    let straight = Client::builder(&server.url).sign_in("person0", "a long password").await.expect("signed in");
    straight.online().await.expect("online");
    let version = straight.get_chat(chat_id).await.expect("there").version;
    for (client, _) in &people {
        let mut events = client.events();
        let same = || client.in_step() && client.chat(chat_id).is_some_and(|chat| chat.version == version);
        until(&mut events, "the last version", same).await;
        let held = client.messages(chat_id);
        let wanted = truth(client, chat_id).await;
        assert_eq!(wanted.version, version, "nothing moves any more");
        let first = held[0].message.seq;
        let rows: Vec<_> = wanted.messages.iter().filter(|message| message.seq >= first).collect();
        assert_eq!(held.iter().map(|view| &view.message).collect::<Vec<_>>(), rows, "seed {seed}");
        for view in &held {
            let mine = wanted.reacted.iter().find(|it| it.seq == view.message.seq).and_then(|it| it.emoji.clone());
            assert_eq!(view.my_reaction, mine, "own reaction to {}, seed {seed}", view.message.seq);
        }
    }
}

//! Several people do anything in any order on two nodes, with cuts, reconnects and deaths of Redis between. In the end
//! everybody's state is the database's. `CHAPAR_TEST_SEED` replays a run's choices.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chapar_protocol::{
    ChatId, ChatKind, Role, Seq,
    command::{AddMembers, CreateChat, Delete, Edit, Join, Leave, MarkRead, OpenDirect, React, RemoveMember, SetRole},
    message::NewBody,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::support::{
    Audit, Device,
    audit::knows_everything,
    device::message,
    model::text,
    within,
    world::{Plan, Routes},
};

const PEOPLE: usize = 6;
const ROUNDS: u32 = 4;
const STEPS: u32 = 60;
const EMOJI: [&str; 4] = ["👍", "❤️", "😂", "🔥"];

#[tokio::test]
async fn whatever_people_do() {
    let seed = std::env::var("CHAPAR_TEST_SEED").ok().map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("seed {seed}: replay with CHAPAR_TEST_SEED={seed}");
    let mut world = Plan::pair().start().await;
    let people: [Device; PEOPLE] = world.people().await;
    let [a, b, c, ..] = &people;
    world.group(a, &[b, c]).await;
    world.chat(ChatKind::Channel, b, &people.iter().collect::<Vec<_>>()[2..]).await;
    let mut fate = StdRng::seed_from_u64(seed);
    for round in 0..ROUNDS {
        let calm = Arc::new(Barrier::new(PEOPLE + 1));
        let lives: Vec<_> = people
            .iter()
            .map(|device| {
                let rng = StdRng::seed_from_u64(fate.random());
                let others = people.iter().map(Device::id).collect();
                tokio::spawn(live(device.clone(), others, rng, world.routes(), calm.clone()))
            })
            .collect();
        if round % 2 == 1 {
            world.redis().kill();
            tokio::time::sleep(Duration::from_millis(fate.random_range(50..400))).await;
            world.redis().up().await;
        }
        within("everybody to end the round", calm.wait()).await;
        for life in lives {
            within("a life", life).await.expect("no panic");
        }
        for device in &people {
            knows_everything(device, world.at(fate.random_range(0..2))).await;
        }
    }
    let mut audited = BTreeSet::new();
    for device in &people {
        let chats: Vec<ChatId> = device.model().chats.keys().copied().collect();
        for chat in chats.into_iter().filter(|chat| audited.insert(*chat)) {
            Audit::read(world.at(0), device.token(), chat).await.agrees_with(&world.database);
        }
    }
}

/// Some steps, then connected and quiet.
async fn live(
    device: Device,
    others: Vec<chapar_protocol::UserId>,
    mut rng: StdRng,
    routes: Routes,
    calm: Arc<Barrier>,
) {
    for _ in 0..STEPS {
        if !device.connected() && rng.random_ratio(1, 3) {
            connect(&device, &mut rng, &routes).await;
        }
        step(&device, &others, &mut rng).await;
    }
    if !device.connected() {
        connect(&device, &mut rng, &routes).await;
    }
    calm.wait().await;
}

async fn connect(device: &Device, rng: &mut StdRng, routes: &Routes) {
    let node = routes.lock().expect("not poisoned")[rng.random_range(0..2)];
    device.connect(node).await;
}

/// One thing that a person may do, allowed or not. Refusals are part of life; they must leave nothing behind.
async fn step(device: &Device, others: &[chapar_protocol::UserId], rng: &mut StdRng) {
    let somebody = others[rng.random_range(0..others.len())];
    let Some(chat_id) = any_chat(device, rng) else {
        let _ = device.call(&OpenDirect { user_id: somebody }).await;
        return;
    };
    let (seq, own) = (any_message(device, chat_id, false, rng), any_message(device, chat_id, true, rng));
    let body = NewBody::text(format!("متن {}", rng.random::<u32>()));
    match rng.random_range(0..100) {
        0..40 => drop(device.call(&message(chat_id, &format!("پیام {}", rng.random::<u32>()))).await),
        40..50 => drop(device.call(&Edit { chat_id, seq: own, body }).await),
        50..55 => drop(device.call(&Delete { chat_id, seq: own }).await),
        55..67 => {
            let emoji = rng.random_ratio(3, 4).then(|| EMOJI[rng.random_range(0..EMOJI.len())].to_owned());
            drop(device.call(&React { chat_id, seq, emoji }).await);
        }
        67..77 => drop(device.call(&MarkRead { chat_id, seq }).await),
        77..82 => device.cut().await,
        82..85 => drop(device.call(&AddMembers { chat_id, user_ids: vec![somebody] }).await),
        85..88 => drop(device.call(&RemoveMember { chat_id, user_id: somebody, reason: None }).await),
        88..90 => drop(device.call(&Leave { chat_id }).await),
        90..92 => drop(device.call(&SetRole { chat_id, user_id: somebody, role: Role::Admin }).await),
        92..94 => drop(device.call(&OpenDirect { user_id: somebody }).await),
        94..96 => drop(device.call(&Join { handle: format!("caravan{}", rng.random_range(0..4)) }).await),
        96..98 => {
            let kind = if rng.random() { ChatKind::Group } else { ChatKind::Channel };
            let handle = rng.random::<bool>().then(|| format!("caravan{}", rng.random_range(0..4)));
            let client_id = Uuid::from_u128(rng.random());
            let create =
                CreateChat { client_id, kind, title: "کاروان".to_owned(), handle, members: vec![somebody] };
            drop(device.call(&create).await);
        }
        // A cut around a send: whether it took place is unknown, so the same is sent again later.
        _ => {
            let message = message(chat_id, "either once or not at all");
            let sending = tokio::spawn({
                let (device, message) = (device.clone(), message.clone());
                async move { device.call(&message).await }
            });
            tokio::time::sleep(Duration::from_micros(rng.random_range(0..3000))).await;
            device.cut().await;
            let _ = sending.await;
        }
    }
}

fn any_chat(device: &Device, rng: &mut StdRng) -> Option<ChatId> {
    let model = device.model();
    if model.chats.is_empty() {
        return None;
    }
    model.chats.keys().nth(rng.random_range(0..model.chats.len())).copied()
}

fn any_message(device: &Device, chat_id: ChatId, own: bool, rng: &mut StdRng) -> Seq {
    let model = device.model();
    let messages = model.chats.get(&chat_id).into_iter().flat_map(|chat| chat.messages.values());
    let fitting: Vec<Seq> = messages
        .filter(|message| !own || message.sender == device.id() && text(message).is_some())
        .map(|message| message.seq)
        .collect();
    if fitting.is_empty() { Seq(1) } else { fitting[rng.random_range(0..fitting.len())] }
}

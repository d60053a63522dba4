//! Redis, a node or Postgres is held for 5 s in the middle of traffic over two nodes, in chats with few changes and with many.
//! Afterwards everybody on every node has what the database has, soon.

use std::time::{Duration, Instant};

use chapar_protocol::{ChatId, command::GetChat};

use crate::support::{Device, Signal, Traffic, World, audit::all_equal, http, world::Plan};

/// How long everything is held: longer than any time-out between nodes and Redis.
const HELD: Duration = Duration::from_secs(5);
/// From the cure until everybody has everything. (On two busy cores; alone it takes 2 to 3 s.)
const SOON: Duration = Duration::from_secs(5);

struct Room {
    chat: ChatId,
    people: Vec<Device>,
    traffic: Traffic,
}

/// A chat with a writer and a reader on each node; the writers write at once when they are told `pause` is nothing.
async fn room(world: &World, lanes: usize, pause: Duration) -> Room {
    let people: [Device; 4] = world.people().await;
    let chat = world.group(&people[0], &[&people[1], &people[2], &people[3]]).await;
    // Device n goes to node n: writers on both, then readers on both.
    people[2].connect(world.at(0)).await;
    people[3].connect(world.at(1)).await;
    let traffic = Traffic::start(&people[..2], chat, lanes, pause, &world.routes());
    traffic.more(10).await;
    Room { chat, people: people.into(), traffic }
}

/// A quiet chat, a lively one, and one with hundreds of changes a second.
async fn rooms(world: &World) -> Vec<Room> {
    let mut rooms = Vec::new();
    for (lanes, pause) in [(1, 400), (2, 50), (8, 5)] {
        rooms.push(room(world, lanes, Duration::from_millis(pause)).await);
    }
    rooms
}

async fn all_end_equal(world: &World, rooms: Vec<Room>, cured: Instant) {
    for Room { chat, people, traffic } in rooms {
        let written = traffic.finish().await;
        // Whoever was let go meanwhile as too slow, or with the node, comes back by itself.
        for (index, device) in people.iter().enumerate() {
            if !device.connected() {
                device.connect(world.at(index % 2)).await;
            }
        }
        let token = people[0].token();
        let there = http::call(world.at(0), token, &GetChat { chat_id: chat }).await.expect("a member");
        let deadline = cured + SOON;
        for device in &people {
            let rest = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
            let come = tokio::time::timeout(rest, device.reaches(chat, there.version)).await;
            let version = device.model().version(chat);
            assert!(come.is_ok(), "{:?} after the cure somebody is at {version} of {}", cured.elapsed(), there.version);
        }
        eprintln!("{} changes: equal {:?} after the cure", there.version, cured.elapsed());
        let audit = all_equal(world.at(1), chat, &people).await;
        audit.proves(&written);
        audit.agrees_with(&world.database);
    }
}

#[tokio::test]
async fn redis() {
    let mut world = Plan::pair().start().await;
    let rooms = rooms(&world).await;
    world.redis().stop();
    tokio::time::sleep(HELD).await;
    world.redis().go_on();
    all_end_equal(&world, rooms, Instant::now()).await;
}

#[tokio::test]
async fn redis_that_comes_back_empty() {
    let mut world = Plan::pair().start().await;
    let rooms = rooms(&world).await;
    world.redis().kill();
    tokio::time::sleep(HELD).await;
    world.redis().up().await;
    all_end_equal(&world, rooms, Instant::now()).await;
}

#[tokio::test]
async fn a_node() {
    let world = Plan::pair().start().await;
    let rooms = rooms(&world).await;
    world.nodes[1].signal(Signal::STOP);
    tokio::time::sleep(HELD).await;
    world.nodes[1].signal(Signal::CONT);
    all_end_equal(&world, rooms, Instant::now()).await;
}

#[tokio::test]
async fn postgres() {
    let world = Plan::pair().own_postgres().start().await;
    let rooms = rooms(&world).await;
    world.database.cluster().freeze(true);
    tokio::time::sleep(HELD).await;
    world.database.cluster().freeze(false);
    all_end_equal(&world, rooms, Instant::now()).await;
}

//! One account reacts in eight groups at once, each of which something has locked in the database. It waits for itself: the
//! connections to the database, fewer than that, are there for everybody else.

use std::time::{Duration, Instant};

use chapar_protocol::command::{GetMembers, Ping, React};
use futures_util::future::join_all;

use crate::support::world::Plan;

const GROUPS: usize = 8;

#[tokio::test]
async fn others_find_the_database_free() {
    // Two of these are for requests to either side.
    let world = Plan::single().flags(&["--database-connections", "16"]).start().await;
    let [greedy, other] = world.people().await;
    greedy.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    let own = world.group(&other, &[]).await;
    let mut messages = Vec::new();
    for _ in 0..GROUPS {
        let group = world.group(&greedy, &[]).await;
        messages.push((group, greedy.say(group, "to react to").await.seq));
    }
    let locked = messages.iter().map(|(group, _)| group.0.to_string()).collect::<Vec<_>>().join(", ");
    let lock = world.database.meanwhile(&format!("SELECT FROM chats WHERE id IN ({locked}) FOR UPDATE"));
    let reactions = join_all(messages.iter().map(|&(chat_id, seq)| {
        let greedy = greedy.clone();
        async move { greedy.call(&React { chat_id, seq, emoji: Some("👍".into()) }).await }
    }));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        for _ in 0..10 {
            other.must(GetMembers { chat_id: own, after: None }).await;
        }
        let took = began.elapsed();
        greedy.must(Ping {}).await;
        (took, began.elapsed())
    };
    let (_, (took, pinged)) = futures_util::join!(reactions, meanwhile);
    drop(lock);
    world.database.end_meanwhile();
    assert!(took < Duration::from_secs(1), "others waited {took:?}");
    assert!(pinged < took + Duration::from_secs(1), "a heartbeat waits for nothing: {pinged:?}");
}

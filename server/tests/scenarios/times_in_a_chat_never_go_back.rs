//! The time of a message is read once the chat is locked, and is never before that of the change before it.

use std::time::Duration;

use chapar_protocol::{ChatId, Timestamp, command::AddMembers};

use crate::support::{World, within, world::Plan};

/// A moment as the database tells it.
fn moment(world: &World, sql: &str) -> Timestamp {
    let millis = world.database.sql(&format!("SELECT floor(extract(epoch FROM ({sql})) * 1000)::bigint"));
    Timestamp::from_millis(millis.trim().parse().expect("a number")).expect("a moment")
}

fn lies_in_the_future(world: &World, chat: ChatId) -> Timestamp {
    world.database.sql(&format!("UPDATE chats SET changed_at = now() + interval '1 hour' WHERE id = {chat}"));
    moment(world, &format!("SELECT changed_at FROM chats WHERE id = {chat}"))
}

#[tokio::test]
async fn not_for_those_who_waited_for_the_chat() {
    let world = Plan::single().start().await;
    let [one] = world.people().await;
    let chat = world.group(&one, &[]).await;
    one.connect(world.at(0)).await;
    one.say(chat, "before").await;
    let holder = world.database.meanwhile(&format!("SELECT id FROM chats WHERE id = {chat} FOR UPDATE"));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let release = async {
        let asked = async {
            while world.database.sql(waits).trim() == "0" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within("the message to wait for the chat", asked).await;
        let released = moment(&world, "SELECT clock_timestamp()");
        world.database.end_meanwhile();
        released
    };
    let (sent, released) = tokio::join!(one.say(chat, "after"), release);
    drop(holder);
    assert!(sent.sent_at >= released, "sent at {}, the chat was free only at {released}", sent.sent_at);
}

#[tokio::test]
async fn not_when_the_clock_was_set_back() {
    let world = Plan::single().start().await;
    let [one, other] = world.people().await;
    let chat = world.group(&one, &[]).await;
    one.connect(world.at(0)).await;
    let last = lies_in_the_future(&world, chat);
    let first = one.say(chat, "after that").await.sent_at;
    assert!(first >= last, "a message at {first}, after {last}");
    // The same for what the server itself writes, and for what follows that.
    let last = lies_in_the_future(&world, chat);
    one.must(AddMembers { chat_id: chat, user_ids: vec![other.id()] }).await;
    let second = one.say(chat, "and the last").await;
    one.sees(chat, "and the last").await;
    let times: Vec<_> = one.model().chats[&chat].messages.values().map(|message| message.sent_at).collect();
    assert!(times.is_sorted() && second.sent_at >= last, "{times:?}, after {last}");
}

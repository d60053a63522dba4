//! A client that goes away takes its request with it, at whatever moment. The connection to Postgres on which that ran
//! serves others next: what is stored on it then must be committed, also when the request went while it began.

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use chapar_server::store::{Store, people::lists::ComingBack};

use crate::support::world::Plan;

/// Polls a request so often, with time for an answer in between, and gives it up.
async fn give_up_after<F: Future>(polls: u32, request: F) {
    let mut request = pin!(request);
    for _ in 0..polls {
        if request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_is_stored_next_is_committed() {
    let world = Plan::single().start().await;
    let options: sqlx::postgres::PgConnectOptions = world.database.url().parse().expect("a URL");
    let reader = world.accounts(1).await.remove(0);
    // One connection: what one leaves, the next one gets.
    let store = Store::connect(options, 1, Duration::from_secs(10)).await.expect("connects");
    for polls in 1..16 {
        let back = ComingBack { user: reader.user.id, device: reader.device_id, resume: None };
        let read = async {
            let own = store.people.own_things(std::slice::from_ref(&back)).await?.pop().flatten();
            store.chats.missed(own.map(|own| (back, own)).into_iter().collect()).await
        };
        give_up_after(polls, read).await;
        let read = store.people.create_user(&format!("after_read_{polls}"), "somebody", None).await;
        read.unwrap_or_else(|error| panic!("given up after {polls} polls of a read: {error}"));
        give_up_after(polls, store.people.create_user(&format!("given_up_{polls}"), "somebody", None)).await;
        let user =
            store.people.create_user(&format!("after_write_{polls}"), "somebody", None).await.expect("is stored");
        store.people.create_device(user.id, polls.to_string().as_bytes(), "a phone").await.expect("is stored");
        // Asked over another connection, which sees only what is committed.
        let seen = world.database.sql(&format!("SELECT count(*) FROM devices WHERE user_id = {}", user.id));
        assert_eq!(seen.trim(), "1", "given up after {polls} polls of a write");
    }
}

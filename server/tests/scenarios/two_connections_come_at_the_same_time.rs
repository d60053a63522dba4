//! Two connections say `hello` at once: the one whose look at the database was the older is told that there is more.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{ChatId, DeviceId, Event, UserId, Version, frame::ServerFrame};
use chapar_server::{
    bus::{Bus, Topic},
    fanout::Fanout,
    metrics::Metrics,
    outbox::Outbox,
    store::Store,
};
use tokio::sync::mpsc;

use crate::support::world::Plan;

/// What the connection was told, as `from` and `version`.
fn told(outbox: &Outbox) -> Vec<(Version, Version)> {
    let frames = std::iter::from_fn(|| outbox.pop());
    frames
        .map(|frame| {
            let ServerFrame::Event(event) = ServerFrame::parse(&frame).expect("a frame of ours") else {
                panic!("{frame}")
            };
            match *event {
                Event::Delta(delta) => (delta.from, delta.version),
                Event::Me(delta) => (delta.from, delta.version),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

#[tokio::test]
async fn whoever_looked_earlier_asks_for_the_rest() {
    let world = Plan::single().start().await;
    let options: sqlx::postgres::PgConnectOptions = world.database.url().parse().expect("an address");
    let store = Store::connect(options, 2, Duration::ZERO).await.expect("a store");
    let bus = Bus::start(None, 1, mpsc::channel(1).0).expect("no address to read");
    let fanout = Fanout::new(bus, store, Metrics::new().0, 1);
    let (earlier, later) = (Arc::new(Outbox::new()), Arc::new(Outbox::new()));
    let (user, chat) = (UserId(1), ChatId(7));
    for (outbox, device) in [(&earlier, 1), (&later, 2)] {
        outbox.identify(user, DeviceId(device));
        fanout.watch_user(user, outbox).await;
        fanout.watch_chats(&[chat], outbox).await;
    }
    // Both watched, then both looked; a change was committed between the looks, and told while nobody knew from where.
    for topic in [Topic::User(user.0), Topic::Chat(chat.0)] {
        fanout.known_to(&later, topic, Version(6));
        fanout.known_to(&earlier, topic, Version(5));
        assert_eq!(told(&later), [], "{topic:?}: it knows all");
        assert_eq!(told(&earlier), [(Version(6), Version(6))], "{topic:?}: it has 5, so it asks for what follows");
    }
}

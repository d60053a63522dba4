//! Everybody comes back at once: those who wait are asked for together, all are welcomed at the first try, and each has what was missed.
//! One who comes alone costs few statements.

use std::sync::Arc;

use chapar_protocol::{ChatSync, command::Hello};
use futures_util::future::join_all;

use crate::support::{Device, RawSocket, World, device::message, http, postgres::Cluster, world::Plan};

/// What the node asks by itself every second or so.
const MEANWHILE: [&str; 8] = [
    "FROM counts",
    "FROM feed",
    "feed_cursors",
    "FROM people.jobs",
    "FROM jobs",
    "last_seen_at",
    "FROM calls",
    "log_statement",
];

fn asked(cluster: &Cluster, since: usize) -> Vec<String> {
    let log = cluster.log();
    let lines = log.get(since..).unwrap_or_default().lines();
    let asked = lines.filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: "));
    asked.filter(|line| !MEANWHILE.iter().any(|it| line.contains(it))).map(str::to_owned).collect()
}

async fn come_back(world: &World, device: &Device) {
    let mut socket = RawSocket::connect(world.at(0)).await;
    let hello = Hello { token: device.token().to_owned(), resume: device.model().resume() };
    let welcome = socket.call(1, &hello).await.expect("welcome at the first try");
    assert!(welcome.sync.reset.is_empty(), "it is known what was known");
    assert_eq!(welcome.sync.chats.len(), 2, "both groups have changed");
    for sync in &welcome.sync.chats {
        let ChatSync::Delta { delta, more } = sync else { panic!("{sync:?}") };
        let texts = delta.rows.iter().filter_map(|row| row.message()).count();
        assert_eq!((texts, more), (1, &false), "{delta:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_the_first_try() {
    let world = Plan::single().own_postgres().flags(&["--max-connections-per-address", "10000"]).start().await;
    let crowd: Vec<Device> = world.accounts(60).await.into_iter().map(Device::new).collect();
    let everybody: Vec<&Device> = crowd.iter().collect();
    let (one, other) = (world.group(&crowd[0], &everybody[1..]).await, world.group(&crowd[1], &everybody[2..]).await);
    // Everybody has been there, and is in both.
    let rest: Vec<&Device> = everybody[2..].to_vec();
    join_all(rest.iter().map(|it| it.connect(world.at(0)))).await;
    join_all(rest.iter().map(|it| it.cut())).await;
    for (by, chat) in [(&crowd[0], one), (&crowd[1], other)] {
        http::call(world.at(0), by.token(), &message(chat, "missed")).await.expect("said");
    }
    world.database.sql("ALTER SYSTEM SET log_statement = 'all'");
    world.database.sql("SELECT pg_reload_conf()");
    let world = Arc::new(world);
    let cluster = world.database.cluster();

    let mut alone = usize::MAX;
    for _ in 0..5 {
        let since = cluster.log().len();
        come_back(&world, rest[0]).await;
        alone = alone.min(asked(cluster, since).len());
    }
    // Whose token it is, the own things; then in one moment: the chats, who has read, messages, information, members.
    assert!(alone <= 9, "{alone} statements for one");

    let since = cluster.log().len();
    join_all(rest.iter().map(|it| come_back(&world, it))).await;
    let asked = asked(cluster, since).len();
    println!("{asked} statements for {}", rest.len());
    assert!(asked < 5 * rest.len(), "{asked} statements for {}", rest.len());
}

//! Postgres is killed and started again while people write. They wait, the node stays, nothing acknowledged is lost.

use std::time::{Duration, Instant};

use chapar_protocol::{Action, command::Hello};

use crate::support::{RawSocket, Traffic, audit::all_equal, http, within, world::Plan};

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let world = Plan::single().own_postgres().start().await;
    let people: [_; 3] = world.people().await;
    let group = world.group(&people[0], &[&people[1], &people[2]]).await;
    let traffic = Traffic::start(&people, group, 4, Duration::ZERO, &world.routes());
    for _ in 0..2 {
        traffic.more(200).await;
        world.database.cluster().kill();
        within("/readyz to say so", async {
            while http::get(world.at(0), "/readyz").await.status == 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_eq!(http::get(world.at(0), "/healthz").await.status, 200, "the node itself is well");
        world.database.cluster().restart();
    }
    traffic.more(200).await;
    assert_eq!(http::get(world.at(0), "/readyz").await.status, 200);
    let written = traffic.finish().await;
    let audit = all_equal(world.at(0), group, &people).await;
    audit.proves(&written);
    audit.agrees_with(&world.database);
}

#[tokio::test]
async fn who_came_meanwhile_may_greet_again_on_the_same_line() {
    let world = Plan::single().own_postgres().start().await;
    let [person] = world.people().await;
    let mut socket = RawSocket::connect(world.at(0)).await;
    world.database.cluster().kill();
    let hello = Hello { token: person.token().to_owned(), resume: None };
    let error = socket.call(1, &hello).await.expect_err("no database");
    assert_eq!(error.action, Action::Retry, "{error:?}");
    world.database.cluster().restart();
    let deadline = Instant::now() + Duration::from_secs(8);
    for id in 2.. {
        match socket.call(id, &hello).await {
            Ok(_) => break,
            Err(error) => assert!(error.action == Action::Retry && Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

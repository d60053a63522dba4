//! A node by itself is killed, and its memory is gone. Whoever comes back is told that there is no such call, and the call
//! stands in the chat and in both logs, once.

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, EndReason},
};

use crate::{
    phone::{Phone, connect, notes, recorded, two_people},
    support::{Device, PATIENCE, World, world::Plan},
};

/// Waits until what is to be recorded of the call is written down.
async fn written_down(world: &World, what: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let sql = format!("SELECT count(*) FROM unfinished_calls WHERE record::text LIKE '%{what}%'");
    while world.database.sql(&sql).trim() != "1" {
        assert!(std::time::Instant::now() < deadline, "the call is not written down");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn kill_and_restart(world: &mut World, devices: [&Device; 2]) {
    world.nodes[0].kill();
    for device in devices {
        device.ended().await;
    }
    world.restart(0);
    for device in devices {
        device.connect(world.at(0)).await;
    }
}

#[tokio::test]
async fn and_the_two_are_told_that_there_is_no_such_call() {
    let mut world = Plan::single().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    written_down(&world, "node_lost").await;
    kill_and_restart(&mut world, [&leila, &reza]).await;
    for device in [&leila, &reza] {
        for ask in [CallAsk::Look, CallAsk::Alive { revision: 1, report: None }, CallAsk::RestartIce, CallAsk::HangUp] {
            assert_eq!(device.is_refused(call, ask).await.code, ErrorCode::CallNotFound);
        }
    }
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::NodeLost);
    assert_eq!(reza.model().missed_calls, 0, "nobody missed it");
    // Another death: what is recorded stays as it is. What another build wrote, and this one cannot read, stops nothing.
    world.database.sql("INSERT INTO unfinished_calls VALUES (gen_random_uuid(), 1, '{\"of\": \"later\"}', now())");
    kill_and_restart(&mut world, [&leila, &reza]).await;
    let next = connect(&reza, &leila).await;
    reza.asks(next, CallAsk::HangUp).await;
    recorded(&leila, &reza, chat, next).await;
    assert_eq!(notes(&leila.model(), chat).iter().filter(|note| note.call_id == call).count(), 1, "once");
    let deadline = std::time::Instant::now() + PATIENCE;
    while world.database.sql("SELECT count(*) FROM unfinished_calls").trim() != "0" {
        assert!(std::time::Instant::now() < deadline, "what is recorded is still kept in mind");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn while_it_rang_and_it_was_missed_once() {
    let mut world = Plan::single().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    reza.asks(call, CallAsk::Ringing).await;
    written_down(&world, "missed\"").await;
    kill_and_restart(&mut world, [&leila, &reza]).await;
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Missed);
    reza.until("the counter", |model| model.missed_calls == 1).await;
    kill_and_restart(&mut world, [&leila, &reza]).await;
    connect(&leila, &reza).await;
    assert_eq!(reza.model().missed_calls, 1, "counted once");
}

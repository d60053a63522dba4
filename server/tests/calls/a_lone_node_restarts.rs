//! A node by itself keeps its calls in its memory. It is told to stop: both sides hear how their call ended while they are
//! connected, and after the restart it stands in the chat and in the log.

use std::time::Duration;

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, EndReason},
};

use crate::{
    phone::{Phone, accept, connect, notes, recorded, two_people},
    support::{Device, Signal, World, world::Plan},
};

async fn restart(world: &mut World, devices: [&Device; 2]) {
    for device in devices {
        device.ended().await;
    }
    let status = world.nodes[0].end(Duration::from_secs(20)).await.expect("it ends");
    assert!(status.success(), "{status}");
    world.restart(0);
    for device in devices {
        device.connect(world.at(0)).await;
    }
}

#[tokio::test]
async fn and_a_call_in_progress_ends_for_both() {
    let mut world = Plan::single().flags(&["--drain-seconds", "2"]).start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    world.nodes[0].signal(Signal::TERM);
    assert_eq!(leila.hears_the_end(call).await, EndReason::NodeStopped);
    assert_eq!(reza.hears_the_end(call).await, EndReason::NodeStopped);
    restart(&mut world, [&leila, &reza]).await;

    let entry = recorded(&leila, &reza, chat, call).await;
    assert_eq!(entry.reason, EndReason::NodeStopped);
    assert_eq!((entry.caller, entry.callee), (leila.id(), reza.id()));
    assert_eq!(notes(&leila.model(), chat).len(), 1, "once");
    assert_eq!(reza.model().missed_calls, 0, "nobody missed it");
    // A device that slept through all this asks, and learns that there is no such call any more.
    assert_eq!(leila.is_refused(call, CallAsk::Look).await.code, ErrorCode::CallNotFound);
    // The node carries calls as before.
    connect(&reza, &leila).await;
}

#[tokio::test]
async fn and_a_call_that_rings_was_missed() {
    let mut world = Plan::single().flags(&["--drain-seconds", "2"]).start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    reza.asks(call, CallAsk::Ringing).await;
    world.nodes[0].signal(Signal::TERM);
    assert_eq!(leila.hears_the_end(call).await, EndReason::Missed);
    assert_eq!(reza.hears_the_end(call).await, EndReason::Missed);
    // Whoever answers a moment too late is told why not.
    assert_eq!(reza.is_refused(call, accept()).await.code, ErrorCode::CallEnded);
    restart(&mut world, [&leila, &reza]).await;

    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Missed);
    reza.until("the counter", |model| model.missed_calls == 1).await;
}

//! A device loses its connection in a call: the other side sees it, the call waits 15 s, and ends if it stays away.

use std::time::{Duration, Instant};

use chapar_protocol::call::{CallAsk, EndReason, InCall, Standing};

use crate::{
    phone::{Phone, connect, recorded, two_people},
    support::world::Plan,
};

#[tokio::test]
async fn and_comes_back_in_time_on_another_node() {
    let world = Plan::pair().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    leila.cut().await;
    let away = |it: &Standing| matches!(it, Standing::InCall(InCall { theirs, .. }) if theirs.away);
    reza.stands(call, "that the other is away", away).await;
    leila.connect(world.at(1)).await;
    let back = |it: &Standing| matches!(it, Standing::InCall(InCall { theirs, .. }) if !theirs.away);
    reza.stands(call, "that the other is back", back).await;
    leila.asks(call, CallAsk::HangUp).await;
}

/// The real deadline, once: the rules with a clock that is moved stand in `signaling` and in the test of the timers.
#[tokio::test]
async fn and_stays_away() {
    let world = Plan::pair().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    let begun = Instant::now();
    leila.cut().await;
    assert_eq!(reza.hears_the_end(call).await, EndReason::Vanished);
    assert!(begun.elapsed() >= Duration::from_secs(15), "{:?}", begun.elapsed());
    leila.connect(world.at(0)).await;
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Vanished);
}

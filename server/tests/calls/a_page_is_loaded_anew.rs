//! The page of a device in the call is loaded anew: its peer connection is gone, its microphone closed. The other side sees
//! that it is away; it comes back by the same device and another connection, and both begin with a new exchange.

use chapar_protocol::call::{CallAsk, CallSignal, EndReason, InCall, MediaPhase, Renew, Standing};

use crate::{
    phone::{Phone, answer, connect, offer, two_people},
    support::world::Plan,
};

#[tokio::test]
async fn and_comes_back_into_its_call() {
    let world = Plan::pair().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = connect(&leila, &reza).await;

    reza.cut().await;
    let away = |it: &Standing| matches!(it, Standing::InCall(InCall { theirs, .. }) if theirs.away);
    leila.stands(call, "that he is away", away).await;
    reza.connect(world.at(0)).await;
    reza.stands(call, "its call", |it| matches!(it, Standing::InCall(InCall { generation: 1, .. }))).await;
    reza.asks(call, CallAsk::TakeOver).await;
    // Said again, since the answer may be lost with the page.
    reza.asks(call, CallAsk::TakeOver).await;

    let anew = |it: &Standing| matches!(it, Standing::InCall(InCall { generation: 2, renew: Renew::Transport, theirs, .. }) if !theirs.away);
    leila.stands(call, "that all begins anew", anew).await;
    leila.asks(call, CallAsk::Offer { generation: 2, offer: offer() }).await;
    reza.hears(call, "the offer", |it| matches!(it, CallSignal::Offer { generation: 2, .. })).await;
    reza.asks(call, CallAsk::Answer { generation: 2, answer: answer() }).await;
    leila.hears(call, "the answer", |it| matches!(it, CallSignal::Answer { generation: 2, .. })).await;
    for one in [&leila, &reza] {
        one.asks(call, CallAsk::Media { flows: true }).await;
    }
    let active =
        |it: &Standing| matches!(it, Standing::InCall(InCall { generation: 2, phase: MediaPhase::Active, .. }));
    leila.stands(call, "sound", active).await;
    reza.stands(call, "sound", active).await;
    reza.asks(call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
}

#[tokio::test]
async fn and_its_person_hangs_up_instead() {
    let world = Plan::single().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    reza.cut().await;
    reza.connect(world.at(0)).await;
    reza.asks(call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
}

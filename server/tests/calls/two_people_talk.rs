//! The plain call: invite, ringing, answer, media, hang up; and the other ends that a call can have.

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, CallSignal, EndReason, Standing},
    command::{AskCall, SeeCalls, UserDifference},
};

use crate::{
    phone::{self, Phone, accept, connect, recorded, two_people},
    support::{Failure, world::Plan},
};

#[tokio::test]
async fn and_hang_up() {
    let world = Plan::single().start().await;
    let (leila, reza, chat) = two_people(&world).await;

    let call = leila.calls(reza.id()).await;
    let state = reza.rings(call).await;
    assert_eq!((state.caller, state.callee, state.chat_id), (leila.id(), reza.id(), chat));
    reza.hears(call, "the offer", |signal| matches!(signal, CallSignal::Offer { generation: 1, .. })).await;
    leila.stands(call, "calling", |it| matches!(it, Standing::Calling { ringing: false, .. })).await;
    reza.asks(call, CallAsk::Ringing).await;
    leila.stands(call, "that it rings", |it| matches!(it, Standing::Calling { ringing: true, .. })).await;
    let early = vec![phone::RELAYED.to_owned()];
    leila.asks(call, CallAsk::Candidates { generation: 1, candidates: early }).await;
    reza.asks(call, accept()).await;
    leila.hears(call, "the answer", |signal| matches!(signal, CallSignal::Answer { generation: 1, .. })).await;
    reza.hears(call, "the candidates", |signal| matches!(signal, CallSignal::Candidates { .. })).await;
    leila.asks(call, CallAsk::Reveal { generation: 1, nonce: "ef".repeat(32) }).await;
    reza.hears(call, "the nonce", |signal| matches!(signal, CallSignal::Reveal { .. })).await;
    leila.asks(call, CallAsk::Media { flows: true }).await;
    reza.asks(call, CallAsk::Media { flows: true }).await;
    leila.talks(call).await;
    reza.talks(call).await;
    leila.asks(call, CallAsk::HangUp).await;
    assert_eq!(reza.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);

    let entry = recorded(&leila, &reza, chat, call).await;
    assert_eq!((entry.caller, entry.callee, entry.reason), (leila.id(), reza.id(), EndReason::HungUp));
    assert_eq!(phone::notes(&leila.model(), chat).len(), 1);
    let own = reza.must(UserDifference { from: chapar_protocol::Version(0) }).await;
    assert!(own.items.iter().all(|item| item.chat().is_some()), "it was not missed: {own:?}");
    let error = leila.is_refused(call, CallAsk::HangUp).await;
    assert_eq!(error.code, ErrorCode::CallEnded);
}

#[tokio::test]
async fn or_the_other_declines() {
    let world = Plan::single().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    reza.asks(call, CallAsk::Decline).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::Declined);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Declined);
}

#[tokio::test]
async fn or_the_caller_gives_up_and_it_counts_as_missed_until_it_is_looked_at() {
    let world = Plan::single().start().await;
    let (telephone, computer) = world.person_with_two_devices("reza").await;
    let [leila] = world.people().await;
    let chat = world.direct(&leila, &telephone).await;
    leila.connect(world.at(0)).await;
    telephone.connect(world.at(0)).await;
    for missed in 1..=2 {
        let call = leila.calls(telephone.id()).await;
        telephone.rings(call).await;
        leila.asks(call, CallAsk::HangUp).await;
        assert_eq!(telephone.hears_the_end(call).await, EndReason::Cancelled);
        recorded(&leila, &telephone, chat, call).await;
        telephone.until("the counter", |model| model.missed_calls == missed).await;
    }
    computer.connect(world.at(0)).await;
    computer.until("the counter in hello", |model| model.missed_calls == 2).await;
    telephone.must(SeeCalls {}).await;
    computer.until("the counter set back", |model| model.missed_calls == 0).await;
    telephone.must(SeeCalls {}).await;
    computer.cut().await;
    computer.connect(world.at(0)).await;
    assert_eq!(computer.model().missed_calls, 0);
}

#[tokio::test]
async fn and_a_third_hears_that_it_is_busy() {
    let world = Plan::single().start().await;
    let [leila, reza, sara] = world.people().await;
    world.direct(&leila, &reza).await;
    let chat = world.direct(&sara, &reza).await;
    for device in [&leila, &reza, &sara] {
        device.connect(world.at(0)).await;
    }
    let call = connect(&leila, &reza).await;
    let invite = phone::invite_of(reza.id());
    let second = invite.call_id;
    let state = sara.must(invite).await;
    assert!(matches!(state.standing, Standing::Ended { reason: EndReason::Busy, .. }), "{state:?}");
    assert_eq!(recorded(&sara, &reza, chat, second).await.reason, EndReason::Busy);
    assert_eq!(leila.refused(phone::invite_of(reza.id())).await.code, ErrorCode::CallEngaged);
    reza.asks(call, CallAsk::HangUp).await;
    leila.hears_the_end(call).await;
    let third = sara.calls(reza.id()).await;
    reza.rings(third).await;
}

/// Asks that come faster than they are taken are taken together. Each has its own answer all the same, in its own place.
#[tokio::test]
async fn what_is_asked_at_once_is_answered_one_by_one() {
    for world in [Plan::single().start().await, Plan::first().start().await] {
        let (leila, reza, _) = two_people(&world).await;
        let call_id = connect(&leila, &reza).await;
        let mute = |muted| CallAsk::Mute { muted, camera_off: false };
        for _ in 0..10 {
            let asks = [mute(true), CallAsk::TakeOver, CallAsk::AllowVideo { allow: true }, mute(false), mute(true)];
            let asks = asks.map(|ask| AskCall { call_id, ask });
            let outcomes = tokio::join!(
                leila.call(&asks[0]),
                leila.call(&asks[1]),
                leila.call(&asks[2]),
                leila.call(&asks[3]),
                leila.call(&asks[4]),
            );
            assert!(outcomes.0.is_ok() && outcomes.3.is_ok() && outcomes.4.is_ok(), "{outcomes:?}");
            assert!(outcomes.1.is_ok(), "who is in the call has taken over already: {outcomes:?}");
            let Err(Failure::Refused(error)) = &outcomes.2 else { panic!("{:?}", outcomes.2) };
            assert_eq!(error.code, ErrorCode::CallConflict, "nobody asked for video");
            let muted = |it: &Standing| matches!(it, Standing::InCall(it) if it.theirs.muted);
            reza.stands(call_id, "the last word", muted).await;
            leila.asks(call_id, mute(false)).await;
            let heard = |it: &Standing| matches!(it, Standing::InCall(it) if !it.theirs.muted);
            reza.stands(call_id, "sound again", heard).await;
        }
    }
}

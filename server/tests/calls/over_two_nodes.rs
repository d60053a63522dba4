//! The two people are on different nodes: every rule holds there as on one.

use chapar_protocol::{
    call::{CallAsk, CallSignal, EndReason, Standing},
    command::AskCall,
};

use crate::{
    phone::{self, Phone, accept, connect, recorded, two_people},
    support::{Device, Failure, http, world::Plan},
};

#[tokio::test]
async fn a_call_is_had() {
    let world = Plan::pair().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    leila.hears(call, "the answer", |signal| matches!(signal, CallSignal::Answer { .. })).await;
    reza.asks(call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::HungUp);
    assert_eq!(phone::notes(&reza.model(), chat).len(), 1);
}

/// Both call at once, each on another node: both learn the same winner, the loser may be accepted at once.
#[tokio::test]
async fn both_call_at_once() {
    let world = Plan::pair().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    for _ in 0..20 {
        let (hers, his) = (phone::invite_of(reza.id()), phone::invite_of(leila.id()));
        let (her_call, his_call) = (hers.call_id, his.call_id);
        let (one, other) = tokio::join!(leila.call(&hers), reza.call(&his));
        one.expect("is placed");
        other.expect("is placed");
        let (winner, loser) = (her_call.max(his_call), her_call.min(his_call));
        let (first, second) = if winner == her_call { (&leila, &reza) } else { (&reza, &leila) };
        assert_eq!(second.hears_the_end(loser).await, EndReason::Glare { winner });
        let glare = |it: &Standing| matches!(it, Standing::Ringing { glare: true, .. });
        second.stands(winner, "ringing after glare", glare).await;
        second.asks(winner, accept()).await;
        first.stands(winner, "the answer", |it| matches!(it, Standing::InCall(_))).await;
        first.asks(winner, CallAsk::HangUp).await;
        second.hears_the_end(winner).await;
        recorded(&leila, &reza, chat, winner).await;
    }
    assert_eq!(phone::notes(&leila.model(), chat).len(), 20, "a call that lost leaves no line");
}

/// Four devices of the callee answer at the same moment over two nodes: one is in the call, the others are told so.
#[tokio::test]
async fn all_devices_answer_at_once() {
    let world = Plan::pair().start().await;
    let (first, second) = world.person_with_two_devices("mina").await;
    let third = another_device(&world, "mina").await;
    let fourth = another_device(&world, "mina").await;
    let [leila] = world.people().await;
    world.direct(&leila, &first).await;
    let devices = [&first, &second, &third, &fourth];
    leila.connect(world.at(0)).await;
    for (place, device) in devices.iter().enumerate() {
        device.connect(world.at(place % 2)).await;
    }
    for _ in 0..10 {
        let call = leila.calls(first.id()).await;
        for device in devices {
            device.rings(call).await;
        }
        let answers = devices.map(|_| AskCall { call_id: call, ask: accept() }).map(Box::new);
        let (a, b, c, d) = tokio::join!(
            first.call(&*answers[0]),
            second.call(&*answers[1]),
            third.call(&*answers[2]),
            fourth.call(&*answers[3])
        );
        let outcomes = [a, b, c, d];
        let winners: Vec<usize> = (0..4).filter(|&it| outcomes[it].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let state = leila.stands(call, "the answer", |it| matches!(it, Standing::InCall(_))).await;
        let Standing::InCall(it) = state.standing else { unreachable!("was waited for") };
        assert_eq!(it.peer.device_id, devices[winners[0]].account().device_id);
        for (place, device) in devices.iter().enumerate().filter(|(place, _)| *place != winners[0]) {
            device.stands(call, "silence", |it| *it == Standing::Elsewhere).await;
            let Err(Failure::Refused(error)) = &outcomes[place] else { panic!("{:?}", outcomes[place]) };
            assert_eq!(error.code, chapar_protocol::ErrorCode::CallElsewhere);
        }
        leila.asks(call, CallAsk::HangUp).await;
        for device in devices {
            assert_eq!(device.hears_the_end(call).await, EndReason::HungUp);
        }
    }
}

async fn another_device(world: &crate::support::World, handle: &str) -> Device {
    let sign_in = serde_json::json!({ "handle": handle, "password": "correct horse battery", "device": "another" });
    Device::new(http::post(world.at(0), "/api/v1/sign-in", None, &sign_in).await.expect("signed in"))
}

//! The node that carries a call dies without a word: the call goes on over the other.

use chapar_protocol::call::{CallAsk, EndReason, InCall, Standing};

use crate::{
    phone::{Phone, connect, recorded, two_people},
    support::world::Plan,
};

#[tokio::test]
async fn and_the_call_goes_on() {
    let mut world = Plan::pair().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    world.nodes[0].kill();
    world.nodes.swap(0, 1);
    leila.ended().await;
    // The one who stayed is heard meanwhile.
    reza.asks(call, CallAsk::Mute { muted: true, camera_off: false }).await;
    leila.connect(world.at(0)).await;
    let muted = |it: &Standing| matches!(it, Standing::InCall(InCall { theirs, .. }) if theirs.muted);
    leila.stands(call, "what it missed", muted).await;
    leila.asks(call, CallAsk::RestartIce).await;
    reza.stands(call, "the restart", |it| matches!(it, Standing::InCall(it) if it.generation == 2)).await;
    leila.asks(call, CallAsk::HangUp).await;
    assert_eq!(reza.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::HungUp);
}

#[tokio::test]
async fn while_it_rings_and_it_can_be_answered() {
    let mut world = Plan::pair().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    world.nodes[0].kill();
    world.nodes.swap(0, 1);
    leila.ended().await;
    reza.asks(call, crate::phone::accept()).await;
    leila.connect(world.at(0)).await;
    leila.stands(call, "the answer", |it| matches!(it, Standing::InCall(_))).await;
}

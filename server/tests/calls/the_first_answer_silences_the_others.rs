//! Every device of the callee rings; the first answer wins, and the others fall silent at once, also one that comes late.

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, Standing},
};

use crate::{
    phone::{Phone, accept},
    support::world::Plan,
};

#[tokio::test]
async fn on_every_device() {
    let world = Plan::single().start().await;
    let (telephone, computer) = world.person_with_two_devices("mina").await;
    let [leila] = world.people().await;
    world.direct(&leila, &telephone).await;
    for device in [&leila, &telephone, &computer] {
        device.connect(world.at(0)).await;
    }
    let call = leila.calls(telephone.id()).await;
    telephone.rings(call).await;
    computer.rings(call).await;
    computer.asks(call, accept()).await;
    telephone.stands(call, "silence", |it| *it == Standing::Elsewhere).await;
    assert_eq!(telephone.is_refused(call, accept()).await.code, ErrorCode::CallElsewhere);
    assert_eq!(telephone.is_refused(call, CallAsk::Decline).await.code, ErrorCode::CallElsewhere);
    let state = leila.stands(call, "the answer", |it| matches!(it, Standing::InCall(_))).await;
    let Standing::InCall(it) = state.standing else { unreachable!("was waited for") };
    assert_eq!(it.peer.device_id, computer.account().device_id);
}

#[tokio::test]
async fn also_on_one_that_comes_late() {
    let world = Plan::single().start().await;
    let (telephone, computer) = world.person_with_two_devices("mina").await;
    let [leila] = world.people().await;
    world.direct(&leila, &telephone).await;
    leila.connect(world.at(0)).await;
    let call = leila.calls(telephone.id()).await;
    telephone.connect(world.at(0)).await;
    telephone.rings(call).await;
    telephone.asks(call, accept()).await;
    computer.connect(world.at(0)).await;
    computer.stands(call, "that it was answered elsewhere", |it| *it == Standing::Elsewhere).await;
    leila.asks(call, CallAsk::HangUp).await;
    computer.hears_the_end(call).await;
}

//! Voice becomes video and voice again, the call goes to another own device, the microphone is closed: the other side sees.

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, CallMedia, EndReason, InCall, MediaPhase, Renew, SideState, Standing},
    command::RevokeDevice,
};

use crate::{
    phone::{Phone, answer, connect, offer, two_people},
    support::world::Plan,
};

#[tokio::test]
async fn voice_becomes_video_and_voice_again() {
    let world = Plan::single().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    assert_eq!(reza.is_refused(call, CallAsk::AllowVideo { allow: true }).await.code, ErrorCode::CallConflict);
    leila.asks(call, CallAsk::WantVideo).await;
    let asked = |it: &Standing| matches!(it, Standing::InCall(it) if it.video_asked_by == Some(leila.id()));
    let state = reza.stands(call, "the wish", asked).await;
    assert_eq!(state.media, CallMedia::Voice, "not without consent");
    reza.asks(call, CallAsk::AllowVideo { allow: true }).await;
    let renewed = |it: &Standing| matches!(it, Standing::InCall(it) if (it.generation, it.renew) == (2, Renew::Media));
    for device in [&leila, &reza] {
        assert_eq!(device.stands(call, "the renewal", renewed).await.media, CallMedia::Video);
    }
    leila.asks(call, CallAsk::Offer { generation: 2, offer: offer() }).await;
    reza.asks(call, CallAsk::Answer { generation: 2, answer: answer() }).await;
    reza.asks(call, CallAsk::StopVideo).await;
    let again = |it: &Standing| matches!(it, Standing::InCall(it) if it.generation == 3);
    assert_eq!(leila.stands(call, "voice", again).await.media, CallMedia::Voice);
    leila.asks(call, CallAsk::Mute { muted: true, camera_off: true }).await;
    leila.asks(call, CallAsk::Hold { held: true }).await;
    let shown = SideState { muted: true, camera_off: true, held: true, away: false };
    reza.stands(call, "mute and hold", |it| matches!(it, Standing::InCall(it) if it.theirs == shown)).await;
}

#[tokio::test]
async fn it_goes_to_another_own_device() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("mina").await;
    let [leila] = world.people().await;
    world.direct(&leila, &telephone).await;
    leila.connect(world.at(0)).await;
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    let call = connect(&leila, &telephone).await;
    assert_eq!(computer.is_refused(call, CallAsk::TakeOver).await.code, ErrorCode::CallConflict, "not asked");
    telephone.asks(call, CallAsk::Transfer { to: computer.account().device_id }).await;
    computer.stands(call, "the wish", |it| matches!(it, Standing::TakeOver { .. })).await;
    computer.asks(call, CallAsk::TakeOver).await;
    telephone.stands(call, "silence", |it| *it == Standing::Elsewhere).await;
    let moved = |it: &Standing| {
        matches!(it, Standing::InCall(InCall { peer, renew: Renew::Transport, phase: MediaPhase::Reconnecting, .. })
            if peer.device_id == computer.account().device_id)
    };
    leila.stands(call, "the other device", moved).await;
    assert_eq!(telephone.is_refused(call, CallAsk::HangUp).await.code, ErrorCode::CallElsewhere);
    leila.asks(call, CallAsk::Offer { generation: 2, offer: offer() }).await;
    computer.asks(call, CallAsk::Answer { generation: 2, answer: answer() }).await;
    leila.asks(call, CallAsk::Media { flows: true }).await;
    computer.asks(call, CallAsk::Media { flows: true }).await;
    computer.talks(call).await;
    leila.talks(call).await;
}

#[tokio::test]
async fn a_device_in_the_call_is_signed_out() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("mina").await;
    let [leila] = world.people().await;
    world.direct(&leila, &telephone).await;
    leila.connect(world.at(0)).await;
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    let call = connect(&leila, &telephone).await;
    computer.must(RevokeDevice { device_id: telephone.account().device_id }).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::SignedOut);
}

//! Redis dies in the middle of a call and comes back empty, or a replica takes its place. Asks are to be tried again meanwhile; the call survives.

use std::time::Duration;

use chapar_protocol::{
    Action, ErrorCode,
    call::{CallAsk, EndReason, Standing},
};

use crate::{
    phone::{self, Phone, asks_until_done, connect, recorded, two_people},
    support::{
        Failure, PATIENCE,
        redis::{Cluster, Sentinels},
        world::Plan,
    },
};

#[tokio::test]
async fn and_the_call_survives() {
    let mut world = Plan::pair().start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    world.redis().kill();
    let error = leila.is_refused(call, CallAsk::Hold { held: true }).await;
    assert_eq!((error.code, error.action), (ErrorCode::Unavailable, Action::Retry), "{error:?}");
    assert!(error.retry_after_ms.is_some());
    assert_eq!(leila.refused(phone::invite_of(reza.id())).await.code, ErrorCode::Unavailable);
    leila.say(chat, "the chat goes on").await;

    world.redis().up().await;
    asks_until_done(&leila, call, CallAsk::Hold { held: true }).await;
    reza.stands(call, "the hold", |it| matches!(it, Standing::InCall(it) if it.theirs.held)).await;
    asks_until_done(&reza, call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::HungUp);
}

/// Nobody asks anything while Redis is away: what the nodes know is put back by itself, its timers with it.
#[tokio::test]
async fn and_comes_back_by_itself() {
    let mut world = Plan::pair().start().await;
    let [leila, reza, sara] = world.people().await;
    world.direct(&leila, &reza).await;
    world.direct(&sara, &reza).await;
    leila.connect(world.at(0)).await;
    reza.connect(world.at(1)).await;
    sara.connect(world.at(1)).await;
    let call = connect(&leila, &reza).await;
    world.redis().kill();
    world.redis().up().await;
    // Somebody who never heard of the call finds its people engaged, so the index by person is back as well.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let invite = phone::invite_of(reza.id());
        let ended = invite.call_id;
        match sara.call(&invite).await {
            Ok(state) if matches!(state.standing, Standing::Ended { reason: EndReason::Busy, .. }) => break,
            Ok(_) => sara.asks(ended, CallAsk::HangUp).await,
            Err(Failure::Refused(error)) => assert_eq!(error.action, Action::Retry, "{error:?}"),
            Err(Failure::Lost) => panic!("the chat must go on"),
        }
        assert!(std::time::Instant::now() < deadline, "the call was not put back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asks_until_done(&leila, call, CallAsk::HangUp).await;
    reza.hears_the_end(call).await;
}

#[tokio::test]
async fn and_a_replica_of_the_cluster_takes_over() {
    let mut cluster = Cluster::start(true).await;
    let world = Plan::over(2, &cluster.url()).start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", "chapar:{call}:due"]).await;
    cluster.masters[usize::from(slot / 5461).min(2)].kill();
    asks_until_done(&leila, call, CallAsk::Hold { held: true }).await;
    asks_until_done(&reza, call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::HungUp);
}

#[tokio::test]
async fn and_the_sentinels_name_another_master() {
    let mut sentinels = Sentinels::start().await;
    let world = Plan::over(2, &sentinels.url()).start().await;
    let (leila, reza, chat) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    sentinels.servers[0].kill();
    asks_until_done(&leila, call, CallAsk::Hold { held: true }).await;
    asks_until_done(&reza, call, CallAsk::HangUp).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::HungUp);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::HungUp);
}

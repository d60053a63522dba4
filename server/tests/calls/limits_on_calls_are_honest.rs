//! Whoever calls too often is told when to try again, and is let in then.

use std::time::Duration;

use chapar_protocol::{
    Action, ErrorCode,
    call::{CallAsk, CallId},
    command::AskCall,
};
use uuid::Uuid;

use crate::{
    phone::{Phone, RELAYED, connect, invite_of, two_people},
    support::{Failure, world::Plan},
};

#[tokio::test]
async fn on_calls_to_the_same_person() {
    let world = Plan::single().limited().flags(&["--calls-per-minute", "40"]).start().await;
    let [leila, reza, sara] = world.people().await;
    world.direct(&leila, &reza).await;
    world.direct(&leila, &sara).await;
    leila.connect(world.at(0)).await;
    let mut refused = None;
    for _ in 0..25 {
        let invite = invite_of(reza.id());
        match leila.call(&invite).await {
            Ok(state) => leila.asks(state.call_id, CallAsk::HangUp).await,
            Err(Failure::Refused(error)) => {
                refused = Some(error);
                break;
            }
            Err(Failure::Lost) => panic!("the connection stays"),
        }
    }
    let error = refused.expect("20 are a burst");
    assert_eq!((error.code, error.action), (ErrorCode::RateLimited, Action::Retry));
    let wait = error.retry_after_ms.expect("says when");
    assert!((1..=3001).contains(&wait), "{wait}");
    let other = leila.calls(sara.id()).await;
    leila.asks(other, CallAsk::HangUp).await;
    tokio::time::sleep(Duration::from_millis(wait.into())).await;
    leila.calls(reza.id()).await;
}

#[tokio::test]
async fn on_candidates_and_on_asks() {
    let world = Plan::single().start().await;
    let (leila, reza, _) = two_people(&world).await;
    let call = connect(&leila, &reza).await;
    let many = || CallAsk::Candidates { generation: 1, candidates: vec![RELAYED.to_owned(); 16] };
    for _ in 0..8 {
        leila.asks(call, many()).await;
    }
    let error = leila.is_refused(call, many()).await;
    assert_eq!((error.code, error.action), (ErrorCode::RateLimited, Action::Retry), "{error:?}");
    assert!((1..=16_001).contains(&error.retry_after_ms.expect("says when")), "{error:?}");

    let nothing = AskCall { call_id: CallId(Uuid::new_v4()), ask: CallAsk::Look };
    let mut refused = None;
    for _ in 0..2000 {
        match reza.call(&nothing).await {
            Err(Failure::Refused(error)) if error.code == ErrorCode::CallNotFound => {}
            Err(Failure::Refused(error)) => {
                refused = Some(error);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let error = refused.expect("400 are a burst");
    assert_eq!((error.code, error.action), (ErrorCode::RateLimited, Action::Retry), "{error:?}");
    tokio::time::sleep(Duration::from_millis(error.retry_after_ms.expect("says when").into())).await;
    reza.asks(call, CallAsk::Look).await;
}

//! A test that waits for itself says so: otherwise it stands for ever, and looks like a server that hangs.

use std::time::{Duration, Instant};

use crate::support::world::Plan;

#[tokio::test]
#[should_panic(expected = "the model is held")]
async fn who_asks_for_a_model_that_it_holds_is_told() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    device.until("itself", |_| device.model().events.is_empty()).await;
}

#[test]
fn a_helper_that_does_not_end_is_ended() {
    let began = Instant::now();
    let mut sleep = std::process::Command::new("sleep");
    let patience = Duration::from_millis(100);
    let error = crate::support::process::output_within(sleep.arg("600"), patience).expect_err("it sleeps");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(began.elapsed() < Duration::from_mins(1));
}

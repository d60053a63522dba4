//! Signing a device out closes its connection on whatever node it is, and its token opens nothing any more.

use chapar_protocol::{
    CloseCode, ErrorCode,
    command::{Devices, GetDevices, Ping, RevokeDevice},
};

use crate::support::{Failure, http, world::Plan};

#[tokio::test]
async fn on_another_node() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("pari").await;
    let [friend] = world.people().await;
    let chat = world.direct(&friend, &telephone).await;
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    friend.connect(world.at(1)).await;

    let devices = telephone.must(GetDevices {}).await.devices;
    let names: Vec<_> = devices.iter().map(|device| (device.name.as_str(), device.current)).collect();
    assert_eq!(names, [("computer", false), ("telephone", true)], "the newest first");
    telephone.must(RevokeDevice { device_id: computer.account().device_id }).await;

    assert_eq!(computer.ended().await, Some(CloseCode::InvalidToken.number()));
    friend.say(chat, "after it").await;
    telephone.sees(chat, "after it").await;
    assert!(!computer.model().texts(chat).contains(&"after it".to_owned()));
    let Err(Failure::Refused(error)) = computer.try_connect(world.at(1)).await else { panic!("it came in again") };
    assert_eq!(error.code, ErrorCode::InvalidToken);
    for node in [0, 1] {
        let error = http::call(world.at(node), computer.token(), &Ping {}).await.expect_err("no longer good");
        assert_eq!(error.code, ErrorCode::InvalidToken);
    }
}

#[tokio::test]
async fn signing_oneself_out() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("sara").await;
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    let out = http::request(world.at(0), "POST", "/api/v1/sign-out", Some(computer.token()), None).await;
    assert_eq!(out.status, 200, "{out:?}");
    assert_eq!(computer.ended().await, Some(CloseCode::InvalidToken.number()));
    let left = http::request(world.at(1), "GET", "/api/v1/devices", Some(telephone.token()), None).await;
    assert_eq!(left.read::<Devices>().expect("still good").devices.len(), 1);
    // The own device, over its own connection.
    let _ = telephone.call(&RevokeDevice { device_id: telephone.account().device_id }).await;
    assert_eq!(telephone.ended().await, Some(CloseCode::InvalidToken.number()));
}

#[tokio::test]
async fn nobody_revokes_the_device_of_another() {
    let world = Plan::single().start().await;
    let [one, other] = world.people().await;
    one.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    let _ = one.call(&RevokeDevice { device_id: other.account().device_id }).await;
    other.must(Ping {}).await;
    http::call(world.at(0), other.token(), &Ping {}).await.expect("still good");
    assert!(other.connected());
}

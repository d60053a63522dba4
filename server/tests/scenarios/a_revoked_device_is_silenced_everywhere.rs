//! Signing a device out closes its connection on whatever node it is, and its token opens nothing any more.

use chapar_protocol::{
    CloseCode, ErrorCode,
    account::SignedIn,
    command::{Devices, GetDevices, Ping, RevokeDevice, RevokeOtherDevices},
    limit,
};

use crate::support::{Failure, http, within, world::Plan};

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
async fn all_others_at_once() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("sara").await;
    let [friend] = world.people().await;
    for (device, node) in [(&telephone, 0), (&computer, 1), (&friend, 1)] {
        device.connect(world.at(node)).await;
    }
    telephone.must(RevokeOtherDevices {}).await;
    assert_eq!(computer.ended().await, Some(CloseCode::InvalidToken.number()));
    telephone.must(RevokeOtherDevices {}).await;
    let left = telephone.must(GetDevices {}).await.devices;
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [telephone.account().device_id]);
    assert!(friend.connected(), "nobody else is meant");
}

#[tokio::test]
async fn one_too_many_ends_the_one_that_was_away_the_longest() {
    let world = Plan::pair().start().await;
    let (telephone, computer) = world.person_with_two_devices("sara").await;
    let user = telephone.id();
    telephone.connect(world.at(0)).await;
    computer.connect(world.at(1)).await;
    // That they came is written a moment later.
    let noted = format!("SELECT count(*) FROM devices WHERE user_id = {user} AND last_seen_at > created_at");
    let both = async {
        while world.database.sql(&noted).trim() != "2" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("both to be noted as seen", both).await;
    // As if they had not been connected anew for days, and others had come since; the account is full then.
    world.database.sql(&format!(
        "UPDATE devices SET last_seen_at = now() - interval '9 days' WHERE id = {};
         UPDATE devices SET last_seen_at = now() - interval '8 days' WHERE id = {};
         INSERT INTO devices (user_id, token_hash, name, last_seen_at)
         SELECT {user}, decode(md5(n::text), 'hex'), 'browser', now() - interval '1 day' FROM generate_series(3, {}) n",
        telephone.account().device_id,
        computer.account().device_id,
        limit::DEVICES,
    ));
    let sign_in = serde_json::json!({ "handle": "sara", "password": "correct horse battery", "device": "new" });
    // Two at the same time: each ends one.
    let come = async |node| http::post(world.at(node), "/api/v1/sign-in", None, &sign_in).await.expect("signed in");
    let (one, two): (SignedIn, SignedIn) = tokio::join!(come(0), come(1));
    for gone in [&telephone, &computer] {
        assert_eq!(gone.ended().await, Some(CloseCode::InvalidToken.number()), "it is told at once");
    }
    let all = http::call(world.at(0), &one.token, &GetDevices {}).await.expect("is in").devices;
    assert_eq!(all.len(), limit::DEVICES, "none is left unseen");
    let count = world.database.sql(&format!("SELECT count(*) FROM devices WHERE user_id = {user}"));
    assert_eq!(count.trim(), limit::DEVICES.to_string());
    assert!([one.device_id, two.device_id].iter().all(|id| all.iter().any(|it| it.id == *id)));
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

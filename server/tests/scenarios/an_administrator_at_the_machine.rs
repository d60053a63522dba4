//! `chapar admin` on the machine of the server, beside the running nodes.

use std::{
    io::Write as _,
    process::{Output, Stdio},
    time::Duration,
};

use chapar_protocol::{CloseCode, ErrorCode, account::SignedIn, command::Ping};
use serde_json::json;

use crate::support::{Device, World, http, node::binary, world::Plan};

fn admin(world: &World, arguments: &[&str], password: Option<&str>) -> Output {
    let options = world.nodes[0].options();
    let mut command = binary();
    command.arg("admin").args(arguments).arg("--data-dir").arg(world.directory().join("admin"));
    command.arg("--database-url").arg(options.database_url.as_ref().expect("planned"));
    if let Some(url) = &options.redis_url {
        command.arg("--redis-url").arg(url);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    if let Some(password) = password {
        writeln!(stdin, "{password}").expect("it reads");
    }
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn sign_in(world: &World, handle: &str, password: &str) -> Result<SignedIn, ErrorCode> {
    let sign_in = json!({ "handle": handle, "password": password, "device": "a device" });
    http::post(world.at(0), "/api/v1/sign-in", None, &sign_in).await.map_err(|error| error.code)
}

#[tokio::test]
async fn makes_accounts_ends_sessions_and_counts() {
    let world = Plan::pair().start().await;
    done(&admin(&world, &["create-user", "golnar", "--name", "گلنار", "--password-stdin"], Some("the first password")));
    let again = admin(&world, &["create-user", "golnar", "--password-stdin"], Some("the first password"));
    assert!(!again.status.success(), "two with one handle");
    let short = admin(&world, &["create-user", "short", "--password-stdin"], Some("short"));
    assert!(!short.status.success(), "a password of 5 bytes");

    let first = Device::new(sign_in(&world, "golnar", "the first password").await.expect("in"));
    assert_eq!(first.account().user.name, "گلنار");
    let second = Device::new(sign_in(&world, "golnar", "the first password").await.expect("in"));
    first.connect(world.at(0)).await;
    second.connect(world.at(1)).await;
    let sessions = done(&admin(&world, &["sessions", "golnar"], None));
    for device in [&first, &second] {
        assert!(sessions.contains(&device.account().device_id.to_string()), "{sessions}");
        assert!(!sessions.contains(device.token()), "a token is shown");
    }
    let id = second.account().device_id.to_string();
    done(&admin(&world, &["revoke", "golnar", "--session", &id], None));
    let error = http::call(world.at(1), second.token(), &Ping {}).await.expect_err("revoked");
    assert_eq!(error.code, ErrorCode::InvalidToken);
    http::call(world.at(0), first.token(), &Ping {}).await.expect("this one not");
    done(&admin(&world, &["reset-password", "golnar", "--password-stdin"], Some("the second password")));
    let error = http::call(world.at(0), first.token(), &Ping {}).await.expect_err("a new password ends its sessions");
    assert_eq!(error.code, ErrorCode::InvalidToken);
    assert_eq!(sign_in(&world, "golnar", "the first password").await.err(), Some(ErrorCode::InvalidCredentials));
    sign_in(&world, "golnar", "the second password").await.expect("in");

    let statistics = done(&admin(&world, &["statistics"], None));
    assert!(statistics.lines().any(|line| line == "users\t1"), "{statistics}");
    assert!(statistics.lines().any(|line| line == "sessions\t1"), "{statistics}");
    let nobody = admin(&world, &["sessions", "nobody_here"], None);
    assert!(!nobody.status.success());

    // The command promises a minute.
    let patience = Duration::from_secs(65);
    for device in [&first, &second] {
        let end = tokio::time::timeout(patience, device.ended_at_last()).await.expect("its connection is closed");
        assert_eq!(end, Some(CloseCode::InvalidToken.number()));
    }
}

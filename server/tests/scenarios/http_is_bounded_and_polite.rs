//! HTTP takes no body that does not come, tells strangers apart from people, and says what programs need to know.

use std::{net::SocketAddr, time::Duration};

use chapar_protocol::{WireError, command::Ping};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{http, node::ADMIN_TOKEN, within, world::Plan};

/// Sends bytes as they are and reads all that comes until the end of the connection.
async fn raw(address: SocketAddr, request: &str) -> String {
    within("an answer", async {
        let mut tcp = TcpStream::connect(address).await.expect("connected");
        tcp.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let _ = tcp.read_to_string(&mut answer).await;
        answer
    })
    .await
}

fn head(verb: &str, path: &str, more: &str) -> String {
    format!("{verb} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n")
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let token = device.token();
    let of_a_stranger = head("POST", "/api/v1/sign-in", "Content-Length: 10000\r\n");
    let of_somebody =
        head("POST", "/api/v1/call/ping", &format!("Authorization: Bearer {token}\r\nContent-Length: 10000\r\n"));
    let answers = futures_util::join!(raw(world.at(0), &of_a_stranger), raw(world.at(0), &of_somebody));
    for answer in [answers.0, answers.1] {
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("did not come in time"), "{answer}");
    }
    // Whoever has no account may not send much, and what comes without a good token is not read at all.
    let large = raw(world.at(0), &head("POST", "/api/v1/sign-in", "Content-Length: 100000\r\n")).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    let unknown =
        raw(world.at(0), &head("POST", "/api/v1/call/ping", "Authorization: Bearer no\r\nContent-Length: 100000\r\n"))
            .await;
    assert!(unknown.starts_with("HTTP/1.1 401"), "{unknown}");
}

#[tokio::test]
async fn answers_say_what_programs_need_to_know() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let token = device.token();
    let other_method = raw(world.at(0), &head("GET", "/api/v1/sign-in", "")).await.to_lowercase();
    assert!(other_method.starts_with("http/1.1 405") && other_method.contains("allow: post"), "{other_method}");
    assert!(other_method.contains("x-content-type-options: nosniff"), "{other_method}");
    let scheme = raw(world.at(0), &head("GET", "/api/v1/me", &format!("Authorization: bearer {token}\r\n"))).await;
    assert!(scheme.starts_with("HTTP/1.1 200"), "{scheme}");
    let list = http::request(world.at(0), "POST", "/api/v1/call/get_users", Some(token), Some("[[1]]")).await;
    assert_eq!(list.status, 400, "{}", list.body);
    http::call(world.at(0), token, &Ping {}).await.expect("has no params");
}

#[tokio::test]
async fn metrics_are_the_operators() {
    let world = Plan::single().flags(&["--metrics-listen", "127.0.0.1:0"]).start().await;
    for more in ["", "Forwarded: for=192.0.2.1\r\n", "Via: 1.1 proxy\r\n", "X-Forwarded-For: 192.0.2.1\r\n"] {
        let answer = raw(world.at(0), &head("GET", "/metrics", more)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{more}: {answer}");
    }
    let operator = http::request(world.at(0), "GET", "/metrics", Some(ADMIN_TOKEN), None).await;
    assert_eq!(operator.status, 200);
    let log = world.nodes[0].log();
    let open: SocketAddr = log
        .lines()
        .find_map(|line| line.split_once("metrics address=")?.1.trim().parse().ok())
        .unwrap_or_else(|| panic!("no address of the metrics in {log}"));
    let answer = raw(open, &head("GET", "/metrics", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("chapar_connections"), "{answer}");
    let nothing_else = raw(open, &head("GET", "/api/v1/openapi.json", "")).await;
    assert!(nothing_else.starts_with("HTTP/1.1 404"), "{nothing_else}");
}

#[tokio::test]
async fn whoever_finds_no_room_reads_why_and_when_to_come_back() {
    let world = Plan::single().flags(&["--max-connections-per-address", "2"]).start().await;
    let others = [TcpStream::connect(world.at(0)).await, TcpStream::connect(world.at(0)).await];
    // Accepted before the third.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = raw(world.at(0), &head("GET", "/healthz", "")).await;
    drop(others);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("Retry-After: 5"), "{head}");
    let error: WireError = serde_json::from_str(body).expect("an error");
    assert_eq!(error.retry_after_ms, Some(5000));
}

#[tokio::test]
async fn strangers_are_counted_by_their_network() {
    let world = Plan::single().flags(&["--max-connections-per-address", "100"]).start().await;
    let [device] = world.people().await;
    let mut refused = 0;
    for _ in 0..300 {
        refused += u32::from(http::request(world.at(0), "GET", "/api/v1/me", None, None).await.status == 429);
    }
    assert!(refused > 0, "nobody counts them");
    let made_up = format!("1.{}", "x".repeat(43));
    for (verb, path, token) in [
        ("GET", "/api/v1/me", "no token"),
        ("GET", "/ws", made_up.as_str()),
        ("POST", "/api/v1/sign-in", made_up.as_str()),
        ("POST", "/api/v1/register", made_up.as_str()),
    ] {
        let mut tries = 0..100;
        let body = (verb == "POST").then_some("{}");
        while http::request(world.at(0), verb, path, Some(token), body).await.status != 429 {
            tries.next().unwrap_or_else(|| panic!("{path} is not counted when {token} is shown"));
        }
    }
    let mine = http::request(world.at(0), "GET", "/api/v1/me", Some(device.token()), None).await;
    assert_eq!(mine.status, 200, "whoever has a token is not meant");
}

//! Whatever bytes come: a typed error, the connection kept where that is safe, and the others unharmed.

use chapar_protocol::{
    CloseCode, ErrorCode, Seq,
    command::{Hello, MarkRead, Ping},
    limit,
};
use serde_json::json;
use tungstenite::Message;

use crate::support::{Device, RawSocket, World, world::Plan};

async fn greeted(world: &World, device: &Device) -> RawSocket {
    let mut socket = RawSocket::connect(world.at(0)).await;
    socket.call(0, &Hello { token: device.token().to_owned(), resume: None }).await.expect("welcome");
    socket
}

#[tokio::test]
async fn every_kind_of_nonsense() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let deep = "[".repeat(60_000);
    let deep_params =
        format!(r#"{{"id":9,"method":"ping","params":{{"x":{}{}}}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let frames: &[(&str, Option<u64>, &[ErrorCode])] = &[
        ("", None, &[ErrorCode::BadFrame]),
        ("سلام", None, &[ErrorCode::BadFrame]),
        ("{", None, &[ErrorCode::BadFrame]),
        ("null", None, &[ErrorCode::BadFrame]),
        ("17", None, &[ErrorCode::BadFrame]),
        ("[]", None, &[ErrorCode::BadFrame]),
        ("{}", None, &[ErrorCode::BadFrame]),
        (r#"{"id":1}"#, Some(1), &[ErrorCode::BadFrame]),
        (r#"{"id":-1,"method":"ping"}"#, None, &[ErrorCode::BadFrame]),
        (r#"{"id":1.5,"method":"ping"}"#, None, &[ErrorCode::BadFrame]),
        (r#"{"id":1e400,"method":"ping"}"#, None, &[ErrorCode::BadFrame]),
        (r#"{"id":"1","method":"ping"}"#, None, &[ErrorCode::BadFrame]),
        (r#"{"method":"ping"}"#, None, &[ErrorCode::BadFrame]),
        (r#"{"id":2,"method":7}"#, Some(2), &[ErrorCode::BadFrame]),
        (r#"{"id":2,"method":null}"#, Some(2), &[ErrorCode::BadFrame]),
        (r#"{"id":3,"method":"fly","params":{}}"#, Some(3), &[ErrorCode::UnknownMethod]),
        (r#"{"id":3,"method":""}"#, Some(3), &[ErrorCode::UnknownMethod]),
        (r#"{"id":4,"method":"send"}"#, Some(4), &[ErrorCode::BadRequest]),
        (r#"{"id":4,"method":"send","params":[]}"#, Some(4), &[ErrorCode::BadRequest]),
        (r#"{"id":4,"method":"send","params":"x"}"#, Some(4), &[ErrorCode::BadRequest]),
        (r#"{"id":4,"method":"send","params":{"chat_id":"1"}}"#, Some(4), &[ErrorCode::BadRequest]),
        (
            r#"{"id":5,"method":"get_chat","params":{"chat_id":99999999999999999999}}"#,
            Some(5),
            &[ErrorCode::BadRequest],
        ),
        (
            r#"{"id":5,"method":"get_chat","params":{"chat_id":-5}}"#,
            Some(5),
            &[ErrorCode::ChatNotFound, ErrorCode::BadRequest],
        ),
        (
            r#"{"id":5,"method":"get_chat","params":{"chat_id":9223372036854775807}}"#,
            Some(5),
            &[ErrorCode::ChatNotFound, ErrorCode::BadRequest],
        ),
        (&deep, None, &[ErrorCode::BadFrame]),
    ];
    for (frame, id, codes) in frames {
        // A connection for each: what no client would send, sent often, is abuse.
        let mut socket = greeted(&world, &device).await;
        socket.text(*frame).await;
        let shown = frame.chars().take(60).collect::<String>();
        let (got, error) = socket.reply().await.unwrap_or_else(|end| panic!("{shown}: closed with {end:?}"));
        let error = error.expect_err(&shown);
        assert_eq!(got, *id, "{shown}: {error:?}");
        assert!(codes.contains(&error.code), "{shown}: {error:?}");
        assert_eq!(error.action, error.code.action());
        socket.call(7, &Ping {}).await.unwrap_or_else(|error| panic!("after {shown}: {error:?}"));
    }
    let mut socket = greeted(&world, &device).await;
    socket.text(deep_params).await;
    let _ = socket.reply().await.expect("answered, one way or the other");
    socket.call(7, &Ping {}).await.expect("kept");
    let mut socket = greeted(&world, &device).await;
    socket.text(r#"{"id":1,"method":"ping","params":{"new":true},"new":[1]}"#).await;
    socket.reply().await.expect("kept").1.expect("unknown fields are tolerated");
}

#[tokio::test]
async fn texts_that_cannot_be() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let chat_id = world.group(&device, &[]).await;
    let mut socket = greeted(&world, &device).await;
    let long = "ی".repeat(limit::TEXT_UNITS);
    let entity = |offset: i64, length: i64| json!([{ "offset": offset, "length": length, "type": "bold" }]);
    let many: Vec<_> = (0..=limit::ENTITIES).map(|_| json!({ "offset": 0, "length": 1, "type": "bold" })).collect();
    let cases = [
        (json!({ "kind": "text", "text": "" }), ErrorCode::BadText),
        (json!({ "kind": "text", "text": "   \n\t " }), ErrorCode::BadText),
        (json!({ "kind": "text", "text": "a\0b" }), ErrorCode::BadText),
        (json!({ "kind": "text", "text": format!("{long}ک") }), ErrorCode::TextTooLong),
        (json!({ "kind": "text", "text": "😀".repeat(limit::TEXT_UNITS / 2 + 1) }), ErrorCode::TextTooLong),
        (json!({ "kind": "text", "text": "abc", "entities": entity(2, 2) }), ErrorCode::BadEntities),
        (json!({ "kind": "text", "text": "abc", "entities": entity(0, 0) }), ErrorCode::BadEntities),
        (json!({ "kind": "text", "text": "😀", "entities": entity(1, 1) }), ErrorCode::BadEntities),
        (
            json!({ "kind": "text", "text": "abc", "entities": entity(4_294_967_295, 4_294_967_295) }),
            ErrorCode::BadEntities,
        ),
        (json!({ "kind": "text", "text": "abc", "entities": entity(-1, 1) }), ErrorCode::BadRequest),
        (json!({ "kind": "text", "text": "abc", "entities": many }), ErrorCode::BadEntities),
        (json!({ "kind": "no_such_kind", "text": "abc" }), ErrorCode::BadRequest),
        (json!({ "kind": "service", "action": { "type": "created" } }), ErrorCode::BadRequest),
        (json!({ "kind": "deleted" }), ErrorCode::BadRequest),
    ];
    for (n, (body, code)) in cases.into_iter().enumerate() {
        let params = json!({ "chat_id": chat_id, "client_id": uuid::Uuid::new_v4(), "body": body });
        socket.text(json!({ "id": n, "method": "send", "params": params }).to_string()).await;
        let (_, outcome) = socket.reply().await.unwrap_or_else(|end| panic!("case {n}: closed with {end:?}"));
        assert_eq!(outcome.expect_err("refused").code, code, "case {n}");
    }
    // A lone surrogate is no text at all.
    let half_pair = format!(
        r#"{{"id":1,"method":"send","params":{{"chat_id":{chat_id},"client_id":"{}","body":{{"kind":"text","text":"\ud800"}}}}}}"#,
        uuid::Uuid::new_v4()
    );
    socket.text(half_pair).await;
    let error = socket.reply().await.expect("kept").1.expect_err("refused");
    assert!(matches!(error.code, ErrorCode::BadRequest | ErrorCode::BadFrame), "{error:?}");
    // The longest that may be is taken, and comes back as it was.
    device.connect(world.at(0)).await;
    device.say(chat_id, &long).await;
    device.sees(chat_id, &long).await;
    assert_eq!(device.model().texts(chat_id).len(), 1, "nothing of the refused was stored");
}

#[tokio::test]
async fn frames_too_large_or_of_a_forbidden_kind() {
    let world = Plan::single().start().await;
    let [device, other] = world.people().await;
    other.connect(world.at(0)).await;
    let padded = |size: usize| {
        let (head, tail) = (r#"{"id":1,"method":"ping","params":{"pad":""#, r#""}}"#);
        format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len()))
    };
    let mut socket = greeted(&world, &device).await;
    socket.text(padded(limit::FRAME_BYTES)).await;
    socket.reply().await.expect("kept").1.expect("just fits");
    let mut socket = greeted(&world, &device).await;
    let _ = futures_util::SinkExt::send(&mut socket.stream, Message::text(padded(limit::FRAME_BYTES + 1))).await;
    assert_eq!(socket.end().await, Some(CloseCode::TooLarge.number()));
    // Before hello, too.
    let mut socket = RawSocket::connect(world.at(0)).await;
    let _ = futures_util::SinkExt::send(&mut socket.stream, Message::text(padded(limit::FRAME_BYTES + 1))).await;
    assert_eq!(socket.end().await, Some(CloseCode::TooLarge.number()));
    let mut socket = greeted(&world, &device).await;
    socket.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(socket.end().await, Some(CloseCode::Protocol.number()));
    other.must(Ping {}).await;
}

#[tokio::test]
async fn before_and_after_hello() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let chat_id = world.group(&device, &[]).await;
    let mut socket = RawSocket::connect(world.at(0)).await;
    let early = socket.call(1, &MarkRead { chat_id, seq: Seq(1) }).await.expect_err("no hello yet");
    assert_eq!(early.code, ErrorCode::Unauthenticated);
    socket.call(2, &Hello { token: device.token().to_owned(), resume: None }).await.expect("still welcome");
    let twice = socket.call(3, &Hello { token: device.token().to_owned(), resume: None }).await;
    assert!(twice.is_err(), "hello is said once");
    socket.call(4, &Ping {}).await.expect("kept");

    let mut socket = RawSocket::connect(world.at(0)).await;
    let error = socket.call(1, &Hello { token: "not a token".to_owned(), resume: None }).await.expect_err("unknown");
    assert_eq!(error.code, ErrorCode::InvalidToken);
}

#[tokio::test]
async fn who_never_says_hello_is_let_go() {
    let world = Plan::single().start().await;
    let mut socket = RawSocket::connect(world.at(0)).await;
    let start = std::time::Instant::now();
    assert_eq!(socket.end().await, Some(CloseCode::HelloTimeout.number()));
    let took = start.elapsed().as_secs();
    assert!((limit::HELLO_SECONDS - 1..=limit::HELLO_SECONDS + 5).contains(&took), "after {took} s");
}

#[tokio::test]
async fn who_goes_on_with_nonsense_is_thrown_out_at_last() {
    let world = Plan::single().start().await;
    let [device] = world.people().await;
    let mut socket = greeted(&world, &device).await;
    let mut answers = 0;
    let end = loop {
        if futures_util::SinkExt::send(&mut socket.stream, Message::text("nonsense")).await.is_err() {
            break socket.end().await;
        }
        match socket.reply().await {
            Ok((_, Err(error))) => assert_eq!(error.action, error.code.action()),
            Ok((_, Ok(_))) => panic!("nonsense was done"),
            Err(end) => break end,
        }
        answers += 1;
        assert!(answers < 10_000, "nobody stops it");
    };
    assert_eq!(end, Some(CloseCode::Abuse.number()));
    assert!(answers >= 5, "one slip is no abuse");
}

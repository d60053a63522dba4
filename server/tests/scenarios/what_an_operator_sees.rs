//! Health, metrics, the description of the HTTP API; and logs that hold nobody's words.

use chapar_protocol::{
    account::SignedIn,
    command::{Edit, React},
    message::NewBody,
    openapi::openapi,
};
use serde_json::{Value, json};

use crate::support::{Device, Node, http, node::ADMIN_TOKEN, tus, world::Plan};

#[tokio::test]
async fn health_metrics_and_the_api_description() {
    let world = Plan::pair().start().await;
    let [one, other] = world.people().await;
    let chat = world.direct(&one, &other).await;
    one.connect(world.at(0)).await;
    one.say(chat, "counted").await;
    assert_eq!(http::get(world.at(0), "/healthz").await.status, 200);
    assert_eq!(http::get(world.at(0), "/readyz").await.status, 200);
    let served = http::get(world.at(0), "/api/v1/openapi.json").await;
    assert_eq!(serde_json::from_str::<Value>(&served.body).expect("JSON"), openapi());
    for (path, operations) in openapi()["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", &uuid::Uuid::nil().to_string()).replace("{token}", "x").replace("{size}", "80");
        for verb in operations.as_object().expect("operations").keys() {
            let answer = tus::ask(world.at(0), &verb.to_uppercase(), &path, &[], &[], None).await.expect("an answer");
            let there = answer.status != 405 && (answer.status != 404 || answer.code() == "file_not_found");
            assert!(there, "{verb} {path} is described and not there: {}", answer.status);
        }
    }
    let metrics = http::get(world.at(0), "/metrics").await;
    assert_eq!(metrics.status, 200);
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("chapar_") || name.starts_with("process_"), "{line}");
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
    }
    assert!(metrics.body.contains("connections"), "{}", metrics.body);
    let missing = http::get(world.at(0), "/api/v1/no-such-thing").await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn no_words_and_no_secrets_in_any_log() {
    for format in ["text", "json"] {
        // Statements are named with their rows and their time, and without what they are about.
        let level = "trace,sqlx::query=debug";
        let mut world = Plan::pair().flags(&["--log-level", level, "--log-format", format]).start().await;
        let secrets = ["Kabutar-7391-text", "Kabutar-7391-edit", "Kabutar-7391-pass", "Kabutar-7391-wrong"];
        let register = json!({ "handle": "writer", "password": secrets[2] });
        let writer: SignedIn = http::post(world.at(0), "/api/v1/register", None, &register).await.expect("made");
        let wrong = json!({ "handle": "writer", "password": secrets[3] });
        http::post::<_, SignedIn>(world.at(1), "/api/v1/sign-in", None, &wrong).await.err().expect("wrong");
        let right = json!({ "handle": "writer", "password": secrets[2] });
        let second: SignedIn = http::post(world.at(1), "/api/v1/sign-in", None, &right).await.expect("right");
        let (writer, second) = (Device::new(writer), Device::new(second));
        let [reader] = world.people().await;
        let chat_id = world.direct(&writer, &reader).await;
        writer.connect(world.at(0)).await;
        reader.connect(world.at(1)).await;
        second.connect(world.at(1)).await;
        let seq = writer.say(chat_id, secrets[0]).await.seq;
        reader.sees(chat_id, secrets[0]).await;
        writer.must(Edit { chat_id, seq, body: NewBody::text(secrets[1]) }).await;
        reader.sees(chat_id, secrets[1]).await;
        reader.must(React { chat_id, seq, emoji: Some("🕊️".to_owned()) }).await;
        let broken = format!(r#"{{"chat_id":"{}"}}"#, secrets[0]);
        let path = "/api/v1/call/send";
        let error = http::request(world.at(0), "POST", path, Some(writer.token()), Some(&broken)).await;
        assert!(!error.body.contains(secrets[0]), "an error repeats what was sent: {}", error.body);
        reader.cut().await;
        reader.connect(world.at(0)).await;
        world.redis().kill();
        writer.say(chat_id, secrets[0]).await;
        world.redis().up().await;
        let metrics = http::get(world.at(0), "/metrics").await.body;
        for node in &mut world.nodes {
            node.kill();
        }
        let logs: Vec<String> = world.nodes.iter().map(Node::log).chain([metrics]).collect();
        // The bus is the first to say something below INFO.
        assert!(logs[0].contains("DEBUG"), "the level is not on:\n{}", logs[0]);
        assert!(logs[0].contains("rows_returned"), "no statement is told:\n{}", logs[0]);
        let tokens = [writer.token(), second.token(), reader.token(), ADMIN_TOKEN];
        for (log, secret) in logs.iter().flat_map(|log| secrets.iter().chain(&tokens).map(move |one| (log, *one))) {
            if let Some(line) = log.lines().find(|line| line.contains(secret)) {
                panic!("a log ({format}) tells {secret}: {line}");
            }
        }
    }
}

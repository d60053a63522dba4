//! Whatever somebody sends, reading it ends in a value or in a typed error that repeats nothing of it.

#[path = "support/mutator.rs"]
mod mutator;
#[path = "support/properties.rs"]
#[expect(dead_code, reason = "shared: each test uses its own part")]
mod properties;

use std::fs;

use chapar_protocol::command::METHODS;
use serde_json::Value;

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "\\\"",
    "\u{1F600}",
    "سلام",
    "\"id\":",
    "\"method\":",
    "\"params\":",
    "\"ok\":",
    "\"error\":",
    "\"event\":",
    "\"data\":",
    "\"kind\":",
    "\"type\":",
    "\"text\":",
    "\"entities\":",
    "\"offset\":",
    "\"delta\"",
    "\"snapshot\"",
    "\"id\":1,",
    "\"kind\":\"poll\",",
    "\"type\":\"glow\",",
    "00000000-0000-4000-8000-000000000001",
    "\"2026-11-23T08:30:00Z\"",
    "\"9999-12-31T23:59:59-23:59\"",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
];

#[test]
fn a_clients_frame() {
    let corpus = mutator::corpus("frame");
    for method in METHODS {
        let named = format!("\"method\":\"{}\"", method.name);
        assert!(corpus.iter().any(|frame| frame.contains(&named)), "tests/corpus/frame has no {}", method.name);
        assert!(properties::TRIED.contains(&method.name), "properties.rs does not try {}", method.name);
    }
    mutator::fuzz(&corpus, WORDS, properties::client_frame);
}

#[test]
fn a_servers_frame() {
    let mut corpus = mutator::corpus("server_frame");
    // The vectors of the resume contract are full of frames.
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")).expect("vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "json") {
            let vector = fs::read_to_string(path).expect("a vector");
            collect(&serde_json::from_str(&vector).expect("JSON"), &mut corpus);
        }
    }
    assert!(corpus.len() > 100, "{}", corpus.len());
    corpus.sort();
    corpus.dedup();
    mutator::fuzz(&corpus, WORDS, properties::server_frame);
}

#[test]
fn deep_nesting_does_not_use_up_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [100, 127, 128, 129, 20_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            properties::client_frame(&format!(r#"{{"id":1,"method":"send","params":{deep},"more":{deep}}}"#));
            properties::client_frame(&format!(
                r#"{{"id":1,"method":"send","params":{{"chat_id":1,"client_id":"00000000-0000-4000-8000-000000000001",
                "body":{{"kind":"text","text":"a","entities":[{{"offset":0,"length":1,"type":"glow","x":{deep}}}]}}}}}}"#
            ));
            properties::server_frame(&format!(r#"{{"id":1,"ok":{deep}}}"#));
            properties::server_frame(&format!(r#"{{"event":"delta","data":{deep}}}"#));
        }
    }
}

/// Every object that is a frame of a server, and what replies hold as a reply.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("event") || (fields.contains_key("id") && fields.contains_key("ok")) {
                into.push(value.to_string());
            } else if fields.contains_key("version") {
                into.push(format!(r#"{{"id":1,"ok":{value}}}"#));
            }
            fields.values().for_each(|inner| collect(inner, into));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, into)),
        _ => {}
    }
}

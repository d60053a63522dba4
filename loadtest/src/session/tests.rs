use super::*;
use crate::{ledger::ChatLog, message::Maker, websocket::Step};

const CHAT: i64 = 9;

/// A user in one chat that is at seq 2 and version 4, with the clock and the frames in the test's hand.
struct Bench {
    session: Session,
    shared: Shared,
    now_us: u64,
}

impl Bench {
    fn new() -> Self {
        let log = ChatLog { id: CHAT, base_seq: 2, base_version: 4, top_version: 4, seen: Vec::new() };
        let ledger = Ledger::new(Maker::new(1, 9..=9), vec![71, 72], vec![log]);
        let session = Session::new(0, "secret".into(), vec![Cursor::new(0, 0, 4, 2)], 1);
        Self { session, shared: Shared::new(ledger, 8), now_us: 0 }
    }

    fn receive(&mut self, text: &str) -> Result<(), End> {
        let frame = Frame { op: Op::Text, payload: text.as_bytes(), size: 0 };
        self.session.frame(&frame, &mut self.shared, self.now_us)
    }

    /// What the session wrote since the last call, unmasked.
    fn written(&mut self) -> Vec<serde_json::Value> {
        let mut out = std::mem::take(&mut self.session.out);
        let (mut at, mut requests) = (0, Vec::new());
        while at < out.len() {
            let header = if out[at + 1] & 0x7F == 126 { 4 } else { 2 };
            let key: [u8; 4] = out[at + header..at + header + 4].try_into().expect("four bytes");
            out[at + 1] &= 0x7F;
            let plain: Vec<u8> = out[at..at + header].iter().chain(&out[at + header + 4..]).copied().collect();
            let Step::Frame(frame) = websocket::step(&plain) else { panic!("a whole frame") };
            let payload: Vec<u8> = frame.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            requests.push(serde_json::from_slice(&payload).expect("JSON"));
            at += frame.size + 4;
        }
        requests
    }

    fn connect(&mut self, sync: &str) -> Vec<serde_json::Value> {
        self.session.open("host", self.now_us);
        self.session.out.clear();
        self.session.greet(&self.shared.ledger, self.now_us);
        let hello = self.written();
        let welcome = format!(
            r#"{{"id":{HELLO},"ok":{{"user":{{"id":71,"handle":"a","name":"a"}},"device_id":1,"server_time":"2026-11-23T08:30:00.125Z","heartbeat_seconds":30,"sync":{sync}}}}}"#
        );
        self.receive(&welcome).expect("welcome");
        hello
    }

    fn send(&mut self) {
        let ident = self.shared.ledger.send(0, 0, self.now_us);
        self.session.pending.push_back(ident.count);
        self.session.pump(&mut self.shared, self.now_us);
    }

    /// A delta event with one message of the other user.
    fn delta(&mut self, version: i64) -> String {
        let ident = self.shared.ledger.send(1, 0, 0);
        let mut text = Vec::new();
        self.shared.ledger.maker.text(ident, &mut text);
        let (id, text) = (self.shared.ledger.maker.client_id(ident), String::from_utf8(text).expect("ASCII"));
        format!(
            r#"{{"event":"delta","data":{{"chat_id":9,"from":{},"version":{version},"rows":[{{"row":"message","seq":{},"version":{version},"sender":72,"client_id":"{id}","sent_at":"2026-11-23T08:30:00.125Z","body":{{"kind":"text","text":"{text}"}}}}]}}}}"#,
            version - 1,
            version - 2
        )
    }
}

const FRESH: &str = r#"{"epochs":[["people","e"],["chats","e"]],"reset":["people","chats"],"user":{"from":0,"version":3},"chats":[{"kind":"snapshot","snapshot":{"chat":{"id":9,"version":1,"kind":"direct","created_at":"2026-11-23T08:30:00.125Z"},"version":4,"last_seq":2,"rows":[]}}]}"#;
const SAME: &str = r#"{"epochs":[["people","e"],["chats","e"]],"user":{"from":3,"version":3},"chats":[]}"#;

fn ids(requests: &[serde_json::Value]) -> Vec<(u64, String)> {
    let id = |it: &serde_json::Value| {
        (it["id"].as_u64().expect("an id"), it["params"]["client_id"].as_str().unwrap_or_default().to_owned())
    };
    requests.iter().map(id).collect()
}

#[test]
fn what_had_no_answer_is_sent_again_with_the_same_ids_in_order() {
    let mut bench = Bench::new();
    let hello = bench.connect(FRESH);
    assert!(hello[0]["params"].get("resume").is_none(), "knows nothing yet");
    (0..3).for_each(|_| bench.send());
    let first = ids(&bench.written());
    bench.receive(r#"{"id":1,"ok":{"seq":3,"version":5,"sent_at":"2026-11-23T08:30:00.125Z"}}"#).expect("taken");
    bench.session.lost(End::Lost("test".into()), &mut bench.shared, 0);
    let Phase::Down(at) = bench.session.phase else { panic!("down") };
    assert!(at < 1_000_000, "the first try comes within a second");
    bench.send();
    assert!(bench.written().is_empty(), "nothing leaves without a connection");
    let hello = bench.connect(SAME);
    assert_eq!(hello[0]["params"]["resume"]["chats"], serde_json::json!([[9, 4, 0]]));
    let second = ids(&bench.written());
    assert_eq!(second[..2], [first[0].clone(), first[2].clone()], "not the acknowledged one");
    assert_eq!((second[2].0, second.len()), (3, 3), "then what came meanwhile");
}

#[test]
fn deltas_before_the_welcome_are_kept_and_applied_after_it() {
    let mut bench = Bench::new();
    bench.session.greet(&bench.shared.ledger, 0);
    let early = bench.delta(5);
    bench.receive(&early).expect("kept");
    assert_eq!(bench.session.cursors[0].version, 4);
    bench.connect(FRESH);
    assert_eq!((bench.session.cursors[0].version, bench.shared.stats.delivered), (5, 1));
    assert!(bench.session.settled() && bench.shared.ledger.violations.total() == 0);
}

#[test]
fn a_gap_is_asked_for_once_and_the_kept_deltas_follow() {
    let mut bench = Bench::new();
    bench.connect(FRESH);
    let events: Vec<String> = (5..=7).map(|version| bench.delta(version)).collect();
    bench.receive(&events[1]).expect("kept");
    bench.receive(&events[2]).expect("kept");
    let asked = bench.written();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["params"], serde_json::json!({"chats": [[9, 4]]}));
    assert!(!bench.session.settled());
    let event: serde_json::Value = serde_json::from_str(&events[0]).expect("JSON");
    let sync = serde_json::json!({"kind": "delta", "delta": event["data"], "more": false});
    let answer = serde_json::json!({"id": asked[0]["id"], "ok": {"chats": [sync]}});
    bench.receive(&answer.to_string()).expect("applied");
    assert_eq!((bench.session.cursors[0].version, bench.shared.stats.delivered), (7, 3));
    assert!(bench.session.settled() && bench.shared.ledger.violations.total() == 0);
}

#[test]
fn a_retryable_error_pauses_and_then_the_message_goes_first() {
    let mut bench = Bench::new();
    bench.connect(FRESH);
    bench.send();
    bench.written();
    let later = r#"{"id":0,"error":{"code":"overloaded","message":"later","action":"retry","retry_after_ms":40}}"#;
    bench.receive(later).expect("goes on");
    bench.send();
    assert!(bench.written().is_empty(), "pauses");
    bench.now_us = 40_000;
    bench.session.tick(&mut bench.shared, bench.now_us).expect("goes on");
    let order: Vec<u64> = ids(&bench.written()).into_iter().map(|it| it.0).collect();
    assert_eq!(order, [0, 1]);
    assert_eq!(bench.shared.stats.errors["overloaded"], 1);
}

#[test]
fn a_snapshot_in_mid_run_leaves_a_hole_for_the_audit() {
    let mut bench = Bench::new();
    bench.connect(FRESH);
    bench.session.lost(End::Lost("test".into()), &mut bench.shared, 0);
    bench.connect(&FRESH.replace(r#""version":4,"last_seq":2"#, r#""version":3004,"last_seq":3002"#));
    assert_eq!(bench.session.cursors[0].holes, [(3, 3002)]);
    assert_eq!(bench.shared.stats.snapshots, 1);
}

#[test]
fn silence_ends_a_connection_and_a_drain_names_its_time() {
    let mut bench = Bench::new();
    bench.connect(FRESH);
    assert_eq!(bench.session.tick(&mut bench.shared, 59_000_000), Ok(()));
    assert_eq!(bench.session.tick(&mut bench.shared, 60_000_001), Err(End::Lost("silence".into())));
    bench.receive(r#"{"event":"drain","data":{"reconnect_after_ms":700}}"#).expect("taken");
    bench.send();
    assert!(bench.written().is_empty(), "nothing new goes to a node that goes away");
    let end = bench.session.tick(&mut bench.shared, 0).expect_err("nothing is under way");
    bench.session.lost(end, &mut bench.shared, 0);
    assert_eq!(bench.session.phase, Phase::Down(700_000));
}

#[test]
fn close_codes_say_whether_to_come_back() {
    assert!(matches!(closed(&4004_u16.to_be_bytes()), End::Lost(_)));
    assert!(matches!(closed(&4003_u16.to_be_bytes()), End::Dead(_)));
    assert!(matches!(closed(&[]), End::Lost(_)));
}

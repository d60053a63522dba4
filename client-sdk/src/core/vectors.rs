//! Runs `protocol/vectors/*.json` against the core. Their format is in `protocol/vectors/README.md`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use chapar_protocol::{ChatSnapshot, Epoch, MyChat, Seq, User, UserId, message::NewBody};
use serde_json::{Value, json};

use super::{
    Config, Input, Millis, Output, Session,
    chat::Chat,
    event::{SendState, Stop},
    outbox::OutboxItem,
    phase::Phase,
    requests::Effect,
    saved::{Saved, State},
    user::Own,
};

const ME: i64 = 1;

struct World {
    session: Session,
    now: Millis,
    /// What the dice show: always the most, or always 1 (with 0 the client would not wait at all).
    most: bool,
    store: Vec<OutboxItem>,
    connect: bool,
    /// Requests of this connection that were not answered yet.
    open: Vec<Value>,
    sends: Vec<Value>,
    delay: Option<Millis>,
    tickets: u64,
}

fn me() -> User {
    User { id: UserId(ME), handle: "sara".into(), name: "Sara".into(), photo: None }
}

fn from<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn item(value: &Value) -> OutboxItem {
    let body = NewBody::text(value["text"].as_str().expect("text"));
    OutboxItem::new(from(&value["client_id"]), from(&value["chat_id"]), body, None)
}

fn saved(given: &Value) -> Saved {
    let list = |name: &str| given[name].as_array().cloned().unwrap_or_default();
    let outbox: Vec<_> = list("outbox").iter().map(item).collect();
    let epochs: Vec<Epoch> = list("epochs").iter().map(from).collect();
    if epochs.is_empty() {
        return Saved { owner: None, outbox, state: None };
    }
    let snapshots = list("chats").into_iter().map(|it| Chat::from_snapshot(from::<ChatSnapshot>(&it), UserId(ME)));
    let mine = list("mine").iter().map(from::<MyChat>).map(|mine| (mine.chat_id, mine)).collect();
    let state = State {
        epochs,
        own: Own::at(from(&given["user_version"]), mine),
        chats: snapshots.map(|chat| (chat.info.id, Arc::new(chat))).collect(),
    };
    Saved { owner: Some(me()), outbox, state: Some(state) }
}

impl World {
    fn new(given: &Value, most: bool) -> Self {
        let saved = saved(given);
        let store = saved.outbox.clone();
        let session = Session::new(Config::default(), "token".into(), saved);
        let (connect, delay, tickets) = (false, None, 0);
        let mut world = Self { session, now: 0, most, store, connect, open: vec![], sends: vec![], delay, tickets };
        world.handle(Input::Tick);
        if given["phase"] == "live" {
            world.step("connect", &json!(true));
            let user = json!({"from": given["user_version"], "version": given["user_version"]});
            world.step("welcome", &json!({"epochs": given["epochs"], "user": user, "chats": []}));
        }
        world.sends.clear();
        world
    }

    fn handle(&mut self, input: Input<'_>) {
        let most = self.most;
        let mut dice = |bound: u64| if most { bound - 1 } else { 1.min(bound - 1) };
        self.session.handle(self.now, &mut dice, input);
        for output in self.session.take() {
            match output {
                Output::Connect => self.connect = true,
                Output::Write(frame) => {
                    let frame: Value = serde_json::from_str(&frame).expect("a frame is JSON");
                    self.open.push(frame.clone());
                    self.sends.push(json!({"method": frame["method"], "params": frame["params"]}));
                }
                Output::Disconnect(_) => self.open.clear(),
                Output::Store(item) => {
                    let client_id = item.client_id;
                    match self.store.iter_mut().find(|known| known.client_id == client_id) {
                        Some(known) => *known = item,
                        None => self.store.push(item),
                    }
                    self.handle(Input::Stored { client_id, ok: true });
                }
                Output::Unstore(client_id) => self.store.retain(|known| known.client_id != client_id),
                Output::Upload(_) | Output::EndUpload(..) | Output::Answer { .. } | Output::Tell(_) => {}
            }
        }
        if let Phase::Waiting { until, .. } = self.session.phase() {
            self.delay = Some(until - self.now);
        }
    }

    /// Lets time pass until the client wants a connection.
    fn await_connect(&mut self) {
        while !self.connect {
            let deadline = self.session.deadline(self.now).expect("the client wants to connect some time");
            self.now = self.now.max(deadline);
            self.handle(Input::Tick);
        }
        self.connect = false;
    }

    fn answer(&mut self, method: &str, params: &Value, outcome: (&str, &Value)) {
        let fits = |request: &Value| request["method"] == method && contains(&request["params"], params).is_ok();
        let index = self.open.iter().position(fits).unwrap_or_else(|| panic!("no open {method} {params}"));
        let request = self.open.remove(index);
        let mut frame = json!({"id": request["id"]});
        frame[outcome.0] = outcome.1.clone();
        self.handle(Input::Frame(&frame.to_string()));
    }

    fn step(&mut self, verb: &str, value: &Value) {
        match verb {
            "connect" => {
                self.await_connect();
                self.handle(Input::Opened);
            }
            "refuse_connection" => {
                self.await_connect();
                self.handle(Input::Lost { code: None, reason: "refused" });
            }
            "welcome" => {
                let welcome = json!({"user": me(), "device_id": 1, "server_time": "2026-11-23T08:30:00.000Z",
                    "heartbeat_seconds": 30, "sync": value});
                self.answer("hello", &json!({}), ("ok", &welcome));
            }
            "receive" => self.handle(Input::Frame(&value.to_string())),
            "reply" => {
                let name = if value["error"].is_null() { "ok" } else { "error" };
                let method = value["method"].as_str().expect("a method").to_owned();
                self.answer(&method, &value["params"], (name, &value[name]));
            }
            "hurry" => self.handle(Input::Hurry),
            "close" => self.handle(Input::Close),
            "ping" => self.handle(Input::Alive),
            "lost" => {
                self.open.clear();
                let code = value["code"].as_u64().map(|code| u16::try_from(code).expect("a close code"));
                self.handle(Input::Lost { code, reason: "test" });
            }
            "advance_ms" => {
                self.now += value.as_u64().expect("milliseconds");
                self.handle(Input::Tick);
            }
            "send" => {
                self.tickets += 1;
                self.handle(Input::Send { ticket: self.tickets, item: item(value) });
            }
            "call" => {
                self.tickets += 1;
                let method: &'static str = value["method"].as_str().expect("a method").to_owned().leak();
                let effect = match method {
                    "history" => Effect::Page(from(&value["params"]["chat_id"])),
                    "get_chat" => Effect::Snapshot,
                    _ => Effect::None,
                };
                let params = value["params"].to_string();
                self.handle(Input::Request { ticket: self.tickets, method, params, effect });
            }
            "restart" => {
                let state = State {
                    epochs: self.session.epochs().to_vec(),
                    own: self.session.own().clone(),
                    chats: self.session.chats().clone(),
                };
                // Through its JSON, as a store would.
                let saved = Saved { owner: Some(me()), outbox: self.store.clone(), state: Some(state) };
                let saved: Saved = from(&serde_json::to_value(&saved).expect("serialises"));
                self.session = Session::new(Config::default(), "token".into(), saved);
                self.open.clear();
                self.handle(Input::Tick);
            }
            "serve_differences" => self.serve_differences(value),
            other => panic!("unknown step {other}"),
        }
    }

    /// Answers every difference of one chat from rows, page by page, until none is asked any more.
    fn serve_differences(&mut self, value: &Value) {
        let page = usize::try_from(value["page"].as_u64().expect("a page")).expect("small");
        for _ in 0..1_000 {
            let Some(request) = self.open.iter().find(|it| it["method"] == "difference").cloned() else { return };
            let from = request["params"]["chats"][0][1].as_i64().expect("a version");
            let rows = value["rows"].as_array().expect("rows").iter();
            let rows: Vec<_> = rows.filter(|row| row["version"].as_i64() > Some(from)).take(page + 1).collect();
            let more = rows.len() > page;
            let rows = &rows[..rows.len().min(page)];
            let version = rows.last().map_or(value["version"].clone(), |row| row["version"].clone());
            let delta = json!({"chat_id": value["chat_id"], "from": from, "version": version, "rows": rows});
            let params = request["params"].clone();
            let sync = json!({"kind": "delta", "delta": delta, "more": more});
            self.answer("difference", &params, ("ok", &json!({"chats": [sync]})));
        }
        panic!("the client asks for ever");
    }

    fn state(&self) -> Value {
        let session = &self.session;
        let chats: BTreeMap<String, Value> = session
            .chats()
            .values()
            .map(|chat| {
                let mine = session.own().chats.get(&chat.info.id);
                let read_seq = mine.map_or(0, |mine| mine.read_seq.0);
                let members: Vec<_> = chat.members.values().map(|it| json!([it.user_id, it.role])).collect();
                let reacted: BTreeMap<String, &String> =
                    chat.reacted.iter().map(|(seq, emoji)| (seq.to_string(), emoji)).collect();
                let value = json!({
                    "version": chat.version, "title": chat.info.title, "description": chat.info.description, "photo": chat.info.photo,
                    "pinned": chat.info.pinned, "last_seq": chat.last_seq,
                    "first_seq": chat.first, "members": members, "messages": chat.messages.values().collect::<Vec<_>>(),
                    "reacted": reacted, "role": mine.map(|mine| mine.role), "read_seq": read_seq,
                    "unread": crate::view::unread(session, chat, Seq(read_seq)), "others_read": chat.others_read,
                    "mentions": chat.mentions.iter().filter(|seq| seq.0 > read_seq).collect::<Vec<_>>(),
                });
                (chat.info.id.to_string(), value)
            })
            .collect();
        let own = session.own();
        json!({
            "epochs": session.epochs(), "user_version": own.version, "missed_calls": own.missed_calls,
            "items": own.items().collect::<Vec<_>>(), "chats": chats,
        })
    }

    fn phase(&self) -> (&'static str, Option<&'static str>) {
        match self.session.phase() {
            Phase::Waiting { .. } => ("waiting", None),
            Phase::Connecting => ("connecting", None),
            Phase::Greeting { .. } => ("greeting", None),
            Phase::Live { .. } | Phase::Draining { .. } => ("live", None),
            Phase::Stopped(Stop::SignedOut(_)) => ("stopped", Some("signed_out")),
            Phase::Stopped(Stop::Refused(_)) => ("stopped", Some("refused")),
            Phase::Stopped(Stop::Closed) => ("stopped", Some("closed")),
            Phase::Stopped(_) => ("stopped", None),
        }
    }

    fn check(&mut self, expect: &Value) -> Result<(), String> {
        let sends = Value::Array(std::mem::take(&mut self.sends));
        for (name, wanted) in expect.as_object().into_iter().flatten() {
            match name.as_str() {
                "sends" => contains(&sends, wanted)?,
                "state" => contains(&self.state(), wanted)?,
                "phase" => contains(&json!(self.phase().0), wanted)?,
                "stopped" => contains(&json!(self.phase().1), wanted)?,
                "delay_ms" => {
                    let (least, most) = (wanted[0].as_u64().expect("least"), wanted[1].as_u64().expect("most"));
                    let delay = self.delay.ok_or("no delay")?;
                    if !(least..=most).contains(&delay) {
                        return Err(format!("waits {delay} ms"));
                    }
                }
                "outbox" => {
                    let line = |(item, state): (&OutboxItem, SendState)| json!({"client_id": item.client_id, "state": serde_json::to_value(&state).expect("serialises")["state"]});
                    contains(&Value::Array(self.session.outbox().map(line).collect()), wanted)?;
                }
                "absent_in_first_send" => {
                    if !sends[0]["params"][wanted.as_str().expect("a name")].is_null() {
                        return Err(format!("{wanted} is there"));
                    }
                }
                other => return Err(format!("unknown expectation {other}")),
            }
        }
        Ok(())
    }
}

/// Whether `actual` holds all that `wanted` names: objects by their fields (`null` = absent), lists whole.
fn contains(actual: &Value, wanted: &Value) -> Result<(), String> {
    let differs = || Err(format!("wanted {wanted}\n   found {actual}"));
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => wanted.iter().try_for_each(|(key, value)| {
            contains(actual.get(key).unwrap_or(&Value::Null), value).map_err(|error| format!("{key}: {error}"))
        }),
        (Value::Array(actual), Value::Array(wanted)) if actual.len() == wanted.len() => {
            actual.iter().zip(wanted).try_for_each(|(actual, wanted)| contains(actual, wanted))
        }
        (Value::Array(_), Value::Array(_)) => differs(),
        (actual, wanted) if actual == wanted => Ok(()),
        _ => differs(),
    }
}

#[test]
fn every_vector_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors");
    let mut paths: Vec<_> = fs::read_dir(folder).expect("vectors").map(|it| it.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
    paths.sort();
    assert!(paths.len() >= 50, "only {} vectors", paths.len());
    let mut failures = Vec::new();
    for path in &paths {
        let vector: Value = serde_json::from_str(&fs::read_to_string(path).expect("read")).expect("JSON");
        for most in [false, true] {
            let mut world = World::new(&vector["given"], most);
            for (number, step) in vector["steps"].as_array().expect("steps").iter().enumerate() {
                for (verb, value) in step.as_object().expect("a step").iter().filter(|(verb, _)| *verb != "expect") {
                    world.step(verb, value);
                }
                if let Err(error) = world.check(&step["expect"]) {
                    failures.push(format!(
                        "{} step {}: {error}",
                        path.file_stem().unwrap_or_default().display(),
                        number + 1
                    ));
                    break;
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

//! Server frames, read with as little work as the load generator needs.
//!
//! A delta is byte-identical for all readers of its chat. So a parsed delta is kept under the hash (XXH3, 64 bits) of
//! the whole frame, and each further reader pays for one hash of the bytes and the walk over the parsed messages.

use std::rc::Rc;

use chapar_protocol::{Body, ChatDelta, ChatRow, WireError};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    cursor::{Delta, Seen},
    ledger::{Ledger, Sighting},
    message::hash,
};

/// A frame as far as a session needs it.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A chat changed; `None` when the chat is not of this run.
    Delta(Option<Rc<Delta>>),
    /// A send was acknowledged.
    Sent {
        /// The request.
        id: u64,
        /// The message's place.
        seq: i64,
        /// The version that brought it.
        version: i64,
    },
    /// Another request succeeded.
    Reply {
        /// The request.
        id: u64,
        /// The reply.
        ok: &'a RawValue,
    },
    /// A request failed.
    Failed {
        /// The request, if the server could read it.
        id: Option<u64>,
        /// Why.
        error: WireError,
    },
    /// Another event.
    Event {
        /// Its name.
        name: &'a str,
        /// Its data.
        data: &'a RawValue,
    },
}

/// Ids from here on are not sends.
pub const CONTROL_IDS: u64 = 1 << 40;

const SLOTS: usize = 4096;

/// Reads frames and remembers the deltas among them.
#[derive(Debug)]
pub struct Frames {
    /// Direct-mapped by the low bits of the hash: a newer delta takes the place of an older one.
    slots: Vec<Option<(u64, Rc<Delta>)>>,
    /// Deltas that were parsed, and those that were met again.
    pub parsed: u64,
    /// See [`Self::parsed`].
    pub met_again: u64,
}

impl Default for Frames {
    fn default() -> Self {
        Self { slots: vec![None; SLOTS], parsed: 0, met_again: 0 }
    }
}

impl Frames {
    /// Reads a frame.
    ///
    /// # Errors
    /// When it is not what the protocol says.
    pub fn read<'a>(&mut self, ledger: &mut Ledger, frame: &'a [u8]) -> Result<Incoming<'a>, serde_json::Error> {
        // The server writes fields in the order of the types; another order is read too, only slower.
        if frame.starts_with(br#"{"event":"delta""#) {
            return self.delta(ledger, frame).map(Incoming::Delta);
        }
        if let Some(id) = leading_id(frame)
            && id < CONTROL_IDS
            && let Ok(ack) = serde_json::from_slice::<Ack>(frame)
        {
            return Ok(Incoming::Sent { id, seq: ack.ok.seq, version: ack.ok.version });
        }
        let any: Any<'a> = serde_json::from_slice(frame)?;
        match any {
            Any { event: Some("delta"), .. } => self.delta(ledger, frame).map(Incoming::Delta),
            Any { event: Some(name), data: Some(data), .. } => Ok(Incoming::Event { name, data }),
            Any { id: Some(id), ok: Some(ok), .. } if id < CONTROL_IDS => {
                let ack: Place = serde_json::from_str(ok.get())?;
                Ok(Incoming::Sent { id, seq: ack.seq, version: ack.version })
            }
            Any { id: Some(id), ok: Some(ok), .. } => Ok(Incoming::Reply { id, ok }),
            Any { id, error: Some(error), .. } => Ok(Incoming::Failed { id, error }),
            _ => Err(serde::de::Error::custom("neither a reply nor an event")),
        }
    }

    fn delta(&mut self, ledger: &mut Ledger, frame: &[u8]) -> Result<Option<Rc<Delta>>, serde_json::Error> {
        let key = hash(frame);
        let slot = usize::try_from(key).unwrap_or(0) % SLOTS;
        if let Some((known, delta)) = &self.slots[slot]
            && *known == key
        {
            self.met_again += 1;
            return Ok(Some(Rc::clone(delta)));
        }
        let DeltaEvent { data } = serde_json::from_slice(frame)?;
        self.parsed += 1;
        let Some(chat) = ledger.chat_index(data.chat_id) else { return Ok(None) };
        let mut messages = Vec::with_capacity(data.rows.len());
        for row in data.rows.iter().filter(|it| it.row == "message") {
            let RowData { seq: Some(seq), sender: Some(sender), client_id: Some(client_id), body: Some(body), .. } =
                row
            else {
                return Err(serde::de::Error::custom("a message that lacks something"));
            };
            let client_id = Uuid::try_parse(client_id).map_err(serde::de::Error::custom)?;
            let (seq, version, sender, text) = (*seq, row.version, *sender, body.text.as_deref());
            messages.push(seen(ledger, chat, Sighting { seq, version, sender, client_id, text }));
        }
        let delta = Rc::new(Delta { chat, from: data.from, version: data.version, messages });
        self.slots[slot] = Some((key, Rc::clone(&delta)));
        Ok(Some(delta))
    }
}

/// The delta of an answer, in the form of one from an event; `None` when the chat is not of this run.
pub fn from_answer(ledger: &mut Ledger, delta: &ChatDelta) -> Option<Rc<Delta>> {
    let chat = ledger.chat_index(delta.chat_id.0)?;
    let messages = delta.rows.iter().filter_map(ChatRow::message);
    let messages = messages.map(|message| seen(ledger, chat, sighting(message))).collect();
    Some(Rc::new(Delta { chat, from: delta.from.0, version: delta.version.0, messages }))
}

/// A message of the protocol as a sighting.
pub fn sighting(message: &chapar_protocol::Message) -> Sighting<'_> {
    Sighting {
        seq: message.seq.0,
        version: message.version.0,
        sender: message.sender.0,
        client_id: message.client_id,
        text: match &message.body {
            Body::Text(text) => Some(text.text.as_str()),
            _ => None,
        },
    }
}

fn seen(ledger: &mut Ledger, chat: u32, it: Sighting<'_>) -> Seen {
    // Whoever comes by a difference to a time before the run meets what the set-up wrote.
    let ident = if it.seq <= ledger.chats[chat as usize].base_seq { None } else { ledger.sighted(chat, it) };
    let at_us = ident.and_then(|ident| ledger.sent(ident)).map_or(0, |sent| sent.at_us);
    Seen { seq: it.seq, version: it.version, ident, at_us }
}

fn leading_id(frame: &[u8]) -> Option<u64> {
    let digits = frame.strip_prefix(br#"{"id":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[derive(Deserialize)]
struct Ack {
    ok: Place,
}

#[derive(Deserialize)]
struct Place {
    seq: i64,
    version: i64,
}

#[derive(Deserialize)]
struct Any<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    error: Option<WireError>,
    event: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct DeltaEvent<'a> {
    #[serde(borrow)]
    data: DeltaData<'a>,
}

#[derive(Deserialize)]
struct DeltaData<'a> {
    chat_id: i64,
    from: i64,
    version: i64,
    #[serde(borrow, default)]
    rows: Vec<RowData<'a>>,
}

/// A row of any kind; a message has all of these.
#[derive(Deserialize)]
struct RowData<'a> {
    row: &'a str,
    #[serde(default)]
    version: i64,
    seq: Option<i64>,
    sender: Option<i64>,
    client_id: Option<&'a str>,
    #[serde(borrow)]
    body: Option<BodyData<'a>>,
}

#[derive(Deserialize)]
struct BodyData<'a> {
    #[serde(borrow)]
    text: Option<std::borrow::Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::ChatLog,
        message::{Ident, Maker},
    };

    fn ledger() -> Ledger {
        let chats = vec![ChatLog { id: 9, base_seq: 2, base_version: 4, top_version: 4, seen: Vec::new() }];
        Ledger::new(Maker::new(1, 20..=20), vec![71, 72], chats)
    }

    fn frame(ledger: &Ledger, ident: Ident, seq: i64, version: i64) -> String {
        let mut text = Vec::new();
        ledger.maker.text(ident, &mut text);
        let (text, id) = (String::from_utf8(text).expect("ASCII"), ledger.maker.client_id(ident));
        format!(
            r#"{{"event":"delta","data":{{"chat_id":9,"from":{},"version":{version},"rows":[{{"row":"message","seq":{seq},"version":{version},"sender":71,"client_id":"{id}","sent_at":"2026-11-23T08:30:00.125Z","body":{{"kind":"text","text":"{text}"}}}}]}}}}"#,
            version - 1
        )
    }

    #[test]
    fn the_second_reader_of_a_delta_pays_no_parse_and_gets_the_same() {
        let (mut ledger, mut frames) = (ledger(), Frames::default());
        let ident = ledger.send(0, 0, 77);
        let bytes = frame(&ledger, ident, 3, 5);
        for _ in 0..3 {
            let Ok(Incoming::Delta(Some(delta))) = frames.read(&mut ledger, bytes.as_bytes()) else {
                panic!("a delta")
            };
            let expected = Seen { seq: 3, version: 5, ident: Some(ident), at_us: 77 };
            assert_eq!((delta.from, delta.version, delta.messages.as_slice()), (4, 5, [expected].as_slice()));
        }
        assert_eq!((frames.parsed, frames.met_again, ledger.violations.total()), (1, 2, 0));
    }

    #[test]
    fn what_differs_from_the_sent_message_is_caught_at_the_reader() {
        type Spoil = fn(String) -> String;
        let cases: [(&str, Spoil); 4] = [
            ("a message with another text", |it| it.replace("\"text\":\"x", "\"text\":\"y")),
            ("a message of the wrong sender", |it| it.replace("\"sender\":71", "\"sender\":72")),
            ("a message that nobody sent", |it| {
                it.replace("\"client_id\":\"", "\"client_id\":\"00000000-0000-4000-8000-000000000000\",\"x\":\"")
            }),
            ("a message at an impossible place", |it| it.replace("\"seq\":3", "\"seq\":9007199254740991")),
        ];
        for (kind, spoil) in cases {
            let (mut ledger, mut frames) = (ledger(), Frames::default());
            let ident = ledger.send(0, 0, 0);
            let bytes = spoil(frame(&ledger, ident, 3, 5));
            frames.read(&mut ledger, bytes.as_bytes()).expect("is a frame");
            assert_eq!(ledger.violations.counts.keys().copied().collect::<Vec<_>>(), [kind]);
        }
        let (mut ledger, mut frames) = (ledger(), Frames::default());
        for _ in 0..2 {
            let ident = ledger.send(0, 0, 0);
            let bytes = frame(&ledger, ident, 3, 5);
            frames.read(&mut ledger, bytes.as_bytes()).expect("is a frame");
        }
        let kinds: Vec<_> = ledger.violations.counts.keys().copied().collect();
        assert_eq!(kinds, ["readers saw different messages at one place"]);
    }

    #[test]
    fn replies_are_told_apart_in_any_order_of_fields() {
        let (mut ledger, mut frames) = (ledger(), Frames::default());
        let ok = r#"{"seq":1,"version":2,"sent_at":"2026-11-23T08:30:00.125Z"}"#;
        for bytes in [format!(r#"{{"id":7,"ok":{ok}}}"#), format!(r#"{{"ok":{ok},"id":7}}"#)] {
            let incoming = frames.read(&mut ledger, bytes.as_bytes()).expect("a frame");
            assert!(matches!(incoming, Incoming::Sent { id: 7, seq: 1, version: 2 }));
        }
        let failed = br#"{"id":7,"error":{"code":"overloaded","message":"later","action":"retry","retry_after_ms":5}}"#;
        let incoming = frames.read(&mut ledger, failed).expect("a frame");
        assert!(matches!(incoming, Incoming::Failed { id: Some(7), error } if error.retry_after_ms == Some(5)));
        let event = frames.read(&mut ledger, br#"{"event":"typing","data":{}}"#).expect("a frame");
        assert!(matches!(event, Incoming::Event { name: "typing", .. }));
    }
}

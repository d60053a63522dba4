//! What devices in a call say and hear, with as little work as a load generator can do.

use std::io::Write as _;

use chapar_protocol::WireError;
use serde::Deserialize;
use uuid::Uuid;

/// A frame of the server as far as a call needs it.
#[derive(Debug)]
pub enum Heard {
    /// A request succeeded.
    Done(u64),
    /// A request failed.
    Failed(Option<u64>, WireError),
    /// How a call stands here.
    Call {
        /// Which.
        call: Uuid,
        /// Counts its changes.
        revision: u64,
        /// What this device has to do with it.
        standing: Standing,
    },
    /// The other side's offer, answer, nonce or candidates.
    Signal {
        /// Which call.
        call: Uuid,
        /// What it is.
        kind: Signal,
    },
    /// Lines that calls have left in a chat.
    Notes(Vec<Uuid>),
    /// Something that means nothing here.
    Other,
}

/// See `Standing` in the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It calls.
    Calling {
        /// The callee's device rings.
        ringing: bool,
    },
    /// It rings here.
    Ringing,
    /// It is in the call.
    InCall {
        /// Media flows on both sides.
        active: bool,
    },
    /// The call has ended, for this reason.
    Ended(String),
    /// Anything else.
    Other,
}

/// See `CallSignal` in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
    /// The nonce behind the commitment.
    Reveal,
    /// Candidates.
    Candidates,
}

/// Reads a frame.
///
/// # Errors
/// When it is not what the protocol says.
pub fn read(frame: &[u8]) -> Result<Heard, serde_json::Error> {
    if frame.starts_with(br#"{"event":"call_signal""#) {
        return signal(frame);
    }
    if frame.starts_with(br#"{"event":"call""#) {
        return call(frame);
    }
    if frame.starts_with(br#"{"event":"delta""#) {
        return notes(frame);
    }
    if let Some(id) = done(frame) {
        return Ok(Heard::Done(id));
    }
    let any: Any<'_> = serde_json::from_slice(frame)?;
    Ok(match any {
        Any { event: Some("call_signal"), .. } => signal(frame)?,
        Any { event: Some("call"), .. } => call(frame)?,
        Any { event: Some("delta"), .. } => notes(frame)?,
        Any { id, error: Some(error), .. } => Heard::Failed(id, error),
        Any { id: Some(id), event: None, .. } => Heard::Done(id),
        _ => Heard::Other,
    })
}

/// `{"id":7,"ok":…}`: that it succeeded is all that matters.
fn done(frame: &[u8]) -> Option<u64> {
    let digits = frame.strip_prefix(br#"{"id":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    if !digits.get(end..)?.starts_with(br#","ok""#) {
        return None;
    }
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn call(frame: &[u8]) -> Result<Heard, serde_json::Error> {
    let Event { data } = serde_json::from_slice::<Event<CallData<'_>>>(frame)?;
    let standing = match data.standing {
        "calling" => Standing::Calling { ringing: data.ringing.unwrap_or(false) },
        "ringing" => Standing::Ringing,
        "in_call" => Standing::InCall { active: data.phase == Some("active") },
        "ended" => Standing::Ended(data.reason.unwrap_or_default().to_owned()),
        _ => Standing::Other,
    };
    Ok(Heard::Call { call: data.call_id, revision: data.revision, standing })
}

fn signal(frame: &[u8]) -> Result<Heard, serde_json::Error> {
    let Event { data } = serde_json::from_slice::<Event<SignalData<'_>>>(frame)?;
    let kind = match data.kind {
        "offer" => Signal::Offer,
        "answer" => Signal::Answer,
        "reveal" => Signal::Reveal,
        "candidates" => Signal::Candidates,
        _ => return Ok(Heard::Other),
    };
    Ok(Heard::Signal { call: data.call_id, kind })
}

fn notes(frame: &[u8]) -> Result<Heard, serde_json::Error> {
    let Event { data } = serde_json::from_slice::<Event<Delta>>(frame)?;
    let notes = data.rows.into_iter().filter_map(|row| row.body?.action?.call_id);
    Ok(Heard::Notes(notes.collect()))
}

#[derive(Deserialize)]
struct Any<'a> {
    id: Option<u64>,
    error: Option<WireError>,
    event: Option<&'a str>,
}

#[derive(Deserialize)]
struct Event<T> {
    data: T,
}

#[derive(Deserialize)]
struct CallData<'a> {
    call_id: Uuid,
    revision: u64,
    standing: &'a str,
    ringing: Option<bool>,
    phase: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct SignalData<'a> {
    call_id: Uuid,
    kind: &'a str,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    body: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    call_id: Option<Uuid>,
}

/// A session description as Chromium makes it for a voice call: audio alone, Opus and RED, relay candidates.
const SDP: &str = "v=0\\r\\no=- 4611731400430051336 2 IN IP4 127.0.0.1\\r\\ns=-\\r\\nt=0 0\\r\\na=group:BUNDLE 0\\r\\n\
    a=extmap-allow-mixed\\r\\na=msid-semantic: WMS\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\\r\\nc=IN IP4 0.0.0.0\\r\\n\
    a=rtcp:9 IN IP4 0.0.0.0\\r\\na=ice-ufrag:EsAw\\r\\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\\r\\na=ice-options:trickle\\r\\n\
    a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\\r\\n\
    a=setup:{setup}\\r\\na=mid:0\\r\\na=sendrecv\\r\\na=rtcp-mux\\r\\na=rtpmap:111 opus/48000/2\\r\\n\
    a=rtcp-fb:111 transport-cc\\r\\na=fmtp:111 minptime=10;useinbandfec=1\\r\\na=rtpmap:63 red/48000/2\\r\\na=fmtp:63 111/111\\r\\n";

/// The texts that do not change from call to call.
#[derive(Debug)]
pub struct Texts {
    offer: String,
    answer: String,
    candidates: String,
}

impl Default for Texts {
    fn default() -> Self {
        let candidate = |number: u16| {
            format!(
                r#""candidate:{number} 1 udp 41885{number}39 5.160.1.{number} {} typ relay raddr 0.0.0.0 rport 0""#,
                50_000 + number
            )
        };
        let (commitment, nonce) = ("ab".repeat(32), "cd".repeat(32));
        Self {
            offer: format!(r#"{{"sdp":"{}","commitment":"{commitment}"}}"#, SDP.replace("{setup}", "actpass")),
            answer: format!(r#"{{"sdp":"{}","nonce":"{nonce}"}}"#, SDP.replace("{setup}", "active")),
            candidates: format!("[{},{}]", candidate(1), candidate(2)),
        }
    }
}

/// What a device asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Calls this user, with an offer.
    Invite(i64),
    /// It rings here.
    Ringing,
    /// The person accepts, with an answer.
    Accept,
    /// Two candidates.
    Candidates,
    /// The nonce behind the commitment.
    Reveal,
    /// Media flows.
    Media,
    /// The end.
    HangUp,
}

impl Texts {
    /// Writes a request, by hand: this is the hottest place of the generator, and nothing in it needs escaping.
    pub fn put(&self, out: &mut Vec<u8>, id: u64, call: Uuid, say: Say) {
        let written = match say {
            Say::Invite(user) => write!(
                out,
                r#"{{"id":{id},"method":"call_invite","params":{{"call_id":"{call}","user_id":{user},"media":"voice","offer":{}}}}}"#,
                self.offer
            ),
            Say::Ringing => ask(out, id, call, "ringing", format_args!("")),
            Say::Accept => ask(out, id, call, "accept", format_args!(r#","media":"voice","answer":{}"#, self.answer)),
            Say::Candidates => {
                ask(out, id, call, "candidates", format_args!(r#","generation":1,"candidates":{}"#, self.candidates))
            }
            Say::Reveal => ask(out, id, call, "reveal", format_args!(r#","generation":1,"nonce":"{NONCE}""#)),
            Say::Media => ask(out, id, call, "media", format_args!(r#","flows":true"#)),
            Say::HangUp => ask(out, id, call, "hang_up", format_args!("")),
        };
        debug_assert!(written.is_ok(), "a Vec takes all");
    }
}

/// Checked by the other device, not by the server, which sees the commitment only.
const NONCE: &str = "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef";

fn ask(out: &mut Vec<u8>, id: u64, call: Uuid, ask: &str, more: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    write!(out, r#"{{"id":{id},"method":"call_ask","params":{{"call_id":"{call}","ask":"{ask}"{more}}}}}"#)
}

#[cfg(test)]
mod tests {
    use chapar_protocol::{
        ChatId, Event, Timestamp, UserId,
        call::{CallAsk, CallId, CallMedia, CallNote, CallState, EndReason},
        command::{AskCall, CallInvite},
        frame,
        message::{Body, ServiceAction},
    };

    use super::*;

    #[test]
    fn what_is_said_is_what_the_protocol_reads() {
        let texts = Texts::default();
        let call = Uuid::from_u128(7);
        let params = |say| {
            let mut out = Vec::new();
            texts.put(&mut out, 5, call, say);
            let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            assert_eq!(json["id"], 5);
            (json["method"].as_str().expect("a method").to_owned(), json["params"].to_string())
        };
        let (method, invite) = params(Say::Invite(9));
        let invite: CallInvite = serde_json::from_str(&invite).expect("an invite");
        assert_eq!((method.as_str(), invite.user_id, invite.offer.is_some()), ("call_invite", UserId(9), true));
        for say in [Say::Ringing, Say::Accept, Say::Candidates, Say::Reveal, Say::Media, Say::HangUp] {
            let (method, asked) = params(say);
            let asked: AskCall = serde_json::from_str(&asked).expect("an ask");
            assert_eq!((method.as_str(), asked.call_id), ("call_ask", CallId(call)));
            assert_eq!(say == Say::HangUp, asked.ask == CallAsk::HangUp);
        }
    }

    #[test]
    fn what_the_server_says_is_understood() {
        let state = CallState {
            call_id: CallId(Uuid::from_u128(7)),
            revision: 3,
            chat_id: ChatId(4),
            caller: UserId(1),
            callee: UserId(5),
            media: CallMedia::Voice,
            relay_only: false,
            ask_rating: false,
            standing: chapar_protocol::call::Standing::Ended { reason: EndReason::HungUp, by: None },
        };
        let heard = read(frame::event(&Event::Call(state)).as_bytes()).expect("read");
        assert!(
            matches!(heard, Heard::Call { revision: 3, standing: Standing::Ended(reason), .. } if reason == "hung_up")
        );
        assert!(matches!(read(br#"{"id":12,"ok":{}}"#), Ok(Heard::Done(12))));
        let failed = read(br#"{"id":12,"error":{"code":"call_ended","message":"x","action":"give_up"}}"#);
        assert!(matches!(failed, Ok(Heard::Failed(Some(12), _))));
        let note = CallNote {
            call_id: CallId(Uuid::from_u128(7)),
            caller: UserId(1),
            media: CallMedia::Voice,
            reason: EndReason::HungUp,
            seconds: 0,
        };
        let message = chapar_protocol::Message::new(
            chapar_protocol::Seq(1),
            chapar_protocol::Version(2),
            UserId(1),
            Uuid::from_u128(7),
            Timestamp::from_millis(0).expect("a time"),
            Body::Service { action: ServiceAction::Call { note } },
        );
        let delta = serde_json::json!({ "event": "delta", "data": { "chat_id": 4, "from": 1, "version": 2, "rows": [chapar_protocol::ChatRow::Message(message)] } });
        let heard = read(delta.to_string().as_bytes()).expect("read");
        assert!(matches!(heard, Heard::Notes(notes) if notes == [Uuid::from_u128(7)]));
    }
}

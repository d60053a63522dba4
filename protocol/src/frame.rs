//! Requests, replies and events as JSON text frames.
//!
//! ```text
//! client → server   {"id": 7, "method": "send", "params": {…}}
//! server → client   {"id": 7, "ok": {…}}   or   {"id": 7, "error": {"code": …, "message": …, "action": …}}
//! server → client   {"event": "delta", "data": {…}}
//! ```
//!
//! An `id` is chosen by the client, 0 to 2^53 − 1, unique among the requests under way on the connection.
//! Replies come in any order. Unknown fields are ignored by both sides.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{ErrorCode, Event, WireError, command::Command};

/// The largest whole number that every client can write exactly: 2^53 − 1.
const MOST_ID: u64 = (1 << 53) - 1;

/// A request whose params are not parsed yet, so that an error in them can name the id.
#[derive(Debug, Deserialize)]
pub struct RawRequest<'a> {
    /// Chosen by the client.
    pub id: u64,
    /// Which command.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// Its params as they stand in the frame; absent counts as `{}`.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
}

impl<'a> RawRequest<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`ErrorCode::BadFrame`] when it is not a request. The id is returned when one could be read, for the answer.
    pub fn parse(frame: &'a str) -> Result<Self, (Option<u64>, WireError)> {
        #[derive(Deserialize)]
        struct OnlyId {
            id: u64,
        }
        let refuse = |id, message: &str| Err((id, WireError::new(ErrorCode::BadFrame, message)));
        // serde would take the fields in their order from a list, too.
        if !is_object(frame) && serde_json::from_str::<&RawValue>(frame).is_ok() {
            return refuse(None, "not a request: not an object");
        }
        match serde_json::from_str::<Self>(frame) {
            Ok(request) if request.id > MOST_ID => refuse(None, "not a request: an id is at most 2^53 - 1"),
            Ok(request) => Ok(request),
            Err(error) => {
                let id = serde_json::from_str::<OnlyId>(frame).ok().map(|it| it.id).filter(|id| *id <= MOST_ID);
                refuse(id, &describe("not a request", &error))
            }
        }
    }

    /// The params as those of a command.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] when they do not fit.
    pub fn params<C: Command>(&self) -> Result<C, WireError> {
        parse_params(self.params.map_or("{}", RawValue::get))
    }
}

/// Reads the params of a command from JSON.
///
/// # Errors
/// [`ErrorCode::BadRequest`] when they do not fit.
pub fn parse_params<C: DeserializeOwned>(json: &str) -> Result<C, WireError> {
    if !is_object(json) && serde_json::from_str::<&RawValue>(json).is_ok() {
        return Err(WireError::new(ErrorCode::BadRequest, "bad params: not an object"));
    }
    serde_json::from_str(json).map_err(|error| WireError::new(ErrorCode::BadRequest, describe("bad params", &error)))
}

/// Whether JSON begins as an object does.
fn is_object(json: &str) -> bool {
    json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

/// What serde says without the value that it met: that may be somebody's text.
fn describe(what: &str, error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Data => "a field is missing or of the wrong type",
    };
    format!("{what}: {kind} at column {}", error.column())
}

/// Writes a request.
///
/// # Panics
/// Never for the types of this crate: they have string keys only.
pub fn request<C: Command>(id: u64, command: &C) -> String {
    #[derive(Serialize)]
    struct Request<'a, C> {
        id: u64,
        method: &'a str,
        params: &'a C,
    }
    to_json(&Request { id, method: C::METHOD, params: command })
}

/// Writes a reply.
pub fn reply<T: Serialize>(id: u64, outcome: &Result<T, WireError>) -> String {
    #[derive(Serialize)]
    struct Success<'a, T> {
        id: u64,
        ok: &'a T,
    }
    match outcome {
        Ok(ok) => to_json(&Success { id, ok }),
        Err(error) => error_reply(Some(id), error),
    }
}

/// What stands in `ok` of a frame that [`reply`] has written; nothing for an error. Not read, only cut out.
pub fn ok_part(frame: &str) -> Option<&str> {
    let rest = frame.strip_prefix(r#"{"id":"#)?.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix(r#","ok":"#)?.strip_suffix('}')
}

/// Writes an error reply; without an id when the request's could not be read.
pub fn error_reply(id: Option<u64>, error: &WireError) -> String {
    #[derive(Serialize)]
    struct Failure<'a> {
        id: Option<u64>,
        error: &'a WireError,
    }
    to_json(&Failure { id, error })
}

/// Writes an event.
pub fn event(event: &Event) -> String {
    to_json(event)
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("wire types have string keys only")
}

/// A frame as a client reads it.
#[derive(Debug)]
pub enum ServerFrame<'a> {
    /// A success: the reply is parsed by whoever knows the command.
    Ok {
        /// The request's id.
        id: u64,
        /// The reply as it stands in the frame.
        reply: &'a RawValue,
    },
    /// A failure.
    Error {
        /// The request's id; absent when the server could not read it.
        id: Option<u64>,
        /// Why.
        error: WireError,
    },
    /// An event.
    Event(Box<Event>),
    /// An event that this version of the protocol does not know: to be ignored.
    UnknownEvent(String),
}

impl<'a> ServerFrame<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// When it is none of the three forms, or a known event with data that does not fit.
    pub fn parse(frame: &'a str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Any<'a> {
            id: Option<u64>,
            #[serde(borrow)]
            ok: Option<&'a RawValue>,
            error: Option<WireError>,
            #[serde(borrow)]
            event: Option<Cow<'a, str>>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        let any: Any<'a> = serde_json::from_str(frame)?;
        let invalid = |what| serde::de::Error::custom(what);
        if let Some(name) = any.event {
            let data = any.data.map_or("null", RawValue::get);
            let event = match name.as_ref() {
                "delta" => Event::Delta(serde_json::from_str(data)?),
                "me" => Event::Me(serde_json::from_str(data)?),
                "read" => Event::Read(serde_json::from_str(data)?),
                "reacted" => Event::Reacted(serde_json::from_str(data)?),
                "voted" => Event::Voted(serde_json::from_str(data)?),
                "typing" => Event::Typing(serde_json::from_str(data)?),
                "presence" => Event::Presence(serde_json::from_str(data)?),
                "user" => Event::User(serde_json::from_str(data)?),
                "call" => Event::Call(serde_json::from_str(data)?),
                "call_signal" => Event::CallSignal(serde_json::from_str(data)?),
                "drain" => Event::Drain(serde_json::from_str(data)?),
                _ => return Ok(Self::UnknownEvent(name.into_owned())),
            };
            return Ok(Self::Event(Box::new(event)));
        }
        match (any.id, any.ok, any.error) {
            (Some(id), Some(reply), None) => Ok(Self::Ok { id, reply }),
            (id, None, Some(error)) => Ok(Self::Error { id, error }),
            _ => Err(invalid("neither a reply nor an event")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Ping;

    #[test]
    fn an_error_names_the_request_when_its_id_can_be_read() {
        let (id, error) = RawRequest::parse(r#"{"id":3,"method":7}"#).expect_err("no method");
        assert_eq!((id, error.code), (Some(3), ErrorCode::BadFrame));
        let (id, _) = RawRequest::parse("سلام").expect_err("no JSON");
        assert_eq!(id, None);
    }

    #[test]
    fn a_list_is_no_request_and_no_params() {
        let (id, error) = RawRequest::parse(r#"[1,"ping",{}]"#).expect_err("a list");
        assert_eq!((id, error.code), (None, ErrorCode::BadFrame));
        let request = RawRequest::parse(r#" {"id":1,"method":"mark_read","params":[1,2]}"#).expect("is a request");
        let error = request.params::<crate::command::MarkRead>().expect_err("positional");
        assert_eq!(error.code, ErrorCode::BadRequest);
        parse_params::<Ping>("\n {}").expect("is an object");
    }

    #[test]
    fn an_id_is_a_number_that_javascript_has() {
        let of = |id: u64| format!(r#"{{"id":{id},"method":"ping"}}"#);
        let most = of(MOST_ID);
        assert_eq!(RawRequest::parse(&most).expect("fits").id, MOST_ID);
        let beyond = of(MOST_ID + 1);
        assert_eq!(RawRequest::parse(&beyond).expect_err("does not").1.code, ErrorCode::BadFrame);
    }

    #[test]
    fn unknown_fields_and_events_are_tolerated() {
        let request = RawRequest::parse(r#"{"id":1,"method":"ping","params":{"new":1},"trace":"x"}"#).expect("read");
        request.params::<Ping>().expect("fits");
        let frame = ServerFrame::parse(r#"{"event":"weather","data":{"sun":true}}"#).expect("read");
        assert!(matches!(frame, ServerFrame::UnknownEvent(name) if name == "weather"));
    }

    #[test]
    fn the_part_of_a_success_is_cut_out_of_its_frame() {
        let said = serde_json::json!({ "text": r#"},"ok":{"#, "list": [1, {}] });
        let frame = reply(17, &Ok(&said));
        assert_eq!(ok_part(&frame), Some(said.to_string().as_str()));
        let error = WireError::new(ErrorCode::Internal, r#"{"id":1,"ok":{}}"#);
        assert_eq!(ok_part(&reply::<()>(17, &Err(error.clone()))), None);
        assert_eq!(ok_part(&error_reply(None, &error)), None);
    }

    #[test]
    fn an_error_never_repeats_what_was_sent() {
        let error = parse_params::<crate::command::Send>(r#"{"chat_id":"secret words"}"#).expect_err("wrong type");
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}

//! What must hold of any input whatsoever. The tests and the fuzz targets in `protocol/fuzz` both include this file.

use std::fmt::Debug;

use chapar_protocol::{
    Entity, ErrorCode, Timestamp, WireError,
    command::{self, Command},
    frame::{self, RawRequest, ServerFrame},
    limit,
    message::Text,
    text,
};
use serde_json::{Value, value::RawValue};

/// A frame of a client: read without panic; what is accepted says the same when it is written again; what is refused
/// is refused without repeating it.
pub(crate) fn client_frame(frame: &str) {
    match RawRequest::parse(frame) {
        Ok(request) => {
            let again = written(&request);
            let read = RawRequest::parse(&again).expect("what was accepted is accepted again");
            assert_eq!((request.id, &request.method), (read.id, &read.method));
            assert_eq!(request.params.map(RawValue::get), read.params.map(RawValue::get));
            assert_eq!(written(&read), again, "writing settles at once");
            params(request.params.map_or("{}", RawValue::get));
        }
        Err((_, error)) => {
            says_only_where(&error, ErrorCode::BadFrame, "not a request", frame.len());
            params(frame);
        }
    }
}

fn written(request: &RawRequest<'_>) -> String {
    #[derive(serde::Serialize)]
    struct Request<'a> {
        id: u64,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<&'a RawValue>,
    }
    serde_json::to_string(&Request { id: request.id, method: &request.method, params: request.params })
        .expect("it has string keys only")
}

/// Reads the same text as the params of one command after the other.
macro_rules! every_command {
    ($($name:ident)+) => {
        /// The names of the commands that [`params`] tries, to be compared with the table of contents.
        pub(crate) const TRIED: &[&str] = &[$(command::$name::METHOD),+];

        fn params(json: &str) { $(params_of::<command::$name>(json);)+ }
    };
}

every_command! {
    Hello Ping Send Edit Delete React MarkRead SetTyping WatchPresence History Difference UserDifference OpenDirect
    CreateChat GetChat GetMembers AddMembers RemoveMember SetRole
    SetChatRights SetAdminRights RestrictMember SetInfo PinMessage UnpinMessage UnbanMember GetBanned Join Leave Resolve GetUsers CallInvite AskCall
    GetRelays CallRelays RateCall GetCalls SeeCalls SetName SetItems AnswerRequest Report GetDevices RevokeDevice RevokeOtherDevices
    Schedule EditScheduled SendScheduled DeleteScheduled GetScheduled Forward SendAlbum SetAvatar GetFile GetLinks SetStickerPack DeleteStickerPack GetStickerPacks GetOwnStickerPacks
    DeleteMessages HideMessages Vote ClosePoll GetVoters GetReactions GetReaders UnpinAll PreviewLink SetDiscussion JoinDiscussion GetThread
    SetSlowMode SetChatSettings GetAdminLog SetInvite RevokeInvite GetInvites GetInviteUses PreviewInvite JoinByInvite GetJoinRequests AnswerJoinRequest
}

fn params_of<C: Command + Debug>(json: &str) {
    match frame::parse_params::<C>(json) {
        Ok(command) => {
            let again = frame::request(7, &command);
            let request = RawRequest::parse(&again).expect("our own frame is one");
            assert_eq!((request.id, request.method.as_ref()), (7, C::METHOD));
            let write = |json: &str| {
                let request = RawRequest::parse(json).expect("our own frame is one");
                frame::request(7, &request.params::<C>().expect("our own params fit"))
            };
            says_the_same(&again, &command, write);
        }
        Err(error) => says_only_where(&error, ErrorCode::BadRequest, "bad params", json.len()),
    }
}

/// An error's sentence is made of our own words and a column: nothing of what somebody wrote can be in it.
fn says_only_where(error: &WireError, code: ErrorCode, what: &str, length: usize) {
    assert_eq!((error.code, error.action, error.retry_after_ms), (code, code.action(), None));
    let whole = ["not an object", "an id is at most 2^53 - 1"];
    if whole.iter().any(|it| error.message == format!("{what}: {it}")) {
        return;
    }
    let ours = ["not JSON", "ends too early", "a field is missing or of the wrong type"];
    let column = ours.iter().find_map(|kind| error.message.strip_prefix(&format!("{what}: {kind} at column ")));
    let column: usize = column.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{}", error.message));
    assert!(column <= length + 1, "column {column} of {length}");
}

/// A frame of a server: read without panic, and what is accepted says the same when it is written again.
pub(crate) fn server_frame(text: &str) {
    let Ok(frame) = ServerFrame::parse(text) else { return };
    match frame {
        ServerFrame::Ok { id, reply } => {
            let again = frame::reply(id, &Ok(reply));
            let Ok(ServerFrame::Ok { id: same_id, reply: same }) = ServerFrame::parse(&again) else {
                panic!("not a success any more: {again}");
            };
            assert_eq!((id, reply.get()), (same_id, same.get()));
            replies(reply.get());
        }
        ServerFrame::Error { id, error } => {
            let again = frame::error_reply(id, &error);
            let Ok(ServerFrame::Error { id: same_id, error: same }) = ServerFrame::parse(&again) else {
                panic!("not a failure any more: {again}");
            };
            assert_eq!((id, error), (same_id, same));
        }
        ServerFrame::Event(event) => {
            let again = frame::event(&event);
            let write = |json: &str| match ServerFrame::parse(json) {
                Ok(ServerFrame::Event(event)) => frame::event(&event),
                _ => panic!("not an event any more: {json}"),
            };
            says_the_same(&again, &event, write);
        }
        ServerFrame::UnknownEvent(_) => {}
    }
}

/// Replies are parsed by whoever asked; every kind must stand any text.
fn replies(json: &str) {
    fn one<C: Command<Reply: Debug>>(json: &str) {
        if let Ok(reply) = serde_json::from_str::<C::Reply>(json) {
            let again = serde_json::to_string(&reply).expect("a reply can be written");
            let write = |json: &str| {
                let reply = serde_json::from_str::<C::Reply>(json).unwrap_or_else(|error| panic!("{error}: {json}"));
                serde_json::to_string(&reply).expect("a reply can be written")
            };
            says_the_same(&again, &reply, write);
        }
    }
    one::<command::Hello>(json);
    one::<command::Send>(json);
    one::<command::WatchPresence>(json);
    one::<command::History>(json);
    one::<command::Difference>(json);
    one::<command::UserDifference>(json);
    one::<command::GetChat>(json);
    one::<command::GetMembers>(json);
    one::<command::Resolve>(json);
    one::<command::GetUsers>(json);
    one::<command::GetDevices>(json);
    one::<command::CallInvite>(json);
    one::<command::CallRelays>(json);
    one::<command::GetRelays>(json);
    one::<command::GetCalls>(json);
}

/// What was read (`value`) and written (`first`) is the same when it is read and written again. Where something unknown
/// is in it, once more is allowed: a known type with a field twice is read as an unknown one, and reads as the known one
/// after the field was written once.
fn says_the_same(first: &str, value: &impl Debug, write: impl Fn(&str) -> String) {
    let second = write(first);
    if settled(first) != settled(&second) {
        assert!(format!("{value:?}").contains("Unknown("), "{first} became {second}");
        assert_eq!(settled(&second), settled(&write(&second)), "it never settles");
    }
}

/// Numbers with a fraction occur only in what this version does not know, and may lose their last digit on the way.
fn settled(json: &str) -> Value {
    fn blunt(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => *value = Value::Null,
            Value::Array(items) => items.iter_mut().for_each(blunt),
            Value::Object(fields) => fields.values_mut().for_each(blunt),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(json).expect("we wrote it");
    blunt(&mut value);
    value
}

/// Whatever a person may type: as a text with entities when it is JSON for one, and as everything else that is typed.
pub(crate) fn typed(input: &str) {
    if let Ok(text) = serde_json::from_str::<Text>(input) {
        text_with_entities(text);
    }
    text_with_entities(Text { text: input.to_owned(), entities: Vec::new() });
    assert_eq!(text::utf16_len(input), input.encode_utf16().count());

    if let Ok(handle) = text::check_handle(input) {
        assert!(limit::HANDLE_LENGTH.contains(&handle.len()), "{handle}");
        assert!(handle.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{handle}");
        assert_eq!(text::check_handle(&handle).as_ref(), Ok(&handle));
        assert_eq!(text::check_handle(&format!("@{handle}")).as_ref(), Ok(&handle));
    }
    if let Ok(title) = text::check_title(input) {
        assert!((1..=limit::TITLE_CHARS).contains(&title.chars().count()));
        assert!(!title.chars().any(|c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')), "{title:?}");
        assert!(!title.chars().any(char::is_control), "{title:?}");
        assert_eq!(text::check_title(&title), Ok(title));
    }
    if let Ok(emoji) = text::check_reaction(input) {
        assert!((1..=limit::REACTION_BYTES).contains(&emoji.len()));
        assert!(!emoji.chars().any(|c| c.is_alphabetic() || c.is_control() || c.is_whitespace()), "{emoji:?}");
        assert_eq!(text::check_reaction(&emoji), Ok(emoji), "one form");
    }
    assert_eq!(text::check_password(input).is_ok(), limit::PASSWORD_BYTES.contains(&input.len()));
}

fn text_with_entities(before: Text) {
    let Ok(after) = text::check_text(before.clone()) else { return };
    assert_eq!(after.text, before.text, "the text itself is never changed");
    assert!(!after.text.contains('\0') && !after.text.trim().is_empty());
    let units: Vec<u16> = after.text.encode_utf16().collect();
    assert!(units.len() <= limit::TEXT_UNITS && after.entities.len() <= limit::ENTITIES);
    for Entity { offset, length, .. } in &after.entities {
        let range = *offset as usize..*offset as usize + *length as usize;
        let slice = units.get(range).expect("an accepted entity lies inside the text");
        assert!(!slice.is_empty());
        String::from_utf16(slice).expect("an accepted entity splits no character");
    }
    let places = |text: &Text| text.entities.iter().map(|it| (it.offset, u32::MAX - it.length)).collect::<Vec<_>>();
    assert!(places(&after).is_sorted(), "reading order, the outer first");
    let mut left = before.entities;
    for entity in &after.entities {
        let at = left.iter().position(|other| other == entity).expect("no entity is made up or changed");
        left.swap_remove(at);
    }
    assert!(left.is_empty(), "no entity is lost");
    assert_eq!(text::check_text(after.clone()), Ok(after), "what was accepted is accepted unchanged");
}

/// A moment in JSON: read without panic, written without panic, and the same afterwards.
pub(crate) fn moment(json: &str) {
    let Ok(moment) = serde_json::from_str::<Timestamp>(json) else { return };
    let again = serde_json::to_string(&moment).expect("a moment can be written");
    assert_eq!(again.len(), "\"2026-11-23T08:30:00.125Z\"".len(), "{again}");
    assert_eq!(serde_json::from_str::<Timestamp>(&again).expect("our own form"), moment, "{again}");
    assert_eq!(Timestamp::from_millis(moment.as_millis()), Some(moment));
}

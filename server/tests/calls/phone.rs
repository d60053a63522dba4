//! A device that calls: what it asks, and what it was told.

use chapar_protocol::{
    Action, ChatId, ErrorCode, Event, UserId, WireError,
    call::{
        Answer, CallAsk, CallEntry, CallId, CallMedia, CallNote, CallSignal, CallState, EndReason, MediaPhase, Offer,
        Standing,
    },
    command::{AskCall, CallInvite, GetCalls},
    message::{Body, ServiceAction},
};
use uuid::Uuid;

use crate::support::{Device, Failure, Model, World};

const FINGERPRINT: &str =
    "D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F";

/// A small description as a browser makes it: audio with Opus, and perhaps further lines.
pub fn sdp(setup: &str, more: &[&str]) -> String {
    let mut lines = vec![
        "v=0".to_owned(),
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1".to_owned(),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=group:BUNDLE 0".to_owned(),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111".to_owned(),
        "c=IN IP4 0.0.0.0".to_owned(),
        "a=ice-ufrag:EsAw".to_owned(),
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1".to_owned(),
        format!("a=fingerprint:sha-256 {FINGERPRINT}"),
        format!("a=setup:{setup}"),
        "a=mid:0".to_owned(),
        "a=sendrecv".to_owned(),
        "a=rtcp-mux".to_owned(),
        "a=rtpmap:111 opus/48000/2".to_owned(),
        "a=fmtp:111 minptime=10;useinbandfec=1".to_owned(),
    ];
    lines.extend(more.iter().map(|&line| line.to_owned()));
    lines.push(String::new());
    lines.join("\r\n")
}

pub fn offer() -> Offer {
    Offer { sdp: sdp("actpass", &[]), commitment: Some("ab".repeat(32)) }
}

pub fn answer() -> Answer {
    Answer { sdp: sdp("active", &[]), nonce: Some("cd".repeat(32)) }
}

pub fn accept() -> CallAsk {
    CallAsk::Accept { media: CallMedia::Voice, relay_only: false, answer: Some(answer()) }
}

/// At the relay of the node: one elsewhere would not pass.
pub const RELAYED: &str = "candidate:1 1 udp 2113937151 127.0.0.1 50000 typ relay raddr 0.0.0.0 rport 0";
pub const HOST: &str = "candidate:2 1 udp 2122260223 5.160.1.2 5001 typ host";

pub fn invite_of(callee: UserId) -> CallInvite {
    CallInvite {
        call_id: CallId(Uuid::new_v4()),
        user_id: callee,
        media: CallMedia::Voice,
        relay_only: false,
        offer: Some(offer()),
    }
}

/// The state with the highest revision, as a client keeps it.
pub fn state(model: &Model, call: CallId) -> Option<CallState> {
    let of = |event: &Event| match event {
        Event::Call(state) if state.call_id == call => Some(state.clone()),
        _ => None,
    };
    model.events.iter().filter_map(of).max_by_key(|state| state.revision)
}

pub fn signals(model: &Model, call: CallId) -> Vec<CallSignal> {
    let of = |event: &Event| match event {
        Event::CallSignal(it) if it.call_id == call => Some(it.signal.clone()),
        _ => None,
    };
    model.events.iter().filter_map(of).collect()
}

/// What a phone does.
pub trait Phone {
    /// Calls somebody.
    async fn calls(&self, callee: UserId) -> CallId;
    /// Asks something that must be done.
    async fn asks(&self, call: CallId, ask: CallAsk);
    /// Asks something that must be refused.
    async fn is_refused(&self, call: CallId, ask: CallAsk) -> WireError;
    /// Waits until it was told so.
    async fn stands(&self, call: CallId, what: &str, fits: impl Fn(&Standing) -> bool) -> CallState;
    /// Waits until it rings.
    async fn rings(&self, call: CallId) -> CallState;
    /// Waits until the call has ended here.
    async fn hears_the_end(&self, call: CallId) -> EndReason;
    /// Waits until media flows.
    async fn talks(&self, call: CallId);
    /// Waits for a signal.
    async fn hears(&self, call: CallId, what: &str, fits: impl Fn(&CallSignal) -> bool) -> CallSignal;
    /// The call list.
    async fn list(&self) -> Vec<CallEntry>;
}

impl Phone for Device {
    async fn calls(&self, callee: UserId) -> CallId {
        let invite = invite_of(callee);
        let call = invite.call_id;
        let state = self.must(invite).await;
        assert!(matches!(state.standing, Standing::Calling { .. }), "{state:?}");
        call
    }

    async fn asks(&self, call_id: CallId, ask: CallAsk) {
        self.must(AskCall { call_id, ask }).await;
    }

    async fn is_refused(&self, call_id: CallId, ask: CallAsk) -> WireError {
        self.refused(AskCall { call_id, ask }).await
    }

    async fn stands(&self, call: CallId, what: &str, fits: impl Fn(&Standing) -> bool) -> CallState {
        self.until(what, |model| state(model, call).is_some_and(|state| fits(&state.standing))).await;
        state(&self.model(), call).expect("was there")
    }

    async fn rings(&self, call: CallId) -> CallState {
        self.stands(call, "ringing", |standing| matches!(standing, Standing::Ringing { .. })).await
    }

    async fn hears_the_end(&self, call: CallId) -> EndReason {
        let state = self.stands(call, "the end", |standing| matches!(standing, Standing::Ended { .. })).await;
        let Standing::Ended { reason, .. } = state.standing else { unreachable!("was waited for") };
        reason
    }

    async fn talks(&self, call: CallId) {
        let active = |standing: &Standing| matches!(standing, Standing::InCall(it) if it.phase == MediaPhase::Active);
        self.stands(call, "media on both sides", active).await;
    }

    async fn hears(&self, call: CallId, what: &str, fits: impl Fn(&CallSignal) -> bool) -> CallSignal {
        self.until(what, |model| signals(model, call).iter().any(&fits)).await;
        signals(&self.model(), call).into_iter().find(fits).expect("was there")
    }

    async fn list(&self) -> Vec<CallEntry> {
        self.must(GetCalls { before: None, limit: 100 }).await.calls
    }
}

/// The lines that calls have left in a chat.
pub fn notes(model: &Model, chat: ChatId) -> Vec<CallNote> {
    let messages = model.chats.get(&chat).map(|chat| chat.messages.values()).into_iter().flatten();
    let of = |body: &Body| match body {
        Body::Service { action: ServiceAction::Call { note } } => Some(note.clone()),
        _ => None,
    };
    messages.filter_map(|message| of(&message.body)).collect()
}

/// Asks again for as long as the server says so, as a client does.
pub async fn asks_until_done(device: &Device, call_id: CallId, ask: CallAsk) -> usize {
    let request = AskCall { call_id, ask };
    let tries = async {
        let mut refusals = 0;
        loop {
            match device.call(&request).await {
                Ok(_) => return refusals,
                Err(Failure::Refused(error)) => {
                    assert_eq!((error.code, error.action), (ErrorCode::Unavailable, Action::Retry), "{error:?}");
                    refusals += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                Err(Failure::Lost) => panic!("the chat must go on"),
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, tries).await.expect("done at last")
}

/// Two people with a direct chat, the first connected to the first node, the second to the last.
pub async fn two_people(world: &World) -> (Device, Device, ChatId) {
    let [one, other] = world.people().await;
    let chat = world.direct(&one, &other).await;
    one.connect(world.at(0)).await;
    other.connect(world.at(world.nodes.len() - 1)).await;
    (one, other, chat)
}

/// From the invite to media on both sides.
pub async fn connect(from: &Device, to: &Device) -> CallId {
    let call = from.calls(to.id()).await;
    to.rings(call).await;
    to.asks(call, CallAsk::Ringing).await;
    to.asks(call, accept()).await;
    from.asks(call, CallAsk::Media { flows: true }).await;
    to.asks(call, CallAsk::Media { flows: true }).await;
    from.talks(call).await;
    to.talks(call).await;
    call
}

/// Waits until the call stands in both lists and in the chat, and says how.
pub async fn recorded(one: &Device, other: &Device, chat: ChatId, call: CallId) -> CallEntry {
    one.until("the line in the chat", |model| notes(model, chat).iter().any(|note| note.call_id == call)).await;
    other.until("the line in the chat", |model| notes(model, chat).iter().any(|note| note.call_id == call)).await;
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let mine: Vec<_> = one.list().await.into_iter().filter(|entry| entry.call_id == call).collect();
        let theirs: Vec<_> = other.list().await.into_iter().filter(|entry| entry.call_id == call).collect();
        if mine.len() == 1 && theirs.len() == 1 {
            assert_eq!(mine, theirs);
            return mine.into_iter().next().expect("one");
        }
        assert!(mine.len() < 2 && theirs.len() < 2, "a call stands there twice: {mine:?}");
        assert!(std::time::Instant::now() < deadline, "the call was not recorded");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

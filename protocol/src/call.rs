//! Calls: what a device is told about them.
//!
//! A call is one small replicated record with a `revision` that grows by one per change. A device keeps the
//! [`CallState`] with the highest revision of each call and forgets the others: so that messages which come twice,
//! late or in the wrong order do no harm, and one that was lost is healed by the next.
//!
//! The caller's side makes every offer and the callee's side every answer, whoever asked for it: two offers never
//! cross. A new `generation` asks for a new exchange.

mod report;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

pub use report::{
    AudioCodec, CallEntry, CallIssue, CandidateType, IceServer, NetworkClass, PathKind, QualityReport, RelayInfo,
    RelayRoundTrip,
};

use crate::{ChatId, DeviceId, Timestamp, UserId};

/// A call. The calling device makes it, so that an invite can be sent again and still means one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(transparent)]
#[ts(type = "string")]
pub struct CallId(pub Uuid);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One device of one person. The server fills it in; it is never taken from a client's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
pub struct Party {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub device_id: DeviceId,
}

/// What a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallMedia {
    /// Voice only.
    Voice,
    /// Voice and video.
    Video,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum EndReason {
    /// One of the two hung up after it had been answered.
    HungUp,
    /// A device of the callee declined.
    Declined,
    /// The callee is in another call, or every device of theirs said so.
    Busy,
    /// The caller gave up before an answer.
    Cancelled,
    /// It rang, and nobody answered for 60 s.
    Missed,
    /// No device of the callee said within 60 s that it rings.
    Unreachable,
    /// Both called each other at the same moment; the other call goes on.
    Glare {
        /// The call that goes on.
        winner: CallId,
    },
    /// Answered, but no media flowed between the two within 30 s.
    NotConnected,
    /// The media stopped, and three attempts in 30 s did not bring it back.
    Dropped,
    /// A device was away for longer than 15 s.
    Vanished,
    /// A device in the call was signed out.
    SignedOut,
    /// The one node that kept the call was stopped by its operator.
    NodeStopped,
    /// The one node that kept the call died. A device says so itself when the server does not know its call any more.
    NodeLost,
}

/// What one device is told about a call: the whole, as seen from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallState {
    /// Which call.
    pub call_id: CallId,
    /// Counts the changes of the call. Keep the highest, ignore what is not higher.
    #[ts(type = "number")]
    pub revision: u64,
    /// The direct chat that it belongs to.
    pub chat_id: ChatId,
    /// Who called.
    pub caller: UserId,
    /// Who was called.
    pub callee: UserId,
    /// What it carries now.
    pub media: CallMedia,
    /// Neither side learns the other's address: only relay candidates, for the whole call.
    pub relay_only: bool,
    /// Whether to ask the person afterwards how it was. Asked sparingly: the operator says of how many calls.
    #[serde(default)]
    pub ask_rating: bool,
    /// What this device has to do with it.
    #[serde(flatten)]
    pub standing: Standing,
}

/// What a device has to do with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It calls, and waits for an answer.
    Calling {
        /// A device of the callee rings. Until then, say «calling», not «ringing».
        ringing: bool,
        /// When it ends as missed.
        until: Timestamp,
    },
    /// It rings. The microphone stays closed until the person accepts here.
    Ringing {
        /// When it ends as missed.
        until: Timestamp,
        /// The person called the caller at the same moment and lost to this call: it may be accepted at once.
        glare: bool,
    },
    /// The other device of the same person, which is in the call, asks this one to take over.
    TakeOver {
        /// Until when.
        until: Timestamp,
    },
    /// It is in the call.
    InCall(InCall),
    /// It rang or was in the call, and another device of the same person is in it now. Silence.
    Elsewhere,
    /// It said that it is busy. Silence; others may ring on.
    Silent,
    /// The call has ended.
    Ended {
        /// Why.
        #[serde(flatten)]
        reason: EndReason,
        /// Whose doing it was; absent when a timer ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        by: Option<Party>,
    },
}

/// A device in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct InCall {
    /// How far the media is.
    pub phase: MediaPhase,
    /// The device on the other side.
    pub peer: Party,
    /// The exchange of offer and answer that is due or done. When it grows, the caller's side makes a new offer.
    pub generation: u32,
    /// What the offer of this generation renews.
    pub renew: Renew,
    /// This side.
    pub mine: SideState,
    /// The other side.
    pub theirs: SideState,
    /// Who asks for video and waits for consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub video_asked_by: Option<UserId>,
}

/// What a new offer renews; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Renew {
    /// The tracks: video came or went.
    Media,
    /// The path: ICE restarts.
    Ice,
    /// All: another device, so another DTLS certificate. Both sides begin with a new peer connection.
    Transport,
}

/// How far the media of an answered call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum MediaPhase {
    /// Not yet flowing.
    Connecting,
    /// Flowing on both sides.
    Active,
    /// It flowed, and stopped on a side.
    Reconnecting,
}

/// What one side shows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[expect(clippy::struct_excessive_bools, reason = "four switches that are independent of each other")]
pub struct SideState {
    /// The microphone is off.
    pub muted: bool,
    /// The camera is off. Means nothing in a voice call.
    pub camera_off: bool,
    /// Put the call on hold.
    pub held: bool,
    /// Its connection to the server is lost; the call ends if it stays so for 15 s.
    pub away: bool,
}

/// What a device is told beside the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallSignal {
    /// The other side's offer. May come again; the same generation is the same offer.
    Offer {
        /// Which exchange.
        generation: u32,
        /// The offer and the caller's commitment.
        #[serde(flatten)]
        offer: Offer,
    },
    /// The other side's answer. May come again.
    Answer {
        /// Which exchange.
        generation: u32,
        /// The answer and the callee's nonce.
        #[serde(flatten)]
        answer: Answer,
    },
    /// The nonce behind the caller's commitment.
    Reveal {
        /// Which exchange.
        generation: u32,
        /// 32 bytes in lower-case hexadecimal.
        nonce: String,
    },
    /// Candidates of the other side.
    Candidates {
        /// Which exchange.
        generation: u32,
        /// Each as in `a=candidate`, without `a=`.
        candidates: Vec<String>,
    },
}

/// A [`CallSignal`] and the call that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallSignaled {
    /// Which call.
    pub call_id: CallId,
    /// What the other side sent.
    #[serde(flatten)]
    pub signal: CallSignal,
}

/// What a device asks of a call. Each may be sent twice: the second time it does nothing and tells the state again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum CallAsk {
    /// To be told everything again. A device of the callee that was not rung yet rings from now on.
    Look,
    /// It rings here. The caller sees «ringing» from then on.
    Ringing,
    /// The person accepts. Only now may the microphone open.
    Accept {
        /// `voice` answers a video call without video; `video` cannot be had for a voice call.
        media: CallMedia,
        /// The callee's own wish: relay candidates only.
        #[serde(default)]
        relay_only: bool,
        /// The answer to the offer that came with the invite, if there is one already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        answer: Option<Answer>,
    },
    /// The person declines: it stops ringing everywhere. Also refuses to take over.
    Decline,
    /// The person talks elsewhere. Only this device falls silent.
    Busy,
    /// The person ends it; before an answer the caller's is a cancel and the callee's a decline.
    HangUp,
    /// Still there. Every 5 s from the device that is in the call.
    Alive {
        /// The highest revision that was told here. What is newer is told again.
        #[ts(type = "number")]
        revision: u64,
        /// What was measured since the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        report: Option<QualityReport>,
    },
    /// Media flows to this device, or has stopped.
    Media {
        /// It flows.
        flows: bool,
    },
    /// The network changed: ICE should restart. A new generation follows.
    RestartIce,
    /// Microphone and camera, as the other side shows them.
    Mute {
        /// The microphone is off.
        muted: bool,
        /// The camera is off.
        #[serde(default)]
        camera_off: bool,
    },
    /// Puts the call on hold, or takes it back.
    Hold {
        /// On hold.
        held: bool,
    },
    /// Asks for video. When the other side has asked already, this is consent.
    WantVideo,
    /// The answer to the other side's wish for video.
    AllowVideo {
        /// Yes.
        allow: bool,
    },
    /// Back to voice, or the wish withdrawn. Needs nobody's consent.
    StopVideo,
    /// Another own device should take the call over.
    Transfer {
        /// Which.
        to: DeviceId,
    },
    /// This device takes over, as it was asked to; or it is the device in the call already, and was loaded anew.
    TakeOver,
    /// The caller's side offers.
    Offer {
        /// Which exchange.
        generation: u32,
        /// The offer.
        #[serde(flatten)]
        offer: Offer,
    },
    /// The callee's side answers.
    Answer {
        /// Which exchange.
        generation: u32,
        /// The answer.
        #[serde(flatten)]
        answer: Answer,
    },
    /// The caller's side shows the nonce that it committed to, once the answer is there.
    Reveal {
        /// Which exchange.
        generation: u32,
        /// 32 bytes in lower-case hexadecimal.
        nonce: String,
    },
    /// Candidates for the other side, at most 16.
    Candidates {
        /// Which exchange.
        generation: u32,
        /// Each as in `a=candidate`, without `a=`.
        candidates: Vec<String>,
    },
}

/// A session description that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Offer {
    /// SDP, at most 16 KB; the server writes it anew.
    pub sdp: String,
    /// SHA-256 over the caller's fingerprint and nonce, in lower-case hexadecimal: see the short authentication string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub commitment: Option<String>,
}

/// A session description that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Answer {
    /// SDP, at most 16 KB; the server writes it anew.
    pub sdp: String,
    /// The callee's nonce, 32 bytes in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub nonce: Option<String>,
}

/// The line that a call leaves in its chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallNote {
    /// Which call.
    pub call_id: CallId,
    /// Who called.
    pub caller: UserId,
    /// What it carried at its most.
    pub media: CallMedia,
    /// Why it ended.
    #[serde(flatten)]
    pub reason: EndReason,
    /// How long the two were connected, in seconds; 0 when they never were.
    pub seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_the_wire() {
        let call_id = CallId(Uuid::from_u128(7));
        let party = Party { user_id: UserId(1), device_id: DeviceId(2) };
        let mine = SideState { muted: true, ..SideState::default() };
        let standings = [
            Standing::Elsewhere,
            Standing::Ended { reason: EndReason::Glare { winner: call_id }, by: Some(party) },
            Standing::Ended { reason: EndReason::Missed, by: None },
            Standing::InCall(InCall {
                phase: MediaPhase::Active,
                peer: party,
                generation: 2,
                renew: Renew::Ice,
                mine,
                theirs: SideState::default(),
                video_asked_by: None,
            }),
        ];
        for standing in standings {
            let state = CallState {
                call_id,
                revision: 3,
                chat_id: ChatId(4),
                caller: UserId(1),
                callee: UserId(5),
                media: CallMedia::Voice,
                relay_only: false,
                ask_rating: true,
                standing,
            };
            let json = serde_json::to_string(&state).expect("serialises");
            assert_eq!(serde_json::from_str::<CallState>(&json).expect("parses"), state, "{json}");
        }
    }

    #[test]
    fn an_ask_is_one_flat_object() {
        let offer = Offer { sdp: "v=0".to_owned(), commitment: None };
        let asks = [
            (CallAsk::Look, r#"{"ask":"look"}"#),
            (CallAsk::Offer { generation: 2, offer }, r#"{"ask":"offer","generation":2,"sdp":"v=0"}"#),
            (CallAsk::Mute { muted: true, camera_off: false }, r#"{"ask":"mute","muted":true,"camera_off":false}"#),
        ];
        for (ask, json) in asks {
            assert_eq!(serde_json::to_string(&ask).expect("serialises"), json);
            assert_eq!(serde_json::from_str::<CallAsk>(json).expect("parses"), ask);
        }
    }

    #[test]
    fn a_signal_stands_beside_its_call() {
        let signaled = CallSignaled {
            call_id: CallId(Uuid::from_u128(7)),
            signal: CallSignal::Reveal { generation: 1, nonce: "00".to_owned() },
        };
        let json = serde_json::to_string(&signaled).expect("serialises");
        assert_eq!(serde_json::from_str::<CallSignaled>(&json).expect("parses"), signaled, "{json}");
    }
}

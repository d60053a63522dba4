//! What happens to a call.

use chapar_protocol::call::{CallAsk, CallId, CallMedia, Party};
use chapar_protocol::{ChatId, DeviceId, UserId};

use super::Call;
use super::exchange::{CheckedAnswer, CheckedCandidates, CheckedOffer};
use crate::sas::Nonce;
use crate::sdp::{CandidatePolicy, SdpError};

/// A wish to call. The server fills in everything but the call's id, the media, the setting and the offer.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Made by the calling device.
    pub call_id: CallId,
    /// Their direct chat.
    pub chat_id: ChatId,
    /// Who calls, from which device.
    pub caller: Party,
    /// Who is called.
    pub callee: UserId,
    /// The callee's devices that are connected or can be woken, at most [`super::MAX_DEVICES`].
    pub devices: Vec<DeviceId>,
    /// What is wished for.
    pub media: CallMedia,
    /// Relay candidates only, for the whole call.
    pub relay_only: bool,
    /// Whether the two people are asked afterwards how it was.
    pub ask_rating: bool,
    /// Saves a round trip when it is there.
    pub offer: Option<CheckedOffer>,
    /// What [`super::meet`] found.
    pub fate: Fate,
}

/// What becomes of a new call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It rings.
    Ring,
    /// It rings, and won against a call that the callee made from this device at the same moment.
    RingInGlare(DeviceId),
    /// It lost against that call and is over before it rings.
    LostGlare(CallId),
    /// The callee is engaged, and it is the policy not to ring then.
    Busy,
}

/// What happens to a call. Who speaks was found out by the server.
#[derive(Clone, Debug)]
pub enum Input {
    /// A device asks.
    Ask {
        /// Which, as authenticated.
        who: Party,
        /// What for.
        ask: Ask,
    },
    /// A device connected, or came back. A callee's device begins to ring if it still rings.
    Online(Party),
    /// A device's last connection was lost.
    Gone(Party),
    /// A device was signed out.
    SignedOut(Party),
    /// This call, which rings, met another one between the same two and lost.
    LostGlare(CallId),
    /// This call, which rings, met another one, made by this device of the callee, and won.
    WonGlare(DeviceId),
    /// The one node that keeps this call goes away, and with it the way between the two devices.
    NodeStops,
    /// The record of the ended call is stored.
    Recorded,
    /// The time of [`super::Call::next_timer`] has come. Too early or twice does no harm.
    Tick,
}

impl Input {
    pub(crate) fn speaker(&self) -> Option<Party> {
        match self {
            Self::Ask { who, .. } | Self::Online(who) => Some(*who),
            _ => None,
        }
    }

    /// Whether whoever speaks is told everything; `None`: only if nothing came of it.
    pub(crate) fn wants_all(&self, call_revision: u64) -> Option<bool> {
        match self {
            Self::Online(_) | Self::Ask { ask: Ask::Look, .. } => Some(true),
            Self::Ask { ask: Ask::Alive { revision }, .. } => Some(*revision < call_revision),
            _ => None,
        }
    }
}

/// What a device can ask for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// It wants to be told everything again. A callee's device that was not rung rings from now on.
    Look,
    /// It rings.
    Ringing,
    /// Its person accepts.
    Accept {
        /// Voice answers a video call without video; video cannot be had for a voice call.
        media: CallMedia,
        /// The callee's own setting: relay candidates only.
        relay_only: bool,
        /// The answer to the offer that came with the invite.
        answer: Option<CheckedAnswer>,
    },
    /// Its person declines: it stops ringing everywhere. Also refuses a transfer.
    Decline,
    /// Its person is in another conversation. Only this device falls silent.
    Busy,
    /// Its person ends it; before an answer the caller's is a cancel and the callee's a decline.
    HangUp,
    /// It is still there. To be sent with each quality report; changes the state at most every 45 s.
    Alive {
        /// The highest revision that it was told. If there is a higher one it is told again: what the bus lost is
        /// healed by this.
        revision: u64,
    },
    /// Media flows to this device, or has stopped.
    Media {
        /// It flows.
        flows: bool,
    },
    /// Its network changed: ICE should restart.
    RestartIce,
    /// Microphone and camera.
    Mute {
        /// The microphone is off.
        muted: bool,
        /// The camera is off.
        camera_off: bool,
    },
    /// Hold.
    Hold {
        /// On hold.
        held: bool,
    },
    /// It wants video. When the other side has asked already, this is consent.
    WantVideo,
    /// Its answer to the other side's request for video.
    AllowVideo {
        /// Yes.
        allow: bool,
    },
    /// Back to voice, or the request withdrawn. Needs nobody's consent.
    StopVideo,
    /// Another own device should take over.
    Transfer {
        /// Which.
        to: DeviceId,
    },
    /// It takes over, as it was asked; or it is the device in the call, and lost all of the media: it was loaded anew.
    TakeOver,
    /// The caller's offer.
    Offer {
        /// Of this exchange.
        generation: u32,
        /// Checked.
        offer: CheckedOffer,
    },
    /// The callee's answer.
    Answer {
        /// Of this exchange.
        generation: u32,
        /// Checked.
        answer: CheckedAnswer,
    },
    /// The caller's nonce, after the callee's is there.
    Reveal {
        /// Of this exchange.
        generation: u32,
        /// What was committed to.
        nonce: Nonce,
    },
    /// Candidates, for the other side.
    Candidates {
        /// Of this exchange.
        generation: u32,
        /// Checked.
        candidates: CheckedCandidates,
    },
}

impl Ask {
    /// What a device asks of `call` in the form of the state machine, its descriptions and candidates written anew.
    /// `policy` says which candidates may pass, where only relays' may and where others may too.
    ///
    /// # Errors
    /// What is wrong with a description, candidate, commitment or nonce.
    pub fn check<'a>(
        ask: &CallAsk,
        call: &Call,
        policy: impl Fn(bool) -> &'a CandidatePolicy,
    ) -> Result<Self, SdpError> {
        let now = policy(call.relay_only_now());
        Ok(match ask {
            CallAsk::Look => Self::Look,
            CallAsk::Ringing => Self::Ringing,
            CallAsk::Accept { media, relay_only, answer } => {
                // By accepting, the callee lets the caller learn its address, unless one of the two does not want that.
                let policy = policy(call.is_relay_only() || *relay_only);
                // Voice answers a video call without video.
                let carried = call.media.min(*media);
                let answer = answer.as_ref().map(|answer| CheckedAnswer::check(answer, policy, carried)).transpose()?;
                Self::Accept { media: *media, relay_only: *relay_only, answer }
            }
            CallAsk::Decline => Self::Decline,
            CallAsk::Busy => Self::Busy,
            CallAsk::HangUp => Self::HangUp,
            CallAsk::Alive { revision, .. } => Self::Alive { revision: *revision },
            CallAsk::Media { flows } => Self::Media { flows: *flows },
            CallAsk::RestartIce => Self::RestartIce,
            CallAsk::Mute { muted, camera_off } => Self::Mute { muted: *muted, camera_off: *camera_off },
            CallAsk::Hold { held } => Self::Hold { held: *held },
            CallAsk::WantVideo => Self::WantVideo,
            CallAsk::AllowVideo { allow } => Self::AllowVideo { allow: *allow },
            CallAsk::StopVideo => Self::StopVideo,
            CallAsk::Transfer { to } => Self::Transfer { to: *to },
            CallAsk::TakeOver => Self::TakeOver,
            CallAsk::Offer { generation, offer } => {
                Self::Offer { generation: *generation, offer: CheckedOffer::check(offer, now, call.media)? }
            }
            CallAsk::Answer { generation, answer } => {
                Self::Answer { generation: *generation, answer: CheckedAnswer::check(answer, now, call.media)? }
            }
            CallAsk::Reveal { generation, nonce } => {
                Self::Reveal { generation: *generation, nonce: Nonce::parse(nonce).ok_or(SdpError::Commitment)? }
            }
            CallAsk::Candidates { generation, candidates } => {
                Self::Candidates { generation: *generation, candidates: CheckedCandidates::check(candidates, now)? }
            }
        })
    }
}

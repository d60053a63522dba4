//! The call: a pure state machine. It owns no socket, no clock and no task.
//!
//! A driver loads a [`Call`] from the shared store, asks [`Call::step`] what an input does to it, writes the result
//! back if the stored revision is still the one it loaded (compare-and-swap; otherwise it begins again with what
//! is there now), and only then carries out the outputs. Deadlines stand in the state as moments, so any node can
//! fire the timers of a node that died: [`Call::next_timer`] is the key of the store's index by deadline.
//!
//! What devices are told is not written down rule by rule: after each change everything that a device should know is
//! computed anew, and it is told what differs ([`view`]). Nobody can be forgotten.

mod ask;
pub mod error;
pub mod exchange;
pub mod glare;
pub mod input;
pub mod output;
#[cfg(test)]
mod tests;
mod timer;
mod view;

use chapar_protocol::call::{CallId, CallMedia, EndReason, Party, Renew, SideState};
use chapar_protocol::{ChatId, DeviceId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

pub use error::CallError;
pub use exchange::{CheckedAnswer, CheckedCandidates, CheckedOffer};
pub use glare::{Meeting, meet};
pub use input::{Ask, Fate, Input, Invite};
pub use output::{CallLog, Output, Record};

use exchange::Exchange;

/// How long it rings, in milliseconds.
pub const RING_MS: i64 = 60_000;
/// How long the first media may take after the answer, in milliseconds.
pub const CONNECT_MS: i64 = 30_000;
/// How long a device may be away from the server before the call ends, in milliseconds.
pub const GRACE_MS: i64 = 15_000;
/// How long without media until an ICE restart is asked for, in milliseconds.
pub const RESTART_AFTER_MS: i64 = 2_000;
/// How long until it is asked for again, in milliseconds. A phone may find its next network only later.
pub const RESTART_AGAIN_MS: i64 = 8_000;
/// How long without media until the call is given up, in milliseconds.
pub const DROP_MS: i64 = 30_000;
/// How long a request for video or a transfer waits for consent, in milliseconds.
pub const CONSENT_MS: i64 = 30_000;
/// How long a device in a call counts as there without a sign of life, in milliseconds. A node that dies cannot
/// say that its connections are gone; without this a call between two of them would never end.
pub const LEASE_MS: i64 = 90_000;
/// The least time between two ICE restarts that devices ask for, in milliseconds.
pub const RESTART_GAP_MS: i64 = 1_000;
/// How long a record of an ended call may take before it is handed out again, in milliseconds.
pub const RECORD_AGAIN_MS: i64 = 10_000;
/// The most devices of one person that one call knows.
pub const MAX_DEVICES: usize = 32;

/// How far a call is.
///
/// ```text
///              invite
///                │
///                ▼   decline, busy (all), cancel, glare,
///           ┌─────────┐  60 s, caller away for 15 s
///           │ Ringing ├───────────────────────────────────────────┐
///           └────┬────┘                                           │
///                │ accept (the first of the callee's devices)     │
///                ▼                                                │
///         ┌────────────┐  hang up, 30 s, a side away for 15 s     │
///         │ Connecting ├──────────────────────────────────────────┤
///         └──────┬─────┘                                          │
///                │ media on both sides                            │
///                ▼                                                ▼
///           ┌────────┐   hang up, a side away for 15 s        ┌───────┐
///           │ Active ├───────────────────────────────────────▶│ Ended │
///           └─┬────▲─┘                                        └───────┘
///  media lost │    │ media on both sides                          ▲
///  or transfer▼    │ (ICE restart asked for after 2, 10, 18 …s)   │
///         ┌────────┴─────┐  hang up, 30 s, a side away for 15 s   │
///         │ Reconnecting ├────────────────────────────────────────┘
///         └──────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// The callee's devices ring.
    Ringing {
        /// The end of it.
        until: Timestamp,
    },
    /// Answered; no media yet.
    Connecting {
        /// The end of it.
        until: Timestamp,
    },
    /// Media flows on both sides.
    Active,
    /// Media flowed and stopped, or one side moved to another device.
    Reconnecting {
        /// The end of it.
        until: Timestamp,
        /// When an ICE restart is asked for.
        restart_at: Timestamp,
    },
    /// Over.
    Ended {
        /// Why.
        reason: EndReason,
        /// Whose doing; `None` for a timer's.
        by: Option<Party>,
        /// When.
        at: Timestamp,
        /// When the record is handed out again; `None` once it is known to be stored.
        record_at: Option<Timestamp>,
    },
}

/// One of the two people in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) user: UserId,
    /// The one device that is in the call.
    pub(crate) device: Option<DeviceId>,
    /// Every device that was told of the call, at most [`MAX_DEVICES`].
    pub(crate) known: Vec<Known>,
    /// What it shows of itself; `away` stays false here and is made from `gone_until`.
    pub(crate) shown: SideState,
    /// Media arrives, as the device says.
    pub(crate) media: bool,
    /// The device is away from the server; the call ends then.
    pub(crate) gone_until: Option<Timestamp>,
    /// Without a sign of life until then the device counts as away.
    pub(crate) lease_until: Timestamp,
    /// Another own device is asked to take over.
    pub(crate) take_over: Option<TakeOver>,
}

/// A device that was told of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) device: DeviceId,
    pub(crate) ring: Ring,
    /// Its person called the caller at the same moment, from this device.
    pub(crate) glare: bool,
}

/// How far the ringing of one device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ring {
    Told,
    Rings,
    Busy,
}

/// A transfer that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakeOver {
    pub(crate) device: DeviceId,
    pub(crate) until: Timestamp,
}

/// A request for video that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VideoAsked {
    pub(crate) by: Role,
    pub(crate) until: Timestamp,
}

/// Which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Caller,
    Callee,
}

impl Role {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// A call between two people, whole. Serialised, it is what the shared store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub(crate) id: CallId,
    pub(crate) revision: u64,
    pub(crate) chat_id: ChatId,
    pub(crate) caller: Side,
    pub(crate) callee: Side,
    pub(crate) media: CallMedia,
    /// The most that it carried.
    pub(crate) most: CallMedia,
    pub(crate) relay_only: bool,
    pub(crate) ask_rating: bool,
    pub(crate) phase: Phase,
    pub(crate) exchange: Exchange,
    pub(crate) video_asked: Option<VideoAsked>,
    pub(crate) restarted_at: Option<Timestamp>,
    pub(crate) invited_at: Timestamp,
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) connected_at: Option<Timestamp>,
}

/// What an input did.
#[derive(Clone, Debug)]
pub struct Step {
    /// The call after it, with the next revision; `None` when nothing changed and nothing needs to be stored.
    pub call: Option<Call>,
    /// To carry out after the store has taken `call`.
    pub outputs: Vec<Output>,
    /// Why the ask was refused. Timers that were due may have changed the call all the same.
    pub refused: Option<CallError>,
}

impl Call {
    /// A new call with revision 1, to be stored only if there is none with this id.
    ///
    /// # Errors
    /// [`CallError::SelfCall`]; [`CallError::TooManyDevices`] beyond [`MAX_DEVICES`]; [`CallError::NotRelayOnly`] for an
    /// offer that was not checked as relay-only, which all are that come before the callee has accepted.
    pub fn invite(invite: Invite, now: Timestamp) -> Result<(Self, Vec<Output>), CallError> {
        let Invite { call_id, chat_id, caller, callee, devices, media, relay_only, ask_rating, offer, fate } = invite;
        if caller.user_id == callee {
            return Err(CallError::SelfCall);
        }
        if let Some(offer) = &offer {
            offer.suits(true, media)?;
        }
        let mut call = Self {
            id: call_id,
            revision: 1,
            chat_id,
            caller: Side::new(caller.user_id, now),
            callee: Side::new(callee, now),
            media,
            most: media,
            relay_only,
            ask_rating,
            phase: Phase::Ringing { until: after(now, RING_MS) },
            exchange: Exchange::first(offer),
            video_asked: None,
            restarted_at: None,
            invited_at: now,
            answered_at: None,
            connected_at: None,
        };
        call.caller.device = Some(caller.device_id);
        call.caller.know(caller.device_id)?;
        match fate {
            Fate::Ring => {}
            Fate::RingInGlare(device) => {
                call.callee.know(device)?.glare = true;
            }
            Fate::LostGlare(winner) => call.end(EndReason::Glare { winner }, None, now),
            Fate::Busy => call.end(EndReason::Busy, None, now),
        }
        if call.is_live() {
            for device in devices {
                call.callee.know(device)?;
            }
        }
        let outputs = view::news(None, &call);
        Ok((call, outputs))
    }

    /// What `input` does at `now`. Timers that are due by then are settled first, also when nobody fired them.
    #[must_use]
    pub fn step(&self, input: Input, now: Timestamp) -> Step {
        // What a timer ends only now cannot have been recorded yet.
        let input = if self.is_live() && matches!(input, Input::Recorded) { Input::Tick } else { input };
        let mut next = self.settled(now);
        let mut relayed = Vec::new();
        let (speaker, wants_all) = (input.speaker(), input.wants_all(self.revision));
        let refused = next.take(input, now, &mut relayed).err();
        if refused.is_some() {
            next = self.settled(now);
        }
        let changed = next != *self;
        next.revision += u64::from(changed);
        let mut outputs = view::news(Some(self), &next);
        if let Some(who) = speaker
            && (refused.is_some() || wants_all.unwrap_or(!changed && relayed.is_empty()))
        {
            // Whoever came back, was refused or said nothing new may have missed something: it gets the whole.
            view::retell(&next, who, &mut outputs);
        }
        outputs.append(&mut relayed);
        Step { call: changed.then_some(next), outputs, refused }
    }

    /// The call after every timer that is due by `now`.
    fn settled(&self, now: Timestamp) -> Self {
        let mut settled = self.clone();
        settled.settle(now);
        settled
    }

    /// When [`Input::Tick`] is due; `None` when nothing is left to be done. Keep the call for some minutes more, for a
    /// device that asks late and for an invite that comes twice.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.deadlines().into_iter().flatten().min()
    }

    /// Its id.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// What the store compares before it swaps.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The two people, the caller first.
    pub fn people(&self) -> [UserId; 2] {
        [self.caller.user, self.callee.user]
    }

    /// When it began to ring.
    pub fn invited_at(&self) -> Timestamp {
        self.invited_at
    }

    /// When it was accepted.
    pub fn answered_at(&self) -> Option<Timestamp> {
        self.answered_at
    }

    /// When media first flowed on both sides.
    pub fn connected_at(&self) -> Option<Timestamp> {
        self.connected_at
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        if let Phase::Ended { at, .. } = self.phase { Some(at) } else { None }
    }

    /// A device of the callee has said that it rings.
    pub fn has_rung(&self) -> bool {
        self.callee.known.iter().any(|k| k.ring != Ring::Told)
    }

    /// The most that it carried.
    pub fn most(&self) -> CallMedia {
        self.most
    }

    /// Relay candidates only, for the whole call.
    pub fn is_relay_only(&self) -> bool {
        self.relay_only
    }

    /// Not ended.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Ended { .. })
    }

    /// The devices in the call, the caller's first.
    pub fn seats(&self) -> [Option<Party>; 2] {
        [self.caller.party(), self.callee.party()]
    }

    /// Only relay candidates may pass now: a setting of the call, and the rule for all until the callee has accepted.
    pub fn relay_only_now(&self) -> bool {
        self.relay_only || matches!(self.phase, Phase::Ringing { .. })
    }

    pub(crate) fn role(&self, user: UserId) -> Option<Role> {
        match user {
            _ if user == self.caller.user => Some(Role::Caller),
            _ if user == self.callee.user => Some(Role::Callee),
            _ => None,
        }
    }

    pub(crate) fn side(&self, role: Role) -> &Side {
        match role {
            Role::Caller => &self.caller,
            Role::Callee => &self.callee,
        }
    }

    pub(crate) fn side_mut(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Caller => &mut self.caller,
            Role::Callee => &mut self.callee,
        }
    }

    /// Ends it; what only a live call needs is let go, so that an ended one is small in the store.
    pub(crate) fn end(&mut self, reason: EndReason, by: Option<Party>, at: Timestamp) {
        self.phase = Phase::Ended { reason, by, at, record_at: Some(after(at, RECORD_AGAIN_MS)) };
        self.exchange = self.exchange.next(Renew::Media);
        self.video_asked = None;
        for side in [&mut self.caller, &mut self.callee] {
            side.take_over = None;
            side.gone_until = None;
            side.media = false;
        }
    }
}

impl Side {
    fn new(user: UserId, now: Timestamp) -> Self {
        Self {
            user,
            device: None,
            known: Vec::new(),
            shown: SideState::default(),
            media: false,
            gone_until: None,
            lease_until: after(now, LEASE_MS),
            take_over: None,
        }
    }

    pub(crate) fn party(&self) -> Option<Party> {
        self.device.map(|device_id| Party { user_id: self.user, device_id })
    }

    /// Remembers a device, so that it is told of every change.
    pub(crate) fn know(&mut self, device: DeviceId) -> Result<&mut Known, CallError> {
        let place = match self.known.iter().position(|k| k.device == device) {
            Some(place) => place,
            None if self.known.len() < MAX_DEVICES => {
                self.known.push(Known { device, ring: Ring::Told, glare: false });
                self.known.len() - 1
            }
            None => return Err(CallError::TooManyDevices),
        };
        Ok(&mut self.known[place])
    }

    pub(crate) fn knows(&self, device: DeviceId) -> bool {
        self.known.iter().any(|k| k.device == device)
    }
}

/// `moment` and some milliseconds; stays where it is at the end of the calendar.
pub(crate) fn after(moment: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(moment.as_millis().saturating_add(millis)).unwrap_or(moment)
}

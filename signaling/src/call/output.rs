//! What a driver carries out after the store has taken the new state.

use chapar_protocol::call::{CallId, CallMedia, CallNote, CallSignal, CallState, EndReason, Party};
use chapar_protocol::{ChatId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// What a driver carries out after the store has taken the new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tell one device how the call stands.
    State {
        /// Whom.
        to: Party,
        /// What.
        state: Box<CallState>,
    },
    /// Hand one device what the other side sent.
    Signal {
        /// Whom.
        to: Party,
        /// In which call.
        call_id: CallId,
        /// What.
        signal: CallSignal,
    },
    /// Store what is left of an ended call, in one transaction that does nothing the second time for the same call,
    /// then give the call [`super::Input::Recorded`]. Comes again until then.
    Record(Box<Record>),
}

/// What is left of an ended call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The service message for the chat; `None` for a call that lost a glare, since the other one goes on.
    pub note: Option<CallNote>,
    /// The line in the call log.
    pub log: CallLog,
    /// Whose counter of missed calls grows.
    pub missed_by: Option<UserId>,
}

/// A line in the call log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLog {
    /// Which call.
    pub call_id: CallId,
    /// In which chat.
    pub chat_id: ChatId,
    /// Who called.
    pub caller: UserId,
    /// Who was called.
    pub callee: UserId,
    /// What it carried at its most.
    pub media: CallMedia,
    /// Relay candidates only.
    pub relay_only: bool,
    /// When it began.
    pub invited_at: Timestamp,
    /// When it was accepted.
    pub answered_at: Option<Timestamp>,
    /// When media first flowed on both sides.
    pub connected_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// Whose doing.
    pub by: Option<Party>,
    /// How many exchanges of offer and answer it took.
    pub generations: u32,
}

//! Offers, answers and candidates: checked before they come in, and one exchange at a time.

use std::sync::Arc;

use chapar_protocol::call::{Answer, CallMedia, Offer, Renew};
use serde::{Deserialize, Serialize};

use super::error::CallError;
use crate::sas::{Commitment, Nonce};
use crate::sdp::{CandidatePolicy, Role as SdpRole, SdpError, candidate, rewrite_for};

/// The most candidates that are held for a callee who has not accepted yet.
pub const MAX_HELD: usize = 32;
/// The most candidates in one message.
pub const MAX_BATCH: usize = 16;

/// An offer that was parsed and written anew. There is no other way to make one. It remembers whether only relay
/// candidates were let through, and whether video was, so that the call can refuse one that was checked by what has changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedOffer {
    /// Shared: each step of a call makes a new state, and all of them hold the same description.
    #[serde(flatten, with = "shared")]
    offer: Arc<Offer>,
    relay_only: bool,
    /// Written for a voice call: no video flows by it.
    #[serde(default)]
    voice: bool,
}

impl CheckedOffer {
    /// Checks an offer from a client, for a call that carries this.
    ///
    /// # Errors
    /// What is wrong with the description or the commitment.
    pub fn check(offer: &Offer, policy: &CandidatePolicy, media: CallMedia) -> Result<Self, SdpError> {
        let sdp = rewrite_for(media, &offer.sdp, SdpRole::Offer, policy)?.sdp;
        let commitment = match &offer.commitment {
            Some(text) => Some(Commitment::parse(text).ok_or(SdpError::Commitment)?.to_string()),
            None => None,
        };
        let voice = media == CallMedia::Voice;
        Ok(Self { offer: Arc::new(Offer { sdp, commitment }), relay_only: policy.relay_only, voice })
    }

    /// As it goes on the wire.
    pub fn as_wire(&self) -> &Offer {
        &self.offer
    }

    pub(crate) fn suits(&self, relay_only: bool, media: CallMedia) -> Result<(), CallError> {
        suits(self.relay_only, relay_only)?;
        if media == CallMedia::Voice && !self.voice { Err(CallError::NotForVoice) } else { Ok(()) }
    }
}

/// An answer that was parsed and written anew. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedAnswer {
    #[serde(flatten, with = "shared")]
    answer: Arc<Answer>,
    relay_only: bool,
    #[serde(default)]
    voice: bool,
}

impl CheckedAnswer {
    /// Checks an answer from a client, for a call that carries this.
    ///
    /// # Errors
    /// What is wrong with the description or the nonce.
    pub fn check(answer: &Answer, policy: &CandidatePolicy, media: CallMedia) -> Result<Self, SdpError> {
        let sdp = rewrite_for(media, &answer.sdp, SdpRole::Answer, policy)?.sdp;
        let nonce = match &answer.nonce {
            Some(text) => Some(Nonce::parse(text).ok_or(SdpError::Commitment)?.to_string()),
            None => None,
        };
        let voice = media == CallMedia::Voice;
        Ok(Self { answer: Arc::new(Answer { sdp, nonce }), relay_only: policy.relay_only, voice })
    }

    /// As it goes on the wire.
    pub fn as_wire(&self) -> &Answer {
        &self.answer
    }

    pub(crate) fn suits(&self, relay_only: bool, media: CallMedia) -> Result<(), CallError> {
        suits(self.relay_only, relay_only)?;
        if media == CallMedia::Voice && !self.voice { Err(CallError::NotForVoice) } else { Ok(()) }
    }
}

/// Candidates that were parsed and written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedCandidates {
    candidates: Vec<String>,
    relay_only: bool,
}

impl CheckedCandidates {
    /// Checks candidates from a client. Those that the policy keeps back are left out, and empty ones, which end them.
    ///
    /// # Errors
    /// What is wrong with the first bad one; [`SdpError::TooMany`] beyond [`MAX_BATCH`].
    pub fn check(candidates: &[String], policy: &CandidatePolicy) -> Result<Self, SdpError> {
        if candidates.len() > MAX_BATCH {
            return Err(SdpError::TooMany("candidates"));
        }
        let mut kept = Vec::with_capacity(candidates.len());
        // Browsers fire an empty one at the end (RFC 8838): it says nothing to the other side, and takes none beside it with it.
        for text in candidates.iter().filter(|text| !text.is_empty()) {
            let parsed = candidate::Candidate::parse(text)?;
            if policy.permits(&parsed) {
                kept.push(parsed.to_string());
            }
        }
        Ok(Self { candidates: kept, relay_only: policy.relay_only })
    }

    /// As they go on the wire.
    pub fn as_wire(&self) -> &[String] {
        &self.candidates
    }

    pub(crate) fn suits(&self, relay_only: bool) -> Result<(), CallError> {
        suits(self.relay_only, relay_only)
    }
}

/// Writes and reads what is shared like what is not.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(shared: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        T::serialize(shared, to)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

fn suits(checked_so: bool, relay_only: bool) -> Result<(), CallError> {
    if relay_only && !checked_so { Err(CallError::NotRelayOnly) } else { Ok(()) }
}

/// One exchange of offer and answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// 1, 2, 3 …
    pub(crate) generation: u32,
    pub(crate) renew: Renew,
    pub(crate) offer: Option<CheckedOffer>,
    pub(crate) answer: Option<CheckedAnswer>,
    pub(crate) reveal: Option<Nonce>,
    /// The caller's candidates from before the accept.
    pub(crate) held: Vec<String>,
    /// An answer was given in this or an earlier exchange.
    pub(crate) answered_once: bool,
}

impl Exchange {
    pub(crate) fn first(offer: Option<CheckedOffer>) -> Self {
        Self {
            generation: 1,
            renew: Renew::Transport,
            offer,
            answer: None,
            reveal: None,
            held: Vec::new(),
            answered_once: false,
        }
    }

    /// The exchange that follows. What an unfinished one was to renew is still to be renewed.
    pub(crate) fn next(&self, renew: Renew) -> Self {
        let renew = if self.answer.is_some() { renew } else { renew.max(self.renew) };
        Self {
            generation: self.generation.saturating_add(1),
            renew,
            answered_once: self.answered_once,
            ..Self::first(None)
        }
    }
}

//! Offers, answers and candidates: checked before they come in, and one exchange at a time.

use chapar_protocol::call::{Answer, Offer, Renew};
use serde::{Deserialize, Serialize};

use crate::sas::{Commitment, Nonce};
use crate::sdp::{CandidatePolicy, Role as SdpRole, SdpError, candidate, rewrite};

/// The most candidates that are held for a callee who has not accepted yet.
pub const MAX_HELD: usize = 32;
/// The most candidates in one message.
pub const MAX_BATCH: usize = 16;

/// An offer that was parsed and written anew. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedOffer(Offer);

impl CheckedOffer {
    /// Checks an offer from a client.
    ///
    /// # Errors
    /// What is wrong with the description or the commitment.
    pub fn check(offer: &Offer, policy: &CandidatePolicy) -> Result<Self, SdpError> {
        let sdp = rewrite(&offer.sdp, SdpRole::Offer, policy)?.sdp;
        let commitment = match &offer.commitment {
            Some(text) => Some(Commitment::parse(text).ok_or(SdpError::Commitment)?.to_string()),
            None => None,
        };
        Ok(Self(Offer { sdp, commitment }))
    }

    /// As it goes on the wire.
    pub fn as_wire(&self) -> &Offer {
        &self.0
    }
}

/// An answer that was parsed and written anew. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedAnswer(Answer);

impl CheckedAnswer {
    /// Checks an answer from a client.
    ///
    /// # Errors
    /// What is wrong with the description or the nonce.
    pub fn check(answer: &Answer, policy: &CandidatePolicy) -> Result<Self, SdpError> {
        let sdp = rewrite(&answer.sdp, SdpRole::Answer, policy)?.sdp;
        let nonce = match &answer.nonce {
            Some(text) => Some(Nonce::parse(text).ok_or(SdpError::Commitment)?.to_string()),
            None => None,
        };
        Ok(Self(Answer { sdp, nonce }))
    }

    /// As it goes on the wire.
    pub fn as_wire(&self) -> &Answer {
        &self.0
    }
}

/// Candidates that were parsed and written anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedCandidates(Vec<String>);

impl CheckedCandidates {
    /// Checks candidates from a client. Those that the policy keeps back are left out.
    ///
    /// # Errors
    /// What is wrong with the first bad one; [`SdpError::TooMany`] beyond [`MAX_BATCH`].
    pub fn check(candidates: &[String], policy: &CandidatePolicy) -> Result<Self, SdpError> {
        if candidates.len() > MAX_BATCH {
            return Err(SdpError::TooMany("candidates"));
        }
        let mut kept = Vec::with_capacity(candidates.len());
        for text in candidates {
            let parsed = candidate::Candidate::parse(text)?;
            if policy.permits(&parsed) {
                kept.push(parsed.to_string());
            }
        }
        Ok(Self(kept))
    }

    /// As they go on the wire.
    pub fn as_wire(&self) -> &[String] {
        &self.0
    }
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

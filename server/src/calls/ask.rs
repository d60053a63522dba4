//! What a device asks of a call: the wire's form checked and made into the state machine's.

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallAsk, CallId, Party},
};
use chapar_signaling::{
    call::{Ask, Call, CheckedAnswer, CheckedCandidates, CheckedOffer, Input},
    sas::Nonce,
    sdp::SdpError,
};

use super::{CallRules, Calls, no_such_call};

impl Calls {
    /// Takes one step that a device asks for.
    ///
    /// # Errors
    /// As `docs/PROTOCOL.md` says of `call_ask`.
    pub async fn ask(&self, who: Party, id: CallId, ask: &CallAsk) -> Result<(), WireError> {
        let step = self.step(id, |call| {
            // Looked at first: whoever is not in the call costs no parsing, and learns nothing.
            if !call.people().contains(&who.user_id) {
                return Err(no_such_call());
            }
            Ok(Input::Ask { who, ask: checked(ask, call, &self.rules)? })
        });
        let call = step.await?;
        if let CallAsk::Alive { report: Some(report), .. } = ask
            && call.is_live()
            && call.seats().contains(&Some(who))
        {
            self.quality.report(id, who.user_id, report);
        }
        Ok(())
    }
}

/// The ask in the form of the state machine, its descriptions and candidates written anew.
fn checked(ask: &CallAsk, call: &Call, rules: &CallRules) -> Result<Ask, WireError> {
    let now = rules.candidates(call.relay_only_now());
    Ok(match ask {
        CallAsk::Look => Ask::Look,
        CallAsk::Ringing => Ask::Ringing,
        CallAsk::Accept { media, relay_only, answer } => {
            // By accepting, the callee lets the caller learn its address, unless one of the two does not want that.
            let policy = rules.candidates(call.is_relay_only() || *relay_only);
            let answer = answer.as_ref().map(|answer| CheckedAnswer::check(answer, policy)).transpose();
            Ask::Accept { media: *media, relay_only: *relay_only, answer: answer.map_err(bad)? }
        }
        CallAsk::Decline => Ask::Decline,
        CallAsk::Busy => Ask::Busy,
        CallAsk::HangUp => Ask::HangUp,
        CallAsk::Alive { revision, .. } => Ask::Alive { revision: *revision },
        CallAsk::Media { flows } => Ask::Media { flows: *flows },
        CallAsk::RestartIce => Ask::RestartIce,
        CallAsk::Mute { muted, camera_off } => Ask::Mute { muted: *muted, camera_off: *camera_off },
        CallAsk::Hold { held } => Ask::Hold { held: *held },
        CallAsk::WantVideo => Ask::WantVideo,
        CallAsk::AllowVideo { allow } => Ask::AllowVideo { allow: *allow },
        CallAsk::StopVideo => Ask::StopVideo,
        CallAsk::Transfer { to } => Ask::Transfer { to: *to },
        CallAsk::TakeOver => Ask::TakeOver,
        CallAsk::Offer { generation, offer } => {
            Ask::Offer { generation: *generation, offer: CheckedOffer::check(offer, now).map_err(bad)? }
        }
        CallAsk::Answer { generation, answer } => {
            Ask::Answer { generation: *generation, answer: CheckedAnswer::check(answer, now).map_err(bad)? }
        }
        CallAsk::Reveal { generation, nonce } => {
            let nonce = Nonce::parse(nonce).ok_or(bad(SdpError::Commitment))?;
            Ask::Reveal { generation: *generation, nonce }
        }
        CallAsk::Candidates { generation, candidates } => {
            let candidates = CheckedCandidates::check(candidates, now).map_err(bad)?;
            Ask::Candidates { generation: *generation, candidates }
        }
    })
}

/// A description that a call may not have. The sentence names the rule and repeats nothing of the text.
pub(super) fn bad(error: SdpError) -> WireError {
    WireError::new(ErrorCode::BadDescription, error.to_string())
}

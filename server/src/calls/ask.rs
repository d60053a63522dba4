//! What a device asks of a call: the wire's form checked and made into the state machine's.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallAsk, CallId, CallState, Party},
    command::{CallInvite, Done},
};
use chapar_signaling::{
    call::{Ask, Call, CheckedAnswer, CheckedCandidates, CheckedOffer, Input},
    sas::Nonce,
    sdp::SdpError,
};

use tokio::sync::oneshot;

use super::{CallRules, Calls, Trouble, lanes::Walk, no_such_call, step::Taken};

/// The most asks of one call that are taken as one change.
const MOST_TOGETHER: usize = 16;

/// What waits in a call's lane.
pub(super) enum Waiting {
    /// It is to be placed.
    Invite(Party, Box<CallInvite>, Answer<CallState>),
    /// A device asks.
    Ask(Asked),
}

/// What a device asks of a call.
pub(super) struct Asked {
    who: Party,
    ask: CallAsk,
    answer: Answer<Done>,
}

/// Where the answer goes. Nobody may wait there any more.
type Answer<T> = oneshot::Sender<Result<T, WireError>>;
/// From where the answer comes. It ends without one only by a fault of ours.
pub type Answered<T> = oneshot::Receiver<Result<T, WireError>>;

impl Calls {
    /// Calls somebody. Takes its place in the call's lane at once, so that what is asked of the call after it finds it there;
    /// goes on by itself, also when nobody waits for the answer any more.
    ///
    /// Answers with an error as `docs/PROTOCOL.md` says of `call_invite`.
    pub fn invite(self: &Arc<Self>, who: Party, invite: CallInvite) -> Answered<CallState> {
        let (answer, answered) = oneshot::channel();
        self.put(invite.call_id, Waiting::Invite(who, Box::new(invite), answer));
        answered
    }

    /// Takes one step that a device asks for. The asks of one connection about one call keep their order; goes on by itself.
    ///
    /// Answers with an error as `docs/PROTOCOL.md` says of `call_ask`.
    pub fn ask(self: &Arc<Self>, who: Party, id: CallId, ask: CallAsk) -> Answered<Done> {
        let (answer, answered) = oneshot::channel();
        self.put(id, Waiting::Ask(Asked { who, ask, answer }));
        answered
    }

    fn put(self: &Arc<Self>, id: CallId, thing: Waiting) {
        if let Some(walk) = self.lanes.put(id, thing) {
            tokio::spawn(self.clone().walk(walk));
        }
    }

    async fn walk(self: Arc<Self>, mut lane: Walk<Waiting>) {
        let id = lane.id();
        while let Some(waiting) = lane.next() {
            let mut together = Vec::with_capacity(waiting.len());
            for thing in waiting {
                match thing {
                    Waiting::Invite(who, invite, answer) => {
                        self.take_together(id, &mut together).await;
                        let outcome = self.place_invite(who, *invite).await.map_err(crate::commands::wire_error);
                        let _ = answer.send(outcome);
                    }
                    Waiting::Ask(asked) => {
                        // A report is counted of the call as its sender saw it, and before the call may end.
                        let alone = matches!(asked.ask, CallAsk::Alive { .. });
                        if alone || together.len() == MOST_TOGETHER {
                            self.take_together(id, &mut together).await;
                        }
                        if let Some(asked) = self.of_own_device(asked).await {
                            together.push(asked);
                        }
                        if alone {
                            self.take_together(id, &mut together).await;
                        }
                    }
                }
            }
            self.take_together(id, &mut together).await;
        }
    }

    /// A call goes over only to a device of the same person.
    async fn of_own_device(&self, asked: Asked) -> Option<Asked> {
        let CallAsk::Transfer { to } = asked.ask else { return Some(asked) };
        let error = match self.store.owns_device(asked.who.user_id, to).await {
            Ok(true) => return Some(asked),
            Ok(false) => WireError::new(ErrorCode::BadRequest, "that is none of your devices"),
            Err(error) => crate::commands::wire_error(error),
        };
        let _ = asked.answer.send(Err(error));
        None
    }

    /// Takes what several devices, or one, ask of a call as one change, and answers each.
    async fn take_together(&self, id: CallId, together: &mut Vec<Asked>) {
        if together.is_empty() {
            return;
        }
        let taken = self.steps(id, together.len(), |nth, call| {
            let Asked { who, ask, .. } = &together[nth];
            // Looked at first: whoever is not in the call costs no parsing, and learns nothing.
            if !call.people().contains(&who.user_id) {
                return Err(no_such_call());
            }
            Ok(Input::Ask { who: *who, ask: checked(ask, call, &self.rules)? })
        });
        match taken.await {
            Ok(Taken { call, outcomes }) => {
                for (Asked { who, ask, answer }, outcome) in together.drain(..).zip(outcomes) {
                    if let CallAsk::Alive { report: Some(report), .. } = &ask
                        && outcome.is_ok()
                        && call.is_live()
                        && call.seats().contains(&Some(who))
                    {
                        self.quality.report(id, who.user_id, report);
                    }
                    let _ = answer.send(outcome.map(|()| Done {}).map_err(|refusal| Trouble::from(refusal).into()));
                }
            }
            Err(trouble) => {
                let error = WireError::from(trouble);
                for Asked { answer, .. } in together.drain(..) {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
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

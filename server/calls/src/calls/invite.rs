//! A new call: who is reached, and what becomes of it when it meets another.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallState, Party},
    command::CallInvite,
};
use chapar_signaling::call::{Call, CheckedOffer, Fate, Input, Invite, Meeting, Step, meet};

use super::{Calls, MAX_TRIES, Trouble, ask::bad, shared::Created};
use crate::store::StoreError;

/// What is done about the calls that an invite meets.
enum Plan {
    /// It becomes this, and another call takes this step.
    Create(Fate, Option<(Arc<Call>, Input)>),
    /// A call that it met is over but for the timer that nobody fired yet.
    Settle(Arc<Call>),
    /// It is refused.
    Refuse(WireError),
}

impl Calls {
    /// Calls somebody. The same invite again is answered with the call as it is now.
    pub(super) async fn place_invite(&self, who: Party, invite: CallInvite) -> Result<CallState, StoreError> {
        let offer = invite.offer.as_ref();
        let rules = self.rules();
        let offer = offer.map(|offer| CheckedOffer::check(offer, rules.candidates(true), invite.media)).transpose();
        let offer = offer.map_err(bad)?;
        let reached = self.reach.ask(who.user_id, invite.user_id).await?;
        let wanted = Invite {
            call_id: invite.call_id,
            chat_id: reached.chat_id,
            caller: who,
            callee: invite.user_id,
            devices: reached.devices,
            media: invite.media,
            relay_only: invite.relay_only,
            ask_rating: rand::random_range(0..100) < rules.rating_percent,
            offer,
            fate: Fate::Ring,
        };
        let call = self.place(wanted).await.map_err(WireError::from)?;
        call.state_for(who).ok_or_else(|| ErrorCode::CallNotFound.into())
    }

    async fn place(&self, wanted: Invite) -> Result<Arc<Call>, Trouble> {
        let (mut fate, mut touched, mut seen) = (Fate::Ring, None, Vec::new());
        for _ in 0..MAX_TRIES {
            let now = self.clock.now();
            let (call, outputs) = Call::invite(Invite { fate, ..wanted.clone() }, now).map_err(Trouble::Refused)?;
            let call = Arc::new(call);
            let other: Option<(Arc<Call>, Step)> =
                touched.take().map(|(other, input): (Arc<Call>, Input)| (other.clone(), other.step(input, now)));
            let also = other.as_ref().and_then(|(_, step)| step.call.clone()).map(Arc::new);
            match self.shared.create(&call, &seen, also.as_ref()).await? {
                Created::Stored => {
                    self.taken(None, &call);
                    self.carry_out(outputs);
                    if let (Some((before, step)), Some(after)) = (other, &also) {
                        self.taken(Some(&before), after);
                        self.carry_out(step.outputs);
                    }
                    return Ok(call);
                }
                Created::Exists(there) => {
                    return match meet(&there, &wanted) {
                        Meeting::Repeat => Ok(there),
                        _ => Err(WireError::new(ErrorCode::CallConflict, "this id belongs to another call").into()),
                    };
                }
                Created::Meets(there) => match self.plan(&there, &wanted) {
                    Plan::Create(what, which) => {
                        fate = what;
                        touched = which;
                        seen = there;
                    }
                    Plan::Settle(call) => {
                        self.step(call.id(), &Input::Tick).await?;
                    }
                    Plan::Refuse(error) => return Err(error.into()),
                },
            }
        }
        Err(Trouble::Contended)
    }

    /// What becomes of an invite that meets these calls. A glare goes before the rest: the two of them want the same.
    fn plan(&self, there: &[Arc<Call>], wanted: &Invite) -> Plan {
        let now = self.clock.now();
        if let Some(late) = there.iter().find(|call| call.next_timer().is_some_and(|at| at <= now)) {
            return Plan::Settle(late.clone());
        }
        let mut fate = Fate::Ring;
        let mut touched = None;
        for call in there {
            match meet(call, wanted) {
                Meeting::Apart | Meeting::Repeat | Meeting::IdTaken => {}
                Meeting::CallerEngaged => {
                    return Plan::Refuse(WireError::new(ErrorCode::CallEngaged, "you are in another call already"));
                }
                Meeting::CalleeEngaged => {
                    if fate == Fate::Ring {
                        fate = Fate::Busy;
                    }
                }
                Meeting::Glare(winner) if winner == wanted.call_id => {
                    let Some(caller) = call.seats()[0] else { continue };
                    fate = Fate::RingInGlare(caller.device_id);
                    touched = Some((call.clone(), Input::LostGlare(winner)));
                }
                Meeting::Glare(winner) => {
                    fate = Fate::LostGlare(winner);
                    touched = Some((call.clone(), Input::WonGlare(wanted.caller.device_id)));
                }
            }
        }
        Plan::Create(fate, touched)
    }
}

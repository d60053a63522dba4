//! What a device asks of a call: the wire's form checked and made into the state machine's.

use std::sync::Arc;

use chapar_protocol::{
    ErrorCode, WireError,
    call::{CallAsk, CallId, CallState, Party},
    command::{CallInvite, CallRelays, CallServers, Done},
};
use chapar_signaling::{
    call::{Ask, CallError, Input, Phase},
    sdp::SdpError,
};

use tokio::sync::oneshot;

use super::{Calls, Trouble, lanes::Walk, no_such_call, step::Taken};

/// The most asks of one call that are taken as one change.
const MOST_TOGETHER: usize = 16;

/// What waits in a call's lane.
pub(super) enum Waiting {
    /// It is to be placed.
    Invite(Party, Box<CallInvite>, Answer<CallState>),
    /// A device asks.
    Ask(Asked),
    /// A device wants credentials at the relays.
    Relays(Party, CallRelays, Answer<CallServers>),
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

    /// Credentials for a call that lives, at the relays that are nearest to the asking device. Takes its place in the call's
    /// lane, so that it may follow the invite at once.
    ///
    /// Answers with an error as `docs/PROTOCOL.md` says of `call_relays`.
    pub fn relays(self: &Arc<Self>, who: Party, ask: CallRelays) -> Answered<CallServers> {
        let (answer, answered) = oneshot::channel();
        self.put(ask.call_id, Waiting::Relays(who, ask, answer));
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
                        let outcome = self.place_invite(who, *invite).await.map_err(WireError::from);
                        let _ = answer.send(outcome);
                    }
                    Waiting::Relays(who, ask, answer) => {
                        self.take_together(id, &mut together).await;
                        let _ = answer.send(self.servers(who, &ask).await.map_err(WireError::from));
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

    async fn servers(&self, who: Party, ask: &CallRelays) -> Result<CallServers, Trouble> {
        // What only this node remembers, the store gets back soon.
        let call = self.shared.load(ask.call_id).await?.or_else(|| self.known.get(ask.call_id));
        let call = call.filter(|call| call.people().contains(&who.user_id)).ok_or(Trouble::NoSuchCall)?;
        if let Phase::Ended { reason, .. } = call.phase() {
            return Err(Trouble::Refused(CallError::Ended(reason)));
        }
        let Some(relays) = &self.relays else { return Err(Trouble::NoSuchCall) };
        let given =
            relays.servers(who.user_id, ask.call_id, &ask.round_trips, time::OffsetDateTime::now_utc().into())?;
        // Their candidates are about to come.
        self.look_at_relays();
        if let Some(nearest) = given.servers.first() {
            self.quality.relay_given(ask.call_id, who.user_id, &nearest.name);
        }
        Ok(given)
    }

    /// A call goes over only to a device of the same person.
    async fn of_own_device(&self, asked: Asked) -> Option<Asked> {
        let CallAsk::Transfer { to } = asked.ask else { return Some(asked) };
        let error = match self.store.people.owns_device(asked.who.user_id, to).await {
            Ok(true) => return Some(asked),
            Ok(false) => WireError::new(ErrorCode::BadRequest, "that is none of your devices"),
            Err(error) => WireError::from(error),
        };
        let _ = asked.answer.send(Err(error));
        None
    }

    /// Takes what several devices, or one, ask of a call as one change, and answers each.
    async fn take_together(&self, id: CallId, together: &mut Vec<Asked>) {
        if together.is_empty() {
            return;
        }
        let rules = self.rules();
        let taken = self.steps(id, together.len(), |nth, call| {
            let Asked { who, ask, .. } = &together[nth];
            // Looked at first: whoever is not in the call costs no parsing, and learns nothing.
            if !call.people().contains(&who.user_id) {
                return Err(no_such_call());
            }
            let ask = Ask::check(ask, call, |relay_only| rules.candidates(relay_only));
            Ok(Input::Ask { who: *who, ask: ask.map_err(bad)? })
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

/// A description that a call may not have. The sentence names the rule and repeats nothing of the text.
pub(super) fn bad(error: SdpError) -> WireError {
    WireError::new(ErrorCode::BadDescription, error.to_string())
}

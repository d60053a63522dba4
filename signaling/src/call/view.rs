//! What each device is to know of a call, and what of it is new.

use chapar_protocol::call::{
    CallNote, CallSignal, CallState, EndReason, InCall, MediaPhase, Party, SideState, Standing,
};
use chapar_protocol::{DeviceId, Timestamp};

use super::exchange::{CheckedAnswer, CheckedOffer};
use super::output::{CallLog, Output, Record};
use super::{Call, Phase, Ring, Role, Side};
use crate::sas::Nonce;

/// What is new for whom between two states of a call.
pub(crate) fn news(before: Option<&Call>, after: &Call) -> Vec<Output> {
    let mut outputs = Vec::new();
    for who in devices(after) {
        let old = before.and_then(|b| standing(b, who));
        let Some(new) = standing(after, who) else { continue };
        let old_signals = before.map(|b| signals(b, who, old.as_ref())).unwrap_or_default();
        let new_signals = signals(after, who, Some(&new));
        let header_changed = before.is_some_and(|b| (b.media, b.relay_only) != (after.media, after.relay_only));
        if old.as_ref() != Some(&new) || header_changed {
            outputs.push(state(after, who, new));
        }
        for signal in new_signals.into_iter().flatten() {
            if !old_signals.contains(&Some(signal)) {
                outputs.push(Output::Signal { to: who, call_id: after.id, signal: signal.to_wire() });
            }
        }
    }
    let phase_before = before.map(|b| b.phase);
    if let Some(record) = record(after).filter(|_| phase_before != Some(after.phase)) {
        outputs.push(Output::Record(Box::new(record)));
    }
    outputs
}

/// Tells one device everything, as far as the call is its business and it is not in `outputs` yet.
pub(crate) fn retell(call: &Call, who: Party, outputs: &mut Vec<Output>) {
    let Some(standing) = standing(call, who) else { return };
    let signals = signals(call, who, Some(&standing));
    let told = state(call, who, standing);
    if !outputs.contains(&told) {
        outputs.push(told);
    }
    for signal in signals.into_iter().flatten() {
        let told = Output::Signal { to: who, call_id: call.id, signal: signal.to_wire() };
        if !outputs.contains(&told) {
            outputs.push(told);
        }
    }
}

impl Call {
    /// What a device is to know, as [`Output::State`] tells it; `None` when the call is not its business.
    pub fn state_for(&self, who: Party) -> Option<CallState> {
        standing(self, who).map(|standing| header(self, standing))
    }
}

fn devices(call: &Call) -> impl Iterator<Item = Party> + '_ {
    [&call.caller, &call.callee]
        .into_iter()
        .flat_map(|side| side.known.iter().map(|k| Party { user_id: side.user, device_id: k.device }))
}

fn state(call: &Call, to: Party, standing: Standing) -> Output {
    Output::State { to, state: Box::new(header(call, standing)) }
}

fn header(call: &Call, standing: Standing) -> CallState {
    CallState {
        call_id: call.id,
        revision: call.revision,
        chat_id: call.chat_id,
        caller: call.caller.user,
        callee: call.callee.user,
        media: call.media,
        relay_only: call.relay_only,
        ask_rating: call.ask_rating,
        standing,
    }
}

fn standing(call: &Call, who: Party) -> Option<Standing> {
    let role = call.role(who.user_id)?;
    let side = call.side(role);
    if let Phase::Ended { reason, by, .. } = call.phase {
        // Also for a device that the call never knew: one that a push woke too late asks what it was.
        return Some(Standing::Ended { reason, by });
    }
    let known = side.known.iter().find(|k| k.device == who.device_id)?;
    if let Some(take_over) = side.take_over.filter(|t| t.device == who.device_id) {
        return Some(Standing::TakeOver { until: take_over.until });
    }
    let seated = side.device == Some(who.device_id);
    Some(match call.phase {
        Phase::Ringing { until } if seated => Standing::Calling { ringing: rings(&call.callee), until },
        Phase::Ringing { until } if role == Role::Callee => match known.ring {
            Ring::Busy => Standing::Silent,
            Ring::Told | Ring::Rings => Standing::Ringing { until, glare: known.glare },
        },
        _ if seated => in_call(call, role)?,
        _ => Standing::Elsewhere,
    })
}

fn in_call(call: &Call, role: Role) -> Option<Standing> {
    let phase = match call.phase {
        Phase::Ringing { .. } | Phase::Ended { .. } => return None,
        Phase::Connecting { .. } => MediaPhase::Connecting,
        Phase::Active => MediaPhase::Active,
        Phase::Reconnecting { .. } => MediaPhase::Reconnecting,
    };
    Some(Standing::InCall(InCall {
        phase,
        peer: call.side(role.other()).party()?,
        generation: call.exchange.generation,
        renew: call.exchange.renew,
        mine: shown(call.side(role)),
        theirs: shown(call.side(role.other())),
        video_asked_by: call.video_asked.map(|asked| call.side(asked.by).user),
    }))
}

fn shown(side: &Side) -> SideState {
    SideState { away: side.gone_until.is_some(), ..side.shown }
}

fn rings(callee: &Side) -> bool {
    callee.known.iter().any(|k| k.ring == Ring::Rings)
}

/// A signal as it stands in the call: a description is copied only for a device that is told of it.
#[derive(Clone, Copy, PartialEq)]
enum Signal<'a> {
    Offer(u32, &'a CheckedOffer),
    Answer(u32, &'a CheckedAnswer),
    Candidates(u32, &'a [String]),
    Reveal(u32, &'a Nonce),
}

impl Signal<'_> {
    fn to_wire(self) -> CallSignal {
        match self {
            Self::Offer(generation, offer) => CallSignal::Offer { generation, offer: offer.as_wire().clone() },
            Self::Answer(generation, answer) => CallSignal::Answer { generation, answer: answer.as_wire().clone() },
            Self::Candidates(generation, held) => CallSignal::Candidates { generation, candidates: held.to_vec() },
            Self::Reveal(generation, nonce) => CallSignal::Reveal { generation, nonce: nonce.to_string() },
        }
    }
}

/// What of the present exchange is for this device, which stands so.
fn signals<'a>(call: &'a Call, who: Party, standing: Option<&Standing>) -> [Option<Signal<'a>>; 3] {
    let (exchange, generation) = (&call.exchange, call.exchange.generation);
    let offer = || exchange.offer.as_ref().map(|offer| Signal::Offer(generation, offer));
    match (standing, call.role(who.user_id)) {
        (Some(Standing::Ringing { .. }), _) => [offer(), None, None],
        (Some(Standing::InCall(_)), Some(Role::Callee)) => [
            offer(),
            (!exchange.held.is_empty()).then_some(Signal::Candidates(generation, &exchange.held)),
            exchange.reveal.as_ref().map(|nonce| Signal::Reveal(generation, nonce)),
        ],
        (Some(Standing::InCall(_)), Some(Role::Caller)) => {
            [exchange.answer.as_ref().map(|answer| Signal::Answer(generation, answer)), None, None]
        }
        _ => [None; 3],
    }
}

fn record(call: &Call) -> Option<Record> {
    let Phase::Ended { reason, by, at, record_at: Some(_) } = call.phase else { return None };
    let glare = matches!(reason, EndReason::Glare { .. });
    let seen = glare || reason == EndReason::Declined;
    Some(Record {
        note: (!glare).then(|| CallNote {
            call_id: call.id,
            caller: call.caller.user,
            media: call.most,
            reason,
            seconds: call.connected_at.map_or(0, |from| seconds(from, at)),
        }),
        log: CallLog {
            call_id: call.id,
            chat_id: call.chat_id,
            caller: call.caller.user,
            callee: call.callee.user,
            media: call.most,
            relay_only: call.relay_only,
            invited_at: call.invited_at,
            answered_at: call.answered_at,
            connected_at: call.connected_at,
            ended_at: at,
            reason,
            by,
            generations: call.exchange.generation - 1,
        },
        missed_by: (call.answered_at.is_none() && !seen).then_some(call.callee.user),
    })
}

impl Call {
    /// What would be recorded if the node that keeps this call died now: to be written down while it lives. `None` for one
    /// that has ended.
    pub fn record_if_lost(&self, now: Timestamp) -> Option<Record> {
        let mut lost = self.clone();
        lost.is_live().then(|| lost.end_with_node(EndReason::NodeLost, now))?;
        record(&lost)
    }
}

impl Record {
    /// The same, of a call that ended then.
    #[must_use]
    pub fn ended_at(mut self, at: Timestamp) -> Self {
        self.log.ended_at = at.max(self.log.ended_at);
        if let Some(note) = &mut self.note {
            note.seconds = self.log.connected_at.map_or(0, |from| seconds(from, self.log.ended_at));
        }
        self
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from(to.as_millis().saturating_sub(from.as_millis()).max(0) / 1000).unwrap_or(u32::MAX)
}

impl Call {
    /// Everything again, for every device that was told of the call: what may have been lost on the way is made good.
    pub fn tell_all(&self) -> Vec<Output> {
        let mut outputs = Vec::new();
        for who in devices(self) {
            retell(self, who, &mut outputs);
        }
        outputs
    }

    /// Every device that was told of the call.
    pub fn told(&self) -> Vec<Party> {
        devices(self).collect()
    }

    /// Whether a device of a person is the one in the call.
    pub fn is_seated(&self, who: Party) -> bool {
        let device = |side: &Side| -> Option<DeviceId> { side.device };
        self.role(who.user_id).is_some_and(|role| device(self.side(role)) == Some(who.device_id))
    }
}

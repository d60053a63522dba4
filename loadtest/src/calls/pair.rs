//! Two people and the call between them, as a pure state machine: what they hear and the time go in, what they say comes out.
//!
//! ```text
//!  caller   invite ──────────────▶                     answer ──▶ reveal, candidates, media ──▶ active ─┐
//!                    ringing, offer ─▶ ringing, accept ──▶              candidates ──▶ media ──▶ active ─┴▶ hang up
//!  callee                                                                ──▶ ended on both ──▶ line in the chat on both
//! ```

use chapar_protocol::{Action, WireError};
use uuid::Uuid;

use super::{
    figures::{Figures, Phase},
    wire::{Heard, Say, Signal, Standing},
};

/// A call that takes longer than this, in microseconds, is stuck: longer than anybody rings.
const STUCK_US: u64 = 90_000_000;
/// Requests of one call have ids from a range of their own.
const KINDS: u64 = 8;

/// Something that is to be said: by which side (0 or 1), under which id, about which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying {
    /// 0 or 1.
    pub side: usize,
    /// The id of the request.
    pub id: u64,
    /// Which call.
    pub call: Uuid,
    /// What.
    pub say: Say,
}

/// A call that is over, as both sides saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which.
    pub call: Uuid,
    /// Who called: 0 or 1.
    pub caller: usize,
    /// Why it ended, as side 0 and side 1 were told.
    pub ends: [Option<String>; 2],
    /// Why it should have ended.
    pub expected: &'static str,
    /// Lines in the chat that side 0 and side 1 were told of.
    pub notes: [u32; 2],
}

#[derive(Debug)]
struct Live {
    call: Uuid,
    number: u64,
    caller: usize,
    due_us: u64,
    cancel: bool,
    rung: bool,
    offered: bool,
    seen_ringing: bool,
    accepted_us: Option<u64>,
    answered_us: Option<u64>,
    media: bool,
    active: [bool; 2],
    revisions: [u64; 2],
    hung_up_us: Option<u64>,
    ended_us: Option<u64>,
    ends: [Option<String>; 2],
    notes: [u32; 2],
}

/// Two people who share a direct chat.
#[derive(Debug)]
pub struct Pair {
    users: [i64; 2],
    live: Option<Live>,
    begun: u64,
    again: Vec<(u64, Saying)>,
    /// Every call between them that is over.
    pub over: Vec<Over>,
    /// Promises that were broken while the run went.
    pub broken: Vec<String>,
}

impl Pair {
    /// Two people by their ids.
    pub fn new(users: [i64; 2]) -> Self {
        Self { users, live: None, begun: 0, again: Vec::new(), over: Vec::new(), broken: Vec::new() }
    }

    /// Whether they may begin a call.
    pub fn is_free(&self) -> bool {
        self.live.is_none()
    }

    /// Their ids.
    pub fn users(&self) -> [i64; 2] {
        self.users
    }

    /// One calls the other; they take turns. With `cancel` the caller gives up when it sees that it rings.
    pub fn begin(&mut self, call: Uuid, due_us: u64, cancel: bool, figures: &mut Figures, out: &mut Vec<Saying>) {
        let caller = usize::from(self.begun % 2 == 1);
        self.begun += 1;
        figures.begun += 1;
        figures.cancelled += u64::from(cancel);
        let live = Live {
            call,
            number: self.begun,
            caller,
            due_us,
            cancel,
            rung: false,
            offered: false,
            seen_ringing: false,
            accepted_us: None,
            answered_us: None,
            media: false,
            active: [false; 2],
            revisions: [0; 2],
            hung_up_us: None,
            ended_us: None,
            ends: [None, None],
            notes: [0; 2],
        };
        out.push(live.saying(caller, Say::Invite(self.users[1 - caller])));
        self.live = Some(live);
    }

    /// One of the two hears something.
    pub fn hear(&mut self, side: usize, heard: Heard, now_us: u64, figures: &mut Figures, out: &mut Vec<Saying>) {
        match heard {
            Heard::Failed(id, error) => return self.failed(side, id, &error, now_us, figures, out),
            Heard::Notes(notes) => {
                for call in notes {
                    self.note(side, call);
                }
            }
            Heard::Call { call, revision, standing } => {
                let Some(live) = self.live.as_mut().filter(|live| live.call == call) else { return };
                if revision <= live.revisions[side] {
                    return;
                }
                live.revisions[side] = revision;
                live.stands(side, standing, now_us, figures, out);
            }
            Heard::Signal { call, kind } => {
                if let Some(live) = self.live.as_mut().filter(|live| live.call == call) {
                    live.signal(side, kind, now_us, figures, out);
                }
            }
            Heard::Done(_) | Heard::Other => {}
        }
        self.complete(now_us, figures);
    }

    /// What time alone brings: requests to be repeated, a call that is stuck.
    pub fn tick(&mut self, now_us: u64, out: &mut Vec<Saying>) {
        self.again.retain(|(at_us, saying)| {
            let due = *at_us <= now_us;
            if due {
                out.push(*saying);
            }
            !due
        });
        if let Some(live) = self.live.take_if(|live| now_us.saturating_sub(live.due_us) > STUCK_US) {
            self.broken.push(format!("call {} is stuck: {live:?}", live.call));
            self.over.push(live.over());
        }
    }

    fn note(&mut self, side: usize, call: Uuid) {
        if let Some(live) = self.live.as_mut().filter(|live| live.call == call) {
            live.notes[side] += 1;
        } else if let Some(over) = self.over.iter_mut().rev().find(|over| over.call == call) {
            over.notes[side] += 1;
        } else {
            self.broken.push(format!("a line in the chat of a call {call} that nobody made"));
        }
    }

    fn complete(&mut self, now_us: u64, figures: &mut Figures) {
        let done = |live: &mut Live| live.ended_us.is_some() && live.notes.iter().all(|notes| *notes > 0);
        if let Some(live) = self.live.take_if(done) {
            if let Some(ended_us) = live.ended_us {
                figures.phase(Phase::Recorded, ended_us, now_us);
            }
            figures.complete += 1;
            self.over.push(live.over());
        }
    }

    fn failed(
        &mut self,
        side: usize,
        id: Option<u64>,
        error: &WireError,
        now_us: u64,
        figures: &mut Figures,
        out: &mut Vec<Saying>,
    ) {
        let code = serde_json::to_value(error.code).ok();
        let code = code.as_ref().and_then(|it| it.as_str()).unwrap_or("unknown");
        figures.error(code);
        let Some(live) = self.live.as_mut().filter(|live| id.is_some_and(|id| id / KINDS == live.number)) else {
            return;
        };
        let Some(say) = id.and_then(|id| live.asked(side, id)) else { return };
        if error.action == Action::Retry {
            let wait_us = u64::from(error.retry_after_ms.unwrap_or(250)) * 1000;
            self.again.push((now_us + wait_us, live.saying(side, say)));
        } else if matches!(say, Say::Invite(_)) {
            self.broken.push(format!("an invite was refused: {code}"));
            self.live = None;
        } else if say != Say::HangUp {
            self.broken.push(format!("{say:?} was refused: {code}"));
            out.push(live.saying(side, Say::HangUp));
        }
    }
}

impl Live {
    fn stands(&mut self, side: usize, standing: Standing, now_us: u64, figures: &mut Figures, out: &mut Vec<Saying>) {
        match standing {
            Standing::Ringing if side != self.caller && !self.rung => {
                self.rung = true;
                figures.phase(Phase::Rings, self.due_us, now_us);
                out.push(self.saying(side, Say::Ringing));
                self.accept(now_us, out);
            }
            Standing::Calling { ringing: true } if !self.seen_ringing => {
                self.seen_ringing = true;
                figures.phase(Phase::SeenRinging, self.due_us, now_us);
                if self.cancel {
                    self.hang_up(side, now_us, out);
                }
            }
            Standing::InCall { active: true } if !self.active[side] => {
                self.active[side] = true;
                if self.active == [true, true] {
                    if let Some(answered_us) = self.answered_us {
                        figures.phase(Phase::Connected, answered_us, now_us);
                    }
                    figures.phase(Phase::SetUp, self.due_us, now_us);
                    let first = usize::try_from(self.number / 2 % 2).unwrap_or(0);
                    self.hang_up(first, now_us, out);
                }
            }
            Standing::Ended(reason) => {
                self.ends[side] = Some(reason);
                if self.ended_us.is_none() && self.ends.iter().all(Option::is_some) {
                    self.ended_us = Some(now_us);
                    if let Some(hung_up_us) = self.hung_up_us {
                        figures.phase(Phase::Ended, hung_up_us, now_us);
                    }
                }
            }
            _ => {}
        }
    }

    fn signal(&mut self, side: usize, kind: Signal, now_us: u64, figures: &mut Figures, out: &mut Vec<Saying>) {
        match kind {
            Signal::Offer if side != self.caller => {
                self.offered = true;
                self.accept(now_us, out);
            }
            Signal::Answer if side == self.caller && self.answered_us.is_none() => {
                self.answered_us = Some(now_us);
                if let Some(accepted_us) = self.accepted_us {
                    figures.phase(Phase::Answered, accepted_us, now_us);
                }
                out.extend([Say::Reveal, Say::Candidates, Say::Media].map(|say| self.saying(side, say)));
            }
            Signal::Candidates if side != self.caller && !self.media => {
                self.media = true;
                out.push(self.saying(side, Say::Media));
            }
            _ => {}
        }
    }

    /// The callee takes the call as soon as it rings and the offer is there.
    fn accept(&mut self, now_us: u64, out: &mut Vec<Saying>) {
        if self.rung && self.offered && !self.cancel && self.accepted_us.is_none() {
            self.accepted_us = Some(now_us);
            out.push(self.saying(1 - self.caller, Say::Accept));
        }
    }

    fn hang_up(&mut self, side: usize, now_us: u64, out: &mut Vec<Saying>) {
        if self.hung_up_us.is_none() {
            self.hung_up_us = Some(now_us);
            out.push(self.saying(side, Say::HangUp));
        }
    }

    fn saying(&self, side: usize, say: Say) -> Saying {
        let kind = match say {
            Say::Invite(_) => 0,
            Say::Ringing => 1,
            Say::Accept => 2,
            Say::Candidates => 3,
            Say::Reveal => 4,
            Say::Media => 5,
            Say::HangUp => 6,
        };
        Saying { side, id: self.number * KINDS + kind, call: self.call, say }
    }

    /// What was asked under an id.
    fn asked(&self, side: usize, id: u64) -> Option<Say> {
        let all = [Say::Ringing, Say::Accept, Say::Candidates, Say::Reveal, Say::Media, Say::HangUp];
        if id % KINDS == 0 {
            return (side == self.caller).then_some(Say::Invite(0));
        }
        all.into_iter().find(|say| self.saying(side, *say).id == id)
    }

    fn over(self) -> Over {
        let expected = if self.cancel { "cancelled" } else { "hung_up" };
        Over { call: self.call, caller: self.caller, ends: self.ends, expected, notes: self.notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Uuid = Uuid::from_u128(1);

    fn told(revision: u64, standing: Standing) -> Heard {
        Heard::Call { call: CALL, revision, standing }
    }

    /// Plays a call, and returns what was said in its order.
    fn play(cancel: bool, script: Vec<(usize, Heard)>) -> (Pair, Vec<(usize, Say)>) {
        let (mut pair, mut figures, mut out) = (Pair::new([10, 20]), Figures::default(), Vec::new());
        pair.begin(CALL, 0, cancel, &mut figures, &mut out);
        for (side, heard) in script {
            pair.hear(side, heard, 5, &mut figures, &mut out);
        }
        (pair, out.into_iter().map(|it| (it.side, it.say)).collect())
    }

    #[test]
    fn a_call_is_set_up_ended_and_recorded() {
        let signal = |kind| Heard::Signal { call: CALL, kind };
        let ended = || Standing::Ended("hung_up".to_owned());
        let (pair, said) = play(
            false,
            vec![
                (1, told(1, Standing::Ringing)),
                (1, signal(Signal::Offer)),
                (0, told(2, Standing::Calling { ringing: true })),
                (0, signal(Signal::Answer)),
                (1, signal(Signal::Candidates)),
                (0, told(6, Standing::InCall { active: true })),
                (1, told(6, Standing::InCall { active: true })),
                (1, told(6, Standing::InCall { active: true })),
                (0, told(7, ended())),
                (0, Heard::Notes(vec![CALL])),
                (1, told(7, ended())),
                (1, Heard::Notes(vec![CALL])),
            ],
        );
        let wanted = [
            (0, Say::Invite(20)),
            (1, Say::Ringing),
            (1, Say::Accept),
            (0, Say::Reveal),
            (0, Say::Candidates),
            (0, Say::Media),
            (1, Say::Media),
            (0, Say::HangUp),
        ];
        assert_eq!(said, wanted);
        assert!(pair.is_free() && pair.broken.is_empty());
        assert_eq!(pair.over[0].notes, [1, 1]);
        assert_eq!(pair.over[0].ends, [Some("hung_up".to_owned()), Some("hung_up".to_owned())]);
    }

    #[test]
    fn what_is_to_be_retried_is_and_what_is_refused_is_told() {
        let error = |action, code| WireError { action, ..WireError::new(code, "no") };
        let retry = Heard::Failed(Some(KINDS), error(Action::Retry, chapar_protocol::ErrorCode::Overloaded));
        let (mut pair, _) = play(false, vec![(0, retry)]);
        let mut out = Vec::new();
        pair.tick(1, &mut out);
        assert!(out.is_empty(), "not yet");
        pair.tick(1_000_000, &mut out);
        assert_eq!((out.len(), out[0].id), (1, KINDS));
        let refuse = Heard::Failed(Some(KINDS), error(Action::GiveUp, chapar_protocol::ErrorCode::CallForbidden));
        let (pair, _) = play(false, vec![(0, refuse)]);
        assert!(pair.is_free() && pair.broken.len() == 1);
        let (mut pair, _) = play(false, Vec::new());
        pair.tick(STUCK_US + 1, &mut out);
        assert!(pair.broken[0].contains("stuck"));
    }
}

//! The exchange of offer and answer, candidates, and nonces.

use chapar_protocol::call::{Answer, CallAsk, CallSignal, Offer, Standing};

use super::{BATCH, Core, Emoji, MAX_EARLY, Output};
use crate::calls::sas::{self, Bytes};

impl Core {
    pub(super) fn signal(&mut self, signal: CallSignal) {
        match signal {
            CallSignal::Offer { generation, offer } => {
                if !self.caller && self.taken < generation && self.offer.as_ref().is_none_or(|(of, _)| *of < generation)
                {
                    self.offer = Some((generation, offer));
                    self.take_offer();
                }
            }
            CallSignal::Answer { generation, answer } => self.take_answer(generation, answer),
            CallSignal::Reveal { generation, nonce } => self.reveal(generation, &nonce),
            CallSignal::Candidates { generation, candidates } => self.candidates(generation, candidates),
        }
    }

    /// Answers the offer that waits, once the person has accepted and it is known what it renews.
    pub(super) fn take_offer(&mut self) {
        let Some((generation, _)) = &self.offer else { return };
        let generation = *generation;
        if !self.accepted || self.generation != Some(generation) || self.taken >= generation {
            return;
        }
        let Some((_, offer)) = self.offer.take() else { return };
        self.taken = generation;
        if let Some(commitment) = offer.commitment.as_deref().and_then(Bytes::parse) {
            self.secrets.commitment = Some(commitment);
        }
        self.outputs.push(Output::TakeOffer { generation, sdp: offer.sdp });
        self.take_early(generation);
    }

    fn take_answer(&mut self, generation: u32, answer: Answer) {
        if !self.caller || self.generation != Some(generation) || self.taken >= generation {
            return;
        }
        self.taken = generation;
        self.outputs.push(Output::TakeAnswer { generation, sdp: answer.sdp });
        self.take_early(generation);
        let nonce = answer.nonce.as_deref().and_then(Bytes::parse);
        if let (Some(callees), Some(callers), false) = (nonce, self.secrets.callers, self.secrets.revealed) {
            self.secrets.callees = Some(callees);
            self.secrets.revealed = true;
            self.ask(CallAsk::Reveal { generation, nonce: callers.to_string() });
            self.show_emoji();
        }
    }

    fn reveal(&mut self, generation: u32, nonce: &str) {
        if self.caller || self.generation != Some(generation) || self.secrets.callers.is_some() {
            return;
        }
        self.secrets.callers = Bytes::parse(nonce);
        self.show_emoji();
    }

    pub(super) fn show_emoji(&mut self) {
        let secrets = &self.secrets;
        let (Some(own), Some(other)) = (&secrets.own, &secrets.other) else { return };
        let (Some(callers), Some(callees)) = (&secrets.callers, &secrets.callees) else { return };
        let emoji = if self.caller {
            Emoji::Shown(sas::emoji(self.call.0, [own, other], [callers, callees]))
        } else if secrets.commitment.is_some_and(|commitment| commitment == sas::commit(other, callers)) {
            Emoji::Shown(sas::emoji(self.call.0, [other, own], [callers, callees]))
        } else {
            Emoji::Refused
        };
        if self.view.emoji != emoji {
            self.view.emoji = emoji;
            self.outputs.push(Output::Changed);
        }
    }

    fn candidates(&mut self, generation: u32, candidates: Vec<String>) {
        if self.generation == Some(generation) && self.taken == generation {
            self.outputs.push(Output::Candidates(candidates));
        } else if self.generation.is_none_or(|mine| generation >= mine) {
            let kept: usize = self.early.iter().map(|(_, list)| list.len()).sum();
            if kept + candidates.len() <= MAX_EARLY {
                self.early.push((generation, candidates));
            }
        }
    }

    pub(super) fn take_early(&mut self, generation: u32) {
        for (of, candidates) in std::mem::take(&mut self.early) {
            match of.cmp(&generation) {
                std::cmp::Ordering::Equal => self.outputs.push(Output::Candidates(candidates)),
                std::cmp::Ordering::Greater => self.early.push((of, candidates)),
                std::cmp::Ordering::Less => {}
            }
        }
    }

    pub(super) fn offered(&mut self, generation: u32, sdp: String) {
        if self.generation != Some(generation) {
            return;
        }
        self.described = true;
        // Who committed once to this certificate need not do so again: its emoji stand.
        let commitment = match (self.secrets.callers, sas::fingerprint_in(&sdp)) {
            (None, Some(fingerprint)) => {
                let nonce = Bytes((self.random)());
                self.secrets.callers = Some(nonce);
                Some(sas::commit(&fingerprint, &nonce).to_string())
            }
            _ => None,
        };
        let offer = Offer { sdp, commitment };
        if self.invited {
            self.ask(CallAsk::Offer { generation, offer });
        } else {
            self.inviting = true;
            self.outputs.push(Output::Invite(offer));
        }
        self.tell_candidates();
    }

    pub(super) fn answered(&mut self, generation: u32, sdp: String) {
        if self.generation != Some(generation) {
            return;
        }
        self.described = true;
        let nonce = match (self.secrets.callees, self.secrets.commitment) {
            (None, Some(_)) => {
                let nonce = Bytes((self.random)());
                self.secrets.callees = Some(nonce);
                Some(nonce.to_string())
            }
            _ => None,
        };
        let answer = Answer { sdp, nonce };
        if self.accepting.is_some() {
            self.accept(Some(answer));
        } else {
            self.ask(CallAsk::Answer { generation, answer });
        }
        self.tell_candidates();
    }

    /// Candidates that the description could not carry: those found later, and until the callee has accepted all but
    /// relays' (the server strips them).
    pub(super) fn tell_candidates(&mut self) {
        let (Some(generation), true) = (self.generation, self.described) else { return };
        let mut due = Vec::new();
        if matches!(self.standing(), Some(Standing::InCall(_))) {
            due.append(&mut self.direct);
            due.append(&mut self.relayed_late);
        } else if self.relays_may_be_told() {
            due.append(&mut self.relayed_late);
        }
        for batch in due.chunks(BATCH) {
            self.ask(CallAsk::Candidates { generation, candidates: batch.to_vec() });
        }
    }

    /// Before the call is known to be answered: to the caller at once, to the callee when its accept is on its way.
    fn relays_may_be_told(&self) -> bool {
        match self.standing() {
            Some(Standing::Calling { .. }) => true,
            Some(Standing::Ringing { .. }) => self.accepted && self.accepting.is_none(),
            _ => false,
        }
    }
}

//! What each input does. Every rule checks first and changes then; a refusal changes nothing.

use chapar_protocol::Timestamp;
use chapar_protocol::call::{CallMedia, CallSignal, EndReason, Party, Renew};

use super::exchange::{CheckedAnswer, CheckedCandidates, CheckedOffer, MAX_HELD};
use super::{
    Ask, CONNECT_MS, CONSENT_MS, Call, CallError, DROP_MS, GRACE_MS, Input, LEASE_MS, Output, Phase, RESTART_AFTER_MS,
    RESTART_AGAIN_MS, RESTART_GAP_MS, Ring, Role, TakeOver, VideoAsked, after,
};

type Done = Result<(), CallError>;

impl Call {
    pub(crate) fn take(&mut self, input: Input, now: Timestamp, relayed: &mut Vec<Output>) -> Done {
        match input {
            Input::Ask { who, ask } => self.ask(who, ask, now, relayed),
            Input::Online(who) => self.online(who, now),
            Input::Gone(who) => self.gone(who, now),
            Input::SignedOut(who) => self.signed_out(who, now),
            Input::LostGlare(winner) => {
                self.ringing()?;
                self.end(EndReason::Glare { winner }, None, now);
                Ok(())
            }
            Input::WonGlare(device) => {
                self.ringing()?;
                self.callee.know(device)?.glare = true;
                Ok(())
            }
            Input::NodeStops => {
                self.end_with_node(EndReason::NodeStopped, now);
                Ok(())
            }
            Input::Recorded => {
                if let Phase::Ended { record_at, .. } = &mut self.phase {
                    *record_at = None;
                }
                Ok(())
            }
            Input::Tick => Ok(()),
        }
    }

    fn ask(&mut self, who: Party, ask: Ask, now: Timestamp, relayed: &mut Vec<Output>) -> Done {
        let role = self.role(who.user_id).ok_or(CallError::NotInCall)?;
        if let Phase::Ended { reason, .. } = self.phase {
            return if matches!(ask, Ask::Look) { Ok(()) } else { Err(CallError::Ended(reason)) };
        }
        if self.side(role).device == Some(who.device_id) {
            self.sign_of_life(role, now);
        }
        match ask {
            Ask::Look => self.online(who, now),
            Ask::Ringing => {
                self.callees_ring(role, who)?;
                let known = self.callee.know(who.device_id)?;
                if known.ring == Ring::Told {
                    known.ring = Ring::Rings;
                }
                Ok(())
            }
            Ask::Accept { media, relay_only, answer } => self.accept(role, who, media, relay_only, answer, now),
            Ask::Decline => self.decline(role, who, now),
            Ask::Busy => self.busy(role, who, now),
            Ask::HangUp => self.hang_up(role, who, now),
            Ask::Alive { .. } => self.seated(role, who),
            Ask::Media { flows } => self.media(role, who, flows, now),
            Ask::RestartIce => {
                self.talking(role, who)?;
                if self.restarted_at.is_some_and(|at| now < after(at, RESTART_GAP_MS)) {
                    return Err(CallError::TooSoon);
                }
                self.renew(Renew::Ice, now);
                Ok(())
            }
            Ask::Mute { muted, camera_off } => {
                self.seated(role, who)?;
                let shown = &mut self.side_mut(role).shown;
                (shown.muted, shown.camera_off) = (muted, camera_off);
                Ok(())
            }
            Ask::Hold { held } => {
                self.talking(role, who)?;
                self.side_mut(role).shown.held = held;
                Ok(())
            }
            Ask::WantVideo => self.want_video(role, who, now),
            Ask::AllowVideo { allow } => self.allow_video(role, who, allow, now),
            Ask::StopVideo => self.stop_video(role, who, now),
            Ask::Transfer { to } => {
                self.talking(role, who)?;
                if to == who.device_id {
                    return Err(CallError::SameDevice);
                }
                let side = self.side_mut(role);
                side.know(to)?;
                side.take_over = Some(TakeOver { device: to, until: after(now, CONSENT_MS) });
                Ok(())
            }
            Ask::TakeOver => self.take_over(role, who, now),
            Ask::Offer { generation, offer } => self.offer(role, who, generation, offer),
            Ask::Answer { generation, answer } => self.answer(role, who, generation, answer),
            Ask::Reveal { generation, nonce } => {
                self.caller_speaks(role, who, generation)?;
                if self.exchange.answer.is_none() {
                    return Err(CallError::NoAnswer);
                }
                once(&mut self.exchange.reveal, nonce)
            }
            Ask::Candidates { generation, candidates } => self.candidates(role, who, generation, &candidates, relayed),
        }
    }

    /// The first of the callee's devices wins. Over the cluster the store's compare-and-swap makes it one: the second
    /// finds the revision changed, steps again, and is told that it was answered elsewhere.
    fn accept(
        &mut self,
        role: Role,
        who: Party,
        media: CallMedia,
        relay_only: bool,
        answer: Option<CheckedAnswer>,
        now: Timestamp,
    ) -> Done {
        if role == Role::Callee && self.callee.device == Some(who.device_id) {
            return Ok(()); // Said again, since the reply was lost.
        }
        self.callees_ring(role, who)?;
        if answer.is_some() && self.exchange.offer.is_none() {
            return Err(CallError::NoOffer);
        }
        if let Some(answer) = &answer {
            answer.suits(self.relay_only || relay_only, self.media.min(media))?;
        }
        self.callee.device = Some(who.device_id);
        self.callee.lease_until = after(now, LEASE_MS);
        self.phase = Phase::Connecting { until: after(now, CONNECT_MS) };
        self.answered_at = Some(now);
        self.media = self.media.min(media);
        self.most = self.media;
        self.relay_only |= relay_only;
        self.exchange.answered_once |= answer.is_some();
        self.exchange.answer = answer;
        Ok(())
    }

    fn decline(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        let side = self.side_mut(role);
        if side.take_over.is_some_and(|t| t.device == who.device_id) {
            side.take_over = None;
            return Ok(());
        }
        if role == Role::Callee && side.device == Some(who.device_id) {
            return self.hang_up(role, who, now);
        }
        self.callees_ring(role, who)?;
        self.end(EndReason::Declined, Some(who), now);
        Ok(())
    }

    fn busy(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        self.callees_ring(role, who)?;
        self.callee.know(who.device_id)?.ring = Ring::Busy;
        if self.callee.known.iter().all(|k| k.ring == Ring::Busy) {
            self.end(EndReason::Busy, Some(who), now);
        }
        Ok(())
    }

    fn hang_up(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        let rings = matches!(self.phase, Phase::Ringing { .. });
        if rings && role == Role::Callee {
            return self.decline(role, who, now);
        }
        self.seated(role, who)?;
        let reason = if rings { EndReason::Cancelled } else { EndReason::HungUp };
        self.end(reason, Some(who), now);
        Ok(())
    }

    fn media(&mut self, role: Role, who: Party, flows: bool, now: Timestamp) -> Done {
        self.talking(role, who)?;
        if flows && !self.exchange.answered_once {
            return Err(CallError::NoAnswer);
        }
        self.side_mut(role).media = flows;
        let both = self.caller.media && self.callee.media;
        self.phase = match self.phase {
            Phase::Connecting { .. } | Phase::Reconnecting { .. } if both => {
                self.connected_at.get_or_insert(now);
                self.exchange.held.clear();
                Phase::Active
            }
            Phase::Active if !both => {
                Phase::Reconnecting { until: after(now, DROP_MS), restart_at: after(now, RESTART_AFTER_MS) }
            }
            as_it_was => as_it_was,
        };
        Ok(())
    }

    fn want_video(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        self.talking(role, who)?;
        match self.video_asked {
            _ if self.media == CallMedia::Video => {}
            Some(asked) if asked.by != role => self.change_media(CallMedia::Video, now),
            Some(_) => {}
            None => self.video_asked = Some(VideoAsked { by: role, until: after(now, CONSENT_MS) }),
        }
        Ok(())
    }

    fn allow_video(&mut self, role: Role, who: Party, allow: bool, now: Timestamp) -> Done {
        self.talking(role, who)?;
        if self.video_asked.is_none_or(|asked| asked.by == role) {
            return Err(CallError::NothingAsked);
        }
        self.video_asked = None;
        if allow {
            // To watch is one thing, to be seen another: the own camera is off until its device says otherwise.
            self.side_mut(role).shown.camera_off = true;
            self.change_media(CallMedia::Video, now);
        }
        Ok(())
    }

    fn stop_video(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        self.talking(role, who)?;
        if self.media == CallMedia::Video {
            self.change_media(CallMedia::Voice, now);
        }
        if self.video_asked.is_some_and(|asked| asked.by == role) {
            self.video_asked = None;
        }
        Ok(())
    }

    fn change_media(&mut self, media: CallMedia, now: Timestamp) {
        self.media = media;
        self.most = self.most.max(media);
        self.video_asked = None;
        self.renew(Renew::Media, now);
    }

    /// Another certificate on one side: nothing of the media is left.
    fn begin_transport_anew(&mut self, now: Timestamp) {
        self.caller.media = false;
        self.callee.media = false;
        self.phase = Phase::Reconnecting { until: after(now, DROP_MS), restart_at: after(now, RESTART_AGAIN_MS) };
        self.renew(Renew::Transport, now);
    }

    fn take_over(&mut self, role: Role, who: Party, now: Timestamp) -> Done {
        let side = self.side(role);
        if side.device == Some(who.device_id) {
            self.talking(role, who)?;
            // Said again, since the reply was lost: the exchange that this began has not gone on yet.
            if self.exchange.generation > 1 && self.exchange.renew == Renew::Transport && self.exchange.offer.is_none()
            {
                return Ok(());
            }
            // Otherwise the application was loaded anew in mid-call, and nothing of the media is left there.
        } else if side.take_over.is_none_or(|t| t.device != who.device_id) {
            return Err(CallError::NothingAsked);
        }
        let side = self.side_mut(role);
        side.take_over = None;
        side.device = Some(who.device_id);
        side.gone_until = None;
        side.lease_until = after(now, LEASE_MS);
        side.shown.held = false;
        self.begin_transport_anew(now);
        Ok(())
    }

    fn offer(&mut self, role: Role, who: Party, generation: u32, offer: CheckedOffer) -> Done {
        self.caller_speaks(role, who, generation)?;
        offer.suits(self.relay_only_now(), self.media)?;
        once(&mut self.exchange.offer, offer)
    }

    fn answer(&mut self, role: Role, who: Party, generation: u32, answer: CheckedAnswer) -> Done {
        if role == Role::Caller {
            return Err(CallError::WrongSide);
        }
        self.talking(role, who)?;
        self.current(generation)?;
        if self.exchange.offer.is_none() {
            return Err(CallError::NoOffer);
        }
        answer.suits(self.relay_only_now(), self.media)?;
        once(&mut self.exchange.answer, answer)?;
        self.exchange.answered_once = true;
        Ok(())
    }

    fn candidates(
        &mut self,
        role: Role,
        who: Party,
        generation: u32,
        candidates: &CheckedCandidates,
        relayed: &mut Vec<Output>,
    ) -> Done {
        self.seated(role, who)?;
        self.current(generation)?;
        candidates.suits(self.relay_only_now())?;
        let candidates = candidates.as_wire();
        if candidates.is_empty() {
            return Ok(());
        }
        let Some(to) = self.side(role.other()).party() else {
            if self.exchange.held.len() + candidates.len() > MAX_HELD {
                return Err(CallError::TooManyCandidates);
            }
            self.exchange.held.extend_from_slice(candidates);
            return Ok(());
        };
        let signal = CallSignal::Candidates { generation, candidates: candidates.to_vec() };
        relayed.push(Output::Signal { to, call_id: self.id, signal });
        Ok(())
    }

    fn online(&mut self, who: Party, now: Timestamp) -> Done {
        let role = self.role(who.user_id).ok_or(CallError::NotInCall)?;
        if !self.is_live() {
            return Ok(());
        }
        if self.side(role).device == Some(who.device_id) {
            self.sign_of_life(role, now);
        } else if role == Role::Callee {
            // A late device rings while the others ring. Once the call is answered it is only told so.
            self.callee.know(who.device_id)?;
        }
        Ok(())
    }

    fn gone(&mut self, who: Party, now: Timestamp) -> Done {
        let role = self.role(who.user_id).ok_or(CallError::NotInCall)?;
        if !self.is_live() {
            return Ok(());
        }
        // A device that only rang needs nothing: it is rung again when it comes back in time.
        let side = self.side_mut(role);
        if side.device == Some(who.device_id) {
            side.gone_until.get_or_insert(after(now, GRACE_MS));
        }
        Ok(())
    }

    fn signed_out(&mut self, who: Party, now: Timestamp) -> Done {
        let role = self.role(who.user_id).ok_or(CallError::NotInCall)?;
        if !self.is_live() {
            return Ok(());
        }
        if self.side(role).device == Some(who.device_id) {
            self.end(EndReason::SignedOut, Some(who), now);
            return Ok(());
        }
        let side = self.side_mut(role);
        side.known.retain(|k| k.device != who.device_id);
        side.take_over = side.take_over.filter(|t| t.device != who.device_id);
        Ok(())
    }

    /// The device in the call said something: it is there. The lease is renewed only when half of it is over, so that
    /// signs of life cost few writes.
    fn sign_of_life(&mut self, role: Role, now: Timestamp) {
        let side = self.side_mut(role);
        if side.gone_until.take().is_some() || side.lease_until < after(now, LEASE_MS / 2) {
            side.lease_until = after(now, LEASE_MS);
        }
    }

    fn ringing(&self) -> Done {
        match self.phase {
            Phase::Ringing { .. } => Ok(()),
            Phase::Ended { reason, .. } => Err(CallError::Ended(reason)),
            _ => Err(CallError::NotRinging),
        }
    }

    /// `who` is a device of the callee that rings, or may ring.
    fn callees_ring(&self, role: Role, who: Party) -> Done {
        if role == Role::Caller {
            return Err(CallError::WrongSide);
        }
        match (self.phase, self.callee.device) {
            (Phase::Ringing { .. }, _) if self.callee.knows(who.device_id) => Ok(()),
            (Phase::Ringing { .. }, _) => Err(CallError::NotRung),
            (_, Some(device)) if device != who.device_id => Err(CallError::AnsweredElsewhere),
            _ => Err(CallError::NotRinging),
        }
    }

    /// `who` is one of the (up to) two devices in the call.
    fn seated(&self, role: Role, who: Party) -> Done {
        match self.side(role).device {
            Some(device) if device == who.device_id => Ok(()),
            Some(_) => Err(CallError::AnsweredElsewhere),
            None => Err(CallError::NotAnswered),
        }
    }

    /// The same, and the call was answered.
    fn talking(&self, role: Role, who: Party) -> Done {
        self.seated(role, who)?;
        if self.callee.device.is_none() { Err(CallError::NotAnswered) } else { Ok(()) }
    }

    fn caller_speaks(&self, role: Role, who: Party, generation: u32) -> Done {
        if role == Role::Callee {
            return Err(CallError::WrongSide);
        }
        self.seated(role, who)?;
        self.current(generation)
    }

    fn current(&self, generation: u32) -> Done {
        if generation == self.exchange.generation { Ok(()) } else { Err(CallError::StaleGeneration) }
    }
}

/// Puts it there once. The same again does nothing; another one is refused.
fn once<T: PartialEq>(place: &mut Option<T>, thing: T) -> Done {
    match place {
        Some(there) if *there == thing => Ok(()),
        Some(_) => Err(CallError::AlreadyThere),
        None => {
            *place = Some(thing);
            Ok(())
        }
    }
}

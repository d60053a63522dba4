//! What a frame means.

use std::sync::Arc;

use chapar_protocol::{
    Action, ChatSnapshot, Event, UserDelta, WireError,
    command::{Differences, Page, Presences, Sent, WatchPresence, Welcome},
    frame::{self, ServerFrame},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    Dice, Millis, Output, Refusal, Session,
    event::{ClientEvent, Stop},
    phase::Phase,
    requests::{AppRequest, Awaited, Effect},
};

fn read<T: DeserializeOwned>(reply: &RawValue) -> Option<T> {
    serde_json::from_str(reply.get())
        .inspect_err(|error| tracing::warn!(line = error.line(), column = error.column(), "a reply does not fit"))
        .ok()
}

impl Session {
    pub(super) fn frame(&mut self, now: Millis, dice: Dice<'_>, frame: &str) {
        if !matches!(self.phase, Phase::Greeting { .. }) && !self.phase.is_live() {
            return;
        }
        match ServerFrame::parse(frame) {
            Ok(ServerFrame::Ok { id, reply }) => {
                if let Some(awaited) = self.requests.end(id) {
                    self.reply(now, dice, awaited, reply);
                }
            }
            Ok(ServerFrame::Error { id, error }) => {
                if let Some(awaited) = id.and_then(|id| self.requests.end(id)) {
                    self.refused(now, dice, &awaited, error);
                } else {
                    tracing::warn!(code = ?error.code, "an error that belongs to no request");
                }
            }
            Ok(ServerFrame::Event(event)) => self.event(now, *event),
            Ok(ServerFrame::UnknownEvent(_)) => {}
            // A lost delta shows as a gap later and is fetched then.
            Err(error) => tracing::warn!(column = error.column(), "a frame that cannot be read"),
        }
    }

    fn event(&mut self, now: Millis, event: Event) {
        match event {
            Event::Delta(delta) => self.delta(delta),
            Event::Me(delta) => self.own_delta(delta),
            Event::Read(read) => {
                let Some(me) = self.me.as_ref().map(|me| me.id).filter(|_| self.phase.is_live()) else {
                    return self.keep_read(read);
                };
                if let Some(chat) = self.chats.get_mut(&read.chat_id)
                    && Arc::make_mut(chat).set_read(read.user_id, read.seq, me)
                {
                    self.changed = true;
                    self.tell(ClientEvent::Read(read));
                }
            }
            Event::Reacted(own) => {
                // Before the welcome it may be dropped: it comes again with the counts.
                let Some(me) = self.me.as_ref().map(|me| me.id).filter(|_| self.phase.is_live()) else { return };
                if let Some(chat) = self.chats.get_mut(&own.chat_id) {
                    Arc::make_mut(chat).set_reacted(&own.reacted, me);
                    self.changed = true;
                    self.tell(ClientEvent::Reacted { chat_id: own.chat_id, reacted: own.reacted });
                }
            }
            Event::Voted(own) => {
                if let Some(chat) = self.chats.get_mut(&own.chat_id)
                    && Arc::make_mut(chat).set_vote(&own.vote)
                {
                    self.changed = true;
                    self.tell(ClientEvent::Voted(own));
                }
            }
            Event::Typing(typing) => self.tell(ClientEvent::Typing(typing)),
            Event::Presence(presence) => self.tell(ClientEvent::Presence(presence)),
            Event::User(user) => {
                if self.me.as_ref().is_some_and(|me| me.id == user.id) {
                    self.me = Some(user.clone());
                    self.changed = true;
                }
                self.tell(ClientEvent::User(user));
            }
            Event::Call(state) => self.tell(ClientEvent::Call(Box::new(state))),
            Event::CallSignal(signaled) => self.tell(ClientEvent::CallSignal(Box::new(signaled))),
            Event::Drain(drain) => {
                let until = now + Millis::from(drain.reconnect_after_ms);
                if self.phase.is_live() {
                    self.phase = Phase::Draining { until };
                } else {
                    self.named_wait = Some(until);
                }
            }
        }
    }

    fn reply(&mut self, now: Millis, dice: Dice<'_>, awaited: Awaited, reply: &RawValue) {
        match awaited {
            Awaited::Hello => match read::<Welcome>(reply) {
                Some(welcome) => self.welcome(now, welcome),
                None => self.stop(Stop::Refused("a welcome that cannot be read".into()), Some(1002)),
            },
            Awaited::UserDifference => self.own_difference(now, dice, read::<UserDelta>(reply)),
            Awaited::Differences(asked) => self.differences(now, dice, asked, read::<Differences>(reply)),
            Awaited::Send(client_id) => match read::<Sent>(reply) {
                Some(sent) => self.sent(client_id, &sent),
                None => self.outbox.again(client_id, now, None, dice),
            },
            Awaited::Watch => {
                if let Some(now_known) = read::<Presences>(reply) {
                    for presence in now_known.presences {
                        self.tell(ClientEvent::Presence(presence));
                    }
                }
            }
            Awaited::Ping => {}
            Awaited::App(request) => {
                self.take_over(request.effect, reply);
                self.answer(request.ticket, Ok(reply.get().to_owned()));
            }
        }
    }

    fn refused(&mut self, now: Millis, dice: Dice<'_>, awaited: &Awaited, error: WireError) {
        match *awaited {
            Awaited::Hello => self.hello_refused(now, dice, &error),
            Awaited::UserDifference if error.action == Action::Resume => {
                self.drop_connection(now, dice, "too far behind: everything comes with the next welcome");
            }
            Awaited::UserDifference => self.own_difference_refused(now, dice, &error),
            Awaited::Differences(ref asked) => self.differences_refused(now, dice, asked, &error),
            Awaited::Send(client_id) => self.send_refused(now, dice, client_id, &error),
            Awaited::Ping => {}
            Awaited::Watch => tracing::warn!(code = ?error.code, "presence cannot be watched"),
            Awaited::App(AppRequest { ticket, effect, .. }) => {
                self.page_failed(effect);
                self.answer(ticket, Err(Refusal::Server(error)));
            }
        }
    }

    fn take_over(&mut self, effect: Effect, reply: &RawValue) {
        let Some(me) = self.me.as_ref().map(|me| me.id) else { return };
        match effect {
            Effect::None => {}
            Effect::Snapshot => {
                if let Some(snapshot) = read::<ChatSnapshot>(reply) {
                    self.snapshot(snapshot);
                }
            }
            Effect::Page(chat_id) => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    let chat = Arc::make_mut(chat);
                    match read::<Page>(reply) {
                        Some(page) => chat.put_page(&page, me),
                        None => chat.page_failed(),
                    }
                    self.changed = true;
                }
            }
        }
    }

    /// The server has a message: by its reply, or because a delta shows it.
    pub(super) fn sent(&mut self, client_id: Uuid, sent: &Sent) {
        let Some((chat_id, tickets)) = self.outbox.sent(client_id, sent) else { return };
        self.out.push_back(Output::Unstore(client_id));
        let reply = serde_json::to_string(sent).unwrap_or_default();
        for ticket in tickets {
            self.answer(ticket, Ok(reply.clone()));
        }
        self.tell_outbox(client_id);
        let known = self.chats.get(&chat_id).map(|chat| chat.version);
        self.outbox.settle(chat_id, known);
    }

    fn send_refused(&mut self, now: Millis, dice: Dice<'_>, client_id: Uuid, error: &WireError) {
        match error.action {
            Action::Retry | Action::Resume => {
                self.outbox.again(client_id, now, error.retry_after_ms.map(Millis::from), dice);
            }
            Action::ReAuthenticate => {
                self.stop(Stop::SignedOut(error.to_string()), Some(1000));
            }
            Action::GiveUp => {
                let Some((item, tickets)) = self.outbox.failed(client_id, error) else { return };
                self.out.push_back(Output::Store(item));
                for ticket in tickets {
                    self.answer(ticket, Err(Refusal::Server(error.clone())));
                }
                self.tell_outbox(client_id);
            }
        }
    }

    /// Watches again what the last connection watched.
    pub(super) fn ask_watch(&mut self) {
        let id = self.requests.begin(Awaited::Watch);
        let watch = WatchPresence { user_ids: self.watch.clone() };
        self.out.push_back(Output::Write(frame::request(id, &watch)));
    }
}

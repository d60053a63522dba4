//! Coming, greeting, going.

use std::sync::Arc;

use chapar_protocol::{
    Action, CloseCode, Resume, WireError,
    command::{Hello, Ping},
    delta::ChatCursor,
    frame, limit,
};

use super::{
    Dice, Millis, Output, Refusal, Session,
    chat::Chat,
    event::{ClientEvent, Connection, Stop},
    phase::Phase,
    requests::{Awaited, Effect},
};

/// A connection that lived this long, in milliseconds, begins the back-off anew when it ends.
const STEADY: Millis = 10_000;
/// Differences under way at once.
const DIFFERENCES: usize = 8;
/// After [`Input::Hurry`](super::Input::Hurry), how long a connection may stay silent before it counts as dead, in milliseconds.
const PROBE: Millis = 5_000;
/// Requests under way at once: the server reads no more than `limit::IN_FLIGHT`.
const UNDER_WAY: usize = limit::IN_FLIGHT - 16;
/// Bytes that one cursor takes in `hello` at most: three numbers of 16 digits, commas and brackets.
const CURSOR_BYTES: usize = 3 * 16 + 5;

impl Session {
    pub(super) fn opened(&mut self, now: Millis) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.heard(now);
        self.phase = Phase::Greeting { until: now + self.config.hello_timeout };
        let hello = Hello { token: self.token.clone(), resume: self.resume() };
        let id = self.requests.begin(Awaited::Hello);
        self.out.push_back(Output::Write(frame::request(id, &hello)));
    }

    pub(super) fn heard(&mut self, now: Millis) {
        self.last_heard = now;
        self.probe_until = None;
    }

    /// When the connection is given up unless something is heard before.
    pub(super) fn silent_at(&self) -> Millis {
        let silent = self.last_heard + 2 * self.heartbeat;
        self.probe_until.map_or(silent, |until| until.min(silent))
    }

    /// Asks for a sign of life, however lately one came: the clock may have stood still while the device slept.
    pub(super) fn probe(&mut self, now: Millis) {
        if !matches!(self.phase, Phase::Live { .. }) || self.probe_until.is_some() {
            return;
        }
        self.probe_until = Some(now + PROBE);
        let id = self.requests.begin(Awaited::Ping);
        self.out.push_back(Output::Write(frame::request(id, &Ping {})));
    }

    /// The cursors; those of the chats with the newest messages when not all fit.
    fn resume(&self) -> Option<Resume> {
        let epochs = Some(self.epochs.clone()).filter(|epochs| !epochs.is_empty())?;
        let mut chats: Vec<_> = self.chats.values().collect();
        let room = limit::RESUME_CHATS.min((limit::FRAME_BYTES - 2_048) / CURSOR_BYTES);
        if chats.len() > room {
            chats.sort_by_key(|chat| std::cmp::Reverse(chat.messages.values().next_back().map(|it| it.sent_at)));
            chats.truncate(room);
        }
        let cursor = |chat: &&Arc<Chat>| ChatCursor(chat.info.id, chat.version, chat.others_read);
        Some(Resume { epochs, user_version: self.own.version, chats: chats.iter().map(cursor).collect() })
    }

    pub(super) fn lost(&mut self, now: Millis, dice: Dice<'_>, code: Option<u16>, reason: &str) {
        if !self.phase.has_socket() {
            return;
        }
        match code.map(|code| (code, CloseCode::action_of(code))) {
            // A normal close that we did not ask for is a proxy's or a restarting server's; going on is right.
            Some((code, Action::GiveUp)) if code != 1000 => self.stop(Stop::Refused(format!("{code} {reason}")), None),
            Some((_, Action::ReAuthenticate)) => self.stop(Stop::SignedOut(reason.to_owned()), None),
            _ => self.go_offline(now, dice, reason),
        }
    }

    /// Gives the socket up and waits for the next attempt.
    pub(super) fn drop_connection(&mut self, now: Millis, dice: Dice<'_>, reason: &str) {
        self.out.push_back(Output::Disconnect(1000));
        self.go_offline(now, dice, reason);
    }

    fn go_offline(&mut self, now: Millis, dice: Dice<'_>, reason: &str) {
        if matches!(self.phase, Phase::Live { since } if now.saturating_sub(since) >= STEADY) {
            self.backoff.reset();
        }
        let drained = if let Phase::Draining { until } = self.phase { Some(until) } else { None };
        let named = drained.or(self.named_wait.take());
        let until = named.unwrap_or_else(|| now + self.backoff.next(dice)).max(now);
        self.forget_connection();
        self.phase = Phase::Waiting { until, named: named.is_some() };
        let retry_in = until - now;
        self.tell(ClientEvent::Connection(Connection::Offline { retry_in, reason: reason.to_owned() }));
    }

    fn forget_connection(&mut self) {
        self.probe_until = None;
        self.requests.lost();
        self.outbox.lost();
        for chat in self.chats.values_mut().filter(|chat| chat.awaits_pages()) {
            Arc::make_mut(chat).pages_lost();
        }
        self.catchups.clear();
        self.to_ask.clear();
        self.own_catchup = super::sync::OwnCatchup::default();
    }

    /// Ends the session, closing the socket with a code if it is still there.
    pub(super) fn stop(&mut self, stop: Stop, code: Option<u16>) {
        // Whatever ended it, it can still be closed; nothing else follows an end.
        if matches!(&self.phase, Phase::Stopped(known) if *known == Stop::Closed || stop != Stop::Closed) {
            return;
        }
        if let Some(code) = code.filter(|_| self.phase.has_socket()) {
            self.out.push_back(Output::Disconnect(code));
        }
        self.forget_connection();
        self.backoff.reset();
        for request in self.requests.drain() {
            self.answer(request.ticket, Err(Refusal::Stopped(stop.clone())));
        }
        let tickets: Vec<_> = self.outbox.take_tickets();
        for ticket in tickets {
            self.answer(ticket, Err(Refusal::Stopped(stop.clone())));
        }
        self.phase = Phase::Stopped(stop.clone());
        self.tell(ClientEvent::Connection(Connection::Stopped(stop)));
    }

    /// The server refused `hello`.
    pub(super) fn hello_refused(&mut self, now: Millis, dice: Dice<'_>, error: &WireError) {
        match error.action {
            Action::ReAuthenticate => self.stop(Stop::SignedOut(error.to_string()), Some(1000)),
            Action::GiveUp => self.stop(Stop::Refused(error.to_string()), Some(1000)),
            Action::Retry | Action::Resume => {
                if let Some(wait) = error.retry_after_ms {
                    let jitter = self.backoff.next(dice);
                    self.named_wait = Some(now + Millis::from(wait) + jitter);
                }
                self.drop_connection(now, dice, &error.to_string());
            }
        }
    }

    /// Does what is due at `now`.
    pub(super) fn tick(&mut self, now: Millis, dice: Dice<'_>) {
        for request in self.requests.overdue(now) {
            if request.written {
                self.page_failed(request.effect);
            }
            self.answer(request.ticket, Err(Refusal::Timeout));
        }
        let silent = now >= self.silent_at();
        match self.phase {
            Phase::Waiting { until, .. } if until <= now => {
                self.phase = Phase::Connecting;
                self.tell(ClientEvent::Connection(Connection::Connecting));
                self.out.push_back(Output::Connect);
            }
            Phase::Greeting { until } if until <= now => self.drop_connection(now, dice, "no answer to hello"),
            Phase::Live { .. } | Phase::Draining { .. } if silent => {
                self.drop_connection(now, dice, "nothing heard for too long");
            }
            Phase::Draining { until } if until <= now => {
                self.drop_connection(now, dice, "the node is going away");
                self.tick(now, dice);
            }
            _ => {}
        }
        self.sync_tick(now);
    }

    /// Writes what may be written.
    pub(super) fn pump(&mut self, now: Millis) {
        if !matches!(self.phase, Phase::Live { .. }) {
            return;
        }
        self.ask_own(now);
        while self.requests.differences() < DIFFERENCES && self.requests.count() < UNDER_WAY && self.ask_differences() {
        }
        while self.requests.count() < UNDER_WAY
            && let Some(mut request) = self.requests.next()
        {
            request.written = true;
            if let Effect::Page(chat_id) = request.effect
                && let Some(chat) = self.chats.get_mut(&chat_id)
            {
                Arc::make_mut(chat).page_asked();
            }
            let (method, params) = (request.method, request.params.clone());
            let id = self.requests.begin(Awaited::App(request));
            self.out.push_back(Output::Write(format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#)));
        }
        while self.requests.count() < limit::IN_FLIGHT
            && let Some(item) = self.outbox.next(now, self.config.outbox_in_flight)
        {
            let id = self.requests.begin(Awaited::Send(item.client_id));
            self.out.push_back(Output::Write(frame::request(id, &item.command())));
        }
    }

    pub(super) fn page_failed(&mut self, effect: Effect) {
        if let Effect::Page(chat_id) = effect
            && let Some(chat) = self.chats.get_mut(&chat_id)
        {
            Arc::make_mut(chat).page_failed();
        }
    }
}

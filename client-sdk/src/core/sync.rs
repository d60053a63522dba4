//! Staying in step: welcome, deltas, gaps, differences, snapshots.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use chapar_protocol::{
    ChatDelta, ChatId, ChatRow, ChatSnapshot, ChatSync, Epoch, UserDelta, UserId, Version, WireError,
    command::{Difference, Differences, Sent, UserDifference, Welcome},
    error::Action,
    event::Read,
    frame, limit,
};

use super::{
    Dice, Millis, Output, Session,
    backoff::Backoff,
    chat::{Chat, Fit, fit},
    event::{ClientEvent, Connection, Stop},
    phase::Phase,
    requests::Awaited,
};

/// User deltas and read marks kept back. Beyond that they are dropped and asked for.
const KEPT: usize = 256;

/// What came too early of the user's own things.
#[derive(Debug, Default)]
pub(super) struct OwnCatchup {
    kept: Vec<UserDelta>,
    target: Version,
    asked: bool,
    not_before: Option<Millis>,
    backoff: Backoff,
    /// Read marks of others that came before the welcome.
    reads: Vec<Read>,
    /// The answer to `hello` did not name all chats: what is not among them is known when the rest has come.
    partial: bool,
}

impl OwnCatchup {
    pub(super) fn behind(&self, mine: Version) -> bool {
        self.target > mine
    }

    /// Takes an answer of the server: when it says `more`, there is at least one version after it.
    fn answered(&mut self, delta: UserDelta) {
        let end = if delta.more { delta.version.next() } else { delta.version };
        self.target = self.target.max(end);
        self.partial &= delta.more;
        self.kept.insert(0, delta);
    }
}

impl Session {
    pub(super) fn welcome(&mut self, now: Millis, welcome: Welcome) {
        if self.me.as_ref().is_some_and(|me| me.id != welcome.user.id) {
            return self.stop(Stop::OtherUser, Some(1000));
        }
        let me = welcome.user.id;
        self.me = Some(welcome.user);
        self.heartbeat = Millis::from(welcome.heartbeat_seconds.max(1)) * 1_000;
        self.phase = Phase::Live { since: now };
        self.named_wait = None;
        self.changed = true;
        let sync = welcome.sync;
        if sync.resets(Epoch::PEOPLE) {
            self.own = super::Own::default();
        }
        if sync.resets(Epoch::CHATS) {
            self.chats.clear();
            self.outbox.settle_all();
        }
        // A client that knew nothing has nothing to be told of.
        if !sync.reset.is_empty() && !self.epochs.is_empty() {
            self.tell(ClientEvent::Reset);
        }
        self.epochs = sync.epochs;
        for chat in sync.chats {
            match chat {
                ChatSync::Snapshot { snapshot } => self.snapshot(snapshot),
                ChatSync::Delta { delta, more } => {
                    let chat_id = delta.chat_id;
                    self.delta(delta);
                    if more {
                        self.wish(chat_id);
                    }
                }
            }
        }
        for chat_id in sync.behind {
            self.wish(chat_id);
        }
        self.own_catchup.partial = sync.user.more;
        self.own_catchup.answered(sync.user);
        self.settle_own();
        if !self.own_catchup.partial {
            self.forget_left();
        }
        for (chat_id, seq) in sync.others_read {
            if let Some(chat) = self.chats.get_mut(&chat_id)
                && chat.others_read < seq
            {
                Arc::make_mut(chat).others_read = seq;
            }
        }
        for read in std::mem::take(&mut self.own_catchup.reads) {
            if let Some(chat) = self.chats.get_mut(&read.chat_id) {
                Arc::make_mut(chat).set_read(read.user_id, read.seq, me);
            }
        }
        let kept: Vec<_> = self.catchups.keys().copied().collect();
        for chat_id in kept {
            self.settle(chat_id);
        }
        if !self.watch.is_empty() {
            self.ask_watch();
        }
        self.tell(ClientEvent::Connection(Connection::Online));
    }

    pub(super) fn delta(&mut self, delta: ChatDelta) {
        let chat_id = delta.chat_id;
        let Some(me) = self.me.as_ref().map(|me| me.id).filter(|_| self.phase.is_live()) else {
            return self.catchups.entry(chat_id).or_default().keep(delta);
        };
        match fit(self.version(chat_id), delta.from, delta.version) {
            Fit::Known => return,
            Fit::Gap => self.catchups.entry(chat_id).or_default().keep(delta),
            Fit::Apply if self.apply(delta, me) => {}
            // It does not say what the chat is.
            Fit::Apply => self.catchups.entry(chat_id).or_default().wished = true,
        }
        self.settle(chat_id);
    }

    /// Applies what is kept back as far as it goes, and asks for the rest.
    fn settle(&mut self, chat_id: ChatId) {
        let Some(me) = self.me.as_ref().map(|me| me.id) else { return };
        loop {
            let mine = self.version(chat_id);
            let Some(catchup) = self.catchups.get_mut(&chat_id) else { return };
            let Some(delta) = catchup.take(mine) else { break };
            if !self.apply(delta, me) {
                self.catchups.entry(chat_id).or_default().wished = true;
                break;
            }
        }
        let mine = self.version(chat_id);
        let Some(catchup) = self.catchups.get_mut(&chat_id) else { return };
        if !catchup.behind(mine) {
            if !catchup.asked {
                self.catchups.remove(&chat_id);
            }
        } else if !catchup.asked && !catchup.queued && catchup.not_before.is_none() {
            catchup.queued = true;
            self.to_ask.push_back(chat_id);
        }
    }

    /// Applies a delta that fits; `false` when it cannot begin a chat, so that a snapshot is needed.
    fn apply(&mut self, delta: ChatDelta, me: UserId) -> bool {
        let chat_id = delta.chat_id;
        let mut told = Vec::new();
        let chat = match self.chats.entry(chat_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let Some(chat) = Chat::begin(&delta) else { return false };
                place.insert(Arc::new(chat))
            }
        };
        let chat = Arc::make_mut(chat);
        let own: Vec<_> = own_messages(&delta.rows, me);
        chat.apply(delta, me, self.config.window, &mut told);
        let version = chat.version;
        self.changed = true;
        self.out.extend(told.into_iter().map(Output::Tell));
        for (client_id, sent) in own {
            self.sent(client_id, &sent);
        }
        self.outbox.settle(chat_id, Some(version));
        true
    }

    pub(super) fn snapshot(&mut self, snapshot: ChatSnapshot) {
        let Some(me) = self.me.as_ref().map(|me| me.id) else { return };
        let chat_id = snapshot.chat.id;
        let known = self.chats.get(&chat_id);
        if known.is_some_and(|chat| chat.version >= snapshot.version) {
            return;
        }
        let own = own_messages(&snapshot.rows, me);
        let mut chat = Chat::from_snapshot(snapshot, me);
        // Read marks only grow, and may have come on their own while the snapshot was under way.
        for (user_id, seq) in known.map(|known| known.reads.clone()).unwrap_or_default() {
            chat.set_read(user_id, seq, me);
        }
        chat.others_read = chat.others_read.max(known.map_or(chat.others_read, |known| known.others_read));
        let version = chat.version;
        self.chats.insert(chat_id, Arc::new(chat));
        self.changed = true;
        self.tell(ClientEvent::Replaced { chat_id });
        for (client_id, sent) in own {
            self.sent(client_id, &sent);
        }
        self.outbox.settle(chat_id, Some(version));
        if self.phase.is_live() {
            self.settle(chat_id);
        }
    }

    /// Notes that a chat has something that is not known here.
    fn wish(&mut self, chat_id: ChatId) {
        self.catchups.entry(chat_id).or_default().wished = true;
        if self.phase.is_live() {
            self.settle(chat_id);
        }
    }

    /// Asks for the chats that wait, many in one request; false when none does.
    pub(super) fn ask_differences(&mut self) -> bool {
        let mut chats = Vec::new();
        while chats.len() < limit::DIFFERENCE_CHATS
            && let Some(chat_id) = self.to_ask.pop_front()
        {
            let from = self.version(chat_id);
            let Some(catchup) = self.catchups.get_mut(&chat_id) else { continue };
            catchup.queued = false;
            if catchup.asked {
                continue;
            }
            if !catchup.behind(from) {
                self.catchups.remove(&chat_id);
                continue;
            }
            catchup.asked = true;
            chats.push((chat_id, from));
        }
        if chats.is_empty() {
            return false;
        }
        let question = Difference { chats };
        let id = self.requests.begin(Awaited::Differences(question.chats.clone()));
        self.out.push_back(Output::Write(frame::request(id, &question)));
        true
    }

    pub(super) fn differences(
        &mut self,
        now: Millis,
        dice: Dice<'_>,
        asked: Vec<(ChatId, Version)>,
        reply: Option<Differences>,
    ) {
        let Differences { chats, behind, gone } =
            reply.unwrap_or(Differences { chats: Vec::new(), behind: Vec::new(), gone: Vec::new() });
        // Who is behind without anything having come would be asked for at once and for ever.
        let moved = !chats.is_empty();
        let mut syncs: BTreeMap<ChatId, ChatSync> = chats.into_iter().map(|sync| (sync.chat_id(), sync)).collect();
        let (behind, gone): (BTreeSet<_>, BTreeSet<_>) = (behind.into_iter().collect(), gone.into_iter().collect());
        for (chat_id, from) in asked {
            if gone.contains(&chat_id) {
                // There is no such chat for us. If we were removed from it, `me` says so.
                self.catchups.remove(&chat_id);
            } else if moved && behind.contains(&chat_id) {
                if let Some(catchup) = self.catchups.get_mut(&chat_id) {
                    catchup.asked = false;
                }
                self.settle(chat_id);
            } else {
                self.difference(now, dice, chat_id, from, syncs.remove(&chat_id));
            }
        }
    }

    pub(super) fn differences_refused(
        &mut self,
        now: Millis,
        dice: Dice<'_>,
        asked: &[(ChatId, Version)],
        error: &WireError,
    ) {
        for (chat_id, _) in asked {
            self.difference_refused(now, dice, *chat_id, error);
        }
    }

    fn difference(&mut self, now: Millis, dice: Dice<'_>, chat_id: ChatId, from: Version, reply: Option<ChatSync>) {
        let Some(catchup) = self.catchups.get_mut(&chat_id) else { return };
        catchup.asked = false;
        // Whatever was wished for is in this answer, or its `more` is the new wish.
        catchup.wished = false;
        // Not to be asked again from within the next lines.
        catchup.queued = true;
        let more = match reply {
            Some(ChatSync::Snapshot { snapshot }) => {
                self.snapshot(snapshot);
                false
            }
            Some(ChatSync::Delta { delta, more }) => {
                self.delta(delta);
                more
            }
            None => true,
        };
        let mine = self.version(chat_id);
        let catchup = self.catchups.entry(chat_id).or_default();
        catchup.queued = false;
        catchup.wished |= more;
        if mine > from {
            catchup.backoff.reset();
        } else if catchup.behind(mine) {
            // The server has not reached what it told of, or we do not understand it: no hurry then.
            catchup.not_before = Some(now + catchup.backoff.next(dice));
        }
        self.settle(chat_id);
    }

    fn difference_refused(&mut self, now: Millis, dice: Dice<'_>, chat_id: ChatId, error: &WireError) {
        let Some(catchup) = self.catchups.get_mut(&chat_id) else { return };
        catchup.asked = false;
        if matches!(error.action, Action::Retry | Action::Resume) {
            let own = catchup.backoff.next(dice);
            catchup.not_before = Some(now + error.retry_after_ms.map_or(own, Millis::from));
        } else {
            // It can never be answered.
            self.catchups.remove(&chat_id);
        }
    }

    pub(super) fn own_delta(&mut self, delta: UserDelta) {
        self.own_catchup.target = self.own_catchup.target.max(delta.version);
        if self.own_catchup.kept.len() < KEPT || (self.phase.is_live() && delta.from <= self.own.version) {
            self.own_catchup.kept.push(delta);
        }
        if self.phase.is_live() {
            self.settle_own();
        }
    }

    fn settle_own(&mut self) {
        loop {
            let mine = self.own.version;
            let kept = &mut self.own_catchup.kept;
            kept.retain(|delta| fit(mine, delta.from, delta.version) != Fit::Known);
            let Some(index) = kept.iter().position(|delta| fit(mine, delta.from, delta.version) == Fit::Apply) else {
                break;
            };
            let delta = kept.swap_remove(index);
            let moved = self.own.apply(delta);
            self.changed = true;
            for chat_id in moved.gone {
                self.forget(chat_id);
            }
            if moved.missed_calls {
                self.tell(ClientEvent::MissedCalls(self.own.missed_calls));
            }
            for chat_id in moved.changed {
                self.tell(ClientEvent::Chat { chat_id });
            }
            for item in moved.items {
                self.tell(ClientEvent::Item(Box::new(item)));
            }
        }
        // Chats that we are in and do not hold: a delta from 0 may be on its way, but a snapshot never harms.
        let held: BTreeSet<_> = self.chats.keys().copied().collect();
        let missing: Vec<_> = self.own.chats.keys().filter(|chat_id| !held.contains(chat_id)).copied().collect();
        for chat_id in missing {
            self.wish(chat_id);
        }
    }

    /// A chat that we hold and are not in was left while we were away.
    fn forget_left(&mut self) {
        let left: Vec<_> = self.chats.keys().filter(|chat_id| !self.own.chats.contains_key(chat_id)).copied().collect();
        for chat_id in left {
            self.forget(chat_id);
        }
    }

    fn forget(&mut self, chat_id: ChatId) {
        self.catchups.remove(&chat_id);
        self.outbox.settle(chat_id, None);
        if self.chats.remove(&chat_id).is_some() {
            self.tell(ClientEvent::Gone { chat_id });
        }
    }

    pub(super) fn ask_own(&mut self, now: Millis) {
        let own = &mut self.own_catchup;
        if own.asked || !own.behind(self.own.version) || own.not_before.is_some_and(|time| time > now) {
            return;
        }
        (own.asked, own.not_before) = (true, None);
        let id = self.requests.begin(Awaited::UserDifference);
        let request = frame::request(id, &UserDifference { from: self.own.version });
        self.out.push_back(Output::Write(request));
    }

    pub(super) fn own_difference(&mut self, now: Millis, dice: Dice<'_>, reply: Option<UserDelta>) {
        self.own_catchup.asked = false;
        let before = self.own.version;
        if let Some(delta) = reply {
            let was_partial = self.own_catchup.partial;
            self.own_catchup.answered(delta);
            self.settle_own();
            if was_partial && !self.own_catchup.partial {
                self.forget_left();
            }
        }
        if self.own.version > before {
            self.own_catchup.backoff.reset();
        } else if self.own_catchup.behind(self.own.version) {
            self.own_catchup.not_before = Some(now + self.own_catchup.backoff.next(dice));
        }
    }

    pub(super) fn own_difference_refused(&mut self, now: Millis, dice: Dice<'_>, error: &WireError) {
        self.own_catchup.asked = false;
        let own = self.own_catchup.backoff.next(dice);
        self.own_catchup.not_before = Some(now + error.retry_after_ms.map_or(own, Millis::from));
    }

    /// Keeps a read mark that came before the welcome.
    pub(super) fn keep_read(&mut self, read: Read) {
        if self.own_catchup.reads.len() < KEPT {
            self.own_catchup.reads.push(read);
        }
    }

    /// Asks again where a wait is over.
    pub(super) fn sync_tick(&mut self, now: Millis) {
        if !self.phase.is_live() {
            return;
        }
        let due = |time: Option<Millis>| time.is_some_and(|time| time <= now);
        let ready: Vec<_> =
            self.catchups.iter().filter(|(_, catchup)| due(catchup.not_before)).map(|(chat_id, _)| *chat_id).collect();
        for chat_id in ready {
            if let Some(catchup) = self.catchups.get_mut(&chat_id) {
                catchup.not_before = None;
            }
            self.settle(chat_id);
        }
    }

    pub(super) fn sync_deadline(&self) -> Option<Millis> {
        self.catchups.values().filter_map(|catchup| catchup.not_before).chain(self.own_catchup.not_before).min()
    }
}

/// The user's own messages among some rows, as the answers that they stand for: what came back was stored.
fn own_messages(rows: &[ChatRow], me: UserId) -> Vec<(uuid::Uuid, Sent)> {
    let own = rows.iter().filter_map(ChatRow::message).filter(|message| message.sender == me);
    own.map(|it| (it.client_id, Sent { seq: it.seq, version: it.version, sent_at: it.sent_at })).collect()
}

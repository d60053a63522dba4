//! Who watches which chats, kept in step with who is in them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chapar_protocol::{ChatDelta, ChatId, Event, Item, MyChat, UserDelta, UserId, Version};
use futures_util::future::try_join_all;

use super::{Fanout, event_frame, heal::in_time, parcel::Change};
use crate::{
    bus::Topic,
    outbox::Outbox,
    store::{Result, chats::readers::Reader},
};

/// After a look at who is in a chat that failed.
const AGAIN: Duration = Duration::from_millis(500);

/// A change of a user's own things that may bring the user into chats or out of them.
pub(super) fn membership_change(mut delta: UserDelta) -> Change {
    // What follows a page is told as it is read; nobody need ask.
    delta.more = false;
    let chats = delta.items.iter().filter_map(Item::chat);
    let (entered, left): (Vec<_>, Vec<_>) = chats.partition(|mine| mine.role.is_some());
    let ids = |list: Vec<&MyChat>| list.into_iter().map(|mine| mine.chat_id).collect();
    let (entered, left) = (ids(entered), ids(left));
    let (from, version) = (delta.from, delta.version);
    Change { from, version, entered, left, gone: Vec::new(), news: event_frame(&Event::Me(delta)).into() }
}

impl Fanout {
    pub(super) fn accept_change(self: &Arc<Self>, topic: Topic, mut change: Change) {
        if let Topic::Chat(chat) = topic
            && !change.gone.is_empty()
        {
            self.silence(ChatId(chat), std::mem::take(&mut change.gone));
        }
        let moves = !change.entered.is_empty() || !change.left.is_empty();
        let gap = if !moves {
            self.hub.offer(topic, change.from, change.version, change.news)
        } else if self.hub.version(topic) == Some(change.from) {
            return self.change_chats(topic, change);
        } else {
            // Coming and going out of order: the database says how it ended. Until then whoever left hears nothing.
            let gap = self.hub.newer(topic, change.version);
            self.leave_chats(topic, &change.left);
            gap
        };
        if gap {
            self.heal(topic);
        }
    }

    /// Stops watching the chats that a user has left and watches those entered, for all of the user's connections, and
    /// only then tells the user: whoever asks for a chat after being told of it misses nothing that follows.
    fn change_chats(self: &Arc<Self>, topic: Topic, change: Change) {
        self.leave_chats(topic, &change.left);
        if change.entered.is_empty() {
            if self.hub.offer(topic, change.from, change.version, change.news) {
                self.heal(topic);
            }
            return;
        }
        self.hub.pause(topic);
        let this = self.clone();
        tokio::spawn(async move {
            // Never closed.
            let _turn = this.entering.acquire().await;
            if this.enter_chats(topic, &change, false).await {
                this.hub.offer(topic, change.from, change.version, change.news);
            }
            if this.hub.go_on(topic) {
                this.heal(topic);
            }
        });
    }

    /// Makes a user's connections watch the chats entered. Returns false when a newer change has overtaken this one, or the
    /// database does not answer: then nothing was done, and what holds in the end is to be read from the database, from before
    /// this change on. With `insist` a newer change does not count: what the database says of the user does anyway.
    pub(super) async fn enter_chats(self: &Arc<Self>, topic: Topic, change: &Change, insist: bool) -> bool {
        let Topic::User(user) = topic else { return true };
        if change.entered.is_empty() {
            return true;
        }
        let mut entered = Vec::new();
        for outbox in self.devices(topic, &change.entered) {
            for chat in &change.entered {
                if self.hub.enter(Topic::Chat(chat.0), &outbox) {
                    entered.push((*chat, outbox.clone()));
                }
            }
        }
        let undo = |entered: Vec<(ChatId, Arc<Outbox>)>| {
            for (chat, outbox) in entered {
                self.unwatch_chats([chat], &outbox);
            }
            false
        };
        // Looked at after watching: a removal that came before this look is undone here, one that comes after it finds
        // the chats watched and stops that itself.
        if !insist && self.hub.knows_beyond(topic, change.version) {
            return undo(entered);
        }
        let topics: Vec<Topic> = change.entered.iter().map(|chat| Topic::Chat(chat.0)).collect();
        self.subscribe(&topics).await;
        let versions = match in_time(self.where_they_stand(UserId(user), &change.entered)).await {
            Ok(versions) => versions,
            Err(error) => {
                tracing::warn!(%error, "could not read where entered chats stand");
                self.hub.newer(topic, change.version);
                return undo(entered);
            }
        };
        let inside: HashSet<ChatId> = versions.iter().map(|(chat, _)| *chat).collect();
        let (entered, removed) = entered.into_iter().partition(|(chat, _)| inside.contains(chat));
        undo(removed);
        for (chat, version) in versions {
            self.known(Topic::Chat(chat.0), version);
        }
        for (chat, outbox) in entered {
            self.tell_where_it_stands(chat, &outbox);
        }
        true
    }

    /// Stops telling people of a chat that they are no longer in, before what follows is told there. Whether they were brought back
    /// since is looked up.
    fn silence(self: &Arc<Self>, chat: ChatId, gone: Vec<UserId>) {
        let mut here = false;
        for user in &gone {
            for outbox in self.devices(Topic::User(user.0), &[chat]) {
                self.unwatch_chats([chat], &outbox);
                here = true;
            }
        }
        if here {
            let this = self.clone();
            tokio::spawn(async move {
                // They hear nothing of the chat before that is known: nobody else would look.
                while let Err(error) = this.take_out(chat, &gone).await {
                    tracing::warn!(%error, "could not look who is in a chat again yet");
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
    }

    /// Takes people out of a chat whom the database says to be in it no longer, before what follows is told there: the word of
    /// it may not have reached this node. Who was brought back meanwhile goes on hearing.
    pub(super) async fn take_out(&self, chat: ChatId, gone: &[UserId]) -> Result<()> {
        let connected = |user: &UserId| (*user, self.devices(Topic::User(user.0), &[chat]));
        let here: Vec<_> = gone.iter().map(connected).filter(|(_, outboxes)| !outboxes.is_empty()).collect();
        if here.is_empty() {
            return Ok(());
        }
        for (_, outboxes) in &here {
            for outbox in outboxes {
                self.unwatch_chats([chat], outbox);
            }
        }
        let users: Vec<UserId> = here.iter().map(|(user, _)| *user).collect();
        // Their own devices are to hear of it.
        self.suspect(users.iter().map(|user| Topic::User(user.0)));
        let mut before = HashSet::new();
        // Until a look at the database finds what was done after the one before.
        loop {
            let inside: HashSet<UserId> = in_time(self.store.chats.inside(chat, &users)).await?.into_iter().collect();
            if inside == before {
                return Ok(());
            }
            let mut back = Vec::new();
            for (user, outboxes) in &here {
                for outbox in outboxes {
                    if !inside.contains(user) {
                        self.unwatch_chats([chat], outbox);
                    } else if self.hub.enter(Topic::Chat(chat.0), outbox) {
                        back.push(outbox);
                    }
                }
            }
            if !back.is_empty() {
                self.subscribe(&[Topic::Chat(chat.0)]).await;
                let versions = in_time(self.store.chats.chat_versions(&[chat])).await;
                for (chat, version) in versions.iter().flatten() {
                    self.known(Topic::Chat(chat.0), *version);
                }
                // Also where that is not known now: whoever is in the chat hears of it.
                for outbox in back {
                    self.tell_where_it_stands(chat, outbox);
                }
                versions?;
            }
            before = inside;
        }
    }

    /// Tells one connection a chat's version by an empty delta. Whoever came back into a chat before hearing of having left
    /// it knows an older one, and asks for the difference. From there on it hears all.
    pub fn tell_where_it_stands(&self, chat_id: ChatId, outbox: &Outbox) {
        let stands = |version| event_frame(&Event::Delta(ChatDelta::empty(chat_id, version)));
        self.hub.stands(Topic::Chat(chat_id.0), outbox, stands);
    }

    pub(super) fn leave_chats(&self, topic: Topic, chats: &[ChatId]) {
        if !chats.is_empty() {
            for outbox in self.devices(topic, chats) {
                self.unwatch_chats(chats.iter().copied(), &outbox);
            }
        }
    }

    /// Where somebody is connected who has come into some chats or gone. Whoever is just being greeted there looks at these again.
    fn devices(&self, topic: Topic, chats: &[ChatId]) -> Vec<Arc<Outbox>> {
        let devices = self.hub.watchers(topic);
        for outbox in &devices {
            outbox.has_moved(chats.iter().copied());
        }
        devices
    }

    /// Makes a connection watch those of the chats, of which somebody has said during its greeting that its person came or went, that
    /// the person is in by the database, looked at after it has begun to watch. Again while somebody moves, then it begins to hear.
    pub async fn settle(&self, user: UserId, outbox: &Arc<Outbox>) -> Result<()> {
        loop {
            let unsure = outbox.end_greeting();
            if unsure.is_empty() {
                return Ok(());
            }
            self.watch_chats(&unsure, outbox).await;
            let inside = in_time(self.where_they_stand(user, &unsure)).await?;
            let mut outside: HashSet<ChatId> = unsure.into_iter().collect();
            for (chat, version) in inside {
                outside.remove(&chat);
                self.known(Topic::Chat(chat.0), version);
                self.tell_where_it_stands(chat, outbox);
            }
            self.unwatch_chats(outside, outbox);
        }
    }

    /// The versions of those of some chats that somebody is in.
    async fn where_they_stand(&self, user: UserId, chats: &[ChatId]) -> Result<Vec<(ChatId, Version)>> {
        let asks = chats.iter().map(|chat| self.entered.ask(Reader { chat: *chat, user }));
        let versions = try_join_all(asks).await?;
        Ok(chats.iter().copied().zip(versions).filter_map(|(chat, version)| Some((chat, version?))).collect())
    }
}

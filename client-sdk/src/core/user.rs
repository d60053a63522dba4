//! What belongs to the user: which chats, in which role, read how far; missed calls; what the user has set. It follows the same
//! version rule as chats.

use std::collections::{BTreeMap, HashSet};

use chapar_protocol::{ChatId, Item, MyChat, OwnItem, UserDelta, Version, item::Kept};
use serde::{Deserialize, Serialize};

/// The user's own things.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// The per-user version that all of this is at.
    pub version: Version,
    /// The chats that the user is in.
    pub chats: BTreeMap<ChatId, MyChat>,
    /// Calls missed and not looked at yet.
    #[serde(default)]
    pub missed_calls: u32,
    /// What the user has set, by kind and key.
    #[serde(default)]
    items: BTreeMap<String, Kept>,
}

/// What a user delta changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Moved {
    /// Chats joined or changed.
    pub(crate) changed: Vec<ChatId>,
    /// Chats that the user is no longer in.
    pub(crate) gone: Vec<ChatId>,
    /// The counter of missed calls is another one.
    pub(crate) missed_calls: bool,
    /// What the user has set or taken back, on whatever device.
    pub(crate) items: Vec<OwnItem>,
}

fn place(kind: &str, key: &str) -> String {
    format!("{kind} {key}")
}

impl Own {
    /// At a version, with these chats.
    #[cfg(test)]
    pub(crate) fn at(version: Version, chats: BTreeMap<ChatId, MyChat>) -> Self {
        Self { version, chats, ..Self::default() }
    }

    /// All that the user has set.
    pub fn items(&self) -> impl Iterator<Item = &OwnItem> {
        self.items.values().map(|kept| &kept.item)
    }

    /// What the user has set under a kind and a key.
    pub fn item(&self, kind: &str, key: &str) -> Option<&OwnItem> {
        self.items.get(&place(kind, key)).map(|kept| &kept.item)
    }

    /// Applies a delta that fits.
    pub(crate) fn apply(&mut self, delta: UserDelta) -> Moved {
        let mut moved = Moved::default();
        let missed_before = self.missed_calls;
        if delta.from == Version(0) {
            self.begin_anew(&delta, &mut moved);
        }
        for item in delta.items {
            match item {
                Item::Chat(mine) => self.take_chat(mine, &mut moved),
                Item::MissedCalls(missed) => self.missed_calls = missed.count,
                Item::Own(kept) => self.take_item(kept, &mut moved),
            }
        }
        for chat_id in &moved.gone {
            self.chats.remove(chat_id);
        }
        moved.missed_calls = self.missed_calls != missed_before;
        self.version = self.version.max(delta.version);
        moved
    }

    fn take_chat(&mut self, mine: MyChat, moved: &mut Moved) {
        let chat_id = mine.chat_id;
        if self.chats.get(&chat_id).is_some_and(|known| known.version >= mine.version) {
            return;
        }
        if mine.role.is_none() {
            moved.gone.push(chat_id);
        } else {
            self.chats.insert(chat_id, mine);
            moved.changed.push(chat_id);
        }
    }

    /// Kinds that are not known here are passed over.
    fn take_item(&mut self, kept: Kept, moved: &mut Moved) {
        let Some(kind) = kept.item.kind() else { return };
        let place = place(kind, &kept.item.key());
        let known = self.items.get(&place);
        if known.is_some_and(|known| known.version >= kept.version) {
            return;
        }
        moved.items.push(kept.item.clone());
        if kept.item.is_taken_back() {
            self.items.remove(&place);
        } else {
            self.items.insert(place, kept);
        }
    }

    /// From nothing: what is not named was taken back, or comes with the next page. Chats that were left are named, unless the
    /// client has another history than the server.
    fn begin_anew(&mut self, delta: &UserDelta, moved: &mut Moved) {
        if !delta.more {
            let named: HashSet<ChatId> = delta.items.iter().filter_map(Item::chat).map(|mine| mine.chat_id).collect();
            moved.gone.extend(self.chats.keys().filter(|chat_id| !named.contains(chat_id)));
        }
        self.missed_calls = 0;
        let set = |item: &Item| match item {
            Item::Own(kept) => kept.item.kind().map(|kind| place(kind, &kept.item.key())),
            Item::Chat(_) | Item::MissedCalls(_) => None,
        };
        let named: HashSet<String> = delta.items.iter().filter_map(set).collect();
        let gone: Vec<String> = self.items.keys().filter(|place| !named.contains(*place)).cloned().collect();
        for place in gone {
            if let Some(kept) = self.items.remove(&place) {
                moved.items.push(kept.item.taken_back());
            }
        }
    }
}

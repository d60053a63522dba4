//! What belongs to the user: which chats, in which role, read how far. It follows the same version rule as chats.

use std::collections::BTreeMap;

use chapar_protocol::{ChatId, MyChat, UserDelta, Version};
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
}

impl Own {
    /// Applies a delta that fits.
    pub(crate) fn apply(&mut self, delta: UserDelta) -> Moved {
        let mut moved = Moved::default();
        if delta.from == Version(0) && !delta.more {
            // From nothing it is everything: what it does not name is no longer there.
            let named = |chat_id: &ChatId| delta.chats.iter().any(|mine| mine.chat_id == *chat_id);
            moved.gone.extend(self.chats.keys().filter(|chat_id| !named(chat_id)));
        }
        let everything = (delta.from == Version(0)).then_some(0);
        if let Some(missed) = delta.missed_calls.or(everything) {
            moved.missed_calls = self.missed_calls != missed;
            self.missed_calls = missed;
        }
        for mine in delta.chats {
            let chat_id = mine.chat_id;
            if self.chats.get(&chat_id).is_some_and(|known| known.version >= mine.version) {
                continue;
            }
            if mine.role.is_none() {
                moved.gone.push(chat_id);
            } else {
                self.chats.insert(chat_id, mine);
                moved.changed.push(chat_id);
            }
        }
        for chat_id in &moved.gone {
            self.chats.remove(chat_id);
        }
        self.version = self.version.max(delta.version);
        moved
    }
}

//! What survives the process.

use std::{collections::BTreeMap, sync::Arc};

use chapar_protocol::{ChatId, Epoch, User};
use serde::{Deserialize, Serialize};

use super::{chat::Chat, outbox::OutboxItem, user::Own};

/// What a store gives back when a client starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Whose it is. A client with another user's token refuses to start, so that nobody's messages go out in another's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<User>,
    /// The messages that are not known to be stored by the server, in their order.
    pub outbox: Vec<OutboxItem>,
    /// The cursors and what is at them. Without it the client begins with snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// The cursors and what is at them: they are only good together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The histories that the versions belong to.
    #[serde(default)]
    pub epochs: Vec<Epoch>,
    /// The user's own things.
    pub own: Own,
    /// The chats.
    #[serde(with = "shared")]
    pub chats: BTreeMap<ChatId, Arc<Chat>>,
}

/// Chats as a store writes and reads them: it need not know that they are shared.
mod shared {
    use std::{collections::BTreeMap, sync::Arc};

    use chapar_protocol::ChatId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Chat;

    pub(super) fn serialize<S: Serializer>(chats: &BTreeMap<ChatId, Arc<Chat>>, into: S) -> Result<S::Ok, S::Error> {
        let chats: BTreeMap<_, &Chat> = chats.iter().map(|(id, chat)| (id, chat.as_ref())).collect();
        chats.serialize(into)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<ChatId, Arc<Chat>>, D::Error> {
        let chats = BTreeMap::<ChatId, Chat>::deserialize(from)?;
        Ok(chats.into_iter().map(|(id, chat)| (id, Arc::new(chat))).collect())
    }
}

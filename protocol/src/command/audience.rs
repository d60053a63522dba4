use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq, UserId};

/// Somebody who has reacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Reactor {
    /// Who.
    pub user_id: UserId,
    /// How.
    pub emoji: String,
}

params! {
    /// Who has reacted to a message of a direct chat or a group, by user id. Readers of a channel do not learn of each other.
    GetReactions {
        /// Where.
        chat_id: ChatId,
        /// To which message.
        seq: Seq,
        /// Only with this reaction; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        emoji: Option<String>,
        /// What the last page said; absent for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// The answer to [`GetReactions`].
    Reactors {
        /// At most 200. There may be none although more follow.
        reactions: Vec<Reactor>,
        /// Ask again with it; absent at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// Who has read a message, in a group of at most 100.
    GetReaders {
        /// Where.
        chat_id: ChatId,
        /// Which message.
        seq: Seq,
    }
    /// The answer to [`GetReaders`].
    Readers {
        /// By user id, without whoever wrote it.
        user_ids: Vec<UserId>,
    }
}

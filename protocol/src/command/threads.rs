use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq};

params! {
    /// Has the posts of a channel discussed in a group, or no longer. For those who are owner or admin of both and may change what stands above
    /// them; to end it, of one of the two.
    SetDiscussion {
        /// The channel; to end it also the group.
        chat_id: ChatId,
        /// The group; absent to end it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        group_id: Option<ChatId>,
    }
    /// Joins the group in which the posts of a channel are discussed. For those who are in the channel.
    JoinDiscussion {
        /// The channel.
        chat_id: ChatId,
    }
    /// A page of a thread around a place, the message with which it begins among them: as [`History`](crate::command::History), with holes.
    GetThread {
        /// Where.
        chat_id: ChatId,
        /// The message with which it begins.
        root: Seq,
        /// The place. A number beyond the end means the end.
        seq: Seq,
        /// How many older ones, 0 to 200.
        before: u32,
        /// How many from the place on, 0 to 200; together at most 200.
        after: u32,
    }
}

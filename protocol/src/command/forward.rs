use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{ChatId, Seq};

params! {
    /// Sends messages of one chat on into a chat: all of them, one after the other and in one change, or none. A retry with the same client
    /// ids and places returns those that exist, also when the originals are gone.
    Forward {
        /// Where to.
        chat_id: ChatId,
        /// Where they stand. It may be the same chat.
        from: ChatId,
        /// 1 to 30, in the order in which they are to stand.
        messages: Vec<ForwardedItem>,
        /// Does not say where they come from.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(as = "Option<bool>", optional)]
        hide_origin: bool,
    }
    /// A message to be forwarded.
    ForwardedItem {
        /// Made by the client, new for each message, the same for each retry of it.
        client_id: Uuid,
        /// Its place where it stands.
        seq: Seq,
    }
}

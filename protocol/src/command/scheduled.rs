use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use super::Send;
use crate::{ChatId, ErrorCode, Timestamp, media::is_false, message::NewBody};

params! {
    /// Has a message sent later, by the server. Again under the same client id: it stands as said last. When its time comes it is sent as if
    /// its writer sent it then, and what is refused then is kept, and says why.
    Schedule {
        /// The message.
        message: Send,
        /// When, at most 366 days ahead. A time that is over means at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        at: Option<Timestamp>,
        /// In a direct chat instead of a time: when the other one is online, which one must be allowed to see.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        when_online: bool,
    }
    /// Changes a message that is still to be sent: what it says, its time, or both. One that was refused is tried again at its new time.
    EditScheduled {
        /// Its client id.
        client_id: Uuid,
        /// Another body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        body: Option<NewBody>,
        /// Another time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        at: Option<Timestamp>,
        /// Instead of a time: when the other one is online.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        when_online: bool,
    }
    /// Has messages sent now that were to be sent later.
    SendScheduled {
        /// Their client ids, at most 100. Those that there are not are passed over.
        client_ids: Vec<Uuid>,
    }
    /// Takes messages back that were to be sent later.
    DeleteScheduled {
        /// Their client ids, at most 100. Those that there are not are passed over.
        client_ids: Vec<Uuid>,
    }
    /// The own messages of a chat that are still to be sent.
    GetScheduled {
        /// Which chat.
        chat_id: ChatId,
    }
    /// The answer to [`GetScheduled`].
    ScheduledMessages {
        /// The one that is sent first stands first; those without a time at the end.
        messages: Vec<ScheduledMessage>,
        /// There are more, which did not fit.
        #[serde(default, skip_serializing_if = "is_false")]
        #[ts(as = "Option<bool>", optional)]
        more: bool,
    }
}

/// A message that is still to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ScheduledMessage {
    /// As it will be sent.
    pub message: Send,
    /// When; absent: when the other one is online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub at: Option<Timestamp>,
    /// Its time came, and it was refused: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub failed: Option<ErrorCode>,
}

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq};

params! {
    /// Pins a message: it is shown above the others to all. In a direct chat for both, else for those who may `pin`.
    PinMessage {
        /// Where.
        chat_id: ChatId,
        /// Which. One that is pinned already stays where it is.
        seq: Seq,
    }
    /// Takes a pin back.
    UnpinMessage {
        /// Where.
        chat_id: ChatId,
        /// Which.
        seq: Seq,
    }
    /// Takes all pins back.
    UnpinAll {
        /// Where.
        chat_id: ChatId,
    }
}

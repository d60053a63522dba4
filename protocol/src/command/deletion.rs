use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq};

params! {
    /// Deletes a message for all, leaving a tombstone. One's own, or as owner or admin of a group or channel anybody's.
    Delete {
        /// Where.
        chat_id: ChatId,
        /// Which.
        seq: Seq,
    }
    /// Deletes messages for all, as `delete` does with one: all of them, or none.
    DeleteMessages {
        /// Where.
        chat_id: ChatId,
        /// 1 to 100, none twice.
        seqs: Vec<Seq>,
    }
    /// Hides messages from oneself, whoever wrote them, on all own devices: they stand in the item `hidden`. Others see them as before.
    HideMessages {
        /// Where.
        chat_id: ChatId,
        /// 1 to 100.
        seqs: Vec<Seq>,
    }
}

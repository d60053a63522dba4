use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, SettingsChange};

params! {
    /// Changes settings of a chat. For admins who may `change_info`; in a direct chat either of the two sets `delete_after`, and nothing else.
    /// What is named is set, what is absent stays.
    SetChatSettings {
        /// Where.
        chat_id: ChatId,
        /// What.
        #[serde(flatten)]
        change: SettingsChange,
    }
}

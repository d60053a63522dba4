use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, SettingsChange, admin_log::AdminLogEntry};

params! {
    /// Says how long somebody who is no admin waits between two posts in a group. For those who may remove.
    SetSlowMode {
        /// Where.
        chat_id: ChatId,
        /// 0 to 86,400; 0: not at all.
        seconds: u32,
    }
    /// What was done in a group or channel by those who may, the latest first, for 30 days. For owners and admins.
    GetAdminLog {
        /// Where.
        chat_id: ChatId,
        /// Only what stands before this one; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        before: Option<i64>,
    }
    /// The answer to [`GetAdminLog`].
    AdminLog {
        /// The latest first, at most 100.
        entries: Vec<AdminLogEntry>,
        /// Whether there are more.
        more: bool,
    }
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

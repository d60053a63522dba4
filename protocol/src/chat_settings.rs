//! What admins have set of a chat.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::media::is_false;

/// What is set of a chat, as all in it see it. Nothing is, where nobody has set anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ChatSettings {
    /// Nothing of it is forwarded: the server refuses, and clients offer neither to copy nor to save.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub no_forwarding: bool,
    /// In a group: whoever comes in from now on sees only what follows.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub hidden_history: bool,
    /// Seconds after which new messages are deleted for all; 0: never.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub delete_after: u32,
    /// In a channel: new posts are signed with their authors' names.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub signed: bool,
}

impl ChatSettings {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These with a change, and what of the change is one: what is set so already is none.
    #[must_use]
    pub fn changed(self, change: SettingsChange) -> (Self, SettingsChange) {
        let SettingsChange { no_forwarding, hidden_history, delete_after, signed } = change;
        let change = SettingsChange {
            no_forwarding: no_forwarding.filter(|it| *it != self.no_forwarding),
            hidden_history: hidden_history.filter(|it| *it != self.hidden_history),
            delete_after: delete_after.filter(|it| *it != self.delete_after),
            signed: signed.filter(|it| *it != self.signed),
        };
        let changed = Self {
            no_forwarding: change.no_forwarding.unwrap_or(self.no_forwarding),
            hidden_history: change.hidden_history.unwrap_or(self.hidden_history),
            delete_after: change.delete_after.unwrap_or(self.delete_after),
            signed: change.signed.unwrap_or(self.signed),
        };
        (changed, change)
    }
}

/// Other settings of a chat; what is absent stays as it is, so that two admins who change different ones do not undo each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct SettingsChange {
    /// Nothing is forwarded. In groups and channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub no_forwarding: Option<bool>,
    /// Whoever comes in from now on sees only what follows. In groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hidden_history: Option<bool>,
    /// Seconds after which new messages are deleted for all, 5 to 31,622,400; 0: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub delete_after: Option<u32>,
    /// New posts are signed. In channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub signed: Option<bool>,
}

impl SettingsChange {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_so_already_is_no_change_and_what_is_absent_stays() {
        let on = ChatSettings { no_forwarding: true, ..ChatSettings::default() };
        let wish =
            SettingsChange { no_forwarding: Some(true), delete_after: Some(86_400), ..SettingsChange::default() };
        let (changed, change) = on.changed(wish);
        assert_eq!(changed, ChatSettings { no_forwarding: true, delete_after: 86_400, ..on });
        assert_eq!(change, SettingsChange { delete_after: Some(86_400), ..SettingsChange::default() });
        assert!(changed.changed(wish).1.is_empty());
    }

    #[test]
    fn nothing_set_takes_no_room() {
        assert_eq!(serde_json::to_string(&ChatSettings::default()).expect("serialises"), "{}");
    }
}

//! Folders: some chats under a name, by what they are called and by rules.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::refuse;
use crate::{ChatId, ErrorCode, WireError, limit, media::is_false, text};

/// See [`OwnItem::Folder`](super::OwnItem::Folder). Which chats are in it says [`Folder::holds`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Folder {
    /// 1 to 128 characters.
    pub name: String,
    /// The emoji that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub icon: Option<String>,
    /// The lowest stands first.
    pub order: u32,
    /// Chats that are in it whatever else holds, at most 200.
    pub chats: Vec<ChatId>,
    /// All chats of these kinds are in it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<FolderKind>>", optional)]
    pub kinds: Vec<FolderKind>,
    /// Of those by their kind only the ones in which something is unread.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub unread: bool,
    /// Of those by their kind only the ones that are not muted.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub unmuted: bool,
    /// Chats that are never in it, at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ChatId>>", optional)]
    pub without: Vec<ChatId>,
}

/// A kind of chats, as a folder tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum FolderKind {
    /// With somebody who is a contact.
    Contacts,
    /// With somebody who is none.
    Others,
    /// Groups.
    Groups,
    /// Channels.
    Channels,
}

/// What a folder asks of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderChat {
    /// Which chat.
    pub id: ChatId,
    /// Absent for the chat with oneself, which is in a folder only where that names it.
    #[serde(default)]
    pub kind: Option<FolderKind>,
    /// Something in it is unread.
    #[serde(default)]
    pub unread: bool,
    /// It is muted now.
    #[serde(default)]
    pub muted: bool,
    /// It is in the archive.
    #[serde(default)]
    pub archived: bool,
}

impl Folder {
    /// Whether a chat is in it. What it names counts more than any rule, and what is archived is in it only where it is named.
    pub fn holds(&self, chat: &FolderChat) -> bool {
        if self.without.contains(&chat.id) {
            return false;
        }
        let by_kind = || chat.kind.is_some_and(|kind| self.kinds.contains(&kind));
        let by_rule = || {
            let (too_quiet, too_read) = (self.unmuted && chat.muted, self.unread && !chat.unread);
            !(chat.archived || too_quiet || too_read)
        };
        self.chats.contains(&chat.id) || by_kind() && by_rule()
    }
}

/// Checks what somebody wants to set, and puts it into the form in which it is kept.
pub(super) fn check(mut folder: Folder) -> Result<Folder, WireError> {
    if folder.chats.len().max(folder.without.len()) > limit::FOLDER_CHATS {
        return refuse(ErrorCode::TooLarge, "a folder names at most 200 chats, and as many that are never in it");
    }
    let mut kinds = HashSet::new();
    folder.kinds.retain(|kind| kinds.insert(*kind));
    folder.name = text::check_title(&folder.name)?;
    folder.icon = folder.icon.as_deref().map(text::check_reaction).transpose()?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_chats_are_in_a_folder() {
        #[derive(Deserialize)]
        struct Case {
            title: String,
            folder: Folder,
            chat: FolderChat,
            holds: bool,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../vectors/folders/holds.json")).expect("is the list of cases");
        for case in cases {
            assert_eq!(case.folder.holds(&case.chat), case.holds, "{}", case.title);
        }
    }
}

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Sent;
use crate::{
    ChatId, Seq, Timestamp,
    media::{AlbumItem, FileAt, FileId, FileLink},
};

params! {
    /// Sends some messages that belong together: all of them, one after the other and in one change, or none. A retry with the same client
    /// ids and content returns those that exist.
    SendAlbum {
        /// Where.
        chat_id: ChatId,
        /// 2 to 10: photos and videos, or music, or documents.
        items: Vec<AlbumItem>,
        /// The message that they answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reply_to: Option<Seq>,
        /// They make no sound at the others' and are not notified of.
        #[serde(default, skip_serializing_if = "crate::media::is_false")]
        #[ts(as = "Option<bool>", optional)]
        silent: bool,
    }
    /// The answer to [`SendAlbum`] and [`Forward`](super::Forward).
    SentAlbum {
        /// For each item, in their order.
        sent: Vec<Sent>,
    }
    /// Changes the own picture, or takes it away. Others see it when they ask next.
    SetAvatar {
        /// A file of one's own of the kind `avatar`; absent to have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        file_id: Option<FileId>,
    }
    /// How far a file of one's own has come.
    GetFile {
        /// Which.
        file_id: FileId,
    }
    /// Where some files of one chat's messages are to be had for a while.
    GetLinks {
        /// Where.
        chat_id: ChatId,
        /// At most 100.
        files: Vec<FileAt>,
    }
    /// The answer to [`GetLinks`].
    Links {
        /// For each file one for the original and one for each size. What the asking user may not read is left out.
        links: Vec<FileLink>,
        /// Until when they open.
        expires_at: Timestamp,
    }
}

//! Packs of stickers. Whoever knows the id of a pack can look at it, add it, and send its stickers without an upload of their own.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{ErrorCode, FileId, WireError, limit, media::is_false, text};

/// A pack: a random UUID, made by the client. Who knows it can read the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(transparent)]
#[ts(type = "string")]
pub struct PackId(pub Uuid);

impl std::fmt::Display for PackId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A sticker as the owner of a pack puts it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct NewPackSticker {
    /// A file of one's own of the kind `sticker`.
    pub file_id: FileId,
    /// The emoji that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub emoji: Option<String>,
}

/// A sticker of a pack. Its picture is at `/files/sticker/<file_id>`, for everybody who knows the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct PackSticker {
    /// Its file, which messages that show it name too.
    pub file_id: FileId,
    /// The emoji that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub emoji: Option<String>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// It moves.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub animated: bool,
    /// What is shown until it has come: a thumbhash of at most 40 bytes, in base64 without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preview: Option<String>,
}

/// Some stickers under a title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct StickerPack {
    /// Which.
    pub id: PackId,
    /// What it is called.
    pub title: String,
    /// The asking user has made it, and can change it. Whose a pack of others is nobody learns.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub own: bool,
    /// In their order, 1 to 120.
    pub stickers: Vec<PackSticker>,
}

/// A pack that the asking user has made, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct OwnPack {
    /// Which.
    pub id: PackId,
    /// What it is called.
    pub title: String,
    /// How many stickers it has.
    pub count: u32,
}

fn refuse<T>(code: ErrorCode, message: &str) -> Result<T, WireError> {
    Err(WireError::new(code, message))
}

/// Checks what an owner says of a pack, and puts it into the form in which it is stored.
///
/// # Errors
/// [`ErrorCode::BadRequest`] for no sticker, or one twice, [`ErrorCode::TooLarge`] for more than 120; those of titles and reactions.
pub fn check_pack(title: &str, stickers: Vec<NewPackSticker>) -> Result<(String, Vec<NewPackSticker>), WireError> {
    let title = text::check_title(title)?;
    if stickers.is_empty() {
        return refuse(ErrorCode::BadRequest, "a pack has a sticker at least: one that is not wanted is deleted");
    }
    if stickers.len() > limit::PACK_STICKERS {
        return refuse(ErrorCode::TooLarge, "a pack has at most 120 stickers");
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(stickers.len());
    for NewPackSticker { file_id, emoji } in stickers {
        if !seen.insert(file_id) {
            return refuse(ErrorCode::BadRequest, "a sticker stands in a pack once");
        }
        let emoji = emoji.as_deref().map(text::check_reaction).transpose()?;
        checked.push(NewPackSticker { file_id, emoji });
    }
    Ok((title, checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stickers(count: u128) -> Vec<NewPackSticker> {
        (0..count).map(|n| NewPackSticker { file_id: FileId(Uuid::from_u128(n)), emoji: Some("❤".into()) }).collect()
    }

    #[test]
    fn a_pack_has_a_title_and_some_stickers_none_twice() {
        let (title, kept) = check_pack(" گربه\u{202E} ", stickers(120)).expect("fits");
        assert_eq!((title.as_str(), kept.len()), ("گربه", 120));
        assert_eq!(kept[0].emoji.as_deref(), Some("❤️"));
        let code = |title: &str, stickers| check_pack(title, stickers).expect_err("refused").code;
        assert_eq!(code("a", stickers(0)), ErrorCode::BadRequest);
        assert_eq!(code("a", stickers(121)), ErrorCode::TooLarge);
        assert_eq!(code(" ", stickers(1)), ErrorCode::BadTitle);
        assert_eq!(code("a", [stickers(1), stickers(1)].concat()), ErrorCode::BadRequest);
        let word = NewPackSticker { emoji: Some("cat".into()), ..stickers(1).remove(0) };
        assert_eq!(code("a", vec![word]), ErrorCode::BadReaction);
    }

    #[test]
    fn the_longest_packs_fit_into_one_answer() {
        let sticker = PackSticker {
            file_id: FileId(Uuid::max()),
            emoji: Some("x".repeat(limit::REACTION_BYTES)),
            width: 65_535,
            height: 65_535,
            animated: true,
            preview: Some("x".repeat(limit::PREVIEW_BYTES.div_ceil(3) * 4)),
        };
        let pack = StickerPack {
            id: PackId(Uuid::max()),
            title: "\u{1F600}".repeat(limit::TITLE_CHARS),
            own: true,
            stickers: vec![sticker; limit::PACK_STICKERS],
        };
        let bytes = serde_json::to_string(&pack).expect("serialises").len() * limit::PACKS_PER_COMMAND;
        assert!(bytes + 1000 < limit::ANSWER_BYTES, "{bytes}");
    }
}

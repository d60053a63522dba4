//! What belongs to one person, as one versioned list of small items: chats and how far they are read, missed calls, and what the
//! person sets: mutes, pins, drafts, folders, an archive, contacts, blocks, settings, stickers.
//!
//! Every item carries the per-user version of its last change. A client passes over kinds that it does not know, and takes the
//! version all the same.

mod entry;
mod folder;
mod hidden;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{
    ChatId, ErrorCode, FileId, MyChat, PackId, Seq, Timestamp, UserId, Version, WireError, limit, media::is_false,
    message::Text, text,
};

pub use entry::{AskedToJoin, ToldRemoval};
pub use folder::{Folder, FolderChat, FolderKind};
pub use hidden::Hidden;

/// One of a person's own things, in its final state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// A chat of the person's list.
    Chat(MyChat),
    /// The counter of missed calls.
    MissedCalls(MissedCalls),
    /// What the person has set.
    #[serde(untagged)]
    Own(Kept),
}

impl Item {
    /// The per-user version at which it last changed.
    pub fn version(&self) -> Version {
        match self {
            Self::Chat(mine) => mine.version,
            Self::MissedCalls(missed) => missed.version,
            Self::Own(kept) => kept.version,
        }
    }

    /// The chat that it is about, when it is a line of the list of chats.
    pub fn chat(&self) -> Option<&MyChat> {
        if let Self::Chat(mine) = self { Some(mine) } else { None }
    }
}

/// Calls missed and not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct MissedCalls {
    /// The per-user version at which the counter last changed.
    pub version: Version,
    /// How many.
    pub count: u32,
}

/// What a person has set, with its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Kept {
    /// The per-user version at which it was set, or taken back.
    pub version: Version,
    /// What.
    #[serde(flatten)]
    pub item: OwnItem,
}

/// A bound on the items of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Which kind.
    pub kind: &'static str,
    /// How many a person may have.
    pub most: usize,
    /// Bytes of each one's value as JSON.
    pub bytes: usize,
}

macro_rules! own_items {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, most $most:literal, bytes $bytes:expr, {
        $(#[$key_doc:meta])* $key:ident: $key_type:ty, $value:ty
    })+) => {
        /// What a person can set (`set_items`): a kind, a key, and a value; without a value it is taken back.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum OwnItem {
            $($(#[$doc])* $name {
                $(#[$key_doc])*
                $key: $key_type,
                /// What is kept; absent: nothing any more.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[ts(optional)]
                value: Option<$value>,
            },)+
            /// A kind that this version of the protocol does not know, whole.
            #[serde(untagged)]
            Unknown(#[ts(type = "{ kind: string } & Record<string, unknown>")] serde_json::Map<String, serde_json::Value>),
        }

        /// The bounds of each kind.
        pub const BOUNDS: &[Bound] = &[$(Bound { kind: $kind, most: $most, bytes: $bytes }),+];

        impl OwnItem {
            /// The name of its kind; absent for one that is not known.
            pub fn kind(&self) -> Option<&'static str> {
                match self {
                    $(Self::$name { .. } => Some($kind),)+
                    Self::Unknown(_) => None,
                }
            }

            /// What tells it from others of its kind.
            pub fn key(&self) -> String {
                match self {
                    $(Self::$name { $key, .. } => $key.to_string(),)+
                    Self::Unknown(_) => String::new(),
                }
            }

            /// Its value as JSON; absent when it is taken back.
            pub fn value_json(&self) -> Option<String> {
                match self {
                    $(Self::$name { value, .. } => value.as_ref().and_then(|it| serde_json::to_string(it).ok()),)+
                    Self::Unknown(_) => None,
                }
            }

            /// Whether it says that there is nothing any more.
            pub fn is_taken_back(&self) -> bool {
                match self {
                    $(Self::$name { value, .. } => value.is_none(),)+
                    Self::Unknown(_) => false,
                }
            }

            /// The same without its value.
            #[must_use]
            pub fn taken_back(self) -> Self {
                match self {
                    $(Self::$name { $key, .. } => Self::$name { $key, value: None },)+
                    Self::Unknown(it) => Self::Unknown(it),
                }
            }

            /// The same again from its three parts; `None` when they do not fit.
            pub fn of_parts(kind: &str, key: &str, value: Option<&str>) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$name {
                        $key: key.parse::<<$key_type as Key>::Parsed>().ok().map(<$key_type as Key>::of)?,
                        value: value.map(serde_json::from_str).transpose().ok()?,
                    }),)+
                    _ => None,
                }
            }
        }
    };
}

/// What tells items of a kind apart.
trait Key {
    type Parsed: std::str::FromStr;
    fn of(parsed: Self::Parsed) -> Self;
}

macro_rules! keys {
    ($($name:ty, $parsed:ty, $of:expr;)+) => {$(impl Key for $name {
        type Parsed = $parsed;
        fn of(parsed: $parsed) -> Self {
            $of(parsed)
        }
    })+};
}

keys! {
    ChatId, i64, ChatId;
    UserId, i64, UserId;
    Uuid, Uuid, std::convert::identity;
    FileId, Uuid, FileId;
    PackId, Uuid, PackId;
    String, String, std::convert::identity;
}

own_items! {
    /// A chat that makes no sound.
    Mute = "mute", most 4000, bytes 256, {
        /// Which chat.
        chat_id: ChatId, Mute
    }
    /// A chat that stands above the others.
    Pin = "pin", most 200, bytes 256, {
        /// Which chat.
        chat_id: ChatId, Pin
    }
    /// What the person was writing.
    Draft = "draft", most 500, bytes limit::BODY_BYTES, {
        /// In which chat.
        chat_id: ChatId, Draft
    }
    /// Some chats under a name.
    Folder = "folder", most 20, bytes 8192, {
        /// Made by the client.
        id: Uuid, Folder
    }
    /// A chat that is put away: it stands apart from the list of chats, until this is taken back.
    Archive = "archive", most 4000, bytes 256, {
        /// Which chat.
        chat_id: ChatId, Archive
    }
    /// Messages of the person that are still to be sent in a chat (`get_scheduled`). The server's own: it cannot be set.
    Scheduled = "scheduled", most 500, bytes 256, {
        /// In which chat.
        chat_id: ChatId, Scheduled
    }
    /// Somebody whom the person knows. Contacts may do what `known` allows.
    Contact = "contact", most 5000, bytes 1024, {
        /// Whom.
        user_id: UserId, Contact
    }
    /// Somebody who cannot write to the person, call, add them to chats, or see when they are there.
    Block = "block", most 5000, bytes 256, {
        /// Whom.
        user_id: UserId, Block
    }
    /// A setting. `who_may_write`, `who_may_call`, `who_may_add` and `who_may_see` have an [`Audience`] as value; names that
    /// begin with `app_` are the clients' own.
    Setting = "setting", most 100, bytes 1024, {
        /// Which.
        name: String, String
    }
    /// A pack of stickers that stands in the person's list. It may have been deleted since.
    StickerPack = "sticker_pack", most 100, bytes 256, {
        /// Which pack.
        pack_id: PackId, AddedPack
    }
    /// A sticker that the person wants at hand. Its pack may have been deleted since.
    FavoriteSticker = "favorite_sticker", most 200, bytes 256, {
        /// Which.
        file_id: FileId, KeptSticker
    }
    /// A sticker that the person has sent lately. Clients show 30 of them, and take back what is older.
    RecentSticker = "recent_sticker", most 60, bytes 256, {
        /// Which.
        file_id: FileId, KeptSticker
    }
    /// The person has asked to be let into a chat. The server sets it, and says so when they were declined; once they are in, or have seen
    /// it, clients take it back.
    JoinRequest = "join_request", most 100, bytes 1024, {
        /// Which chat.
        chat_id: ChatId, AskedToJoin
    }
    /// The person was removed from a chat, and told why. The server sets it; clients take it back once it was seen.
    Removed = "removed", most 100, bytes 2048, {
        /// Which chat.
        chat_id: ChatId, ToldRemoval
    }
    /// Messages of a chat that the person has deleted for themselves (`hide_messages`): clients show nothing of them. The server sets it;
    /// taken back, they are shown again.
    Hidden = "hidden", most 1000, bytes 16384, {
        /// Which chat.
        chat_id: ChatId, Hidden
    }
}

/// See [`OwnItem::Mute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Mute {
    /// Until when; absent: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub until: Option<Timestamp>,
    /// Mentions and answers to one's own messages make a sound all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub mentions: bool,
}

/// See [`OwnItem::Pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Pin {
    /// The lowest stands first.
    pub order: u32,
}

/// See [`OwnItem::Draft`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Draft {
    /// As in a message.
    pub text: Text,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reply_to: Option<Seq>,
}

/// See [`OwnItem::Archive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Archive {}

/// See [`OwnItem::Scheduled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Scheduled {
    /// How many.
    pub count: u32,
    /// Of these, how many were refused when their time came.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub failed: u32,
    /// When something of them changed last: whoever shows them asks anew.
    pub changed_at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde gives it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// See [`OwnItem::Contact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Contact {
    /// The own name for them, 1 to 128 characters; absent: the name that they gave themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
}

/// See [`OwnItem::StickerPack`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct AddedPack {
    /// The lowest stands first.
    pub order: u32,
}

/// See [`OwnItem::FavoriteSticker`] and [`OwnItem::RecentSticker`]: the latest stands first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct KeptSticker {
    /// The pack that it is of.
    pub pack_id: PackId,
    /// The emoji that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub emoji: Option<String>,
    /// It moves.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub animated: bool,
    /// When it was kept or sent.
    pub at: Timestamp,
}

/// See [`OwnItem::Block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Block {}

/// To whom a person allows something. Who is blocked is allowed nothing, and who is a stranger no more than strangers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody. So it is unless it is set.
    #[default]
    Everybody,
    /// Contacts, and those with whom the person shares a chat: a group, or a direct chat that the person has answered.
    Known,
    /// Nobody.
    Nobody,
}

impl Audience {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Known => "known",
            Self::Nobody => "nobody",
        }
    }

    /// By its name on the wire.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Everybody, Self::Known, Self::Nobody].into_iter().find(|it| it.name() == name)
    }

    /// Whether somebody is allowed it, whom the person knows or not.
    pub fn allows(self, known: bool) -> bool {
        match self {
            Self::Everybody => true,
            Self::Known => known,
            Self::Nobody => false,
        }
    }
}

/// The settings that say who may do something.
pub const WHO_MAY: [&str; 4] = [WHO_MAY_WRITE, WHO_MAY_CALL, WHO_MAY_ADD, WHO_MAY_SEE];
/// Who may begin a direct chat.
pub const WHO_MAY_WRITE: &str = "who_may_write";
/// Who may call.
pub const WHO_MAY_CALL: &str = "who_may_call";
/// Who may bring the person into groups and channels.
pub const WHO_MAY_ADD: &str = "who_may_add";
/// Who may see whether the person is there, and when they last were.
pub const WHO_MAY_SEE: &str = "who_may_see";

fn refuse<T>(code: ErrorCode, message: &str) -> Result<T, WireError> {
    Err(WireError::new(code, message))
}

/// Checks one item that a person `me` wants to set, and puts it into the form in which it is kept.
///
/// # Errors
/// [`ErrorCode::UnknownKind`]; [`ErrorCode::BadRequest`] for a key or a value that does not fit, [`ErrorCode::TooLarge`] for
/// one of too many bytes; for drafts and names as messages and names are refused.
pub fn check(me: UserId, item: OwnItem) -> Result<OwnItem, WireError> {
    let item = match item {
        OwnItem::Unknown(it) => {
            let kind = it.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
            return if BOUNDS.iter().any(|bound| bound.kind == kind) {
                refuse(ErrorCode::BadRequest, "the key or the value does not fit the kind of the item")
            } else {
                refuse(ErrorCode::UnknownKind, "items of this kind cannot be set")
            };
        }
        // What the server says of it is not for others to say.
        OwnItem::JoinRequest { value: Some(_), .. }
        | OwnItem::Removed { value: Some(_), .. }
        | OwnItem::Hidden { value: Some(_), .. } => {
            return refuse(ErrorCode::UnknownKind, "this is set by the server; it can be taken back");
        }
        OwnItem::Scheduled { .. } => return refuse(ErrorCode::UnknownKind, "items of this kind cannot be set"),
        OwnItem::Mute { chat_id, .. }
        | OwnItem::Pin { chat_id, .. }
        | OwnItem::Draft { chat_id, .. }
        | OwnItem::Archive { chat_id, .. }
        | OwnItem::JoinRequest { chat_id, .. }
        | OwnItem::Removed { chat_id, .. }
        | OwnItem::Hidden { chat_id, .. }
            if chat_id.0 < 1 =>
        {
            return refuse(ErrorCode::BadRequest, "no chat has this id");
        }
        OwnItem::Contact { user_id, .. } | OwnItem::Block { user_id, .. } if user_id.0 < 1 || user_id == me => {
            return refuse(ErrorCode::BadRequest, "a contact or a block is somebody else");
        }
        OwnItem::Draft { chat_id, value: Some(draft) } => {
            let text = text::check_text_to_send(draft.text)?;
            OwnItem::Draft { chat_id, value: Some(Draft { text, ..draft }) }
        }
        OwnItem::Folder { id, value: Some(folder) } => OwnItem::Folder { id, value: Some(folder::check(folder)?) },
        OwnItem::Contact { user_id, value: Some(Contact { name: Some(name) }) } => {
            let name = Some(text::check_title(&name)?);
            OwnItem::Contact { user_id, value: Some(Contact { name }) }
        }
        OwnItem::FavoriteSticker { file_id, value: Some(kept) } => {
            OwnItem::FavoriteSticker { file_id, value: Some(check_kept(kept)?) }
        }
        OwnItem::RecentSticker { file_id, value: Some(kept) } => {
            OwnItem::RecentSticker { file_id, value: Some(check_kept(kept)?) }
        }
        OwnItem::Setting { name, value } => {
            check_setting(&name, value.as_deref())?;
            OwnItem::Setting { name, value }
        }
        other => other,
    };
    let bytes = BOUNDS.iter().find(|bound| Some(bound.kind) == item.kind()).map_or(0, |bound| bound.bytes);
    if item.value_json().is_some_and(|value| value.len() > bytes) {
        return refuse(ErrorCode::TooLarge, "the value of the item is too large");
    }
    Ok(item)
}

fn check_kept(mut kept: KeptSticker) -> Result<KeptSticker, WireError> {
    kept.emoji = kept.emoji.as_deref().map(text::check_reaction).transpose()?;
    Ok(kept)
}

fn check_setting(name: &str, value: Option<&str>) -> Result<(), WireError> {
    if WHO_MAY.contains(&name) {
        return if value.is_none_or(|value| Audience::of_name(value).is_some()) {
            Ok(())
        } else {
            refuse(ErrorCode::BadRequest, "this setting is everybody, known or nobody")
        };
    }
    let own = name.strip_prefix("app_").unwrap_or_default();
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    if own.is_empty() || name.len() > 64 || !own.chars().all(plain) {
        return refuse(ErrorCode::BadRequest, "there is no such setting; a client's own begin with app_");
    }
    if value.is_some_and(|value| value.contains('\0')) {
        return refuse(ErrorCode::BadRequest, "a setting cannot hold U+0000");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);

    fn read(json: &str) -> OwnItem {
        serde_json::from_str(json).expect("tolerated")
    }

    #[test]
    fn items_are_flat_objects_and_survive_the_store() {
        for json in [
            r#"{"kind":"mute","chat_id":7,"value":{"until":"2026-11-23T08:30:00.007Z"}}"#,
            r#"{"kind":"mute","chat_id":7,"value":{}}"#,
            r#"{"kind":"pin","chat_id":7,"value":{"order":2}}"#,
            r#"{"kind":"draft","chat_id":7,"value":{"text":{"text":"سلام"},"reply_to":3}}"#,
            r#"{"kind":"folder","id":"00000000-0000-0000-0000-000000000007","value":{"name":"کار","order":1,"chats":[7,8]}}"#,
            r#"{"kind":"folder","id":"00000000-0000-0000-0000-000000000007","value":{"name":"کار","icon":"💼","order":1,"chats":[],"kinds":["groups","contacts"],"unread":true,"unmuted":true,"without":[9]}}"#,
            r#"{"kind":"archive","chat_id":7,"value":{}}"#,
            r#"{"kind":"contact","user_id":2,"value":{"name":"دایی"}}"#,
            r#"{"kind":"block","user_id":2,"value":{}}"#,
            r#"{"kind":"block","user_id":2}"#,
            r#"{"kind":"join_request","chat_id":7}"#,
            r#"{"kind":"setting","name":"who_may_call","value":"known"}"#,
            r#"{"kind":"sticker_pack","pack_id":"00000000-0000-0000-0000-000000000007","value":{"order":2}}"#,
            r#"{"kind":"sticker_pack","pack_id":"00000000-0000-0000-0000-000000000007"}"#,
            r#"{"kind":"favorite_sticker","file_id":"00000000-0000-0000-0000-000000000007","value":{"pack_id":"00000000-0000-0000-0000-000000000008","emoji":"😺","animated":true,"at":"2026-11-23T08:30:00.007Z"}}"#,
            r#"{"kind":"recent_sticker","file_id":"00000000-0000-0000-0000-000000000007","value":{"pack_id":"00000000-0000-0000-0000-000000000008","at":"2026-11-23T08:30:00.007Z"}}"#,
        ] {
            let item = check(ME, read(json)).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(serde_json::to_string(&item).expect("serialises"), json);
            let kind = item.kind().expect("known");
            let again = OwnItem::of_parts(kind, &item.key(), item.value_json().as_deref());
            assert_eq!(again.as_ref(), Some(&item));
            let kept = Item::Own(Kept { version: Version(9), item });
            let text = serde_json::to_string(&kept).expect("serialises");
            assert_eq!(serde_json::from_str::<Item>(&text).expect("parses"), kept, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_set_is_refused_by_a_stable_code() {
        let code = |json: &str| check(ME, read(json)).expect_err(json).code;
        assert_eq!(code(r#"{"kind":"sticker","id":7,"value":{}}"#), ErrorCode::UnknownKind);
        let asked = r#"{"kind":"join_request","chat_id":7,"value":{"title":"x","at":"2026-11-23T08:30:00.007Z"}}"#;
        assert_eq!(code(asked), ErrorCode::UnknownKind, "the server alone says so");
        assert_eq!(code(r#"{"kind":"sticker_pack","pack_id":"cats","value":{"order":1}}"#), ErrorCode::BadRequest);
        let word = r#"{"kind":"favorite_sticker","file_id":"00000000-0000-0000-0000-000000000007","value":{"pack_id":"00000000-0000-0000-0000-000000000008","emoji":"cat","at":"2026-11-23T08:30:00.007Z"}}"#;
        assert_eq!(code(word), ErrorCode::BadReaction);
        assert_eq!(code(r#"{"kind":"chat","chat_id":7,"read_seq":9,"version":1}"#), ErrorCode::UnknownKind);
        let scheduled =
            r#"{"kind":"scheduled","chat_id":7,"value":{"count":1,"changed_at":"2026-11-23T08:30:00.007Z"}}"#;
        assert_eq!(code(scheduled), ErrorCode::UnknownKind);
        assert_eq!(code(r#"{"kind":"mute","chat_id":"seven","value":{}}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"kind":"pin","chat_id":7,"value":{"order":-1}}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"kind":"block","user_id":1,"value":{}}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"kind":"setting","name":"who_may_call","value":"friends"}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"kind":"setting","name":"who_may_fly","value":"known"}"#), ErrorCode::BadRequest);
        assert_eq!(code(r#"{"kind":"contact","user_id":2,"value":{"name":" "}}"#), ErrorCode::BadTitle);
        assert_eq!(code(r#"{"kind":"archive","chat_id":0,"value":{}}"#), ErrorCode::BadRequest);
        let folder = |rest: &str| {
            code(&format!(
                r#"{{"kind":"folder","id":"00000000-0000-0000-0000-000000000007","value":{{"order":1,"chats":[]{rest}}}}}"#
            ))
        };
        assert_eq!(folder(""), ErrorCode::BadRequest);
        assert_eq!(folder(r#","name":" ""#), ErrorCode::BadTitle);
        assert_eq!(folder(r#","name":"a","icon":"work""#), ErrorCode::BadReaction);
        assert_eq!(folder(r#","name":"a","kinds":["bots"]"#), ErrorCode::BadRequest);
        let many = (1..=201).map(|id: i64| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(folder(&format!(r#","name":"a","without":[{many}]"#)), ErrorCode::TooLarge);
        assert_eq!(code(r#"{"kind":"draft","chat_id":7,"value":{"text":{"text":""}}}"#), ErrorCode::BadText);
        let long = format!(r#"{{"kind":"setting","name":"app_theme","value":"{}"}}"#, "x".repeat(2000));
        assert_eq!(code(&long), ErrorCode::TooLarge);
    }

    #[test]
    fn a_kind_from_the_future_keeps_its_version() {
        let json = r#"{"kind":"sticker_set","version":12,"id":"x","value":{"title":"گربه"}}"#;
        let item: Item = serde_json::from_str(json).expect("tolerated");
        assert_eq!(item.version(), Version(12));
        let again: serde_json::Value = serde_json::to_value(&item).expect("serialises");
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(json).expect("is JSON"));
        let chat = r#"{"kind":"chat","chat_id":7,"role":"member","read_seq":3,"version":5}"#;
        let chat: Item = serde_json::from_str(chat).expect("parses");
        assert_eq!(chat.chat().map(|mine| mine.read_seq), Some(Seq(3)), "{chat:?}");
        let missed: Item = serde_json::from_str(r#"{"kind":"missed_calls","version":6,"count":2}"#).expect("parses");
        assert_eq!(missed, Item::MissedCalls(MissedCalls { version: Version(6), count: 2 }));
    }
}

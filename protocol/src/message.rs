//! Messages and what is in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{
    ChatId, Seq, SettingsChange, Timestamp, UserId, Version,
    call::CallNote,
    media::{
        AudioBody, ContactBody, DocumentBody, LocationBody, NewAudio, NewDocument, NewPhoto, NewRound, NewSticker,
        NewVideo, NewVoice, PhotoBody, RoundBody, StickerBody, VideoBody, VoiceBody, is_false,
    },
    poll::{NewPoll, Poll},
    preview::LinkPreview,
    thread::Comments,
};

/// A message in its final state. Its identity is (chat, seq).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Message {
    /// Its place in the chat.
    pub seq: Seq,
    /// The chat's version at this message's last change.
    pub version: Version,
    /// Who sent it.
    pub sender: UserId,
    /// The id that the sender's device gave it. (chat, sender, client id) is unique for good.
    pub client_id: Uuid,
    /// When the server stored it.
    pub sent_at: Timestamp,
    /// What it says.
    pub body: Body,
    /// The message that it answers, in the same chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reply_to: Option<Seq>,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub edited_at: Option<Timestamp>,
    /// How often each reaction stands on it, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<ReactionCount>>", optional)]
    pub reactions: Vec<ReactionCount>,
    /// In a channel: how many people's read marks have passed it, as last told; 0 elsewhere.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(as = "Option<u32>", optional)]
    pub views: u32,
    /// It was forwarded: from where, as far as that is told. Such a message is not edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub forwarded: Option<Forwarded>,
    /// Which words of the message that it answers it is about, as they stood there when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub quote: Option<Quote>,
    /// In a group: who wrote the message that it answers, if that was somebody else. It calls them as a mention does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub answers: Option<UserId>,
    /// When it is deleted for all by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub deletes_at: Option<Timestamp>,
    /// A post of a channel that is signed with its sender's name.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub signed: bool,
    /// It was sent without a sound: clients do not notify of it.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub silent: bool,
    /// What stands behind a link in it, if its sender had that looked up and shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preview: Option<Box<LinkPreview>>,
    /// Of a post in a channel: the comments on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub comments: Option<Comments>,
    /// In a group that belongs to a channel: which of the channel's posts it is, with which the thread of its comments begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub post: Option<Seq>,
    /// There: the message with which the thread begins in which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub thread: Option<Seq>,
}

impl Message {
    /// A message with nothing but what each has.
    pub fn new(seq: Seq, version: Version, sender: UserId, client_id: Uuid, sent_at: Timestamp, body: Body) -> Self {
        Self {
            seq,
            version,
            sender,
            client_id,
            sent_at,
            body,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            views: 0,
            forwarded: None,
            quote: None,
            answers: None,
            deletes_at: None,
            signed: false,
            silent: false,
            preview: None,
            comments: None,
            post: None,
            thread: None,
        }
    }

    /// Whom it calls: those whom it mentions, and whose message it answers. Oneself one calls not.
    pub fn called(&self) -> impl Iterator<Item = UserId> {
        self.body.mentioned().chain(self.answers).filter(|user| *user != self.sender)
    }

    /// Whether it calls somebody.
    pub fn calls(&self, user: UserId) -> bool {
        self.called().any(|it| it == user)
    }
}

/// Words of a message that an answer is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Quote {
    /// They themselves, without marks: 1 to 512 UTF-16 code units.
    pub text: String,
    /// Where they begin in its text, in UTF-16 code units.
    pub offset: u32,
}

/// Where a forwarded message was first: its author, or the channel whose post it is. Of the first one, however often it was forwarded since.
/// Without any field: whoever forwarded it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Forwarded {
    /// Who wrote it; absent for a post of a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub user_id: Option<UserId>,
    /// How the author was called when it was forwarded, or the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// The group or channel in which it stands. Who is not in it can see nothing of it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub chat_id: Option<ChatId>,
    /// Its place there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub seq: Option<Seq>,
    /// When it was sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sent_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a message says. Other kinds will come; a client keeps a kind that it does not know as it is
/// and shows a line such as «update to see this message».
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Text with marks.
    Text(Text),
    /// A picture.
    Photo(PhotoBody),
    /// A film.
    Video(VideoBody),
    /// A film in a circle.
    Round(RoundBody),
    /// Speech.
    Voice(VoiceBody),
    /// Music.
    Audio(AudioBody),
    /// Any file.
    Document(DocumentBody),
    /// A sticker.
    Sticker(StickerBody),
    /// A place.
    Location(LocationBody),
    /// Somebody's address.
    Contact(ContactBody),
    /// A question to all in the chat.
    Poll(Poll),
    /// Something that happened in the chat, told by the server.
    Service {
        /// What happened.
        action: ServiceAction,
    },
    /// A tombstone: it was deleted for all.
    Deleted,
    /// A kind that this version of the protocol does not know, whole.
    #[serde(untagged)]
    Unknown(#[ts(type = "{ kind: string } & Record<string, unknown>")] serde_json::Value),
}

/// Text with marks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Text {
    /// 1 to 4096 UTF-16 code units, without U+0000.
    pub text: String,
    /// The marks, by offset; an outer one before those inside it. At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Entity>>", optional)]
    pub entities: Vec<Entity>,
}

/// A mark on a stretch of text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Entity {
    /// Where it begins, in UTF-16 code units from the start of the text. Never inside a surrogate pair.
    pub offset: u32,
    /// How long it is, in UTF-16 code units, at least 1.
    pub length: u32,
    /// What it marks.
    #[serde(flatten)]
    pub kind: EntityKind,
}

impl Entity {
    /// Whom it mentions, if it does.
    pub fn mentions(&self) -> Option<UserId> {
        if let EntityKind::Mention { user_id } = self.kind { Some(user_id) } else { None }
    }
}

/// What an [`Entity`] marks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EntityKind {
    /// Heavier.
    Bold,
    /// Slanted.
    Italic,
    /// Underlined.
    Underline,
    /// Struck through.
    Strike,
    /// Hidden until it is touched.
    Spoiler,
    /// A quotation.
    Quote,
    /// Monospaced, within a line.
    Code,
    /// A monospaced block.
    Pre {
        /// The programming language, for highlighting.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        language: Option<String>,
    },
    /// A link.
    Link {
        /// `http` or `https`, at most 2048 bytes.
        url: String,
    },
    /// Somebody's name.
    Mention {
        /// Whose.
        user_id: UserId,
    },
    /// A mark that this version of the protocol does not know, whole.
    #[serde(untagged)]
    Unknown(#[ts(type = "{ type: string } & Record<string, unknown>")] serde_json::Map<String, serde_json::Value>),
}

/// Something that happened in a chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServiceAction {
    /// The sender made the chat.
    Created,
    /// The sender came in by themselves: by the public handle, or through an invite link.
    Joined,
    /// The sender left.
    Left,
    /// The sender added others.
    Added {
        /// Whom.
        user_ids: Vec<UserId>,
    },
    /// The sender removed somebody.
    Removed {
        /// Whom.
        user_id: UserId,
    },
    /// The sender has changed settings of the chat that concern all in it.
    Settings {
        /// Which, and to what.
        #[serde(flatten)]
        change: SettingsChange,
    },
    /// The sender called the other one.
    Call {
        /// How it went.
        #[serde(flatten)]
        note: CallNote,
    },
    /// An action that this version of the protocol does not know, whole.
    #[serde(untagged)]
    Unknown(#[ts(type = "{ type: string } & Record<string, unknown>")] serde_json::Value),
}

/// What a client may put into a new or edited message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NewBody {
    /// Text with marks.
    Text(Text),
    /// A picture.
    Photo(NewPhoto),
    /// A film.
    Video(NewVideo),
    /// A film in a circle.
    Round(NewRound),
    /// Speech.
    Voice(NewVoice),
    /// Music.
    Audio(NewAudio),
    /// Any file.
    Document(NewDocument),
    /// A sticker.
    Sticker(NewSticker),
    /// A place.
    Location(LocationBody),
    /// Somebody's address.
    Contact(ContactBody),
    /// A question to all in the chat.
    Poll(NewPoll),
}

impl NewBody {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), entities: Vec::new() })
    }
}

impl Body {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), entities: Vec::new() })
    }

    /// Its words with their marks, or those under its file.
    fn words(&self) -> (&str, &[Entity]) {
        match self {
            Self::Text(text) => (&text.text, &text.entities),
            other => other.caption().map_or(("", &[]), |caption| (&caption.text, &caption.entities)),
        }
    }

    /// Whether its words have these at their place.
    pub fn says(&self, quote: &Quote) -> bool {
        let mut units = self.words().0.encode_utf16().skip(quote.offset as usize);
        quote.text.encode_utf16().all(|unit| units.next() == Some(unit))
    }

    /// Whom its words mention.
    pub fn mentioned(&self) -> impl Iterator<Item = UserId> {
        self.words().1.iter().filter_map(Entity::mentions)
    }
}

/// How often one reaction stands on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ReactionCount {
    /// The reaction.
    pub emoji: String,
    /// At least 1.
    pub count: u32,
}

/// One user's reaction to one message. Each user has at most one on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Reacted {
    /// On which message.
    pub seq: Seq,
    /// The chat's version at its last change.
    pub version: Version,
    /// Whose.
    pub user_id: UserId,
    /// Which; absent when it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub emoji: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_from_the_future_survives_an_old_client() {
        let json = r#"{"kind":"hologram","question":"چای؟","options":["بله","نه"]}"#;
        let body: Body = serde_json::from_str(json).expect("tolerated");
        assert!(matches!(body, Body::Unknown(_)));
        let again: serde_json::Value = serde_json::to_value(&body).expect("serialises");
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(json).expect("is JSON"));
    }

    #[test]
    fn a_mark_from_the_future_survives_an_old_client() {
        let json = r#"{"offset":1,"length":2,"type":"glow","colour":"red"}"#;
        let entity: Entity = serde_json::from_str(json).expect("tolerated");
        assert_eq!((entity.offset, entity.length), (1, 2));
        let again: serde_json::Value = serde_json::to_value(&entity).expect("serialises");
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(json).expect("is JSON"));
    }

    #[test]
    fn a_call_leaves_a_flat_action() {
        let json = r#"{"type":"call","call_id":"00000000-0000-0000-0000-000000000007","caller":1,"media":"voice","reason":"missed","seconds":0}"#;
        let action: ServiceAction = serde_json::from_str(json).expect("parses");
        assert!(matches!(action, ServiceAction::Call { .. }), "{action:?}");
        assert_eq!(serde_json::to_string(&action).expect("serialises"), json);
    }

    #[test]
    fn a_photo_is_a_flat_object_and_what_is_not_there_takes_no_room() {
        let json = concat!(
            r#"{"kind":"photo","file":{"id":"6f0c2c55-8c9b-4b8e-9d0e-2b1d6a3f7e10","size":1234,"mime":"image/jpeg"},"#,
            r#""width":4000,"height":3000,"sizes":[320,1280],"text":"حرم","spoiler":true}"#
        );
        let body: Body = serde_json::from_str(json).expect("parses");
        assert!(matches!(body, Body::Photo(_)), "{body:?}");
        assert_eq!(serde_json::to_string(&body).expect("serialises"), json);
        assert_eq!(body.files().count(), 1);
        let new = r#"{"kind":"voice","file_id":"6f0c2c55-8c9b-4b8e-9d0e-2b1d6a3f7e10"}"#;
        let voice: NewBody = serde_json::from_str(new).expect("parses");
        assert_eq!(serde_json::to_string(&voice).expect("serialises"), new);
    }

    #[test]
    fn a_photo_of_another_shape_survives_as_what_it_is() {
        let json = r#"{"kind":"photo","file":"elsewhere"}"#;
        let body: Body = serde_json::from_str(json).expect("tolerated");
        let Body::Unknown(whole) = body else { panic!("{body:?}") };
        assert_eq!(whole, serde_json::from_str::<serde_json::Value>(json).expect("is JSON"));
    }

    #[test]
    fn known_kinds_are_flat_objects() {
        let body = Body::text("سلام");
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"kind":"text","text":"سلام"}"#);
        assert_eq!(serde_json::to_string(&Body::Deleted).expect("serialises"), r#"{"kind":"deleted"}"#);
    }
}

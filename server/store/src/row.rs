//! Rows as wire types.

use chapar_domain::{
    chat::{Beside, Standing},
    rights::Rights,
};
use chapar_protocol::{
    Body, ChatId, ChatInfo, ChatKind, ChatSettings, FileId, Member, Message, MyChat, Reacted, ReactionCount, Role, Seq,
    Timestamp, UserId, Version, thread::Discussion,
};
use serde_json::value::RawValue;
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

/// A chat's kind as it is stored.
pub(crate) fn kind_number(kind: ChatKind) -> i16 {
    match kind {
        ChatKind::Direct => 0,
        ChatKind::Group => 1,
        ChatKind::Channel => 2,
    }
}

/// A stored kind.
pub(crate) fn kind(number: i16) -> ChatKind {
    match number {
        0 => ChatKind::Direct,
        1 => ChatKind::Group,
        _ => ChatKind::Channel,
    }
}

/// A role as it is stored.
pub(crate) fn role_number(role: Role) -> i16 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

/// A stored role.
pub(crate) fn role(number: Option<i16>) -> Option<Role> {
    number.map(|number| match number {
        0 => Role::Member,
        1 => Role::Admin,
        _ => Role::Owner,
    })
}

fn moment(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    Ok(row.try_get::<OffsetDateTime, _>(column)?.into())
}

/// A message.
pub(crate) fn message(row: &PgRow) -> sqlx::Result<Message> {
    let (body, beside) = body(row.try_get::<Json<&RawValue>, _>("body")?.0)?;
    let seq = Seq(row.try_get("seq")?);
    let version = Version(row.try_get("version")?);
    let sender = UserId(row.try_get("sender_id")?);
    let mut message = Message {
        reply_to: row.try_get::<Option<i64>, _>("reply_to")?.map(Seq),
        edited_at: row.try_get::<Option<OffsetDateTime>, _>("edited_at")?.map(Timestamp::from),
        reactions: row.try_get::<Option<Json<Vec<ReactionCount>>>, _>("reactions")?.map(|it| it.0).unwrap_or_default(),
        views: views(row.try_get("views")?),
        ..Message::new(seq, version, sender, row.try_get("client_id")?, moment(row, "sent_at")?, body)
    };
    beside.mark(&mut message);
    Ok(message)
}

/// What a message says, and the marks beside it.
pub(crate) fn body(stored: &RawValue) -> sqlx::Result<(Body, Beside)> {
    #[derive(serde::Deserialize)]
    struct Marked {
        #[serde(default)]
        beside: Beside,
    }
    let json = stored.get();
    let wrong = |error: serde_json::Error| sqlx::Error::Decode(error.into());
    let mut body = serde_json::from_str(json).map_err(wrong)?;
    // Most have none. A text that holds the word has its quotation marks escaped.
    if !json.contains("\"beside\"") {
        return Ok((body, Beside::default()));
    }
    // A kind from a later version is kept whole: the marks are no part of it.
    if let Body::Unknown(serde_json::Value::Object(fields)) = &mut body {
        fields.remove(Beside::KEY);
    }
    let Marked { beside } = serde_json::from_str(json).map_err(wrong)?;
    Ok((body, beside))
}

/// By how many a message was seen, as last told.
pub(crate) fn views(told: Option<i64>) -> u32 {
    told.map_or(0, |told| u32::try_from(told).unwrap_or(u32::MAX))
}

/// What all see of a chat.
pub(crate) fn chat_info(row: &PgRow) -> sqlx::Result<ChatInfo> {
    let kind = kind(row.try_get("kind")?);
    let About { description, photo, pinned, slow: slow_seconds, settings, discussion, .. } =
        about(row.try_get("about")?);
    Ok(ChatInfo {
        id: ChatId(row.try_get("id")?),
        version: Version(row.try_get("info_version")?),
        kind,
        title: row.try_get("title")?,
        handle: row.try_get("handle")?,
        created_at: moment(row, "created_at")?,
        rights: Rights(row.try_get("rights")?).list(),
        member_count: member_count(kind, row.try_get("told_members")?),
        description,
        photo,
        pinned,
        slow_seconds,
        discussion,
        settings,
    })
}

/// What few chats have, as it is stored.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) photo: Option<FileId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pinned: Vec<Seq>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) slow: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) discussion: Option<Discussion>,
    #[serde(default, skip_serializing_if = "ChatSettings::is_empty")]
    pub(crate) settings: ChatSettings,
    /// Up to which message something is hidden from somebody who is in it. Nobody is told.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(crate) hidden_upto: Seq,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_nothing(seq: &Seq) -> bool {
    seq.0 == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

pub(crate) fn about(stored: Option<Json<About>>) -> About {
    stored.map(|it| it.0).unwrap_or_default()
}

/// How many are told to be in a chat: in a channel only, elsewhere one sees who is.
pub(crate) fn member_count(kind: ChatKind, told: i64) -> Option<u32> {
    (kind == ChatKind::Channel).then(|| u32::try_from(told).unwrap_or(0))
}

/// A member, with the read mark unless in a channel.
pub(crate) fn member(row: &PgRow, of: ChatKind) -> sqlx::Result<Member> {
    let until: Option<OffsetDateTime> = row.try_get("denied_until")?;
    let standing = Standing {
        role: role(row.try_get("role")?),
        read_seq: Seq(row.try_get("read_seq")?),
        rights: Rights(row.try_get("rights")?),
        denied: Rights(row.try_get("denied")?),
        denied_until: until.map(Timestamp::from),
        ..Standing::with(Role::Member)
    };
    Ok(standing.member(UserId(row.try_get("user_id")?), of, Version(row.try_get("version")?)))
}

/// A user's view of a chat.
pub(crate) fn my_chat(row: &PgRow) -> sqlx::Result<MyChat> {
    Ok(MyChat {
        chat_id: ChatId(row.try_get("chat_id")?),
        role: role(row.try_get("role")?),
        read_seq: Seq(row.try_get("read_seq")?),
        request: row.try_get("request")?,
        version: Version(row.try_get("version")?),
    })
}

/// A reaction.
pub(crate) fn reacted(row: &PgRow) -> sqlx::Result<Reacted> {
    Ok(Reacted {
        seq: Seq(row.try_get("seq")?),
        version: Version(row.try_get("version")?),
        user_id: UserId(row.try_get("user_id")?),
        emoji: row.try_get("emoji")?,
    })
}

/// The asking user's reaction that stands in a row of a page; without emoji: taken back.
pub(crate) fn my_reaction(row: &PgRow, user_id: UserId) -> sqlx::Result<Option<Reacted>> {
    let Some(version) = row.try_get::<Option<i64>, _>("mine_version")?.map(Version) else { return Ok(None) };
    // It comes with its message: one that was told without moving the counts is not newer for that.
    let version = version.min(Version(row.try_get("version")?));
    Ok(Some(Reacted { seq: Seq(row.try_get("seq")?), version, user_id, emoji: row.try_get("mine")? }))
}

/// The place in what was asked for, from 0.
pub(crate) fn place(row: &PgRow) -> sqlx::Result<usize> {
    number(row, "place")
}

/// Where something stands that Postgres counts from 1, from 0.
pub(crate) fn number(row: &PgRow, column: &str) -> sqlx::Result<usize> {
    Ok(usize::try_from(row.try_get::<i32, _>(column)? - 1).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (Body, Beside) {
        body(serde_json::from_str(json).expect("is JSON")).expect("a body")
    }

    #[test]
    fn marks_stand_beside_a_body_and_not_in_it() {
        let (said, beside) = read(r#"{"kind": "text", "text": "x", "beside": {"forwarded": {"user_id": 7}}}"#);
        assert_eq!(said, Body::text("x"));
        assert_eq!(beside.forwarded.and_then(|it| it.user_id), Some(UserId(7)));
        let (later, beside) = read(r#"{"kind": "dance", "steps": 3, "beside": {"forwarded": {}, "later": 1}}"#);
        assert_eq!(later, Body::Unknown(serde_json::json!({ "kind": "dance", "steps": 3 })));
        assert!(beside.forwarded.is_some());
        let (said, beside) = read(r#"{"kind": "text", "text": "beside"}"#);
        assert!(said == Body::text("beside") && beside.is_empty());
    }
}

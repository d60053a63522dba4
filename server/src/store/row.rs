//! Rows as wire types.

use chapar_protocol::{
    Body, ChatId, ChatInfo, ChatKind, Member, Message, MyChat, Reacted, ReactionCount, Role, Seq, Timestamp, UserId,
    Version,
};
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

/// A chat's kind as it is stored.
pub(in crate::store) fn kind_number(kind: ChatKind) -> i16 {
    match kind {
        ChatKind::Direct => 0,
        ChatKind::Group => 1,
        ChatKind::Channel => 2,
    }
}

/// A stored kind.
pub(in crate::store) fn kind(number: i16) -> ChatKind {
    match number {
        0 => ChatKind::Direct,
        1 => ChatKind::Group,
        _ => ChatKind::Channel,
    }
}

/// A role as it is stored.
pub(in crate::store) fn role_number(role: Role) -> i16 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

/// A stored role.
pub(in crate::store) fn role(number: Option<i16>) -> Option<Role> {
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
pub(in crate::store) fn message(row: &PgRow) -> sqlx::Result<Message> {
    Ok(Message {
        seq: Seq(row.try_get("seq")?),
        version: Version(row.try_get("version")?),
        sender: UserId(row.try_get("sender_id")?),
        client_id: row.try_get("client_id")?,
        sent_at: moment(row, "sent_at")?,
        body: row.try_get::<Json<Body>, _>("body")?.0,
        reply_to: row.try_get::<Option<i64>, _>("reply_to")?.map(Seq),
        edited_at: row.try_get::<Option<OffsetDateTime>, _>("edited_at")?.map(Timestamp::from),
        reactions: row.try_get::<Option<Json<Vec<ReactionCount>>>, _>("reactions")?.map(|it| it.0).unwrap_or_default(),
    })
}

/// What all see of a chat.
pub(in crate::store) fn chat_info(row: &PgRow) -> sqlx::Result<ChatInfo> {
    Ok(ChatInfo {
        id: ChatId(row.try_get("id")?),
        kind: kind(row.try_get("kind")?),
        title: row.try_get("title")?,
        handle: row.try_get("handle")?,
        created_at: moment(row, "created_at")?,
    })
}

/// A member, with the read mark unless in a channel.
pub(in crate::store) fn member(row: &PgRow, of: ChatKind) -> sqlx::Result<Member> {
    let read_seq = (of != ChatKind::Channel).then_some(Seq(row.try_get("read_seq")?));
    Ok(Member { user_id: UserId(row.try_get("user_id")?), role: role(row.try_get("role")?), read_seq })
}

/// A user's view of a chat.
pub(in crate::store) fn my_chat(row: &PgRow) -> sqlx::Result<MyChat> {
    Ok(MyChat {
        chat_id: ChatId(row.try_get("chat_id")?),
        role: role(row.try_get("role")?),
        read_seq: Seq(row.try_get("read_seq")?),
        request: row.try_get("request")?,
        version: Version(row.try_get("version")?),
    })
}

/// A reaction.
pub(in crate::store) fn reacted(row: &PgRow) -> sqlx::Result<Reacted> {
    Ok(Reacted {
        seq: Seq(row.try_get("seq")?),
        user_id: UserId(row.try_get("user_id")?),
        emoji: row.try_get("emoji")?,
    })
}

/// The asking user's reaction that stands in a row of a page, when it changed after a version; without emoji: taken back.
pub(in crate::store) fn my_reaction(row: &PgRow, user_id: UserId, after: Version) -> sqlx::Result<Option<Reacted>> {
    let changed = row.try_get::<Option<i64>, _>("mine_version")?.is_some_and(|version| version > after.0);
    Ok(changed.then_some(Reacted { seq: Seq(row.try_get("seq")?), user_id, emoji: row.try_get("mine")? }))
}

/// The place in what was asked for, from 0.
pub(in crate::store) fn place(row: &PgRow) -> sqlx::Result<usize> {
    Ok(usize::try_from(row.try_get::<i32, _>("place")? - 1).unwrap_or(usize::MAX))
}

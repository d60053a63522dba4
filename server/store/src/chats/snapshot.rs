//! Chats from scratch, as far as they fit into an answer.

use chapar_protocol::{ChatId, ChatRow, ChatSnapshot, Seq, UserId, Version};
use sqlx::Row;

use super::{
    Result, Tx,
    pages::{Room, number},
    row,
};

/// Members in a snapshot.
const MEMBERS: i32 = 200;

/// Some chats from scratch. Those for which there is no room are left out, but never the first.
pub(crate) async fn read(tx: &mut Tx, user: UserId, chats: &[ChatId], room: Room) -> Result<Vec<ChatSnapshot>> {
    if chats.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    let rows = sqlx::query("SELECT * FROM last_messages($1, $2, $3, $4, $5, $6)")
        .bind(&ids)
        .bind(user.0)
        .bind(MEMBERS)
        .bind(i32::try_from(room.messages).unwrap_or(i32::MAX))
        .bind(number(room.each))
        .bind(number(room.all))
        .fetch_all(&mut **tx)
        .await?;
    let mut read: Vec<(i64, Vec<_>, Vec<_>)> = Vec::new();
    let (mut messages, mut reacted) = (Vec::new(), Vec::new());
    for found in &rows {
        if found.try_get::<Option<i64>, _>("seq")?.is_some() {
            messages.push(row::message(found)?);
            reacted.extend(row::my_reaction(found, user)?.filter(|it| it.emoji.is_some()));
        } else if let Some(id) = ids.get(row::place(found)?) {
            messages.reverse();
            read.push((*id, std::mem::take(&mut messages), std::mem::take(&mut reacted)));
        }
    }
    let ids: Vec<i64> = read.iter().map(|it| it.0).collect();
    let rows = sqlx::query(
        "SELECT i.place::integer AS place, c.id, c.kind, c.title, c.handle, c.created_at, c.info_version, c.rights,
             c.told_members, c.about, c.seq, c.version
         FROM unnest($1::bigint[]) WITH ORDINALITY AS i (chat, place)
         CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c ORDER BY i.place",
    )
    .bind(&ids)
    .fetch_all(&mut **tx)
    .await?;
    let mut snapshots = Vec::with_capacity(rows.len());
    for found in &rows {
        snapshots.push(ChatSnapshot {
            chat: row::chat_info(found)?,
            version: Version(found.try_get("version")?),
            last_seq: Seq(found.try_get("seq")?),
            rows: Vec::new(),
        });
    }
    // In a channel only the asking user: two arms, because a condition with OR could not use the index.
    let rows = sqlx::query(
        "SELECT i.place::integer AS place, c.kind, m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until
         FROM unnest($1::bigint[]) WITH ORDINALITY AS i (chat, place)
         CROSS JOIN LATERAL (SELECT c.id, c.kind FROM chats c WHERE c.id = i.chat LIMIT 1) c
         CROSS JOIN LATERAL (
             (SELECT m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until FROM members m
              WHERE c.kind <> 2 AND m.chat_id = c.id AND m.role IS NOT NULL ORDER BY m.user_id LIMIT $3)
             UNION ALL
             (SELECT m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied, m.denied_until FROM members m
              WHERE c.kind = 2 AND m.chat_id = c.id AND m.user_id = $2 AND m.role IS NOT NULL)
         ) m ORDER BY i.place, m.user_id",
    )
    .bind(&ids)
    .bind(user.0)
    .bind(i64::from(MEMBERS))
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some(snapshot) = snapshots.get_mut(row::place(found)?) {
            snapshot.rows.push(ChatRow::Member(row::member(found, row::kind(found.try_get("kind")?))?));
        }
    }
    for (snapshot, (_, messages, reacted)) in snapshots.iter_mut().zip(read) {
        snapshot.rows.extend(messages.into_iter().map(ChatRow::Message));
        snapshot.rows.extend(reacted.into_iter().map(ChatRow::Reaction));
    }
    Ok(snapshots)
}

//! The changes of chats between two versions, as far as they fit into an answer.

use chapar_protocol::{ChatDelta, ChatId, ChatRow, UserId, Version};
use sqlx::{Row, postgres::PgRow};

use super::{
    Result, Tx,
    pages::{Room, number},
    row,
};

/// A stretch of a chat's changes: after, up to and with.
pub(crate) type Stretch = (ChatId, Version, Version);

/// The changes in some stretches, and for each whether more follow. Stretches for which there is no room are left out, but
/// never the first. With a user the reactions of that user, else those of all.
pub(crate) async fn read(
    tx: &mut Tx,
    user: Option<UserId>,
    stretches: &[Stretch],
    room: Room,
) -> Result<Vec<(ChatDelta, bool)>> {
    if stretches.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT * FROM changed_messages($1, $2, $3, $4, $5, $6, $7)")
        .bind(stretches.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(stretches.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .bind(stretches.iter().map(|it| it.2.0).collect::<Vec<_>>())
        .bind(user.map(|user| user.0))
        .bind(i32::try_from(room.messages).unwrap_or(i32::MAX))
        .bind(number(room.each))
        .bind(number(room.all))
        .fetch_all(&mut **tx)
        .await?;
    let mut deltas: Vec<(ChatDelta, bool)> = Vec::new();
    let mut told = Vec::new();
    for found in &rows {
        let Some(&(chat_id, from, version)) = stretches.get(row::place(found)?) else { continue };
        if found.try_get::<Option<i64>, _>("seq")?.is_some() {
            told.push(ChatRow::Message(row::message(found)?));
            // Also one that is older: the stretch that it was of has left this message out, which has changed since.
            if let Some(user) = user {
                told.extend(row::my_reaction(found, user)?.map(ChatRow::Reaction));
            }
            continue;
        }
        let cut = Version(found.try_get("version")?);
        let delta = ChatDelta { chat_id, from, version: cut, rows: std::mem::take(&mut told) };
        deltas.push((delta, cut < version));
    }
    // Each chat by its own look into the index, whatever the planner takes their number for: a LIMIT keeps it from joining
    // with the whole table. So below, and in `snapshot`.
    let chats = "SELECT i.place::integer AS place, c.id, c.kind, c.title, c.handle, c.created_at, c.info_version, c.rights, c.told_members, c.about
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
         CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
         WHERE c.info_version > i.after AND c.info_version <= i.upto";
    add(tx, &mut deltas, chats, |found| Ok(ChatRow::Info(row::chat_info(found)?))).await?;
    let members =
        "SELECT i.place::integer AS place, c.kind, m.user_id, m.version, m.role, m.read_seq, m.rights, m.denied,
             m.denied_until
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
         CROSS JOIN LATERAL (SELECT c.kind FROM chats c WHERE c.id = i.chat LIMIT 1) c
         CROSS JOIN LATERAL (
             SELECT * FROM members m
             WHERE m.chat_id = i.chat AND m.version > 0 AND m.version > i.after AND m.version <= i.upto
             ORDER BY m.version LIMIT 1000
         ) m ORDER BY i.place, m.user_id";
    let member = |found: &PgRow| Ok(ChatRow::Member(row::member(found, row::kind(found.try_get("kind")?))?));
    add(tx, &mut deltas, members, member).await?;
    if user.is_none() {
        let reactions = "SELECT i.place::integer AS place, r.seq, r.version, r.user_id, r.emoji
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
             CROSS JOIN LATERAL (
                 SELECT * FROM reactions r
                 WHERE r.chat_id = i.chat AND r.version > 0 AND r.version > i.after AND r.version <= i.upto
                 ORDER BY r.version LIMIT 1000
             ) r ORDER BY i.place, r.version";
        add(tx, &mut deltas, reactions, |found| Ok(ChatRow::Reaction(row::reacted(found)?))).await?;
    }
    for (delta, _) in &mut deltas {
        delta.rows.sort_by_key(ChatRow::version);
    }
    Ok(deltas)
}

/// Adds to deltas the rows that a statement finds within their stretches.
async fn add(
    tx: &mut Tx,
    deltas: &mut [(ChatDelta, bool)],
    statement: &'static str,
    read: impl Fn(&PgRow) -> sqlx::Result<ChatRow>,
) -> Result<()> {
    let rows = sqlx::query(statement)
        .bind(deltas.iter().map(|it| it.0.chat_id.0).collect::<Vec<_>>())
        .bind(deltas.iter().map(|it| it.0.from.0).collect::<Vec<_>>())
        .bind(deltas.iter().map(|it| it.0.version.0).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?;
    for found in &rows {
        if let Some((delta, _)) = deltas.get_mut(row::place(found)?) {
            delta.rows.push(read(found)?);
        }
    }
    Ok(())
}

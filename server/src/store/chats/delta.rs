//! The changes of chats between two versions, as far as they fit into an answer.

use chapar_protocol::{ChatDelta, ChatId, UserId, Version};
use sqlx::{Row, postgres::PgRow};

use super::{
    Result, Tx,
    pages::{Room, number},
    row,
};

/// A stretch of a chat's changes: after, up to and with.
pub(in crate::store) type Stretch = (ChatId, Version, Version);

/// The changes in some stretches, and for each whether more follow. Stretches for which there is no room are left out, but
/// never the first. With a user the reactions of that user, else those of all.
pub(in crate::store) async fn read(
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
    let (mut messages, mut reacted) = (Vec::new(), Vec::new());
    for found in &rows {
        let Some(&(chat_id, from, version)) = stretches.get(row::place(found)?) else { continue };
        if found.try_get::<Option<i64>, _>("seq")?.is_some() {
            messages.push(row::message(found)?);
            if let Some(user) = user {
                // Also one that is not told yet, or was in an earlier page: it says how it stands.
                reacted.extend(row::my_reaction(found, user, Version(-1))?);
            }
            continue;
        }
        let cut = Version(found.try_get("version")?);
        let (messages, reacted) = (std::mem::take(&mut messages), std::mem::take(&mut reacted));
        let delta = ChatDelta { messages, reacted, from, version: cut, ..ChatDelta::empty(chat_id, cut) };
        deltas.push((delta, cut < version));
    }
    // Each chat by its own look into the index, whatever the planner takes their number for: a LIMIT keeps it from joining
    // with the whole table. So below, and in `snapshot`.
    let chats =
        "SELECT i.place::integer AS place, c.id, c.kind, c.title, c.handle, c.created_at, c.rights, c.told_members
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
         CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
         WHERE c.info_version > i.after AND c.info_version <= i.upto";
    add(tx, &mut deltas, chats, |delta, found| {
        delta.chat = Some(row::chat_info(found)?);
        Ok(())
    })
    .await?;
    let members =
        "SELECT i.place::integer AS place, c.kind, m.user_id, m.role, m.read_seq, m.rights, m.denied, m.denied_until
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
         CROSS JOIN LATERAL (SELECT c.kind FROM chats c WHERE c.id = i.chat LIMIT 1) c
         CROSS JOIN LATERAL (
             SELECT * FROM members m
             WHERE m.chat_id = i.chat AND m.version > 0 AND m.version > i.after AND m.version <= i.upto
             ORDER BY m.version LIMIT 1000
         ) m ORDER BY i.place, m.user_id";
    add(tx, &mut deltas, members, |delta, found| {
        delta.members.push(row::member(found, row::kind(found.try_get("kind")?))?);
        Ok(())
    })
    .await?;
    if user.is_none() {
        let reactions = "SELECT i.place::integer AS place, r.seq, r.user_id, r.emoji
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
             CROSS JOIN LATERAL (
                 SELECT * FROM reactions r
                 WHERE r.chat_id = i.chat AND r.version > 0 AND r.version > i.after AND r.version <= i.upto
                 ORDER BY r.version LIMIT 1000
             ) r ORDER BY i.place, r.version";
        add(tx, &mut deltas, reactions, |delta, found| {
            delta.reacted.push(row::reacted(found)?);
            Ok(())
        })
        .await?;
    }
    Ok(deltas)
}

/// Adds to deltas what a statement finds within their stretches.
async fn add(
    tx: &mut Tx,
    deltas: &mut [(ChatDelta, bool)],
    statement: &'static str,
    put: impl Fn(&mut ChatDelta, &PgRow) -> sqlx::Result<()>,
) -> Result<()> {
    let rows = sqlx::query(statement)
        .bind(deltas.iter().map(|it| it.0.chat_id.0).collect::<Vec<_>>())
        .bind(deltas.iter().map(|it| it.0.from.0).collect::<Vec<_>>())
        .bind(deltas.iter().map(|it| it.0.version.0).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?;
    for found in &rows {
        if let Some((delta, _)) = deltas.get_mut(row::place(found)?) {
            put(delta, found)?;
        }
    }
    Ok(())
}

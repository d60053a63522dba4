//! The changes of chats between two versions, as far as they fit into an answer.

use chapar_protocol::{ChatDelta, ChatId, ChatRow, UserId, Version};
use sqlx::{Row, postgres::PgRow};

use super::{
    Result, Tx,
    pages::{Room, Slices},
    polls::Wanted as Votes,
    row,
};

/// A stretch of a chat's changes: after, up to and with.
pub(crate) type Stretch = (ChatId, Version, Version);

/// What somebody is told of some chats.
pub(crate) struct Asked {
    /// The reactions of that user, else those of all.
    pub(crate) user: Option<UserId>,
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) room: Room,
}

/// What one is told: the changes in those stretches for which there is room, the first always among them, and for each whether more
/// follow.
pub(crate) type Told = Vec<(ChatDelta, bool)>;

/// The changes that some are told, for all of them at once.
pub(crate) async fn read(tx: &mut Tx, asked: &[Asked]) -> Result<Vec<Told>> {
    let stretches = || asked.iter().flat_map(|it| &it.stretches);
    if stretches().next().is_none() {
        return Ok(asked.iter().map(|_| Vec::new()).collect());
    }
    let mut slices = Slices::default();
    for it in asked {
        slices.add(it.stretches.len(), it.room);
    }
    let rows = sqlx::query(
        "SELECT p.person::integer AS person, k.*
         FROM unnest($4::bigint[], $5::integer[], $6::integer[], $7::integer[], $8::bigint[], $9::bigint[]) WITH ORDINALITY
             AS p (usr, low, high, each_rows, each_bytes, all_bytes, person)
         CROSS JOIN LATERAL changed_messages(
             ($1::bigint[])[p.low:p.high], ($2::bigint[])[p.low:p.high], ($3::bigint[])[p.low:p.high], p.usr, p.each_rows,
             p.each_bytes, p.all_bytes
         ) k",
    )
    .bind(stretches().map(|it| it.0.0).collect::<Vec<_>>())
    .bind(stretches().map(|it| it.1.0).collect::<Vec<_>>())
    .bind(stretches().map(|it| it.2.0).collect::<Vec<_>>())
    .bind(asked.iter().map(|it| it.user.map(|user| user.0)).collect::<Vec<_>>())
    .bind(slices.low)
    .bind(slices.high)
    .bind(slices.rows)
    .bind(slices.each)
    .bind(slices.all)
    .fetch_all(&mut **tx)
    .await?;
    // Of all at first, with whose each is.
    let mut deltas: Vec<(ChatDelta, bool)> = Vec::new();
    let mut whose = Vec::new();
    let mut told = Vec::new();
    for found in &rows {
        let person = row::number(found, "person")?;
        let Some(it) = asked.get(person) else { continue };
        let Some(&(chat_id, from, version)) = it.stretches.get(row::place(found)?) else { continue };
        if found.try_get::<Option<i64>, _>("seq")?.is_some() {
            told.push(ChatRow::Message(row::message(found)?));
            // Also one that is older: the stretch that it was of has left this message out, which has changed since.
            if let Some(user) = it.user {
                told.extend(row::my_reaction(found, user)?.map(ChatRow::Reaction));
            }
            continue;
        }
        let cut = Version(found.try_get("version")?);
        let delta = ChatDelta { chat_id, from, version: cut, rows: std::mem::take(&mut told) };
        deltas.push((delta, cut < version));
        whose.push(person);
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
    if asked.iter().any(|it| it.user.is_none()) {
        let reactions = "SELECT i.place::integer AS place, r.seq, r.version, r.user_id, r.emoji
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS i (chat, after, upto, place)
             CROSS JOIN LATERAL (
                 SELECT * FROM reactions r
                 WHERE r.chat_id = i.chat AND r.version > 0 AND r.version > i.after AND r.version <= i.upto
                 ORDER BY r.version LIMIT 1000
             ) r ORDER BY i.place, r.version";
        add(tx, &mut deltas, reactions, |found| Ok(ChatRow::Reaction(row::reacted(found)?))).await?;
    }
    let mut votes = Votes::default();
    for (place, (&person, (delta, _))) in whose.iter().zip(&deltas).enumerate() {
        if let Some(user) = asked[person].user {
            votes.add(place, delta.chat_id, user, delta.rows.iter().filter_map(ChatRow::message));
        }
    }
    let mut rows: Vec<_> = deltas.iter_mut().map(|it| &mut it.0.rows).collect();
    votes.read_into(tx, &mut rows).await?;
    let mut by_person: Vec<Told> = asked.iter().map(|_| Vec::new()).collect();
    for (person, (mut delta, more)) in whose.into_iter().zip(deltas) {
        delta.rows.sort_by_key(ChatRow::version);
        by_person[person].push((delta, more));
    }
    Ok(by_person)
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

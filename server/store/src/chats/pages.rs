//! Reading chats: differences, snapshots, history, members. Every answer is of one moment of the database, and of bounded size.
//! Who asks is looked for among the members in the same moment.

use std::{collections::HashMap, time::Duration};

use chapar_domain::{
    chat::Standing,
    rights::{Place, Rights},
};
use chapar_protocol::{
    Body, ChatId, ChatInfo, ChatKind, ChatSnapshot, ChatSync, ErrorCode, Member, Role, Seq, Timestamp, UserId, Version,
    WireError,
    command::{Differences, Page},
    limit,
    media::FileId,
};
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::people::lists::encoded;

use super::{
    ChatChange, Chats, Result, StoreError, Tx,
    delta::{self, Stretch},
    readers::Reader,
    row, snapshot,
};

/// Bytes of an answer that are left for what stands around its rows.
const AROUND: usize = 2048;
/// Bytes of rows in an answer.
pub(crate) const ROWS: usize = limit::ANSWER_BYTES - AROUND;
/// Read marks of others in an answer to `hello`; the next one brings further ones.
const OTHERS_READ: usize = 2000;

/// For how long a chat that was changed is tried to be read, for the answer to whoever changed it.
const AFTER_A_CHANGE: Duration = Duration::from_secs(4);

/// How much of one chat a page holds, and of all together.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// Messages of one chat.
    pub(crate) messages: usize,
    /// Bytes of one chat.
    pub(crate) each: usize,
    /// Bytes of all.
    pub(crate) all: usize,
}

impl Room {
    /// A page of one chat.
    const fn page(messages: usize) -> Self {
        Self { messages, each: ROWS, all: ROWS }
    }
}

/// Where a chat stands that somebody is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) chat: ChatId,
    pub(crate) kind: ChatKind,
    pub(crate) last_seq: Seq,
    pub(crate) version: Version,
}

/// How somebody stands in a chat, where rights are concerned.
pub struct Inside {
    /// The chat.
    pub place: Place,
    /// The person.
    pub standing: Standing,
    /// The seq of the last message.
    pub last_seq: Seq,
    /// In a direct chat: one of the two has blocked the other, so that neither sees what the other does.
    pub parted: bool,
}

/// Several chats, read in one moment.
pub(crate) struct Reading(Tx);

impl Reading {
    /// Those of some chats that a user is in, those that changed last first.
    pub(crate) async fn heads(&mut self, user: UserId, chats: &[ChatId]) -> Result<Vec<Head>> {
        let rows = sqlx::query(
            "SELECT c.id, c.kind, c.seq, c.version FROM unnest($2::bigint[]) AS i (chat)
             CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
             CROSS JOIN LATERAL (
                 SELECT FROM members m WHERE m.chat_id = i.chat AND m.user_id = $1 AND m.role IS NOT NULL LIMIT 1
             ) m ORDER BY c.changed_at DESC, c.id",
        )
        .bind(user.0)
        .bind(chats.iter().map(|chat| chat.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.iter().map(head).collect::<sqlx::Result<_>>()?)
    }

    /// What brings some chats up to date, each from the version that is known of it, as far as there is room; and the others.
    pub(crate) async fn syncs(
        &mut self,
        user: UserId,
        heads: &[Head],
        known: impl Fn(ChatId) -> Version,
        room: Room,
    ) -> Result<(Vec<ChatSync>, Vec<ChatId>)> {
        let stretch = |it: &Head| (it.chat, known(it.chat), it.version);
        let (deltas, snapshots): (Vec<Stretch>, _) = heads.iter().map(stretch).partition(|it| follows(it.1, it.2));
        let snapshots: Vec<ChatId> = snapshots.into_iter().map(|it| it.0).collect();
        let (mut found, mut left) = (HashMap::new(), room.all);
        for (delta, more) in delta::read(&mut self.0, Some(user), &deltas, room).await? {
            place(&mut found, &mut left, delta.chat_id, ChatSync::Delta { delta, more });
        }
        let room = Room { messages: limit::SNAPSHOT_MESSAGES, each: room.each, all: left };
        for snapshot in snapshot::read(&mut self.0, user, &snapshots, room).await? {
            place(&mut found, &mut left, snapshot.chat.id, ChatSync::Snapshot { snapshot });
        }
        let (mut chats, mut behind) = (Vec::new(), Vec::new());
        for it in heads {
            match found.remove(&it.chat) {
                Some(sync) => chats.push(sync),
                None => behind.push(it.chat),
            }
        }
        Ok((chats, behind))
    }

    /// The furthest read marks of anybody else that are beyond those known, in some direct chats and groups.
    pub(crate) async fn others_read(&mut self, user: UserId, known: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT i.chat, r.read_seq FROM unnest($2::bigint[], $3::bigint[]) AS i (chat, known)
             CROSS JOIN LATERAL (
                 SELECT m.read_seq FROM members m
                 WHERE m.chat_id = i.chat AND m.role IS NOT NULL AND m.version > 0 AND m.user_id <> $1
                 ORDER BY m.read_seq DESC LIMIT 1
             ) r
             WHERE r.read_seq > i.known LIMIT $4",
        )
        .bind(user.0)
        .bind(known.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(known.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .bind(number(OTHERS_READ))
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows.iter().map(|row| Ok((ChatId(row.try_get(0)?), Seq(row.try_get(1)?)))).collect::<sqlx::Result<_>>()?)
    }

    /// The end of the moment.
    pub(crate) async fn end(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl Chats {
    /// A moment in which several chats are read.
    pub(crate) async fn reading(&self) -> Result<Reading> {
        Ok(Reading(self.snapshot().await?))
    }

    /// Whether a message that somebody may read names a file.
    pub async fn names_file(&self, chat: ChatId, user: UserId, seq: Seq, file: FileId) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM members m WHERE m.chat_id = $1 AND m.user_id = $2 AND m.role IS NOT NULL)
                 AND EXISTS (SELECT FROM messages g WHERE g.chat_id = $1 AND g.seq = $3
                     AND $4 IN (g.body -> 'file' ->> 'id', g.body ->> 'poster'))",
        )
        .bind(chat.0)
        .bind(user.0)
        .bind(seq.0)
        .bind(file.to_string())
        .fetch_one(&self.pool)
        .await?)
    }

    /// How somebody stands in a chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they are not in it.
    pub async fn inside_as(&self, chat: ChatId, user: UserId) -> Result<Inside> {
        let found = sqlx::query(
            "SELECT c.kind, c.rights AS everybodys, c.seq, m.role, m.rights, m.denied, m.denied_until, m.shut,
                 c.kind = 0 AND EXISTS (SELECT FROM members s WHERE s.chat_id = m.chat_id AND s.shut > 0) AS parted,
                 clock_timestamp() AS now
             FROM members m JOIN chats c ON c.id = m.chat_id
             WHERE m.chat_id = $1 AND m.user_id = $2 AND m.role IS NOT NULL",
        )
        .bind(chat.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        let until: Option<OffsetDateTime> = found.try_get("denied_until")?;
        let role = row::role(found.try_get("role")?).unwrap_or(Role::Member);
        Ok(Inside {
            place: Place {
                kind: row::kind(found.try_get("kind")?),
                rights: Rights(found.try_get("everybodys")?),
                now: found.try_get::<OffsetDateTime, _>("now")?.into(),
            },
            standing: Standing {
                rights: Rights(found.try_get("rights")?),
                denied: Rights(found.try_get("denied")?),
                denied_until: until.map(Timestamp::from),
                shut: found.try_get("shut")?,
                ..Standing::with(role)
            },
            last_seq: Seq(found.try_get("seq")?),
            parted: found.try_get("parted")?,
        })
    }

    /// Up to which message somebody can see a chat: to its end who is in it, as far as they have read who was.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they never were in it.
    pub async fn last_seen_seq(&self, chat: ChatId, user: UserId) -> Result<Seq> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT CASE WHEN m.role IS NULL THEN least(m.read_seq, c.seq) ELSE c.seq END
             FROM members m JOIN chats c ON c.id = m.chat_id WHERE m.chat_id = $1 AND m.user_id = $2",
        )
        .bind(chat.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        found.map(Seq).ok_or(ErrorCode::ChatNotFound.into())
    }

    /// The form and the last seq of each chat that its reader is in.
    pub async fn places(&self, who: &[Reader]) -> Result<HashMap<Reader, (ChatKind, Seq)>> {
        let rows = sqlx::query(
            "SELECT i.chat, i.usr, c.kind, c.seq FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, usr)
             CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
             CROSS JOIN LATERAL (
                 SELECT FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.role IS NOT NULL LIMIT 1
             ) m",
        )
        .bind(who.iter().map(|it| it.chat.0).collect::<Vec<_>>())
        .bind(who.iter().map(|it| it.user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<_> {
            let reader = Reader { chat: ChatId(found.try_get("chat")?), user: UserId(found.try_get("usr")?) };
            Ok((reader, (row::kind(found.try_get("kind")?), Seq(found.try_get("seq")?))))
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Those of some messages that are there, without their texts, for somebody who is in the chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they are not in it.
    pub async fn shown(&self, user: UserId, chat: ChatId, seqs: &[Seq]) -> Result<Vec<(Seq, Body)>> {
        let rows = sqlx::query(
            "SELECT m.seq, m.body - '{text,entities}'::text[] AS body
             FROM (SELECT FROM members m WHERE m.chat_id = $2 AND m.user_id = $1 AND m.role IS NOT NULL) inside
             LEFT JOIN messages m ON m.chat_id = $2 AND m.seq = ANY ($3)",
        )
        .bind(user.0)
        .bind(chat.0)
        .bind(seqs.iter().map(|seq| seq.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Err(ErrorCode::ChatNotFound.into());
        }
        let read = |found: &PgRow| -> sqlx::Result<Option<(Seq, Body)>> {
            let Some(seq) = found.try_get::<Option<i64>, _>("seq")? else { return Ok(None) };
            Ok(Some((Seq(seq), found.try_get::<Json<Body>, _>("body")?.0)))
        };
        Ok(rows.iter().filter_map(|found| read(found).transpose()).collect::<sqlx::Result<_>>()?)
    }

    /// What all see of a chat.
    pub async fn info(&self, chat: ChatId) -> Result<Option<ChatInfo>> {
        let found = sqlx::query(
            "SELECT id, kind, title, handle, created_at, info_version, rights, told_members, about FROM chats
             WHERE id = $1",
        )
        .bind(chat.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.as_ref().map(row::chat_info).transpose()?)
    }

    /// Those of some people who are in a chat, or were, and whether they are now.
    pub async fn ever_inside(&self, chat: ChatId, users: &[UserId]) -> Result<HashMap<UserId, bool>> {
        let rows = sqlx::query(
            "SELECT i.usr, m.role IS NOT NULL AS inside FROM unnest($2::bigint[]) AS i (usr)
             CROSS JOIN LATERAL (SELECT m.role FROM members m WHERE m.chat_id = $1 AND m.user_id = i.usr LIMIT 1) m",
        )
        .bind(chat.0)
        .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<_> { Ok((UserId(found.try_get("usr")?), found.try_get("inside")?)) };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// A page of a chat's members, by user id.
    pub async fn members(&self, chat: ChatId, kind: ChatKind, after: UserId, page: i64) -> Result<Vec<Member>> {
        let rows = sqlx::query(
            "SELECT user_id, version, role, read_seq, rights, denied, denied_until FROM members
             WHERE chat_id = $1 AND role IS NOT NULL AND user_id > $2 ORDER BY user_id LIMIT $3",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|found| row::member(found, kind)).collect::<sqlx::Result<_>>()?)
    }

    /// A page of those who were removed from a chat and cannot come back by themselves, by user id.
    pub async fn banned(&self, chat: ChatId, kind: ChatKind, after: UserId, page: i64) -> Result<Vec<Member>> {
        let rows = sqlx::query(
            "SELECT user_id, version, role, read_seq, rights, denied, denied_until FROM members
             WHERE chat_id = $1 AND banned AND user_id > $2 ORDER BY user_id LIMIT $3",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|found| row::member(found, kind)).collect::<sqlx::Result<_>>()?)
    }

    /// The changes of some chats for somebody, each since the version that they have.
    pub async fn differences(&self, user: UserId, asked: &[(ChatId, Version)]) -> Result<Differences> {
        let mut known: HashMap<ChatId, Version> = asked.iter().copied().collect();
        let ids: Vec<ChatId> = known.keys().copied().collect();
        let mut reading = self.reading().await?;
        let heads = reading.heads(user, &ids).await?;
        let from = |chat| known.get(&chat).copied().unwrap_or_default();
        let (chats, behind) = reading.syncs(user, &heads, from, Room::page(limit::PAGE)).await?;
        reading.end().await?;
        for it in &heads {
            known.remove(&it.chat);
        }
        Ok(Differences { chats, behind, gone: known.into_keys().collect() })
    }

    /// The same once the chat was changed: tried for a while, and never `overloaded`, which says that nothing was.
    pub async fn snapshot_of_changed(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        let until = Instant::now() + AFTER_A_CHANGE;
        loop {
            match self.chat_snapshot(user, chat).await {
                Err(StoreError::Refused(error)) if error.code == ErrorCode::Overloaded => {
                    if Instant::now() >= until {
                        let message = "it was done, but could not be read: ask again, nothing is done twice";
                        return Err(WireError::new(ErrorCode::Unavailable, message).after_ms(1000).into());
                    }
                }
                answer => return answer,
            }
        }
    }

    /// A chat from scratch for one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn chat_snapshot(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        let mut tx = self.snapshot().await?;
        listed(&mut tx, user, chat).await?;
        let room = Room::page(limit::SNAPSHOT_MESSAGES);
        snapshot::read(&mut tx, user, &[chat], room).await?.pop().ok_or(ErrorCode::ChatNotFound.into())
    }

    /// The changes of a chat as everybody hears them, with the reactions of all. For filling gaps in the stream of events: when
    /// they are many, the first of them.
    pub async fn chat_changes(&self, chat: ChatId, from: Version) -> Result<Option<ChatChange>> {
        let mut tx = self.snapshot().await?;
        let found = sqlx::query("SELECT kind, version FROM chats WHERE id = $1 AND version > $2")
            .bind(chat.0)
            .bind(from.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(found) = found else { return Ok(None) };
        let stretch = (chat, from, Version(found.try_get("version")?));
        let read = delta::read(&mut tx, None, &[stretch], Room::page(limit::PAGE)).await?.pop();
        let kind = row::kind(found.try_get("kind")?);
        Ok(read.map(|(delta, _)| ChatChange::of(kind, delta)))
    }

    /// The versions of some chats.
    pub async fn chat_versions(&self, chats: &[ChatId]) -> Result<Vec<(ChatId, Version)>> {
        let rows = sqlx::query("SELECT id, version FROM chats WHERE id = ANY ($1)")
            .bind(chats.iter().map(|chat| chat.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Ok((ChatId(row.try_get(0)?), Version(row.try_get(1)?))))
            .collect::<sqlx::Result<_>>()?)
    }

    /// Those of some users who are in a chat.
    pub async fn inside(&self, chat: ChatId, users: &[UserId]) -> Result<Vec<UserId>> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT user_id FROM members WHERE chat_id = $1 AND user_id = ANY ($2) AND role IS NOT NULL",
        )
        .bind(chat.0)
        .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// The versions of those of some chats that a user is in.
    pub async fn entered(&self, user: UserId, chats: &[ChatId]) -> Result<Vec<(ChatId, Version)>> {
        let mut reading = self.reading().await?;
        let heads = reading.heads(user, chats).await?;
        reading.end().await?;
        Ok(heads.into_iter().map(|it| (it.chat, it.version)).collect())
    }

    /// How many there are, and how many messages: by the chats' counters, which costs less than reading the messages.
    pub(crate) async fn count(&self) -> Result<(i64, i64, i64)> {
        let row = sqlx::query(
            "SELECT count(*), coalesce(sum(seq), 0)::bigint, pg_database_size(current_database()) FROM chats",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    /// A page of messages: up to `before` with seq < `seq`, up to `after` with seq ≥ `seq`. When they are too many bytes,
    /// those nearest to the place.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn history(&self, user: UserId, chat: ChatId, seq: Seq, before: i64, after: i64) -> Result<Page> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        // Seqs are dense: the place and the counts name the stretch.
        let place = seq.0.clamp(1, it.last_seq.0 + 1);
        let rows = sqlx::query("SELECT * FROM messages_around($1, $2, $3, $4, $5, $6) ORDER BY seq")
            .bind(chat.0)
            .bind(place)
            .bind(before)
            .bind(after)
            .bind(user.0)
            .bind(number(ROWS))
            .fetch_all(&mut *tx)
            .await?;
        let mut page = Page { messages: Vec::new(), reacted: Vec::new(), version: it.version, last_seq: it.last_seq };
        for found in &rows {
            page.messages.push(row::message(found)?);
            page.reacted.extend(row::my_reaction(found, user)?.filter(|it| it.emoji.is_some()));
        }
        Ok(page)
    }
}

/// Whether a difference leads from one version to another; else a snapshot is due.
fn follows(from: Version, to: Version) -> bool {
    from.0 > 0 && from <= to && to.0 - from.0 <= limit::DIFFERENCE_VERSIONS
}

/// Takes a chat into an answer if there is room for it. The first always finds some: it was read as a page.
fn place(found: &mut HashMap<ChatId, ChatSync>, left: &mut usize, chat: ChatId, sync: ChatSync) {
    let bytes = encoded(&sync) + 1;
    if bytes <= *left || found.is_empty() {
        *left = left.saturating_sub(bytes);
        found.insert(chat, sync);
    }
}

pub(crate) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// One chat, for one of its members.
async fn listed(tx: &mut Tx, user: UserId, chat: ChatId) -> Result<Head> {
    let found = sqlx::query(
        "SELECT c.id, c.kind, c.seq, c.version FROM members m JOIN chats c ON c.id = m.chat_id
         WHERE m.chat_id = $2 AND m.user_id = $1 AND m.role IS NOT NULL",
    )
    .bind(user.0)
    .bind(chat.0)
    .fetch_optional(&mut **tx)
    .await?;
    match found {
        Some(found) => Ok(head(&found)?),
        None => Err(ErrorCode::ChatNotFound.into()),
    }
}

fn head(found: &PgRow) -> sqlx::Result<Head> {
    Ok(Head {
        chat: ChatId(found.try_get("id")?),
        kind: row::kind(found.try_get("kind")?),
        last_seq: Seq(found.try_get("seq")?),
        version: Version(found.try_get("version")?),
    })
}

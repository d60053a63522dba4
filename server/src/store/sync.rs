//! Reading what changed: differences, snapshots, history. Every answer is of one moment of the database, and of bounded size.

use std::collections::HashMap;

use chapar_protocol::{
    ChatCursor, ChatId, ChatKind, ChatSnapshot, ChatSync, ErrorCode, MyChat, Resume, Seq, Sync, UserDelta, UserId,
    Version, WireError, command::Page, limit,
};
use serde::Serialize;
use sqlx::Row;

use super::{
    ChatChange, EPOCH, Result, Store, StoreError,
    delta::{self, Stretch},
    pool::Tx,
    row, snapshot,
};

/// Bytes of an answer that are left for what stands around its rows.
const AROUND: usize = 2048;
/// Bytes of rows in an answer.
const ROWS: usize = limit::ANSWER_BYTES - AROUND;
/// Bytes of the list of one's own chats in an answer to `hello`.
const OWN: usize = 96 * 1024;
/// Own chats in one answer.
const OWN_CHATS: usize = 2000;
/// Bytes of the chats that an answer to `hello` names as behind.
const BEHIND: usize = 48 * 1024;
/// Read marks of others in an answer to `hello`; the next one brings further ones.
const OTHERS_READ: usize = 2000;
/// Chats that one answer to `hello` brings up to date in full; the rest are named as behind.
const CHATS_IN_FULL: usize = 100;
/// Messages of one chat in an answer to `hello`, and their bytes.
const MESSAGES_IN_HELLO: (usize, usize) = (50, 64 * 1024);
/// Bytes that the id of a chat takes in a list at most.
const ID: usize = 17;

/// The answer to `hello`, and the versions that events must follow on.
pub struct Resumed {
    /// For the client.
    pub sync: Sync,
    /// The version of the user's own things; the answer may lead to an earlier one.
    pub user_version: Version,
    /// The version of each of the user's chats.
    pub versions: Vec<(ChatId, Version)>,
}

/// One chat of the asking user.
struct Listed {
    kind: ChatKind,
    last_seq: Seq,
    version: Version,
    mine: MyChat,
}

/// How much of one chat a page holds, and of all together.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// Messages of one chat.
    pub(super) messages: usize,
    /// Bytes of one chat.
    pub(super) each: usize,
    /// Bytes of all.
    pub(super) all: usize,
}

impl Room {
    /// A page of one chat.
    const fn page(messages: usize) -> Self {
        Self { messages, each: ROWS, all: ROWS }
    }
}

impl Store {
    /// The chats that a user is in.
    pub async fn chat_ids(&self, user: UserId) -> Result<Vec<ChatId>> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT chat_id FROM user_chats WHERE user_id = $1 AND role IS NOT NULL")
                .bind(user.0)
                .fetch_all(&self.pool)
                .await?;
        Ok(ids.into_iter().map(ChatId).collect())
    }

    /// Everything that changed since a client's cursors; everything, without.
    pub async fn resume(&self, user: UserId, resume: Option<&Resume>) -> Result<Resumed> {
        let mut tx = self.snapshot().await?;
        let epoch: String = sqlx::query_scalar(EPOCH).fetch_one(&mut *tx).await?;
        let own = own(&mut tx, user).await?;
        let resume = resume.filter(|it| it.epoch == epoch && it.user_version <= own.version);
        let from = resume.map_or(Version(0), |it| it.user_version);
        let cursors: HashMap<ChatId, (Version, Seq)> = resume
            .map(|it| it.chats.iter().map(|&ChatCursor(chat, version, read)| (chat, (version, read))).collect())
            .unwrap_or_default();

        let listed = list(&mut tx, user, from).await?;
        let held: Vec<&Listed> = listed.iter().filter(|it| it.mine.role.is_some()).collect();
        let known = |it: &Listed| cursors.get(&it.mine.chat_id).map_or(Version(0), |cursor| cursor.0);
        let changed: Vec<&Listed> = held.iter().copied().filter(|it| known(it) != it.version).collect();
        let mine = listed.iter().map(|it| &it.mine).filter(|mine| mine.version > from).cloned().collect();
        let user_delta = own.delta(from, mine, OWN);

        let (full, rest) = changed.split_at(changed.len().min(CHATS_IN_FULL));
        let (deltas, snapshots): (Vec<&Listed>, _) = full.iter().partition(|it| follows(known(it), it.version));
        let deltas: Vec<Stretch> = deltas.into_iter().map(|it| (it.mine.chat_id, known(it), it.version)).collect();
        let snapshots: Vec<ChatId> = snapshots.into_iter().map(|it| it.mine.chat_id).collect();
        // What others have read is asked where it can be further than the client knows.
        let reads: Vec<(ChatId, Seq)> = held
            .iter()
            .filter(|it| it.kind != ChatKind::Channel)
            .filter_map(|it| {
                let known = cursors.get(&it.mine.chat_id).map(|cursor| cursor.1);
                let known = known.or_else(|| snapshots.contains(&it.mine.chat_id).then_some(Seq(0)))?;
                (it.last_seq > known).then_some((it.mine.chat_id, known))
            })
            .collect();
        let others_read = others_read(&mut tx, user, &reads).await?;

        let taken = encoded(&user_delta) + encoded(&others_read) + BEHIND.min(changed.len() * ID);
        let mut left = ROWS.saturating_sub(taken);
        let (messages, each) = MESSAGES_IN_HELLO;
        let mut by_id: HashMap<ChatId, ChatSync> = HashMap::new();
        let room = Room { messages, each, all: left };
        for (delta, more) in delta::read(&mut tx, Some(user), &deltas, room).await? {
            place(&mut by_id, &mut left, delta.chat_id, ChatSync::Delta { delta, more });
        }
        let room = Room { messages: limit::SNAPSHOT_MESSAGES, each, all: left };
        for snapshot in snapshot::read(&mut tx, user, &snapshots, room).await? {
            place(&mut by_id, &mut left, snapshot.chat.id, ChatSync::Snapshot { snapshot });
        }
        tx.commit().await?;

        let (mut chats, mut behind) = (Vec::new(), Vec::new());
        for it in full {
            match by_id.remove(&it.mine.chat_id) {
                Some(sync) => chats.push(sync),
                None => behind.push(it.mine.chat_id),
            }
        }
        behind.extend(rest.iter().map(|it| it.mine.chat_id));
        // A chat without a cursor is new to the client, which hears of it by the list of its chats as well.
        behind.sort_by_key(|chat| !cursors.contains_key(chat));
        behind.truncate(BEHIND / ID);

        let versions = held.iter().map(|it| (it.mine.chat_id, it.version)).collect();
        let sync = Sync { epoch, reset: resume.is_none(), user: user_delta, chats, behind, others_read };
        Ok(Resumed { sync, user_version: own.version, versions })
    }

    /// The changes of a chat for one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn difference(&self, user: UserId, chat: ChatId, from: Version) -> Result<ChatSync> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        if it.version == from || follows(from, it.version) {
            let stretch = (chat, from, it.version);
            let mut found = delta::read(&mut tx, Some(user), &[stretch], Room::page(limit::PAGE)).await?;
            if let Some((delta, more)) = found.pop() {
                return Ok(ChatSync::Delta { delta, more });
            }
        }
        match snapshot::read(&mut tx, user, &[chat], Room::page(limit::SNAPSHOT_MESSAGES)).await?.pop() {
            Some(snapshot) => Ok(ChatSync::Snapshot { snapshot }),
            None => Err(ErrorCode::ChatNotFound.into()),
        }
    }

    /// The same once the chat was changed: never `overloaded`, which says that nothing was.
    pub async fn snapshot_of_changed(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        self.chat_snapshot(user, chat).await.map_err(|error| match error {
            StoreError::Refused(error) if error.code == ErrorCode::Overloaded => {
                let message = "it was done, but could not be read: ask again, nothing is done twice";
                WireError::new(ErrorCode::Unavailable, message).after_ms(1000).into()
            }
            error => error,
        })
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

    /// What changed of a user's own things; with `more` only the earlier part of it.
    pub async fn user_difference(&self, user: UserId, from: Version) -> Result<UserDelta> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, version FROM user_chats WHERE user_id = $1 AND version > $2
                 AND version > 0
             ORDER BY version FETCH FIRST $3 ROWS WITH TIES",
        )
        .bind(user.0)
        .bind(from.0)
        .bind(number(OWN_CHATS + 1))
        .fetch_all(&mut *tx)
        .await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<_>>()?;
        Ok(own.delta(from, chats, ROWS))
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
        let rows = sqlx::query(
            "SELECT c.id, c.version FROM user_chats u JOIN chats c ON c.id = u.chat_id
             WHERE u.user_id = $1 AND u.chat_id = ANY ($2) AND u.role IS NOT NULL",
        )
        .bind(user.0)
        .bind(chats.iter().map(|chat| chat.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .iter()
            .map(|row| Ok((ChatId(row.try_get(0)?), Version(row.try_get(1)?))))
            .collect::<sqlx::Result<_>>()?)
    }

    /// The versions of some users.
    pub async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, Version)>> {
        let rows = sqlx::query("SELECT id, version FROM users WHERE id = ANY ($1)")
            .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Ok((UserId(row.try_get(0)?), Version(row.try_get(1)?))))
            .collect::<sqlx::Result<_>>()?)
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
            page.reacted.extend(row::my_reaction(found, user, Version(-1))?.filter(|it| it.emoji.is_some()));
        }
        Ok(page)
    }
}

/// Whether a difference leads from one version to another; else a snapshot is due.
fn follows(from: Version, to: Version) -> bool {
    from.0 > 0 && from <= to && to.0 - from.0 <= limit::DIFFERENCE_VERSIONS
}

/// What a user has beside chats.
struct Own {
    version: Version,
    missed_calls: u32,
    missed_version: Version,
}

impl Own {
    /// The counter of missed calls, if it has moved since then.
    fn missed_since(&self, from: Version) -> Option<u32> {
        (self.missed_version > from).then_some(self.missed_calls)
    }

    /// What changed after a version, as far as it fits, from rows that lead to this version.
    fn delta(&self, from: Version, mut chats: Vec<MyChat>, bytes: usize) -> UserDelta {
        chats.sort_by_key(|mine| mine.version);
        let mut spent = 0;
        let fits = chats.iter().take(OWN_CHATS).take_while(|mine| {
            spent += encoded(mine) + 1;
            spent <= bytes
        });
        let fits = fits.count();
        // Up to before the first that does not fit.
        let cut = chats.get(fits.max(1)).map(|mine| Version(mine.version.0 - 1));
        chats.retain(|mine| cut.is_none_or(|cut| mine.version <= cut));
        let version = cut.unwrap_or(self.version);
        UserDelta { from, version, chats, missed_calls: self.missed_since(from), more: cut.is_some() }
    }
}

/// What something takes on the wire.
fn encoded(it: &impl Serialize) -> usize {
    serde_json::to_vec(it).map_or(usize::MAX / 4, |bytes| bytes.len())
}

/// Takes a chat into an answer if there is room for it.
fn place(chats: &mut HashMap<ChatId, ChatSync>, left: &mut usize, chat: ChatId, sync: ChatSync) {
    let bytes = encoded(&sync) + 1;
    if bytes <= *left {
        *left -= bytes;
        chats.insert(chat, sync);
    }
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn own(tx: &mut Tx, user: UserId) -> Result<Own> {
    let row = sqlx::query("SELECT version, missed_calls, missed_version FROM users WHERE id = $1")
        .bind(user.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(Own {
        version: Version(row.try_get(0)?),
        missed_calls: u32::try_from(row.try_get::<i32, _>(1)?).unwrap_or(0),
        missed_version: Version(row.try_get(2)?),
    })
}

/// A user's chats, those that changed last first, with those left since a version.
async fn list(tx: &mut Tx, user: UserId, from: Version) -> Result<Vec<Listed>> {
    let rows = sqlx::query(
        "SELECT u.chat_id, u.role, u.read_seq, u.version, c.kind, c.seq AS last_seq, c.version AS chat_version
         FROM user_chats u JOIN chats c ON c.id = u.chat_id
         WHERE u.user_id = $1 AND (u.role IS NOT NULL OR ($2 > 0 AND u.version > $2)) ORDER BY c.changed_at DESC, c.id",
    )
    .bind(user.0)
    .bind(from.0)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.iter().map(read_listed).collect::<sqlx::Result<_>>()?)
}

/// One chat of a user.
async fn listed(tx: &mut Tx, user: UserId, chat: ChatId) -> Result<Listed> {
    let found = sqlx::query(
        "SELECT u.chat_id, u.role, u.read_seq, u.version, c.kind, c.seq AS last_seq, c.version AS chat_version
         FROM user_chats u JOIN chats c ON c.id = u.chat_id
         WHERE u.user_id = $1 AND u.chat_id = $2 AND u.role IS NOT NULL",
    )
    .bind(user.0)
    .bind(chat.0)
    .fetch_optional(&mut **tx)
    .await?;
    match found {
        Some(found) => Ok(read_listed(&found)?),
        None => Err(ErrorCode::ChatNotFound.into()),
    }
}

fn read_listed(found: &sqlx::postgres::PgRow) -> sqlx::Result<Listed> {
    Ok(Listed {
        kind: row::kind(found.try_get("kind")?),
        last_seq: Seq(found.try_get("last_seq")?),
        version: Version(found.try_get("chat_version")?),
        mine: row::my_chat(found)?,
    })
}

/// The furthest read marks of anybody else that are beyond those known, in some direct chats and groups.
async fn others_read(tx: &mut Tx, user: UserId, known: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
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
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.iter().map(|row| Ok((ChatId(row.try_get(0)?), Seq(row.try_get(1)?)))).collect::<sqlx::Result<_>>()?)
}

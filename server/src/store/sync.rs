//! Reading what changed: differences, snapshots, history. Every answer is of one moment of the database.

use std::collections::HashMap;

use chapar_protocol::{
    ChatCursor, ChatDelta, ChatId, ChatSnapshot, ChatSync, ErrorCode, Message, MyChat, Resume, Seq, Sync, UserDelta,
    UserId, Version, command::Page, limit,
};
use sqlx::{Postgres, Row, Transaction};

use super::{EPOCH, Result, Store, row};

/// Chats that one answer to `hello` brings up to date in full; the rest are named as behind.
const CHATS_IN_FULL: usize = 100;
/// Messages of one chat in an answer to `hello`.
const MESSAGES_IN_HELLO: i64 = 50;
/// Members in a snapshot.
const MEMBERS_IN_SNAPSHOT: i64 = 200;

/// The answer to `hello`, and the versions that events must follow on.
pub struct Resumed {
    /// For the client.
    pub sync: Sync,
    /// The version of each of the user's chats.
    pub versions: Vec<(ChatId, Version)>,
}

/// One chat of the asking user.
struct Listed {
    last_seq: Seq,
    version: Version,
    mine: MyChat,
}

type Tx = Transaction<'static, Postgres>;

/// A stretch of a chat's changes: after, up to and with.
type Stretch = (ChatId, Version, Version);

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
        let user_version = own.version;
        let resume = resume.filter(|it| it.epoch == epoch && it.user_version <= user_version);
        let from = resume.map_or(Version(0), |it| it.user_version);
        let cursors: HashMap<ChatId, (Version, Seq)> = resume
            .map(|it| it.chats.iter().map(|&ChatCursor(chat, version, read)| (chat, (version, read))).collect())
            .unwrap_or_default();

        let listed = list(&mut tx, user, from).await?;
        let (mut deltas, mut snapshots, mut behind) = (Vec::new(), Vec::new(), Vec::new());
        for it in listed.iter().filter(|it| it.mine.role.is_some()) {
            let known = cursors.get(&it.mine.chat_id).map_or(Version(0), |cursor| cursor.0);
            if known == it.version {
                continue;
            }
            if deltas.len() + snapshots.len() >= CHATS_IN_FULL {
                behind.push(it.mine.chat_id);
            } else if follows(known, it.version) {
                deltas.push((it.mine.chat_id, known, it.version));
            } else {
                snapshots.push(it.mine.chat_id);
            }
        }
        let deltas = deltas_of(&mut tx, Some(user), &deltas, MESSAGES_IN_HELLO).await?;
        let snapshots = snapshots_of(&mut tx, user, &snapshots).await?;
        let mut by_id: HashMap<ChatId, ChatSync> = HashMap::new();
        for (delta, more) in deltas {
            by_id.insert(delta.chat_id, ChatSync::Delta { delta, more });
        }
        for snapshot in snapshots {
            by_id.insert(snapshot.chat.id, ChatSync::Snapshot { snapshot });
        }
        let chats = listed.iter().filter_map(|it| by_id.remove(&it.mine.chat_id)).collect();

        let others_read = others_read(&mut tx, user).await?;
        let further = others_read
            .into_iter()
            .filter(|(chat, seq)| cursors.get(chat).is_none_or(|cursor| *seq > cursor.1))
            .collect();
        tx.commit().await?;

        let versions =
            listed.iter().filter(|it| it.mine.role.is_some()).map(|it| (it.mine.chat_id, it.version)).collect();
        let mine = listed.into_iter().map(|it| it.mine).filter(|mine| mine.version > from).collect();
        let sync = Sync {
            epoch,
            reset: resume.is_none(),
            user: UserDelta { from, version: user_version, chats: mine, missed_calls: own.missed_since(from) },
            chats,
            behind,
            others_read: further,
        };
        Ok(Resumed { sync, versions })
    }

    /// The changes of a chat for one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn difference(&self, user: UserId, chat: ChatId, from: Version) -> Result<ChatSync> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        if it.version == from || follows(from, it.version) {
            let page = i64::try_from(limit::PAGE).unwrap_or(i64::MAX);
            let mut found = deltas_of(&mut tx, Some(user), &[(chat, from, it.version)], page).await?;
            if let Some((delta, more)) = found.pop() {
                return Ok(ChatSync::Delta { delta, more });
            }
        }
        match snapshots_of(&mut tx, user, &[chat]).await?.pop() {
            Some(snapshot) => Ok(ChatSync::Snapshot { snapshot }),
            None => Err(ErrorCode::ChatNotFound.into()),
        }
    }

    /// A chat from scratch for one of its members.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn chat_snapshot(&self, user: UserId, chat: ChatId) -> Result<ChatSnapshot> {
        let mut tx = self.snapshot().await?;
        listed(&mut tx, user, chat).await?;
        snapshots_of(&mut tx, user, &[chat]).await?.pop().ok_or(ErrorCode::ChatNotFound.into())
    }

    /// What changed of a user's own things.
    pub async fn user_difference(&self, user: UserId, from: Version) -> Result<UserDelta> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, version FROM user_chats WHERE user_id = $1 AND version > $2 ORDER BY version",
        )
        .bind(user.0)
        .bind(from.0)
        .fetch_all(&mut *tx)
        .await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<_>>()?;
        Ok(UserDelta { from, version: own.version, chats, missed_calls: own.missed_since(from) })
    }

    /// The changes of a chat as everybody sees them, with the reactions of all. For filling gaps in the stream of events.
    pub async fn chat_changes(&self, chat: ChatId, from: Version) -> Result<Option<ChatDelta>> {
        let mut tx = self.snapshot().await?;
        let version: Option<i64> =
            sqlx::query_scalar("SELECT version FROM chats WHERE id = $1").bind(chat.0).fetch_optional(&mut *tx).await?;
        let Some(version) = version.filter(|version| *version > from.0) else { return Ok(None) };
        let page = i64::try_from(limit::PAGE).unwrap_or(i64::MAX);
        Ok(deltas_of(&mut tx, None, &[(chat, from, Version(version))], page).await?.pop().map(|(delta, _)| delta))
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

    /// A page of messages: up to `before` with seq < `seq`, up to `after` with seq ≥ `seq`.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn history(&self, user: UserId, chat: ChatId, seq: Seq, before: i64, after: i64) -> Result<Page> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        // Seqs are dense: the place and the counts name the stretch.
        let place = seq.0.clamp(1, it.last_seq.0 + 1);
        let rows = sqlx::query(
            "SELECT m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions
             FROM messages m WHERE m.chat_id = $1 AND m.seq >= $2 AND m.seq < $3 ORDER BY m.seq",
        )
        .bind(chat.0)
        .bind(place - before)
        .bind(place + after)
        .fetch_all(&mut *tx)
        .await?;
        let messages: Vec<Message> = rows.iter().map(row::message).collect::<sqlx::Result<_>>()?;
        let rows = sqlx::query(
            "SELECT seq, user_id, emoji FROM reactions
             WHERE chat_id = $1 AND seq >= $2 AND seq < $3 AND user_id = $4 AND emoji IS NOT NULL",
        )
        .bind(chat.0)
        .bind(place - before)
        .bind(place + after)
        .bind(user.0)
        .fetch_all(&mut *tx)
        .await?;
        let reacted = rows.iter().map(row::reacted).collect::<sqlx::Result<_>>()?;
        Ok(Page { messages, reacted, version: it.version, last_seq: it.last_seq })
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
        "SELECT u.chat_id, u.role, u.read_seq, u.version, c.seq AS last_seq, c.version AS chat_version
         FROM user_chats u JOIN chats c ON c.id = u.chat_id
         WHERE u.user_id = $1 AND (u.role IS NOT NULL OR u.version > $2) ORDER BY c.changed_at DESC, c.id",
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
        "SELECT u.chat_id, u.role, u.read_seq, u.version, c.seq AS last_seq, c.version AS chat_version
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
        last_seq: Seq(found.try_get("last_seq")?),
        version: Version(found.try_get("chat_version")?),
        mine: row::my_chat(found)?,
    })
}

/// The furthest read mark of anybody else, for each of a user's direct chats and groups.
async fn others_read(tx: &mut Tx, user: UserId) -> Result<Vec<(ChatId, Seq)>> {
    let rows = sqlx::query(
        "SELECT u.chat_id, r.read_seq FROM user_chats u JOIN chats c ON c.id = u.chat_id AND c.kind <> 2
         CROSS JOIN LATERAL (
             SELECT m.read_seq FROM members m WHERE m.chat_id = u.chat_id AND m.role IS NOT NULL AND m.user_id <> $1
             ORDER BY m.read_seq DESC LIMIT 1
         ) r
         WHERE u.user_id = $1 AND u.role IS NOT NULL AND r.read_seq > 0",
    )
    .bind(user.0)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.iter().map(|row| Ok((ChatId(row.try_get(0)?), Seq(row.try_get(1)?)))).collect::<sqlx::Result<_>>()?)
}

/// The changes in some stretches, at most `page` messages each, and for each whether more follow.
/// With a user the reactions of that user, else those of all.
async fn deltas_of(
    tx: &mut Tx,
    user: Option<UserId>,
    stretches: &[Stretch],
    page: i64,
) -> Result<Vec<(ChatDelta, bool)>> {
    if stretches.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = stretches.iter().map(|it| it.0.0).collect();
    let after: Vec<i64> = stretches.iter().map(|it| it.1.0).collect();
    let upto: Vec<i64> = stretches.iter().map(|it| it.2.0).collect();
    let rows = sqlx::query(
        "SELECT i.chat, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, after, upto)
         CROSS JOIN LATERAL (
             SELECT * FROM messages m WHERE m.chat_id = i.chat AND m.version > i.after AND m.version <= i.upto
             ORDER BY m.version LIMIT $4
         ) m ORDER BY i.chat, m.version",
    )
    .bind(&ids)
    .bind(&after)
    .bind(&upto)
    .bind(page)
    .fetch_all(&mut **tx)
    .await?;
    let mut messages: HashMap<ChatId, Vec<Message>> = HashMap::new();
    for found in &rows {
        messages.entry(ChatId(found.try_get("chat")?)).or_default().push(row::message(found)?);
    }
    let mut deltas: HashMap<ChatId, (ChatDelta, bool)> = HashMap::new();
    let mut cuts = Vec::with_capacity(stretches.len());
    for &(chat_id, from, version) in stretches {
        let messages = messages.remove(&chat_id).unwrap_or_default();
        let full = i64::try_from(messages.len()).unwrap_or(i64::MAX) >= page;
        let cut = messages.last().filter(|_| full).map_or(version, |last| last.version);
        cuts.push(cut.0);
        let delta =
            ChatDelta { chat_id, from, version: cut, chat: None, members: Vec::new(), messages, reacted: Vec::new() };
        deltas.insert(chat_id, (delta, cut < version));
    }
    let rows = sqlx::query(
        "SELECT c.id, c.kind, c.title, c.handle, c.created_at
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, after, upto)
         JOIN chats c ON c.id = i.chat AND c.info_version > i.after AND c.info_version <= i.upto",
    )
    .bind(&ids)
    .bind(&after)
    .bind(&cuts)
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        let info = row::chat_info(found)?;
        if let Some((delta, _)) = deltas.get_mut(&info.id) {
            delta.chat = Some(info);
        }
    }
    let rows = sqlx::query(
        "SELECT i.chat, c.kind, m.user_id, m.role, m.read_seq
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, after, upto)
         JOIN chats c ON c.id = i.chat
         JOIN members m ON m.chat_id = i.chat AND m.version > 0 AND m.version > i.after AND m.version <= i.upto
         ORDER BY m.user_id",
    )
    .bind(&ids)
    .bind(&after)
    .bind(&cuts)
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some((delta, _)) = deltas.get_mut(&ChatId(found.try_get("chat")?)) {
            delta.members.push(row::member(found, row::kind(found.try_get("kind")?))?);
        }
    }
    let rows = sqlx::query(
        "SELECT i.chat, r.seq, r.user_id, r.emoji
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, after, upto)
         JOIN reactions r ON r.chat_id = i.chat AND r.version > i.after AND r.version <= i.upto
         WHERE $4::bigint IS NULL OR r.user_id = $4 ORDER BY r.version",
    )
    .bind(&ids)
    .bind(&after)
    .bind(&cuts)
    .bind(user.map(|user| user.0))
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some((delta, _)) = deltas.get_mut(&ChatId(found.try_get("chat")?)) {
            delta.reacted.push(row::reacted(found)?);
        }
    }
    Ok(stretches.iter().filter_map(|it| deltas.remove(&it.0)).collect())
}

/// Some chats from scratch.
async fn snapshots_of(tx: &mut Tx, user: UserId, chats: &[ChatId]) -> Result<Vec<ChatSnapshot>> {
    if chats.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = chats.iter().map(|chat| chat.0).collect();
    let rows = sqlx::query("SELECT id, kind, title, handle, created_at, seq, version FROM chats WHERE id = ANY ($1)")
        .bind(&ids)
        .fetch_all(&mut **tx)
        .await?;
    let mut snapshots: HashMap<ChatId, ChatSnapshot> = HashMap::new();
    for found in &rows {
        let chat = row::chat_info(found)?;
        let (version, last_seq) = (Version(found.try_get("version")?), Seq(found.try_get("seq")?));
        let empty =
            ChatSnapshot { chat, version, last_seq, members: Vec::new(), messages: Vec::new(), reacted: Vec::new() };
        snapshots.insert(empty.chat.id, empty);
    }
    let rows = sqlx::query(
        "SELECT c.id AS chat, c.kind, m.user_id, m.role, m.read_seq FROM chats c
         CROSS JOIN LATERAL (
             SELECT * FROM members m
             WHERE m.chat_id = c.id AND m.role IS NOT NULL AND (c.kind <> 2 OR m.user_id = $2)
             ORDER BY m.user_id LIMIT $3
         ) m WHERE c.id = ANY ($1) ORDER BY c.id, m.user_id",
    )
    .bind(&ids)
    .bind(user.0)
    .bind(MEMBERS_IN_SNAPSHOT)
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some(snapshot) = snapshots.get_mut(&ChatId(found.try_get("chat")?)) {
            snapshot.members.push(row::member(found, row::kind(found.try_get("kind")?))?);
        }
    }
    let rows = sqlx::query(
        "SELECT c.id AS chat, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions
         FROM chats c JOIN messages m ON m.chat_id = c.id AND m.seq > c.seq - $2
         WHERE c.id = ANY ($1) ORDER BY c.id, m.seq",
    )
    .bind(&ids)
    .bind(i64::try_from(limit::SNAPSHOT_MESSAGES).unwrap_or(i64::MAX))
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some(snapshot) = snapshots.get_mut(&ChatId(found.try_get("chat")?)) {
            snapshot.messages.push(row::message(found)?);
        }
    }
    let rows = sqlx::query(
        "SELECT c.id AS chat, r.seq, r.user_id, r.emoji FROM chats c
         JOIN reactions r ON r.chat_id = c.id AND r.seq > c.seq - $2 AND r.user_id = $3 AND r.emoji IS NOT NULL
         WHERE c.id = ANY ($1)",
    )
    .bind(&ids)
    .bind(i64::try_from(limit::SNAPSHOT_MESSAGES).unwrap_or(i64::MAX))
    .bind(user.0)
    .fetch_all(&mut **tx)
    .await?;
    for found in &rows {
        if let Some(snapshot) = snapshots.get_mut(&ChatId(found.try_get("chat")?)) {
            snapshot.reacted.push(row::reacted(found)?);
        }
    }
    Ok(chats.iter().filter_map(|chat| snapshots.remove(chat)).collect())
}

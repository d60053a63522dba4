//! Each person's list of chats, and what else moves with the person's own version.

use std::collections::{BTreeMap, HashMap, HashSet};

use chapar_domain::judge::Membership;
use chapar_protocol::{
    ChatId, ErrorCode, Item, MyChat, Seq, UserDelta, UserId, Version, WireError, item::MissedCalls, limit,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow};

use super::{People, Result, StoreError, items, row};
use crate::{
    Tx,
    chats::{feed::Cursor, readers::Reader},
};

/// Bytes of an answer to `user_difference` that are for its rows.
const ROWS: usize = limit::ANSWER_BYTES - 2048;
/// Items in one answer, of all kinds together.
const ITEMS: usize = 2000;
/// So many are read of each, to see whether there are more.
const READ: i64 = 2001;

/// Where somebody's own things stand.
pub(crate) struct Own {
    pub(crate) version: Version,
    /// Up to here it is not known any more what was taken back.
    forgotten: Version,
    missed: MissedCalls,
}

impl People {
    /// The chats that a user is in.
    pub async fn chat_ids(&self, user: UserId) -> Result<Vec<ChatId>> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT chat_id FROM user_chats WHERE user_id = $1 AND role IS NOT NULL")
                .bind(user.0)
                .fetch_all(&self.pool)
                .await?;
        Ok(ids.into_iter().map(ChatId).collect())
    }

    /// Where a user's own things stand, the list of chats, with those left since a version, and what changed since: of one
    /// moment. What was left out for its bytes or number follows by [`Self::difference`].
    pub(crate) async fn own(
        &self,
        user: UserId,
        from: impl FnOnce(&Own) -> Version,
        bytes: usize,
    ) -> Result<(Own, Vec<MyChat>, UserDelta)> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        let from = from(&own);
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, request = 1 AS request, version FROM user_chats
             WHERE user_id = $1 AND (role IS NOT NULL OR ($2 > 0 AND version > $2))",
        )
        .bind(user.0)
        .bind(from.0)
        .fetch_all(&mut *tx)
        .await?;
        let set = items::since(&mut tx, user, from, READ).await?;
        tx.commit().await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<Vec<_>>>()?;
        let changed = chats.iter().filter(|mine| mine.version > from).cloned().map(Item::Chat);
        let delta = own.delta(from, changed.chain(set).collect(), bytes);
        Ok((own, chats, delta))
    }

    /// What changed of a user's own things; with `more` only the earlier part of it.
    ///
    /// # Errors
    /// [`ErrorCode::TooFarBehind`] where it is not known any more what was taken back since.
    pub async fn difference(&self, user: UserId, from: Version) -> Result<UserDelta> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        if !own.knows(from) {
            let message = "it is not known any more what was taken back since: begin anew";
            return Err(WireError::new(ErrorCode::TooFarBehind, message).into());
        }
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, request = 1 AS request, version FROM user_chats WHERE user_id = $1 AND version > $2
                 AND version > 0
             ORDER BY version FETCH FIRST $3 ROWS WITH TIES",
        )
        .bind(user.0)
        .bind(from.0)
        .bind(READ)
        .fetch_all(&mut *tx)
        .await?;
        let set = items::since(&mut tx, user, from, READ).await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<Vec<_>>>()?;
        Ok(own.delta(from, chats.into_iter().map(Item::Chat).chain(set).collect(), ROWS))
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

    /// Brings people's lists into line with how they stand in chats. What is older than what a list says is left out, so it may
    /// come twice and in any order; but turns below `first` are of an earlier history of the chats' side, which has lost some. Returns
    /// what has changed of whose own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn apply(&self, memberships: &[Membership], first: i64) -> Result<Vec<(UserId, UserDelta)>> {
        let mut last: BTreeMap<(UserId, ChatId), &Membership> = BTreeMap::new();
        for it in memberships {
            let known = last.entry((it.user, it.chat)).or_insert(it);
            if it.turn > known.turn {
                *known = it;
            }
        }
        if last.is_empty() {
            return Ok(Vec::new());
        }
        let column = |value: fn(&Membership) -> i64| last.values().map(|it| value(it)).collect::<Vec<i64>>();
        let rows = sqlx::query("SELECT * FROM apply_memberships($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(column(|it| it.user.0))
            .bind(column(|it| it.chat.0))
            .bind(last.values().map(|it| row::kind_number(it.kind)).collect::<Vec<_>>())
            .bind(last.values().map(|it| it.role.map(row::role_number)).collect::<Vec<_>>())
            .bind(column(|it| it.read_seq.0))
            .bind(last.values().map(|it| it.engaged).collect::<Vec<_>>())
            .bind(column(|it| it.turn))
            .bind(first)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, last.keys().map(|it| it.0).collect()))?;
        deltas(&rows)
    }

    /// A page of all lists of chats, by person and chat.
    pub async fn listed_after(&self, after: Reader, most: i64) -> Result<Vec<Reader>> {
        let rows = sqlx::query(
            "SELECT user_id, chat_id FROM user_chats WHERE (user_id, chat_id) > ($1, $2) ORDER BY user_id, chat_id LIMIT $3",
        )
        .bind(after.user.0)
        .bind(after.chat.0)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| Ok(Reader { user: UserId(row.try_get(0)?), chat: ChatId(row.try_get(1)?) });
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Moves read marks forward; never back. Returns what has changed of whose own things, and who was passed over because somebody
    /// else has locked their row.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn mark_read(&self, marks: &HashMap<Reader, Seq>) -> Result<(Vec<(UserId, UserDelta)>, HashSet<UserId>)> {
        let rows = sqlx::query("SELECT * FROM mark_read($1, $2, $3)")
            .bind(marks.keys().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(marks.keys().map(|it| it.chat.0).collect::<Vec<_>>())
            .bind(marks.values().map(|seq| seq.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, marks.keys().map(|it| it.user).collect()))?;
        let (mut moved, mut passed_over) = (Vec::new(), HashSet::new());
        for row in rows {
            if row.try_get::<Option<i64>, _>("version")?.is_some() {
                moved.push(row);
            } else {
                passed_over.insert(UserId(row.try_get("user_id")?));
            }
        }
        Ok((deltas(&moved)?, passed_over))
    }

    /// Notes that somebody has opened a direct chat, or accepted it: it is an answer, also while the list does not know of the chat
    /// yet. Returns what has changed of their own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn engage(&self, user: UserId, chat: ChatId) -> Result<Option<UserDelta>> {
        self.answer_direct(user, chat, true).await
    }

    /// Declines a request: it is gone from the list, and stays away until the person opens it.
    ///
    /// # Errors
    /// As above.
    pub async fn decline(&self, user: UserId, chat: ChatId) -> Result<Option<UserDelta>> {
        self.answer_direct(user, chat, false).await
    }

    async fn answer_direct(&self, user: UserId, chat: ChatId, accept: bool) -> Result<Option<UserDelta>> {
        let rows = sqlx::query("SELECT * FROM answer_direct($1, $2, $3)")
            .bind(user.0)
            .bind(chat.0)
            .bind(accept)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, vec![user]))?;
        Ok(deltas(&rows)?.pop().map(|(_, delta)| delta))
    }
}

/// A follower's turn at the feed: nobody else has it meanwhile.
pub struct FollowersTurn {
    tx: Tx,
    follower: &'static str,
    history: String,
    /// Another history was followed before.
    anew: bool,
    at: Cursor,
}

impl FollowersTurn {
    /// Whether another history was followed before, which may have had more than this one.
    pub fn is_anew(&self) -> bool {
        self.anew
    }

    /// Has work begun at once that stays when this ends.
    pub async fn put_job(&mut self, kind: &str, about: &Value) -> Result<()> {
        sqlx::query("INSERT INTO jobs (kind, about) VALUES ($1, $2)")
            .bind(kind)
            .bind(about)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// How far it has come.
    pub fn at(&self) -> Cursor {
        self.at
    }

    /// Everything up to there is done.
    pub async fn end(mut self, upto: Cursor) -> Result<()> {
        if upto != self.at {
            sqlx::query("UPDATE feed_cursors SET xid = $2::text::xid8, id = $3, history = $4 WHERE consumer = $1")
                .bind(self.follower)
                .bind(upto.xid.to_string())
                .bind(upto.id)
                .bind(&self.history)
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(self.tx.commit().await?)
    }
}

impl People {
    /// A turn at the feed, for one who follows it; `None` while somebody else has it. `history` names the one that the feed
    /// belongs to: in another one transactions may count from the start again, and so does the follower.
    pub async fn follow(&self, follower: &'static str, history: &str) -> Result<Option<FollowersTurn>> {
        sqlx::query("INSERT INTO feed_cursors (consumer) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(follower)
            .execute(&self.pool)
            .await?;
        let mut tx = self.begin().await?;
        let found = sqlx::query(
            "SELECT xid::text::bigint AS xid, id, history FROM feed_cursors WHERE consumer = $1 FOR UPDATE SKIP LOCKED",
        )
        .bind(follower)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else { return Ok(None) };
        let before: String = found.try_get("history")?;
        let known = before == history;
        let at =
            if known { Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? } } else { Cursor::default() };
        Ok(Some(FollowersTurn { tx, follower, history: history.to_owned(), anew: !known && !before.is_empty(), at }))
    }

    /// How far a follower of the feed has come in a history of the chats' side.
    pub(crate) async fn feed_cursor(&self, follower: &str, history: &str) -> Result<Cursor> {
        let found =
            sqlx::query("SELECT xid::text::bigint AS xid, id FROM feed_cursors WHERE consumer = $1 AND history = $2")
                .bind(follower)
                .bind(history)
                .fetch_optional(&self.pool)
                .await?;
        let Some(found) = found else { return Ok(Cursor::default()) };
        Ok(Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? })
    }
}

/// Rows that each have a version of their own, as the devices of each person hear of them.
fn deltas(rows: &[PgRow]) -> Result<Vec<(UserId, UserDelta)>> {
    let mut by_version: BTreeMap<(UserId, Version), MyChat> = BTreeMap::new();
    for found in rows {
        let mine = row::my_chat(found)?;
        by_version.insert((UserId(found.try_get("user_id")?), mine.version), mine);
    }
    let mut deltas: Vec<(UserId, UserDelta)> = Vec::new();
    for ((user, version), mine) in by_version {
        let last = deltas.last_mut().filter(|(last, delta)| *last == user && delta.version.next() == version);
        if let Some((_, delta)) = last {
            delta.version = version;
            delta.items.push(Item::Chat(mine));
        } else {
            deltas.push((user, UserDelta::of(Version(version.0 - 1), vec![Item::Chat(mine)])));
        }
    }
    Ok(deltas)
}

impl Own {
    /// Whether it can be told what changed since a version.
    pub(crate) fn knows(&self, from: Version) -> bool {
        from == Version(0) || from >= self.forgotten
    }

    /// What changed after a version, as far as it fits.
    fn delta(&self, from: Version, mut items: Vec<Item>, bytes: usize) -> UserDelta {
        if self.missed.version > from {
            items.push(Item::MissedCalls(self.missed));
        }
        items.sort_by_key(Item::version);
        let mut spent = 0;
        let fits = items.iter().take(ITEMS).take_while(|item| {
            spent += encoded(item) + 1;
            spent <= bytes
        });
        let fits = fits.count();
        // Up to before the first that does not fit.
        let cut = items.get(fits.max(1)).map(|item| Version(item.version().0 - 1));
        items.retain(|item| cut.is_none_or(|cut| item.version() <= cut));
        UserDelta { from, version: cut.unwrap_or(self.version), items, more: cut.is_some() }
    }
}

/// What something takes on the wire.
pub(crate) fn encoded(it: &impl Serialize) -> usize {
    serde_json::to_vec(it).map_or(usize::MAX / 4, |bytes| bytes.len())
}

async fn own(tx: &mut Tx, user: UserId) -> Result<Own> {
    let row = sqlx::query("SELECT version, missed_calls, missed_version, forgotten_version FROM users WHERE id = $1")
        .bind(user.0)
        .fetch_one(&mut **tx)
        .await?;
    let count = u32::try_from(row.try_get::<i32, _>(1)?).unwrap_or(0);
    Ok(Own {
        version: Version(row.try_get(0)?),
        missed: MissedCalls { version: Version(row.try_get(2)?), count },
        forgotten: Version(row.try_get(3)?),
    })
}

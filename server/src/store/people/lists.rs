//! Each person's list of chats, and what else moves with the person's own version.

use std::collections::{BTreeMap, HashMap};

use chapar_domain::judge::Membership;
use chapar_protocol::{ChatId, MyChat, Seq, UserDelta, UserId, Version, limit};
use serde::Serialize;
use sqlx::{Row, postgres::PgRow};

use super::{People, Result, StoreError, row};
use crate::store::{
    Tx,
    chats::{feed::Cursor, readers::Reader},
};

/// Bytes of an answer to `user_difference` that are for its rows.
const ROWS: usize = limit::ANSWER_BYTES - 2048;
/// Own chats in one answer.
const OWN_CHATS: usize = 2000;

/// What somebody has beside chats.
pub(in crate::store) struct Own {
    pub(in crate::store) version: Version,
    missed_calls: u32,
    missed_version: Version,
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

    /// A user's own things, and the list of chats, with those left since a version: of one moment.
    pub(in crate::store) async fn own(
        &self,
        user: UserId,
        from: impl FnOnce(&Own) -> Version,
    ) -> Result<(Own, Vec<MyChat>)> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        let from = from(&own);
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, version FROM user_chats
             WHERE user_id = $1 AND (role IS NOT NULL OR ($2 > 0 AND version > $2))",
        )
        .bind(user.0)
        .bind(from.0)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((own, rows.iter().map(row::my_chat).collect::<sqlx::Result<_>>()?))
    }

    /// What changed of a user's own things; with `more` only the earlier part of it.
    pub async fn difference(&self, user: UserId, from: Version) -> Result<UserDelta> {
        let mut tx = self.snapshot().await?;
        let own = own(&mut tx, user).await?;
        let rows = sqlx::query(
            "SELECT chat_id, role, read_seq, version FROM user_chats WHERE user_id = $1 AND version > $2
                 AND version > 0
             ORDER BY version FETCH FIRST $3 ROWS WITH TIES",
        )
        .bind(user.0)
        .bind(from.0)
        .bind(i64::try_from(OWN_CHATS + 1).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
        let chats = rows.iter().map(row::my_chat).collect::<sqlx::Result<_>>()?;
        Ok(own.delta(from, chats, ROWS))
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
    /// come twice and in any order. Returns what has changed of whose own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn apply(&self, memberships: &[Membership]) -> Result<Vec<(UserId, UserDelta)>> {
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
        let rows = sqlx::query("SELECT * FROM apply_memberships($1, $2, $3, $4, $5, $6, $7)")
            .bind(column(|it| it.user.0))
            .bind(column(|it| it.chat.0))
            .bind(last.values().map(|it| row::kind_number(it.kind)).collect::<Vec<_>>())
            .bind(last.values().map(|it| it.role.map(row::role_number)).collect::<Vec<_>>())
            .bind(column(|it| it.read_seq.0))
            .bind(last.values().map(|it| it.engaged).collect::<Vec<_>>())
            .bind(column(|it| it.turn))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, last.keys().map(|it| it.0).collect()))?;
        deltas(&rows)
    }

    /// Moves read marks forward; never back. Returns what has changed of whose own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn mark_read(&self, marks: &HashMap<Reader, Seq>) -> Result<Vec<(UserId, UserDelta)>> {
        let rows = sqlx::query("SELECT * FROM mark_read($1, $2, $3)")
            .bind(marks.keys().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(marks.keys().map(|it| it.chat.0).collect::<Vec<_>>())
            .bind(marks.values().map(|seq| seq.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, marks.keys().map(|it| it.user).collect()))?;
        deltas(&rows)
    }

    /// Notes that somebody has opened a direct chat that was there: it is an answer.
    pub async fn engage(&self, user: UserId, chat: ChatId) -> Result<()> {
        sqlx::query("UPDATE user_chats SET engaged = true WHERE user_id = $1 AND chat_id = $2 AND NOT engaged")
            .bind(user.0)
            .bind(chat.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// A follower's turn at the feed: nobody else has it meanwhile.
pub struct FollowersTurn {
    tx: Tx,
    follower: &'static str,
    history: String,
    at: Cursor,
}

impl FollowersTurn {
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
        let known = found.try_get::<String, _>("history")? == history;
        let at =
            if known { Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? } } else { Cursor::default() };
        Ok(Some(FollowersTurn { tx, follower, history: history.to_owned(), at }))
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
            delta.chats.push(mine);
        } else {
            let from = Version(version.0 - 1);
            deltas.push((user, UserDelta { from, version, chats: vec![mine], missed_calls: None, more: false }));
        }
    }
    Ok(deltas)
}

impl Own {
    /// The counter of missed calls, if it has moved since then.
    fn missed_since(&self, from: Version) -> Option<u32> {
        (self.missed_version > from).then_some(self.missed_calls)
    }

    /// What changed after a version, as far as it fits, from rows that lead to this version.
    pub(in crate::store) fn delta(&self, from: Version, mut chats: Vec<MyChat>, bytes: usize) -> UserDelta {
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
pub(in crate::store) fn encoded(it: &impl Serialize) -> usize {
    serde_json::to_vec(it).map_or(usize::MAX / 4, |bytes| bytes.len())
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

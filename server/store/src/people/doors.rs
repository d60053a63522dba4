//! To whom people are open: who is blocked, whom they know, what their settings allow, whose chat is a request still.
//!
//! All of it is asked of the people's side alone, before a chat is changed. A block is noted in the chat as well, and so is
//! that somebody takes messages from nobody (see `set_items`), so that messages need not ask.

use std::collections::HashSet;

use chapar_protocol::{Audience, ChatId, ErrorCode, UserId};
use sqlx::Row;

use super::{People, Result, budgets::Repute, known::Known};
use crate::chats::readers::Reader;

/// How somebody stands to a person who wants something of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Whose, and how near they are.
    pub of: Known,
    /// They have blocked the other.
    pub blocked: bool,
    /// They know the other: as a contact, from a group, or from a direct chat that they have answered.
    pub known: bool,
    /// Who may write to them.
    write: Audience,
    /// Who may add them to chats.
    add: Audience,
}

impl Door {
    /// Whether the other may begin a direct chat.
    pub fn takes_messages(&self) -> bool {
        !self.blocked && self.write.allows(self.known)
    }

    /// Whether the other may bring them into groups and channels.
    pub fn takes_invitations(&self) -> bool {
        !self.blocked && self.add.allows(self.known)
    }
}

/// How the people whom a command names stand to whoever asks.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Those who may be named.
    pub doors: Vec<Door>,
    /// What is known of whoever asks.
    pub asker: Repute,
}

impl Named {
    /// Those whom a command names, if all of them may be named.
    ///
    /// # Errors
    /// [`ErrorCode::UserNotFound`] when one may not, which is also what is said of one who does not exist.
    pub fn all(self, named: &[UserId]) -> Result<Self> {
        let known: HashSet<UserId> = self.doors.iter().map(|door| door.of.user).collect();
        let all = named.iter().all(|user| known.contains(user));
        if all { Ok(self) } else { Err(ErrorCode::UserNotFound.into()) }
    }
}

impl People {
    /// How some people stand to `user`: in one statement all that a command asks of them before it brings them into a chat. Whom
    /// the user may not name is left out; with `everybody` only who does not exist.
    pub async fn doors(&self, user: UserId, of: &[UserId], everybody: bool) -> Result<Named> {
        let rows = self.ask_known(user, of, everybody, true).await?;
        let mut named = Named::default();
        for row in &rows {
            let number = |column| -> sqlx::Result<u32> {
                Ok(u32::try_from(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0).max(0)).unwrap_or(u32::MAX))
            };
            named.asker = Repute { days: number("days")?, reports: number("reports")? };
            let of = Known::of(row)?;
            // Nobody is shut out by themselves.
            let audience = |column| -> sqlx::Result<Audience> {
                let value: Option<&str> = if of.user == user { None } else { row.try_get(column)? };
                Ok(value.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default())
            };
            named.doors.push(Door {
                of,
                blocked: row.try_get("blocked")?,
                known: of.has_answered() || row.try_get("in_group")? || row.try_get("contact")?,
                write: audience("write")?,
                add: audience("add")?,
            });
        }
        Ok(named)
    }

    /// Who of two takes no messages from the other: by a block, or from nobody.
    pub async fn closed_between(&self, one: UserId, other: UserId) -> Result<Vec<(UserId, UserId)>> {
        let rows = sqlx::query(
            "SELECT i.usr, i.other FROM (VALUES ($1::bigint, $2::bigint), ($2, $1)) AS i (usr, other)
             WHERE i.usr <> i.other AND (
                 (SELECT value FROM items k WHERE k.user_id = i.usr AND k.kind = 'block' AND k.key = i.other::text) IS NOT NULL
                 OR (SELECT value FROM items k WHERE k.user_id = i.usr AND k.kind = 'setting' AND k.key = 'who_may_write')
                     = to_json('nobody'::text)::text)",
        )
        .bind(one.0)
        .bind(other.0)
        .fetch_all(&self.pool)
        .await?;
        let pair = |row: &sqlx::postgres::PgRow| Ok((UserId(row.try_get("usr")?), UserId(row.try_get("other")?)));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }

    /// The other one of a direct chat of somebody: absent in other chats, and in the one with oneself.
    pub async fn peer(&self, user: UserId, chat: ChatId) -> Result<Option<UserId>> {
        let peer = sqlx::query_scalar(
            "SELECT peer_id FROM user_chats WHERE user_id = $1 AND chat_id = $2 AND kind = 0 AND peer_id <> user_id",
        );
        let peer: Option<i64> = peer.bind(user.0).bind(chat.0).fetch_optional(&self.pool).await?;
        Ok(peer.map(UserId))
    }

    /// Whether somebody takes no messages from somebody, because of a block or from nobody, and since when that is known to be so:
    /// microseconds, negative where they do. Of two answers the later one holds, wherever they were asked for: the lock of whose wish it
    /// is gives them their order.
    pub async fn closed_since(&self, user: UserId, other: UserId) -> Result<i64> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE").bind(user.0).execute(&mut *tx).await?;
        let since: i64 = sqlx::query_scalar(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * CASE WHEN (
                 SELECT value FROM items WHERE user_id = $1 AND kind = 'block' AND key = $2) IS NULL AND (
                 SELECT value FROM items WHERE user_id = $1 AND kind = 'setting' AND key = 'who_may_write')
                     IS DISTINCT FROM to_json('nobody'::text)::text THEN -1 ELSE 1 END",
        )
        .bind(user.0)
        .bind(other.to_string())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(since)
    }

    /// With whom somebody has direct chats, a page of them by the chats' ids, each with its id.
    pub async fn peers(&self, user: UserId, after: ChatId, most: i64) -> Result<Vec<(ChatId, UserId)>> {
        let rows = sqlx::query(
            "SELECT chat_id, peer_id FROM user_chats
             WHERE user_id = $1 AND chat_id > $2 AND peer_id <> user_id ORDER BY chat_id LIMIT $3",
        )
        .bind(user.0)
        .bind(after.0)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let pair = |row: &sqlx::postgres::PgRow| Ok((ChatId(row.try_get("chat_id")?), UserId(row.try_get("peer_id")?)));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }

    /// Those of some direct chats that are a request to the person named with them: nothing of that person is seen there.
    pub async fn requests_among(&self, who: &[Reader]) -> Result<HashSet<Reader>> {
        if who.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = sqlx::query(
            "SELECT k.user_id, k.chat_id FROM unnest($1::bigint[], $2::bigint[]) AS i (usr, chat)
             CROSS JOIN LATERAL (
                 SELECT * FROM user_chats k WHERE k.user_id = i.usr AND k.chat_id = i.chat AND k.request <> 0 LIMIT 1
             ) k",
        )
        .bind(who.iter().map(|it| it.user.0).collect::<Vec<_>>())
        .bind(who.iter().map(|it| it.chat.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok(Reader { user: UserId(row.try_get("user_id")?), chat: ChatId(row.try_get("chat_id")?) })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Whether a direct chat is a request to either of its two people, one of whom is named.
    pub async fn is_request(&self, user: UserId, chat: ChatId) -> Result<bool> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT FROM user_chats k WHERE k.user_id = $1 AND k.chat_id = $2 AND (k.request <> 0 OR EXISTS (
                     SELECT FROM user_chats p WHERE p.user_id = k.peer_id AND p.chat_id = k.chat_id AND p.request <> 0)))",
        );
        Ok(found.bind(user.0).bind(chat.0).fetch_one(&self.pool).await?)
    }
}

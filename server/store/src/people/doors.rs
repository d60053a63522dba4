//! To whom people are open: who is blocked, whom they know, what their settings allow, whose chat is a request still.
//!
//! All of it is asked of the people's side alone, before a chat is changed. A block is noted in the chat as well (see
//! `set_items`), so that messages need not ask.

use std::collections::HashSet;

use chapar_protocol::{Audience, ChatId, UserId};
use sqlx::Row;

use super::{People, Result};
use crate::chats::readers::Reader;

/// How somebody stands to a person who wants something of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Whose.
    pub of: UserId,
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

impl People {
    /// How some people stand to `user`. Who does not exist is left out; nobody is open to themselves or not.
    pub async fn doors(&self, user: UserId, of: &[UserId]) -> Result<Vec<Door>> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "WITH mine AS MATERIALIZED (
                 SELECT u.chat_id FROM user_chats u WHERE u.user_id = $1 AND u.kind = 1 AND u.role IS NOT NULL
             ),
             shared AS MATERIALIZED (
                 SELECT DISTINCT t.user_id FROM user_chats t JOIN mine m ON m.chat_id = t.chat_id
                 WHERE t.user_id = ANY ($2) AND t.role IS NOT NULL
             )
             SELECT p.id,
                 (SELECT i.value FROM items i WHERE i.user_id = p.id AND i.kind = 'block' AND i.key = $1::text)
                     IS NOT NULL AS blocked,
                 s.user_id IS NOT NULL
                 OR (SELECT i.value FROM items i WHERE i.user_id = p.id AND i.kind = 'contact' AND i.key = $1::text)
                     IS NOT NULL
                 OR EXISTS (SELECT FROM direct_chats d JOIN user_chats e ON e.user_id = p.id AND e.chat_id = d.chat_id
                            WHERE d.low_user_id = least($1, p.id) AND d.high_user_id = greatest($1, p.id)
                              AND e.engaged) AS known,
                 (SELECT i.value FROM items i WHERE i.user_id = p.id AND i.kind = 'setting' AND i.key = 'who_may_write') AS write,
                 (SELECT i.value FROM items i WHERE i.user_id = p.id AND i.kind = 'setting' AND i.key = 'who_may_add') AS add
             FROM unnest($2::bigint[]) AS p (id) LEFT JOIN shared s ON s.user_id = p.id WHERE p.id <> $1",
        )
        .bind(user.0)
        .bind(of.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let audience = |row: &sqlx::postgres::PgRow, column: &str| -> sqlx::Result<Audience> {
            let value: Option<&str> = row.try_get(column)?;
            Ok(value.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default())
        };
        let door = |row: &sqlx::postgres::PgRow| {
            Ok(Door {
                of: UserId(row.try_get("id")?),
                blocked: row.try_get("blocked")?,
                known: row.try_get("known")?,
                write: audience(row, "write")?,
                add: audience(row, "add")?,
            })
        };
        Ok(rows.iter().map(door).collect::<sqlx::Result<_>>()?)
    }

    /// Whether somebody has blocked somebody.
    pub async fn has_blocked(&self, user: UserId, other: UserId) -> Result<bool> {
        let blocked = sqlx::query_scalar(
            "SELECT (SELECT value FROM items WHERE user_id = $1 AND kind = 'block' AND key = $2) IS NOT NULL",
        );
        Ok(blocked.bind(user.0).bind(other.to_string()).fetch_one(&self.pool).await?)
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

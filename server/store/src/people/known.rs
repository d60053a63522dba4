//! Who knows whom. Ids are dense, so that somebody knows an id opens nothing: a person can be named by those who share a
//! chat with them or have found them by handle.

use std::collections::HashSet;

use chapar_protocol::UserId;
use sqlx::Row;

use super::{People, Result, StoreError, budgets, budgets::Charge};

/// How many people somebody may have found by handle and still name by id.
const FOUND: i64 = 1000;

/// Somebody whom a user may name, and how near they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub user: UserId,
    /// What it costs to reach them, in quarters of a new contact.
    pub quarters: u32,
}

impl Known {
    /// Whether they have written to whoever asks, or opened their direct chat: then it is no stranger who reaches them.
    pub fn has_answered(&self) -> bool {
        self.quarters == 0
    }
}

impl People {
    /// Those of some people whom a user may name, with `everybody` all who exist. The others are left out, whether they exist or not.
    ///
    /// Sharing a chat counts while the user is in it, also with those who have left it: their messages stand there. The
    /// readers of a channel share it with its owner and admins, not with each other. It is looked up in the lists of chats of
    /// those who are named, so a channel with a million readers costs nothing.
    pub async fn known_among(&self, user: UserId, among: &[UserId], everybody: bool) -> Result<Vec<Known>> {
        let mut ids: Vec<i64> = among.iter().map(|user| user.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = sqlx::query(
            "WITH mine AS MATERIALIZED (
                 SELECT u.chat_id, u.kind = 2 AND u.role = 0 AS reads
                 FROM user_chats u WHERE u.user_id = $1 AND u.role IS NOT NULL
             ),
             shared AS MATERIALIZED (
                 SELECT DISTINCT t.user_id FROM user_chats t JOIN mine m ON m.chat_id = t.chat_id
                 WHERE t.user_id = ANY ($2) AND (NOT m.reads OR t.role > 0)
             )
             SELECT p.id, s.user_id IS NOT NULL AS shares, p.id = $1 OR EXISTS (
                 SELECT 1 FROM direct_chats d JOIN user_chats e ON e.user_id = p.id AND e.chat_id = d.chat_id
                 WHERE d.low_user_id = least($1, p.id) AND d.high_user_id = greatest($1, p.id) AND e.engaged
             ) AS answered
             FROM unnest($2::bigint[]) AS p (id) LEFT JOIN shared s ON s.user_id = p.id
             WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = p.id)
               AND ($3 OR p.id = $1 OR s.user_id IS NOT NULL
                    OR EXISTS (SELECT 1 FROM found_people f WHERE f.user_id = $1 AND f.other_id = p.id))",
        )
        .bind(user.0)
        .bind(&ids)
        .bind(everybody)
        .fetch_all(&self.pool)
        .await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            let quarters = match (row.try_get("answered")?, row.try_get("shares")?) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 4,
            };
            known.push(Known { user: UserId(row.try_get("id")?), quarters });
        }
        Ok(known)
    }

    /// Those of some pairs in which the first may see whether the second is there: the second has done something themselves in the
    /// direct chat of the two (opened it, or written in it), which is no request to the first either, and neither a block nor a
    /// setting of theirs says no.
    pub async fn may_see(&self, pairs: &[(UserId, UserId)]) -> Result<HashSet<(UserId, UserId)>> {
        let rows = sqlx::query(
            "SELECT i.usr, i.other FROM unnest($1::bigint[], $2::bigint[]) AS i (usr, other)
             CROSS JOIN LATERAL (
                 SELECT * FROM direct_chats d
                 WHERE d.low_user_id = least(i.usr, i.other) AND d.high_user_id = greatest(i.usr, i.other) LIMIT 1
             ) d
             CROSS JOIN LATERAL (
                 SELECT FROM user_chats e WHERE e.user_id = i.other AND e.chat_id = d.chat_id AND e.engaged LIMIT 1
             ) e
             WHERE coalesce((SELECT m.request FROM user_chats m WHERE m.user_id = i.usr AND m.chat_id = d.chat_id), 0) = 0
               AND (SELECT b.value FROM items b
                    WHERE b.user_id = i.other AND b.kind = 'block' AND b.key = i.usr::text) IS NULL
               AND (SELECT s.value FROM items s WHERE s.user_id = i.other AND s.kind = 'setting' AND s.key = 'who_may_see')
                   IS DISTINCT FROM to_json('nobody'::text)::text",
        )
        .bind(pairs.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(pairs.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let pair = |row: &sqlx::postgres::PgRow| Ok((UserId(row.try_get(0)?), UserId(row.try_get(1)?)));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }

    /// Notes that a user has found somebody by handle, who can be named from now on.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`](chapar_protocol::ErrorCode::RateLimited) when the user's budget does not pay for it.
    pub async fn find(&self, user: UserId, found: UserId, charge: Charge) -> Result<()> {
        self.is_spent(user, charge)?;
        let mut tx = self.begin().await?;
        let paid = budgets::spend(&mut tx, &[user], charge).await?;
        self.refusals.heed(&charge, paid)?;
        sqlx::query(
            "INSERT INTO found_people (user_id, other_id) VALUES ($1, $2)
             ON CONFLICT (user_id, other_id) DO UPDATE SET found_at = excluded.found_at",
        )
        .bind(user.0)
        .bind(found.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM found_people WHERE user_id = $1 AND found_at <= (
                 SELECT found_at FROM found_people WHERE user_id = $1 ORDER BY found_at DESC OFFSET $2 LIMIT 1)",
        )
        .bind(user.0)
        .bind(FOUND)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The people of a command, if all of them may be named.
///
/// # Errors
/// [`ErrorCode::UserNotFound`](chapar_protocol::ErrorCode::UserNotFound) when one may not, which is also what is said of
/// one who does not exist.
pub fn all_known(known: &[Known], named: &[UserId]) -> Result<()> {
    let known: HashSet<UserId> = known.iter().map(|it| it.user).collect();
    let all = named.iter().all(|user| known.contains(user));
    if all { Ok(()) } else { Err(StoreError::from(chapar_protocol::ErrorCode::UserNotFound)) }
}

//! Who knows whom. Ids are dense, so that somebody knows an id opens nothing: a person can be named by those who share a
//! chat with them or have found them by handle.

use std::collections::HashSet;

use chapar_protocol::UserId;
use sqlx::{Row, postgres::PgRow};

use super::{
    People, Result,
    budgets::{self, Charge, MANY_REPORTS},
};

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
    pub(super) fn of(row: &PgRow) -> sqlx::Result<Self> {
        let quarters = match (row.try_get("answered")?, row.try_get("shares")?) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 4,
        };
        Ok(Self { user: UserId(row.try_get("id")?), quarters })
    }

    /// Whether they have written to whoever asks, or opened their direct chat: then it is no stranger who reaches them.
    pub fn has_answered(&self) -> bool {
        self.quarters == 0
    }
}

/// The one question of how some people ($2) stand to somebody ($1); those whom that person may not name are left out, whether they
/// exist or not, unless everybody may name everybody ($3).
///
/// Sharing a chat counts while the user is in it, also with those who have left it: their messages stand there. The readers
/// of a channel share it with its owner and admins, not with each other. It is looked up in the lists of chats of those who
/// are named, so a channel with a million readers costs nothing; and not of those whose direct chat says it already.
///
/// A group makes people known to those only who came into it by themselves or have done something there: whoever is brought into one
/// has not chosen its company.
///
/// With $4 also to whom their doors are open, and what is known of the asker's own account.
const KNOWN: &str = "
    WITH named AS MATERIALIZED (
        SELECT u.id, u.id = $1 OR coalesce(d.engaged, false) AS answered, coalesce(d.inside, false) AS inside
        FROM unnest($2::bigint[]) AS i (id) JOIN users u ON u.id = i.id
        LEFT JOIN LATERAL (
            SELECT e.engaged, EXISTS (
                SELECT FROM user_chats m WHERE m.user_id = $1 AND m.chat_id = c.chat_id AND m.role IS NOT NULL
            ) AS inside
            FROM direct_chats c JOIN user_chats e ON e.user_id = u.id AND e.chat_id = c.chat_id
            WHERE c.low_user_id = least($1, u.id) AND c.high_user_id = greatest($1, u.id) LIMIT 1
        ) d ON true
    ),
    mine AS MATERIALIZED (
        SELECT u.chat_id, u.kind, u.role FROM user_chats u WHERE u.user_id = $1 AND u.role IS NOT NULL
    ),
    shared AS MATERIALIZED (
        SELECT t.user_id, bool_or(m.kind = 1 AND t.role IS NOT NULL AND t.engaged) AS in_group
        FROM user_chats t JOIN mine m ON m.chat_id = t.chat_id
        WHERE t.user_id = ANY (ARRAY(SELECT n.id FROM named n WHERE NOT (n.answered AND n.inside)))
          AND (m.kind <> 2 OR m.role > 0 OR t.role > 0)
        GROUP BY t.user_id
    ),
    me AS MATERIALIZED (
        SELECT floor(extract(epoch FROM now() - u.created_at) / 86400)::bigint AS days, (
            SELECT count(*) FROM (
                SELECT FROM reports r WHERE r.user_id = $1 AND r.reported_at > now() - interval '30 days' LIMIT $5
            ) k
        ) AS reports
        FROM users u WHERE u.id = $1 AND $4
    )
    SELECT n.id, n.answered, n.inside OR s.user_id IS NOT NULL AS shares, coalesce(s.in_group, false) AS in_group,
        me.days, me.reports,
        $4 AND (SELECT i.value FROM items i WHERE i.user_id = n.id AND i.kind = 'block' AND i.key = $1::text)
            IS NOT NULL AS blocked,
        $4 AND (SELECT i.value FROM items i WHERE i.user_id = n.id AND i.kind = 'contact' AND i.key = $1::text)
            IS NOT NULL AS contact,
        CASE WHEN $4 THEN (
            SELECT i.value FROM items i WHERE i.user_id = n.id AND i.kind = 'setting' AND i.key = 'who_may_write') END AS write,
        CASE WHEN $4 THEN (
            SELECT i.value FROM items i WHERE i.user_id = n.id AND i.kind = 'setting' AND i.key = 'who_may_add') END AS add
    FROM named n LEFT JOIN shared s ON s.user_id = n.id LEFT JOIN me ON true
    WHERE $3 OR n.id = $1 OR n.inside OR s.user_id IS NOT NULL
        OR EXISTS (SELECT FROM found_people f WHERE f.user_id = $1 AND f.other_id = n.id)";

impl People {
    /// Those of some people whom a user may name, with `everybody` all who exist. The others are left out, whether they exist or not.
    pub async fn known_among(&self, user: UserId, among: &[UserId], everybody: bool) -> Result<Vec<Known>> {
        let rows = self.ask_known(user, among, everybody, false).await?;
        Ok(rows.iter().map(Known::of).collect::<sqlx::Result<_>>()?)
    }

    /// The rows of [`KNOWN`], `whole` or as far as it says who may be named.
    pub(super) async fn ask_known(
        &self,
        user: UserId,
        among: &[UserId],
        everybody: bool,
        whole: bool,
    ) -> Result<Vec<PgRow>> {
        let mut ids: Vec<i64> = among.iter().map(|user| user.0).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let asked = sqlx::query(KNOWN).bind(user.0).bind(ids).bind(everybody).bind(whole).bind(i64::from(MANY_REPORTS));
        Ok(asked.fetch_all(&self.pool).await?)
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
        let pair = |row: &PgRow| Ok((UserId(row.try_get(0)?), UserId(row.try_get(1)?)));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }

    /// Notes that some people have come to a user, such as by asking to be let into a chat: they can be named from now on.
    pub async fn meet(&self, user: UserId, others: &[UserId]) -> Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO found_people (user_id, other_id) SELECT $1, i FROM unnest($2::bigint[]) AS i ORDER BY i
             ON CONFLICT (user_id, other_id) DO NOTHING",
        )
        .bind(user.0)
        .bind(others.iter().map(|it| it.0).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
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

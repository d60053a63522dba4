//! The feed: what has changed, for all who follow.

use std::time::Duration;

use chapar_protocol::{ChatId, UserId};
use sqlx::{Row, types::Json};

use super::{Chats, Result, readers::Reader};

/// How far a follower has come. Rows are in the order of transaction, then id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The transaction.
    pub xid: i64,
    /// The row.
    pub id: i64,
}

/// People in one page, or those of its last commit more.
const PEOPLE: usize = 2000;

/// Some commits of the feed, and whose membership they have changed.
#[derive(Debug)]
pub struct Moves {
    /// Where they end.
    pub upto: Cursor,
    /// Who, and where.
    pub who: Vec<Reader>,
    /// Whether there may be more.
    pub full: bool,
}

impl Chats {
    /// Whose membership was changed by what follows a cursor, at most `most` commits, as far as no older transaction is still
    /// running: nothing comes in later before what is read here.
    pub async fn moved_since(&self, after: Cursor, most: i64) -> Result<Moves> {
        let rows = sqlx::query(
            "SELECT f.xid::text::bigint AS xid, f.id, f.people FROM feed f
             WHERE (f.xid, f.id) > ($1::text::xid8, $2) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY f.xid, f.id LIMIT $3",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let mut moves =
            Moves { upto: after, who: Vec::new(), full: i64::try_from(rows.len()).is_ok_and(|rows| rows == most) };
        for found in &rows {
            if moves.who.len() >= PEOPLE {
                moves.full = true;
                break;
            }
            moves.upto = Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? };
            let people: Option<Json<Vec<(i64, i64)>>> = found.try_get("people")?;
            let people = people.map(|it| it.0).unwrap_or_default().into_iter();
            moves.who.extend(people.map(|(chat, user)| Reader { chat: ChatId(chat), user: UserId(user) }));
        }
        moves.who.sort_unstable();
        moves.who.dedup();
        Ok(moves)
    }

    /// For how long what follows a cursor next has waited; absent where nothing follows it.
    pub(crate) async fn feed_waits(&self, after: Cursor) -> Result<Option<Duration>> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM now() - f.at)::float8 FROM feed f WHERE (f.xid, f.id) > ($1::text::xid8, $2)
             ORDER BY f.xid, f.id LIMIT 1",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
    }

    /// Has everything in the feed followed once more, as if it had been told just now.
    pub(crate) async fn tell_feed_anew(&self) -> Result<()> {
        sqlx::query("UPDATE feed SET xid = pg_current_xact_id()").execute(&self.pool).await?;
        Ok(())
    }

    /// Makes room for the days that come, and drops what is too old to be followed.
    pub async fn tend_feed(&self) -> Result<()> {
        sqlx::query("SELECT tend_feed()").execute(&self.pool).await?;
        Ok(())
    }
}

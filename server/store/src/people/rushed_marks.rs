//! Read marks of channels that came in a rush: written down together, and carried out a little later.

use std::{collections::HashMap, time::Duration};

use chapar_protocol::{ChatId, Seq, UserId};
use sqlx::{Row, postgres::PgRow};

use super::{People, Result, jobs::interval};
use crate::chats::readers::Reader;

/// What was written down together: its id, and the marks.
pub type Rush = (i64, Vec<(Reader, Seq)>);

impl People {
    /// Writes marks down, to be carried out soon. Written down twice does no harm.
    pub async fn note_marks(&self, marks: &HashMap<Reader, Seq>) -> Result<()> {
        sqlx::query("INSERT INTO rushed_marks (chats, users, seqs) VALUES ($1, $2, $3)")
            .bind(marks.keys().map(|it| it.chat.0).collect::<Vec<_>>())
            .bind(marks.keys().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(marks.values().map(|it| it.0).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Takes the oldest that were written down, at most so many, for as long as a lease lasts.
    pub async fn take_rushed_marks(&self, most: i64, lease: Duration) -> Result<Vec<Rush>> {
        let rows = sqlx::query(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM rushed_marks WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
             )
             UPDATE rushed_marks r SET due_at = now() + $2 FROM due d WHERE r.id = d.id RETURNING r.id, r.chats, r.users, r.seqs",
        )
        .bind(most)
        .bind(interval(lease))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| -> sqlx::Result<Rush> {
            let (chats, users, seqs): (Vec<i64>, Vec<i64>, Vec<i64>) =
                (row.try_get("chats")?, row.try_get("users")?, row.try_get("seqs")?);
            let readers =
                chats.into_iter().zip(users).map(|(chat, user)| Reader { chat: ChatId(chat), user: UserId(user) });
            Ok((row.try_get("id")?, readers.zip(seqs.into_iter().map(Seq)).collect()))
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Forgets what was carried out.
    pub async fn drop_rushed_marks(&self, ids: &[i64]) -> Result<()> {
        sqlx::query("DELETE FROM rushed_marks WHERE id = ANY ($1)").bind(ids).execute(&self.pool).await?;
        Ok(())
    }
}

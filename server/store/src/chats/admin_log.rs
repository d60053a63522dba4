//! What admins have done.

use chapar_protocol::{AdminAction, AdminLogEntry, ChatId, UserId, limit};
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

use super::{Chats, Result};

/// Entries that are forgotten at a time.
const FORGOTTEN: i64 = 10_000;

impl Chats {
    /// A page of what was done in a chat, the latest first.
    pub async fn admin_log(&self, chat: ChatId, before: i64, page: i64) -> Result<Vec<AdminLogEntry>> {
        let rows = sqlx::query(
            "SELECT id, at, by_id, action FROM admin_log WHERE chat_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(chat.0)
        .bind(before)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<AdminLogEntry> {
            Ok(AdminLogEntry {
                id: found.try_get(0)?,
                at: found.try_get::<OffsetDateTime, _>(1)?.into(),
                by: UserId(found.try_get(2)?),
                action: found.try_get::<Json<AdminAction>, _>(3)?.0,
            })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Forgets what is older than is kept, some of it at a time.
    pub async fn tend_admin_log(&self) -> Result<()> {
        sqlx::query(
            "DELETE FROM admin_log WHERE (chat_id, id) IN (
                 SELECT l.chat_id, l.id FROM admin_log l WHERE l.at < now() - $1 * interval '1 day' ORDER BY l.at LIMIT $2)",
        )
        .bind(f64::from(limit::ADMIN_LOG_DAYS))
        .bind(FORGOTTEN)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

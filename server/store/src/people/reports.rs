//! Who has told the operator of whom.

use chapar_protocol::{Timestamp, UserId, command::Report};
use sqlx::Row;
use time::OffsetDateTime;

use super::{People, Result};

/// A report, as an operator reads it.
pub struct Reported {
    /// When.
    pub at: Timestamp,
    /// The handle of whom it is told.
    pub of: String,
    /// The handle of whoever tells.
    pub by: String,
    /// As on the wire.
    pub reason: String,
    /// The chat, and the message in it.
    pub place: String,
    /// In the words of whoever tells.
    pub note: String,
}

impl People {
    /// The latest reports, the newest first.
    pub async fn latest_reports(&self, most: i64) -> Result<Vec<Reported>> {
        let rows = sqlx::query(
            "SELECT r.reported_at, u.handle AS of, b.handle AS by, r.reason, coalesce(r.note, '') AS note,
                 concat_ws('/', r.chat_id, r.seq) AS place
             FROM (SELECT * FROM reports ORDER BY reported_at DESC LIMIT $1) r
             JOIN users u ON u.id = r.user_id JOIN users b ON b.id = r.by_id ORDER BY r.reported_at DESC",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok(Reported {
                at: row.try_get::<OffsetDateTime, _>("reported_at")?.into(),
                of: row.try_get("of")?,
                by: row.try_get("by")?,
                reason: row.try_get("reason")?,
                place: row.try_get("place")?,
                note: row.try_get("note")?,
            })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Keeps a report. Once for each two people; the last word counts.
    pub async fn report(&self, by: UserId, report: &Report) -> Result<()> {
        let reason = serde_json::to_value(report.reason).unwrap_or_default();
        sqlx::query(
            "INSERT INTO reports (user_id, by_id, chat_id, seq, reason, note) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (user_id, by_id) DO UPDATE SET chat_id = excluded.chat_id, seq = excluded.seq,
                 reason = excluded.reason, note = excluded.note, reported_at = now()",
        )
        .bind(report.user_id.0)
        .bind(by.0)
        .bind(report.chat_id.map(|chat| chat.0))
        .bind(report.seq.map(|seq| seq.0))
        .bind(reason.as_str())
        .bind(&report.note)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

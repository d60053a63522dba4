//! Messages that delete themselves.

use chapar_protocol::{ChatId, Seq};

use super::{Chats, Result};

/// Messages that are found in one look.
const DUE: usize = 1000;

impl Chats {
    /// Messages whose time has come, those first that have waited the longest, and whether there are perhaps more.
    pub async fn due_messages(&self) -> Result<(Vec<(ChatId, Seq)>, bool)> {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as("SELECT chat_id, seq FROM expiring WHERE at <= now() ORDER BY at LIMIT $1")
                .bind(super::pages::number(DUE))
                .fetch_all(&self.pool)
                .await?;
        let more = rows.len() == DUE;
        Ok((rows.into_iter().map(|(chat, seq)| (ChatId(chat), Seq(seq))).collect(), more))
    }
}

//! Messages that are forwarded, as they stand. Who asks is looked for among the members in the same moment.

use chapar_domain::chat::Beside;
use chapar_protocol::{Body, ChatId, ChatKind, ErrorCode, Seq, Timestamp, UserId};
use serde_json::value::RawValue;
use sqlx::{Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

use super::{Chats, Result, row};

/// Messages of one chat, for somebody who is in it.
pub struct Originals {
    /// The chat's form.
    pub kind: ChatKind,
    /// Its title; absent in direct chats.
    pub title: Option<String>,
    /// Nothing is forwarded from it.
    pub no_forwarding: bool,
    /// Those of the messages that are there, in no order.
    pub messages: Vec<Original>,
}

/// A message, as far as it goes with a forwarded one.
pub struct Original {
    /// Its place.
    pub seq: Seq,
    /// Who sent it.
    pub sender: UserId,
    /// When.
    pub sent_at: Timestamp,
    /// What it says.
    pub body: Body,
    /// The marks beside that.
    pub beside: Beside,
}

impl Chats {
    /// Some messages of a chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when whoever asks is not in it.
    pub async fn originals(&self, user: UserId, chat: ChatId, seqs: &[Seq]) -> Result<Originals> {
        let rows = sqlx::query(
            "SELECT c.kind, c.title, c.about, m.seq, m.sender_id, m.sent_at, m.body
             FROM (SELECT m.sees_after FROM members m WHERE m.chat_id = $2 AND m.user_id = $1 AND m.role IS NOT NULL) inside
             JOIN chats c ON c.id = $2
             LEFT JOIN messages m ON m.chat_id = $2 AND m.seq = ANY ($3) AND m.seq > inside.sees_after",
        )
        .bind(user.0)
        .bind(chat.0)
        .bind(seqs.iter().map(|seq| seq.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else { return Err(ErrorCode::ChatNotFound.into()) };
        Ok(Originals {
            kind: row::kind(first.try_get("kind")?),
            title: first.try_get("title")?,
            no_forwarding: row::about(first.try_get("about")?).settings.no_forwarding,
            messages: rows.iter().filter_map(|found| original(found).transpose()).collect::<sqlx::Result<_>>()?,
        })
    }
}

fn original(found: &PgRow) -> sqlx::Result<Option<Original>> {
    let Some(seq) = found.try_get::<Option<i64>, _>("seq")?.map(Seq) else { return Ok(None) };
    let (body, beside) = row::body(found.try_get::<Json<&RawValue>, _>("body")?.0)?;
    let sent_at = found.try_get::<OffsetDateTime, _>("sent_at")?.into();
    Ok(Some(Original { seq, sender: UserId(found.try_get("sender_id")?), sent_at, body, beside }))
}

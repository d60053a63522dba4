//! Files that messages name. Who asks is looked for among the members in the same moment.

use chapar_protocol::{Body, ChatId, ErrorCode, Seq, UserId, media::FileId, preview::PreviewImage};
use serde_json::value::RawValue;
use sqlx::{Row, postgres::PgRow, types::Json};

use super::{Chats, Result, row};

/// What a message shows, without its text.
pub struct Shown {
    /// Its place.
    pub seq: Seq,
    /// Its body.
    pub body: Body,
    /// The picture behind a link in it.
    pub image: Option<PreviewImage>,
}

impl Chats {
    /// Whether a message that somebody may read names a file.
    pub async fn names_file(&self, chat: ChatId, user: UserId, seq: Seq, file: FileId) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM members m WHERE m.chat_id = $1 AND m.user_id = $2 AND m.role IS NOT NULL AND m.sees_after < $3)
                 AND EXISTS (SELECT FROM messages g WHERE g.chat_id = $1 AND g.seq = $3
                     AND $4 IN (g.body -> 'file' ->> 'id', g.body ->> 'poster', g.body #>> '{beside,preview,image,file,id}'))",
        )
        .bind(chat.0)
        .bind(user.0)
        .bind(seq.0)
        .bind(file.to_string())
        .fetch_one(&self.pool)
        .await?)
    }

    /// Whether a file is the photo of a chat now.
    pub async fn is_photo(&self, file: FileId) -> Result<bool> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM chats WHERE about ->> 'photo' = $1)")
            .bind(file.to_string())
            .fetch_one(&self.pool)
            .await?)
    }

    /// Those of some messages that are there, without their texts, for somebody who is in the chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they are not in it.
    pub async fn shown(&self, user: UserId, chat: ChatId, seqs: &[Seq]) -> Result<Vec<Shown>> {
        let rows = sqlx::query(
            "SELECT m.seq, m.body - '{text,entities}'::text[] AS body
             FROM (SELECT m.sees_after FROM members m WHERE m.chat_id = $2 AND m.user_id = $1 AND m.role IS NOT NULL) inside
             LEFT JOIN messages m ON m.chat_id = $2 AND m.seq = ANY ($3) AND m.seq > inside.sees_after",
        )
        .bind(user.0)
        .bind(chat.0)
        .bind(seqs.iter().map(|seq| seq.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Err(ErrorCode::ChatNotFound.into());
        }
        let read = |found: &PgRow| -> sqlx::Result<Option<Shown>> {
            let Some(seq) = found.try_get::<Option<i64>, _>("seq")? else { return Ok(None) };
            let (body, beside) = row::body(found.try_get::<Json<&RawValue>, _>("body")?.0)?;
            Ok(Some(Shown { seq: Seq(seq), body, image: beside.preview.and_then(|it| it.image) }))
        };
        Ok(rows.iter().filter_map(|found| read(found).transpose()).collect::<sqlx::Result<_>>()?)
    }
}

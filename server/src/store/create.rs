//! New chats, found again when their makers ask twice.

use chapar_protocol::{ChatId, ChatInfo, ChatKind, ErrorCode, UserId};
use sqlx::Row;
use uuid::Uuid;

use super::{Result, Store, budgets::Toll, chat_tx::ChatTx, claim_handle, pool::Tx, row, row::kind_number};

/// What became of the wish for a new chat.
pub enum Created {
    /// It is being made.
    New(Box<ChatTx>),
    /// It was there already.
    Existed(ChatId),
}

impl Store {
    /// Makes a chat with its owner (in a direct chat: the asking person) and finds it again on a retry.
    ///
    /// # Errors
    /// [`ErrorCode::HandleTaken`], or [`ErrorCode::ClientIdReused`] when that id made another kind of chat.
    pub async fn create_chat(
        &self,
        user: UserId,
        client_id: Uuid,
        kind: ChatKind,
        title: &str,
        handle: Option<&str>,
    ) -> Result<Created> {
        let mut tx = self.begin().await?;
        let info = insert_chat(&mut tx, kind, Some(title), handle).await?;
        let fresh = sqlx::query(
            "INSERT INTO created_chats (user_id, client_id, chat_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(user.0)
        .bind(client_id)
        .bind(info.id.0)
        .execute(&mut *tx)
        .await?
        .rows_affected()
            == 1;
        if !fresh {
            tx.rollback().await?;
            let old = sqlx::query(
                "SELECT k.chat_id, c.kind FROM created_chats k JOIN chats c ON c.id = k.chat_id
                 WHERE k.user_id = $1 AND k.client_id = $2",
            )
            .bind(user.0)
            .bind(client_id)
            .fetch_one(&self.pool)
            .await?;
            let same = row::kind(old.try_get("kind")?) == kind;
            return if same {
                Ok(Created::Existed(ChatId(old.try_get("chat_id")?)))
            } else {
                Err(ErrorCode::ClientIdReused.into())
            };
        }
        if let Some(handle) = handle {
            claim_handle(&mut tx, handle, None, Some(info.id)).await?;
        }
        Ok(Created::New(Box::new(ChatTx::fresh(tx, user, info))))
    }

    /// The direct chat of two users when there is one. That this user has opened it too is noted: it is an answer.
    pub async fn reopen_direct(&self, user: UserId, other: UserId) -> Result<Option<ChatId>> {
        let found = sqlx::query(
            "SELECT chat_id, low_opened, high_opened FROM direct_chats WHERE low_user_id = $1 AND high_user_id = $2",
        )
        .bind(user.min(other).0)
        .bind(user.max(other).0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        let opened: bool = found.try_get(if user <= other { "low_opened" } else { "high_opened" })?;
        if !opened {
            sqlx::query(
                "UPDATE direct_chats SET low_opened = low_opened OR $3 <= $4, high_opened = high_opened OR $3 >= $4
                 WHERE low_user_id = $1 AND high_user_id = $2",
            )
            .bind(user.min(other).0)
            .bind(user.max(other).0)
            .bind(user.0)
            .bind(other.0)
            .execute(&self.pool)
            .await?;
        }
        Ok(Some(ChatId(found.try_get("chat_id")?)))
    }

    /// Makes the direct chat of two users, unless the other one does so at the same moment.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] when the user's budget does not pay for it, [`ErrorCode::ReachedTooOften`] when the other's
    /// does not.
    pub async fn open_direct(&self, user: UserId, other: UserId, toll: &Toll) -> Result<Created> {
        let mut tx = self.begin().await?;
        toll.pay(self, &mut tx, user).await?;
        let info = insert_chat(&mut tx, ChatKind::Direct, None, None).await?;
        let fresh = sqlx::query(
            "INSERT INTO direct_chats (low_user_id, high_user_id, chat_id, low_opened, high_opened)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(user.min(other).0)
        .bind(user.max(other).0)
        .bind(info.id.0)
        .bind(user <= other)
        .bind(user >= other)
        .execute(&mut *tx)
        .await?
        .rows_affected()
            == 1;
        if fresh {
            return Ok(Created::New(Box::new(ChatTx::fresh(tx, user, info))));
        }
        tx.rollback().await?;
        match self.reopen_direct(user, other).await? {
            Some(chat) => Ok(Created::Existed(chat)),
            None => Err(ErrorCode::UserNotFound.into()),
        }
    }
}

async fn insert_chat(tx: &mut Tx, kind: ChatKind, title: Option<&str>, handle: Option<&str>) -> Result<ChatInfo> {
    let made = sqlx::query(
        "INSERT INTO chats (kind, title, handle, info_version) VALUES ($1, $2, $3, 1)
         RETURNING id, kind, title, handle, created_at",
    )
    .bind(kind_number(kind))
    .bind(title)
    .bind(handle)
    .fetch_one(&mut **tx)
    .await?;
    Ok(row::chat_info(&made)?)
}

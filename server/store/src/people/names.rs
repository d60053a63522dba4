//! Names, and the ids that chats get before they are made.

use std::collections::HashMap;

use chapar_protocol::{ChatId, ChatKind, ErrorCode, User, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{People, Result, StoreError, budgets::Toll, pool::Lease, row};
use crate::Tx;

/// What a handle stands for.
pub enum Named {
    /// A person or bot.
    User(User),
    /// A public chat.
    Chat(ChatId),
}

impl People {
    /// What a handle stands for.
    pub async fn resolve(&self, handle: &str) -> Result<Option<Named>> {
        let found = sqlx::query("SELECT user_id, chat_id FROM handles WHERE handle = $1")
            .bind(handle)
            .fetch_optional(&self.pool)
            .await?;
        let Some(found) = found else { return Ok(None) };
        if let Some(user) = found.try_get::<Option<i64>, _>("user_id")? {
            return Ok(self.users(&[UserId(user)]).await?.pop().map(Named::User));
        }
        Ok(Some(Named::Chat(ChatId(found.try_get("chat_id")?))))
    }

    /// The public chats that some handles stand for.
    pub async fn public_chats(&self, handles: &[String]) -> Result<HashMap<String, ChatId>> {
        let rows = sqlx::query("SELECT handle, chat_id FROM handles WHERE handle = ANY ($1) AND chat_id IS NOT NULL")
            .bind(handles)
            .fetch_all(&self.pool)
            .await?;
        let read =
            |found: &PgRow| -> sqlx::Result<_> { Ok((found.try_get("handle")?, ChatId(found.try_get("chat_id")?))) };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// The group or channel that somebody has made under a client id, or was about to make.
    ///
    /// # Errors
    /// [`ErrorCode::ClientIdReused`] when that id is of another kind of chat.
    pub async fn created_chat(&self, user: UserId, client_id: Uuid, kind: ChatKind) -> Result<Option<ChatId>> {
        let found = sqlx::query("SELECT chat_id, kind FROM created_chats WHERE user_id = $1 AND client_id = $2")
            .bind(user.0)
            .bind(client_id)
            .fetch_optional(&self.pool)
            .await?;
        match found {
            None => Ok(None),
            Some(found) if row::kind(found.try_get("kind")?) == kind => Ok(Some(ChatId(found.try_get("chat_id")?))),
            Some(_) => Err(ErrorCode::ClientIdReused.into()),
        }
    }

    /// Gives out the id of a chat to be made, lets those pay who are to, and claims its name: all of it or nothing. A retry gets the
    /// same id.
    ///
    /// # Errors
    /// [`ErrorCode::HandleTaken`], or [`ErrorCode::ClientIdReused`] when the id was used for another kind of chat, or what
    /// [`Self::pay`] says.
    pub async fn claim_chat(
        &self,
        user: UserId,
        client_id: Uuid,
        kind: ChatKind,
        handle: Option<&str>,
        toll: &Toll,
    ) -> Result<ChatId> {
        self.is_refused(user, toll)?;
        if toll.is_free() && handle.is_none() {
            // One statement, which commits by itself.
            return claim_id(&mut self.pool.lease().await?, user, client_id, kind).await;
        }
        let mut tx = self.begin().await?;
        self.pay_within(&mut tx, user, toll).await?;
        let chat = claim_id(&mut tx, user, client_id, kind).await?;
        if let Some(handle) = handle {
            claim(&mut tx, handle, None, Some(chat)).await?;
        }
        tx.commit().await.map_err(|error| StoreError::of_commit(error, Vec::new()))?;
        Ok(chat)
    }

    /// The chat for which a name was claimed an hour ago or longer, without a word since that it is there.
    pub(crate) async fn stale_claim(&self, handle: &str) -> Result<Option<ChatId>> {
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT chat_id FROM handles
             WHERE handle = $1 AND chat_id IS NOT NULL AND NOT confirmed AND claimed_at < now() - interval '1 hour'",
        )
        .bind(handle)
        .fetch_optional(&self.pool)
        .await?;
        Ok(id.map(ChatId))
    }

    /// Names that were claimed two hours ago or longer, without a word since that their chats are there, the oldest first. Whoever still
    /// makes such a chat does so within seconds of the claim; after an hour somebody else may have taken it over.
    pub(crate) async fn stale_claims(&self, most: i64) -> Result<Vec<(String, ChatId)>> {
        let rows = sqlx::query(
            "SELECT handle, chat_id FROM handles WHERE NOT confirmed AND claimed_at < now() - interval '2 hours'
             ORDER BY claimed_at LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| -> sqlx::Result<_> { Ok((row.try_get("handle")?, ChatId(row.try_get("chat_id")?))) };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// The chat that was claimed under this name was never made. A retry of its making claims the name again.
    pub(crate) async fn free_handle(&self, handle: &str, chat: ChatId) -> Result<()> {
        sqlx::query(
            "DELETE FROM handles WHERE handle = $1 AND chat_id = $2 AND NOT confirmed
                 AND claimed_at < now() - interval '2 hours'",
        )
        .bind(handle)
        .bind(chat.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The chat that was claimed under this name is there.
    pub async fn confirm_handle(&self, handle: &str, chat: ChatId) -> Result<()> {
        sqlx::query("UPDATE handles SET confirmed = true WHERE handle = $1 AND chat_id = $2 AND NOT confirmed")
            .bind(handle)
            .bind(chat.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The chats whose people see what somebody is called: all but channels that the person only reads.
    pub async fn chats_that_know(&self, user: UserId) -> Result<Vec<ChatId>> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT chat_id FROM user_chats WHERE user_id = $1 AND role IS NOT NULL AND (kind <> 2 OR role > 0)",
        )
        .bind(user.0)
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(ChatId).collect())
    }

    /// The direct chat of two people, when its id was given out.
    pub async fn direct_chat(&self, user: UserId, other: UserId) -> Result<Option<ChatId>> {
        let id: Option<i64> =
            sqlx::query_scalar("SELECT chat_id FROM direct_chats WHERE low_user_id = $1 AND high_user_id = $2")
                .bind(user.min(other).0)
                .bind(user.max(other).0)
                .fetch_optional(&self.pool)
                .await?;
        Ok(id.map(ChatId))
    }

    /// Gives out the id of the direct chat of two people, and lets those pay who are to; always the same id for the same two. The first
    /// who asks opens it; to the other it may be a request.
    ///
    /// # Errors
    /// What [`Self::pay`] says.
    pub async fn claim_direct(&self, user: UserId, other: UserId, request: bool, toll: &Toll) -> Result<ChatId> {
        self.is_refused(user, toll)?;
        if toll.is_free() {
            return claim_direct(&mut self.pool.lease().await?, user, other, request).await;
        }
        let mut tx = self.begin().await?;
        self.pay_within(&mut tx, user, toll).await?;
        let chat = claim_direct(&mut tx, user, other, request).await?;
        tx.commit().await?;
        Ok(chat)
    }
}

async fn claim_direct(lease: &mut Lease, user: UserId, other: UserId, request: bool) -> Result<ChatId> {
    let id = sqlx::query_scalar("SELECT claim_direct($1, $2, $3)").bind(user.0).bind(other.0).bind(request);
    Ok(ChatId(id.fetch_one(lease).await?))
}

/// The id of the group or channel that somebody makes under a client id.
async fn claim_id(lease: &mut Lease, user: UserId, client_id: Uuid, kind: ChatKind) -> Result<ChatId> {
    let found = sqlx::query(
        "INSERT INTO created_chats AS k (user_id, client_id, kind) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, client_id) DO UPDATE SET kind = k.kind RETURNING chat_id, kind",
    )
    .bind(user.0)
    .bind(client_id)
    .bind(row::kind_number(kind))
    .fetch_one(lease)
    .await?;
    if row::kind(found.try_get("kind")?) != kind {
        return Err(ErrorCode::ClientIdReused.into());
    }
    Ok(ChatId(found.try_get("chat_id")?))
}

/// Takes a handle for a user or a chat: one name space for both. A chat's claim that nobody has confirmed can be taken over after
/// an hour; the same chat keeps its own.
///
/// # Errors
/// [`ErrorCode::HandleTaken`].
pub(crate) async fn claim(tx: &mut Tx, handle: &str, user: Option<UserId>, chat: Option<ChatId>) -> Result<()> {
    let claimed = sqlx::query(
        "INSERT INTO handles AS h (handle, user_id, chat_id, confirmed) VALUES ($1, $2, $3, $3 IS NULL)
         ON CONFLICT (handle) DO UPDATE SET user_id = excluded.user_id, chat_id = excluded.chat_id, claimed_at = now(),
             confirmed = excluded.confirmed OR h.confirmed AND h.chat_id IS NOT DISTINCT FROM excluded.chat_id
         WHERE h.chat_id = excluded.chat_id OR NOT h.confirmed AND h.claimed_at < now() - interval '1 hour'",
    )
    .bind(handle)
    .bind(user.map(|user| user.0))
    .bind(chat.map(|chat| chat.0))
    .execute(&mut **tx)
    .await?;
    if claimed.rows_affected() == 1 { Ok(()) } else { Err(ErrorCode::HandleTaken.into()) }
}

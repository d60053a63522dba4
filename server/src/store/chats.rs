//! Reading chats, and marking them read.

use chapar_protocol::{ChatId, ChatInfo, ChatKind, ErrorCode, Member, Role, Seq, User, UserDelta, UserId, Version};
use sqlx::Row;

use super::{Result, Store, StoreError, row};

/// What `mark_read` changed.
pub struct MarkedRead {
    /// For the user's own devices; absent when the mark was there or further already.
    pub mine: Option<UserDelta>,
    /// For the others in a direct chat or group: how far.
    pub told: Option<Seq>,
}

/// What a handle stands for.
pub enum Named {
    /// A person or bot.
    User(User),
    /// A public chat.
    Chat(ChatInfo),
}

impl Store {
    /// A chat's form and a user's role in it.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when the user is not in it.
    pub async fn membership(&self, chat: ChatId, user: UserId) -> Result<(ChatKind, Role)> {
        let found = sqlx::query(
            "SELECT c.kind, u.role FROM user_chats u JOIN chats c ON c.id = u.chat_id WHERE u.user_id = $1 AND u.chat_id = $2",
        )
        .bind(user.0)
        .bind(chat.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        match row::role(found.try_get("role")?) {
            Some(role) => Ok((row::kind(found.try_get("kind")?), role)),
            None => Err(ErrorCode::ChatNotFound.into()),
        }
    }

    /// For somebody who is out of a chat: notes that they stay out by their own will, whoever took them out. Returns whether they
    /// are out, having been in.
    pub async fn stay_out(&self, chat: ChatId, user: UserId) -> Result<bool> {
        let noted =
            sqlx::query("UPDATE members SET left_by_self = true WHERE chat_id = $1 AND user_id = $2 AND role IS NULL")
                .bind(chat.0)
                .bind(user.0)
                .execute(&self.pool)
                .await?
                .rows_affected();
        Ok(noted == 1)
    }

    /// Moves a user's read mark forward; never back, never beyond the last message.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`].
    pub async fn mark_read(&self, user: UserId, chat: ChatId, seq: Seq) -> Result<MarkedRead> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE").bind(user.0).execute(&mut *tx).await?;
        let found = sqlx::query(
            "SELECT c.kind, least($3, c.seq) AS upto, u.read_seq FROM user_chats u JOIN chats c ON c.id = u.chat_id
             WHERE u.user_id = $1 AND u.chat_id = $2 AND u.role IS NOT NULL",
        )
        .bind(user.0)
        .bind(chat.0)
        .bind(seq.0)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else { return Err(ErrorCode::ChatNotFound.into()) };
        let (upto, read): (i64, i64) = (found.try_get("upto")?, found.try_get("read_seq")?);
        if upto <= read {
            return Ok(MarkedRead { mine: None, told: None });
        }
        let changed = sqlx::query(
            "WITH bumped AS (UPDATE users SET version = version + 1 WHERE id = $1 RETURNING version)
             UPDATE user_chats u SET read_seq = $3, version = b.version FROM bumped b
             WHERE u.user_id = $1 AND u.chat_id = $2 RETURNING u.chat_id, u.role, u.read_seq, u.version",
        )
        .bind(user.0)
        .bind(chat.0)
        .bind(upto)
        .fetch_one(&mut *tx)
        .await?;
        let mine = row::my_chat(&changed)?;
        let in_channel = row::kind(found.try_get("kind")?) == ChatKind::Channel;
        if !in_channel {
            sqlx::query("UPDATE members SET read_seq = $3 WHERE chat_id = $1 AND user_id = $2")
                .bind(chat.0)
                .bind(user.0)
                .bind(upto)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await.map_err(|error| StoreError::of_commit(error, None, vec![user]))?;
        let delta = UserDelta {
            from: Version(mine.version.0 - 1),
            version: mine.version,
            chats: vec![mine],
            missed_calls: None,
            more: false,
        };
        Ok(MarkedRead { mine: Some(delta), told: (!in_channel).then_some(Seq(upto)) })
    }

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
        let chat: i64 = found.try_get("chat_id")?;
        let found = sqlx::query("SELECT id, kind, title, handle, created_at FROM chats WHERE id = $1")
            .bind(chat)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.as_ref().map(row::chat_info).transpose()?.map(Named::Chat))
    }

    /// A page of a chat's members, by user id.
    pub async fn members(&self, chat: ChatId, kind: ChatKind, after: UserId, page: i64) -> Result<Vec<Member>> {
        let rows = sqlx::query(
            "SELECT user_id, role, read_seq FROM members WHERE chat_id = $1 AND role IS NOT NULL AND user_id > $2
             ORDER BY user_id LIMIT $3",
        )
        .bind(chat.0)
        .bind(after.0)
        .bind(page)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(|found| row::member(found, kind)).collect::<sqlx::Result<_>>()?)
    }
}

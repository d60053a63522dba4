//! What operators ask.

use chapar_protocol::{DeviceId, ErrorCode, User, UserId};
use sqlx::Row;

use super::{Result, Store};

/// How much there is of everything.
#[derive(Debug, serde::Serialize)]
pub struct Statistics {
    /// Accounts.
    pub users: i64,
    /// Signed-in devices.
    pub devices: i64,
    /// Chats.
    pub chats: i64,
    /// Messages, tombstones and service messages included.
    pub messages: i64,
    /// Size of the database in bytes.
    pub database_bytes: i64,
}

impl Store {
    /// Makes accounts without password, each with a device. `token` makes a user's token and what is kept of it.
    ///
    /// # Errors
    /// [`ErrorCode::HandleTaken`] when one of the handles is.
    pub async fn create_users_in_bulk(
        &self,
        handles: &[String],
        token: fn(UserId) -> (String, Vec<u8>),
    ) -> Result<Vec<(User, String, DeviceId)>> {
        let mut tx = self.people.begin().await?;
        let already: i64 = sqlx::query_scalar("SELECT count(*) FROM handles WHERE handle = ANY ($1)")
            .bind(handles)
            .fetch_one(&mut *tx)
            .await?;
        if already > 0 {
            return Err(ErrorCode::HandleTaken.into());
        }
        let rows = sqlx::query(
            "WITH made AS (
                 INSERT INTO users (handle, name)
                 SELECT h, h FROM unnest($1::text[]) WITH ORDINALITY AS t (h, n) ORDER BY n
                 RETURNING id, handle, name
             ), named AS (INSERT INTO handles (handle, user_id) SELECT handle, id FROM made)
             SELECT id, handle, name FROM made ORDER BY id",
        )
        .bind(handles)
        .fetch_all(&mut *tx)
        .await?;
        let mut users = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = UserId(row.try_get("id")?);
            let (token, kept) = token(id);
            users.push((
                User { id, handle: row.try_get("handle")?, name: row.try_get("name")?, photo: None },
                token,
                kept,
            ));
        }
        let devices: Vec<i64> = sqlx::query_scalar(
            "INSERT INTO devices (user_id, token_hash, name)
             SELECT u, h, 'bulk' FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS t (u, h, n) ORDER BY n
             RETURNING id",
        )
        .bind(users.iter().map(|it| it.0.id.0).collect::<Vec<_>>())
        .bind(users.iter().map(|it| it.2.clone()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let made = users.into_iter().zip(devices);
        Ok(made.map(|((user, token, _), device)| (user, token, DeviceId(device))).collect())
    }

    /// Counts everything. Messages by the chats' counters, which cost less than reading the messages.
    pub async fn statistics(&self) -> Result<Statistics> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM devices), pg_database_size(current_database())",
        )
        .fetch_one(&self.people.pool)
        .await?;
        let (chats, messages, bytes) = self.chats.count().await?;
        let people_bytes: i64 = row.try_get(2)?;
        // Told as one where both sides are in one database, which then has one size.
        let database_bytes = if self.are_one_database() { bytes } else { bytes + people_bytes };
        Ok(Statistics { users: row.try_get(0)?, devices: row.try_get(1)?, chats, messages, database_bytes })
    }
}

//! Accounts and their devices.

use std::collections::HashMap;

use chapar_protocol::{Device, DeviceId, ErrorCode, FileId, Timestamp, User, UserId, Version, limit};
use sqlx::Row;
use time::OffsetDateTime;

use super::{People, Result, names::claim, row};

/// What sign-in needs to know of an account.
pub struct Credentials {
    /// Who.
    pub user: User,
    /// The argon2id hash in PHC form; absent when the account has no password.
    pub password_hash: Option<String>,
    /// Whether somebody has signed in to it from that network in the last 90 days.
    pub knows_network: bool,
}

/// Who is behind a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// The device.
    pub device_id: DeviceId,
}

/// Which of a user's devices are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One.
    Only(DeviceId),
    /// All but one.
    AllBut(DeviceId),
    /// All.
    All,
}

/// An account's identity by handle and password.
const PASSWORD: &str = "
    INSERT INTO identities (kind, subject, user_id, secret) SELECT 'password', u.handle, u.id, $2 FROM users u WHERE u.id = $1
    ON CONFLICT (kind, subject) DO UPDATE SET user_id = excluded.user_id, secret = excluded.secret";

fn user(row: &sqlx::postgres::PgRow) -> sqlx::Result<User> {
    let photo = row.try_get::<Option<uuid::Uuid>, _>("photo")?.map(FileId);
    Ok(User { id: UserId(row.try_get("id")?), handle: row.try_get("handle")?, name: row.try_get("name")?, photo })
}

impl People {
    /// Makes an account.
    ///
    /// # Errors
    /// [`ErrorCode::HandleTaken`].
    pub async fn create_user(&self, handle: &str, name: &str, password_hash: Option<&str>) -> Result<User> {
        let mut tx = self.begin().await?;
        let made = sqlx::query("INSERT INTO users (handle, name) VALUES ($1, $2) RETURNING id, handle, name, photo")
            .bind(handle)
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
        let made = user(&made)?;
        claim(&mut tx, handle, Some(made.id), None).await?;
        if let Some(hash) = password_hash {
            sqlx::query(PASSWORD).bind(made.id.0).bind(hash).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(made)
    }

    /// An account by its handle, asked for from a network.
    pub async fn credentials(&self, handle: &str, network: &[u8]) -> Result<Option<Credentials>> {
        let found = sqlx::query(
            "SELECT u.id, u.handle, u.name, u.photo, i.secret, EXISTS (
                 SELECT 1 FROM known_networks k
                 WHERE k.user_id = u.id AND k.network = $2 AND k.seen_at > now() - interval '90 days'
             ) AS knows_network
             FROM handles h JOIN users u ON u.id = h.user_id
             LEFT JOIN identities i ON i.kind = 'password' AND i.subject = h.handle AND i.user_id = h.user_id
             WHERE h.handle = $1",
        )
        .bind(handle)
        .bind(network)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        Ok(Some(Credentials {
            user: user(&found)?,
            password_hash: found.try_get("secret")?,
            knows_network: found.try_get("knows_network")?,
        }))
    }

    /// Notes that somebody has signed in from a network. The latest 32 are kept.
    pub async fn know_network(&self, user: UserId, network: &[u8]) -> Result<()> {
        sqlx::query(
            "WITH noted AS (
                 INSERT INTO known_networks (user_id, network) VALUES ($1, $2)
                 ON CONFLICT (user_id, network) DO UPDATE SET seen_at = now()
             )
             DELETE FROM known_networks WHERE user_id = $1 AND network <> $2 AND seen_at <= (
                 SELECT seen_at FROM known_networks WHERE user_id = $1 ORDER BY seen_at DESC OFFSET 31 LIMIT 1)",
        )
        .bind(user.0)
        .bind(network)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives an account a password, in place of the one that it has.
    pub async fn set_password(&self, user: UserId, password_hash: &str) -> Result<()> {
        sqlx::query(PASSWORD).bind(user.0).bind(password_hash).execute(&self.pool).await?;
        Ok(())
    }

    /// Signs a device in. When there are too many now, those that were connected longest ago are signed out: returns which.
    pub async fn create_device(
        &self,
        user: UserId,
        token_hash: &[u8],
        name: &str,
    ) -> Result<(DeviceId, Vec<DeviceId>)> {
        let mut tx = self.begin().await?;
        // Two at the same time would each not see the other.
        sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE").bind(user.0).execute(&mut *tx).await?;
        let id: i64 =
            sqlx::query_scalar("INSERT INTO devices (user_id, token_hash, name) VALUES ($1, $2, $3) RETURNING id")
                .bind(user.0)
                .bind(token_hash)
                .bind(name)
                .fetch_one(&mut *tx)
                .await?;
        let ended: Vec<i64> = sqlx::query_scalar(
            "DELETE FROM devices WHERE user_id = $1 AND id = ANY (ARRAY(
                 SELECT id FROM devices WHERE user_id = $1 AND id <> $2 ORDER BY last_seen_at DESC, id DESC OFFSET $3))
             RETURNING id",
        )
        .bind(user.0)
        .bind(id)
        .bind(i64::try_from(limit::DEVICES - 1).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((DeviceId(id), ended.into_iter().map(DeviceId).collect()))
    }

    /// Who is behind a token. The user id comes from the token itself and is only believed with a fitting hash.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidToken`].
    pub async fn caller(&self, user_id: UserId, token_hash: &[u8]) -> Result<Caller> {
        let found = self.callers(&[(user_id, token_hash.to_owned())]).await?.pop().flatten();
        found.ok_or(ErrorCode::InvalidToken.into())
    }

    /// The same of several tokens; none for one that nobody has.
    pub async fn callers(&self, tokens: &[(UserId, Vec<u8>)]) -> Result<Vec<Option<Caller>>> {
        // Each by its own look into the indices, however many there are: a LIMIT keeps it from joining with the whole table.
        let rows = sqlx::query(
            "SELECT i.place::integer AS place, u.id, u.handle, u.name, u.photo, d.id AS device_id
             FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS i (usr, hash, place)
             CROSS JOIN LATERAL (SELECT d.id FROM devices d WHERE d.user_id = i.usr AND d.token_hash = i.hash LIMIT 1) d
             CROSS JOIN LATERAL (SELECT * FROM users u WHERE u.id = i.usr LIMIT 1) u",
        )
        .bind(tokens.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(tokens.iter().map(|it| it.1.as_slice()).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let mut callers: Vec<Option<Caller>> = tokens.iter().map(|_| None).collect();
        for found in &rows {
            if let Some(caller) = callers.get_mut(row::place(found)?) {
                *caller = Some(Caller { user: user(found)?, device_id: DeviceId(found.try_get("device_id")?) });
            }
        }
        Ok(callers)
    }

    /// A user's devices, the newest first.
    pub async fn devices(&self, user: UserId, current: Option<DeviceId>) -> Result<Vec<Device>> {
        let rows = sqlx::query(
            "SELECT id, name, created_at, last_seen_at FROM devices WHERE user_id = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(user.0)
        .bind(i64::try_from(limit::DEVICES).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let mut devices = Vec::with_capacity(rows.len());
        for row in rows {
            let id = DeviceId(row.try_get("id")?);
            devices.push(Device {
                id,
                name: row.try_get("name")?,
                created_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
                last_seen_at: row.try_get::<OffsetDateTime, _>("last_seen_at")?.into(),
                current: current == Some(id),
            });
        }
        Ok(devices)
    }

    /// Whether a device is one of a user's that are signed in.
    pub async fn owns_device(&self, user: UserId, device: DeviceId) -> Result<bool> {
        let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM devices WHERE user_id = $1 AND id = $2)")
            .bind(user.0)
            .bind(device.0)
            .fetch_one(&self.pool)
            .await?;
        Ok(found)
    }

    /// Signs some of a user's devices out. Returns which.
    pub async fn revoke_devices(&self, user: UserId, which: Which) -> Result<Vec<DeviceId>> {
        let (only, but) = match which {
            Which::Only(device) => (Some(device.0), None),
            Which::AllBut(device) => (None, Some(device.0)),
            Which::All => (None, None),
        };
        let ids: Vec<i64> = sqlx::query_scalar(
            "DELETE FROM devices WHERE user_id = $1 AND ($2::bigint IS NULL OR id = $2) AND ($3::bigint IS NULL OR id <> $3)
             RETURNING id",
        )
        .bind(user.0)
        .bind(only)
        .bind(but)
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(DeviceId).collect())
    }

    /// Those of some connected devices that are still signed in, each with the version of its user's own things.
    pub async fn standing(&self, devices: &[(UserId, DeviceId)]) -> Result<HashMap<DeviceId, Version>> {
        let rows = sqlx::query(
            "SELECT i.device, u.version FROM unnest($1::bigint[], $2::bigint[]) AS i (usr, device)
             JOIN devices d ON d.user_id = i.usr AND d.id = i.device JOIN users u ON u.id = i.usr",
        )
        .bind(devices.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(devices.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let found = rows.iter().map(|row| Ok((DeviceId(row.try_get(0)?), Version(row.try_get(1)?))));
        Ok(found.collect::<sqlx::Result<_>>()?)
    }

    /// Notes that some devices were connected just now. One whose row is in use is left out.
    pub async fn seen(&self, devices: &[(UserId, DeviceId)]) -> Result<()> {
        sqlx::query(
            "WITH due AS MATERIALIZED (
                 SELECT d.user_id, d.id FROM unnest($1::bigint[], $2::bigint[]) AS i (usr, device)
                 JOIN devices d ON d.user_id = i.usr AND d.id = i.device FOR NO KEY UPDATE OF d SKIP LOCKED
             )
             UPDATE devices d SET last_seen_at = now() FROM due WHERE d.user_id = due.user_id AND d.id = due.id",
        )
        .bind(devices.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(devices.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that some users have gone offline now, and returns when that was. A user whose row is in use is not written, but
    /// returned all the same: it is not worth waiting for, nor holding up the others.
    pub async fn went_offline(&self, users: &[UserId]) -> Result<HashMap<UserId, Timestamp>> {
        let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
        let at: OffsetDateTime = sqlx::query_scalar(
            "WITH due AS MATERIALIZED (SELECT id FROM users WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),
             noted AS (UPDATE users u SET last_seen_at = now() FROM due WHERE u.id = due.id)
             SELECT now()",
        )
        .bind(&ids)
        .fetch_one(&self.pool)
        .await?;
        Ok(users.iter().map(|user| (*user, at.into())).collect())
    }

    /// When some users were last online, or at least came online: a node that died could not write when they went.
    pub async fn last_seen(&self, users: &[UserId]) -> Result<HashMap<UserId, Timestamp>> {
        let rows = sqlx::query(
            "SELECT i.id, i.last_seen_at FROM (
                 SELECT u.id, greatest(u.last_seen_at, (
                     SELECT max(d.last_seen_at) FROM devices d WHERE d.user_id = u.id AND d.last_seen_at > d.created_at
                 )) AS last_seen_at FROM users u WHERE u.id = ANY ($1)
             ) i WHERE i.last_seen_at IS NOT NULL",
        )
        .bind(users.iter().map(|user| user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let mut seen = HashMap::new();
        for row in rows {
            seen.insert(UserId(row.try_get("id")?), row.try_get::<OffsetDateTime, _>("last_seen_at")?.into());
        }
        Ok(seen)
    }

    /// Changes a user's name.
    pub async fn set_name(&self, id: UserId, name: &str) -> Result<User> {
        let row = sqlx::query("UPDATE users SET name = $2 WHERE id = $1 RETURNING id, handle, name, photo")
            .bind(id.0)
            .bind(name)
            .fetch_one(&self.pool)
            .await?;
        Ok(user(&row)?)
    }

    /// Changes a user's picture, or takes it away.
    pub async fn set_photo(&self, id: UserId, photo: Option<FileId>) -> Result<User> {
        let row = sqlx::query("UPDATE users SET photo = $2 WHERE id = $1 RETURNING id, handle, name, photo")
            .bind(id.0)
            .bind(photo.map(|file| file.0))
            .fetch_one(&self.pool)
            .await?;
        Ok(user(&row)?)
    }

    /// Who some users are.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let rows = sqlx::query("SELECT id, handle, name, photo FROM users WHERE id = ANY ($1)")
            .bind(ids.iter().map(|user| user.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(user).collect::<sqlx::Result<_>>()?)
    }
}

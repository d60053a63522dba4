//! Uploads, as the node that receives them needs them.

use std::time::Duration;

use chapar_protocol::{
    Timestamp, UserId,
    media::{FileId, FileKind, FileState},
};
use serde_json::json;
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    People, Result,
    files::{bytes, kind, state},
    jobs::interval,
};

/// The kind of the job that prepares a file: its `about` is `{"file": id, "place": where it was received}`.
pub const PREPARE: &str = "prepare_file";
/// How long whoever has stored a file has to prepare it by themselves, before anybody may.
const OWN_TRY: Duration = Duration::from_mins(2);

/// An upload as the node that receives it needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Which.
    pub id: FileId,
    /// Whose.
    pub user: UserId,
    /// As what.
    pub kind: FileKind,
    /// What has become of it.
    pub state: FileState,
    /// How many bytes it will have, once that is told.
    pub size: Option<u64>,
    /// At least so many have come.
    pub received: u64,
    /// As it was given.
    pub metadata: String,
    /// `Some("")`: a part of another; else of which it is made.
    pub parts: Option<String>,
    /// Where the part file lies; absent when it is no longer needed.
    pub place: Option<Uuid>,
    /// When it is given up.
    pub expires_at: Option<Timestamp>,
    /// Whether that is over.
    pub expired: bool,
    /// What it is called.
    pub name: Option<String>,
    /// The hash of what is stored, as soon as it is.
    pub blob: Option<Vec<u8>>,
}

/// An upload that begins.
#[derive(Clone, Debug)]
pub struct NewUpload<'a> {
    /// Which.
    pub id: FileId,
    /// Whose.
    pub user: UserId,
    /// As what.
    pub kind: FileKind,
    /// How many bytes it will have, if that is told.
    pub size: Option<u64>,
    /// As it was given.
    pub metadata: &'a str,
    /// What it is called.
    pub name: Option<&'a str>,
    /// See [`Upload::parts`].
    pub parts: Option<&'a str>,
    /// Where the part file lies.
    pub place: Uuid,
    /// How long it may take.
    pub within: Duration,
}

impl People {
    /// Begins an upload. False: this person has so many unfinished ones already.
    pub async fn begin_upload(&self, new: &NewUpload<'_>, most: i64) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO files (id, user_id, kind, size, metadata, name, parts, place, kept_until)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, now() + $9
             WHERE (SELECT count(*) FROM files f WHERE f.user_id = $2 AND f.state = 'uploading' AND f.kept_until > now()) < $10",
        )
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.kind.name())
        .bind(new.size.and_then(|size| i64::try_from(size).ok()))
        .bind(new.metadata)
        .bind(new.name)
        .bind(new.parts)
        .bind(new.place)
        .bind(interval(new.within))
        .bind(most)
        .execute(&self.pool)
        .await?;
        Ok(made.rows_affected() > 0)
    }

    /// Somebody's own uploads.
    pub async fn uploads(&self, user: UserId, files: &[FileId]) -> Result<Vec<Upload>> {
        let rows = sqlx::query(
            "SELECT id, user_id, kind, state, size, received, metadata, parts, place, kept_until, kept_until <= now() AS expired, name,
                 blob
             FROM files WHERE id = ANY ($1) AND user_id = $2",
        )
        .bind(files.iter().map(|file| file.0).collect::<Vec<_>>())
        .bind(user.0)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(upload).collect()
    }

    /// The length of an upload is told after all. False: it was told before.
    pub async fn set_upload_size(&self, file: FileId, size: u64) -> Result<bool> {
        let set = sqlx::query("UPDATE files SET size = $2 WHERE id = $1 AND size IS NULL AND state = 'uploading'")
            .bind(file.0)
            .bind(i64::try_from(size).unwrap_or(i64::MAX))
            .execute(&self.pool)
            .await?;
        Ok(set.rows_affected() > 0)
    }

    /// So much of an upload has come: it is given up later. Returns when, unless it is gone.
    pub async fn upload_received(&self, file: FileId, received: u64, within: Duration) -> Result<Option<Timestamp>> {
        let until: Option<OffsetDateTime> = sqlx::query_scalar(
            "UPDATE files SET received = greatest(received, $2), kept_until = now() + $3 WHERE id = $1 AND state = 'uploading'
             RETURNING kept_until",
        )
        .bind(file.0)
        .bind(i64::try_from(received).unwrap_or(i64::MAX))
        .bind(interval(within))
        .fetch_optional(&self.pool)
        .await?;
        Ok(until.map(Timestamp::from))
    }

    /// All of an upload has come. False: that is known already, or it is gone.
    pub async fn upload_complete(&self, file: FileId) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE files SET state = 'preparing', received = size, kept_until = now() + interval '1 day'
             WHERE id = $1 AND state = 'uploading' AND size IS NOT NULL",
        )
        .bind(file.0)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A complete upload is stored as an object: its part file is no longer needed. Returns the job that prepares it, to be taken back by
    /// whoever does that at once. `None`: somebody else has done this already, or nobody needs it any more.
    pub async fn upload_stored(&self, file: FileId, sha256: &[u8], place: Uuid) -> Result<Option<i64>> {
        let mut tx = self.begin().await?;
        super::blobs::name(&mut tx, &[sha256.to_vec()]).await?;
        let done = sqlx::query(
            "UPDATE files SET blob = $2, place = NULL WHERE id = $1 AND state = 'preparing' AND blob IS NULL",
        )
        .bind(file.0)
        .bind(sha256)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        // Whoever stored it does it at once, and takes it back: another node does it when they do not come to it.
        let job: i64 =
            sqlx::query_scalar("INSERT INTO jobs (kind, about, run_at) VALUES ($1, $2, now() + $3) RETURNING id")
                .bind(PREPARE)
                .bind(json!({ "file": file, "place": place }))
                .bind(interval(OWN_TRY))
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(Some(job))
    }

    /// Whoever was preparing files at a place is no more: these jobs are due now. Returns how many there were.
    pub async fn prepare_again(&self, place: Uuid) -> Result<u64> {
        let due = sqlx::query(
            "UPDATE jobs SET run_at = now()
             WHERE kind = $1 AND about->>'place' = $2 AND run_at > now() AND dead_at IS NULL",
        )
        .bind(PREPARE)
        .bind(place.to_string())
        .execute(&self.pool)
        .await?;
        Ok(due.rows_affected())
    }

    /// Ends an upload that is not complete. Returns how many bytes it was to have and how many have come; `None`: there is none of theirs.
    pub async fn end_upload(&self, user: UserId, file: FileId) -> Result<Option<(u64, u64)>> {
        let row = sqlx::query(
            "DELETE FROM files WHERE id = $1 AND user_id = $2 AND state = 'uploading' RETURNING coalesce(size, received) AS size, received",
        )
        .bind(file.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((bytes(&row, "size")?, bytes(&row, "received")?))).transpose()
    }

    /// Of the part files that lie at a place, those that are still needed, and whether each is complete and waits for being stored.
    pub async fn parts_needed(&self, place: Uuid, files: &[FileId]) -> Result<Vec<(FileId, bool)>> {
        let rows = sqlx::query(
            "SELECT id, state = 'preparing' AS complete FROM files
             WHERE id = ANY ($1) AND place = $2 AND (state = 'preparing' OR (state = 'uploading' AND kept_until > now()))",
        )
        .bind(files.iter().map(|file| file.0).collect::<Vec<_>>())
        .bind(place)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((FileId(row.try_get("id")?), row.try_get("complete")?))).collect()
    }
}

fn upload(row: &PgRow) -> Result<Upload> {
    let until: Option<OffsetDateTime> = row.try_get("kept_until")?;
    Ok(Upload {
        id: FileId(row.try_get("id")?),
        user: UserId(row.try_get("user_id")?),
        kind: kind(row)?,
        state: state(row)?,
        size: row.try_get::<Option<i64>, _>("size")?.and_then(|size| u64::try_from(size).ok()),
        received: bytes(row, "received")?,
        metadata: row.try_get("metadata")?,
        parts: row.try_get("parts")?,
        place: row.try_get("place")?,
        expires_at: until.map(Timestamp::from),
        expired: row.try_get::<Option<bool>, _>("expired")?.unwrap_or(false),
        name: row.try_get("name")?,
        blob: row.try_get("blob")?,
    })
}

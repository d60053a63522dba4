//! What is stored once for each content, and what nobody needs any more. See `migrations/people/0008_files.sql`.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{People, Result, jobs::interval};
use crate::{Tx, busy};

/// Content that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256.
    pub sha256: Vec<u8>,
    /// The name of the object.
    pub key: Uuid,
    /// Bytes.
    pub size: u64,
}

/// For how long an object may be on its way before it is taken for one that nobody will name.
const ON_ITS_WAY: Duration = Duration::from_hours(24);

impl People {
    /// Content that is stored already. Whoever is about to name it has an hour.
    pub async fn stored_blob(&self, sha256: &[u8]) -> Result<Option<Blob>> {
        let row = sqlx::query("UPDATE blobs SET doubted_at = now() WHERE sha256 = $1 RETURNING sha256, key, size")
            .bind(sha256)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(blob).transpose()
    }

    /// An object is about to be written. When nothing names it after a day, it is taken away.
    pub async fn announce_object(&self, key: Uuid) -> Result<()> {
        sqlx::query("INSERT INTO blob_trash (key, due) VALUES ($1, now() + $2)")
            .bind(key)
            .bind(interval(ON_ITS_WAY))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The object is written. Returns what holds the content now: where somebody else has stored the same meanwhile, theirs, and the new
    /// object is taken away in its time. Whoever is about to name it has an hour.
    pub async fn keep_blob(&self, new: &Blob) -> Result<Blob> {
        let row = sqlx::query(
            "WITH kept AS (
                 INSERT INTO blobs AS b (sha256, key, size) VALUES ($1, $2, $3)
                 ON CONFLICT (sha256) DO UPDATE SET doubted_at = now() RETURNING b.sha256, b.key, b.size
             ), named AS (
                 DELETE FROM blob_trash t USING kept k WHERE t.key = k.key
             )
             SELECT sha256, key, size FROM kept",
        )
        .bind(&new.sha256)
        .bind(new.key)
        .bind(i64::try_from(new.size).unwrap_or(i64::MAX))
        .fetch_one(&self.pool)
        .await?;
        blob(&row)
    }

    /// Takes away content that nothing names since an hour; its objects are due soon afterwards. Returns how many are gone, and whether
    /// there may be more.
    pub async fn collect_blobs(&self, most: i64) -> Result<(u64, bool)> {
        let (seen, gone): (i64, i64) = sqlx::query_as(
            "WITH due AS MATERIALIZED (
                 SELECT b.sha256 FROM blobs b WHERE b.doubted_at < now() - interval '1 hour'
                 ORDER BY b.doubted_at LIMIT $1 FOR UPDATE SKIP LOCKED
             ), judged AS MATERIALIZED (
                 SELECT d.sha256, EXISTS (SELECT FROM files f WHERE f.blob = d.sha256)
                     OR EXISTS (SELECT FROM file_variants v WHERE v.blob = d.sha256) AS named
                 FROM due d
             ), kept AS (
                 UPDATE blobs b SET doubted_at = NULL FROM judged j WHERE b.sha256 = j.sha256 AND j.named
             ), gone AS (
                 DELETE FROM blobs b USING judged j WHERE b.sha256 = j.sha256 AND NOT j.named RETURNING b.key
             ), trash AS (
                 -- Later than whoever has just learnt the name has opened it.
                 INSERT INTO blob_trash (key, due) SELECT g.key, now() + interval '10 minutes' FROM gone g
             )
             SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM gone)",
        )
        .bind(most)
        .fetch_one(&self.pool)
        .await?;
        Ok((u64::try_from(gone).unwrap_or(0), seen == most))
    }

    /// Objects that are to be deleted now.
    pub async fn trash(&self, most: i64) -> Result<Vec<Uuid>> {
        let keys = sqlx::query_scalar("SELECT key FROM blob_trash WHERE due < now() ORDER BY due LIMIT $1").bind(most);
        Ok(keys.fetch_all(&self.pool).await?)
    }

    /// Those are deleted.
    pub async fn trash_deleted(&self, keys: &[Uuid]) -> Result<()> {
        sqlx::query("DELETE FROM blob_trash WHERE key = ANY ($1)").bind(keys).execute(&self.pool).await?;
        Ok(())
    }
}

/// Before content is named, in the same transaction: nobody takes it away meanwhile.
///
/// # Errors
/// [`StoreError::Refused`] where somebody has, because it took too long to come here: it is to be stored again.
pub(super) async fn name(tx: &mut Tx, hashes: &[Vec<u8>]) -> Result<()> {
    let hashes: BTreeSet<&[u8]> = hashes.iter().map(Vec::as_slice).collect();
    let there = sqlx::query(
        "UPDATE blobs b SET doubted_at = now() FROM (
             SELECT sha256 FROM blobs WHERE sha256 = ANY ($1) ORDER BY sha256 FOR NO KEY UPDATE
         ) i WHERE b.sha256 = i.sha256",
    )
    .bind(hashes.iter().copied().collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    if there.rows_affected() == hashes.len() as u64 { Ok(()) } else { Err(busy("content was taken away meanwhile")) }
}

pub(super) fn blob(row: &PgRow) -> Result<Blob> {
    let size: i64 = row.try_get("size")?;
    Ok(Blob { sha256: row.try_get("sha256")?, key: row.try_get("key")?, size: u64::try_from(size).unwrap_or(0) })
}

//! Files: uploads, what became of them, what is stored, and what nobody needs any more. The bytes lie elsewhere, see crate `files`.
//!
//! What several nodes may do at once is guarded in the row that it is about: a file that is about to be named has its `kept_until`
//! moved, content that is about to be named its `used_at`, and whoever collects looks at these again when it has the row.

use chapar_protocol::{
    ErrorCode, UserId,
    media::{FileId, FileKind, FileState},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{People, Result, StoreError, blobs::Blob};

/// A file as messages name it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFile {
    /// Which.
    pub id: FileId,
    /// As what it was sent.
    pub kind: FileKind,
    /// What has become of it.
    pub state: FileState,
    /// Bytes: of what is given out as the original, or of the upload while that is not known; 0 while neither is.
    pub size: u64,
    /// Bytes of the upload that have come.
    pub received: u64,
    /// What it is.
    pub mime: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration_ms: Option<u32>,
    /// A thumbhash, base64.
    pub preview: Option<String>,
    /// 100 values of 5 bits, base64.
    pub waveform: Option<String>,
    /// Whether it moves.
    pub animated: bool,
    /// What a piece of music says of itself.
    pub title: Option<String>,
    /// Who plays it.
    pub performer: Option<String>,
    /// The longer sides in which it is there as a photo.
    pub sizes: Vec<u16>,
    /// Why it was refused.
    pub refused: Option<ErrorCode>,
}

/// What is given out under a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The content.
    pub blob: Blob,
    /// What it is: absent for a photo's smaller sizes, which are JPEG.
    pub mime: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// As what it was sent.
    pub kind: FileKind,
}

/// A file that is complete, and not looked at yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Unprepared {
    /// Which.
    pub id: FileId,
    /// As what it was sent.
    pub kind: FileKind,
    /// What it is called.
    pub name: Option<String>,
    /// Its content.
    pub blob: Blob,
}

/// What was found out of a file, and made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// What it is.
    pub mime: String,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration_ms: Option<u32>,
    /// A thumbhash, base64.
    pub preview: Option<String>,
    /// 100 values of 5 bits, base64.
    pub waveform: Option<String>,
    /// Whether it moves.
    pub animated: bool,
    /// What a piece of music says of itself.
    pub title: Option<String>,
    /// Who plays it.
    pub performer: Option<String>,
    /// What is given out instead of what was uploaded: the hash of what is stored already.
    pub replaced: Option<Vec<u8>>,
    /// Smaller sizes: the longer side, and the hash of what is stored already.
    pub variants: Vec<(u16, Vec<u8>)>,
}

/// What comes of preparing a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It can be sent.
    Ready(Box<Facts>),
    /// It cannot, ever.
    Refused(ErrorCode),
    /// The scanner has found something in it.
    Held,
}

impl People {
    /// Somebody's own files, for a message that is about to name them: those that are ready are kept a day longer. Files of others, and
    /// those that there are not, are left out.
    pub async fn hold_files(&self, user: UserId, files: &[FileId]) -> Result<Vec<KnownFile>> {
        let ids: Vec<Uuid> = files.iter().map(|file| file.0).collect();
        let rows = sqlx::query(
            "WITH named AS MATERIALIZED (
                 SELECT f.id FROM files f WHERE f.id = ANY ($1) AND f.user_id = $2 ORDER BY f.id FOR NO KEY UPDATE
             ), held AS (
                 UPDATE files f SET kept_until = greatest(f.kept_until, now() + interval '1 day')
                 FROM named n WHERE f.id = n.id AND f.state = 'ready'
             )
             SELECT f.id, f.kind, f.state, coalesce(b.size, f.size, 0) AS size, f.received, f.mime, f.name, f.width, f.height,
                 f.duration_ms, f.preview, f.waveform, f.animated, f.title, f.performer, f.refused,
                 ARRAY(SELECT v.longer FROM file_variants v WHERE v.file_id = f.id ORDER BY v.longer) AS sizes
             FROM named n JOIN files f ON f.id = n.id LEFT JOIN blobs b ON b.sha256 = f.blob",
        )
        .bind(ids)
        .bind(user.0)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(known).collect()
    }

    /// What is known of somebody's own file.
    ///
    /// # Errors
    /// [`ErrorCode::FileNotFound`].
    pub async fn file_info(&self, user: UserId, file: FileId) -> Result<KnownFile> {
        let row = sqlx::query(
            "SELECT f.id, f.kind, f.state, coalesce(b.size, f.size, 0) AS size, f.received, f.mime, f.name, f.width, f.height,
                 f.duration_ms, f.preview, f.waveform, f.animated, f.title, f.performer, f.refused,
                 ARRAY(SELECT v.longer FROM file_variants v WHERE v.file_id = f.id ORDER BY v.longer) AS sizes
             FROM files f LEFT JOIN blobs b ON b.sha256 = f.blob WHERE f.id = $1 AND f.user_id = $2",
        )
        .bind(file.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map_or(Err(ErrorCode::FileNotFound.into()), known)
    }
}

impl People {
    /// What is given out of a file that is ready: the original, or a smaller size of a photo.
    pub async fn served(&self, file: FileId, longer: Option<u16>) -> Result<Option<Served>> {
        let row = sqlx::query(
            "SELECT f.kind, f.name, f.mime, b.sha256, b.key, b.size FROM files f
             LEFT JOIN file_variants v ON v.file_id = f.id AND v.longer = $2
             JOIN blobs b ON b.sha256 = CASE WHEN $2 IS NULL THEN f.blob ELSE v.blob END
             WHERE f.id = $1 AND f.state = 'ready'",
        )
        .bind(file.0)
        .bind(longer.and_then(|it| i16::try_from(it).ok()))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| served(&row, longer)).transpose()
    }

    /// The same of the picture of a person or chat, and whether it is that of a person now.
    pub async fn served_avatar(&self, file: FileId, longer: u16) -> Result<Option<(Served, bool)>> {
        let row = sqlx::query(
            "SELECT f.kind, f.name, f.mime, b.sha256, b.key, b.size, EXISTS (SELECT FROM users u WHERE u.photo = $1) AS theirs
             FROM files f JOIN file_variants v ON v.file_id = f.id AND v.longer = $2 JOIN blobs b ON b.sha256 = v.blob
             WHERE f.id = $1 AND f.state = 'ready' AND f.kind = 'avatar'",
        )
        .bind(file.0)
        .bind(i16::try_from(longer).unwrap_or(i16::MAX))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((served(&row, Some(longer))?, row.try_get("theirs")?))).transpose()
    }

    /// The same of a sticker that stands in a pack, or stood in one.
    pub async fn served_sticker(&self, file: FileId) -> Result<Option<Served>> {
        let row = sqlx::query(
            "SELECT f.kind, f.name, f.mime, b.sha256, b.key, b.size FROM files f JOIN blobs b ON b.sha256 = f.blob
             WHERE f.id = $1 AND f.state = 'ready' AND f.published",
        )
        .bind(file.0)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| served(&row, None)).transpose()
    }

    /// With what links are signed.
    pub async fn file_key(&self) -> Result<Vec<u8>> {
        Ok(sqlx::query_scalar("SELECT key FROM file_keys").fetch_one(&self.pool).await?)
    }

    /// The file that a job is to prepare, and its content. `None`: that is done, or nobody needs it any more.
    pub async fn to_prepare(&self, file: FileId) -> Result<Option<Unprepared>> {
        let row = sqlx::query(
            "SELECT f.kind, f.name, b.sha256, b.key, b.size FROM files f JOIN blobs b ON b.sha256 = f.blob
             WHERE f.id = $1 AND f.state = 'preparing'",
        )
        .bind(file.0)
        .fetch_optional(&self.pool)
        .await?;
        let read = |row: PgRow| {
            Ok(Unprepared { id: file, kind: kind(&row)?, name: row.try_get("name")?, blob: super::blobs::blob(&row)? })
        };
        row.map(read).transpose()
    }

    /// What came of preparing a file. False: somebody else has done it already.
    pub async fn prepared(&self, file: FileId, outcome: &Outcome) -> Result<bool> {
        let facts = match outcome {
            Outcome::Ready(facts) => facts,
            Outcome::Refused(code) => return self.end_preparing(file, "refused", Some(code.name())).await,
            Outcome::Held => return self.end_preparing(file, "held", None).await,
        };
        let number = |it: Option<u32>| it.and_then(|it| i32::try_from(it).ok());
        let (longer, blobs): (Vec<_>, Vec<_>) = facts
            .variants
            .iter()
            .map(|(longer, blob)| (i16::try_from(*longer).unwrap_or(i16::MAX), blob.clone()))
            .unzip();
        let mut tx = self.begin().await?;
        let named: Vec<Vec<u8>> = blobs.iter().chain(&facts.replaced).cloned().collect();
        super::blobs::name(&mut tx, &named).await?;
        let ready: i64 = sqlx::query_scalar(
            "WITH ready AS (
                 UPDATE files f SET state = 'ready', mime = $2, width = $3, height = $4, duration_ms = $5, preview = $6,
                     waveform = $7, animated = $8, blob = coalesce($9, f.blob), title = $12, performer = $13,
                     kept_until = greatest(f.kept_until, now() + interval '1 day')
                 WHERE f.id = $1 AND f.state = 'preparing' RETURNING f.id
             ), doubted AS (
                 -- What was uploaded is not what is given out: nothing may name it any more.
                 UPDATE blobs b SET doubted_at = now() FROM files f JOIN ready r ON r.id = f.id
                 WHERE b.sha256 = f.blob AND $9 IS DISTINCT FROM f.blob
             ), smaller AS (
                 INSERT INTO file_variants (file_id, longer, blob)
                 SELECT r.id, v.longer, v.blob FROM ready r, unnest($10::smallint[], $11::bytea[]) AS v (longer, blob)
                 ON CONFLICT DO NOTHING
             )
             SELECT count(*) FROM ready",
        )
        .bind(file.0)
        .bind(&facts.mime)
        .bind(number(facts.width))
        .bind(number(facts.height))
        .bind(number(facts.duration_ms))
        .bind(&facts.preview)
        .bind(&facts.waveform)
        .bind(facts.animated)
        .bind(&facts.replaced)
        .bind(longer)
        .bind(blobs)
        .bind(&facts.title)
        .bind(&facts.performer)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ready > 0)
    }

    async fn end_preparing(&self, file: FileId, state: &str, why: Option<&str>) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE files SET state = $2, refused = $3, kept_until = greatest(kept_until, now() + interval '1 day')
             WHERE id = $1 AND state = 'preparing'",
        )
        .bind(file.0)
        .bind(state)
        .bind(why)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes away files that no message names, and uploads that were given up long ago. Those that are named are not looked at again
    /// until a use ends. Returns how many are gone, and whether there may be more.
    pub async fn collect_files(&self, most: i64) -> Result<(u64, bool)> {
        let (seen, gone): (i64, i64) = sqlx::query_as(
            "WITH due AS MATERIALIZED (
                 SELECT f.id, f.blob FROM files f
                 WHERE f.kept_until < now() AND (f.state <> 'uploading' OR f.kept_until < now() - interval '7 days')
                 ORDER BY f.kept_until LIMIT $1 FOR UPDATE SKIP LOCKED
             ), judged AS MATERIALIZED (
                 SELECT d.id, d.blob, EXISTS (SELECT FROM file_uses u WHERE u.file_id = d.id)
                     OR EXISTS (SELECT FROM users u WHERE u.photo = d.id)
                     OR EXISTS (SELECT FROM stickers s WHERE s.file_id = d.id) AS used
                 FROM due d
             ), kept AS (
                 UPDATE files f SET kept_until = NULL FROM judged j WHERE f.id = j.id AND j.used
             ), gone AS (
                 DELETE FROM files f USING judged j WHERE f.id = j.id AND NOT j.used RETURNING f.id
             ), smaller AS (
                 DELETE FROM file_variants v USING judged j WHERE v.file_id = j.id AND NOT j.used RETURNING v.blob
             ), doubted AS (
                 UPDATE blobs b SET doubted_at = now() FROM (
                     SELECT j.blob FROM judged j WHERE NOT j.used AND j.blob IS NOT NULL UNION SELECT s.blob FROM smaller s
                 ) o WHERE b.sha256 = o.blob
             )
             SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM gone)",
        )
        .bind(most)
        .fetch_one(&self.pool)
        .await?;
        Ok((u64::try_from(gone).unwrap_or(0), seen == most))
    }
}

fn served(row: &PgRow, longer: Option<u16>) -> Result<Served> {
    let mime: Option<String> = row.try_get("mime")?;
    let mime = if longer.is_some() { None } else { mime };
    Ok(Served { blob: super::blobs::blob(row)?, mime, name: row.try_get("name")?, kind: kind(row)? })
}

pub(super) fn known(row: &PgRow) -> Result<KnownFile> {
    let sizes: Vec<i16> = row.try_get("sizes")?;
    Ok(KnownFile {
        id: FileId(row.try_get("id")?),
        kind: kind(row)?,
        state: state(row)?,
        size: bytes(row, "size")?,
        received: bytes(row, "received")?,
        mime: row.try_get("mime")?,
        name: row.try_get("name")?,
        width: number(row, "width")?,
        height: number(row, "height")?,
        duration_ms: number(row, "duration_ms")?,
        preview: row.try_get("preview")?,
        waveform: row.try_get("waveform")?,
        animated: row.try_get("animated")?,
        title: row.try_get("title")?,
        performer: row.try_get("performer")?,
        sizes: sizes.into_iter().filter_map(|size| u16::try_from(size).ok()).collect(),
        refused: row.try_get::<Option<String>, _>("refused")?.map(|code| code_named(&code)),
    })
}

pub(super) fn kind(row: &PgRow) -> Result<FileKind> {
    word(row, "kind")
}

pub(super) fn state(row: &PgRow) -> Result<FileState> {
    word(row, "state")
}

/// A word that the wire knows too.
fn word<T: serde::de::DeserializeOwned>(row: &PgRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_value(text.into()).map_err(|error| StoreError::Fault(sqlx::Error::Decode(error.into())))
}

fn code_named(name: &str) -> ErrorCode {
    ErrorCode::ALL.iter().copied().find(|code| code.name() == name).unwrap_or(ErrorCode::FileRefused)
}

pub(super) fn bytes(row: &PgRow, column: &str) -> Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

pub(super) fn number(row: &PgRow, column: &str) -> Result<Option<u32>> {
    Ok(row.try_get::<Option<i32>, _>(column)?.and_then(|number| u32::try_from(number).ok()))
}

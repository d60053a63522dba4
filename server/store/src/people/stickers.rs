//! Packs of stickers: who has made them, what is in them, and their files for messages that show them.

use chapar_protocol::{
    ErrorCode, FileId, PackId, UserId, WireError, limit,
    sticker::{NewPackSticker, OwnPack, PackSticker, StickerPack},
};
use sqlx::Row;
use uuid::Uuid;

use super::{
    People, Result,
    files::{KnownFile, known, number},
};

impl People {
    /// Makes a pack, or replaces the whole of one's own. Its files are held, and known to be the owner's.
    ///
    /// # Errors
    /// [`ErrorCode::Forbidden`] when it is somebody else's, [`ErrorCode::TooLarge`] when the owner has made too many.
    pub async fn set_sticker_pack(
        &self,
        user: UserId,
        pack: PackId,
        title: &str,
        stickers: &[NewPackSticker],
    ) -> Result<()> {
        let files: Vec<Uuid> = stickers.iter().map(|it| it.file_id.0).collect();
        let emoji: Vec<Option<&str>> = stickers.iter().map(|it| it.emoji.as_deref()).collect();
        let mut tx = self.begin().await?;
        // What one person makes is counted one after the other.
        sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE")
            .bind(user.0)
            .fetch_optional(&mut *tx)
            .await?;
        let (others, owner): (i64, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM sticker_packs p WHERE p.user_id = $1 AND p.id <> $2),
                 (SELECT p.user_id FROM sticker_packs p WHERE p.id = $2)",
        )
        .bind(user.0)
        .bind(pack.0)
        .fetch_one(&mut *tx)
        .await?;
        if owner.is_none() && others >= i64::try_from(limit::OWN_PACKS).unwrap_or(i64::MAX) {
            return Err(WireError::new(ErrorCode::TooLarge, "you have made as many packs as there can be").into());
        }
        let mine = sqlx::query(
            "INSERT INTO sticker_packs AS p (id, user_id, title) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET title = excluded.title, changed_at = now() WHERE p.user_id = excluded.user_id",
        )
        .bind(pack.0)
        .bind(user.0)
        .bind(title)
        .execute(&mut *tx)
        .await?;
        if mine.rows_affected() == 0 {
            return Err(not_yours().into());
        }
        sqlx::query("DELETE FROM stickers WHERE pack_id = $1 AND file_id <> ALL ($2)")
            .bind(pack.0)
            .bind(&files)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "WITH published AS (
                 UPDATE files SET published = true WHERE id = ANY ($2) AND NOT published
             )
             INSERT INTO stickers (pack_id, file_id, emoji, place)
             SELECT $1, i.file, i.emoji, i.place - 1 FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS i (file, emoji, place)
             ON CONFLICT (pack_id, file_id) DO UPDATE SET emoji = excluded.emoji, place = excluded.place",
        )
        .bind(pack.0)
        .bind(&files)
        .bind(emoji)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a pack of one's own.
    ///
    /// # Errors
    /// [`ErrorCode::PackNotFound`], [`ErrorCode::Forbidden`].
    pub async fn delete_sticker_pack(&self, user: UserId, pack: PackId) -> Result<()> {
        let (there, gone): (bool, bool) = sqlx::query_as(
            "WITH gone AS (
                 DELETE FROM sticker_packs p WHERE p.id = $1 AND p.user_id = $2 RETURNING p.id
             ), emptied AS (
                 DELETE FROM stickers s USING gone g WHERE s.pack_id = g.id
             )
             SELECT EXISTS (SELECT FROM sticker_packs p WHERE p.id = $1), EXISTS (SELECT FROM gone)",
        )
        .bind(pack.0)
        .bind(user.0)
        .fetch_one(&self.pool)
        .await?;
        match (there, gone) {
            (_, true) => Ok(()),
            (true, false) => Err(not_yours().into()),
            (false, false) => Err(WireError::new(ErrorCode::PackNotFound, "there is no such pack of stickers").into()),
        }
    }

    /// Some packs, whoever made them, in the order in which they are named; those that there are not are left out.
    pub async fn sticker_packs(&self, user: UserId, packs: &[PackId]) -> Result<Vec<StickerPack>> {
        let rows = sqlx::query(
            "SELECT p.id, p.title, p.user_id = $1 AS own, s.file_id, s.emoji, f.width, f.height, f.animated, f.preview
             FROM unnest($2::uuid[]) WITH ORDINALITY AS i (pack, ord)
             JOIN sticker_packs p ON p.id = i.pack JOIN stickers s ON s.pack_id = p.id JOIN files f ON f.id = s.file_id
             ORDER BY i.ord, s.place",
        )
        .bind(user.0)
        .bind(packs.iter().map(|pack| pack.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let mut found: Vec<StickerPack> = Vec::new();
        for row in &rows {
            let id = PackId(row.try_get("id")?);
            if found.last().is_none_or(|last| last.id != id) {
                let (title, own) = (row.try_get("title")?, row.try_get("own")?);
                found.push(StickerPack { id, title, own, stickers: Vec::new() });
            }
            let sticker = PackSticker {
                file_id: FileId(row.try_get("file_id")?),
                emoji: row.try_get("emoji")?,
                width: number(row, "width")?.unwrap_or(0),
                height: number(row, "height")?.unwrap_or(0),
                animated: row.try_get("animated")?,
                preview: row.try_get("preview")?,
            };
            found.last_mut().into_iter().for_each(|pack| pack.stickers.push(sticker.clone()));
        }
        Ok(found)
    }

    /// The packs that somebody has made, the one that was changed last first.
    pub async fn own_sticker_packs(&self, user: UserId) -> Result<Vec<OwnPack>> {
        let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(
            "SELECT p.id, p.title, (SELECT count(*) FROM stickers s WHERE s.pack_id = p.id) FROM sticker_packs p
             WHERE p.user_id = $1 ORDER BY p.changed_at DESC, p.id",
        )
        .bind(user.0)
        .fetch_all(&self.pool)
        .await?;
        let own = |(id, title, count)| OwnPack { id: PackId(id), title, count: u32::try_from(count).unwrap_or(0) };
        Ok(rows.into_iter().map(own).collect())
    }

    /// A sticker of a pack for a message that is about to show it, with its emoji: kept for most of a day at least, until the message is
    /// known here. `None`: it does not stand in that pack, or there is no such pack.
    pub async fn hold_sticker(&self, pack: PackId, file: FileId) -> Result<Option<(KnownFile, Option<String>)>> {
        // Many send the same one: they lock it together, and few of them write.
        let row = sqlx::query(
            "WITH named AS MATERIALIZED (
                 SELECT f.id, s.emoji FROM stickers s JOIN files f ON f.id = s.file_id
                 WHERE s.pack_id = $1 AND s.file_id = $2 FOR KEY SHARE OF f
             ), held AS (
                 UPDATE files f SET kept_until = now() + interval '1 day' FROM named n
                 WHERE f.id = n.id AND (f.kept_until IS NULL OR f.kept_until < now() + interval '18 hours')
             )
             SELECT f.id, f.kind, f.state, coalesce(b.size, f.size, 0) AS size, f.received, f.mime, f.name, f.width, f.height,
                 f.duration_ms, f.preview, f.waveform, f.animated, f.title, f.performer, f.refused, '{}'::smallint[] AS sizes, n.emoji
             FROM named n JOIN files f ON f.id = n.id LEFT JOIN blobs b ON b.sha256 = f.blob",
        )
        .bind(pack.0)
        .bind(file.0)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((known(&row)?, row.try_get("emoji")?))).transpose()
    }
}

fn not_yours() -> WireError {
    WireError::new(ErrorCode::Forbidden, "this pack of stickers is somebody else's")
}

//! Which messages name which files. It follows the feed of the chats' side: a file that a message names is kept.

use chapar_protocol::{FileId, UserId};

use super::{People, Result, files::KnownFile};
use crate::chats::feed::Named;

impl People {
    /// Notes which files some messages name now. Doing it again, or with what was so earlier and then once more with what is so now, does no
    /// harm.
    pub async fn set_file_uses(&self, messages: &[Named]) -> Result<()> {
        let (mut chats, mut seqs) = (Vec::new(), Vec::new());
        let (mut use_chats, mut use_seqs, mut use_files) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            chats.push(message.chat.0);
            seqs.push(message.seq.0);
            for file in &message.files {
                use_chats.push(message.chat.0);
                use_seqs.push(message.seq.0);
                use_files.push(file.0);
            }
        }
        sqlx::query(
            "WITH named AS MATERIALIZED (
                 SELECT DISTINCT * FROM unnest($3::bigint[], $4::bigint[], $5::uuid[]) AS n (chat, seq, file)
             ), gone AS (
                 DELETE FROM file_uses u USING unnest($1::bigint[], $2::bigint[]) AS i (chat, seq)
                 WHERE u.chat_id = i.chat AND u.seq = i.seq
                   AND NOT EXISTS (SELECT FROM named n WHERE n.chat = u.chat_id AND n.seq = u.seq AND n.file = u.file_id)
             )
             INSERT INTO file_uses (file_id, chat_id, seq)
             SELECT n.file, n.chat, n.seq FROM named n ORDER BY n.file, n.chat, n.seq ON CONFLICT DO NOTHING",
        )
        .bind(chats)
        .bind(seqs)
        .bind(use_chats)
        .bind(use_seqs)
        .bind(use_files)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Files of somebody's own with the content of others' files, which they may read. Each copy is named by the id that it is to have: where
    /// it is there already nothing is made. Returns the copies as [`Self::hold_files`] does; what is gone is left out.
    pub async fn copy_files(&self, user: UserId, copies: &[(FileId, FileId)]) -> Result<Vec<KnownFile>> {
        let ids: Vec<FileId> = copies.iter().map(|(_, copy)| *copy).collect();
        // The row that is copied is locked, so that nobody takes it away meanwhile, and with it what it names.
        sqlx::query(
            "WITH read AS MATERIALIZED (
                 SELECT f.*, i.copy FROM unnest($1::uuid[], $2::uuid[]) AS i (file, copy) JOIN files f ON f.id = i.file
                 WHERE f.state = 'ready' ORDER BY f.id FOR NO KEY UPDATE OF f
             ), made AS (
                 INSERT INTO files (id, user_id, kind, state, size, received, kept_until, blob, name, mime, width, height, duration_ms,
                     preview, waveform, animated, title, performer)
                 SELECT r.copy, $3, r.kind, r.state, r.size, r.received, now() + interval '1 day', r.blob, r.name, r.mime, r.width,
                     r.height, r.duration_ms, r.preview, r.waveform, r.animated, r.title, r.performer FROM read r
                 ON CONFLICT (id) DO NOTHING RETURNING id
             )
             INSERT INTO file_variants (file_id, longer, blob)
             SELECT r.copy, v.longer, v.blob FROM read r JOIN made m ON m.id = r.copy JOIN file_variants v ON v.file_id = r.id",
        )
        .bind(copies.iter().map(|(file, _)| file.0).collect::<Vec<_>>())
        .bind(ids.iter().map(|copy| copy.0).collect::<Vec<_>>())
        .bind(user.0)
        .execute(&self.pool)
        .await?;
        self.hold_files(user, &ids).await
    }
}

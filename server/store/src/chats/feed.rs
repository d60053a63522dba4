//! The feed: what has changed, for all who follow.

use std::{collections::BTreeSet, time::Duration};

use chapar_protocol::{ChatId, FileId, Seq, UserId};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{Chats, Result, readers::Reader};

/// How far a follower has come. Rows are in the order of transaction, then id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The transaction.
    pub xid: i64,
    /// The row.
    pub id: i64,
}

/// People in one page, or those of its last commit more.
const PEOPLE: usize = 2000;

/// Some commits of the feed, and whose membership they have changed.
#[derive(Debug)]
pub struct Moves {
    /// Where they end.
    pub upto: Cursor,
    /// Who, and where.
    pub who: Vec<Reader>,
    /// Whether there may be more.
    pub full: bool,
}

/// Of the kinds of a chat's rows: what its messages name of files has changed.
pub(super) const FILES: i16 = 32;
/// The same: the chat's photo is another one.
pub(super) const PHOTO: i16 = 64;
/// The same: a channel has posted what is discussed elsewhere.
pub(super) const POSTS: i16 = 128;

/// Some commits of the feed, and which files the messages name that came or went in them.
#[derive(Debug)]
pub struct FileMoves {
    /// Where they end.
    pub upto: Cursor,
    /// Each message with all files that it names now, none where it was deleted; and each chat whose photo has changed, with that.
    pub messages: Vec<Named>,
    /// Whether there may be more.
    pub full: bool,
}

/// A message, or as if it were message 0 the chat itself, and the files that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where.
    pub chat: ChatId,
    /// Which.
    pub seq: Seq,
    /// Its files.
    pub files: Vec<FileId>,
}

/// The chat, from which version to which, and the kinds of its rows.
type Stretch = (i64, i64, i64, i16);

impl Chats {
    /// Which messages have come to name files, or name them no more, by what follows a cursor, at most `most` commits. See
    /// [`Self::moved_since`].
    pub async fn files_moved_since(&self, after: Cursor, most: i64) -> Result<FileMoves> {
        let rows = sqlx::query(
            "SELECT f.xid::text::bigint AS xid, f.id, (
                 SELECT jsonb_agg(jsonb_build_array(i.chat, i.before, i.version, i.kind))
                 FROM unnest(f.chats, f.froms, f.tos, f.kinds) AS i (chat, before, version, kind) WHERE i.kind & $4 <> 0
             ) AS moved
             FROM feed f
             WHERE (f.xid, f.id) > ($1::text::xid8, $2) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY f.xid, f.id LIMIT $3",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .bind(most)
        .bind(FILES | PHOTO)
        .fetch_all(&self.pool)
        .await?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == most);
        let mut upto = after;
        let mut moved: BTreeSet<(i64, i64, i64)> = BTreeSet::new();
        let mut shown: BTreeSet<i64> = BTreeSet::new();
        for found in &rows {
            upto = Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? };
            let stretches: Option<Json<Vec<Stretch>>> = found.try_get("moved")?;
            for (chat, before, version, kind) in stretches.map(|it| it.0).unwrap_or_default() {
                if kind & FILES != 0 {
                    moved.insert((chat, before, version));
                }
                if kind & PHOTO != 0 {
                    shown.insert(chat);
                }
            }
        }
        let mut messages = if moved.is_empty() { Vec::new() } else { self.named(&moved).await? };
        if !shown.is_empty() {
            messages.extend(self.photos(shown.into_iter().collect()).await?);
        }
        Ok(FileMoves { upto, messages, full })
    }

    /// The messages that were last changed in these stretches of versions, as far as they name files or are deleted. One that was changed
    /// again since stands in a later stretch.
    async fn named(&self, stretches: &BTreeSet<(i64, i64, i64)>) -> Result<Vec<Named>> {
        let column = |value: fn(&(i64, i64, i64)) -> i64| stretches.iter().map(value).collect::<Vec<_>>();
        let rows = sqlx::query(
            "SELECT i.chat, m.seq, m.file, m.poster, m.shown FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, before, version)
             CROSS JOIN LATERAL (
                 SELECT m.seq, m.body -> 'file' ->> 'id' AS file, m.body ->> 'poster' AS poster,
                     m.body #>> '{beside,preview,image,file,id}' AS shown FROM messages m
                 WHERE m.chat_id = i.chat AND m.version > i.before AND m.version <= i.version AND m.version > 0
                   AND (m.body ? 'file' OR m.body ->> 'kind' = 'deleted' OR m.body -> 'beside' ? 'preview' OR m.edited_at IS NOT NULL)
                 OFFSET 0
             ) m",
        )
        .bind(column(|it| it.0))
        .bind(column(|it| it.1))
        .bind(column(|it| it.2))
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &PgRow| -> sqlx::Result<Named> {
            let files =
                [file(found, "file")?, file(found, "poster")?, file(found, "shown")?].into_iter().flatten().collect();
            Ok(Named { chat: ChatId(found.try_get("chat")?), seq: Seq(found.try_get("seq")?), files })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// The photos that some chats have now.
    async fn photos(&self, chats: Vec<i64>) -> Result<Vec<Named>> {
        let rows = sqlx::query("SELECT id, about ->> 'photo' AS photo FROM chats WHERE id = ANY ($1)")
            .bind(chats)
            .fetch_all(&self.pool)
            .await?;
        let read = |found: &PgRow| -> sqlx::Result<Named> {
            let files = file(found, "photo")?.into_iter().collect();
            Ok(Named { chat: ChatId(found.try_get("id")?), seq: Seq(0), files })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Whose membership was changed by what follows a cursor, at most `most` commits, as far as no older transaction is still
    /// running: nothing comes in later before what is read here.
    pub async fn moved_since(&self, after: Cursor, most: i64) -> Result<Moves> {
        let rows = sqlx::query(
            "SELECT f.xid::text::bigint AS xid, f.id, f.people FROM feed f
             WHERE (f.xid, f.id) > ($1::text::xid8, $2) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY f.xid, f.id LIMIT $3",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let mut moves =
            Moves { upto: after, who: Vec::new(), full: i64::try_from(rows.len()).is_ok_and(|rows| rows == most) };
        for found in &rows {
            if moves.who.len() >= PEOPLE {
                moves.full = true;
                break;
            }
            moves.upto = Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? };
            let people: Option<Json<Vec<(i64, i64)>>> = found.try_get("people")?;
            let people = people.map(|it| it.0).unwrap_or_default().into_iter();
            moves.who.extend(people.map(|(chat, user)| Reader { chat: ChatId(chat), user: UserId(user) }));
        }
        moves.who.sort_unstable();
        moves.who.dedup();
        Ok(moves)
    }

    /// For how long what follows a cursor next has waited; absent where nothing follows it.
    pub(crate) async fn feed_waits(&self, after: Cursor) -> Result<Option<Duration>> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM now() - f.at)::float8 FROM feed f WHERE (f.xid, f.id) > ($1::text::xid8, $2)
             ORDER BY f.xid, f.id LIMIT 1",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
    }

    /// Has everything in the feed followed once more, as if it had been told just now.
    pub(crate) async fn tell_feed_anew(&self) -> Result<()> {
        sqlx::query("UPDATE feed SET xid = pg_current_xact_id()").execute(&self.pool).await?;
        Ok(())
    }

    /// Makes room for the days that come, and drops what is too old to be followed.
    pub async fn tend_feed(&self) -> Result<()> {
        sqlx::query("SELECT tend_feed()").execute(&self.pool).await?;
        Ok(())
    }
}

fn file(found: &PgRow, column: &str) -> sqlx::Result<Option<FileId>> {
    let id: Option<&str> = found.try_get(column)?;
    Ok(id.and_then(|id| Uuid::parse_str(id).ok()).map(FileId))
}

//! What people set: mutes, pins, drafts, folders, contacts, blocks, settings.

use std::time::Duration;

use chapar_protocol::{
    ChatId, ErrorCode, Item, OwnItem, Seq, UserDelta, UserId, Version, WireError,
    item::{BOUNDS, Kept, WHO_MAY_WRITE},
    limit,
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, postgres::PgRow, types::Json};

use super::{People, Result, StoreError, jobs::interval};
use crate::Tx;

/// Items that were taken back and are remembered for devices that are away. Beyond, those get everything anew.
const TAKEN_BACK: i64 = 2000;

/// The job that brings into direct chats whether one of the two takes messages there.
pub const SHUT: &str = "shut";

/// What that job is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutting {
    /// Who takes messages, or does not.
    pub by: UserId,
    /// From whom; absent for all, since a setting of theirs has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// Whoever has set it does it at once; when they have not after this time, somebody else does.
const SHUT_LATER: Duration = Duration::from_secs(5);

/// What became of items that were set.
#[derive(Debug)]
pub struct ItemsWritten {
    /// The person's version afterwards.
    pub version: Version,
    /// What has changed, if anything has.
    pub delta: Option<UserDelta>,
    /// Who was blocked or let in again, and the job that brings it into the chat of the two.
    pub blocks: Vec<(UserId, i64)>,
}

impl Shutting {
    /// What follows for direct chats when somebody sets this.
    fn of(by: UserId, item: &OwnItem) -> Option<Self> {
        match item {
            OwnItem::Block { user_id, .. } => Some(Self { by, user: Some(*user_id) }),
            OwnItem::Setting { name, .. } if name == WHO_MAY_WRITE => Some(Self { by, user: None }),
            _ => None,
        }
    }
}

impl People {
    /// Sets some of a person's own things, none twice, all of them or none. Returns the person's version afterwards, what has changed,
    /// and for each block, also one that stood already, the job that brings it into the chat of the two.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] when there would be too many. With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn set_items(&self, user: UserId, items: &[OwnItem]) -> Result<ItemsWritten> {
        let named = |item: &OwnItem| item.kind().unwrap_or_default();
        let most = |item: &OwnItem| {
            let bound = BOUNDS.iter().find(|bound| bound.kind == named(item)).map_or(0, |bound| bound.most);
            i64::try_from(bound).unwrap_or(i64::MAX)
        };
        let shut: Vec<Json<Shutting>> = items.iter().filter_map(|item| Shutting::of(user, item)).map(Json).collect();
        let rows = sqlx::query(
            "WITH jobs AS (
                 INSERT INTO jobs (kind, about, run_at)
                 SELECT $8, i, now() + CASE WHEN i ? 'user' THEN $10 ELSE interval '0' END FROM unnest($9::jsonb[]) AS i
                 RETURNING id, about
             )
             SELECT kind, key, value, version, NULL::bigint AS job, NULL::jsonb AS about
             FROM set_items($1, $2, $3, $4, $5, $6, $7)
             UNION ALL SELECT NULL, NULL, NULL, NULL, id, about FROM jobs",
        )
        .bind(user.0)
        .bind(items.iter().map(named).collect::<Vec<_>>())
        .bind(items.iter().map(OwnItem::key).collect::<Vec<_>>())
        .bind(items.iter().map(OwnItem::value_json).collect::<Vec<_>>())
        .bind(items.iter().map(most).collect::<Vec<_>>())
        .bind(i64::try_from(limit::ITEM_BYTES).unwrap_or(i64::MAX))
        .bind(TAKEN_BACK)
        .bind(SHUT)
        .bind(shut)
        .bind(interval(SHUT_LATER))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| not_set(user, error))?;
        let (mut blocks, mut items) = (Vec::new(), Vec::new());
        for row in &rows {
            match row.try_get::<Option<Json<Shutting>>, _>("about")? {
                Some(Json(about)) => {
                    let job: i64 = row.try_get("job")?;
                    blocks.extend(about.user.map(|user| (user, job)));
                }
                None => items.push(item(row)?),
            }
        }
        self.written(user, items, blocks).await
    }

    /// Hides messages of a chat from one person, beside those that are hidden already.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] when there would be too many. With `InDoubt` the outcome is unknown: doing it again does no harm.
    pub async fn hide_messages(&self, user: UserId, chat: ChatId, seqs: &[Seq]) -> Result<ItemsWritten> {
        let hidden = OwnItem::Hidden { chat_id: chat, value: None };
        let bound = BOUNDS.iter().find(|bound| Some(bound.kind) == hidden.kind());
        let number = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
        let rows = sqlx::query("SELECT kind, key, value, version FROM hide_messages($1, $2, $3, $4, $5, $6, $7)")
            .bind(user.0)
            .bind(chat.0)
            .bind(seqs.iter().map(|seq| seq.0).collect::<Vec<_>>())
            .bind(number(bound.map_or(0, |it| it.most)))
            .bind(number(bound.map_or(0, |it| it.bytes)))
            .bind(number(limit::ITEM_BYTES))
            .bind(TAKEN_BACK)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| not_set(user, error))?;
        let items = rows.iter().map(item).collect::<sqlx::Result<_>>()?;
        self.written(user, items, Vec::new()).await
    }

    async fn written(&self, user: UserId, mut items: Vec<Item>, blocks: Vec<(UserId, i64)>) -> Result<ItemsWritten> {
        items.sort_by_key(Item::version);
        let (version, delta) = match items.first() {
            Some(first) => {
                let delta = UserDelta::of(Version(first.version().0 - 1), items);
                (delta.version, Some(delta))
            }
            None => (self.user_version(user).await?, None),
        };
        Ok(ItemsWritten { version, delta, blocks })
    }

    async fn user_version(&self, user: UserId) -> Result<Version> {
        let version = sqlx::query_scalar("SELECT version FROM users WHERE id = $1");
        Ok(Version(version.bind(user.0).fetch_one(&self.pool).await?))
    }
}

fn not_set(user: UserId, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some("54000") {
        let message = "there are too many items of this kind, or too large ones: take some back first";
        return WireError::new(ErrorCode::TooLarge, message).into();
    }
    StoreError::of_commit(error, vec![user])
}

/// What a person has set since a version, at most the earliest `most`; from version 0 without what was taken back.
pub(super) async fn since(tx: &mut Tx, user: UserId, from: Version, most: i64) -> Result<Vec<Item>> {
    let rows = sqlx::query(
        "SELECT kind, key, value, version FROM items
         WHERE user_id = $1 AND version > $2 AND version > 0 AND (value IS NOT NULL OR $2 > 0) ORDER BY version LIMIT $3",
    )
    .bind(user.0)
    .bind(from.0)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.iter().map(item).collect::<sqlx::Result<_>>()?)
}

pub(super) fn item(row: &PgRow) -> sqlx::Result<Item> {
    let (kind, key): (&str, &str) = (row.try_get("kind")?, row.try_get("key")?);
    let value: Option<&str> = row.try_get("value")?;
    // Set by a later version of this server, perhaps: its version is told all the same.
    let unknown = || OwnItem::Unknown(serde_json::Map::from_iter([("kind".to_owned(), kind.into())]));
    let item = OwnItem::of_parts(kind, key, value).unwrap_or_else(unknown);
    Ok(Item::Own(Kept { version: Version(row.try_get("version")?), item }))
}

//! What people set: mutes, pins, drafts, folders, contacts, blocks, settings.

use std::time::Duration;

use chapar_protocol::{
    ErrorCode, Item, OwnItem, UserDelta, UserId, Version, WireError,
    item::{BOUNDS, Kept},
    limit,
};
use serde_json::json;
use sqlx::{Row, postgres::PgRow};

use super::{People, Result, StoreError};
use crate::Tx;

/// Items that were taken back and are remembered for devices that are away. Beyond, those get everything anew.
const TAKEN_BACK: i64 = 2000;

/// The job that brings a block, or its end, into the chat of the two.
pub const SHUT: &str = "shut";
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
        let mut tx = self.begin().await?;
        let rows = sqlx::query("SELECT kind, key, value, version FROM set_items($1, $2, $3, $4, $5, $6, $7)")
            .bind(user.0)
            .bind(items.iter().map(named).collect::<Vec<_>>())
            .bind(items.iter().map(OwnItem::key).collect::<Vec<_>>())
            .bind(items.iter().map(OwnItem::value_json).collect::<Vec<_>>())
            .bind(items.iter().map(most).collect::<Vec<_>>())
            .bind(i64::try_from(limit::ITEM_BYTES).unwrap_or(i64::MAX))
            .bind(TAKEN_BACK)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                if code.as_deref() == Some("54000") {
                    let message = "there are too many items of this kind, or too large ones: take some back first";
                    return WireError::new(ErrorCode::TooLarge, message).into();
                }
                StoreError::from(error)
            })?;
        let mut blocks = Vec::new();
        for item in items {
            if let OwnItem::Block { user_id, .. } = item {
                let about = json!({ "by": user, "user": user_id });
                blocks.push((*user_id, Self::put_job(&mut tx, SHUT, &about, SHUT_LATER).await?));
            }
        }
        tx.commit().await.map_err(|error| StoreError::of_commit(error, vec![user]))?;
        let mut items = rows.iter().map(item).collect::<sqlx::Result<Vec<_>>>()?;
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

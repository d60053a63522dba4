//! Which messages name which files: the people's side follows the chats' feed, so that no file is taken away that somebody can see.

use std::time::Duration;

use crate::store::{Result, Store};

/// How often the feed is looked at. Whoever sends a file has it held for a day, so nothing hurries.
const LOOK: Duration = Duration::from_secs(1);
/// Commits read at a time.
const PAGE: i64 = 200;
/// Under this name the feed knows how far this has come.
pub const FOLLOWER: &str = "file_uses";

/// Follows the feed, one node at a time. Does not end by itself.
pub async fn follow(store: Store) {
    loop {
        loop {
            match follow_page(&store).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "the uses of files cannot follow the feed now");
                    break;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns whether there may be more.
async fn follow_page(store: &Store) -> Result<bool> {
    let history = store.chats.epoch().await?;
    // Another node is at it.
    let Some(turn) = store.people.follow(FOLLOWER, &history).await? else { return Ok(false) };
    let page = store.chats.files_moved_since(turn.at(), PAGE).await?;
    if !page.messages.is_empty() {
        store.people.set_file_uses(&page.messages).await?;
    }
    turn.end(page.upto).await?;
    Ok(page.full)
}

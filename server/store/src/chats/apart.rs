//! What few batches have: read and written apart, so that other batches cost no more for it.

use std::collections::{BTreeSet, HashMap};

use chapar_domain::{
    change::{Asked, Change},
    chat::Chat,
    judge::Written,
};
use chapar_protocol::{ChatId, UserId};
use serde_json::{Map, Value, json};
use sqlx::Row;
use time::OffsetDateTime;

use super::{Result, entry};
use crate::pool::Lease;

/// Adds to groups where posts have a time between them when those have posted last who want to post now.
pub(super) async fn load_posts(lease: &mut Lease, asked: &[&Asked], chats: &mut HashMap<ChatId, Chat>) -> Result<()> {
    let slow = |it: &&&Asked| chats.get(&it.chat).is_some_and(|chat| chat.info.slow_seconds > 0);
    let posts = |it: &&&Asked| matches!(it.change, Change::Send(_) | Change::SendAlbum(_) | Change::Forward(_));
    let who: BTreeSet<(i64, i64)> =
        asked.iter().filter(slow).filter(posts).map(|it| (it.chat.0, it.by.user().0)).collect();
    if who.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT p.chat_id, p.user_id, p.at FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, usr)
         JOIN last_posts p ON p.chat_id = i.chat AND p.user_id = i.usr",
    )
    .bind(who.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind(who.iter().map(|it| it.1).collect::<Vec<_>>())
    .fetch_all(lease)
    .await?;
    for found in &rows {
        if let Some(chat) = chats.get_mut(&ChatId(found.try_get(0)?)) {
            chat.posted.insert(UserId(found.try_get(1)?), found.try_get::<OffsetDateTime, _>(2)?.into());
        }
    }
    Ok(())
}

/// What `write_more` is to write, but polls and threads.
pub(super) fn rows(written: &[Written]) -> Map<String, Value> {
    let mut lists = Map::new();
    if let Some(entry) = entry::rows(written) {
        lists.insert("entry".to_owned(), Value::Object(entry));
    }
    let mut put = |list: &str, row: Value| match lists.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(rows) => rows.push(row),
        _ => unreachable!("only lists are put in"),
    };
    for it in written {
        let chat = it.chat.info.id;
        for user in &it.rows.posted {
            if let Some(at) = it.chat.posted.get(user) {
                put("posted", json!({ "chat": chat, "usr": user, "at": at }));
            }
        }
        for (user, (by, reason)) in &it.rows.removals {
            put("removals", json!({ "chat": chat, "usr": user, "by": by, "reason": reason }));
        }
        for (&(seq, user), called) in &it.rows.called {
            put("called", json!({ "chat": chat, "seq": seq, "usr": user, "called": called }));
        }
        let deletes_at = |seq| it.chat.messages.get(seq).and_then(|stored| stored.message.deletes_at);
        for (seq, at) in it.rows.fresh.iter().filter_map(|seq| Some((seq, deletes_at(seq)?))) {
            put("expiring", json!({ "chat": chat, "seq": seq, "at": at }));
        }
        for seq in &it.rows.expired {
            put("expiring", json!({ "chat": chat, "seq": seq }));
        }
        for user in &it.rows.newcomers {
            if let Some(standing) = it.chat.members.get(user) {
                put("newcomers", json!({ "chat": chat, "usr": user, "after": standing.sees_after }));
            }
        }
        for (by, action) in &it.rows.log {
            put("log", json!({ "chat": chat, "by": by, "action": action }));
        }
    }
    lists
}

//! What the counters of channels have not told yet, and which channels have something.

use std::collections::{BTreeSet, HashMap};

use chapar_domain::{
    chat::{Chat, Stored, UntoldReaction},
    poll::{Choice, UntoldVote},
};
use chapar_protocol::{ChatId, Seq, UserId};
use sqlx::Row;
use time::OffsetDateTime;

use super::{Chats, Result, row};
use crate::pool::Lease;

/// Reactions of one channel that are told at once. The others follow a second later.
const REACTIONS: usize = 5000;
/// Votes of one channel that are told at once.
const VOTES: usize = 5000;
/// Messages of one channel whose views are told at once, the newest first.
const VIEWS: usize = 50;
/// Channels that a dead node may have left, in one look.
const LEFT: i64 = 100;

/// Adds to some channels what they have not told. Read after the channels, so perhaps newer: what is judged by it is written only where
/// the channel is still at its version, and each row only as it was read.
pub(super) async fn load(
    lease: &mut Lease,
    channels: &BTreeSet<ChatId>,
    chats: &mut HashMap<ChatId, Chat>,
) -> Result<()> {
    let ids: Vec<i64> = channels.iter().map(|chat| chat.0).collect();
    let rows = sqlx::query(
        "SELECT i.chat, k.stale, k.told_at, NULL::bigint AS seq, NULL::bigint AS user_id, NULL::text AS emoji, NULL::text AS counted,
             NULL::bigint AS seen, NULL::smallint AS choice, NULL::smallint AS stands
         FROM unnest($1::bigint[]) AS i (chat) JOIN counts k ON k.chat_id = i.chat
         UNION ALL
         SELECT i.chat, NULL, NULL, r.seq, r.user_id, r.emoji, r.counted, NULL, NULL, NULL
         FROM unnest($1::bigint[]) AS i (chat)
         CROSS JOIN LATERAL (SELECT * FROM reactions r WHERE r.chat_id = i.chat AND r.version = 0 LIMIT $2) r
         UNION ALL
         SELECT i.chat, NULL, NULL, v.seq, NULL, NULL, NULL, v.seen, NULL, NULL
         FROM unnest($1::bigint[]) AS i (chat)
         CROSS JOIN LATERAL (
             SELECT * FROM views v WHERE v.chat_id = i.chat AND (v.seen - v.told) * 64 > v.told ORDER BY v.seq DESC LIMIT $3
         ) v
         UNION ALL
         SELECT i.chat, NULL, NULL, v.seq, v.user_id, NULL, NULL, NULL, v.choice, v.counted
         FROM unnest($1::bigint[]) AS i (chat)
         CROSS JOIN LATERAL (SELECT * FROM votes v WHERE v.chat_id = i.chat AND v.choice <> v.counted LIMIT $4) v",
    )
    .bind(&ids)
    .bind(i64::try_from(REACTIONS).unwrap_or(i64::MAX))
    .bind(i64::try_from(VIEWS).unwrap_or(i64::MAX))
    .bind(i64::try_from(VOTES).unwrap_or(i64::MAX))
    .fetch_all(&mut *lease)
    .await?;
    let mut messages: BTreeSet<(i64, i64)> = BTreeSet::new();
    for found in &rows {
        let id: i64 = found.try_get("chat")?;
        let Some(Chat { untold, .. }) = chats.get_mut(&ChatId(id)) else { continue };
        let Some(seq) = found.try_get::<Option<i64>, _>("seq")? else {
            untold.stale = found.try_get("stale")?;
            untold.told_at = found.try_get::<Option<OffsetDateTime>, _>("told_at")?.map(Into::into);
            continue;
        };
        messages.insert((id, seq));
        if let Some(choice) = found.try_get::<Option<i16>, _>("choice")? {
            let vote = UntoldVote { choice: Choice(choice), stands: Choice(found.try_get("stands")?) };
            untold.votes.insert((Seq(seq), UserId(found.try_get("user_id")?)), vote);
        } else if let Some(user) = found.try_get::<Option<i64>, _>("user_id")? {
            let it = UntoldReaction { emoji: found.try_get("emoji")?, stands: found.try_get("counted")? };
            untold.reactions.insert((Seq(seq), UserId(user)), it);
        } else {
            let seen: i64 = found.try_get("seen")?;
            untold.views.insert(Seq(seq), u32::try_from(seen).unwrap_or(u32::MAX));
        }
        untold.more = untold.reactions.len() >= REACTIONS || untold.views.len() >= VIEWS || untold.votes.len() >= VOTES;
    }
    if messages.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT m.chat_id, m.seq, m.version, m.sender_id, m.client_id, m.client_hash, m.sent_at, m.edited_at, m.reply_to, m.body,
             m.reactions, m.views
         FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, seq) JOIN messages m ON m.chat_id = i.chat AND m.seq = i.seq",
    )
    .bind(messages.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind(messages.iter().map(|it| it.1).collect::<Vec<_>>())
    .fetch_all(lease)
    .await?;
    for found in &rows {
        if let Some(chat) = chats.get_mut(&ChatId(found.try_get("chat_id")?)) {
            let message = row::message(found)?;
            let stored = Stored { message, json: None, hash: found.try_get("client_hash")? };
            // One that the batch is about was read with the channel.
            chat.messages.entry(stored.message.seq).or_insert(stored);
        }
    }
    Ok(())
}

impl Chats {
    /// Channels whose counters have something to tell, and did not for some seconds: whoever was about to may be gone.
    pub async fn stale_channels(&self) -> Result<Vec<ChatId>> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT chat_id FROM counts
             WHERE stale AND (told_at IS NULL OR told_at < now() - interval '3 seconds') ORDER BY told_at LIMIT $1",
        )
        .bind(LEFT)
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(ChatId).collect())
    }
}

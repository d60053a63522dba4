//! Threads: what is written of them beside their messages, pages of one, and what is to be carried from channels into the groups that discuss them.

use std::collections::BTreeSet;

use chapar_domain::judge::Written;
use chapar_protocol::{ChatId, ErrorCode, Message, Seq, UserId, command::Page, thread::Comments};
use serde_json::{Map, Value, json};
use sqlx::Row;

use super::{
    Chats, Result,
    feed::{Cursor, POSTS},
    pages::{self, ROWS, listed},
    polls::Wanted as Votes,
    row,
};

/// Posts that are read of one channel at a time.
const POSTS_AT_ONCE: i64 = 50;
/// Threads whose counts are told in one look.
const UNTOLD: i64 = 200;

/// What `write_threads` is to write.
pub(super) fn rows(written: &[Written]) -> Option<Map<String, Value>> {
    let (mut roots, mut said, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for it in written {
        let (chat, threads) = (it.chat.info.id, &it.rows.threads);
        roots.extend(
            threads
                .roots
                .iter()
                .map(|(root, (channel, post))| json!({ "chat": chat, "root": root, "channel": channel, "post": post })),
        );
        said.extend(threads.said.iter().map(|(seq, root)| json!({ "chat": chat, "root": root, "seq": seq })));
        gone.extend(threads.gone.iter().map(|(seq, root)| json!({ "chat": chat, "root": root, "seq": seq })));
    }
    if roots.is_empty() && said.is_empty() && gone.is_empty() {
        return None;
    }
    Some(
        [("roots", roots), ("said", said), ("gone", gone)]
            .map(|(list, rows)| (list.to_owned(), Value::Array(rows)))
            .into_iter()
            .collect(),
    )
}

/// Posts of a channel that are to come into its group, in their order.
#[derive(Debug)]
pub struct ToCarry {
    /// The group.
    pub group: ChatId,
    /// What the channel is called.
    pub title: Option<String>,
    /// The posts, at most 50.
    pub posts: Vec<Message>,
}

/// Comments that a post does not say as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntoldComments {
    /// The channel.
    pub channel: ChatId,
    /// The post.
    pub post: Seq,
    /// What is to be said of it.
    pub comments: Comments,
}

impl Chats {
    /// Channels that have posted what is to be discussed, by what follows a cursor, at most `most` commits; where these end; and whether there
    /// may be more. See [`Self::moved_since`].
    pub async fn posted_since(&self, after: Cursor, most: i64) -> Result<(BTreeSet<ChatId>, Cursor, bool)> {
        let rows = sqlx::query(
            "SELECT f.xid::text::bigint AS xid, f.id, ARRAY(
                 SELECT i.chat FROM unnest(f.chats, f.kinds) AS i (chat, kind) WHERE i.kind & $4 <> 0
             ) AS posted
             FROM feed f
             WHERE (f.xid, f.id) > ($1::text::xid8, $2) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY f.xid, f.id LIMIT $3",
        )
        .bind(after.xid.to_string())
        .bind(after.id)
        .bind(most)
        .bind(POSTS)
        .fetch_all(&self.pool)
        .await?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == most);
        let (mut upto, mut channels) = (after, BTreeSet::new());
        for found in &rows {
            upto = Cursor { xid: found.try_get("xid")?, id: found.try_get("id")? };
            channels.extend(found.try_get::<Vec<i64>, _>("posted")?.into_iter().map(ChatId));
        }
        Ok((channels, upto, full))
    }

    /// What a channel has posted since it was last carried into its group; `None` where it has none.
    pub async fn to_carry(&self, channel: ChatId) -> Result<Option<ToCarry>> {
        let found = sqlx::query(
            "SELECT c.title, (c.about -> 'discussion' ->> 'chat_id')::bigint AS group_id,
                 greatest((c.about -> 'discussion' ->> 'since')::bigint, k.upto) AS upto
             FROM chats c LEFT JOIN carried k ON k.channel_id = c.id AND k.group_id = (c.about -> 'discussion' ->> 'chat_id')::bigint
             WHERE c.id = $1 AND c.about -> 'discussion' IS NOT NULL",
        )
        .bind(channel.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        let rows = sqlx::query(
            "SELECT m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views
             FROM messages m WHERE m.chat_id = $1 AND m.seq > $2 ORDER BY m.seq LIMIT $3",
        )
        .bind(channel.0)
        .bind(found.try_get::<Option<i64>, _>("upto")?.unwrap_or(0))
        .bind(POSTS_AT_ONCE)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(ToCarry {
            group: ChatId(found.try_get("group_id")?),
            title: found.try_get("title")?,
            posts: rows.iter().map(row::message).collect::<sqlx::Result<_>>()?,
        }))
    }

    /// Posts up to this one were carried.
    pub async fn carried(&self, channel: ChatId, group: ChatId, upto: Seq) -> Result<()> {
        sqlx::query(
            "INSERT INTO carried AS k (channel_id, group_id, upto) VALUES ($1, $2, $3)
             ON CONFLICT (channel_id, group_id) DO UPDATE SET upto = greatest(k.upto, excluded.upto)",
        )
        .bind(channel.0)
        .bind(group.0)
        .bind(upto.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Threads of which their posts do not say how many comments there are, and said nothing for a second.
    pub async fn untold_comments(&self) -> Result<Vec<UntoldComments>> {
        let rows = sqlx::query(
            "SELECT chat_id, root, channel_id, post, count FROM threads
             WHERE count <> told AND told_at < now() - interval '1 second' ORDER BY told_at LIMIT $1",
        )
        .bind(UNTOLD)
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &sqlx::postgres::PgRow| -> sqlx::Result<UntoldComments> {
            let count: i32 = found.try_get("count")?;
            let comments = Comments {
                chat_id: ChatId(found.try_get("chat_id")?),
                seq: Seq(found.try_get("root")?),
                count: u32::try_from(count).unwrap_or(0),
            };
            Ok(UntoldComments {
                channel: ChatId(found.try_get("channel_id")?),
                post: Seq(found.try_get("post")?),
                comments,
            })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// A post says this of its comments now.
    pub async fn comments_told(&self, told: &Comments) -> Result<()> {
        sqlx::query("UPDATE threads SET told = $3, told_at = now() WHERE chat_id = $1 AND root = $2")
            .bind(told.chat_id.0)
            .bind(told.seq.0)
            .bind(i32::try_from(told.count).unwrap_or(i32::MAX))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A page of a thread, for somebody who is in the chat.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] when they are not, [`ErrorCode::MessageNotFound`] when there is no such thread.
    pub async fn thread(
        &self,
        user: UserId,
        chat: ChatId,
        root: Seq,
        seq: Seq,
        before: i64,
        after: i64,
    ) -> Result<Page> {
        let mut tx = self.snapshot().await?;
        let it = listed(&mut tx, user, chat).await?;
        let there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM threads t WHERE t.chat_id = $1 AND t.root = $2)")
                .bind(chat.0)
                .bind(root.0)
                .fetch_one(&mut *tx)
                .await?;
        if !there {
            return Err(ErrorCode::MessageNotFound.into());
        }
        let mut seqs: Vec<i64> = sqlx::query_scalar(
            "SELECT k.seq FROM (
                 (SELECT t.seq FROM thread_messages t WHERE t.chat_id = $1 AND t.root = $2 AND t.seq < $3 ORDER BY t.seq DESC LIMIT $4)
                 UNION ALL
                 (SELECT t.seq FROM thread_messages t WHERE t.chat_id = $1 AND t.root = $2 AND t.seq >= $3 ORDER BY t.seq LIMIT $5)
             ) k",
        )
        .bind(chat.0)
        .bind(root.0)
        .bind(seq.0)
        .bind(before)
        .bind(after)
        .fetch_all(&mut *tx)
        .await?;
        seqs.sort_unstable();
        let (version, last_seq) = (it.version, it.last_seq);
        let mut page = Page { messages: Vec::new(), reacted: Vec::new(), voted: Vec::new(), version, last_seq };
        // The nearest to the place come first: what does not fit is asked for again.
        let near = |it: &i64| (it - seq.0).abs();
        seqs.sort_by_key(near);
        seqs.insert(0, root.0);
        // What was said before they came in may be hidden from them.
        seqs.retain(|seq| *seq > it.sees_after.0);
        let rows = sqlx::query(
            "WITH sized AS (
                 SELECT m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views,
                     r.emoji AS mine, r.version AS mine_version,
                     sum(message_bytes(m.body, m.reactions, r.emoji)) OVER (ORDER BY i.at) AS bytes, i.at
                 FROM unnest($2::bigint[]) WITH ORDINALITY AS i (seq, at)
                 JOIN messages m ON m.chat_id = $1 AND m.seq = i.seq
                 LEFT JOIN reactions r ON r.chat_id = $1 AND r.seq = m.seq AND r.user_id = $3
             )
             SELECT * FROM sized WHERE bytes <= $4 OR at <= 2 ORDER BY seq",
        )
        .bind(chat.0)
        .bind(&seqs)
        .bind(user.0)
        .bind(pages::number(ROWS))
        .fetch_all(&mut *tx)
        .await?;
        for found in &rows {
            page.messages.push(row::message(found)?);
            page.reacted.extend(row::my_reaction(found, user)?.filter(|it| it.emoji.is_some()));
        }
        let mut votes = Votes::default();
        votes.add(0, chat, user, &page.messages);
        page.voted = votes.read(&mut tx).await?.into_iter().map(|it| it.1).collect();
        Ok(page)
    }

    /// The chat that a group or channel says that it belongs together with, if that one says so too and somebody is in the first.
    pub async fn discussion_of(&self, user: UserId, chat: ChatId) -> Result<Option<ChatId>> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT g.id FROM members m JOIN chats c ON c.id = m.chat_id
             JOIN chats g ON g.id = (c.about -> 'discussion' ->> 'chat_id')::bigint
             WHERE m.chat_id = $1 AND m.user_id = $2 AND m.role IS NOT NULL
               AND (g.about -> 'discussion' ->> 'chat_id')::bigint = c.id",
        )
        .bind(chat.0)
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(ChatId))
    }

    /// What a chat says that it belongs together with, whoever asks.
    pub async fn says_of_discussion(&self, chat: ChatId) -> Result<Option<ChatId>> {
        let found: Option<Option<i64>> =
            sqlx::query_scalar("SELECT (about -> 'discussion' ->> 'chat_id')::bigint FROM chats WHERE id = $1")
                .bind(chat.0)
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.flatten().map(ChatId))
    }
}

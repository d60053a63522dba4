//! Who has reacted to a message, and who has read it.

use chapar_protocol::{ChatId, Seq, UserId, command::Reactor};

use super::{Chats, Result};

/// Reactions that are looked at for one page of those who have chosen one of them.
const LOOKED_AT: i64 = 1000;

impl Chats {
    /// Who has reacted to a message, by user id, and after whom to go on if there may be more. So many reactions are looked at, that one which is
    /// rare costs no more than others.
    pub async fn reactors(
        &self,
        chat: ChatId,
        seq: Seq,
        only: Option<&str>,
        after: UserId,
        page: usize,
    ) -> Result<(Vec<Reactor>, Option<UserId>)> {
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as(
            "SELECT user_id, emoji FROM reactions WHERE chat_id = $1 AND seq = $2 AND user_id > $3 ORDER BY user_id LIMIT $4",
        )
        .bind(chat.0)
        .bind(seq.0)
        .bind(after.0)
        .bind(LOOKED_AT)
        .fetch_all(&self.pool)
        .await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count >= LOOKED_AT);
        let last = rows.last().filter(|_| full).map(|it| UserId(it.0));
        let mut reactors: Vec<Reactor> = Vec::new();
        for (user, emoji) in rows {
            if reactors.len() == page {
                let last = reactors.last().map(|it| it.user_id);
                return Ok((reactors, last));
            }
            if let Some(emoji) = emoji.filter(|it| only.is_none_or(|only| only == it)) {
                reactors.push(Reactor { user_id: UserId(user), emoji });
            }
        }
        Ok((reactors, last))
    }

    /// Who has read up to a message, by user id, without whoever wrote it; `None` where more are in the chat than so many.
    pub async fn readers_of(&self, chat: ChatId, seq: Seq, most: usize) -> Result<Option<Vec<UserId>>> {
        let readers: Option<Vec<i64>> = sqlx::query_scalar(
            "SELECT ARRAY(
                 SELECT m.user_id FROM members m
                 WHERE m.chat_id = k.chat_id AND m.role IS NOT NULL AND m.version > 0 AND m.read_seq >= $2
                   AND m.user_id <> (SELECT g.sender_id FROM messages g WHERE g.chat_id = $1 AND g.seq = $2)
                 ORDER BY m.user_id LIMIT $3)
             FROM counts k WHERE k.chat_id = $1 AND k.members <= $3",
        )
        .bind(chat.0)
        .bind(seq.0)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_optional(&self.pool)
        .await?;
        Ok(readers.map(|ids| ids.into_iter().map(UserId).collect()))
    }
}

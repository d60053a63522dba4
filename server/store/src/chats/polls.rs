//! Polls: what is read of them beside their messages, and those that are due.

use std::collections::{HashMap, HashSet};

use chapar_domain::{
    chat::Chat,
    poll::{Choice, Vote},
};
use chapar_protocol::{
    Body, ChatId, ChatRow, Message, Seq, UserId,
    poll::{OwnVote, QuizKey},
};
use sqlx::{Row, postgres::PgRow};

use super::{Chats, Result, Tx};
use crate::pool::Lease;

/// Votes that are looked at for one page of those who have chosen an option.
const LOOKED_AT: i64 = 1000;
/// Polls that are closed in one go.
const DUE: i64 = 200;
/// Votes of deleted polls that are taken away in one go.
const PORTION: i64 = 5000;

/// Adds to some chats the votes that changes are about, and what is right in the quizzes. Read after the chats, so perhaps newer: a vote is
/// written only where it is still at its turn.
pub(super) async fn load(
    lease: &mut Lease,
    wanted: &HashSet<(ChatId, Seq, UserId)>,
    chats: &mut HashMap<ChatId, Chat>,
) -> Result<()> {
    let rows = sqlx::query(
        "SELECT i.chat, i.seq, i.usr, v.choice, v.turn, p.right_place, p.explanation
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, seq, usr)
         CROSS JOIN LATERAL (SELECT * FROM polls p WHERE p.chat_id = i.chat AND p.seq = i.seq LIMIT 1) p
         LEFT JOIN LATERAL (
             SELECT * FROM votes v WHERE v.chat_id = i.chat AND v.seq = i.seq AND v.user_id = i.usr LIMIT 1
         ) v ON true",
    )
    .bind(wanted.iter().map(|it| it.0.0).collect::<Vec<_>>())
    .bind(wanted.iter().map(|it| it.1.0).collect::<Vec<_>>())
    .bind(wanted.iter().map(|it| it.2.0).collect::<Vec<_>>())
    .fetch_all(lease)
    .await?;
    for found in &rows {
        let Some(chat) = chats.get_mut(&ChatId(found.try_get("chat")?)) else { continue };
        let seq = Seq(found.try_get("seq")?);
        chat.keys.insert(seq, key(found)?);
        if let Some(vote) = vote(found)? {
            chat.votes.insert((seq, UserId(found.try_get("usr")?)), vote);
        }
    }
    Ok(())
}

fn key(found: &PgRow) -> sqlx::Result<QuizKey> {
    let right: Option<i16> = found.try_get("right_place")?;
    Ok(QuizKey { right: right.and_then(|it| u8::try_from(it).ok()), explanation: found.try_get("explanation")? })
}

fn vote(found: &PgRow) -> sqlx::Result<Option<Vote>> {
    let Some(choice) = found.try_get::<Option<i16>, _>("choice")? else { return Ok(None) };
    Ok(Some(Vote { choice: Choice(choice), turn: found.try_get("turn")? }))
}

/// Votes that are looked for: whose, where, and for which place in an answer.
#[derive(Default)]
pub(super) struct Wanted {
    places: Vec<i32>,
    chats: Vec<i64>,
    seqs: Vec<i64>,
    users: Vec<i64>,
}

impl Wanted {
    /// Of somebody in those of some messages that are polls.
    pub(super) fn add<'a>(
        &mut self,
        place: usize,
        chat: ChatId,
        user: UserId,
        messages: impl IntoIterator<Item = &'a Message>,
    ) {
        for message in messages {
            if let Body::Poll(_) = message.body {
                self.places.push(i32::try_from(place).unwrap_or(i32::MAX));
                self.chats.push(chat.0);
                self.seqs.push(message.seq.0);
                self.users.push(user.0);
            }
        }
    }

    /// Those that there are, also taken back, with their places. Where no message is a poll nothing is asked.
    pub(super) async fn read(self, tx: &mut Tx) -> Result<Vec<(usize, OwnVote)>> {
        if self.places.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT i.place, i.seq, v.choice, v.turn, p.right_place, p.explanation
             FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS i (place, chat, seq, usr)
             CROSS JOIN LATERAL (
                 SELECT * FROM votes v WHERE v.chat_id = i.chat AND v.seq = i.seq AND v.user_id = i.usr LIMIT 1
             ) v
             CROSS JOIN LATERAL (SELECT * FROM polls p WHERE p.chat_id = i.chat AND p.seq = i.seq LIMIT 1) p",
        )
        .bind(self.places)
        .bind(self.chats)
        .bind(self.seqs)
        .bind(self.users)
        .fetch_all(&mut **tx)
        .await?;
        let mut votes = Vec::with_capacity(rows.len());
        for found in &rows {
            let place: i32 = found.try_get("place")?;
            let Some(vote) = vote(found)? else { continue };
            votes.push((
                usize::try_from(place).unwrap_or(usize::MAX),
                vote.own(Seq(found.try_get("seq")?), Some(&key(found)?)),
            ));
        }
        Ok(votes)
    }

    /// Adds them to lists of rows, by their places.
    pub(super) async fn read_into(self, tx: &mut Tx, rows: &mut [&mut Vec<ChatRow>]) -> Result<()> {
        for (place, vote) in self.read(tx).await? {
            if let Some(rows) = rows.get_mut(place) {
                rows.push(ChatRow::Vote(vote));
            }
        }
        Ok(())
    }
}

impl Chats {
    /// Who has chosen an option, by user id, and after whom to go on if there may be more. So many votes are looked at, that an option which
    /// few have chosen costs no more than others.
    pub async fn voters(
        &self,
        chat: ChatId,
        seq: Seq,
        option: u8,
        after: UserId,
        page: usize,
    ) -> Result<(Vec<UserId>, Option<UserId>)> {
        let rows: Vec<(i64, i16)> = sqlx::query_as(
            "SELECT user_id, choice FROM votes WHERE chat_id = $1 AND seq = $2 AND user_id > $3 ORDER BY user_id LIMIT $4",
        )
        .bind(chat.0)
        .bind(seq.0)
        .bind(after.0)
        .bind(LOOKED_AT)
        .fetch_all(&self.pool)
        .await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count >= LOOKED_AT);
        let mut voters = Vec::new();
        for &(user, choice) in &rows {
            if voters.len() == page {
                return Ok((voters.clone(), voters.last().copied()));
            }
            if Choice(choice).has(usize::from(option)) {
                voters.push(UserId(user));
            }
        }
        let last = rows.last().filter(|_| full).map(|it| UserId(it.0));
        Ok((voters, last))
    }

    /// Polls whose time is over, those first that have waited the longest.
    pub async fn due_polls(&self) -> Result<Vec<(ChatId, Seq)>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT chat_id, seq FROM polls WHERE open AND closes_at IS NOT NULL AND closes_at <= now() ORDER BY closes_at LIMIT $1",
        )
        .bind(DUE)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(chat, seq)| (ChatId(chat), Seq(seq))).collect())
    }

    /// Takes away what is left of a deleted poll, a portion of its votes at a time. False when there is nothing to do.
    pub async fn forget_deleted_polls(&self) -> Result<bool> {
        let found: Option<(i64, i64)> =
            sqlx::query_as("SELECT chat_id, seq FROM polls WHERE gone ORDER BY chat_id, seq LIMIT 1")
                .fetch_optional(&self.pool)
                .await?;
        let Some((chat, seq)) = found else { return Ok(false) };
        let gone = sqlx::query(
            "DELETE FROM votes WHERE chat_id = $1 AND seq = $2 AND user_id = ANY (ARRAY(
                 SELECT v.user_id FROM votes v WHERE v.chat_id = $1 AND v.seq = $2 ORDER BY v.user_id LIMIT $3))",
        )
        .bind(chat)
        .bind(seq)
        .bind(PORTION)
        .execute(&self.pool)
        .await?;
        if gone.rows_affected() == 0 {
            sqlx::query("DELETE FROM polls WHERE chat_id = $1 AND seq = $2 AND gone")
                .bind(chat)
                .bind(seq)
                .execute(&self.pool)
                .await?;
        }
        Ok(true)
    }
}

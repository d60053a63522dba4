//! Readers who come into channels or go: many in one commit, without the channels' locks.

use std::collections::{HashMap, HashSet};

use chapar_domain::{
    chat::Standing,
    judge::Membership,
    readers::{self, Move, Moved},
    rights::Rights,
};
use chapar_protocol::{ChatId, ChatKind, ErrorCode, Seq, UserId, WireError};
use sqlx::Row;

use super::{Chats, Result, row};

/// A reader who comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader {
    /// Which channel.
    pub chat: ChatId,
    /// Who.
    pub user: UserId,
}

/// What became of a reader's move.
#[derive(Debug)]
pub enum Reading {
    /// It was so already, or is now.
    Done,
    /// Refused.
    Refused(WireError),
    /// More than a reader: that is a change of the channel.
    NotAReader,
    /// Somebody else has moved the same reader just now: nothing was done.
    Missed,
}

impl Chats {
    /// Carries out moves of readers, each (channel, user) named once. Returns what became of each, in their order, and how those
    /// stand now who have moved.
    pub async fn move_readers(&self, moves: &[(Reader, Move)]) -> Result<(Vec<Reading>, Vec<Membership>)> {
        let mut lease = self.pool.lease().await?;
        let rows = sqlx::query(
            "SELECT i.place, c.kind, c.seq, k.members, m.role, m.turn, m.banned, m.went, m.read_seq, m.engaged,
                 first_turn() AS first_turn
             FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (chat, usr, place)
             CROSS JOIN LATERAL (SELECT * FROM chats c WHERE c.id = i.chat LIMIT 1) c
             LEFT JOIN LATERAL (SELECT * FROM counts k WHERE k.chat_id = i.chat LIMIT 1) k ON true
             LEFT JOIN LATERAL (SELECT * FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr LIMIT 1) m ON true",
        )
        .bind(moves.iter().map(|it| it.0.chat.0).collect::<Vec<_>>())
        .bind(moves.iter().map(|it| it.0.user.0).collect::<Vec<_>>())
        .fetch_all(&mut lease)
        .await?;
        let nobody = || WireError::from(super::StoreError::from(ErrorCode::ChatNotFound));
        let mut readings: Vec<Reading> = moves.iter().map(|_| Reading::Refused(nobody())).collect();
        let mut due: Vec<(usize, Standing, i64)> = Vec::new();
        for found in &rows {
            let place = usize::try_from(found.try_get::<i64, _>("place")? - 1).unwrap_or(usize::MAX);
            let Some((_, wish)) = moves.get(place) else { continue };
            if row::kind(found.try_get("kind")?) != ChatKind::Channel {
                readings[place] = Reading::NotAReader;
                continue;
            }
            let turn: Option<i64> = found.try_get("turn")?;
            let standing = match turn {
                None => None,
                Some(turn) => Some(Standing {
                    role: row::role(found.try_get("role")?),
                    rights: Rights::NONE,
                    turn,
                    banned: found.try_get("banned")?,
                    left: found.try_get("went")?,
                    read_seq: Seq(found.try_get("read_seq")?),
                    engaged: found.try_get("engaged")?,
                    ..Standing::with(chapar_protocol::Role::Member)
                }),
            };
            let count: Option<i64> = found.try_get("members")?;
            readings[place] =
                match readers::judge(standing.as_ref(), Seq(found.try_get("seq")?), count.unwrap_or(0), *wish) {
                    Err(error) => Reading::Refused(error),
                    Ok(Moved::Already) => Reading::Done,
                    Ok(Moved::NotAReader) => Reading::NotAReader,
                    Ok(Moved::To(mut standing)) => {
                        standing.turn = standing.turn.max(found.try_get("first_turn")?);
                        due.push((place, standing, turn.unwrap_or(0)));
                        Reading::Missed
                    }
                };
        }
        if due.is_empty() {
            return Ok((readings, Vec::new()));
        }
        let written: Vec<i64> = sqlx::query_scalar("SELECT move_readers($1, $2, $3, $4, $5, $6)")
            .bind(due.iter().map(|it| moves[it.0].0.chat.0).collect::<Vec<_>>())
            .bind(due.iter().map(|it| moves[it.0].0.user.0).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.2).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.1.turn).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.1.role.map(row::role_number)).collect::<Vec<_>>())
            .bind(due.iter().map(|it| it.1.read_seq.0).collect::<Vec<_>>())
            .fetch_all(&mut lease)
            .await?;
        let written: HashSet<i64> = written.into_iter().collect();
        let mut standings = Vec::with_capacity(written.len());
        for ((place, standing, _), number) in due.into_iter().zip(1..) {
            if written.contains(&number) {
                readings[place] = Reading::Done;
                standings.push(membership(moves[place].0, &standing));
            }
        }
        Ok((readings, standings))
    }

    /// How some people stand in some chats now, for their own lists, and where turns begin in this history of the database. Who never was
    /// there is left out.
    pub async fn memberships(&self, who: &[Reader]) -> Result<(Vec<Membership>, i64)> {
        let rows = sqlx::query(
            "SELECT m.chat_id, m.user_id, c.kind, m.role, m.read_seq, m.engaged, m.turn, first_turn() AS first_turn
             FROM unnest($1::bigint[], $2::bigint[]) AS i (chat, usr)
             CROSS JOIN LATERAL (SELECT * FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr LIMIT 1) m
             CROSS JOIN LATERAL (SELECT c.kind FROM chats c WHERE c.id = i.chat LIMIT 1) c",
        )
        .bind(who.iter().map(|it| it.chat.0).collect::<Vec<_>>())
        .bind(who.iter().map(|it| it.user.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &sqlx::postgres::PgRow| -> sqlx::Result<Membership> {
            Ok(Membership {
                user: UserId(found.try_get("user_id")?),
                chat: ChatId(found.try_get("chat_id")?),
                kind: row::kind(found.try_get("kind")?),
                role: row::role(found.try_get("role")?),
                read_seq: Seq(found.try_get("read_seq")?),
                engaged: found.try_get("engaged")?,
                turn: found.try_get("turn")?,
            })
        };
        let first = match rows.first() {
            Some(found) => found.try_get("first_turn")?,
            None => sqlx::query_scalar("SELECT first_turn()").fetch_one(&self.pool).await?,
        };
        Ok((rows.iter().map(read).collect::<sqlx::Result<_>>()?, first))
    }

    /// Moves read marks forward in channels, where nobody sees them: by them it is counted how many have seen a post. Doing it twice does
    /// no harm. Returns the channels where that is news.
    pub async fn count_views(&self, marks: &HashMap<Reader, Seq>) -> Result<Vec<ChatId>> {
        let mut in_order: Vec<(&Reader, &Seq)> = marks.iter().collect();
        in_order.sort_unstable_by_key(|(reader, _)| **reader);
        let ids: Vec<i64> = sqlx::query_scalar("SELECT count_views($1, $2, $3)")
            .bind(in_order.iter().map(|it| it.0.chat.0).collect::<Vec<_>>())
            .bind(in_order.iter().map(|it| it.0.user.0).collect::<Vec<_>>())
            .bind(in_order.iter().map(|it| it.1.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(ids.into_iter().map(ChatId).collect())
    }

    /// Moves read marks forward, where others see them: in direct chats and groups. Where one of two has blocked the other they stay as
    /// they are: neither sees how far the other reads. Doing it twice does no harm. Returns those that moved.
    pub async fn show_read(&self, marks: &HashMap<Reader, Seq>) -> Result<Vec<(Reader, Seq)>> {
        let mut in_order: Vec<(&Reader, &Seq)> = marks.iter().collect();
        in_order.sort_unstable_by_key(|(reader, _)| **reader);
        // LIMIT, because what is asked by EXISTS may be gathered from the whole table first.
        let rows = sqlx::query(
            "WITH there AS MATERIALIZED (
                 SELECT m.chat_id, m.user_id, i.seq FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS i (chat, usr, seq)
                 CROSS JOIN LATERAL (
                     SELECT * FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.read_seq < i.seq LIMIT 1
                     FOR NO KEY UPDATE
                 ) m
                 WHERE CASE (SELECT c.kind FROM chats c WHERE c.id = i.chat)
                     WHEN 0 THEN (SELECT s.shut FROM members s WHERE s.chat_id = i.chat AND s.shut > 0 ORDER BY s.user_id LIMIT 1) IS NULL
                     ELSE true END
             )
             UPDATE members m SET read_seq = t.seq
             FROM there t WHERE m.chat_id = t.chat_id AND m.user_id = t.user_id AND m.read_seq < t.seq
             RETURNING m.chat_id, m.user_id, m.read_seq",
        )
        .bind(in_order.iter().map(|it| it.0.chat.0).collect::<Vec<_>>())
        .bind(in_order.iter().map(|it| it.0.user.0).collect::<Vec<_>>())
        .bind(in_order.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        let read = |found: &sqlx::postgres::PgRow| -> sqlx::Result<_> {
            let reader = Reader { chat: ChatId(found.try_get("chat_id")?), user: UserId(found.try_get("user_id")?) };
            Ok((reader, Seq(found.try_get("read_seq")?)))
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }
}

fn membership(reader: Reader, it: &Standing) -> Membership {
    Membership {
        user: reader.user,
        chat: reader.chat,
        kind: ChatKind::Channel,
        role: it.role,
        read_seq: it.read_seq,
        engaged: it.engaged,
        turn: it.turn,
    }
}

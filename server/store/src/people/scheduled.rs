//! Messages that are sent later.

use std::time::Duration;

use chapar_protocol::{
    ChatId, ErrorCode, Item, Timestamp, UserDelta, UserId, Version, WireError,
    command::{ScheduledMessage, ScheduledMessages, Send},
    limit,
};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Result, StoreError, items::item, jobs::interval, lists::encoded};

/// When a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At a time.
    At(Timestamp),
    /// When the other one is online.
    Online,
}

/// A message whose time has come.
#[derive(Clone, Debug)]
pub struct Due {
    /// Who sends it.
    pub user: UserId,
    /// What.
    pub message: Send,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who sends it.
    pub user: UserId,
    /// Its client id.
    pub client_id: Uuid,
    /// Why it was refused; absent when it was sent, or taken back.
    pub failed: Option<ErrorCode>,
}

/// Bytes of an answer, with room for what is around them.
const ANSWER: usize = limit::ANSWER_BYTES - 4096;

impl People {
    /// Schedules a message, or says anew what stands under its client id. Returns what has changed of the person's own things.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`]; [`ErrorCode::BadRequest`] where there is nobody to wait for, [`ErrorCode::TooLarge`] when there are too
    /// many, [`ErrorCode::Overloaded`] while it is being sent.
    pub async fn schedule(&self, user: UserId, message: &Send, when: When) -> Result<Vec<(UserId, UserDelta)>> {
        let at = match when {
            When::At(at) => Some(moment(at)),
            When::Online => None,
        };
        let rows = sqlx::query("SELECT * FROM schedule_message($1, $2, $3, $4, $5, $6, $7)")
            .bind(user.0)
            .bind(message.client_id)
            .bind(message.chat_id.0)
            .bind(json(message))
            .bind(at)
            .bind(when == When::Online)
            .bind(i64::try_from(limit::SCHEDULED).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| refused(error, user))?;
        told(&rows)
    }

    /// One that is still to be sent.
    pub async fn scheduled(&self, user: UserId, client: Uuid) -> Result<Option<ScheduledMessage>> {
        let row = sqlx::query("SELECT message, at, failed FROM scheduled WHERE user_id = $1 AND client_id = $2")
            .bind(user.0)
            .bind(client)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(scheduled).transpose()?)
    }

    /// Those of a person in a chat, as many as fit into an answer.
    pub async fn scheduled_in(&self, user: UserId, chat: ChatId) -> Result<ScheduledMessages> {
        let rows = sqlx::query(
            "SELECT message, at, failed FROM scheduled WHERE user_id = $1 AND chat_id = $2 ORDER BY at NULLS LAST, client_id",
        )
        .bind(user.0)
        .bind(chat.0)
        .fetch_all(&self.pool)
        .await?;
        let (mut messages, mut bytes) = (Vec::with_capacity(rows.len()), 0);
        for row in &rows {
            let message = scheduled(row)?;
            bytes += encoded(&message) + 1;
            if bytes > ANSWER && !messages.is_empty() {
                return Ok(ScheduledMessages { messages, more: true });
            }
            messages.push(message);
        }
        Ok(ScheduledMessages { messages, more: false })
    }

    /// Some of a person's own are sent as soon as a node comes to it. Returns what has changed of the person's own things.
    pub async fn hurry_scheduled(&self, user: UserId, clients: &[Uuid]) -> Result<Vec<(UserId, UserDelta)>> {
        let rows = sqlx::query("SELECT * FROM hurry_scheduled($1, $2)")
            .bind(user.0)
            .bind(clients)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| StoreError::of_commit(error, vec![user]))?;
        told(&rows)
    }

    /// Notes what became of some. Returns what has changed of whose own things. With `waiting` it is their writer who takes them back.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when their writer comes too late for one that is being sent.
    pub async fn end_scheduled(&self, ended: &[Ended], waiting: bool) -> Result<Vec<(UserId, UserDelta)>> {
        let rows = sqlx::query("SELECT * FROM end_scheduled($1, $2, $3, $4)")
            .bind(ended.iter().map(|it| it.user.0).collect::<Vec<_>>())
            .bind(ended.iter().map(|it| it.client_id).collect::<Vec<_>>())
            .bind(ended.iter().map(|it| it.failed.map(ErrorCode::name)).collect::<Vec<_>>())
            .bind(waiting)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| match ended {
                [one, ..] if waiting => refused(error, one.user),
                _ => StoreError::of_commit(error, ended.iter().map(|it| it.user).collect()),
            })?;
        told(&rows)
    }

    /// Takes some whose time has come, and as many that a node has left for longer than `lease`. Their writer cannot change them for
    /// as long as they are `held`.
    pub async fn take_scheduled(&self, most: i64, lease: Duration, held: Duration) -> Result<Vec<Due>> {
        let rows = sqlx::query(
            "WITH due AS MATERIALIZED (
                 SELECT user_id, client_id FROM scheduled WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
             ),
             abandoned AS MATERIALIZED (
                 SELECT user_id, client_id FROM scheduled WHERE taken AND again_at <= now() ORDER BY again_at LIMIT $1
                 FOR UPDATE SKIP LOCKED
             )
             UPDATE scheduled s SET due_at = now() + $3, again_at = now() + $2, taken = true
             FROM (TABLE due UNION TABLE abandoned) d WHERE s.user_id = d.user_id AND s.client_id = d.client_id
             RETURNING s.user_id, s.message",
        )
        .bind(most)
        .bind(interval(lease))
        .bind(interval(held))
        .fetch_all(&self.pool)
        .await?;
        let due =
            |row: &PgRow| -> Result<Due> { Ok(Due { user: UserId(row.try_get("user_id")?), message: message(row)? }) };
        rows.iter().map(due).collect()
    }

    /// For whom messages wait until they are online, at most so many people.
    pub async fn waited_for(&self, most: i64) -> Result<Vec<UserId>> {
        let people = sqlx::query_scalar(
            "WITH RECURSIVE people (id) AS (
                 (SELECT peer_id FROM scheduled WHERE peer_id IS NOT NULL ORDER BY peer_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT s.peer_id FROM scheduled s WHERE s.peer_id > p.id ORDER BY s.peer_id LIMIT 1)
                 FROM people p WHERE p.id IS NOT NULL
             )
             SELECT id FROM people WHERE id IS NOT NULL LIMIT $1",
        );
        let people: Vec<i64> = people.bind(most).fetch_all(&self.pool).await?;
        Ok(people.into_iter().map(UserId).collect())
    }

    /// Who waits for some people to be online: those who wait, with those for whom.
    pub async fn waiting_for(&self, people: &[UserId]) -> Result<Vec<(UserId, UserId)>> {
        let rows = sqlx::query("SELECT DISTINCT user_id, peer_id FROM scheduled WHERE peer_id = ANY ($1)")
            .bind(people.iter().map(|it| it.0).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        let pair = |row: &PgRow| Ok((UserId(row.try_get(0)?), UserId(row.try_get(1)?)));
        Ok(rows.iter().map(pair).collect::<sqlx::Result<_>>()?)
    }

    /// They are online: what waits for them is due.
    pub async fn wake_scheduled(&self, pairs: &[(UserId, UserId)]) -> Result<()> {
        sqlx::query(
            "UPDATE scheduled s SET due_at = now(), peer_id = NULL FROM unnest($1::bigint[], $2::bigint[]) AS i (usr, peer)
             WHERE s.peer_id = i.peer AND s.user_id = i.usr",
        )
        .bind(pairs.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(pairs.iter().map(|it| it.1.0).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps files of somebody's own until a message names them that is sent later.
    pub async fn keep_files(&self, user: UserId, files: &[Uuid], until: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE files f SET kept_until = greatest(f.kept_until, $3 + interval '1 day')
             FROM unnest($1) AS i (id) WHERE f.id = i.id AND f.user_id = $2 AND f.kept_until IS NOT NULL",
        )
        .bind(files)
        .bind(user.0)
        .bind(moment(until))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn json(message: &Send) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn message(row: &PgRow) -> sqlx::Result<Send> {
    let json: &str = row.try_get("message")?;
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn scheduled(row: &PgRow) -> sqlx::Result<ScheduledMessage> {
    let at = row.try_get::<Option<OffsetDateTime>, _>("at")?.map(Timestamp::from);
    let failed = row.try_get::<Option<&str>, _>("failed")?;
    let failed = failed.map(|name| ErrorCode::ALL.iter().copied().find(|code| code.name() == name));
    Ok(ScheduledMessage { message: message(row)?, at, failed: failed.map(|code| code.unwrap_or(ErrorCode::Internal)) })
}

/// What devices hear of it. The rows of one person have versions that follow on each other.
fn told(rows: &[PgRow]) -> Result<Vec<(UserId, UserDelta)>> {
    let mut items: Vec<(UserId, Item)> =
        rows.iter().map(|row| Ok((UserId(row.try_get("user_id")?), item(row)?))).collect::<sqlx::Result<_>>()?;
    items.sort_by_key(|(user, item)| (*user, item.version()));
    let deltas = items.chunk_by(|a, b| a.0 == b.0).map(|of| {
        let items: Vec<Item> = of.iter().map(|it| it.1.clone()).collect();
        (of[0].0, UserDelta::of(Version(items[0].version().0 - 1), items))
    });
    Ok(deltas.collect())
}

fn refused(error: sqlx::Error, user: UserId) -> StoreError {
    let state = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
    let (code, message) = match state.as_deref() {
        Some("P0002" | "02000") => (ErrorCode::ChatNotFound, "there is no such chat, or you are not in it"),
        Some("22023") => (ErrorCode::BadRequest, "in this chat there is nobody to wait for"),
        Some("54000") => (ErrorCode::TooLarge, "at most 500 messages can be scheduled"),
        Some("55006") => {
            return WireError::new(ErrorCode::Overloaded, "it is being sent: ask again").after_ms(1000).into();
        }
        _ => return StoreError::of_commit(error, vec![user]),
    };
    WireError::new(code, message).into()
}

#[cfg(test)]
mod tests {
    use chapar_protocol::message::NewBody;

    use super::*;

    #[test]
    fn a_message_is_kept_as_it_was_said() {
        let body = NewBody::text("سلام");
        let said = Send::new(ChatId(7), Uuid::from_u128(1), body);
        assert_eq!(serde_json::from_str::<Send>(&json(&said)).ok(), Some(said));
    }
}

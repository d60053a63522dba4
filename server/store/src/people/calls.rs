//! Calls that have ended, and who may call whom.

use chapar_protocol::{
    ChatId, DeviceId, ErrorCode, Item, UserDelta, UserId, Version,
    call::{CallEntry, CallId, CallMedia, EndReason},
    item::MissedCalls,
};
use chapar_signaling::call::{CallLog, MAX_DEVICES, Record};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Result, StoreError};

/// Whom a call reaches.
#[derive(Debug)]
pub struct Reached {
    /// The chat that it belongs to.
    pub chat_id: ChatId,
    /// The callee's signed-in devices, those seen last first, at most [`MAX_DEVICES`].
    pub devices: Vec<DeviceId>,
}

impl People {
    /// The one rule of who may call whom, and what such a call reaches; for many (caller, callee) at once, in their order: two
    /// people who share a direct chat may, once the callee has opened it or written in it, unless it is a request to the caller,
    /// or the callee has blocked the caller or takes no calls. `None` for others, also when there is no such person.
    pub async fn reach(&self, pairs: &[(UserId, UserId)]) -> Result<Vec<Option<Reached>>> {
        // Each pair by look-ups in indexes, whatever the planner knows of the tables.
        let rows = sqlx::query(
            "SELECT p.place,
                 (SELECT d.chat_id FROM direct_chats d
                  JOIN user_chats e ON e.user_id = p.callee AND e.chat_id = d.chat_id
                  WHERE d.low_user_id = least(p.caller, p.callee) AND d.high_user_id = greatest(p.caller, p.callee)
                    AND e.engaged
                    AND coalesce((SELECT m.request FROM user_chats m
                                  WHERE m.user_id = p.caller AND m.chat_id = d.chat_id), 0) = 0
                    AND (SELECT i.value FROM items i
                         WHERE i.user_id = p.callee AND i.kind = 'block' AND i.key = p.caller::text) IS NULL
                    AND (SELECT i.value FROM items i
                         WHERE i.user_id = p.callee AND i.kind = 'setting' AND i.key = 'who_may_call')
                        IS DISTINCT FROM to_json('nobody'::text)::text),
                 ARRAY(SELECT v.id FROM devices v WHERE v.user_id = p.callee
                       ORDER BY v.last_seen_at DESC, v.id DESC LIMIT $3)
             FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (caller, callee, place)
             WHERE p.caller <> p.callee",
        )
        .bind(pairs.iter().map(|(from, _)| from.0).collect::<Vec<_>>())
        .bind(pairs.iter().map(|(_, to)| to.0).collect::<Vec<_>>())
        .bind(i64::try_from(MAX_DEVICES).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let mut reached: Vec<Option<Reached>> = pairs.iter().map(|_| None).collect();
        for row in rows {
            let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or(usize::MAX);
            let (Some(slot), Some(chat_id)) = (reached.get_mut(place), row.try_get::<Option<i64>, _>(1)?) else {
                continue;
            };
            let devices: Vec<i64> = row.try_get(2)?;
            let devices = devices.into_iter().map(DeviceId).collect();
            *slot = Some(Reached { chat_id: ChatId(chat_id), devices });
        }
        Ok(reached)
    }

    /// Records ended calls: the log, both people's lists, the counters of missed calls. Those that are recorded already
    /// are left as they are. Returns what changed of whose own things.
    ///
    /// # Errors
    /// With `InDoubt` the outcome is unknown: calling again with the same batch is safe.
    pub async fn record_calls(&self, records: &[Record]) -> Result<Vec<(UserId, UserDelta)>> {
        let lines: Vec<serde_json::Value> = records.iter().map(line).collect();
        let rows = sqlx::query(
            "WITH finished AS (DELETE FROM unfinished_calls WHERE call_id = ANY($2))
             SELECT user_id, version, missed FROM record_calls($1::json)",
        )
        .bind(serde_json::Value::Array(lines).to_string())
        .bind(records.iter().map(|record| record.log.call_id.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| StoreError::of_commit(error, records.iter().filter_map(|it| it.missed_by).collect()))?;
        let mut moved = Vec::with_capacity(rows.len());
        for row in rows {
            let version: i64 = row.try_get(1)?;
            moved.push((UserId(row.try_get(0)?), missed_delta(version, row.try_get(2)?)));
        }
        Ok(moved)
    }

    /// The missed calls have been looked at. `None` when there were none.
    pub async fn see_calls(&self, user: UserId) -> Result<Option<UserDelta>> {
        let version: Option<i64> = sqlx::query_scalar(
            "UPDATE users SET missed_calls = 0, version = version + 1, missed_version = version + 1
             WHERE id = $1 AND missed_calls > 0 RETURNING version",
        )
        .bind(user.0)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| StoreError::of_commit(error, vec![user]))?;
        Ok(version.map(|version| missed_delta(version, 0)))
    }

    /// A page of a person's call list, the latest first, and whether there are more.
    ///
    /// # Errors
    /// [`ErrorCode::CallNotFound`] when `before` does not stand in it.
    pub async fn calls(&self, user: UserId, before: Option<CallId>, limit: u32) -> Result<(Vec<CallEntry>, bool)> {
        let from: Option<OffsetDateTime> = match before {
            None => None,
            Some(call) => {
                let at = sqlx::query_scalar("SELECT began_at FROM user_calls WHERE user_id = $1 AND call_id = $2")
                    .bind(user.0)
                    .bind(call.0)
                    .fetch_optional(&self.pool)
                    .await?;
                Some(at.ok_or(super::StoreError::from(ErrorCode::CallNotFound))?)
            }
        };
        let rows = sqlx::query(
            "SELECT call_id, chat_id, caller_id, callee_id, media, reason, winner, began_at, ended_at, seconds
             FROM user_calls WHERE user_id = $1 AND (began_at, call_id) < (coalesce($2::timestamptz, 'infinity'), $3)
             ORDER BY began_at DESC, call_id DESC LIMIT $4",
        )
        .bind(user.0)
        .bind(from)
        .bind(before.map_or(Uuid::nil(), |call| call.0))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let mut entries = rows.iter().map(entry).collect::<sqlx::Result<Vec<_>>>()?;
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        Ok((entries, more))
    }
}

fn missed_delta(version: i64, missed: i32) -> UserDelta {
    let missed = MissedCalls { version: Version(version), count: u32::try_from(missed).unwrap_or(0) };
    UserDelta::of(Version(version - 1), vec![Item::MissedCalls(missed)])
}

fn from_word<T: serde::de::DeserializeOwned>(word: String) -> sqlx::Result<T> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The name of a reason on the wire, and the winner of a glare.
pub fn reason_name(reason: EndReason) -> (&'static str, Option<CallId>) {
    match reason {
        EndReason::HungUp => ("hung_up", None),
        EndReason::Declined => ("declined", None),
        EndReason::Busy => ("busy", None),
        EndReason::Cancelled => ("cancelled", None),
        EndReason::Missed => ("missed", None),
        EndReason::Unreachable => ("unreachable", None),
        EndReason::Glare { winner } => ("glare", Some(winner)),
        EndReason::NotConnected => ("not_connected", None),
        EndReason::Dropped => ("dropped", None),
        EndReason::Vanished => ("vanished", None),
        EndReason::SignedOut => ("signed_out", None),
        EndReason::NodeStopped => ("node_stopped", None),
        EndReason::NodeLost => ("node_lost", None),
    }
}

/// How long two people were connected, in seconds; 0 when they never were.
fn seconds(log: &CallLog) -> i32 {
    let length = log.connected_at.map_or(0, |from| log.ended_at.as_millis() - from.as_millis());
    i32::try_from(length.max(0) / 1000).unwrap_or(i32::MAX)
}

fn line(record: &Record) -> serde_json::Value {
    let log = &record.log;
    let (reason, winner) = reason_name(log.reason);
    serde_json::json!({
        "call_id": log.call_id, "chat_id": log.chat_id, "caller_id": log.caller, "callee_id": log.callee,
        "media": log.media, "relay_only": log.relay_only, "invited_at": log.invited_at,
        "answered_at": log.answered_at, "connected_at": log.connected_at, "ended_at": log.ended_at,
        "reason": reason, "winner": winner, "by_user_id": log.by.map(|by| by.user_id),
        "generations": log.generations, "seconds": seconds(log), "missed_by": record.missed_by,
    })
}

fn entry(row: &PgRow) -> sqlx::Result<CallEntry> {
    let moment = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<OffsetDateTime, _>(column)?.into());
    let mut reason = serde_json::json!({ "reason": row.try_get::<String, _>("reason")? });
    if let Some(winner) = row.try_get::<Option<Uuid>, _>("winner")? {
        reason["winner"] = serde_json::json!(winner);
    }
    Ok(CallEntry {
        call_id: CallId(row.try_get("call_id")?),
        chat_id: ChatId(row.try_get("chat_id")?),
        caller: UserId(row.try_get("caller_id")?),
        callee: UserId(row.try_get("callee_id")?),
        media: from_word::<CallMedia>(row.try_get("media")?)?,
        reason: serde_json::from_value(reason).map_err(|error| sqlx::Error::Decode(error.into()))?,
        began_at: moment("began_at")?,
        ended_at: moment("ended_at")?,
        seconds: u32::try_from(row.try_get::<i32, _>("seconds")?).unwrap_or(0),
    })
}

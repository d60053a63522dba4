//! How calls went, over days: half hours are summed up once they are over; see `migrations/people/0006_call_quality.sql`.

use std::collections::BTreeMap;

use chapar_protocol::call_report::CallsBy;
use chapar_signaling::satisfaction::Satisfaction;
use sqlx::{Row, postgres::PgRow};
use time::{OffsetDateTime, UtcOffset};

use super::{People, Result, StoreError};

/// Half hours summed up in one go, so that no round lasts for long.
const AT_ONCE: i64 = 48;
/// Names the lock of those who sum up: one node at a time.
const LOCK: i64 = 0x6361_6c6c_726f_6c6c;

const SUMS: &str =
    "calls, answered, connected, scored, mos_sum, poor, rated, satisfied, stars, setup_steps, setup_counts";

impl People {
    /// The calls that ended in `[from, to)`, by what they are looked at. Days are those of `offset`, as `YYYY-MM-DD`.
    ///
    /// Reads the sums of the half hours that are over, and sums up the others now.
    pub async fn call_report(
        &self,
        by: CallsBy,
        from: OffsetDateTime,
        to: OffsetDateTime,
        offset: UtcOffset,
    ) -> Result<BTreeMap<String, Satisfaction>> {
        let statement = format!(
            "WITH first AS (
                 SELECT least((SELECT min(slot) FROM call_slots), (SELECT call_slot(min(ended_at)) FROM calls)) AS slot
             ),
             open AS (
                 SELECT o.slot FROM generate_series(
                     greatest($2, (SELECT slot FROM first)), least($3, now()) - interval '1 microsecond', interval '30 minutes'
                 ) AS o (slot)
                 WHERE NOT EXISTS (SELECT 1 FROM call_slots s WHERE s.slot = o.slot AND s.rolled_at IS NOT NULL)
             ),
             rows AS (
                 SELECT r.slot, r.value, {SUMS} FROM call_rollup r
                 JOIN call_slots s ON s.slot = r.slot AND s.rolled_at IS NOT NULL
                 WHERE r.slot >= $2 AND r.slot < $3 AND r.dimension = $1
                 UNION ALL
                 SELECT o.slot, c.value, {SUMS} FROM open o
                 CROSS JOIN LATERAL call_sums(o.slot, o.slot + interval '30 minutes') c WHERE c.dimension = $1
             ),
             keyed AS (
                 SELECT CASE WHEN $1 = 'day' THEN to_char((r.slot AT TIME ZONE 'UTC') + make_interval(secs => $4), 'YYYY-MM-DD')
                             ELSE r.value END AS key, r.* FROM rows r
             ),
             steps AS (
                 SELECT key, step, sum(count)::bigint AS count
                 FROM keyed CROSS JOIN LATERAL unnest(setup_steps, setup_counts) AS u (step, count) GROUP BY key, step
             )
             SELECT k.key, sum(calls)::bigint AS calls, sum(answered)::bigint AS answered, sum(connected)::bigint AS connected,
                    sum(scored)::bigint AS scored, sum(mos_sum) AS mos_sum, sum(poor)::bigint AS poor, sum(rated)::bigint AS rated,
                    sum(satisfied)::bigint AS satisfied, sum(stars)::bigint AS stars,
                    ARRAY(SELECT step FROM steps s WHERE s.key = k.key ORDER BY step) AS setup_steps,
                    ARRAY(SELECT count FROM steps s WHERE s.key = k.key ORDER BY step) AS setup_counts
             FROM keyed k GROUP BY k.key"
        );
        let mut tx = self.snapshot().await?;
        // The planner takes it for expensive; compiling it would take a hundred times longer than running it.
        sqlx::query("SET LOCAL jit = off").execute(&mut *tx).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(by.name())
            .bind(from)
            .bind(to)
            .bind(f64::from(offset.whole_seconds()))
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("key")?, sums(row)?))).collect()
    }

    /// Sums up the half hours that are over and not summed up, or have changed since. Returns how many. Nodes take turns.
    pub async fn roll_up_calls(&self) -> Result<usize> {
        // In a transaction of its own, and a while before it is summed up: whoever records a call of this half hour from
        // now on sees that it is closed, and marks it.
        sqlx::query(
            "INSERT INTO call_slots (slot)
             SELECT o.slot FROM generate_series(
                 coalesce((SELECT max(slot) + interval '30 minutes' FROM call_slots), (SELECT call_slot(min(ended_at)) FROM calls)),
                 now() - interval '35 minutes', interval '30 minutes'
             ) AS o (slot) ORDER BY o.slot LIMIT $1
             ON CONFLICT DO NOTHING",
        )
        .bind(AT_ONCE)
        .execute(&self.pool)
        .await?;
        let due: Vec<OffsetDateTime> = sqlx::query_scalar(
            "SELECT slot FROM call_slots WHERE rolled_at IS NULL AND closed_at < now() - interval '10 seconds'
             UNION SELECT slot FROM call_stale ORDER BY slot LIMIT $1",
        )
        .bind(AT_ONCE)
        .fetch_all(&self.pool)
        .await?;
        let mut done = 0;
        for slot in due {
            match self.roll_up(slot).await {
                Ok(true) => done += 1,
                Ok(false) => break,
                // Another node was faster with this one.
                Err(StoreError::Unavailable(error)) if is_conflict(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Returns whether it was this node's turn.
    async fn roll_up(&self, slot: OffsetDateTime) -> Result<bool> {
        let mut tx = self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let turn: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).fetch_one(&mut *tx).await?;
        if !turn {
            return Ok(false);
        }
        sqlx::query("SET LOCAL jit = off").execute(&mut *tx).await?;
        // The marks that this transaction sees; those that come meanwhile stay for the next round.
        for statement in [
            "DELETE FROM call_stale WHERE slot = $1",
            "DELETE FROM call_rollup WHERE slot = $1",
            "INSERT INTO call_rollup
             SELECT $1, c.dimension, c.value, c.calls, c.answered, c.connected, c.scored, c.mos_sum, c.poor, c.rated, c.satisfied,
                    c.stars, c.setup_steps, c.setup_counts
             FROM call_sums($1, $1 + interval '30 minutes') c",
            "UPDATE call_slots SET rolled_at = now() WHERE slot = $1",
        ] {
            sqlx::query(statement).bind(slot).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40001")
}

fn sums(row: &PgRow) -> sqlx::Result<Satisfaction> {
    let whole = |column: &str| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    let mut sums = Satisfaction {
        calls: whole("calls")?,
        answered: whole("answered")?,
        connected: whole("connected")?,
        scored: whole("scored")?,
        mos_sum: row.try_get("mos_sum")?,
        poor: whole("poor")?,
        rated: whole("rated")?,
        satisfied: whole("satisfied")?,
        stars: whole("stars")?,
        ..Satisfaction::default()
    };
    let steps: Vec<i16> = row.try_get("setup_steps")?;
    let counts: Vec<i64> = row.try_get("setup_counts")?;
    for (step, count) in steps.into_iter().zip(counts) {
        sums.setup.add(u16::try_from(step).unwrap_or(0), u64::try_from(count).unwrap_or(0));
    }
    Ok(sums)
}

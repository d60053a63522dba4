//! Durable work: what is due, who has it, what became of it. See `jobs` beside the store.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Row, postgres::types::PgInterval};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Result};

/// A job that was taken.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// What is to be done.
    pub kind: String,
    /// What that needs to know.
    pub about: Option<Value>,
    /// How often it was begun, this time included.
    pub attempts: i32,
    /// Names this try: whoever took it over has another.
    lease: Uuid,
}

/// A job that has failed too often.
#[derive(Clone, Debug)]
pub struct DeadJob {
    /// Its id.
    pub id: i64,
    /// What was to be done.
    pub kind: String,
    /// How often it was begun.
    pub attempts: i32,
    /// Since when.
    pub dead_at: OffsetDateTime,
    /// What the last try met.
    pub last_error: Option<String>,
}

/// Bytes that are kept of what a try met.
const ERROR_BYTES: usize = 500;
/// Dead letters in one list.
const LIST: i64 = 200;

impl People {
    /// A job that is done again and again. Where it is there already it stays as it is; one that has been dead for an hour begins anew.
    pub async fn keep_job(&self, kind: &str, every: Duration) -> Result<()> {
        sqlx::query(
            "INSERT INTO jobs AS j (kind, every) VALUES ($1, $2) ON CONFLICT (kind) WHERE every IS NOT NULL
             DO UPDATE SET every = excluded.every, run_at = now(), attempts = 0, dead_at = NULL
             WHERE j.dead_at < now() - interval '1 hour' OR j.every <> excluded.every",
        )
        .bind(kind)
        .bind(interval(every))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes jobs that are due, at most so many, for as long as a lease lasts. One that was begun so often already, and whose end nobody
    /// has told, becomes a dead letter.
    pub async fn take_jobs(&self, most: i64, lease: Duration, most_attempts: i32) -> Result<Vec<Job>> {
        let rows = sqlx::query(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM jobs WHERE dead_at IS NULL AND run_at <= now() ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED
             )
             UPDATE jobs j SET
                 attempts = j.attempts + (j.attempts < $3)::integer,
                 lease = gen_random_uuid(),
                 run_at = now() + $2,
                 dead_at = CASE WHEN j.attempts >= $3 THEN now() END,
                 last_error = CASE WHEN j.attempts >= $3 THEN 'no try has come to an end' ELSE j.last_error END
             FROM due d WHERE j.id = d.id
             RETURNING j.id, j.kind, j.about, j.attempts, j.lease, j.dead_at IS NOT NULL AS dead",
        )
        .bind(most)
        .bind(interval(lease))
        .bind(most_attempts)
        .fetch_all(&self.pool)
        .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            if !row.try_get::<bool, _>("dead")? {
                let (id, kind, about) = (row.try_get("id")?, row.try_get("kind")?, row.try_get("about")?);
                jobs.push(Job { id, kind, about, attempts: row.try_get("attempts")?, lease: row.try_get("lease")? });
            }
        }
        Ok(jobs)
    }

    /// A job that is done once, as soon as somebody comes to it.
    pub async fn put_job(&self, kind: &str, about: &Value) -> Result<()> {
        sqlx::query("INSERT INTO jobs (kind, about) VALUES ($1, $2)")
            .bind(kind)
            .bind(about)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Takes jobs back that whoever wrote them has done already.
    pub async fn take_back_jobs(&self, ids: &[i64]) -> Result<()> {
        sqlx::query("DELETE FROM jobs WHERE id = ANY ($1)").bind(ids).execute(&self.pool).await?;
        Ok(())
    }

    /// A job that whoever wrote it meant to do is left to everybody.
    pub async fn job_due(&self, id: i64) -> Result<()> {
        sqlx::query("UPDATE jobs SET run_at = now() WHERE id = $1 AND lease IS NULL AND dead_at IS NULL")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whoever has a job needs longer for it. False: somebody else has it by now.
    pub async fn extend_job(&self, job: &Job, lease: Duration) -> Result<bool> {
        let kept = sqlx::query("UPDATE jobs SET run_at = now() + $3 WHERE id = $1 AND lease = $2")
            .bind(job.id)
            .bind(job.lease)
            .bind(interval(lease))
            .execute(&self.pool)
            .await?;
        Ok(kept.rows_affected() > 0)
    }

    /// A job is done: once and for all, or until its next time. Whoever has lost it to somebody else changes nothing.
    pub async fn job_done(&self, job: &Job) -> Result<()> {
        sqlx::query(
            "WITH again AS (
                 UPDATE jobs SET run_at = now() + every, attempts = 0, lease = NULL, last_error = NULL
                 WHERE id = $1 AND lease = $2 AND every IS NOT NULL
             )
             DELETE FROM jobs WHERE id = $1 AND lease = $2 AND every IS NULL",
        )
        .bind(job.id)
        .bind(job.lease)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A job has failed: again after a pause, or never, when there is none.
    pub async fn job_failed(&self, job: &Job, why: &str, pause: Option<Duration>) -> Result<()> {
        let end = why.floor_char_boundary(ERROR_BYTES);
        sqlx::query(
            "UPDATE jobs SET lease = NULL, last_error = $3, run_at = now() + coalesce($4, interval '0'),
                 dead_at = CASE WHEN $4 IS NULL THEN now() END
             WHERE id = $1 AND lease = $2",
        )
        .bind(job.id)
        .bind(job.lease)
        .bind(&why[..end])
        .bind(pause.map(interval))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many dead letters there are, after those are thrown away that nobody has looked at for a month.
    pub async fn count_dead_jobs(&self) -> Result<i64> {
        sqlx::query("DELETE FROM jobs WHERE dead_at < now() - interval '30 days' AND every IS NULL")
            .execute(&self.pool)
            .await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").fetch_one(&self.pool).await?)
    }

    /// The dead letters, the newest first.
    pub async fn dead_jobs(&self) -> Result<Vec<DeadJob>> {
        let rows = sqlx::query(
            "SELECT id, kind, attempts, dead_at, last_error FROM jobs WHERE dead_at IS NOT NULL ORDER BY dead_at DESC LIMIT $1",
        )
        .bind(LIST)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::postgres::PgRow| -> sqlx::Result<DeadJob> {
            Ok(DeadJob {
                id: row.try_get("id")?,
                kind: row.try_get("kind")?,
                attempts: row.try_get("attempts")?,
                dead_at: row.try_get("dead_at")?,
                last_error: row.try_get("last_error")?,
            })
        };
        Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
    }

    /// Has a dead letter tried anew. False when there is none of that id.
    pub async fn retry_job(&self, id: i64) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE jobs SET dead_at = NULL, attempts = 0, run_at = now(), lease = NULL WHERE id = $1 AND dead_at IS NOT NULL",
        )
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }
}

pub(super) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

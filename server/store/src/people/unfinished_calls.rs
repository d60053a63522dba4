//! The calls of a node without Redis, written down while they live, so that its death leaves a trace of them.

use chapar_protocol::Timestamp;
use chapar_signaling::call::Record;
use sqlx::{Row, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Result};

impl People {
    /// Writes down what is to be recorded of each call if this node dies; they live at `at`. What is recorded already is left
    /// out.
    pub async fn put_unfinished_calls(&self, node: i64, records: &[Record], at: Timestamp) -> Result<()> {
        sqlx::query(
            "INSERT INTO unfinished_calls (call_id, node, record, seen_at)
             SELECT p.call_id, $1, p.record, $2 FROM unnest($3::uuid[], $4::json[]) AS p (call_id, record)
             WHERE NOT EXISTS (SELECT FROM calls c WHERE c.call_id = p.call_id)
             ON CONFLICT (call_id) DO UPDATE SET record = excluded.record, seen_at = excluded.seen_at",
        )
        .bind(node)
        .bind(moment(at))
        .bind(records.iter().map(|record| record.log.call_id.0).collect::<Vec<Uuid>>())
        .bind(records.iter().map(Json).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All calls of this node live still.
    pub async fn lone_node_lives(&self, node: i64, at: Timestamp) -> Result<()> {
        sqlx::query(
            "INSERT INTO lone_nodes (node, seen_at) VALUES ($1, $2)
             ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at",
        )
        .bind(node)
        .bind(moment(at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Some calls that other nodes have left, each as it is to be recorded: it ended when its node was last alive.
    pub async fn left_calls(&self, node: i64, most: i64) -> Result<Vec<Record>> {
        let rows = sqlx::query(
            "SELECT u.call_id, u.record, greatest(u.seen_at, n.seen_at) AS seen_at
             FROM unfinished_calls u LEFT JOIN lone_nodes n ON n.node = u.node
             WHERE u.node <> $1 ORDER BY u.call_id LIMIT $2",
        )
        .bind(node)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::postgres::PgRow| -> sqlx::Result<Record> {
            let Json(record) = row.try_get::<Json<Record>, _>("record")?;
            Ok(record.ended_at(row.try_get::<OffsetDateTime, _>("seen_at")?.into()))
        };
        let (mut left, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match read(row) {
                Ok(record) => left.push(record),
                Err(error) => {
                    // Of another build, and in the way of all the others.
                    let call: Uuid = row.try_get("call_id")?;
                    tracing::error!(%error, %call, "what was written of a call cannot be read: it is not recorded");
                    unreadable.push(call);
                }
            }
        }
        if !unreadable.is_empty() {
            sqlx::query("DELETE FROM unfinished_calls WHERE call_id = ANY($1)")
                .bind(unreadable)
                .execute(&self.pool)
                .await?;
        }
        Ok(left)
    }

    /// Forgets the nodes before this one, of which no call is left.
    pub async fn forget_lone_nodes(&self, node: i64) -> Result<()> {
        sqlx::query(
            "DELETE FROM lone_nodes n
             WHERE n.node <> $1 AND NOT EXISTS (SELECT FROM unfinished_calls u WHERE u.node = n.node)",
        )
        .bind(node)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

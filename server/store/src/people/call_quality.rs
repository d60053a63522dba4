//! What calls measured, and how people rated them.

use chapar_protocol::{
    Timestamp, UserId,
    call::{CallId, CallIssue},
};
use chapar_signaling::{quality::CallQuality, satisfaction::Rating};
use sqlx::types::Json;

use super::{People, Result};

/// One side's stretch of reports over one node, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which call.
    pub call: CallId,
    /// Whose side.
    pub user: UserId,
    /// Random: names this stretch.
    pub part: i64,
    /// The sums.
    pub quality: CallQuality,
    /// The relay and its region; empty for none.
    pub relay: (String, String),
    /// When the last report came.
    pub at: Timestamp,
    /// How often it has changed: what was written is compared with what is there now.
    pub changes: u64,
}

impl People {
    /// Writes what sides have measured so far. Writing the same again, or an older state, does no harm.
    pub async fn write_call_quality(&self, parts: &[Part]) -> Result<()> {
        let rows: Vec<serde_json::Value> = parts.iter().map(row).collect();
        sqlx::query("SELECT write_call_quality($1)").bind(Json(rows)).execute(&self.pool).await?;
        Ok(())
    }

    /// Keeps how one of the two people of a recorded call found it, instead of what they said before. Returns whether there is
    /// such a call.
    pub async fn rate_call(&self, call: CallId, user: UserId, rating: Rating, issues: &[CallIssue]) -> Result<bool> {
        let issues = Json(issues);
        let rated: i64 = sqlx::query_scalar(
            "WITH rated AS (
                 INSERT INTO call_ratings (call_id, user_id, stars, issues)
                 SELECT c.call_id, $2, $3, ARRAY(SELECT jsonb_array_elements_text($4)) FROM calls c WHERE c.call_id = $1 AND $2 IN (c.caller_id, c.callee_id)
                 ON CONFLICT (call_id, user_id) DO UPDATE
                 SET stars = excluded.stars, issues = excluded.issues, rated_at = now()
                 RETURNING call_id
             ), late AS (
                 INSERT INTO call_stale (slot)
                 SELECT s.slot FROM rated r JOIN calls c ON c.call_id = r.call_id JOIN call_slots s ON s.slot = call_slot(c.ended_at)
             )
             SELECT count(*) FROM rated",
        )
        .bind(call.0)
        .bind(user.0)
        .bind(i16::from(u8::from(rating)))
        .bind(issues)
        .fetch_one(&self.pool)
        .await?;
        Ok(rated > 0)
    }
}

fn row(part: &Part) -> serde_json::Value {
    let it = &part.quality;
    serde_json::json!({
        "call_id": part.call, "user_id": part.user, "part": part.part, "covered_ms": it.covered_ms,
        "reports": it.reports, "mos": it.mos, "poor_ms": it.poor_ms, "worst_mos": it.worst,
        "round_trip": it.round_trip, "jitter": it.jitter, "lost": it.lost, "lost_there": it.lost_there,
        "concealed": it.concealed, "bits_in": it.bits_in, "bits_out": it.bits_out, "relayed_ms": it.relayed_ms,
        "path": it.path, "network": it.network, "local_end": it.local, "remote_end": it.remote, "codec": it.codec,
        "relay": part.relay.0, "region": part.relay.1, "reported_at": part.at,
    })
}

//! Messages are stored in batches: one call, one commit.

use chapar_protocol::{
    ChatId, ErrorCode, Message, Seq, Timestamp, UserId, Version,
    message::{Body, NewBody, ServiceAction},
};
use sha2::{Digest, Sha256};
use sqlx::Row;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Result, Store};

/// Settings of the sessions that store messages. The planner is held to index scans, and to one plan for all batches: a
/// plan made when the tables were empty would last as long as the session, and one made anew for each message costs more
/// than storing it.
pub(super) const SESSION: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan;";

/// A message that has passed all checks that need no database.
#[derive(Debug)]
pub struct NewMessage {
    /// Where.
    pub chat_id: ChatId,
    /// Who.
    pub sender: UserId,
    /// The client's id for it.
    pub client_id: Uuid,
    /// What it says.
    pub body: Body,
    /// What it answers.
    pub reply_to: Option<Seq>,
    /// The body as JSON: encoded once, for the hash and the table.
    json: String,
    /// Tells whether a retry says the same.
    hash: i64,
}

impl NewMessage {
    /// Prepares a checked message.
    ///
    /// # Panics
    /// Never: bodies have string keys only.
    pub fn new(chat_id: ChatId, sender: UserId, client_id: Uuid, body: NewBody, reply_to: Option<Seq>) -> Self {
        Self::with(chat_id, sender, client_id, body.into(), reply_to)
    }

    /// A line of the server's own in a chat. Told twice under the same id, it stands there once.
    pub fn service(chat_id: ChatId, sender: UserId, client_id: Uuid, action: ServiceAction) -> Self {
        Self::with(chat_id, sender, client_id, Body::Service { action }, None)
    }

    fn with(chat_id: ChatId, sender: UserId, client_id: Uuid, body: Body, reply_to: Option<Seq>) -> Self {
        let json = serde_json::to_string(&body).expect("bodies have string keys only");
        let hash = fingerprint(&body, reply_to);
        Self { chat_id, sender, client_id, body, reply_to, json, hash }
    }

    /// Bytes that it takes in a frame, roughly and not less.
    pub fn bytes(&self) -> usize {
        const AROUND_THE_BODY: usize = 256;
        self.json.len() + AROUND_THE_BODY
    }

    /// What makes it unique for good.
    pub fn key(&self) -> (ChatId, UserId, Uuid) {
        (self.chat_id, self.sender, self.client_id)
    }

    /// Whether another says the same.
    pub fn same_content(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    /// The message as it was stored.
    pub fn into_message(self, stored: &Stored) -> Message {
        Message {
            seq: stored.seq,
            version: stored.version,
            sender: self.sender,
            client_id: self.client_id,
            sent_at: stored.sent_at,
            body: self.body,
            reply_to: self.reply_to,
            edited_at: None,
            reactions: Vec::new(),
        }
    }
}

/// Tells whether two messages say the same. It must come out alike in later versions of this server, or a retry over an
/// upgrade would be taken for another message. So what has no value adds nothing, and fields added later change nothing for
/// messages that do not have them. A line of the server's own is known by its id alone.
fn fingerprint(body: &Body, reply_to: Option<Seq>) -> i64 {
    let mut said = match body {
        Body::Service { .. } => serde_json::Value::from("service"),
        _ => serde_json::to_value(body).expect("bodies have string keys only"),
    };
    strip(&mut said);
    let digest = Sha256::new()
        .chain_update([FINGERPRINT])
        .chain_update(said.to_string())
        .chain_update(reply_to.unwrap_or_default().0.to_be_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// The version of [`fingerprint`].
const FINGERPRINT: u8 = 1;

/// Takes out of objects what has no value: null, false, and empty lists.
fn strip(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                strip(field);
            }
            fields.retain(|_, value| match value {
                Value::Null | Value::Bool(false) => false,
                Value::Array(list) => !list.is_empty(),
                _ => true,
            });
        }
        Value::Array(list) => {
            for one in list {
                strip(one);
            }
        }
        _ => {}
    }
}

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// The chat's version that it has.
    pub version: Version,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// It was stored by an earlier try: nothing new to tell others.
    pub existed: bool,
}

/// What became of a message of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It stands in the chat.
    Stored(Stored),
    /// It does not, and will not.
    Refused(ErrorCode),
    /// Its chat is locked by somebody else just now: nothing was done.
    Locked,
}

/// Whether a batch waits for chats that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// Their messages come back as [`Outcome::Locked`].
    Skip,
    /// For a while; then the whole batch is refused as [`ErrorCode::Overloaded`], and nothing was done.
    Wait,
}

impl Store {
    /// Stores a batch, in order. The batch must not hold a key twice. Ends by `until`, and after [`super::BATCH`] at the latest.
    ///
    /// # Errors
    /// With `Unavailable` the outcome is unknown: calling again with the same batch is safe and finds out.
    pub async fn send(&self, batch: &[&NewMessage], locks: Locks, until: Instant) -> Result<Vec<Outcome>> {
        let column = |value: fn(&NewMessage) -> i64| batch.iter().map(|it| value(it)).collect::<Vec<i64>>();
        let mut lease = self.pools.commit.lease_until(Some(until)).await?;
        let rows =
            sqlx::query("SELECT ord, outcome, seq, version, sent_at FROM send_messages_2($1, $2, $3, $4, $5, $6, $7)")
                .bind(locks == Locks::Wait)
                .bind(column(|it| it.chat_id.0))
                .bind(column(|it| it.sender.0))
                .bind(batch.iter().map(|it| it.client_id).collect::<Vec<_>>())
                .bind(column(|it| it.hash))
                .bind(batch.iter().map(|it| it.reply_to.map(|seq| seq.0)).collect::<Vec<_>>())
                .bind(batch.iter().map(|it| it.json.as_str()).collect::<Vec<_>>())
                .fetch_all(&mut lease)
                .await?;
        let mut outcomes = vec![Outcome::Refused(ErrorCode::Internal); batch.len()];
        for row in rows {
            let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or(usize::MAX);
            let outcome: i16 = row.try_get(1)?;
            let Some(slot) = outcomes.get_mut(place) else { continue };
            *slot = match outcome {
                0 | 1 => Outcome::Stored(Stored {
                    seq: Seq(row.try_get(2)?),
                    version: Version(row.try_get(3)?),
                    sent_at: row.try_get::<OffsetDateTime, _>(4)?.into(),
                    existed: outcome == 1,
                }),
                2 => Outcome::Refused(ErrorCode::ChatNotFound),
                3 => Outcome::Refused(ErrorCode::Forbidden),
                4 => Outcome::Refused(ErrorCode::ClientIdReused),
                6 => Outcome::Locked,
                _ => Outcome::Refused(ErrorCode::MessageNotFound),
            };
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are kept for good: with others, retries over an upgrade would be refused.
    #[test]
    fn the_fingerprint_of_what_was_sent_stays_the_same() {
        let plain = Body::from(NewBody::text("سلام"));
        assert_eq!(fingerprint(&plain, None), PLAIN);
        assert_ne!(fingerprint(&plain, Some(Seq(1))), PLAIN);
        assert_ne!(fingerprint(&Body::from(NewBody::text("سلام!")), None), PLAIN);
    }

    /// A later version of the server knows more fields: a retry over the upgrade says the same as before.
    #[test]
    fn a_field_that_comes_later_makes_no_other_message() {
        let said = |more: serde_json::Value| {
            let mut body = serde_json::json!({ "kind": "text", "text": "x" });
            let (Some(body_fields), Some(more)) = (body.as_object_mut(), more.as_object()) else { unreachable!() };
            body_fields.extend(more.clone());
            fingerprint(&Body::Unknown(body), None)
        };
        let before = said(serde_json::json!({}));
        let after = serde_json::json!({ "silent": false, "media": [], "preview": null });
        assert_eq!(said(after), before, "without a value it adds nothing");
        assert_ne!(said(serde_json::json!({ "silent": true })), before);
        let call = |n| Body::Service { action: ServiceAction::Added { user_ids: vec![UserId(n)] } };
        assert_eq!(fingerprint(&call(1), None), fingerprint(&call(2), None), "the server's own lines go by their id");
    }

    const PLAIN: i64 = -1_718_011_393_144_656_513;

    #[test]
    fn what_has_no_value_adds_nothing() {
        let mut with =
            serde_json::json!({ "text": "x", "later": null, "list": [], "flag": false, "deep": [{ "a": null }] });
        strip(&mut with);
        assert_eq!(with, serde_json::json!({ "text": "x", "deep": [{}] }));
    }
}

//! Messages are stored in batches: one call, one commit.

use chapar_protocol::{
    ChatId, ErrorCode, Message, Seq, Timestamp, UserId, Version,
    message::{Body, NewBody, ServiceAction},
};
use sha2::{Digest, Sha256};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, Store};

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
        let digest =
            Sha256::new().chain_update(&json).chain_update(reply_to.unwrap_or_default().0.to_be_bytes()).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self { chat_id, sender, client_id, body, reply_to, json, hash: i64::from_be_bytes(first) }
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

impl Store {
    /// Stores a batch, in order. The batch must not hold a key twice.
    ///
    /// # Errors
    /// With `Unavailable` the outcome is unknown: calling again with the same batch is safe and finds out.
    pub async fn send(&self, batch: &[NewMessage]) -> Result<Vec<std::result::Result<Stored, ErrorCode>>> {
        let column = |value: fn(&NewMessage) -> i64| batch.iter().map(value).collect::<Vec<i64>>();
        let rows = sqlx::query("SELECT ord, outcome, seq, version, sent_at FROM send_messages($1, $2, $3, $4, $5, $6)")
            .bind(column(|it| it.chat_id.0))
            .bind(column(|it| it.sender.0))
            .bind(batch.iter().map(|it| it.client_id).collect::<Vec<_>>())
            .bind(column(|it| it.hash))
            .bind(batch.iter().map(|it| it.reply_to.map(|seq| seq.0)).collect::<Vec<_>>())
            .bind(batch.iter().map(|it| it.json.as_str()).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        let mut outcomes = vec![Err(ErrorCode::Internal); batch.len()];
        for row in rows {
            let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or(usize::MAX);
            let outcome: i16 = row.try_get(1)?;
            let Some(slot) = outcomes.get_mut(place) else { continue };
            *slot = match outcome {
                0 | 1 => Ok(Stored {
                    seq: Seq(row.try_get(2)?),
                    version: Version(row.try_get(3)?),
                    sent_at: row.try_get::<OffsetDateTime, _>(4)?.into(),
                    existed: outcome == 1,
                }),
                2 => Err(ErrorCode::ChatNotFound),
                3 => Err(ErrorCode::Forbidden),
                4 => Err(ErrorCode::ClientIdReused),
                _ => Err(ErrorCode::MessageNotFound),
            };
        }
        Ok(outcomes)
    }
}

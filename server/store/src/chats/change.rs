//! Changes of chats: read, judged, written, for many chats in one commit.

use std::collections::{BTreeMap, HashSet};

use chapar_domain::{
    change::Asked,
    judge::{self, Judgement, Moment, Verdict, Written},
};
use chapar_protocol::ChatId;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Chats, Result, load::load, write::write};

/// Whether a batch waits for chats that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// What is asked of them comes back as [`Outcome::Missed`].
    Skip,
    /// For a while; then the whole batch is refused as `overloaded`, and nothing was done. For one chat at a time.
    Wait(ChatId),
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was judged, and what was to be written is committed.
    Judged(Verdict),
    /// Somebody else has its chat locked, or has changed it just now: nothing was done.
    Missed,
}

/// What became of a batch.
pub struct Changed {
    /// For each change, in their order.
    pub outcomes: Vec<Outcome>,
    /// The chats that were written.
    pub written: Vec<Written>,
}

impl Chats {
    /// Carries a batch out, in order. Ends by `until`.
    ///
    /// Without a lock what was judged is written only where the chat's version is still the one that was read, so nobody's
    /// lock is held over the judging, and a node that stops in the middle holds up nobody.
    ///
    /// # Errors
    /// With `Unavailable` the outcome is unknown: asking again finds out.
    pub async fn change(&self, asked: &[&Asked], locks: Locks, until: Instant) -> Result<Changed> {
        match locks {
            Locks::Skip => {
                let mut lease = self.commit.lease_until(Some(until)).await?;
                round(&mut lease, asked).await
            }
            Locks::Wait(chat) => {
                let mut tx = self.commit.begin("BEGIN", Some(until)).await?;
                sqlx::query("SELECT id FROM chats WHERE id = $1 FOR NO KEY UPDATE")
                    .bind(chat.0)
                    .execute(&mut *tx)
                    .await?;
                let changed = round(&mut tx, asked).await?;
                tx.commit().await?;
                Ok(changed)
            }
        }
    }
}

async fn round(lease: &mut crate::pool::Lease, asked: &[&Asked]) -> Result<Changed> {
    let mut loaded = load(lease, asked).await?;
    // In the order of chats, in which everybody locks their rows.
    let mut places: BTreeMap<ChatId, Vec<usize>> = BTreeMap::new();
    for (place, it) in asked.iter().enumerate() {
        places.entry(it.chat).or_default().push(place);
    }
    let mut outcomes: Vec<Outcome> = asked.iter().map(|_| Outcome::Missed).collect();
    let mut written = Vec::new();
    for (&id, places) in &places {
        let of_chat: Vec<&Asked> = places.iter().map(|place| asked[*place]).collect();
        let mut dice = Uuid::new_v4;
        let moment = Moment { now: loaded.now, dice: &mut dice };
        let Judgement { verdicts, written: changed } = judge::judge(id, loaded.chats.remove(&id), &of_chat, moment);
        for (place, verdict) in places.iter().zip(verdicts) {
            outcomes[*place] = Outcome::Judged(verdict);
        }
        written.extend(changed);
    }
    if written.is_empty() {
        return Ok(Changed { outcomes, written });
    }
    for it in &mut written {
        for user in it.rows.members.keys() {
            if let Some(standing) = it.chat.members.get_mut(user) {
                standing.turn = standing.turn.max(loaded.first_turn);
            }
        }
    }
    let held: HashSet<ChatId> = write(lease, &written).await?;
    written.retain(|it| {
        let id = it.chat.info.id;
        let there = held.contains(&id);
        if !there && let Some(places) = places.get(&id) {
            for place in places {
                outcomes[*place] = Outcome::Missed;
            }
        }
        there
    });
    Ok(Changed { outcomes, written })
}

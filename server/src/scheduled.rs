//! Sends messages that were scheduled, when their time has come or the other one is online.
//!
//! ```text
//! waits ──its time──▶ due ──taken, leased──▶ sent ──▶ gone
//!   │ the other one is online ─▲ ▲              └─refused─▶ stays, and says why
//!   └──────────────────────────┘ └─the lease runs out, or it can only be sent later
//! ```
//!
//! A message goes the way of every message, as if its writer sent it now, under the client id that it was scheduled with: two nodes that
//! send the same one, or one that dies in the middle, send it once.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{Action, ErrorCode, UserId};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::{
    app::App,
    commands,
    store::people::scheduled::{Due, Ended},
};

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is looked whether somebody is online for whom messages wait.
const LOOK_ONLINE: Duration = Duration::from_secs(1);
/// Messages that are taken together, and that are on their way at the same time.
const BATCH: usize = 1024;
const AT_ONCE: usize = 512;
/// After which another node takes them over: a dead one is not waited for, and sent by two they are sent once.
const LEASE: Duration = Duration::from_millis(2500);
/// For how long their writer cannot change them: longer than the committer tries.
const HELD: Duration = Duration::from_secs(6);
/// What became of them is noted after so many.
const NOTED: usize = 256;
/// People for whom messages wait, in one look.
const PEOPLE: usize = 10_000;

/// Does not end by itself.
pub async fn run(app: Arc<App>) {
    let mut looked = Instant::now();
    loop {
        if looked.elapsed() >= LOOK_ONLINE {
            looked = Instant::now();
            if let Err(error) = wake(&app).await {
                tracing::warn!(%error, "could not look who is online for whom messages wait");
            }
        }
        let taken = app.store.people.take_scheduled(i64::try_from(BATCH).unwrap_or(i64::MAX), LEASE, HELD).await;
        let full = match taken {
            Ok(due) => {
                let full = due.len() >= BATCH;
                send(&app, due).await;
                full
            }
            Err(error) => {
                tracing::warn!(%error, "scheduled messages cannot be taken now");
                false
            }
        };
        if !full {
            // Apart from the other nodes, which began at the same time.
            tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
        }
    }
}

async fn send(app: &Arc<App>, due: Vec<Due>) {
    let sending = stream::iter(due).map(|it| send_one(app, it)).buffer_unordered(AT_ONCE);
    let mut ended = sending.filter_map(std::future::ready).ready_chunks(NOTED);
    while let Some(ended) = ended.next().await {
        match app.store.people.end_scheduled(&ended, false).await {
            Ok(changes) => app.fanout.publish_lists(changes),
            // They are taken again, found to be sent, and noted then.
            Err(error) => tracing::warn!(%error, "what became of scheduled messages is noted later"),
        }
    }
}

/// Nothing: it is tried again when the lease has run out.
async fn send_one(app: &Arc<App>, due: Due) -> Option<Ended> {
    let Due { user, message } = due;
    let client_id = message.client_id;
    let failed = match commands::send_for(app, user, message).await {
        Ok(()) => None,
        Err(error) if error.action == Action::Retry => return None,
        // Whoever is not in the chat any more does not see it there.
        Err(error) if error.code == ErrorCode::ChatNotFound => None,
        Err(error) => Some(error.code),
    };
    app.metrics.scheduled.get_or_create(&[("outcome", if failed.is_some() { "refused" } else { "sent" })]).inc();
    Some(Ended { user, client_id, failed })
}

/// What waits for people who are connected to this node is due, if its writer may see that they are. Each node looks for its own.
async fn wake(app: &App) -> crate::store::Result<()> {
    let people = app.store.people.waited_for(i64::try_from(PEOPLE).unwrap_or(i64::MAX)).await?;
    let here: Vec<UserId> = people.into_iter().filter(|user| app.fanout.is_here(*user)).collect();
    if here.is_empty() {
        return Ok(());
    }
    let waiting = app.store.people.waiting_for(&here).await?;
    let seen: Vec<_> = app.store.people.may_see(&waiting).await?.into_iter().collect();
    if seen.is_empty() { Ok(()) } else { app.store.people.wake_scheduled(&seen).await }
}

//! Polls that end by the clock, and what is left of those whose messages were deleted.
//!
//! Every node looks for them among the chats themselves: to close a poll is a change like every other, and closing it twice does no harm.

use std::{sync::Arc, time::Duration};

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{Action, UserId};
use futures_util::{StreamExt as _, stream};

use crate::{committer::Committer, store::Store};

/// How often it is looked for polls that are due.
const LOOK: Duration = Duration::from_secs(1);
/// Polls that are closed at the same time.
const AT_ONCE: usize = 32;
/// Portions of the votes of deleted polls that are taken away in one look.
const PORTIONS: usize = 10;

/// Closes what is due, once a second. Does not end by itself.
pub async fn keep_closing(store: Store, committer: Arc<Committer>) {
    loop {
        if let Err(error) = look(&store, &committer).await {
            tracing::warn!(%error, "polls that are due cannot be looked for now");
        }
        // Apart from the other nodes.
        tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
    }
}

async fn look(store: &Store, committer: &Arc<Committer>) -> crate::store::Result<()> {
    let due = store.chats.due_polls().await?;
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, |(chat, seq)| async move {
            let by = Principal::System(UserId(0));
            if let Err(error) = committer.change(by, chat, Change::ClosePoll(seq)).await
                && error.action != Action::Retry
            {
                tracing::warn!(%error, chat = chat.0, "a poll that is due cannot be closed");
            }
        })
        .await;
    for _ in 0..PORTIONS {
        if !store.chats.forget_deleted_polls().await? {
            break;
        }
    }
    Ok(())
}

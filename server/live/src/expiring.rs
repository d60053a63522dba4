//! Messages that delete themselves.
//!
//! Every node looks for those that are due among the chats themselves: each is deleted by a change like every other, and whose row is found by
//! two nodes is deleted once.

use std::{sync::Arc, time::Duration};

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{Action, UserId};
use futures_util::{StreamExt as _, stream};

use crate::{committer::Committer, store::Store};

/// How often it is looked for messages that are due, when there were not more of them than one look takes.
const LOOK: Duration = Duration::from_secs(1);
/// Messages that are deleted at the same time. They go in batches of the committer, so that many of one chat are one commit.
const AT_ONCE: usize = 256;

/// Deletes what is due, once a second. Does not end by itself.
pub async fn keep_deleting(store: Store, committer: Arc<Committer>) {
    loop {
        match look(&store, &committer).await {
            Ok(more) if more => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "messages that are due cannot be looked for now"),
        }
        // Apart from the other nodes.
        tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.8..1.2))).await;
    }
}

/// Whether it is to be looked again at once.
async fn look(store: &Store, committer: &Arc<Committer>) -> crate::store::Result<bool> {
    let (due, more) = store.chats.due_messages().await?;
    let deleted = stream::iter(due).map(|(chat, seq)| async move {
        let deleted = committer.change(Principal::System(UserId(0)), chat, Change::Expire(seq)).await;
        if let Err(error) = &deleted
            && error.action != Action::Retry
        {
            tracing::warn!(%error, chat = chat.0, "a message that is due cannot be deleted");
        }
        deleted.is_ok()
    });
    // What could not be deleted is found again: not before a while.
    let all = deleted.buffer_unordered(AT_ONCE).fold(true, |all, deleted| std::future::ready(all && deleted)).await;
    Ok(all && more)
}

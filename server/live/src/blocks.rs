//! From whom somebody takes no messages is their own thing, and is noted in the chat of the two as well: messages are judged without a
//! look at the people's side.

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{ChatId, ErrorCode, UserId};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    committer::Committer,
    store::{Result, Store},
};

/// Chats that are read at a time, and that are changed at a time, when somebody takes messages from nobody, or from all again.
const PAGE: usize = 500;
const AT_ONCE: usize = 64;

/// Notes in the chat of two, where there is one, whether one takes messages from the other: as it is now, and doing it twice does no harm.
///
/// # Errors
/// What the committer refuses or cannot do now.
pub async fn shut(store: &Store, committer: &Committer, by: UserId, user: UserId) -> Result<()> {
    let Some(chat) = store.people.direct_chat(by, user).await? else { return Ok(()) };
    note(store, committer, by, user, chat).await
}

/// The same in all direct chats of somebody.
///
/// # Errors
/// As above; then it was done in some of them.
pub async fn shut_all(store: &Store, committer: &Committer, by: UserId) -> Result<()> {
    let mut after = ChatId(0);
    loop {
        let peers = store.people.peers(by, after, i64::try_from(PAGE).unwrap_or(i64::MAX)).await?;
        let Some((last, _)) = peers.last().copied() else { return Ok(()) };
        let noted = stream::iter(peers).map(|(chat, user)| note(store, committer, by, user, chat));
        noted.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        after = last;
    }
}

async fn note(store: &Store, committer: &Committer, by: UserId, user: UserId, chat: ChatId) -> Result<()> {
    let since = store.people.closed_since(by, user).await?;
    match committer.change(Principal::User(by), chat, Change::Shut(user, since)).await {
        // Its id was given out, and it is being made: whoever makes it looks for blocks afterwards.
        Err(error) if error.code == ErrorCode::ChatNotFound => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

//! A block is one person's own thing, and is noted in the chat of the two as well: messages are judged without a look at the
//! people's side.

use chapar_domain::{Principal, change::Change};
use chapar_protocol::{ErrorCode, UserId};

use crate::{
    committer::Committer,
    store::{Result, Store},
};

/// Notes in the chat of two, where there is one, whether one has blocked the other: as it is now, and doing it twice does no harm.
///
/// # Errors
/// What the committer refuses or cannot do now.
pub async fn shut(store: &Store, committer: &Committer, by: UserId, user: UserId) -> Result<()> {
    let Some(chat) = store.people.direct_chat(by, user).await? else { return Ok(()) };
    let since = store.people.block_since(by, user).await?;
    match committer.change(Principal::User(by), chat, Change::Shut(user, since)).await {
        // Its id was given out, and it is being made: whoever makes it looks for blocks afterwards.
        Err(error) if error.code == ErrorCode::ChatNotFound => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

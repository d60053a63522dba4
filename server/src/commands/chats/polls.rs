//! `vote`, `close_poll` and `get_voters`: answers to polls, their end, and who has chosen what in those that are public.

use std::sync::Arc;

use chapar_domain::change::{Change, Done};
use chapar_protocol::{
    Body, ErrorCode, UserId,
    command::{ClosePoll, GetVoters, Vote, Voted, Voters},
    limit,
};

use super::change::{Asked, Reply};
use crate::commands::{Asker, Outcome, Result, refuse};
use crate::{app::App, store::chats::Shown};

impl From<Reply> for Voted {
    fn from(Reply(done): Reply) -> Self {
        let Done::Voted { version, vote } = done else { unreachable!("a vote is answered by how it stands") };
        Self { version, vote }
    }
}

pub(in crate::commands) fn vote(app: &App, asker: &Asker, vote: &Vote) -> Asked {
    app.limits.message(asker.user)?;
    // What names more is nothing that a poll takes, whatever it is.
    let places = vote.options.iter().take(limit::POLL_OPTIONS.end() + 1).copied().collect();
    Ok((vote.chat_id, Change::Vote(vote.seq, places)))
}

pub(in crate::commands) fn close(app: &App, asker: &Asker, close: &ClosePoll) -> Asked {
    app.limits.message(asker.user)?;
    Ok((close.chat_id, Change::ClosePoll(close.seq)))
}

pub(in crate::commands) async fn voters(app: Arc<App>, asker: Asker, get: GetVoters) -> Result<Voters> {
    let shown = app.store.chats.shown(asker.user, get.chat_id, &[get.seq]).await?;
    let poll = match shown.first() {
        Some(Shown { body: Body::Poll(poll), .. }) => poll,
        Some(_) => return refuse(ErrorCode::BadVote, "this message is no poll"),
        None => return refuse(ErrorCode::MessageNotFound, "there is no such message, or it was deleted"),
    };
    if !poll.public {
        return refuse(ErrorCode::Forbidden, "who has voted in this poll is nobody else's business");
    }
    let after = get.after.unwrap_or(UserId(0));
    let page = limit::USERS_PER_COMMAND;
    let (user_ids, after) = app.store.chats.voters(get.chat_id, get.seq, get.option, after, page).await?;
    Ok(Outcome::new(Voters { user_ids, after }))
}

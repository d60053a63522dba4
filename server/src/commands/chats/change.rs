//! Changes of chats that need no look at anything but the chat: messages, reactions, who is removed, roles and rights. Checked and
//! queued at once, so that what one connection asks of a chat keeps its order; what becomes of them is judged in `chapar_domain`.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Change, Done},
    rights::Rights,
};
use chapar_protocol::{
    ChatId, ErrorCode, Right, WireError,
    command::{
        Changed, Command, Delete, DeleteMessages, Edit, React, RemoveMember, RestrictMember, Sent, SentAlbum,
        SetAdminRights, SetChatRights, SetChatSettings, SetRole, SetSlowMode, UnbanMember,
    },
    frame, limit, text,
};
use tokio::sync::oneshot;

use crate::commands::{Asker, Pending, Request, count_error, refused};
use crate::{app::App, committer};

pub(in crate::commands) type Asked = Result<(ChatId, Change), WireError>;

/// Checks and queues.
pub(in crate::commands) fn start<C: Command>(
    app: &Arc<App>,
    asker: &Asker,
    request: &Request<'_>,
    check: fn(&App, &Asker, &C) -> Asked,
) -> Pending
where
    C::Reply: From<Reply>,
{
    let queued = frame::parse_params::<C>(request.params)
        .and_then(|params| check(app, asker, &params))
        .and_then(|(chat, change)| app.committer.queue(Principal::User(asker.user), chat, change));
    answer::<C>(app, request.id, queued)
}

/// The reply to what was queued, or to what was not.
pub(super) fn answer<C: Command>(
    app: &Arc<App>,
    id: u64,
    queued: Result<oneshot::Receiver<committer::Outcome>, WireError>,
) -> Pending
where
    C::Reply: From<Reply>,
{
    match queued {
        Ok(outcome) => {
            let app = app.clone();
            Box::pin(async move {
                let outcome = outcome.await.unwrap_or_else(|_| Err(committer::going_away()));
                let reply: Result<C::Reply, WireError> = outcome.map(|done| Reply(done).into());
                if let Err(error) = &reply {
                    count_error(&app, error);
                }
                frame::reply(id, &reply).into()
            })
        }
        Err(error) => {
            count_error(app, &error);
            refused(id, &error)
        }
    }
}

/// What was done, to be told.
pub(in crate::commands) struct Reply(pub(super) Done);

impl From<Reply> for Changed {
    fn from(Reply(done): Reply) -> Self {
        Self { version: done.version() }
    }
}

impl From<Reply> for Sent {
    fn from(Reply(done): Reply) -> Self {
        match done {
            Done::Sent { seq, version, sent_at, .. } => Self { seq, version, sent_at },
            Done::Changed(_) | Done::Waits(_) | Done::Album { .. } | Done::Voted { .. } => {
                unreachable!("a message is answered by its place")
            }
        }
    }
}

impl From<Reply> for SentAlbum {
    fn from(Reply(done): Reply) -> Self {
        let sent = match done {
            Done::Album { sent, .. } => sent,
            Done::Sent { seq, version, sent_at, .. } => return Self { sent: vec![Sent { seq, version, sent_at }] },
            Done::Changed(_) | Done::Waits(_) | Done::Voted { .. } => {
                unreachable!("messages are answered by their places")
            }
        };
        let sent = sent.into_iter().map(|it| Sent { seq: it.seq, version: it.version, sent_at: it.sent_at });
        Self { sent: sent.collect() }
    }
}

pub(in crate::commands) fn edit(app: &App, asker: &Asker, edit: &Edit) -> Asked {
    app.limits.message(asker.user)?;
    Ok((edit.chat_id, Change::Edit(edit.seq, text::check_body(edit.body.clone())?)))
}

pub(in crate::commands) fn delete(app: &App, asker: &Asker, delete: &Delete) -> Asked {
    app.limits.message(asker.user)?;
    Ok((delete.chat_id, Change::Delete(delete.seq)))
}

pub(in crate::commands) fn delete_messages(app: &App, asker: &Asker, delete: &DeleteMessages) -> Asked {
    if !(1..=limit::DELETED).contains(&delete.seqs.len()) {
        return Err(WireError::new(ErrorCode::TooLarge, "1 to 100 messages are deleted at once"));
    }
    let mut seqs = delete.seqs.clone();
    seqs.sort_unstable();
    seqs.dedup();
    if seqs.len() < delete.seqs.len() {
        return Err(WireError::new(ErrorCode::BadRequest, "a message is named twice"));
    }
    // What is cheaper together costs less than as many messages.
    app.limits.messages(asker.user, seqs.len().div_ceil(10))?;
    Ok((delete.chat_id, Change::DeleteSome(seqs)))
}

pub(in crate::commands) fn react(app: &App, asker: &Asker, react: &React) -> Asked {
    app.limits.message(asker.user)?;
    let emoji = react.emoji.as_deref().map(text::check_reaction).transpose()?;
    Ok((react.chat_id, Change::React(react.seq, emoji)))
}

pub(in crate::commands) fn remove_member(app: &App, asker: &Asker, remove: &RemoveMember) -> Asked {
    app.limits.command(asker.user)?;
    Ok((remove.chat_id, Change::Remove(remove.user_id)))
}

pub(in crate::commands) fn set_slow_mode(app: &App, asker: &Asker, set: &SetSlowMode) -> Asked {
    app.limits.message(asker.user)?;
    if set.seconds > limit::SLOW_SECONDS {
        return Err(WireError::new(ErrorCode::BadRequest, "at most a day lies between two posts"));
    }
    Ok((set.chat_id, Change::SetSlow(set.seconds)))
}

pub(in crate::commands) fn set_chat_settings(app: &App, asker: &Asker, set: &SetChatSettings) -> Asked {
    app.limits.command(asker.user)?;
    Ok((set.chat_id, Change::SetSettings(set.change)))
}

pub(in crate::commands) fn set_role(app: &App, asker: &Asker, set: &SetRole) -> Asked {
    app.limits.command(asker.user)?;
    Ok((set.chat_id, Change::SetRole(set.user_id, set.role)))
}

pub(in crate::commands) fn set_chat_rights(app: &App, asker: &Asker, set: &SetChatRights) -> Asked {
    app.limits.command(asker.user)?;
    Ok((set.chat_id, Change::SetRights(rights(&set.rights)?)))
}

pub(in crate::commands) fn set_admin_rights(app: &App, asker: &Asker, set: &SetAdminRights) -> Asked {
    app.limits.command(asker.user)?;
    Ok((set.chat_id, Change::SetAdminRights(set.user_id, rights(&set.rights)?)))
}

pub(in crate::commands) fn restrict_member(app: &App, asker: &Asker, restrict: &RestrictMember) -> Asked {
    app.limits.command(asker.user)?;
    Ok((restrict.chat_id, Change::Restrict(restrict.user_id, rights(&restrict.denied)?, restrict.until)))
}

pub(in crate::commands) fn unban_member(app: &App, asker: &Asker, unban: &UnbanMember) -> Asked {
    app.limits.command(asker.user)?;
    Ok((unban.chat_id, Change::Unban(unban.user_id)))
}

fn rights(list: &[Right]) -> Result<Rights, WireError> {
    Rights::of(list).ok_or_else(|| WireError::new(ErrorCode::BadRequest, "a right that this server does not know"))
}

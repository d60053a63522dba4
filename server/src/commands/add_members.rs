//! `add_members`: brings users in.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::Change,
    rights::{Action, may},
};
use chapar_protocol::{
    ErrorCode,
    command::{AddMembers, Changed},
    limit,
};

use super::{Asker, Outcome, Result, all_take_invitations, knows, refuse, toll};
use crate::{app::App, store::people::known::all_known};

pub(super) async fn run(app: Arc<App>, asker: Asker, add: AddMembers) -> Result<Changed> {
    app.limits.creation(asker.user)?;
    if add.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    // Looked at before, so that nobody pays for what is refused anyway.
    let inside = app.store.chats.inside_as(add.chat_id, asker.user).await?;
    may(inside.place, asker.user, Some(&inside.standing), Action::Add)?;
    let known = knows(&app, &asker, &add.user_ids).await?;
    all_known(&known, &add.user_ids)?;
    let there = app.store.chats.ever_inside(add.chat_id, &add.user_ids).await?;
    let newcomers: Vec<_> = add.user_ids.into_iter().filter(|user| there.get(user) != Some(&true)).collect();
    all_take_invitations(&app, &asker, &newcomers).await?;
    app.store.people.pay(asker.user, &toll(&app, &asker, &known, &newcomers).await?).await?;
    let near = known.iter().filter(|it| it.has_answered()).map(|it| it.user).collect();
    let version = app.committer.change(Principal::User(asker.user), add.chat_id, Change::Add(newcomers, near)).await?;
    Ok(Outcome::new(Changed { version }))
}

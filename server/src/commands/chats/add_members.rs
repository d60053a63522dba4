//! `add_members`: brings users in.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::Change,
    rights::{self, may},
};
use chapar_protocol::{
    Action, ErrorCode,
    command::{AddMembers, Changed},
    limit,
};

use crate::commands::{Asker, Outcome, Result, all_take_invitations, refuse, toll};
use crate::{app::App, store::people::known::Known};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, add: AddMembers) -> Result<Changed> {
    app.limits.creation(asker.user)?;
    if add.user_ids.len() > limit::USERS_PER_COMMAND {
        return refuse(ErrorCode::TooLarge, "at most 200 users at once");
    }
    // Looked at before, so that nobody pays for what is refused anyway.
    let inside = app.store.chats.inside_as(add.chat_id, asker.user).await?;
    may(inside.place, asker.user, Some(&inside.standing), rights::Action::Add)?;
    let named = crate::commands::named(&app, &asker, &add.user_ids).await?;
    let there = app.store.chats.ever_inside(add.chat_id, &add.user_ids).await?;
    let newcomers: Vec<_> = add.user_ids.into_iter().filter(|user| there.get(user) != Some(&true)).collect();
    all_take_invitations(&named, &newcomers)?;
    let toll = toll(&app, &asker, &named, &newcomers);
    app.store.people.pay(asker.user, &toll).await?;
    let near = named.doors.iter().map(|door| door.of).filter(Known::has_answered).map(|it| it.user).collect();
    let change = Change::Add(newcomers, near);
    match app.committer.change(Principal::User(asker.user), add.chat_id, change).await {
        Ok(version) => Ok(Outcome::new(Changed { version })),
        // Refused for good: nobody was put there. Whoever is to try again may have been heard.
        Err(error) if error.action == Action::GiveUp => {
            app.store.people.give_back(asker.user, &toll).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

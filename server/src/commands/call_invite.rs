//! `call_invite`: calls somebody.

use std::sync::Arc;

use chapar_protocol::{WireError, call::Party, command::CallInvite, frame};

use super::{Asker, Outcome, Pending, Request, apart, count_error, refused};
use crate::app::App;

/// Takes the first place in the call's lane at once, so that what is asked of the call after it finds it there.
pub(super) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    let invite = match accept(app, asker, request.params) {
        Ok(invite) => invite,
        Err(error) => {
            count_error(app, &error);
            return refused(request.id, &error);
        }
    };
    let mut turn = app.calls.queue(invite.call_id);
    let who = Party { user_id: asker.user, device_id: asker.device };
    let calls = app.calls.clone();
    let work = async move {
        turn.come().await;
        Ok(Outcome::new(calls.invite(who, invite).await?))
    };
    apart::<CallInvite>(app, asker, request.id, work)
}

fn accept(app: &App, asker: &Asker, params: &str) -> Result<CallInvite, WireError> {
    let invite: CallInvite = frame::parse_params(params)?;
    app.limits.call(asker.user, invite.user_id)?;
    Ok(invite)
}

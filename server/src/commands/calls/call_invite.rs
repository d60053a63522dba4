//! `call_invite`: calls somebody.

use std::sync::Arc;

use chapar_protocol::{WireError, call::Party, command::CallInvite, frame};

use crate::app::App;
use crate::commands::{Asker, Pending, Request, answered, count_error, refused};

/// Takes the first place in the call's lane at once, so that what is asked of the call after it finds it there.
pub(in crate::commands) fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    match accept(app, asker, request.params) {
        Ok(invite) => {
            let who = Party { user_id: asker.user, device_id: asker.device };
            answered(app, request.id, app.calls.invite(who, invite))
        }
        Err(error) => {
            count_error(app, &error);
            refused(request.id, &error)
        }
    }
}

fn accept(app: &App, asker: &Asker, params: &str) -> Result<CallInvite, WireError> {
    let invite: CallInvite = frame::parse_params(params)?;
    app.limits.call(asker.user, invite.user_id)?;
    Ok(invite)
}

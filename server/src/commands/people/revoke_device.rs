//! `revoke_device`: signs one of the caller's devices out, everywhere at once.

use std::sync::Arc;

use chapar_protocol::command::{Done, RevokeDevice};

use crate::commands::{Asker, Outcome, Result};
use crate::{app::App, store::people::accounts::Which};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, revoke: RevokeDevice) -> Result<Done> {
    // One that is gone already is as it should be: a retry succeeds.
    for device in app.store.people.revoke_devices(asker.user, Which::Only(revoke.device_id)).await? {
        app.signed_out(asker.user, device).await;
    }
    Ok(Outcome::new(Done {}))
}

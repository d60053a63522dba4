//! `revoke_other_devices`: signs all of the caller's devices out but the one that asks, everywhere at once.

use std::sync::Arc;

use chapar_protocol::command::{Done, RevokeOtherDevices};

use crate::commands::{Asker, Outcome, Result};
use crate::{app::App, store::people::accounts::Which};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, _: RevokeOtherDevices) -> Result<Done> {
    for device in app.store.people.revoke_devices(asker.user, Which::AllBut(asker.device)).await? {
        app.signed_out(asker.user, device).await;
    }
    Ok(Outcome::new(Done {}))
}

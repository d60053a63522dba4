//! `revoke_device`: signs one of the caller's devices out, everywhere at once.

use std::sync::Arc;

use chapar_protocol::command::{Done, RevokeDevice};

use super::{Asker, Effect, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, revoke: RevokeDevice) -> Result<Done> {
    let revoked = app.store.revoke_devices(asker.user, Some(revoke.device_id)).await?;
    for device in &revoked {
        app.calls.signed_out(asker.user, *device).await;
    }
    // One that is gone already is as it should be: a retry succeeds.
    Ok(revoked.into_iter().fold(Outcome::new(Done {}), |outcome, device| outcome.and(Effect::Revoked(device))))
}

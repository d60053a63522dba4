//! `get_devices`: the caller's signed-in devices.

use std::sync::Arc;

use chapar_protocol::command::{Devices, GetDevices};

use super::{Asker, Outcome, Result};
use crate::app::App;

pub(super) async fn run(app: Arc<App>, asker: Asker, _: GetDevices) -> Result<Devices> {
    Ok(Outcome::new(Devices { devices: app.store.people.devices(asker.user, Some(asker.device)).await? }))
}

//! `get_devices`: the caller's signed-in devices.

use std::sync::Arc;

use chapar_protocol::command::{Devices, GetDevices};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, _: GetDevices) -> Result<Devices> {
    Ok(Outcome::new(Devices { devices: app.store.people.devices(asker.user, Some(asker.device)).await? }))
}

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Device, DeviceId};

params! {
    /// The own devices.
    GetDevices {}
    /// The answer to [`GetDevices`].
    Devices {
        /// The newest first.
        devices: Vec<Device>,
    }
    /// Signs one of the own devices out, at once and on every node.
    RevokeDevice {
        /// Which. The own one closes this connection.
        device_id: DeviceId,
    }
    /// Signs all of the own devices out but the one that asks, at once and on every node.
    RevokeOtherDevices {}
}

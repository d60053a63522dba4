//! People, their devices, and the HTTP requests that make and end them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{DeviceId, FileId, Timestamp, UserId};

/// What everybody may know of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Unique name in lower case, `a–z 0–9 _`.
    pub handle: String,
    /// The name that people see.
    pub name: String,
    /// The picture that people see, at `/files/avatar/<id>/80` and `…/320`, without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub photo: Option<FileId>,
}

/// One signed-in device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// What the device called itself when it signed in.
    pub name: String,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last connected.
    pub last_seen_at: Timestamp,
    /// Whether it is the device that asks.
    pub current: bool,
}

/// `POST /api/v1/register`: makes an account and signs its first device in.
#[derive(Clone, Serialize, Deserialize, JsonSchema, TS)]
pub struct Register {
    /// The wished handle; upper case is folded to lower.
    pub handle: String,
    /// 8 to 1024 bytes.
    pub password: String,
    /// The name that people see; the handle when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// What the device calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub device: Option<String>,
}

/// `POST /api/v1/sign-in`: signs a device in.
#[derive(Clone, Serialize, Deserialize, JsonSchema, TS)]
pub struct SignIn {
    /// The handle.
    pub handle: String,
    /// The password.
    pub password: String,
    /// What the device calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub device: Option<String>,
}

/// The answer to [`Register`] and [`SignIn`].
#[derive(Clone, Serialize, Deserialize, JsonSchema, TS)]
pub struct SignedIn {
    /// The secret of this device: `Authorization: Bearer …` over HTTP, `token` in `hello`. It is shown once.
    pub token: String,
    /// Who signed in.
    pub user: User,
    /// Which device this is now.
    pub device_id: DeviceId,
}

/// `POST /api/v1/admin/users`: makes accounts in bulk, for operators and load tests. They have no password.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, TS)]
pub struct BulkUsers {
    /// How many, at most 10,000 a request.
    pub count: u32,
    /// The handles are this prefix and a number.
    pub prefix: String,
}

/// The answer to [`BulkUsers`].
#[derive(Clone, Serialize, Deserialize, JsonSchema, TS)]
pub struct BulkUsersMade {
    /// In the order of their numbers.
    pub users: Vec<SignedIn>,
}

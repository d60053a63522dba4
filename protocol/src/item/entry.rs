//! What the server tells a person of how they came into a chat, or out of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Timestamp, media::is_false};

/// See [`super::OwnItem::Removed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ToldRemoval {
    /// The chat's title then.
    pub title: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// See [`super::OwnItem::JoinRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct AskedToJoin {
    /// The chat's title then.
    pub title: String,
    /// Since when.
    pub at: Timestamp,
    /// They were not let in.
    #[serde(default, skip_serializing_if = "is_false")]
    #[ts(as = "Option<bool>", optional)]
    pub declined: bool,
}

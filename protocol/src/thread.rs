//! Threads: the comments on a channel's posts, in the group that belongs to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq};

/// What belongs together: a channel, and the group in which its posts are discussed. Each says it of the other; where only one does, it holds for
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Discussion {
    /// Of a channel its group, of a group its channel.
    pub chat_id: ChatId,
    /// Of a channel: its last post before it was so. Those after it have comments.
    pub since: Seq,
}

/// The comments on a channel's post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Comments {
    /// The group in which they stand.
    pub chat_id: ChatId,
    /// The post as it stands there: with it the thread begins.
    pub seq: Seq,
    /// How many there are, as last told.
    pub count: u32,
}

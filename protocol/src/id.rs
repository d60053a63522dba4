//! Identifiers and counters. All are whole numbers from 1 to 2^53 − 1, so that JavaScript reads them exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS,
        )]
        #[serde(transparent)]
        #[ts(type = "number")]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A person or a bot.
    UserId
);
number!(
    /// One signed-in device of a user: a session with its own token.
    DeviceId
);
number!(
    /// A direct chat, a group or a channel.
    ChatId
);
number!(
    /// The place of a message in its chat: 1, 2, 3 … without holes. 0 stands before the first.
    Seq
);
number!(
    /// The count of changes of a chat, or of what belongs to one user: 1, 2, 3 … without holes. 0 stands before the first.
    Version
);

impl Seq {
    /// The seq that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Version {
    /// The version that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

//! Identifiers and counters. All are whole numbers from 1 to 2^53 − 1, so that JavaScript reads them exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use ts_rs::TS;

/// The largest whole number that every client can write exactly: 2^53 − 1.
pub(crate) const MOST: i64 = (1 << 53) - 1;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, TS)]
        #[serde(transparent)]
        #[ts(type = "number")]
        pub struct $name(#[schemars(range(min = 0, max = MOST))] pub i64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = i64::deserialize(deserializer)?;
                if !(0..=MOST).contains(&number) {
                    return Err(D::Error::custom("a number from 0 to 2^53 - 1 stands here"));
                }
                Ok(Self(number))
            }
        }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Difference, Hello};

    #[test]
    fn what_no_client_counts_to_is_no_number() {
        for bad in ["-1", "9007199254740992", "1.5", "\"1\"", "null", "-9223372036854775808"] {
            assert!(serde_json::from_str::<Version>(bad).is_err(), "{bad}");
            let cursor = format!(r#"{{"chats":[[1,{bad}]]}}"#);
            assert!(serde_json::from_str::<Difference>(&cursor).is_err(), "{bad}");
            let resume = format!(r#"{{"token":"","resume":{{"epochs":[],"user_version":{bad},"chats":[]}}}}"#);
            assert!(serde_json::from_str::<Hello>(&resume).is_err(), "{bad}");
        }
        for good in [0, 1, MOST] {
            assert_eq!(serde_json::from_str::<Seq>(&good.to_string()).expect("a number"), Seq(good));
        }
    }
}

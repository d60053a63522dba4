use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Seq, UserId, Version, poll::OwnVote};

params! {
    /// Answers a poll, changes one's answer, or takes it back. Whoever asks twice has voted once.
    Vote {
        /// Where.
        chat_id: ChatId,
        /// Which message.
        seq: Seq,
        /// The places of what one chooses, from 0; none to take it back.
        options: Vec<u8>,
    }
    /// The answer to [`Vote`].
    Voted {
        /// The chat's version after it. The counts arrive in a delta: do not move the cursor by this.
        version: Version,
        /// As it stands now.
        vote: OwnVote,
    }
    /// Ends a poll of one's own: nobody can vote any more, and a quiz tells all what is right.
    ClosePoll {
        /// Where.
        chat_id: ChatId,
        /// Which message.
        seq: Seq,
    }
    /// Who has chosen an answer of a public poll, by user id.
    GetVoters {
        /// Where.
        chat_id: ChatId,
        /// Which message.
        seq: Seq,
        /// The place of the answer, from 0.
        option: u8,
        /// What the last page said; absent for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
    /// The answer to [`GetVoters`].
    Voters {
        /// At most 200. There may be none although more follow.
        user_ids: Vec<UserId>,
        /// Ask again with it; absent at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        after: Option<UserId>,
    }
}

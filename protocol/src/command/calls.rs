use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    Timestamp, UserId,
    call::{CallAsk, CallEntry, CallId, CallIssue, CallMedia, IceServer, Offer, RelayInfo, RelayRoundTrip},
};

params! {
    /// Calls somebody who has written in the direct chat with the asking user, or opened it. Asked over the connection of the device that calls.
    CallInvite {
        /// Made by the calling device, new for each call, the same for each retry.
        call_id: CallId,
        /// Whom.
        user_id: UserId,
        /// What is wished for.
        media: CallMedia,
        /// Relay candidates only, for the whole call. Until the callee has accepted it is so for every call.
        #[serde(default)]
        relay_only: bool,
        /// The offer of generation 1, with relay candidates at most. Saves a round trip.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        offer: Option<Offer>,
    }
    /// Anything that a device asks of a call that it was told of. What comes of it arrives as events.
    AskCall {
        /// Which call.
        call_id: CallId,
        /// What for.
        #[serde(flatten)]
        ask: CallAsk,
    }
    /// The relays, to measure the round trip to each.
    GetRelays {}
    /// The answer to [`GetRelays`].
    Relays {
        /// At most 64.
        relays: Vec<RelayInfo>,
    }
    /// Credentials for one call, at the relays that are nearest to the asking device.
    CallRelays {
        /// Which call; it need not exist yet.
        call_id: CallId,
        /// What was measured, at most 64. Without, the server guesses.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<RelayRoundTrip>>", optional)]
        round_trips: Vec<RelayRoundTrip>,
    }
    /// The answer to [`CallRelays`].
    CallServers {
        /// The nearest first, at most 3. None when the operator runs no relay.
        servers: Vec<IceServer>,
        /// Until when the credentials open a new allocation. An allocation that exists outlives them.
        expires_at: Timestamp,
    }
    /// How the person found a call that has ended.
    RateCall {
        /// Which.
        call_id: CallId,
        /// 1 (bad) to 5 (excellent).
        stars: u8,
        /// What was wrong.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(as = "Option<Vec<CallIssue>>", optional)]
        issues: Vec<CallIssue>,
    }
    /// The own call log, the latest first.
    GetCalls {
        /// Only those before this one; absent for the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        before: Option<CallId>,
        /// How many, 1 to 100.
        limit: u32,
    }
    /// The answer to [`GetCalls`].
    Calls {
        /// The latest first.
        calls: Vec<CallEntry>,
        /// Whether there are more.
        more: bool,
    }
    /// The person has seen the missed calls: their counter is 0 again, on all own devices.
    SeeCalls {}
}

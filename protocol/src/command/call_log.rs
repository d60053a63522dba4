use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::call::{CallEntry, CallId};

params! {
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

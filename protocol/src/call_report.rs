//! What an operator is told about many calls: whether they came about, how they sounded, whether people were satisfied.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// By what calls are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallsBy {
    /// The day on which they ended.
    Day,
    /// The region of the relay on a side.
    Region,
    /// The relay on a side.
    Relay,
    /// The network of a side's device.
    Network,
    /// Why they ended.
    Reason,
    /// How media reached the other side.
    Path,
}

impl CallsBy {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Day, Self::Region, Self::Relay, Self::Network, Self::Reason, Self::Path];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Region => "region",
            Self::Relay => "relay",
            Self::Network => "network",
            Self::Reason => "reason",
            Self::Path => "path",
        }
    }
}

/// `GET /api/v1/admin/calls?from=…&to=…&by=…`: the calls that ended in these days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallReport {
    /// The first day, as `YYYY-MM-DD`.
    pub from: String,
    /// The last day.
    pub to: String,
    /// How far the days are ahead of UTC, as `+03:30`.
    pub utc_offset: String,
    /// By what.
    pub by: CallsBy,
    /// In the order of the day, or those with the most calls first.
    pub lines: Vec<CallFigures>,
    /// All lines together.
    pub total: CallFigures,
}

/// Calls that have something in common. By day and by reason a call counts once; by region, relay, network and path each
/// of its two sides counts, since they may differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallFigures {
    /// What they have in common: a day as `YYYY-MM-DD`, a name, or empty where nothing was reported.
    pub value: String,
    /// How many.
    #[ts(type = "number")]
    pub calls: u64,
    /// Those that were answered.
    #[ts(type = "number")]
    pub answered: u64,
    /// Those in which media flowed both ways.
    #[ts(type = "number")]
    pub connected: u64,
    /// Connected of answered, 0 to 1.
    pub setup_success: Option<f64>,
    /// Half of the set-ups took at most this, in seconds from the answer to media on both sides.
    pub setup_seconds_p50: Option<f64>,
    /// 95 of 100 took at most this.
    pub setup_seconds_p95: Option<f64>,
    /// Sides of calls with a score.
    #[ts(type = "number")]
    pub scored: u64,
    /// Their mean opinion score by the E-model (ITU-T G.107), 1 to 4.5.
    pub mos: Option<f64>,
    /// The share of them with a score below 3.1, 0 to 1.
    pub poor: Option<f64>,
    /// People who rated.
    #[ts(type = "number")]
    pub rated: u64,
    /// The share of them who gave 4 or 5 stars, 0 to 1.
    pub satisfied: Option<f64>,
    /// The lower end of the 95 % interval of that share.
    pub satisfied_low: Option<f64>,
    /// Its upper end.
    pub satisfied_high: Option<f64>,
    /// The mean of the stars.
    pub stars: Option<f64>,
}

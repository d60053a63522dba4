//! What is measured and said of calls, the relays that carry them, and their log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{CallId, CallMedia, EndReason};
use crate::{ChatId, Timestamp, UserId};

/// How a device is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum NetworkClass {
    /// A cable.
    Wired,
    /// Wi-Fi.
    Wifi,
    /// Mobile, of any generation.
    Mobile,
    /// It does not say, or something newer than this list.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How media reaches the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// Without a relay.
    Direct,
    /// Over a relay, by UDP.
    RelayUdp,
    /// Over a relay, by TCP.
    RelayTcp,
    /// Over a relay, by TLS.
    RelayTls,
    /// It does not say, or something newer than this list.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Where a candidate comes from (RFC 8445 section 5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum CandidateType {
    /// Of an interface of the device.
    Host,
    /// Seen by a STUN server.
    Srflx,
    /// Seen by the other side.
    Prflx,
    /// Of a relay.
    Relay,
    /// It does not say.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How audio is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum AudioCodec {
    /// Opus (RFC 7587).
    Opus,
    /// Opus within RED (RFC 2198).
    Red,
    /// It does not say, or something newer than this list.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What one side measured since its last report, every 5 s. Holds no address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct QualityReport {
    /// Round trip of the media path, in milliseconds, at most 60 000.
    pub round_trip_ms: u32,
    /// Jitter of what arrives, in milliseconds, at most 60 000.
    pub jitter_ms: u32,
    /// Lost of 1000 packets on the way here, before repair.
    pub lost_per_mille: u32,
    /// Not played of 1000 packets: lost or late, and not repaired by FEC or RED.
    pub concealed_per_mille: u32,
    /// Lost of 1000 packets on the way to the other side, as it says.
    pub lost_there_per_mille: u32,
    /// Bits a second that arrive, at most 100 000 000.
    pub bit_rate_in: u32,
    /// Bits a second that leave, at most 100 000 000.
    pub bit_rate_out: u32,
    /// The length of an audio frame, in milliseconds, 10 to 120.
    pub frame_ms: u32,
    /// How media reaches the other side.
    #[serde(default)]
    pub path: PathKind,
    /// How the device is connected.
    #[serde(default)]
    pub network: NetworkClass,
    /// The own end of the path.
    #[serde(default)]
    pub local: CandidateType,
    /// The other end of the path.
    #[serde(default)]
    pub remote: CandidateType,
    /// How audio that arrives is coded.
    #[serde(default)]
    pub codec: AudioCodec,
    /// The name of the relay on this side of the path, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub relay: Option<String>,
}

/// A relay that clients can measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct RelayInfo {
    /// Its name, by which it is measured and reported.
    pub name: String,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// `stun:` URLs (RFC 7064).
    pub stun: Vec<String>,
}

/// A relay with credentials for one person in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct IceServer {
    /// The relay's name.
    pub name: String,
    /// Where it stands.
    pub region: String,
    /// `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065), the fastest transport first.
    pub urls: Vec<String>,
    /// For `turn:` and `turns:`.
    pub username: String,
    /// For `turn:` and `turns:`.
    pub credential: String,
}

/// How long a relay took to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct RelayRoundTrip {
    /// Its name.
    pub relay: String,
    /// In milliseconds.
    pub ms: u32,
}

/// What was wrong with a call, in the person's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum CallIssue {
    /// Gaps in the sound.
    Choppy,
    /// Late answers.
    Delay,
    /// An echo.
    Echo,
    /// Noise.
    Noise,
    /// Too quiet.
    Quiet,
    /// One could not hear the other.
    OneWay,
    /// It took long to connect.
    SlowStart,
    /// It broke off.
    Dropped,
    /// The picture.
    Video,
    /// Something else, or something newer than this list.
    #[serde(other)]
    Other,
}

/// A line of the call log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct CallEntry {
    /// Which call.
    pub call_id: CallId,
    /// In which direct chat.
    pub chat_id: ChatId,
    /// Who called.
    pub caller: UserId,
    /// Who was called.
    pub callee: UserId,
    /// What it carried at its most.
    pub media: CallMedia,
    /// Why it ended.
    #[serde(flatten)]
    pub reason: EndReason,
    /// When it began to ring.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How long the two were connected, in seconds; 0 when they never were.
    pub seconds: u32,
}

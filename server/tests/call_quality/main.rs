//! What calls measure, how people rate them, and what an operator reads of it; against real nodes, Postgres and Redis.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
mod support;

#[path = "../calls/phone.rs"]
#[expect(dead_code, reason = "the scenarios of calls use the rest of it")]
mod phone;

mod a_call_is_measured_and_rated;
mod a_node_dies_in_mid_call;
mod an_operator_looks_at_calls;

use chapar_protocol::call::{AudioCodec, CallAsk, CallId, CandidateType, NetworkClass, PathKind, QualityReport};

use crate::{phone::Phone as _, support::Device};

/// What a device measures on a good network.
pub fn measured(network: NetworkClass) -> QualityReport {
    QualityReport {
        round_trip_ms: 100,
        jitter_ms: 10,
        lost_per_mille: 30,
        concealed_per_mille: 10,
        lost_there_per_mille: 20,
        bit_rate_in: 30_000,
        bit_rate_out: 28_000,
        frame_ms: 20,
        path: PathKind::Direct,
        network,
        local: CandidateType::Host,
        remote: CandidateType::Srflx,
        codec: AudioCodec::Red,
        relay: None,
    }
}

/// The score of [`measured`], by hand: one way is 50 + 20 + 20 + 6.5 = 96.5 ms, Id = 2.316; 1 % is concealed, Ie,eff =
/// 95 / 26.1 = 3.6398; R = 87.2442; MOS = 1 + 3.053547 + 87.2442 · 27.2442 · 12.7558 · 7e-6.
pub const SCORE: f64 = 4.265_78;

/// Reports once.
pub async fn reports(device: &Device, call: CallId, report: QualityReport) {
    device.asks(call, CallAsk::Alive { revision: 0, report: Some(report) }).await;
}

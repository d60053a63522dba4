//! What the peer connection measured, as the server is told it.

use std::time::Duration;

use chapar_protocol::call::{AudioCodec, NetworkClass, PathKind, QualityReport};

use crate::calls::peer::Measurement;

/// Within the bounds that the server takes.
pub(super) fn report(measured: &Measurement) -> QualityReport {
    let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).min(60_000);
    let played = &measured.played;
    let all = played.played + played.fec + played.concealed;
    let concealed = (played.concealed * 1_000).checked_div(all).unwrap_or(0);
    QualityReport {
        round_trip_ms: millis(measured.round_trip.unwrap_or_default()),
        jitter_ms: millis(measured.jitter),
        lost_per_mille: per_mille(measured.loss_in),
        concealed_per_mille: u32::try_from(concealed).unwrap_or(1_000).min(1_000),
        lost_there_per_mille: per_mille(measured.loss_out),
        bit_rate_in: measured.bit_rate_in.min(100_000_000),
        bit_rate_out: measured.bit_rate_out.min(100_000_000),
        frame_ms: measured.plan.map_or(20, |plan| plan.frame_ms),
        path: if measured.path == PathKind::Unknown { PathKind::Direct } else { measured.path },
        network: NetworkClass::Unknown,
        local: measured.local,
        remote: measured.remote,
        codec: if measured.red_in { AudioCodec::Red } else { AudioCodec::Opus },
        relay: measured.relay.clone(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1000 before")]
fn per_mille(fraction: f32) -> u32 {
    (fraction * 1_000.0).round().clamp(0.0, 1_000.0) as u32
}

//! From frames to payloads.

use std::collections::VecDeque;

use opusic_c::ErrorCode;

use super::{
    FRAME, Frame,
    codec::{Coding, DTX_LENGTH, Encode},
    controller::Plan,
    red::{self, Block},
};

/// Silence is told again after so many samples, so that the other side can tell it from a dead path.
const SILENCE_AGAIN: u32 = 9_600;
/// The most copies that are ever sent.
pub(crate) const MAX_DEPTH: usize = 3;

/// A payload for RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// In RED, or bare Opus.
    pub(crate) red: bool,
    /// When it began, in samples.
    pub(crate) timestamp: u32,
    /// The first after silence.
    pub(crate) marker: bool,
    /// The bytes.
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Sender {
    encoder: Encode,
    plan: Plan,
    /// The payload type of Opus, which RED names.
    opus: u8,
    red: bool,
    timestamp: u32,
    gathered: Vec<i16>,
    sent: VecDeque<(u32, Vec<u8>)>,
    silent_since: Option<u32>,
}

impl Sender {
    /// `red` when both sides can.
    pub(crate) fn new(opus: u8, red: bool, timestamp: u32, plan: Plan) -> Result<Self, ErrorCode> {
        Ok(Self {
            encoder: Encode::new()?,
            plan,
            opus,
            red,
            timestamp,
            gathered: Vec::with_capacity(3 * FRAME),
            sent: VecDeque::with_capacity(MAX_DEPTH + 1),
            silent_since: None,
        })
    }

    /// Takes effect with the next packet.
    pub(crate) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Takes 20 ms; now and then there is a packet to send.
    pub(crate) fn push(&mut self, frame: &Frame) -> Result<Option<Outgoing>, ErrorCode> {
        self.gathered.extend_from_slice(frame);
        if self.gathered.len() < self.plan.frames() * FRAME {
            return Ok(None);
        }
        self.encoder.set(Coding {
            bit_rate: self.plan.bit_rate,
            fec: self.plan.fec,
            expected_loss: self.plan.expected_loss,
            dtx: self.plan.dtx,
        })?;
        // A plan that became shorter in the middle: what was gathered goes as it is, 20, 40 or 60 ms.
        let payload = self.encoder.encode(&self.gathered)?;
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(u32::try_from(self.gathered.len()).unwrap_or(0));
        self.gathered.clear();
        Ok(self.packet(timestamp, payload))
    }

    fn packet(&mut self, timestamp: u32, payload: Vec<u8>) -> Option<Outgoing> {
        if payload.len() <= DTX_LENGTH {
            if self.silent_since.is_some_and(|since| timestamp.wrapping_sub(since) < SILENCE_AGAIN) {
                return None;
            }
            self.silent_since = Some(timestamp);
            self.sent.clear();
            return Some(Outgoing { red: false, timestamp, marker: false, payload });
        }
        let marker = self.silent_since.take().is_some();
        let depth = if self.red { self.plan.redundancy.min(MAX_DEPTH) } else { 0 };
        let skip = self.sent.len().saturating_sub(depth);
        let copies: Vec<Block<'_>> = self
            .sent
            .iter()
            .skip(skip)
            .map(|(then, payload)| Block { offset: timestamp.wrapping_sub(*then), payload })
            .collect();
        // RED without a copy would only cost a byte.
        let red = !copies.is_empty();
        let bytes = if red { red::pack(self.opus, &payload, &copies) } else { payload.clone() };
        self.sent.push_back((timestamp, payload));
        if self.sent.len() > MAX_DEPTH {
            self.sent.pop_front();
        }
        Some(Outgoing { red, timestamp, marker, payload: bytes })
    }
}

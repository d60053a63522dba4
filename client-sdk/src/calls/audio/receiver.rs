//! From payloads to frames: RED is taken apart, the jitter buffer puts in order, Opus decodes. Bounded in memory and time,
//! whatever arrives.

use std::collections::VecDeque;

use super::{
    FRAME, Frame,
    codec::{Coded, DTX_LENGTH, Decode, duration},
    jitter::{Counted, Jitter, Millis, Play},
    red,
};

/// Below this a frame is hardly heard: −50 dB of full scale, as the mean of the magnitudes.
const QUIET: u64 = 80;

/// What one stream of RTP payloads sounds like.
pub struct Receiver {
    decoder: Decode,
    jitter: Jitter,
    decoded: VecDeque<i16>,
    quiet: bool,
    heard: bool,
}

impl Receiver {
    /// A receiver that has heard nothing yet; `fec`: what is lost may be asked of the packet after it. `None` when there is
    /// no memory for a decoder.
    pub fn new(fec: bool) -> Option<Self> {
        Some(Self {
            decoder: Decode::new().ok()?,
            jitter: if fec { Jitter::new() } else { Jitter::without_fec() },
            decoded: VecDeque::new(),
            quiet: true,
            heard: false,
        })
    }

    /// Takes a payload of RTP: bare Opus, or RED (RFC 2198) whose blocks are of payload type `red_of`. What is malformed is passed over. `now` never goes back; `timestamp` counts samples at 48 kHz, and wraps.
    pub fn push(&mut self, now: Millis, timestamp: u32, payload: &[u8], red_of: Option<u8>) {
        let Some(kind) = red_of else { return self.push_block(now, timestamp, payload, false) };
        let Some(blocks) = red::unpack(payload, kind) else { return };
        // The packet's own first: it is the newest, and says when it arrived.
        for block in blocks.iter().rev() {
            self.push_block(now, timestamp.wrapping_sub(block.offset), block.payload, block.offset > 0);
        }
    }

    fn push_block(&mut self, now: Millis, timestamp: u32, payload: &[u8], copy: bool) {
        let Some(samples) = duration(payload) else { return };
        self.jitter.push(now, timestamp, payload, samples, payload.len() <= DTX_LENGTH, copy);
    }

    /// The next 20 ms; `None` before the first.
    pub fn pull(&mut self, now: Millis, frame: &mut Frame) -> Option<()> {
        while self.decoded.len() < FRAME {
            let coded = self.jitter.pull(now, self.quiet);
            let done = match &coded {
                Play::Nothing => return None,
                Play::Payload(payload) => self.decoder.decode(Coded::Packet(payload), &mut self.decoded),
                Play::Before(payload, samples) => {
                    self.decoder.decode(Coded::Before(payload, *samples), &mut self.decoded)
                }
                Play::Conceal { samples, .. } | Play::Stretch(samples) => {
                    self.decoder.decode(Coded::Nothing(*samples), &mut self.decoded)
                }
            };
            // What cannot be decoded is what a stranger made up: silence in its place.
            if !matches!(done, Ok(1..)) {
                self.decoded.extend([0; FRAME]);
            }
        }
        for (sample, value) in frame.iter_mut().zip(self.decoded.drain(..FRAME)) {
            *sample = value;
        }
        let loudness: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        self.quiet = loudness < QUIET * FRAME as u64;
        self.heard = true;
        Some(())
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        self.jitter.counted()
    }

    /// How long sound waits in the jitter buffer, in milliseconds.
    pub fn delay_ms(&self) -> u64 {
        self.jitter.delay_ms()
    }
}

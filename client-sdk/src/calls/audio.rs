//! Audio: from samples to packets and back.
//!
//! ```text
//!  AudioSource ─▶ sender (Opus with FEC and DTX, RED) ─▶ RTP ─▶ network
//!  AudioSink ◀── receiver (RED, jitter buffer, Opus with FEC and concealment) ◀── RTP
//!                     controller: loss and round trip ─▶ frame length, bit rate, redundancy
//! ```
//!
//! Everything here but [`wav`] is pure: packets and moments go in, packets and frames come out.

pub(crate) mod codec;
pub mod controller;
pub mod jitter;
pub mod receiver;
pub mod red;
pub(crate) mod sender;
pub mod wav;

/// Samples a second.
pub const RATE: u32 = 48_000;
/// Samples in 20 ms.
pub const FRAME: usize = 960;
/// The length of a [`Frame`], in milliseconds.
pub const FRAME_MS: u64 = 20;

/// 20 ms of mono sound at 48 kHz.
pub type Frame = [i16; FRAME];

/// Where the sound comes from: a microphone, a file.
pub trait AudioSource: Send + 'static {
    /// Fills the next 20 ms. Called every 20 ms from the moment at which the person may be heard; must not block. What
    /// it leaves alone is silence.
    fn next(&mut self, frame: &mut Frame);
}

/// Where the sound goes: a speaker, a file.
pub trait AudioSink: Send + 'static {
    /// Plays the next 20 ms. Called every 20 ms once the other side is heard; must not block.
    fn play(&mut self, frame: &Frame);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl AudioSource for Silence {
    fn next(&mut self, _frame: &mut Frame) {}
}

impl AudioSink for Silence {
    fn play(&mut self, _frame: &Frame) {}
}

impl<T: AudioSource + ?Sized> AudioSource for Box<T> {
    fn next(&mut self, frame: &mut Frame) {
        (**self).next(frame);
    }
}

impl<T: AudioSink + ?Sized> AudioSink for Box<T> {
    fn play(&mut self, frame: &Frame) {
        (**self).play(frame);
    }
}

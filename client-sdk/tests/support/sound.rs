//! Tones to speak, ears that tell them apart, and two people who call each other.

use std::sync::{Arc, Mutex};

use chapar_client::calls::audio::{AudioSink, AudioSource, FRAME, Frame, RATE};

/// A tone of this many hertz.
pub(crate) struct Tone(pub(crate) f64, f64);

impl Tone {
    pub(crate) fn new(hertz: f64) -> Self {
        Self(hertz, 0.0)
    }
}

impl AudioSource for Tone {
    fn next(&mut self, frame: &mut Frame) {
        for sample in frame {
            self.1 += self.0 * std::f64::consts::TAU / f64::from(RATE);
            #[expect(clippy::cast_possible_truncation, reason = "8000 fits")]
            let value = (self.1.sin() * 8_000.0) as i16;
            *sample = value;
        }
    }
}

/// Remembers what was played.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Vec<i16>>>);

impl AudioSink for Ear {
    fn play(&mut self, frame: &Frame) {
        self.0.lock().expect("not poisoned").extend_from_slice(frame);
    }
}

impl Ear {
    /// How much of the energy of the last half second lies at a frequency, 0 to 1; 0 in silence.
    pub(crate) fn share(&self, hertz: f64) -> f64 {
        let samples = self.0.lock().expect("not poisoned");
        let last = &samples[samples.len().saturating_sub(RATE as usize / 2)..];
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        for (at, sample) in (0_u32..).zip(last) {
            let angle = f64::from(at) * hertz * std::f64::consts::TAU / f64::from(RATE);
            let value = f64::from(*sample);
            re += value * angle.cos();
            im += value * angle.sin();
            energy += value * value;
        }
        #[expect(clippy::cast_precision_loss, reason = "half a second of samples")]
        let count = last.len().max(1) as f64;
        // Nothing that is heard: −60 dB of full scale.
        if energy / count < 1_000.0 { 0.0 } else { 2.0 * (re * re + im * im) / (energy * count) }
    }

    pub(crate) fn frames(&self) -> usize {
        self.0.lock().expect("not poisoned").len() / FRAME
    }
}

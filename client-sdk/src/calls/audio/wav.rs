//! WAV files in the place of microphone and speaker, for bots and tests.

use std::{
    fs::File,
    io::BufWriter,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::{AudioSink, AudioSource, FRAME, Frame, RATE};

/// The longest file that is read, in samples at 48 kHz: an hour.
const MAX_SAMPLES: usize = 3_600 * RATE as usize;

/// Why a WAV file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It cannot be read or written.
    #[error("the WAV file: {0}")]
    File(#[from] hound::Error),
    /// Of a sort that is not read here.
    #[error("the WAV file must have 1 or 2 channels, 8 to 32 bits of integers or 32 of floats, at 8 to 192 kHz")]
    Format,
    /// Over an hour.
    #[error("the WAV file is over an hour long")]
    TooLong,
}

/// Speaks a file, once or again and again; silence after it.
#[derive(Debug)]
pub struct WavSource {
    samples: Vec<i16>,
    at: usize,
    again: bool,
}

impl WavSource {
    /// Reads a file into memory, mixed to one channel and brought to 48 kHz.
    ///
    /// # Errors
    /// [`WavError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WavError> {
        let reader = WavReader::open(path)?;
        let spec = reader.spec();
        if !(1..=2).contains(&spec.channels) || !(8_000..=192_000).contains(&spec.sample_rate) {
            return Err(WavError::Format);
        }
        if u64::from(reader.duration()) > u64::from(spec.sample_rate) * 3_600 {
            return Err(WavError::TooLong);
        }
        let values = floats(reader, spec)?;
        let mono: Vec<f32> = match spec.channels {
            2 => values.chunks(2).map(|pair| pair.iter().sum::<f32>() / 2.0).collect(),
            _ => values,
        };
        Ok(Self::from_samples(resample(&mono, spec.sample_rate)))
    }

    /// From samples at 48 kHz.
    pub fn from_samples(mut samples: Vec<i16>) -> Self {
        samples.truncate(MAX_SAMPLES);
        Self { samples, at: 0, again: false }
    }

    /// From the beginning again whenever it has ended.
    #[must_use]
    pub fn repeated(mut self) -> Self {
        self.again = true;
        self
    }
}

impl AudioSource for WavSource {
    fn next(&mut self, frame: &mut Frame) {
        if self.again && self.at >= self.samples.len() {
            self.at = 0;
        }
        let rest = &self.samples[self.at.min(self.samples.len())..];
        let count = rest.len().min(FRAME);
        frame[..count].copy_from_slice(&rest[..count]);
        self.at += count;
    }
}

/// Records into a file. The file is complete once the call is over or [`WavSink::finish`] was called on a clone.
#[derive(Clone)]
pub struct WavSink(Arc<Mutex<Option<WavWriter<BufWriter<File>>>>>);

impl WavSink {
    /// Makes the file: one channel, 16 bits, 48 kHz.
    ///
    /// # Errors
    /// [`WavError::File`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WavError> {
        let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        Ok(Self(Arc::new(Mutex::new(Some(WavWriter::create(path, spec)?)))))
    }

    /// Completes the file; what comes later is dropped.
    ///
    /// # Errors
    /// [`WavError::File`].
    pub fn finish(&self) -> Result<(), WavError> {
        let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.map_or(Ok(()), |writer| Ok(writer.finalize()?))
    }
}

impl AudioSink for WavSink {
    fn play(&mut self, frame: &Frame) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = writer.as_mut() else { return };
        if let Err(error) = frame.iter().try_for_each(|sample| open.write_sample(*sample)) {
            tracing::warn!(%error, "the recording ends here");
            *writer = None;
        }
    }
}

fn floats(reader: WavReader<std::io::BufReader<File>>, spec: WavSpec) -> Result<Vec<f32>, WavError> {
    let values: Result<Vec<f32>, hound::Error> = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Float, 32) => reader.into_samples::<f32>().collect(),
        (SampleFormat::Int, bits @ 8..=32) => {
            #[expect(clippy::cast_precision_loss, reason = "24 bits are far more than will be kept")]
            let scaled = |value: i32| value as f32 / (1_u64 << (bits - 1)) as f32;
            reader.into_samples::<i32>().map(|value| value.map(scaled)).collect()
        }
        _ => return Err(WavError::Format),
    };
    Ok(values?)
}

/// To 48 kHz by a windowed sinc of 32 taps: the source's band and nothing of its images.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions within an hour of samples, and samples clamped to their range"
)]
fn resample(values: &[f32], rate: u32) -> Vec<i16> {
    const HALF: i64 = 16;
    let to_sample = |value: f64| (value * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
    if rate == RATE {
        return values.iter().map(|value| to_sample(f64::from(*value))).collect();
    }
    let step = f64::from(rate) / f64::from(RATE);
    // Going down, the filter must also keep out what 48 kHz cannot hold.
    let cut = (1.0 / step).min(1.0);
    let count = (values.len() as f64 / step) as usize;
    let half = (HALF as f64 / cut).ceil() as i64;
    (0..count)
        .map(|number| {
            let place = number as f64 * step;
            let centre = place.floor() as i64;
            let sum: f64 = (centre - half + 1..=centre + half)
                .filter_map(|at| {
                    let value = f64::from(*values.get(usize::try_from(at).ok()?)?);
                    let distance = (at as f64 - place) * cut;
                    let angle = std::f64::consts::PI * distance;
                    let sinc = if distance.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
                    let window = 0.5 + 0.5 * (angle / HALF as f64).cos();
                    Some(value * sinc * window * cut)
                })
                .sum();
            to_sample(sum)
        })
        .collect()
}

//! Bytes of an upload, from a request to the disk: what has come counts, wherever the line is cut.

use std::{io, time::Duration};

use axum::body::Body;
use chapar_protocol::{ErrorCode, media::FileId};
use futures_util::StreamExt;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use crate::{
    Files,
    headers::Checksum,
    parts::Part,
    refusal::{Refusal, is_full},
    writers::{Hold, locked},
};

/// Bytes that are gathered before they are written: what one transfer takes of memory, twice.
const GATHERED: usize = 256 * 1024;
/// How long nothing may come.
const PAUSE: Duration = Duration::from_secs(30);
/// After so many bytes what has come is made durable: little is lost with the machine, and the end does not take long.
const DURABLE_EACH: u64 = 32 * 1024 * 1024;
/// How often the row hears of it.
const NOTED_EACH: Duration = Duration::from_secs(10);
/// Hashes of unfinished uploads that are kept; of others the file is read once more.
const HASHES: usize = 4096;

/// The hash of an upload, up to some length.
#[derive(Clone)]
pub(crate) struct Hashed {
    pub(crate) upto: u64,
    pub(crate) hash: Sha256,
}

/// What a request brings.
pub(crate) struct Incoming {
    /// Where its bytes belong.
    pub(crate) offset: u64,
    /// At most so many of them.
    pub(crate) most: u64,
    /// What vouches for them.
    pub(crate) checksum: Option<Checksum>,
    /// They.
    pub(crate) body: Body,
}

enum Digested {
    Sha1(Sha1),
    Sha256(Sha256),
}

/// Where bytes go. Everything here waits for the disk, so it runs on threads that may.
struct Sink {
    part: Part,
    length: u64,
    durable: u64,
    /// Of all the content; absent where the earlier part of it was not seen.
    content: Option<Sha256>,
    vouched: Option<Digested>,
}

impl Sink {
    fn open(files: &Files, file: FileId, offset: u64, checksum: Option<&Checksum>) -> Result<Self, Refusal> {
        let opened = files.parts.append(file);
        let part = match opened {
            Ok(part) => part.ok_or_else(locked)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Refusal::new(
                    ErrorCode::UploadGone,
                    "what there was of this upload is gone: begin it anew",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let length = part.length()?;
        if length != offset {
            let message = format!("the upload stands at offset {length}, not {offset}");
            return Err(Refusal::new(ErrorCode::UploadConflict, message));
        }
        let known = files.hashes.lock().remove(&file).filter(|known| known.upto == length);
        let content = if length == 0 { Some(Sha256::new()) } else { known.map(|known| known.hash) };
        let vouched = match checksum {
            None => None,
            Some(Checksum::Sha1(_)) => Some(Digested::Sha1(Sha1::new())),
            Some(Checksum::Sha256(_)) => Some(Digested::Sha256(Sha256::new())),
        };
        if vouched.is_some() {
            part.begin_unvouched()?;
        }
        Ok(Self { part, length, durable: length, content, vouched })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.part.write(bytes) {
            // Some of it may have been written: that counts, but has no hash.
            self.length = self.part.length()?;
            self.content = None;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
        match &mut self.vouched {
            None => {}
            Some(Digested::Sha1(hash)) => hash.update(bytes),
            Some(Digested::Sha256(hash)) => hash.update(bytes),
        }
        if self.vouched.is_none() && self.length - self.durable >= DURABLE_EACH {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.part.sync()?;
        self.durable = self.length;
        Ok(())
    }

    /// The request is over: what has come counts, unless it ought not.
    fn finish(&mut self, end: End, offset: u64, checksum: Option<&Checksum>) -> Result<(), Refusal> {
        match end {
            End::Whole => self.keep(offset, checksum),
            End::TooMany => {
                self.cut_back_to(offset)?;
                let message = "these are more bytes than the upload has: nothing of it was taken";
                Err(Refusal::new(ErrorCode::TooLarge, message))
            }
            End::Cut(why) => {
                self.keep(offset, None)?;
                Err(Refusal::new(ErrorCode::Unavailable, why).after_ms(1000))
            }
            End::Wanted => {
                self.keep(offset, None)?;
                Err(locked())
            }
            End::Disk(error) => {
                // Without room what was written can still be made durable; else nobody knows what was written.
                if is_full(&error) {
                    self.keep(offset, None)?;
                } else {
                    self.cut_back_to(self.durable)?;
                }
                Err(error.into())
            }
        }
    }

    /// Makes durable what has come, if a checksum says so where there is to be one.
    fn keep(&mut self, offset: u64, checksum: Option<&Checksum>) -> Result<(), Refusal> {
        let Some(vouched) = self.vouched.take() else { return Ok(self.sync()?) };
        let fits = match (vouched, checksum) {
            (Digested::Sha1(hash), Some(Checksum::Sha1(said))) => hash.finalize().as_slice() == said,
            (Digested::Sha256(hash), Some(Checksum::Sha256(said))) => hash.finalize().as_slice() == said,
            // The line was cut: nothing can vouch for it.
            _ => return Ok(self.cut_back_to(offset)?),
        };
        if fits {
            self.part.vouch()?;
            self.durable = self.length;
            return Ok(());
        }
        self.cut_back_to(offset)?;
        let message = "what came is not what the checksum says: nothing of it was taken";
        Err(Refusal::new(ErrorCode::ChecksumMismatch, message))
    }

    fn cut_back_to(&mut self, offset: u64) -> io::Result<()> {
        self.part.cut_back_to(offset)?;
        self.vouched = None;
        self.content = None;
        (self.length, self.durable) = (offset, offset);
        Ok(())
    }
}

/// Why a request's bytes came to an end.
enum End {
    /// All are there.
    Whole,
    /// The line was cut, or fell silent.
    Cut(&'static str),
    /// Another connection takes over.
    Wanted,
    /// There are more than may be.
    TooMany,
    /// The disk does not take them.
    Disk(io::Error),
}

impl Files {
    /// Appends what a request brings. Returns where the upload stands then.
    ///
    /// # Errors
    /// The upload stands where it stands: whoever is refused asks.
    pub(crate) async fn receive(&self, hold: Hold, file: FileId, incoming: Incoming) -> Result<u64, Refusal> {
        let Incoming { offset, most, checksum, body } = incoming;
        let this = self.clone();
        let (sink, checksum) = blocking(move || {
            let sink = Sink::open(&this, file, offset, checksum.as_ref())?;
            Ok::<_, Refusal>((sink, checksum))
        })
        .await?;
        hold.durable(sink.length);
        let (mut sink, end) = self.take_in(&hold, file, sink, body, most).await;
        self.metrics.upload_bytes.inc_by(sink.length.saturating_sub(offset));
        let _turn = self.disk.acquire().await;
        let this = self.clone();
        let (length, result) = blocking(move || {
            let result = sink.finish(end, offset, checksum.as_ref());
            if let Some(hash) = sink.content.take() {
                this.keep_hash(file, Hashed { upto: sink.length, hash });
            }
            (sink.length, result)
        })
        .await;
        hold.durable(length);
        result.map(|()| length)
    }

    async fn take_in(&self, hold: &Hold, file: FileId, mut sink: Sink, body: Body, most: u64) -> (Sink, End) {
        let mut chunks = body.into_data_stream();
        let (mut gathered, mut came, mut noted) = (Vec::with_capacity(GATHERED), 0_u64, Instant::now());
        let end = loop {
            let chunk = tokio::select! {
                chunk = timeout(PAUSE, chunks.next()) => chunk,
                () = hold.is_wanted() => break End::Wanted,
            };
            let chunk = match chunk {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break End::Whole,
                Ok(Some(Err(_))) => break End::Cut("the request ended early: what came is kept"),
                Err(_) => break End::Cut("nothing came any more: what came is kept"),
            };
            hold.heard();
            came += chunk.len() as u64;
            if came > most {
                return (sink, End::TooMany);
            }
            if gathered.len() + chunk.len() > GATHERED && !gathered.is_empty() {
                let written;
                (sink, gathered, written) = write(sink, gathered).await;
                if let Err(error) = written {
                    return (sink, End::Disk(error));
                }
                hold.durable(sink.durable);
                if noted.elapsed() >= NOTED_EACH {
                    noted = Instant::now();
                    self.note(file, sink.durable).await;
                }
            }
            gathered.extend_from_slice(&chunk);
        };
        let (sink, _, written) = write(sink, gathered).await;
        (sink, written.map_or_else(End::Disk, |()| end))
    }

    fn keep_hash(&self, file: FileId, hashed: Hashed) {
        let mut kept = self.hashes.lock();
        if kept.len() >= HASHES {
            kept.clear();
        }
        kept.insert(file, hashed);
    }

    /// The row hears how far it is, and is kept for longer. Nothing depends on it.
    async fn note(&self, file: FileId, durable: u64) {
        if let Err(error) = self.store.upkeep().people.upload_received(file, durable, crate::UPLOAD_LASTS).await {
            tracing::debug!(%error, "how far an upload is cannot be noted now");
        }
    }
}

async fn write(mut sink: Sink, mut gathered: Vec<u8>) -> (Sink, Vec<u8>, io::Result<()>) {
    blocking(move || {
        let written = sink.write(&gathered);
        gathered.clear();
        (sink, gathered, written)
    })
    .await
}

/// Carries out what waits for the disk.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The runtime is going down only when nobody asks any more: a panic it is.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

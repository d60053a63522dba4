//! What becomes of an upload that is complete: it is stored once by its content, looked at, and then messages can name it.
//!
//! ```text
//! part file ──hash, object, row──▶ stored, with a job ──scanner, worker──▶ ready | refused | held
//! ```
//! The first step is done by the node that has the part file: the file itself is what reminds it ([`crate::collect`]). The second is a
//! job, which whoever has stored the file does at once, and any node when that one does not come to it.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use chapar_media::PrepareError;
use chapar_protocol::{ErrorCode, media::FileId};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Files,
    receive::blocking,
    scanner::Verdict,
    store::people::{
        blobs::Blob,
        files::{Facts, Outcome, Unprepared},
    },
};

/// How long after each failure a file is stored again. What fails longer is found by the next sweep.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];

/// A directory that is removed when it is dropped.
struct Workshop(PathBuf);

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Files {
    /// Stores an upload that is complete, and prepares it, apart from whoever waits.
    pub(crate) fn begin_storing(&self, file: FileId) {
        if !self.storing.lock().insert(file) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // Somebody waits to send it: a moment's trouble with the database or the disk is not to cost minutes.
            let mut pauses = AGAIN_AFTER.into_iter();
            while let Err(error) = this.store_and_prepare(file).await {
                tracing::warn!(%error, %file, "an upload is not stored or prepared yet: it is tried again");
                let Some(pause) = pauses.next() else { break };
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.8..1.2))).await;
            }
            this.storing.lock().remove(&file);
        });
    }

    pub(crate) async fn store_and_prepare(&self, file: FileId) -> Result<(), String> {
        let people = self.store.upkeep().people;
        let path = self.parts.path(file);
        let stored = {
            let _turn = self.turns.acquire().await;
            let hash = self.hashes.lock().remove(&file);
            self.keep(&path, hash).await.map_err(|error| error.to_string())?
        };
        let job = people.upload_stored(file, &stored.sha256, self.parts.place()).await;
        let job = job.map_err(|error| error.to_string())?;
        let prepared = self.prepare(file, Some(&path)).await;
        if let Err(error) = &prepared {
            tracing::warn!(%error, %file, "a file is not prepared yet: its job does it");
        }
        // Without a job's name an earlier try had stored it, whose answer was lost.
        if let Some(job) = job {
            let told = if prepared.is_ok() { people.take_back_jobs(&[job]).await } else { people.job_due(job).await };
            if let Err(error) = told {
                tracing::warn!(%error, %file, "the job that prepares a file stays as it is");
            }
        }
        let (parts, removed) = (self.parts.clone(), file);
        blocking(move || parts.remove(removed)).await.map_err(|error| error.to_string())
    }

    /// Stores a file once by its content.
    async fn keep(&self, path: &Path, hashed: Option<crate::receive::Hashed>) -> Result<Blob, crate::StoreFileError> {
        let from = path.to_owned();
        let (sha256, size) = blocking(move || hash(&from, hashed)).await?;
        let people = self.store.upkeep().people;
        if let Some(known) = people.stored_blob(&sha256).await? {
            self.metrics.files_stored.get_or_create(&[("how", "known")]).inc();
            return Ok(known);
        }
        let key = Uuid::new_v4();
        people.announce_object(key).await?;
        self.objects.put(key, path).await?;
        self.metrics.files_stored.get_or_create(&[("how", "new")]).inc();
        Ok(people.keep_blob(&Blob { sha256, key, size }).await?)
    }

    /// Prepares a file, from its content where that is at hand. Done twice it does no harm.
    ///
    /// # Errors
    /// What was met: it is to be tried again.
    pub async fn prepare(&self, file: FileId, at_hand: Option<&Path>) -> Result<(), String> {
        let _turn = self.preparing.acquire().await;
        let people = self.store.upkeep().people;
        let Some(due) = people.to_prepare(file).await.map_err(|error| error.to_string())? else { return Ok(()) };
        let began = Instant::now();
        let outcome = self.look_at(&due, at_hand).await?;
        let name = match &outcome {
            Outcome::Ready(_) => "ready",
            Outcome::Refused(_) => "refused",
            Outcome::Held => "held",
        };
        if people.prepared(file, &outcome).await.map_err(|error| error.to_string())? {
            self.metrics.files_prepared.get_or_create(&[("outcome", name)]).inc();
            self.metrics.file_prepare_seconds.observe(began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    async fn look_at(&self, due: &Unprepared, at_hand: Option<&Path>) -> Result<Outcome, String> {
        let say = |error: io::Error| error.to_string();
        let dir = self.work.join(Uuid::new_v4().to_string());
        std::fs::create_dir_all(dir.join("out")).map_err(say)?;
        let workshop = Workshop(dir);
        let input = match (self.objects.local(due.blob.key), at_hand) {
            (Some(path), _) => path,
            (None, Some(path)) if path.exists() => path.to_owned(),
            (None, _) => {
                let path = workshop.0.join("input");
                self.objects.fetch(due.blob.key, due.blob.size, &path).await.map_err(say)?;
                path
            }
        };
        if let Some(scanner) = &self.scanner {
            match scanner.scan(&input).await {
                Ok(Verdict::Clean) => {}
                Ok(Verdict::Found(name)) => {
                    tracing::warn!(file = %due.id, name, "the scanner has found something: the file is held");
                    return Ok(Outcome::Held);
                }
                Ok(Verdict::TooLarge) if scanner.lets_through() => {
                    tracing::info!(file = %due.id, "a file is too large for the scanner: it was not looked at");
                }
                Ok(Verdict::TooLarge) => return Ok(Outcome::Held),
                Err(error) if scanner.lets_through() => {
                    tracing::error!(%error, file = %due.id, "the scanner does not answer: a file was not looked at");
                }
                Err(error) => return Err(format!("the scanner does not answer: {error}")),
            }
        }
        let made = match chapar_media::prepare(&self.workers, due.kind, &input, &workshop.0.join("out")).await {
            Ok(made) => made,
            Err(PrepareError::Refused(why)) => {
                tracing::info!(file = %due.id, %why, "a file was refused");
                return Ok(Outcome::Refused(ErrorCode::FileRefused));
            }
            Err(PrepareError::TooLarge) => return Ok(Outcome::Refused(ErrorCode::FileTooLarge)),
            Err(PrepareError::Failed(error)) => return Err(error.to_string()),
        };
        let mut variants = Vec::with_capacity(made.variants.len());
        for (longer, path) in &made.variants {
            variants.push((*longer, self.keep(path, None).await.map_err(|error| error.to_string())?.sha256));
        }
        let replaced = match &made.replaced {
            None => None,
            Some(path) => Some(self.keep(path, None).await.map_err(|error| error.to_string())?.sha256),
        };
        Ok(Outcome::Ready(Box::new(Facts {
            mime: made.mime,
            width: made.width,
            height: made.height,
            duration_ms: made.duration_ms,
            preview: made.preview,
            waveform: made.waveform,
            animated: made.animated,
            title: made.title,
            performer: made.performer,
            replaced,
            variants,
        })))
    }
}

/// The SHA-256 of a file, going on from what was hashed while it came.
fn hash(path: &Path, known: Option<crate::receive::Hashed>) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if let Some(known) = known.filter(|known| known.upto == size) {
        return Ok((known.hash.finalize().to_vec(), size));
    }
    let (mut hash, mut bytes) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok((hash.finalize().to_vec(), size)),
            read => hash.update(&bytes[..read]),
        }
    }
}

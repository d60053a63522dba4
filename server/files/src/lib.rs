//! Files: uploads that go on where they stopped, content that is stored once, links to it, and what nobody needs any more.
//!
//! ```text
//! tus ──▶ receive ──▶ parts (disk) ──▶ prepare: hash, objects (disk or S3), scanner, worker ──▶ a file that messages can name
//! download ◀── links (signed) · range · names                    collect: what nobody names
//! ```
//!
//! Invariant: an offset is told only after what is below it is durable. (`receive`)
//! Invariant: an object is written under a name that is never used again, so that taking one away never meets one that is being
//! stored. (`prepare`, `server/store/src/people/blobs.rs`)
#![forbid(unsafe_code)]

mod collect;
mod download;
mod fetched;
mod headers;
mod links;
pub mod names;
mod objects;
mod parts;
mod prepare;
mod range;
mod receive;
mod refusal;
mod scanner;
mod tus;
mod writers;

pub(crate) use chapar_store as store;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use chapar_live::{jobs::External, metrics::Metrics};
use chapar_media::Workers;
use chapar_protocol::media::FileId;
use chapar_settings::FileSettings;
use chapar_store::people::uploads::PREPARE;
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use collect::{COLLECT, COLLECT_EACH};
pub use links::{Grant, LinkError, Links};
pub use objects::OpenError;
pub use refusal::Refusal;
pub use tus::Uploader;

use objects::Objects;
use parts::Parts;
use scanner::Scanner;
use writers::Writers;

/// How long an upload may rest before it is given up.
const UPLOAD_LASTS: Duration = Duration::from_hours(24);
/// Requests whose bytes are made durable at the same time, and files that are stored.
const AT_THE_DISK: usize = 4;
/// Files that are prepared at the same time, each in a process of its own.
pub const PREPARING: usize = 2;

/// How long a try of a job may take.
const JOB_PATIENCE: Duration = Duration::from_mins(10);

/// What a job that prepares a file is about.
#[derive(serde::Deserialize)]
struct About {
    file: FileId,
}

/// The part of the node that has to do with files. Clones share it.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

/// What [`Files`] is made of.
pub struct Inner {
    store: store::Store,
    parts: Parts,
    objects: Objects,
    /// Signs links, and reads them.
    pub links: Links,
    work: PathBuf,
    /// Bytes that one account may upload in a day; 0: any.
    quota: u64,
    writers: Arc<Writers>,
    hashes: Mutex<HashMap<FileId, receive::Hashed>>,
    storing: Mutex<HashSet<FileId>>,
    disk: Semaphore,
    turns: Semaphore,
    preparing: Semaphore,
    workers: Workers,
    scanner: Option<Scanner>,
    metrics: Metrics,
}

impl std::ops::Deref for Files {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Why the node cannot have files.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory, or S3.
    #[error(transparent)]
    Objects(#[from] OpenError),
    /// The directory of uploads.
    #[error("uploads cannot be kept in {0}: {1}")]
    Directory(PathBuf, io::Error),
    /// The key of the links cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Why content is not stored yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFileError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl Files {
    /// Opens what is there. `beside` is where files are kept unless the settings say otherwise.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn open(
        settings: &FileSettings,
        beside: &Path,
        store: store::Store,
        metrics: Metrics,
        preparing: usize,
    ) -> Result<Self, StartError> {
        let dir = settings.dir.clone().unwrap_or_else(|| beside.join("files"));
        let here = |error| StartError::Directory(dir.clone(), error);
        let parts = Parts::open(&dir.join("parts")).map_err(here)?;
        let objects = Objects::open(settings, &dir.join("objects"))?;
        let work = dir.join("work");
        std::fs::create_dir_all(&work).map_err(here)?;
        let key = store.people.file_key().await?;
        Ok(Self(Arc::new(Inner {
            store,
            parts,
            objects,
            links: Links::new(&key),
            work,
            quota: settings.upload_quota.saturating_mul(1024 * 1024),
            writers: Writers::new(),
            hashes: Mutex::default(),
            storing: Mutex::default(),
            disk: Semaphore::new(AT_THE_DISK),
            turns: Semaphore::new(AT_THE_DISK),
            preparing: Semaphore::new(preparing.max(1)),
            workers: Workers::of_this_program(preparing.max(1)),
            scanner: settings.scanner.clone().map(|address| Scanner::new(address, settings.scanner_fail_open)),
            metrics,
        })))
    }

    /// The jobs that are done here.
    pub fn jobs(&self) -> Vec<External> {
        let (collecting, preparing) = (self.clone(), self.clone());
        let collect = move |_| {
            let files = collecting.clone();
            async move { files.collect().await }.boxed()
        };
        let prepare = move |about: serde_json::Value| {
            let files = preparing.clone();
            async move {
                let About { file } = serde_json::from_value(about).map_err(|error| error.to_string())?;
                files.prepare(file, None).await
            }
            .boxed()
        };
        vec![
            External { name: COLLECT, every: Some(COLLECT_EACH), patience: JOB_PATIENCE, attempt: Box::new(collect) },
            External { name: PREPARE, every: None, patience: JOB_PATIENCE, attempt: Box::new(prepare) },
        ]
    }

    /// The routes of uploads. Each request must carry an [`Uploader`], but those with OPTIONS.
    pub fn uploads(&self) -> Router {
        let one = axum::routing::head(tus::head).patch(tus::change).delete(tus::change).post(tus::change);
        Router::new()
            .route("/files", post(tus::create))
            .route("/files/{id}", one)
            .layer(middleware::from_fn(tus::speak))
            .with_state(self.clone())
    }

    /// The routes of uploads that tell what is spoken, to anybody.
    pub fn capabilities(&self) -> Router {
        let said = axum::routing::options(tus::options);
        Router::new().route("/files", said.clone()).route("/files/{id}", said).layer(middleware::from_fn(tus::speak))
    }

    /// The routes of downloads. They know by themselves who may read.
    pub fn downloads(&self) -> Router {
        Router::new()
            .route("/files/d/{token}", get(download::linked))
            .route("/files/avatar/{id}/{size}", get(download::avatar))
            .route("/files/sticker/{id}", get(download::sticker))
            .with_state(self.clone())
    }
}

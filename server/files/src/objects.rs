//! Where complete content lies: on the disk, or on S3. Each object is written once, under a name that is never used again.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use chapar_settings::FileSettings;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path as Name, prefix::PrefixStore,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use uuid::Uuid;

use crate::{parts::sync_dir, receive::blocking};

/// Bytes of an object that wait for one reader.
const READ: usize = 128 * 1024;
/// What S3 takes in one request; all parts but the last are as large as this.
const PART: usize = 8 * 1024 * 1024;
/// Parts of one object that are on their way at once.
const PARTS: usize = 2;

/// Why there is no object store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory.
    #[error("files cannot be kept in {0}: {1}")]
    Directory(PathBuf, io::Error),
    /// S3.
    #[error("blob-url cannot be used: {0}")]
    S3(#[source] object_store::Error),
}

/// See the module. Clones share it.
#[derive(Clone)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Where objects lie that are files of this machine.
    dir: Option<PathBuf>,
}

impl Objects {
    pub(crate) fn open(settings: &FileSettings, dir: &Path) -> Result<Self, OpenError> {
        let Some(bucket) = &settings.bucket else {
            let here = |error| OpenError::Directory(dir.to_owned(), error);
            fs::create_dir_all(dir).map_err(here)?;
            let store = LocalFileSystem::new_with_prefix(dir).map_err(|error| here(error.into()))?;
            return Ok(Self { store: Arc::new(store.with_fsync(true)), dir: Some(dir.to_owned()) });
        };
        // Another part of the process may have chosen it already: it is the same.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut builder = AmazonS3Builder::new().with_bucket_name(&bucket.name).with_region(&settings.s3_region);
        if let Some(endpoint) = &settings.s3_endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let (Some(id), Some(secret)) = (&settings.s3_access_key, &settings.s3_secret_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        }
        let store: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(OpenError::S3)?);
        let store =
            if bucket.prefix.is_empty() { store } else { Arc::new(PrefixStore::new(store, bucket.prefix.as_str())) };
        Ok(Self { store, dir: None })
    }

    /// The file of an object, where it is one of this machine.
    pub(crate) fn local(&self, key: Uuid) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(name(key).as_ref()))
    }

    /// Stores a file as an object. It stays where it is, too.
    pub(crate) async fn put(&self, key: Uuid, from: &Path) -> io::Result<()> {
        let from = from.to_owned();
        if let Some(to) = self.local(key) {
            return blocking(move || link(&from, &to)).await;
        }
        let mut file = tokio::fs::File::open(&from).await?;
        if file.metadata().await?.len() <= PART as u64 {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).await?;
            self.store.put(&name(key), PutPayload::from(bytes)).await?;
            return Ok(());
        }
        let mut to = WriteMultipart::new_with_chunk_size(self.store.put_multipart(&name(key)).await?, PART);
        match send(&mut file, &mut to).await {
            Ok(()) => {
                to.finish().await?;
                Ok(())
            }
            Err(error) => {
                // What S3 has of it would be paid for until a lifecycle rule takes it away.
                let _ = to.abort().await;
                Err(error)
            }
        }
    }

    /// Some bytes of an object.
    pub(crate) async fn read(&self, key: Uuid, range: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        if let Some(path) = self.local(key) {
            let mut file = tokio::fs::File::open(path).await?;
            file.seek(io::SeekFrom::Start(range.start)).await?;
            let rest = range.end - range.start;
            let stream = futures_util::stream::try_unfold((file, rest), |(mut file, rest)| async move {
                let want = usize::try_from(rest).unwrap_or(READ).min(READ);
                if want == 0 {
                    return Ok(None);
                }
                let mut bytes = bytes::BytesMut::with_capacity(want);
                let mut limited = (&mut file).take(want as u64);
                if limited.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let rest = rest - bytes.len() as u64;
                Ok(Some((bytes.freeze(), (file, rest))))
            });
            return Ok(stream.boxed());
        }
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let got = self.store.get_opts(&name(key), GetOptions::new().with_range(Some(range))).await?;
        Ok(got.into_stream().map_err(io::Error::from).boxed())
    }

    /// Writes an object to a file.
    pub(crate) async fn fetch(&self, key: Uuid, size: u64, to: &Path) -> io::Result<()> {
        let mut stream = self.read(key, 0..size).await?;
        let mut file = tokio::fs::File::create(to).await?;
        while let Some(bytes) = stream.next().await {
            file.write_all(&bytes?).await?;
        }
        file.flush().await
    }

    /// Deletes an object. One that is not there is deleted.
    pub(crate) async fn delete(&self, key: Uuid) -> io::Result<()> {
        match self.store.delete(&name(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Many in one directory are slow to look through.
fn name(key: Uuid) -> Name {
    let key = key.simple().to_string();
    Name::from_iter([&key[..2], &key[..]])
}

async fn send(file: &mut tokio::fs::File, to: &mut WriteMultipart) -> io::Result<()> {
    let mut bytes = vec![0; PART];
    loop {
        let mut filled = 0;
        while filled < PART {
            match file.read(&mut bytes[filled..]).await? {
                0 => break,
                read => filled += read,
            }
        }
        if filled == 0 {
            return Ok(());
        }
        to.wait_for_capacity(PARTS).await?;
        to.put(Bytes::copy_from_slice(&bytes[..filled]));
    }
}

/// The same file under a second name costs nothing; across file systems it is copied. Durable, as the part file is.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let dir = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if !dir.exists() {
        fs::create_dir_all(dir)?;
        if let Some(above) = dir.parent() {
            sync_dir(above)?;
        }
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::File::open(to)?.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {
            let draft = to.with_extension("draft");
            fs::copy(from, &draft)?;
            fs::File::open(&draft)?.sync_all()?;
            fs::rename(&draft, to)?;
        }
    }
    sync_dir(dir)
}

//! Files: sent through the outbox, and brought here.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use chapar_protocol::{
    ChatId, ErrorCode, FileId, FileKind, Seq, User, WireError,
    command::{GetFile, GetLinks, Links, Sent, SetAvatar},
    media::{
        Caption, FileAt, FileInfo, FileState, NamedFile, NewAudio, NewDocument, NewPhoto, NewRound, NewSticker,
        NewVideo, NewVoice,
    },
    message::NewBody,
};
use reqwest::{Method, StatusCode, header};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::{
    Client, Error,
    client::new_client_id,
    core::outbox::{OutboxItem, Upload},
    driver,
    http::Http,
    upload::{self, modified, name_of},
};

/// Where a file comes from.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// From this device's disk. It is read while it goes up, and must stay as it is until then.
    Path(PathBuf),
    /// From memory: the store keeps it until it is at the server.
    Bytes {
        /// The name that others see.
        name: Option<String>,
        /// All of it.
        bytes: Bytes,
    },
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

/// What is said of a file that is sent.
#[derive(Clone, Debug, Default)]
pub struct FileOptions {
    /// As what it is sent; as a document, every byte as it is, when absent.
    pub kind: Option<FileKind>,
    /// The name that others see, in the place of its own.
    pub name: Option<String>,
    /// The text under it.
    pub caption: Caption,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// Without a sound at the others'.
    pub silent: bool,
    /// Covered until it is touched: photos and videos.
    pub spoiler: bool,
    /// Of videos: width and height in pixels, where the server cannot tell.
    pub pixels: Option<(u32, u32)>,
    /// How long it plays, in milliseconds, where the server cannot tell.
    pub duration_ms: Option<u32>,
    /// A client id of one's own, from [`new_client_id`].
    pub client_id: Option<Uuid>,
}

/// A file of the disk, to be brought to the server as `kind`.
async fn upload_of(path: PathBuf, kind: FileKind, name: Option<String>) -> Result<Upload, Error> {
    let metadata = tokio::fs::metadata(&path).await.map_err(|error| Error::File(error.to_string()))?;
    let size = metadata.len();
    if !metadata.is_file() || size > kind.most_bytes() {
        let message = "this is no file, or a larger one than may be sent as this";
        return Err(Error::Server(WireError::new(ErrorCode::FileTooLarge, message)));
    }
    Ok(Upload { path, kind, name, size, modified: modified(&metadata), id: None })
}

/// A file of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOf {
    /// In which chat.
    pub chat_id: ChatId,
    /// In which message.
    pub seq: Seq,
    /// Which.
    pub file_id: FileId,
    /// One of its smaller sizes; the original when absent.
    pub size: Option<u16>,
}

/// A file that comes. It goes on as far as the network does; see [`Client::save`] for one that is brought whatever comes between.
#[derive(Debug)]
pub struct Download {
    /// Bytes of the whole file, if the server tells.
    pub size: Option<u64>,
    /// Where what comes begins in it.
    pub from: u64,
    response: reqwest::Response,
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(|error| Error::Unreachable(error.without_url().to_string()))
    }
}

/// All of these fail with [`Error`].
impl Client {
    /// Sends a file, and waits until the server has stored the message. It goes up through losses of the network, and with a store that
    /// survives it also after the process has ended; [`ClientEvent::Uploading`](crate::ClientEvent::Uploading) tells how far it is, and
    /// [`Client::cancel`] takes it back. Dropping the future only ends the waiting.
    pub async fn send_file(
        &self,
        chat_id: ChatId,
        file: impl Into<FileSource>,
        options: FileOptions,
    ) -> Result<Sent, Error> {
        let item = self.message_with(chat_id, file.into(), options).await?;
        self.enqueue(item).reply().await
    }

    /// Puts a file into the outbox without waiting.
    pub async fn post_file(
        &self,
        chat_id: ChatId,
        file: impl Into<FileSource>,
        options: FileOptions,
    ) -> Result<Uuid, Error> {
        let item = self.message_with(chat_id, file.into(), options).await?;
        let client_id = item.client_id;
        drop(self.enqueue(item));
        Ok(client_id)
    }

    async fn message_with(&self, chat_id: ChatId, file: FileSource, options: FileOptions) -> Result<OutboxItem, Error> {
        let client_id = options.client_id.unwrap_or_else(new_client_id);
        let (path, own_name) = match file {
            FileSource::Path(path) => {
                // Also when the next process begins elsewhere.
                let path = std::path::absolute(path).map_err(|error| Error::File(error.to_string()))?;
                let name = name_of(&path);
                (path, name)
            }
            FileSource::Bytes { name, bytes } => {
                let kept = driver::blocking(&self.store(), move |store| store.keep_bytes(client_id, &bytes)).await?;
                (std::path::absolute(kept).map_err(|error| Error::File(error.to_string()))?, name)
            }
        };
        let kind = options.kind.unwrap_or(FileKind::Document);
        let body = body(kind, &options)?;
        let upload = Some(upload_of(path, kind, options.name.or(own_name)).await?);
        let silent = options.silent;
        Ok(OutboxItem { silent, upload, ..OutboxItem::new(client_id, chat_id, body, options.reply_to) })
    }

    /// Brings a file to the server for something else than a message, such as a picture of a person or a chat, or a sticker, and waits
    /// until it can be named. It goes on through losses of the network; dropping the future ends it.
    pub async fn upload(&self, path: impl AsRef<Path>, kind: FileKind) -> Result<FileInfo, Error> {
        let path = path.as_ref();
        let upload = upload_of(path.to_owned(), kind, name_of(path)).await?;
        let file_id = upload::run(self.http(), || self.token(), &upload, |_| ()).await.map_err(Error::Server)?;
        let mut pause = LOOK;
        loop {
            let info = self.file(file_id).await?;
            let refused = match info.state {
                FileState::Ready => return Ok(info),
                FileState::Refused => info.refused.unwrap_or(ErrorCode::FileRefused),
                FileState::Held => ErrorCode::FileHeld,
                FileState::Uploading | FileState::Preparing => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LOOK_AT_LAST);
                    continue;
                }
            };
            return Err(Error::Server(WireError::new(refused, "the server does not take this file as that")));
        }
    }

    /// How far a file of one's own has come.
    pub async fn file(&self, file_id: FileId) -> Result<FileInfo, Error> {
        self.call(&GetFile { file_id }).await
    }

    /// Where files are to be had for a while.
    pub async fn links(&self, chat_id: ChatId, files: Vec<FileAt>) -> Result<Links, Error> {
        self.call(&GetLinks { chat_id, files }).await
    }

    /// Changes the own picture, or takes it away.
    pub async fn set_avatar(&self, file_id: Option<FileId>) -> Result<User, Error> {
        self.call(&SetAvatar { file_id }).await
    }

    /// Begins to bring a file, from a byte on.
    pub async fn download(&self, file: FileOf, from: u64) -> Result<Download, Error> {
        let at = FileAt { seq: file.seq, file_id: file.file_id };
        let links = self.links(file.chat_id, vec![at]).await?;
        let size = file.size.map_or_else(|| "original".to_owned(), |size| size.to_string());
        let link = links.links.into_iter().find(|it| it.file_id == file.file_id && it.size == size);
        let missing = || WireError::new(ErrorCode::FileNotFound, "there is no such file in this message");
        let link = link.ok_or_else(missing)?;
        let mut ask = self.http().file(Method::GET, &link.url);
        if from > 0 {
            ask = ask.header(header::RANGE, format!("bytes={from}-"));
        }
        let unreachable = |error: reqwest::Error| Error::Unreachable(error.without_url().to_string());
        let response = ask.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => Ok(Download { size: response.content_length(), from: 0, response }),
            // All of it is there already.
            StatusCode::RANGE_NOT_SATISFIABLE if whole(response.headers()) == Some(from) => {
                Ok(Download { size: Some(from), from, response })
            }
            StatusCode::PARTIAL_CONTENT => Ok(Download { size: whole(response.headers()), from, response }),
            _ => Err(Http::failure(response).await),
        }
    }

    /// Brings a file onto the disk, through losses of the network; `told` hears how many bytes are there, and how many there are in all if
    /// that is known. What is there already of it goes on: beside the path, with `.part` behind its name, until all has come.
    pub async fn save(
        &self,
        file: FileOf,
        path: impl AsRef<Path>,
        mut told: impl FnMut(u64, Option<u64>),
    ) -> Result<(), Error> {
        let path = path.as_ref();
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = |error: io::Error| Error::File(error.to_string());
        let mut fruitless = 0;
        loop {
            let mut into = tokio::fs::OpenOptions::new().create(true).append(true).open(&part).await.map_err(failed)?;
            let before = into.metadata().await.map_err(failed)?.len();
            match self.bring(file, before, &mut into, &mut told).await {
                Ok(()) => {
                    into.sync_all().await.map_err(failed)?;
                    return tokio::fs::rename(&part, path).await.map_err(failed);
                }
                Err(Error::Unreachable(why)) => {
                    let after = into.metadata().await.map_err(failed)?.len();
                    fruitless = if after > before { 0 } else { fruitless + 1 };
                    if fruitless > TRIES {
                        return Err(Error::Unreachable(why));
                    }
                    tokio::time::sleep(PAUSE * fruitless.max(1)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn bring(
        &self,
        file: FileOf,
        from: u64,
        into: &mut tokio::fs::File,
        told: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<(), Error> {
        let failed = |error: io::Error| Error::File(error.to_string());
        let mut download = self.download(file, from).await?;
        // A server that gives no ranges begins anew.
        if download.from != from {
            into.set_len(download.from).await.map_err(failed)?;
        }
        let mut there = download.from;
        while let Some(bytes) = download.next().await? {
            into.write_all(&bytes).await.map_err(failed)?;
            there += bytes.len() as u64;
            told(there, download.size);
        }
        into.flush().await.map_err(failed)?;
        // What ends too early was cut, also where nothing said so.
        match download.size {
            Some(size) if there < size => Err(Error::Unreachable("the file ended too early".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Tries in a row that bring nothing, and how long to wait after the first.
const TRIES: u32 = 10;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
/// Between looks whether the server has done with a file: at first, doubled to there.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
const LOOK_AT_LAST: std::time::Duration = std::time::Duration::from_secs(2);

/// The length of the whole, of an answer with a part: `bytes 5-9/10`.
fn whole(headers: &header::HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_RANGE)?.to_str().ok()?.rsplit('/').next()?.parse().ok()
}

fn body(kind: FileKind, options: &FileOptions) -> Result<NewBody, Error> {
    // The server gives it its id.
    let file = NamedFile { file_id: FileId(Uuid::nil()), from: None };
    let (caption, spoiler, album) = (options.caption.clone(), options.spoiler, None);
    let (width, height) = options.pixels.unwrap_or((1, 1));
    let (duration_ms, preview, poster) = (options.duration_ms, None, None);
    let played = duration_ms.unwrap_or(0);
    Ok(match kind {
        FileKind::Photo => NewBody::Photo(NewPhoto { file, caption, spoiler, album }),
        FileKind::Video => NewBody::Video(NewVideo {
            file,
            width,
            height,
            duration_ms: played,
            preview,
            poster,
            caption,
            spoiler,
            album,
        }),
        FileKind::Round => NewBody::Round(NewRound { file, duration_ms: played, preview, poster }),
        FileKind::Voice => NewBody::Voice(NewVoice { file, duration_ms, waveform: None, caption }),
        FileKind::Audio => NewBody::Audio(NewAudio { file, duration_ms, title: None, performer: None, caption, album }),
        FileKind::Document => NewBody::Document(NewDocument { file, caption, album }),
        FileKind::Sticker => NewBody::Sticker(NewSticker { file, emoji: None, pack_id: None }),
        FileKind::Poster | FileKind::Avatar => {
            let message = "posters and pictures of people are not sent by themselves";
            return Err(Error::Server(WireError::new(ErrorCode::BadRequest, message)));
        }
    })
}

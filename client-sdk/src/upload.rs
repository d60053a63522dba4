//! Brings a file to the server over tus 1.0 (<https://tus.io/protocols/resumable-upload>), and goes on where it was cut.

use std::{
    io::SeekFrom,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use chapar_protocol::{Action, ErrorCode, FileId, WireError};
use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::{Error, core::outbox::Upload, http::Http};

/// Bytes of the first request, and the bounds of the later ones: each is to take some seconds, so that progress is seen and little goes
/// twice.
const FIRST: u64 = 256 * 1024;
const LEAST: u64 = 64 * 1024;
const MOST: u64 = 8 * 1024 * 1024;
const TOO_SHORT: Duration = Duration::from_secs(2);
const TOO_LONG: Duration = Duration::from_secs(8);
/// How long one of these requests may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between tries: from here, doubled to there.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(15)];
/// So often the server is told that an upload is not wanted any more.
const FORGET: u32 = 5;
/// So often an upload that the server has forgotten begins anew.
const ANEW: u32 = 3;

/// How an upload goes on.
pub(crate) enum Step {
    /// The server has given it an id.
    Begun(FileId),
    /// The server has so many bytes.
    Sent(u64),
}

/// Why a try ended.
enum Cut {
    /// Try again, after so long if it was named.
    Again(Option<Duration>),
    /// The server knows nothing of it any more.
    Gone,
    /// It will never be.
    Refused(WireError),
}

/// Brings a file to the server, however often it is cut. `token` is asked for each try: people sign in anew.
pub(crate) async fn run(
    http: &Http,
    token: impl Fn() -> String + Sync,
    upload: &Upload,
    tell: impl Fn(Step) + Sync,
) -> Result<FileId, WireError> {
    let (mut id, mut anew, mut pause) = (upload.id, 0, PAUSES[0]);
    let mut furthest = 0;
    loop {
        let mut reached = 0;
        let moved = |step: Step| {
            if let Step::Sent(bytes) = step {
                reached = bytes;
            }
            tell(step);
        };
        let cut = match attempt(http, &token(), upload, &mut id, moved).await {
            Ok(file) => return Ok(file),
            Err(cut) => cut,
        };
        // Whatever brought it further was a good try.
        if reached > furthest {
            (furthest, pause) = (reached, PAUSES[0]);
        }
        match cut {
            Cut::Refused(error) => return Err(error),
            Cut::Gone if anew < ANEW => (id, anew, furthest) = (None, anew + 1, 0),
            Cut::Gone => {
                return Err(WireError::new(ErrorCode::UploadGone, "the server forgets this file again and again"));
            }
            Cut::Again(wait) => {
                sleep(wait.unwrap_or(pause)).await;
                pause = (pause * 2).min(PAUSES[1]);
            }
        }
    }
}

async fn attempt(
    http: &Http,
    token: &str,
    upload: &Upload,
    id: &mut Option<FileId>,
    mut moved: impl FnMut(Step),
) -> Result<FileId, Cut> {
    let mut file = open(upload).await?;
    let (path, mut offset) = if let Some(known) = *id {
        let path = format!("/files/{known}");
        let answer = answered(tus(http, Method::HEAD, &path, token).send().await).await?;
        (path, number(answer.headers(), "upload-offset").ok_or(Cut::Again(None))?)
    } else {
        let begin = tus(http, Method::POST, "/files", token)
            .header("Upload-Length", upload.size)
            .header("Upload-Metadata", metadata(upload));
        let answer = answered(begin.send().await).await?;
        let new = location(answer.headers()).ok_or(Cut::Again(None))?;
        *id = Some(new);
        moved(Step::Begun(new));
        (format!("/files/{new}"), 0)
    };
    let mut room = FIRST;
    moved(Step::Sent(offset));
    while offset < upload.size {
        let length = room.min(upload.size - offset);
        let bytes = read(&mut file, offset, length).await?;
        let began = Instant::now();
        let send = tus(http, Method::PATCH, &path, token)
            .header("Upload-Offset", offset)
            .header("Content-Type", "application/offset+octet-stream")
            .timeout(PATIENCE)
            .body(bytes);
        let answer = answered(send.send().await).await?;
        offset = number(answer.headers(), "upload-offset").ok_or(Cut::Again(None))?;
        moved(Step::Sent(offset));
        let took = began.elapsed();
        if took < TOO_SHORT {
            room = (room * 2).min(MOST);
        } else if took > TOO_LONG {
            room = (room / 2).max(LEAST);
        }
    }
    (*id).ok_or(Cut::Gone)
}

fn tus(http: &Http, verb: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
    http.file(verb, path).bearer_auth(token).header("Tus-Resumable", "1.0.0")
}

/// Tells the server to forget an upload, some times while it does not hear. What is not told expires there.
pub(crate) async fn forget(http: &Http, token: &str, file: FileId) {
    for _ in 0..FORGET {
        let ended = tus(http, Method::DELETE, &format!("/files/{file}"), token).timeout(PATIENCE).send().await;
        match answered(ended).await {
            // The connection that was cut off just now may still count as its writer.
            Err(Cut::Again(wait)) => sleep(wait.unwrap_or(TOO_SHORT)).await,
            _ => return,
        }
    }
}

/// A success, or why the try ends.
async fn answered(response: reqwest::Result<Response>) -> Result<Response, Cut> {
    let response = response.map_err(|_| Cut::Again(None))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let known = match status {
        // tus: what does not go on here may go on anew.
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Cut::Gone),
        // Another offset, another writer, signed out for now, or what came was not what was sent.
        StatusCode::CONFLICT | StatusCode::LOCKED | StatusCode::UNAUTHORIZED => None,
        _ if status.as_u16() == 460 || status.is_server_error() => None,
        _ => Some(status),
    };
    match Http::failure(response).await {
        Error::Server(error) if error.action == Action::Retry || known.is_none() => {
            Err(Cut::Again(error.retry_after_ms.map(|ms| Duration::from_millis(ms.into()))))
        }
        Error::Server(error) => Err(Cut::Refused(error)),
        // Somebody on the way who is not the server: a proxy that takes no such bodies.
        _ if known == Some(StatusCode::PAYLOAD_TOO_LARGE) => {
            Err(Cut::Refused(WireError::new(ErrorCode::FileTooLarge, "the server takes no files of this length")))
        }
        _ => Err(Cut::Again(None)),
    }
}

async fn open(upload: &Upload) -> Result<File, Cut> {
    let changed =
        || Cut::Refused(WireError::new(ErrorCode::FileNotFound, "the file on this device is gone or has changed"));
    let file = File::open(&upload.path).await.map_err(|_| changed())?;
    let is_same = file.metadata().await.is_ok_and(|it| it.len() == upload.size && modified(&it) == upload.modified);
    if is_same { Ok(file) } else { Err(changed()) }
}

async fn read(file: &mut File, offset: u64, length: u64) -> Result<Vec<u8>, Cut> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let all = async {
        file.seek(SeekFrom::Start(offset)).await?;
        file.read_exact(&mut bytes).await
    };
    match all.await {
        Ok(_) => Ok(bytes),
        Err(error) => {
            Err(Cut::Refused(WireError::new(ErrorCode::FileNotFound, format!("the file cannot be read: {error}"))))
        }
    }
}

/// When a file was last changed, in milliseconds since 1970; 0 where nobody knows.
pub(crate) fn modified(metadata: &std::fs::Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
}

/// The name that a path ends with.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The id of an upload: the last part of its address.
fn location(headers: &HeaderMap) -> Option<FileId> {
    let address = headers.get("location")?.to_str().ok()?;
    Uuid::parse_str(address.rsplit('/').next()?).ok().map(FileId)
}

fn metadata(upload: &Upload) -> String {
    let kind = BASE64.encode(upload.kind.name());
    match &upload.name {
        Some(name) => format!("kind {kind},filename {}", BASE64.encode(name)),
        None => format!("kind {kind}"),
    }
}

#[cfg(test)]
mod tests;

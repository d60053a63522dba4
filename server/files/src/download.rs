//! Files go out: by signed links, in ranges, as what they are, and never so that a browser runs what is in them.

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chapar_protocol::{ErrorCode, Timestamp, media::FileId};
use futures_util::StreamExt;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Files, names, range, range::Wanted, refusal::Refusal, store::people::files::Served};

/// What browsers do with a file that is opened by itself: nothing runs, nothing is fetched.
const POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";
/// A picture under this address never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// What can be asked beside the link.
#[derive(serde::Deserialize)]
pub(crate) struct How {
    /// To be saved, not shown.
    #[serde(default)]
    download: Option<String>,
}

/// `GET /files/d/{token}`.
pub(crate) async fn linked(
    State(files): State<Files>,
    Path(token): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let (grant, until) =
        files.links.read(&token, now).map_err(|error| Refusal::new(ErrorCode::Forbidden, error.to_string()))?;
    // Asked at each use: whoever was removed since, or whose message was deleted, has nothing of the link.
    if !files.store.chats.names_file(grant.chat, grant.user, grant.seq, grant.file).await? {
        return Err(gone());
    }
    let served = files.store.people.served(grant.file, grant.size).await?.ok_or_else(gone)?;
    let seconds = (until.as_millis() - now.as_millis()).max(0) / 1000;
    files.serve(&headers, &served, how.download.is_none(), &format!("private, max-age={seconds}, immutable")).await
}

/// `GET /files/avatar/{id}/{size}`: to whoever knows the id, which is not to be guessed.
pub(crate) async fn avatar(
    State(files): State<Files>,
    Path((id, size)): Path<(Uuid, u16)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (served, of_a_person) = files.store.people.served_avatar(FileId(id), size).await?.ok_or_else(gone)?;
    if !of_a_person && !files.store.chats.is_photo(FileId(id)).await? {
        return Err(gone());
    }
    files.serve(&headers, &served, true, FOR_GOOD).await
}

/// `GET /files/sticker/{id}`: to whoever knows the id. It is the same in every message, so that browsers load it once.
pub(crate) async fn sticker(
    State(files): State<Files>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let served = files.store.people.served_sticker(FileId(id)).await?.ok_or_else(gone)?;
    files.serve(&headers, &served, true, FOR_GOOD).await
}

fn gone() -> Refusal {
    Refusal::new(ErrorCode::FileNotFound, "there is no such file, or you may not read it any more")
}

impl Files {
    async fn serve(&self, asked: &HeaderMap, served: &Served, inline: bool, keep: &str) -> Result<Response, Refusal> {
        let size = served.blob.size;
        let hash = served.blob.sha256.get(..16).unwrap_or_default();
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
        let mime = served.mime.as_deref().unwrap_or("image/jpeg");
        let shown = chapar_media::may_stand_inline(mime);
        let (status, part) = match range::wanted(asked, &tag, size) {
            Wanted::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
            Wanted::Whole => (StatusCode::OK, 0..size),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
        };
        let length = part.end - part.start;
        let mut response = if length == 0 {
            Body::empty().into_response()
        } else {
            // From here on no connection of the database is held, however slowly it is read.
            let bytes = self.metrics.download_bytes.clone();
            let stream = self.objects.read(served.blob.key, part.clone()).await?.inspect(move |chunk| {
                if let Ok(chunk) = chunk {
                    bytes.inc_by(chunk.len() as u64);
                }
            });
            Body::from_stream(stream).into_response()
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        let mut say = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        say(header::ETAG, &tag);
        say(header::CACHE_CONTROL, keep);
        say(header::ACCEPT_RANGES, "bytes");
        say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        match status {
            StatusCode::NOT_MODIFIED => return Ok(response),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                say(header::CONTENT_RANGE, &format!("bytes */{size}"));
                return Ok(response);
            }
            StatusCode::PARTIAL_CONTENT => {
                let last = part.end.saturating_sub(1);
                say(header::CONTENT_RANGE, &format!("bytes {}-{last}/{size}", part.start));
            }
            _ => {}
        }
        say(header::CONTENT_LENGTH, &length.to_string());
        say(header::CONTENT_TYPE, if shown { mime } else { "application/octet-stream" });
        say(header::CONTENT_SECURITY_POLICY, POLICY);
        say(header::CONTENT_DISPOSITION, &names::disposition(inline && shown, served.name.as_deref()));
        Ok(response)
    }
}

//! Uploads over tus 1.0: core, creation (with upload, with deferred length), checksum, termination, expiration, concatenation.
//!
//! Who is behind a request is known before it comes here: [`Uploader`].

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chapar_protocol::{
    ErrorCode, UserId, limit,
    media::{FileId, FileState},
};
use uuid::Uuid;

use crate::{
    Files, UPLOAD_LASTS,
    headers::{self, Concat, Creation},
    receive::{Incoming, blocking},
    refusal::Refusal,
    store::people::{
        budgets::{BudgetKind, Charge},
        uploads::{NewUpload, Upload},
    },
};

/// Unfinished uploads that one person may have.
const UNFINISHED: i64 = 500;
/// Bytes that the disk keeps free.
pub(crate) const RESERVE: u64 = 64 * 1024 * 1024;

/// Whose request it is. The node puts it there.
#[derive(Clone, Copy, Debug)]
pub struct Uploader(pub UserId);

/// What holds for every answer about uploads.
pub(crate) async fn speak(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert("tus-resumable", HeaderValue::from_static(headers::VERSION));
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert("tus-version", HeaderValue::from_static(headers::VERSION));
    }
    response
}

/// `OPTIONS /files`: what is spoken.
pub(crate) async fn options() -> Response {
    let max = limit::UPLOAD_BYTES.to_string();
    let said = [
        ("tus-version", headers::VERSION),
        ("tus-extension", headers::EXTENSIONS),
        ("tus-max-size", &max),
        ("tus-checksum-algorithm", headers::ALGORITHMS),
    ];
    (StatusCode::NO_CONTENT, said.map(|(name, value)| (HeaderName::from_static(name), value.to_owned())))
        .into_response()
}

/// `POST /files`: an upload begins.
pub(crate) async fn create(
    State(files): State<Files>,
    Extension(Uploader(user)): Extension<Uploader>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    headers::check_version(&head.headers)?;
    let Creation { size, kind, name, metadata, concat } = headers::creation(&head.headers)?;
    let parts = match &concat {
        Concat::Of(parts) => files.whole_parts(user, parts).await?,
        _ => Vec::new(),
    };
    let size = match concat {
        Concat::Of(_) => Some(parts.iter().map(|part| part.received).sum()),
        _ => size,
    };
    if let Some(size) = size {
        files.check_size(size, kind.most_bytes())?;
        // Parts have paid for themselves.
        if !matches!(concat, Concat::Of(_)) {
            files.pay(user, size).await?;
        }
    }
    let id = FileId(Uuid::new_v4());
    let named = parts.iter().map(|part| part.id.to_string()).collect::<Vec<_>>().join(" ");
    let new = NewUpload {
        id,
        user,
        kind,
        size,
        metadata: &metadata,
        name: name.as_deref(),
        parts: match &concat {
            Concat::Alone => None,
            Concat::Part => Some(""),
            Concat::Of(_) => Some(&named),
        },
        place: files.parts.place(),
        within: UPLOAD_LASTS,
    };
    let made = files.parts.clone();
    blocking(move || made.create(id)).await?;
    if !files.store.people.begin_upload(&new, UNFINISHED).await? {
        let _ = files.parts.remove(id);
        let message = format!("you have {UNFINISHED} unfinished uploads: finish or end some");
        return Err(Refusal::new(ErrorCode::QuotaExceeded, message).after_ms(60_000));
    }
    files.metrics.uploads.get_or_create(&[("what", "begun")]).inc();
    let mut offset = 0;
    if let Concat::Of(of) = concat {
        offset = files.put_together(user, id, of, size.unwrap_or(0)).await?;
    } else if headers::carries_bytes(&head.headers) {
        let most = size.unwrap_or(kind.most_bytes());
        offset = files.append(user, id, &head.headers, body, 0, most).await?;
    }
    let upload = files.upload(user, id).await?;
    files.finish_if_whole(&upload, offset).await?;
    let mut response = (StatusCode::CREATED, [(header::LOCATION, format!("/files/{id}"))]).into_response();
    put(&mut response, "upload-offset", &offset);
    put_expiry(&mut response, &upload);
    Ok(response)
}

/// `HEAD /files/{id}`: where an upload stands.
pub(crate) async fn head(
    State(files): State<Files>,
    Extension(Uploader(user)): Extension<Uploader>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    headers::check_version(&headers)?;
    let upload = files.upload(user, FileId(id)).await?;
    let offset = files.offset(&upload).await?;
    files.finish_if_whole(&upload, offset).await?;
    let mut response = (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response();
    put(&mut response, "upload-offset", &offset);
    match upload.size {
        Some(size) => put(&mut response, "upload-length", &size),
        None => put(&mut response, "upload-defer-length", &1),
    }
    if !upload.metadata.is_empty() {
        put(&mut response, "upload-metadata", &upload.metadata);
    }
    match upload.parts.as_deref() {
        None => {}
        Some("") => put(&mut response, "upload-concat", &"partial"),
        Some(parts) => {
            let urls: Vec<String> = parts.split(' ').map(|part| format!("/files/{part}")).collect();
            put(&mut response, "upload-concat", &format!("final;{}", urls.join(" ")));
        }
    }
    put_expiry(&mut response, &upload);
    Ok(response)
}

/// `PATCH /files/{id}`: bytes come. `DELETE`: the upload ends. Also as a `POST` that says so in `X-HTTP-Method-Override`.
pub(crate) async fn change(
    State(files): State<Files>,
    Extension(Uploader(user)): Extension<Uploader>,
    Path(id): Path<Uuid>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    headers::check_version(&head.headers)?;
    let id = FileId(id);
    match (&head.method, headers::overridden(&head.headers)) {
        (&Method::PATCH, _) | (&Method::POST, Some("PATCH")) => patch(&files, user, id, &head.headers, body).await,
        (&Method::DELETE, _) | (&Method::POST, Some("DELETE")) => end(&files, user, id).await,
        _ => Err(Refusal::with(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::UnknownMethod,
            "a POST here says PATCH or DELETE in X-HTTP-Method-Override",
        )),
    }
}

async fn patch(files: &Files, user: UserId, id: FileId, said: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    if !headers::carries_bytes(said) {
        let message = "the Content-Type is application/offset+octet-stream";
        return Err(Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadRequest, message));
    }
    let offset = headers::offset(said)?;
    let mut upload = files.upload(user, id).await?;
    if upload.parts.as_deref().is_some_and(|parts| !parts.is_empty()) {
        return Err(Refusal::new(ErrorCode::Forbidden, "an upload that is made of parts takes no bytes of its own"));
    }
    if upload.state != FileState::Uploading {
        let message = "this upload is complete already";
        return Err(Refusal::new(ErrorCode::UploadConflict, message));
    }
    if let Some(size) = headers::length(said)? {
        match upload.size {
            Some(known) if known == size => {}
            Some(_) => return Err(Refusal::new(ErrorCode::BadRequest, "the length of this upload was told already")),
            None => {
                files.check_size(size, upload.kind.most_bytes())?;
                if size < offset {
                    return Err(Refusal::new(ErrorCode::BadRequest, "more has come already than this length"));
                }
                files.pay(user, size).await?;
                if !files.store.people.set_upload_size(id, size).await? {
                    return Err(crate::writers::locked());
                }
                upload.size = Some(size);
            }
        }
    }
    let most = upload.size.unwrap_or(upload.kind.most_bytes());
    let now = files.append(user, id, said, body, offset, most).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    put(&mut response, "upload-offset", &now);
    // The end is one commit: what is complete does not expire.
    if !files.finish_if_whole(&upload, now).await? {
        upload.expires_at = files.store.people.upload_received(id, now, UPLOAD_LASTS).await?.or(upload.expires_at);
        put_expiry(&mut response, &upload);
    }
    Ok(response)
}

async fn end(files: &Files, user: UserId, id: FileId) -> Result<Response, Refusal> {
    let upload = files.upload(user, id).await?;
    // What is complete goes by itself when no message names it; whether one does, the row does not know yet.
    if upload.state == FileState::Uploading {
        let _hold = files.writers.take(user, id).await?;
        if let Some((size, received)) = files.store.people.end_upload(user, id).await? {
            files.give_back(user, size.saturating_sub(received)).await;
            let parts = files.parts.clone();
            blocking(move || parts.remove(id)).await?;
            files.metrics.uploads.get_or_create(&[("what", "ended")]).inc();
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Files {
    /// Somebody's own upload, which is received here and not over.
    async fn upload(&self, user: UserId, id: FileId) -> Result<Upload, Refusal> {
        let upload = self.store.people.uploads(user, &[id]).await?.pop();
        let upload = upload.ok_or_else(|| Refusal::new(ErrorCode::FileNotFound, "there is no such upload"))?;
        if upload.state == FileState::Uploading {
            if upload.expired {
                return Err(Refusal::new(ErrorCode::UploadGone, "this upload has expired: begin it anew"));
            }
            if upload.place != Some(self.parts.place()) {
                let message = "another node receives this upload: try again, until you reach it";
                return Err(Refusal::new(ErrorCode::Unavailable, message).after_ms(500));
            }
        }
        Ok(upload)
    }

    /// Where an upload stands.
    async fn offset(&self, upload: &Upload) -> Result<u64, Refusal> {
        if upload.state != FileState::Uploading {
            return Ok(upload.size.unwrap_or(upload.received));
        }
        if let Some(durable) = self.writers.durable(upload.id).await {
            return Ok(durable);
        }
        let (parts, id) = (self.parts.clone(), upload.id);
        match blocking(move || parts.length(id)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Refusal::new(ErrorCode::UploadGone, "what there was of this upload is gone: begin it anew"))
            }
            length => Ok(length?),
        }
    }

    /// Takes what a request brings in a task of its own: when the line is cut, what has come is still written.
    async fn append(
        &self,
        user: UserId,
        id: FileId,
        said: &HeaderMap,
        body: Body,
        offset: u64,
        size: u64,
    ) -> Result<u64, Refusal> {
        let checksum = headers::checksum(said)?;
        let most = size.saturating_sub(offset);
        if headers::content_length(said)?.is_some_and(|length| length > most) {
            return Err(Refusal::new(ErrorCode::TooLarge, "these are more bytes than the upload has"));
        }
        let hold = self.writers.take(user, id).await?;
        let this = self.clone();
        let taking =
            tokio::spawn(async move { this.receive(hold, id, Incoming { offset, most, checksum, body }).await });
        match taking.await {
            Ok(taken) => taken,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// When all of an upload has come it is stored and prepared from here on. Returns whether it has.
    async fn finish_if_whole(&self, upload: &Upload, offset: u64) -> Result<bool, Refusal> {
        if upload.state != FileState::Uploading || upload.size != Some(offset) || upload.parts.as_deref() == Some("") {
            return Ok(false);
        }
        if self.store.people.upload_complete(upload.id).await? {
            self.metrics.uploads.get_or_create(&[("what", "complete")]).inc();
            self.begin_storing(upload.id);
        }
        Ok(true)
    }

    fn check_size(&self, size: u64, most: u64) -> Result<(), Refusal> {
        if size > most {
            let message = format!("files of this kind have at most {most} bytes");
            return Err(Refusal::new(ErrorCode::FileTooLarge, message));
        }
        if self.parts.free()? < size.saturating_add(RESERVE) {
            tracing::error!(size, "no room for an upload");
            return Err(Refusal::no_room());
        }
        Ok(())
    }

    async fn pay(&self, user: UserId, size: u64) -> Result<(), Refusal> {
        Ok(self.store.people.spend(user, self.charge(size)).await?)
    }

    /// What was paid for bytes that never came.
    async fn give_back(&self, user: UserId, size: u64) {
        if let Err(error) = self.store.people.refund(user, self.charge(size)).await {
            tracing::warn!(%error, "a quota cannot be given back now");
        }
    }

    fn charge(&self, size: u64) -> Charge {
        Charge::of(BudgetKind::Uploads, self.quota, size)
    }

    /// The parts of an upload, which must be somebody's own, whole, and here.
    async fn whole_parts(&self, user: UserId, ids: &[FileId]) -> Result<Vec<Upload>, Refusal> {
        let found = self.store.people.uploads(user, ids).await?;
        let mut parts = Vec::with_capacity(ids.len());
        for id in ids {
            let part = found.iter().find(|it| it.id == *id && it.parts.as_deref() == Some("") && !it.expired);
            let part = part.ok_or_else(|| Refusal::new(ErrorCode::FileNotFound, "one of the parts is not there"))?;
            let mut part = part.clone();
            if part.place != Some(self.parts.place()) {
                let message = "another node receives these parts: try again, until you reach it";
                return Err(Refusal::new(ErrorCode::Unavailable, message).after_ms(500));
            }
            part.received = self.offset(&part).await?;
            if part.size != Some(part.received) {
                return Err(Refusal::new(ErrorCode::BadRequest, "one of the parts is not complete"));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    async fn put_together(&self, user: UserId, id: FileId, of: Vec<FileId>, size: u64) -> Result<u64, Refusal> {
        let (parts, ids) = (self.parts.clone(), of.clone());
        let _turn = self.turns.acquire().await;
        let length = blocking(move || {
            parts.concatenate(&ids, id)?;
            parts.length(id)
        });
        let length = length.await?;
        if length != size {
            return Err(Refusal::new(ErrorCode::UploadConflict, "a part has changed meanwhile: try again"));
        }
        for part in of {
            self.store.people.end_upload(user, part).await?;
            let parts = self.parts.clone();
            blocking(move || parts.remove(part)).await?;
        }
        Ok(length)
    }
}

fn put(response: &mut Response, name: &'static str, value: &impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn put_expiry(response: &mut Response, upload: &Upload) {
    if let Some(at) = upload.expires_at.filter(|_| upload.state == FileState::Uploading) {
        put(response, "upload-expires", &headers::http_date(at));
    }
}

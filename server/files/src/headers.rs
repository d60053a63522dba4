//! What tus 1.0 says in headers (https://tus.io/protocols/resumable-upload). No IO.

use axum::http::{HeaderMap, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chapar_protocol::{
    ErrorCode, Timestamp,
    media::{FileId, FileKind},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{names, refusal::Refusal};

/// The version that is spoken.
pub(crate) const VERSION: &str = "1.0.0";
/// What is spoken beside the core.
pub(crate) const EXTENSIONS: &str =
    "creation,creation-defer-length,creation-with-upload,checksum,termination,expiration,concatenation";
/// How the bytes of a request can be vouched for.
pub(crate) const ALGORITHMS: &str = "sha1,sha256";
/// Longest `Upload-Metadata`, in bytes.
const METADATA: usize = 4096;
/// Most parts that one upload is made of.
const PARTS: usize = 64;

/// What is told of an upload at its beginning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Creation {
    /// How many bytes it will have; absent: told later.
    pub(crate) size: Option<u64>,
    /// As what it will be sent.
    pub(crate) kind: FileKind,
    /// What it is called.
    pub(crate) name: Option<String>,
    /// As it was given.
    pub(crate) metadata: String,
    /// How it is put together.
    pub(crate) concat: Concat,
}

/// How an upload is put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Concat {
    /// By itself.
    Alone,
    /// It is a part of another.
    Part,
    /// Of these.
    Of(Vec<FileId>),
}

/// What vouches for the bytes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// SHA-1.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
}

/// Whether a request speaks the version that is spoken here.
pub(crate) fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    if text(headers, "tus-resumable")? == Some(VERSION) {
        return Ok(());
    }
    let message = format!("this server speaks tus {VERSION}: say so in Tus-Resumable");
    Err(Refusal::with(StatusCode::PRECONDITION_FAILED, ErrorCode::BadRequest, message))
}

/// Reads the beginning of an upload.
pub(crate) fn creation(headers: &HeaderMap) -> Result<Creation, Refusal> {
    let metadata = text(headers, "upload-metadata")?.unwrap_or_default();
    if metadata.len() > METADATA {
        return Err(bad(format!("Upload-Metadata has at most {METADATA} bytes")));
    }
    let (mut kind, mut name) = (FileKind::Document, None);
    for (key, value) in pairs(metadata)? {
        match key {
            "kind" => {
                kind = std::str::from_utf8(&value)
                    .ok()
                    .and_then(FileKind::named)
                    .ok_or_else(|| bad("there is no such kind of file"))?;
            }
            "filename" | "name" => name = names::clean(&String::from_utf8_lossy(&value)),
            _ => {}
        }
    }
    let concat = concat(text(headers, "upload-concat")?)?;
    let size = number(headers, "upload-length")?;
    let later = match text(headers, "upload-defer-length")? {
        None => false,
        Some("1") => true,
        Some(_) => return Err(bad("Upload-Defer-Length can only be 1")),
    };
    match (&concat, size, later) {
        (Concat::Of(_), None, false) | (Concat::Alone | Concat::Part, Some(_), false) | (Concat::Alone, None, true) => {
        }
        (Concat::Of(_), ..) => return Err(bad("what is made of parts has their length")),
        (Concat::Part, _, true) => return Err(bad("a part tells its length at once")),
        _ => return Err(bad("say either Upload-Length or Upload-Defer-Length: 1")),
    }
    Ok(Creation { size, kind, name, metadata: metadata.to_owned(), concat })
}

fn pairs(metadata: &str) -> Result<Vec<(&str, Vec<u8>)>, Refusal> {
    let mut pairs: Vec<(&str, Vec<u8>)> = Vec::new();
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).map_err(|_| bad("a value of Upload-Metadata is not base64"))?;
        if pairs.iter().any(|known| known.0 == key) {
            return Err(bad("a key of Upload-Metadata stands there twice"));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn concat(value: Option<&str>) -> Result<Concat, Refusal> {
    let Some(value) = value else { return Ok(Concat::Alone) };
    if value == "partial" {
        return Ok(Concat::Part);
    }
    let Some(urls) = value.strip_prefix("final;") else {
        return Err(bad("Upload-Concat is partial, or final;URL URL …"));
    };
    let id =
        |url: &str| url.trim_end_matches('/').rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok()).map(FileId);
    let ids: Option<Vec<FileId>> = urls.split_ascii_whitespace().map(id).collect();
    match ids {
        Some(ids) if (1..=PARTS).contains(&ids.len()) => Ok(Concat::Of(ids)),
        Some(_) => Err(bad(format!("an upload is made of 1 to {PARTS} parts"))),
        None => Err(bad("Upload-Concat names something that is no upload")),
    }
}

/// How many bytes an upload has, where that is told later than at its beginning.
pub(crate) fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    number(headers, "upload-length")
}

/// Where the bytes of a request belong.
pub(crate) fn offset(headers: &HeaderMap) -> Result<u64, Refusal> {
    number(headers, "upload-offset")?.ok_or_else(|| bad("say Upload-Offset"))
}

/// How many bytes a request has, if it says so.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    number(headers, "content-length")
}

/// Whether a request carries bytes of an upload.
pub(crate) fn carries_bytes(headers: &HeaderMap) -> bool {
    headers.get("content-type").is_some_and(|kind| kind == "application/offset+octet-stream")
}

/// What vouches for the bytes of a request.
pub(crate) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let Some(value) = text(headers, "upload-checksum")? else { return Ok(None) };
    let wrong = || bad(format!("Upload-Checksum is one of {ALGORITHMS}, a space, and the hash in base64"));
    let (algorithm, hash) = value.split_once(' ').ok_or_else(wrong)?;
    let hash = STANDARD.decode(hash.trim()).map_err(|_| wrong())?;
    match algorithm {
        "sha1" => hash.try_into().map(Checksum::Sha1).map(Some).map_err(|_| wrong()),
        "sha256" => hash.try_into().map(Checksum::Sha256).map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// As what method a POST is meant, by whoever cannot send another.
pub(crate) fn overridden(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-http-method-override")?.to_str().ok()
}

/// A moment as HTTP writes it (RFC 9110 section 5.6.7).
pub(crate) fn http_date(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (day, month) = (at.weekday().to_string(), at.month().to_string());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &day[..3],
        at.day(),
        &month[..3],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| bad(format!("the header {name} is not ASCII")))
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = text(headers, name)? else { return Ok(None) };
    // `parse` takes a sign.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok());
    number.map(Some).ok_or_else(|| bad(format!("the header {name} is no number of bytes")))
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn an_upload_says_what_it_will_be() {
        let said = headers(&[
            ("upload-length", "5"),
            ("upload-metadata", "kind dm9pY2U=,filename Li4vYS5vZ2c=,filetype YXVkaW8vb2dn,empty"),
        ]);
        let read = creation(&said).expect("good");
        assert_eq!((read.size, read.kind, read.name.as_deref()), (Some(5), FileKind::Voice, Some("a.ogg")));
        let later = creation(&headers(&[("upload-defer-length", "1")])).expect("good");
        assert_eq!((later.size, later.kind, later.concat), (None, FileKind::Document, Concat::Alone));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad: &[&[(&'static str, &str)]] = &[
            &[],
            &[("upload-length", "-1")],
            &[("upload-length", "+1")],
            &[("upload-length", "1e3")],
            &[("upload-length", "9223372036854775808")],
            &[("upload-length", "1"), ("upload-defer-length", "1")],
            &[("upload-defer-length", "2")],
            &[("upload-length", "1"), ("upload-metadata", "kind !")],
            &[("upload-length", "1"), ("upload-metadata", "kind Ym9tYg==")],
            &[("upload-length", "1"), ("upload-metadata", "a YQ==,a YQ==")],
            &[("upload-length", "1"), ("upload-concat", "final;/files/x")],
            &[("upload-concat", "final;/files/x")],
            &[("upload-concat", "final;")],
            &[("upload-concat", "partial")],
            &[("upload-length", "1"), ("upload-concat", "whole")],
        ];
        for pairs in bad {
            assert!(creation(&headers(pairs)).is_err(), "{pairs:?}");
        }
        let long = "x".repeat(METADATA + 1);
        assert!(creation(&headers(&[("upload-length", "1"), ("upload-metadata", &long)])).is_err());
    }

    #[test]
    fn parts_are_named_by_any_form_of_their_address() {
        let id = "6f1e7f2a-3a3c-4c57-9a55-9a57c0a2b001";
        let value = format!("final;/files/{id} https://chat.example.org/files/{id}/");
        let read = creation(&headers(&[("upload-concat", &value)])).expect("good");
        let id = FileId(Uuid::try_parse(id).expect("a UUID"));
        assert_eq!((read.size, read.concat), (None, Concat::Of(vec![id, id])));
    }

    #[test]
    fn checksums_are_read_and_nonsense_is_refused() {
        let sha1 = checksum(&headers(&[("upload-checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")])).expect("good");
        assert!(matches!(sha1, Some(Checksum::Sha1(_))));
        for value in ["sha1", "sha1 AAAA", "md5 AAAA", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0="] {
            assert!(checksum(&headers(&[("upload-checksum", value)])).is_err(), "{value}");
        }
        assert_eq!(checksum(&headers(&[])).expect("none"), None);
    }

    #[test]
    fn moments_are_written_as_http_writes_them() {
        let at = Timestamp::from_millis(784_111_777_000).expect("a time");
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}

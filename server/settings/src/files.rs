//! The settings of files.

use std::{fmt, path::PathBuf};

use super::{
    Secret,
    parse::{self, Reader},
};

/// Where complete files lie on S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket.
    pub name: String,
    /// What stands before the name of each object; empty for nothing.
    pub prefix: String,
}

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannerAddress {
    /// Host and port.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// What concerns files.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// Where uploads are received, and complete files lie unless they lie on S3. Without: in the data directory.
    pub dir: Option<PathBuf>,
    /// Where complete files lie on S3.
    pub bucket: Option<Bucket>,
    /// The S3 server; without: that of AWS for the region.
    pub s3_endpoint: Option<String>,
    /// Its region.
    pub s3_region: String,
    /// With what requests to it are signed; without: the machine's own role.
    pub s3_access_key: Option<String>,
    /// The secret that belongs to it.
    pub s3_secret_key: Option<Secret>,
    /// MiB that one account may upload in a day. 0 is no bound.
    pub upload_quota: u64,
    /// What looks through files before anybody else gets them.
    pub scanner: Option<ScannerAddress>,
    /// Whether files pass that the scanner could not look at.
    pub scanner_fail_open: bool,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            dir: None,
            bucket: None,
            s3_endpoint: None,
            s3_region: "us-east-1".to_owned(),
            s3_access_key: None,
            s3_secret_key: None,
            upload_quota: 10_240,
            scanner: None,
            scanner_fail_open: false,
        }
    }
}

impl FileSettings {
    pub(super) fn read(&mut self, from: &mut Reader<'_>) {
        from.put("files-dir", &mut self.dir, parse::some(parse::path));
        from.put("blob-url", &mut self.bucket, parse::some(bucket));
        from.put("s3-endpoint", &mut self.s3_endpoint, parse::some(parse::public_url));
        from.put("s3-region", &mut self.s3_region, word);
        from.put("s3-access-key", &mut self.s3_access_key, parse::some(word));
        from.put("s3-secret-key", &mut self.s3_secret_key, parse::some(|text| Ok(Secret::new(text))));
        from.put("upload-quota", &mut self.upload_quota, parse::number(0, 1_000_000_000));
        from.put("scanner", &mut self.scanner, parse::some(scanner));
        from.put("scanner-fail-open", &mut self.scanner_fail_open, parse::truth);
    }

    /// The value for people to read; `None` for a setting that is not one of these.
    pub(super) fn shown(&self, name: &str) -> Option<String> {
        fn or<T: ToString>(value: Option<&T>, without: &str) -> String {
            value.map_or_else(|| format!("({without})"), ToString::to_string)
        }
        Some(match name {
            "files-dir" => or(self.dir.as_ref().map(|dir| dir.display()).as_ref(), "files in data-dir"),
            "blob-url" => or(self.bucket.as_ref(), "in files-dir"),
            "s3-endpoint" => or(self.s3_endpoint.as_ref(), "that of AWS"),
            "s3-region" => self.s3_region.clone(),
            "s3-access-key" => or(self.s3_access_key.as_ref(), "the machine's own role"),
            "s3-secret-key" => or(self.s3_secret_key.as_ref().map(|_| "(hidden)").as_ref(), "none"),
            "upload-quota" => self.upload_quota.to_string(),
            "scanner" => or(self.scanner.as_ref(), "none"),
            "scanner-fail-open" => self.scanner_fail_open.to_string(),
            _ => return None,
        })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

impl fmt::Display for ScannerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

fn bucket(text: &str) -> Result<Bucket, String> {
    let refuse = || format!("must be s3://BUCKET or s3://BUCKET/PREFIX, not {text:?}");
    let rest = text.strip_prefix("s3://").ok_or_else(refuse)?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let prefix = prefix.trim_end_matches('/');
    if name.len() < 3 || !name.chars().all(plain) || !prefix.chars().all(|c| plain(c) || c == '/') {
        return Err(refuse());
    }
    Ok(Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
}

fn word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        Err("must be one word".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn scanner(text: &str) -> Result<ScannerAddress, String> {
    if text.starts_with('/') {
        return Ok(ScannerAddress::Unix(PathBuf::from(text)));
    }
    let port = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if port {
        Ok(ScannerAddress::Tcp(text.to_owned()))
    } else {
        Err(format!("must be HOST:PORT or the path of a socket, not {text:?}"))
    }
}

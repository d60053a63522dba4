//! The secret of TURN credentials: what the operator set, or one that is made once and kept in the data directory.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chapar_signaling::credentials::{LEAST_SECRET, Secret};

use super::Failure;
use crate::settings::Settings;

const FILE: &str = "relay-secret";

/// The secret in force at the start.
pub(super) fn of(settings: &Settings) -> Result<Secret, Failure> {
    if let Some((current, previous)) = &settings.relay.secrets {
        let previous = previous.as_ref().map(|secret| secret.expose().as_bytes().to_vec());
        let secret = Secret::new(current.expose(), previous);
        return secret.ok_or_else(|| format!("relay-secret must have at least {LEAST_SECRET} characters").into());
    }
    let path = settings.data_dir.join(FILE);
    match read_or_make(&path) {
        Ok(text) => Secret::new(text.trim(), None).ok_or_else(|| {
            format!("{} holds fewer than {LEAST_SECRET} characters; remove it, and a new one is made", path.display())
                .into()
        }),
        // A node whose database is elsewhere may have no place to write.
        Err(error) if settings.database_url.is_some() => {
            tracing::warn!(%error, path = %path.display(), "the relay's secret cannot be kept; it lasts until the node ends");
            Secret::new(random(), None).ok_or_else(|| "no randomness".into())
        }
        Err(error) => Err(format!("the relay's secret cannot be kept in {}: {error}", path.display()).into()),
    }
}

fn read_or_make(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let secret = random();
    // Written beside and renamed: half a secret is never read.
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(secret)
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

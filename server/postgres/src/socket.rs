//! The directory of the Unix socket. A socket's path holds 107 bytes; a data directory's may be longer.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::EmbeddedPostgresError;
use super::account::Account;

/// No TCP port: the number in the socket's file name.
pub(super) const PORT: u16 = 5432;
pub(super) const FILE: &str = ".s.PGSQL.5432";
pub(super) const LOCK_FILE: &str = ".s.PGSQL.5432.lock";

const LONGEST_DIRECTORY: usize = 107 - 1 - FILE.len();
const ELSEWHERE: &str = "chapar-";

/// Makes `<data>/run`, or where that path is too long a directory in `/tmp` whose name is derived from it, with mode
/// 0700 and owned by the account of Postgres.
pub(super) fn make_dir(data_dir: &Path, account: &Account) -> Result<PathBuf, EmbeddedPostgresError> {
    let (directory, elsewhere) = place(data_dir);
    let refuse = EmbeddedPostgresError::files("Making the socket's directory", &directory);
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(fault) if fault.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(refuse(fault));
        }
        Err(_) if elsewhere => trust(&directory, account)?,
        _ => {}
    }
    let settle = || {
        if let Some((uid, gid)) = account.owner() {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid))?;
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))
    };
    settle().map_err(refuse)?;
    Ok(directory)
}

/// The directory that [`make_dir`] has made, when it can hold nobody's socket but ours.
pub(super) fn find_dir(data_dir: &Path, cluster: &Path) -> Option<PathBuf> {
    let (directory, elsewhere) = place(data_dir);
    let found = fs::symlink_metadata(&directory).ok()?;
    // In a directory that everybody can write to, somebody else may have been there first.
    let closed = found.mode().trailing_zeros() >= 6;
    let safe = !elsewhere || (closed && found.uid() == fs::metadata(cluster).ok()?.uid());
    (found.is_dir() && safe).then_some(directory)
}

/// Where the directory is, and whether that is outside the data directory.
fn place(data_dir: &Path) -> (PathBuf, bool) {
    let inside = data_dir.join("run");
    if inside.as_os_str().len() > LONGEST_DIRECTORY {
        (Path::new("/tmp").join(short_name(data_dir)), true)
    } else {
        (inside, false)
    }
}

/// Removes a directory that was made outside the data directory.
pub(super) fn remove_if_elsewhere(directory: &Path) {
    if directory.file_name().is_some_and(|name| name.as_bytes().starts_with(ELSEWHERE.as_bytes())) {
        // Fails when something else lies in it; then it is not ours to remove.
        let _ = fs::remove_dir(directory);
    }
}

/// In a directory that everybody can write to, somebody else may have been there first.
fn trust(directory: &Path, account: &Account) -> Result<(), EmbeddedPostgresError> {
    let refuse = |why: String| EmbeddedPostgresError::NoSocketDirectory { tried: directory.to_owned(), why };
    let found = fs::symlink_metadata(directory).map_err(|fault| refuse(fault.to_string()))?;
    let me = rustix::process::geteuid().as_raw();
    let expected = account.owner().map_or(me, |(uid, _)| uid);
    if !found.is_dir() || found.mode() & 0o077 != 0 || (found.uid() != expected && found.uid() != me) {
        return Err(refuse("it exists and is not a directory of ours with mode 0700".to_owned()));
    }
    Ok(())
}

fn short_name(data_dir: &Path) -> String {
    let digest = Sha256::digest(data_dir.as_os_str().as_bytes());
    let mut name = ELSEWHERE.to_owned();
    for byte in &digest[..16] {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

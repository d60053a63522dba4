//! Part files: what has come of uploads that are not stored yet, on the disk of the node that receives them.
//!
//! The length of a part file is the offset of its upload: bytes are only ever appended, and a file system tells a length on disk only
//! after the bytes below it are there. What a checksum has yet to vouch for is no exception: a mark, written before, says where it
//! begins, and whoever finds the mark cuts there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use chapar_protocol::media::FileId;
use rustix::fs::FlockOperation;
use uuid::Uuid;

/// For how long a part file without a row may be one that is just beginning.
const YOUNG: Duration = Duration::from_mins(5);

/// Where part files lie. Several nodes may share it.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    dir: PathBuf,
    place: Uuid,
}

/// A part file that this process alone appends to, across nodes that share the directory.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    mark: PathBuf,
    dir: PathBuf,
}

impl Parts {
    /// Opens the directory, and makes it where it is not there.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let named = dir.join("place");
        let place = match fs::read_to_string(&named) {
            Ok(text) => Uuid::try_parse(text.trim()).map_err(|_| io::Error::other("the file `place` holds no UUID"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => name_place(dir, &named)?,
            Err(error) => return Err(error),
        };
        Ok(Self { dir: dir.to_owned(), place })
    }

    /// Names the directory, so that a node knows whether an upload is its own.
    pub(crate) fn place(&self) -> Uuid {
        self.place
    }

    /// The path of an upload's part file.
    pub(crate) fn path(&self, file: FileId) -> PathBuf {
        self.dir.join(format!("{file}.part"))
    }

    /// Begins an upload.
    pub(crate) fn create(&self, file: FileId) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(file))?;
        sync_dir(&self.dir)
    }

    /// Opens an upload to append to it. `None`: another process does.
    pub(crate) fn append(&self, file: FileId) -> io::Result<Option<Part>> {
        let opened = OpenOptions::new().append(true).open(self.path(file))?;
        if rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let part = Part { file: opened, mark: self.mark(file), dir: self.dir.clone() };
        if let Some(vouched) = part.read_mark()? {
            part.cut_back_to(vouched)?;
        }
        Ok(Some(part))
    }

    /// How much of an upload is there. What is being written now counts as it was last made durable, which the writer knows.
    pub(crate) fn length(&self, file: FileId) -> io::Result<u64> {
        let length = fs::metadata(self.path(file))?.len();
        let marked = read_mark(&self.mark(file))?;
        Ok(marked.map_or(length, |vouched| vouched.min(length)))
    }

    /// Removes what there is of an upload.
    pub(crate) fn remove(&self, file: FileId) -> io::Result<()> {
        for path in [self.path(file), self.mark(file)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The uploads of which there are part files.
    pub(crate) fn list(&self) -> io::Result<Vec<FileId>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".part")).and_then(|id| Uuid::try_parse(id).ok());
            files.extend(id.map(FileId));
        }
        Ok(files)
    }

    /// Bytes that are free for uploads.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let of = rustix::fs::statvfs(&self.dir)?;
        Ok(of.f_bavail.saturating_mul(of.f_frsize))
    }

    /// Makes a new upload of others, one after the other.
    pub(crate) fn concatenate(&self, parts: &[FileId], whole: FileId) -> io::Result<()> {
        let Some(mut to) = self.append(whole)? else { return Err(io::ErrorKind::WouldBlock.into()) };
        for part in parts {
            io::copy(&mut File::open(self.path(*part))?, &mut to.file)?;
        }
        to.sync()
    }

    fn mark(&self, file: FileId) -> PathBuf {
        self.dir.join(format!("{file}.unvouched"))
    }
}

impl Part {
    /// How long it is.
    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Appends.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes durable what was appended.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// From here on nothing counts before it is vouched for.
    pub(crate) fn begin_unvouched(&self) -> io::Result<()> {
        let mut file = File::create(&self.mark)?;
        file.write_all(self.length()?.to_string().as_bytes())?;
        file.sync_all()?;
        sync_dir(&self.dir)
    }

    /// What was appended since counts, and is durable.
    pub(crate) fn vouch(&self) -> io::Result<()> {
        self.sync()?;
        fs::remove_file(&self.mark)?;
        sync_dir(&self.dir)
    }

    /// What was appended since does not count.
    pub(crate) fn cut_back_to(&self, length: u64) -> io::Result<()> {
        if self.length()? > length {
            self.file.set_len(length)?;
            self.file.sync_all()?;
        }
        match fs::remove_file(&self.mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_dir(&self.dir),
        }
    }

    fn read_mark(&self) -> io::Result<Option<u64>> {
        read_mark(&self.mark)
    }
}

fn read_mark(path: &Path) -> io::Result<Option<u64>> {
    let mut text = String::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Cut off while it was written: then nothing was appended yet, and the length is what counts.
    Ok(text.parse().ok())
}

fn name_place(dir: &Path, named: &Path) -> io::Result<Uuid> {
    let draft = dir.join(format!("place.{}", Uuid::new_v4()));
    let mut file = File::create(&draft)?;
    file.write_all(Uuid::new_v4().to_string().as_bytes())?;
    file.sync_all()?;
    // Two nodes that start at once agree on whichever came first.
    match fs::hard_link(&draft, named) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::remove_file(&draft)?,
    }
    sync_dir(dir)?;
    Uuid::try_parse(fs::read_to_string(named)?.trim()).map_err(|_| io::Error::other("the file `place` holds no UUID"))
}

/// Whether a part file was written to a moment ago: its row may not be there yet.
pub(crate) fn is_young(path: &Path) -> bool {
    let written = fs::metadata(path).and_then(|it| it.modified());
    written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < YOUNG))
}

/// Makes durable what names there are in a directory.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (tempfile::TempDir, Parts, FileId) {
        let dir = tempfile::tempdir().expect("a directory");
        let parts = Parts::open(&dir.path().join("parts")).expect("opened");
        let file = FileId(Uuid::new_v4());
        parts.create(file).expect("created");
        (dir, parts, file)
    }

    #[test]
    fn a_directory_keeps_its_name() {
        let (dir, parts, _) = parts();
        assert_eq!(Parts::open(&dir.path().join("parts")).expect("opened").place(), parts.place());
    }

    #[test]
    fn two_cannot_append_to_one_upload() {
        let (_dir, parts, file) = parts();
        let first = parts.append(file).expect("opened").expect("free");
        assert!(parts.append(file).expect("opened").is_none());
        drop(first);
        assert!(parts.append(file).expect("opened").is_some());
    }

    #[test]
    fn what_no_checksum_has_vouched_for_does_not_count() {
        let (_dir, parts, file) = parts();
        let mut part = parts.append(file).expect("opened").expect("free");
        part.write(b"counts").expect("written");
        part.begin_unvouched().expect("marked");
        part.write(b" and this does not").expect("written");
        assert_eq!(parts.length(file).expect("read"), 6);
        drop(part);
        // As after a crash.
        assert_eq!(parts.length(file).expect("read"), 6);
        let mut part = parts.append(file).expect("opened").expect("free");
        assert_eq!(part.length().expect("read"), 6);
        part.begin_unvouched().expect("marked");
        part.write(b" again").expect("written");
        part.vouch().expect("vouched");
        drop(part);
        assert_eq!(fs::read(parts.path(file)).expect("read"), b"counts again");
        assert_eq!(parts.length(file).expect("read"), 12);
        assert_eq!(parts.list().expect("read"), [file]);
        parts.remove(file).expect("removed");
        assert!(parts.list().expect("read").is_empty());
    }
}

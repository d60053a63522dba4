//! A store in a directory: a journal for the outbox, one file for the state.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use chapar_protocol::User;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, put};
use crate::core::{
    outbox::OutboxItem,
    saved::{Saved, State},
};

/// Lines of the journal beyond which it is written anew.
const LONG: usize = 1_000;

/// One line of the journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "written at once, never kept in numbers")]
enum Line {
    Owner(User),
    Put(OutboxItem),
    Remove(Uuid),
}

/// Keeps everything in a directory of its own, made with access for the owner only, because it holds messages.
///
/// The outbox is an append-only journal, synced before a message goes out; a torn last line of a crash is dropped.
/// The state is written to a temporary file, synced and renamed. A lock file keeps a second process out.
#[derive(Debug)]
pub struct FileStore {
    directory: PathBuf,
    journal: Mutex<Journal>,
    _lock: File,
}

#[derive(Debug)]
struct Journal {
    file: File,
    lines: usize,
    saved: Saved,
    /// Half a line may stand at its end.
    torn: bool,
}

impl Journal {
    fn renew(&mut self, directory: &Path) -> io::Result<()> {
        self.file = rewrite(directory, &self.saved)?;
        self.lines = self.saved.outbox.len();
        self.torn = false;
        Ok(())
    }
}

impl FileStore {
    /// Opens a store, making the directory if it is not there.
    ///
    /// # Errors
    /// When it cannot be read or written, is in use by another process ([`io::ErrorKind::WouldBlock`]),
    /// or was damaged by something else than a crash ([`io::ErrorKind::InvalidData`]).
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        make_private(&directory)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::new(io::ErrorKind::WouldBlock, "the store is in use"))?;
        let path = directory.join("outbox.jsonl");
        let mut saved = replay(&path)?;
        saved.state = match fs::read(directory.join("state.json")) {
            // A state that cannot be read costs a snapshot, no message.
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let file = rewrite(&directory, &saved)?;
        let lines = saved.outbox.len();
        Ok(Self { directory, journal: Mutex::new(Journal { file, lines, saved, torn: false }), _lock: lock })
    }

    fn append(&self, lines: &[Line], durable: bool) -> io::Result<()> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.torn {
            journal.renew(&self.directory)?;
        }
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
        let before = journal.file.metadata()?.len();
        let written =
            journal.file.write_all(&bytes).and_then(|()| if durable { journal.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // What could not be kept whole must not stand before what comes later: else the journal is written anew first.
            journal.torn = journal.file.set_len(before).is_err();
            return Err(error);
        }
        for line in lines {
            apply(&mut journal.saved, line);
        }
        journal.lines += lines.len();
        if journal.lines > LONG + 2 * journal.saved.outbox.len()
            && let Err(error) = journal.renew(&self.directory)
        {
            // The lines are kept all the same. Tried again when as many more have come.
            journal.lines = 0;
            tracing::warn!(%error, "the outbox's journal cannot be written anew");
        }
        Ok(())
    }
}

impl Store for FileStore {
    fn load(&self) -> io::Result<Saved> {
        Ok(self.journal.lock().unwrap_or_else(PoisonError::into_inner).saved.clone())
    }

    fn set_owner(&self, owner: &User) -> io::Result<()> {
        self.append(&[Line::Owner(owner.clone())], true)
    }

    fn put(&self, items: &[OutboxItem]) -> io::Result<()> {
        let lines: Vec<_> = items.iter().cloned().map(Line::Put).collect();
        self.append(&lines, true)
    }

    fn remove(&self, client_ids: &[Uuid]) -> io::Result<()> {
        let lines: Vec<_> = client_ids.iter().copied().map(Line::Remove).collect();
        self.append(&lines, false)?;
        for client_id in client_ids {
            drop(fs::remove_file(self.directory.join(client_id.to_string())));
        }
        Ok(())
    }

    fn keep_bytes(&self, client_id: Uuid, bytes: &[u8]) -> io::Result<PathBuf> {
        let name = client_id.to_string();
        replace(&self.directory, &name, bytes)?;
        Ok(self.directory.join(name))
    }

    fn save_state(&self, state: &State) -> io::Result<()> {
        replace(&self.directory, "state.json", &serde_json::to_vec(state)?)?;
        Ok(())
    }
}

fn apply(saved: &mut Saved, line: &Line) {
    match line {
        Line::Owner(owner) => saved.owner = Some(owner.clone()),
        Line::Put(item) => put(&mut saved.outbox, std::slice::from_ref(item)),
        Line::Remove(client_id) => saved.outbox.retain(|item| item.client_id != *client_id),
    }
}

/// Reads the journal.
fn replay(path: &Path) -> io::Result<Saved> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        Err(error) => return Err(error),
    };
    // Without its line feed the last line was torn by a crash: it was never said to be kept.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut saved = Saved::default();
    for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        apply(&mut saved, &serde_json::from_slice(line)?);
    }
    Ok(saved)
}

/// Writes the journal anew with only what counts, and opens it for appending.
fn rewrite(directory: &Path, saved: &Saved) -> io::Result<File> {
    let owner = saved.owner.clone().map(Line::Owner);
    let mut bytes = Vec::new();
    for line in owner.into_iter().chain(saved.outbox.iter().cloned().map(Line::Put)) {
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    replace(directory, "outbox.jsonl", &bytes)?;
    OpenOptions::new().append(true).open(directory.join("outbox.jsonl"))
}

/// Replaces a file so that a crash leaves the old or the new one.
fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    // The rename itself must survive too; not every system lets a directory be opened.
    if let Ok(directory) = File::open(directory) {
        directory.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chapar_protocol::{ChatId, message::NewBody};

    fn item(number: u128) -> OutboxItem {
        let (client_id, body) = (Uuid::from_u128(number), NewBody::text(format!("پیام {number}")));
        OutboxItem::new(client_id, ChatId(1), body, None)
    }

    #[test]
    fn what_was_put_is_there_after_a_crash_in_mid_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = FileStore::open(directory.path()).expect("opened");
        store.put(&[item(1), item(2), item(3)]).expect("kept");
        store.remove(&[item(2).client_id]).expect("kept");
        drop(store);
        let mut journal = OpenOptions::new().append(true).open(directory.path().join("outbox.jsonl")).expect("there");
        journal.write_all(br#"{"put":{"client_id":"0000"#).expect("torn");
        let store = FileStore::open(directory.path()).expect("opened again");
        assert_eq!(store.load().expect("read").outbox, [item(1), item(3)]);
        store.put(&[item(4)]).expect("kept");
        drop(store);
        let store = FileStore::open(directory.path()).expect("opened again");
        assert_eq!(store.load().expect("read").outbox, [item(1), item(3), item(4)]);
    }

    #[test]
    fn half_a_line_that_could_not_be_taken_back_stands_before_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = FileStore::open(directory.path()).expect("opened");
        store.put(&[item(1)]).expect("kept");
        {
            // As after a write that failed half-way on a disk that does not let it be cut off either.
            let mut journal = store.journal.lock().expect("not poisoned");
            journal.file.write_all(br#"{"put":{"client"#).expect("torn");
            journal.torn = true;
        }
        store.put(&[item(2)]).expect("kept");
        drop(store);
        let store = FileStore::open(directory.path()).expect("opened again");
        assert_eq!(store.load().expect("read").outbox, [item(1), item(2)]);
    }

    #[cfg(unix)]
    #[test]
    fn what_was_kept_is_said_to_be_kept_though_the_journal_cannot_be_written_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = FileStore::open(directory.path()).expect("opened");
        // Where a directory stands no file can be made.
        fs::create_dir(directory.path().join("outbox.jsonl.new")).expect("made");
        for number in 0..600 {
            store.append(&[Line::Put(item(number)), Line::Remove(item(number).client_id)], false).expect("kept");
        }
        store.put(&[item(1_000)]).expect("kept");
        fs::remove_dir(directory.path().join("outbox.jsonl.new")).expect("removed");
        drop(store);
        let store = FileStore::open(directory.path()).expect("opened again");
        assert_eq!(store.load().expect("read").outbox, [item(1_000)]);
    }

    #[test]
    fn the_journal_does_not_grow_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = FileStore::open(directory.path()).expect("opened");
        for number in 0..3_000 {
            store.append(&[Line::Put(item(number)), Line::Remove(item(number).client_id)], false).expect("kept");
        }
        let length = fs::metadata(directory.path().join("outbox.jsonl")).expect("there").len();
        assert!(length < 300_000, "{length} bytes");
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let _store = FileStore::open(directory.path()).expect("opened");
        let error = FileStore::open(directory.path()).expect_err("locked");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

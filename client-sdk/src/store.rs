//! What survives the process.

mod file;

use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use chapar_protocol::User;
use uuid::Uuid;

pub use self::file::FileStore;
use crate::core::{
    outbox::OutboxItem,
    saved::{Saved, State},
};

/// Keeps the outbox, and if it wants to the local state, beyond the life of the process.
///
/// The methods may block: the client calls them from a thread that may. Only one client may use a store at a time.
pub trait Store: Send + Sync + 'static {
    /// Everything kept, when the client starts.
    ///
    /// # Errors
    /// When it cannot be read: the client does not start.
    fn load(&self) -> io::Result<Saved>;

    /// Notes whose store this is.
    ///
    /// # Errors
    /// When it cannot be written.
    fn set_owner(&self, owner: &User) -> io::Result<()>;

    /// Keeps messages, replacing those with the same client id. When it returns they must survive a loss of power.
    ///
    /// # Errors
    /// When they cannot be kept: they are not sent.
    fn put(&self, items: &[OutboxItem]) -> io::Result<()>;

    /// Forgets messages that the server has. If this is lost, they are sent once more, which does no harm.
    ///
    /// # Errors
    /// When it cannot be written.
    fn remove(&self, client_ids: &[Uuid]) -> io::Result<()>;

    /// Keeps a file that was given as bytes until its message leaves the store, and says where.
    ///
    /// # Errors
    /// When it cannot be kept: it is not sent. So it is unless a store says otherwise.
    fn keep_bytes(&self, _client_id: Uuid, _bytes: &[u8]) -> io::Result<PathBuf> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this store keeps no files: give a path"))
    }

    /// Keeps cursors and chats, all together or not at all. Without it every start begins with snapshots.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save_state(&self, _state: &State) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps nothing beyond the process. Two clients, one after the other, may share it through an `Arc`.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Saved>);

impl MemoryStore {
    fn with<R>(&self, change: impl FnOnce(&mut Saved) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn load(&self) -> io::Result<Saved> {
        Ok(self.with(|saved| saved.clone()))
    }

    fn set_owner(&self, owner: &User) -> io::Result<()> {
        self.with(|saved| saved.owner = Some(owner.clone()));
        Ok(())
    }

    fn put(&self, items: &[OutboxItem]) -> io::Result<()> {
        self.with(|saved| put(&mut saved.outbox, items));
        Ok(())
    }

    fn remove(&self, client_ids: &[Uuid]) -> io::Result<()> {
        self.with(|saved| saved.outbox.retain(|item| !client_ids.contains(&item.client_id)));
        for client_id in client_ids {
            drop(std::fs::remove_file(temporary(*client_id)));
        }
        Ok(())
    }

    fn keep_bytes(&self, client_id: Uuid, bytes: &[u8]) -> io::Result<PathBuf> {
        use std::io::Write as _;
        let path = temporary(client_id);
        private(&path)?.write_all(bytes)?;
        Ok(path)
    }

    fn save_state(&self, state: &State) -> io::Result<()> {
        self.with(|saved| saved.state = Some(state.clone()));
        Ok(())
    }
}

impl<S: Store> Store for std::sync::Arc<S> {
    fn load(&self) -> io::Result<Saved> {
        (**self).load()
    }

    fn set_owner(&self, owner: &User) -> io::Result<()> {
        (**self).set_owner(owner)
    }

    fn put(&self, items: &[OutboxItem]) -> io::Result<()> {
        (**self).put(items)
    }

    fn remove(&self, client_ids: &[Uuid]) -> io::Result<()> {
        (**self).remove(client_ids)
    }

    fn keep_bytes(&self, client_id: Uuid, bytes: &[u8]) -> io::Result<PathBuf> {
        (**self).keep_bytes(client_id, bytes)
    }

    fn save_state(&self, state: &State) -> io::Result<()> {
        (**self).save_state(state)
    }
}

/// Where the file of a message lies that nothing keeps beyond the process.
fn temporary(client_id: Uuid) -> PathBuf {
    std::env::temp_dir().join(format!("chapar-{client_id}"))
}

/// A new file that nobody else on this machine reads.
#[cfg(unix)]
fn private(path: &std::path::Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A new file; whether others read it is up to the folder that the system has for such.
#[cfg(not(unix))]
fn private(path: &std::path::Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

/// Puts items into a list: in place if there, else at the end.
fn put(outbox: &mut Vec<OutboxItem>, items: &[OutboxItem]) {
    for item in items {
        match outbox.iter_mut().find(|known| known.client_id == item.client_id) {
            Some(known) => *known = item.clone(),
            None => outbox.push(item.clone()),
        }
    }
}

//! Does what the core says: opens sockets, writes frames, keeps messages, wakes callers.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    io,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use crate::{
    Error, Store,
    client::Shared,
    core::{Input, Output, UploadNews, event::ClientEvent, outbox::OutboxItem, phase::Phase},
    http::Http,
    transport::{self, ConnectError, Ended, Incoming, Options, Receiver, Sender},
    upload::{self, Step},
};

/// Frames that wait to be written. The core has at most 64 requests under way, so more means that nothing moves.
const OUTGOING: usize = 256;
/// How often the local state is saved at most.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How long a closing frame may take.
const CLOSING: Duration = Duration::from_secs(2);

type Connecting = Pin<Box<dyn Future<Output = Result<(Sender, Receiver), ConnectError>> + Send>>;

enum Outgoing {
    Text(String),
    Close(u16),
}

struct Driver {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    http: Http,
    /// Files on their way up.
    uploads: HashMap<Uuid, JoinHandle<()>>,
    url: String,
    options: Options,
    connecting: Option<Connecting>,
    socket: Option<(mpsc::Sender<Outgoing>, Receiver)>,
    owner_known: bool,
    save_at: Option<Instant>,
    /// Messages to be kept, and those that need not be any more, since the last ones went to the disk.
    put: Vec<OutboxItem>,
    removed: Vec<Uuid>,
    /// Messages on their way to the disk: meanwhile frames are read, and the next ones gather.
    keeping: Option<Keeping>,
    /// The state on its way to the disk: meanwhile frames are read, and nothing else is saved.
    saving: Option<JoinHandle<Result<(), Error>>>,
}

/// See [`Driver::keeping`].
struct Keeping {
    client_ids: Vec<Uuid>,
    work: JoinHandle<Result<(), Error>>,
}

/// Calls the store from a thread that may block.
pub(crate) async fn blocking<R: Send + 'static>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&(dyn Store + 'static)) -> io::Result<R> + Send + 'static,
) -> Result<R, Error> {
    let store = Arc::clone(store);
    let done = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| Error::Store(error.to_string()))
}

/// Whether what was put is kept. What could not be removed is sent once more some day, which does no harm, and says nothing
/// of what was put.
fn keep_in(store: &dyn Store, put: &[OutboxItem], removed: &[Uuid]) -> io::Result<()> {
    let kept = if put.is_empty() { Ok(()) } else { store.put(put) };
    if !removed.is_empty()
        && let Err(error) = store.remove(removed)
    {
        tracing::warn!(%error, "messages that went out stay in the store");
    }
    kept
}

/// Runs a session until it is closed.
pub(crate) async fn run(shared: Arc<Shared>, store: Arc<dyn Store>, url: String, options: Options, http: Http) {
    let mut driver = Driver {
        shared,
        store,
        http,
        uploads: HashMap::new(),
        url,
        options,
        connecting: None,
        socket: None,
        owner_known: false,
        save_at: None,
        put: Vec::new(),
        removed: Vec::new(),
        keeping: None,
        saving: None,
    };
    driver.shared.handle(Input::Tick);
    loop {
        let outputs = driver.shared.session().take();
        if !outputs.is_empty() {
            driver.act(outputs).await;
            continue;
        }
        if matches!(driver.shared.session().phase(), Phase::Stopped(crate::Stop::Closed)) {
            break;
        }
        driver.wait().await;
    }
    for (_, upload) in driver.uploads.drain() {
        upload.abort();
    }
    while driver.keeping.is_some() {
        driver.kept().await;
        driver.keep();
    }
    // What is on its way first: the last word is the newest.
    driver.saved().await;
    driver.save();
    driver.saved().await;
    // The store is free for another client once `close` has returned.
    let shared = Arc::clone(&driver.shared);
    drop(driver);
    shared.end();
}

impl Driver {
    async fn act(&mut self, outputs: VecDeque<Output>) {
        for output in outputs {
            match output {
                Output::Connect => {
                    let (url, options) = (self.url.clone(), self.options.clone());
                    self.connecting = Some(Box::pin(async move { transport::connect(&url, &options).await }));
                }
                Output::Write(frame) => self.write(Outgoing::Text(frame)),
                Output::Disconnect(code) => {
                    self.write(Outgoing::Close(code));
                    (self.connecting, self.socket) = (None, None);
                }
                Output::Store(item) => {
                    // A failed message is put again: what was said of it before must not come after.
                    self.removed.retain(|client_id| *client_id != item.client_id);
                    self.put.push(item);
                }
                Output::Unstore(client_id) => {
                    self.put.retain(|item| item.client_id != client_id);
                    self.removed.push(client_id);
                }
                Output::Upload(item) => self.begin_upload(item),
                Output::EndUpload(client_id, file) => {
                    if let Some(upload) = self.uploads.remove(&client_id) {
                        upload.abort();
                    }
                    if let Some(file) = file {
                        let (http, token) = (self.http.clone(), self.shared.session().token().to_owned());
                        tokio::spawn(async move { upload::forget(&http, &token, file).await });
                    }
                }
                Output::Answer { ticket, outcome } => self.shared.answer(ticket, outcome),
                Output::Tell(event) => {
                    // Nobody may be listening.
                    let _ = self.shared.events.send(event);
                }
            }
        }
        self.keep();
        self.note_owner().await;
    }

    fn begin_upload(&mut self, item: OutboxItem) {
        let OutboxItem { client_id, chat_id, upload: Some(upload), .. } = item else { return };
        let (shared, http) = (Arc::clone(&self.shared), self.http.clone());
        self.uploads.retain(|_, upload| !upload.is_finished());
        let work = async move {
            let size = upload.size;
            let tell = |step| match step {
                Step::Begun(file) => shared.tell(Input::Upload { client_id, news: UploadNews::Begun(file) }),
                Step::Sent(sent) => {
                    // Nobody may be listening.
                    let _ = shared.events.send(ClientEvent::Uploading { chat_id, client_id, sent, size });
                }
            };
            let token = || shared.session().token().to_owned();
            let news = match upload::run(&http, token, &upload, tell).await {
                Ok(file) => UploadNews::Complete(file),
                Err(error) => UploadNews::Failed(error),
            };
            shared.tell(Input::Upload { client_id, news });
        };
        self.uploads.insert(client_id, tokio::spawn(work));
    }

    fn write(&mut self, frame: Outgoing) {
        let Some((sender, _)) = &self.socket else { return };
        if let Err(TrySendError::Full(_)) = sender.try_send(frame) {
            self.lost(None, "the connection takes nothing");
        }
    }

    fn lost(&mut self, code: Option<u16>, reason: &str) {
        (self.connecting, self.socket) = (None, None);
        self.shared.handle(Input::Lost { code, reason });
    }

    /// Keeps messages before they go out: the core writes them only when it hears that they are kept. One batch after the other, so
    /// that the last word on a message is the newest.
    fn keep(&mut self) {
        if self.keeping.is_some() || (self.put.is_empty() && self.removed.is_empty()) {
            return;
        }
        let (put, removed) = (std::mem::take(&mut self.put), std::mem::take(&mut self.removed));
        let client_ids = put.iter().map(|item| item.client_id).collect();
        let store = Arc::clone(&self.store);
        let work = tokio::spawn(async move { blocking(&store, move |store| keep_in(store, &put, &removed)).await });
        self.keeping = Some(Keeping { client_ids, work });
    }

    /// Waits until the messages that are on their way are on the disk, or cannot be.
    async fn kept(&mut self) {
        let Some(keeping) = &mut self.keeping else { return };
        let kept = (&mut keeping.work).await;
        self.note_kept(kept);
    }

    fn note_kept(&mut self, kept: Result<Result<(), Error>, JoinError>) {
        let Some(Keeping { client_ids, .. }) = self.keeping.take() else { return };
        let kept = kept.unwrap_or_else(|error| Err(Error::Store(error.to_string())));
        if let Err(error) = &kept {
            tracing::error!(%error, "the outbox cannot be kept");
        }
        for client_id in client_ids {
            self.shared.handle(Input::Stored { client_id, ok: kept.is_ok() });
        }
        self.keep();
    }

    async fn note_owner(&mut self) {
        if self.owner_known {
            return;
        }
        let owner = {
            let session = self.shared.session();
            session.me().filter(|_| session.phase().is_live()).cloned()
        };
        if let Some(owner) = owner {
            self.owner_known = true;
            if let Err(error) = blocking(&self.store, move |store| store.set_owner(&owner)).await {
                tracing::error!(%error, "the store's owner cannot be noted");
            }
        }
    }

    fn save(&mut self) {
        self.save_at = None;
        let Some(state) = self.shared.session().state_to_save() else { return };
        let store = Arc::clone(&self.store);
        self.saving = Some(tokio::spawn(async move { blocking(&store, move |store| store.save_state(&state)).await }));
    }

    /// Waits until the state that is on its way is on the disk, or cannot be.
    async fn saved(&mut self) {
        let Some(saving) = &mut self.saving else { return };
        let saved = saving.await;
        self.note_saved(saved);
    }

    fn note_saved(&mut self, saved: Result<Result<(), Error>, JoinError>) {
        self.saving = None;
        if let Err(error) = saved.unwrap_or_else(|error| Err(Error::Store(error.to_string()))) {
            tracing::error!(%error, "the state cannot be saved");
        }
    }

    async fn wait(&mut self) {
        let deadline = self.shared.session().deadline(self.shared.now());
        let deadline = deadline.map(|millis| self.shared.origin + Duration::from_millis(millis));
        let save_at = *self.save_at.get_or_insert_with(|| Instant::now() + SAVE_EVERY);
        let Self { shared, connecting, socket, keeping, saving, .. } = self;
        let busy = saving.is_some();
        tokio::select! {
            () = shared.wake.notified() => {}
            opened = async { if let Some(it) = connecting { it.await } else { pending().await } } => self.opened(opened),
            came = async { if let Some((_, it)) = socket { it.next().await } else { pending().await } } => self.came(came),
            () = async { if let Some(at) = deadline { sleep_until(at).await } else { pending().await } } => {
                self.shared.handle(Input::Tick);
            }
            kept = async { if let Some(it) = keeping { (&mut it.work).await } else { pending().await } } => self.note_kept(kept),
            saved = async { if let Some(it) = saving { it.await } else { pending().await } } => self.note_saved(saved),
            () = sleep_until(save_at), if !busy => self.save(),
        }
    }

    fn opened(&mut self, opened: Result<(Sender, Receiver), ConnectError>) {
        self.connecting = None;
        match opened {
            Ok((sender, receiver)) => {
                let (outgoing, frames) = mpsc::channel(OUTGOING);
                tokio::spawn(write_frames(sender, frames));
                self.socket = Some((outgoing, receiver));
                self.shared.handle(Input::Opened);
            }
            Err(error) => self.lost(None, &error.to_string()),
        }
    }

    fn came(&mut self, came: Result<Incoming, Ended>) {
        match came {
            Ok(Incoming::Text(text)) => self.shared.handle(Input::Frame(&text)),
            Ok(Incoming::Alive) => self.shared.handle(Input::Alive),
            Err(Ended::Closed { code, reason }) => self.lost(Some(code), &reason),
            Err(error @ Ended::Lost(_)) => self.lost(None, &error.to_string()),
        }
    }
}

/// Writes frames, those that came together in one go. Ends with the queue or the connection; the reading half tells why.
async fn write_frames(mut sender: Sender, mut frames: mpsc::Receiver<Outgoing>) {
    while let Some(first) = frames.recv().await {
        let mut next = Some(first);
        while let Some(frame) = next {
            match frame {
                Outgoing::Text(text) => {
                    if sender.feed(text).await.is_err() {
                        return;
                    }
                }
                Outgoing::Close(code) => {
                    // The other side may be gone; it then notices by itself.
                    let _ = tokio::time::timeout(CLOSING, sender.close(code, "")).await;
                    return;
                }
            }
            next = frames.try_recv().ok();
        }
        if sender.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use chapar_protocol::{ChatId, User, message::NewBody};

    use super::*;
    use crate::core::saved::{Saved, State};

    /// Takes everything and gives nothing back.
    #[derive(Debug)]
    struct NeverRemoves;

    impl Store for NeverRemoves {
        fn load(&self) -> io::Result<Saved> {
            Ok(Saved::default())
        }
        fn set_owner(&self, _: &User) -> io::Result<()> {
            Ok(())
        }
        fn put(&self, _: &[OutboxItem]) -> io::Result<()> {
            Ok(())
        }
        fn remove(&self, _: &[Uuid]) -> io::Result<()> {
            Err(io::Error::other("a full disk"))
        }
        fn save_state(&self, _: &State) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_kept_is_said_to_be_kept_though_another_cannot_be_removed() {
        let (client_id, body) = (Uuid::from_u128(1), NewBody::text("one"));
        let item = OutboxItem::new(client_id, ChatId(1), body, None);
        assert!(keep_in(&NeverRemoves, &[item], &[Uuid::from_u128(2)]).is_ok());
    }
}

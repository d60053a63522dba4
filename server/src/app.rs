//! What every request needs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chapar_protocol::{DeviceId, UserId};

use crate::{
    calls::{Calls, quality::CallQualities},
    committer::Committer,
    fanout::Fanout,
    files::Files,
    health::Health,
    joining::Joining,
    limits::Limits,
    metrics::Metrics,
    passwords::Passwords,
    previews::Previews,
    readers::Readers,
    relays::Relays,
    resumes::Resumes,
    settings::Settings,
    shares::Shares,
    store::Store,
    strangers::Strangers,
};

/// The node.
pub struct App {
    /// The settings in force.
    pub settings: Settings,
    /// What is kept.
    pub store: Store,
    /// The way of every change of a chat.
    pub committer: Arc<Committer>,
    /// The way of readers into channels and out of them, and of read marks.
    pub readers: Readers,
    /// What those who come into public chats ask.
    pub joining: Joining,
    /// What calls measure, and how people rate them.
    pub call_quality: Arc<CallQualities>,
    /// The calls.
    pub calls: Arc<Calls>,
    /// The way of a change to everybody.
    pub fanout: Arc<Fanout>,
    /// The files.
    pub files: Files,
    /// What looks behind links; absent where the operator does not allow it.
    pub previews: Option<Previews>,
    /// One link of each account is looked at at a time.
    pub previewers: Shares<UserId>,
    /// And each link by one account at a time, so that the others find it known.
    pub previewed: Shares<[u8; 32]>,
    /// Rate limits.
    pub limits: Limits,
    /// What those may cost whom nobody knows yet.
    pub strangers: Strangers,
    /// The relays of calls.
    pub relays: Arc<Relays>,
    /// Password hashing.
    pub passwords: Passwords,
    /// Metrics.
    pub metrics: Metrics,
    /// The queue of connections that are to be brought up to date: a reconnect storm waits here, not in the database.
    pub resumes: Resumes,
    /// How many commands of one account are carried out at once.
    pub accounts: Shares<UserId>,
    /// Whether people should be sent here.
    pub health: Health,
    /// Set when the node goes away.
    pub draining: AtomicBool,
    /// The HTTP requests that are being answered.
    pub answering: Answering,
}

impl App {
    /// Tells a device that was signed out, wherever it is connected and whatever call it is in.
    pub async fn signed_out(&self, user: UserId, device: DeviceId) {
        self.fanout.publish_revoked(user, device);
        self.calls.signed_out(user, device).await;
    }
}

/// Counts what is being answered, so that a node that goes away lets it finish.
#[derive(Default)]
pub struct Answering(AtomicUsize);

/// Counts as one request until it is dropped.
pub struct Answer<'a>(&'a Answering);

impl Answering {
    /// One more.
    pub fn begin(&self) -> Answer<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answer(self)
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// Whether the node is going away.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

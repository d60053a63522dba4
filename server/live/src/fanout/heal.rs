//! Fills what is missing in the streams of events from the database: page by page to the end, each topic by one healer at a
//! time, and few topics at once, so that a node that missed much does not take the database for itself.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{ChatDelta, ChatId, ChatRow, CloseCode, ErrorCode, Event, UserId, Version};
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
    time::Instant,
};

use super::{Fanout, event_frame, membership_change, parcel::Change};
use crate::{
    bus::Topic,
    hub::{Gap, News},
    store::{ChatChange, Result, StoreError},
};

/// How many gaps are read for at the same time.
pub(super) const HEALERS: usize = 4;
/// How long a missing change may still come by itself before it is read from the database. Changes of one chat are
/// committed by several tasks and nodes and overtake each other on the way by this much at most, usually.
const REORDERING: Duration = Duration::from_millis(30);
/// How long a healer waits for one look at the database.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a look that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// After a statement that the database refused: a fault that waiting hardly mends.
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// How often newer news may overtake one page of a person's own things before it is taken in all the same, checked against
/// the database.
const OVERTAKEN: u32 = 3;

/// The gaps that wait to be filled. Each topic is there once at most: the hub hands out one claim at a time.
pub(super) struct Healing {
    gaps: UnboundedSender<Job>,
    waiting: Mutex<UnboundedReceiver<Job>>,
}

struct Job {
    topic: Topic,
    /// All wait equally long, so the first in the queue is due first.
    due: Instant,
    /// Something was read from the database and told.
    filled: bool,
    /// How often in a row a page was out of date before it was told.
    overtaken: u32,
}

enum Page {
    Told,
    /// Nothing was missing, or it came by itself.
    Known,
    Overtaken,
}

impl Default for Healing {
    fn default() -> Self {
        let (gaps, waiting) = mpsc::unbounded_channel();
        Self { gaps, waiting: Mutex::new(waiting) }
    }
}

impl Healing {
    fn add(&self, job: Job) {
        // Nobody else holds the other end.
        let _ = self.gaps.send(job);
    }

    fn add_later(&self, job: Job, pause: Duration) {
        let gaps = self.gaps.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = gaps.send(job);
        });
    }

    async fn next(&self) -> Option<Job> {
        let job = self.waiting.lock().await.recv().await?;
        tokio::time::sleep_until(job.due).await;
        Some(job)
    }
}

/// A look at the database that ends.
pub(super) async fn in_time<T>(look: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(std::io::Error::from(std::io::ErrorKind::TimedOut).into())))
}

impl Fanout {
    /// Has a topic's gap filled, unless somebody is at it.
    pub(super) fn heal(&self, topic: Topic) {
        if self.hub.begin_healing(topic) {
            let due = Instant::now() + REORDERING;
            self.healing.add(Job { topic, due, filled: false, overtaken: 0 });
        }
    }

    /// Fills gaps, one page after the other, the topics in turn. Does not end by itself.
    pub(super) async fn heal_gaps(self: Arc<Self>) {
        while let Some(mut job) = self.healing.next().await {
            let Some(gap) = self.hub.gap(job.topic) else {
                if job.filled {
                    self.metrics.gaps_filled.inc();
                }
                continue;
            };
            job.due = Instant::now();
            match self.fill_page(job.topic, gap, job.overtaken >= OVERTAKEN).await {
                Ok(Page::Told) => (job.filled, job.overtaken) = (true, 0),
                Ok(Page::Known) => job.overtaken = 0,
                Ok(Page::Overtaken) => {
                    job.overtaken += 1;
                    job.due += REORDERING;
                }
                Err(error @ StoreError::Unavailable(_)) => {
                    tracing::warn!(%error, topic = ?job.topic, "could not fill a gap yet");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(%error, topic = ?job.topic, "a gap cannot be filled");
                    self.healing.add_later(job, LONG_PAUSE);
                    continue;
                }
            }
            self.healing.add(job);
        }
    }

    /// Reads one page of what is missing and tells it. `insist`: also when something newer is known, which is then checked
    /// against the database.
    async fn fill_page(self: &Arc<Self>, topic: Topic, gap: Gap, insist: bool) -> Result<Page> {
        let change = match topic {
            Topic::Chat(chat) => self.read_chat(ChatId(chat), gap.from).await?,
            Topic::User(user) => self.read_user(UserId(user), gap.from).await?,
            Topic::Presence(_) | Topic::Node => None,
        };
        let Some(change) = change else {
            self.hub.nothing_beyond(topic, gap);
            return Ok(Page::Known);
        };
        self.leave_chats(topic, &change.left);
        if !self.enter_chats(topic, &change, insist).await {
            return Ok(Page::Overtaken);
        }
        let told = self.hub.fill(topic, change.from, change.version, change.news);
        Ok(if told { Page::Told } else { Page::Known })
    }

    async fn read_chat(&self, chat: ChatId, from: Version) -> Result<Option<Change>> {
        let Some(ChatChange { mut delta, own, apart }) = in_time(self.store.chats.chat_changes(chat, from)).await?
        else {
            return Ok(None);
        };
        let members = delta.rows.iter().filter_map(ChatRow::member);
        let gone: Vec<UserId> = members.filter(|it| it.role.is_none()).map(|it| it.user_id).collect();
        self.take_out(chat, &gone).await?;
        let (from, version) = (delta.from, delta.version);
        // Many may have reacted meanwhile. Each hears where the chat stands and asks: a page of its own for each would be much.
        let stands = event_frame(&Event::Delta(ChatDelta::empty(chat, version)));
        let own = own.into_keys().map(|user| (user, stands.clone())).collect();
        if apart {
            delta = ChatDelta::empty(chat, version);
        }
        let news = News { frame: event_frame(&Event::Delta(delta)), own };
        Ok(Some(Change { from, version, entered: Vec::new(), left: Vec::new(), gone: Vec::new(), news }))
    }

    async fn read_user(&self, user: UserId, from: Version) -> Result<Option<Change>> {
        let delta = match in_time(self.store.people.difference(user, from)).await {
            Err(StoreError::Refused(error)) if error.code == ErrorCode::TooFarBehind => {
                // The devices begin anew, by their own `hello`.
                for outbox in self.hub.watchers(Topic::User(user.0)) {
                    outbox.close(CloseCode::SlowReader);
                }
                return Ok(None);
            }
            delta => delta?,
        };
        Ok((delta.version > from).then(|| membership_change(delta)))
    }
}

//! Looks for what was lost without a trace: compares versions with the database, only where something is in doubt, in one round
//! at a time, whatever happens meanwhile being part of the next one.
//!
//! ```text
//! a commit of unknown outcome, a publication that failed ──doubt──▶ compared here, and the others are told the versions
//! a subscription not confirmed, a queue that was full ──suspect──▶ compared here
//! ```

use std::{collections::HashSet, sync::Arc, time::Duration};

use chapar_protocol::{ChatId, CloseCode, UserId, Version};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{Fanout, heal::in_time, parcel::Parcel};
use crate::{bus::Topic, store::Result};

/// Topics that are remembered by name; with more, everything is in doubt.
const REMEMBERED: usize = 4096;
/// Topics compared with the database in one query.
const PAGE: usize = 1000;
/// What comes within this time is compared together. Each node draws its own, so that not all ask in one moment.
const GATHER_MS: std::ops::Range<u64> = 20..250;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(500);
/// After a look that failed.
const RETRY_MS: std::ops::Range<u64> = 500..1500;
/// How often signed-out devices and changes of membership are looked for: `chapar admin` tells the database only, and a word
/// may have been lost.
const SWEEP: Duration = Duration::from_secs(15);
/// The same while the bus is away, and no word comes at all.
const SWEEP_WITHOUT_BUS: Duration = Duration::from_secs(3);

/// Topics in doubt.
#[derive(Default)]
pub(super) struct Suspects {
    topics: HashSet<Topic>,
    all: bool,
}

impl Suspects {
    pub(super) fn add(&mut self, topics: impl IntoIterator<Item = Topic>) {
        for topic in topics {
            if self.all {
                return;
            }
            self.topics.insert(topic);
            if self.topics.len() > REMEMBERED {
                self.add_all();
            }
        }
    }

    pub(super) fn add_all(&mut self) {
        *self = Self { topics: HashSet::new(), all: true };
    }

    /// Those in doubt, of all that are watched.
    pub(super) fn among(self, watched: impl FnOnce() -> Vec<Topic>) -> Vec<Topic> {
        if self.all { watched() } else { self.topics.into_iter().collect() }
    }
}

/// What is to be compared in the next round.
#[derive(Default)]
pub(super) struct Comparing {
    round: Mutex<Round>,
    due: Notify,
}

#[derive(Default)]
struct Round {
    /// Of which this node may not know the newest.
    here: Suspects,
    /// Of which no node may have been told.
    elsewhere: Suspects,
}

/// One round, page by page.
struct Pages {
    topics: Vec<Topic>,
    /// Those before it were compared.
    at: usize,
    /// Of these the others are told the versions.
    everywhere: HashSet<Topic>,
    /// The others are to compare everything, and were not told so yet.
    tell_all: bool,
}

impl Pages {
    fn new(round: Round, watched: impl Fn() -> Vec<Topic>) -> Self {
        let tell_all = round.elsewhere.all;
        let everywhere = round.elsewhere.topics;
        let mut topics = if tell_all { watched() } else { round.here.among(watched) };
        topics.extend(&everywhere);
        topics.retain(|topic| matches!(topic, Topic::Chat(_) | Topic::User(_)));
        Self { topics, at: 0, everywhere, tell_all }
    }

    /// The next page, again and again until it is turned.
    fn page(&self) -> Option<&[Topic]> {
        self.topics[self.at..].chunks(PAGE).next()
    }

    fn turn(&mut self) {
        self.at = self.topics.len().min(self.at + PAGE);
    }

    fn left(&self) -> usize {
        self.topics.len() - self.at
    }
}

impl Fanout {
    /// Notes that something of these chats and of this user's own things may have been committed that nobody was told of:
    /// the answer to a commit was lost. As soon as the database answers, everybody is told how far they are.
    pub fn doubt(&self, chats: impl IntoIterator<Item = ChatId>, users: impl IntoIterator<Item = UserId>) {
        let chats = chats.into_iter().map(|chat| Topic::Chat(chat.0));
        self.doubt_topics(chats.chain(users.into_iter().map(|user| Topic::User(user.0))));
    }

    pub(super) fn doubt_topics(&self, topics: impl IntoIterator<Item = Topic>) {
        self.comparing.round.lock().elsewhere.add(topics);
        self.comparing.due.notify_one();
    }

    /// Notes that this node could not publish, and no longer knows of what.
    pub(super) fn doubt_all(&self) {
        self.comparing.round.lock().elsewhere.add_all();
        self.comparing.due.notify_one();
    }

    /// Notes that something of these topics may have passed by this node.
    pub(super) fn suspect(&self, topics: impl IntoIterator<Item = Topic>) {
        self.comparing.round.lock().here.add(topics);
        self.comparing.due.notify_one();
    }

    /// The same for everything.
    pub(super) fn suspect_all(&self) {
        self.comparing.round.lock().here.add_all();
        self.comparing.due.notify_one();
    }

    /// Compares, one round after the other. Does not end by itself.
    pub(super) async fn compare_in_rounds(self: Arc<Self>) {
        loop {
            self.comparing.due.notified().await;
            tokio::time::sleep(Duration::from_millis(rand::random_range(GATHER_MS))).await;
            let round = std::mem::take(&mut *self.comparing.round.lock());
            self.metrics.comparisons.inc();
            let mut pages = Pages::new(round, || self.hub.topics());
            while let Err(error) = self.compare(&mut pages).await {
                tracing::warn!(%error, left = pages.left(), "could not compare with the database yet");
                tokio::time::sleep(Duration::from_millis(rand::random_range(RETRY_MS))).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Compares page by page. When the database does not answer, the next call goes on with the page that failed: what came
    /// before it was compared, and what was lost since is part of the next round.
    async fn compare(&self, pages: &mut Pages) -> Result<()> {
        while let Some(page) = pages.page() {
            let versions = self.versions(page).await?;
            self.announce(pages);
            for (topic, version) in versions {
                if pages.everywhere.contains(&topic) && !self.bus.is_alone() {
                    self.bus.publish(topic, Parcel::Hint(version).encode());
                }
                if self.hub.newer(topic, version) {
                    self.heal(topic);
                }
            }
            pages.turn();
        }
        self.announce(pages);
        Ok(())
    }

    /// Asks the others to compare everything, once the database answers here.
    fn announce(&self, pages: &mut Pages) {
        if std::mem::take(&mut pages.tell_all) {
            self.bus.publish(Topic::Node, Parcel::Compare.encode());
        }
    }

    async fn versions(&self, topics: &[Topic]) -> Result<Vec<(Topic, Version)>> {
        let (mut chats, mut users) = (Vec::new(), Vec::new());
        for topic in topics {
            match *topic {
                Topic::Chat(chat) => chats.push(ChatId(chat)),
                Topic::User(user) => users.push(UserId(user)),
                Topic::Presence(_) | Topic::Node => {}
            }
        }
        let mut versions = Vec::with_capacity(topics.len());
        if !chats.is_empty() {
            let found = in_time(self.store.chats.chat_versions(&chats)).await?;
            versions.extend(found.into_iter().map(|(chat, version)| (Topic::Chat(chat.0), version)));
        }
        if !users.is_empty() {
            let found = in_time(self.store.people.user_versions(&users)).await?;
            versions.extend(found.into_iter().map(|(user, version)| (Topic::User(user.0), version)));
        }
        Ok(versions)
    }

    /// Closes the connections of devices that were signed out, and looks for people who came into chats or out of them, without
    /// a word of it having reached this node. Does not end by itself.
    pub(super) async fn sweep(self: Arc<Self>) {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(SWEEP_WITHOUT_BUS).await;
            if !self.bus.is_connected() || last.elapsed() >= SWEEP {
                last = Instant::now();
                if let Err(error) = self.look_at_connections().await {
                    tracing::warn!(%error, "could not look for signed-out devices and changes of membership");
                }
            }
        }
    }

    async fn look_at_connections(&self) -> Result<()> {
        for page in self.outboxes().chunks(PAGE) {
            let devices: Vec<_> = page.iter().filter_map(|outbox| outbox.who()).collect();
            let standing = in_time(self.store.people.standing(&devices)).await?;
            for outbox in page {
                let Some((user, device)) = outbox.who() else { continue };
                match standing.get(&device) {
                    None => outbox.close(CloseCode::InvalidToken),
                    Some(version) => {
                        let topic = Topic::User(user.0);
                        if self.hub.newer(topic, *version) {
                            self.heal(topic);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_doubt_is_remembered_by_name_up_to_a_bound() {
        let mut suspects = Suspects::default();
        suspects.add([Topic::Chat(1), Topic::Chat(1), Topic::User(1)]);
        assert_eq!(suspects.topics.len(), 2);
        suspects.add((0..5000).map(Topic::Chat));
        assert!(suspects.all && suspects.topics.is_empty(), "everything, and no memory for names");
        suspects.add([Topic::Chat(1)]);
        assert_eq!(suspects.among(|| vec![Topic::User(9)]), [Topic::User(9)]);
    }
    #[test]
    fn a_page_that_failed_comes_again_and_those_before_it_do_not() {
        let mut round = Round::default();
        round.here.add((0..2500).map(Topic::Chat));
        round.here.add([Topic::Presence(1), Topic::Node]);
        round.elsewhere.add([Topic::User(7)]);
        let mut pages = Pages::new(round, || unreachable!("few enough to remember"));
        assert_eq!((pages.left(), pages.everywhere.len(), pages.tell_all), (2501, 1, false));
        let first = pages.page().expect("a page").to_vec();
        pages.turn();
        let second = pages.page().expect("a page").to_vec();
        assert_eq!(pages.page().expect("again"), second, "it was not turned");
        assert!(second.iter().all(|topic| !first.contains(topic)));
        pages.turn();
        assert_eq!(pages.page().map(<[Topic]>::len), Some(501));
        pages.turn();
        assert_eq!((pages.page(), pages.left()), (None, 0));
    }

    #[test]
    fn everything_is_compared_where_the_others_are_told_so() {
        let mut round = Round::default();
        round.elsewhere.add_all();
        let pages = Pages::new(round, || vec![Topic::Chat(1), Topic::Presence(1)]);
        assert!(pages.tell_all);
        assert_eq!(pages.page(), Some(&[Topic::Chat(1)][..]));
    }
}

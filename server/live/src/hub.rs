//! Who is connected here, who watches what, and how far each stream of changes has come. Does no IO.
//!
//! Invariant: the frames of a topic reach its watchers in version order, without holes: a frame that does not follow
//! is held until what is missing came, or was read from the database.

mod watchers;

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry as Slot},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use chapar_protocol::{DeviceId, UserId, Version};
use parking_lot::Mutex;
use tungstenite::Utf8Bytes;

use self::watchers::Watchers;
use crate::{bus::Topic, outbox::Outbox};

/// Frames held for one topic while something is missing before them. More are dropped: the database has them.
const MAX_HELD: usize = 256;
/// The same in bytes.
const MAX_HELD_BYTES: usize = 1024 * 1024;
const SHARDS: usize = 64;

/// A topic that somebody here watches.
#[derive(Default)]
struct Stream {
    watchers: Watchers,
    /// How far the watchers have been told; absent until somebody has read it from the database.
    version: Option<Version>,
    held: BTreeMap<Version, (Version, News)>,
    /// Something newer is known to exist than what is held: found by a hint, or dropped for want of room.
    known: Version,
    paused: bool,
    healing: bool,
}

/// What is told of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// To everybody.
    pub frame: Utf8Bytes,
    /// To some users in its place: what is nobody else's business.
    pub own: Vec<(UserId, Utf8Bytes)>,
}

impl From<Utf8Bytes> for News {
    fn from(frame: Utf8Bytes) -> Self {
        Self { frame, own: Vec::new() }
    }
}

impl News {
    fn of(&self, watcher: &Outbox) -> &Utf8Bytes {
        if self.own.is_empty() {
            return &self.frame;
        }
        let own = watcher.who().and_then(|(user, _)| self.own.iter().find(|it| it.0 == user));
        own.map_or(&self.frame, |it| &it.1)
    }

    fn bytes(&self) -> usize {
        self.frame.len() + self.own.iter().map(|it| it.1.len()).sum::<usize>()
    }
}

/// A stretch of a topic that is missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How far the watchers have been told.
    pub from: Version,
    /// The newest that is known to exist.
    pub upto: Version,
}

/// The registry of a node.
pub struct Hub {
    shards: Box<[Mutex<HashMap<Topic, Stream>>]>,
    hasher: RandomState,
}

impl Default for Hub {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Stream {
    fn deliver(&mut self, topic: Topic, version: Version, news: &News) {
        self.version = Some(version);
        for watcher in self.watchers.iter() {
            watcher.hear_change(topic, news.of(watcher).clone());
        }
    }

    fn drain(&mut self, topic: Topic) {
        while !self.paused
            && let Some(version) = self.version
            && let Some(first) = self.held.first_entry()
            && *first.key() <= version
        {
            let (next, news) = first.remove();
            if next > version {
                self.deliver(topic, next, &news);
            }
        }
    }

    /// Tells a change that follows, holds one that does not. Returns whether it was told.
    fn take_in(&mut self, topic: Topic, from: Version, version: Version, news: News) -> bool {
        match self.version {
            Some(mine) if version <= mine => return false,
            Some(mine) if from <= mine && !self.paused => {
                self.deliver(topic, version, &news);
                self.drain(topic);
                return true;
            }
            // Of two that begin at the same place the longer holds the other.
            _ if self.held.get(&from).is_some_and(|(held, _)| *held >= version) => {}
            _ if self.has_room(&news) => {
                self.held.insert(from, (version, news));
            }
            _ => self.known = self.known.max(version),
        }
        false
    }

    fn has_room(&self, news: &News) -> bool {
        let bytes: usize = self.held.values().map(|(_, held)| held.bytes()).sum();
        self.held.len() < MAX_HELD && bytes + news.bytes() <= MAX_HELD_BYTES
    }

    /// Whether something is missing that only the database has.
    fn has_gap(&self) -> bool {
        !self.paused
            && self.version.is_some_and(|version| {
                self.known > version || self.held.keys().next().is_some_and(|from| *from > version)
            })
    }
}

impl Hub {
    fn shard(&self, topic: Topic) -> &Mutex<HashMap<Topic, Stream>> {
        let hash = usize::try_from(self.hasher.hash_one(topic) % SHARDS as u64).unwrap_or(0);
        &self.shards[hash]
    }

    fn with<T>(&self, topic: Topic, act: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        self.shard(topic).lock().get_mut(&topic).map(act)
    }

    /// Adds a watcher. Returns false when it watches already, or is gone.
    pub fn watch(&self, topic: Topic, outbox: &Arc<Outbox>) -> bool {
        self.add(topic, outbox, || {})
    }

    /// The same for a connection that may know an older version, as whoever comes back into a chat: it hears of no change before
    /// [`Self::stands`].
    pub fn enter(&self, topic: Topic, outbox: &Arc<Outbox>) -> bool {
        self.add(topic, outbox, || outbox.begin_entering(topic))
    }

    /// Tells a watcher how far the others have been told, with nobody able to tell it anything meanwhile: from there on it hears
    /// all.
    pub fn stands(&self, topic: Topic, outbox: &Outbox, frame: impl FnOnce(Version) -> Utf8Bytes) {
        self.with(topic, |stream| {
            outbox.end_entering(topic);
            if let Some(version) = stream.version {
                outbox.push(frame(version));
            }
        });
    }

    fn add(&self, topic: Topic, outbox: &Arc<Outbox>, first: impl FnOnce()) -> bool {
        // Held until the stream has it, so that a connection that leaves meanwhile is not left behind.
        let mut topics = outbox.topics.lock();
        let Some(topics) = topics.as_mut() else { return false };
        if !topics.insert(topic) {
            return false;
        }
        first();
        let mut shard = self.shard(topic).lock();
        let stream = shard.entry(topic).or_default();
        stream.watchers.add(outbox);
        true
    }

    /// Removes a watcher. Returns whether it was the last of its topic here.
    pub fn unwatch(&self, topic: Topic, outbox: &Outbox) -> bool {
        // Held as in `watch`: whoever watches again meanwhile would be in the stream, but not among the connection's topics.
        let mut topics = outbox.topics.lock();
        if let Some(topics) = topics.as_mut() {
            topics.remove(&topic);
        }
        outbox.end_entering(topic);
        self.forget(topic, outbox)
    }

    fn forget(&self, topic: Topic, outbox: &Outbox) -> bool {
        let mut shard = self.shard(topic).lock();
        let Slot::Occupied(mut slot) = shard.entry(topic) else { return false };
        let watchers = &mut slot.get_mut().watchers;
        watchers.remove(outbox);
        let last = watchers.is_empty();
        if last {
            slot.remove();
        }
        last
    }

    /// Removes a connection from everything. Returns the topics that nobody here watches any more.
    pub fn leave(&self, outbox: &Outbox) -> Vec<Topic> {
        let topics = outbox.topics.lock().take().unwrap_or_default();
        topics.into_iter().filter(|topic| self.forget(*topic, outbox)).collect()
    }

    /// Whether somebody here watches a topic.
    pub fn is_watched(&self, topic: Topic) -> bool {
        self.shard(topic).lock().contains_key(&topic)
    }

    /// Runs `act` unless somebody here watches the topic, with nobody able to begin meanwhile.
    pub fn if_unwatched(&self, topic: Topic, act: impl FnOnce()) {
        let shard = self.shard(topic).lock();
        if !shard.contains_key(&topic) {
            act();
        }
    }

    /// Who watches a topic here.
    pub fn watchers(&self, topic: Topic) -> Vec<Arc<Outbox>> {
        self.with(topic, |stream| stream.watchers.iter().cloned().collect()).unwrap_or_default()
    }

    /// How far a topic's watchers have been told; absent when nobody watches or it is not known yet.
    pub fn version(&self, topic: Topic) -> Option<Version> {
        self.with(topic, |stream| stream.version).flatten()
    }

    /// Every topic that somebody here watches.
    pub fn topics(&self) -> Vec<Topic> {
        self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }

    /// A frame without version, for everybody who watches now.
    pub fn tell(&self, topic: Topic, frame: &Utf8Bytes) {
        self.with(topic, |stream| stream.watchers.iter().for_each(|watcher| watcher.hear(topic, frame.clone())));
    }

    /// A frame for the connections of one device among a topic's watchers. Returns how many there are.
    pub fn tell_device(&self, topic: Topic, device: DeviceId, frame: &Utf8Bytes) -> usize {
        let is_it = |watcher: &&Arc<Outbox>| watcher.who().is_some_and(|(_, it)| it == device);
        self.with(topic, |stream| {
            stream.watchers.iter().filter(is_it).map(|watcher| watcher.push(frame.clone())).count()
        })
        .unwrap_or(0)
    }

    /// Whether a device of a topic's user is connected here.
    pub fn has_device(&self, topic: Topic, device: DeviceId) -> bool {
        let is_it = |watcher: &Arc<Outbox>| watcher.who().is_some_and(|(_, it)| it == device);
        self.with(topic, |stream| stream.watchers.iter().any(is_it)).unwrap_or(false)
    }

    /// A change of a topic. Told at once when it follows, held when something before it is missing, ignored when known.
    /// Returns whether something is missing.
    pub fn offer(&self, topic: Topic, from: Version, version: Version, news: impl Into<News>) -> bool {
        self.with(topic, |stream| {
            stream.take_in(topic, from, version, news.into());
            stream.has_gap()
        })
        .unwrap_or(false)
    }

    /// The same for a change that was read from the database. Returns whether it was told: false when it came by itself
    /// meanwhile.
    pub fn fill(&self, topic: Topic, from: Version, version: Version, news: impl Into<News>) -> bool {
        self.with(topic, |stream| stream.take_in(topic, from, version, news.into())).unwrap_or(false)
    }

    /// What the database says of a topic's version. It sets a stream's start when none is known yet; afterwards it is
    /// a hint that there is something newer. Returns whether something is missing.
    pub fn hint(&self, topic: Topic, version: Version) -> bool {
        self.with(topic, |stream| {
            if stream.version.is_none() {
                stream.version = Some(version);
                stream.drain(topic);
            }
            stream.known = stream.known.max(version);
            stream.has_gap()
        })
        .unwrap_or(false)
    }

    /// Notes that something newer exists, without taking it for the stream's start: somebody may just have read an older
    /// start from the database, and would never be told of what lies between. Returns whether something is missing.
    pub fn newer(&self, topic: Topic, version: Version) -> bool {
        self.with(topic, |stream| {
            stream.known = stream.known.max(version);
            stream.has_gap()
        })
        .unwrap_or(false)
    }

    /// Whether something newer than `version` is known to exist.
    pub fn knows_beyond(&self, topic: Topic, version: Version) -> bool {
        self.with(topic, |stream| stream.known > version).unwrap_or(false)
    }

    /// Forgets how far everybody has been told: the history that the versions belong to is not the database's any more.
    pub fn forget_versions(&self, of: impl Fn(Topic) -> bool) {
        for shard in &self.shards {
            for (_, stream) in shard.lock().iter_mut().filter(|(topic, _)| of(**topic)) {
                stream.version = None;
                stream.known = Version(0);
                stream.held.clear();
            }
        }
    }

    /// Holds a topic's changes back, until [`Self::go_on`].
    pub fn pause(&self, topic: Topic) {
        self.with(topic, |stream| stream.paused = true);
    }

    /// Ends a pause. Returns whether something is missing.
    pub fn go_on(&self, topic: Topic) -> bool {
        self.with(topic, |stream| {
            stream.paused = false;
            stream.drain(topic);
            stream.has_gap()
        })
        .unwrap_or(false)
    }

    /// Claims the filling of a topic's gap. Returns false when there is none, or somebody is at it.
    pub fn begin_healing(&self, topic: Topic) -> bool {
        self.with(topic, |stream| stream.has_gap() && !std::mem::replace(&mut stream.healing, true)).unwrap_or(false)
    }

    /// What is missing of a topic, while something is; when nothing is any more, ends the claim.
    pub fn gap(&self, topic: Topic) -> Option<Gap> {
        self.with(topic, |stream| {
            let held = stream.held.values().map(|(version, _)| *version).max();
            let upto = stream.known.max(held.unwrap_or_default());
            let gap = stream.version.filter(|_| stream.has_gap()).map(|from| Gap { from, upto });
            stream.healing = gap.is_some();
            gap
        })
        .flatten()
    }

    /// The database has nothing beyond the start of a gap: what was believed known then is not there. What was told since may
    /// be newer than that look at the database, and stays.
    pub fn nothing_beyond(&self, topic: Topic, gap: Gap) {
        self.with(topic, |stream| {
            if stream.version == Some(gap.from) {
                if stream.known <= gap.upto {
                    stream.known = gap.from;
                }
                stream.held.retain(|_, (version, _)| *version > gap.upto);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::Chat(1);

    fn hub() -> (Hub, Arc<Outbox>) {
        let hub = Hub::default();
        let outbox = Arc::new(Outbox::new());
        assert!(hub.watch(TOPIC, &outbox));
        (hub, outbox)
    }

    fn offer(hub: &Hub, from: i64, version: i64) -> bool {
        hub.offer(TOPIC, Version(from), Version(version), Utf8Bytes::from(version.to_string()))
    }

    fn told(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop()).map(|frame| frame.as_str().to_owned()).collect()
    }

    #[test]
    fn frames_come_out_in_order_and_once() {
        let (hub, outbox) = hub();
        assert!(!hub.hint(TOPIC, Version(4)));
        assert!(offer(&hub, 6, 7), "5 and 6 are missing");
        assert!(offer(&hub, 5, 6), "5 is missing");
        assert!(told(&outbox).is_empty());
        assert!(!offer(&hub, 4, 5));
        assert!(!offer(&hub, 5, 6));
        assert_eq!(told(&outbox), ["5", "6", "7"]);
    }

    #[test]
    fn nothing_is_told_before_the_start_is_known() {
        let (hub, outbox) = hub();
        assert!(!offer(&hub, 8, 9));
        assert!(!offer(&hub, 9, 10));
        assert!(told(&outbox).is_empty());
        assert!(!hub.hint(TOPIC, Version(9)));
        assert_eq!(told(&outbox), ["10"]);
    }

    #[test]
    fn a_hint_tells_of_a_loss_and_the_database_fills_it() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(1));
        assert!(hub.hint(TOPIC, Version(3)));
        assert!(hub.begin_healing(TOPIC));
        assert!(!hub.begin_healing(TOPIC), "one at a time");
        assert_eq!(hub.gap(TOPIC), Some(Gap { from: Version(1), upto: Version(3) }));
        assert!(!offer(&hub, 1, 3));
        assert_eq!(hub.gap(TOPIC), None);
        assert_eq!(told(&outbox), ["3"]);
    }

    #[test]
    fn news_before_the_start_is_known_does_not_make_the_start() {
        let (hub, _outbox) = hub();
        assert!(!hub.newer(TOPIC, Version(10)), "nobody knows yet from where");
        assert!(hub.hint(TOPIC, Version(9)), "what came after the start is missing");
        assert!(hub.begin_healing(TOPIC));
        assert_eq!(hub.gap(TOPIC), Some(Gap { from: Version(9), upto: Version(10) }));
    }

    #[test]
    fn a_long_gap_is_filled_page_by_page_while_the_topic_goes_on() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(0));
        assert!(hub.hint(TOPIC, Version(1000)));
        assert!(hub.begin_healing(TOPIC));
        let (mut end, mut pages) = (1000, 0);
        while let Some(gap) = hub.gap(TOPIC) {
            assert_eq!(gap.upto, Version(end), "all of it is known to be missing");
            let version = (gap.from.0 + 200).min(end);
            assert!(hub.fill(TOPIC, gap.from, Version(version), Utf8Bytes::from(version.to_string())));
            assert!(!hub.fill(TOPIC, gap.from, Version(version), Utf8Bytes::from("again")));
            pages += 1;
            if pages < 8 {
                // Somebody goes on writing.
                end += 1;
                let behind = hub.version(TOPIC) < Some(Version(end - 1));
                assert_eq!(offer(&hub, end - 1, end), behind);
            }
        }
        assert_eq!(hub.version(TOPIC), Some(Version(end)));
        assert!(pages < 20 && told(&outbox).is_sorted_by_key(|version| version.parse::<i64>().expect("a number")));
        assert!(hub.hint(TOPIC, Version(end + 1)) && hub.begin_healing(TOPIC), "the claim has ended");
    }

    #[test]
    fn what_came_after_the_look_at_the_database_is_not_thrown_away() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(5));
        assert!(hub.hint(TOPIC, Version(6)) && hub.begin_healing(TOPIC));
        let gap = hub.gap(TOPIC).expect("a gap");
        assert!(offer(&hub, 6, 7));
        hub.nothing_beyond(TOPIC, gap);
        assert!(hub.gap(TOPIC).is_some(), "6 and 7 are there after all");
        assert!(!offer(&hub, 5, 6));
        assert_eq!(told(&outbox), ["6", "7"]);
    }

    #[test]
    fn a_pause_holds_and_goes_on_in_order() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(0));
        hub.pause(TOPIC);
        assert!(!offer(&hub, 1, 2));
        assert!(!offer(&hub, 0, 1));
        assert!(told(&outbox).is_empty());
        assert!(!hub.go_on(TOPIC));
        assert_eq!(told(&outbox), ["1", "2"]);
    }

    #[test]
    fn whoever_comes_back_hears_where_it_stands_before_what_follows() {
        let stands = |version: Version| Utf8Bytes::from(format!("stands at {version}"));
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(0));
        let back = Arc::new(Outbox::new());
        offer(&hub, 0, 2);
        assert!(hub.enter(TOPIC, &back) && !hub.enter(TOPIC, &back));
        offer(&hub, 2, 3);
        hub.stands(TOPIC, &back, stands);
        offer(&hub, 3, 4);
        assert_eq!(told(&back), ["stands at 3", "4"]);
        // Alone, so that the start is to be read first.
        assert!(!hub.unwatch(TOPIC, &outbox) && hub.unwatch(TOPIC, &back));
        assert!(hub.enter(TOPIC, &back));
        offer(&hub, 7, 8);
        assert!(!hub.hint(TOPIC, Version(7)));
        hub.stands(TOPIC, &back, stands);
        assert_eq!(told(&back), ["stands at 8"]);
    }

    #[test]
    fn a_flood_behind_a_gap_is_bounded_and_still_known() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(0));
        for version in 2..1000 {
            assert!(offer(&hub, version - 1, version));
        }
        assert!(hub.begin_healing(TOPIC));
        assert!(offer(&hub, 0, 500), "the dropped ones are still missing");
        assert!(!offer(&hub, 500, 999));
        assert_eq!(told(&outbox).last().map(String::as_str), Some("999"));
    }

    #[test]
    fn large_frames_behind_a_gap_are_bounded_in_bytes_and_still_known() {
        let (hub, outbox) = hub();
        hub.hint(TOPIC, Version(0));
        for version in 2..200 {
            let frame = Utf8Bytes::from("x".repeat(250 * 1024));
            assert!(hub.offer(TOPIC, Version(version - 1), Version(version), frame));
        }
        let held = hub.with(TOPIC, |stream| stream.held.values().map(|(_, news)| news.bytes()).sum::<usize>());
        assert!(held.is_some_and(|bytes| bytes <= MAX_HELD_BYTES), "{held:?}");
        assert!(hub.begin_healing(TOPIC));
        assert_eq!(hub.gap(TOPIC), Some(Gap { from: Version(0), upto: Version(199) }));
        assert!(!offer(&hub, 0, 199), "the database tells it all");
        assert_eq!(told(&outbox), ["199"]);
    }

    #[test]
    fn the_longer_of_two_frames_from_one_place_is_kept() {
        for order in [[8, 9], [9, 8]] {
            let (hub, outbox) = hub();
            hub.hint(TOPIC, Version(4));
            for version in order {
                assert!(offer(&hub, 5, version));
            }
            assert!(!offer(&hub, 4, 5));
            assert_eq!(told(&outbox), ["5", "9"]);
        }
    }

    #[test]
    fn what_is_nobody_elses_business_is_told_to_nobody_else() {
        let (hub, stranger) = hub();
        let outbox = |user, device| {
            let outbox = Arc::new(Outbox::new());
            outbox.identify(UserId(user), DeviceId(device));
            assert!(hub.watch(TOPIC, &outbox));
            outbox
        };
        let (own, own_too, other) = (outbox(1, 1), outbox(1, 2), outbox(2, 3));
        hub.hint(TOPIC, Version(0));
        let news = News { frame: "all".into(), own: vec![(UserId(1), "one".into())] };
        // Held at first, as what has come too early is.
        assert!(hub.offer(TOPIC, Version(1), Version(2), news.clone()));
        assert!(!hub.offer(TOPIC, Version(0), Version(1), news));
        let all = [own, own_too, other, stranger].map(|it| told(&it).join(" "));
        assert_eq!(all, ["one one", "one one", "all all", "all all"]);
    }

    #[test]
    fn coming_and_going_at_once_leaves_no_ghost() {
        let hub = Hub::default();
        let outbox = Arc::new(Outbox::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        hub.watch(TOPIC, &outbox);
                        hub.unwatch(TOPIC, &outbox);
                        let topics = outbox.topics.lock();
                        let listed = topics.as_ref().is_some_and(|topics| topics.contains(&TOPIC));
                        assert_eq!(hub.is_watched(TOPIC), listed, "a stream and its connection agree");
                    }
                });
            }
        });
        hub.unwatch(TOPIC, &outbox);
        assert!(!hub.is_watched(TOPIC));
    }

    #[test]
    fn leaving_says_what_nobody_watches_any_more() {
        let (hub, outbox) = hub();
        let other = Arc::new(Outbox::new());
        assert!(hub.watch(TOPIC, &other));
        assert!(!hub.watch(TOPIC, &other), "twice counts once");
        assert!(hub.watch(Topic::User(1), &other));
        assert_eq!(hub.leave(&other), [Topic::User(1)]);
        assert_eq!(hub.leave(&outbox), [TOPIC]);
        assert!(!hub.is_watched(TOPIC));
    }
}

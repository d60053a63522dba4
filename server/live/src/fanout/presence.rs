//! Who is online. Each node knows it of those whose presence is watched here, and tells its watchers what is news to them.
//!
//! ```text
//! connected ──Online──▶ ········ the last connection is gone ──5 s──▶ last_seen_at written ──Offline──▶
//!     somebody begins to watch, a node is gone, the bus is back ──Probe──▶ whoever has the person ──Online──▶
//! ```

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use chapar_protocol::{DeviceId, Event, Timestamp, UserId, event::Presence};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Fanout, comparing::Suspects, event_frame, heal::in_time, parcel::Parcel};
use crate::{bus::Topic, outbox::Outbox};

/// How long somebody may be away before others see it: long enough for a change of networks.
const OFFLINE_AFTER: Duration = Duration::from_secs(5);
/// How often what has gathered is written, in one statement.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// People in one statement.
const PAGE: usize = 1000;
/// How often it is noted of those who stay connected that they are.
const NOTE_ALL_EVERY: Duration = Duration::from_hours(1);
/// Notes that wait for a database that does not answer. With more, the newest are dropped: `last_seen_at` lags, no more.
const WAITING: usize = 100_000;
/// How often gone nodes are looked for, and those whose presence is in doubt.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the people of a node that is gone may take to come back elsewhere.
const COME_BACK: Duration = Duration::from_secs(6);
/// How long an answer of another node may take.
const ANSWER: Duration = Duration::from_millis(1500);
/// Questions in one go, and the pause after them.
const QUESTIONS: usize = 500;
const BREATH: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Default)]
pub(super) struct Presences {
    elsewhere: Mutex<Elsewhere>,
    leaving: Mutex<Leaving>,
    seen: Mutex<HashMap<DeviceId, UserId>>,
    suspects: Mutex<Suspects>,
}

/// People whose presence is watched here and who are connected to another node.
#[derive(Default)]
struct Elsewhere {
    node_of: HashMap<UserId, u64>,
    users_of: HashMap<u64, HashSet<UserId>>,
    /// Asked for, or to be asked for.
    doubted: HashSet<UserId>,
}

impl Elsewhere {
    /// Returns whether that is news.
    fn came(&mut self, user: UserId, node: u64) -> bool {
        self.doubted.remove(&user);
        let before = self.node_of.insert(user, node);
        if before != Some(node) {
            if let Some(before) = before {
                self.left(user, before);
            }
            self.users_of.entry(node).or_default().insert(user);
        }
        before.is_none()
    }

    /// Takes in that a user is gone from a node. Returns whether that is where the user was.
    fn went(&mut self, user: UserId, node: u64) -> bool {
        let was_there = self.node_of.get(&user) == Some(&node);
        if was_there {
            self.forget(user);
        }
        was_there
    }

    /// Returns whether the user was anywhere.
    fn forget(&mut self, user: UserId) -> bool {
        self.doubted.remove(&user);
        let node = self.node_of.remove(&user);
        if let Some(node) = node {
            self.left(user, node);
        }
        node.is_some()
    }

    fn left(&mut self, user: UserId, node: u64) {
        if let Some(users) = self.users_of.get_mut(&node) {
            users.remove(&user);
            if users.is_empty() {
                self.users_of.remove(&node);
            }
        }
    }
}

/// People whose last connection here is gone: since when, the longest first.
#[derive(Default)]
struct Leaving {
    queue: VecDeque<(Instant, UserId)>,
    since: HashMap<UserId, Instant>,
}

impl Leaving {
    fn add(&mut self, user: UserId, now: Instant) {
        self.queue.push_back((now, user));
        self.since.insert(user, now);
    }

    fn came_back(&mut self, user: UserId) -> bool {
        self.since.remove(&user).is_some()
    }

    /// Those who have been away since `then` or longer, at most `count`.
    fn take(&mut self, then: Instant, count: usize) -> Vec<UserId> {
        let mut gone = Vec::new();
        while gone.len() < count
            && let Some((since, user)) = self.queue.front().copied()
            && since <= then
        {
            self.queue.pop_front();
            // Absent or later: came back, perhaps to leave again.
            if self.since.get(&user) == Some(&since) {
                self.since.remove(&user);
                gone.push(user);
            }
        }
        gone
    }
}

fn presence(user: UserId) -> Topic {
    Topic::Presence(user.0)
}

impl Fanout {
    // --- who comes and goes here ---

    pub(super) fn came_here(self: &Arc<Self>, user: UserId) {
        let was_leaving = self.presences.leaving.lock().came_back(user);
        if !self.bus.is_alone() {
            self.bus.publish(presence(user), Parcel::Online(self.node).encode());
        }
        if !was_leaving && !self.presences.elsewhere.lock().node_of.contains_key(&user) {
            self.tell_presence(user, true, None);
        }
    }

    pub(super) fn left_here(self: &Arc<Self>, user: UserId) {
        self.presences.leaving.lock().add(user, Instant::now());
        // A node where the user has another device says so before this one says that the user is gone.
        self.probe(user);
    }

    /// Notes that a device was connected just now.
    pub fn note_seen(&self, user: UserId, device: DeviceId) {
        let mut seen = self.presences.seen.lock();
        if seen.len() < WAITING {
            seen.insert(device, user);
        }
    }

    /// Writes who was seen and who has gone, many in one statement. Does not end by itself.
    pub(super) async fn write_last_seen(self: Arc<Self>) {
        let mut all_noted = Instant::now();
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            // A connection may last for weeks, and its device is not one that was away.
            if all_noted.elapsed() >= NOTE_ALL_EVERY {
                all_noted = Instant::now();
                let connected = self.outboxes().into_iter().filter_map(|outbox| outbox.who());
                connected.for_each(|(user, device)| self.note_seen(user, device));
            }
            self.write_seen().await;
            self.see_off(OFFLINE_AFTER).await;
        }
    }

    async fn write_seen(&self) {
        let seen = std::mem::take(&mut *self.presences.seen.lock());
        let seen: Vec<(UserId, DeviceId)> = seen.into_iter().map(|(device, user)| (user, device)).collect();
        for page in seen.chunks(PAGE) {
            if let Err(error) = in_time(self.store.people.seen(page)).await {
                tracing::warn!(%error, "could not note which devices were seen");
                return;
            }
        }
    }

    /// Says of those who left and did not come back that they are offline.
    async fn see_off(&self, after: Duration) {
        let Some(then) = Instant::now().checked_sub(after) else { return };
        loop {
            let mut gone = self.presences.leaving.lock().take(then, PAGE);
            let full = gone.len() == PAGE;
            gone.retain(|user| !self.hub.is_watched(Topic::User(user.0)));
            if gone.is_empty() && !full {
                return;
            }
            let times = self.write_offline(&gone).await;
            for user in gone {
                let at = times.get(&user).copied();
                if !self.bus.is_alone() {
                    self.bus.publish(presence(user), Parcel::Offline(self.node, at).encode());
                }
                if !self.is_online(user) {
                    self.tell_presence(user, false, at);
                }
            }
        }
    }

    async fn write_offline(&self, gone: &[UserId]) -> HashMap<UserId, Timestamp> {
        if gone.is_empty() {
            return HashMap::new();
        }
        in_time(self.store.people.went_offline(gone))
            .await
            .inspect_err(|error| tracing::warn!(%error, "could not note when people went offline"))
            .unwrap_or_default()
    }

    /// Writes what has gathered, before the node ends: who is still connected goes with it.
    pub async fn write_last(&self) {
        self.write_seen().await;
        loop {
            let gone = self.presences.leaving.lock().take(Instant::now(), PAGE);
            if gone.is_empty() {
                return;
            }
            self.write_offline(&gone).await;
        }
    }

    // --- who watches ---

    /// Replaces the set of users whose presence a connection hears. Who of them is online is then asked with
    /// [`Self::is_online`], and what is not known yet follows by events.
    pub async fn watch_presence(self: &Arc<Self>, users: &[UserId], outbox: &Arc<Outbox>) {
        let wanted: HashSet<Topic> = users.iter().map(|user| presence(*user)).collect();
        let watched: Vec<Topic> =
            outbox.topics.lock().iter().flatten().copied().filter(|it| matches!(it, Topic::Presence(_))).collect();
        for topic in watched.into_iter().filter(|topic| !wanted.contains(topic)) {
            if self.hub.unwatch(topic, outbox) {
                self.unwatched.lock().insert(topic);
                self.forget_presence(topic);
            }
        }
        let wanted: Vec<Topic> = wanted.into_iter().collect();
        let fresh: HashSet<Topic> = wanted.iter().copied().filter(|topic| self.hub.watch(*topic, outbox)).collect();
        self.subscribe(&wanted).await;
        // Whom this connection watches already was asked for then.
        for user in users.iter().filter(|user| fresh.contains(&presence(**user))) {
            if !self.is_online(*user) {
                self.probe(*user);
            }
        }
    }

    pub(super) fn forget_presence(&self, topic: Topic) {
        if let Topic::Presence(user) = topic {
            self.presences.elsewhere.lock().forget(UserId(user));
        }
    }

    /// Whether a user is online, as far as this node knows: of those whose presence is watched here.
    pub fn is_online(&self, user: UserId) -> bool {
        self.hub.is_watched(Topic::User(user.0))
            || self.presences.leaving.lock().since.contains_key(&user)
            || self.presences.elsewhere.lock().node_of.contains_key(&user)
    }

    fn tell_presence(&self, user_id: UserId, online: bool, last_seen_at: Option<Timestamp>) {
        let frame = event_frame(&Event::Presence(Presence { user_id, online, last_seen_at }));
        self.hub.tell(presence(user_id), &frame);
    }

    fn probe(&self, user: UserId) {
        if !self.bus.is_alone() {
            self.bus.publish(Topic::User(user.0), Parcel::Probe.encode());
        }
    }

    /// Somebody is not to be seen by all any more who see them now.
    pub fn publish_hidden(self: &Arc<Self>, user: UserId) {
        self.send(presence(user), Parcel::Hidden);
    }

    pub(super) fn look_who_may_see(self: &Arc<Self>, topic: Topic) {
        let Topic::Presence(user) = topic else { return };
        let this = self.clone();
        tokio::spawn(async move {
            let user = UserId(user);
            let watchers = this.hub.watchers(topic);
            // As if they had just gone: whoever is blocked is not told so.
            let gone = this.is_online(user).then(|| {
                let last_seen_at = Some(Timestamp::from(time::OffsetDateTime::now_utc()));
                event_frame(&Event::Presence(Presence { user_id: user, online: false, last_seen_at }))
            });
            for some in watchers.chunks(PAGE) {
                let pairs: Vec<_> = some.iter().filter_map(|outbox| Some((outbox.who()?.0, user))).collect();
                let may = in_time(this.store.people.may_see(&pairs)).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "who may see somebody cannot be looked up: nobody does now");
                    HashSet::new()
                });
                for outbox in some.iter().filter(|it| it.who().is_none_or(|(who, _)| !may.contains(&(who, user)))) {
                    if let Some(gone) = &gone {
                        outbox.push(gone.clone());
                    }
                    if this.hub.unwatch(topic, outbox) {
                        this.unwatched.lock().insert(topic);
                        this.forget_presence(topic);
                    }
                }
            }
        });
    }

    // --- what other nodes say ---

    /// Another node asks for somebody.
    pub(super) fn answer_probe(&self, topic: Topic) {
        if let Topic::User(user) = topic
            && self.hub.is_watched(topic)
        {
            self.bus.publish(Topic::Presence(user), Parcel::Online(self.node).encode());
        }
    }

    pub(super) fn is_online_elsewhere(&self, topic: Topic, node: u64) {
        let Topic::Presence(user) = topic else { return };
        let user = UserId(user);
        let known = self.is_online(user);
        let mut elsewhere = self.presences.elsewhere.lock();
        // Under the lock, so that nothing is remembered of those whom nobody watches any more.
        if self.hub.is_watched(topic) && elsewhere.came(user, node) && !known {
            drop(elsewhere);
            self.tell_presence(user, true, None);
        }
    }

    pub(super) fn went_elsewhere(&self, topic: Topic, node: u64, at: Option<Timestamp>) {
        let Topic::Presence(user) = topic else { return };
        let user = UserId(user);
        let went = self.presences.elsewhere.lock().went(user, node);
        if went && !self.is_online(user) {
            self.tell_presence(user, false, at);
        }
    }

    /// Says again where this node's people are: it could not while the bus was away.
    pub(super) fn repeat_presence(&self, topics: &[Topic]) {
        for topic in topics {
            if let Topic::Presence(user) = *topic {
                let here = self.hub.is_watched(Topic::User(user));
                let parcel = if here { Parcel::Online(self.node) } else { Parcel::Offline(self.node, None) };
                self.bus.publish(*topic, parcel.encode());
            }
        }
    }

    // --- what nobody says any more ---

    /// Notes that the coming and going of these may have passed by this node.
    pub(super) fn suspect_presence(&self, topics: Option<&[Topic]>) {
        let mut suspects = self.presences.suspects.lock();
        match topics {
            Some(topics) => suspects.add(topics.iter().copied().filter(|it| matches!(it, Topic::Presence(_)))),
            None => suspects.add_all(),
        }
    }

    /// Looks for people whose node is gone and for those in doubt, one round at a time. Does not end by itself.
    pub(super) async fn look_after_presence(self: Arc<Self>) {
        let mut gone_since: HashMap<u64, Instant> = HashMap::new();
        loop {
            tokio::time::sleep(LOOK_EVERY.mul_f64(rand::random_range(0.8..1.2))).await;
            if !self.bus.is_connected() {
                // Nobody could answer.
                gone_since.clear();
                continue;
            }
            let suspects = std::mem::take(&mut *self.presences.suspects.lock());
            let mut users: HashSet<UserId> =
                suspects.among(|| self.hub.topics()).into_iter().filter_map(watched_user).collect();
            let nodes: Vec<u64> = self.presences.elsewhere.lock().users_of.keys().copied().collect();
            gone_since.retain(|node, _| nodes.contains(node));
            for node in nodes {
                if self.knows_node(node) {
                    gone_since.remove(&node);
                } else if gone_since.entry(node).or_insert_with(Instant::now).elapsed() >= COME_BACK {
                    users.extend(self.presences.elsewhere.lock().users_of.get(&node).into_iter().flatten());
                }
            }
            if !users.is_empty() {
                self.check_presence(users.into_iter().collect()).await;
            }
        }
    }

    /// Asks for people; those for whom nobody answers are offline.
    async fn check_presence(&self, users: Vec<UserId>) {
        self.presences.elsewhere.lock().doubted.extend(&users);
        for some in users.chunks(QUESTIONS) {
            for user in some {
                // Another node may have asked meanwhile, and all have heard the answer.
                if self.presences.elsewhere.lock().doubted.contains(user) && !self.hub.is_watched(Topic::User(user.0)) {
                    self.probe(*user);
                }
            }
            tokio::time::sleep(BREATH).await;
        }
        tokio::time::sleep(ANSWER).await;
        let connected = self.bus.is_connected();
        let gone: Vec<UserId> = {
            let mut elsewhere = self.presences.elsewhere.lock();
            let silent = users.into_iter().filter(|user| elsewhere.doubted.remove(user)).collect::<Vec<_>>();
            silent.into_iter().filter(|user| connected && elsewhere.forget(*user)).collect()
        };
        for some in gone.chunks(PAGE) {
            let times = self.write_offline(some).await;
            for user in some.iter().filter(|user| !self.is_online(**user)) {
                self.tell_presence(*user, false, times.get(user).copied());
            }
        }
    }
}

fn watched_user(topic: Topic) -> Option<UserId> {
    match topic {
        Topic::Presence(user) => Some(UserId(user)),
        Topic::Chat(_) | Topic::User(_) | Topic::Node => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_told_of_somebody_elsewhere() {
        let mut elsewhere = Elsewhere::default();
        let user = UserId(1);
        assert!(elsewhere.came(user, 7));
        assert!(!elsewhere.came(user, 8), "on a second node as well");
        assert!(!elsewhere.went(user, 7), "not from there");
        assert!(elsewhere.went(user, 8));
        assert!(!elsewhere.went(user, 8) && elsewhere.node_of.is_empty() && elsewhere.users_of.is_empty());
    }

    #[test]
    fn who_comes_back_in_time_was_never_gone() {
        let (mut leaving, start) = (Leaving::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        leaving.add(UserId(1), start);
        leaving.add(UserId(2), after(1));
        assert!(leaving.came_back(UserId(1)) && !leaving.came_back(UserId(3)));
        leaving.add(UserId(1), after(2));
        assert_eq!(leaving.take(after(1), 10), [UserId(2)], "the first absence of 1 does not count");
        assert_eq!(leaving.take(after(2), 10), [UserId(1)]);
        assert!(leaving.queue.is_empty() && leaving.since.is_empty());
    }
}

//! What waits to be published, and what could not be.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use super::topic::Topic;

/// Bounds of what a node keeps for Redis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Payloads that may wait.
    pub(super) payloads: usize,
    /// Bytes of payload that may wait.
    pub(super) bytes: usize,
    /// Topics that are remembered by name when a payload could not be published.
    pub(super) unsent: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { payloads: 32_768, bytes: 32 << 20, unsent: 10_000 }
    }
}

/// A bounded queue of publications, with the set of topics that lost one.
#[derive(Debug)]
pub(super) struct Outbox {
    bounds: Bounds,
    queue: VecDeque<(Topic, Bytes)>,
    bytes: usize,
    unsent: Lost,
}

/// Topics that have lost something: by name, up to a bound.
#[derive(Debug)]
pub(super) struct Lost {
    bound: usize,
    topics: HashSet<Topic>,
    /// More than can be remembered.
    too_many: bool,
}

impl Lost {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, topics: HashSet::new(), too_many: false }
    }

    pub(super) fn add(&mut self, topic: Topic) {
        if self.topics.len() < self.bound {
            self.topics.insert(topic);
        } else if !self.topics.contains(&topic) {
            self.too_many = true;
        }
    }

    pub(super) fn add_all(&mut self) {
        self.too_many = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && !self.too_many
    }

    /// Forgets and returns them; `None` when there were too many to remember.
    pub(super) fn take(&mut self) -> Option<Vec<Topic>> {
        let topics = std::mem::take(&mut self.topics);
        if std::mem::take(&mut self.too_many) { None } else { Some(topics.into_iter().collect()) }
    }
}

impl Outbox {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, queue: VecDeque::new(), bytes: 0, unsent: Lost::new(bounds.unsent) }
    }

    /// Queues a payload. Returns false when it does not fit: then its topic is remembered as unsent.
    pub(super) fn push(&mut self, topic: Topic, payload: Bytes) -> bool {
        if self.queue.len() >= self.bounds.payloads || self.bytes + payload.len() > self.bounds.bytes {
            self.lose(topic);
            return false;
        }
        self.bytes += payload.len();
        self.queue.push_back((topic, payload));
        true
    }

    /// Takes the oldest: at most `count`, and no more after `bytes` are reached.
    pub(super) fn take(&mut self, count: usize, bytes: usize) -> Vec<(Topic, Bytes)> {
        let mut taken = Vec::with_capacity(count.min(self.queue.len()));
        let mut size = 0;
        while taken.len() < count && size < bytes {
            let Some((topic, payload)) = self.queue.pop_front() else { break };
            size += payload.len();
            taken.push((topic, payload));
        }
        self.bytes -= size;
        taken
    }

    /// Remembers that something was not published on this topic.
    pub(super) fn lose(&mut self, topic: Topic) {
        self.unsent.add(topic);
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn lost_something(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Forgets and returns the topics that lost something; `None` when there were too many to remember.
    pub(super) fn take_unsent(&mut self) -> Option<Vec<Topic>> {
        self.unsent.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { payloads: 3, bytes: 10, unsent: 2 };

    #[test]
    fn what_does_not_fit_is_remembered_by_topic() {
        let mut outbox = Outbox::new(BOUNDS);
        assert!(outbox.push(Topic::Chat(1), Bytes::from_static(b"12345")));
        assert!(!outbox.push(Topic::Chat(2), Bytes::from_static(b"123456")));
        assert!(outbox.push(Topic::Chat(1), Bytes::new()));
        assert!(outbox.push(Topic::Chat(1), Bytes::new()));
        assert!(!outbox.push(Topic::Chat(2), Bytes::new()));
        assert_eq!(outbox.take_unsent(), Some(vec![Topic::Chat(2)]));
        assert!(!outbox.lost_something());
        assert_eq!(outbox.take(2, 100).len(), 2);
        assert!(outbox.push(Topic::Chat(2), Bytes::from_static(b"1234567890")));
    }

    #[test]
    fn too_many_unsent_topics_are_said_to_be_too_many() {
        let mut outbox = Outbox::new(BOUNDS);
        for id in [1, 2, 2, 1] {
            outbox.lose(Topic::User(id));
        }
        assert_eq!(outbox.take_unsent().map(|unsent| unsent.len()), Some(2));
        for id in [1, 2, 3] {
            outbox.lose(Topic::User(id));
        }
        assert_eq!(outbox.take_unsent(), None);
        assert_eq!(outbox.take_unsent(), Some(vec![]));
    }
}

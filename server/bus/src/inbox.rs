//! Where a connection's pushed messages arrive: it never waits, so that a slow listener cannot stall the connection.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, ToRedisArgs, Value};
use tokio::sync::mpsc::error::TrySendError;

use super::BusEvent;
use super::shared::{Counts, Shared};
use super::topic::Topic;

/// Whether a link still works; its two connections and the tasks that use them tell each other here.
#[derive(Default)]
pub(super) struct Health {
    broken: AtomicBool,
    /// Confirmations of UNSUBSCRIBE that are still to come. A confirmation that nobody awaits is Redis Cluster telling
    /// that a slot has moved away; it also puts the replies of that connection out of step.
    unsubscribing: AtomicI64,
}

impl Health {
    pub(super) fn break_down(&self, shared: &Shared) {
        if !self.broken.swap(true, Ordering::SeqCst) {
            shared.wake.notify_one();
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    pub(super) fn expect_unsubscribed(&self, count: usize) {
        self.unsubscribing.fetch_add(i64::try_from(count).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Counts one confirmation; false when nobody awaits it.
    pub(super) fn unsubscribed(&self) -> bool {
        self.unsubscribing.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

/// The receiver of what is pushed to a listening connection.
pub(super) struct Inbox {
    pub(super) shared: Arc<Shared>,
    pub(super) health: Arc<Health>,
}

impl AsyncPushSender for Inbox {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        match push.kind {
            PushKind::Message | PushKind::SMessage => self.message(push.data),
            PushKind::Unsubscribe | PushKind::SUnsubscribe if !self.health.unsubscribed() => {
                self.health.break_down(&self.shared);
            }
            PushKind::Disconnection => self.health.break_down(&self.shared),
            _ => {}
        }
        Ok(())
    }
}

impl Inbox {
    fn message(&self, data: Vec<Value>) {
        let Ok([Value::BulkString(channel), Value::BulkString(frame)]) = <[Value; 2]>::try_from(data) else { return };
        let Some(payload) = foreign_payload(frame, self.shared.node) else { return };
        self.shared.company.heard(tokio::time::Instant::now());
        let Some(topic) = Topic::of_channel(&channel) else { return };
        let Some(place) = self.shared.room.take(payload.len()) else { return self.overflow(topic) };
        match self.shared.events.try_send(BusEvent::Message { topic, payload, place }) {
            Ok(()) => Counts::add(&self.shared.counts.received, 1),
            Err(TrySendError::Full(_)) => self.overflow(topic),
            Err(TrySendError::Closed(_)) => {}
        }
    }

    /// Drops a message. Its topic is remembered, and compared with the database afterwards.
    fn overflow(&self, topic: Topic) {
        Counts::add(&self.shared.counts.overflowed, 1);
        let first = !self.shared.missed_something();
        if topic == Topic::Node {
            // It may have said that everything is to be compared.
            self.shared.miss_all();
        } else {
            self.shared.miss(&[topic]);
        }
        if first {
            self.shared.wake.notify_one();
        }
    }
}

/// The receiver of a publishing connection: nothing is pushed there but the news of its end.
///
/// It holds the shared state weakly, because that holds the connection (in its routes): a bus that is dropped shall end.
pub(super) struct EndNotice {
    pub(super) shared: Weak<Shared>,
    pub(super) health: Arc<Health>,
}

impl AsyncPushSender for EndNotice {
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        if push.kind == PushKind::Disconnection
            && let Some(shared) = self.shared.upgrade()
        {
            self.health.break_down(&shared);
        }
        Ok(())
    }
}

/// What a node publishes: its id in eight bytes, big-endian, and the payload.
pub(super) struct Frame<'a> {
    pub(super) node: u64,
    pub(super) payload: &'a Bytes,
}

impl ToRedisArgs for Frame<'_> {
    fn write_redis_args<W: ?Sized + redis::RedisWrite>(&self, out: &mut W) {
        use bytes::BufMut as _;
        let mut argument = out.bufmut_for_next_arg(size_of::<u64>() + self.payload.len());
        argument.put_u64(self.node);
        argument.put_slice(self.payload);
    }
}

/// The payload of a frame; `None` for a frame of this node itself, and for what is no frame.
fn foreign_payload(frame: Vec<u8>, node: u64) -> Option<Bytes> {
    let sender = frame.first_chunk()?;
    if u64::from_be_bytes(*sender) == node {
        return None;
    }
    Some(Bytes::from(frame).slice(size_of::<u64>()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(node: u64, payload: &'static [u8]) -> Vec<u8> {
        Frame { node, payload: &Bytes::from_static(payload) }.to_redis_args().remove(0)
    }

    #[test]
    fn a_frame_of_another_node_gives_its_payload() {
        assert_eq!(foreign_payload(frame(7, b"hello"), 8).unwrap(), "hello");
        assert_eq!(foreign_payload(frame(7, b""), 8).unwrap(), "");
    }

    #[test]
    fn long_messages_are_bounded_by_their_bytes_and_what_is_dropped_is_named() {
        const LONG: usize = 256 << 10;
        let (events, mut queue) = tokio::sync::mpsc::channel(16_384);
        let inbox = Inbox { shared: Arc::new(Shared::new(8, events)), health: Arc::default() };
        let come = |chat: i64| {
            let frame = [&7_u64.to_be_bytes()[..], &vec![0; LONG]].concat();
            let channel = Topic::Chat(chat).channel().as_bytes().to_vec();
            inbox.message(vec![Value::BulkString(channel), Value::BulkString(frame)]);
        };
        let fit = i64::try_from(crate::shared::UNTAKEN_BYTES / LONG).expect("few") - 1;
        (0..fit).for_each(come);
        assert!(!inbox.shared.missed_something());
        come(1000);
        come(1001);
        let mut missed = inbox.shared.take_missed().expect("by name");
        missed.sort_by_key(|topic| format!("{topic:?}"));
        assert_eq!(missed, [Topic::Chat(1000), Topic::Chat(1001)]);
        let taken = queue.try_recv().expect("one waits");
        come(1002);
        assert_eq!(inbox.shared.take_missed(), Some(vec![Topic::Chat(1002)]), "it counts until it was taken in");
        drop(taken);
        come(1003);
        assert_eq!(inbox.shared.take_missed(), Some(vec![]));
        assert_eq!(inbox.shared.counts.overflowed.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn own_frames_and_scraps_are_skipped() {
        assert_eq!(foreign_payload(frame(7, b"hello"), 7), None);
        assert_eq!(foreign_payload(b"1234567".to_vec(), 7), None);
    }
}

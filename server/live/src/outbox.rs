//! What waits to be written to one connection: bounded, shared with everybody who has something to tell it.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use chapar_protocol::{ChatId, CloseCode, DeviceId, UserId};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tungstenite::Utf8Bytes;

use crate::bus::Topic;

/// Most bytes that wait for one connection, replies and events together. Frames of events are shared between connections, so that the memory behind them is
/// counted many times here: this bounds how far one reader may lag, not what the server holds.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The outgoing queue of a connection, and what is known of who reads it.
#[derive(Default)]
pub struct Outbox {
    id: u64,
    who: OnceLock<(UserId, DeviceId)>,
    queue: Mutex<Queue>,
    /// What this connection watches; kept by the hub. Absent once the connection is gone.
    pub(crate) topics: Mutex<Option<HashSet<Topic>>>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    close: Option<CloseCode>,
    /// While it is being found out which chats are the reader's.
    greeting: Option<Box<Greeting>>,
    /// Chats of which the reader is told nothing that follows before where they stand.
    entering: BTreeSet<ChatId>,
}

/// What has come for a reader of whom it is not certain yet which chats they are in.
#[derive(Default)]
struct Greeting {
    frames: Vec<(ChatId, Utf8Bytes)>,
    bytes: usize,
    /// Chats into or out of which the reader is told to have gone meanwhile.
    moved: BTreeSet<ChatId>,
}

impl Queue {
    fn add(&mut self, frame: Utf8Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn clear(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.greeting = None;
    }

    /// Whether there is room for a frame. Without it the reader is to be closed.
    fn has_room(&mut self, frame: &Utf8Bytes) -> bool {
        let waiting = self.bytes + self.greeting.as_ref().map_or(0, |it| it.bytes);
        if waiting > 0 && waiting + frame.len() > MAX_BYTES {
            self.clear();
            self.close = Some(CloseCode::SlowReader);
        }
        self.close.is_none()
    }
}

impl Outbox {
    /// An empty queue.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), topics: Mutex::new(Some(HashSet::new())), ..Self::default() }
    }

    /// The connection's number on this node, for logs.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Notes who reads. Only the first call counts.
    pub fn identify(&self, user: UserId, device: DeviceId) {
        let _ = self.who.set((user, device));
    }

    /// Who reads; absent before `hello`.
    pub fn who(&self) -> Option<(UserId, DeviceId)> {
        self.who.get().copied()
    }

    /// Queues a frame. A reader that is too far behind is closed instead: it resumes from its cursors and loses nothing.
    pub fn push(&self, frame: Utf8Bytes) {
        self.answer(frame);
        self.waker.wake();
    }

    /// The same for the connection itself, which need not be woken.
    pub fn answer(&self, frame: Utf8Bytes) {
        let mut queue = self.queue.lock();
        if queue.close.is_none() && queue.has_room(&frame) {
            queue.add(frame);
        }
    }

    /// Queues what was told of a topic that the reader watches; of a chat not before [`Self::end_greeting`].
    pub fn hear(&self, topic: Topic, frame: Utf8Bytes) {
        self.take(topic, frame, false);
    }

    /// The same of what follows on what was told before. Whoever is coming into a chat hears instead where it stands afterwards.
    pub fn hear_change(&self, topic: Topic, frame: Utf8Bytes) {
        self.take(topic, frame, true);
    }

    fn take(&self, topic: Topic, frame: Utf8Bytes, follows: bool) {
        if let Topic::Chat(chat) = topic {
            let mut queue = self.queue.lock();
            if follows && queue.entering.contains(&ChatId(chat)) {
                return;
            }
            if queue.greeting.is_some() {
                if queue.close.is_none()
                    && queue.has_room(&frame)
                    && let Some(greeting) = &mut queue.greeting
                {
                    greeting.bytes += frame.len();
                    greeting.frames.push((ChatId(chat), frame));
                }
                return;
            }
        }
        self.push(frame);
    }

    /// From here on nothing is told of a chat that follows on what the reader may not know, until [`Self::end_entering`].
    pub(crate) fn begin_entering(&self, topic: Topic) {
        if let Topic::Chat(chat) = topic {
            self.queue.lock().entering.insert(ChatId(chat));
        }
    }

    /// The reader is told where the chat stands, or does not watch it after all.
    pub(crate) fn end_entering(&self, topic: Topic) {
        if let Topic::Chat(chat) = topic {
            self.queue.lock().entering.remove(&ChatId(chat));
        }
    }

    /// From here on nothing of a chat is told, until it is certain which chats are the reader's.
    pub fn begin_greeting(&self) {
        self.queue.lock().greeting = Some(Box::default());
    }

    /// The reader is told to have come into chats, or to have left them: during the greeting it must be looked at again.
    pub fn has_moved(&self, chats: impl IntoIterator<Item = ChatId>) {
        if let Some(greeting) = &mut self.queue.lock().greeting {
            greeting.moved.extend(chats);
        }
    }

    /// Tells what was held back of the chats that the reader watches by now. Where somebody has moved since the last look, it does
    /// not, and says of which chats.
    pub fn end_greeting(&self) -> Vec<ChatId> {
        {
            // Held as in the hub: topics first.
            let topics = self.topics.lock();
            let mut queue = self.queue.lock();
            if let Some(greeting) = queue.greeting.as_mut().filter(|it| !it.moved.is_empty()) {
                return std::mem::take(&mut greeting.moved).into_iter().collect();
            }
            let held = queue.greeting.take().map_or_else(Vec::new, |it| it.frames);
            let watches = |chat: ChatId| topics.as_ref().is_some_and(|it| it.contains(&Topic::Chat(chat.0)));
            held.into_iter().filter(|(chat, _)| watches(*chat)).for_each(|(_, frame)| queue.add(frame));
        }
        self.waker.wake();
        Vec::new()
    }

    /// Queues a reply on a connection that is closing already.
    pub fn last_word(&self, frame: Utf8Bytes) {
        self.queue.lock().add(frame);
    }

    /// Asks the connection to close. The first reason stands.
    pub fn close(&self, code: CloseCode) {
        self.queue.lock().close.get_or_insert(code);
        self.waker.wake();
    }

    /// Why the connection is to close, if it is.
    pub fn closing(&self) -> Option<CloseCode> {
        self.queue.lock().close
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Takes the frame that has waited longest.
    pub fn pop(&self) -> Option<Utf8Bytes> {
        let mut queue = self.queue.lock();
        let frame = queue.frames.pop_front()?;
        queue.bytes -= frame.len();
        if queue.frames.is_empty() && queue.frames.capacity() > 64 {
            queue.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Forgets what waits.
    pub fn clear(&self) {
        self.queue.lock().clear();
    }

    /// Ready when there is something to write or a reason to close.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        let queue = self.queue.lock();
        if queue.frames.is_empty() && queue.close.is_none() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ready when there is a reason to close.
    pub fn poll_closing(&self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        self.waker.register(cx.waker());
        self.queue.lock().close.map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_too_far_behind_is_told_to_resume_and_costs_no_memory() {
        let outbox = Outbox::new();
        let frame = Utf8Bytes::from("x".repeat(1024 * 1024));
        for _ in 0..8 {
            outbox.push(frame.clone());
        }
        assert_eq!(outbox.closing(), None);
        outbox.push(frame);
        assert_eq!(outbox.closing(), Some(CloseCode::SlowReader));
        assert_eq!((outbox.waiting(), outbox.pop()), (0, None));
    }

    fn told(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop()).map(|frame| frame.as_str().to_owned()).collect()
    }

    #[test]
    fn of_chats_nothing_is_told_before_it_is_certain_whose_they_are() {
        let outbox = Outbox::new();
        let hear = |topic, text: &str| outbox.hear(topic, Utf8Bytes::from(text));
        outbox.begin_greeting();
        for chat in [1, 2] {
            outbox.topics.lock().as_mut().expect("there").insert(Topic::Chat(chat));
            hear(Topic::Chat(chat), &format!("a word in {chat}"));
        }
        hear(Topic::User(7), "an own thing");
        assert_eq!((outbox.waiting(), told(&outbox)), (12, vec!["an own thing".to_owned()]));
        outbox.has_moved([ChatId(2)]);
        assert_eq!(outbox.end_greeting(), [ChatId(2)], "somebody must look again");
        outbox.topics.lock().as_mut().expect("there").remove(&Topic::Chat(2));
        assert!(outbox.end_greeting().is_empty());
        hear(Topic::Chat(1), "the next");
        assert_eq!(told(&outbox), ["a word in 1", "the next"]);
        outbox.has_moved([ChatId(1)]);
        assert!(outbox.end_greeting().is_empty(), "that is the fan-out's business now");
    }

    #[test]
    fn what_is_held_back_is_bounded_as_well() {
        let outbox = Outbox::new();
        outbox.begin_greeting();
        for _ in 0..9 {
            outbox.hear(Topic::Chat(1), Utf8Bytes::from("x".repeat(1024 * 1024)));
        }
        assert_eq!(outbox.closing(), Some(CloseCode::SlowReader));
        assert!(outbox.end_greeting().is_empty());
        assert_eq!(outbox.pop(), None);
    }
}

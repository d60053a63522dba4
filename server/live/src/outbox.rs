//! What waits to be written to one connection: bounded, shared with everybody who has something to tell it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use chapar_protocol::{CloseCode, DeviceId, UserId};
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
}

impl Queue {
    fn add(&mut self, frame: Utf8Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn clear(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
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
        if queue.close.is_some() {
            return;
        }
        if queue.bytes > 0 && queue.bytes + frame.len() > MAX_BYTES {
            queue.clear();
            queue.close = Some(CloseCode::SlowReader);
        } else {
            queue.add(frame);
        }
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
}

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

/// Most bytes that wait for one connection. Frames are shared between connections, so that the memory behind them is
/// counted many times here: this bounds how far one reader may lag, not what the server holds.
const MAX_BYTES: usize = 4 * 1024 * 1024;

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
        {
            let mut queue = self.queue.lock();
            if queue.close.is_some() {
                return;
            }
            if queue.bytes > 0 && queue.bytes + frame.len() > MAX_BYTES {
                queue.frames = VecDeque::new();
                queue.close = Some(CloseCode::SlowReader);
            } else {
                queue.bytes += frame.len();
                queue.frames.push_back(frame);
            }
        }
        self.waker.wake();
    }

    /// Asks the connection to close, after what is queued. The first reason stands.
    pub fn close(&self, code: CloseCode) {
        self.queue.lock().close.get_or_insert(code);
        self.waker.wake();
    }

    /// Why the connection is to close, if it is.
    pub fn closing(&self) -> Option<CloseCode> {
        self.queue.lock().close
    }

    /// Moves what waits into `into`.
    pub fn take(&self, into: &mut Vec<Utf8Bytes>) {
        let mut queue = self.queue.lock();
        queue.bytes = 0;
        into.extend(queue.frames.drain(..));
        if queue.frames.capacity() > 64 {
            queue.frames = VecDeque::new();
        }
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
        for _ in 0..4 {
            outbox.push(frame.clone());
        }
        assert_eq!(outbox.closing(), None);
        outbox.push(frame);
        assert_eq!(outbox.closing(), Some(CloseCode::SlowReader));
        let mut rest = Vec::new();
        outbox.take(&mut rest);
        assert!(rest.is_empty());
    }
}

//! Requests under way and waiting.

use std::collections::{BTreeMap, VecDeque};

use chapar_protocol::{ChatId, Version};
use uuid::Uuid;

use super::Millis;

/// What an answer does to the local state besides reaching its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: what it changed comes as a delta.
    None,
    /// It is a snapshot of a chat.
    Snapshot,
    /// It is a page of the messages of a chat.
    Page(ChatId),
}

/// A request of the application. It survives reconnections until its time is over: every command of the protocol
/// may be sent twice.
#[derive(Clone, Debug)]
pub(crate) struct AppRequest {
    pub(crate) ticket: u64,
    pub(crate) method: &'static str,
    pub(crate) params: String,
    pub(crate) effect: Effect,
    pub(crate) until: Millis,
    /// Whether it was written to the present connection.
    pub(crate) written: bool,
}

/// Who awaits the answer to a request under way.
#[derive(Clone, Debug)]
pub(crate) enum Awaited {
    Hello,
    UserDifference,
    Differences(Vec<(ChatId, Version)>),
    Send(Uuid),
    Watch,
    Ping,
    App(AppRequest),
}

/// All requests of a session.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    next_id: u64,
    under_way: BTreeMap<u64, Awaited>,
    waiting: VecDeque<AppRequest>,
}

impl Requests {
    /// Notes a request as under way and gives it an id, unique in the whole session.
    pub(crate) fn begin(&mut self, awaited: Awaited) -> u64 {
        self.next_id += 1;
        self.under_way.insert(self.next_id, awaited);
        self.next_id
    }

    /// Takes the request that an answer belongs to; `None` when nobody awaits it any more.
    pub(crate) fn end(&mut self, id: u64) -> Option<Awaited> {
        self.under_way.remove(&id)
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> usize {
        self.under_way.len()
    }

    /// How many differences are under way.
    pub(crate) fn differences(&self) -> usize {
        self.under_way.values().filter(|awaited| matches!(awaited, Awaited::Differences(_))).count()
    }

    pub(crate) fn add(&mut self, ticket: u64, method: &'static str, params: String, effect: Effect, until: Millis) {
        self.waiting.push_back(AppRequest { ticket, method, params, effect, until, written: false });
    }

    /// Takes the next request of the application that waits to be written.
    pub(crate) fn next(&mut self) -> Option<AppRequest> {
        self.waiting.pop_front()
    }

    /// Drops a request that was not written yet; the answer to one that was reaches nobody.
    pub(crate) fn abandon(&mut self, ticket: u64) {
        self.waiting.retain(|request| request.ticket != ticket);
    }

    /// Takes everything under way and waiting whose time is over.
    pub(crate) fn overdue(&mut self, now: Millis) -> Vec<AppRequest> {
        let late = |awaited: &Awaited| matches!(awaited, Awaited::App(request) if request.until <= now);
        let mut over: Vec<_> = self.under_way.extract_if(.., |_, awaited| late(awaited)).map(|(_, it)| it).collect();
        let mut requests: Vec<_> =
            over.drain(..).filter_map(|it| if let Awaited::App(request) = it { Some(request) } else { None }).collect();
        let mut rest = VecDeque::new();
        for request in self.waiting.drain(..) {
            if request.until <= now { requests.push(request) } else { rest.push_back(request) }
        }
        self.waiting = rest;
        requests
    }

    /// The connection is gone: requests of the application wait again, in their first order; the others are forgotten,
    /// because the next welcome makes them anew.
    pub(crate) fn lost(&mut self) {
        for (_, awaited) in std::mem::take(&mut self.under_way).into_iter().rev() {
            if let Awaited::App(request) = awaited {
                self.waiting.push_front(AppRequest { written: false, ..request });
            }
        }
    }

    /// Takes all requests of the application.
    pub(crate) fn drain(&mut self) -> Vec<AppRequest> {
        self.lost();
        self.waiting.drain(..).collect()
    }

    /// When the first request is overdue.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        let under_way = self.under_way.values().filter_map(|awaited| match awaited {
            Awaited::App(request) => Some(request.until),
            _ => None,
        });
        under_way.chain(self.waiting.iter().map(|request| request.until)).min()
    }
}

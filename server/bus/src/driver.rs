//! Keeps the links up and the subscriptions as they are wanted.
//!
//! ```text
//!            discovered, connected,
//!   apart ── all wanted subscribed ──▶ whole
//!     ▲  ▲                              │ a link breaks, the layout changes
//!     │  └── after a back-off ── partial ◀┘
//!     └───────── no link left ─────┘
//! ```
//!
//! Each turn of the loop compares what is wanted with what each link has confirmed, so that a moved slot, a failover and
//! a plain reconnection are one and the same work.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use redis::ConnectionAddr;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::link::{Errand, Link};
use super::publisher::Routes;
use super::shared::{Changes, Counts, Shared};
use super::topic::Topic;
use super::{Away, BusEvent};
use chapar_redis::Endpoint;
use chapar_redis::Layout;

/// How often each connection is asked whether it lives, and the masters who they are.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// `Resynchronise` makes the listener read the database, so it comes no more often than this.
const REPORT_EVERY: Duration = Duration::from_secs(1);
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_LAST: Duration = Duration::from_secs(2);

pub(super) struct Driver {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    layout: Option<Arc<Layout>>,
    /// By index of the layout's masters.
    links: Vec<Option<Link>>,
    /// When to discover and link again; `None` while nothing is wrong.
    relink_at: Option<Instant>,
    /// Attempts since everything last was well for a whole check.
    attempts: u32,
    may_report_at: Instant,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, endpoint: Endpoint) -> Self {
        let now = Instant::now();
        Self {
            shared,
            endpoint,
            layout: None,
            links: Vec::new(),
            relink_at: Some(now),
            attempts: 0,
            may_report_at: now,
        }
    }

    /// Runs until nobody listens to the events any more, or it is aborted.
    pub(super) async fn run(mut self) {
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = self.shared.events.clone();
        let shared = Arc::clone(&self.shared);
        loop {
            let report_is_due = self.report_is_due();
            let relink_at = self.relink_at.unwrap_or_else(Instant::now);
            tokio::select! {
                () = shared.wake.notified() => {}
                () = tokio::time::sleep_until(relink_at), if self.relink_at.is_some() => self.relink().await,
                _ = check.tick() => self.check().await,
                permit = report(&events, self.may_report_at), if report_is_due => match permit {
                    Some(permit) => self.report(permit),
                    None => return,
                },
            }
            self.drop_broken();
            self.follow_changes().await;
            self.drop_broken();
        }
    }

    /// Finds out who the masters are, keeps the links that still serve, opens the others, and subscribes.
    async fn relink(&mut self) {
        self.relink_at = None;
        self.shared.doubt.store(false, Ordering::SeqCst);
        let known: Vec<ConnectionAddr> = self.links.iter().flatten().map(|link| link.address.clone()).collect();
        let layout = match self.endpoint.discover(&known).await {
            Ok(layout) => Arc::new(layout),
            Err(error) => {
                tracing::debug!(%error, "nobody tells who the Redis master is");
                return self.relink_later();
            }
        };
        let mut kept: Vec<Link> = self.links.drain(..).flatten().collect();
        let opening = layout.masters().iter().map(|address| {
            let kept = kept.iter().position(|link| link.address == *address).map(|index| kept.swap_remove(index));
            let (shared, endpoint) = (Arc::clone(&self.shared), &self.endpoint);
            async move {
                match kept {
                    Some(link) => Ok(link),
                    None => Link::open(shared, endpoint, address.clone()).await,
                }
            }
        });
        let opening: Vec<_> = opening.collect();
        for gone in kept {
            self.lost_link(&gone);
        }
        let opened = join_all(opening).await;
        self.links = opened
            .into_iter()
            .map(|link| link.inspect_err(|error| tracing::debug!(%error, "a Redis master cannot be reached")).ok())
            .collect();
        self.layout = Some(layout);
        self.show_routes();
        if self.links.iter().any(Option::is_some) {
            let wanted = self.shared.take_wanted();
            self.subscribe_all(&wanted).await;
        }
        if !self.is_whole() {
            self.relink_later();
        }
        self.show_wholeness();
    }

    /// Makes every link's subscriptions those that it should have.
    async fn subscribe_all(&mut self, wanted: &[Topic]) {
        let mut errands: Vec<Errand> = self.links.iter().map(|_| Errand::default()).collect();
        let mut due: Vec<HashSet<Topic>> = self.links.iter().map(|_| HashSet::new()).collect();
        for topic in wanted {
            if let Some((owner, link)) = self.owner(*topic) {
                due[owner].insert(*topic);
                if !link.subscribed.contains(topic) {
                    errands[owner].subscribe.push(*topic);
                }
            }
        }
        for ((link, errand), due) in self.links.iter().zip(&mut errands).zip(&due) {
            if let Some(link) = link {
                errand.unsubscribe.extend(link.subscribed.difference(due));
            }
        }
        // What comes from elsewhere now may have been missed in between, even if no link was lost.
        for errand in &errands {
            self.shared.miss(&errand.subscribe);
        }
        self.run_errands(errands).await;
    }

    /// Does what callers have asked for since the last turn, and answers those who wait.
    async fn follow_changes(&mut self) {
        if self.links.iter().all(Option::is_none) {
            return;
        }
        loop {
            let Changes { topics, waiters } = self.shared.take_changes();
            if topics.is_empty() && waiters.is_empty() {
                return;
            }
            let mut errands: Vec<Errand> = self.links.iter().map(|_| Errand::default()).collect();
            for (topic, is_wanted) in topics {
                let Some((owner, link)) = self.owner(topic) else { continue };
                match (is_wanted, link.subscribed.contains(&topic)) {
                    (true, false) => errands[owner].subscribe.push(topic),
                    (false, true) => errands[owner].unsubscribe.push(topic),
                    _ => {}
                }
            }
            self.run_errands(errands).await;
            for waiter in waiters {
                let there = waiter.topics.iter().all(|topic| {
                    self.owner(*topic)
                        .is_some_and(|(_, link)| link.subscribed.contains(topic) && !link.health.is_broken())
                });
                if !there {
                    self.shared.miss(&waiter.topics);
                }
                let _ = waiter.done.send(if there { Ok(()) } else { Err(Away) });
            }
        }
    }

    /// Runs each link's errand, all links at once.
    async fn run_errands(&mut self, errands: Vec<Errand>) {
        let is_sharded = self.layout.as_ref().is_some_and(|layout| layout.is_sharded());
        let shared = &self.shared;
        let running = self.links.iter_mut().zip(errands).filter_map(|(link, errand)| Some((link.as_mut()?, errand)));
        let running = running.filter(|(_, errand)| !errand.subscribe.is_empty() || !errand.unsubscribe.is_empty());
        join_all(running.map(|(link, errand)| async move {
            match link.run(errand, is_sharded).await {
                Ok(true) => {}
                Ok(false) => shared.doubt.store(true, Ordering::SeqCst),
                Err(error) => {
                    tracing::debug!(%error, "a Redis master does not confirm subscriptions");
                    link.health.break_down(shared);
                }
            }
        }))
        .await;
    }

    /// Asks every connection for a sign of life, and one master for the layout.
    async fn check(&mut self) {
        let (endpoint, shared) = (&self.endpoint, &self.shared);
        let links: Vec<&Link> = self.links.iter().flatten().collect();
        let asking = async {
            match links.iter().find(|link| !link.health.is_broken()) {
                Some(link) => link.ask(endpoint).await,
                None => Ok(None),
            }
        };
        let checking = join_all(links.iter().map(|link| async {
            if let Err(error) = link.check(endpoint).await {
                tracing::debug!(%error, "a Redis master gives no sign of life");
                link.health.break_down(shared);
            }
        }));
        let (told, _) = tokio::join!(asking, checking);
        if let (Ok(Some(told)), Some(layout)) = (told, &self.layout)
            && !told.owns_like(layout)
        {
            shared.doubt.store(true, Ordering::SeqCst);
        }
        if self.relink_at.is_none() && self.is_whole() && !shared.doubt.load(Ordering::SeqCst) {
            self.attempts = 0;
        }
    }

    /// Forgets broken links, and plans the next attempt when something is wrong.
    fn drop_broken(&mut self) {
        let mut is_changed = false;
        for index in 0..self.links.len() {
            if let Some(broken) = self.links[index].take_if(|link| link.health.is_broken()) {
                self.lost_link(&broken);
                is_changed = true;
            }
        }
        if is_changed {
            self.show_routes();
        }
        if is_changed || self.shared.doubt.load(Ordering::SeqCst) {
            self.relink_later();
            self.show_wholeness();
        }
    }

    fn lost_link(&self, link: &Link) {
        tracing::warn!(address = %link.address, "the link to Redis is lost");
        Counts::add(&self.shared.counts.links_lost, 1);
        self.shared.miss_all();
    }

    fn relink_later(&mut self) {
        if self.relink_at.is_none() {
            self.relink_at = Some(Instant::now() + back_off(self.attempts, rand::random()));
            self.attempts = self.attempts.saturating_add(1);
        }
    }

    fn owner(&self, topic: Topic) -> Option<(usize, &Link)> {
        let owner = self.layout.as_ref()?.owner(topic.slot())?;
        Some((owner, self.links.get(owner)?.as_ref()?))
    }

    /// Tells the publisher where to publish, and the callers whether it is worth their while to wait.
    fn show_routes(&self) {
        let masters: Vec<_> = self.links.iter().map(|link| link.as_ref().map(Link::route)).collect();
        let is_empty = masters.iter().all(Option::is_none);
        self.shared.routes.store(Arc::new(Routes { layout: self.layout.clone(), masters }));
        if is_empty {
            self.shared.unlinked();
        }
    }

    fn is_whole(&self) -> bool {
        let is_linked = self.links.iter().all(|link| link.as_ref().is_some_and(|link| !link.health.is_broken()));
        is_linked
            && self.layout.as_ref().is_some_and(|layout| layout.is_whole())
            && !self.shared.doubt.load(Ordering::SeqCst)
    }

    fn show_wholeness(&self) {
        let is_whole = self.is_whole();
        if self.shared.whole.swap(is_whole, Ordering::SeqCst) != is_whole {
            if is_whole {
                tracing::info!(masters = self.links.len(), "linked to Redis");
            } else {
                tracing::warn!("Redis is away, or part of it");
            }
        }
    }

    fn report_is_due(&self) -> bool {
        let something = self.shared.missed_something() || self.shared.lost_publications();
        something && self.relink_at.is_none() && self.is_whole()
    }

    fn report(&mut self, permit: mpsc::Permit<'_, BusEvent>) {
        // Cleared before it is said: what is missed from now on is said again.
        let missed = self.shared.take_missed();
        let unsent = self.shared.take_unsent();
        self.may_report_at = Instant::now() + REPORT_EVERY;
        permit.send(BusEvent::Resynchronise { missed, unsent });
    }
}

/// A place for a report, not before `not_before`; `None` when nobody listens any more.
async fn report(events: &mpsc::Sender<BusEvent>, not_before: Instant) -> Option<mpsc::Permit<'_, BusEvent>> {
    tokio::time::sleep_until(not_before).await;
    events.reserve().await.ok()
}

/// The pause before an attempt: doubles from 50 ms to 2 s, of which `random` (0 to 1) takes up to a half away, so that
/// many nodes do not come back in one moment.
fn back_off(attempts: u32, random: f64) -> Duration {
    let full = BACK_OFF_FIRST.saturating_mul(1 << attempts.min(10)).min(BACK_OFF_LAST);
    full.mul_f64(1.0 - random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_two_seconds() {
        assert_eq!(back_off(0, 0.0), Duration::from_millis(50));
        assert_eq!(back_off(1, 0.0), Duration::from_millis(100));
        assert_eq!(back_off(6, 0.0), Duration::from_secs(2));
        assert_eq!(back_off(u32::MAX, 0.0), Duration::from_secs(2));
        assert_eq!(back_off(u32::MAX, 1.0), Duration::from_secs(1));
    }
}

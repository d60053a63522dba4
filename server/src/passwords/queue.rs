//! Who may hash next. Every network has a count of tries made lately, refused ones too; the lowest goes first, and when the queue is full
//! the highest makes room. So whoever floods, from however many networks, goes behind whoever did not.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use chapar_protocol::{ErrorCode, WireError};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{sync::oneshot, time::Instant};

use super::Guest;

/// About what one hash takes on a slow core; for the time that refused callers are told to wait.
const TYPICAL: Duration = Duration::from_millis(50);
/// For how long somebody waits for a turn; behind a flood from their own network it may never come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Counts: networks share them by hash, so that no number of networks needs more memory.
const COUNTS: usize = 4096;
/// After which time a count has halved.
const HALF_LIFE: Duration = Duration::from_secs(30);

pub(super) struct Queue {
    state: Mutex<State>,
    concurrency: usize,
    /// Most that wait.
    most: usize,
    hasher: RandomState,
    gauge: Gauge,
}

struct State {
    free: usize,
    waiting: Vec<Waiting>,
    counts: Vec<u32>,
    halved_at: Instant,
}

struct Waiting {
    count: usize,
    known: bool,
    turn: oneshot::Sender<Turn>,
}

/// The right to hash. Given back when dropped.
pub(super) struct Turn {
    queue: Option<Arc<Queue>>,
}

impl Queue {
    pub(super) fn new(concurrency: usize, most: usize, gauge: Gauge) -> Self {
        let counts = vec![0; COUNTS];
        let state = State { free: concurrency, waiting: Vec::new(), counts, halved_at: Instant::now() };
        Self { state: Mutex::new(state), concurrency, most, hasher: RandomState::new(), gauge }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] when there is no place, it was needed by somebody who has had less, or no turn came in 10 s.
    pub(super) async fn enter(self: &Arc<Self>, guest: Guest) -> Result<Turn, WireError> {
        let waiting = {
            let mut state = self.state.lock();
            state.age();
            let count = self.count_of(guest.network);
            state.counts[count] = state.counts[count].saturating_add(1);
            if state.free > 0 {
                state.free -= 1;
                self.gauge.inc();
                return Ok(Turn { queue: Some(self.clone()) });
            }
            if state.waiting.len() >= self.most && !state.make_room(count, guest.known) {
                return Err(self.refusal(state.waiting.len()));
            }
            let (turn, waiting) = oneshot::channel();
            state.waiting.push(Waiting { count, known: guest.known, turn });
            self.gauge.set(i64::try_from(state.waiting.len() + self.concurrency - state.free).unwrap_or(i64::MAX));
            waiting
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(self.refusal(self.most)),
        }
    }

    /// Whoever had the right password was no flood.
    pub(super) fn forgive(&self, network: IpAddr) {
        let count = self.count_of(network);
        let mut state = self.state.lock();
        state.counts[count] = state.counts[count].saturating_sub(1);
    }

    fn count_of(&self, network: IpAddr) -> usize {
        usize::try_from(self.hasher.hash_one(network) % COUNTS as u64).unwrap_or(0)
    }

    fn refusal(&self, before: usize) -> WireError {
        let turns = u32::try_from(before / self.concurrency + 1).unwrap_or(u32::MAX);
        let wait = u32::try_from(TYPICAL.saturating_mul(turns).as_millis()).unwrap_or(u32::MAX);
        WireError::new(ErrorCode::Overloaded, "too many people sign in at once").after_ms(wait.max(1000))
    }

    /// Hands a turn that was given back to whoever is next and still there.
    fn pass_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                let busy = state.waiting.len() + self.concurrency - state.free;
                self.gauge.set(i64::try_from(busy).unwrap_or(i64::MAX));
                next
            };
            let Some(next) = next else { return };
            match next.turn.send(Turn { queue: Some(self.clone()) }) {
                Ok(()) => return,
                // Gone: not dropped as it is, which would pass it on from within.
                Err(mut turn) => turn.queue = None,
            }
        }
    }
}

impl State {
    fn age(&mut self) {
        let now = Instant::now();
        while now.duration_since(self.halved_at) >= HALF_LIFE {
            self.halved_at += HALF_LIFE;
            self.counts.iter_mut().for_each(|count| *count /= 2);
            if self.counts.iter().all(|count| *count == 0) {
                self.halved_at = now;
            }
        }
    }

    /// How much somebody's network has had. A network that the account knows counts a quarter: its people go before
    /// others behind the same address, but cannot keep everybody else out.
    fn had(&self, count: usize, known: bool) -> u32 {
        self.counts[count] / if known { 4 } else { 1 }
    }

    /// Takes out the waiting one who is next: of those who have had the least, the first.
    fn next(&mut self) -> Option<Waiting> {
        self.age();
        let place = (0..self.waiting.len()).min_by_key(|&place| {
            let it = &self.waiting[place];
            (self.had(it.count, it.known), !it.known)
        })?;
        Some(self.waiting.remove(place))
    }

    /// Lets somebody go for a newcomer: who is not there any more, or who has more, in hashes and in places here.
    fn make_room(&mut self, count: usize, known: bool) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|it| !it.turn.is_closed());
        if self.waiting.len() < before {
            return true;
        }
        let mut places = std::collections::HashMap::new();
        for it in &self.waiting {
            *places.entry(it.count).or_insert(0_u32) += 1;
        }
        let load = |it: &Waiting| self.had(it.count, it.known).saturating_add(places[&it.count]);
        let Some(worst) = (0..before).max_by_key(|&place| (load(&self.waiting[place]), place)) else { return false };
        let mine = self.had(count, known).saturating_add(places.get(&count).copied().unwrap_or(0) + 1);
        if load(&self.waiting[worst]) <= mine {
            return false;
        }
        self.waiting.remove(worst);
        true
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(network: u8, known: bool) -> Guest {
        Guest { network: IpAddr::from([10, 0, network, 0]), known }
    }

    /// A queue in which the networks of a test are not counted together by chance.
    fn queue(most: usize) -> Arc<Queue> {
        let apart = |queue: &Arc<Queue>| {
            let counts: std::collections::HashSet<_> =
                (1..4).map(|n| queue.count_of(guest(n, false).network)).collect();
            counts.len() == 3
        };
        std::iter::repeat_with(|| Arc::new(Queue::new(1, most, Gauge::default()))).find(apart).expect("without end")
    }

    /// Who is let in next, by name, of those who wait.
    async fn order(queue: &Arc<Queue>, first: Turn, guests: &[(&'static str, Guest)]) -> Vec<&'static str> {
        let (say, mut hear) = tokio::sync::mpsc::unbounded_channel();
        for (name, guest) in guests.iter().copied() {
            let (queue, say) = (queue.clone(), say.clone());
            tokio::spawn(async move {
                let turn = queue.enter(guest).await;
                if turn.is_ok() {
                    let _ = say.send(name);
                }
            });
            tokio::task::yield_now().await;
        }
        drop((say, first));
        let mut order = Vec::new();
        while let Some(name) = hear.recv().await {
            order.push(name);
        }
        order
    }

    #[tokio::test]
    async fn whoever_comes_from_a_quiet_network_goes_before_a_flood() {
        let queue = queue(8);
        for _ in 0..20 {
            drop(queue.enter(guest(1, false)).await.expect("alone"));
        }
        let first = queue.enter(guest(1, false)).await.expect("free");
        let guests = [
            ("flood", guest(1, false)),
            ("flood", guest(1, false)),
            ("known there", guest(1, true)),
            ("quiet", guest(2, false)),
        ];
        assert_eq!(order(&queue, first, &guests).await, ["quiet", "known there", "flood", "flood"]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_room_for_whoever_has_had_less() {
        let queue = queue(2);
        let first = queue.enter(guest(1, false)).await.expect("free");
        let guests =
            [("a", guest(1, false)), ("b", guest(1, false)), ("refused", guest(1, false)), ("quiet", guest(2, false))];
        assert_eq!(order(&queue, first, &guests).await, ["quiet", "a"]);
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_nothing_behind() {
        let queue = queue(2);
        let first = queue.enter(guest(1, false)).await.expect("free");
        for _ in 0..10 {
            let waiting = tokio::time::timeout(Duration::from_millis(1), queue.enter(guest(3, false))).await;
            assert!(waiting.is_err(), "waits in vain");
        }
        drop(first);
        let turn = tokio::time::timeout(Duration::from_secs(5), queue.enter(guest(1, false))).await;
        assert!(turn.expect("free again").is_ok());
    }
}

//! A worker: one batch in flight at a time, and beside it the lanes of chats that somebody else has locked.
//!
//! A batch passes over chats that are locked just now, or were changed while it was judged, so that nobody waits for another's
//! chat. What was passed over goes into a lane, which waits in the database's own queue for that lock. While a chat has a lane, what
//! follows for it is held back here.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chapar_domain::{
    change::{Asked, Done},
    judge::{Membership, Written},
};
use chapar_protocol::{Action, ChatId, ErrorCode, UserId, WireError};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::batch::{Waiting, one_batch};
use crate::{
    counters::Counters,
    fanout::Fanout,
    health::DiskWatch,
    lists::Lists,
    metrics::Metrics,
    store::{
        BATCH, ChatChange, Chats, StoreError,
        chats::change::{Changed, Locks, Outcome},
    },
};

/// Most changes in one commit. Larger ones gain nothing and hold the locks of busy chats longer.
const MAX_BATCH: usize = 256;
/// Between two tries, while the database does not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// What a worker and its lanes share.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) chats: Chats,
    pub(super) lists: Arc<Lists>,
    pub(super) counters: Arc<Counters>,
    pub(super) fanout: Arc<Fanout>,
    pub(super) metrics: Metrics,
    /// Places for lanes that wait in the database, all workers together.
    pub(super) lanes: Arc<Semaphore>,
    pub(super) disk: DiskWatch,
    pub(super) round: Arc<Round>,
}

/// Since when a worker has been busy with the same batch.
pub(super) struct Round {
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 while it waits for changes.
    busy_since: AtomicU64,
}

impl Default for Round {
    fn default() -> Self {
        Self { started: Instant::now(), busy_since: AtomicU64::new(0) }
    }
}

impl Round {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) + 1
    }

    fn begin(&self) {
        self.busy_since.store(self.now(), Ordering::Relaxed);
    }

    fn end(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// For how long the worker has been busy with one batch.
    pub(super) fn busy_for(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }
}

impl Worker {
    /// Ends when `closing` is cancelled and everything queued is done.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Waiting>, closing: CancellationToken) {
        let mut received = Vec::with_capacity(MAX_BATCH);
        let mut lanes: JoinSet<ChatId> = JoinSet::new();
        // Behind each lane, what came for its chat meanwhile: bounded by the seats of that chat.
        let mut behind: HashMap<ChatId, Vec<Waiting>> = HashMap::new();
        // What comes next, the oldest of each chat first: more than one batch when messages are long.
        let mut ready: VecDeque<Waiting> = VecDeque::new();
        loop {
            let mut next = Vec::new();
            tokio::select! {
                biased;
                () = closing.cancelled(), if !queue.is_closed() => queue.close(),
                Some(ended) = lanes.join_next() => match ended {
                    Ok(chat) => next = behind.remove(&chat).unwrap_or_default(),
                    // A panic, a bug of ours: the worker ends with it, and the node with the worker.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = std::future::ready(()), if !ready.is_empty() => {}
                count = queue.recv_many(&mut received, MAX_BATCH) => {
                    if count == 0 && lanes.is_empty() {
                        return;
                    }
                    if count == 0 && let Some(Ok(chat)) = lanes.join_next().await {
                        next = behind.remove(&chat).unwrap_or_default();
                    }
                }
            }
            // What waited behind a lane is older than all that is ready for its chat.
            next.into_iter().rev().for_each(|it| ready.push_front(it));
            ready.extend(received.drain(..));
            let mut batch = Vec::new();
            let count = one_batch(&ready, MAX_BATCH);
            let now = Instant::now();
            for mut waiting in ready.drain(..count) {
                // Never asked of the database, and too late to ask: what comes after it has its time still.
                if waiting.deadline <= now && !waiting.unknown {
                    waiting.answer(Err(crate::store::busy(TOO_LATE).into()));
                    continue;
                }
                match behind.get_mut(&waiting.asked.chat) {
                    Some(behind) => behind.push(waiting),
                    None => batch.push(waiting),
                }
            }
            if batch.is_empty() {
                continue;
            }
            self.round.begin();
            let passed_over = self.carry_out(batch, Locks::Skip).await;
            // Most were changed elsewhere between the reading and the writing: the next reading sees it.
            let again: Vec<Waiting> = passed_over.into_values().flatten().collect();
            let locked = if again.is_empty() { HashMap::new() } else { self.carry_out(again, Locks::Skip).await };
            for (chat, passed_over) in locked {
                behind.insert(chat, Vec::new());
                lanes.spawn(self.clone().wait_in_lane(chat, passed_over));
            }
            self.round.end();
        }
    }

    /// Carries out what a batch has passed over, as soon as the chat's lock can be had. Others' locks hold up nobody but that chat.
    async fn wait_in_lane(self, chat: ChatId, mut batch: Vec<Waiting>) -> ChatId {
        // The last try begins before that, and ends by Postgres's word that the lock was not to be had: a clear answer.
        let deadline = batch.iter().map(|it| it.deadline).min().unwrap_or_else(Instant::now);
        loop {
            // Taken anew for each try, so that many locked chats take turns.
            let place = tokio::time::timeout_at(deadline, self.lanes.acquire()).await;
            let Ok(Ok(_place)) = place else {
                self.give_up(batch, crate::store::busy(BUSY_CHAT));
                return chat;
            };
            match self.carry_out(batch, Locks::Wait(chat)).await.remove(&chat) {
                None => return chat,
                Some(missed) => batch = missed,
            }
        }
    }

    /// Carries out a batch, answers those who asked, and tells the others. Returns what it passed over, by chat.
    async fn carry_out(&self, mut batch: Vec<Waiting>, locks: Locks) -> HashMap<ChatId, Vec<Waiting>> {
        match self.try_all(&mut batch, locks).await {
            Ok(changed) => self.settle(batch, changed),
            Err(StoreError::Refused(_)) if batch.iter().all(|it| it.deadline > Instant::now()) => {
                // A lock was not to be had: once more, each chat by itself, in a queue with others.
                batch.into_iter().fold(HashMap::new(), |mut missed: HashMap<_, Vec<_>>, it| {
                    missed.entry(it.asked.chat).or_default().push(it);
                    missed
                })
            }
            Err(StoreError::Fault(error)) if batch.len() > 1 => {
                tracing::error!(%error, "a batch was refused: carrying out its changes one by one");
                self.one_by_one(batch, locks).await
            }
            Err(error) => {
                self.give_up(batch, error);
                HashMap::new()
            }
        }
    }

    /// So that nobody suffers for another's change.
    async fn one_by_one(&self, batch: Vec<Waiting>, locks: Locks) -> HashMap<ChatId, Vec<Waiting>> {
        let until = Instant::now() + BATCH;
        let mut missed: HashMap<ChatId, Vec<Waiting>> = HashMap::new();
        let mut away = false;
        for mut waiting in batch {
            let chat = waiting.asked.chat;
            // The batch was undone as a whole, so what is not asked is not stored, unless an earlier try left that open.
            if away || Instant::now() >= until {
                let error = if waiting.unknown { not_known() } else { crate::store::busy(TOO_LATE).into() };
                waiting.answer(Err(error));
                continue;
            }
            // Behind one that waits for its chat, all that follow in it wait: the order stays.
            if let Some(before) = missed.get_mut(&chat) {
                before.push(waiting);
                continue;
            }
            match self.chats.change(&[&waiting.asked], locks, until).await {
                Ok(changed) => {
                    for (chat, more) in self.settle(vec![waiting], changed) {
                        missed.entry(chat).or_default().extend(more);
                    }
                }
                Err(error) => {
                    if let StoreError::Unavailable(_) = error {
                        self.fanout.doubt([chat], None);
                        away = true;
                    }
                    let error = if waiting.unknown { not_known() } else { error.into() };
                    waiting.answer(Err(error));
                }
            }
        }
        missed
    }

    /// A lost answer leaves the outcome unknown: the same batch is tried again, over another connection, and finds out.
    async fn try_all(&self, batch: &mut [Waiting], locks: Locks) -> Result<Changed, StoreError> {
        let begun = Instant::now();
        let deadline = batch.iter().map(|it| it.deadline).max().unwrap_or(begun);
        loop {
            let asked: Vec<&Asked> = batch.iter().map(|it| &it.asked).collect();
            match self.chats.change(&asked, locks, Instant::now() + BATCH).await {
                Ok(changed) => {
                    if !changed.written.is_empty() {
                        self.disk.worked();
                    }
                    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
                    self.metrics.batch.observe(batch.len() as f64);
                    self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
                    return Ok(changed);
                }
                Err(error @ StoreError::Unavailable(_)) if error.could_not_write() => {
                    // An answer, and a clear one: it is not stored, and would not be in a moment.
                    self.disk.failed();
                    return Err(error);
                }
                Err(error) if error.was_undone() && Instant::now() < deadline => {
                    self.metrics.commit_retries.inc();
                }
                Err(StoreError::Unavailable(error)) => {
                    let now = Instant::now();
                    for waiting in batch.iter_mut() {
                        waiting.unknown = true;
                        if waiting.deadline <= now + PAUSE {
                            // It stays in the batch, so that others hear of it when it is stored.
                            waiting.answer(Err(not_known()));
                        }
                    }
                    if Instant::now() + PAUSE >= deadline {
                        return Err(StoreError::Unavailable(error));
                    }
                    tracing::warn!(%error, changes = batch.len(), "the outcome of a commit is unknown: asking again");
                    self.metrics.commit_retries.inc();
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers, tells, and returns what was passed over, by chat.
    fn settle(&self, batch: Vec<Waiting>, changed: Changed) -> HashMap<ChatId, Vec<Waiting>> {
        let memberships: Vec<Membership> = changed.written.iter().flat_map(Written::memberships).collect();
        let with_lists: HashSet<ChatId> = memberships.iter().map(|it| it.chat).collect();
        let mut missed: HashMap<ChatId, Vec<Waiting>> = HashMap::new();
        let mut later = Vec::new();
        for (mut waiting, outcome) in batch.into_iter().zip(changed.outcomes) {
            let chat = waiting.asked.chat;
            let Outcome::Judged(verdict) = outcome else {
                missed.entry(chat).or_default().push(waiting);
                continue;
            };
            match &verdict {
                // Its first try may have ended between the commit and the telling.
                Ok(done @ (Done::Sent { existed: true, .. } | Done::Album { existed: true, .. })) => {
                    self.fanout.publish_hint(chat, done.version());
                }
                Ok(Done::Sent { .. }) => drop(self.metrics.messages.inc()),
                Ok(Done::Album { sent, .. }) => drop(self.metrics.messages.inc_by(sent.len() as u64)),
                _ => {}
            }
            if waiting.unknown {
                self.fanout.doubt([chat], None);
            }
            let answer = match verdict {
                // What an earlier try has done may be why it is refused now.
                Err(error) if waiting.unknown && error.action != Action::Retry => Err(not_known()),
                verdict => verdict,
            };
            if with_lists.contains(&chat) && answer.is_ok() {
                later.push((waiting, answer));
            } else {
                waiting.answer(answer);
            }
        }
        for written in &changed.written {
            let gone: Vec<UserId> = written.memberships().filter(|it| it.role.is_none()).map(|it| it.user).collect();
            let kind = written.chat.info.kind;
            let hidden_upto = written.chat.hidden_upto;
            let told = written.deltas().into_iter().map(|delta| ChatChange::of(kind, hidden_upto, delta)).collect();
            self.fanout.publish_written(told, &gone);
            self.fanout.publish_own_reactions(written.chat.info.id, written.own_reactions());
            self.fanout.publish_own_votes(written.chat.info.id, written.own_votes());
        }
        let stirred = changed.written.iter().filter(|it| it.stirs());
        self.counters.stir(stirred.map(|it| it.chat.info.id));
        if !memberships.is_empty() {
            // Whoever has come into a chat finds it in their list when the answer is there. Their places are kept meanwhile,
            // so these are no more than what may wait.
            let lists = self.lists.clone();
            tokio::spawn(async move {
                lists.apply(memberships).await;
                for (mut waiting, answer) in later {
                    waiting.answer(answer);
                }
            });
        }
        missed
    }

    /// The end of patience. Where nothing is known, those who asked are told to ask again, and others must hear of it all the same.
    fn give_up(&self, batch: Vec<Waiting>, error: StoreError) {
        let unknown = matches!(error, StoreError::Unavailable(_)) || batch.iter().any(|it| it.unknown);
        let mut error = WireError::from(error);
        if unknown {
            self.fanout.doubt(batch.iter().map(|it| it.asked.chat), None);
            if error.code != ErrorCode::Unavailable {
                error = not_known();
            }
        }
        for mut waiting in batch {
            waiting.answer(Err(error.clone()));
        }
    }
}

fn not_known() -> WireError {
    WireError::new(ErrorCode::Unavailable, "whether this was stored is unknown, try again").after_ms(1000)
}

const TOO_LATE: &str = "changes are stored too slowly just now: this one was not stored, try again";
const BUSY_CHAT: &str = "others change this chat just now: nothing was stored, try again";

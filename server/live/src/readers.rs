//! Readers who come into channels or go, and how far people have read: many at once, without the chats' locks.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chapar_domain::readers::Move;
use chapar_protocol::{ChatKind, ErrorCode, Seq, UserId, WireError, event::Read};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{
    committer::going_away,
    counters::Counters,
    fanout::Fanout,
    lists::Lists,
    store::{
        Result, Store, StoreError,
        chats::{
            pages::Head,
            readers::{Reader, Reading},
        },
    },
};

/// Those that wait; more are refused with a time to come back.
const QUEUE: usize = 4096;
/// Most in one commit.
const BATCH: usize = 512;
/// Read marks that are written down together, and carried out a little later, when more wait than are carried out at once.
const RUSH: usize = 2048;
/// Rushes that wait to be carried out, beyond which nothing more is only written down.
const RUSHES: usize = 500;
/// Rushes that are carried out together.
const TOGETHER: i64 = 4;
/// For how long a node has them to itself.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is looked for rushes that a dead node has left.
const LOOK: Duration = Duration::from_secs(5);
/// Before those are looked at again whom somebody had locked.
const PAUSE: Duration = Duration::from_millis(20);
/// How long one waits in all.
const PATIENCE: Duration = Duration::from_secs(4);

/// What became of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is done.
    Done,
    /// More than a reader, or no channel: ask the committer.
    NotAReader,
}

type Answer<T> = oneshot::Sender<std::result::Result<T, WireError>>;

struct Waiting<W, T> {
    reader: Reader,
    wish: W,
    deadline: Instant,
    answer: Answer<T>,
}

/// What is needed to move marks.
#[derive(Clone)]
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// Who hears of it.
    pub fanout: Arc<Fanout>,
    /// The counters of channels.
    pub counters: Arc<Counters>,
}

/// The way in.
pub struct Readers {
    moves: mpsc::Sender<Waiting<Move, Moved>>,
    marks: mpsc::Sender<Waiting<Seq, ()>>,
}

impl Readers {
    /// Each of the futures is to be run. The first two end when this is dropped, the third does not.
    pub fn start(parts: &Parts, lists: Arc<Lists>) -> (Self, [BoxFuture<'static, ()>; 3]) {
        let (moves, due_moves) = mpsc::channel(QUEUE);
        let (marks, due_marks) = mpsc::channel(QUEUE);
        let rushes = Arc::<Rushes>::default();
        let go = carry_out_moves(parts.store.clone(), lists, parts.counters.clone(), due_moves);
        let mark = carry_out_marks(parts.clone(), rushes.clone(), due_marks);
        let later = rushes.carry_out(Parts { store: parts.store.upkeep(), ..parts.clone() });
        (Self { moves, marks }, [go.boxed(), mark.boxed(), later.boxed()])
    }

    /// Lets somebody into a channel, or out of it.
    ///
    /// # Errors
    /// Why not; [`ErrorCode::Overloaded`] when too many wait.
    pub async fn go(&self, reader: Reader, wish: Move) -> std::result::Result<Moved, WireError> {
        ask(&self.moves, reader, wish).await
    }

    /// Moves a read mark forward; never back, never beyond the last message.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`]; [`ErrorCode::Overloaded`] when too many wait.
    pub async fn mark(&self, reader: Reader, upto: Seq) -> std::result::Result<(), WireError> {
        ask(&self.marks, reader, upto).await
    }
}

async fn ask<W, T>(queue: &mpsc::Sender<Waiting<W, T>>, reader: Reader, wish: W) -> std::result::Result<T, WireError> {
    let (answer, answered) = oneshot::channel();
    let waiting = Waiting { reader, wish, deadline: Instant::now() + PATIENCE, answer };
    match queue.try_send(waiting) {
        Ok(()) => answered.await.unwrap_or_else(|_| Err(going_away())),
        Err(mpsc::error::TrySendError::Full(_)) => Err(busy()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(going_away()),
    }
}

fn busy() -> WireError {
    crate::store::busy("too many readers come and go at once: nothing was changed, try again").into()
}

/// Takes what waits; what came too late to be asked is refused. False at the end.
async fn gather<W, T>(
    queue: &mut mpsc::Receiver<Waiting<W, T>>,
    waiting: &mut Vec<Waiting<W, T>>,
    most: usize,
) -> bool {
    if waiting.is_empty() && queue.recv_many(waiting, most).await == 0 {
        return false;
    }
    while waiting.len() < most
        && let Ok(more) = queue.try_recv()
    {
        waiting.push(more);
    }
    let now = Instant::now();
    let (late, due): (Vec<_>, Vec<_>) = std::mem::take(waiting).into_iter().partition(|it| it.deadline <= now);
    for it in late {
        let _ = it.answer.send(Err(busy()));
    }
    *waiting = due;
    true
}

async fn carry_out_moves(
    store: Store,
    lists: Arc<Lists>,
    counters: Arc<Counters>,
    mut queue: mpsc::Receiver<Waiting<Move, Moved>>,
) {
    let mut waiting = Vec::new();
    while gather(&mut queue, &mut waiting, BATCH).await {
        // The same reader twice: one after the other.
        let (mut batch, mut rest): (Vec<Waiting<Move, Moved>>, Vec<_>) = (Vec::new(), Vec::new());
        let (mut named, mut again) = (HashSet::new(), Vec::new());
        for it in waiting.drain(..) {
            if named.insert(it.reader) { batch.push(it) } else { rest.push(it) }
        }
        let asked: Vec<(Reader, Move)> = batch.iter().map(|it| (it.reader, it.wish)).collect();
        match store.chats.move_readers(&asked).await {
            Ok((readings, memberships)) => {
                counters.stir(memberships.iter().map(|it| it.chat));
                lists.apply(memberships).await;
                for (it, reading) in batch.into_iter().zip(readings) {
                    let answer = match reading {
                        Reading::Done => Ok(Moved::Done),
                        Reading::NotAReader => Ok(Moved::NotAReader),
                        Reading::Refused(error) => Err(error),
                        Reading::Missed => {
                            again.push(it);
                            continue;
                        }
                    };
                    let _ = it.answer.send(answer);
                }
            }
            // Undone by Postgres in favour of somebody else: once more, as long as there is time.
            Err(error) if error.was_undone() => again = batch,
            Err(error) => refuse(batch, error),
        }
        // Before what came later for the same reader.
        again.extend(rest);
        waiting = again;
    }
}

fn refuse<W, T>(batch: Vec<Waiting<W, T>>, error: StoreError) {
    let error = WireError::from(error);
    for it in batch {
        let _ = it.answer.send(Err(error.clone()));
    }
}

async fn carry_out_marks(parts: Parts, rushes: Arc<Rushes>, mut queue: mpsc::Receiver<Waiting<Seq, ()>>) {
    let mut waiting = Vec::new();
    while gather(&mut queue, &mut waiting, RUSH).await {
        let batch = std::mem::take(&mut waiting);
        match mark(&parts, &batch, &rushes).await {
            Ok(Marked { inside, passed_over }) => {
                for it in batch {
                    if passed_over.contains(&it.reader.user) {
                        waiting.push(it);
                    } else if inside.contains(&it.reader) {
                        let _ = it.answer.send(Ok(()));
                    } else {
                        let _ = it.answer.send(Err(StoreError::from(ErrorCode::ChatNotFound).into()));
                    }
                }
                if !waiting.is_empty() && waiting.len() < BATCH {
                    // Those whom somebody has locked: in a moment, or together with whoever comes first.
                    let room = BATCH - waiting.len();
                    let _ = timeout(PAUSE, queue.recv_many(&mut waiting, room)).await;
                }
            }
            Err(error) => {
                if let StoreError::InDoubt { users, .. } = &error {
                    parts.fanout.doubt(None, users.iter().copied());
                }
                if error.was_undone() {
                    waiting = batch;
                } else {
                    refuse(batch, error);
                }
            }
        }
    }
}

/// What became of a batch of marks.
struct Marked {
    /// Who is in the chat that they named.
    inside: HashSet<Reader>,
    /// Whose own list somebody else has locked: nothing was done for them.
    passed_over: HashSet<UserId>,
}

/// Moves the marks of a batch: whoever gets no answer asks again, and all is done. In a rush those of channels are only written down.
async fn mark(parts: &Parts, batch: &[Waiting<Seq, ()>], rushes: &Rushes) -> Result<Marked> {
    let mut marks: HashMap<Reader, Seq> = HashMap::new();
    for it in batch {
        let mark = marks.entry(it.reader).or_insert(it.wish);
        *mark = it.wish.max(*mark);
    }
    let places = places(parts, &mut marks).await?;
    let rush = batch.len() > BATCH;
    if rush && let Some(room) = rushes.room() {
        let (seen, others) = marks
            .into_iter()
            .partition(|(reader, _)| places.get(reader).is_some_and(|it| it.kind == ChatKind::Channel));
        marks = others;
        room.note(&parts.store, &seen).await?;
    }
    let passed_over = move_marks(parts, marks, &places).await?;
    Ok(Marked { inside: places.into_keys().collect(), passed_over })
}

/// Where those are who have read, and how far there is to read there: no mark goes further.
async fn places(parts: &Parts, marks: &mut HashMap<Reader, Seq>) -> Result<HashMap<Reader, Head>> {
    let who: Vec<Reader> = marks.keys().copied().collect();
    let places = parts.store.chats.places(&who).await?;
    marks.retain(|reader, mark| match places.get(reader) {
        None => false,
        Some(place) => {
            *mark = place.last_seq.min(*mark);
            mark.0 > 0
        }
    });
    Ok(places)
}

/// Moves marks, first in each person's own list, then where others see them: doing it twice does no harm. Returns whose own list somebody
/// else has locked: nothing was done for them.
async fn move_marks(
    parts: &Parts,
    mut marks: HashMap<Reader, Seq>,
    places: &HashMap<Reader, Head>,
) -> Result<HashSet<UserId>> {
    let Parts { store, fanout, counters } = parts;
    if marks.is_empty() {
        return Ok(HashSet::new());
    }
    let (moved, passed_over) = store.people.mark_read(&marks).await?;
    for (user, delta) in moved {
        fanout.publish_own(user, delta);
    }
    marks.retain(|reader, _| !passed_over.contains(&reader.user));
    let (seen, mut marks): (HashMap<_, _>, HashMap<_, _>) =
        marks.into_iter().partition(|(reader, _)| places.get(reader).is_some_and(|it| it.kind == ChatKind::Channel));
    if !seen.is_empty() {
        counters.stir(store.chats.count_views(&seen).await?);
    }
    let direct = marks.keys().filter(|it| places.get(it).is_some_and(|it| it.kind == ChatKind::Direct)).copied();
    let requests = store.people.requests_among(&direct.collect::<Vec<_>>()).await?;
    marks.retain(|reader, _| !requests.contains(reader));
    if !marks.is_empty() {
        for (Reader { chat, user }, seq) in store.chats.show_read(&marks).await? {
            fanout.publish_read(Read { chat_id: chat, user_id: user, seq });
        }
    }
    Ok(passed_over)
}

/// What was only written down. Each node carries out what it comes to first, and after a node's death another one.
#[derive(Default)]
struct Rushes {
    /// How many were noted here and not carried out here. All nodes' together are no less than there are.
    waiting: AtomicUsize,
    came: Notify,
}

/// Room for one rush more.
struct Room<'a>(&'a Rushes);

impl Rushes {
    fn room(&self) -> Option<Room<'_>> {
        (self.waiting.load(Ordering::Relaxed) < RUSHES).then_some(Room(self))
    }

    /// Does not end by itself.
    async fn carry_out(self: Arc<Self>, parts: Parts) {
        loop {
            let taken = match parts.store.people.take_rushed_marks(TOGETHER, LEASE).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "read marks that were written down cannot be taken now");
                    Vec::new()
                }
            };
            if taken.is_empty() {
                let _ = tokio::time::timeout(LOOK, self.came.notified()).await;
                continue;
            }
            let (ids, marks): (Vec<i64>, Vec<_>) = taken.into_iter().unzip();
            let mut last: HashMap<Reader, Seq> = HashMap::new();
            for (reader, seq) in marks.into_iter().flatten() {
                let mark = last.entry(reader).or_insert(seq);
                *mark = seq.max(*mark);
            }
            // What fails stays where it is, and is taken again when the lease has run out.
            match timeout(LEASE, carry_out_rush(&parts, last, &ids)).await {
                Ok(Ok(())) => {
                    let done = |waiting: usize| Some(waiting.saturating_sub(ids.len()));
                    let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, done);
                }
                Ok(Err(error)) => {
                    if let StoreError::InDoubt { users, .. } = &error {
                        parts.fanout.doubt(None, users.iter().copied());
                    }
                    tracing::warn!(%error, "read marks that were written down are carried out later");
                }
                Err(_) => tracing::warn!("read marks that were written down took too long, and are tried again"),
            }
        }
    }
}

impl Room<'_> {
    async fn note(self, store: &Store, marks: &HashMap<Reader, Seq>) -> Result<()> {
        if !marks.is_empty() {
            store.people.note_marks(marks).await?;
            self.0.waiting.fetch_add(1, Ordering::Relaxed);
            self.0.came.notify_one();
        }
        Ok(())
    }
}

async fn carry_out_rush(parts: &Parts, mut marks: HashMap<Reader, Seq>, ids: &[i64]) -> Result<()> {
    while !marks.is_empty() {
        let places = places(parts, &mut marks).await?;
        let passed_over = move_marks(parts, marks.clone(), &places).await?;
        marks.retain(|reader, _| passed_over.contains(&reader.user));
        if !marks.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    parts.store.people.drop_rushed_marks(ids).await
}

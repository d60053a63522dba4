//! Readers who come into channels or go, and how far people have read: many at once, without the chats' locks.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chapar_domain::readers::Move;
use chapar_protocol::{ChatKind, ErrorCode, Seq, UserId, WireError, event::Read};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    committer::going_away,
    counters::Counters,
    fanout::Fanout,
    lists::Lists,
    store::{
        Result, Store, StoreError,
        chats::readers::{Reader, Reading},
    },
};

/// Those that wait; more are refused with a time to come back.
const QUEUE: usize = 4096;
/// Most in one commit.
const BATCH: usize = 512;
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

/// The way in.
pub struct Readers {
    moves: mpsc::Sender<Waiting<Move, Moved>>,
    marks: mpsc::Sender<Waiting<Seq, ()>>,
}

impl Readers {
    /// Each of the futures is to be run. They end when this is dropped.
    pub fn start(
        store: &Store,
        lists: Arc<Lists>,
        fanout: Arc<Fanout>,
        counters: Arc<Counters>,
    ) -> (Self, [impl Future<Output = ()> + Send + 'static; 2]) {
        let (moves, due_moves) = mpsc::channel(QUEUE);
        let (marks, due_marks) = mpsc::channel(QUEUE);
        let go = futures_util::future::Either::Left(carry_out_moves(store.clone(), lists, counters.clone(), due_moves));
        let mark = futures_util::future::Either::Right(carry_out_marks(store.clone(), fanout, counters, due_marks));
        (Self { moves, marks }, [go, mark])
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
async fn gather<W, T>(queue: &mut mpsc::Receiver<Waiting<W, T>>, waiting: &mut Vec<Waiting<W, T>>) -> bool {
    if waiting.is_empty() && queue.recv_many(waiting, BATCH).await == 0 {
        return false;
    }
    while waiting.len() < BATCH
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
    while gather(&mut queue, &mut waiting).await {
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

async fn carry_out_marks(
    store: Store,
    fanout: Arc<Fanout>,
    counters: Arc<Counters>,
    mut queue: mpsc::Receiver<Waiting<Seq, ()>>,
) {
    let mut waiting = Vec::new();
    while gather(&mut queue, &mut waiting).await {
        let batch = std::mem::take(&mut waiting);
        match mark(&store, &fanout, &counters, &batch).await {
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
                    let _ = tokio::time::timeout(PAUSE, queue.recv_many(&mut waiting, room)).await;
                }
            }
            Err(error) => {
                if let StoreError::InDoubt { users, .. } = &error {
                    fanout.doubt(None, users.iter().copied());
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

/// Moves the marks, first in each person's own list, then where others see them: whoever gets no answer asks again, and both are
/// done.
async fn mark(store: &Store, fanout: &Arc<Fanout>, counters: &Counters, batch: &[Waiting<Seq, ()>]) -> Result<Marked> {
    let mut marks: HashMap<Reader, Seq> = HashMap::new();
    for it in batch {
        let mark = marks.entry(it.reader).or_insert(it.wish);
        *mark = it.wish.max(*mark);
    }
    let who: Vec<Reader> = marks.keys().copied().collect();
    let places = store.chats.places(&who).await?;
    marks.retain(|reader, mark| match places.get(reader) {
        None => false,
        Some(place) => {
            *mark = place.last_seq.min(*mark);
            mark.0 > 0
        }
    });
    let mut passed_over = HashSet::new();
    if !marks.is_empty() {
        let moved;
        (moved, passed_over) = store.people.mark_read(&marks).await?;
        for (user, delta) in moved {
            fanout.publish_own(user, delta);
        }
        marks.retain(|reader, _| !passed_over.contains(&reader.user));
        let (seen, mut marks): (HashMap<_, _>, HashMap<_, _>) = marks
            .into_iter()
            .partition(|(reader, _)| places.get(reader).is_some_and(|it| it.kind == ChatKind::Channel));
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
    }
    Ok(Marked { inside: places.into_keys().collect(), passed_over })
}

//! What many ask at the same time is asked of the database once: while one statement is under way, those who come wait, and the
//! next one is for all of them. Whoever asks alone waits for nobody. Whoever has given up is not asked for any more. Where the
//! database is slow, fewer are asked for at once, so that nobody's answer is lost because it was to come with many others.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use chapar_protocol::{ErrorCode, WireError};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use crate::store::{Result, StoreError, busy};

/// Those who wait; more are refused with a time to come back.
const QUEUE: usize = 32_768;
/// A batch that takes longer is followed by smaller ones.
const SLOW: Duration = Duration::from_millis(500);
/// A batch that takes less may be followed by larger ones.
const QUICK: Duration = Duration::from_millis(150);

/// Something that can be asked for many at once.
pub trait Question: Send + Sync + 'static {
    /// What one asks.
    type Ask: Clone + Send + 'static;
    /// What one is answered.
    type Answer: Send + 'static;

    /// The answers, in the order of what was asked.
    fn put(&self, asks: Vec<Self::Ask>) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;

    /// How much of a batch one takes; an ordinary one 1.
    fn weight(_ask: &Self::Ask) -> usize {
        1
    }
}

/// See the module.
pub struct Together<Q: Question>(Arc<Inner<Q>>);

struct Inner<Q: Question> {
    question: Q,
    /// The most that is asked at once, by weight.
    most: usize,
    /// How many batches are under way at once at most.
    at_once: usize,
    state: Mutex<State<Q>>,
}

struct State<Q: Question> {
    waiting: VecDeque<Waiting<Q>>,
    running: usize,
    /// How much is asked at once now, by weight: from 1 to the most.
    now: usize,
}

struct Waiting<Q: Question> {
    ask: Q::Ask,
    answer: oneshot::Sender<Result<Q::Answer, WireError>>,
}

impl<Q: Question> Together<Q> {
    /// Asks for at most so much at once, by weight, in so many batches at the same time.
    pub fn new(question: Q, most: usize, at_once: usize) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), running: 0, now: (most / 8).max(1) });
        Self(Arc::new(Inner { question, most, at_once: at_once.max(1), state }))
    }

    /// Asks, together with whoever else does.
    ///
    /// # Errors
    /// What the statement met, for all who were in it.
    pub async fn ask(&self, ask: Q::Ask) -> Result<Q::Answer, WireError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.0.state.lock();
            if state.waiting.len() >= QUEUE {
                return Err(busy("too many ask the same at once: nothing was changed, try again").into());
            }
            state.waiting.push_back(Waiting { ask, answer });
            if state.running < self.0.at_once {
                state.running += 1;
                tokio::spawn(self.0.clone().run());
            }
        }
        answered.await.unwrap_or_else(|_| Err(fault()))
    }
}

/// A panic: a bug of ours, logged by the panic hook.
fn fault() -> WireError {
    WireError::new(ErrorCode::Internal, "a fault of the server")
}

impl<Q: Question> Inner<Q> {
    async fn run(self: Arc<Self>) {
        while let Some(batch) = self.take() {
            self.clone().answer(batch).await;
        }
    }

    /// Those who are next; without any, the end of this run.
    fn take(&self) -> Option<Vec<Waiting<Q>>> {
        let mut state = self.state.lock();
        let (mut batch, mut weight, most) = (Vec::new(), 0, state.now);
        while let Some(next) = state
            .waiting
            .pop_front_if(|it| batch.is_empty() || it.answer.is_closed() || weight + Q::weight(&it.ask) <= most)
        {
            if !next.answer.is_closed() {
                weight += Q::weight(&next.ask);
                batch.push(next);
            }
        }
        if batch.is_empty() {
            state.running -= 1;
            return None;
        }
        Some(batch)
    }

    async fn answer(self: Arc<Self>, batch: Vec<Waiting<Q>>) {
        let asks: Vec<Q::Ask> = batch.iter().map(|it| it.ask.clone()).collect();
        let asked = Instant::now();
        let outcome = self.clone().put(asks).await;
        self.learn(asked.elapsed(), matches!(outcome, Some(Err(StoreError::Unavailable(_)))));
        match outcome {
            Some(Ok(answers)) => {
                for (it, answer) in batch.into_iter().zip(answers) {
                    let _ = it.answer.send(Ok(answer));
                }
            }
            // What is wrong with one shall not be everybody's: each alone.
            None | Some(Err(StoreError::Fault(_))) if batch.len() > 1 => {
                for it in batch {
                    let answers = self.clone().put(vec![it.ask]).await.unwrap_or_else(|| Err(fault().into()));
                    let first = answers.map(|answers| answers.into_iter().next());
                    let answer = first.map_err(WireError::from).and_then(|it| it.ok_or_else(fault));
                    let _ = it.answer.send(answer);
                }
            }
            None => {}
            Some(Err(error)) => {
                let error = WireError::from(error);
                for it in batch {
                    let _ = it.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// How much to ask at once from now on.
    fn learn(&self, took: Duration, lost: bool) {
        let mut state = self.state.lock();
        if lost {
            state.now = 1;
        } else if took > SLOW {
            state.now = (state.now / 2).max(1);
        } else if took < QUICK {
            state.now = (2 * state.now).min(self.most);
        }
    }

    /// In a task of its own, whose panic ends nothing but this: none, then.
    async fn put(self: Arc<Self>, asks: Vec<Q::Ask>) -> Option<Result<Vec<Q::Answer>>> {
        tokio::spawn(async move { self.question.put(asks).await }).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use futures_util::{FutureExt, future::join_all};
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers with twice the number, once it is let; 13 is more than it can bear.
    #[derive(Clone)]
    struct Double(Arc<Semaphore>, Arc<Mutex<Vec<Vec<usize>>>>, Arc<AtomicUsize>);

    impl Double {
        fn new() -> Self {
            Self(Arc::new(Semaphore::new(0)), Arc::default(), Arc::default())
        }
    }

    impl Question for Double {
        type Ask = usize;
        type Answer = usize;

        async fn put(&self, asks: Vec<usize>) -> Result<Vec<usize>> {
            self.2.fetch_add(1, Ordering::Relaxed);
            self.1.lock().push(asks.clone());
            self.0.acquire().await.expect("open").forget();
            assert!(!asks.contains(&13), "a fault that a test wants");
            Ok(asks.into_iter().map(|it| 2 * it).collect())
        }

        fn weight(ask: &usize) -> usize {
            *ask
        }
    }

    async fn until(mut it: impl FnMut() -> bool) {
        while !it() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn those_who_wait_are_asked_for_together_and_whoever_gave_up_is_not() {
        let double = Double::new();
        let together = Together::new(double.clone(), 10, 1);
        together.0.state.lock().now = 10;
        let mut first = Box::pin(together.ask(1));
        assert!((&mut first).now_or_never().is_none());
        until(|| double.2.load(Ordering::Relaxed) == 1).await;
        let mut waiting: Vec<_> = [2, 3, 4, 5, 99].map(|it| Box::pin(together.ask(it))).into();
        assert!(waiting.iter_mut().all(|it| it.now_or_never().is_none()), "they wait");
        // The one who asks for 4 goes.
        drop(waiting.remove(2));
        double.0.add_permits(9);
        assert_eq!(first.await, Ok(2));
        assert_eq!(join_all(waiting).await, [4, 6, 10, 198].map(Ok));
        assert_eq!(*double.1.lock(), [vec![1], vec![2, 3, 5], vec![99]]);
    }

    #[tokio::test]
    async fn what_is_slow_or_gets_no_answer_is_asked_of_fewer_at_once() {
        let together = Together::new(Double::new(), 64, 1);
        let now = |took, lost| {
            together.0.learn(took, lost);
            together.0.state.lock().now
        };
        assert_eq!([0, 0, 0, 0].map(|_| now(Duration::ZERO, false)), [16, 32, 64, 64]);
        assert_eq!([now(SLOW * 2, false), now(SLOW, false), now(QUICK, false)], [32, 32, 32]);
        assert_eq!([now(Duration::ZERO, true), now(SLOW * 2, false), now(Duration::ZERO, false)], [1, 1, 2]);
    }

    #[tokio::test]
    async fn a_fault_of_one_is_not_everybodys() {
        let double = Double::new();
        let together = Together::new(double.clone(), 1000, 1);
        double.0.add_permits(99);
        let answers = join_all([1, 13, 2].map(|it| together.ask(it))).await;
        assert_eq!((&answers[0], &answers[2]), (&Ok(2), &Ok(4)));
        assert_eq!(answers[1].as_ref().expect_err("a fault").code, ErrorCode::Internal);
        assert_eq!(together.ask(4).await, Ok(8), "it goes on");
    }
}

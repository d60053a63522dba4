//! The way of scripts to Redis: those that are asked for while others are under way go together in one write.
//!
//! A write and a wake-up for each would cost more than the scripts themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisError, Script, Value, aio::MultiplexedConnection, from_redis_value,
};
use tokio::sync::{mpsc, oneshot};

use super::shared::Away;
use crate::bus::{Endpoint, slot_of};

/// Scripts that may wait; more wait with whoever asks.
const QUEUE: usize = 4096;
/// Scripts in one write.
const BATCH: usize = 128;
/// A Redis that could not be reached is not tried again for this long: meanwhile every ask is answered at once.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// What a script answers: a list of strings.
pub(super) type Reply = Result<Vec<Vec<u8>>, Away>;

/// A script to be run.
struct Waiting {
    script: &'static Script,
    command: Cmd,
    answer: oneshot::Sender<Reply>,
}

/// See the module. Dropping it ends what it runs, after the scripts that wait.
pub(super) struct Pipe {
    way: mpsc::Sender<Waiting>,
}

impl Pipe {
    /// Runs scripts one batch after the other; `links` counts the connections made. `tag` is the hash tag of all keys.
    pub(super) fn start(endpoint: Arc<Endpoint>, tag: &'static str, links: Arc<AtomicU64>) -> Self {
        let (way, queue) = mpsc::channel(QUEUE);
        let driver = Driver { endpoint, tag, links, link: None, failed_at: None };
        tokio::spawn(driver.run(queue));
        Self { way }
    }

    /// Runs a script. `command` is its EVALSHA.
    pub(super) async fn run(&self, script: &'static Script, command: Cmd) -> Reply {
        let gone = || Away("the way to Redis is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        self.way.send(Waiting { script, command, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

struct Driver {
    endpoint: Arc<Endpoint>,
    tag: &'static str,
    links: Arc<AtomicU64>,
    link: Option<MultiplexedConnection>,
    failed_at: Option<Instant>,
}

impl Driver {
    async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            // Whoever is about to ask may do so first.
            tokio::task::yield_now().await;
            while batch.len() < BATCH
                && let Ok(more) = queue.try_recv()
            {
                batch.push(more);
            }
            self.send(std::mem::take(&mut batch)).await;
        }
    }

    /// Whatever goes wrong, the next batch looks anew where Redis is.
    async fn send(&mut self, batch: Vec<Waiting>) {
        let mut link = match self.link().await {
            Ok(link) => link,
            Err(away) => return fail(batch, &away),
        };
        let mut pipeline = Pipeline::with_capacity(batch.len());
        let waiting: Vec<_> = batch
            .into_iter()
            .map(|Waiting { script, command, answer }| {
                pipeline.add_command(command);
                (script, answer)
            })
            .collect();
        let replies = link.send_packed_commands(&pipeline, 0, waiting.len()).await;
        let mut commands = pipeline.cmd_iter();
        match replies {
            Ok(replies) => {
                let mut broken = false;
                for ((script, answer), value) in waiting.into_iter().zip(replies) {
                    let command = commands.next();
                    let reply = match (value, command) {
                        (Value::ServerError(error), Some(command)) if is_unknown_script(&error) => {
                            again(&mut link, script, command).await
                        }
                        (value, _) => read(value),
                    };
                    broken |= reply.is_err();
                    let _ = answer.send(reply);
                }
                if broken {
                    self.link = None;
                }
            }
            Err(error) => {
                self.link = None;
                let away = Away(error.to_string());
                for (_, answer) in waiting {
                    let _ = answer.send(Err(away.clone()));
                }
            }
        }
    }

    async fn link(&mut self) -> Result<MultiplexedConnection, Away> {
        if let Some(link) = &self.link {
            return Ok(link.clone());
        }
        if self.failed_at.is_some_and(|at| at.elapsed() < TRY_AGAIN) {
            return Err(Away("not connected".to_owned()));
        }
        match self.connect().await {
            Ok(link) => {
                self.failed_at = None;
                self.links.fetch_add(1, Ordering::Relaxed);
                self.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                self.failed_at = Some(Instant::now());
                Err(Away(error.to_string()))
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let layout = self.endpoint.discover(&[]).await?;
        let nobody = || RedisError::from((redis::ErrorKind::Io, "no master holds the calls"));
        let master = layout.master_of(slot_of(self.tag)).ok_or_else(nobody)?.clone();
        self.endpoint.connect(master, AsyncConnectionConfig::new()).await
    }
}

fn fail(batch: Vec<Waiting>, away: &Away) {
    for waiting in batch {
        let _ = waiting.answer.send(Err(away.clone()));
    }
}

fn is_unknown_script(error: &redis::ServerError) -> bool {
    error.kind() == Some(redis::ServerErrorKind::NoScript)
}

/// Redis has not seen the script yet, or has forgotten it. Nothing was done.
async fn again(link: &mut MultiplexedConnection, script: &Script, command: &Cmd) -> Reply {
    let outcome = async {
        script.load_async(link).await?;
        link.send_packed_command(command).await
    };
    match outcome.await {
        Ok(value) => read(value),
        Err(error) => Err(Away(error.to_string())),
    }
}

fn read(value: Value) -> Reply {
    let reply: Result<Vec<Vec<u8>>, RedisError> = value.extract_error().and_then(|it| Ok(from_redis_value(it)?));
    match reply {
        Ok(reply) if !reply.is_empty() => Ok(reply),
        Ok(_) => Err(Away("an empty reply".to_owned())),
        Err(error) => Err(Away(error.to_string())),
    }
}

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
    AsyncConnectionConfig, Cmd, Pipeline, RedisError, Script, ToRedisArgs, Value, aio::MultiplexedConnection,
    from_redis_value,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

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

/// What is to be run.
enum Waiting {
    /// A script by itself.
    Alone { script: &'static Script, command: Cmd, answer: oneshot::Sender<Reply> },
    /// Part of a script that takes any number of such parts.
    Together(Part),
}

struct Part {
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
    answer: oneshot::Sender<Result<Pair, Away>>,
}

/// What a script answers for each part.
type Pair = [Vec<u8>; 2];

/// Who waits for a command of a batch.
enum Asker {
    Alone(oneshot::Sender<Reply>),
    Together(Vec<oneshot::Sender<Result<Pair, Away>>>),
}

/// See the module. Dropping it ends what it runs, after the scripts that wait.
pub(super) struct Pipe {
    way: mpsc::Sender<Waiting>,
}

impl Pipe {
    /// Runs scripts one batch after the other; `links` counts the connections made. `tag` is the hash tag of all keys.
    /// With it comes the task, for whoever watches that it runs.
    pub(super) fn start(endpoint: Arc<Endpoint>, tag: &'static str, links: Arc<AtomicU64>) -> (Self, JoinHandle<()>) {
        let (way, queue) = mpsc::channel(QUEUE);
        let driver = Driver { endpoint, tag, links, link: None, failed_at: None };
        (Self { way }, tokio::spawn(driver.run(queue)))
    }

    /// Runs a script. `command` is its EVALSHA.
    pub(super) async fn run(&self, script: &'static Script, command: Cmd) -> Reply {
        let (answer, answered) = oneshot::channel();
        self.way.send(Waiting::Alone { script, command, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Runs a script together with others that wait for the same one: it takes each one's keys and arguments after those of
    /// the one before, and answers two strings for each.
    pub(super) async fn run_together(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Pair, Away> {
        let (answer, answered) = oneshot::channel();
        let part = Part { script, keys, arguments, answer };
        self.way.send(Waiting::Together(part)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
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
        let mut waiting: Vec<(&'static Script, Asker)> = Vec::with_capacity(batch.len());
        let mut parts: Vec<Part> = Vec::with_capacity(batch.len());
        for thing in batch {
            match thing {
                Waiting::Alone { script, command, answer } => {
                    pipeline.add_command(command);
                    waiting.push((script, Asker::Alone(answer)));
                }
                Waiting::Together(part) => parts.push(part),
            }
        }
        while let Some(script) = parts.first().map(|part| part.script) {
            let same = parts.extract_if(.., |part| std::ptr::eq(part.script, script)).collect();
            let (command, answers) = together(script, same);
            pipeline.add_command(command);
            waiting.push((script, Asker::Together(answers)));
        }
        match link.send_packed_commands(&pipeline, 0, waiting.len()).await {
            Ok(replies) => {
                let mut broken = false;
                for (((script, asker), value), command) in waiting.into_iter().zip(replies).zip(pipeline.cmd_iter()) {
                    let reply = match value {
                        Value::ServerError(error) if is_unknown_script(&error) => {
                            again(&mut link, script, command).await
                        }
                        value => read(value),
                    };
                    broken |= reply.is_err();
                    asker.tell(reply);
                }
                if broken {
                    self.link = None;
                }
            }
            Err(error) => {
                self.link = None;
                let away = Away(error.to_string());
                for (_, asker) in waiting {
                    asker.tell(Err(away.clone()));
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
        let master = layout.master_of(slot_of(self.tag.as_bytes())).ok_or_else(nobody)?.clone();
        self.endpoint.connect(master, AsyncConnectionConfig::new()).await
    }
}

impl Asker {
    fn tell(self, reply: Reply) {
        match self {
            Self::Alone(answer) => drop(answer.send(reply)),
            Self::Together(answers) => {
                let mut strings = reply.map(Vec::into_iter);
                for answer in answers {
                    let pair = match &mut strings {
                        Ok(strings) => match (strings.next(), strings.next()) {
                            (Some(one), Some(other)) => Ok([one, other]),
                            _ => Err(Away("a short reply".to_owned())),
                        },
                        Err(away) => Err(away.clone()),
                    };
                    let _ = answer.send(pair);
                }
            }
        }
    }
}

fn closed() -> Away {
    Away("the way to Redis is closed".to_owned())
}

fn fail(batch: Vec<Waiting>, away: &Away) {
    for waiting in batch {
        match waiting {
            Waiting::Alone { answer, .. } => drop(answer.send(Err(away.clone()))),
            Waiting::Together(part) => drop(part.answer.send(Err(away.clone()))),
        }
    }
}

/// A script with its keys; its arguments follow.
pub(super) fn evalsha(script: &Script, keys: &[impl ToRedisArgs]) -> Cmd {
    let mut command = Cmd::with_capacity(16, 1024);
    command.arg("EVALSHA").arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}

fn together(script: &Script, parts: Vec<Part>) -> (Cmd, Vec<oneshot::Sender<Result<Pair, Away>>>) {
    let size: usize = parts.iter().flat_map(|part| &part.arguments).map(Vec::len).sum();
    let (count, keys) = (parts.len(), parts.iter().map(|part| part.keys.len()).sum::<usize>());
    let mut command = Cmd::with_capacity(3 + 10 * count, 128 * count + size);
    command.arg("EVALSHA").arg(script.get_hash()).arg(keys);
    parts.iter().flat_map(|part| &part.keys).for_each(|key| {
        command.arg(key);
    });
    parts.iter().flat_map(|part| &part.arguments).for_each(|argument| {
        command.arg(argument);
    });
    (command, parts.into_iter().map(|part| part.answer).collect())
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

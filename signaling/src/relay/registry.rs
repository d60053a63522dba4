//! The registry of relays in Redis: a relay says that it is there, where and how full; nodes read who is; who may not
//! relay any longer is told to all.
//!
//! ```text
//!  chapar-relay ── SET {chapar-relays}:r:NAME … PX 5000, every second ──▶ Redis ◀── ZREVRANGE, MGET, every second ── chapar
//!  chapar ───────── XADD {chapar-relays}:revoked … ─────────────────────▶ Redis ◀── XREAD, every half second ─── chapar-relay
//! ```
//!
//! An entry that is not renewed is gone after five seconds; a node that reads every second hands it out for six at most.
//! Revocations are a short log, so that a relay which was cut off from Redis, or began later, finds what it missed;
//! messages of pub/sub would be lost. With Redis away, everybody goes on with what was known last.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use chapar_redis::{Endpoint, slot_of};
use redis::{RedisResult, aio::MultiplexedConnection, streams::StreamReadReply};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, oneshot},
    task::{AbortHandle, JoinHandle},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

pub use chapar_redis::UrlError;

use super::{
    directory::{Entry, MOST_RELAYS},
    ledger::Revoked,
    secrets::Secrets,
    server::Relay,
};
use crate::credentials::{LIFETIME_S, Secret};

/// Every key of the registry, so that a cluster keeps them on one master.
const INDEX: &str = "{chapar-relays}:index";
const REVOKED: &str = "{chapar-relays}:revoked";
const SECRET: &str = "{chapar-relays}:secret";
/// What they share, in braces: it says where a cluster keeps them.
const TAG: &str = "chapar-relays";

/// How often the registry is looked at; an entry is renewed at every second look.
const LOOK: Duration = Duration::from_millis(500);
/// An entry that is not renewed for so long is gone.
const LIFE_MS: u64 = 5_000;
/// Names that have not been renewed for so long are forgotten, in seconds.
const FORGET_S: u64 = 3_600;
/// A Redis that has forgotten everything is given so long until the relays have registered again.
const REGISTER_AGAIN: Duration = Duration::from_secs(3);
/// Revocations in the log. Those that are older than the credentials they refuse do not matter.
const MOST_REVOKED: usize = 100_000;
/// Revocations that wait while Redis is away; the oldest are dropped, and their credentials expire by themselves.
const MOST_PENDING: usize = 50_000;
const PAGE: usize = 1_000;

/// Revocations hold as long as credentials that were made before them could be good, and a minute for clocks, in seconds.
pub const REVOKED_FOR_S: u64 = LIFETIME_S as u64 + 60;

/// How a process takes part.
#[derive(Default)]
pub struct Part {
    /// The own relay, to be registered and to hear of revocations.
    pub relay: Option<Arc<Relay>>,
    /// Says how the own relay stands now.
    pub entry: Option<Box<dyn Fn() -> Entry + Send + Sync>>,
    /// The secret is to be the same everywhere: the first to come brings it. Not where the operator has set one.
    pub share_secret: Option<Arc<Secrets>>,
    /// Whether the other relays are of interest.
    pub reads: bool,
}

/// A process's part in the registry. Dropping it ends it, and the own entry runs out.
pub struct Registry {
    shared: Arc<Shared>,
    task: AbortHandle,
    handle: Option<JoinHandle<()>>,
}

struct Shared {
    part: Part,
    instance: u64,
    entries: RwLock<Vec<Entry>>,
    pending: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    revoked: VecDeque<(Revoked, u64)>,
    /// Whoever waits for the next renewal.
    renewed: Vec<oneshot::Sender<()>>,
    leave: bool,
}

/// What stands in Redis.
#[derive(Serialize, Deserialize)]
struct Record {
    instance: u64,
    #[serde(flatten)]
    entry: Entry,
}

/// What one connection knows.
struct Session {
    redis: MultiplexedConnection,
    /// The last revocation that was read.
    last: String,
    began: Instant,
}

impl Registry {
    /// Begins in the background, and goes on trying while Redis is away. Needs a tokio runtime.
    ///
    /// # Errors
    /// Only for a URL that cannot be read.
    pub fn start(url: &str, part: Part) -> Result<Self, UrlError> {
        let place = Endpoint::parse(url)?;
        let instance = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
        let shared = Arc::new(Shared {
            part,
            instance,
            entries: RwLock::default(),
            pending: Mutex::default(),
            wake: Notify::new(),
        });
        let handle = tokio::spawn(run(Arc::clone(&shared), place));
        Ok(Self { shared, task: handle.abort_handle(), handle: Some(handle) })
    }

    /// What runs it, for whoever watches that it does. Given out once.
    pub fn take_task(&mut self) -> Option<JoinHandle<()>> {
        self.handle.take()
    }

    /// The relays that are there now, without the own one. Empty when they were not to be read.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells every relay until when (Unix seconds) whom to refuse, now or when Redis is back. Not the own one.
    pub fn revoke(&self, whom: impl IntoIterator<Item = (Revoked, u64)>) {
        let mut waiting = self.shared.waiting();
        waiting.revoked.extend(whom);
        let too_many = waiting.revoked.len().saturating_sub(MOST_PENDING);
        waiting.revoked.drain(..too_many);
        drop(waiting);
        self.shared.wake.notify_one();
    }

    /// Renews the own entry at once: it has changed. Waits at most two seconds for Redis.
    pub async fn renew(&self) {
        let (done, renewed) = oneshot::channel();
        self.shared.waiting().renewed.push(done);
        self.shared.wake.notify_one();
        let _ = timeout(Duration::from_secs(2), renewed).await;
    }

    /// Takes the own entry out. Waits at most two seconds for Redis.
    pub async fn leave(self) {
        self.shared.waiting().leave = true;
        self.renew().await;
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(shared: Arc<Shared>, place: Endpoint) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut session, mut away, mut tick, mut last) = (None, false, 0_u32, "0".to_owned());
    loop {
        let woken = tokio::select! {
            _ = ticks.tick() => false,
            () = shared.wake.notified() => true,
        };
        tick = tick.wrapping_add(1);
        let worked = match &mut session {
            Some(known) => shared.work(known, woken || tick % 2 == 0).await,
            None => match shared.begin(&place, &last).await {
                Ok(begun) => {
                    let known = session.insert(begun);
                    shared.work(known, true).await
                }
                Err(error) => Err(error),
            },
        };
        match worked {
            Ok(()) if away => {
                away = false;
                tracing::info!("the registry of relays is back");
            }
            Ok(()) => {}
            Err(error) => {
                if let Some(known) = session.take() {
                    last = known.last;
                }
                if !away {
                    tracing::warn!(%error, "the registry of relays is away: what was known last is used");
                }
                away = true;
            }
        }
    }
}

impl Shared {
    async fn begin(&self, place: &Endpoint, last: &str) -> RedisResult<Session> {
        let mut redis = place.connect_to(slot_of(TAG.as_bytes())).await?;
        if let Some(secrets) = &self.part.share_secret {
            agree(&mut redis, secrets).await?;
        }
        Ok(Session { redis, last: last.to_owned(), began: Instant::now() })
    }

    async fn work(&self, session: &mut Session, renew: bool) -> RedisResult<()> {
        self.tell(&mut session.redis).await?;
        if renew {
            let waiting = std::mem::take(&mut self.waiting().renewed);
            let renewed = self.renew(&mut session.redis).await;
            if renewed.is_err() {
                self.waiting().renewed.extend(waiting);
                return renewed;
            }
            for done in waiting {
                let _ = done.send(());
            }
            if self.part.reads {
                let mut entries = self.read(&mut session.redis).await?;
                let mut known = self.entries.write().unwrap_or_else(PoisonError::into_inner);
                if session.began.elapsed() < REGISTER_AGAIN {
                    let gone = |it: &&Entry| entries.iter().all(|there| there.name != it.name);
                    let missing: Vec<Entry> = known.iter().filter(gone).cloned().collect();
                    entries.extend(missing);
                }
                *known = entries;
            }
        }
        self.hear(session).await
    }

    /// Puts the own revocations into the log.
    async fn tell(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        loop {
            let batch: Vec<(Revoked, u64)> = {
                let mut waiting = self.waiting();
                let count = waiting.revoked.len().min(PAGE);
                waiting.revoked.drain(..count).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            let mut add = redis::pipe();
            for (whom, until) in &batch {
                let (kind, id) = match whom {
                    Revoked::User(id) => ("user", id),
                    Revoked::Call(id) => ("call", id),
                };
                add.cmd("XADD").arg(REVOKED).arg("MAXLEN").arg("~").arg(MOST_REVOKED).arg("*");
                add.arg("kind").arg(kind).arg("id").arg(id).arg("until").arg(until).ignore();
            }
            if let Err(error) = add.query_async::<()>(redis).await {
                // Told twice does no harm.
                let mut waiting = self.waiting();
                for revoked in batch.into_iter().rev() {
                    waiting.revoked.push_front(revoked);
                }
                return Err(error);
            }
        }
    }

    /// Renews the own entry, or takes it out.
    async fn renew(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        let Some(entry) = &self.part.entry else { return Ok(()) };
        let entry = entry();
        let (key, name, draining) = (key_of(&entry.name), entry.name.clone(), entry.draining);
        let there: Option<String> = redis::cmd("GET").arg(&key).query_async(redis).await?;
        let there: Option<Record> = there.and_then(|text| serde_json::from_str(&text).ok());
        if there.is_some_and(|record| record.instance != self.instance) {
            if draining {
                // Its successor has its name already.
                return Ok(());
            }
            tracing::warn!(name, "another relay is registered under the same name: give each its own");
        }
        let mut both = redis::pipe();
        if self.waiting().leave {
            both.cmd("DEL").arg(&key).ignore().cmd("ZREM").arg(INDEX).arg(&name).ignore();
            return both.query_async(redis).await;
        }
        let record = serde_json::to_string(&Record { instance: self.instance, entry }).unwrap_or_default();
        let now = unix();
        both.cmd("SET").arg(&key).arg(record).arg("PX").arg(LIFE_MS).ignore();
        both.cmd("ZADD").arg(INDEX).arg(now).arg(&name).ignore();
        both.cmd("ZREMRANGEBYSCORE").arg(INDEX).arg("-inf").arg(now.saturating_sub(FORGET_S)).ignore();
        both.query_async(redis).await
    }

    /// Who is there.
    async fn read(&self, redis: &mut MultiplexedConnection) -> RedisResult<Vec<Entry>> {
        // More names than relays may be known: some have gone within the hour. The latest first.
        let mut range = redis::cmd("ZREVRANGE");
        range.arg(INDEX).arg(0).arg(4 * MOST_RELAYS);
        let names: Vec<String> = range.query_async(redis).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = names.iter().map(|name| key_of(name)).collect();
        let records: Vec<Option<String>> = redis::cmd("MGET").arg(keys).query_async(redis).await?;
        let records = records.into_iter().flatten().filter_map(|text| serde_json::from_str::<Record>(&text).ok());
        let others = records.filter(|it| it.instance != self.instance && it.entry.is_sound());
        let mut entries: Vec<Entry> = others.map(|it| it.entry).take(MOST_RELAYS).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Who may not relay any longer.
    async fn hear(&self, session: &mut Session) -> RedisResult<()> {
        let Some(relay) = &self.part.relay else { return Ok(()) };
        loop {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(PAGE).arg("STREAMS").arg(REVOKED).arg(&session.last);
            let page: Option<StreamReadReply> = read.query_async(&mut session.redis).await?;
            let page: Vec<_> = page.into_iter().flat_map(|page| page.keys).flat_map(|key| key.ids).collect();
            let whole = page.len() == PAGE;
            let mut revoked = Vec::new();
            for entry in page {
                let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
                let until = text("until").parse().unwrap_or(0);
                session.last.clone_from(&entry.id);
                // What has run out concerns nobody any more: who has an allocation now got it after that.
                if until <= unix() {
                    continue;
                }
                match text("kind").as_str() {
                    "user" => revoked.push((Revoked::User(text("id")), until)),
                    "call" => revoked.push((Revoked::Call(text("id")), until)),
                    _ => {}
                }
            }
            if !revoked.is_empty() {
                relay.revoke(revoked).await;
            }
            if !whole {
                return Ok(());
            }
        }
    }
}

/// All use the secret that the first has brought. Credentials that were made with the own one before stay good.
async fn agree(redis: &mut MultiplexedConnection, secrets: &Secrets) -> RedisResult<()> {
    let own = secrets.current();
    let own = own.text();
    redis::cmd("SET").arg(SECRET).arg(&own).arg("NX").query_async::<Option<String>>(redis).await?;
    let agreed: Option<String> = redis::cmd("GET").arg(SECRET).query_async(redis).await?;
    if let Some(agreed) = agreed.filter(|agreed| *agreed != own)
        && let Some(secret) = Secret::new(agreed, Some(own.into_bytes()))
    {
        secrets.replace(secret);
    }
    Ok(())
}

fn unix() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn key_of(name: &str) -> String {
    format!("{{chapar-relays}}:r:{name}")
}

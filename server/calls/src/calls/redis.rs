//! The calls of many nodes, in Redis. Every change is one Lua script; all keys share a hash tag, so that a script is
//! atomic in a cluster too.
//!
//! ```text
//! chapar:{call}:c:<id>    hash: r revision, v the call as JSON
//! chapar:{call}:due       sorted set: id by the moment of its next timer, ms
//! chapar:{call}:u:<user>  set: the ids of a person's calls that live
//! ```

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

use chapar_protocol::{UserId, call::CallId};
use chapar_signaling::call::Call;
use redis::{Cmd, Script};
use tokio::task::JoinHandle;

use super::{
    pipe::{Pipe, Reply, evalsha},
    shared::{Away, Created, Due, KEEP_ENDED_MS, Newer, Swapped},
};
use crate::bus::{Endpoint, UrlError};

const PREFIX: &str = "chapar:{call}:";
const TAG: &str = "call";
/// How long a call that lives is kept without a change, in milliseconds. Its own timers change it every 90 s; this is
/// for what a whole cluster forgot.
const KEEP_LIVE_MS: i64 = 86_400_000;

/// See the module.
pub struct RedisCalls {
    links: Arc<AtomicU64>,
    pipe: Pipe,
}

/// Puts a call: key, revision, value, time to live, deadline (or nothing), whether to add it to (+) or take it from (-)
/// the two sets of its people, id.
const PUT: &str = "
local P = 'chapar:{call}:'
local function put(key, rev, value, ttl, due, index, id, one, other)
    redis.call('HSET', key, 'r', rev, 'v', value)
    redis.call('PEXPIRE', key, ttl)
    if due == '' then redis.call('ZREM', P..'due', id) else redis.call('ZADD', P..'due', due, id) end
    for _, user in ipairs({one, other}) do
        if index == '+' then
            redis.call('SADD', user, id)
            redis.call('PEXPIRE', user, ttl)
        elseif index == '-' then
            redis.call('SREM', user, id)
        end
    end
end
";

fn script(body: &str) -> Script {
    Script::new(&format!("{PUT}{body}"))
}

/// Of any number of calls, each by itself: for each the three keys, the revision that it must have, and what `put` takes.
/// Answers two strings for each.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local told = {}
        for i = 0, #KEYS / 3 - 1 do
            local k, a = 3 * i, 7 * i
            local r = redis.call('HGET', KEYS[k + 1], 'r')
            if not r then
                told[2 * i + 1], told[2 * i + 2] = 'gone', ''
            elseif r ~= ARGV[a + 1] then
                told[2 * i + 1], told[2 * i + 2] = 'behind', redis.call('HGET', KEYS[k + 1], 'v')
            else
                put(KEYS[k + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6], ARGV[a + 7],
                    KEYS[k + 2], KEYS[k + 3])
                told[2 * i + 1], told[2 * i + 2] = 'stored', ''
            end
        end
        return told",
    )
});

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists', redis.call('HGET', KEYS[1], 'v')} end
        local count = tonumber(ARGV[13])
        local seen, same, n, there = {}, true, 0, {'meets'}
        for i = 1, count do seen[ARGV[12 + 2 * i]] = ARGV[13 + 2 * i] end
        for _, id in ipairs(redis.call('SUNION', KEYS[2], KEYS[3])) do
            local c = redis.call('HMGET', P..'c:'..id, 'r', 'v')
            if c[1] then
                n = n + 1
                there[n + 1] = c[2]
                if seen[id] ~= c[1] then same = false end
            else
                redis.call('SREM', KEYS[2], id)
                redis.call('SREM', KEYS[3], id)
            end
        end
        if n ~= count or not same then return there end
        put(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], KEYS[2], KEYS[3])
        if KEYS[4] then
            put(KEYS[4], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], KEYS[2], KEYS[3])
        end
        return {'stored'}",
    )
});

static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local r = redis.call('HGET', KEYS[1], 'r')
        if r and tonumber(r) >= tonumber(ARGV[1]) then return {'newer'} end
        put(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], KEYS[2], KEYS[3])
        return {'stored'}",
    )
});

static NEWER: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local c = redis.call('HMGET', KEYS[1], 'r', 'v')
        if not c[1] then return {'gone'} end
        if c[1] == ARGV[1] then return {'same'} end
        return {'behind', c[2]}",
    )
});

static LIVE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local there = {'live'}
        for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            local v = redis.call('HGET', P..'c:'..id, 'v')
            if v then there[#there + 1] = v else redis.call('SREM', KEYS[1], id) end
        end
        return there",
    )
});

static DUE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local time = redis.call('TIME')
        local ms = time[1] * 1000 + math.floor(time[2] / 1000)
        local there = {'', string.format('%.0f', ms)}
        local now, lease = string.format('%.0f', ms + ARGV[1]), string.format('%.0f', ms + ARGV[1] + ARGV[2])
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
            local v = redis.call('HGET', P..'c:'..id, 'v')
            if v then
                redis.call('ZADD', KEYS[1], lease, id)
                there[#there + 1] = v
            else
                redis.call('ZREM', KEYS[1], id)
            end
        end
        there[1] = tostring(redis.call('ZCARD', KEYS[1]))
        return there",
    )
});

impl RedisCalls {
    /// Knows where Redis is; connects when it is first needed. Needs a tokio runtime: the task carries the scripts.
    ///
    /// # Errors
    /// For a URL that cannot be read.
    pub fn start(url: &str) -> Result<(Self, JoinHandle<()>), UrlError> {
        let links = Arc::<AtomicU64>::default();
        let (pipe, task) = Pipe::start(Arc::new(Endpoint::parse(url)?), TAG, links.clone());
        Ok((Self { links, pipe }, task))
    }

    /// How many connections were made so far. A new one means that Redis may have lost everything.
    pub(super) fn links(&self) -> u64 {
        self.links.load(Ordering::Relaxed)
    }

    pub(super) async fn load(&self, id: CallId) -> Result<Option<Arc<Call>>, Away> {
        let reply = self.run(&NEWER, evalsha(&NEWER, &[call_key(id)]).arg("")).await?;
        reply.get(1).map(|value| read(value)).transpose()
    }

    pub(super) async fn newer(&self, id: CallId, revision: u64) -> Result<Newer, Away> {
        let reply = self.run(&NEWER, evalsha(&NEWER, &[call_key(id)]).arg(revision)).await?;
        match (word(&reply), reply.get(1)) {
            ("same", _) => Ok(Newer::Same),
            (_, Some(value)) => Ok(Newer::Call(read(value)?)),
            _ => Ok(Newer::Gone),
        }
    }

    pub(super) async fn live(&self, user: UserId) -> Result<Vec<Arc<Call>>, Away> {
        let reply = self.run(&LIVE, &mut evalsha(&LIVE, &[user_key(user)])).await?;
        reply[1..].iter().map(|value| read(value)).collect()
    }

    pub(super) async fn create(
        &self,
        call: &Arc<Call>,
        seen: &[Arc<Call>],
        also: Option<&Arc<Call>>,
    ) -> Result<Created, Away> {
        let mut keys = keys(call);
        keys.extend(also.map(|also| call_key(also.id())));
        let mut run = evalsha(&CREATE, &keys);
        put_args(&mut run, call, index_of_new(call));
        if let Some(also) = also {
            put_args(&mut run, also, if also.is_live() { "" } else { "-" });
        } else {
            (0..6).for_each(|_| {
                run.arg("");
            });
        }
        run.arg(seen.len());
        for old in seen {
            run.arg(old.id().0.to_string()).arg(old.revision());
        }
        let reply = self.run(&CREATE, &mut run).await?;
        match (word(&reply), reply.get(1)) {
            ("stored", _) => Ok(Created::Stored),
            ("exists", Some(value)) => Ok(Created::Exists(read(value)?)),
            _ => Ok(Created::Meets(reply[1..].iter().map(|value| read(value)).collect::<Result<_, _>>()?)),
        }
    }

    pub(super) async fn swap(&self, call: &Arc<Call>, from: u64) -> Result<Swapped, Away> {
        let mut arguments = vec![from.to_string().into_bytes()];
        // What has ended is taken from its people once; after that only the record was missing.
        let just_ended = !call.is_live() && call.next_timer().is_some();
        arguments.extend(put_arguments(call, if just_ended { "-" } else { "" }));
        let [word, value] = self.pipe.run_together(&SWAP, keys(call), arguments).await?;
        match word.as_slice() {
            b"stored" => Ok(Swapped::Stored),
            b"behind" => Ok(Swapped::Behind(read(&value)?)),
            _ => Ok(Swapped::Gone),
        }
    }

    pub(super) async fn due(&self, moved_ms: i64, lease_ms: i64, most: usize) -> Result<Due, Away> {
        let mut run = evalsha(&DUE, &[format!("{PREFIX}due")]);
        let reply = self.run(&DUE, run.arg(moved_ms).arg(lease_ms).arg(most)).await?;
        let pending = word(&reply).parse().unwrap_or(0);
        let store_ms = reply.get(1).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let calls = reply.iter().skip(2).map(|value| read(value)).collect::<Result<_, _>>()?;
        Ok(Due { calls, pending, store_ms })
    }

    pub(super) async fn restore(&self, call: &Arc<Call>) -> Result<(), Away> {
        let mut run = evalsha(&RESTORE, &keys(call));
        put_args(&mut run, call, if call.is_live() { "+" } else { "-" });
        self.run(&RESTORE, &mut run).await.map(drop)
    }

    async fn run(&self, script: &'static Script, command: &mut Cmd) -> Reply {
        self.pipe.run(script, std::mem::take(command)).await
    }
}

/// A call and its two people.
fn keys(call: &Call) -> Vec<String> {
    let [one, other] = call.people();
    vec![call_key(call.id()), user_key(one), user_key(other)]
}

fn call_key(id: CallId) -> String {
    format!("{PREFIX}c:{id}")
}

fn user_key(user: UserId) -> String {
    format!("{PREFIX}u:{}", user.0)
}

fn index_of_new(call: &Call) -> &'static str {
    if call.is_live() { "+" } else { "" }
}

/// The arguments of `put`, from the revision on.
fn put_arguments(call: &Call, index: &str) -> [Vec<u8>; 6] {
    let value = serde_json::to_vec(call).unwrap_or_default();
    let keep = if call.is_live() { KEEP_LIVE_MS } else { KEEP_ENDED_MS };
    let due = call.next_timer().map_or_else(Vec::new, |at| at.as_millis().to_string().into_bytes());
    let id = call.id().0.to_string().into_bytes();
    [call.revision().to_string().into_bytes(), value, keep.to_string().into_bytes(), due, index.into(), id]
}

fn put_args(run: &mut Cmd, call: &Call, index: &str) {
    for argument in put_arguments(call, index) {
        run.arg(argument);
    }
}

fn word(reply: &[Vec<u8>]) -> &str {
    reply.first().and_then(|word| std::str::from_utf8(word).ok()).unwrap_or("")
}

fn read(value: &[u8]) -> Result<Arc<Call>, Away> {
    let call = serde_json::from_slice(value);
    call.map(Arc::new).map_err(|error| Away(format!("a call cannot be read: is another version running? {error}")))
}

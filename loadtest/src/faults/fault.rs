//! What is done to the parts, and how it is cured.

use std::{
    io::{self, Write},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::rig::{Rig, Signal, WireState};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    RedisFrozen,
    RedisKilled,
    RedisEmptied,
    RedisSilent,
    RedisCut,
    NodeFrozen,
    NodeKilled,
    BackendFrozen,
    DatabaseFrozen,
    DatabaseKilled,
    BackendKilled,
    DatabaseSilent,
    DatabaseCut,
}

use Fault::{
    BackendFrozen, BackendKilled, DatabaseCut, DatabaseFrozen, DatabaseKilled, DatabaseSilent, NodeFrozen, NodeKilled,
    RedisCut, RedisEmptied, RedisFrozen, RedisKilled, RedisSilent,
};

/// The node that is frozen and killed.
pub(super) const VICTIM: usize = 1;

impl Fault {
    pub(super) const ALL: [Self; 13] = [
        RedisFrozen,
        RedisKilled,
        RedisEmptied,
        RedisSilent,
        RedisCut,
        NodeFrozen,
        NodeKilled,
        BackendFrozen,
        DatabaseFrozen,
        DatabaseKilled,
        BackendKilled,
        DatabaseSilent,
        DatabaseCut,
    ];

    /// Those of a quick run, with the seconds for which each lasts.
    pub(super) const QUICK: [(Self, u64); 9] = [
        (RedisFrozen, 6),
        (RedisKilled, 4),
        (RedisEmptied, 2),
        (NodeFrozen, 6),
        (NodeKilled, 4),
        (BackendFrozen, 11),
        (DatabaseFrozen, 5),
        (DatabaseKilled, 4),
        (DatabaseSilent, 5),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            RedisFrozen => "Redis frozen",
            RedisKilled => "Redis killed",
            RedisEmptied => "Redis emptied",
            RedisSilent => "the wire to Redis silent",
            RedisCut => "the wire to Redis cut",
            NodeFrozen => "a node frozen",
            NodeKilled => "a node killed",
            BackendFrozen => "one backend of Postgres frozen",
            DatabaseFrozen => "all of Postgres frozen",
            DatabaseKilled => "Postgres killed",
            BackendKilled => "one backend of Postgres killed",
            DatabaseSilent => "the wire to Postgres silent",
            DatabaseCut => "the wire to Postgres cut",
        }
    }

    /// As it is named on the command line.
    pub(super) fn word(self) -> String {
        format!("{self:?}").chars().enumerate().fold(String::new(), |mut word, (index, letter)| {
            if letter.is_uppercase() && index > 0 {
                word.push('-');
            }
            word.push(letter.to_ascii_lowercase());
            word
        })
    }

    /// What `/readyz` of every node that lives must have said while the fault lasted, by the documentation.
    pub(super) fn expected(self) -> Expected {
        match self {
            RedisFrozen | RedisKilled | RedisSilent | RedisCut => Expected::BusAway,
            DatabaseFrozen | DatabaseKilled | DatabaseSilent | DatabaseCut => Expected::NotReady,
            RedisEmptied | NodeFrozen | NodeKilled | BackendFrozen | BackendKilled => Expected::Anything,
        }
    }
}

/// See [`Fault::expected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Anything,
    BusAway,
    NotReady,
}

/// Does it. For [`Fault::BackendFrozen`] `chat` is the one whose message is being stored by the backend that freezes, and
/// `nudge` makes people write to it.
pub(super) fn inject(fault: Fault, rig: &mut Rig, chat: i64, nudge: impl Fn()) -> io::Result<()> {
    match fault {
        RedisFrozen => redis(rig).signal(Signal::STOP),
        RedisKilled => redis(rig).kill(),
        RedisEmptied => {
            redis(rig).ask("FLUSHALL")?;
        }
        RedisSilent => redis_wire(rig, WireState::Silent),
        RedisCut => redis_wire(rig, WireState::Broken),
        NodeFrozen => rig.nodes[VICTIM].signal(Signal::STOP),
        NodeKilled => rig.nodes[VICTIM].kill(),
        BackendFrozen => {
            freeze_writing_backend(rig, chat, nudge)?;
        }
        DatabaseFrozen => {
            let mut pids = rig.postgres.backends()?;
            // The postmaster too: a new connection must hang as the old ones do.
            pids.extend(rig.postgres.id());
            rig.postgres.freeze(pids);
        }
        DatabaseKilled => rig.postgres.kill(),
        BackendKilled => {
            let pid = rig.postgres.backends()?.first().copied();
            crate::rig::send_signal(
                pid.ok_or_else(|| io::Error::other("no node is connected to Postgres"))?,
                Signal::KILL,
            );
        }
        DatabaseSilent => rig.database_wire.set(WireState::Silent),
        DatabaseCut => rig.database_wire.set(WireState::Broken),
    }
    Ok(())
}

/// Undoes it: afterwards every part works again.
pub(super) fn cure(fault: Fault, rig: &mut Rig) -> io::Result<()> {
    match fault {
        RedisFrozen => redis(rig).signal(Signal::CONT),
        RedisKilled => redis(rig).up()?,
        RedisSilent | RedisCut => redis_wire(rig, WireState::Whole),
        NodeFrozen => rig.nodes[VICTIM].signal(Signal::CONT),
        NodeKilled => rig.nodes[VICTIM].up()?,
        BackendFrozen | DatabaseFrozen => rig.postgres.thaw(),
        DatabaseKilled => rig.postgres.up()?,
        DatabaseSilent | DatabaseCut => rig.database_wire.set(WireState::Whole),
        RedisEmptied | BackendKilled => {}
    }
    Ok(())
}

fn redis(rig: &mut Rig) -> &mut crate::rig::Redis {
    rig.redis.as_mut().expect("a rig for faults has a Redis")
}

fn redis_wire(rig: &Rig, state: WireState) {
    rig.redis_wire.as_ref().expect("a rig for faults has a Redis").set(state);
}

/// Freezes the backend that stores a message right now: somebody else holds the chat's row for a moment, so that the message waits in
/// the middle of its transaction. The chat is the one with the smallest id: the transaction holds no other chat yet.
fn freeze_writing_backend(rig: &mut Rig, chat: i64, nudge: impl Fn()) -> io::Result<()> {
    let mut holder = rig.postgres.psql().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut input = holder.stdin.take().ok_or_else(|| io::Error::other("psql has no input"))?;
    writeln!(input, "BEGIN; SELECT 1 FROM chats WHERE id = {chat} FOR UPDATE;")?;
    input.flush()?;
    thread::sleep(Duration::from_millis(300));
    nudge();
    let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' ORDER BY query LIKE '%FOR NO KEY UPDATE%' DESC LIMIT 1";
    let any = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
               AND application_name <> 'psql' ORDER BY query LIKE '%FOR NO KEY UPDATE%' DESC, state_change DESC LIMIT 1";
    let (started, mut found) = (Instant::now(), None);
    while found.is_none() && started.elapsed() < Duration::from_secs(3) {
        thread::sleep(Duration::from_millis(150));
        found = rig.postgres.sql(waiting)?.trim().parse().ok();
    }
    // A server that does not wait for a locked chat has no such backend: then the last one that stored something.
    let pid = match found {
        Some(pid) => pid,
        None => rig.postgres.sql(any)?.trim().parse().map_err(|_| io::Error::other("no backend was found"))?,
    };
    // Held before the row is let go: it would finish otherwise.
    rig.postgres.freeze(vec![pid]);
    drop(input);
    holder.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_words_of_their_own() {
        assert_eq!(RedisFrozen.word(), "redis-frozen");
        let words: std::collections::BTreeSet<_> = Fault::ALL.iter().map(|it| it.word()).collect();
        assert_eq!(words.len(), Fault::ALL.len());
    }
}

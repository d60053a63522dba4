//! The proof from outside: both sides saw one agreed end, and the call log, the chat and the counters of missed calls say the
//! same, each call exactly once.

use std::collections::HashMap;

use chapar_protocol::{
    Body, ChatId, Item, Seq, ServiceAction, UserId, Version,
    call::EndReason,
    command::{GetCalls, History, UserDifference},
    limit::PAGE,
};
use uuid::Uuid;

use super::pair::{Over, Pair};
use crate::{
    http::{Api, Failure},
    world::World,
};

/// Calls in one page of the log, as the protocol allows.
const LOG_PAGE: u32 = 100;
/// Violations that are told in full.
const TOLD: usize = 50;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Calls that were checked.
    pub calls: u64,
    /// Lines of call logs that were read, two for each call.
    pub entries: u64,
    /// Lines in chats that were read.
    pub notes: u64,
    /// Violations by kind.
    pub by_kind: HashMap<&'static str, u64>,
    /// The first of them.
    pub first: Vec<String>,
}

impl Findings {
    /// Takes what another reader found.
    pub fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.entries += other.entries;
        self.notes += other.notes;
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
        self.first.extend(other.first);
        self.first.truncate(TOLD);
    }

    /// Adds a violation.
    pub fn add(&mut self, kind: &'static str, what: impl FnOnce() -> String) {
        *self.by_kind.entry(kind).or_default() += 1;
        if self.first.len() < TOLD {
            self.first.push(format!("{kind}: {}", what()));
        }
    }
}

/// What both sides of a pair saw while the run went.
pub fn seen(pair: &Pair, findings: &mut Findings) {
    for what in &pair.broken {
        findings.add("broken while it went", || what.clone());
    }
    for over in &pair.over {
        findings.calls += 1;
        if over.ends[0] != over.ends[1] || over.ends[0].is_none() {
            findings.add("the two saw different ends", || format!("{over:?}"));
        } else if over.ends[0].as_deref() != Some(over.expected) {
            findings.add("ended otherwise than it was ended", || format!("{over:?}"));
        }
        if over.notes != [1, 1] {
            findings.add("not exactly one line in the chat as it was told", || format!("{over:?}"));
        }
    }
}

/// What the server keeps of a pair. `chat` is the index of its direct chat in the world.
///
/// # Errors
/// When it cannot be read.
pub fn kept(api: &mut Api, world: &World, chat: usize, pair: &Pair, findings: &mut Findings) -> Result<(), Failure> {
    let over: HashMap<Uuid, &Over> = pair.over.iter().map(|over| (over.call, over)).collect();
    for (side, user) in pair.users().into_iter().enumerate() {
        let token = &world.users[chat * 2 + side].token;
        log(api, token, &over, findings)?;
        let missed = pair.over.iter().filter(|it| it.expected == "cancelled" && it.caller != side).count();
        let own = api.call(token, &UserDifference { from: Version(0) })?;
        let missed_calls = |item: &Item| if let Item::MissedCalls(missed) = item { Some(missed.count) } else { None };
        let counted = own.items.iter().find_map(missed_calls).unwrap_or(0);
        if usize::try_from(counted) != Ok(missed) {
            findings.add("a wrong counter of missed calls", || format!("user {user}: {counted} instead of {missed}"));
        }
    }
    notes(api, world, chat, &over, findings)
}

fn log(api: &mut Api, token: &str, over: &HashMap<Uuid, &Over>, findings: &mut Findings) -> Result<(), Failure> {
    let mut times: HashMap<Uuid, u32> = HashMap::new();
    let mut before = None;
    loop {
        let page = api.call(token, &GetCalls { before, limit: LOG_PAGE })?;
        for entry in &page.calls {
            findings.entries += 1;
            *times.entry(entry.call_id.0).or_default() += 1;
            match over.get(&entry.call_id.0) {
                None => findings.add("a call in the log that nobody made", || format!("{entry:?}")),
                Some(over) if over.ends[0].as_deref() != Some(reason(entry.reason)) => {
                    findings.add("the log names another end", || format!("{entry:?} instead of {over:?}"));
                }
                Some(_) => {}
            }
        }
        before = page.calls.last().map(|entry| entry.call_id);
        if !page.more || before.is_none() {
            break;
        }
    }
    for call in over.keys().filter(|call| times.get(call) != Some(&1)) {
        findings.add("not exactly once in the log", || format!("{call}: {:?} times", times.get(call)));
    }
    Ok(())
}

fn notes(
    api: &mut Api,
    world: &World,
    chat: usize,
    over: &HashMap<Uuid, &Over>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let token = &world.users[chat * 2].token;
    let chat_id = ChatId(world.logs[chat].id);
    let mut times: HashMap<Uuid, u32> = HashMap::new();
    let mut from = 1;
    loop {
        let after = u32::try_from(PAGE).unwrap_or(200);
        let page = api.call(token, &History { chat_id, seq: Seq(from), before: 0, after })?;
        for message in &page.messages {
            if let Body::Service { action: ServiceAction::Call { note } } = &message.body {
                findings.notes += 1;
                *times.entry(note.call_id.0).or_default() += 1;
                if over.get(&note.call_id.0).is_none_or(|over| over.ends[0].as_deref() != Some(reason(note.reason))) {
                    findings.add("a line in the chat that nobody's call left", || format!("{note:?}"));
                }
                if message.sender != note.caller || message.sender == UserId(0) {
                    findings.add("a line in the chat of the wrong sender", || format!("{note:?}"));
                }
            }
        }
        match page.messages.last() {
            Some(last) if last.seq < page.last_seq => from = last.seq.0 + 1,
            _ => break,
        }
    }
    for call in over.keys().filter(|call| times.get(call) != Some(&1)) {
        findings.add("not exactly one line in the chat", || format!("{call}: {:?}", times.get(call)));
    }
    Ok(())
}

/// The name of a reason on the wire.
fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::HungUp => "hung_up",
        EndReason::Declined => "declined",
        EndReason::Busy => "busy",
        EndReason::Cancelled => "cancelled",
        EndReason::Missed => "missed",
        EndReason::Unreachable => "unreachable",
        EndReason::Glare { .. } => "glare",
        EndReason::NotConnected => "not_connected",
        EndReason::Dropped => "dropped",
        EndReason::Vanished => "vanished",
        EndReason::SignedOut => "signed_out",
        EndReason::NodeStopped => "node_stopped",
        EndReason::NodeLost => "node_lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_lie_is_found() {
        let over = |ends: [Option<&str>; 2], notes| Over {
            call: Uuid::nil(),
            caller: 0,
            ends: ends.map(|it| it.map(str::to_owned)),
            expected: "hung_up",
            notes,
        };
        let kinds = |over: Over| {
            let (mut pair, mut findings) = (Pair::new([1, 2]), Findings::default());
            pair.over.push(over);
            seen(&pair, &mut findings);
            findings.by_kind.into_keys().collect::<Vec<_>>()
        };
        let good = Some("hung_up");
        assert_eq!(kinds(over([good, good], [1, 1])), [""; 0]);
        assert_eq!(kinds(over([good, Some("dropped")], [1, 1])), ["the two saw different ends"]);
        assert_eq!(kinds(over([None, None], [1, 1])), ["the two saw different ends"]);
        assert_eq!(kinds(over([Some("vanished"); 2], [1, 1])), ["ended otherwise than it was ended"]);
        assert_eq!(kinds(over([good, good], [1, 2])), ["not exactly one line in the chat as it was told"]);
    }
}

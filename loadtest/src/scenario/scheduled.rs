//! Many messages that were scheduled for the same second: how long until the last has left, while their node is killed.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chapar_protocol::{
    ChatId, ChatKind, Seq, Timestamp,
    command::{History, Schedule, Send},
    limit::{PAGE, SCHEDULED},
    message::NewBody,
};
use clap::Args;
use uuid::Uuid;

use super::{
    Error, Run,
    broadcast::{api, uuid},
};
use crate::{
    http::Api,
    message::Random,
    report::{AuditReport, Meters, Report},
    rig::{Databases, Own, Plain},
    stats::{Percentiles, latencies},
    world,
};

/// See [`crate::args::Scenario::Scheduled`].
#[derive(Clone, Debug, Args)]
pub struct Scheduled {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Messages that are due in the same second.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub messages: u32,
    /// How often the node is killed meanwhile, and started again at once.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10))]
    pub kills: u32,
    /// For how long a node has been at it when it is killed, in milliseconds.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub after: u64,
}

/// Before all are scheduled and due: so long for each.
const EACH: Duration = Duration::from_millis(5);
/// After that all must have left.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &Scheduled) -> Result<Report, Error> {
    let mut plain = Plain::start(&args.own, Databases::One)?;
    let common = plain.common(&args.own);
    // Direct chats of two who both write.
    let most = u32::try_from(SCHEDULED).unwrap_or(u32::MAX);
    let people = (args.messages.div_ceil(most).max(100)).next_multiple_of(2);
    let chats = world::plan(people, &[ChatKind::Direct], 2);
    let run = Run::set_up(&common, people, chats, 1..=1, 1)?;

    run.bar.set_message("scheduling");
    let due = now() + Duration::from_secs(5) + EACH * args.messages;
    let at = timestamp(due);
    let (mut asking, mut random) = (api(&common), Random::new(args.own.seed ^ 0x5CED));
    let mut wanted: HashMap<ChatId, HashMap<Uuid, u32>> = HashMap::new();
    for number in 0..args.messages {
        let writer = (number % people) as usize;
        let (chat_id, client_id) = (ChatId(run.world.logs[writer / 2].id), uuid(&mut random));
        let message = Send::new(chat_id, client_id, NewBody::text(format!("message {number}")));
        let schedule = Schedule { message, at: Some(at), when_online: false };
        asking.call(&run.world.users[writer].token, &schedule)?;
        wanted.entry(chat_id).or_default().insert(client_id, 0);
    }
    let ahead = due.checked_sub(now()).ok_or_else(|| {
        Error::Io(std::io::Error::other("the machine was too slow: they were due before all were scheduled"))
    })?;

    run.bar.set_message("waiting for their second");
    std::thread::sleep(ahead);
    let mut meters = Meters::start(&common);
    for _ in 0..args.kills {
        std::thread::sleep(Duration::from_millis(args.after));
        plain.node.kill();
        plain.node.up()?;
    }
    run.bar.set_message("reading back");
    let (mut audit, mut waits) = (AuditReport { chats: wanted.len(), ..AuditReport::default() }, latencies());
    let until = now() + PATIENCE;
    let mut last_ms = 0;
    for (index, log) in run.world.logs.iter().enumerate() {
        let chat_id = ChatId(log.id);
        let Some(wanted) = wanted.get_mut(&chat_id) else { continue };
        let token = &run.world.users[run.world.chats[index].members[0] as usize].token;
        loop {
            let sent = read(&mut api(&plain.common(&args.own)), token, chat_id, Seq(log.base_seq))?;
            if sent.len() < wanted.len() && now() < until {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            for (client_id, sent_at) in sent {
                *wanted.entry(client_id).or_default() += 1;
                let wait_ms = sent_at.as_millis() - at.as_millis();
                last_ms = last_ms.max(wait_ms);
                waits.saturating_record(u64::try_from(wait_ms).unwrap_or(0) * 1000);
                if wait_ms < 0 {
                    violation(&mut audit, "sent before its time", &format!("{client_id}: by {} ms", -wait_ms));
                }
            }
            break;
        }
        for (client_id, times) in wanted {
            audit.messages += u64::from(*times);
            if *times != 1 {
                violation(&mut audit, "not sent once", &format!("{client_id}: {times} times"));
            }
        }
    }
    meters.stop();
    let mut report = Report::new(
        "scheduled",
        serde_json::json!({ "messages": args.messages, "kills": args.kills, "after": args.after, "seed": args.own.seed }),
    );
    report.meters(&meters, "message", audit.messages);
    report.figure(
        "seconds from when they were due until the last was sent",
        Duration::from_millis(u64::try_from(last_ms).unwrap_or(0)).as_secs_f64(),
    );
    report.phases.push(("due → sent".into(), Percentiles::from(&waits)));
    audit.summary = Some(format!("{} messages that were due at once: ", args.messages));
    report.audit = Some(audit);
    Ok(run.close(report))
}

fn violation(audit: &mut AuditReport, kind: &str, what: &str) {
    audit.violations += 1;
    *audit.by_kind.entry(kind.to_owned()).or_default() += 1;
    if audit.first.len() < 20 {
        audit.first.push(format!("{kind}: {what}"));
    }
}

/// What was sent to a chat, and when.
fn read(api: &mut Api, token: &str, chat_id: ChatId, base: Seq) -> Result<Vec<(Uuid, Timestamp)>, Error> {
    let (mut sent, mut seq) = (Vec::new(), Seq(base.0 + 1));
    loop {
        let page = api.call(token, &History { chat_id, seq, before: 0, after: u32::try_from(PAGE).unwrap_or(100) })?;
        let Some(last) = page.messages.last().map(|it| it.seq) else { return Ok(sent) };
        sent.extend(page.messages.iter().map(|it| (it.client_id, it.sent_at)));
        seq = Seq(last.0 + 1);
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn timestamp(since: Duration) -> Timestamp {
    i64::try_from(since.as_millis()).ok().and_then(Timestamp::from_millis).expect("the clock stands in this century")
}

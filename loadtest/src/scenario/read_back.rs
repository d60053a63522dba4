//! Reads chats back by `history`, on a thread of its own, so that the connections go on answering pings meanwhile.

use std::{
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::Duration,
};

use chapar_protocol::{ChatId, Message, Seq, command::History, limit::PAGE};

use super::{Error, PATIENCE};
use crate::{
    cursor::Cursor,
    engine::Engine,
    http::{Api, Failure, Node},
    ledger::Ledger,
    world::World,
};

/// A stretch of one chat to be read.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Index of the chat.
    pub(super) chat: u32,
    /// The first seq.
    pub(super) first: i64,
    /// The last seq; `i64::MAX` for the end of the chat.
    pub(super) last: i64,
    /// For whom, when it is one reader's hole.
    pub(super) cursor: Option<usize>,
    chat_id: ChatId,
    /// Whose eyes are used, in turn: one alone would meet the server's limit on the commands of one user.
    tokens: Vec<String>,
    node: usize,
    nodes: Vec<Node>,
}

/// All of every chat of the run, read by its first members in turn.
pub(super) fn whole_chats(world: &World, nodes: &[Node]) -> Vec<Job> {
    let job = |((index, chat), log): ((u32, &crate::world::Chat), &crate::ledger::ChatLog)| Job {
        chat: index,
        first: log.base_seq + 1,
        last: i64::MAX,
        cursor: None,
        chat_id: ChatId(log.id),
        tokens: chat.members.iter().take(16).map(|it| world.users[*it as usize].token.clone()).collect(),
        node: index as usize % nodes.len(),
        nodes: nodes.to_vec(),
    };
    (0..).zip(&world.chats).zip(&world.logs).map(job).collect()
}

/// What snapshots leapt over, read by each reader.
pub(super) fn holes(cursors: &[Cursor], world: &World, nodes: &[Node]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (index, cursor) in cursors.iter().enumerate() {
        jobs.extend(cursor.holes.iter().map(|(first, last)| Job {
            chat: cursor.chat,
            first: *first,
            last: *last,
            cursor: Some(index),
            chat_id: ChatId(world.logs[cursor.chat as usize].id),
            tokens: vec![world.users[cursor.reader as usize].token.clone()],
            node: cursor.reader as usize % nodes.len(),
            nodes: nodes.to_vec(),
        }));
    }
    jobs
}

/// Reads all jobs, handing each page over in order; the flag says that it was the job's last.
pub(super) fn run(
    engine: &mut Engine,
    jobs: &[Job],
    mut take: impl FnMut(&mut Ledger, &Job, &[Message], bool),
) -> Result<(), Error> {
    let (sender, receiver) = sync_channel::<Result<(usize, Vec<Message>, bool), Failure>>(16);
    let work = jobs.to_vec();
    let thread = std::thread::spawn(move || {
        let mut apis: Vec<Api> = work
            .first()
            .map(|job| job.nodes.iter().map(|node| Api::new(node.clone(), PATIENCE)).collect())
            .unwrap_or_default();
        for (index, job) in work.iter().enumerate() {
            let mut next = job.first;
            loop {
                let page = page(&mut apis[job.node], job, next);
                let failed = page.is_err();
                let page = page.map(|(messages, last_seq)| {
                    next = messages.last().map_or(next, |it| it.seq.0 + 1);
                    // A page may be short because its messages are long: seqs tell whether there are more.
                    let end = messages.is_empty() || next > job.last.min(last_seq);
                    (index, messages, end)
                });
                let end = failed || page.as_ref().is_ok_and(|it| it.2);
                if sender.send(page).is_err() || failed {
                    return;
                }
                if end {
                    break;
                }
            }
        }
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(2)) {
            Ok(Ok((index, messages, end))) => take(&mut engine.shared.ledger, &jobs[index], &messages, end),
            Ok(Err(failure)) => return Err(failure.into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        engine.turn(Duration::ZERO)?;
    }
    let _ = thread.join();
    Ok(())
}

fn page(api: &mut Api, job: &Job, next: i64) -> Result<(Vec<Message>, i64), Failure> {
    let after = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let question = History { chat_id: job.chat_id, seq: Seq(next), before: 0, after };
    let turn = usize::try_from(next).unwrap_or(0) / PAGE % job.tokens.len();
    let page = api.call(&job.tokens[turn], &question)?;
    Ok((page.messages, page.last_seq.0))
}

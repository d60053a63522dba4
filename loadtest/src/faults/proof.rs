//! The proof: what the database holds, read over HTTP, against the book and against every reader.

use std::collections::{BTreeMap, HashSet};

use chapar_protocol::{
    Body, ChatId, Message, Seq,
    command::{History, Page},
};

use super::{
    book::Book,
    view::{View, row},
};
use crate::http::{Api, Failure};

/// A chat as the database has it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) version: i64,
    pub(super) last_seq: i64,
    pub(super) messages: BTreeMap<i64, Message>,
}

/// Version and last seq of a chat.
pub(super) fn place(api: &mut Api, token: &str, chat: ChatId) -> Result<(i64, i64), Failure> {
    let page: Page = api.call(token, &History { chat_id: chat, seq: Seq(1), before: 0, after: 1 })?;
    Ok((page.version.0, page.last_seq.0))
}

/// Reads a whole chat.
pub(super) fn read(api: &mut Api, token: &str, chat: ChatId) -> Result<Stored, Failure> {
    let mut messages = BTreeMap::new();
    let mut next = 1;
    loop {
        let page: Page = api.call(token, &History { chat_id: chat, seq: Seq(next), before: 0, after: 200 })?;
        // A page may end by its size before it ends by its count.
        let last = page.messages.iter().map(|it| it.seq.0).max();
        messages.extend(page.messages.into_iter().map(|it| (it.seq.0, it)));
        match last.filter(|last| *last < page.last_seq.0 && *last >= next) {
            Some(last) => next = last + 1,
            None => return Ok(Stored { version: page.version.0, last_seq: page.last_seq.0, messages }),
        }
    }
}

/// Nothing acknowledged is lost, doubled, changed or out of order.
pub(super) fn against_book(book: &mut Book, chat: usize, stored: &Stored) {
    let id = book.chats[chat];
    let mut wrong = Vec::new();
    for (expected, seq) in (1..).zip(stored.messages.keys()) {
        if expected != *seq {
            wrong.push(format!("chat {id}: seq {expected} is missing in the database"));
            break;
        }
    }
    if stored.messages.keys().next_back().copied().unwrap_or(0) != stored.last_seq {
        wrong.push(format!("chat {id}: the history ends before seq {}", stored.last_seq));
    }
    let mut met = HashSet::new();
    let mut last_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (seq, message) in &stored.messages {
        let Body::Text(text) = &message.body else { continue };
        let Some(sent) = book.sent.get(&message.client_id) else {
            wrong.push(format!("chat {id} seq {seq}: nobody sent this"));
            continue;
        };
        if !met.insert(message.client_id) {
            wrong.push(format!("chat {id} seq {seq}: stands there twice"));
        }
        if sent.chat != chat || sent.refused || sent.seq.is_some_and(|acked| acked != *seq) {
            wrong.push(format!("chat {id} seq {seq}: acknowledged elsewhere or refused: {sent:?}"));
        }
        if !sent.texts.contains(&text.text) {
            wrong.push(format!(
                "chat {id} seq {seq}: the text is {:?}, and should be one of {:?}",
                text.text, sent.texts
            ));
        }
        let order = &book.order[&(chat, sent.person)];
        let place = order.iter().position(|it| *it == message.client_id).unwrap_or(0);
        if last_of.insert(sent.person, place).is_some_and(|before| before > place) {
            wrong.push(format!("chat {id} seq {seq}: out of the order in which it was sent"));
        }
        let reactions: u64 = message.reactions.iter().map(|it| u64::from(it.count)).sum();
        let (granted, wished) = book.reactions.get(&(chat, *seq)).copied().unwrap_or_default();
        if reactions < granted || reactions > wished {
            wrong.push(format!("chat {id} seq {seq}: {reactions} reactions, {granted} acknowledged of {wished}"));
        }
    }
    for (client_id, sent) in &book.sent {
        if sent.chat == chat && sent.seq.is_some() && !met.contains(client_id) {
            wrong.push(format!("chat {id}: acknowledged at seq {:?} and LOST", sent.seq));
        }
    }
    for it in wrong {
        book.violation(it);
    }
}

/// A reader has exactly what the database has. Returns what is wrong.
pub(super) fn against_reader(view: &View, stored: &Stored) -> Option<String> {
    if view.version != stored.version {
        return Some(format!("is at version {}, the database at {}", view.version, stored.version));
    }
    let theirs = stored.messages.range(view.first..);
    let different = theirs.clone().filter(|(seq, message)| view.rows.get(seq) != Some(&row(message)));
    let (different, all) = (different.map(|it| *it.0).collect::<Vec<_>>(), theirs.count());
    if different.is_empty() && view.rows.len() == all {
        return None;
    }
    Some(format!(
        "has {} messages, the database {all}; {} are missing or different: {:?}",
        view.rows.len(),
        different.len(),
        &different[..different.len().min(8)]
    ))
}

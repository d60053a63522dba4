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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use chapar_protocol::{ReactionCount, Timestamp, UserId, Version};
    use uuid::Uuid;

    use super::*;
    use crate::faults::book::Wish;

    fn message(seq: i64, id: u128, text: &str) -> Message {
        let sent_at = Timestamp::from_millis(0).expect("a time");
        Message::new(Seq(seq), Version(seq + 1), UserId(1), Uuid::from_u128(id), sent_at, Body::text(text))
    }

    fn stored(messages: Vec<Message>) -> Stored {
        let last_seq = i64::try_from(messages.len()).expect("few");
        Stored { version: last_seq + 1, last_seq, messages: (1..).zip(messages).collect() }
    }

    /// Person 1 sent "a" and "b", both acknowledged; "c" has no answer yet.
    fn book() -> Book {
        let mut book = Book::new(vec![ChatId(7)]);
        for (seq, text) in [(Some(1), "a"), (Some(2), "b"), (None, "c")] {
            let client_id = Uuid::from_u128(u128::from(text.as_bytes()[0]));
            let wish = Wish::Send { client_id, text: text.into() };
            book.wished(1, 0, &wish);
            if seq.is_some() {
                book.done(0, &wish, seq, Instant::now());
            }
        }
        book
    }

    fn wrong(messages: Vec<Message>) -> String {
        let mut book = book();
        against_book(&mut book, 0, &stored(messages));
        book.violations.join("; ")
    }

    const A: u128 = b'a' as u128;

    #[test]
    fn what_is_right_passes_with_or_without_what_had_no_answer() {
        assert_eq!(wrong(vec![message(1, A, "a"), message(2, A + 1, "b")]), "");
        assert_eq!(wrong(vec![message(1, A, "a"), message(2, A + 1, "b"), message(3, A + 2, "c")]), "");
    }

    #[test]
    fn each_lie_of_a_database_is_caught() {
        assert!(wrong(vec![message(1, A, "a")]).contains("LOST"));
        assert!(wrong(vec![message(1, A, "a"), message(2, A + 1, "b"), message(3, A + 1, "b")]).contains("twice"));
        assert!(wrong(vec![message(1, A + 1, "b"), message(2, A, "a")]).contains("out of the order"));
        assert!(wrong(vec![message(1, A, "a"), message(2, A + 1, "other")]).contains("should be one of"));
        assert!(wrong(vec![message(1, A, "a"), message(2, A + 1, "b"), message(3, 999, "x")]).contains("nobody sent"));
        let mut reacted = message(2, A + 1, "b");
        reacted.reactions.push(ReactionCount { emoji: "👍".into(), count: 1 });
        assert!(wrong(vec![message(1, A, "a"), reacted]).contains("1 reactions, 0 acknowledged"));
    }

    #[test]
    fn an_edit_without_an_answer_may_be_there_or_not_but_an_older_one_may_not() {
        let mut book = book();
        let edit = |text: &str| Wish::Edit { seq: Seq(1), text: text.into() };
        book.wished(1, 0, &edit("a2"));
        book.done(0, &edit("a2"), None, Instant::now());
        book.wished(1, 0, &edit("a3"));
        for (text, right) in [("a2", true), ("a3", true), ("a", false)] {
            against_book(&mut book, 0, &stored(vec![message(1, A, text), message(2, A + 1, "b")]));
            assert_eq!(book.violations.is_empty(), right, "{text}: {:?}", book.violations);
        }
    }

    #[test]
    fn a_reader_who_missed_something_is_caught() {
        let there = stored(vec![message(1, A, "a"), message(2, A + 1, "b")]);
        let mut view = View::default();
        view.version = 3;
        view.rows = there.messages.iter().map(|(seq, it)| (*seq, row(it))).collect();
        assert_eq!(against_reader(&view, &there), None);
        let mut late = view.clone();
        late.version = 2;
        assert!(against_reader(&late, &there).expect("late").contains("version 2"));
        view.rows.remove(&1);
        assert!(against_reader(&view, &there).expect("a hole").contains("[1]"));
    }
}

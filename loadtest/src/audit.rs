//! The proof after the run: every chat is read back from the server and held against the ledger and the readers.
//!
//! What is proven, for every chat of the run:
//! 1. each acknowledged message stands there exactly once, at the acknowledged seq and version, with its sender and text;
//! 2. nothing stands there that nobody sent, or that was refused; an unknown outcome may stand there once or not at all;
//! 3. seq and version are dense; a sender's messages stand in the order in which they were sent, unless they were retried;
//! 4. every reader reached the end, and what readers saw at each place is what stands there (that each reader saw each
//!    place exactly once and in order is counted by [`crate::cursor`] while the run goes).

use crate::{
    cursor::Cursor,
    ledger::{Ledger, Outcome, Sighting},
    message::Ident,
};

/// What was read back.
#[derive(Debug)]
pub struct Audit {
    /// By user and count: the seq at which the message was found.
    found: Vec<Vec<Option<(i64, i64)>>>,
    /// By chat: the messages that stand there, from the base on.
    stands: Vec<Vec<Option<Ident>>>,
    /// By user: the last message found of a page's chat, for the order.
    order: std::collections::HashMap<(u32, u32), Ident>,
    /// Messages read.
    pub messages: u64,
}

impl Audit {
    /// Before the first page.
    pub fn new(ledger: &Ledger) -> Self {
        Self {
            found: ledger.sends.iter().map(|sends| vec![None; sends.len()]).collect(),
            stands: vec![Vec::new(); ledger.chats.len()],
            order: std::collections::HashMap::new(),
            messages: 0,
        }
    }

    /// Takes the next message of a chat, in the order of history.
    pub fn message(&mut self, ledger: &mut Ledger, chat: u32, it: Sighting<'_>) {
        self.messages += 1;
        let log = &ledger.chats[chat as usize];
        let (id, base_seq, base_version) = (log.id, log.base_seq, log.base_version);
        let stands = &mut self.stands[chat as usize];
        let place = i64::try_from(stands.len()).unwrap_or(i64::MAX) + 1;
        if it.seq != base_seq + place {
            ledger
                .violations
                .add("a hole in seq", || format!("chat {id}: seq {} after {}", it.seq, base_seq + place - 1));
        }
        if it.version != base_version + place {
            ledger.violations.add("a hole in version", || {
                format!("chat {id} seq {}: version {}, expected {}", it.seq, it.version, base_version + place)
            });
        }
        let ident = ledger.recognise(chat, it);
        stands.push(ident);
        let seen = ledger.chats[chat as usize].seen.get(stands.len() - 1).copied().flatten();
        if let Some(ident) = ident {
            if seen.is_some_and(|seen| seen != ident.packed()) {
                ledger
                    .violations
                    .add("readers saw another message than stands there", || format!("chat {id} seq {}", it.seq));
            }
            self.place(ledger, ident, it);
            self.in_order(ledger, chat, ident, it.seq);
        }
    }

    fn place(&mut self, ledger: &mut Ledger, ident: Ident, it: Sighting<'_>) {
        let Some(found) = self.found.get_mut(ident.user as usize).and_then(|it| it.get_mut(ident.count as usize))
        else {
            return;
        };
        if let Some((before, _)) = found {
            ledger.violations.add("a message twice", || {
                format!("message {} of user {}: seq {before} and {}", ident.count, ident.user, it.seq)
            });
        } else {
            *found = Some((it.seq, it.version));
        }
    }

    fn in_order(&mut self, ledger: &mut Ledger, chat: u32, ident: Ident, seq: i64) {
        let before = self.order.insert((chat, ident.user), ident);
        let retried = |ident| ledger.sent(ident).is_some_and(|sent| sent.retried);
        if let Some(before) = before
            && before.count > ident.count
            && !retried(before)
            && !retried(ident)
        {
            ledger.violations.add("a sender's messages out of order", || {
                format!("chat #{chat} seq {seq}: message {} of user {} after {}", ident.count, ident.user, before.count)
            });
        }
    }

    /// Checks what a reader got by `history` for a range that a snapshot leapt over.
    pub fn hole<'a>(
        &self,
        ledger: &mut Ledger,
        cursor: &Cursor,
        (first, last): (i64, i64),
        page: impl Iterator<Item = Sighting<'a>>,
    ) {
        let (reader, chat) = (cursor.reader, cursor.chat);
        let mut next = first;
        for it in page {
            let index = usize::try_from(it.seq - ledger.chats[chat as usize].base_seq - 1).unwrap_or(usize::MAX);
            let ident = ledger.maker.ident(it.client_id);
            let same = self.stands[chat as usize].get(index).is_some_and(|stands| *stands == ident);
            if it.seq != next || !same {
                ledger.violations.add("a reader's history differs", || {
                    format!("reader {reader}, chat #{chat}: seq {} where {next} belongs", it.seq)
                });
            }
            next += 1;
        }
        if next != last + 1 {
            ledger.violations.add("a reader's history is short", || {
                format!("reader {reader}, chat #{chat}: ends at {} instead of {last}", next - 1)
            });
        }
    }

    /// The last seq of a chat, as it was read back.
    pub fn last_seq(&self, ledger: &Ledger, chat: u32) -> i64 {
        ledger.chats[chat as usize].base_seq + i64::try_from(self.stands[chat as usize].len()).unwrap_or(0)
    }

    /// After all pages: holds the sends against what was found. Returns how many outcomes stay unknown, and how many of
    /// those messages exist.
    pub fn sends(&self, ledger: &mut Ledger) -> (u64, u64) {
        let (mut unknown, mut exist) = (0, 0);
        let Ledger { sends, violations, chats, .. } = ledger;
        for ((user, sends), found) in (0u32..).zip(sends.iter()).zip(&self.found) {
            for ((count, sent), found) in (0u32..).zip(sends).zip(found) {
                let id = chats[sent.chat as usize].id;
                match (sent.outcome, found) {
                    (Outcome::Acknowledged { seq, version }, Some((at, its))) => {
                        if (seq, version) != (*at, *its) {
                            violations.add("an acknowledged message at another place", || {
                                format!("chat {id}: message {count} of user {user} acknowledged at seq {seq} version {version}, stands at {at} version {its}")
                            });
                        }
                    }
                    (Outcome::Acknowledged { seq, .. }, None) => violations
                        .add("an acknowledged message is lost", || {
                            format!("chat {id}: message {count} of user {user}, acknowledged at seq {seq}")
                        }),
                    (Outcome::Refused, Some((at, _))) => violations.add("a refused message exists", || {
                        format!("chat {id} seq {at}: message {count} of user {user}")
                    }),
                    (Outcome::Refused, None) => {}
                    (Outcome::Unknown, found) => {
                        unknown += 1;
                        exist += u64::from(found.is_some());
                    }
                }
            }
        }
        (unknown, exist)
    }

    /// After all pages: whether a reader reached the end of its chat, and nobody saw anything beyond it.
    pub fn reader(&self, ledger: &mut Ledger, cursor: &Cursor) {
        let last = self.last_seq(ledger, cursor.chat);
        let (reader, chat, seen) = (cursor.reader, cursor.chat, cursor.last_seq);
        if seen < last {
            ledger.violations.add("a reader missed messages", || {
                format!("reader {reader}, chat #{chat}: saw up to seq {seen} of {last}")
            });
        } else if seen > last {
            ledger.violations.add("a reader saw what does not exist", || {
                format!("reader {reader}, chat #{chat}: saw seq {seen}, the chat ends at {last}")
            });
        }
        let log = &ledger.chats[chat as usize];
        let top = log.base_version + (last - log.base_seq);
        if cursor.version != top {
            ledger.violations.add("a reader is at another version", || {
                format!("reader {reader}, chat #{chat}: version {} of {top}", cursor.version)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::ChatLog, message::Maker};

    /// A small honest run: two users, one chat with base seq 2 and version 4, three messages of user 0, one of user 1.
    #[derive(Clone)]
    struct Row {
        seq: i64,
        version: i64,
        sender: i64,
        ident: Ident,
        text: Option<String>,
    }

    fn honest() -> (Ledger, Vec<Row>, Cursor) {
        let chats = vec![
            ChatLog { id: 9, base_seq: 2, base_version: 4, top_version: 4, seen: Vec::new() },
            ChatLog { id: 10, ..ChatLog::default() },
        ];
        let mut ledger = Ledger::new(Maker::new(1, 10..=30), vec![71, 72], chats);
        let mut rows = Vec::new();
        for (place, user) in (1..).zip([0, 1, 0, 0]) {
            let ident = ledger.send(user, 0, 0);
            ledger.acknowledged(ident, 2 + place, 4 + place);
            let mut text = Vec::new();
            ledger.maker.text(ident, &mut text);
            let text = Some(String::from_utf8(text).expect("ASCII"));
            rows.push(Row { seq: 2 + place, version: 4 + place, sender: 71 + i64::from(user), ident, text });
        }
        let cursor = Cursor::new(1, 0, 8, 6);
        (ledger, rows, cursor)
    }

    fn sighting<'a>(ledger: &Ledger, row: &'a Row) -> Sighting<'a> {
        Sighting {
            seq: row.seq,
            version: row.version,
            sender: row.sender,
            client_id: ledger.maker.client_id(row.ident),
            text: row.text.as_deref(),
        }
    }

    fn kinds(spoil: impl FnOnce(&mut Ledger, &mut Vec<Row>, &mut Cursor)) -> Vec<&'static str> {
        let (mut ledger, mut rows, mut cursor) = honest();
        for row in &rows {
            let it = sighting(&ledger, row);
            ledger.sighted(0, it);
        }
        spoil(&mut ledger, &mut rows, &mut cursor);
        let mut audit = Audit::new(&ledger);
        for row in &rows {
            let it = sighting(&ledger, row);
            audit.message(&mut ledger, 0, it);
        }
        audit.sends(&mut ledger);
        audit.reader(&mut ledger, &cursor);
        for hole in cursor.holes.clone() {
            let inside: Vec<_> = rows.iter().filter(|row| (hole.0..=hole.1).contains(&row.seq)).collect();
            let page: Vec<_> = inside.iter().map(|row| sighting(&ledger, row)).collect();
            audit.hole(&mut ledger, &cursor, hole, page.into_iter());
        }
        ledger.violations.counts.keys().copied().collect()
    }

    const FIRST: Ident = Ident { user: 0, count: 0 };

    #[test]
    fn an_honest_run_passes() {
        assert!(kinds(|_, _, _| {}).is_empty());
        assert!(kinds(|_, _, cursor| cursor.holes.push((3, 5))).is_empty(), "a hole that history fills");
    }

    #[test]
    fn a_lost_message_is_caught() {
        let found = kinds(|_, rows, cursor| {
            rows.pop();
            cursor.last_seq -= 1;
            cursor.version -= 1;
        });
        assert_eq!(found, ["an acknowledged message is lost"]);
    }

    #[test]
    fn a_doubled_message_is_caught() {
        let found = kinds(|_, rows, cursor| {
            rows.push(Row { seq: 7, version: 9, ..rows[0].clone() });
            cursor.last_seq += 1;
            cursor.version += 1;
        });
        assert_eq!(found, ["a message twice", "a sender's messages out of order"]);
    }

    #[test]
    fn a_foreign_message_is_caught() {
        let found = kinds(|_, rows, cursor| {
            let stranger = Ident { user: 0, count: 99 };
            rows.push(Row { seq: 7, version: 9, ident: stranger, ..rows[0].clone() });
            cursor.last_seq += 1;
            cursor.version += 1;
        });
        assert_eq!(found, ["a message that nobody sent"]);
    }

    #[test]
    fn wrong_sender_text_and_chat_are_caught() {
        assert_eq!(kinds(|_, rows, _| rows[1].sender = 71), ["a message of the wrong sender"]);
        assert_eq!(kinds(|_, rows, _| rows[1].text = Some("other".into())), ["a message with another text"]);
        assert_eq!(kinds(|_, rows, _| rows[1].text = None), ["a message with another text"], "deleted");
        assert_eq!(kinds(|ledger, _, _| ledger.sends[0][0].chat = 1), ["a message in the wrong chat"]);
    }

    #[test]
    fn a_refused_message_that_exists_is_caught_but_an_unknown_one_is_not() {
        let outcome = |to| move |ledger: &mut Ledger, _: &mut Vec<Row>, _: &mut Cursor| ledger.sends[0][0].outcome = to;
        assert_eq!(kinds(outcome(Outcome::Refused)), ["a refused message exists"]);
        assert!(kinds(outcome(Outcome::Unknown)).is_empty());
    }

    #[test]
    fn a_refusal_after_a_lost_try_proves_nothing() {
        let (mut ledger, ..) = honest();
        let ident = ledger.send(0, 0, 0);
        ledger.unanswered(ident);
        ledger.refused(ident);
        assert_eq!(ledger.sent(ident).expect("sent").outcome, Outcome::Unknown);
    }

    #[test]
    fn holes_are_caught() {
        let found = kinds(|_, rows, cursor| {
            rows[3].seq = 7;
            cursor.last_seq = 6;
        });
        assert_eq!(found, ["a hole in seq", "an acknowledged message at another place"]);
        let found = kinds(|_, rows, _| rows[3].version = 9);
        assert_eq!(found, ["a hole in version", "an acknowledged message at another place"]);
    }

    #[test]
    fn swapped_messages_are_caught() {
        let found = kinds(|_, rows, _| {
            let (a, b) = (rows[2].clone(), rows[3].clone());
            (rows[2].ident, rows[2].text) = (b.ident, b.text);
            (rows[3].ident, rows[3].text) = (a.ident, a.text);
        });
        assert_eq!(
            found,
            [
                "a sender's messages out of order",
                "an acknowledged message at another place",
                "readers saw another message than stands there"
            ]
        );
    }

    #[test]
    fn readers_that_stop_short_or_see_ghosts_are_caught() {
        let found = kinds(|_, _, cursor| (cursor.last_seq, cursor.version) = (5, 7));
        assert_eq!(found, ["a reader is at another version", "a reader missed messages"]);
        let found = kinds(|_, _, cursor| cursor.last_seq = 7);
        assert_eq!(found, ["a reader saw what does not exist"]);
        assert_eq!(kinds(|_, _, cursor| cursor.version = 9), ["a reader is at another version"]);
    }

    #[test]
    fn a_history_that_does_not_fill_the_hole_is_caught() {
        assert_eq!(kinds(|_, _, cursor| cursor.holes.push((3, 8))), ["a reader's history is short"]);
        let (mut ledger, rows, cursor) = honest();
        let mut audit = Audit::new(&ledger);
        for row in &rows {
            let it = sighting(&ledger, row);
            audit.message(&mut ledger, 0, it);
        }
        let mut other = rows[0].clone();
        other.ident = rows[1].ident;
        let page = [sighting(&ledger, &other)];
        audit.hole(&mut ledger, &cursor, (3, 3), page.into_iter());
        assert_eq!(ledger.violations.counts.keys().copied().collect::<Vec<_>>(), ["a reader's history differs"]);
    }

    #[test]
    fn an_acknowledgement_that_changes_its_mind_is_caught() {
        let found = kinds(|ledger, _, _| {
            ledger.acknowledged(FIRST, 4, 5);
            ledger.acknowledged(FIRST, 3, 5);
        });
        assert_eq!(found, ["acknowledged at two places"]);
    }

    #[test]
    fn readers_that_differ_among_each_other_are_caught() {
        let (mut ledger, rows, _) = honest();
        let (a, b) = (sighting(&ledger, &rows[0]), sighting(&ledger, &rows[2]));
        ledger.sighted(0, a);
        ledger.sighted(0, Sighting { seq: a.seq, ..b });
        let kinds: Vec<_> = ledger.violations.counts.keys().copied().collect();
        assert_eq!(kinds, ["readers saw different messages at one place"]);
    }
}

//! How far others have read, as far as that is news to anybody: each member of a chat is shown the furthest mark of anybody
//! else, so only a mark that moves it is told. In a group of n readers a message makes about n frames, not n².

use std::collections::HashMap;

use chapar_protocol::{ChatId, Seq, UserId};
use parking_lot::Mutex;

/// Chats that are remembered. When there are more, all are forgotten, and the next mark of each is told once more.
const REMEMBERED: usize = 65_536;

/// To whom a read mark is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// To everybody in the chat.
    All,
    /// To the one who has read further than this, but is shown the marks of the others.
    Only(UserId),
    /// To nobody.
    Nobody,
}

/// What has been told of each chat.
#[derive(Default)]
pub(super) struct ReadMarks(Mutex<HashMap<ChatId, Furthest>>);

struct Furthest {
    user: UserId,
    seq: Seq,
    /// The furthest of everybody but that user.
    others: Seq,
}

impl ReadMarks {
    /// Takes in that somebody has read so far, and says who must hear.
    pub(super) fn moved(&self, chat: ChatId, user: UserId, seq: Seq) -> Audience {
        let mut chats = self.0.lock();
        if chats.len() >= REMEMBERED && !chats.contains_key(&chat) {
            *chats = HashMap::new();
        }
        let Some(first) = chats.get_mut(&chat) else {
            chats.insert(chat, Furthest { user, seq, others: Seq(0) });
            return Audience::All;
        };
        if seq > first.seq {
            if user != first.user {
                (first.user, first.others) = (user, first.seq);
            }
            first.seq = seq;
            Audience::All
        } else if user != first.user && seq > first.others {
            first.others = seq;
            Audience::Only(first.user)
        } else {
            Audience::Nobody
        }
    }

    /// Forgets all: they belong to another history of the database.
    pub(super) fn forget(&self) {
        *self.0.lock() = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const CHAT: ChatId = ChatId(1);

    #[test]
    fn a_message_read_by_a_thousand_makes_about_a_thousand_frames() {
        let marks = ReadMarks::default();
        let mut frames = 0;
        for user in 0..1000 {
            frames += match marks.moved(CHAT, UserId(user), Seq(1)) {
                Audience::All => 1000,
                Audience::Only(_) => 1,
                Audience::Nobody => 0,
            };
        }
        assert_eq!(frames, 1001);
    }

    #[test]
    fn two_people_always_hear_of_each_other() {
        let marks = ReadMarks::default();
        assert_eq!(marks.moved(CHAT, UserId(1), Seq(5)), Audience::All);
        assert_eq!(marks.moved(CHAT, UserId(2), Seq(3)), Audience::Only(UserId(1)));
        assert_eq!(marks.moved(CHAT, UserId(2), Seq(5)), Audience::Only(UserId(1)));
        assert_eq!(marks.moved(CHAT, UserId(2), Seq(5)), Audience::Nobody);
        assert_eq!(marks.moved(CHAT, UserId(2), Seq(6)), Audience::All);
    }

    proptest! {
        /// What each person was told is the furthest mark of anybody else, after every step.
        #[test]
        fn everybody_knows_the_furthest_mark_of_the_others(steps in vec((0..5_i64, 1..20_i64), 0..200)) {
            let marks = ReadMarks::default();
            let (mut read, mut told) = ([0; 5], [0; 5]);
            for (user, seq) in steps {
                let user_at = usize::try_from(user).expect("small");
                // A mark never goes back.
                read[user_at] = read[user_at].max(seq);
                let seq = read[user_at];
                let heard = marks.moved(CHAT, UserId(user), Seq(seq));
                for (at, told) in told.iter_mut().enumerate().filter(|(at, _)| *at != user_at) {
                    let hears = match heard {
                        Audience::All => true,
                        Audience::Only(only) => usize::try_from(only.0).expect("small") == at,
                        Audience::Nobody => false,
                    };
                    if hears {
                        *told = seq.max(*told);
                    }
                }
                for (at, told) in told.iter().enumerate() {
                    let others = read.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, seq)| *seq).max();
                    prop_assert_eq!(Some(*told), others);
                }
            }
        }
    }
}

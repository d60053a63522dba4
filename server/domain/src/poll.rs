//! Polls as far as they are judged: who has chosen what, and how it is counted.

use chapar_protocol::{
    ErrorCode, Seq, WireError,
    poll::{OwnVote, Poll, QuizKey},
};

use crate::refusal::refuse;

/// What somebody has chosen: a bit for each option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice(pub i16);

impl Choice {
    /// The options at these places of a poll.
    ///
    /// # Errors
    /// [`ErrorCode::BadVote`] for places that it does not have, and several where one is to be chosen.
    pub fn of(places: &[u8], poll: &Poll) -> Result<Self, WireError> {
        let mut bits = 0;
        for &place in places {
            if usize::from(place) >= poll.options.len() {
                return refuse(ErrorCode::BadVote, "the poll has no such option");
            }
            bits |= 1 << place;
        }
        let choice = Self(bits);
        if !poll.multiple && bits.count_ones() > 1 {
            return refuse(ErrorCode::BadVote, "one option of this poll can be chosen");
        }
        Ok(choice)
    }

    /// Nothing.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the option at a place is among them.
    pub fn has(self, place: usize) -> bool {
        u32::try_from(place).is_ok_and(|place| self.0.checked_shr(place).is_some_and(|bits| bits & 1 == 1))
    }

    /// The places, from 0.
    pub fn places(self) -> Vec<u8> {
        (0..16).filter(|place| self.has(usize::from(*place))).collect()
    }
}

/// Somebody's vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// What it says.
    pub choice: Choice,
    /// Counts its changes; 0 for somebody who has not voted.
    pub turn: i64,
}

impl Vote {
    /// As its owner is told.
    pub fn own(self, seq: Seq, key: Option<&QuizKey>) -> OwnVote {
        let key = key.filter(|_| !self.choice.is_none()).cloned().unwrap_or_default();
        let turn = u32::try_from(self.turn).unwrap_or(u32::MAX);
        OwnVote { seq, turn, options: self.choice.places(), key }
    }
}

/// A vote that its poll does not count yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntoldVote {
    /// What it says.
    pub choice: Choice,
    /// What stands in the counts in its place.
    pub stands: Choice,
}

/// Counts a change of somebody's vote.
pub(crate) fn recount(poll: &mut Poll, old: Choice, new: Choice) {
    for (place, option) in poll.options.iter_mut().enumerate() {
        option.votes = moved(option.votes, old.has(place), new.has(place));
    }
    poll.voters = moved(poll.voters, !old.is_none(), !new.is_none());
}

fn moved(count: u32, before: bool, after: bool) -> u32 {
    (count + u32::from(after)).saturating_sub(u32::from(before))
}

#[cfg(test)]
mod tests {
    use chapar_protocol::poll::NewPoll;

    use super::*;

    fn poll(multiple: bool) -> Poll {
        let options = ["a", "b", "c"].map(str::to_owned).to_vec();
        let key = QuizKey::default();
        NewPoll { question: "?".to_owned(), options, public: false, multiple, closes_at: None, key }.begin()
    }

    #[test]
    fn counts_follow_those_who_change_their_minds() {
        let mut it = poll(true);
        let counts = |it: &Poll| (it.options.iter().map(|it| it.votes).collect::<Vec<_>>(), it.voters);
        let (none, first, both) = (Choice(0), Choice(1), Choice(0b101));
        recount(&mut it, none, first);
        recount(&mut it, none, both);
        assert_eq!(counts(&it), (vec![2, 0, 1], 2));
        recount(&mut it, first, both);
        assert_eq!(counts(&it), (vec![2, 0, 2], 2));
        recount(&mut it, both, none);
        assert_eq!(counts(&it), (vec![1, 0, 1], 1));
    }

    #[test]
    fn a_choice_is_one_that_the_poll_offers() {
        assert_eq!(Choice::of(&[2, 0, 2], &poll(true)).expect("chosen").places(), [0, 2]);
        for (places, multiple) in [(&[3][..], true), (&[0, 1], false), (&[255], true)] {
            assert_eq!(Choice::of(places, &poll(multiple)).expect_err("refused").code, ErrorCode::BadVote);
        }
        assert!(Choice::of(&[], &poll(false)).expect("taken back").is_none());
    }
}

//! The counters of a channel: who reacted, how many have seen a post, how many are in. What moves them is stored at once and told
//! at most once a second, however many they are.

use std::collections::BTreeSet;

use chapar_protocol::{Body, ChatKind, ErrorCode, Message, Seq, Timestamp, UserId, WireError, limit};

use super::{Counted, Judging, Verdict};
use crate::{Principal, change::Done, reactions::recount, refusal::refusal};

/// Between two tellings of one channel's counters, in milliseconds.
pub const PAUSE: i64 = 1000;

/// Reactions in one version: a page of changes ends between two versions, and holds some of them.
const EACH: usize = 200;

impl Judging {
    /// A reaction that is told with the counts. Until then the chat stays at its version.
    pub(super) fn react_quietly(&mut self, by: UserId, seq: Seq, emoji: Option<&str>) -> Done {
        match emoji {
            Some(emoji) => self.chat.reactions.insert((seq, by), emoji.to_owned()),
            None => self.chat.reactions.remove(&(seq, by)),
        };
        self.chat.untold.stale = true;
        self.rows.reactions.insert((seq, by), chapar_protocol::Version(0));
        self.as_it_is()
    }

    pub(super) fn count(&mut self, by: Principal, now: Timestamp) -> Verdict {
        if !matches!(by, Principal::System(_)) || self.chat.info.kind != ChatKind::Channel {
            return Err(refusal(ErrorCode::Forbidden));
        }
        if !self.chat.untold.stale {
            return Ok(self.as_it_is());
        }
        let since = self.chat.untold.told_at.map_or(PAUSE, |at| now.as_millis() - at.as_millis());
        // Also when the clock has gone back: it must not be waited for.
        if (0..PAUSE).contains(&since) {
            let error = WireError::new(ErrorCode::RateLimited, "the counters were told just now");
            return Err(error.after_ms(u32::try_from(PAUSE - since).unwrap_or(0)));
        }
        self.rows.left_over = self.chat.untold.more;
        let mut moved = self.count_reactions();
        moved.extend(self.count_views());
        moved.extend(self.count_votes());
        for seq in moved {
            let version = self.next();
            if let Some(stored) = self.chat.messages.get_mut(&seq) {
                stored.message.version = version;
                self.rows.changed.insert(seq);
            }
        }
        let members = u32::try_from(self.chat.count.max(0)).ok();
        if self.chat.info.member_count != members {
            self.chat.info.member_count = members;
            self.rows.info = Some(self.next());
        }
        self.chat.untold.told_at = Some(now);
        self.chat.untold.stale = false;
        self.rows.told = Some(now);
        Ok(self.as_it_is())
    }

    /// Returns the messages whose counts have moved.
    fn count_reactions(&mut self) -> BTreeSet<Seq> {
        let mut moved = BTreeSet::new();
        let untold: Vec<_> = std::mem::take(&mut self.chat.untold.reactions).into_iter().collect();
        for some in untold.chunks(EACH) {
            let version = self.next();
            for ((seq, user), it) in some {
                let message = self.chat.messages.get_mut(seq).map(|it| &mut it.message);
                let mut new = it.emoji.as_deref();
                if let Some(message) = message.filter(|it| it.body != Body::Deleted) {
                    let old = it.stands.as_deref();
                    new = new.filter(|new| has_room(message, old, new));
                    if old != new {
                        recount(&mut message.reactions, old, new);
                        moved.insert(*seq);
                    }
                }
                let counted = Counted { emoji: it.emoji.clone(), stands: new.map(str::to_owned), version };
                self.rows.counted.insert((*seq, *user), counted);
            }
        }
        moved
    }

    fn count_views(&mut self) -> BTreeSet<Seq> {
        let mut moved = BTreeSet::new();
        for (seq, seen) in std::mem::take(&mut self.chat.untold.views) {
            let message = self.chat.messages.get_mut(&seq).map(|it| &mut it.message);
            if let Some(message) = message.filter(|it| it.body != Body::Deleted && it.views < seen) {
                message.views = seen;
                moved.insert(seq);
            }
            self.rows.viewed.insert(seq, seen);
        }
        moved
    }
}

/// The counts go with the message in every page: they are bounded as its body is.
fn has_room(message: &Message, old: Option<&str>, new: &str) -> bool {
    let ends = message.reactions.iter().any(|it| Some(it.emoji.as_str()) == old && it.count == 1);
    message.reactions.iter().any(|it| it.emoji == new)
        || message.reactions.len() - usize::from(ends) < limit::REACTION_KINDS
}

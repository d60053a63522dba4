//! Who sends when, and where to. Everything follows from the seed.

use std::collections::BTreeMap;

use chapar_protocol::ChatKind;

use crate::{message::Random, world::Chat};

/// Shares of the kinds of chats in the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(pub Vec<(ChatKind, u32)>);

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once(':').unwrap_or((part, "100"));
            let kind = match name.trim() {
                "direct" => ChatKind::Direct,
                "group" => ChatKind::Group,
                "channel" => ChatKind::Channel,
                other => return Err(format!("`{other}` is none of direct, group, channel")),
            };
            if shares.iter().any(|(other, _)| *other == kind) {
                return Err(format!("`{name}` stands there twice"));
            }
            let share = share.trim().parse().map_err(|_| format!("`{share}` is not a whole number"))?;
            if share > 0 {
                shares.push((kind, share));
            }
        }
        if shares.is_empty() { Err("nothing has a share".into()) } else { Ok(Self(shares)) }
    }
}

impl Mix {
    /// The kinds that occur.
    pub fn kinds(&self) -> Vec<ChatKind> {
        self.0.iter().map(|it| it.0).collect()
    }
}

/// Picks senders and chats by the shares of a mix.
#[derive(Clone, Debug)]
pub struct Picker {
    random: Random,
    total: usize,
    /// Share, and every (writer, chat) of the kind.
    kinds: Vec<(usize, Vec<(u32, u32)>)>,
    /// The same by writer: share and chats.
    by_writer: BTreeMap<u32, Vec<(usize, Vec<u32>)>>,
}

impl Picker {
    /// For these chats.
    pub fn new(mix: &Mix, chats: &[Chat], seed: u64) -> Self {
        let mut kinds = Vec::new();
        let mut by_writer: BTreeMap<u32, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (kind, share) in &mix.0 {
            let share = *share as usize;
            let mut pairs = Vec::new();
            let mut own: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (index, chat) in (0..).zip(chats).filter(|(_, chat)| chat.kind == *kind) {
                for writer in &chat.writers {
                    pairs.push((*writer, index));
                    own.entry(*writer).or_default().push(index);
                }
            }
            for (writer, chats) in own {
                by_writer.entry(writer).or_default().push((share, chats));
            }
            if !pairs.is_empty() {
                kinds.push((share, pairs));
            }
        }
        let total = kinds.iter().map(|it| it.0).sum();
        Self { random: Random::new(seed), total, kinds, by_writer }
    }

    /// A sender and a chat.
    pub fn pick(&mut self) -> Option<(u32, u32)> {
        let mut ticket = self.random.below(self.total);
        for (share, pairs) in &self.kinds {
            if ticket < *share {
                return pairs.get(self.random.below(pairs.len())).copied();
            }
            ticket -= share;
        }
        None
    }

    /// A chat for this sender.
    pub fn pick_for(&mut self, writer: u32) -> Option<u32> {
        let kinds = self.by_writer.get(&writer)?;
        let mut ticket = self.random.below(kinds.iter().map(|it| it.0).sum());
        for (share, chats) in kinds {
            if ticket < *share {
                return chats.get(self.random.below(chats.len())).copied();
            }
            ticket -= share;
        }
        None
    }

    /// Everybody who writes somewhere.
    pub fn writers(&self) -> Vec<u32> {
        self.by_writer.keys().copied().collect()
    }
}

/// An open loop: message n is due at n / rate, whatever the server does. Latency counts from that time, so that a server
/// that stalls cannot hide the messages that waited for it (coordinated omission).
#[derive(Clone, Debug)]
pub struct OpenLoop {
    start_us: u64,
    end_us: u64,
    per_second: u64,
    next: u64,
}

impl OpenLoop {
    /// From `start_us` to `end_us` of the run.
    pub fn new(start_us: u64, end_us: u64, per_second: u64) -> Self {
        Self { start_us, end_us, per_second: per_second.max(1), next: 0 }
    }

    /// The time of the next message, if it is due; each call takes one.
    pub fn take(&mut self, now_us: u64) -> Option<u64> {
        let at = self.start_us + self.next * 1_000_000 / self.per_second;
        if at > now_us || at >= self.end_us {
            return None;
        }
        self.next += 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::plan;

    #[test]
    fn a_mix_is_read_and_bad_ones_are_named() {
        assert_eq!("direct".parse(), Ok(Mix(vec![(ChatKind::Direct, 100)])));
        let mix: Mix = "direct:70, group:20,channel:10".parse().expect("a mix");
        assert_eq!(mix.0[2], (ChatKind::Channel, 10));
        for bad in ["dirct", "direct:x", "direct,direct", "direct:0", ""] {
            assert!(bad.parse::<Mix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_are_kept_and_only_writers_write() {
        let mix: Mix = "direct:70,group:20,channel:10".parse().expect("a mix");
        let chats = plan(100, &mix.kinds(), 25);
        let mut picker = Picker::new(&mix, &chats, 3);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..10_000 {
            let (user, chat) = picker.pick().expect("a pair");
            let chat = &chats[chat as usize];
            assert!(chat.writers.contains(&user));
            *counts.entry(format!("{:?}", chat.kind)).or_default() += 1;
        }
        for (kind, share) in [("Direct", 7000), ("Group", 2000), ("Channel", 1000)] {
            assert!(counts[kind].abs_diff(share) < 200, "{counts:?}");
        }
        let mut again = Picker::new(&mix, &chats, 3);
        let mut other = Picker::new(&mix, &chats, 3);
        assert!((0..100).all(|_| again.pick() == other.pick()), "the same seed picks the same");
        assert!(picker.pick_for(5).is_some_and(|chat| chats[chat as usize].writers.contains(&5)));
    }

    #[test]
    fn an_open_loop_never_waits_for_anybody() {
        let mut open = OpenLoop::new(1_000_000, 2_000_000, 3);
        assert_eq!(open.take(999_999), None);
        assert_eq!(open.take(1_000_000), Some(1_000_000));
        assert_eq!(open.take(1_000_000), None);
        let late: Vec<_> = std::iter::from_fn(|| open.take(60_000_000)).collect();
        assert_eq!(late, [1_333_333, 1_666_666], "what a stall held up keeps its intended time");
    }
}

//! What a stream of the bus is called in Redis, and which slot of a cluster holds it.

use std::io::Write as _;

/// A stream of the bus.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// The changes of one chat.
    Chat(i64),
    /// The changes that belong to one person.
    User(i64),
    /// Whether one person is online.
    Presence(i64),
    /// What every node listens to.
    Node,
}

/// The name of a topic's channel in Redis, kept on the stack.
#[derive(Clone, Copy)]
pub(super) struct Channel {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

const PREFIX: &str = "chapar:";

impl Channel {
    /// The prefix, a letter, a colon and the twenty characters of `i64::MIN`, rounded up.
    const LONGEST: usize = 32;

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Topic {
    /// `chapar:c:7`, `chapar:u:7`, `chapar:p:7` or `chapar:n`.
    pub(super) fn channel(self) -> Channel {
        let mut bytes = [0; Channel::LONGEST];
        let mut rest = &mut bytes[..];
        let written = match self {
            Self::Chat(id) => write!(rest, "{PREFIX}c:{id}"),
            Self::User(id) => write!(rest, "{PREFIX}u:{id}"),
            Self::Presence(id) => write!(rest, "{PREFIX}p:{id}"),
            Self::Node => write!(rest, "{PREFIX}n"),
        };
        debug_assert!(written.is_ok(), "the longest name fits");
        let length = Channel::LONGEST - rest.len();
        Channel { bytes, length }
    }

    /// The topic of a channel; `None` for a name that [`Topic::channel`] never gives.
    pub(super) fn of_channel(name: &[u8]) -> Option<Self> {
        let name = name.strip_prefix(PREFIX.as_bytes())?;
        if name == b"n" {
            return Some(Self::Node);
        }
        let (kind, id) = name.split_at_checked(2)?;
        let id = std::str::from_utf8(id).ok()?.parse().ok()?;
        match kind {
            b"c:" => Some(Self::Chat(id)),
            b"u:" => Some(Self::User(id)),
            b"p:" => Some(Self::Presence(id)),
            _ => None,
        }
    }

    /// The hash slot of its channel in a Redis Cluster, 0 to 16383. (Our names hold no `{}` hash tag.)
    pub(super) fn slot(self) -> u16 {
        chapar_redis::slot_of(self.channel().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_read_back_as_its_topic() {
        for id in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            for topic in [Topic::Chat(id), Topic::User(id), Topic::Presence(id), Topic::Node] {
                assert_eq!(Topic::of_channel(topic.channel().as_bytes()), Some(topic));
            }
        }
    }

    #[test]
    fn foreign_channels_are_no_topics() {
        for name in
            ["", "chapar:", "chapar:c", "chapar:c:", "chapar:c:x", "chapar:é:1", "chapar:z:1", "news", "chapar:n1"]
        {
            assert_eq!(Topic::of_channel(name.as_bytes()), None, "{name}");
        }
    }
}

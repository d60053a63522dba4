//! What nodes tell each other over the bus. A frame in it was encoded once, by the node where the change was made,
//! and reaches every connection of the cluster as it is.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use chapar_protocol::{ChatId, DeviceId, Version};
use tungstenite::Utf8Bytes;

/// One thing to tell the watchers of a topic, or the nodes that have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A change with its place in the topic's history.
    Change(Change),
    /// Something without version, for those who watch now.
    Passing(Utf8Bytes),
    /// The topic has this version: whoever knows less must look.
    Hint(Version),
    /// A device was signed out: close its connections.
    Revoked(DeviceId),
    /// Somebody asks whether this user is online.
    Probe,
    /// A node lives.
    Heartbeat(u64),
    /// A node is going, in order.
    Goodbye(u64),
    /// A node could not say what it failed to publish: compare everything.
    Compare,
}

/// See [`Parcel::Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The version before.
    pub from: Version,
    /// The version after.
    pub version: Version,
    /// Chats that the topic's user is in now: nodes watch them for the user's connections, before the frame is told.
    pub entered: Vec<ChatId>,
    /// Chats that the user is in no longer.
    pub left: Vec<ChatId>,
    /// The event.
    pub frame: Utf8Bytes,
}

impl Parcel {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        match self {
            Self::Change(change) => {
                out.reserve(change.frame.len() + 8 * (change.entered.len() + change.left.len()));
                out.put_u8(0);
                out.put_i64(change.from.0);
                out.put_i64(change.version.0);
                for list in [&change.entered, &change.left] {
                    out.put_u16(u16::try_from(list.len()).unwrap_or(u16::MAX));
                    list.iter().take(usize::from(u16::MAX)).for_each(|chat| out.put_i64(chat.0));
                }
                out.put_slice(change.frame.as_bytes());
            }
            Self::Passing(frame) => {
                out.put_u8(1);
                out.put_slice(frame.as_bytes());
            }
            Self::Hint(version) => {
                out.put_u8(2);
                out.put_i64(version.0);
            }
            Self::Revoked(device) => {
                out.put_u8(3);
                out.put_i64(device.0);
            }
            Self::Probe => out.put_u8(4),
            Self::Heartbeat(node) => {
                out.put_u8(5);
                out.put_u64(*node);
            }
            Self::Goodbye(node) => {
                out.put_u8(6);
                out.put_u64(*node);
            }
            Self::Compare => out.put_u8(7),
        }
        out.freeze()
    }

    /// From bytes; absent when they are none of ours, or of a newer version.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        Some(match bytes.try_get_u8().ok()? {
            0 => {
                let (from, version) = (Version(bytes.try_get_i64().ok()?), Version(bytes.try_get_i64().ok()?));
                let mut lists = [Vec::new(), Vec::new()];
                for list in &mut lists {
                    for _ in 0..bytes.try_get_u16().ok()? {
                        list.push(ChatId(bytes.try_get_i64().ok()?));
                    }
                }
                let [entered, left] = lists;
                Self::Change(Change { from, version, entered, left, frame: Utf8Bytes::try_from(bytes).ok()? })
            }
            1 => Self::Passing(Utf8Bytes::try_from(bytes).ok()?),
            2 => Self::Hint(Version(bytes.try_get_i64().ok()?)),
            3 => Self::Revoked(DeviceId(bytes.try_get_i64().ok()?)),
            4 => Self::Probe,
            5 => Self::Heartbeat(bytes.try_get_u64().ok()?),
            6 => Self::Goodbye(bytes.try_get_u64().ok()?),
            7 => Self::Compare,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_survive_the_bus_and_rubbish_is_refused() {
        let change = Change {
            from: Version(3),
            version: Version(5),
            entered: vec![ChatId(7)],
            left: vec![ChatId(8), ChatId(9)],
            frame: Utf8Bytes::from("{\"event\":\"سلام\"}"),
        };
        for parcel in [
            Parcel::Change(change),
            Parcel::Passing("{}".into()),
            Parcel::Hint(Version(9)),
            Parcel::Revoked(DeviceId(4)),
            Parcel::Probe,
            Parcel::Heartbeat(u64::MAX),
            Parcel::Goodbye(0),
            Parcel::Compare,
        ] {
            let bytes = parcel.encode();
            assert_eq!(Parcel::decode(bytes.clone()), Some(parcel));
            for end in 0..bytes.len() {
                let _ = Parcel::decode(bytes.slice(..end));
            }
        }
        assert_eq!(Parcel::decode(Bytes::from_static(&[99, 1, 2])), None);
        assert_eq!(Parcel::decode(Bytes::from_static(&[1, 0xFF])), None);
    }
}

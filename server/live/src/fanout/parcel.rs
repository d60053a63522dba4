//! What nodes tell each other over the bus. A frame in it was encoded once, by the node where the change was made,
//! and reaches every connection of the cluster as it is.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use chapar_protocol::{ChatId, DeviceId, Seq, Timestamp, UserId, Version};
use tungstenite::Utf8Bytes;

use crate::hub::News;

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
    /// Something for one device only, wherever it is connected.
    Direct(DeviceId, Utf8Bytes),
    /// The topic's user is connected to this node.
    Online(u64),
    /// The topic's user is no longer connected to this node, since when.
    Offline(u64, Option<Timestamp>),
    /// Somebody has read a chat so far: told to whom it is news.
    Read(UserId, Seq, Utf8Bytes),
    /// Some of those who see when the topic's user is there may not see it any more.
    Hidden,
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
    /// Users who are no longer in the topic's chat: nodes stop telling them of it, before the news is told.
    pub gone: Vec<UserId>,
    /// The event.
    pub news: News,
}

impl Parcel {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        match self {
            Self::Change(change) => {
                let News { frame, own } = &change.news;
                out.reserve(frame.len() + 8 * (change.entered.len() + change.left.len() + change.gone.len()));
                out.put_u8(0);
                out.put_i64(change.from.0);
                out.put_i64(change.version.0);
                let chats = |list: &[ChatId]| list.iter().map(|chat| chat.0).collect::<Vec<i64>>();
                let gone = change.gone.iter().map(|user| user.0).collect();
                for list in [chats(&change.entered), chats(&change.left), gone] {
                    out.put_u16(u16::try_from(list.len()).unwrap_or(u16::MAX));
                    list.iter().take(usize::from(u16::MAX)).for_each(|id| out.put_i64(*id));
                }
                out.put_u16(u16::try_from(own.len()).unwrap_or(u16::MAX));
                for (user, frame) in own.iter().take(usize::from(u16::MAX)) {
                    out.put_i64(user.0);
                    out.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
                    out.put_slice(frame.as_bytes());
                }
                out.put_slice(frame.as_bytes());
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
            Self::Direct(device, frame) => {
                out.reserve(frame.len());
                out.put_u8(8);
                out.put_i64(device.0);
                out.put_slice(frame.as_bytes());
            }
            Self::Online(node) => {
                out.put_u8(9);
                out.put_u64(*node);
            }
            Self::Offline(node, at) => {
                out.put_u8(10);
                out.put_u64(*node);
                if let Some(at) = at {
                    out.put_i64(at.as_millis());
                }
            }
            Self::Read(user, seq, frame) => {
                out.reserve(frame.len());
                out.put_u8(11);
                out.put_i64(user.0);
                out.put_i64(seq.0);
                out.put_slice(frame.as_bytes());
            }
            Self::Hidden => out.put_u8(12),
        }
        out.freeze()
    }

    /// From bytes; absent when they are none of ours, or of a newer version.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        Some(match bytes.try_get_u8().ok()? {
            0 => {
                let (from, version) = (Version(bytes.try_get_i64().ok()?), Version(bytes.try_get_i64().ok()?));
                let mut lists = [Vec::new(), Vec::new(), Vec::new()];
                for list in &mut lists {
                    for _ in 0..bytes.try_get_u16().ok()? {
                        list.push(bytes.try_get_i64().ok()?);
                    }
                }
                let [entered, left, gone] = lists;
                let [entered, left] = [entered, left].map(|list| list.into_iter().map(ChatId).collect());
                let gone = gone.into_iter().map(UserId).collect();
                let mut own = Vec::new();
                for _ in 0..bytes.try_get_u16().ok()? {
                    let user = UserId(bytes.try_get_i64().ok()?);
                    let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
                    if length > bytes.len() {
                        return None;
                    }
                    own.push((user, Utf8Bytes::try_from(bytes.split_to(length)).ok()?));
                }
                let news = News { frame: Utf8Bytes::try_from(bytes).ok()?, own };
                Self::Change(Change { from, version, entered, left, gone, news })
            }
            1 => Self::Passing(Utf8Bytes::try_from(bytes).ok()?),
            2 => Self::Hint(Version(bytes.try_get_i64().ok()?)),
            3 => Self::Revoked(DeviceId(bytes.try_get_i64().ok()?)),
            4 => Self::Probe,
            5 => Self::Heartbeat(bytes.try_get_u64().ok()?),
            6 => Self::Goodbye(bytes.try_get_u64().ok()?),
            7 => Self::Compare,
            8 => Self::Direct(DeviceId(bytes.try_get_i64().ok()?), Utf8Bytes::try_from(bytes).ok()?),
            9 => Self::Online(bytes.try_get_u64().ok()?),
            10 => {
                let node = bytes.try_get_u64().ok()?;
                Self::Offline(node, bytes.try_get_i64().ok().and_then(Timestamp::from_millis))
            }
            11 => {
                let (user, seq) = (UserId(bytes.try_get_i64().ok()?), Seq(bytes.try_get_i64().ok()?));
                Self::Read(user, seq, Utf8Bytes::try_from(bytes).ok()?)
            }
            12 => Self::Hidden,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    #[test]
    fn parcels_survive_the_bus_and_rubbish_is_refused() {
        let change = Change {
            from: Version(3),
            version: Version(5),
            entered: vec![ChatId(7)],
            left: vec![ChatId(8), ChatId(9)],
            gone: vec![UserId(3)],
            news: News {
                frame: Utf8Bytes::from("{\"event\":\"سلام\"}"),
                own: vec![(UserId(4), Utf8Bytes::from("درود")), (UserId(5), Utf8Bytes::from(""))],
            },
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
            Parcel::Direct(DeviceId(4), "{}".into()),
            Parcel::Online(7),
            Parcel::Offline(7, None),
            Parcel::Offline(7, Timestamp::from_millis(1_700_000_000_000)),
            Parcel::Read(UserId(4), Seq(5), "{}".into()),
            Parcel::Hidden,
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

    fn any_change() -> impl Strategy<Value = Change> {
        let chats = || vec(any::<i64>().prop_map(ChatId), 0..6);
        let users = vec(any::<i64>().prop_map(UserId), 0..6);
        let own = vec((any::<i64>().prop_map(UserId), ".{0,40}".prop_map(Utf8Bytes::from)), 0..3);
        (any::<i64>(), any::<i64>(), chats(), chats(), users, ".{0,40}", own).prop_map(
            |(from, version, entered, left, gone, frame, own)| {
                let news = News { frame: frame.into(), own };
                Change { from: Version(from), version: Version(version), entered, left, gone, news }
            },
        )
    }

    fn any_parcel() -> impl Strategy<Value = Parcel> {
        prop_oneof![
            any_change().prop_map(Parcel::Change),
            ".{0,40}".prop_map(|frame| Parcel::Passing(frame.into())),
            any::<i64>().prop_map(|version| Parcel::Hint(Version(version))),
            any::<i64>().prop_map(|device| Parcel::Revoked(DeviceId(device))),
            Just(Parcel::Probe),
            any::<u64>().prop_map(Parcel::Heartbeat),
            any::<u64>().prop_map(Parcel::Goodbye),
            Just(Parcel::Compare),
            (any::<i64>(), ".{0,40}").prop_map(|(device, frame)| Parcel::Direct(DeviceId(device), frame.into())),
            any::<u64>().prop_map(Parcel::Online),
            (any::<u64>(), proptest::option::of(0..4_000_000_000_000_i64))
                .prop_map(|(node, at)| Parcel::Offline(node, at.and_then(Timestamp::from_millis))),
            (any::<i64>(), any::<i64>(), ".{0,40}").prop_map(|(user, seq, frame)| Parcel::Read(
                UserId(user),
                Seq(seq),
                frame.into()
            )),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_parcel_survives_the_bus(parcel in any_parcel()) {
            prop_assert_eq!(Parcel::decode(parcel.encode()), Some(parcel));
        }

        /// Redis carries whatever somebody publishes there. What is read is what would be written.
        #[test]
        fn any_bytes_are_read_without_a_panic(
            parcel in any_parcel(),
            changes in vec((any::<Index>(), any::<u8>()), 0..4),
            kind in proptest::option::of(0..13_u8),
            cut in any::<Index>(),
            more in vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = parcel.encode().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(kind) = kind {
                bytes[0] = kind;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            bytes.extend(more);
            if let Some(read) = Parcel::decode(bytes.clone().into()) {
                let again = read.encode();
                prop_assert_eq!(Parcel::decode(again.clone()), Some(read));
                // Bytes after those of a known form are room for a later version.
                prop_assert!(bytes.starts_with(&again));
            }
        }
    }
}

//! What is really in a chat, and whether what people were told is true.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
};

use chapar_protocol::{
    Body, ChatId, ChatKind, ChatSnapshot, Item, Member, Message, MyChat, Seq, Version,
    command::{GetChat, History, UserDifference},
    limit,
};

use serde_json::{Value, json};

use super::{
    Device, http,
    model::{Chat, text},
    postgres::Database,
    traffic::Written,
};

/// A chat as the database has it, read through one node, a page at a time.
pub struct Audit {
    pub snapshot: ChatSnapshot,
    pub messages: BTreeMap<Seq, Message>,
    reacted: BTreeMap<Seq, String>,
}

impl Audit {
    /// Reads the whole chat with the token of somebody who is in it. Nobody may be writing.
    pub async fn read(node: SocketAddr, token: &str, chat_id: ChatId) -> Self {
        let snapshot = http::call(node, token, &GetChat { chat_id }).await.expect("a member may read");
        let mut audit = Self { snapshot, messages: BTreeMap::new(), reacted: BTreeMap::new() };
        let mut seq = Seq(1);
        loop {
            let history = History { chat_id, seq, before: 0, after: 200 };
            let page = http::call(node, token, &history).await.expect("a member may read");
            let Some(last) = page.messages.last() else { break };
            seq = last.seq.next();
            let reacted = page.reacted.into_iter().filter_map(|reacted| Some((reacted.seq, reacted.emoji?)));
            audit.reacted.extend(reacted);
            audit.messages.extend(page.messages.into_iter().map(|message| (message.seq, message)));
        }
        audit.check_dense();
        audit
    }

    /// The same, once a channel has told what its counters had left: it tells them once a second.
    pub async fn settled(node: SocketAddr, token: &str, chat_id: ChatId) -> Self {
        loop {
            let audit = Self::read(node, token, chat_id).await;
            if audit.snapshot.chat.kind != ChatKind::Channel {
                return audit;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            if Self::read(node, token, chat_id).await.snapshot.version == audit.snapshot.version {
                return audit;
            }
        }
    }

    fn check_dense(&self) {
        let last = self.snapshot.last_seq.0;
        assert!(self.messages.keys().map(|seq| seq.0).eq(1..=last), "seqs have holes or doubles");
        // The messages of an album come in one change.
        let mut versions = HashMap::new();
        for message in self.messages.values() {
            assert!(message.version <= self.snapshot.version, "a row from the future: {}", message.seq);
            let album = message.body.album();
            let before = versions.insert(message.version, album);
            assert!(
                before.is_none_or(|other| album.is_some() && other == album),
                "version {} was used twice",
                message.version
            );
        }
        let clients: HashSet<_> = self.texts().map(|message| (message.sender, message.client_id)).collect();
        assert_eq!(clients.len(), self.texts().count(), "a client id is there twice");
    }

    fn texts(&self) -> impl Iterator<Item = &Message> {
        self.messages.values().filter(|message| text(message).is_some())
    }

    /// Each acknowledged message is there once, where the sender was told, as it was written; and nothing else is.
    pub fn proves(&self, written: &[Written]) {
        let mut there: HashMap<_, &Message> =
            self.texts().map(|message| ((message.sender, message.client_id), message)).collect();
        for one in written {
            match (there.remove(&(one.sender, one.client_id)), one.acknowledged) {
                (Some(message), acknowledged) => {
                    assert_eq!(text(message), Some(one.text.as_str()));
                    assert!(acknowledged.is_none_or(|seq| seq == message.seq), "{one:?} stands at {}", message.seq);
                }
                (None, Some(_)) => panic!("lost, though acknowledged: {one:?}"),
                (None, None) => {}
            }
        }
        assert!(there.is_empty(), "nobody wrote these: {there:?}");
    }

    /// What the server tells is what the tables hold, row by row.
    pub fn agrees_with(&self, database: &Database) {
        let chat = self.snapshot.chat.id;
        let counters = database.sql(&format!("SELECT seq, version FROM chats WHERE id = {chat}"));
        assert_eq!(counters, format!("{}|{}", self.snapshot.last_seq, self.snapshot.version));
        let rows = database.sql(&format!(
            "SELECT jsonb_build_array(seq, version, sender_id, client_id, body) FROM messages WHERE chat_id = {chat} ORDER BY seq"
        ));
        let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect();
        let told = self.messages.values();
        let told: Vec<Value> = told.map(|m| json!([m.seq, m.version, m.sender, m.client_id, m.body])).collect();
        assert_eq!(told, rows, "chat {chat}");
    }

    /// A device's view of the chat is the database's, as far back as the device holds it.
    pub async fn equals(&self, device: &Device, node: SocketAddr) {
        let chat_id = self.snapshot.chat.id;
        let reacted = Self::read(node, device.token(), chat_id).await.reacted;
        let model = device.model();
        assert!(model.violations.is_empty(), "user {} saw: {:#?}", device.id(), model.violations);
        if self
            .messages
            .values()
            .all(|message| message.edited_at.is_none() && message.reactions.is_empty() && message.body != Body::Deleted)
        {
            let disorder: Vec<_> = model.disorder.iter().filter(|(chat, _)| *chat == chat_id).collect();
            assert!(disorder.is_empty(), "user {} saw: {disorder:#?}", device.id());
        }
        // A snapshot names no more than so many.
        let calls = |it: &&Message| it.calls(device.id()) && self.snapshot.chat.kind == ChatKind::Group;
        let read = model.mine.get(&chat_id).map_or(Seq(0), |mine| mine.read_seq);
        let unread: Vec<Seq> =
            self.messages.values().filter(calls).map(|it| it.seq).filter(|seq| *seq > read).collect();
        if unread.len() <= limit::MENTIONS_TOLD {
            assert_eq!(model.unread_mentions(chat_id), unread, "unread mentions of user {}", device.id());
        }
        let chat = &model.chats.get(&chat_id).unwrap_or_else(|| panic!("user {} lacks {chat_id}", device.id()));
        self.compare(chat, &reacted);
    }

    fn compare(&self, chat: &Chat, reacted: &BTreeMap<Seq, String>) {
        assert_eq!(chat.version, self.snapshot.version);
        assert_eq!(chat.info.as_ref(), Some(&self.snapshot.chat));
        let held: Vec<&Message> = chat.messages.values().collect();
        let real: Vec<&Message> = self.messages.range(chat.first..).map(|(_, message)| message).collect();
        assert_eq!(held, real);
        let own: Vec<_> = chat.reacted.iter().collect();
        // Own reactions come with changes of their messages. In a channel one may be stored, and its event lost, when the post is deleted, which
        // changes no more: that one may be missing, and no other.
        let may_be_missing = |it: &(&Seq, &String)| {
            self.snapshot.chat.kind == ChatKind::Channel
                && self.messages.get(it.0).is_some_and(|message| message.body == Body::Deleted)
        };
        let real: Vec<_> = reacted.range(chat.first..).filter(|it| own.contains(it) || !may_be_missing(it)).collect();
        assert_eq!(own, real, "own reactions");
        if self.snapshot.chat.kind != ChatKind::Channel {
            let standing = |it: &Member| (it.user_id, it.role, it.rights.clone(), it.denied.clone(), it.denied_until);
            let held: Vec<_> = chat.members.values().map(standing).collect();
            let mut real: Vec<_> = self.snapshot.members().map(standing).collect();
            real.sort_by_key(|it| it.0);
            assert_eq!(held, real, "members");
        }
    }
}

/// Every device ends up with what the database has, without being reconnected.
pub async fn all_equal(node: SocketAddr, chat_id: ChatId, devices: &[Device]) -> Audit {
    let audit = Audit::settled(node, devices[0].token(), chat_id).await;
    for device in devices {
        device.reaches(chat_id, audit.snapshot.version).await;
        audit.equals(device, node).await;
    }
    audit
}

/// Everything that a device knows is what the database has: which chats it is in, and all that is in them.
pub async fn knows_everything(device: &Device, node: SocketAddr) {
    let real = http::call(node, device.token(), &UserDifference { from: Version(0) }).await.expect("own things");
    device.until("the own chats to be complete", |model| model.user_version >= real.version && model.settled()).await;
    let own = |chats: &mut dyn Iterator<Item = &MyChat>| -> BTreeMap<ChatId, MyChat> {
        chats.filter(|mine| mine.role.is_some()).map(|mine| (mine.chat_id, mine.clone())).collect()
    };
    let real = own(&mut real.items.iter().filter_map(Item::chat));
    {
        let model = device.model();
        assert_eq!(own(&mut model.mine.values()), real, "the own chats of user {}", device.id());
        let held: Vec<ChatId> = model.chats.keys().copied().collect();
        assert!(held.iter().eq(real.keys()), "user {} holds chats {held:?} and is in {:?}", device.id(), real.keys());
    }
    for chat in real.into_keys() {
        let audit = Audit::settled(node, device.token(), chat).await;
        device.reaches(chat, audit.snapshot.version).await;
        audit.equals(device, node).await;
    }
}

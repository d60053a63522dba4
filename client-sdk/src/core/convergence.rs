//! Whatever the network does, the client ends with the server's state.
//!
//! A model of the server makes random changes; a model of the network drops, doubles and reorders events, delays
//! answers and breaks connections. Afterwards everything is delivered and both sides are compared.
//! proptest prints the failing input and its seed, and keeps it under `proptest-regressions/`.

mod table;

use std::collections::BTreeMap;

use chapar_protocol::{
    ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, ChatSnapshot, ChatSync, Epoch, ErrorCode, Event, Item, Member,
    Message, MyChat, Reacted, ReactionCount, Role, Seq, Sync, Timestamp, User, UserDelta, UserId, Version, WireError,
    command::{Difference, Differences, Hello, Send, Sent, UserDifference, Welcome},
    event::Read,
    frame::{self, RawRequest},
    message::{Body, NewBody},
};
use proptest::prelude::*;
use uuid::Uuid;

use self::table::{Table, member, moment};
use super::{Config, Input, Millis, Output, Session, outbox::OutboxItem, phase::Phase, saved::Saved};

const ME: UserId = UserId(1);
const OTHER: UserId = UserId(2);
/// Rows in an answer of the model, so small that `more` is common.
const PAGE: usize = 3;
/// Versions behind which the model answers with a snapshot, so few that snapshots are common.
const FAR: i64 = 12;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Somebody else writes `count` messages, committed together.
    Write {
        chat: u8,
        count: u8,
    },
    Edit {
        chat: u8,
        message: u8,
    },
    /// Me on another device, or somebody else.
    React {
        chat: u8,
        message: u8,
        mine: bool,
        set: bool,
    },
    Rename {
        chat: u8,
    },
    OtherReads {
        chat: u8,
        message: u8,
    },
    IRead {
        chat: u8,
        message: u8,
    },
    /// Joins, or leaves.
    Membership {
        chat: u8,
    },
    Send {
        chat: u8,
    },
    /// The server reads and answers what the client wrote.
    Serve,
    /// One of the waiting frames arrives.
    Deliver {
        which: u8,
    },
    /// One of the waiting events is lost, or comes twice.
    Drop {
        which: u8,
    },
    Double {
        which: u8,
    },
    Break,
    Refuse,
    Wait {
        millis: u16,
    },
    /// The database of the people, or that of the chats, comes back from an older copy.
    Restore {
        cut: u8,
        people: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let small = 0..3_u8;
    prop_oneof![
        4 => (small.clone(), 1..4_u8).prop_map(|(chat, count)| Op::Write { chat, count }),
        2 => (small.clone(), any::<u8>()).prop_map(|(chat, message)| Op::Edit { chat, message }),
        2 => (small.clone(), any::<u8>(), any::<bool>(), any::<bool>())
            .prop_map(|(chat, message, mine, set)| Op::React { chat, message, mine, set }),
        1 => small.clone().prop_map(|chat| Op::Rename { chat }),
        1 => (small.clone(), any::<u8>()).prop_map(|(chat, message)| Op::OtherReads { chat, message }),
        1 => (small.clone(), any::<u8>()).prop_map(|(chat, message)| Op::IRead { chat, message }),
        1 => small.clone().prop_map(|chat| Op::Membership { chat }),
        3 => small.prop_map(|chat| Op::Send { chat }),
        6 => Just(Op::Serve),
        12 => any::<u8>().prop_map(|which| Op::Deliver { which }),
        1 => any::<u8>().prop_map(|which| Op::Drop { which }),
        1 => any::<u8>().prop_map(|which| Op::Double { which }),
        1 => Just(Op::Break),
        1 => Just(Op::Refuse),
        3 => (1..3_000_u16).prop_map(|millis| Op::Wait { millis }),
        1 => (0..16_u8, any::<bool>()).prop_map(|(cut, people)| Op::Restore { cut, people }),
    ]
}

#[expect(clippy::struct_excessive_bools, reason = "a test's switches, each on its own")]
struct World {
    client: Session,
    now: Millis,
    seed: u64,
    connected: bool,
    wants: bool,
    to_server: Vec<String>,
    /// Frames on their way, and whether they are events.
    to_client: Vec<(bool, String)>,
    greeted: bool,
    /// The history of the database of the people, and of that of the chats.
    epochs: [u32; 2],
    tables: BTreeMap<ChatId, Table>,
    own_version: Version,
    own: BTreeMap<ChatId, MyChat>,
    /// Messages that the client was given, in order.
    given: BTreeMap<ChatId, Vec<Uuid>>,
    made: u128,
    restored: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let client = Session::new(Config { window: 40, ..Config::default() }, "token".into(), Saved::default());
        let mut world = Self {
            client,
            now: 0,
            seed,
            connected: false,
            wants: false,
            to_server: vec![],
            to_client: vec![],
            greeted: false,
            epochs: [1, 1],
            tables: BTreeMap::new(),
            own_version: Version(0),
            own: BTreeMap::new(),
            given: BTreeMap::new(),
            made: 0,
            restored: false,
        };
        for id in 1..=3 {
            world.tables.insert(ChatId(id), Table::new(ChatId(id)));
            world.set_own(ChatId(id), Some(Role::Member), Seq(0));
        }
        world.input(Input::Tick);
        world
    }

    fn chat(chat: u8) -> ChatId {
        ChatId(i64::from(chat % 3) + 1)
    }

    fn input(&mut self, input: Input<'_>) {
        let seed = &mut self.seed;
        let mut dice = |bound: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % bound
        };
        self.client.handle(self.now, &mut dice, input);
        for output in self.client.take() {
            match output {
                Output::Connect => self.wants = true,
                Output::Write(frame) => self.to_server.push(frame),
                Output::Disconnect(_) => self.cut(),
                Output::Store(item) => self.input(Input::Stored { client_id: item.client_id, ok: true }),
                Output::Unstore(_)
                | Output::Upload(_)
                | Output::EndUpload(..)
                | Output::Answer { .. }
                | Output::Tell(_) => {}
            }
        }
    }

    fn cut(&mut self) {
        self.connected = false;
        self.greeted = false;
        self.to_server.clear();
        self.to_client.clear();
    }

    fn tell(&mut self, event: &Event) {
        if self.greeted {
            self.to_client.push((true, frame::event(event)));
        }
    }

    fn set_own(&mut self, chat_id: ChatId, role: Option<Role>, read_seq: Seq) {
        let from = self.own_version;
        self.own_version = from.next();
        let mine = MyChat { chat_id, role, read_seq, request: false, version: self.own_version };
        self.own.insert(chat_id, mine.clone());
        self.tell(&Event::Me(UserDelta::of(from, vec![Item::Chat(mine)])));
    }

    fn inside(&self, chat_id: ChatId) -> bool {
        self.own.get(&chat_id).is_some_and(|mine| mine.role.is_some())
    }

    fn change(&mut self, chat_id: ChatId, change: impl FnOnce(&mut Table)) {
        let table = self.tables.get_mut(&chat_id).expect("a chat");
        let from = table.version;
        change(table);
        let (delta, _) = table.delta(from, usize::MAX, None);
        if table.version > from && self.inside(chat_id) {
            self.tell(&Event::Delta(delta));
        }
    }

    fn user_delta(&self, from: Version) -> UserDelta {
        let chats = self.own.values().filter(|mine| mine.version > from && (from.0 > 0 || mine.role.is_some()));
        let items = chats.cloned().map(Item::Chat).collect();
        UserDelta { from, version: self.own_version, items, more: false }
    }

    fn welcome(&self, hello: &Hello) -> Welcome {
        let epochs = [Epoch::PEOPLE, Epoch::CHATS].into_iter().zip(self.epochs);
        let epochs: Vec<_> = epochs.map(|(database, it)| Epoch(database.to_owned(), it.to_string())).collect();
        let known = |epoch: &Epoch| hello.resume.as_ref().filter(|it| it.epochs.contains(epoch));
        let cursors = known(&epochs[1]);
        let cursor = |id: ChatId| cursors.and_then(|it| it.chats.iter().find(|cursor| cursor.0 == id));
        let user = self.user_delta(known(&epochs[0]).map_or(Version(0), |it| it.user_version));
        let reset = epochs.iter().filter(|it| known(it).is_none()).map(|it| it.0.clone()).collect();
        let mut sync = Sync { epochs, reset, user, chats: vec![], behind: vec![], others_read: vec![] };
        for (id, table) in self.tables.iter().filter(|(id, _)| self.inside(**id)) {
            let mine = cursor(*id).map_or(Version(0), |cursor| cursor.1);
            if mine < table.version {
                // Some do not fit.
                if (id.0 + table.version.0) % 3 == 0 {
                    sync.behind.push(*id);
                } else {
                    sync.chats.push(table.sync(mine));
                }
            }
            let read = table.reads.get(&OTHER).copied().unwrap_or_default();
            if cursor(*id).is_some_and(|cursor| cursor.2 < read) {
                sync.others_read.push((*id, read));
            }
        }
        let user = User { id: ME, handle: "sara".into(), name: "Sara".into(), photo: None };
        Welcome { user, device_id: chapar_protocol::DeviceId(1), server_time: moment(1), heartbeat_seconds: 30, sync }
    }

    fn not_found<T>() -> Result<T, WireError> {
        Err(WireError::new(ErrorCode::ChatNotFound, "no such chat"))
    }

    fn serve(&mut self) {
        for text in std::mem::take(&mut self.to_server) {
            let request = RawRequest::parse(&text).expect("a request");
            let reply = match request.method.as_ref() {
                "hello" => {
                    self.greeted = true;
                    let welcome = self.welcome(&request.params::<Hello>().expect("fits"));
                    frame::reply(request.id, &Ok(welcome))
                }
                "difference" => {
                    let ask: Difference = request.params().expect("fits");
                    let mut answer = Differences { chats: Vec::new(), behind: Vec::new(), gone: Vec::new() };
                    for (chat, from) in ask.chats {
                        // Now and then there is no room for more.
                        self.made += 1;
                        if !self.inside(chat) {
                            answer.gone.push(chat);
                        } else if !answer.chats.is_empty() && self.made.is_multiple_of(3) {
                            answer.behind.push(chat);
                        } else {
                            answer.chats.push(self.tables[&chat].sync(from));
                        }
                    }
                    frame::reply(request.id, &Ok(answer))
                }
                "user_difference" => {
                    let ask: UserDifference = request.params().expect("fits");
                    frame::reply(request.id, &Ok(self.user_delta(ask.from)))
                }
                "send" => {
                    let answer = self.send(request.params().expect("fits"));
                    frame::reply(request.id, &answer)
                }
                other => panic!("unexpected {other}"),
            };
            self.to_client.push((false, reply));
        }
    }

    fn send(&mut self, send: Send) -> Result<Sent, WireError> {
        if !self.inside(send.chat_id) {
            return Self::not_found();
        }
        // Now and then the database does not answer, before or after it has stored the message.
        self.made += 1;
        if self.made.is_multiple_of(5) {
            return Err(WireError::new(ErrorCode::Unavailable, "unknown").after_ms(50));
        }
        let known = self.tables[&send.chat_id].messages.values().any(|it| it.client_id == send.client_id);
        if !known {
            let NewBody::Text(text) = send.body else { unreachable!("texts alone are sent here") };
            self.change(send.chat_id, |table| {
                table.write(ME, send.client_id, Body::Text(text));
            });
        }
        if self.made.is_multiple_of(7) {
            return Err(WireError::new(ErrorCode::Unavailable, "unknown").after_ms(50));
        }
        let message = self.tables[&send.chat_id].messages.values().find(|it| it.client_id == send.client_id);
        let message = message.expect("stored");
        Ok(Sent { seq: message.seq, version: message.version, sent_at: message.sent_at })
    }

    fn deliver(&mut self, which: usize) {
        if self.to_client.is_empty() {
            return;
        }
        let (_, frame) = self.to_client.remove(which % self.to_client.len());
        self.input(Input::Frame(&frame));
    }

    fn event(&self, which: u8) -> Option<usize> {
        let events: Vec<_> = self.to_client.iter().enumerate().filter(|(_, it)| it.0).map(|(index, _)| index).collect();
        (!events.is_empty()).then(|| events[usize::from(which) % events.len()])
    }

    fn open(&mut self) {
        if std::mem::take(&mut self.wants) {
            self.connected = true;
            self.input(Input::Opened);
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of short cases")]
    fn op(&mut self, op: Op) {
        match op {
            Op::Write { chat, count } => {
                self.made += 1;
                let made = self.made;
                self.change(Self::chat(chat), |table| {
                    for number in 0..count {
                        let client_id = Uuid::from_u128((made << 64) + u128::from(number) + 1);
                        table.write(OTHER, client_id, Body::text(format!("{made}.{number}")));
                    }
                });
            }
            Op::Edit { chat, message } => self.change(Self::chat(chat), |table| {
                let Some(seq) = table.pick(message) else { return };
                table.version = table.version.next();
                let (version, row) = (table.version, table.messages.get_mut(&seq).expect("there"));
                row.body = Body::text(format!("edited at {version}"));
                row.version = version;
            }),
            Op::React { chat, message, mine, set } => self.change(Self::chat(chat), |table| {
                let Some(seq) = table.pick(message) else { return };
                table.set_reacted(seq, if mine { ME } else { OTHER }, set.then(|| "👍".to_owned()));
            }),
            Op::Rename { chat } => self.change(Self::chat(chat), |table| {
                table.version = table.version.next();
                table.info.version = table.version;
                table.info.title = Some(table.version.to_string());
            }),
            Op::OtherReads { chat, message } => {
                let chat_id = Self::chat(chat);
                let table = self.tables.get_mut(&chat_id).expect("a chat");
                let Some(seq) = table.pick(message) else { return };
                let mark = table.reads.entry(OTHER).or_default();
                *mark = seq.max(*mark);
                if self.inside(chat_id) {
                    self.tell(&Event::Read(Read { chat_id, user_id: OTHER, seq }));
                }
            }
            Op::IRead { chat, message } => {
                let chat_id = Self::chat(chat);
                if let (Some(seq), true) = (self.tables[&chat_id].pick(message), self.inside(chat_id)) {
                    let seq = seq.max(self.own[&chat_id].read_seq);
                    self.set_own(chat_id, Some(Role::Member), seq);
                }
            }
            Op::Membership { chat } => {
                let chat_id = Self::chat(chat);
                let role = (!self.inside(chat_id)).then_some(Role::Member);
                let read_seq = self.own[&chat_id].read_seq;
                // Coming: first in, then told. Going: told as well, then out.
                let change = |table: &mut Table| {
                    table.version = table.version.next();
                    table.members.insert(ME, member(ME, table.version, role));
                };
                if role.is_none() {
                    self.change(chat_id, change);
                    self.set_own(chat_id, role, read_seq);
                } else {
                    self.set_own(chat_id, role, read_seq);
                    self.change(chat_id, change);
                }
            }
            Op::Send { chat } => {
                self.made += 1;
                let (chat_id, client_id) = (Self::chat(chat), Uuid::from_u128(self.made << 64));
                self.given.entry(chat_id).or_default().push(client_id);
                let body = NewBody::text(format!("mine {}", self.made));
                self.input(Input::Send { ticket: 0, item: OutboxItem::new(client_id, chat_id, body, None) });
            }
            Op::Serve => self.serve(),
            Op::Deliver { which } => self.deliver(usize::from(which)),
            Op::Drop { which } => {
                if let Some(index) = self.event(which) {
                    self.to_client.remove(index);
                }
            }
            Op::Double { which } => {
                if let Some(index) = self.event(which) {
                    self.to_client.push(self.to_client[index].clone());
                }
            }
            Op::Break if self.connected => {
                self.cut();
                self.input(Input::Lost { code: None, reason: "test" });
            }
            Op::Refuse if self.wants => {
                self.wants = false;
                self.input(Input::Lost { code: None, reason: "test" });
            }
            Op::Break | Op::Refuse => self.open(),
            Op::Wait { millis } => {
                self.now += Millis::from(millis);
                self.input(Input::Alive);
                self.open();
            }
            Op::Restore { cut, people } => {
                if cut > 4 {
                    return;
                }
                if people {
                    self.restore_people(cut);
                } else {
                    self.restored = true;
                    self.epochs[1] += 1;
                    self.tables.values_mut().for_each(|table| table.restore(cut));
                }
                self.cut();
                self.input(Input::Lost { code: Some(4006), reason: "test" });
            }
        }
    }

    /// Versions are counted anew, and one chat was joined, or left, after the copy was made.
    fn restore_people(&mut self, cut: u8) {
        self.epochs[0] += 1;
        let mut version = Version(0);
        for mine in self.own.values_mut() {
            version = version.next();
            mine.version = version;
        }
        self.own_version = version;
        let mine = self.own.get_mut(&Self::chat(cut)).expect("a chat");
        mine.role = if mine.role.is_some() { None } else { Some(Role::Member) };
    }

    /// Delivers everything, in order, until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..20_000 {
            self.open();
            self.serve();
            if self.to_client.is_empty() {
                let busy = self.client.outbox().any(|(_, state)| matches!(state, super::SendState::Waiting { .. }));
                if matches!(self.client.phase(), Phase::Live { .. }) && !busy && self.client.in_step() {
                    return;
                }
                self.now += 100;
                self.input(Input::Alive);
            } else {
                self.deliver(0);
            }
        }
        panic!("it never comes to rest: {:?}, in step {}", self.client.phase(), self.client.in_step());
    }

    fn compare(&self, reads: bool) {
        let own: BTreeMap<_, _> = self.own.iter().filter(|(_, mine)| mine.role.is_some()).collect();
        assert_eq!(self.client.own().chats.iter().collect::<BTreeMap<_, _>>(), own, "the own things");
        for chat_id in own.keys() {
            let (table, chat) = (&self.tables[chat_id], &self.client.chats()[chat_id]);
            assert_eq!((chat.version, chat.last_seq), (table.version, table.last_seq()), "chat {chat_id}");
            assert_eq!(chat.info, table.info);
            let rows: Vec<_> = table.messages.range(chat.first..).map(|(_, row)| row).collect();
            assert_eq!(chat.messages.values().collect::<Vec<_>>(), rows, "the messages of chat {chat_id}");
            let reacted = table.reacted.values().filter(|it| it.seq >= chat.first && it.user_id == ME);
            let reacted: BTreeMap<_, _> = reacted.filter_map(|it| Some((it.seq, it.emoji.clone()?))).collect();
            assert_eq!(chat.reacted, reacted, "the own reactions in chat {chat_id}");
            let members: Vec<_> = table.members.values().filter(|it| it.role.is_some()).map(|it| it.user_id).collect();
            assert_eq!(chat.members.keys().copied().collect::<Vec<_>>(), members);
            if reads {
                assert_eq!(chat.others_read, table.reads.get(&OTHER).copied().unwrap_or_default(), "read marks");
            }
        }
        for (chat_id, given) in &self.given {
            let stored = self.tables[chat_id].messages.values().filter(|it| it.sender == ME).map(|it| it.client_id);
            let stored: Vec<_> = stored.collect();
            let in_order: Vec<_> = given.iter().filter(|it| stored.contains(it)).copied().collect();
            assert_eq!(stored, in_order, "own messages stand in the order in which they were given");
            let failed = |id: &Uuid| self.client.outbox().any(|(item, _)| item.client_id == *id);
            let lost: Vec<_> = given.iter().filter(|id| !stored.contains(id) && !failed(id)).collect();
            assert!(self.restored || lost.is_empty(), "lost: {lost:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn every_network_ends_in_the_servers_state(ops in prop::collection::vec(op(), 1..150), seed: u64, resume: bool) {
        let mut world = World::new(seed);
        world.open();
        for op in ops {
            world.op(op);
        }
        if resume {
            world.op(Op::Break);
        } else {
            // No event after the last one may be lost, or nobody could know of it.
            world.settle();
            for chat in 0..3 {
                world.op(Op::Rename { chat });
                world.op(Op::Membership { chat });
            }
        }
        world.settle();
        world.compare(resume);
    }
}

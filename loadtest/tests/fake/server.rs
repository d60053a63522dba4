//! A server in memory that speaks just enough of the protocol, and lies when told to.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use chapar_protocol::{
    Body, ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, ChatSnapshot, ChatSync, DeviceId, Epoch, ErrorCode, Event,
    Message, SUBPROTOCOL, Seq, Sync, Timestamp, User, UserDelta, UserId, Version, WireError,
    account::{BulkUsers, BulkUsersMade, SignedIn},
    command::{
        AddMembers, Changed, CreateChat, Difference, Differences, GetChat, Hello, History, OpenDirect, Page, Send,
        Sent, Welcome,
    },
    event::Drain,
    frame::{self, RawRequest},
    message::NewBody,
};
use serde::Serialize;
use tungstenite::handshake::server::{Request, Response};

/// What the server does wrong, or what goes wrong around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Cuts all connections at the 60th message, once, before it is acknowledged.
    Cut,
    /// Says `drain` at the 60th message, once.
    Drain,
    /// Does not deliver each 20th delta to one reader.
    DropDeltas,
    /// Answers each 20th first try with a retryable error.
    Overload,
    /// Refuses each 20th message, and keeps its word.
    Refuse,
    /// Refuses each 20th message, and stores it all the same.
    RefuseButStore,
    /// Acknowledges each 20th message and forgets it.
    Forget,
    /// Gives each 20th message a text of its own.
    ChangeText,
    /// Stores each 20th message twice.
    StoreTwice,
    /// Leaves a version out before each 20th message.
    SkipVersion,
    /// Never delivers to one reader, who asks nothing as no later delta shows the gap.
    StopDelivering,
    /// Acknowledges with a wrong seq.
    WrongAcknowledgement,
}

struct Chat {
    info: ChatInfo,
    members: Vec<UserId>,
    version: i64,
    messages: Vec<Message>,
}

#[derive(Default)]
struct State {
    users: Vec<User>,
    chats: Vec<Chat>,
    made: HashMap<(ChatId, UserId, uuid::Uuid), usize>,
    connections: Vec<(UserId, TcpStream)>,
    sends: u64,
    cut: bool,
}

#[derive(Clone)]
struct Server {
    state: Arc<Mutex<State>>,
    fault: Fault,
}

/// Starts one on a free port and returns its URL. It lives as long as the process.
pub(crate) fn start(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = Server { state: Arc::default(), fault };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = server.clone();
            std::thread::spawn(move || server.connection(stream));
        }
    });
    url
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }

    fn connection(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut first = [0; 4];
        while stream.peek(&mut first).is_ok_and(|count| count < 4) {}
        let _ = if &first == b"GET " { self.websocket(stream) } else { self.http(&stream) };
    }

    fn http(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut line, mut length, mut token) = (String::new(), 0, String::new());
            reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                let Some((name, value)) = header.trim().split_once(": ") else { break };
                match name {
                    "Content-Length" => length = value.parse().ok()?,
                    "Authorization" => token = value.replace("Bearer ", ""),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let body = String::from_utf8(body).ok()?;
            let answer = self.call(path.rsplit('/').next()?, &token, &body);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            (&mut &*stream).write_all(format!("{head}{answer}").as_bytes()).ok()?;
        }
    }

    fn call(&self, method: &str, token: &str, body: &str) -> String {
        let mut state = self.state();
        let me = UserId(token.parse().unwrap_or(0));
        match method {
            "users" => {
                let wanted: BulkUsers = parse(body);
                let users = (0..wanted.count).map(|_| state.user()).collect();
                json(&BulkUsersMade { users })
            }
            "open_direct" => {
                let it: OpenDirect = parse(body);
                let mut both = vec![me, it.user_id];
                both.sort_unstable();
                match state.chats.iter().find(|chat| chat.info.kind == ChatKind::Direct && chat.members == both) {
                    Some(there) => json(&there.snapshot()),
                    None => json(&state.chat(ChatKind::Direct, both)),
                }
            }
            "create_chat" => {
                let it: CreateChat = parse(body);
                json(&state.chat(it.kind, std::iter::once(me).chain(it.members).collect()))
            }
            "add_members" => {
                let it: AddMembers = parse(body);
                let chat = state.find(it.chat_id);
                chat.members.extend(it.user_ids);
                chat.version += 1;
                json(&Changed { version: Version(chat.version) })
            }
            "get_chat" => json(&state.find(parse::<GetChat>(body).chat_id).snapshot()),
            "history" => json(&self.history(&mut state, &parse(body))),
            other => panic!("a fake server has no {other}"),
        }
    }

    fn history(&self, state: &mut State, it: &History) -> Page {
        let chat = state.find(it.chat_id);
        let from = chat.messages.iter().filter(|message| message.seq >= it.seq);
        let mut messages: Vec<Message> = from.take(it.after as usize).cloned().collect();
        if self.fault == Fault::Forget {
            messages.retain(|message| message.seq.0 % 20 != 0);
        }
        let last_seq = chat.messages.last().map_or(Seq(0), |it| it.seq);
        Page { messages, reacted: Vec::new(), voted: Vec::new(), version: Version(chat.version), last_seq }
    }

    fn websocket(&self, stream: TcpStream) -> Option<()> {
        let writer = stream.try_clone().ok()?;
        let mut socket = tungstenite::accept_hdr(stream, choose).ok()?;
        let mut me = UserId(0);
        loop {
            let message = socket.read().ok()?;
            let Ok(text) = message.to_text() else { continue };
            let Ok(request) = RawRequest::parse(text) else { continue };
            let mut state = self.state();
            let answer = match request.method.as_ref() {
                "hello" => {
                    let hello: Hello = request.params().expect("fits");
                    me = UserId(hello.token.parse().expect("a fake token"));
                    state.connections.push((me, writer.try_clone().ok()?));
                    frame::reply(request.id, &Ok(state.welcome(me, &hello)))
                }
                "difference" => {
                    let it: Difference = request.params().expect("fits");
                    let chats = it.chats.into_iter().map(|(chat, from)| state.find(chat).difference(from)).collect();
                    frame::reply(request.id, &Ok(Differences { chats, behind: Vec::new(), gone: Vec::new() }))
                }
                "send" => match self.send(&mut state, me, &request.params().expect("fits")) {
                    Some(outcome) => frame::reply(request.id, &outcome),
                    None => return None,
                },
                other => panic!("a fake server has no {other}"),
            };
            put(&writer, &answer);
        }
    }

    /// `None` when the connection was cut instead.
    fn send(&self, state: &mut State, me: UserId, it: &Send) -> Option<Result<Sent, WireError>> {
        state.sends += 1;
        let key = (it.chat_id, me, it.client_id);
        let known = state.made.get(&key).copied();
        // Not the very last message of a run, which has no later one to show a gap.
        let each_20th = state.sends % 20 == 10;
        if state.sends == 60 && self.fault == Fault::Drain {
            for (_, connection) in &state.connections {
                put(connection, &frame::event(&Event::Drain(Drain { reconnect_after_ms: 50 })));
            }
        }
        if each_20th && known.is_none() && self.fault == Fault::Overload {
            return Some(Err(WireError::new(ErrorCode::Overloaded, "later").after_ms(5)));
        }
        let refuse = each_20th && matches!(self.fault, Fault::Refuse | Fault::RefuseButStore);
        if refuse && self.fault == Fault::Refuse {
            return Some(Err(WireError::new(ErrorCode::Forbidden, "no")));
        }
        let index = known.unwrap_or_else(|| {
            let copies = if each_20th && self.fault == Fault::StoreTwice { 2 } else { 1 };
            let index = state.find(it.chat_id).messages.len();
            for _ in 0..copies {
                self.store(state, me, it, each_20th);
            }
            index
        });
        state.made.insert(key, index);
        if state.sends >= 60 && self.fault == Fault::Cut && !std::mem::replace(&mut state.cut, true) {
            for (_, connection) in state.connections.drain(..) {
                let _ = connection.shutdown(Shutdown::Both);
            }
            return None;
        }
        if refuse {
            return Some(Err(WireError::new(ErrorCode::Forbidden, "no")));
        }
        let message = &state.find(it.chat_id).messages[index];
        let wrong = i64::from(each_20th && self.fault == Fault::WrongAcknowledgement);
        Some(Ok(Sent { seq: Seq(message.seq.0 + wrong), version: message.version, sent_at: message.sent_at }))
    }

    fn store(&self, state: &mut State, me: UserId, it: &Send, each_20th: bool) {
        let chat = state.find(it.chat_id);
        let from = Version(chat.version);
        chat.version += if each_20th && self.fault == Fault::SkipVersion { 2 } else { 1 };
        let seq = chat.messages.last().map_or(Seq(2), |it| it.seq.next());
        let sent_at = Timestamp::from_millis(0).expect("in range");
        let mut message = Message::new(seq, Version(chat.version), me, it.client_id, sent_at, stored(&it.body));
        if each_20th && self.fault == Fault::ChangeText {
            message.body = Body::text("something else");
        }
        chat.messages.push(message.clone());
        let delta = chat.delta(from, vec![message]);
        let members = chat.members.clone();
        let event = frame::event(&Event::Delta(delta));
        for (user, connection) in &state.connections {
            let deaf = user.0 == 1
                && match self.fault {
                    Fault::DropDeltas => each_20th,
                    Fault::StopDelivering => true,
                    _ => false,
                };
            if members.contains(user) && !deaf {
                put(connection, &event);
            }
        }
    }
}

impl State {
    fn user(&mut self) -> SignedIn {
        let id = i64::try_from(self.users.len()).expect("few") + 1;
        let user = User { id: UserId(id), handle: format!("user_{id}"), name: String::new(), photo: None };
        self.users.push(user.clone());
        SignedIn { token: id.to_string(), user, device_id: DeviceId(id) }
    }

    /// A new chat begins at seq 1 and version 3, so that nothing can rely on 0.
    fn chat(&mut self, kind: ChatKind, members: Vec<UserId>) -> ChatSnapshot {
        let id = ChatId(i64::try_from(self.chats.len()).expect("few") + 100);
        let created_at = Timestamp::from_millis(0).expect("in range");
        let (version, rights, member_count) = (Version(3), Vec::new(), None);
        let (title, handle, description, photo, pinned) = (None, None, None, None, Vec::new());
        let info = ChatInfo {
            id,
            version,
            kind,
            title,
            handle,
            created_at,
            rights,
            member_count,
            description,
            photo,
            pinned,
            slow_seconds: 0,
            settings: chapar_protocol::ChatSettings::default(),
            discussion: None,
        };
        self.chats.push(Chat { info, members, version: 3, messages: Vec::new() });
        self.find(id).snapshot()
    }

    fn find(&mut self, id: ChatId) -> &mut Chat {
        self.chats.iter_mut().find(|it| it.info.id == id).expect("a chat that exists")
    }

    fn welcome(&self, me: UserId, hello: &Hello) -> Welcome {
        let chats = self.chats.iter().filter(|it| it.members.contains(&me)).map(|chat| {
            let resume = hello.resume.as_ref().and_then(|it| it.chats.iter().find(|it| it.0 == chat.info.id));
            chat.difference(resume.map_or(Version(0), |it| it.1))
        });
        let both = [Epoch::PEOPLE, Epoch::CHATS];
        Welcome {
            user: self.users[usize::try_from(me.0 - 1).expect("positive")].clone(),
            device_id: DeviceId(me.0),
            server_time: Timestamp::from_millis(0).expect("in range"),
            heartbeat_seconds: 30,
            sync: Sync {
                epochs: both.map(|it| Epoch(it.to_owned(), "one".to_owned())).to_vec(),
                reset: both.map(str::to_owned).into_iter().filter(|_| hello.resume.is_none()).collect(),
                user: UserDelta { from: Version(0), version: Version(1), items: Vec::new(), more: false },
                chats: chats.collect(),
                behind: Vec::new(),
                others_read: Vec::new(),
            },
        }
    }
}

impl Chat {
    fn snapshot(&self) -> ChatSnapshot {
        ChatSnapshot {
            chat: self.info.clone(),
            version: Version(self.version),
            last_seq: self.messages.last().map_or(Seq(1), |it| it.seq),
            rows: Vec::new(),
            mentions: Vec::new(),
        }
    }

    fn delta(&self, from: Version, messages: Vec<Message>) -> ChatDelta {
        let rows = messages.into_iter().map(ChatRow::Message).collect();
        ChatDelta { chat_id: self.info.id, from, version: Version(self.version), rows }
    }

    fn difference(&self, from: Version) -> ChatSync {
        if from.0 == 0 {
            return ChatSync::Snapshot { snapshot: self.snapshot() };
        }
        let messages = self.messages.iter().filter(|it| it.version > from).cloned().collect();
        ChatSync::Delta { delta: self.delta(from, messages), more: false }
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> T {
    serde_json::from_str(body).expect("fits")
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("serialises")
}

/// Writes an unmasked text frame. All writers hold the state's lock.
fn put(mut stream: &TcpStream, text: &str) {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(short) if short < 126 => frame.push(u8::try_from(short).expect("short")),
        Ok(medium) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    let _ = stream.write_all(&frame);
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the signature that tungstenite asks for")]
fn choose(_: &Request, mut response: Response) -> Result<Response, tungstenite::handshake::server::ErrorResponse> {
    response.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().expect("a header value"));
    Ok(response)
}

/// What a real server would keep of a body without a file.
fn stored(new: &NewBody) -> Body {
    match new {
        NewBody::Text(text) => Body::Text(text.clone()),
        other => panic!("the load test sends texts, not {other:?}"),
    }
}

//! The chat itself: lines and events in, lines out.

mod files;
mod later;
mod places;
mod polls;

use std::{
    collections::HashMap,
    error::Error,
    time::{Duration, Instant},
};

use chapar_client::{
    Client, ClientEvent, Connection, SendState,
    protocol::{
        ChatId, ChatKind, ChatSnapshot, FileKind, InviteId, Message, Seq, UserId, command::SetInvite, message::NewBody,
    },
    view::MessageView,
};

use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    bidi::Bidi,
    show::{self, Show},
    terminal::{self, Screen, Typed},
};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const HELP: &str = "\
/open @handle            the chat with a person        /open 12     a chat by its number
/chats                   all chats                     /who         who is here
/group Title @a @b       a new group                   /channel Title [@handle]
/join @handle            join a public chat, or by an invite link    /leave   leave this one
/invite                  a new invite link of this chat
/add @a @b               add people                    /history [n] older messages
/reply N text            answer                        /edit N text change your message
/delete N …              delete for all                /react N 👍  react; without one, take it back
/hide N …                delete for oneself alone
/file PATH [text]        a file; /photo, /voice, /video, /round, /audio: as such
/place 34.64 50.87       a place
/contact @handle [+98…]  somebody to be written to; or a name and a number
/poll Question | A | B   a poll; /vote N 1 3 answers one, /vote N takes it back, /close N ends one's own
/forward N @handle       to another chat; or its number          /pin N  /unpin N
/later MINUTES text      sent then               /scheduled  what is still to be sent here
/save N [PATH]           the file of a message
/retry  /cancel          what was not sent             /quit        the end";

struct App {
    client: Client,
    screen: Screen,
    show: Show,
    open: Option<ChatId>,
    /// The last message of the open chat that was shown.
    shown: Seq,
    typed_at: Option<Instant>,
    /// Files that are being saved, and what is to be said of each in the end.
    saving: JoinSet<String>,
    /// How many quarters of each file have gone up.
    quarters: HashMap<Uuid, u64>,
}

/// Runs until the input ends.
pub(crate) async fn run(client: Client, bidi: Bidi) -> Result<(), Box<dyn Error>> {
    let mut events = client.events();
    client.online().await?;
    let me = client.me().ok_or("nobody")?;
    let (screen, mut typed) = terminal::open()?;
    let show = Show { bidi, names: HashMap::from([(me.id, me.handle.clone())]), me: me.id };
    let (saving, quarters) = (JoinSet::new(), HashMap::new());
    let mut app = App { client, screen, show, open: None, shown: Seq(0), typed_at: None, saving, quarters };
    app.screen.line(&format!("— you are @{}; /help helps —", me.handle));
    app.chats().await;
    loop {
        tokio::select! {
            typed = typed.recv() => match typed {
                Some(Typed::Key) => app.typing(),
                Some(Typed::Line(line)) if line.trim() == terminal::QUIT => break,
                Some(Typed::Line(line)) => {
                    if let Err(error) = app.line(line.trim()).await {
                        app.screen.line(&format!("✗ {error}"));
                    }
                }
                None => break,
            },
            Some(saved) = app.saving.join_next(), if !app.saving.is_empty() => {
                app.screen.line(&saved.unwrap_or_else(|error| format!("✗ {error}")));
            }
            event = events.next() => match event {
                Some(event) => {
                    let over = matches!(event, ClientEvent::Connection(Connection::Stopped(_)));
                    app.event(event).await;
                    if over {
                        break;
                    }
                }
                None => break,
            },
        }
    }
    drop(typed);
    while let Some(saved) = app.saving.join_next().await {
        app.screen.line(&saved.unwrap_or_else(|error| format!("✗ {error}")));
    }
    app.finish().await;
    app.screen.close().await;
    Ok(())
}

fn first_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn seqs(rest: &str) -> Result<Vec<Seq>, std::num::ParseIntError> {
    rest.split_whitespace().map(|it| it.parse().map(Seq)).collect()
}

fn seq_and_rest(text: &str) -> Result<(Seq, &str), Box<dyn Error + Send + Sync>> {
    let (number, rest) = first_word(text);
    Ok((Seq(number.trim_start_matches('#').parse().map_err(|_| "which message? Give its number")?), rest))
}

impl App {
    async fn line(&mut self, line: &str) -> Outcome {
        let (word, rest) = first_word(line);
        match word {
            "" => {}
            "/help" => HELP.lines().for_each(|line| self.screen.line(line)),
            "/chats" => self.chats().await,
            "/open" => self.open(rest).await?,
            "/group" => self.create(ChatKind::Group, rest).await?,
            "/channel" => self.create(ChatKind::Channel, rest).await?,
            "/join" if !rest.starts_with('@') && rest.contains('-') => {
                let joined = self.client.join_by_invite(rest).await?;
                match &joined.chat {
                    Some(snapshot) => self.enter(snapshot).await,
                    None => self.screen.line("asked to be let in"),
                }
            }
            "/invite" => {
                let invite_id = InviteId(Uuid::new_v4());
                let (title, expires_at, max_uses, approval) = (None, None, None, false);
                let set = SetInvite { chat_id: self.here()?, invite_id, title, expires_at, max_uses, approval };
                let invite = self.client.set_invite(set).await?;
                self.screen.line(&format!("/join {}", invite.token));
            }
            "/join" => {
                let snapshot = self.client.join(rest.trim_start_matches('@')).await?;
                self.enter(&snapshot).await;
            }
            "/leave" => {
                self.client.leave(self.here()?).await?;
            }
            "/add" => {
                let users = self.users(rest.split_whitespace()).await?;
                self.client.add_members(self.here()?, users).await?;
            }
            "/who" => self.who().await?,
            "/history" => self.history(rest.parse().unwrap_or(20)).await?,
            "/reply" => {
                let (seq, text) = seq_and_rest(rest)?;
                self.post(text, Some(seq))?;
            }
            "/edit" => {
                let (seq, text) = seq_and_rest(rest)?;
                self.client.edit(self.here()?, seq, NewBody::text(text)).await?;
            }
            "/delete" => {
                self.client.delete_messages(self.here()?, seqs(rest)?).await?;
            }
            "/hide" => {
                self.client.hide_messages(self.here()?, seqs(rest)?).await?;
            }
            "/react" => {
                let (seq, emoji) = seq_and_rest(rest)?;
                self.client.react(self.here()?, seq, Some(emoji).filter(|emoji| !emoji.is_empty())).await?;
            }
            "/file" => self.send_file(FileKind::Document, rest).await?,
            "/photo" | "/voice" | "/video" | "/round" | "/audio" => {
                let kind = FileKind::named(&word[1..]).ok_or("there is no such kind")?;
                self.send_file(kind, rest).await?;
            }
            "/place" => self.place(rest)?,
            "/poll" => self.poll(rest)?,
            "/vote" => self.vote(rest).await?,
            "/close" => {
                let (seq, _) = seq_and_rest(rest)?;
                self.client.close_poll(self.here()?, seq).await?;
            }
            "/forward" => self.forward(rest).await?,
            "/pin" | "/unpin" => self.pin(rest, word == "/pin").await?,
            "/later" => self.later(rest).await?,
            "/scheduled" => self.scheduled().await?,
            "/contact" => self.contact(rest).await?,
            "/save" => self.save(rest)?,
            "/retry" | "/cancel" => self.unsent(word == "/retry"),
            _ if word.starts_with('/') => return Err(format!("{word}? /help helps").into()),
            _ => self.post(line, None)?,
        }
        Ok(())
    }

    /// Tries again what failed, or takes back what can be taken back.
    fn unsent(&mut self, again: bool) {
        for outgoing in self.client.outbox() {
            let failed = matches!(outgoing.state, SendState::Failed { .. });
            if again && failed {
                self.client.retry(outgoing.item.client_id);
            } else if !again && !self.client.cancel(outgoing.item.client_id) {
                self.screen.line("✗ the server may have it already");
            }
        }
    }

    fn here(&self) -> Result<ChatId, &'static str> {
        self.open.ok_or("no chat is open: /open @handle")
    }

    fn post(&mut self, text: &str, reply_to: Option<Seq>) -> Outcome {
        self.post_body(NewBody::text(text), reply_to)
    }

    fn post_body(&mut self, body: NewBody, reply_to: Option<Seq>) -> Outcome {
        let chat_id = self.here()?;
        self.client.post(chat_id, body, reply_to);
        if !self.client.phase().is_live() {
            self.screen.line("… waits for the network");
        }
        Ok(())
    }

    async fn chats(&mut self) {
        for chat in self.client.chats() {
            let members = self.members(chat.info.id);
            self.learn(&members).await;
            let line = self.show.chat(&chat, &members);
            self.screen.line(&line);
        }
    }

    async fn open(&mut self, what: &str) -> Outcome {
        if let Ok(number) = what.parse() {
            let snapshot = self.client.get_chat(ChatId(number)).await?;
            self.enter(&snapshot).await;
            return Ok(());
        }
        let user = self.user(what).await?;
        let snapshot = self.client.open_direct(user).await?;
        self.enter(&snapshot).await;
        Ok(())
    }

    async fn create(&mut self, kind: ChatKind, rest: &str) -> Outcome {
        let (handles, words): (Vec<_>, Vec<_>) = rest.split_whitespace().partition(|word| word.starts_with('@'));
        let title = words.join(" ");
        let snapshot = if kind == ChatKind::Channel {
            let handle = handles.first().map(|handle| handle.trim_start_matches('@'));
            self.client.create_chat(kind, &title, handle, Vec::new()).await?
        } else {
            let users = self.users(handles.into_iter()).await?;
            self.client.create_chat(kind, &title, None, users).await?
        };
        self.enter(&snapshot).await;
        Ok(())
    }

    async fn enter(&mut self, snapshot: &ChatSnapshot) {
        let chat_id = snapshot.chat.id;
        self.open = Some(chat_id);
        self.shown = Seq(0);
        let members: Vec<_> = snapshot.members().map(|member| member.user_id).collect();
        self.learn(&members).await;
        let title = match (&snapshot.chat.title, members.iter().find(|it| **it != self.show.me)) {
            (Some(title), _) => self.show.bidi.part(title),
            (None, Some(other)) => self.show.name(*other),
            (None, None) => "myself".into(),
        };
        self.screen.line(&format!("— {title} (chat {chat_id}) —"));
        self.show_last(10).await;
    }

    async fn show_last(&mut self, count: usize) {
        let Some(chat_id) = self.open else { return };
        let messages = self.client.messages(chat_id);
        let last = &messages[messages.len().saturating_sub(count)..];
        self.show_messages(chat_id, last).await;
    }

    /// What came to the open chat otherwise than message by message.
    async fn show_new(&mut self) {
        let Some(chat_id) = self.open else { return };
        let mut messages = self.client.messages(chat_id);
        messages.retain(|view| view.message.seq > self.shown);
        self.show_messages(chat_id, &messages).await;
    }

    async fn show_unread(&mut self, chat_id: ChatId) {
        let Some(chat) = self.client.chat(chat_id).filter(|chat| chat.unread > 0) else { return };
        let members = self.members(chat_id);
        self.learn(&members).await;
        let line = self.show.chat(&chat, &members);
        self.screen.line(&line);
    }

    async fn show_messages(&mut self, chat_id: ChatId, messages: &[MessageView]) {
        let senders: Vec<_> = messages.iter().map(|view| view.message.sender).collect();
        self.learn(&senders).await;
        let others_read = self.client.chat(chat_id).map_or(Seq(0), |chat| chat.others_read);
        for view in messages {
            let line = self.show.message(view, others_read);
            self.screen.line(&line);
        }
        if let Some(last) = messages.last() {
            self.shown = self.shown.max(last.message.seq);
            self.mark_read(chat_id, last.message.seq);
        }
    }

    fn mark_read(&self, chat_id: ChatId, seq: Seq) {
        if self.client.chat(chat_id).is_none_or(|chat| chat.read_seq >= seq) {
            return;
        }
        let client = self.client.clone();
        // It may wait for the network; the next one says it again if this is lost.
        tokio::spawn(async move { client.mark_read(chat_id, seq).await });
    }

    async fn who(&mut self) -> Outcome {
        let chat_id = self.here()?;
        let members = self.client.members(chat_id);
        self.learn(&members.iter().map(|member| member.user_id).collect::<Vec<_>>()).await;
        for member in members {
            let role = member.role.map_or("", show::role);
            let read = member.read_seq.map_or(String::new(), |seq| format!(", read up to #{seq}"));
            self.screen.line(&format!("{} {role}{read}", self.show.name(member.user_id)));
        }
        Ok(())
    }

    async fn history(&mut self, count: u32) -> Outcome {
        let chat_id = self.here()?;
        let first = self.client.messages(chat_id).first().map_or(Seq(1), |view| view.message.seq);
        let page = self.client.history(chat_id, first, count.min(200), 0).await?;
        if page.messages.is_empty() {
            self.screen.line("— this is the beginning —");
        }
        let mine = |seq: Seq| page.reacted.iter().find(|it| it.seq == seq).and_then(|it| it.emoji.clone());
        let vote = |seq: Seq| page.voted.iter().find(|it| it.seq == seq).cloned();
        let views = page.messages.iter().map(|it| MessageView {
            message: it.clone(),
            my_reaction: mine(it.seq),
            my_vote: vote(it.seq),
        });
        let views: Vec<_> = views.collect();
        self.show_messages(chat_id, &views).await;
        Ok(())
    }

    fn typing(&mut self) {
        let Some(chat_id) = self.open else { return };
        if self.typed_at.is_none_or(|at| at.elapsed() > Duration::from_secs(5)) {
            self.typed_at = Some(Instant::now());
            let client = self.client.clone();
            tokio::spawn(async move { client.set_typing(chat_id).await });
        }
    }

    async fn event(&mut self, event: ClientEvent) {
        match &event {
            ClientEvent::Message { chat_id, message } => self.message(*chat_id, message, true).await,
            ClientEvent::Changed { chat_id, message } => self.message(*chat_id, message, false).await,
            ClientEvent::Replaced { chat_id } if Some(*chat_id) != self.open => self.show_unread(*chat_id).await,
            ClientEvent::Replaced { .. } | ClientEvent::Lagged(_) => self.show_new().await,
            ClientEvent::Typing(it) => self.learn(&[it.user_id]).await,
            ClientEvent::Read(it) => self.learn(&[it.user_id]).await,
            ClientEvent::Member { member, .. } => self.learn(&[member.user_id]).await,
            ClientEvent::Uploading { .. } => self.uploading(&event),
            _ => {}
        }
        if let Some(line) = self.show.event(&event, self.open) {
            self.screen.line(&line);
        }
    }

    async fn message(&mut self, chat_id: ChatId, message: &Message, new: bool) {
        self.learn(&[message.sender]).await;
        let chat = self.client.chat(chat_id);
        let held = self.client.messages(chat_id).into_iter().find(|view| view.message.seq == message.seq);
        let (my_reaction, my_vote) = held.map_or((None, None), |view| (view.my_reaction, view.my_vote));
        let view = MessageView { message: message.clone(), my_reaction, my_vote };
        let line = self.show.message(&view, chat.as_ref().map_or(Seq(0), |chat| chat.others_read));
        if Some(chat_id) == self.open {
            if new && message.seq <= self.shown {
                return;
            }
            self.screen.line(&line);
            if new {
                self.shown = message.seq;
                self.mark_read(chat_id, message.seq);
            }
        } else if let Some(chat) = chat.filter(|_| new && message.sender != self.show.me) {
            let title = self.show.title(&chat, &self.members(chat_id));
            self.screen.line(&format!("[{title}] {line}"));
        }
    }

    fn members(&self, chat_id: ChatId) -> Vec<UserId> {
        self.client.members(chat_id).into_iter().map(|member| member.user_id).collect()
    }

    /// Looks up names that are not known yet. Without them numbers are shown.
    async fn learn(&mut self, users: &[UserId]) {
        let mut unknown: Vec<_> = users.iter().filter(|it| !self.show.names.contains_key(it)).copied().collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.truncate(200);
        if unknown.is_empty() || !self.client.phase().is_live() {
            return;
        }
        let found = tokio::time::timeout(Duration::from_secs(3), self.client.get_users(unknown)).await;
        if let Ok(Ok(found)) = found {
            self.show.names.extend(found.users.into_iter().map(|user| (user.id, user.handle)));
        }
    }

    async fn user(&mut self, handle: &str) -> Result<UserId, Box<dyn Error + Send + Sync>> {
        let found = self.client.resolve(handle.trim_start_matches('@')).await?;
        let user = found.user.ok_or_else(|| format!("{handle} is nobody"))?;
        self.show.names.insert(user.id, user.handle);
        Ok(user.id)
    }

    async fn users(
        &mut self,
        handles: impl Iterator<Item = &str>,
    ) -> Result<Vec<UserId>, Box<dyn Error + Send + Sync>> {
        let mut users = Vec::new();
        for handle in handles {
            users.push(self.user(handle).await?);
        }
        Ok(users)
    }

    /// Gives what was typed last a moment to go out.
    async fn finish(&mut self) {
        let mut events = self.client.events();
        let waiting = |client: &Client| client.outbox().iter().any(|it| matches!(it.state, SendState::Waiting { .. }));
        let all_sent = async { while waiting(&self.client) && events.next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(10), all_sent).await.is_err() {
            self.screen.line("… some messages were not sent; with --store they go out next time");
        }
        self.client.close().await;
    }
}

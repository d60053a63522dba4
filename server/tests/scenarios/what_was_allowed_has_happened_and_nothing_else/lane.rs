//! One chat of the model test: what is asked of it at once, and by which orders the answers can be explained.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use chapar_protocol::{
    Action, ChatId, Command, ErrorCode, OwnItem, Seq, Timestamp, UserId,
    command::{
        AddMembers, Delete, DeleteMessages, Edit, GetBanned, GetMembers, Join, Leave, MarkRead, PinMessage, React,
        RemoveMember, RestrictMember, Send, SetAdminRights, SetChatRights, SetChatSettings, SetInfo, SetItems, SetRole,
        UnbanMember, UnpinMessage,
    },
    item::Block,
    message::NewBody,
};
use futures_util::future::join_all;
use rand::rngs::StdRng;

use super::reference::{Room, Verdict, Wish};
use crate::support::{Device, Failure, postgres::Database, within};

/// So many orders at most explain the answers, then the tables say which it was.
const MANY: usize = 3;
/// Milliseconds by which the clocks of the test and of the database may be apart, as they are rounded.
const CLOCKS: i64 = 5;

/// One chat, with what it must be. What is asked of it at once is looked at as a whole, before more is asked.
pub(super) struct Lane {
    pub(super) chat: ChatId,
    pub(super) handle: Option<String>,
    /// What it may be, by the orders that explain all answers so far: one, most of the time.
    pub(super) rooms: Vec<Room>,
    /// What was asked last, when the outcome of some of it is not known.
    pub(super) open: Vec<Vec<Tried>>,
    pub(super) done: usize,
    pub(super) refused: BTreeSet<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Tried {
    by: UserId,
    wish: Wish,
    outcome: Outcome,
    /// Between these moments it was judged, in milliseconds since 1970: a restriction may have ended meanwhile.
    moments: [i64; 2],
}

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Known(Verdict),
    /// The server says that nothing was changed.
    NotDone,
    Unknown,
    /// Done or not, and nothing more will come of it.
    Either,
}

/// What a chat's life in one round needs.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) devices: Arc<Vec<Device>>,
    pub(super) chats_in: Database,
    pub(super) lists_in: Database,
    /// Both can be asked throughout.
    pub(super) there: bool,
    pub(super) until: Instant,
}

/// Asks things of one chat until the end of the round, or until the outcome of something is not known.
pub(super) async fn live(mut lane: Lane, life: Life, mut rng: StdRng) -> Lane {
    let near = near(&life.devices);
    while Instant::now() < life.until {
        let mut sequences = lane.wishes(&life.devices, &mut rng);
        sequences.retain(|(device, _)| device.connected());
        let (chat, handle) = (lane.chat, lane.handle.clone());
        let sequences = sequences.into_iter().map(async |(device, wishes)| {
            let all = wishes.into_iter().map(|wish| tries(&device, chat, handle.as_deref(), wish));
            join_all(all).await
        });
        lane.open = join_all(sequences).await;
        lane.count();
        if lane.open.iter().flatten().any(|it| it.outcome == Outcome::Unknown) {
            return lane;
        }
        // A block is done in the blocker's list; into the chat it comes later, when the chat cannot be changed now.
        if lane.open.iter().flatten().any(|it| matches!(it.wish, Wish::Block(..))) && !life.blocks_are_in_chats().await
        {
            return lane;
        }
        lane.rooms = lane.explanations(&near);
        lane.open.clear();
        if lane.rooms.len() > MANY && !life.there {
            return lane;
        }
        if lane.rooms.len() > MANY {
            let chosen =
                tokio::task::block_in_place(|| lane.choose(lane.rooms.clone(), &life.chats_in, &life.lists_in));
            // Else a list that has yet to follow: looked at again when all is calm.
            let Ok(room) = chosen else { return lane };
            lane.rooms = vec![room];
        }
    }
    lane
}

impl Life {
    /// Waits until no block has yet to come into its chat, for a while, where that can be asked.
    async fn blocks_are_in_chats(&self) -> bool {
        let asked = Instant::now();
        while self.there && asked.elapsed() < super::SETTLED {
            let waiting = "SELECT count(*) FROM jobs WHERE kind = 'shut'";
            if tokio::task::block_in_place(|| self.lists_in.sql(waiting)).trim() == "0" {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

/// The first two people have answered each other: they may bring each other back.
pub(super) fn near(devices: &[Device]) -> impl Fn(UserId, UserId) -> bool + use<> {
    let two = [devices[0].id(), devices[2].id()];
    move |by, user| two.contains(&by) && two.contains(&user)
}

impl Lane {
    pub(super) fn new(chat: ChatId, handle: Option<String>, room: Room) -> Self {
        Self { chat, handle, rooms: vec![room], open: Vec::new(), done: 0, refused: BTreeSet::new() }
    }

    /// What it is, or may be.
    pub(super) fn room(&self) -> &Room {
        &self.rooms[0]
    }

    fn count(&mut self) {
        for it in self.open.iter().flatten() {
            match it.outcome {
                Outcome::Known(Ok(_)) => self.done += 1,
                Outcome::Known(Err(code)) => drop(self.refused.insert(code.name())),
                _ => {}
            }
        }
    }

    /// What the chat may be by now, in whatever order things were done that were asked of it at once.
    fn explanations(&self, near: &dyn Fn(UserId, UserId) -> bool) -> Vec<Room> {
        let mut found = Vec::new();
        let mut left: Vec<&[Tried]> = self.open.iter().map(Vec::as_slice).collect();
        for room in &self.rooms {
            explain(room, &mut left, near, &mut found);
        }
        assert!(
            !found.is_empty(),
            "chat {}: no order of these explains their answers: {:#?}\nwhere {:#?}\nand the last lines were {:#?}",
            self.chat,
            self.open,
            self.room().people,
            self.room().lines.iter().enumerate().rev().take(5).collect::<Vec<_>>(),
        );
        found
    }

    /// That of some rooms which the tables hold.
    fn choose(&self, rooms: Vec<Room>, chats: &Database, lists: &Database) -> Result<Room, String> {
        let stored = self.room().stored(self.chat, chats, lists)?;
        let differs = rooms.first().map_or_else(String::new, |it| it.differs(&stored));
        let above = |it: &Room| {
            (it.title.clone(), it.description.clone(), it.photo, it.pinned.clone(), it.everybody.clone(), it.settings)
        };
        let held = |it: &Room| (it.lines == stored.lines, it.people == stored.people, above(it) == above(&stored));
        let same = |it: &Room| held(it) == (true, true, true);
        rooms.into_iter().find(same).ok_or_else(|| format!("model / tables: {differs}"))
    }

    /// Compares the chat with the tables, when all is calm: people's lists may have to follow.
    pub(super) async fn settle(&mut self, near: &dyn Fn(UserId, UserId) -> bool, chats: &Database, lists: &Database) {
        let rooms = self.explanations(near);
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            match self.choose(rooms.clone(), chats, lists) {
                Ok(room) => {
                    self.rooms = vec![room];
                    self.open.clear();
                    return;
                }
                Err(error) => assert!(
                    Instant::now() < deadline,
                    "chat {} is not what it must be after {:#?}, by any of {} orders: {error}",
                    self.chat,
                    self.open,
                    rooms.len()
                ),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A read mark and a block stand at two places: one that may have come to the first alone is set again, as every client does.
    pub(super) async fn set_again(&mut self, people: &[[Device; 2]]) {
        for sequence in &mut self.open {
            let [Tried { by, wish: wish @ (Wish::Read(_) | Wish::Block(..)), outcome: Outcome::Unknown, .. }] =
                &sequence[..]
            else {
                continue;
            };
            let [device, _] = people.iter().find(|it| it[0].id() == *by).expect("one of them");
            let again = async {
                loop {
                    match tries(device, self.chat, self.handle.as_deref(), wish.clone()).await {
                        again @ Tried { outcome: Outcome::Known(_), .. } => return again,
                        _ => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            };
            let again = within("what stands at two places to be set", again).await;
            sequence.push(again);
        }
    }
}

fn explain(room: &Room, left: &mut Vec<&[Tried]>, near: &dyn Fn(UserId, UserId) -> bool, found: &mut Vec<Room>) {
    if left.iter().all(|it| it.is_empty()) {
        if !found.contains(room) {
            found.push(room.clone());
        }
        return;
    }
    for at in 0..left.len() {
        let all = left[at];
        let Some((first, rest)) = all.split_first() else { continue };
        left[at] = rest;
        let mut judged: Vec<(Verdict, Room)> = Vec::new();
        for now in first.moments {
            let mut next = room.clone();
            let verdict = next.ask(first.by, &first.wish, near, now);
            if !judged.contains(&(verdict, next.clone())) {
                judged.push((verdict, next));
            }
        }
        match &first.outcome {
            Outcome::Known(answer) => {
                for (_, next) in judged.iter().filter(|it| it.0 == *answer) {
                    explain(next, left, near, found);
                }
            }
            Outcome::NotDone => explain(room, left, near, found),
            Outcome::Unknown | Outcome::Either => {
                explain(room, left, near, found);
                for (_, next) in judged.iter().filter(|it| it.1 != *room) {
                    explain(next, left, near, found);
                }
            }
        }
        left[at] = all;
    }
}

async fn call<C: Command>(device: &Device, command: C, seq: impl Fn(C::Reply) -> Option<i64>) -> Outcome {
    match device.call(&command).await {
        Ok(reply) => Outcome::Known(Ok(seq(reply))),
        Err(Failure::Refused(error)) if [ErrorCode::Overloaded, ErrorCode::RateLimited].contains(&error.code) => {
            Outcome::NotDone
        }
        Err(Failure::Refused(error)) if error.action == Action::Retry => Outcome::Unknown,
        Err(Failure::Refused(error)) => Outcome::Known(Err(error.code)),
        Err(Failure::Lost) => Outcome::Unknown,
    }
}

/// The clock. What ends between asking and answering may be judged either way.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not so far")
}

async fn tries(device: &Device, chat: ChatId, handle: Option<&str>, wish: Wish) -> Tried {
    let asked = now() - CLOCKS;
    let outcome = ask(device, chat, handle, &wish).await;
    let settled = if outcome == Outcome::Unknown { super::SETTLED } else { Duration::ZERO };
    let judged = now() + CLOCKS + i64::try_from(settled.as_millis()).expect("short");
    Tried { by: device.id(), wish, outcome, moments: [asked, judged] }
}

async fn ask(device: &Device, chat_id: ChatId, handle: Option<&str>, wish: &Wish) -> Outcome {
    let send = |client_id, text: &str, reply_to: Option<i64>| {
        let (body, reply_to) = (NewBody::text(text), reply_to.map(Seq));
        Send { reply_to, ..Send::new(chat_id, client_id, body) }
    };
    match wish.clone() {
        Wish::Send { client_id, text, reply_to } => {
            call(device, send(client_id, &text, reply_to), |sent| Some(sent.seq.0)).await
        }
        Wish::Poison(client_id) => match device.call(&send(client_id, "poison", None)).await {
            Ok(_) => panic!("poison was stored"),
            Err(Failure::Refused(error)) if error.code == ErrorCode::Internal || error.action != Action::Retry => {
                Outcome::Known(Err(error.code))
            }
            // Whatever became of the request, it is not stored.
            Err(_) => Outcome::NotDone,
        },
        Wish::Edit(seq, text) => {
            call(device, Edit { chat_id, seq: Seq(seq), body: NewBody::text(text) }, |_| None).await
        }
        Wish::Delete(seq) => call(device, Delete { chat_id, seq: Seq(seq) }, |_| None).await,
        Wish::DeleteSome(all) => {
            let seqs = all.into_iter().map(Seq).collect();
            call(device, DeleteMessages { chat_id, seqs }, |_| None).await
        }
        Wish::React(seq, emoji) => call(device, React { chat_id, seq: Seq(seq), emoji }, |_| None).await,
        Wish::Read(seq) => call(device, MarkRead { chat_id, seq: Seq(seq) }, |_| None).await,
        Wish::Add(user_ids) => match call(device, AddMembers { chat_id, user_ids }, |_| None).await {
            // One of the direct chat has blocked the other meanwhile, which is none of this chat's business.
            Outcome::Known(Err(ErrorCode::RefusedByUser)) => Outcome::NotDone,
            outcome => outcome,
        },
        Wish::Remove(user_id) => call(device, RemoveMember { chat_id, user_id, reason: None }, |_| None).await,
        Wish::SetRole(user_id, role) => call(device, SetRole { chat_id, user_id, role }, |_| None).await,
        Wish::Join => match call(device, Join { handle: handle.unwrap_or_default().to_owned() }, |_| None).await {
            // The answer is read after it: in between somebody may have been removed again.
            Outcome::Known(Err(ErrorCode::ChatNotFound)) => Outcome::Either,
            outcome => outcome,
        },
        Wish::Leave => call(device, Leave { chat_id }, |_| None).await,
        Wish::SetRights(rights) => call(device, SetChatRights { chat_id, rights }, |_| None).await,
        Wish::SetAdminRights(user_id, rights) => {
            call(device, SetAdminRights { chat_id, user_id, rights }, |_| None).await
        }
        Wish::Restrict(user_id, denied, until) => {
            let until = until.map(|until| Timestamp::from_millis(until).expect("a time"));
            call(device, RestrictMember { chat_id, user_id, denied, until }, |_| None).await
        }
        Wish::Unban(user_id) => call(device, UnbanMember { chat_id, user_id }, |_| None).await,
        Wish::SetInfo(title, description) => {
            call(device, SetInfo { chat_id, title, description, photo: None }, |_| None).await
        }
        Wish::SetPhoto(photo) => {
            let set = SetInfo { chat_id, title: None, description: None, photo: Some(photo) };
            call(device, set, |_| None).await
        }
        Wish::Settings(change) => call(device, SetChatSettings { chat_id, change }, |_| None).await,
        Wish::Pin(seq) => call(device, PinMessage { chat_id, seq: Seq(seq) }, |_| None).await,
        Wish::Unpin(seq) => call(device, UnpinMessage { chat_id, seq: Seq(seq) }, |_| None).await,
        Wish::Block(user_id, blocked) => {
            let items = vec![OwnItem::Block { user_id, value: blocked.then_some(Block {}) }];
            call(device, SetItems { items }, |_| None).await
        }
        Wish::List => call(device, GetMembers { chat_id, after: None }, |_| None).await,
        Wish::ListBanned => call(device, GetBanned { chat_id, after: None }, |_| None).await,
    }
}

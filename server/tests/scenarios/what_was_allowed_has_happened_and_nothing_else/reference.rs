//! A chat as the documents say that it must behave: who may do what, and what becomes of it. Written without a line of the server's,
//! to be compared with it.

use std::collections::BTreeMap;

use chapar_protocol::{Body, ChatId, ChatKind, ErrorCode, Role, ServiceAction, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::support::postgres::Database;

/// Something that somebody wants in a chat.
#[derive(Clone, Debug)]
pub enum Wish {
    Send {
        client_id: Uuid,
        text: String,
        reply_to: Option<i64>,
    },
    /// A message that the database refuses.
    Poison(Uuid),
    Edit(i64, String),
    Delete(i64),
    React(i64, Option<String>),
    Read(i64),
    Add(Vec<UserId>),
    Remove(UserId),
    SetRole(UserId, Role),
    Join,
    Leave,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Text(String),
    Deleted,
    /// The server's own line, by its name on the wire.
    Service(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub sender: UserId,
    /// None for the server's own.
    pub client_id: Option<Uuid>,
    pub said: Said,
    pub reply_to: Option<i64>,
    pub edited: bool,
    pub reactions: BTreeMap<UserId, String>,
}

/// How somebody stands in a chat, or stood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stand {
    pub role: Option<Role>,
    pub banned: bool,
    pub left: bool,
    /// Of those who are in it.
    pub read: i64,
}

/// A chat. The seq of a line is its place, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    pub kind: ChatKind,
    pub public: bool,
    pub lines: Vec<Line>,
    pub people: BTreeMap<UserId, Stand>,
    /// What was sent under which client id, and where it stands.
    sent: BTreeMap<(UserId, Uuid), (i64, String, Option<i64>)>,
}

/// What the server must answer: the seq of a message, or nothing but that it is done.
pub type Verdict = Result<Option<i64>, ErrorCode>;

impl Room {
    pub fn new(kind: ChatKind, public: bool, owner: UserId, others: &[UserId]) -> Self {
        let mut room = Self { kind, public, lines: Vec::new(), people: BTreeMap::new(), sent: BTreeMap::new() };
        let stand = |role| Stand { role: Some(role), ..Stand::default() };
        room.people.extend(others.iter().map(|user| (*user, stand(Role::Member))));
        room.people.insert(owner, stand(if kind == ChatKind::Direct { Role::Member } else { Role::Owner }));
        if kind != ChatKind::Direct {
            room.tell(owner, &ServiceAction::Created);
        }
        room
    }

    /// A client id that somebody has used.
    pub fn used(&self, by: UserId, choice: usize) -> Option<Uuid> {
        let ids: Vec<Uuid> = self.sent.keys().filter(|it| it.0 == by).map(|it| it.1).collect();
        ids.get(choice % ids.len().max(1)).copied()
    }

    pub fn role(&self, user: UserId) -> Option<Role> {
        self.people.get(&user)?.role
    }

    /// Does what somebody wants, or says why not. `near`: whom of those who have left they may bring back.
    #[expect(clippy::too_many_lines, reason = "a list of short cases")]
    pub fn ask(&mut self, by: UserId, wish: &Wish, near: &dyn Fn(UserId, UserId) -> bool) -> Verdict {
        let role = self.role(by);
        let leads = role >= Some(Role::Admin) && self.kind != ChatKind::Direct;
        // Whoever is not in it learns nothing of it.
        let inside = role.ok_or(ErrorCode::ChatNotFound);
        match wish {
            Wish::Send { client_id, text, reply_to } => {
                inside?;
                if let Some((at, first, to)) = self.sent.get(&(by, *client_id)) {
                    return if (first, to) == (text, reply_to) {
                        Ok(Some(*at))
                    } else {
                        Err(ErrorCode::ClientIdReused)
                    };
                }
                if self.kind == ChatKind::Channel && !leads {
                    return Err(ErrorCode::Forbidden);
                }
                if reply_to.is_some_and(|to| self.line(to).is_none()) {
                    return Err(ErrorCode::MessageNotFound);
                }
                let (said, at) = (Said::Text(text.clone()), seq(self.lines.len()));
                self.lines.push(Line { client_id: Some(*client_id), reply_to: *reply_to, ..line(by, said) });
                self.sent.insert((by, *client_id), (at, text.clone(), *reply_to));
                Ok(Some(at))
            }
            Wish::Poison(_) => {
                inside?;
                if self.kind == ChatKind::Channel && !leads {
                    Err(ErrorCode::Forbidden)
                } else {
                    Err(ErrorCode::Internal)
                }
            }
            Wish::Edit(at, text) => {
                inside?;
                let line = self.line(*at).ok_or(ErrorCode::MessageNotFound)?;
                match &mut line.said {
                    Said::Deleted => Err(ErrorCode::MessageNotFound),
                    Said::Text(old) if line.sender == by => {
                        line.edited |= old != text;
                        old.clone_from(text);
                        Ok(None)
                    }
                    _ => Err(ErrorCode::Forbidden),
                }
            }
            Wish::Delete(at) => {
                inside?;
                let line = self.line(*at).ok_or(ErrorCode::MessageNotFound)?;
                if line.sender != by && !leads || matches!(line.said, Said::Service(_)) {
                    return Err(ErrorCode::Forbidden);
                }
                line.said = Said::Deleted;
                line.reactions.clear();
                Ok(None)
            }
            Wish::React(at, emoji) => {
                inside?;
                let line = self.line(*at).filter(|it| it.said != Said::Deleted).ok_or(ErrorCode::MessageNotFound)?;
                match emoji {
                    Some(emoji) => drop(line.reactions.insert(by, emoji.clone())),
                    None => drop(line.reactions.remove(&by)),
                }
                Ok(None)
            }
            Wish::Read(upto) => {
                inside?;
                let last = seq(self.lines.len()) - 1;
                let stand = self.people.get_mut(&by).expect("inside");
                stand.read = stand.read.max(last.min(*upto));
                Ok(None)
            }
            Wish::Add(users) => {
                inside?;
                if !leads {
                    return Err(ErrorCode::Forbidden);
                }
                let outside: Vec<UserId> = users.iter().copied().filter(|user| self.role(*user).is_none()).collect();
                if outside.iter().any(|user| self.people.get(user).is_some_and(|it| it.left) && !near(by, *user)) {
                    return Err(ErrorCode::HasLeft);
                }
                for user in &outside {
                    self.enter(*user);
                }
                if !outside.is_empty() {
                    self.tell(by, &ServiceAction::Added { user_ids: outside });
                }
                Ok(None)
            }
            Wish::Remove(user) => {
                if *user == by && self.kind != ChatKind::Direct {
                    return Err(ErrorCode::BadRequest);
                }
                inside?;
                if !leads {
                    return Err(ErrorCode::Forbidden);
                }
                let stand = self.people.get_mut(user).ok_or(ErrorCode::UserNotFound)?;
                if stand.role >= role {
                    return Err(ErrorCode::Forbidden);
                }
                let was_in = stand.role.take().is_some();
                (stand.banned, stand.read) = (true, 0);
                if was_in {
                    self.tell(by, &ServiceAction::Removed { user_id: *user });
                }
                Ok(None)
            }
            Wish::SetRole(user, new) => {
                inside?;
                if role != Some(Role::Owner) || self.kind == ChatKind::Direct {
                    return Err(ErrorCode::Forbidden);
                }
                if *user == by {
                    return Err(ErrorCode::BadRequest);
                }
                let stand = self.people.get_mut(user).filter(|it| it.role.is_some()).ok_or(ErrorCode::UserNotFound)?;
                stand.role = Some(*new);
                if *new == Role::Owner {
                    self.people.get_mut(&by).expect("inside").role = Some(Role::Admin);
                }
                Ok(None)
            }
            Wish::Join => {
                if role.is_some() {
                    return Ok(None);
                }
                if !self.public || self.people.values().all(|it| it.role.is_none()) {
                    return Err(ErrorCode::ChatNotFound);
                }
                if self.people.get(&by).is_some_and(|it| it.banned) {
                    return Err(ErrorCode::Forbidden);
                }
                self.enter(by);
                self.tell(by, &ServiceAction::Joined);
                Ok(None)
            }
            Wish::Leave => self.leave(by),
        }
    }

    fn leave(&mut self, by: UserId) -> Verdict {
        let others = self.people.iter().any(|(user, it)| *user != by && it.role.is_some());
        let stand = self.people.get_mut(&by).ok_or(ErrorCode::ChatNotFound)?;
        if stand.role.is_some() && self.kind == ChatKind::Direct {
            return Err(ErrorCode::Forbidden);
        }
        if stand.role == Some(Role::Owner) && others {
            return Err(ErrorCode::OwnerCannotLeave);
        }
        let was_in = stand.role.take().is_some();
        (stand.left, stand.read) = (true, 0);
        if was_in {
            self.tell(by, &ServiceAction::Left);
        }
        Ok(None)
    }

    fn enter(&mut self, user: UserId) {
        let read = seq(self.lines.len()) - 1;
        self.people.insert(user, Stand { role: Some(Role::Member), read, ..Stand::default() });
    }

    fn line(&mut self, at: i64) -> Option<&mut Line> {
        self.lines.get_mut(usize::try_from(at.checked_sub(1)?).ok()?)
    }

    /// A line of the server's own. In channels there are none.
    fn tell(&mut self, sender: UserId, action: &ServiceAction) {
        if self.kind != ChatKind::Channel {
            self.lines.push(line(sender, Said::Service(name(action))));
        }
    }

    /// What the tables hold of it. `self` says which form it has.
    pub fn stored(&self, chat: ChatId, chats: &Database, people: &Database) -> Result<Self, String> {
        let rows = chats.sql(&format!(
            "SELECT jsonb_build_object(
                 'lines', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     sender_id, client_id, body, reply_to, edited_at IS NOT NULL, reactions, seq) ORDER BY seq), '[]')
                     FROM messages WHERE chat_id = {chat}),
                 'people', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     user_id, role, banned, went, read_seq)), '[]') FROM members WHERE chat_id = {chat}),
                 'reactions', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     seq, user_id, emoji)), '[]') FROM reactions WHERE chat_id = {chat} AND emoji IS NOT NULL))"
        ));
        // Its counters follow within a second or so.
        if chats.sql(&format!("SELECT stale FROM counts WHERE chat_id = {chat}")).trim() == "t" {
            return Err("the counters are not told yet".to_owned());
        }
        let rows: Rows = serde_json::from_str(&rows).map_err(|error| error.to_string())?;
        let lists = people.sql(&format!(
            "SELECT coalesce(jsonb_agg(jsonb_build_array(user_id, role, read_seq)), '[]') FROM user_chats
             WHERE chat_id = {chat} AND role IS NOT NULL"
        ));
        let lists: Vec<(UserId, i16, i64)> = serde_json::from_str(&lists).map_err(|error| error.to_string())?;
        let mut room = Self { lines: Vec::new(), people: BTreeMap::new(), ..self.clone() };
        for (place, (sender, client_id, body, reply_to, edited, counts, at)) in rows.lines.into_iter().enumerate() {
            if at != seq(place) {
                return Err(format!("the seqs have a hole before {at}"));
            }
            let (said, client_id) = match body {
                Body::Text(text) => (Said::Text(text.text), Some(client_id)),
                Body::Service { action } => (Said::Service(name(&action)), None),
                Body::Deleted => (Said::Deleted, Some(client_id)),
                Body::Unknown(body) => return Err(format!("an unknown body: {body}")),
            };
            let mine = rows.reactions.iter().filter(|it| it.0 == at && said != Said::Deleted);
            let reactions: BTreeMap<UserId, String> = mine.map(|it| (it.1, it.2.clone())).collect();
            let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
            for emoji in reactions.values() {
                *counted.entry(emoji).or_default() += 1;
            }
            let counts = counts.unwrap_or_default();
            let told: BTreeMap<&str, u32> = counts.iter().map(|it| (it.emoji.as_str(), it.count)).collect();
            if told != counted {
                return Err(format!("message {at} tells {told:?} and has {counted:?}"));
            }
            room.lines.push(Line { sender, client_id, said, reply_to, edited, reactions });
        }
        for (user, role, banned, left, read) in rows.people {
            let listed = lists.iter().find(|it| it.0 == user);
            if listed.map(|it| it.1) != role {
                return Err(format!("user {user} is {role:?} in the chat and {listed:?} in their list"));
            }
            let own = listed.map_or(0, |it| it.2);
            if role.is_some() && self.kind != ChatKind::Channel && own != read {
                return Err(format!("user {user} has read up to {own}, and others are told {read}"));
            }
            let role = role.map(|role| [Role::Member, Role::Admin, Role::Owner][usize::from(role.unsigned_abs())]);
            room.people.insert(user, Stand { role, banned, left, read: own });
        }
        Ok(room)
    }

    /// Where another one is not the same, for people who read it.
    pub fn differs(&self, other: &Self) -> String {
        let lines = self.lines.iter().zip(&other.lines).enumerate().filter(|(_, (one, other))| one != other);
        let lines: Vec<String> = lines.map(|(at, (one, two))| format!("{}: {one:?} / {two:?}", seq(at))).collect();
        let people = self.people.iter().filter(|(user, it)| other.people.get(user) != Some(it));
        let people: Vec<String> =
            people.map(|(user, it)| format!("{user}: {it:?} / {:?}", other.people.get(user))).collect();
        format!("{} / {} lines; {lines:#?}; {people:#?}", self.lines.len(), other.lines.len())
    }
}

#[derive(Deserialize)]
struct Rows {
    #[expect(clippy::type_complexity, reason = "a row as it comes")]
    lines: Vec<(UserId, Uuid, Body, Option<i64>, bool, Option<Vec<chapar_protocol::ReactionCount>>, i64)>,
    people: Vec<(UserId, Option<i16>, bool, bool, i64)>,
    reactions: Vec<(i64, UserId, String)>,
}

fn line(sender: UserId, said: Said) -> Line {
    Line { sender, client_id: None, said, reply_to: None, edited: false, reactions: BTreeMap::new() }
}

fn name(action: &ServiceAction) -> String {
    serde_json::to_value(action).expect("JSON")["type"].as_str().unwrap_or_default().to_owned()
}

fn seq(place: usize) -> i64 {
    i64::try_from(place).expect("few") + 1
}

//! A chat as the documents say that it must behave: who may do what, and what becomes of it. Written without a line of the server's,
//! to be compared with it.

use std::collections::{BTreeMap, BTreeSet};

use chapar_protocol::{ChatKind, ChatSettings, ErrorCode, FileId, Right, Role, ServiceAction, SettingsChange, UserId};
use uuid::Uuid;

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
    /// All of them, or none.
    DeleteSome(BTreeSet<i64>),
    React(i64, Option<String>),
    Read(i64),
    Add(Vec<UserId>),
    Remove(UserId),
    SetRole(UserId, Role),
    SetRights(Vec<Right>),
    SetAdminRights(UserId, Vec<Right>),
    /// Until a time, in milliseconds since 1970, or for good.
    Restrict(UserId, Vec<Right>, Option<i64>),
    Unban(UserId),
    /// A title, and a description.
    SetInfo(Option<String>, Option<String>),
    SetPhoto(Option<FileId>),
    Settings(SettingsChange),
    Pin(i64),
    Unpin(i64),
    /// The other one of a direct chat, or no longer.
    Block(UserId, bool),
    Join,
    Leave,
    /// To see who is in it.
    List,
    /// To see who cannot come back.
    ListBanned,
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
    /// Of an admin, beside those of everybody.
    pub rights: Vec<Right>,
    /// Of those of everybody. It holds over leaving and coming back.
    pub denied: Vec<Right>,
    /// Until then, in milliseconds since 1970, or for good.
    pub until: Option<i64>,
    /// In a direct chat: the other one has blocked them.
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
    /// What everybody may.
    pub everybody: Vec<Right>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub photo: Option<FileId>,
    /// In the order in which they were pinned.
    pub pinned: Vec<i64>,
    pub settings: ChatSettings,
    pub lines: Vec<Line>,
    pub people: BTreeMap<UserId, Stand>,
    /// What was sent under which client id, and where it stands.
    sent: BTreeMap<(UserId, Uuid), (i64, String, Option<i64>)>,
}

/// What the server must answer: the seq of a message, or nothing but that it is done.
pub type Verdict = Result<Option<i64>, ErrorCode>;

impl Room {
    pub fn new(kind: ChatKind, public: bool, title: Option<&str>, owner: UserId, others: &[UserId]) -> Self {
        let everybody = match kind {
            ChatKind::Channel => vec![Right::React],
            _ => vec![Right::Write, Right::React, Right::List],
        };
        let (lines, people, sent) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (title, description, photo, pinned) = (title.map(str::to_owned), None, None, Vec::new());
        let settings = ChatSettings::default();
        let mut room =
            Self { kind, public, everybody, title, description, photo, pinned, settings, lines, people, sent };
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

    /// Whether somebody has a right at a moment.
    fn has(&self, user: UserId, right: Right, now: i64) -> bool {
        let Some(stand) = self.people.get(&user) else { return false };
        let everybody = self.everybody.contains(&right);
        match stand.role {
            None => false,
            Some(Role::Owner) => true,
            Some(Role::Admin) => everybody || stand.rights.contains(&right),
            Some(Role::Member) => {
                let denied = stand.until.is_none_or(|until| until > now) && stand.denied.contains(&right);
                everybody && !denied
            }
        }
    }

    /// Which rights everybody can have, and a member be denied.
    fn can_be_everybodys(&self, rights: &[Right]) -> bool {
        let fits = |right: &Right| match self.kind {
            ChatKind::Direct => false,
            ChatKind::Group => {
                matches!(right, Right::Write | Right::React | Right::Add | Right::ChangeInfo | Right::Pin)
            }
            ChatKind::Channel => *right == Right::React,
        };
        rights.iter().all(fits)
    }

    /// Does what somebody wants at a moment, or says why not. `near`: whom of those who have left they may bring back.
    #[expect(clippy::too_many_lines, reason = "a list of short cases")]
    pub fn ask(&mut self, by: UserId, wish: &Wish, near: &dyn Fn(UserId, UserId) -> bool, now: i64) -> Verdict {
        let role = self.role(by);
        let has = |right| self.kind != ChatKind::Direct && self.has(by, right, now);
        let (adds, removes, deletes, names) =
            (has(Right::Add), has(Right::Remove), has(Right::Delete), has(Right::Name));
        let (writes, reacts) = (self.has(by, Right::Write, now), self.has(by, Right::React, now));
        let changes_info = has(Right::ChangeInfo);
        let pins = self.kind == ChatKind::Direct || self.has(by, Right::Pin, now);
        let shut_out = self.kind == ChatKind::Direct && self.people.get(&by).is_some_and(|it| it.banned);
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
                if shut_out {
                    return Err(ErrorCode::RefusedByUser);
                }
                if !writes {
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
                match (shut_out, writes) {
                    (true, _) => Err(ErrorCode::RefusedByUser),
                    (false, false) => Err(ErrorCode::Forbidden),
                    (false, true) => Err(ErrorCode::Internal),
                }
            }
            Wish::Edit(at, text) => {
                inside?;
                let silent = self.kind != ChatKind::Channel && !writes;
                let line = self.line(*at).ok_or(ErrorCode::MessageNotFound)?;
                match &mut line.said {
                    Said::Deleted => Err(ErrorCode::MessageNotFound),
                    Said::Text(_) if shut_out => Err(ErrorCode::RefusedByUser),
                    // Whoever was an admin of a channel when it was posted still answers for it.
                    Said::Text(old) if line.sender == by && !silent => {
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
                if line.sender != by && !deletes || matches!(line.said, Said::Service(_)) {
                    return Err(ErrorCode::Forbidden);
                }
                line.said = Said::Deleted;
                line.reactions.clear();
                self.pinned.retain(|it| it != at);
                Ok(None)
            }
            Wish::DeleteSome(all) => {
                inside?;
                for at in all {
                    let line = self.line(*at).ok_or(ErrorCode::MessageNotFound)?;
                    if line.sender != by && !deletes || matches!(line.said, Said::Service(_)) {
                        return Err(ErrorCode::Forbidden);
                    }
                }
                for at in all {
                    let line = self.line(*at).expect("was there");
                    line.said = Said::Deleted;
                    line.reactions.clear();
                    self.pinned.retain(|it| it != at);
                }
                Ok(None)
            }
            Wish::React(at, emoji) => {
                inside?;
                let line = self.line(*at).filter(|it| it.said != Said::Deleted).ok_or(ErrorCode::MessageNotFound)?;
                if shut_out {
                    return Err(ErrorCode::RefusedByUser);
                }
                if !reacts {
                    return Err(ErrorCode::Forbidden);
                }
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
                if !adds {
                    return Err(ErrorCode::Forbidden);
                }
                let outside: Vec<UserId> = users.iter().copied().filter(|user| self.role(*user).is_none()).collect();
                for (user, stand) in outside.iter().filter_map(|user| Some((user, self.people.get(user)?))) {
                    if stand.left && !near(by, *user) {
                        return Err(ErrorCode::HasLeft);
                    }
                    if stand.banned && !removes {
                        return Err(ErrorCode::Forbidden);
                    }
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
                let stand = self.below(removes, role, *user)?;
                let was_in = stand.role.take().is_some();
                (stand.banned, stand.read) = (true, 0);
                stand.rights.clear();
                if was_in {
                    self.tell(by, &ServiceAction::Removed { user_id: *user });
                }
                Ok(None)
            }
            Wish::SetRole(user, new) => {
                inside?;
                let owns = role == Some(Role::Owner) && self.kind != ChatKind::Direct;
                if *user == by && role == Some(Role::Admin) && *new == Role::Member {
                    self.people.get_mut(&by).expect("inside").become_one(Role::Member);
                    return Ok(None);
                }
                if !(owns || names && *new != Role::Owner) {
                    return Err(ErrorCode::Forbidden);
                }
                if *user == by {
                    return Err(ErrorCode::BadRequest);
                }
                let is_as_much = default_admin().iter().all(|right| self.has(by, *right, now));
                let stand = self.people.get_mut(user).filter(|it| it.role.is_some()).ok_or(ErrorCode::UserNotFound)?;
                if stand.role == Some(*new) {
                    return Ok(None);
                }
                if role <= stand.role || *new == Role::Admin && !is_as_much {
                    return Err(ErrorCode::Forbidden);
                }
                stand.become_one(*new);
                if *new == Role::Owner {
                    self.people.get_mut(&by).expect("inside").become_one(Role::Admin);
                }
                Ok(None)
            }
            Wish::SetRights(rights) => {
                inside?;
                if !names {
                    return Err(ErrorCode::Forbidden);
                }
                // Who is in a group stands in what all hear: that right stays, whether it is named or not.
                let group = self.kind == ChatKind::Group;
                let mut rights: Vec<Right> =
                    rights.iter().copied().filter(|it| !(group && *it == Right::List)).collect();
                if !self.can_be_everybodys(&rights) {
                    return Err(ErrorCode::BadRequest);
                }
                if group {
                    rights.push(Right::List);
                }
                let more = rights.iter().filter(|right| !self.everybody.contains(right));
                if more.into_iter().any(|right| !self.has(by, *right, now)) {
                    return Err(ErrorCode::Forbidden);
                }
                self.everybody = RIGHTS.into_iter().filter(|it| rights.contains(it)).collect();
                Ok(None)
            }
            Wish::SetAdminRights(user, rights) => {
                inside?;
                if !names {
                    return Err(ErrorCode::Forbidden);
                }
                let stand = self.people.get_mut(user).filter(|it| it.role.is_some()).ok_or(ErrorCode::UserNotFound)?;
                if stand.role != Some(Role::Admin) {
                    return Err(ErrorCode::BadRequest);
                }
                if role != Some(Role::Owner) {
                    return Err(ErrorCode::Forbidden);
                }
                stand.rights.clone_from(rights);
                Ok(None)
            }
            Wish::Restrict(user, denied, until) => {
                inside?;
                let fits = self.can_be_everybodys(denied);
                let stand = self.below(removes, role, *user)?;
                if stand.role > Some(Role::Member) || !fits || until.is_some_and(|until| until <= now) {
                    return Err(ErrorCode::BadRequest);
                }
                stand.denied.clone_from(denied);
                stand.until = until.filter(|_| !denied.is_empty());
                Ok(None)
            }
            Wish::Unban(user) => {
                inside?;
                if !removes {
                    return Err(ErrorCode::Forbidden);
                }
                self.people.get_mut(user).ok_or(ErrorCode::UserNotFound)?.banned = false;
                Ok(None)
            }
            Wish::SetInfo(title, description) => {
                inside?;
                if !changes_info {
                    return Err(ErrorCode::Forbidden);
                }
                self.title = title.clone().or(self.title.take());
                if let Some(description) = description {
                    self.description = Some(description.clone()).filter(|it| !it.is_empty());
                }
                Ok(None)
            }
            Wish::SetPhoto(photo) => {
                inside?;
                if !changes_info {
                    return Err(ErrorCode::Forbidden);
                }
                self.photo = *photo;
                Ok(None)
            }
            Wish::Settings(wish) => {
                inside?;
                if shut_out {
                    return Err(ErrorCode::RefusedByUser);
                }
                if self.kind != ChatKind::Direct && (!changes_info || role < Some(Role::Admin)) {
                    return Err(ErrorCode::Forbidden);
                }
                let fits = match self.kind {
                    ChatKind::Direct => wish.no_forwarding.is_none() && wish.signed.is_none(),
                    ChatKind::Group => wish.signed.is_none(),
                    ChatKind::Channel => true,
                };
                if !fits {
                    return Err(ErrorCode::BadRequest);
                }
                let (settings, change) = self.settings.changed(*wish);
                self.settings = settings;
                if !change.is_empty() {
                    self.tell(by, &ServiceAction::Settings { change });
                }
                Ok(None)
            }
            Wish::Pin(at) => {
                inside?;
                self.line(*at).filter(|it| it.said != Said::Deleted).ok_or(ErrorCode::MessageNotFound)?;
                if shut_out {
                    return Err(ErrorCode::RefusedByUser);
                }
                if !pins {
                    return Err(ErrorCode::Forbidden);
                }
                if !self.pinned.contains(at) {
                    if self.pinned.len() == 20 {
                        return Err(ErrorCode::TooLarge);
                    }
                    self.pinned.push(*at);
                }
                Ok(None)
            }
            Wish::Unpin(at) => {
                inside?;
                if shut_out {
                    return Err(ErrorCode::RefusedByUser);
                }
                if !pins {
                    return Err(ErrorCode::Forbidden);
                }
                self.pinned.retain(|it| it != at);
                Ok(None)
            }
            Wish::Block(user, blocked) => {
                self.people.get_mut(user).expect("one of the two").banned = *blocked;
                Ok(None)
            }
            Wish::List => {
                inside?;
                if self.has(by, Right::List, now) { Ok(None) } else { Err(ErrorCode::Forbidden) }
            }
            Wish::ListBanned => {
                inside?;
                if removes { Ok(None) } else { Err(ErrorCode::Forbidden) }
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

    /// Somebody whom one in this role may remove or restrict.
    fn below(&mut self, removes: bool, role: Option<Role>, user: UserId) -> Result<&mut Stand, ErrorCode> {
        if !removes {
            return Err(ErrorCode::Forbidden);
        }
        let stand = self.people.get_mut(&user).ok_or(ErrorCode::UserNotFound)?;
        if stand.role >= role { Err(ErrorCode::Forbidden) } else { Ok(stand) }
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
        stand.rights.clear();
        if was_in {
            self.tell(by, &ServiceAction::Left);
        }
        Ok(None)
    }

    fn enter(&mut self, user: UserId) {
        let read = seq(self.lines.len()) - 1;
        let stand = self.people.entry(user).or_default();
        *stand = Stand {
            role: Some(Role::Member),
            read,
            denied: std::mem::take(&mut stand.denied),
            until: stand.until,
            ..Stand::default()
        };
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
}

impl Stand {
    /// A new role brings what belongs to it.
    fn become_one(&mut self, role: Role) {
        self.role = Some(role);
        if role > Role::Member {
            self.denied.clear();
            self.until = None;
        }
        self.rights = if role == Role::Admin { default_admin() } else { Vec::new() };
    }
}

/// What an admin may who was named without more words: all but to name others.
fn default_admin() -> Vec<Right> {
    RIGHTS.into_iter().filter(|it| *it != Right::Name).collect()
}

/// The rights, in the order of their bits in the tables.
pub(super) const RIGHTS: [Right; 9] = [
    Right::Write,
    Right::React,
    Right::Add,
    Right::Remove,
    Right::Delete,
    Right::List,
    Right::Name,
    Right::ChangeInfo,
    Right::Pin,
];

pub(super) fn line(sender: UserId, said: Said) -> Line {
    Line { sender, client_id: None, said, reply_to: None, edited: false, reactions: BTreeMap::new() }
}

pub(super) fn name(action: &ServiceAction) -> String {
    serde_json::to_value(action).expect("JSON")["type"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn seq(place: usize) -> i64 {
    i64::try_from(place).expect("few") + 1
}

//! Who may do what: every command about a chat × every role × every kind of chat. A refusal changes nothing.

use chapar_protocol::{
    ChatId, ChatKind, Command, ErrorCode, InviteId, Right, Role, Seq, SettingsChange, UserId, Version, WireError,
    command::{
        AddMembers, AnswerJoinRequest, CreateChat, Delete, Difference, Edit, GetAdminLog, GetBanned, GetChat,
        GetInvites, GetJoinRequests, GetMembers, History, Join, Leave, METHODS, MarkRead, PinMessage, React,
        RemoveMember, RestrictMember, RevokeInvite, SetAdminRights, SetChatRights, SetChatSettings, SetDiscussion,
        SetInfo, SetInvite, SetRole, SetSlowMode, SetTyping, UnbanMember, UnpinMessage,
    },
    message::NewBody,
};

use uuid::Uuid;

use crate::support::{Device, World, device::message, http, world::Plan};

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    No(ErrorCode),
    /// Refused for good, in one of several honest ways.
    Refused,
    /// The role cannot be in that situation.
    Skip,
}

use Outcome::{Done, No, Refused, Skip};

const FORBIDDEN: Outcome = No(ErrorCode::Forbidden);
const NOT_FOUND: Outcome = No(ErrorCode::ChatNotFound);
const OTHERS: [Outcome; 2] = [NOT_FOUND, NOT_FOUND];

/// The columns of the table.
const ROLES: [&str; 5] = ["owner", "admin", "member", "stranger", "removed member"];

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Send,
    EditOwn,
    EditOwners,
    DeleteOwn,
    DeleteOwners,
    ReactTo,
    Read,
    Type,
    Page,
    Differ,
    Get,
    Members,
    Add,
    RemoveMember,
    RemoveAdmin,
    RemoveOwner,
    Promote,
    GiveAway,
    Leave,
    Join,
    AddBack,
    Everybodys,
    Admins,
    Restrict,
    RestrictAdmin,
    Unban,
    Banned,
    Rename,
    Picture,
    PinOwners,
    Unpin,
    Invite,
    Invites,
    Uninvite,
    Requests,
    LetIn,
    Slow,
    Log,
    Discuss,
    Vanish,
    Keep,
    Sign,
}

const fn row(owner: Outcome, admin: Outcome, member: Outcome) -> [Outcome; 5] {
    [owner, admin, member, OTHERS[0], OTHERS[1]]
}

const GROUP: &[(Deed, [Outcome; 5])] = &[
    (Deed::Send, row(Done, Done, Done)),
    (Deed::EditOwn, row(Done, Done, Done)),
    (Deed::EditOwners, row(Done, FORBIDDEN, FORBIDDEN)),
    (Deed::DeleteOwn, row(Done, Done, Done)),
    (Deed::DeleteOwners, row(Done, Done, FORBIDDEN)),
    (Deed::ReactTo, row(Done, Done, Done)),
    (Deed::Read, row(Done, Done, Done)),
    (Deed::Type, row(Done, Done, Done)),
    (Deed::Page, row(Done, Done, Done)),
    (Deed::Differ, row(Done, Done, Done)),
    (Deed::Get, row(Done, Done, Done)),
    (Deed::Members, row(Done, Done, Done)),
    (Deed::Add, row(Done, Done, FORBIDDEN)),
    (Deed::RemoveMember, row(Done, Done, FORBIDDEN)),
    (Deed::RemoveAdmin, row(Done, FORBIDDEN, FORBIDDEN)),
    (Deed::RemoveOwner, row(Refused, FORBIDDEN, FORBIDDEN)),
    (Deed::Promote, row(Done, FORBIDDEN, FORBIDDEN)),
    (Deed::GiveAway, row(Done, FORBIDDEN, FORBIDDEN)),
    // Who was removed may say that they stay out.
    (Deed::Leave, [No(ErrorCode::OwnerCannotLeave), Done, Done, NOT_FOUND, Done]),
    // It is public: whoever is in stays, a stranger comes in, and who was removed does not until they are added.
    (Deed::Join, [Done, Done, Done, Done, FORBIDDEN]),
    (Deed::AddBack, row(Done, Done, FORBIDDEN)),
    (Deed::Everybodys, row(Done, FORBIDDEN, FORBIDDEN)),
    (Deed::Admins, row(Done, FORBIDDEN, FORBIDDEN)),
    (Deed::Restrict, row(Done, Done, FORBIDDEN)),
    (Deed::RestrictAdmin, row(Refused, FORBIDDEN, FORBIDDEN)),
    (Deed::Unban, row(Done, Done, FORBIDDEN)),
    (Deed::Banned, row(Done, Done, FORBIDDEN)),
    (Deed::Rename, row(Done, Done, FORBIDDEN)),
    (Deed::Picture, row(Done, Done, FORBIDDEN)),
    (Deed::PinOwners, row(Done, Done, FORBIDDEN)),
    (Deed::Unpin, row(Done, Done, FORBIDDEN)),
    (Deed::Invite, row(Done, Done, FORBIDDEN)),
    (Deed::Invites, row(Done, Done, FORBIDDEN)),
    // There is no such link.
    (Deed::Uninvite, row(Refused, Refused, FORBIDDEN)),
    (Deed::Requests, row(Done, Done, FORBIDDEN)),
    // Nobody asks.
    (Deed::LetIn, row(Refused, Refused, FORBIDDEN)),
    (Deed::Slow, row(Done, Done, FORBIDDEN)),
    (Deed::Log, row(Done, Done, FORBIDDEN)),
    (Deed::Discuss, row(Done, Done, FORBIDDEN)),
    (Deed::Vanish, row(Done, Done, FORBIDDEN)),
    (Deed::Keep, row(Done, Done, FORBIDDEN)),
    (Deed::Sign, row(Refused, Refused, FORBIDDEN)),
];

/// As in a group, but for these.
const CHANNEL: &[(Deed, [Outcome; 5])] = &[
    (Deed::Send, row(Done, Done, FORBIDDEN)),
    (Deed::EditOwn, row(Done, Done, Skip)),
    (Deed::DeleteOwn, row(Done, Done, Skip)),
    (Deed::Members, row(Done, Done, FORBIDDEN)),
    (Deed::Type, row(Done, Done, FORBIDDEN)),
    (Deed::Slow, row(Refused, Refused, FORBIDDEN)),
    (Deed::Sign, row(Done, Done, FORBIDDEN)),
];

/// Two people, a stranger, and nobody who was removed: `owner` is who opened it, `member` the other.
const DIRECT: &[(Deed, [Outcome; 5])] = &[
    (Deed::Send, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::EditOwn, [Done, Skip, Done, Skip, Skip]),
    (Deed::EditOwners, [Done, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::DeleteOwn, [Done, Skip, Done, Skip, Skip]),
    (Deed::DeleteOwners, [Done, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::ReactTo, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Read, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Type, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Page, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Differ, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Get, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Members, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Add, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::RemoveMember, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Promote, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::GiveAway, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Leave, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Everybodys, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Admins, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Restrict, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Unban, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Banned, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Rename, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Picture, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::PinOwners, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Unpin, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Invite, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Invites, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Uninvite, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Requests, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::LetIn, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Slow, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Log, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Discuss, [FORBIDDEN, Skip, FORBIDDEN, NOT_FOUND, Skip]),
    (Deed::Vanish, [Done, Skip, Done, NOT_FOUND, Skip]),
    (Deed::Keep, [Refused, Skip, Refused, NOT_FOUND, Skip]),
    (Deed::Sign, [Refused, Skip, Refused, NOT_FOUND, Skip]),
];

/// A chat with somebody in each role, all of whom wrote what they could.
struct Stage<'a> {
    world: &'a World,
    chat_id: ChatId,
    handle: String,
    removed: UserId,
    /// In the order of [`ROLES`].
    actors: &'a [Device],
    other_admin: UserId,
    bystander: UserId,
    outsider: UserId,
    owners_message: Seq,
    own_messages: [Option<Seq>; 5],
}

impl<'a> Stage<'a> {
    async fn set(world: &'a World, kind: ChatKind, people: &'a [Device]) -> Self {
        let [owner, admin, member, stranger, removed, other_admin, bystander, outsider] = people else {
            panic!("eight people")
        };
        let mut handle_of_chat = String::new();
        let chat_id = if kind == ChatKind::Direct {
            world.direct(owner, member).await
        } else {
            let members = [admin, member, removed, other_admin, bystander].map(Device::id).to_vec();
            let client_id = Uuid::new_v4();
            let handle = Some(public_handle(client_id));
            let create = CreateChat { client_id, kind, title: "کاروان".to_owned(), handle, members };
            let made = http::call(world.at(0), owner.token(), &create).await.expect("made").chat;
            handle_of_chat = made.handle.expect("public");
            made.id
        };
        let node = world.at(0);
        if kind != ChatKind::Direct {
            for who in [admin, other_admin] {
                let set = SetRole { chat_id, user_id: who.id(), role: Role::Admin };
                http::call(node, owner.token(), &set).await.expect("the owner names admins");
            }
        }
        let mut own_messages = [None; 5];
        for (own, who) in own_messages.iter_mut().zip([owner, admin, member, stranger, removed]) {
            *own = http::call(node, who.token(), &message(chat_id, "mine")).await.ok().map(|sent| sent.seq);
        }
        if kind != ChatKind::Direct {
            let remove = RemoveMember { chat_id, user_id: removed.id(), reason: None };
            http::call(node, owner.token(), &remove).await.expect("the owner removes");
        }
        Self {
            world,
            chat_id,
            handle: handle_of_chat,
            removed: removed.id(),
            actors: &people[..5],
            other_admin: if kind == ChatKind::Direct { member.id() } else { other_admin.id() },
            bystander: if kind == ChatKind::Direct { member.id() } else { bystander.id() },
            outsider: outsider.id(),
            owners_message: own_messages[0].expect("the owner writes"),
            own_messages,
        }
    }

    /// All that a refusal must not touch. What a channel's counters tell goes on meanwhile, and takes versions.
    fn rows(&self, kind: ChatKind) -> String {
        let chat = self.chat_id;
        let version = if kind == ChatKind::Channel { "" } else { "version, " };
        self.world.database.sql(&format!(
            "SELECT {version} seq, rights, title, about FROM chats WHERE id = {chat};
             SELECT user_id, role, rights, denied, denied_until, banned, went, turn FROM members WHERE chat_id = {chat} ORDER BY 1;
             SELECT seq, sender_id, body, edited_at FROM messages WHERE chat_id = {chat} ORDER BY 1;
             SELECT seq, user_id, emoji FROM reactions WHERE chat_id = {chat} ORDER BY 1, 2;
             SELECT id, uses, revoked FROM invites WHERE chat_id = {chat} ORDER BY 1"
        ))
    }

    async fn try_out<C: Command>(&self, role: usize, command: C) -> Result<(), WireError> {
        http::call(self.world.at(0), self.actors[role].token(), &command).await.map(drop)
    }

    async fn act(&self, deed: Deed, role: usize) -> Result<(), WireError> {
        let chat_id = self.chat_id;
        let own = self.own_messages[role].unwrap_or(self.owners_message);
        let theirs = self.owners_message;
        let body = NewBody::text("changed");
        let remove = |user_id| RemoveMember { chat_id, user_id, reason: None };
        let set = |change| SetChatSettings { chat_id, change };
        let nothing = SettingsChange::default();
        let restrict = |user_id| RestrictMember { chat_id, user_id, denied: vec![Right::React], until: None };
        match deed {
            Deed::Send => self.try_out(role, message(chat_id, "new")).await,
            Deed::EditOwn => self.try_out(role, Edit { chat_id, seq: own, body }).await,
            Deed::EditOwners => self.try_out(role, Edit { chat_id, seq: theirs, body }).await,
            Deed::DeleteOwn => self.try_out(role, Delete { chat_id, seq: own }).await,
            Deed::DeleteOwners => self.try_out(role, Delete { chat_id, seq: theirs }).await,
            Deed::ReactTo => self.try_out(role, React { chat_id, seq: theirs, emoji: Some("👍".to_owned()) }).await,
            Deed::Read => self.try_out(role, MarkRead { chat_id, seq: theirs }).await,
            Deed::Type => self.try_out(role, SetTyping { chat_id }).await,
            Deed::Page => self.try_out(role, History { chat_id, seq: theirs, before: 5, after: 5 }).await,
            Deed::Differ => {
                let ask = Difference { chats: vec![(chat_id, Version(1))] };
                let answer = http::call(self.world.at(0), self.actors[role].token(), &ask).await?;
                let refused = || WireError::new(ErrorCode::ChatNotFound, "gone");
                if answer.gone == [chat_id] { Err(refused()) } else { Ok(()) }
            }
            Deed::Get => self.try_out(role, GetChat { chat_id }).await,
            Deed::Members => self.try_out(role, GetMembers { chat_id, after: None }).await,
            Deed::Add => self.try_out(role, AddMembers { chat_id, user_ids: vec![self.outsider] }).await,
            Deed::RemoveMember => self.try_out(role, remove(self.bystander)).await,
            Deed::RemoveAdmin => self.try_out(role, remove(self.other_admin)).await,
            Deed::RemoveOwner => self.try_out(role, remove(self.actors[0].id())).await,
            Deed::Promote => self.try_out(role, SetRole { chat_id, user_id: self.bystander, role: Role::Admin }).await,
            Deed::GiveAway => self.try_out(role, SetRole { chat_id, user_id: self.bystander, role: Role::Owner }).await,
            Deed::Leave => self.try_out(role, Leave { chat_id }).await,
            Deed::Join => self.try_out(role, Join { handle: self.handle.clone() }).await,
            Deed::AddBack => self.try_out(role, AddMembers { chat_id, user_ids: vec![self.removed] }).await,
            Deed::Everybodys => self.try_out(role, SetChatRights { chat_id, rights: Vec::new() }).await,
            Deed::Admins => {
                let set = SetAdminRights { chat_id, user_id: self.other_admin, rights: vec![Right::Delete] };
                self.try_out(role, set).await
            }
            Deed::Restrict => self.try_out(role, restrict(self.bystander)).await,
            Deed::RestrictAdmin => self.try_out(role, restrict(self.other_admin)).await,
            Deed::Unban => self.try_out(role, UnbanMember { chat_id, user_id: self.removed }).await,
            Deed::Picture => {
                let set = SetInfo { chat_id, title: None, description: None, photo: Some(None) };
                self.try_out(role, set).await
            }
            Deed::Rename => {
                let (title, description) = (Some("نام دیگر".to_owned()), Some("برای همه".to_owned()));
                self.try_out(role, SetInfo { chat_id, title, description, photo: None }).await
            }
            Deed::PinOwners => self.try_out(role, PinMessage { chat_id, seq: theirs }).await,
            Deed::Unpin => self.try_out(role, UnpinMessage { chat_id, seq: theirs }).await,
            Deed::Invite => {
                let (title, expires_at, max_uses, approval) = (None, None, None, false);
                let invite_id = InviteId(Uuid::new_v4());
                self.try_out(role, SetInvite { chat_id, invite_id, title, expires_at, max_uses, approval }).await
            }
            Deed::Slow => self.try_out(role, SetSlowMode { chat_id, seconds: 30 }).await,
            Deed::Vanish => self.try_out(role, set(SettingsChange { delete_after: Some(86_400), ..nothing })).await,
            Deed::Keep => self.try_out(role, set(SettingsChange { no_forwarding: Some(true), ..nothing })).await,
            Deed::Sign => self.try_out(role, set(SettingsChange { signed: Some(true), ..nothing })).await,
            Deed::Log => self.try_out(role, GetAdminLog { chat_id, before: None }).await,
            Deed::Discuss => self.try_out(role, SetDiscussion { chat_id, group_id: None }).await,
            Deed::Invites => self.try_out(role, GetInvites { chat_id }).await,
            Deed::Uninvite => self.try_out(role, RevokeInvite { chat_id, invite_id: InviteId(Uuid::new_v4()) }).await,
            Deed::Requests => self.try_out(role, GetJoinRequests { chat_id, after: None }).await,
            Deed::LetIn => {
                self.try_out(role, AnswerJoinRequest { chat_id, user_id: self.outsider, accept: true }).await
            }
            Deed::Banned => self.try_out(role, GetBanned { chat_id, after: None }).await,
        }
    }
}

/// A handle that no other chat has: a letter and 31 of the id's digits.
fn public_handle(id: Uuid) -> String {
    format!("c{}", &id.simple().to_string()[..31])
}

async fn check(kind: ChatKind, table: impl Iterator<Item = (Deed, [Outcome; 5])>) {
    let world = Plan::single().start().await;
    let mut wrong = Vec::new();
    for (deed, outcomes) in table {
        // New people for each row, so that no row is slowed by the limits of the one before.
        let people: [Device; 8] = world.people().await;
        for (role, expected) in outcomes.into_iter().enumerate().filter(|(_, outcome)| *outcome != Skip) {
            let stage = Stage::set(&world, kind, &people).await;
            let before = stage.rows(kind);
            let got = stage.act(deed, role).await;
            let fits = match (&got, expected) {
                (Ok(()), Done) => true,
                (Err(error), No(code)) => error.code == code,
                (Err(error), Refused) => error.action == chapar_protocol::Action::GiveUp,
                _ => false,
            };
            let untouched = got.is_ok() || stage.rows(kind) == before;
            if !fits || !untouched {
                wrong.push(format!("{kind:?} {deed:?} by {}: {got:?}, untouched: {untouched}", ROLES[role]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn in_a_group() {
    check(ChatKind::Group, GROUP.iter().copied()).await;
}

#[tokio::test]
async fn in_a_channel() {
    let changed = |deed| CHANNEL.iter().find(|row| row.0 == deed).copied();
    check(ChatKind::Channel, GROUP.iter().map(|row| changed(row.0).unwrap_or(*row))).await;
}

#[tokio::test]
async fn in_a_direct_chat() {
    check(ChatKind::Direct, DIRECT.iter().copied()).await;
}

#[tokio::test]
async fn nobody_does_anything_without_a_token() {
    let world = Plan::single().start().await;
    for method in METHODS.iter().filter(|method| method.http) {
        let path = format!("/api/v1/call/{}", method.name);
        for token in [None, Some("no such token"), Some("")] {
            let response = http::request(world.at(0), "POST", &path, token, Some("{}")).await;
            let error = response.read::<serde_json::Value>().expect_err("no token");
            assert!(
                matches!(error.code, ErrorCode::Unauthenticated | ErrorCode::InvalidToken),
                "{} with {token:?}: {error:?}",
                method.name
            );
        }
    }
}

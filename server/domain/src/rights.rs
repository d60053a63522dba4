//! Who may do what in a chat. Every command asks here, and nowhere else is a role compared.

use chapar_protocol::{ChatKind, ErrorCode, Right, Role, Timestamp, UserId, WireError};

use crate::{
    chat::Standing,
    refusal::{refusal, refuse},
};

/// A set of rights, one bit each. The numbers are stored: they are never given another meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(pub i32);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// To write messages, and to edit one's own.
    pub const WRITE: Self = Self(1);
    /// To react.
    pub const REACT: Self = Self(1 << 1);
    /// To bring people in.
    pub const ADD: Self = Self(1 << 2);
    /// To take people out, and keep them out.
    pub const REMOVE: Self = Self(1 << 3);
    /// To delete what others wrote.
    pub const DELETE: Self = Self(1 << 4);
    /// To see who is in.
    pub const LIST: Self = Self(1 << 5);
    /// To name admins and another owner.
    pub const NAME: Self = Self(1 << 6);
    /// To change title and description.
    pub const CHANGE_INFO: Self = Self(1 << 7);
    /// To pin messages.
    pub const PIN: Self = Self(1 << 8);

    /// What an admin has who was named without more words.
    pub const ADMIN: Self =
        Self(Self::WRITE.0 | Self::REACT.0 | Self::ADD.0 | Self::REMOVE.0 | Self::DELETE.0 | Self::LIST.0)
            .with(Self::CHANGE_INFO)
            .with(Self::PIN);
    /// Everything.
    pub const ALL: Self = Self(Self::ADMIN.0 | Self::NAME.0);

    /// What everybody may in a new chat.
    pub const fn of_new(kind: ChatKind) -> Self {
        match kind {
            ChatKind::Direct | ChatKind::Group => Self(Self::WRITE.0 | Self::REACT.0 | Self::LIST.0),
            ChatKind::Channel => Self::REACT,
        }
    }

    /// What everybody can be given, and a member denied. Who is in a group stands in what all its members hear: it is hidden from none.
    pub const fn of_everybody(kind: ChatKind) -> Self {
        match kind {
            ChatKind::Direct => Self::NONE,
            ChatKind::Group => Self(Self::WRITE.0 | Self::REACT.0 | Self::ADD.0 | Self::CHANGE_INFO.0 | Self::PIN.0),
            // Readers of a channel do not learn of each other.
            ChatKind::Channel => Self::REACT,
        }
    }

    /// What everybody has and nobody takes: see above.
    pub const fn kept(kind: ChatKind) -> Self {
        match kind {
            ChatKind::Group => Self::LIST,
            ChatKind::Direct | ChatKind::Channel => Self::NONE,
        }
    }

    /// The rights of a list; `None` when one is not known.
    pub fn of(list: &[Right]) -> Option<Self> {
        let bits = |right: &Right| NAMES.iter().find(|it| it.0 == *right).map(|it| it.1);
        list.iter().try_fold(Self::NONE, |all, right| Some(all.with(bits(right)?)))
    }

    /// As a list.
    pub fn list(self) -> Vec<Right> {
        NAMES.iter().filter(|it| self.has(it.1)).map(|it| it.0).collect()
    }

    /// Whether all of these are among them.
    pub const fn has(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// These, but not those.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }
}

const NAMES: [(Right, Rights); 9] = [
    (Right::Write, Rights::WRITE),
    (Right::React, Rights::REACT),
    (Right::Add, Rights::ADD),
    (Right::Remove, Rights::REMOVE),
    (Right::Delete, Rights::DELETE),
    (Right::List, Rights::LIST),
    (Right::Name, Rights::NAME),
    (Right::ChangeInfo, Rights::CHANGE_INFO),
    (Right::Pin, Rights::PIN),
];

/// Something that somebody wants to do in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a message.
    Write,
    /// Edit a message of this sender.
    Edit(UserId),
    /// Delete a message of this sender for all.
    Delete(UserId),
    /// React to a message.
    React,
    /// Vote in a poll.
    Vote,
    /// Close a poll of this sender.
    ClosePoll(UserId),
    /// Bring people in.
    Add,
    /// Take out somebody who has this role, restrict them, or let them come back; `None` for somebody who has left.
    Remove(Option<Role>),
    /// Give somebody else a role and rights, or say what everybody may.
    Name,
    /// Change title or description.
    ChangeInfo,
    /// Change what admins set of a chat.
    ChangeSettings,
    /// Pin a message, or take a pin back.
    Pin,
    /// Say in which group a channel's posts are discussed: both are theirs to look after.
    Link,
    /// Give the chat to somebody else.
    GiveAway,
    /// See who is in.
    List,
    /// See what admins have done.
    SeeLog,
    /// Go.
    Leave,
}

/// What is known of a chat where rights are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its form.
    pub kind: ChatKind,
    /// What everybody may.
    pub rights: Rights,
    /// The time.
    pub now: Timestamp,
}

/// What somebody may do there.
pub fn rights_of(place: Place, standing: &Standing) -> Rights {
    match standing.role {
        None => Rights::NONE,
        Some(Role::Owner) => Rights::ALL,
        Some(Role::Admin) => place.rights.with(standing.rights),
        Some(Role::Member) => place.rights.without(denied(place, standing)),
    }
}

/// What somebody is denied now: a restriction ends by itself.
fn denied(place: Place, standing: &Standing) -> Rights {
    let holds = standing.role == Some(Role::Member) && standing.denied_until.is_none_or(|until| until > place.now);
    if holds { standing.denied } else { Rights::NONE }
}

/// Whether somebody may do something in a chat. `standing` is `None` for somebody who never was in it.
///
/// # Errors
/// [`ErrorCode::ChatNotFound`] for those who are not in it, else [`ErrorCode::Forbidden`] with the reason.
pub fn may(place: Place, user: UserId, standing: Option<&Standing>, action: Action) -> Result<(), WireError> {
    let Some(standing) = standing.filter(|it| it.role.is_some()) else {
        return Err(refusal(ErrorCode::ChatNotFound));
    };
    if place.kind == ChatKind::Direct
        && standing.shut > 0
        && matches!(
            action,
            Action::Write | Action::Edit(_) | Action::React | Action::Vote | Action::Pin | Action::ChangeSettings
        )
    {
        return Err(refusal(ErrorCode::RefusedByUser));
    }
    let rights = rights_of(place, standing);
    let allowed = match action {
        Action::Write => rights.has(Rights::WRITE),
        Action::Edit(sender) if sender != user => {
            return refuse(ErrorCode::Forbidden, "only one's own texts can be edited");
        }
        // Whoever was an admin of a channel when it was posted still answers for it.
        Action::Edit(_) => place.kind == ChatKind::Channel || rights.has(Rights::WRITE),
        Action::Delete(sender) => sender == user || place.kind != ChatKind::Direct && rights.has(Rights::DELETE),
        Action::React => rights.has(Rights::REACT),
        Action::ClosePoll(sender) => sender == user,
        Action::Add => place.kind != ChatKind::Direct && rights.has(Rights::ADD),
        Action::Remove(role) => {
            if place.kind == ChatKind::Direct || !rights.has(Rights::REMOVE) {
                false
            } else if role >= standing.role {
                return refuse(ErrorCode::Forbidden, "only somebody of a lower role can be removed");
            } else {
                true
            }
        }
        Action::Name => place.kind != ChatKind::Direct && rights.has(Rights::NAME),
        Action::ChangeInfo => place.kind != ChatKind::Direct && rights.has(Rights::CHANGE_INFO),
        // What everybody may change of a group is its title, not what becomes of what others write.
        Action::ChangeSettings => {
            place.kind == ChatKind::Direct || standing.role >= Some(Role::Admin) && rights.has(Rights::CHANGE_INFO)
        }
        Action::Pin => place.kind == ChatKind::Direct || rights.has(Rights::PIN),
        Action::Link => {
            place.kind != ChatKind::Direct && standing.role >= Some(Role::Admin) && rights.has(Rights::CHANGE_INFO)
        }
        Action::GiveAway => place.kind != ChatKind::Direct && standing.role == Some(Role::Owner),
        Action::List => rights.has(Rights::LIST),
        Action::SeeLog => place.kind != ChatKind::Direct && standing.role >= Some(Role::Admin),
        Action::Leave if place.kind == ChatKind::Direct => {
            return refuse(ErrorCode::Forbidden, "a direct chat cannot be left");
        }
        // Whoever is asked may answer, also who cannot write here.
        Action::Vote | Action::Leave => true,
    };
    if allowed {
        return Ok(());
    }
    let restricted = Standing { denied: Rights::NONE, ..standing.clone() };
    if denied(place, standing) != Rights::NONE && may(place, user, Some(&restricted), action).is_ok() {
        return refuse(ErrorCode::Forbidden, "you are restricted here: an admin has taken this right from you");
    }
    Err(refusal(ErrorCode::Forbidden))
}

#[cfg(test)]
mod tests {
    use Action::{
        Add, ChangeInfo, ChangeSettings, ClosePoll, Delete, Edit, GiveAway, Leave, List, Name, Pin, React, Remove,
        SeeLog, Vote, Write,
    };
    use ChatKind::{Channel, Direct, Group};

    use super::*;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    fn place(kind: ChatKind) -> Place {
        Place { kind, rights: Rights::of_new(kind), now: Timestamp::from_millis(1000).expect("a time") }
    }

    fn allowed(place: Place, standing: &Standing, action: Action) -> bool {
        may(place, ME, Some(standing), action).is_ok()
    }

    /// Each line: what, and whether a member, an admin and an owner may, in a direct chat (members only), a group, a channel.
    #[test]
    fn the_table_of_rights() {
        let table: &[(Action, bool, [bool; 3], [bool; 3])] = &[
            (Write, true, [true, true, true], [false, true, true]),
            (React, true, [true, true, true], [true, true, true]),
            (Vote, true, [true, true, true], [true, true, true]),
            (ClosePoll(ME), true, [true, true, true], [true, true, true]),
            (ClosePoll(OTHER), false, [false, false, false], [false, false, false]),
            (List, true, [true, true, true], [false, true, true]),
            (Edit(ME), true, [true, true, true], [true, true, true]),
            (Edit(OTHER), false, [false, false, false], [false, false, false]),
            (Delete(ME), true, [true, true, true], [true, true, true]),
            (Delete(OTHER), false, [false, true, true], [false, true, true]),
            (Add, false, [false, true, true], [false, true, true]),
            (Remove(None), false, [false, true, true], [false, true, true]),
            (Remove(Some(Role::Member)), false, [false, true, true], [false, true, true]),
            (Remove(Some(Role::Admin)), false, [false, false, true], [false, false, true]),
            (Remove(Some(Role::Owner)), false, [false, false, false], [false, false, false]),
            (Name, false, [false, false, true], [false, false, true]),
            (ChangeInfo, false, [false, true, true], [false, true, true]),
            (Pin, true, [false, true, true], [false, true, true]),
            (ChangeSettings, true, [false, true, true], [false, true, true]),
            (GiveAway, false, [false, false, true], [false, false, true]),
            (Leave, false, [true, true, true], [true, true, true]),
            (SeeLog, false, [false, true, true], [false, true, true]),
        ];
        let roles = [Role::Member, Role::Admin, Role::Owner];
        for &(action, direct, group, channel) in table {
            assert_eq!(
                allowed(place(Direct), &Standing::with(Role::Member), action),
                direct,
                "{action:?} in a direct chat"
            );
            for (kind, row) in [(Group, group), (Channel, channel)] {
                for (role, may) in roles.into_iter().zip(row) {
                    assert_eq!(
                        allowed(place(kind), &Standing::with(role), action),
                        may,
                        "{action:?} as {role:?}, {kind:?}"
                    );
                }
            }
        }
    }

    /// Each right, for each role: by what everybody may, what was given to this one, and a restriction that is over, holds, or has no end.
    #[test]
    fn each_right_for_each_role_with_and_without_a_restriction() {
        let actions = [
            (Rights::WRITE, Write),
            (Rights::REACT, React),
            (Rights::ADD, Add),
            (Rights::REMOVE, Remove(None)),
            (Rights::DELETE, Delete(OTHER)),
            (Rights::LIST, List),
            (Rights::NAME, Name),
            (Rights::CHANGE_INFO, ChangeInfo),
            (Rights::PIN, Pin),
        ];
        assert_eq!(actions.len(), NAMES.len(), "a right has no line");
        let until = |millis| Some(Timestamp::from_millis(millis).expect("a time"));
        let denials = [
            (Rights::NONE, None, false),
            (Rights::ALL, until(1000), false),
            (Rights::ALL, until(1001), true),
            (Rights::ALL, None, true),
        ];
        for (right, action) in actions {
            for (kind, everybody, given) in [Group, Channel].into_iter().flat_map(|kind| {
                [(false, false), (false, true), (true, false), (true, true)].map(|(e, g)| (kind, e, g))
            }) {
                for (denied, denied_until, holds) in denials {
                    let some = |has: bool| if has { right } else { Rights::NONE };
                    let place = Place { rights: some(everybody), ..place(kind) };
                    let rows =
                        [(Role::Member, everybody && !holds), (Role::Admin, everybody || given), (Role::Owner, true)];
                    for (role, may) in rows {
                        let standing = Standing { rights: some(given), denied, denied_until, ..Standing::with(role) };
                        let line = format!(
                            "{action:?} as {role:?}, {kind:?}, everybody {everybody}, given {given}, denied {holds}"
                        );
                        assert_eq!(allowed(place, &standing, action), may, "{line}");
                    }
                }
            }
        }
    }

    #[test]
    fn strangers_are_told_nothing_of_the_chat() {
        let gone = Standing { role: None, ..Standing::with(Role::Member) };
        for standing in [None, Some(&gone)] {
            let error = may(place(Group), ME, standing, Write).expect_err("not in it");
            assert_eq!(error.code, ErrorCode::ChatNotFound);
        }
    }

    #[test]
    fn a_restriction_ends_by_itself_and_holds_for_members_only() {
        let until = |millis| Some(Timestamp::from_millis(millis).expect("a time"));
        let silenced = |role, until| Standing { denied: Rights::WRITE, denied_until: until, ..Standing::with(role) };
        assert!(!allowed(place(Group), &silenced(Role::Member, until(1001)), Write));
        assert!(!allowed(place(Group), &silenced(Role::Member, until(1001)), Edit(ME)));
        assert!(allowed(place(Group), &silenced(Role::Member, until(1001)), React));
        assert!(allowed(place(Group), &silenced(Role::Member, until(1000)), Write));
        assert!(allowed(place(Group), &silenced(Role::Owner, until(1001)), Write));
    }

    #[test]
    fn a_restriction_without_an_end_holds_and_says_so() {
        let silenced = Standing { denied: Rights::WRITE, ..Standing::with(Role::Member) };
        let error = may(place(Group), ME, Some(&silenced), Write).expect_err("denied");
        assert_eq!(error.code, ErrorCode::Forbidden);
        assert!(error.message.contains("restricted"), "{error}");
        let error = may(place(Channel), ME, Some(&silenced), Write).expect_err("no reader writes");
        assert!(!error.message.contains("restricted"), "{error}");
    }

    #[test]
    fn rights_are_lists_on_the_wire() {
        for bits in 0..=Rights::ALL.0 {
            assert_eq!(Rights::of(&Rights(bits).list()), Some(Rights(bits)));
        }
        assert_eq!(Rights::of(&[Right::Write, Right::Unknown]), None);
        assert_eq!(Rights::of(&[Right::Write, Right::Write]), Some(Rights::WRITE));
    }

    #[test]
    fn whoever_is_blocked_adds_nothing_to_the_chat_of_the_two_and_can_take_back_what_they_wrote() {
        let blocked = Standing { shut: 1, ..Standing::with(Role::Member) };
        for action in [Write, React, Edit(ME), Pin, ChangeSettings] {
            let error = may(place(Direct), ME, Some(&blocked), action).expect_err("blocked");
            assert_eq!(error.code, ErrorCode::RefusedByUser, "{action:?}");
        }
        assert!(allowed(place(Direct), &blocked, Delete(ME)));
    }

    #[test]
    fn a_quiet_group_hears_its_admins_only() {
        let quiet = Place { rights: Rights::of_new(Group).without(Rights::WRITE), ..place(Group) };
        assert!(!allowed(quiet, &Standing::with(Role::Member), Write));
        assert!(allowed(quiet, &Standing::with(Role::Admin), Write));
        let poor = Standing { rights: Rights::DELETE, ..Standing::with(Role::Admin) };
        assert!(!allowed(quiet, &poor, Write), "an admin has what was given, no more");
        assert!(allowed(quiet, &poor, Delete(OTHER)));
    }
}

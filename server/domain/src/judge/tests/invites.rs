//! Invite links, and those who ask to be let in.

use chapar_protocol::InviteId;

use super::*;
use crate::change::NewInvite;

const LINK: InviteId = InviteId(Uuid::from_u128(77));

fn link() -> NewInvite {
    NewInvite { id: LINK, title: None, expires_at: None, max_uses: None, approval: false }
}

fn made(kind: ChatKind, new: &NewInvite) -> (Stage, String) {
    let mut stage = Stage::new(kind, &[2, 3]);
    stage.one(1, Change::SetInvite(new.clone())).expect("the owner may add");
    let secret = stage.chat().invites[&new.id].secret.clone();
    (stage, secret)
}

#[test]
fn a_link_lets_in_as_many_as_it_is_for_and_moves_no_version_by_itself() {
    for kind in [ChatKind::Group, ChatKind::Channel] {
        let (mut stage, secret) = made(kind, &NewInvite { max_uses: Some(2), ..link() });
        let before = stage.chat().version;
        stage.one(1, Change::SetInvite(NewInvite { max_uses: Some(3), ..link() })).expect("another bound");
        assert_eq!(stage.chat().version, before, "{kind:?}");
        let all: Vec<_> = (10..20).map(|user| asked(user, Change::Enter(secret.clone()))).collect();
        let (verdicts, _) = stage.judge(&all);
        assert_eq!(verdicts.iter().filter(|it| it.is_ok()).count(), 3, "{kind:?}");
        assert!(verdicts[3..].iter().all(|it| code(it) == Some(ErrorCode::InviteGone)));
        assert_eq!((stage.chat().count, stage.chat().invites[&LINK].uses), (6, 3));
        stage.one(10, Change::Enter(secret)).expect("who is in is in");
        assert_eq!(stage.chat().invites[&LINK].uses, 3);
    }
}

#[test]
fn a_link_ends_by_the_clock_by_being_taken_back_and_with_the_right_of_who_made_it() {
    let end = Stage::new(ChatKind::Group, &[]).now + 60_000;
    let (mut stage, secret) = made(ChatKind::Group, &NewInvite { expires_at: Some(at(end)), ..link() });
    stage.one(10, Change::Enter(secret.clone())).expect("in time");
    stage.now = end;
    assert_eq!(code(&stage.one(11, Change::Enter(secret.clone()))), Some(ErrorCode::InviteGone));
    assert_eq!(
        code(
            &stage
                .one(1, Change::SetInvite(NewInvite { expires_at: Some(at(end)), title: Some("x".into()), ..link() }))
        ),
        Some(ErrorCode::BadRequest),
        "the end lies in the past"
    );
    stage.one(1, Change::SetInvite(link())).expect("for ever");
    stage.one(11, Change::Enter(secret.clone())).expect("good again");
    stage.one(1, Change::RevokeInvite(LINK)).expect("taken back");
    assert_eq!(code(&stage.one(12, Change::Enter(secret))), Some(ErrorCode::InviteGone));
    assert_eq!(code(&stage.one(1, Change::SetInvite(link()))), Some(ErrorCode::InviteGone), "for good");

    stage.one(1, Change::SetRole(UserId(2), Role::Admin)).expect("named");
    let other = NewInvite { id: InviteId(Uuid::from_u128(78)), ..link() };
    stage.one(2, Change::SetInvite(other.clone())).expect("an admin may add");
    let secret = stage.chat().invites[&other.id].secret.clone();
    stage.one(12, Change::Enter(secret.clone())).expect("while he may");
    stage.one(1, Change::Remove(UserId(2))).expect("removed");
    assert_eq!(code(&stage.one(13, Change::Enter(secret.clone()))), Some(ErrorCode::InviteGone));
    assert_eq!(code(&stage.one(2, Change::Enter(secret))), Some(ErrorCode::InviteGone), "nor does it bring him back");
}

#[test]
fn whoever_was_removed_does_not_come_back_through_a_link_and_a_member_makes_none() {
    let (mut stage, secret) = made(ChatKind::Group, &link());
    stage.one(1, Change::Remove(UserId(2))).expect("removed");
    assert_eq!(code(&stage.one(2, Change::Enter(secret.clone()))), Some(ErrorCode::Forbidden));
    stage.one(1, Change::Unban(UserId(2))).expect("let back");
    stage.one(2, Change::Enter(secret)).expect("by themselves");
    let other = NewInvite { id: InviteId(Uuid::from_u128(78)), ..link() };
    for change in [Change::SetInvite(other), Change::RevokeInvite(LINK), Change::AnswerRequest(UserId(9), true)] {
        assert_eq!(code(&stage.one(3, change)), Some(ErrorCode::Forbidden));
    }
}

#[test]
fn who_asks_is_let_in_or_not_and_asks_no_more_once_they_came_and_went() {
    let (mut stage, secret) = made(ChatKind::Group, &NewInvite { approval: true, ..link() });
    let asks = |user| asked(user, Change::Enter(secret.clone()));
    let (verdicts, told) = stage.judge(&[asks(10), asks(11), asks(12), asks(10)]);
    assert!(verdicts.iter().all(|it| matches!(it, Ok(Done::Waits(_)))), "{verdicts:?}");
    assert!(told.is_empty(), "nobody else hears of it");
    stage.one(1, Change::AnswerRequest(UserId(10), true)).expect("let in");
    assert_eq!(stage.chat().invites[&LINK].uses, 1);
    stage.one(1, Change::AnswerRequest(UserId(10), true)).expect("a retry");
    stage.one(1, Change::AnswerRequest(UserId(11), false)).expect("not let in");
    assert_eq!(code(&stage.one(1, Change::AnswerRequest(UserId(11), true))), Some(ErrorCode::UserNotFound));
    stage.one(11, Change::Enter(secret.clone())).expect("may ask again");
    stage.one(1, Change::Add(vec![UserId(12)], Vec::new())).expect("added meanwhile");
    stage.one(12, Change::Leave).expect("and gone");
    assert_eq!(code(&stage.one(1, Change::AnswerRequest(UserId(12), true))), Some(ErrorCode::UserNotFound));
}

#[test]
fn a_chat_remembers_two_hundred_links_and_forgets_none_that_is_good() {
    let mut stage = Stage::new(ChatKind::Group, &[]);
    let number = |n: usize| NewInvite { id: InviteId(Uuid::from_u128(n as u128)), ..link() };
    for n in 0..chapar_protocol::limit::INVITES {
        stage.one(1, Change::SetInvite(number(n))).expect("room");
    }
    assert_eq!(code(&stage.one(1, Change::SetInvite(number(900)))), Some(ErrorCode::TooLarge));
    stage.one(1, Change::RevokeInvite(number(7).id)).expect("taken back");
    stage.one(1, Change::SetInvite(number(900))).expect("in its place");
    assert!(!stage.chat().invites.contains_key(&number(7).id));
    assert_eq!(stage.chat().invites.len(), chapar_protocol::limit::INVITES);
}

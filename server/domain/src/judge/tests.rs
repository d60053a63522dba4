//! The judge alone, without a database: random changes by random people against a plain model, and the rules one by one.

mod files;
mod info;
mod invites;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chapar_protocol::{
    Body, ChatDelta, ChatId, ChatInfo, ChatKind, ChatRow, ErrorCode, FileId, Member, Message, Role, Seq, Timestamp,
    UserId, Version, message::NewBody,
};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Judgement, Moment, Verdict, Written, judge};
use crate::{
    Principal,
    change::{Asked, Change, Done, NewChat, NewInfo, NewMessage},
    chat::{Beside, Chat, Untold, UntoldReaction},
    rights::Rights,
};

const CHAT: ChatId = ChatId(1);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time")
}

fn asked(user: i64, change: Change) -> Asked {
    let by = if matches!(change, Change::Count) { Principal::System(UserId(0)) } else { Principal::User(UserId(user)) };
    Asked { by, chat: CHAT, change }
}

fn message(id: u128, text: &str) -> Change {
    Change::Send(NewMessage::new(Uuid::from_u128(id), &NewBody::text(text), Body::text(text), None))
}

fn create(kind: ChatKind, members: &[i64]) -> Asked {
    let named = |name: &str| (kind != ChatKind::Direct).then(|| name.to_owned());
    let (title, handle) = (named("x"), named("public"));
    let members = members.iter().map(|id| UserId(*id)).collect();
    asked(1, Change::Create(NewChat { kind, title, handle, members }))
}

/// A chat with everything that was ever done to it, as a database would give it out: the judge asks for no more than it is given.
struct Stage {
    chat: Option<Chat>,
    /// What stands for each reaction in the counts, and the reactions of which that is not told.
    counted: BTreeMap<(Seq, UserId), Option<String>>,
    untold: BTreeSet<(Seq, UserId)>,
    stale: bool,
    told_at: Option<Timestamp>,
    now: i64,
    rolls: u128,
}

impl Stage {
    fn new(kind: ChatKind, members: &[i64]) -> Self {
        let mut stage = Self {
            chat: None,
            counted: BTreeMap::new(),
            untold: BTreeSet::new(),
            stale: false,
            told_at: None,
            now: 1_000_000,
            rolls: 1 << 100,
        };
        stage.judge(&[create(kind, members)]);
        stage
    }

    fn judge(&mut self, asked: &[Asked]) -> (Vec<Verdict>, Vec<ChatDelta>) {
        let asked: Vec<&Asked> = asked.iter().collect();
        let rolls = &mut self.rolls;
        let mut dice = || {
            *rolls += 1;
            Uuid::from_u128(*rolls)
        };
        let moment = Moment { now: at(self.now), dice: &mut dice };
        let mut chat = self.chat.clone();
        if let Some(chat) = chat.as_mut().filter(|_| asked.iter().any(|it| matches!(it.change, Change::Count))) {
            let row = |key: &(Seq, UserId)| UntoldReaction {
                emoji: chat.reactions.get(key).cloned(),
                stands: self.counted.get(key).cloned().flatten(),
            };
            let reactions = self.untold.iter().map(|key| (*key, row(key))).collect();
            chat.untold = Untold { stale: self.stale, told_at: self.told_at, reactions, ..Untold::default() };
        }
        let Judgement { verdicts, written } = judge(CHAT, chat, &asked, moment);
        let deltas = written.as_ref().map_or_else(Vec::new, Written::deltas);
        if let Some(written) = written {
            self.store(written);
        }
        (verdicts, deltas)
    }

    fn store(&mut self, Written { chat, rows, .. }: Written) {
        for (key, version) in &rows.reactions {
            if *version == Version(0) {
                self.untold.insert(*key);
            } else {
                self.counted.insert(*key, chat.reactions.get(key).cloned());
            }
        }
        for (key, it) in rows.counted {
            if chat.reactions.get(&key) == it.emoji.as_ref() {
                self.untold.remove(&key);
            }
            self.counted.insert(key, it.stands);
        }
        self.told_at = rows.told.or(self.told_at);
        let told = chat.info.member_count.is_none_or(|told| i64::from(told) == chat.count);
        self.stale = !self.untold.is_empty() || !told;
        self.chat = Some(Chat { untold: Untold::default(), ..chat });
    }

    /// The counters are told, a second later.
    fn count(&mut self) -> Vec<ChatDelta> {
        self.now += 1000;
        let (verdicts, deltas) = self.judge(&[asked(0, Change::Count)]);
        assert!(verdicts[0].is_ok(), "{verdicts:?}");
        deltas
    }

    fn one(&mut self, user: i64, change: Change) -> Verdict {
        self.judge(&[asked(user, change)]).0.remove(0)
    }

    fn chat(&self) -> &Chat {
        self.chat.as_ref().expect("made")
    }
}

fn code(verdict: &Verdict) -> Option<ErrorCode> {
    verdict.as_ref().err().map(|error| error.code)
}

#[test]
fn a_retry_finds_its_message_and_another_text_under_the_same_id_is_refused() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let first = stage.one(2, message(7, "سلام")).expect("sent");
    let again = stage.one(2, message(7, "سلام")).expect("sent before");
    let (Done::Sent { seq, existed: false, .. }, Done::Sent { seq: same, existed: true, .. }) = (&first, &again) else {
        panic!("{first:?} {again:?}")
    };
    assert_eq!(seq, same);
    assert_eq!(code(&stage.one(2, message(7, "نه"))), Some(ErrorCode::ClientIdReused));
    assert_eq!(code(&stage.one(3, message(7, "سلام"))), Some(ErrorCode::ChatNotFound), "a stranger learns nothing");
}

#[test]
fn whoever_is_shut_out_of_a_direct_chat_writes_nothing_more_until_it_is_open_again() {
    let mut stage = Stage::new(ChatKind::Direct, &[2]);
    stage.one(2, message(7, "سلام")).expect("sent");
    let version = |stage: &Stage| stage.chat.as_ref().map(|it| it.version);
    let before = version(&stage);
    let (verdicts, deltas) = stage.judge(&[asked(1, Change::Shut(UserId(2), 10)), asked(2, message(8, "again"))]);
    let shut = verdicts[0].clone().expect("shut");
    assert_eq!(code(&verdicts[1]), Some(ErrorCode::RefusedByUser));
    assert!(deltas.is_empty() && version(&stage) == before, "nobody can tell: {deltas:?}");
    assert_eq!(stage.one(1, Change::Shut(UserId(2), 10)), Ok(shut), "twice is once");
    stage.one(2, message(7, "سلام")).expect("a retry finds what was sent before");
    stage.one(1, message(9, "my last word")).expect("the other one writes on");
    stage.one(1, Change::Shut(UserId(2), -9)).expect("what was before");
    assert_eq!(code(&stage.one(2, message(8, "again"))), Some(ErrorCode::RefusedByUser), "the later one holds");
    stage.one(1, Change::Shut(UserId(2), -11)).expect("open");
    stage.one(2, message(8, "again")).expect("sent");
    for (by, whom) in [(1, 1), (1, 9), (9, 1)] {
        assert!(stage.one(by, Change::Shut(UserId(whom), 12)).is_err(), "{by} {whom}");
    }
    let mut group = Stage::new(ChatKind::Group, &[2]);
    assert_eq!(code(&group.one(1, Change::Shut(UserId(2), 10))), Some(ErrorCode::Forbidden));
}

/// A chat with a post and so many people beside its owner.
fn crowd(kind: ChatKind, people: std::ops::Range<i64>) -> Stage {
    let mut stage = Stage::new(kind, &[]);
    stage.one(1, message(7, "post")).expect("posted");
    let people: Vec<UserId> = people.map(UserId).collect();
    for some in people.chunks(200) {
        stage.one(1, Change::Add(some.to_vec(), Vec::new())).expect("added");
    }
    if kind == ChatKind::Channel {
        stage.count();
    }
    stage
}

fn react(user: i64, emoji: &str) -> Asked {
    asked(user, Change::React(Seq(1), Some(emoji.to_owned())))
}

fn told(stage: &Stage) -> Vec<(&str, u32)> {
    stage.chat().messages[&Seq(1)].message.reactions.iter().map(|it| (it.emoji.as_str(), it.count)).collect()
}

fn messages(delta: &ChatDelta) -> usize {
    delta.rows.iter().filter_map(ChatRow::message).count()
}

fn reactions(delta: &ChatDelta) -> usize {
    delta.rows.iter().filter_map(ChatRow::reaction).count()
}

#[test]
fn many_reactions_to_one_message_that_come_together_are_told_as_one_change() {
    let mut stage = crowd(ChatKind::Group, 10..900);
    let before = stage.chat().version;
    let (verdicts, deltas) = stage.judge(&(10..900).map(|id| react(id, "👍")).collect::<Vec<_>>());
    assert!(verdicts.iter().all(|it| *it == Ok(Done::Changed(before.next()))));
    assert_eq!((deltas[0].from, deltas[0].version, messages(&deltas[0])), (before, before.next(), 1));
    assert_eq!(told(&stage), [("👍", 890)]);
}

#[test]
fn in_a_channel_reactions_are_told_once_a_second_to_all_and_apart_to_whose_they_are() {
    let mut stage = crowd(ChatKind::Channel, 10..1010);
    let before = stage.chat().version;
    let (verdicts, deltas) = stage.judge(&(10..1010).map(|id| react(id, "👍")).collect::<Vec<_>>());
    assert!(verdicts.iter().all(|it| *it == Ok(Done::Changed(before))), "stored at once");
    assert!(deltas.is_empty() && told(&stage).is_empty(), "and not told");
    let early = stage.judge(&[asked(0, Change::Count)]).0.remove(0).expect_err("told just before");
    assert_eq!((early.code, early.retry_after_ms), (ErrorCode::RateLimited, Some(1000)));
    let deltas = stage.count();
    assert_eq!(told(&stage), [("👍", 1000)]);
    let [whose, counts] = &deltas[..] else { panic!("{} deltas", deltas.len()) };
    assert_eq!((reactions(whose), whose.rows.len()), (1000, 1000));
    assert_eq!((messages(counts), counts.rows.len()), (1, 1));
    assert_eq!((whose.from, whose.version, counts.version), (before, counts.from, stage.chat().version));
    assert!(stage.count().is_empty(), "nothing is left");
    // Between two tellings somebody changes their mind and comes back to it: nothing of it is told to others.
    stage.judge(&[react(10, "🌹"), react(10, "👍")]);
    assert!(stage.count().iter().all(|it| messages(it) == 0));
    assert_eq!(told(&stage), [("👍", 1000)]);
    stage.judge(&[react(10, "🌹"), asked(11, Change::React(Seq(1), None))]);
    let deltas = stage.count();
    assert_eq!(deltas.len(), 1, "a few hear it with what all hear");
    assert_eq!(told(&stage), [("👍", 998), ("🌹", 1)]);
    assert_eq!(code(&stage.one(1, Change::Delete(Seq(1)))), None);
    stage.judge(&[react(12, "🌹")]);
    stage.count();
    assert!(told(&stage).is_empty(), "nothing stands on a tombstone");
}

#[test]
fn a_post_carries_fifty_different_reactions_also_when_more_come_in_one_second() {
    let mut stage = crowd(ChatKind::Channel, 10..80);
    let emoji =
        |user: i64| char::from_u32(0x1F400 + u32::try_from(user).expect("small")).expect("an animal").to_string();
    stage.judge(&(10..80).map(|id| react(id, &emoji(id))).collect::<Vec<_>>());
    stage.count();
    assert_eq!(told(&stage).len(), 50);
    assert_eq!(code(&stage.judge(&[react(9, "👍"), react(79, "👍")]).0[1]), Some(ErrorCode::TooLarge));
    // What did not find room is not taken away from what did.
    stage.judge(&(10..80).map(|id| asked(id, Change::React(Seq(1), None))).collect::<Vec<_>>());
    stage.count();
    assert!(told(&stage).is_empty());
}

#[test]
fn how_many_are_in_a_channel_is_told_with_its_counters() {
    let mut stage = crowd(ChatKind::Channel, 10..12);
    assert_eq!(stage.chat().info.member_count, Some(3));
    stage.one(1, Change::Remove(UserId(10))).expect("removed");
    assert_eq!(stage.chat().info.member_count, Some(3));
    let deltas = stage.count();
    assert_eq!(deltas[0].rows[0].info().and_then(|it| it.member_count), Some(2));
    assert_eq!(
        code(&stage.judge(&[Asked { by: Principal::User(UserId(1)), chat: CHAT, change: Change::Count }]).0[0]),
        Some(ErrorCode::Forbidden),
        "nobody asks for it"
    );
}

#[test]
fn an_owner_stays_until_another_is_named_and_readers_of_a_channel_are_told_to_nobody() {
    let mut stage = Stage::new(ChatKind::Channel, &[2, 3]);
    assert_eq!(code(&stage.one(1, Change::Leave)), Some(ErrorCode::OwnerCannotLeave));
    let (verdicts, deltas) = stage.judge(&[asked(1, Change::Remove(UserId(3)))]);
    assert!(verdicts[0].is_ok());
    assert!(deltas.is_empty(), "that a reader was removed is told to nobody");
    assert_eq!(code(&stage.one(3, Change::Join)), Some(ErrorCode::Forbidden), "and stays out");
    stage.one(1, Change::SetRole(UserId(2), Role::Owner)).expect("given away");
    stage.one(1, Change::Leave).expect("free to go");
    assert_eq!(code(&stage.one(1, message(1, "x"))), Some(ErrorCode::ChatNotFound));
}

#[test]
fn what_is_done_to_readers_of_a_channel_is_no_change_that_others_hear_of() {
    let mut stage = Stage::new(ChatKind::Channel, &[2, 3]);
    let version = stage.chat().version;
    let asks = [
        Change::Restrict(UserId(2), Rights::REACT, None),
        Change::Remove(UserId(2)),
        Change::Unban(UserId(2)),
        Change::Add(vec![UserId(2), UserId(4)], Vec::new()),
    ];
    for change in asks {
        let (verdicts, deltas) = stage.judge(&[asked(1, change.clone())]);
        assert_eq!(verdicts, [Ok(Done::Changed(version))], "{change:?}");
        assert!(deltas.is_empty(), "{change:?}");
    }
    assert_eq!(stage.chat().members[&UserId(2)].role, Some(Role::Member));
    assert_eq!(stage.chat().members[&UserId(2)].denied, Rights::REACT, "a restriction holds for who comes back");
}

#[test]
fn a_ban_is_ended_by_those_only_who_may_remove() {
    let mut stage = Stage::new(ChatKind::Group, &[2, 3]);
    stage.one(1, Change::SetRights(Rights::WRITE.with(Rights::ADD))).expect("everybody may add");
    stage.one(1, Change::Remove(UserId(3))).expect("removed");
    let back = || Change::Add(vec![UserId(3)], Vec::new());
    assert_eq!(code(&stage.one(2, back())), Some(ErrorCode::Forbidden));
    stage.one(1, back()).expect("the owner may");
}

#[test]
fn nobody_gives_what_they_do_not_have_and_an_admin_may_resign() {
    let mut stage = Stage::new(ChatKind::Group, &[2, 3]);
    stage.one(1, Change::Restrict(UserId(2), Rights::WRITE, None)).expect("restricted");
    stage.one(1, Change::SetRole(UserId(2), Role::Admin)).expect("named");
    assert_eq!(stage.chat().members[&UserId(2)].denied, Rights::NONE, "an admin is not restricted");
    stage.one(1, Change::SetRights(Rights::NONE)).expect("a quiet group");
    stage.one(1, Change::SetAdminRights(UserId(2), Rights::NAME)).expect("no more than to name");
    assert_eq!(code(&stage.one(2, Change::SetRights(Rights::ADD))), Some(ErrorCode::Forbidden));
    assert_eq!(code(&stage.one(2, Change::SetRole(UserId(2), Role::Owner))), Some(ErrorCode::Forbidden));
    assert_eq!(code(&stage.one(3, Change::SetRole(UserId(3), Role::Member))), Some(ErrorCode::Forbidden));
    stage.one(2, Change::SetRole(UserId(2), Role::Member)).expect("resigned");
    assert_eq!(stage.chat().members[&UserId(2)].role, Some(Role::Member));
}

#[test]
fn who_went_by_themselves_comes_back_by_themselves_or_by_somebody_they_know() {
    let mut stage = Stage::new(ChatKind::Group, &[2, 3]);
    stage.one(2, Change::Leave).expect("gone");
    let add = |back: &[i64]| Change::Add(vec![UserId(2)], back.iter().map(|id| UserId(*id)).collect());
    assert_eq!(code(&stage.one(1, add(&[]))), Some(ErrorCode::HasLeft));
    stage.one(1, add(&[2])).expect("they know each other");
    stage.one(2, Change::Leave).expect("gone again");
    stage.one(2, Change::Join).expect("by themselves");
}

#[test]
fn writing_back_answers_a_direct_chat_once() {
    let mut stage = Stage::new(ChatKind::Direct, &[2]);
    assert!(stage.chat().members[&UserId(1)].engaged, "who opened it");
    assert!(!stage.chat().members[&UserId(2)].engaged);
    let turn = stage.chat().members[&UserId(2)].turn;
    let (_, deltas) = stage.judge(&[asked(2, message(1, "سلام")), asked(2, message(2, "!"))]);
    assert_eq!(stage.chat().members[&UserId(2)].turn, turn + 1);
    assert!(deltas[0].rows.iter().all(|row| row.member().is_none()));
}

#[test]
fn time_does_not_go_back() {
    let mut stage = Stage::new(ChatKind::Group, &[]);
    stage.one(1, message(1, "a")).expect("sent");
    stage.now -= 500_000;
    let Ok(Done::Sent { sent_at, .. }) = stage.one(1, message(2, "b")) else { panic!("sent") };
    assert_eq!(sent_at, at(1_000_000));
}

#[test]
fn no_stretch_is_longer_than_an_answer_and_none_is_left_out() {
    let mut stage = Stage::new(ChatKind::Group, &[]);
    let from = stage.chat().version;
    let long = "x".repeat(4096);
    let many: Vec<Asked> = (0..256).map(|id| asked(1, message(id, &long))).collect();
    let (_, deltas) = stage.judge(&many);
    assert!(deltas.len() > 2);
    assert_eq!((deltas[0].from, deltas[deltas.len() - 1].version), (from, stage.chat().version));
    assert!(deltas.windows(2).all(|two| two[1].from == two[0].version));
    assert_eq!(deltas.iter().flat_map(|it| &it.rows).filter_map(ChatRow::message).count(), 256);
    for delta in &deltas {
        assert!(serde_json::to_string(delta).expect("a frame").len() <= chapar_protocol::limit::ANSWER_BYTES);
    }
}

#[test]
fn an_admin_who_names_others_gives_no_more_than_they_have() {
    let mut stage = Stage::new(ChatKind::Group, &[2, 3]);
    let name = |user, role| Change::SetRole(UserId(user), role);
    stage.one(1, name(2, Role::Admin)).expect("named");
    assert_eq!(code(&stage.one(2, name(3, Role::Admin))), Some(ErrorCode::Forbidden));
    stage.one(1, Change::SetAdminRights(UserId(2), Rights::NAME)).expect("given");
    assert_eq!(code(&stage.one(2, name(3, Role::Admin))), Some(ErrorCode::Forbidden), "more than they have");
    stage.one(1, Change::SetAdminRights(UserId(2), Rights::ALL)).expect("given");
    stage.one(2, name(3, Role::Admin)).expect("named");
    for (user, role) in [(1, Role::Member), (3, Role::Member), (3, Role::Owner)] {
        assert_eq!(code(&stage.one(2, name(user, role))), Some(ErrorCode::Forbidden), "{user} {role:?}");
    }
    assert_eq!(code(&stage.one(2, Change::SetAdminRights(UserId(3), Rights::NONE))), Some(ErrorCode::Forbidden));
}

#[test]
fn a_restriction_is_judged_by_the_time() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let restrict = |until: i64| Change::Restrict(UserId(2), Rights::WRITE, Some(at(until)));
    assert_eq!(code(&stage.one(1, restrict(1_000_000))), Some(ErrorCode::BadRequest), "it would be over");
    stage.one(1, restrict(1_001_000)).expect("restricted");
    assert_eq!(code(&stage.one(2, message(1, "x"))), Some(ErrorCode::Forbidden));
    stage.one(2, Change::Leave).expect("gone");
    stage.one(2, Change::Join).expect("back");
    assert_eq!(code(&stage.one(2, message(1, "x"))), Some(ErrorCode::Forbidden));
    stage.now = 1_001_000;
    stage.one(2, message(1, "x")).expect("it is over");
}

#[test]
fn who_is_let_back_comes_by_themselves() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    stage.one(1, Change::Remove(UserId(2))).expect("removed");
    assert_eq!(code(&stage.one(2, Change::Join)), Some(ErrorCode::Forbidden));
    assert_eq!(code(&stage.one(1, Change::Unban(UserId(9)))), Some(ErrorCode::UserNotFound));
    stage.one(1, Change::Unban(UserId(2))).expect("let back");
    stage.one(2, Change::Join).expect("back");
}

/// What somebody who hears every delta knows.
#[derive(Default)]
struct Listener {
    version: Version,
    messages: BTreeMap<Seq, Message>,
    members: HashMap<UserId, Member>,
    info: Option<ChatInfo>,
}

impl Listener {
    fn hear(&mut self, delta: ChatDelta) {
        assert_eq!(delta.from, self.version, "a hole between deltas");
        assert!(delta.version > delta.from);
        assert!(delta.rows.is_sorted_by_key(ChatRow::version), "rows out of order");
        for row in delta.rows {
            assert!(row.version() > delta.from && row.version() <= delta.version, "a row outside its delta");
            match row {
                ChatRow::Message(message) => drop(self.messages.insert(message.seq, message)),
                ChatRow::Member(mut member) if member.role.is_some() => {
                    member.version = Version(0);
                    self.members.insert(member.user_id, member);
                }
                ChatRow::Member(member) => drop(self.members.remove(&member.user_id)),
                ChatRow::Info(info) => self.info = Some(ChatInfo { version: Version(0), ..info }),
                ChatRow::Reaction(_) | ChatRow::Vote(_) | ChatRow::Unknown => {}
            }
        }
        self.version = delta.version;
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let user = || (1..6_i64).prop_map(UserId);
    let seq = || (0..12_i64).prop_map(Seq);
    let emoji = proptest::option::of(prop_oneof![Just("👍".to_owned()), Just("🌹".to_owned())]);
    let rights = || (0..=Rights::ALL.0).prop_map(Rights);
    let until = proptest::option::of(1_000_000..1_020_000_i64);
    let role = prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    prop_oneof![
        4 => (0..20_u128, "[ab]").prop_map(|(id, text)| message(id, &text)),
        1 => (0..20_u128, 2..4_u128).prop_map(|(id, count)| files::album(id, count)),
        1 => (seq(), "[ab]").prop_map(|(seq, text)| files::caption(seq, &text)),
        1 => (seq(), "[ab]").prop_map(|(seq, text)| Change::Edit(seq, NewBody::text(text))),
        1 => seq().prop_map(Change::Delete),
        2 => (seq(), emoji).prop_map(|(seq, emoji)| Change::React(seq, emoji)),
        1 => vec(user(), 0..3).prop_map(|users| Change::Add(users.clone(), users)),
        1 => user().prop_map(Change::Remove),
        1 => (user(), role).prop_map(|(user, role)| Change::SetRole(user, role)),
        1 => Just(Change::Join),
        1 => Just(Change::Leave),
        2 => Just(Change::Count),
        1 => rights().prop_map(Change::SetRights),
        1 => (user(), rights()).prop_map(|(user, rights)| Change::SetAdminRights(user, rights)),
        1 => (user(), rights(), until).prop_map(|(user, rights, until)| Change::Restrict(user, rights, until.map(at))),
        1 => user().prop_map(Change::Unban),
        1 => (proptest::option::of("[ab]"), proptest::option::of(proptest::option::of("[ab]")))
            .prop_map(|(title, description)| Change::SetInfo(NewInfo { title, description, photo: None })),
        1 => proptest::option::of(0..3u128).prop_map(|photo| {
            let photo = Some(photo.map(|it| FileId(Uuid::from_u128(it))));
            Change::SetInfo(NewInfo { photo, ..NewInfo::default() })
        }),
        2 => seq().prop_map(Change::Pin),
        1 => seq().prop_map(Change::Unpin),
        1 => (user(), -9i64..9).prop_map(|(user, since)| Change::Shut(user, since)),
        1 => Just(create(ChatKind::Group, &[4, 5]).change),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However changes are cut into batches: whoever hears everything knows what is there, nothing that was refused has left a
    /// trace, seqs and versions are dense, counts are what they count, and somebody owns the chat while anybody is in it.
    #[test]
    fn whoever_hears_everything_knows_everything(
        kind in prop_oneof![Just(ChatKind::Direct), Just(ChatKind::Group), Just(ChatKind::Channel)],
        changes in vec((1..6_i64, any_change()), 1..60),
        cuts in vec(1..8_usize, 1..60),
    ) {
        let mut stage = Stage::new(kind, if kind == ChatKind::Direct { &[2] } else { &[2, 3] });
        let mut listener = Listener { version: stage.chat().version, ..Listener::default() };
        for (user, standing) in &stage.chat().members {
            listener.members.extend(standing.role.map(|_| (*user, standing.member(*user, kind, Version(0)))));
        }
        listener.messages.extend(stage.chat().messages.values().map(|it| (it.message.seq, it.message.clone())));
        let mut left: Vec<Asked> = changes.into_iter().map(|(user, change)| asked(user, change)).collect();
        let mut cuts = cuts.into_iter().cycle();
        while !left.is_empty() {
            let batch: Vec<Asked> = left.drain(..cuts.next().unwrap_or(1).min(left.len())).collect();
            let before = stage.chat().clone();
            stage.now += 400;
            let (verdicts, deltas) = stage.judge(&batch);
            if verdicts.iter().all(Result::is_err) {
                prop_assert_eq!(&before, stage.chat());
                prop_assert!(deltas.is_empty());
            }
            for delta in deltas {
                listener.hear(delta);
            }
        }
        if kind == ChatKind::Channel {
            stage.count().into_iter().for_each(|delta| listener.hear(delta));
        }
        let chat = stage.chat();
        prop_assert_eq!(listener.version, chat.version);
        let there: BTreeMap<Seq, Message> = chat.messages.values().map(|it| (it.message.seq, it.message.clone())).collect();
        prop_assert_eq!(&listener.messages, &there);
        prop_assert_eq!(there.len(), usize::try_from(chat.seq.0).unwrap_or(0));
        for message in there.values() {
            let mut counted: HashMap<&str, u32> = HashMap::new();
            for ((seq, _), emoji) in &chat.reactions {
                if *seq == message.seq && message.body != Body::Deleted {
                    *counted.entry(emoji).or_default() += 1;
                }
            }
            let told: HashMap<&str, u32> = message.reactions.iter().map(|it| (it.emoji.as_str(), it.count)).collect();
            prop_assert_eq!(told, counted);
        }
        let told = chat.info.member_count.map(i64::from);
        prop_assert_eq!(told, (kind == ChatKind::Channel).then_some(chat.count));
        let inside: HashMap<UserId, Role> = chat.members.iter().filter_map(|(user, it)| Some((*user, it.role?))).collect();
        prop_assert_eq!(usize::try_from(chat.count).unwrap_or(0), inside.len());
        let owners = inside.values().filter(|role| **role == Role::Owner).count();
        let owned = if kind == ChatKind::Direct { owners == 0 && inside.len() == 2 } else { owners == 1 || inside.is_empty() };
        prop_assert!(owned, "{} owners of {}", owners, inside.len());
        prop_assert_eq!(listener.info.as_ref().unwrap_or(&chat.info), &chat.info);
        prop_assert_eq!(&chat.info.rights, &chat.rights.list());
        for (at, seq) in chat.info.pinned.iter().enumerate() {
            prop_assert!(there.get(seq).is_some_and(|it| it.body != Body::Deleted), "{seq} is pinned");
            prop_assert!(!chat.info.pinned[at + 1..].contains(seq), "{seq} is pinned twice");
        }
        // Of a channel everybody hears who is above a reader, and of nobody else.
        let heard_of = |role: Option<Role>| kind != ChatKind::Channel && role.is_some() || role > Some(Role::Member);
        listener.members.retain(|_, member| heard_of(member.role));
        let real = chat.members.iter().filter(|it| heard_of(it.1.role));
        let real: HashMap<UserId, Member> = real.map(|(user, it)| (*user, it.member(*user, kind, Version(0)))).collect();
        prop_assert_eq!(&listener.members, &real);
    }
}

#[test]
fn who_is_in_a_group_is_hidden_from_none_of_it() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    stage.one(1, Change::SetRights(Rights::REACT)).expect("a quiet group");
    assert_eq!(stage.chat().rights, Rights::REACT.with(Rights::LIST));
    assert_eq!(code(&stage.one(1, Change::Restrict(UserId(2), Rights::LIST, None))), Some(ErrorCode::BadRequest));
}

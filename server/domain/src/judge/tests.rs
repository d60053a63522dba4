//! The judge alone, without a database: random changes by random people against a plain model, and the rules one by one.

use std::collections::{BTreeMap, HashMap};

use chapar_protocol::{
    Body, ChatDelta, ChatId, ChatKind, ErrorCode, Message, Role, Seq, Timestamp, UserId, Version, message::NewBody,
};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{Judgement, Moment, Verdict, judge};
use crate::{
    Principal,
    change::{Asked, Change, Done, NewChat, NewMessage},
    chat::Chat,
};

const CHAT: ChatId = ChatId(1);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time")
}

fn asked(user: i64, change: Change) -> Asked {
    Asked { by: Principal::User(UserId(user)), chat: CHAT, change }
}

fn message(id: u128, text: &str) -> Change {
    let body = NewBody::text(text);
    Change::Send(NewMessage::new(Uuid::from_u128(id), body.clone(), body, None))
}

fn create(kind: ChatKind, members: &[i64]) -> Asked {
    let (title, handle) = (Some("x".to_owned()), Some("public".to_owned()));
    let members = members.iter().map(|id| UserId(*id)).collect();
    asked(1, Change::Create(NewChat { kind, title, handle, members }))
}

/// A chat with everything that was ever done to it, as a database would give it out: the judge asks for no more than it is given.
struct Stage {
    chat: Option<Chat>,
    now: i64,
    rolls: u128,
}

impl Stage {
    fn new(kind: ChatKind, members: &[i64]) -> Self {
        let mut stage = Self { chat: None, now: 1_000_000, rolls: 1 << 100 };
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
        let Judgement { verdicts, written } = judge(CHAT, self.chat.clone(), &asked, moment);
        let deltas = written.as_ref().map_or_else(Vec::new, super::Written::deltas);
        if let Some(written) = written {
            self.chat = Some(written.chat);
        }
        (verdicts, deltas)
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
    let (Done::Sent { seq, existed: false, .. }, Done::Sent { seq: same, existed: true, .. }) = (first, again) else {
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
    let (verdicts, deltas) = stage.judge(&[asked(1, Change::Shut(UserId(2), true)), asked(2, message(8, "again"))]);
    let shut = verdicts[0].clone().expect("shut");
    assert_eq!(code(&verdicts[1]), Some(ErrorCode::RefusedByUser));
    assert!(deltas.iter().all(|it| it.members.is_empty() && it.messages.is_empty()), "nobody hears of it: {deltas:?}");
    assert_eq!(stage.one(1, Change::Shut(UserId(2), true)), Ok(shut), "twice is once");
    stage.one(2, message(7, "سلام")).expect("a retry finds what was sent before");
    stage.one(1, message(9, "my last word")).expect("the other one writes on");
    stage.one(1, Change::Shut(UserId(2), false)).expect("open");
    stage.one(2, message(8, "again")).expect("sent");
    for (by, whom) in [(1, 1), (1, 9), (9, 1)] {
        assert!(stage.one(by, Change::Shut(UserId(whom), true)).is_err(), "{by} {whom}");
    }
    let mut group = Stage::new(ChatKind::Group, &[2]);
    assert_eq!(code(&group.one(1, Change::Shut(UserId(2), true))), Some(ErrorCode::Forbidden));
}

#[test]
fn many_reactions_to_one_post_that_come_together_are_told_as_one_change() {
    let mut stage = Stage::new(ChatKind::Channel, &[]);
    stage.one(1, message(7, "post")).expect("posted");
    let people: Vec<i64> = (10..1010).collect();
    let add = people.chunks(200).map(|some| Change::Add(some.iter().map(|id| UserId(*id)).collect(), Vec::new()));
    add.for_each(|add| assert!(stage.one(1, add).is_ok()));
    let before = stage.chat().version;
    let reactions: Vec<Asked> =
        people.iter().map(|id| asked(*id, Change::React(Seq(1), Some("👍".to_owned())))).collect();
    let (verdicts, deltas) = stage.judge(&reactions);
    assert!(verdicts.iter().all(|it| *it == Ok(Done::Changed(before.next()))));
    assert_eq!(deltas.len(), 1);
    assert_eq!((deltas[0].from, deltas[0].version, deltas[0].messages.len()), (before, before.next(), 1));
    assert_eq!(deltas[0].messages[0].reactions[0].count, 1000);
}

#[test]
fn an_owner_stays_until_another_is_named_and_readers_of_a_channel_are_told_to_nobody() {
    let mut stage = Stage::new(ChatKind::Channel, &[2, 3]);
    assert_eq!(code(&stage.one(1, Change::Leave)), Some(ErrorCode::OwnerCannotLeave));
    let (verdicts, deltas) = stage.judge(&[asked(1, Change::Remove(UserId(3)))]);
    assert!(verdicts[0].is_ok());
    assert!(deltas[0].members.is_empty(), "a reader who was removed is named to nobody");
    assert_eq!(code(&stage.one(3, Change::Join)), Some(ErrorCode::Forbidden), "and stays out");
    stage.one(1, Change::SetRole(UserId(2), Role::Owner)).expect("given away");
    stage.one(1, Change::Leave).expect("free to go");
    assert_eq!(code(&stage.one(1, message(1, "x"))), Some(ErrorCode::ChatNotFound));
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
    assert!(deltas[0].members.is_empty());
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
    assert_eq!(deltas.iter().map(|it| it.messages.len()).sum::<usize>(), 256);
    for delta in &deltas {
        assert!(serde_json::to_string(delta).expect("a frame").len() <= chapar_protocol::limit::ANSWER_BYTES);
    }
}

/// What somebody who hears every delta knows.
#[derive(Default)]
struct Listener {
    version: Version,
    messages: BTreeMap<Seq, Message>,
    roles: HashMap<UserId, Role>,
}

impl Listener {
    fn hear(&mut self, delta: ChatDelta) {
        assert_eq!(delta.from, self.version, "a hole between deltas");
        assert!(delta.version > delta.from);
        for message in delta.messages {
            assert!(message.version > delta.from && message.version <= delta.version, "a row outside its delta");
            self.messages.insert(message.seq, message);
        }
        for member in delta.members {
            match member.role {
                Some(role) => self.roles.insert(member.user_id, role),
                None => self.roles.remove(&member.user_id),
            };
        }
        self.version = delta.version;
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let user = || (1..6_i64).prop_map(UserId);
    let seq = || (0..12_i64).prop_map(Seq);
    let emoji = proptest::option::of(prop_oneof![Just("👍".to_owned()), Just("🌹".to_owned())]);
    let role = prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    prop_oneof![
        4 => (0..20_u128, "[ab]").prop_map(|(id, text)| message(id, &text)),
        1 => (seq(), "[ab]").prop_map(|(seq, text)| Change::Edit(seq, Body::from(NewBody::text(text)))),
        1 => seq().prop_map(Change::Delete),
        2 => (seq(), emoji).prop_map(|(seq, emoji)| Change::React(seq, emoji)),
        1 => vec(user(), 0..3).prop_map(|users| Change::Add(users.clone(), users)),
        1 => user().prop_map(Change::Remove),
        1 => (user(), role).prop_map(|(user, role)| Change::SetRole(user, role)),
        1 => Just(Change::Join),
        1 => Just(Change::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However changes are cut into batches: whoever hears everything knows what is there, nothing that was refused has left a
    /// trace, seqs and versions are dense, counts are what they count, and somebody owns the chat while anybody is in it.
    #[test]
    fn whoever_hears_everything_knows_everything(
        kind in prop_oneof![Just(ChatKind::Group), Just(ChatKind::Channel)],
        changes in vec((1..6_i64, any_change()), 1..60),
        cuts in vec(1..8_usize, 1..60),
    ) {
        let mut stage = Stage::new(kind, &[2, 3]);
        let mut listener = Listener { version: stage.chat().version, ..Listener::default() };
        for (user, standing) in &stage.chat().members {
            listener.roles.extend(standing.role.map(|role| (*user, role)));
        }
        listener.messages.extend(stage.chat().messages.values().map(|it| (it.message.seq, it.message.clone())));
        let mut left: Vec<Asked> = changes.into_iter().map(|(user, change)| asked(user, change)).collect();
        let mut cuts = cuts.into_iter().cycle();
        while !left.is_empty() {
            let batch: Vec<Asked> = left.drain(..cuts.next().unwrap_or(1).min(left.len())).collect();
            let before = stage.chat().clone();
            let (verdicts, deltas) = stage.judge(&batch);
            if verdicts.iter().all(Result::is_err) {
                prop_assert_eq!(&before, stage.chat());
                prop_assert!(deltas.is_empty());
            }
            for delta in deltas {
                listener.hear(delta);
            }
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
        let inside: HashMap<UserId, Role> = chat.members.iter().filter_map(|(user, it)| Some((*user, it.role?))).collect();
        prop_assert_eq!(usize::try_from(chat.count).unwrap_or(0), inside.len());
        let owners = inside.values().filter(|role| **role == Role::Owner).count();
        prop_assert!(owners == 1 || inside.is_empty(), "{} owners", owners);
        if kind == ChatKind::Group {
            prop_assert_eq!(&listener.roles, &inside);
        } else {
            let above: HashMap<_, _> = inside.into_iter().filter(|it| it.1 > Role::Member).collect();
            listener.roles.retain(|_, role| *role > Role::Member);
            prop_assert_eq!(&listener.roles, &above);
        }
    }
}

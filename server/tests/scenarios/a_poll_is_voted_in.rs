//! Polls and quizzes: whoever is asked votes once, however often and wherever they ask; all see the counts, each their own vote, and nobody
//! what is nobody's business.

use std::time::Duration;

use chapar_protocol::{
    Body, ChatId, ChatKind, ErrorCode, Event, Seq, Timestamp,
    command::{ClosePoll, CreateChat, Delete, Edit, GetVoters, Join, Send, Vote, Voted},
    message::NewBody,
    poll::{NewPoll, OwnVote, Poll, QuizKey},
};
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use crate::support::{Device, Model, http, world::Plan};

fn poll(options: &[&str]) -> NewPoll {
    let options = options.iter().map(|&it| it.to_owned()).collect();
    let key = QuizKey::default();
    NewPoll {
        question: "چای یا قهوه؟".to_owned(), options, public: false, multiple: false, closes_at: None, key
    }
}

fn quiz(right: u8) -> NewPoll {
    let key = QuizKey { right: Some(right), explanation: Some("چون".to_owned()) };
    NewPoll { key, ..poll(&["یک", "دو", "سه"]) }
}

async fn ask(device: &Device, chat_id: ChatId, poll: NewPoll) -> Seq {
    let body = NewBody::Poll(poll);
    device.must(Send::new(chat_id, Uuid::new_v4(), body)).await.seq
}

fn shown(model: &Model, chat: ChatId, seq: Seq) -> Option<Poll> {
    match &model.message(chat, seq)?.body {
        Body::Poll(poll) => Some(poll.clone()),
        _ => None,
    }
}

/// How often each option was chosen, and by how many people.
fn counts(poll: &Poll) -> (Vec<u32>, u32) {
    (poll.options.iter().map(|it| it.votes).collect(), poll.voters)
}

async fn counted(device: &Device, chat: ChatId, seq: Seq, votes: &[u32], people: u32) {
    let fits = |model: &Model| shown(model, chat, seq).is_some_and(|it| counts(&it) == (votes.to_vec(), people));
    device.until(&format!("{votes:?} by {people}"), fits).await;
}

fn own(device: &Device, chat: ChatId, seq: Seq) -> Option<OwnVote> {
    device.model().chats.get(&chat)?.votes.get(&seq).cloned()
}

async fn has_chosen(device: &Device, chat: ChatId, seq: Seq, options: &[u8]) {
    let fits = |model: &Model| model.chats[&chat].votes.get(&seq).is_some_and(|it| it.options == options);
    device.until(&format!("one's own {options:?}"), fits).await;
}

async fn vote(device: &Device, chat_id: ChatId, seq: Seq, options: &[u8]) -> Voted {
    device.must(Vote { chat_id, seq, options: options.to_vec() }).await
}

async fn not_taken(device: &Device, chat_id: ChatId, seq: Seq, options: &[u8]) -> ErrorCode {
    device.refused(Vote { chat_id, seq, options: options.to_vec() }).await.code
}

fn seconds_from_now(seconds: i64) -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(now.as_millis()).expect("soon") + 1000 * seconds).expect("a time")
}

#[tokio::test]
async fn by_all_who_are_asked() {
    let world = Plan::pair().start().await;
    let [author, amir, away] = world.people().await;
    let (sara, sara_too) = world.person_with_two_devices("sara").await;
    for (device, node) in [(&author, 0), (&amir, 1), (&sara, 0), (&sara_too, 1), (&away, 1)] {
        device.connect(world.at(node)).await;
    }
    let chat_id = world.group(&author, &[&amir, &sara, &away]).await;
    let seq = ask(&author, chat_id, NewPoll { public: true, multiple: true, ..poll(&["چای", "قهوه", "آب"]) }).await;
    away.until("the question", |model| shown(model, chat_id, seq).is_some()).await;
    away.cut().await;

    assert_eq!(vote(&amir, chat_id, seq, &[0, 2]).await.vote.options, [0, 2]);
    assert_eq!(vote(&sara, chat_id, seq, &[2]).await.vote.turn, 1);
    assert_eq!(vote(&sara, chat_id, seq, &[2]).await.vote.turn, 1, "again, it changes nothing");
    for device in [&author, &amir, &sara, &sara_too] {
        counted(device, chat_id, seq, &[1, 0, 2], 2).await;
    }
    has_chosen(&sara_too, chat_id, seq, &[2]).await;
    assert_eq!(own(&author, chat_id, seq), None, "nobody hears of another's vote");
    vote(&sara, chat_id, seq, &[1]).await;
    vote(&amir, chat_id, seq, &[]).await;
    for device in [&author, &sara_too] {
        counted(device, chat_id, seq, &[0, 1, 0], 1).await;
    }
    has_chosen(&sara_too, chat_id, seq, &[1]).await;

    // Who was away, and who comes for the first time.
    http::call(world.at(0), away.token(), &Vote { chat_id, seq, options: vec![1] }).await.expect("taken");
    away.connect(world.at(0)).await;
    counted(&away, chat_id, seq, &[0, 2, 0], 2).await;
    has_chosen(&away, chat_id, seq, &[1]).await;
    let fresh = Device::new(sara.account().clone());
    fresh.connect(world.at(1)).await;
    counted(&fresh, chat_id, seq, &[0, 2, 0], 2).await;
    has_chosen(&fresh, chat_id, seq, &[1]).await;

    // Who has chosen what: in a public poll everybody sees it who is there.
    let chosen_by = |option| GetVoters { chat_id, seq, option, after: None };
    let mut both = [sara.id(), away.id()];
    both.sort_unstable();
    assert_eq!(author.must(chosen_by(1)).await.user_ids, both);
    assert_eq!(author.must(chosen_by(0)).await.user_ids, []);
    let secret = ask(&author, chat_id, poll(&["a", "b"])).await;
    let of_secret = GetVoters { chat_id, seq: secret, option: 0, after: None };
    assert_eq!(author.refused(of_secret).await.code, ErrorCode::Forbidden);

    for (options, code) in [(&[3][..], ErrorCode::BadVote), (&[255], ErrorCode::BadVote)] {
        assert_eq!(not_taken(&sara, chat_id, seq, options).await, code);
    }
    assert_eq!(not_taken(&sara, chat_id, secret, &[0, 1]).await, ErrorCode::BadVote, "one is to be chosen");
    let text = author.say(chat_id, "no poll").await.seq;
    assert_eq!(not_taken(&sara, chat_id, text, &[0]).await, ErrorCode::BadVote);
    assert_eq!(not_taken(&sara, chat_id, Seq(99), &[0]).await, ErrorCode::MessageNotFound);
    let edit = Edit { chat_id, seq, body: NewBody::Poll(poll(&["x", "y"])) };
    assert_eq!(author.refused(edit).await.code, ErrorCode::Forbidden, "what others have answered stays");

    // Its end: by its author, for good.
    assert_eq!(sara.refused(ClosePoll { chat_id, seq }).await.code, ErrorCode::Forbidden);
    author.must(ClosePoll { chat_id, seq }).await;
    sara.until("its end", |model| shown(model, chat_id, seq).is_some_and(|it| it.closed)).await;
    assert_eq!(not_taken(&amir, chat_id, seq, &[0]).await, ErrorCode::PollClosed);
    assert_eq!(vote(&sara, chat_id, seq, &[1]).await.vote.options, [1], "a retry of what was taken");
    author.must(Delete { chat_id, seq }).await;
    assert_eq!(not_taken(&amir, chat_id, seq, &[0]).await, ErrorCode::MessageNotFound);
    for device in [&author, &amir, &sara, &sara_too, &away, &fresh] {
        assert_eq!(device.model().violations, [""; 0]);
    }
    let left = || world.database.sql("SELECT (SELECT count(*) FROM votes) + (SELECT count(*) FROM polls)");
    for _ in 0..100 {
        if left().trim() == "1" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("of the deleted poll nothing is kept: {}", left());
}

#[tokio::test]
async fn a_quiz_keeps_its_answer_until_one_has_answered_and_ends_in_time() {
    let world = Plan::single().start().await;
    let [author, amir, sara] = world.people().await;
    for device in [&author, &amir, &sara] {
        device.connect(world.at(0)).await;
    }
    let chat_id = world.group(&author, &[&amir, &sara]).await;
    let seq = ask(&author, chat_id, NewPoll { closes_at: Some(seconds_from_now(4)), ..quiz(1) }).await;
    let none = QuizKey::default();
    let right = quiz(1).key;
    amir.until("the quiz", |model| shown(model, chat_id, seq).is_some_and(|it| it.quiz && it.key == none)).await;
    assert_eq!(vote(&amir, chat_id, seq, &[0]).await.vote.key, right, "whoever has answered learns it");
    assert_eq!(not_taken(&amir, chat_id, seq, &[1]).await, ErrorCode::BadVote, "an answer stands");
    assert_eq!(not_taken(&amir, chat_id, seq, &[]).await, ErrorCode::BadVote);
    counted(&sara, chat_id, seq, &[1, 0, 0], 1).await;
    assert_eq!(shown(&sara.model(), chat_id, seq).expect("held").key, none, "others do not");
    let frames = format!("{:?}", sara.model().events);
    assert!(!frames.contains("چون"), "the explanation was told before its time: {frames}");
    sara.until("its end", |model| shown(model, chat_id, seq).is_some_and(|it| it.closed && it.key == right)).await;
    assert_eq!(not_taken(&sara, chat_id, seq, &[1]).await, ErrorCode::PollClosed);

    for bad in [
        NewPoll { closes_at: Some(seconds_from_now(-5)), ..poll(&["a", "b"]) },
        poll(&["a"]),
        poll(&["a", "a"]),
        quiz(7),
    ] {
        let send = Send::new(chat_id, Uuid::new_v4(), NewBody::Poll(bad));
        assert_eq!(author.refused(send).await.code, ErrorCode::BadPoll);
    }
}

#[tokio::test]
async fn once_however_many_vote_at_once_on_two_nodes() {
    let world = Plan::pair().start().await;
    let world = &world;
    let [author] = world.people().await;
    author.connect(world.at(0)).await;
    let crowd: Vec<Device> = world.accounts(150).await.into_iter().map(Device::new).collect();
    let members: Vec<&Device> = crowd.iter().collect();
    let group = world.group(&author, &members).await;
    let channel = {
        let (kind, handle) = (ChatKind::Channel, Some("asked".to_owned()));
        let create =
            CreateChat { client_id: Uuid::new_v4(), kind, title: "ک".to_owned(), handle, members: Vec::new() };
        author.must(create).await.chat.id
    };
    let join = Join { handle: "asked".to_owned() };
    stream::iter(crowd.iter().enumerate())
        .for_each_concurrent(32, |(n, person)| {
            let join = &join;
            async move { drop(http::call(world.at(n % 2), person.token(), join).await.expect("joined")) }
        })
        .await;
    let public = Send::new(channel, Uuid::new_v4(), NewBody::Poll(NewPoll { public: true, ..poll(&["a", "b"]) }));
    assert_eq!(author.refused(public).await.code, ErrorCode::BadPoll, "readers do not learn of each other");

    for chat_id in [group, channel] {
        let seq = ask(&author, chat_id, poll(&["a", "b", "c"])).await;
        author.until("the question", |model| shown(model, chat_id, seq).is_some()).await;
        author.forget_events();
        let began = std::time::Instant::now();
        stream::iter(crowd.iter().enumerate())
            .for_each_concurrent(16, |(n, person)| async move {
                // Four at once, over both nodes, of which two say something else.
                let tries = (0..4_usize).map(|it| {
                    let option = u8::try_from((n + it % 2) % 3).expect("small");
                    let vote = Vote { chat_id, seq, options: vec![option] };
                    let node = world.at((n + it / 2) % 2);
                    async move { http::call(node, person.token(), &vote).await.expect("taken") }
                });
                futures_util::future::join_all(tries).await;
                let last = Vote { chat_id, seq, options: vec![u8::try_from(n % 3).expect("small")] };
                http::call(world.at(n % 2), person.token(), &last).await.expect("taken");
            })
            .await;
        counted(&author, chat_id, seq, &[50, 50, 50], 150).await;
        let told =
            author.model().events.iter().filter(|it| matches!(it, Event::Delta(it) if it.chat_id == chat_id)).count();
        println!("150 people asked 750 times within {:?}, told in {told} changes", began.elapsed());
        if chat_id == channel {
            let most = usize::try_from(began.elapsed().as_secs()).expect("few") + 2;
            assert!(told <= most, "told {told} times");
        }
        let rows = world.database.sql(&format!("SELECT count(*) FROM votes WHERE chat_id = {chat_id}"));
        assert_eq!(rows.trim(), "150", "one vote of each");
        assert_eq!(author.model().violations, [""; 0]);
    }
}

//! Polls, and who has reacted to messages and read them: in a channel of a million, a group of a thousand, and a small one.

use chapar_domain::{
    Principal,
    change::{Asked, Change, Done, NewMessage},
};
use chapar_protocol::{
    Body, ChatId, Entity, EntityKind, Seq, Timestamp, UserId,
    message::{NewBody, Text},
    poll::{NewPoll, QuizKey},
};
use chapar_server::store::{
    Store,
    chats::change::{Locks, Outcome},
};
use uuid::Uuid;

use crate::fill::{CHANNEL, GROUP, OWNER, PERSON, SMALL};

async fn ask(store: &Store, by: i64, chat: ChatId, change: Change) -> Done {
    let by = if by == 0 { Principal::System(UserId(0)) } else { Principal::User(UserId(by)) };
    let asked = Asked { by, chat, change };
    let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    match store.chats.change(&[&asked], Locks::Skip, soon).await.expect("judged").outcomes.remove(0) {
        Outcome::Judged(Ok(done)) => done,
        other => panic!("{asked:?}: {other:?}"),
    }
}

/// Somebody is called in a group, reads it and is called again; and hides messages.
pub async fn mentions(store: &Store) {
    let chat = ChatId(GROUP);
    let mut called = Vec::new();
    for _ in 0..3 {
        let kind = EntityKind::Mention { user_id: UserId(PERSON) };
        let entities = (0..3).map(|offset| Entity { offset, length: 1, kind: kind.clone() }).collect();
        let text = Text { text: "who?".to_owned(), entities };
        let send = NewMessage::new(Uuid::new_v4(), &NewBody::Text(text.clone()), Body::Text(text), None);
        let Done::Sent { seq, .. } = ask(store, OWNER, chat, Change::Send(send)).await else { panic!("sent") };
        called.push(seq);
    }
    ask(store, OWNER, chat, Change::DeleteSome(called[..2].to_vec())).await;
    let snapshot = store.chats.chat_snapshot(UserId(PERSON), chat).await.expect("read");
    assert!(!snapshot.mentions.is_empty());
    for seq in called {
        store.people.hide_messages(UserId(PERSON), chat, &[seq]).await.expect("hidden");
    }
}

pub async fn polls(store: &Store, round: i64) {
    for chat in [CHANNEL, GROUP] {
        let chat = ChatId(chat);
        let options = ["a", "b"].map(str::to_owned).to_vec();
        let closes_at = Timestamp::from_millis(4_000_000_000_000);
        let key = QuizKey::default();
        let (question, public) = ("?".to_owned(), chat.0 == GROUP);
        let new = NewPoll { question, options, public, multiple: false, closes_at, key };
        let stored = Body::Poll(new.clone().begin());
        let send = NewMessage::new(Uuid::new_v4(), &NewBody::Poll(new), stored, None);
        let Done::Sent { seq, .. } = ask(store, OWNER, chat, Change::Send(send)).await else { panic!("sent") };
        for option in [0, 1] {
            for user in [PERSON, 3 + round, 4 + round] {
                ask(store, user, chat, Change::Vote(seq, vec![option])).await;
            }
        }
        if chat.0 == CHANNEL {
            // Perhaps not yet: once a second.
            let by = Principal::System(UserId(0));
            let count = Asked { by, chat, change: Change::Count };
            let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
            store.chats.change(&[&count], Locks::Skip, soon).await.expect("judged");
        }
        store.chats.history(UserId(PERSON), chat, seq, 10, 10).await.expect("read");
        let (voters, _) = store.chats.voters(chat, seq, 1, UserId(0), 200).await.expect("read");
        assert_eq!(voters.len(), 3);
        ask(store, OWNER, chat, Change::ClosePoll(seq)).await;
        ask(store, OWNER, chat, Change::Delete(seq)).await;
    }
    assert!(store.chats.due_polls().await.expect("read").is_empty());
    while store.chats.forget_deleted_polls().await.expect("forgotten") {}
    let (_, more) = store.chats.reactors(ChatId(CHANNEL), Seq(1), Some("🌹"), UserId(0), 200).await.expect("read");
    assert_eq!(more, None);
    assert_eq!(store.chats.readers_of(ChatId(GROUP), Seq(1), 100).await.expect("read"), None, "they are too many");
    // One of ten to which `writing` adds nobody.
    let ten = ChatId(SMALL - 300);
    assert!(store.chats.readers_of(ten, Seq(1), 100).await.expect("read").is_some());
}

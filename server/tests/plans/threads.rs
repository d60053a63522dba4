//! Calls everything that the store can do with threads.

use chapar_domain::{
    Principal,
    change::{Asked, Change, Done, NewMessage},
    chat::Beside,
};
use chapar_protocol::{
    Body, ChatId, Seq, UserId,
    message::{Forwarded, NewBody},
    thread::Comments,
};
use chapar_server::store::{
    Store,
    chats::{
        change::{Locks, Outcome},
        feed::Cursor,
    },
};
use uuid::Uuid;

use crate::fill::{CHANNEL, GROUP, OWNER, PERSON};

const POSTS: ChatId = ChatId(CHANNEL);
const TALK: ChatId = ChatId(GROUP);

async fn changed(store: &Store, by: Principal, chat: ChatId, change: Change) -> Done {
    let asked = Asked { by, chat, change };
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut changed = store.chats.change(&[&asked], Locks::Skip, until).await.expect("stored");
    match changed.outcomes.pop() {
        Some(Outcome::Judged(Ok(done))) => done,
        other => panic!("{asked:?}: {other:?}"),
    }
}

fn seq(done: &Done) -> Seq {
    let Done::Sent { seq, .. } = done else { panic!("{done:?}") };
    *seq
}

/// A channel of which some posts are carried into a group, and comments on one.
pub async fn threads(store: &Store) {
    let server = Principal::System(UserId(0));
    changed(store, server, TALK, Change::Link(Some(POSTS))).await;
    changed(store, server, POSTS, Change::Link(Some(TALK))).await;
    let said = |text: &str| NewMessage::new(Uuid::new_v4(), &NewBody::text(text), Body::text(text), None);
    let owner = Principal::User(UserId(OWNER));
    let post = seq(&changed(store, owner, POSTS, Change::Send(said("a post"))).await);
    store.chats.posted_since(Cursor::default(), 100).await.expect("read");
    let due = store.chats.to_carry(POSTS).await.expect("read").expect("is discussed");
    assert_eq!((due.group, due.posts.last().map(|it| it.seq)), (TALK, Some(post)));
    let forwarded = Some(Box::new(Forwarded { chat_id: Some(POSTS), seq: Some(post), ..Forwarded::default() }));
    let beside = Beside { forwarded, post: Some(post), ..Beside::default() };
    let carried = NewMessage::forwarded(Uuid::new_v4(), (POSTS, post), Body::text("a post"), beside);
    let root = seq(&changed(store, Principal::System(UserId(OWNER)), TALK, Change::Carry(carried)).await);
    store.chats.carried(POSTS, TALK, post).await.expect("noted");
    let me = UserId(PERSON);
    let member = UserId(4);
    for _ in 0..3 {
        changed(
            store,
            Principal::User(member),
            TALK,
            Change::Send(said("a comment").beside(Beside { thread: Some(root), ..Beside::default() })),
        )
        .await;
    }
    let untold = store.chats.untold_comments().await.expect("read");
    let comments = Comments { chat_id: TALK, seq: root, count: 3 };
    assert!(untold.iter().any(|it| it.comments == comments && it.post == post), "{untold:?}");
    changed(store, server, POSTS, Change::TellComments(post, comments)).await;
    store.chats.comments_told(&comments).await.expect("noted");
    assert_eq!(store.chats.thread(member, TALK, root, root, 2, 2).await.expect("read").messages.len(), 3);
    assert_eq!(store.chats.discussion_of(me, POSTS).await.expect("read"), Some(TALK));
    assert_eq!(store.chats.says_of_discussion(TALK).await.expect("read"), Some(POSTS));
    changed(store, server, POSTS, Change::Link(None)).await;
    changed(store, server, TALK, Change::Link(None)).await;
}

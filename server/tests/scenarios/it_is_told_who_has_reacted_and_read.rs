//! Who has reacted to a message, and who has read it: told where people know each other.

use chapar_protocol::{
    ChatKind, ErrorCode, Seq,
    command::{Delete, GetReactions, GetReaders, MarkRead, React},
};

use crate::support::world::Plan;

#[tokio::test]
async fn in_a_group_and_to_nobody_else() {
    let world = Plan::pair().start().await;
    let [owner, amir, sara, stranger] = world.people().await;
    for (device, node) in [(&owner, 0), (&amir, 1), (&sara, 0), (&stranger, 1)] {
        device.connect(world.at(node)).await;
    }
    let chat_id = world.group(&owner, &[&amir, &sara]).await;
    let seq = owner.say(chat_id, "what do you say?").await.seq;
    for (device, emoji) in [(&amir, "👍"), (&sara, "🌹"), (&owner, "👍")] {
        device.must(React { chat_id, seq, emoji: Some(emoji.to_owned()) }).await;
    }
    let of = |emoji: Option<&str>| GetReactions { chat_id, seq, emoji: emoji.map(str::to_owned), after: None };
    let told = amir.must(of(None)).await;
    assert_eq!((told.reactions.len(), told.after), (3, None));
    assert!(told.reactions.windows(2).all(|pair| pair[0].user_id < pair[1].user_id), "{told:?}");
    let roses = amir.must(of(Some("🌹"))).await.reactions;
    assert_eq!(roses.iter().map(|it| it.user_id).collect::<Vec<_>>(), [sara.id()]);
    sara.must(React { chat_id, seq, emoji: None }).await;
    assert!(amir.must(of(Some("🌹"))).await.reactions.is_empty());
    assert_eq!(amir.refused(of(Some("no emoji"))).await.code, ErrorCode::BadReaction);
    assert_eq!(stranger.refused(of(None)).await.code, ErrorCode::ChatNotFound);

    let readers = || GetReaders { chat_id, seq };
    assert!(owner.must(readers()).await.user_ids.is_empty());
    amir.must(MarkRead { chat_id, seq }).await;
    owner.must(MarkRead { chat_id, seq }).await;
    assert_eq!(owner.must(readers()).await.user_ids, [amir.id()], "whoever wrote it is no reader");
    assert_eq!(stranger.refused(readers()).await.code, ErrorCode::ChatNotFound);
    assert_eq!(owner.refused(GetReaders { chat_id, seq: Seq(99) }).await.code, ErrorCode::MessageNotFound);
    owner.must(Delete { chat_id, seq }).await;
    assert_eq!(owner.refused(readers()).await.code, ErrorCode::MessageNotFound);
    assert!(owner.must(of(None)).await.reactions.is_empty(), "of a deleted message nothing is told");

    let channel = world.chat(ChatKind::Channel, &owner, &[&amir]).await;
    let post = owner.say(channel, "a post").await.seq;
    let reactions = GetReactions { chat_id: channel, seq: post, emoji: None, after: None };
    assert_eq!(owner.refused(reactions).await.code, ErrorCode::Forbidden);
    let readers = GetReaders { chat_id: channel, seq: post };
    assert_eq!(owner.refused(readers).await.code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn who_has_read_only_where_few_are() {
    let world = Plan::single().start().await;
    let [owner] = world.people().await;
    owner.connect(world.at(0)).await;
    let crowd: Vec<_> = world.accounts(100).await.into_iter().map(crate::support::Device::new).collect();
    let chat_id = world.group(&owner, &crowd.iter().collect::<Vec<_>>()).await;
    let seq = owner.say(chat_id, "to 101 people").await.seq;
    assert_eq!(owner.refused(GetReaders { chat_id, seq }).await.code, ErrorCode::TooLarge);
}

//! A report names a chat that whoever tells is in, or was, and a message there that they can see, or have read.

use chapar_protocol::{
    ChatId, ErrorCode, Seq,
    command::{MarkRead, RemoveMember, Report, ReportReason},
};

use crate::support::{device::message, world::Plan};

#[tokio::test]
async fn and_nothing_else() {
    let world = Plan::single().start().await;
    let [owner, member, stranger] = world.people().await;
    for who in [&owner, &member, &stranger] {
        who.connect(world.at(0)).await;
    }
    let group = world.group(&owner, &[&member]).await;
    let seen = owner.must(message(group, "buy this")).await.seq;
    let report = |chat_id: Option<ChatId>, seq: Option<Seq>| Report {
        user_id: owner.id(),
        reason: ReportReason::Spam,
        chat_id,
        seq,
        note: None,
    };
    let chat = |seq: i64| report(Some(group), Some(Seq(seq)));
    member.must(report(Some(group), None)).await;
    member.must(chat(seen.0)).await;
    for (bad, code) in [
        (chat(seen.0 + 1), ErrorCode::MessageNotFound),
        (chat(0), ErrorCode::MessageNotFound),
        (report(None, Some(seen)), ErrorCode::BadRequest),
        (report(Some(ChatId(4_000_000_000)), None), ErrorCode::ChatNotFound),
    ] {
        assert_eq!(member.refused(bad.clone()).await.code, code, "{bad:?}");
    }
    // Whoever was never there learns nothing, not even whether there is such a chat or message.
    for seq in [None, Some(seen), Some(Seq(1_000_000))] {
        let refused = stranger.refused(report(Some(group), seq)).await;
        assert_eq!(refused.code, ErrorCode::ChatNotFound);
    }

    // Taken out for having complained: what was read can be told of all the same, what came later cannot.
    member.must(MarkRead { chat_id: group, seq: seen }).await;
    owner.must(RemoveMember { chat_id: group, user_id: member.id(), reason: None }).await;
    let later = owner.must(message(group, "and this")).await.seq;
    member.must(chat(seen.0)).await;
    assert_eq!(member.refused(chat(later.0)).await.code, ErrorCode::MessageNotFound);
}

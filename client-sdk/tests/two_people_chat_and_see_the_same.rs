//! Everything that two people can do in a chat, against the real server.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use chapar_client::{
    ClientEvent, Error,
    protocol::{
        Action, Audience, Body, ChatKind, ErrorCode, OwnItem, Role, Seq,
        item::{Mute, WHO_MAY_CALL, WHO_MAY_SEE},
        message::NewBody,
    },
};
use world::{Server, event, person, texts, until};

#[tokio::test]
async fn two_people_chat_and_see_the_same() {
    let server = Server::start();
    let (sara, reza) = (person(&server.url, "sara").await, person(&server.url, "reza").await);
    let (mut at_sara, mut at_reza) = (sara.events(), reza.events());
    let reza_id = sara.resolve("reza").await.expect("found").user.expect("a user").id;
    let chat_id = sara.open_direct(reza_id).await.expect("opened").chat.id;

    let sent = sara.send(chat_id, NewBody::text("سلام"), None).await.expect("stored");
    until(&mut at_reza, "the first message", || texts(&reza, chat_id) == ["سلام"]).await;
    until(&mut at_reza, "it counts as unread", || reza.chat(chat_id).is_some_and(|chat| chat.unread == 1)).await;
    assert!(reza.chat(chat_id).expect("held").request && !sara.chat(chat_id).expect("held").request);
    reza.answer_request(chat_id, true).await.expect("accepted");
    until(&mut at_reza, "no request any more", || reza.chat(chat_id).is_some_and(|chat| !chat.request)).await;
    reza.mark_read(chat_id, sent.seq).await.expect("read");
    until(&mut at_reza, "nothing unread", || reza.chat(chat_id).is_some_and(|chat| chat.unread == 0)).await;
    until(&mut at_sara, "the read mark", || sara.chat(chat_id).is_some_and(|chat| chat.others_read == sent.seq)).await;

    let answer = reza.send(chat_id, NewBody::text("سلام!"), Some(sent.seq)).await.expect("stored");
    sara.react(chat_id, answer.seq, Some("🌹")).await.expect("reacted");
    reza.edit(chat_id, answer.seq, NewBody::text("سلام سارا")).await.expect("edited");
    sara.delete(chat_id, sent.seq).await.expect("deleted");
    for (client, events) in [(&sara, &mut at_sara), (&reza, &mut at_reza)] {
        until(events, "the same on both sides", || {
            let messages = client.messages(chat_id);
            let last = messages.iter().find(|view| view.message.seq == answer.seq);
            let first = messages.iter().find(|view| view.message.seq == sent.seq);
            texts(client, chat_id) == ["سلام سارا"]
                && first.is_some_and(|view| view.message.body == Body::Deleted)
                && last.is_some_and(|view| view.message.reply_to == Some(sent.seq))
                && last.is_some_and(|view| view.message.reactions.first().is_some_and(|it| it.count == 1))
        })
        .await;
    }
    let mine = |client: &chapar_client::Client| {
        client.messages(chat_id).into_iter().find(|view| view.message.seq == answer.seq).and_then(|it| it.my_reaction)
    };
    assert_eq!((mine(&sara).as_deref(), mine(&reza)), (Some("🌹"), None), "only sara reacted");

    let mute = OwnItem::Mute { chat_id, value: Some(Mute { until: None, mentions: false }) };
    let nobody = OwnItem::Setting { name: WHO_MAY_CALL.into(), value: Some(Audience::Nobody.name().into()) };
    sara.set_items(vec![mute.clone(), nobody]).await.expect("set");
    event(&mut at_sara, "what was set", |event| matches!(event, ClientEvent::Item(item) if **item == mute)).await;
    until(&mut at_sara, "both", || sara.items().len() == 2).await;
    assert_eq!(sara.item("mute", &chat_id.to_string()), Some(mute.clone()));
    assert_eq!((sara.audience(WHO_MAY_CALL), sara.audience(WHO_MAY_SEE)), (Audience::Nobody, Audience::Everybody));
    sara.set_items(vec![mute.taken_back()]).await.expect("taken back");
    until(&mut at_sara, "one", || sara.items().len() == 1).await;

    sara.set_typing(chat_id).await.expect("told");
    event(&mut at_reza, "sara is typing", |event| matches!(event, ClientEvent::Typing(it) if it.chat_id == chat_id))
        .await;

    let group = sara.create_chat(ChatKind::Group, "دوستان", None, vec![reza_id]).await.expect("made").chat.id;
    until(&mut at_reza, "the group", || reza.chats().iter().any(|chat| chat.info.id == group)).await;
    reza.leave(group).await.expect("left");
    event(
        &mut at_reza,
        "the group is gone",
        |event| matches!(event, ClientEvent::Gone { chat_id } if *chat_id == group),
    )
    .await;
    assert!(reza.chat(group).is_none());

    let channel = sara.create_chat(ChatKind::Channel, "اخبار", Some("akhbar"), vec![]).await.expect("made").chat.id;
    sara.send(channel, NewBody::text("خبر"), None).await.expect("posted");
    reza.join("akhbar").await.expect("joined");
    until(&mut at_reza, "the channel", || reza.chat(channel).is_some_and(|chat| chat.role == Some(Role::Member))).await;
    assert!(texts(&reza, channel).contains(&"خبر".to_owned()));
    let error = reza.send(channel, NewBody::text("من هم"), None).await.expect_err("readers do not post");
    assert!(matches!(&error, Error::Server(error) if error.code == ErrorCode::Forbidden), "{error}");
    assert_eq!(error.action(), Action::GiveUp);
    let failed = reza.outbox();
    assert_eq!(failed.len(), 1, "it stays until the person decides");
    assert!(reza.cancel(failed[0].item.client_id) && reza.outbox().is_empty());

    for number in 0..40 {
        sara.send(chat_id, NewBody::text(format!("{number}")), None).await.expect("stored");
    }
    let again = chapar_client::Client::builder(&server.url).sign_in("reza", "a long password").await.expect("in");
    again.online().await.expect("online");
    assert_eq!(again.messages(chat_id).len(), 30, "a new device begins with the end of the chat");
    let first = again.messages(chat_id)[0].message.seq;
    again.history(chat_id, first, 100, 0).await.expect("a page");
    assert_eq!(again.messages(chat_id)[0].message.seq, Seq(1), "and reads back to the beginning");
    assert_eq!(again.get_devices().await.expect("devices").devices.len(), 2);
    again.sign_out().await.expect("signed out");
    assert_eq!(reza.get_devices().await.expect("devices").devices.len(), 1);
}

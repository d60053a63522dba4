//! An answer is about some words of the message that it answers.

use chapar_protocol::{
    Body, ErrorCode, Seq, Timestamp,
    command::{Delete, Edit, Schedule, Send, SendScheduled},
    message::{NewBody, Quote},
};

use crate::support::{Device, audit::all_equal, world::Plan};

fn quote(text: &str, offset: u32) -> Quote {
    Quote { text: text.to_owned(), offset }
}

#[tokio::test]
async fn it_stands_in_the_answer_as_it_was_said() {
    let world = Plan::pair().start().await;
    let [writer, reader] = world.people().await;
    let chat_id = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let away = Device::new(reader.account().clone());
    away.connect(world.at(1)).await;
    away.cut().await;
    // Counted in UTF-16 code units: the hand before it has two.
    let seq = writer.say(chat_id, "👋 می‌آیی؟ or not").await.seq;
    let answer = |reply_to, quote| Send {
        reply_to,
        quote: Some(quote),
        ..crate::support::device::message(chat_id, "of course")
    };
    let first = answer(Some(seq), quote("می‌آیی؟", 3));
    let sent = reader.must(first.clone()).await;
    assert_eq!(reader.must(first.clone()).await.seq, sent.seq, "a retry finds it");
    for (reply_to, quote, code) in [
        (Some(seq), quote("می‌آیی؟", 2), ErrorCode::BadQuote),
        (Some(seq), quote("or not!", 11), ErrorCode::BadQuote),
        (Some(seq), quote("something else", 0), ErrorCode::BadQuote),
        (Some(seq), quote("or", u32::MAX), ErrorCode::BadQuote),
        (None, quote("or", 11), ErrorCode::BadQuote),
        (Some(Seq(1)), quote("or", 0), ErrorCode::BadQuote),
        (Some(Seq(99)), quote("or", 0), ErrorCode::MessageNotFound),
        (Some(seq), quote(" ", 2), ErrorCode::BadText),
        (Some(seq), quote(&"x".repeat(513), 0), ErrorCode::TextTooLong),
    ] {
        assert_eq!(reader.refused(answer(reply_to, quote.clone())).await.code, code, "{reply_to:?} {quote:?}");
    }
    // What is edited away cannot be quoted any more, and what was quoted stays as it was said.
    writer.must(Edit { chat_id, seq, body: NewBody::text("never mind") }).await;
    assert_eq!(reader.refused(answer(Some(seq), quote("or", 11))).await.code, ErrorCode::BadQuote);
    assert_eq!(reader.must(first).await.seq, sent.seq, "a retry comes late");
    // Later, as now.
    let later = answer(Some(seq), quote("mind", 6));
    let at = Timestamp::from_millis(sent.sent_at.as_millis() + 3_600_000).expect("a time");
    reader.must(Schedule { message: later.clone(), at: Some(at), when_online: false }).await;
    reader.must(SendScheduled { client_ids: vec![later.client_id] }).await;
    away.connect(world.at(0)).await;
    let marked = move |model: &crate::support::Model| {
        model
            .message(chat_id, sent.seq)
            .is_some_and(|it| it.quote == Some(quote("می‌آیی؟", 3)) && it.reply_to == Some(seq))
    };
    away.until("the answer with its quote", marked).await;
    away.until("the later one", |model| {
        let last = model.chats[&chat_id].messages.values().next_back();
        last.is_some_and(|it| it.quote == Some(quote("mind", 6)))
    })
    .await;
    let gone = reader.must(Delete { chat_id, seq: sent.seq }).await;
    away.reaches(chat_id, gone.version).await;
    let audit = all_equal(world.at(1), chat_id, &[writer, reader, away]).await;
    assert_eq!((&audit.messages[&sent.seq].body, &audit.messages[&sent.seq].quote), (&Body::Deleted, &None));
}

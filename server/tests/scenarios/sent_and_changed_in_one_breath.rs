//! Somebody sends, reacts to it and edits it without waiting for an answer, so that all of it may be stored in one batch: what is kept is
//! what everybody was told.

use chapar_protocol::{
    Seq,
    command::{Edit, React},
    message::NewBody,
};
use futures_util::future::join_all;

use crate::support::{audit::all_equal, device::message, world::Plan};

#[tokio::test]
async fn is_kept_as_it_was_told() {
    const MESSAGES: i64 = 60;
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let group = world.group(&writer, &[&reader]).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let first = writer.say(group, "first").await.seq.0 + 1;
    let (mut sends, mut reactions, mut edits) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..MESSAGES {
        sends.push(message(group, &format!("{n}")));
        reactions.push(React { chat_id: group, seq: Seq(first + n), emoji: Some("👍".into()) });
        edits.push(Edit { chat_id: group, seq: Seq(first + n), body: NewBody::text(format!("edited {n}")) });
    }
    let sent = join_all(sends.iter().map(|it| writer.call(it)));
    let reacted = join_all(reactions.iter().map(|it| writer.call(it)));
    let edited = join_all(edits.iter().map(|it| writer.call(it)));
    let (sent, reacted, edited) = futures_util::join!(sent, reacted, edited);
    assert!(sent.iter().all(Result::is_ok) && reacted.iter().all(Result::is_ok) && edited.iter().all(Result::is_ok));
    let audit = all_equal(world.at(0), group, &[writer, reader]).await;
    audit.agrees_with(&world.database);
    for n in 0..MESSAGES {
        let kept = &audit.messages[&Seq(first + n)];
        assert_eq!((kept.reactions.len(), kept.edited_at.is_some()), (1, true), "{kept:?}");
    }
}

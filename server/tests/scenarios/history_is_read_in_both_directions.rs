//! Pages around any place, without holes and without doubles.

use chapar_protocol::command::{Delete, History, Page, React};
use chapar_protocol::{ErrorCode, Seq};

use crate::support::world::Plan;

fn seqs(page: &Page) -> Vec<i64> {
    page.messages.iter().map(|message| message.seq.0).collect()
}

#[tokio::test]
async fn around_any_message() {
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let chat_id = world.direct(&writer, &reader).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let first = writer.say(chat_id, "1").await.seq.0;
    for n in 1..50 {
        writer.say(chat_id, &format!("{n}")).await;
    }
    let last = first + 49;
    let page = |seq: i64, before: u32, after: u32| reader.must(History { chat_id, seq: Seq(seq), before, after });

    let middle = page(first + 20, 5, 5).await;
    assert_eq!(seqs(&middle), (first + 15..first + 25).collect::<Vec<_>>(), "before: less, after: from the place on");
    assert_eq!(middle.last_seq, Seq(last));
    assert_eq!(seqs(&page(first + 20, 0, 1).await), [first + 20]);
    assert_eq!(seqs(&page(first + 20, 1, 0).await), [first + 19]);
    assert_eq!(seqs(&page(1_000_000, 3, 3).await), [last - 2, last - 1, last], "beyond the end means the end");
    assert_eq!(seqs(&page(0, 3, 3).await), [1, 2, 3]);
    assert_eq!(seqs(&page(last, 0, 10).await), [last]);
    assert_eq!(seqs(&page(first, 0, 0).await), [0; 0]);

    // Backwards from the end, forwards from the start: the same whole.
    let mut backwards = Vec::new();
    let mut place = 1_000_000;
    loop {
        let mut older = seqs(&page(place, 7, 0).await);
        let Some(oldest) = older.first() else { break };
        place = *oldest;
        older.append(&mut backwards);
        backwards = older;
    }
    assert_eq!(backwards, (1..=last).collect::<Vec<_>>());
    let too_many = reader.refused(History { chat_id, seq: Seq(1), before: 150, after: 150 }).await;
    assert!(matches!(too_many.code, ErrorCode::TooLarge | ErrorCode::BadRequest), "{too_many:?}");
}

#[tokio::test]
async fn with_tombstones_and_own_reactions() {
    let world = Plan::single().start().await;
    let [writer, reader] = world.people().await;
    let chat_id = world.direct(&writer, &reader).await;
    writer.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let gone = writer.say(chat_id, "gone").await.seq;
    let liked = writer.say(chat_id, "liked").await.seq;
    writer.must(Delete { chat_id, seq: gone }).await;
    reader.must(React { chat_id, seq: liked, emoji: Some("🌷".to_owned()) }).await;
    let mine = reader.must(History { chat_id, seq: gone, before: 0, after: 2 }).await;
    assert_eq!(seqs(&mine), [gone.0, liked.0]);
    assert_eq!(mine.messages[0].body, chapar_protocol::Body::Deleted);
    assert_eq!(mine.reacted.iter().map(|r| (r.seq, r.user_id)).collect::<Vec<_>>(), [(liked, reader.id())]);
    let theirs = writer.must(History { chat_id, seq: gone, before: 0, after: 2 }).await;
    assert!(theirs.reacted.is_empty(), "only the own ones");
    assert_eq!(theirs.messages[1].reactions.len(), 1);
}

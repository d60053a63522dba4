//! One message of a batch is refused by the database, so the batch is stored message by message; meanwhile somebody edits in
//! the same chat over another node. Every reader ends equal to the database all the same.

use std::time::Duration;

use chapar_protocol::{Body, command::Edit, message::NewBody};
use futures_util::future::join_all;

use crate::support::{audit::all_equal, device::message, world::Plan};

/// Refuses what is called poison, and takes its time with the rest, so that others come in between.
const TRIGGER: &str = "
    CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.body->>'text' = 'poison' THEN RAISE EXCEPTION 'refused by the test'; END IF;
        PERFORM pg_sleep(0.003);
        RETURN NEW;
    END $$;
    CREATE TRIGGER poison BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION poison()";

#[tokio::test]
async fn nobody_misses_the_edit() {
    let world = Plan::pair().start().await;
    let [writer, editor, reader] = world.people().await;
    let group = world.group(&writer, &[&editor, &reader]).await;
    writer.connect(world.at(0)).await;
    editor.connect(world.at(1)).await;
    reader.connect(world.at(0)).await;
    let seq = editor.say(group, "as it was").await.seq;
    world.database.sql(TRIGGER);
    let edits = {
        let editor = editor.clone();
        tokio::spawn(async move {
            for n in 0..120 {
                editor.must(Edit { chat_id: group, seq, body: NewBody::text(format!("edited {n}")) }).await;
            }
        })
    };
    let mut refused = 0;
    for round in 0..8 {
        let texts = (0..12).map(|n| if n == 6 { "poison".to_owned() } else { format!("round {round}, {n}") });
        let messages: Vec<_> = texts.map(|text| message(group, &text)).collect();
        let answers = join_all(messages.iter().map(|message| writer.call(message))).await;
        refused += answers.iter().filter(|answer| answer.is_err()).count();
    }
    edits.await.expect("no panic");
    assert_eq!(refused, 8, "each poisoned one, and no other");
    assert!(world.nodes[0].log().contains("carrying out its changes one by one"), "the path is taken");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let audit = all_equal(world.at(1), group, &[writer, editor, reader]).await;
    audit.agrees_with(&world.database);
    assert_eq!(audit.messages[&seq].body, Body::text("edited 119"));
}

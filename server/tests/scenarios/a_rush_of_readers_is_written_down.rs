//! More people tell at once how far they have read a channel than are noted at once, and the node dies before it has: none of those who were
//! answered is forgotten, and each counts once, however often they say it.

use std::time::Duration;

use chapar_protocol::{
    ChatKind,
    command::{AddMembers, History, MarkRead},
    limit::USERS_PER_COMMAND,
};
use futures_util::future::join_all;

use crate::support::{Device, http, within, world::Plan};

const READERS: u32 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn who_was_answered_has_read() {
    let mut world = Plan::single().flags(&["--max-connections-per-address", "5000"]).start().await;
    let [owner] = world.people().await;
    owner.connect(world.at(0)).await;
    let readers: Vec<_> = world.accounts(READERS).await.into_iter().map(Device::new).collect();
    let chat_id = world.chat(ChatKind::Channel, &owner, &[]).await;
    for some in readers.chunks(USERS_PER_COMMAND) {
        owner.must(AddMembers { chat_id, user_ids: some.iter().map(Device::id).collect() }).await;
    }
    join_all(readers.iter().map(|it| it.connect(world.at(0)))).await;
    let seq = owner.say(chat_id, "a post").await.seq;

    // Nothing can be carried out any more.
    let somebody = world.database.meanwhile("LOCK TABLE people.user_chats IN EXCLUSIVE MODE");
    let mark = &MarkRead { chat_id, seq };
    let twice = |reader: Device| async move {
        let answers = join_all([reader.call(mark), reader.call(mark)]).await;
        (reader, answers)
    };
    let answers = within("their answers", join_all(readers.iter().cloned().map(twice))).await;
    let read: Vec<_> = answers.iter().filter(|it| it.1.iter().any(Result::is_ok)).map(|it| it.0.id()).collect();
    // Those who came first wait for the list that is locked, in vain.
    assert!(read.len() > 256, "only {} were answered: {:?}", read.len(), answers.first().map(|it| &it.1));
    world.restart(0);
    world.database.end_meanwhile();
    drop(somebody);

    let ids = read.iter().map(|it| it.0.to_string()).collect::<Vec<_>>().join(",");
    let forgotten = format!(
        "SELECT count(*) FROM people.user_chats WHERE chat_id = {} AND read_seq < {} AND user_id IN ({ids})",
        chat_id.0, seq.0
    );
    let history = History { chat_id, seq, before: 0, after: 1 };
    within("all to be noted and counted", async {
        loop {
            let page = http::call(world.at(0), owner.token(), &history).await.expect("read");
            let views = usize::try_from(page.messages[0].views).expect("some hundred");
            assert!(views <= readers.len(), "{views} views by {} people", readers.len());
            // A view that is no news is not told: a sixty-fourth.
            if world.database.sql(&forgotten).trim() == "0" && views + read.len() / 64 >= read.len() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
